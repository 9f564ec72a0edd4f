"""What carries frames between an imitated server's gateways and its devices: chance, or the air itself.

`Chance` decides each frame for itself, which is quick and enough for load, for events and for a demonstration. Where it
matters that frames meet, wait for a gateway's transmitter and use up its share of the hour, simulator.true_air does it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from city.airtime import time_on_air
from city.places import Site
from city.readings import NS
from decoders.codec import Frame
from simulator.engine import Engine
from simulator.events import RX2_HZ
from simulator.fleet import Fleet
from simulator.provisioned import Group
from simulator.radio import NEEDED_SNR, Air, Heard
from simulator.scenario import Scenario
from simulator.station import Listener, Station

FADING_DB = 2.0  # standard deviation of a frame
DOWN_DB = 12.0  # 27 dBm e.r.p. in 869.4-869.65 MHz against a device's 14 dBm

Landed = Callable[[list[Heard], int], None]  # the receptions of an uplink, best first, and when it ended (ns)
Arrived = Callable[[bool], None]  # whether the device has heard it
Take = Callable[[Station, Listener], None]  # a member of the group has heard it


class Carrier(Protocol):
    """The way of frames, both ways. What a gateway says to a downlink is "OK", an error of gw.TxAckStatus, or
    simulator.fleet.NOT_THERE; with it comes when the frame will have been sent (ns)."""

    def place(self, station: Station, site: Site, buried_db: float) -> None:
        """A device stands there; 0 dB means that it sits on a pole."""
        ...

    def listen(self, station: Station, device: Listener) -> None:
        """The device at a station may be told of groups."""
        ...

    def up(self, station: Station, frame: Frame, f_cnt: int, landed: Landed) -> None:
        """A device's uplink."""
        ...

    def down(self, gateway: int, station: Station, frame: Frame, *, sf: int, frequency: int, delay_s: int,
             arrived: Arrived) -> tuple[str, int]:
        """A downlink to one device: `delay_s` after its last uplink, or at once (0)."""
        ...

    def cast(self, gateway: int, group: Group, frame: Frame, *, emit_ns: int | None, take: Take) -> tuple[str, int]:
        """A downlink to a group, at once or at `emit_ns`."""
        ...


class Builder(Protocol):
    """Makes the carrier of a town."""

    def __call__(self, scenario: Scenario, air: Air, fleet: Fleet, *, engine: Engine, rng: Random, stats: Counter[str],
                 seed: int) -> Carrier:
        """`air` knows the links that were planned, and the weather."""
        ...


class Chance:
    """Each frame is lost or not, whatever else is on the air."""

    def __init__(self, scenario: Scenario, air: Air, fleet: Fleet, *, engine: Engine, rng: Random, stats: Counter[str],
                 seed: int) -> None:  # noqa: ARG002 - a Builder's
        self._air, self._fleet, self._engine, self._rng, self._stats = air, fleet, engine, rng, stats
        self._loss = scenario.plan.devices.downlink_loss
        self._listening: list[Station] = []
        self._listeners: list[Listener] = []

    def place(self, station: Station, site: Site, buried_db: float) -> None:
        """Its link says all."""

    def listen(self, station: Station, device: Listener) -> None:
        self._listening.append(station)
        self._listeners.append(device)

    def up(self, station: Station, frame: Frame, f_cnt: int, landed: Landed) -> None:  # noqa: ARG002 - a Carrier's
        heard = self._air.hear(station.link)
        landed(heard, self._engine.now + int(time_on_air(len(frame.data), 12 - station.link.dr, crc=True) * NS))

    def down(self, gateway: int, station: Station, frame: Frame, *, sf: int, frequency: int, delay_s: int,
             arrived: Arrived) -> tuple[str, int]:
        said, sent_ns = self._fleet.send(gateway, time_on_air(len(frame.data), sf), rx2=frequency == RX2_HZ)
        if said == "OK":
            if self._rng.random() < self._loss or not station.link.medians:
                self._stats["lost down"] += 1
                arrived(False)
            else:
                self._engine.at(sent_ns + delay_s * NS, arrived, True)
        return said, sent_ns

    def cast(self, gateway: int, group: Group, frame: Frame, *, emit_ns: int | None, take: Take) -> tuple[str, int]:
        airtime = time_on_air(len(frame.data), 12 - min(group.dr, 5))
        said, sent_ns = self._fleet.send(gateway, airtime, rx2=group.frequency == RX2_HZ)
        if said == "OK":
            if emit_ns is not None:
                sent_ns += max(emit_ns - self._engine.now, 0)
            self._engine.at(sent_ns, self._heard, gateway, group.mc_addr, (group.mc_nwk_s_key, group.mc_app_s_key), group.dr,
                            take)
        return said, sent_ns

    def _heard(self, gateway: int, mc_addr: str, keys: tuple[str, str], dr: int, take: Take) -> None:
        for station, device in zip(self._listening, self._listeners, strict=True):
            if device.groups.get(mc_addr) == keys and self._reaches(station, gateway, dr):
                take(station, device)

    def _reaches(self, station: Station, gateway: int, dr: int) -> bool:
        median = _median(station.link.medians, gateway)
        return (median is not None and self._rng.random() >= self._loss
                and median + DOWN_DB + self._rng.gauss(0, FADING_DB) >= NEEDED_SNR[min(dr, 5)])


def _median(medians: Sequence[tuple[int, float]], gateway: int) -> float | None:
    return next((snr for index, snr in medians if index == gateway), None)
