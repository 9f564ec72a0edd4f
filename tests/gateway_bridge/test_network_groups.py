"""Multicast groups over ChirpStack's gRPC API, against the simulator's imitation of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.airtime import RX2_HZ
from city.clock import ManualClock
from city.errors import NetworkServerDown, NotFound
from city.ids import DevEui
from city.readings import to_ns
from city.settings import Chirpstack, Secret
from decoders.codec import Frame
from gateway_bridge.network_server import ChirpstackApi, GroupSpec
from simulator.chirpstack import ChirpStack
from simulator.direct import Direct
from simulator.grpc_api import GrpcApi
from simulator.scenario import Scenario

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
KEY = "ab" * 16


@pytest.fixture
def server() -> ChirpStack:
    return ChirpStack(Scenario.load(None).sized(lamps=12, bays=0), seed=7, start=NOW)


@pytest.fixture
async def api(server: ChirpStack) -> AsyncIterator[GrpcApi]:
    api = GrpcApi(server, Secret("x" * 40), ManualClock(NOW))
    yield api
    await api.stop()


@pytest.fixture
async def network(api: GrpcApi) -> AsyncIterator[ChirpstackApi]:
    port = await api.start("127.0.0.1:0")
    connected = ChirpstackApi(Chirpstack(f"127.0.0.1:{port}", Secret(api.admin_token())))
    yield connected
    await connected.close()


@pytest.fixture
def spec(server: ChirpStack) -> GroupSpec:
    return GroupSpec("stadtfunk g1 zone:markt", server.scenario.application("lamp"), "01020304", KEY, "cd" * 16, 3, RX2_HZ)


async def test_a_group_is_made_once_and_put_right_without_setting_its_counter_back(network, server, spec) -> None:
    made = await network.make_group(spec)
    group = server.registry.groups.get(made)
    assert (group.mc_addr, group.mc_nwk_s_key, group.dr, group.frequency) == ("01020304", KEY, 3, RX2_HZ)
    group.f_cnt = 77
    assert await network.make_group(spec) == made
    assert await network.make_group(replace(spec, dr=5, dev_addr="01020305", together=True)) == made
    after = server.registry.groups.get(made)
    assert (after.dr, after.mc_addr, after.class_c_scheduling_type, after.f_cnt) == (5, "01020305", 1, 77)


async def test_members_and_gateways_are_what_was_said_however_often(network, server, spec) -> None:
    made = await network.make_group(spec)
    lamps = [DevEui(site.dev_eui) for site in server.scenario.lamps[:3]]
    for device in (*lamps, lamps[0]):
        if device not in await network.members(made, spec.application_id):
            await network.enlist(made, device)
    assert set(await network.members(made, spec.application_id)) == set(lamps)
    await network.dismiss(made, lamps[0])
    await network.dismiss(made, lamps[0])
    assert set(await network.members(made, spec.application_id)) == set(lamps[1:])
    gateways = [gateway.id for gateway in server.scenario.gateways]
    for wanted in (gateways, gateways, gateways[:1], []):
        await network.set_gateways(made, wanted)
        assert set(server.registry.groups.get(made).gateways) == set(wanted)


async def test_a_frame_is_queued_for_each_gateway_and_dropped_again(network, server, spec) -> None:
    made = await network.make_group(spec)
    await network.set_gateways(made, [gateway.id for gateway in server.scenario.gateways])
    await network.cast(made, Frame(60, b"\x09\xfe\x28\x3c"), NOW + timedelta(minutes=5))
    (item,) = server.multicast.waiting(made)
    assert (item.f_port, item.data, item.f_cnt) == (60, b"\x09\xfe\x28\x3c", 0)
    await network.drop_casts(made)
    assert server.multicast.waiting(made) == []


async def test_what_is_gone_is_said_and_removing_it_again_is_no_harm(network, spec) -> None:
    made = await network.make_group(spec)
    await network.remove_group(made)
    await network.remove_group(made)
    for ask in (network.cast(made, Frame(60, b"x"), NOW), network.set_gateways(made, ["b" * 16])):
        with pytest.raises((NotFound, NetworkServerDown)):
            await ask


async def test_a_server_whose_database_is_locked_for_a_moment_is_asked_again(network, server, api, spec) -> None:
    made = await network.make_group(spec)
    lamp = DevEui(server.scenario.lamps[0].dev_eui)
    api.locked = 2
    await network.enlist(made, lamp)
    assert set(await network.members(made, spec.application_id)) == {lamp}


async def test_a_frame_for_a_group_is_queued_once_although_the_database_was_locked(network, server, api, spec) -> None:
    made = await network.make_group(spec)
    await network.set_gateways(made, [server.scenario.gateways[0].id])
    api.locked = 1
    await network.cast(made, Frame(60, b"\x01\xff"), NOW + timedelta(minutes=5))
    assert server.registry.groups.get(made).f_cnt == 1
    api.locked = 9
    with pytest.raises(NetworkServerDown, match="database is locked"):
        await network.cast(made, Frame(60, b"\x01\xff"), NOW + timedelta(minutes=5))


def test_keys_are_not_shown(spec) -> None:
    assert KEY not in repr(spec)


async def test_how_gateways_are_is_told_alike_by_the_api_and_in_the_same_process(network, server) -> None:
    tenant = next(iter(server.registry.gateways)).tenant_id
    assert await network.gateways(tenant) == {}  # never seen yet
    server.advance(NOW + timedelta(minutes=10))
    said = await network.gateways(tenant)
    assert said == await Direct([server]).gateways(tenant)
    assert set(said) == {gateway.id for gateway in server.scenario.gateways}
    assert all(word.online and word.seen_ns > to_ns(NOW) for word in said.values())
