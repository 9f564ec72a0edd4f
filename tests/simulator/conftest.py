"""A quiet town: nothing gets lost and nothing breaks, so that a test decides what does."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from city.ids import AssetId, CircuitId, TenantId, ZoneId
from city.orders import Order
from city.places import Luminaire, Site
from city.quantities import Measurement
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator.chirpstack import ChirpStack
from simulator.engine import Engine
from simulator.lamp import Lamp
from simulator.plan import Devices
from simulator.scenario import LAMP_MODEL, Scenario
from simulator.timetable import Sky
from tests.simulator.wire import Wire

NIGHT = datetime(2026, 11, 21, 20, tzinfo=UTC)
PLACE = Site(50.9966, 8.1104)


@dataclass
class Pole:
    """One lamp without any radio."""

    start: datetime = NIGHT
    setup: Devices = field(default_factory=Devices)
    frames: list[tuple[datetime, Frame]] = field(default_factory=list)
    model: str = LAMP_MODEL
    seed: int = 1
    rejoins: int = 0

    def __post_init__(self) -> None:
        self.codec = codec_of(self.model)
        self.engine = Engine(to_ns(self.start))
        asset = Luminaire(TenantId("t"), AssetId("L-1"), "L 1", PLACE, ZoneId("Z"), CircuitId("C"), 40.0, "P4")
        self.lamp = Lamp(asset, self.codec, self.setup, engine=self.engine, sky=Sky(PLACE),
                         rng=Random(self.seed), radio=Wire(lambda frame: self.frames.append((self.now, frame)), self.join_again))

    def join_again(self) -> None:
        self.rejoins += 1
        self.engine.after(5, self.lamp.start)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.engine.now / NS, UTC)

    def settled(self) -> "Pole":
        """Started, and long enough ago that its clock is set and its first notices are sent."""
        self.lamp.start()
        self.run(90)
        self.frames.clear()
        return self

    def run(self, seconds: float) -> None:
        self.engine.run(self.engine.now + int(seconds * NS))

    def until(self, when: datetime) -> None:
        self.engine.run(to_ns(when))

    def order(self, order: Order) -> Frame:
        frame = self.codec.encode_downlink(order)
        self.lamp.receive(frame)
        return frame

    def said(self, port: int) -> list[tuple[datetime, dict[str, Any]]]:
        """What was sent on a port, decoded."""
        return [(at, readable(self.codec.decode_uplink(frame))) for at, frame in self.frames if frame.port == port]


def readable(measurements: list[Measurement]) -> dict[str, Any]:
    return {said.quantity.name: said.value for said in measurements if not said.channel}


@dataclass
class Town:
    """A simulated network server, and its events as dictionaries."""

    chirpstack: ChirpStack
    now: datetime
    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)  # kind, DevEUI, event

    def run(self, seconds: float) -> list[tuple[str, str, dict[str, Any]]]:
        """Let time pass; the events of that time."""
        self.now += timedelta(seconds=seconds)
        new = [(topic.split("/")[5], topic.split("/")[3], json.loads(payload))
               for topic, payload in self.chirpstack.advance(self.now)]
        self.events += new
        return new

    @property
    def lamp(self) -> str:
        """The first lamp's DevEUI."""
        return self.chirpstack.scenario.lamps[0].device.dev_eui

    @property
    def bay(self) -> str:
        return self.chirpstack.scenario.bays[0].device.dev_eui

    def down(self, dev_eui: str, data: str = "09fe2805", port: int = 60, **more: Any) -> None:
        """A downlink command for a device, bytes in hex."""
        kind = "lamp" if any(site.device.dev_eui == dev_eui for site in self.chirpstack.scenario.lamps) else "bay"
        command = {"devEui": dev_eui, "fPort": port, "data": b64encode(bytes.fromhex(data)).decode(), **more}
        self.raw(kind, dev_eui, json.dumps(command).encode())

    def raw(self, kind: str, dev_eui: str, payload: bytes) -> None:
        topic = f"application/{self.chirpstack.scenario.application(kind)}/device/{dev_eui}/command/down"
        self.chirpstack.command(topic, payload, self.now)

    def of(self, kind: str, dev_eui: str | None = None) -> list[dict[str, Any]]:
        return [event for what, eui, event in self.events if what == kind and dev_eui in (None, eui)]


@pytest.fixture
def pole() -> Pole:
    return Pole()


@pytest.fixture
def make_pole() -> Callable[..., Pole]:
    return Pole


@pytest.fixture
def make_town() -> Callable[..., Town]:
    def make(*, lamps: int = 3, bays: int = 3, seed: int = 1, **devices: float) -> Town:
        quiet = {"lamp_failure": 0.0, "stuck_driver": 0.0, "silent": 0.0, "missed_edge": 0.0, "uplink_loss": 0.0,
                 "downlink_loss": 0.0, "join_within_s": 2.0}
        scenario = Scenario.load().sized(lamps=lamps, bays=bays).tuned(**(quiet | devices))
        return Town(ChirpStack(scenario, seed=seed, start=NIGHT), NIGHT)
    return make


@pytest.fixture
def town(make_town: Callable[..., Town]) -> Town:
    """Three lamps and three bays that have joined and been heard, three minutes ago."""
    town = make_town()
    town.run(180)
    return town
