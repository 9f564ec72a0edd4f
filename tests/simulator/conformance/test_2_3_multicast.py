"""§2.3 of the reference: class C multicast, from the call to the lamps that obey."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

from chirpstack_api import api

from city.orders import MulticastGroup
from city.readings import to_ns
from decoders.catalog import codec_of
from simulator.scenario import LAMP_MODEL, Antenna
from tests.simulator.conformance.conftest import quiet
from tests.simulator.conftest import Town

Serve = Callable[..., Any]
DIM = bytes.fromhex("09fe2805")  # to 40 %
NWK, APP = "0a" * 16, "0b" * 16
ADDRESS = "00abcdef"


class Ear:
    """A device that knows the group and says when it hears anything."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self.groups, self._heard = {ADDRESS: (NWK, APP)}, heard

    def receive(self, _: Any, *, to_group: bool = False) -> None:
        assert to_group
        self._heard()


async def group_of(server: Any, **more: Any) -> str:
    """A group with every lamp in it; the lamps do not know yet."""
    facts = {"name": "g", "application_id": server.lamps, "mc_addr": ADDRESS, "mc_nwk_s_key": NWK, "mc_app_s_key": APP,
             "group_type": api.MulticastGroupType.CLASS_C, "dr": 3, "frequency": 869_525_000}
    request = api.CreateMulticastGroupRequest(multicast_group=api.MulticastGroup(**(facts | more)))
    ident: str = (await server.call("MulticastGroup", "Create", request)).id
    for site in server.town.chirpstack.scenario.lamps:
        await server.call("MulticastGroup", "AddDevice", api.AddDeviceToMulticastGroupRequest(
            multicast_group_id=ident, dev_eui=site.device.dev_eui))
    return ident


def tell(town: Town, *, app_key: str = APP) -> None:
    """The lamps hear of the group, by the order that the platform would send each of them."""
    order = codec_of(LAMP_MODEL).encode_downlink(MulticastGroup(slot=0, dev_addr=ADDRESS, nwk_s_key=NWK, app_s_key=app_key))
    for site in town.chirpstack.scenario.lamps:
        town.down(site.device.dev_eui, data=order.data.hex(), port=order.port)
    town.run(20)


async def send(server: Any, ident: str, data: bytes = DIM, port: int = 60, **more: Any) -> int:
    item = api.MulticastGroupQueueItem(multicast_group_id=ident, f_port=port, data=data, **more)
    answer = await server.call("MulticastGroup", "Enqueue", api.EnqueueMulticastGroupQueueItemRequest(queue_item=item))
    return int(answer.f_cnt)


async def queue(server: Any, ident: str) -> list[int]:
    answer = await server.call("MulticastGroup", "ListQueue", api.ListMulticastGroupQueueRequest(multicast_group_id=ident))
    return [item.f_cnt for item in answer.items]


def levels(town: Town) -> set[int]:
    return {lamp.level for lamp in town.chirpstack.lamps.values()}


async def test_2_3_one_frame_moves_all_lamps_that_were_told_the_group(serve: Serve) -> None:
    server = await serve()
    town, ident = server.town, await group_of(server)
    await send(server, ident)
    town.run(30)
    assert 40 not in levels(town), "nobody told them"
    tell(town)
    await send(server, ident)
    town.run(30)
    assert levels(town) == {40}


async def test_2_3_lamps_with_another_key_do_not_understand(serve: Serve) -> None:
    server = await serve()
    tell(server.town, app_key="0c" * 16)
    await send(server, await group_of(server))
    server.town.run(30)
    assert 40 not in levels(server.town)


async def test_2_3_there_is_no_event_of_a_multicast(serve: Serve) -> None:
    server = await serve()
    town, ident = server.town, await group_of(server)
    town.run(30)
    before = len(town.events)
    await send(server, ident)
    town.run(30)
    assert {kind for kind, _, _ in town.events[before:]} <= {"up"}
    assert town.chirpstack.stats["multicast sent"] >= 1


async def test_2_3_the_counter_counts_up_and_lamps_drop_what_is_not_newer(serve: Serve) -> None:
    server = await serve()
    town, ident = server.town, await group_of(server, f_cnt=70)
    tell(town)
    assert [await send(server, ident), await send(server, ident, bytes.fromhex("09fe3205"))] == [70, 71]
    town.run(60)
    assert levels(town) == {50}
    got = (await server.call("MulticastGroup", "Get", api.GetMulticastGroupRequest(id=ident))).multicast_group
    assert got.f_cnt == 72
    got.f_cnt = 3
    await server.call("MulticastGroup", "Update", api.UpdateMulticastGroupRequest(multicast_group=got))
    await send(server, ident)
    town.run(30)
    assert levels(town) == {50}, "a counter that was set back is a replay"


async def test_2_3_gateways_send_one_after_the_other_with_the_margin_between(serve: Serve) -> None:
    server = await serve()
    town, ident = server.town, await group_of(server)
    gateways = [gateway.id for gateway in town.chirpstack.scenario.gateways]
    for gateway in gateways:
        await server.call("MulticastGroup", "AddGateway", api.AddGatewayToMulticastGroupRequest(
            multicast_group_id=ident, gateway_id=gateway))
    town.run(0.5)  # the scheduler looks every whole second
    await send(server, ident)
    sent: list[int] = []
    for second in range(20):
        town.run(1)
        sent += [second] * (town.chirpstack.stats["multicast sent"] - len(sent))
    assert len(sent) == len(gateways) == 3
    assert [b - a for a, b in pairwise(sent)] == [5, 5]
    assert await queue(server, ident) == []


async def test_2_3_a_group_takes_some_twelve_messages_a_minute(serve: Serve) -> None:
    server = await serve()
    town, ident = server.town, await group_of(server)
    gateway = town.chirpstack.scenario.gateways[0].id
    await server.call("MulticastGroup", "AddGateway", api.AddGatewayToMulticastGroupRequest(
        multicast_group_id=ident, gateway_id=gateway))
    for _ in range(30):
        await send(server, ident)
    assert await queue(server, ident) == list(range(30))
    town.run(60)
    assert 11 <= town.chirpstack.stats["multicast sent"] <= 13
    await server.call("MulticastGroup", "FlushQueue", api.FlushMulticastGroupQueueRequest(multicast_group_id=ident))
    assert await queue(server, ident) == []


async def test_2_3_gps_time_lets_all_gateways_send_at_one_instant(serve: Serve) -> None:
    server = await serve()
    town = server.town
    chirpstack = town.chirpstack
    chirpstack.fleet.antennas = tuple(Antenna(one.gateway, one.site, one.altitude, one.height_m, index != 2)
                                      for index, one in enumerate(chirpstack.fleet.antennas))
    ident = await group_of(server, class_c_scheduling_type=api.MulticastGroupSchedulingType.GPS_TIME)
    for gateway in chirpstack.scenario.gateways:
        await server.call("MulticastGroup", "AddGateway", api.AddGatewayToMulticastGroupRequest(
            multicast_group_id=ident, gateway_id=gateway.id))
    heard: list[int] = []

    chirpstack.multicast.listen(chirpstack.station(town.lamp), Ear(lambda: heard.append(chirpstack.now_ns)))
    asked = to_ns(town.now)
    await send(server, ident)
    town.run(30)
    assert chirpstack.stats["multicast sent"] == 2
    assert chirpstack.stats["multicast refused"] == 1, "a gateway without satellites cannot"
    assert len(heard) == 1
    assert 5.0 <= (heard[0] - asked) / 1e9 < 5.5


async def test_2_3_without_gateways_the_smallest_set_that_heard_the_members_sends(serve: Serve) -> None:
    town = quiet(lamps=60, bays=0)
    town.run(900)
    server = await serve(town)
    ident = await group_of(server)
    await send(server, ident)
    group = town.chirpstack.registry.groups.get(ident)
    chosen = {item.gateway_id for item in town.chirpstack.multicast._items}
    index = {one.gateway.id: number for number, one in enumerate(town.chirpstack.fleet.antennas)}
    stations = [town.chirpstack.station(eui) for eui in group.devices]
    assert all({index[one] for one in chosen} & set(station.heard_by) for station in stations)
    for one in chosen:
        rest = {index[other] for other in chosen - {one}}
        assert not all(rest & set(station.heard_by) for station in stations), "one gateway fewer would not do"


async def test_2_3_where_nobody_was_heard_nothing_is_sent_and_nothing_is_wrong(serve: Serve) -> None:
    town = quiet(join_within_s=60.0)
    server = await serve(town)
    ident = await group_of(server)
    assert await send(server, ident) == 0
    assert await queue(server, ident) == []
    town.run(120)
    assert town.chirpstack.stats["multicast sent"] == 0


async def test_2_3_a_gateway_that_sends_no_stats_gets_no_multicast(serve: Serve) -> None:
    server = await serve()
    town, ident = server.town, await group_of(server)
    for gateway in town.chirpstack.scenario.gateways:
        town.chirpstack.fleet.silence(gateway.id, silent=True)
    town.run(120)
    await send(server, ident)
    town.run(60)
    assert town.chirpstack.stats["multicast sent"] == 0
    assert await queue(server, ident) == [0], "it waits"
    for gateway in town.chirpstack.scenario.gateways:
        town.chirpstack.fleet.silence(gateway.id, silent=False)
    town.run(60)
    assert town.chirpstack.stats["multicast sent"] >= 1
    got = await server.call("Gateway", "Get", api.GetGatewayRequest(gateway_id=town.chirpstack.scenario.gateways[0].id))
    assert got.gateway.metadata["region_config_id"] == "eu868", "learnt from stats"


async def test_2_3_what_is_too_large_or_too_late_is_dropped_without_a_word(serve: Serve) -> None:
    server = await serve()
    town, ident = server.town, await group_of(server, dr=0)
    expired = api.MulticastGroupQueueItem()
    expired.expires_at.FromDatetime((town.now - timedelta(seconds=1)).replace(tzinfo=None))
    await send(server, ident, b"\x00" * 52)
    await send(server, ident, expires_at=expired.expires_at)
    before = len(town.of("log"))
    town.run(30)
    assert town.chirpstack.stats["multicast sent"] == 0
    assert await queue(server, ident) == []
    assert len(town.of("log")) == before


async def test_2_3_a_gateways_refusal_deletes_the_item(serve: Serve) -> None:
    """§2.3: fire and forget; here because an hour's budget is used up."""
    server = await serve()
    town, ident = server.town, await group_of(server, dr=0)
    gateway = town.chirpstack.scenario.gateways[0].id
    await server.call("MulticastGroup", "AddGateway", api.AddGatewayToMulticastGroupRequest(
        multicast_group_id=ident, gateway_id=gateway))
    for _ in range(160):
        await send(server, ident, b"\x00" * 51)
    town.run(160 * 5 + 10)
    stats = town.chirpstack.stats
    assert stats["multicast sent"] + stats["multicast refused"] == 160
    assert stats["multicast refused"] > 0
    assert await queue(server, ident) == []
    assert 350 < town.chirpstack.on_air_s(gateway) <= 360


async def test_2_3_members_are_of_the_application_and_gateways_of_the_tenant(serve: Serve) -> None:
    server = await serve()
    ident = await group_of(server)
    bay = api.AddDeviceToMulticastGroupRequest(multicast_group_id=ident, dev_eui=server.town.bay)
    twice = api.AddDeviceToMulticastGroupRequest(multicast_group_id=ident, dev_eui=server.town.lamp)
    assert await server.code("MulticastGroup", "AddDevice", bay) == "NOT_FOUND"
    assert await server.code("MulticastGroup", "AddDevice", twice) == "INTERNAL", "measured: UNIQUE constraint failed"
    leave = api.RemoveDeviceFromMulticastGroupRequest(multicast_group_id=ident, dev_eui=server.town.lamp)
    assert await server.code("MulticastGroup", "RemoveDevice", leave) == "OK"
    assert await server.code("MulticastGroup", "RemoveDevice", leave) == "NOT_FOUND"
    other = (await server.call("Tenant", "Create", api.CreateTenantRequest(
        tenant=api.Tenant(name="B", can_have_gateways=True)))).id
    await server.call("Gateway", "Create", api.CreateGatewayRequest(gateway=api.Gateway(
        gateway_id="0102030405060708", name="b", tenant_id=other, stats_interval=30)))
    foreign = api.AddGatewayToMulticastGroupRequest(multicast_group_id=ident, gateway_id="0102030405060708")
    assert await server.code("MulticastGroup", "AddGateway", foreign) == "NOT_FOUND"
    listed = api.ListDevicesRequest(application_id=server.lamps, multicast_group_id=ident, limit=9)
    assert len((await server.call("Device", "List", listed)).result) == 2


async def test_2_3_a_port_out_of_range_is_refused(serve: Serve) -> None:
    server = await serve()
    ident = await group_of(server)
    for port in (0, 256):
        item = api.MulticastGroupQueueItem(multicast_group_id=ident, f_port=port, data=b"\x01")
        request = api.EnqueueMulticastGroupQueueItemRequest(queue_item=item)
        assert await server.code("MulticastGroup", "Enqueue", request) == "INTERNAL", "measured; a device's queue differs"
