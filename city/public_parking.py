"""What everybody may know of a town's parking: the one place that decides it. Pure.

Pages, JSON, open data, widgets and pushes to others are made of PublicZone and PublicQuarter and of nothing else, so no route
can tell more than these hold: zones, never bays; numbers only where enough is known, of enough comparable bays, found out
lately enough; history in quarters of an hour, never of bays for the disabled or for charging.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from city.ids import ZoneId
from city.parking import Word
from city.parking_display import Tells, ZoneRules, grey, tells
from city.parking_facts import Count, ForecastError, Quarter, ZoneFact
from city.parking_places import ParkingSite, TownParking
from city.places import Restriction, Zone


@dataclass(frozen=True, slots=True)
class PublicCount:
    """A zone's bays of one kind. `free` is a number where `tells` is NUMBER, `free_min` to `free_max` where it is RANGE (and
    NUMBER); `known` is how many bays they are about. `word` is a city.parking.Word's value; "no_data" where nothing is told."""

    restriction: Restriction
    total: int
    tells: Tells
    word: str
    free: int | None = None
    free_min: int | None = None
    free_max: int | None = None
    known: int | None = None


@dataclass(frozen=True, slots=True)
class PublicZone:
    """A zone as everybody may know it. `also`: names of zones that are counted with it. `evaluated_at` is the full minute in
    which its state was found out and held to be true; `grey`: too long ago to be believed without a word of warning.
    `forecasts`: whether those of this zone are good enough to be shown. `closed`: the town has blocked all bays for everybody,
    or all bays where none are for everybody, so that there is nothing to count."""

    zone: ZoneId
    name: str
    site: ParkingSite
    longitude: float
    latitude: float
    counts: tuple[PublicCount, ...]
    evaluated_at: datetime
    grey: bool
    trend: str = ""
    also: tuple[str, ...] = ()
    forecasts: bool = False
    closed: bool = False

    @property
    def main(self) -> PublicCount:
        """The bays for everybody; none where all are for somebody."""
        return self.of(Restriction.NONE) or PublicCount(Restriction.NONE, 0, Tells.NOTHING, Word.NO_DATA.value)

    def of(self, restriction: Restriction) -> PublicCount | None:
        """The bays of one kind."""
        return next((one for one in self.counts if one.restriction is restriction), None)

    @property
    def total(self) -> int:
        return sum(one.total for one in self.counts)


@dataclass(frozen=True, slots=True)
class Merged:
    """A zone without numbers of its own: its name, and the public zone that it is counted in."""

    name: str
    home: ZoneId


@dataclass(frozen=True, slots=True)
class PublicQuarter:
    """The mean of a zone's bays for everybody over a step of time that begins at `at`: how many were free, of how many."""

    zone: ZoneId
    at: datetime
    free: float
    total: int


def public_zones(zones: Iterable[Zone], facts: Iterable[ZoneFact], sites: Mapping[ZoneId, ParkingSite], town: TownParking,
                 errors: Mapping[ZoneId, ForecastError], now: datetime, rules: ZoneRules) -> list[PublicZone]:
    """The town's zones that are public, by name."""
    names = {zone.id: zone.name for zone in zones}
    found = [_zone(_to_the_look(fact, rules), names, sites, town, errors, now, rules) for fact in facts if fact.zone in names]
    return sorted((one for one in found if _shown(one)), key=lambda one: (one.name, one.zone))


def merged_zones(zones: Iterable[Zone], sites: Mapping[ZoneId, ParkingSite], public: Iterable[PublicZone]) -> dict[str, Merged]:
    """Which zones are told of as parts of which public ones: what PublicZone.also says, the other way round."""
    homes = {zone.zone for zone in public}
    return {zone.id: Merged(zone.name, ZoneId(sites[zone.id].merged_into)) for zone in zones
            if zone.id in sites and sites[zone.id].merged_into in homes}


def public_quarters(quarters: Iterable[Quarter], sites: Mapping[ZoneId, ParkingSite], rules: ZoneRules, now: datetime, *,
                    step: timedelta = timedelta(minutes=15)) -> list[PublicQuarter]:
    """History that everybody may read: of bays for everybody, in zones that are public and large enough, where enough was
    known, and only of steps that are over. `step` is a multiple of a quarter of an hour, which is the finest there is."""
    width = max(step, timedelta(minutes=15))
    sums: dict[tuple[ZoneId, datetime], list[int]] = {}
    for one in quarters:
        site = sites.get(one.zone)
        if one.restriction == "" and one.bays >= rules.least_bays and (site is None or (site.public and not site.merged_into)):
            total = sums.setdefault((one.zone, _floor(one.at, width)), [0, 0, 0, 0])
            for index, value in enumerate((one.free_s, one.free_s + one.occupied_s, one.free_s + one.occupied_s + one.unknown_s)):
                total[index] += value
            total[3] = max(total[3], one.bays)
    return [PublicQuarter(zone, at, round(bays * free / known, 1), bays)
            for (zone, at), (free, known, whole, bays) in sorted(sums.items())
            if at + width <= now and whole and known / whole >= rules.range_from]


def merged(zones: Iterable[Zone], sites: Mapping[ZoneId, ParkingSite]) -> Mapping[ZoneId, ZoneId]:
    """Which zone each one is counted in: its own, or the one that it is merged into."""
    return {zone.id: ZoneId(sites[zone.id].merged_into) if zone.id in sites and sites[zone.id].merged_into else zone.id
            for zone in zones}


def _to_the_look(fact: ZoneFact, rules: ZoneRules) -> ZoneFact:
    """A look between the regular ones, every minute, says to the second that something has happened in some zone of the town:
    where its only news is a zone too small to be told of, that is a car that came or went. The regular ones are made whatever
    happens, when so many seconds since 1970 are over."""
    return msgspec.structs.replace(fact, evaluated_at=_floor(fact.evaluated_at, max(rules.publish, timedelta(minutes=1))))


def _zone(fact: ZoneFact, names: Mapping[ZoneId, str], sites: Mapping[ZoneId, ParkingSite], town: TownParking,
          errors: Mapping[ZoneId, ForecastError], now: datetime, rules: ZoneRules) -> PublicZone:
    site = sites.get(fact.zone) or ParkingSite(fact.zone)
    counts = tuple(_count(Restriction(kind), one, now - fact.evaluated_at, rules, town)
                   for kind, one in sorted(fact.counts.items()) if one.total)
    main = next((one for one in counts if one.restriction is Restriction.NONE), None)
    numbers = main is not None and main.tells is Tells.NUMBER
    also: Sequence[str] = sorted(names[zone] for zone, one in sites.items() if one.merged_into == fact.zone and zone in names)
    return PublicZone(fact.zone, names[fact.zone], site, fact.longitude, fact.latitude, counts, fact.evaluated_at,
                      grey(fact, now, rules), fact.trend if numbers else "", tuple(also),
                      numbers and fact.zone in errors and errors[fact.zone].shown, _closed(fact.counts))


def _shown(zone: PublicZone) -> bool:
    """Whether there is anything to tell of it; one that is newly merged is told with the other at once, not twice."""
    return zone.site.public and not zone.site.merged_into and (bool(zone.counts) or zone.closed)


def _closed(counts: Mapping[str, Count]) -> bool:
    """A count without bays is one whose bays are all blocked."""
    main = [counts[Restriction.NONE.value]] if Restriction.NONE.value in counts else list(counts.values())
    return bool(main) and not any(one.total for one in main)


def _count(restriction: Restriction, counted: Count, age: timedelta, rules: ZoneRules, town: TownParking) -> PublicCount:
    how = tells(counted, restriction, age, rules, special_public=town.special_public)
    word = Word.NO_DATA.value if how in (Tells.NOTHING, Tells.TOO_FEW) else counted.word
    if how not in (Tells.NUMBER, Tells.RANGE):
        return PublicCount(restriction, counted.total, how, word)
    if how is Tells.NUMBER:
        return PublicCount(restriction, counted.total, how, word, counted.free, counted.free, counted.free_max, counted.known)
    return PublicCount(restriction, counted.total, how, word, None, counted.least_free, counted.most_free, counted.known)


def _floor(at: datetime, width: timedelta) -> datetime:
    seconds = int(width.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, at.tzinfo)
