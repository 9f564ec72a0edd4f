"""A simulated sensor of each model says what its codec reads, as often as it should, and answers where the model does."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from city.errors import Invalid
from city.ids import AssetId, TenantId, ZoneId
from city.orders import Order, Parameters, StatusInterval
from city.places import ParkingBay, Site
from city.quantities import BAY_OCCUPIED, BAY_PREVIOUS_MINUTES, DEVICE_COUNTER
from city.readings import NS, to_ns
from decoders.catalog import catalog, codec_of
from decoders.codec import Frame
from decoders.vectors import reads_of
from gateway_bridge.events import Uplink, parse
from simulator.bay import Bay
from simulator.chirpstack import ChirpStack
from simulator.engine import Engine
from simulator.reading import read
from simulator.scenario import DEFAULT, Scenario
from simulator.sensors import VOICES
from tests.simulator.wire import Wire

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
BAYS = sorted(model for model, codec in catalog().items() if codec.asset == "bay")


class Kerb:
    """One bay without any radio."""

    def __init__(self, model: str) -> None:
        self.engine, self.heard = Engine(to_ns(MONDAY)), list[tuple[int, Frame]]()
        self.codec = codec_of(model)
        self.bay = Bay(ParkingBay(TenantId("t"), AssetId("B"), "B", Site(51, 8), ZoneId("Z")), self.codec, missed_edge=0.0,
                       engine=self.engine, rng=Random(3), radio=Wire(lambda frame: self.heard.append((self.engine.now, frame))))
        self.bay.start()

    def run(self, seconds: float) -> None:
        self.engine.run(self.engine.now + int(seconds * NS))

    def said(self) -> list[dict[str, object]]:
        return [dict(reads_of(self.codec.decode_uplink(frame))) for _, frame in self.heard]

    def tell(self, order: Order) -> dict[str, object]:
        """What it answers within ten seconds."""
        before = len(self.heard)
        self.bay.receive(self.codec.encode_downlink(order))
        self.run(10)
        [answer] = self.said()[before:]
        return answer


def test_each_parking_sensor_of_the_catalogue_can_be_simulated() -> None:
    assert sorted(VOICES) == BAYS


@pytest.mark.parametrize("model", BAYS)
def test_a_sensor_of_each_model_tells_its_state_at_once_and_as_a_sign_of_life(model: str) -> None:
    kerb = Kerb(model)
    for turn in range(6):
        kerb.bay.move(turn % 2 == 0)
        kerb.run(40)
        assert kerb.said()[-1][BAY_OCCUPIED.name] is kerb.bay.occupied
        kerb.run(600)
    beats = len(kerb.heard)
    kerb.run(10 * kerb.codec.heartbeat.total_seconds())
    assert 9 <= len(kerb.heard) - beats <= 11
    assert all(said[BAY_OCCUPIED.name] is False for said in kerb.said()[beats:])
    gaps = [(b - a) / NS for (a, _), (b, _) in pairwise(kerb.heard[beats:])]
    assert all(abs(gap - kerb.codec.heartbeat.total_seconds()) <= 300 for gap in gaps)


def test_a_sensor_that_tells_how_long_the_state_before_lasted_tells_the_truth() -> None:
    kerb = Kerb("nwave/nps405")
    kerb.run(30 * 60)
    kerb.bay.move(True)
    kerb.run(60)
    assert kerb.said()[-1][BAY_PREVIOUS_MINUTES.name] == 30.0


def test_a_libelium_counts_its_frames_modulo_256() -> None:
    kerb = Kerb("libelium/smartparking")
    for turn in range(300):
        kerb.bay.move(turn % 2 == 0)
        kerb.run(60)
    counters = [said[DEVICE_COUNTER.name] for said in kerb.said()]
    assert len(counters) > 300
    assert counters == [number % 256 for number in range(len(counters))]


def test_an_r719a_answers_and_then_reports_as_often_as_it_was_told() -> None:
    kerb = Kerb("netvox/r719a")
    kerb.run(5000)
    report = Parameters((("battery_change", 1), ("max_time", 600), ("min_time", 60)))
    assert kerb.tell(report) == {"device.echo": "7:01"}
    assert kerb.tell(Parameters((("read_report", 1),))) == {
        "device.echo": "7:02", "device.setting@min_time": 60.0, "device.setting@max_time": 600.0,
        "device.setting@battery_change": 1.0}
    assert kerb.tell(Parameters((("detect_threshold", 30),))) == {"device.echo": "7:03"}
    assert kerb.tell(Parameters((("read_threshold", 1),))) == {"device.echo": "7:04", "device.setting@detect_threshold": 30.0}
    kerb.run(4000)
    before = len(kerb.heard)
    kerb.run(6000)
    assert 9 <= len(kerb.heard) - before <= 11


def test_our_own_sensor_confirms_by_hash_and_refuses_by_code() -> None:
    kerb = Kerb("stadtfunk/bay")
    order = StatusInterval(3600)
    assert kerb.tell(order) == {"device.echo": kerb.codec.echo(kerb.codec.encode_downlink(order)),
                                "device.heartbeat": True}
    kerb.run(86_400)
    before = len(kerb.heard)
    kerb.run(36_000)
    assert 9 <= len(kerb.heard) - before <= 11
    kerb.bay.receive(Frame(11, b"\xa1\x18\x63\x01"))
    kerb.run(10)
    assert kerb.said()[-1] == {"device.rejected": "11:01", "device.heartbeat": True}


@pytest.mark.parametrize("model", [model for model in BAYS if model not in ("netvox/r719a", "stadtfunk/bay")])
def test_the_others_answer_nothing(model: str) -> None:
    kerb = Kerb(model)
    before = len(kerb.heard)
    kerb.bay.receive(Frame(51, b"\x00"))
    kerb.run(1)
    assert len(kerb.heard) == before


def scenario(directory: Path, model: str) -> Path:
    """Hilchenbach, with sensors of that model in all its lots."""
    path = directory / "town.toml"
    text = DEFAULT.read_text(encoding="utf-8")
    path.write_text(text.replace("[[parking]]\n", f'[[parking]]\nmodel = "{model}"\n'), encoding="utf-8")
    return path


@pytest.mark.parametrize("model", BAYS)
def test_a_scenario_may_name_each_of_them_and_all_that_the_town_says_is_read(tmp_path: Path, model: str) -> None:
    town = Scenario.load(scenario(tmp_path, model)).sized(lamps=1, bays=6)
    assert {site.device.model for site in town.bays} == {model}
    server = ChirpStack(town, seed=1, start=MONDAY)
    bays, heard = {site.device.dev_eui for site in town.bays}, set()
    for topic, payload in server.advance(MONDAY + timedelta(hours=30)):
        event = parse(topic, payload)
        if isinstance(event, Uplink) and event.device in bays:
            said = catalog()[model].decode_uplink(Frame(event.f_port, event.data))
            heard |= {event.device} if any(one.quantity is BAY_OCCUPIED for one in said) else set()
    assert heard == bays


@pytest.mark.parametrize("model", ["acme/x1", "nas/ul20xx", "generic/cayenne-lpp"])
def test_a_scenario_that_names_anything_else_is_refused_by_name(tmp_path: Path, model: str) -> None:
    with pytest.raises(Invalid, match="no parking sensor"):
        read(scenario(tmp_path, model))
