"""ChirpStack's events by the JSON rules of pbjson and in protobuf; any bytes give an event or MalformedEvent."""

import base64
import contextlib
import json
from typing import Any

import msgspec
import pytest
from chirpstack_api import gw, integration
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import DecodeError, MalformedEvent
from gateway_bridge.events import (
    MAX_PAYLOAD,
    Acked,
    Joined,
    Located,
    LogLine,
    Scheduled,
    Status,
    Uplink,
    device_of,
    parse,
    parse_base64,
    parse_time,
)
from gateway_bridge.objects import object_of
from tests.examples import examples
from tests.gateway_bridge.samples import APPLICATION, EUI, STATUS_HEX, TENANT, TIME, TIME_NS, encode, other, topic, up

KINDS = ["up", "txack", "ack", "join", "status", "log", "location", "integration"]


def parse_up(**changes: Any) -> Uplink:
    event = parse(topic("up"), encode(up(**changes)))
    assert isinstance(event, Uplink)
    return event


def test_an_uplink_as_json() -> None:
    event = parse_up()
    assert event == Uplink(device=EUI, at_ns=TIME_NS, tenant_id=TENANT, application_id=APPLICATION,
                           key="3ac7e3c4-4401-4b8d-9386-a5c902f9202d", dev_addr="00189440", f_cnt=1042, f_port=23,
                           dr=5, data=bytes.fromhex(STATUS_HEX), gateways=1, gateway="0016c001f153a14c", rssi=-97.0,
                           snr=7.5, object=b'{"dim": 90.0, "power_w": 41.2}')


def test_nested_zero_values_are_left_out_and_mean_zero() -> None:
    event = parse_up(rxInfo=[{"gatewayId": "0016c001f153a14c", "nsTime": TIME, "location": {}}])
    assert (event.rssi, event.snr, event.gateways) == (0.0, 0.0, 1)


def test_the_best_gateway_is_the_one_with_the_highest_snr() -> None:
    event = parse_up(rxInfo=[{"gatewayId": "0000000000000001", "rssi": -60, "snr": 2.0},
                             {"gatewayId": "0000000000000002", "rssi": -110, "snr": 9.0}])
    assert (event.gateway, event.rssi, event.snr, event.gateways) == ("0000000000000002", -110.0, 9.0, 2)


def test_an_uplink_without_receptions_has_no_radio_values() -> None:
    event = parse_up(rxInfo=[])
    assert (event.gateway, event.rssi, event.snr, event.gateways) == (None, None, None, 0)


def test_a_mac_only_uplink() -> None:
    event = parse_up(data=b"", f_port=0)
    assert (event.f_port, event.data) == (0, b"")


def test_numbers_may_be_texts_and_names_unknown() -> None:
    assert parse_up(f_cnt="4294967295", something=[1, {"new": None}]).f_cnt == 4294967295


def test_upper_case_dev_euis_are_lowered_everywhere() -> None:
    event = parse(topic("up", EUI.upper()), encode(up(eui=EUI.upper())))
    assert event.device == EUI


def test_a_gateway_with_a_wrong_clock_is_found_out() -> None:
    """#732: ChirpStack takes a gateway's GPS time unchecked."""
    wrong = "2026-07-18T10:04:15.775023242+00:00"
    event = parse_up(time=wrong, rxInfo=[{"gatewayId": "0016c001f153a14c", "nsTime": TIME}])
    assert (event.at_ns, event.clock_off) == (TIME_NS, "0016c001f153a14c")


def test_five_minutes_between_gateway_and_server_are_believed() -> None:
    event = parse_up(time="2026-07-18T09:39:15.775023242+00:00", rxInfo=[{"gatewayId": EUI, "nsTime": TIME}])
    assert (event.at_ns, event.clock_off) == (TIME_NS + 300_000_000_000, None)


@pytest.mark.parametrize(("kind", "fields", "expected"), [
    ("txack", {"queueItemId": "7f6a0a2e", "downlinkId": 1, "fCntDown": 77, "gatewayId": EUI}, Scheduled),
    ("ack", {"queueItemId": "7f6a0a2e", "acknowledged": True}, Acked),
    ("join", {"devAddr": "0018944A"}, Joined),
    ("status", {"margin": 10, "externalPowerSource": False, "batteryLevel": 75.59}, Status),
    ("log", {"level": "ERROR", "code": "EXPIRED", "context": {"queue_item_id": "7f6a0a2e"}}, LogLine),
    ("log", {"level": 2, "code": 11, "context": {"queue_item_id": "7f6a0a2e"}}, LogLine),
    ("location", {"location": {"latitude": 37.5, "longitude": 15.0, "source": "GEO_RESOLVER_TDOA"}}, Located),
    ("integration", {"integrationName": "loracloud", "eventType": "DAS", "object": {}}, LogLine),
])
def test_the_other_kinds_as_json(kind: str, fields: dict[str, Any], expected: type) -> None:
    event = parse(topic(kind), encode(other(**fields)))
    assert isinstance(event, expected)
    assert event.at_ns == TIME_NS
    match event:
        case Scheduled() | Acked():
            assert event.queue_id == "7f6a0a2e"
        case Joined():
            assert event.dev_addr == "0018944a"
        case Status():
            assert (event.margin, event.external_power, event.battery) == (10, False, 75.59)
        case Located():
            assert (event.latitude, event.longitude) == (37.5, 15.0)
        case LogLine() if kind == "log":
            assert (event.level, event.code, event.queue_id) == ("ERROR", "EXPIRED", "7f6a0a2e")


@pytest.mark.parametrize("field", ["externalPowerSource", "batteryLevelUnavailable"])
def test_a_battery_level_that_means_nothing_is_none(field: str) -> None:
    event = parse(topic("status"), encode(other(margin=3, batteryLevel=0.0, **{field: True})))
    assert isinstance(event, Status)
    assert event.battery is None


def test_protobuf_says_the_same_as_json() -> None:
    message = integration.UplinkEvent(deduplication_id="3ac7e3c4-4401-4b8d-9386-a5c902f9202d", dev_addr="00189440",
                                      dr=5, f_cnt=1042, f_port=23, data=bytes.fromhex(STATUS_HEX))
    _head(message)
    rx = message.rx_info.add(gateway_id="0016c001f153a14c", rssi=-97, snr=7.5)
    rx.ns_time.CopyFrom(message.time)
    message.object.update({"dim": 90.0, "power_w": 41.2})
    event, same = parse(topic("up"), message.SerializeToString()), parse_up()
    assert isinstance(event, Uplink)
    assert object_of(event.object) == object_of(same.object) == {"dim": 90.0, "power_w": 41.2}
    assert msgspec.structs.replace(event, object=same.object) == same


OBJECT = {"a": {"b": [1.5, "x", True, None, {"c": False}]}, "d": "ä", "": -0.5}


def test_what_the_network_server_has_decoded_is_the_same_in_both_forms() -> None:
    struct = Struct()
    struct.update(OBJECT)
    assert object_of(struct.SerializeToString()) == object_of(json.dumps(OBJECT).encode()) == OBJECT


@pytest.mark.parametrize("carried", [b"", b"null"])
def test_a_network_server_that_has_decoded_nothing_says_nothing(carried: bytes) -> None:
    assert object_of(carried) is None
    assert parse_up(object=None).object == b"null"


@pytest.mark.parametrize("carried", [b"[1]", b'"x"', b"7", b'{"a":', b"\xff\xff", b"{" + b" " * 70_000 + b"}",
                                     b'{"a":' * 30_000])
def test_a_reading_of_the_network_server_that_cannot_be_taken_is_a_decode_error(carried: bytes) -> None:
    with pytest.raises(DecodeError):
        object_of(carried)


@given(st.binary(max_size=200))
def test_any_bytes_as_object_are_read_or_a_decode_error(carried: bytes) -> None:
    try:
        said = object_of(carried)
    except DecodeError:
        return
    assert said is None or isinstance(said, dict)


@pytest.mark.parametrize(("kind", "message", "expected"), [
    ("txack", integration.TxAckEvent(queue_item_id="q"), Scheduled),
    ("ack", integration.AckEvent(queue_item_id="q", acknowledged=True), Acked),
    ("join", integration.JoinEvent(dev_addr="00189440"), Joined),
    ("status", integration.StatusEvent(margin=-3, battery_level=50), Status),
    ("log", integration.LogEvent(level=2, code=8, context={"queue_item_id": "q"}), LogLine),
    ("location", integration.LocationEvent(), Located),
])
def test_the_other_kinds_as_protobuf(kind: str, message: Any, expected: type) -> None:
    _head(message)
    event = parse(topic(kind), message.SerializeToString())
    assert isinstance(event, expected)
    assert (event.device, event.at_ns) == (EUI, TIME_NS)
    if isinstance(event, LogLine):
        assert (event.level, event.code, event.queue_id) == ("ERROR", "DOWNLINK_GATEWAY", "q")


def _head(message: Any) -> None:
    message.device_info.dev_eui, message.device_info.tenant_id = EUI, TENANT
    message.device_info.application_id = APPLICATION
    message.time.seconds, message.time.nanos = divmod(TIME_NS, 10**9)


@pytest.mark.parametrize(("text", "ns"), [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-01T00:00:00.000000001+00:00", 1),
    ("2026-07-18T09:34:15+00:00", 1784367255000000000),
    ("2026-07-18T11:34:15.5+02:00", 1784367255500000000),
    ("2026-07-18T09:34:15.775023242+00:00", 1784367255775023242),
    ("1969-12-31T23:59:59.999Z", -1000000),
])
def test_times_are_exact_to_the_nanosecond(text: str, ns: int) -> None:
    assert parse_time(text) == ns


@pytest.mark.parametrize("text", ["", "now", "2026-07-18", "2026-07-18T09:34:15", "2026-13-18T09:34:15Z",
                                  "2026-07-18T09:34:61Z", "2026-07-18T09:34:15.0000000001Z", "0000-01-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month|second|year"):
        parse_time(text)


@given(st.binary(max_size=64))
def test_base64_in_every_dress(data: bytes) -> None:
    for text in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        assert parse_base64(text.decode()) == data
        assert parse_base64(text.decode().rstrip("=")) == data


@pytest.mark.parametrize(("where", "payload"), [
    (topic("up"), b""),
    (topic("up"), b"{"),
    (topic("up"), b"{}"),
    (topic("up"), b"not an event"),
    (topic("up"), b'{"deviceInfo":null}'),
    (topic("up"), encode(up(eui="70b3d57ed000004"))),
    (topic("up"), encode(up(eui="70b3d57ed0000043"))),
    (topic("up"), encode(up(data="!!!"))),
    (topic("up"), encode(up(data="A"))),
    (topic("up"), encode(up(time="yesterday"))),
    (topic("up"), encode(up(f_cnt=-1))),
    (topic("up"), encode(up(f_cnt=2**32))),
    (topic("up"), encode(up(f_port=256))),
    (topic("up"), encode(up(devAddr="zz"))),
    (topic("up"), b'{"deviceInfo":{"devEui":"\xff"}}'),
    (topic("up"), b"[" * 5000),
    (topic("up"), b'{"object":' + b"[" * 100_000),
    (topic("up"), b" " * (MAX_PAYLOAD + 1)),
    (topic("dance"), encode(up())),
    ("", encode(up())),
    ("application/a/device/xyz/event/up", encode(up())),
    (topic("log"), encode(other(context={"a": 1e999}))),
    (topic("up"), encode(other(deviceInfo={"devEui": EUI, "applicationId": "a/../#"}))),
])
def test_nonsense_is_a_malformed_event(where: str, payload: bytes) -> None:
    with pytest.raises(MalformedEvent) as caught:
        parse(where, payload)
    assert str(caught.value)


def test_a_topic_of_another_form_is_read_by_its_last_word() -> None:
    assert parse("town/lamps/up", encode(up())).device == EUI
    assert device_of("town/lamps/up") is None
    assert device_of(topic("up")) == EUI
    assert device_of("nonsense") is None


@settings(max_examples=examples(300))
@given(st.sampled_from(KINDS), st.binary(max_size=300))
def test_any_bytes_give_an_event_or_malformed_event(kind: str, payload: bytes) -> None:
    with contextlib.suppress(MalformedEvent):
        parse(topic(kind), payload)


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
                     max_leaves=8)


@settings(max_examples=examples(300))
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(
    [*up(), *other(), "margin", "batteryLevel", "level", "code", "context", "location", "queueItemId"]), _JSON))
def test_an_event_with_any_fields_is_read_or_malformed(kind: str, fields: dict[str, Any]) -> None:
    base = up() if kind == "up" else other()
    with contextlib.suppress(MalformedEvent):
        event = parse(topic(kind), encode({**base, **fields}))
        assert msgspec.json.encode(event.device)


@settings(max_examples=examples(200))
@given(st.data())
def test_a_damaged_protobuf_event_is_read_or_malformed(data: st.DataObject) -> None:
    message = integration.UplinkEvent(dev_addr="00189440", f_cnt=1, f_port=1, data=b"123")
    _head(message)
    message.rx_info.append(gw.UplinkRxInfo(gateway_id="0016c001f153a14c", rssi=-97))
    payload = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedEvent):
        parse(topic("up"), bytes(payload))


def test_a_txack_tells_at_which_spreading_factor_it_went_out():
    said = {"deviceInfo": {"devEui": EUI}, "time": TIME, "queueItemId": "q",
            "txInfo": {"modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 9, "codeRate": "CR_4_5"}}}}
    binary = integration.TxAckEvent(queue_item_id="q")
    binary.device_info.dev_eui = EUI
    binary.time.FromJsonString("2026-07-18T09:34:15Z")
    binary.tx_info.modulation.lora.spreading_factor = 9
    for payload in (encode(said), binary.SerializeToString()):
        event = parse(topic("txack"), payload)
        assert isinstance(event, Scheduled)
        assert event.spreading_factor == 9
