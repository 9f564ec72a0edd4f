"""How hard it is to find a place in a permit zone in the hours in which its residents have a right to one. Pure.

It is counted of bays, from quarter hours of whole zones: nothing here knows of permits or of anybody who has one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from city.ids import ZoneId
from city.parking_facts import Quarter
from city.parking_places import ParkingSite, PermitZone
from city.parking_rules import BERLIN, Point, holding
from city.places import Restriction
from city.settings import Parking

COUNTED = (Restriction.NONE.value, Restriction.RESIDENT.value)  # bays that a resident may park in
_HOURS = 24


@dataclass(frozen=True, slots=True)
class Pressure:
    """A permit zone's bays that residents may use: how many, of how many parking zones, the share taken in the hours of the
    permit zone and outside them, the share of those quarter hours that were full, the share taken by hour of the day (Berlin)
    within the zone's hours, and how many quarter hours that rests on. None where nothing is known."""

    code: str
    name: str
    zones: int
    bays: int
    taken: float | None
    taken_else: float | None
    full: float | None
    by_hour: tuple[float | None, ...]
    quarters: int


def pressures(permits: Iterable[PermitZone], sites: Mapping[ZoneId, ParkingSite], quarters: Sequence[Quarter], said: Parking, *,
              land: str, point: Point) -> list[Pressure]:
    """Of each permit zone. `said`: what is full, and how much must be known. Raises Invalid where hours cannot be read."""
    by_zone: dict[str, list[Quarter]] = {}
    for one in quarters:
        if one.restriction in COUNTED:
            by_zone.setdefault(one.zone, []).append(one)
    return [_pressure(permit, {zone: by_zone.get(zone, []) for zone, site in sites.items() if site.permit_zone == permit.code},
                      said, land, point) for permit in permits]


def _pressure(permit: PermitZone, zones: Mapping[ZoneId, Sequence[Quarter]], said: Parking, land: str, point: Point) -> Pressure:
    steps = _steps((quarter for found in zones.values() for quarter in found), said.pressure_known_percent / 100)
    inside = holding(permit.hours, steps, land=land, point=point)
    within = {at: step for (at, step), holds in zip(steps.items(), inside, strict=True) if holds}
    outside = [step for (_, step), holds in zip(steps.items(), inside, strict=True) if not holds]
    by_hour = [_share([step for at, step in within.items() if at.astimezone(BERLIN).hour == hour]) for hour in range(_HOURS)]
    full = sum(step.taken_s >= said.pressure_full_percent / 100 * step.known_s for step in within.values())
    return Pressure(permit.code, permit.name, len(zones), max((step.bays for step in steps.values()), default=0),
                    _share(within.values()), _share(outside), full / len(within) if within else None, tuple(by_hour),
                    len(within))


@dataclass(frozen=True, slots=True)
class _Step:
    """All bays of a permit zone in one quarter of an hour."""

    bays: int
    taken_s: int
    known_s: int
    all_s: int


def _steps(quarters: Iterable[Quarter], least_known: float) -> dict[datetime, _Step]:
    sums: dict[datetime, list[int]] = {}
    for one in quarters:
        known = one.free_s + one.occupied_s
        total = sums.setdefault(one.at, [0, 0, 0, 0])
        for index, value in enumerate((one.bays, one.occupied_s, known, known + one.unknown_s)):
            total[index] += value
    steps = {at: _Step(*total) for at, total in sums.items()}
    return {at: step for at, step in steps.items() if step.all_s and step.known_s >= least_known * step.all_s}


def _share(steps: Iterable[_Step]) -> float | None:
    taken, known = 0, 0
    for step in steps:
        taken, known = taken + step.taken_s, known + step.known_s
    return taken / known if known else None
