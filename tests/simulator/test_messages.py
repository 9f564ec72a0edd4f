"""Messages are written as ChirpStack writes them, byte for byte where that is known."""

import json
from base64 import b64encode
from typing import Any

import pytest
from chirpstack_api import integration

from city.ids import DevEui, GatewayId, TenantId
from city.places import Gateway, Site
from city.readings import NS
from simulator.as_json import JsonWriter, stamp
from simulator.as_protobuf import ProtobufWriter
from simulator.events import Ack, Event, Identity, Join, Log, Status, TxAck, Up
from simulator.radio import Heard
from simulator.scenario import Antenna

AT = 1_784_367_255_775_023_242  # 2026-07-18T09:34:15.775023242Z
WHO = Identity("52f14cd4-c6f1-4fbd-8f87-4025e1d49242", "City of Example", "ca739e26-7b67-4f14-b69e-d568c22a5a75",
               "streetlights", "605d08d4-65f5-4d2c-8a5a-3d2457662f79", "Lamp controller C", "lamp-0042",
               DevEui("70b3d57ed0000042"), "CLASS_C", {"zone": "north", "pole": "N-0042"})
DEVICE_INFO = {
    "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242", "tenantName": "City of Example",
    "applicationId": "ca739e26-7b67-4f14-b69e-d568c22a5a75", "applicationName": "streetlights",
    "deviceProfileId": "605d08d4-65f5-4d2c-8a5a-3d2457662f79", "deviceProfileName": "Lamp controller C",
    "deviceName": "lamp-0042", "devEui": "70b3d57ed0000042", "deviceClassEnabled": "CLASS_C",
    "tags": {"zone": "north", "pole": "N-0042"}}
ANTENNAS = (
    Antenna(Gateway(GatewayId("0016c001f153a14c"), TenantId("t"), "A"), Site(37.5023, 15.0874), 31.0, 20.0, gnss=True),
    Antenna(Gateway(GatewayId("0016c001f153a14d"), TenantId("t"), "B"), Site(0.0, 0.0), 0.0, 20.0, gnss=False))
ID = "3ac7e3c4-4401-4b8d-9386-a5c902f9202d"
UP_KEYS = ["deduplicationId", "time", "deviceInfo", "devAddr", "adr", "dr", "fCnt", "fPort", "confirmed", "data",
           "rxInfo", "txInfo", "regionConfigId"]


def up(**changes: Any) -> Up:
    usual = {"id": ID, "at_ns": AT, "dev_addr": "00189440", "dr": 5, "f_cnt": 1042, "f_port": 10, "confirmed": False,
             "data": bytes.fromhex("015a10270000"), "heard": [Heard(0, -97, 7.5)], "channel": 6, "nonce": 4217106255}
    return Up(**(usual | changes))


def written(event: Event) -> dict[str, Any]:
    return json.loads(JsonWriter(ANTENNAS).write(WHO, event))


def test_an_uplink_is_the_recorded_one() -> None:
    """Against the example of the server's documents: same keys, same order, same forms."""
    said = written(up())
    assert list(said) == UP_KEYS
    [info] = said.pop("rxInfo")
    assert said == {
        "deduplicationId": ID, "time": "2026-07-18T09:34:15.775023242+00:00", "deviceInfo": DEVICE_INFO,
        "devAddr": "00189440", "adr": True, "dr": 5, "fCnt": 1042, "fPort": 10, "confirmed": False, "data": "AVoQJwAA",
        "txInfo": {"frequency": 867700000,
                   "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}}},
        "regionConfigId": "eu868"}
    assert info.pop("nsTime").endswith("+00:00")
    assert info.pop("context").endswith("==")
    assert info.pop("timeSinceGpsEpoch") == "1468402473.775023242s"
    assert info == {
        "gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "gwTime": "2026-07-18T09:34:15.775023242+00:00",
        "rssi": -97, "snr": 7.5, "channel": 6, "crcStatus": "CRC_OK",
        "location": {"latitude": 37.5023, "longitude": 15.0874, "altitude": 31.0}}


def test_scalars_of_an_event_are_there_even_when_zero() -> None:
    said = written(up(dr=0, f_cnt=0, f_port=0, data=b"", confirmed=False))
    assert list(said) == UP_KEYS
    assert (said["dr"], said["fCnt"], said["fPort"], said["data"], said["confirmed"]) == (0, 0, 0, "", False)
    assert "object" not in said
    assert "relayRxInfo" not in said
    assert None not in said.values()


def test_zeros_inside_gateway_messages_are_left_out() -> None:
    [info] = written(up(heard=[Heard(1, 0, 0.0)], channel=0, nonce=2**32 - 2_654_435_761))["rxInfo"]
    assert not {"rssi", "snr", "channel", "uplinkId", "timeSinceGpsEpoch"} & set(info)
    assert info["location"] == {}
    assert info["rfChain"] == 1


@pytest.mark.parametrize(("rest", "text"), [
    (0, "2026-07-18T09:34:15+00:00"), (500_000_000, "2026-07-18T09:34:15.500+00:00"),
    (1_000, "2026-07-18T09:34:15.000001+00:00"), (1, "2026-07-18T09:34:15.000000001+00:00")])
def test_times_have_no_three_six_or_nine_digits(rest: int, text: str) -> None:
    assert stamp(AT // NS * NS + rest) == text


def test_the_other_events_are_the_recorded_ones() -> None:
    at = "2026-07-18T09:34:15.775023242+00:00"
    assert written(Join(ID, AT, "00189440")) == {
        "deduplicationId": ID, "time": at, "deviceInfo": DEVICE_INFO, "devAddr": "00189440", "regionConfigId": "eu868"}
    assert written(Ack(ID, AT, "q", False, 0)) == {
        "deduplicationId": ID, "time": at, "deviceInfo": DEVICE_INFO, "queueItemId": "q", "acknowledged": False,
        "fCntDown": 0}
    assert written(Status(ID, AT, 0, 75.59)) == {
        "deduplicationId": ID, "time": at, "deviceInfo": DEVICE_INFO, "margin": 0, "externalPowerSource": False,
        "batteryLevelUnavailable": False, "batteryLevel": 75.59}
    assert written(Log(AT, "ERROR", "DOWNLINK_GATEWAY", "TOO_LATE")) == {
        "time": at, "deviceInfo": DEVICE_INFO, "level": "ERROR", "code": "DOWNLINK_GATEWAY", "description": "TOO_LATE",
        "context": {}}
    assert written(TxAck(2036013617, AT, "q", 77, ANTENNAS[0], 869525000, 12, 29, 0)) == {
        "downlinkId": 2036013617, "time": at, "deviceInfo": DEVICE_INFO, "queueItemId": "q", "fCntDown": 77,
        "gatewayId": "0016c001f153a14c", "txInfo": {
            "frequency": 869525000, "power": 29, "modulation": {"lora": {
                "bandwidth": 125000, "spreadingFactor": 12, "codeRate": "CR_4_5", "polarizationInversion": True}},
            "timing": {"immediately": {}}}}


def test_names_that_need_quoting_are_quoted() -> None:
    who = Identity(*(['Straße "A" \\'] * 7), DevEui("70b3d57ed0000042"), "CLASS_A", {"ü\n": "\t"})
    said = json.loads(JsonWriter(ANTENNAS).write(who, up()))
    assert said["deviceInfo"]["deviceName"] == 'Straße "A" \\'
    assert said["deviceInfo"]["tags"] == {"ü\n": "\t"}


def test_protobuf_says_the_same_as_json() -> None:
    event = up(heard=[Heard(0, -97, 7.5), Heard(1, -110, -3.25)])
    message = integration.UplinkEvent.FromString(ProtobufWriter(ANTENNAS).write(WHO, event))
    said = written(event)
    assert (message.deduplication_id, message.dev_addr, message.f_cnt, message.f_port, message.dr) == (
        said["deduplicationId"], said["devAddr"], said["fCnt"], said["fPort"], said["dr"])
    assert b64encode(message.data).decode() == said["data"]
    assert dict(message.device_info.tags) == DEVICE_INFO["tags"]
    field = message.device_info.DESCRIPTOR.fields_by_name["device_class_enabled"]
    assert field.enum_type.values_by_number[message.device_info.device_class_enabled].name == "CLASS_C"
    assert (message.time.seconds * NS + message.time.nanos) == AT
    for info, spoken in zip(message.rx_info, said["rxInfo"], strict=True):
        assert (info.gateway_id, info.uplink_id, info.rssi, info.snr) == (
            spoken["gatewayId"], spoken["uplinkId"], spoken["rssi"], spoken["snr"])
        assert b64encode(info.context).decode() == spoken["context"]


@pytest.mark.parametrize(("event", "kind"), [
    (Join(ID, AT, "00189440"), "JoinEvent"), (Ack(ID, AT, "q", True, 7), "AckEvent"),
    (Status(ID, AT, 10, 75.59), "StatusEvent"), (Log(AT, "WARNING", "UPLINK_F_CNT_RETRANSMISSION", "x", {"a": "b"}),
                                                 "LogEvent"),
    (TxAck(5, AT, "q", 7, ANTENNAS[0], 869525000, 9, 29, 0), "TxAckEvent")])
def test_every_event_can_be_written_as_protobuf(event: Event, kind: str) -> None:
    message = getattr(integration, kind).FromString(ProtobufWriter(ANTENNAS).write(WHO, event))
    assert message.device_info.dev_eui == WHO.dev_eui
    assert message.time.seconds * NS + message.time.nanos == AT
    if kind == "LogEvent":
        assert integration.LogCode.Name(message.code) == "UPLINK_F_CNT_RETRANSMISSION"
        assert dict(message.context) == {"a": "b"}
    if kind == "TxAckEvent":
        assert message.tx_info.timing.WhichOneof("parameters") == "immediately"
