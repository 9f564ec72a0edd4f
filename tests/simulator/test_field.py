"""A town with real frames, its gateways, and a small network server of the tests on the other side."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from chirpstack_api import gw

from city.orders import MulticastGroup, SetLevel
from decoders.catalog import codec_of, decode
from decoders.codec import Frame
from simulator.field import Field
from simulator.gateway_mqtt import MqttLanguage
from simulator.gwmp import UdpLanguage
from simulator.scenario import Scenario
from simulator.secrets_of import keys
from tests.simulator.small_network import SmallNetwork
from tests.simulator.small_server import SmallServer

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
STEP = timedelta(milliseconds=50)
FIVE = (867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)
MODEL = codec_of("nas/ul20xx")


class Town:
    """A field and its network server, step by step in virtual time."""

    def __init__(self, lamps: int = 12, bays: int = 6, seed: int = 7, **tuned: float) -> None:
        quiet = {"uplink_loss": 0.0, "join_within_s": 20.0, "missed_edge": 0.0}
        scenario = Scenario.load().sized(lamps=lamps, bays=bays).tuned(**{**quiet, **tuned})
        self.server = SmallServer(cf_list=FIVE, rx2_dr=3)
        for site in (*scenario.lamps, *scenario.bays):
            self.server.know(site.device.dev_eui, keys(seed, site.device.dev_eui).app_key)
        self.network = SmallNetwork(self.server, rx2_sf=9)
        self.network.answer = self.answer
        self.field = Field(scenario, MqttLanguage(), seed=seed, start=NOW)
        self.now = NOW
        self.first = scenario.lamps[0]

    def answer(self, heard) -> bytes | None:
        """An acknowledgement where one is asked for."""
        return self.server.down(heard.eui, ack=True) if heard.confirmed else None

    def run(self, seconds: float) -> "Town":
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += STEP
            for topic, payload in self.field.advance(self.now):
                self.network.take(topic, payload, self.now)
            for topic, payload in self.network.step(self.now):
                self.field.command(topic, payload, self.now)
        return self

    def lamp(self):
        return self.field.lamps[self.first.lamp.id]

    def order(self, order):
        return MODEL.encode_downlink(order)


@pytest.fixture(scope="module")
def town() -> Town:
    return Town().run(240)


def test_every_device_joins_over_the_air_and_is_understood(town: Town) -> None:
    assert all(device.joined for device in town.field.devices.values()), town.field.stats
    assert set(town.server.refused) <= {"DevNonce"}, "a device that missed its accept asks with a new nonce, never an old one"
    assert "DevNonce" not in town.server.refused
    said = {up.eui for up in town.server.heard}
    assert said == set(town.server.members)


def test_frames_mean_what_the_lamps_said(town: Town) -> None:
    status = [up for up in town.server.heard if up.eui == town.first.device.dev_eui and up.port == 23]
    read = {one.quantity.name: one.value for one in decode("nas/ul20xx", Frame(23, status[-1].data))}
    assert read["lamp.level"] == town.lamp().level


def test_gateways_tell_their_receptions_as_chirpstack_needs_them() -> None:
    town = Town(4, 1)
    seen = []
    take = town.network.take
    town.network.take = lambda topic, payload, now: (seen.append((topic, payload)), take(topic, payload, now))
    town.run(40)
    frames = [gw.UplinkFrame.FromString(payload) for topic, payload in seen if topic.endswith("/up")]
    assert frames
    for frame in frames:
        info, lora = frame.rx_info, frame.tx_info.modulation.lora
        assert lora.code_rate == gw.CodeRate.CR_4_5
        assert lora.bandwidth == 125_000
        assert len(info.context) == 4
        assert info.crc_status == gw.CRCStatus.CRC_OK
        assert -140 <= info.rssi < 0
        assert -25 < info.snr < 15
        assert abs(info.gw_time.ToDatetime(UTC) - NOW) < timedelta(seconds=60)
    by_frame = Counter(frame.phy_payload for frame in frames)
    assert max(by_frame.values()) > 1, "several gateways hear the same frame"
    ids = {frame.rx_info.uplink_id for frame in frames}
    assert len(ids) == len(frames)
    assert set(town.network.stats) == {one.gateway.id for one in town.field.scenario.antennas}
    heard = sum(one.totals.rx_ok for one in town.field.gateways)
    assert heard == len(frames)


def test_a_lamp_obeys_a_class_c_downlink_and_says_so() -> None:
    town = Town(3, 1).run(120)
    eui = town.first.device.dev_eui
    frame = town.order(SetLevel(level=40, minutes=60))
    number = town.network.class_c(eui, town.server.down(eui, port=frame.port, data=frame.data))
    town.run(60)
    assert town.lamp().level == 40
    assert (number, ["OK"]) in town.network.acks
    echoes = [up for up in town.server.heard if up.eui == eui and up.port == frame.port]
    assert [up.data for up in echoes] == [frame.data]


def test_a_group_obeys_one_frame_and_answers_nothing_to_it() -> None:
    town = Town(3, 1).run(120)
    nwk, app, address = bytes(range(16)), bytes(range(16, 32)), bytes.fromhex("0100fe00")
    told = town.order(MulticastGroup(0, address[::-1].hex(), nwk.hex(), app.hex()))
    for site in town.field.scenario.lamps:
        town.network.class_c(site.device.dev_eui, town.server.down(site.device.dev_eui, port=told.port, data=told.data))
        town.run(8)
    assert all(len(lamp.groups) == 1 for lamp in town.field.lamps.values())
    dim = town.order(SetLevel(level=30, minutes=60))
    gateway = town.network.best[town.first.device.dev_eui].rx_info.gateway_id
    for counter in (1, 1, 2):
        town.network.multicast(gateway, (nwk, app, address, counter), dim.port, dim.data)
        town.run(6)
    obeyed = [lamp for lamp in town.field.lamps.values() if lamp.level == 30]
    assert len(obeyed) == len(town.field.lamps)
    assert town.field.stats["multicast"] == 2 * len(obeyed)
    assert not [up for up in town.server.heard if up.port == dim.port and up.data == dim.data]


def test_adr_over_the_air_moves_a_lamp_to_another_rate() -> None:
    town = Town(2, 1, status_interval_s=60).run(120)
    eui = town.first.device.dev_eui
    asked = []

    def answer(heard):
        if heard.eui == eui and not asked:
            asked.append(heard)
            return town.server.down(eui, options=bytes.fromhex("0342ff0001"))
        return town.answer(heard)

    town.network.answer = answer
    town.run(300)
    replies = [up for up in town.server.heard if up.eui == eui and b"\x03\x07" in up.options]
    assert len(replies) == 1
    device = town.field.devices[town.first.lamp.id]
    assert (device.settings.dr, device.settings.power) == (4, 2)
    assert town.server.heard[-1] is not None
    assert town.server.refused == []


def test_a_downlink_that_comes_too_late_is_answered_so_and_the_second_window_is_used() -> None:
    town = Town(2, 1).run(120)
    eui = town.first.device.dev_eui
    late = town.network.best[eui]
    town.network.class_a(late, town.server.down(eui, port=60, data=b"\x01"), 1)
    town.run(5)
    statuses = town.network.acks[-1][1]
    assert len(statuses) == 2
    assert set(statuses) <= {"TOO_LATE", "TOO_EARLY"}, "the counter has wrapped far past the window"


def test_what_is_no_downlink_is_counted_and_harms_nothing() -> None:
    town = Town(1, 1)
    gateway = town.field.scenario.antennas[0].gateway.id
    for topic, payload in ((f"eu868/gateway/{gateway}/command/down", b"\xff\xff"), (f"eu868/gateway/{gateway}/command/down", b""),
                           (f"eu868/gateway/{gateway}/command/config", b"x"), ("other", b""),
                           (f"eu868/gateway/{gateway}/command/down", bytes(20_000))):
        town.field.command(topic, payload, town.now)
    assert town.field.stats["commands refused"] == 3
    assert town.field.stats["other commands"] == 2


def test_the_same_seed_gives_the_same_air() -> None:
    one, other, third = (Town(4, 2, seed=seed).run(60) for seed in (1, 1, 2))
    assert one.server.heard == other.server.heard
    assert [up.data for up in one.server.heard] != [up.data for up in third.server.heard] or one.server.heard == []


def test_devices_remember_their_nonces_for_the_next_run() -> None:
    first = Town(2, 1).run(90)
    again = Field(first.field.scenario, MqttLanguage(), seed=7, start=first.now, kept=first.field.kept)
    first.field = again
    first.run(90)
    assert all(device.joined for device in again.devices.values())
    assert "DevNonce" not in first.server.refused


def test_by_udp_a_gateway_says_the_same_in_json() -> None:
    field = Field(Scenario.load().sized(lamps=2, bays=1).tuned(uplink_loss=0.0, join_within_s=5.0), UdpLanguage(), seed=1,
                  start=NOW)
    messages = [one for second in range(30) for one in field.advance(NOW + timedelta(seconds=second))]
    kinds = Counter(payload[3] for _, payload in messages)
    assert kinds[0] > 2
    assert kinds[2] >= 5 * len(field.gateways)
    assert all(payload[0] == 2 and payload[4:12].hex() == name for name, payload in messages)
