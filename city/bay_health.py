"""How the sensors of bays do: what is wrong with each, the worst first. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from city.bay_tracks import StartFault
from city.bays import Why
from city.ids import DevEui
from city.parking_facts import BayDay, BayFact
from city.places import ParkingBay
from city.quantities import DEVICE_BATTERY, DEVICE_BATTERY_LOW, DEVICE_BATTERY_VOLTAGE
from city.readings import DeviceState
from city.settings import Parking


class Finding(Enum):
    """What is wrong with a sensor, the worst first."""

    NO_SENSOR = "no_sensor"
    GONE = "gone"
    NEVER_HEARD = "never_heard"
    FAULT = "fault"
    DEVICE_RESTARTS = "device_restarts"  # its watchdog or its supply fails
    SUSPECT = "suspect"
    FLAPPING = "flapping"
    SILENT = "silent"
    UNHEARD = "unheard"
    COVERAGE = "coverage"  # it restarts because nobody acknowledges
    BATTERY = "battery"
    MISSED = "missed"  # changes that only a sign of life told
    LOST = "lost"  # frames of its counter that never came
    LEARNING = "learning"


RANK = {finding: rank for rank, finding in enumerate(Finding)}
BROKEN = frozenset({Finding.NO_SENSOR, Finding.GONE, Finding.NEVER_HEARD, Finding.FAULT, Finding.DEVICE_RESTARTS,
                    Finding.SUSPECT})


@dataclass(frozen=True, slots=True)
class SensorHealth:
    """One bay's sensor over the last days: signs of life and changes heard, changes missed, frames lost, restarts. Battery in
    per cent or volts as it says itself, None: it does not. `least`: fewer changes or frames tell of no share."""

    bay: ParkingBay
    device: DevEui | None
    model: str
    findings: tuple[Finding, ...]
    heard_at: datetime | None
    beats: int
    changes: int
    missed: int
    lost: int
    starts: int
    battery: float | None = None
    volts: float | None = None
    least: int = 20

    @property
    def missed_share(self) -> float | None:
        """Of the changes that there were, how many were missed; None where there were too few to tell."""
        total = self.changes + self.missed
        return self.missed / total if total >= self.least else None

    @property
    def lost_share(self) -> float | None:
        """Of the frames that it sent, how many never came."""
        total = self.beats + self.changes + self.lost
        return self.lost / total if total >= self.least else None

    @property
    def broken(self) -> bool:
        """Whether somebody has to go there."""
        return any(one in BROKEN for one in self.findings)


def health(bay: ParkingBay, device: DevEui | None, model: str, fact: BayFact | None, days: Sequence[BayDay],
           state: DeviceState | None, said: Parking) -> SensorHealth:
    """How a bay's sensor has done in these days; `said`: from when on something is wrong."""
    battery, volts = _number(state, DEVICE_BATTERY.name), _number(state, DEVICE_BATTERY_VOLTAGE.name)
    bare = SensorHealth(bay, device, model, (), fact.heard_at if fact else None, sum(day.beats for day in days),
                        sum(day.edges for day in days), sum(day.missed for day in days), sum(day.lost for day in days),
                        sum(day.starts for day in days), battery, volts, said.share_least)
    low = state is not None and _said(state, DEVICE_BATTERY_LOW.name) is True
    found = {*_of_fact(device, fact), *_of_shares(bare, said)} | ({Finding.BATTERY} if low else set())
    return replace(bare, findings=tuple(sorted(found, key=RANK.__getitem__)))


def worst_first(sensors: Iterable[SensorHealth]) -> list[SensorHealth]:
    """By the worst that is wrong with each, then by what it misses, then by name."""
    return sorted(sensors, key=lambda one: (RANK[one.findings[0]] if one.findings else len(RANK), -len(one.findings),
                                            -(one.missed_share or 0.0), -(one.lost_share or 0.0), one.bay.id))


def needs_somebody(why: Why, fact: BayFact | None) -> bool:
    """Whether somebody has to go there, by what is believed of the bay now alone."""
    found = {_WHY.get(why.value), _STARTS.get(fact.start_fault) if fact is not None else None}
    return not BROKEN.isdisjoint(found)


def _of_fact(device: DevEui | None, fact: BayFact | None) -> set[Finding]:
    if device is None:
        return {Finding.NO_SENSOR}
    if fact is None:
        return {Finding.NEVER_HEARD}
    found = {_WHY[fact.why]} if fact.why in _WHY else set()
    if fact.start_fault in _STARTS:
        found.add(_STARTS[fact.start_fault])
    return found | ({Finding.LEARNING} if fact.learning else set())


def _of_shares(sensor: SensorHealth, said: Parking) -> set[Finding]:
    found = set()
    if (sensor.missed_share or 0.0) > said.missed_percent / 100:
        found.add(Finding.MISSED)
    if (sensor.lost_share or 0.0) > said.lost_percent / 100:
        found.add(Finding.LOST)
    if sensor.battery is not None and sensor.battery < said.battery_percent:
        found.add(Finding.BATTERY)
    return found


_WHY = {Why.NEVER_HEARD.value: Finding.NEVER_HEARD, Why.SILENT.value: Finding.SILENT, Why.GONE.value: Finding.GONE,
        Why.FLAPPING.value: Finding.FLAPPING, Why.SUSPECT.value: Finding.SUSPECT, Why.FAULT.value: Finding.FAULT,
        Why.UNHEARD.value: Finding.UNHEARD, Why.NO_SENSOR.value: Finding.NO_SENSOR}
_STARTS = {StartFault.COVERAGE.value: Finding.COVERAGE, StartFault.DEVICE.value: Finding.DEVICE_RESTARTS}


def _said(state: DeviceState, name: str) -> object:
    last = state.last.get(name)
    return None if last is None else last.value


def _number(state: DeviceState | None, name: str) -> float | None:
    value = _said(state, name) if state is not None else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
