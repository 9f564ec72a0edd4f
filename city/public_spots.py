"""Single bays that everybody may know of: those for the disabled and for charging, now, and only where the town says so. Pure.

Whoever needs such a bay needs to know of this very one, so the rule of five comparable bays (city.public_parking) has this one
exception, which a town decides with its data protection officer (TownParking.special_public). What goes with it: the state of
now and never of before, since when it holds is not told, no name or number by which the town or a sensor knows the bay, and
nothing where the gate of its zone is closed. All other bays are for the town's staff only.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from city.bays import Occupancy
from city.ids import ZoneId
from city.parking_display import SPECIAL, Tells
from city.parking_facts import BayFact
from city.parking_places import TownParking
from city.places import ParkingBay, Restriction
from city.public_parking import PublicZone

TOLD = (Tells.NUMBER, Tells.RANGE)


@dataclass(frozen=True, slots=True)
class PublicSpot:
    """A bay for the disabled or for charging: where it is, and whether it is free (None: not known). `name` is made
    of its place, stays the same, and is not the town's name for it. `evaluated_at` is None where nothing is told now."""

    name: str
    zone: PublicZone
    restriction: Restriction
    longitude: float
    latitude: float
    free: bool | None
    evaluated_at: datetime | None


def public_spots(zones: Iterable[PublicZone], bays: Iterable[ParkingBay], facts: Iterable[BayFact], town: TownParking,
                 merged: Mapping[ZoneId, ZoneId]) -> list[PublicSpot]:
    """All of a town's, by zone and name; none where the town does not tell single bays. `merged`: the zone in which the bays of
    another are counted (city.public_parking.merged)."""
    if not town.special_public:
        return []
    shown, known = {zone.zone: zone for zone in zones}, {fact.bay: fact for fact in facts}
    found: dict[str, PublicSpot] = {}
    for bay in sorted(bays, key=lambda one: one.id):
        zone = shown.get(merged.get(bay.zone, bay.zone))
        if zone is not None and bay.restriction in SPECIAL:
            name = next(name for name in _names(zone, bay) if name not in found)
            found[name] = _spot(name, zone, bay, known.get(bay.id))
    return sorted(found.values(), key=lambda one: (one.zone.name, one.zone.zone, one.name))


def _spot(name: str, zone: PublicZone, bay: ParkingBay, fact: BayFact | None) -> PublicSpot:
    counted = zone.of(bay.restriction)
    told = counted is not None and counted.tells in TOLD
    free = {Occupancy.FREE.value: True, Occupancy.OCCUPIED.value: False}.get(fact.occupancy) if fact and told else None
    return PublicSpot(name, zone, bay.restriction, bay.site.longitude, bay.site.latitude, free,
                      zone.evaluated_at if told else None)


def _names(zone: PublicZone, bay: ParkingBay) -> Iterator[str]:
    """Names made of nothing but what everybody is told: one and the same place has several where it has several bays."""
    place = f"{zone.zone}\0{bay.restriction.value}\0{bay.site.longitude:.7f}\0{bay.site.latitude:.7f}"
    return (sha256(f"{place}\0{count}".encode()).hexdigest()[:12] for count in range(10_000))
