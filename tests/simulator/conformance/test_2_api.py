"""§2 of the reference: the gRPC API, its tokens, its lists and its status codes, through real stubs."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from chirpstack_api import api, common
from google.protobuf.empty_pb2 import Empty

from tests.simulator.conformance.conftest import SECRET, quiet

Serve = Callable[..., Any]
TAKEN = "INTERNAL"  # measured, 4.20.0-test.1: "UNIQUE constraint failed", although its code and §2.2 know ALREADY_EXISTS
NAMED_BUT_NOT_THERE = "INTERNAL"  # measured: "FOREIGN KEY constraint failed"
NOBODY = "00000000-0000-4000-8000-000000000000"


def token(claims: dict[str, Any], secret: bytes = SECRET.reveal().encode(), head: str = '{"alg":"HS256","typ":"JWT"}') -> str:
    """A token made here, by RFC 7515, and not by the code under test."""
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    said = part(head.encode()) + "." + part(json.dumps(claims).encode())
    return said + "." + part(hmac.new(secret, said.encode(), hashlib.sha256).digest())


def admin_key(server: Any) -> str:
    return next(key.id for key in server.town.chirpstack.registry.api_keys if key.is_admin)


async def test_2_1_an_api_keys_token_is_an_hs256_web_token_without_an_end(serve: Serve) -> None:
    server = await serve()
    claims = {"aud": "chirpstack", "iss": "chirpstack", "sub": admin_key(server), "typ": "key"}
    listing = api.ListTenantsRequest(limit=1)
    assert await server.code("Tenant", "List", listing, token(claims)) == "OK"
    body = server.token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(body + "==")) == claims


@pytest.mark.parametrize("change", [{"aud": "another"}, {"typ": "robot"}, {"exp": 1_000_000_000}, {"sub": NOBODY},
                                    {"sub": NOBODY, "typ": "user"}])
async def test_2_1_a_token_that_does_not_hold_is_unauthenticated(serve: Serve, change: dict[str, Any]) -> None:
    server = await serve()
    claims = {"aud": "chirpstack", "iss": "chirpstack", "sub": admin_key(server), "typ": "key"} | change
    assert await server.code("Tenant", "List", api.ListTenantsRequest(limit=1), token(claims)) == "UNAUTHENTICATED"


@pytest.mark.parametrize("wrong", ["", "x", "a.b.c", "é.é.é".encode().hex(), "x" * 5000])
async def test_2_1_nonsense_is_unauthenticated(serve: Serve, wrong: str) -> None:
    server = await serve()
    stub = api.TenantServiceStub(server.channel)
    for header in (f"Bearer {wrong}", wrong or "Basic eA=="):
        call = stub.List(api.ListTenantsRequest(limit=1), metadata=[("authorization", header)])
        assert (await call.code()).name == "UNAUTHENTICATED"


async def test_2_1_another_servers_secret_and_no_signature_do_not_help(serve: Serve) -> None:
    server = await serve()
    claims = {"aud": "chirpstack", "iss": "chirpstack", "sub": admin_key(server), "typ": "key"}
    listing = api.ListTenantsRequest(limit=1)
    assert await server.code("Tenant", "List", listing, token(claims, b"another")) == "UNAUTHENTICATED"
    assert await server.code("Tenant", "List", listing, token(claims, head='{"alg":"none"}')) == "UNAUTHENTICATED"
    assert await server.code("Tenant", "List", listing, None) == "UNAUTHENTICATED"


async def test_2_1_a_user_signs_in_and_makes_keys_and_a_key_does_not(serve: Serve) -> None:
    server = await serve()
    assert await server.code("Internal", "Login", api.LoginRequest(email="admin", password="x"), None) == "UNAUTHENTICATED"
    made = api.CreateApiKeyRequest(api_key=api.ApiKey(name="k", is_admin=True))
    assert await server.code("Internal", "CreateApiKey", made) == "UNAUTHENTICATED"
    both = api.CreateApiKeyRequest(api_key=api.ApiKey(name="k", is_admin=True, tenant_id=server.tenant))
    user = await server.sign_in()
    assert await server.code("Internal", "CreateApiKey", both, user) == "INVALID_ARGUMENT"
    assert (await server.call("Internal", "GetVersion", Empty(), user)).version
    regions = (await server.call("Internal", "ListRegions", Empty(), user)).regions
    assert [(one.id, one.region) for one in regions] == [("eu868", common.Region.EU868)]


async def test_2_1_a_tenants_key_reaches_its_tenant_only(serve: Serve) -> None:
    server = await serve()
    other = (await server.call("Tenant", "Create", api.CreateTenantRequest(tenant=api.Tenant(name="B")))).id
    own, foreign = await server.key(tenant_id=server.tenant), await server.key(tenant_id=other)
    listing = api.ListDevicesRequest(application_id=server.lamps, limit=10)
    device = api.GetDeviceRequest(dev_eui=server.town.lamp)
    for request, method in ((listing, "List"), (device, "Get")):
        assert await server.code("Device", method, request, own) == "OK"
        assert await server.code("Device", method, request, foreign) == "UNAUTHENTICATED"
    assert await server.code("Tenant", "List", api.ListTenantsRequest(limit=1), own) == "UNAUTHENTICATED"
    assert await server.code("Tenant", "Get", api.GetTenantRequest(id=other), own) == "UNAUTHENTICATED"
    unknown = api.GetDeviceRequest(dev_eui="ffffffffffffffff")
    assert await server.code("Device", "Get", unknown, own) == "UNAUTHENTICATED"
    assert await server.code("Device", "Get", unknown) == "NOT_FOUND"


async def test_2_1_a_read_only_key_reads(serve: Serve) -> None:
    server = await serve()
    key = await server.key(is_admin=True, is_read_only=True)
    assert await server.code("Device", "Get", api.GetDeviceRequest(dev_eui=server.town.lamp), key) == "OK"
    flush = api.FlushDeviceQueueRequest(dev_eui=server.town.lamp)
    assert await server.code("Device", "FlushQueue", flush, key) == "UNAUTHENTICATED"
    assert await server.code("Tenant", "Create", api.CreateTenantRequest(tenant=api.Tenant(name="B")), key) == \
        "UNAUTHENTICATED"


async def test_2_2_a_list_without_a_limit_gives_only_the_count(serve: Serve) -> None:
    server = await serve()
    for service, request, count in (
            ("Tenant", api.ListTenantsRequest(), 1),
            ("Application", api.ListApplicationsRequest(tenant_id=server.tenant), 2),
            ("DeviceProfile", api.ListDeviceProfilesRequest(tenant_id=server.tenant), 2),
            ("Device", api.ListDevicesRequest(application_id=server.lamps), 3),
            ("Gateway", api.ListGatewaysRequest(tenant_id=server.tenant), 3),
            ("MulticastGroup", api.ListMulticastGroupsRequest(application_id=server.lamps), None)):
        answer = await server.call(service, "List", request)
        assert len(answer.result) == 0
        assert answer.total_count == count if count is not None else answer.total_count > 0
        request.limit = 100
        assert len((await server.call(service, "List", request)).result) == answer.total_count


async def test_2_2_a_list_is_paged_and_searched(serve: Serve) -> None:
    server = await serve()
    names = []
    for offset in range(3):
        request = api.ListDevicesRequest(application_id=server.lamps, limit=1, offset=offset)
        [row] = (await server.call("Device", "List", request)).result
        names.append(row.name)
    assert len(set(names)) == 3
    assert names == sorted(names)
    found = await server.call("Device", "List", api.ListDevicesRequest(application_id=server.lamps, limit=9,
                                                                       search=names[1].upper()))
    assert [row.name for row in found.result] == [names[1]]
    assert await server.code("Device", "List", api.ListDevicesRequest(limit=9)) == "INVALID_ARGUMENT"


async def test_2_2_status_codes_of_what_is_wrong(serve: Serve) -> None:
    server = await serve()
    device = api.Device(dev_eui=server.town.lamp, name="twice", application_id=server.lamps)
    device.device_profile_id = (await server.call("Device", "Get", api.GetDeviceRequest(
        dev_eui=server.town.lamp))).device.device_profile_id
    fresh = api.Device()
    fresh.CopyFrom(device)
    fresh.dev_eui = "70b3d57effff0001"
    nameless, nowhere, bad_id, bad_eui = (api.Device() for _ in range(4))
    for one in (nameless, nowhere, bad_id, bad_eui):
        one.CopyFrom(fresh)
    nameless.name, nowhere.application_id, bad_id.application_id, bad_eui.dev_eui = "", NOBODY, "x", "xyz"
    nameless.dev_eui = "70b3d57effff0002"
    for one, code in ((device, TAKEN), (nameless, "OK"), (nowhere, NAMED_BUT_NOT_THERE),
                      (bad_id, "INVALID_ARGUMENT"), (bad_eui, "INTERNAL"), (fresh, "OK")):
        assert await server.code("Device", "Create", api.CreateDeviceRequest(device=one)) == code
    assert await server.code("Device", "Create", api.CreateDeviceRequest()) == "INVALID_ARGUMENT"
    fresh.name = ""
    assert await server.code("Device", "Update", api.UpdateDeviceRequest(device=fresh)) == "INVALID_ARGUMENT"
    tenant = api.CreateTenantRequest(tenant=api.Tenant())
    assert await server.code("Tenant", "Create", tenant) == "INVALID_ARGUMENT"
    keys = api.DeviceKeys(dev_eui="0102030405060708", nwk_key="00" * 16)
    assert await server.code("Device", "CreateKeys", api.CreateDeviceKeysRequest(device_keys=keys)) == NAMED_BUT_NOT_THERE
    assert await server.code("Device", "GetQueue", api.GetDeviceQueueItemsRequest(dev_eui="0102030405060708")) == "OK"
    assert await server.code("Internal", "ListApiKeys", api.ListApiKeysRequest(limit=1),
                             await server.sign_in()) == "INVALID_ARGUMENT"
    assert await server.code("Device", "Get", api.GetDeviceRequest(dev_eui="0102030405060708")) == "NOT_FOUND"
    assert await server.code("Device", "GetMetrics", api.GetDeviceMetricsRequest()) == "UNIMPLEMENTED"


async def test_2_2_a_tenants_limits_hold(serve: Serve) -> None:
    server = await serve()
    tenant = (await server.call("Tenant", "Get", api.GetTenantRequest(id=server.tenant))).tenant
    tenant.max_device_count, tenant.max_gateway_count = 6, 3
    await server.call("Tenant", "Update", api.UpdateTenantRequest(tenant=tenant))
    profile = (await server.call("DeviceProfile", "List", api.ListDeviceProfilesRequest(
        tenant_id=server.tenant, limit=1))).result[0].id
    device = api.Device(dev_eui="70b3d57effff0001", name="d", application_id=server.lamps, device_profile_id=profile)
    assert await server.code("Device", "Create", api.CreateDeviceRequest(device=device)) == "INVALID_ARGUMENT"
    gateway = api.Gateway(gateway_id="70b3d57effff0001", name="g", tenant_id=server.tenant, stats_interval=30)
    assert await server.code("Gateway", "Create", api.CreateGatewayRequest(gateway=gateway)) == "INVALID_ARGUMENT"


async def test_2_2_a_profile_gives_back_all_that_it_was_given(serve: Serve) -> None:
    server = await serve()
    profile = api.DeviceProfile(
        tenant_id=server.tenant, name="p", description="d", region=common.Region.EU868,
        mac_version=common.MacVersion.LORAWAN_1_0_4, reg_params_revision=common.RegParamsRevision.RP002_1_0_3,
        adr_algorithm_id="default", uplink_interval=900, supports_otaa=True, supports_class_c=True, class_c_timeout=9,
        tags={"maker": "x"}, abp_rx2_freq=869_525_000, rx1_delay=5, allow_roaming=True, relay_cad_periodicity=3,
        measurements={"level": api.Measurement(name="Level", kind=api.MeasurementKind.GAUGE)},
        supported_uplink_data_rates=[0, 1, 2, 3, 4, 5])
    ident = (await server.call("DeviceProfile", "Create", api.CreateDeviceProfileRequest(device_profile=profile))).id
    got = await server.call("DeviceProfile", "Get", api.GetDeviceProfileRequest(id=ident))
    profile.id = ident
    assert got.device_profile == profile
    assert got.created_at == got.updated_at
    profile.rx1_delay = 16
    assert await server.code("DeviceProfile", "Update", api.UpdateDeviceProfileRequest(device_profile=profile)) == \
        "INVALID_ARGUMENT"


async def test_2_2_the_nwk_key_is_the_app_key_of_1_0(serve: Serve) -> None:
    """A device joins with it, and with no other."""
    town = quiet(lamps=1, bays=0)
    server = await serve(town)
    wrong = api.DeviceKeys(dev_eui=town.lamp, nwk_key="00" * 16)
    right = (await server.call("Device", "GetKeys", api.GetDeviceKeysRequest(dev_eui=town.lamp))).device_keys
    await server.call("Device", "UpdateKeys", api.UpdateDeviceKeysRequest(device_keys=wrong))
    town.run(120)
    assert not town.of("join", town.lamp)
    assert {event["code"] for event in town.of("log", town.lamp)} == {"UPLINK_MIC"}
    await server.call("Device", "UpdateKeys", api.UpdateDeviceKeysRequest(device_keys=right))
    town.run(600)
    assert town.of("join", town.lamp)
    assert await server.code("Device", "CreateKeys", api.CreateDeviceKeysRequest(device_keys=right)) == TAKEN
    short = api.DeviceKeys(dev_eui=town.lamp, nwk_key="00" * 15)
    assert await server.code("Device", "UpdateKeys", api.UpdateDeviceKeysRequest(device_keys=short)) == "INTERNAL"


async def test_2_2_flush_dev_nonces_lets_a_forgetful_device_join(serve: Serve) -> None:
    server = await serve()
    town = server.town
    town.chirpstack.misbehave(town.lamp, "nonces")
    town.run(40)
    said = [event for event in town.of("log", town.lamp) if event["code"] == "OTAA"]
    assert said[0]["context"].keys() == {"deduplication_id", "join_eui", "dev_nonce"}
    await server.call("Device", "FlushDevNonces", api.FlushDevNoncesRequest(dev_eui=town.lamp))
    town.run(300)
    assert len(town.of("join", town.lamp)) == 2


async def test_2_2_an_activation_says_the_session_and_deactivating_ends_it(serve: Serve) -> None:
    server = await serve()
    town, request = server.town, api.GetDeviceActivationRequest(dev_eui=server.town.lamp)
    said = (await server.call("Device", "GetActivation", request)).device_activation
    assert said.dev_addr == town.of("join", town.lamp)[0]["devAddr"]
    assert said.f_cnt_up == town.of("up", town.lamp)[-1]["fCnt"] + 1
    assert said.nwk_s_enc_key == said.s_nwk_s_int_key == said.f_nwk_s_int_key != said.app_s_key
    await server.call("Device", "Deactivate", api.DeactivateDeviceRequest(dev_eui=town.lamp))
    assert not (await server.call("Device", "GetActivation", request)).HasField("device_activation")
    before = len(town.of("up", town.lamp))
    town.run(900)
    assert len(town.of("up", town.lamp)) == before, "frames that fit no session give no event"


async def test_2_2_a_device_activated_by_hand_shows_what_it_was_given(serve: Serve) -> None:
    server = await serve()
    given = api.DeviceActivation(dev_eui=server.town.lamp, dev_addr="01020304", app_s_key="0a" * 16, nwk_s_enc_key="0b" * 16,
                                 s_nwk_s_int_key="0b" * 16, f_nwk_s_int_key="0b" * 16, f_cnt_up=7, n_f_cnt_down=9)
    await server.call("Device", "Activate", api.ActivateDeviceRequest(device_activation=given))
    got = await server.call("Device", "GetActivation", api.GetDeviceActivationRequest(dev_eui=server.town.lamp))
    assert got.device_activation == given
    request = api.GetDeviceNextFCntDownRequest(dev_eui=server.town.lamp)
    assert (await server.call("Device", "GetNextFCntDown", request)).f_cnt_down == 9


async def test_2_2_a_random_address_lies_in_the_net_and_needs_an_owner(serve: Serve) -> None:
    server = await serve()
    said = await server.call("Device", "GetRandomDevAddr", api.GetRandomDevAddrRequest(tenant_id=server.tenant))
    assert int(said.dev_addr, 16) >> 25 == 0
    assert len(said.dev_addr) == 8
    assert await server.code("Device", "GetRandomDevAddr", api.GetRandomDevAddrRequest()) == "INVALID_ARGUMENT"


async def test_2_2_a_disabled_device_is_not_heard(serve: Serve) -> None:
    server = await serve()
    town = server.town
    device = (await server.call("Device", "Get", api.GetDeviceRequest(dev_eui=town.lamp))).device
    device.is_disabled = True
    await server.call("Device", "Update", api.UpdateDeviceRequest(device=device))
    before = len(town.of("up", town.lamp))
    town.run(900)
    assert len(town.of("up", town.lamp)) == before
    assert len(town.of("up")) > before


async def test_2_2_what_a_device_is_called_shows_in_its_events(serve: Serve) -> None:
    """Tags: the application's, the profile's, the device's; the later wins (§1.4)."""
    server = await serve()
    town = server.town
    device = (await server.call("Device", "Get", api.GetDeviceRequest(dev_eui=town.lamp))).device
    device.name = 'renamed "so"'
    device.tags["level"] = "device"
    application = (await server.call("Application", "Get", api.GetApplicationRequest(id=server.lamps))).application
    application.tags.update({"level": "application", "of": "application"})
    await server.call("Device", "Update", api.UpdateDeviceRequest(device=device))
    await server.call("Application", "Update", api.UpdateApplicationRequest(application=application))
    town.run(900)
    said = town.of("up", town.lamp)[-1]["deviceInfo"]
    assert said["deviceName"] == 'renamed "so"'
    assert (said["tags"]["level"], said["tags"]["of"]) == ("device", "application")
    town.down(town.lamp)
    town.run(15)
    [sent] = town.of("txack", town.lamp)
    assert sent["deviceInfo"]["tags"]["level"] == "device"
    assert "of" not in sent["deviceInfo"]["tags"], "txack lacks the application's tags"


@pytest.mark.parametrize("more", [{"tags": {f"t{n}": "x" for n in range(65)}}, {"tags": {"t": "x" * 1024}},
                                  {"description": "x" * 16_385}, {"name": "x" * 101}, {"variables": {"t": "x" * 1024}}])
async def test_2_2_what_is_too_much_is_refused(serve: Serve, more: dict[str, Any]) -> None:
    server = await serve()
    device = (await server.call("Device", "Get", api.GetDeviceRequest(dev_eui=server.town.lamp))).device
    device.MergeFrom(api.Device(**more))
    assert await server.code("Device", "Update", api.UpdateDeviceRequest(device=device)) == "INVALID_ARGUMENT"


async def test_2_2_a_profile_that_asks_for_the_status_all_the_time_gets_it_once_a_minute(serve: Serve) -> None:
    server = await serve()
    town = server.town
    device = (await server.call("Device", "Get", api.GetDeviceRequest(dev_eui=town.bay))).device
    profile = (await server.call("DeviceProfile", "Get", api.GetDeviceProfileRequest(
        id=device.device_profile_id))).device_profile
    profile.device_status_req_interval = 2**32 - 1
    await server.call("DeviceProfile", "Update", api.UpdateDeviceProfileRequest(device_profile=profile))
    town.run(86_400)
    before = len(town.of("status", town.bay))
    town.run(3600)
    assert 59 <= len(town.of("status", town.bay)) - before <= 61


async def test_2_2_gateways_are_online_until_they_are_silent_for_two_intervals(serve: Serve) -> None:
    server = await serve()
    town, request = server.town, api.ListGatewaysRequest(tenant_id=server.tenant, limit=9)

    async def states() -> dict[str, int]:
        return {row.gateway_id: row.state for row in (await server.call("Gateway", "List", request)).result}

    first = next(iter(await states()))
    assert set((await states()).values()) == {api.GatewayState.ONLINE}
    town.chirpstack.fleet.silence(first, silent=True)
    town.run(50)
    assert (await states())[first] == api.GatewayState.ONLINE
    town.run(45)
    assert (await states())[first] == api.GatewayState.OFFLINE
    town.chirpstack.fleet.silence(first, silent=False)
    town.run(35)
    assert (await states())[first] == api.GatewayState.ONLINE
    await server.call("Gateway", "Create", api.CreateGatewayRequest(gateway=api.Gateway(
        gateway_id="0102030405060708", name="in the box", tenant_id=server.tenant, stats_interval=30)))
    assert (await states())["0102030405060708"] == api.GatewayState.NEVER_SEEN


async def test_2_2_an_unknown_device_calls_in_vain_until_it_is_provisioned(serve: Serve) -> None:
    town = quiet(lamps=1, bays=1, known=False)
    server = await serve(town)
    town.run(600)
    assert town.events == []
    assert (await server.call("Tenant", "List", api.ListTenantsRequest())).total_count == 0


async def test_2_2_deleting_an_application_deletes_what_is_in_it(serve: Serve) -> None:
    server = await serve()
    await server.call("Application", "Delete", api.DeleteApplicationRequest(id=server.lamps))
    assert await server.code("Device", "Get", api.GetDeviceRequest(dev_eui=server.town.lamp)) == "NOT_FOUND"
    assert await server.code("Application", "Get", api.GetApplicationRequest(id=server.lamps)) == "NOT_FOUND"
    before, lamps = len(server.town.events), {site.device.dev_eui for site in server.town.chirpstack.scenario.lamps}
    server.town.run(3600)
    heard = {eui for _, eui, _ in server.town.events[before:]}
    assert heard
    assert not heard & lamps


async def test_2_2_a_firmware_update_is_ordered_but_not_sent(serve: Serve) -> None:
    server = await serve()
    device = (await server.call("Device", "Get", api.GetDeviceRequest(dev_eui=server.town.lamp))).device
    order = api.FuotaDeployment(application_id=server.lamps, device_profile_id=device.device_profile_id, name="f",
                                payload=b"\x01" * 2000, multicast_dr=3, fragmentation_redundancy_percentage=20)
    ident = (await server.call("Fuota", "CreateDeployment", api.CreateFuotaDeploymentRequest(deployment=order))).id
    await server.call("Fuota", "AddDevices", api.AddDevicesToFuotaDeploymentRequest(
        fuota_deployment_id=ident, dev_euis=[server.town.lamp]))
    stray = api.AddDevicesToFuotaDeploymentRequest(fuota_deployment_id=ident, dev_euis=[server.town.bay])
    assert await server.code("Fuota", "AddDevices", stray) == "INVALID_ARGUMENT"
    await server.call("Fuota", "StartDeployment", api.StartFuotaDeploymentRequest(id=ident))
    assert await server.code("Fuota", "StartDeployment", api.StartFuotaDeploymentRequest(id=ident)) == "FAILED_PRECONDITION"
    got = await server.call("Fuota", "GetDeployment", api.GetFuotaDeploymentRequest(id=ident))
    order.id = ident
    assert got.deployment == order
    assert got.HasField("started_at")
    [job] = (await server.call("Fuota", "ListJobs", api.ListFuotaDeploymentJobsRequest(fuota_deployment_id=ident))).jobs
    assert (job.job, job.error_msg) == ("CREATE_MC_GROUP", "the simulated server sends no fragments")
