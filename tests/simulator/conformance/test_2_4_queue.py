"""§2.4 of the reference: the device queue over gRPC and MQTT, class C and class A; and §8's list of what remains."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from chirpstack_api import api, gw, integration
from google.protobuf.timestamp_pb2 import Timestamp

from city.errors import NetworkServerDown
from city.ids import DevEui
from city.settings import Chirpstack, Secret
from gateway_bridge.network_server import connect
from simulator.fleet import REFUSALS
from tests.simulator.conformance.conftest import quiet
from tests.simulator.conftest import NIGHT

Serve = Callable[..., Any]


def seconds(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at.replace(tzinfo=None))
    return made


async def test_2_4_items_are_sent_in_order_five_seconds_apart(serve: Serve) -> None:
    server = await serve()
    town = server.town
    ids = [await server.enqueue(town.lamp) for _ in range(4)]
    assert [item.id for item in await server.queue(town.lamp)] == ids
    town.run(40)
    sent = town.of("txack", town.lamp)
    assert [one["queueItemId"] for one in sent] == ids
    gaps = [b - a for a, b in pairwise(map(seconds, sent))]
    assert min(gaps) >= 5
    assert max(gaps) <= 20, "the lamp answers, and its uplinks lock it as well"
    assert [one["fCntDown"] for one in sent] == [0, 1, 2, 3]
    assert await server.queue(town.lamp) == []


async def test_2_4_the_downlink_counter_has_32_bits(serve: Serve) -> None:
    town = quiet(protobuf=True)
    town.chirpstack.advance(town.now + timedelta(minutes=3))
    server = await serve(town)
    station = town.chirpstack.station(town.lamp)
    station.f_cnt_down = 2**32 - 1
    await server.enqueue(town.lamp)
    await server.enqueue(town.lamp)
    said = town.chirpstack.advance(town.now + timedelta(minutes=4))
    sent = [integration.TxAckEvent.FromString(data) for topic, data in said if topic.endswith(f"{town.lamp}/event/txack")]
    assert [one.f_cnt_down for one in sent] == [2**32 - 1, 0]


async def test_2_4_the_server_chooses_the_id_of_what_comes_over_grpc(serve: Serve) -> None:
    server = await serve()
    asked = str(uuid4())
    assert await server.enqueue(server.town.lamp, id=asked) != asked


async def test_2_4_an_id_of_mqtt_is_the_items_and_a_second_one_is_refused_without_a_word(serve: Serve) -> None:
    server = await serve()
    town, asked = server.town, str(uuid4())
    town.down(town.lamp, id=asked)
    town.down(town.lamp, id=asked, data="09fe6405")
    assert [item.id for item in await server.queue(town.lamp)] == [asked]
    town.run(10)
    assert [event["queueItemId"] for event in town.of("txack", town.lamp)] == [asked]
    assert not town.of("log")


async def test_2_4_flush_on_enqueue_leaves_what_is_pending(serve: Serve) -> None:
    server = await serve()
    town = server.town
    next(iter(town.chirpstack.lamps.values())).fail("silent")
    town.chirpstack.station(town.lamp).device = None  # it hears nothing and says nothing
    first = await server.enqueue(town.lamp, confirmed=True)
    town.run(3)
    await server.enqueue(town.lamp)
    last = await server.enqueue(town.lamp, flush=True)
    items = await server.queue(town.lamp)
    assert [(item.id, item.is_pending) for item in items] == [(first, True), (last, False)]
    await server.call("Device", "FlushQueue", api.FlushDeviceQueueRequest(dev_eui=town.lamp))
    assert await server.queue(town.lamp) == []


async def test_2_4_the_platforms_own_client_empties_a_queue(serve: Serve) -> None:
    server = await serve()
    await server.enqueue(server.town.lamp)
    bridge = connect(Chirpstack(url=f"127.0.0.1:{server.port}", token=Secret(server.token)))
    await bridge.flush(DevEui(server.town.lamp))
    assert await server.queue(server.town.lamp) == []
    await bridge.flush(DevEui("ffffffffffffffff"))  # of what it does not know, ChirpStack says nothing here
    await bridge.close()
    stranger = connect(Chirpstack(url=f"127.0.0.1:{server.port}", token=Secret("a.b.c")))
    with pytest.raises(NetworkServerDown):
        await stranger.flush(DevEui(server.town.lamp))
    await stranger.close()


async def test_2_4_a_count_is_given_without_the_items(serve: Serve) -> None:
    server = await serve()
    await server.enqueue(server.town.lamp)
    request = api.GetDeviceQueueItemsRequest(dev_eui=server.town.lamp, count_only=True)
    answer = await server.call("Device", "GetQueue", request)
    assert (answer.total_count, len(answer.result)) == (1, 0)


async def test_2_4_a_pending_confirmed_item_blocks_the_rest_until_it_is_acknowledged(serve: Serve) -> None:
    server = await serve()
    town = server.town
    first, second = await server.enqueue(town.lamp, confirmed=True), await server.enqueue(town.lamp)
    town.run(60)
    [acked] = town.of("ack", town.lamp)
    assert (acked["queueItemId"], acked["acknowledged"]) == (first, True)
    sent = town.of("txack", town.lamp)
    assert [one["queueItemId"] for one in sent] == [first, second]
    assert seconds(sent[1]) > seconds(acked)


async def test_2_4_a_timeout_of_zero_is_a_nack_at_the_schedulers_next_look(serve: Serve) -> None:
    town = quiet(downlink_loss=1.0)
    town.run(180)
    registry = town.chirpstack.registry
    registry.profiles.get(registry.devices.get(town.lamp).device_profile_id).class_c_timeout = 0
    server = await serve(town)
    ident = await server.enqueue(town.lamp, confirmed=True)
    town.run(12)
    [sent], [nack] = town.of("txack", town.lamp), town.of("ack", town.lamp)
    assert (nack["queueItemId"], nack["acknowledged"], nack["deduplicationId"]) == (ident, False, "")
    assert seconds(nack) - seconds(sent) <= 6


async def test_2_4_an_expired_item_is_said_and_dropped(serve: Serve) -> None:
    server = await serve()
    town = server.town
    town.run(20)
    ident = await server.enqueue(town.lamp, expires_at=stamp(town.now))
    later = await server.enqueue(town.lamp, expires_at=stamp(town.now + timedelta(minutes=5)))
    assert (await server.queue(town.lamp))[1].expires_at == stamp(town.now + timedelta(minutes=5))
    town.run(15)
    [said] = town.of("log", town.lamp)
    assert (said["level"], said["code"], said["context"]) == ("ERROR", "EXPIRED", {"queue_item_id": ident})
    assert [event["queueItemId"] for event in town.of("txack", town.lamp)] == [later]


async def test_2_4_a_payload_over_the_data_rates_maximum_is_said_and_dropped(serve: Serve) -> None:
    server = await serve()
    town = server.town
    ident = await server.enqueue(town.lamp, b"\x00" * 116)
    town.run(15)
    [said] = town.of("log", town.lamp)
    assert (said["level"], said["code"]) == ("ERROR", "DOWNLINK_PAYLOAD_SIZE")
    assert said["context"] == {"max_payload_size": "115", "item_size": "116", "queue_item_id": ident}


async def test_2_4_a_gateways_refusal_is_said_and_the_item_stays(serve: Serve) -> None:
    town = quiet(rx2_sf=12)
    town.run(300)
    server = await serve(town)
    ledger = town.chirpstack.fleet
    while ledger.send(town.chirpstack.station(town.lamp).gateway, 2.0, rx2=True)[0] == "OK":
        town.run(5)
    await server.enqueue(town.lamp)
    town.run(15)
    said = town.of("log", town.lamp)
    assert {(event["level"], event["code"], event["description"]) for event in said} == {
        ("ERROR", "DOWNLINK_GATEWAY", "DUTY_CYCLE_OVERFLOW")}
    assert len(await server.queue(town.lamp)) == 1
    assert not town.of("txack", town.lamp)


@pytest.mark.parametrize("why", REFUSALS)
async def test_2_4_a_gateways_own_words_are_the_description(serve: Serve, why: str) -> None:
    assert why in gw.TxAckStatus.keys()  # noqa: SIM118 - an enum of protobuf
    server = await serve()
    town = server.town
    for gateway in town.chirpstack.scenario.gateways:
        town.chirpstack.fleet.refuse(gateway.id, why)
    await server.enqueue(town.lamp)
    town.run(8)
    assert {(event["code"], event["description"]) for event in town.of("log", town.lamp)} == {("DOWNLINK_GATEWAY", why)}
    for gateway in town.chirpstack.scenario.gateways:
        town.chirpstack.fleet.refuse(gateway.id, "")
    town.run(8)
    assert [event["fCntDown"] for event in town.of("txack", town.lamp)] == [0]


async def test_2_4_without_a_tx_ack_the_item_stays_and_the_same_counter_is_sent_again(serve: Serve) -> None:
    server = await serve()
    town = server.town
    chirpstack = town.chirpstack
    station = chirpstack.station(town.lamp)
    gateway = chirpstack.fleet.antennas[station.gateway].gateway.id
    chirpstack.fleet.silence(gateway, silent=True)
    await server.enqueue(town.lamp)
    town.run(12)
    assert chirpstack.stats["no tx-ack"] >= 2
    assert not town.of("txack", town.lamp)
    request = api.GetDeviceNextFCntDownRequest(dev_eui=town.lamp)
    assert (await server.call("Device", "GetNextFCntDown", request)).f_cnt_down == 0
    chirpstack.fleet.silence(gateway, silent=False)
    town.run(12)
    assert [event["fCntDown"] for event in town.of("txack", town.lamp)] == [0]


async def test_2_4_class_c_needs_an_uplink_in_the_session(serve: Serve) -> None:
    town = quiet(join_within_s=1.0)
    town.run(2)
    server = await serve(town)
    await server.enqueue(town.lamp)
    town.run(120)
    [sent] = town.of("txack", town.lamp)
    assert seconds(sent) >= seconds(town.of("up", town.lamp)[0]) + 5


async def test_2_4_the_sessions_class_is_set_when_it_begins(serve: Serve) -> None:
    server = await serve()
    town = server.town
    device = (await server.call("Device", "Get", api.GetDeviceRequest(dev_eui=town.bay))).device
    profile = (await server.call("DeviceProfile", "Get", api.GetDeviceProfileRequest(
        id=device.device_profile_id))).device_profile
    profile.supports_class_c = True
    await server.call("DeviceProfile", "Update", api.UpdateDeviceProfileRequest(device_profile=profile))
    await server.enqueue(town.bay, b"\x01", port=51)
    town.run(60)
    assert not town.of("txack", town.bay), "ticking class C has no effect before the next join"
    assert town.of("up", town.bay)[-1]["deviceInfo"]["deviceClassEnabled"] == "CLASS_A"


async def test_2_4_class_c_goes_out_at_once_by_rx2_and_class_a_a_second_after_the_uplink(serve: Serve) -> None:
    server = await serve()
    town = server.town
    town.run(10)
    await server.enqueue(town.lamp)
    await server.enqueue(town.bay, b"\x01", port=51)
    town.run(2 * 86_400)
    [lamp], [bay] = town.of("txack", town.lamp), town.of("txack", town.bay)
    assert (lamp["txInfo"]["frequency"], lamp["txInfo"]["timing"]) == (869_525_000, {"immediately": {}})
    assert bay["txInfo"]["timing"] == {"delay": {"delay": "1s"}}
    assert bay["txInfo"]["frequency"] < 869_000_000


async def test_2_4_a_port_out_of_range_and_encrypted_items_are_refused(serve: Serve) -> None:
    server = await serve()
    for port in (0, 256):
        item = api.DeviceQueueItem(dev_eui=server.town.lamp, f_port=port, data=b"\x01")
        request = api.EnqueueDeviceQueueItemRequest(queue_item=item)
        assert await server.code("Device", "Enqueue", request) == "INVALID_ARGUMENT"
    item = api.DeviceQueueItem(dev_eui=server.town.lamp, f_port=1, data=b"\x01", is_encrypted=True, f_cnt_down=9)
    request = api.EnqueueDeviceQueueItemRequest(queue_item=item)
    assert await server.code("Device", "Enqueue", request) == "UNIMPLEMENTED"


async def test_2_2_deleting_a_device_flushes_its_queue_and_its_id_may_be_used_again(serve: Serve) -> None:
    server = await serve()
    town, asked = server.town, str(uuid4())
    town.down(town.lamp, id=asked, confirmed=True)
    other = town.chirpstack.scenario.lamps[1].device.dev_eui
    await server.call("Device", "Delete", api.DeleteDeviceRequest(dev_eui=town.lamp))
    town.down(other, id=asked)
    town.run(30)
    assert [eui for kind, eui, _ in town.events if kind == "txack"] == [other]


async def test_8_the_api_changes_nothing_about_what_a_town_says(serve: Serve) -> None:
    """Reading over gRPC leaves every byte of the messages as it was."""
    alone, asked = quiet(seed=5), quiet(seed=5)
    server = await serve(asked)
    for _ in range(5):
        alone.run(120)
        asked.run(120)
        await server.call("Device", "List", api.ListDevicesRequest(application_id=server.lamps, limit=9))
        await server.call("Gateway", "List", api.ListGatewaysRequest(tenant_id=server.tenant, limit=9))
    assert json.dumps(alone.events) == json.dumps(asked.events)
    assert alone.events


def test_8_a_device_that_loses_its_gateway_is_heard_by_the_others_or_not_at_all() -> None:
    town = quiet(lamps=30, bays=0)
    town.run(900)
    first = town.chirpstack.scenario.gateways[0].id
    town.chirpstack.fleet.silence(first, silent=True)
    before = len(town.events)
    town.run(900)
    heard = {info["gatewayId"] for kind, _, event in town.events[before:] if kind == "up" for info in event["rxInfo"]}
    assert heard
    assert first not in heard
    assert town.now == NIGHT + timedelta(seconds=1800)
