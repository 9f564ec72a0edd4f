"""A gateway's two languages, judged by chirpstack-api's messages and by the packet forwarder's protocol text."""

import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from chirpstack_api import gw
from hypothesis import given
from hypothesis import strategies as st

from city.errors import BadInput
from city.readings import to_ns
from simulator.concentrator import Totals
from simulator.flights import Wave
from simulator.forwarder import Downlink, Moment
from simulator.gateway_mqtt import MqttLanguage
from simulator.gwmp import UdpLanguage
from simulator.medium import Received
from simulator.scenario import Scenario

ANTENNA = Scenario.load().antennas[0]
ID = str(ANTENNA.gateway.id)
AT = to_ns(datetime(2026, 11, 22, 18, 0, 0, 123_000, tzinfo=UTC))
WAVE = Wave(868_300_000, 9, 125_000, 16, down=False)
HEARD = Received(b"\x40\x01\x02\x03\x04", WAVE, -97.4, -3.25, 1, AT - 200_000_000, AT, True)
MOMENT = Moment(AT, 0xFFFFFF00)
MQTT, UDP = MqttLanguage(), UdpLanguage()


def command(**timing) -> gw.DownlinkFrame:
    frame = gw.DownlinkFrame(gateway_id=ID, downlink_id=77)
    item = frame.items.add(phy_payload=b"\x60abc")
    info = item.tx_info
    info.frequency, info.power, info.context = 869_525_000, 29, timing.get("context", b"")
    lora = info.modulation.lora
    lora.bandwidth, lora.spreading_factor, lora.polarization_inversion = 125_000, timing.get("sf", 12), True
    if "delay" in timing:
        info.timing.delay.delay.FromMilliseconds(timing["delay"])
    elif "gps" in timing:
        info.timing.gps_epoch.time_since_gps_epoch.FromSeconds(timing["gps"])
    elif timing.get("timed", True):
        info.timing.immediately.SetInParent()
    return frame


def read(frame: gw.DownlinkFrame) -> Downlink | None:
    return MQTT.read(f"eu868/gateway/{ID}/command/down", frame.SerializeToString())


def test_a_reception_in_protobuf_has_all_that_the_server_compares() -> None:
    topic, payload = MQTT.up(ANTENNA, HEARD, MOMENT, 5)
    frame = gw.UplinkFrame.FromString(payload)
    assert topic == f"eu868/gateway/{ID}/event/up"
    assert frame.phy_payload == HEARD.phy
    assert (frame.tx_info.frequency, frame.tx_info.modulation.lora.spreading_factor) == (868_300_000, 9)
    info = frame.rx_info
    assert (info.gateway_id, info.uplink_id, info.rssi, info.snr, info.channel) == (ID, 5, -97, -3.25, 1)
    assert info.context == b"\xff\xff\xff\x00"
    assert info.location.latitude == pytest.approx(ANTENNA.site.latitude)
    assert info.HasField("time_since_gps_epoch") == ANTENNA.gnss


@pytest.mark.parametrize(("timing", "at_us", "gps_ns"), [
    ({"delay": 1000, "context": b"\xff\xff\xff\x00"}, (0xFFFFFF00 + 1_000_000) % 2**32, None),
    ({"gps": 1_000}, None, 1_000 * 10**9), ({}, None, None)])
def test_a_command_says_when(timing, at_us, gps_ns) -> None:
    downlink = read(command(**timing))
    assert downlink is not None
    assert downlink.number == 77
    [item] = downlink.items
    assert (item.phy, item.at_us, item.gps_ns) == (b"\x60abc", at_us, gps_ns)
    assert item.wave == Wave(869_525_000, 12, 125_000, 29, down=True)


@pytest.mark.parametrize("timing", [{"delay": 1000}, {"sf": 13}, {"sf": 0}, {"timed": False}])
def test_a_command_that_no_gateway_can_obey_is_refused(timing) -> None:
    with pytest.raises(BadInput):
        read(command(**timing))


def test_another_gateways_command_is_refused() -> None:
    frame = command()
    frame.gateway_id = "0" * 16
    with pytest.raises(BadInput):
        read(frame)


def test_an_answer_has_a_status_for_each_item() -> None:
    topic, payload = MQTT.ack(Downlink(ID, 77, ()), ["TOO_LATE", "OK"])
    said = gw.DownlinkTxAck.FromString(payload)
    assert topic.endswith("/event/ack")
    assert (said.gateway_id, said.downlink_id) == (ID, 77)
    assert [item.status for item in said.items] == [gw.TxAckStatus.TOO_LATE, gw.TxAckStatus.OK]


def test_statistics_tell_what_came_since_the_last_ones() -> None:
    before, now = Totals(rx_received=3, rx_ok=2), Totals(rx_received=10, rx_ok=8, tx_received=2, tx_emitted=1)
    now.rx_frequency[868_100_000] = 6
    now.rx_rate[7, 125_000] = 6
    now.tx_status["OK"], now.tx_status["TOO_LATE"] = 1, 1
    _, payload = MQTT.stats(ANTENNA, now, before, MOMENT)
    said = gw.GatewayStats.FromString(payload)
    assert (said.rx_packets_received, said.rx_packets_received_ok) == (7, 6)
    assert (said.tx_packets_received, said.tx_packets_emitted) == (2, 1)
    assert dict(said.rx_packets_per_frequency) == {868_100_000: 6}
    assert dict(said.tx_packets_per_status) == {"OK": 1, "TOO_LATE": 1}
    assert [one.count for one in said.rx_packets_per_modulation] == [6]
    _, datagram = UDP.stats(ANTENNA, now, before, MOMENT)
    stat = json.loads(datagram[12:])["stat"]
    assert (stat["rxnb"], stat["rxok"], stat["dwnb"], stat["txnb"]) == (7, 6, 2, 1)
    assert stat["time"] == "2026-11-22 18:00:00 GMT"


def test_a_reception_by_udp_is_a_push_with_one_packet() -> None:
    name, datagram = UdpLanguage().up(ANTENNA, HEARD, MOMENT, 5)
    assert name == ID
    assert (datagram[0], datagram[3], datagram[4:12].hex()) == (2, 0, ID)
    [packet] = json.loads(datagram[12:])["rxpk"]
    assert {key: packet[key] for key in ("tmst", "freq", "chan", "stat", "modu", "datr", "codr", "rssi", "size", "data")} == {
        "tmst": 0xFFFFFF00, "freq": 868.3, "chan": 1, "stat": 1, "modu": "LORA", "datr": "SF9BW125", "codr": "4/5", "rssi": -97,
        "size": 5, "data": b64encode(HEARD.phy).decode()}


def pull_resp(**packet) -> bytes:
    whole = {"freq": 869.525, "powe": 27, "modu": "LORA", "datr": "SF9BW125", "codr": "4/5", "ipol": True, "size": 4,
             "data": b64encode(b"\x60abc").decode(), **packet}
    return bytes([2, 0x12, 0x34, 3]) + json.dumps({"txpk": whole}).encode()


def test_a_pull_resp_is_a_downlink_and_its_token_comes_back() -> None:
    downlink = UDP.read(ID, pull_resp(tmst=1000, imme=False))
    assert downlink is not None
    [item] = downlink.items
    assert (item.phy, item.at_us, item.wave) == (b"\x60abc", 1000, Wave(869_525_000, 9, 125_000, 27, down=True))
    name, datagram = UDP.ack(downlink, ["TOO_LATE"])
    assert (name, datagram[:4], datagram[4:12].hex()) == (ID, bytes([2, 0x12, 0x34, 5]), ID)
    assert json.loads(datagram[12:]) == {"txpk_ack": {"error": "TOO_LATE"}}
    assert json.loads(UDP.ack(downlink, ["OK"])[1][12:]) == {"txpk_ack": {"error": "NONE"}}


@pytest.mark.parametrize("packet", [
    {"imme": True, "datr": "SF6BW125"}, {"imme": True, "data": "!"}, {"imme": True, "size": 5}, {"imme": True, "freq": "much"},
    {}, {"tmst": "soon"}, {"imme": True, "freq": 1e999}])
def test_a_datagram_that_is_no_downlink_is_refused(packet) -> None:
    with pytest.raises(BadInput):
        UDP.read(ID, pull_resp(**packet))


def test_acknowledgements_of_the_server_need_no_answer() -> None:
    assert UDP.read(ID, bytes([2, 1, 2, 1])) is None
    assert UDP.read(ID, bytes([2, 1, 2, 4])) is None


@given(st.binary(max_size=300))
def test_nothing_that_comes_breaks_a_gateway(payload: bytes) -> None:
    for language, name in ((UDP, ID), (MQTT, f"eu868/gateway/{ID}/command/down")):
        try:
            language.read(name, payload)
        except BadInput:
            continue
