"""A town told to a server over gRPC, once and again; against our imitation, through a real port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from chirpstack_api import api

from city.clock import SystemClock
from city.errors import Conflict, Forbidden, Invalid, NetworkServerDown, SignInNeeded
from city.settings import Secret
from simulator.grpc_api import GrpcApi
from simulator.inventory import Inventory, inventory
from simulator.provision import channel_to, main, told
from simulator.provisioned import ApiKey
from simulator.provisioning import Provisioner, Report
from simulator.tokens import sign
from tests.simulator.conformance.conftest import quiet
from tests.simulator.conftest import Town

SECRET = Secret("s")
Connect = Callable[..., Any]


def no_step(kind: str, count: int) -> None: ...


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:
        async def make(town: Town, token: str | None = None) -> tuple[Provisioner, Inventory]:
            door = GrpcApi(town.chirpstack, SECRET, SystemClock())
            port = await door.start("127.0.0.1:0")
            stack.push_async_callback(door.stop)
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
            given = Secret(door.admin_token() if token is None else token)
            return Provisioner(channel, given, url=f"127.0.0.1:{port}"), inventory(town.chirpstack.scenario, seed=1)
        yield make


def counts(report: Report) -> tuple[int, int, int]:
    return report.created.total(), report.changed.total(), report.right.total()


async def test_a_fresh_server_is_filled_and_the_town_comes_to_life(connect: Connect) -> None:
    town = quiet(lamps=6, bays=4, known=False)
    provisioner, whole = await connect(town)
    seen: dict[str, int] = {}
    report = await provisioner.provision(whole, 1, step=lambda kind, count: seen.update({kind: seen.get(kind, 0) + count}))
    assert report.created["devices"] == seen["devices"] == 10
    assert counts(report)[1:] == (0, 0)
    town.run(900)
    joined = {eui for kind, eui, _ in town.events if kind == "join"}
    assert len(joined) == 10
    [application] = {event["deviceInfo"]["applicationId"] for event in town.of("up", town.lamp)}
    assert application == report.applications["strassenbeleuchtung"]
    assert {event["deviceInfo"]["tenantId"] for event in town.of("up")} == {report.tenant_id}


async def test_a_second_run_changes_nothing(connect: Connect) -> None:
    town = quiet(lamps=6, bays=4, known=False)
    provisioner, whole = await connect(town)
    first = await provisioner.provision(whole, 1, step=no_step)
    second = await provisioner.provision(whole, 1, step=no_step)
    assert counts(second) == (0, 0, counts(first)[0])
    assert (second.tenant_id, second.applications) == (first.tenant_id, first.applications)


async def test_what_was_changed_is_put_right_and_what_was_added_stays(connect: Connect) -> None:
    town = quiet(lamps=6, bays=4, known=False)
    provisioner, whole = await connect(town)
    await provisioner.provision(whole, 1, step=no_step)
    registry = town.chirpstack.registry
    lamp, other = list(registry.devices)[:2]
    lamp.name, lamp.tags = "somebody's", {"note": "by hand", **lamp.tags, "zone": "elsewhere"}
    registry.set_keys(other.dev_eui, None)
    profile = next(one for one in registry.profiles if one.supports_class_c)
    profile.class_c_timeout, profile.description = 3, "by hand"
    gateway = next(iter(registry.gateways))
    gateway.latitude = 1.0
    group = next(iter(registry.groups))
    missing = next(iter(group.devices))
    group.devices.pop(missing)
    group.f_cnt = 12
    report = await provisioner.provision(whole, 1, step=no_step)
    assert (report.changed, report.created.total()) == ({"profiles": 1, "gateways": 1, "devices": 2, "groups": 1}, 0)
    lamp, profile = registry.devices.get(lamp.dev_eui), registry.profiles.get(profile.id)
    assert (lamp.tags["zone"], lamp.tags["note"]) == (whole.devices[0].tags["zone"], "by hand")
    assert (profile.class_c_timeout, profile.description) == (10, "by hand")
    assert registry.groups.get(group.id).f_cnt == 12, "a counter set back would make lamps deaf"
    assert missing in registry.groups.get(group.id).devices
    assert counts(await provisioner.provision(whole, 1, step=no_step))[:2] == (0, 0)


async def test_an_interrupted_run_is_taken_up(connect: Connect) -> None:
    town = quiet(lamps=6, bays=4, known=False)
    provisioner, whole = await connect(town)

    class Stopped(Exception):
        pass

    done = 0

    def step(kind: str, count: int) -> None:
        nonlocal done
        done += kind == "devices" and count
        if done == 4:
            raise Stopped
    with pytest.raises(Stopped):
        await provisioner.provision(whole, 1, step=step)
    report = await provisioner.provision(whole, 1, step=no_step)
    assert report.created["devices"] + report.changed["devices"] + report.right["devices"] == 10
    assert counts(await provisioner.provision(whole, 1, step=no_step))[:2] == (0, 0)


async def test_a_tenants_key_needs_its_tenant_named(connect: Connect) -> None:
    town = quiet(lamps=2, bays=1)
    registry = town.chirpstack.registry
    tenant = town.chirpstack.scenario.tenant.chirpstack_tenant
    key = registry.add_api_key(ApiKey(registry.new_id(), "k", tenant_id=tenant))
    provisioner, whole = await connect(town, sign(SECRET, "key", key.id))
    with pytest.raises(Forbidden):
        await provisioner.provision(whole, 1, step=no_step)
    assert counts(await provisioner.provision(whole, 1, tenant_id=tenant, step=no_step))[:2] == (0, 0)


async def test_a_town_that_the_simulator_filled_itself_is_right(connect: Connect) -> None:
    provisioner, whole = await connect(quiet(lamps=6, bays=4))
    assert counts(await provisioner.provision(whole, 1, step=no_step))[:2] == (0, 0)


async def test_failures_are_one_sentence_that_says_what_to_do(connect: Connect) -> None:
    town = quiet(lamps=2, bays=1, known=False)
    wrong, whole = await connect(town, "a.b.c")
    with pytest.raises(SignInNeeded, match="does not accept the token"):
        await wrong.provision(whole, 1, step=no_step)
    provisioner, _ = await connect(town)
    await provisioner.provision(whole, 1, step=no_step)
    for tenant in town.chirpstack.registry.tenants:
        tenant.max_device_count = 3
    larger = inventory(town.chirpstack.scenario.sized(lamps=4), seed=1)
    with pytest.raises(Invalid, match="Max number of devices exceeded"):
        await provisioner.provision(larger, 1, step=no_step)
    for tenant in town.chirpstack.registry.tenants:
        tenant.name, tenant.max_device_count = "another", 0
    with pytest.raises(Conflict, match="elsewhere"):
        await provisioner.provision(whole, 1, step=no_step)


async def test_a_wrong_address_is_said() -> None:
    channel = channel_to("127.0.0.1:1")
    whole = inventory(quiet(lamps=1, bays=0).chirpstack.scenario, seed=1)
    with pytest.raises(NetworkServerDown, match=r"127\.0\.0\.1:1 does not answer"):
        await Provisioner(channel, Secret("x"), url="127.0.0.1:1").provision(whole, 1, step=no_step)
    await channel.close(None)
    for url in ("", "ftp://x:1", "x/y"):
        with pytest.raises(Invalid):
            channel_to(url)


def test_the_command_says_in_one_line_what_is_missing(capsys: pytest.CaptureFixture[str],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STADTFUNK_CHIRPSTACK_TOKEN", raising=False)
    assert main(["--chirpstack", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith("A token is needed")
    assert main(["--chirpstack", "127.0.0.1:1", "--token", "x", "--lamps", "1", "--bays", "0"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "does not answer" in said
    assert "--token" not in said


def test_the_report_names_the_ids_that_the_platform_needs() -> None:
    report = Report(tenant_id="t-1", applications={"parken": "a-1"})
    report.created["devices"] += 2
    assert told("X", report).splitlines()[:2] == ["X: tenant t-1", "  application parken: a-1"]
    assert "  devices: 2 created" in told("X", report)


async def test_a_device_profile_of_lamps_is_patient_enough(connect: Connect) -> None:
    """A confirmed class C downlink is answered within 8 s (CLASS_B_C_RESP_TIMEOUT of LoRaMac-node)."""
    town = quiet(lamps=1, bays=1, known=False)
    provisioner, whole = await connect(town)
    await provisioner.provision(whole, 1, step=no_step)
    lamps = next(one for one in town.chirpstack.registry.profiles if one.supports_class_c)
    assert lamps.class_c_timeout >= 8
    assert (lamps.payload_codec_runtime, lamps.mac_version, lamps.region) == (api.CodecRuntime.NONE, 3, 0)


class OneWriter(api.TenantServiceServicer):
    """Serves one call at a time, as a ChirpStack on SQLite does, and refuses all others."""

    def __init__(self) -> None:
        self.busy, self.served, self.refused = False, 0, 0

    async def Get(self, request, context):  # noqa: N802, ARG002 - ChirpStack's name
        if self.busy:
            self.refused += 1
            await context.abort(grpc.StatusCode.INTERNAL, "database is locked")
        self.busy = True
        for _ in range(200):
            await asyncio.sleep(0)
        self.busy = False
        self.served += 1
        return api.GetTenantResponse()


async def test_a_server_that_is_locked_is_asked_one_call_at_a_time() -> None:
    server, service = grpc.aio.server(), OneWriter()
    api.add_TenantServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            provisioner = Provisioner(channel, Secret("key"), url="here", parallel=8)
            await provisioner._each(range(40), lambda number: provisioner._call(
                "Tenant", "Get", api.GetTenantRequest(id=str(number)), "tenant"))
    finally:
        await server.stop(None)
    assert service.served == 40
    assert 0 < service.refused < 8, "only those that were under way when it was first refused"
