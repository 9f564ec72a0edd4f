"""The books of a town's parking: quarters of an hour, stays, days of sensors, forecasts and how good they were.

Quarters are booked a minute and a half after they are over, and again where something comes late. Stays are booked an hour after
they ended, once. What needs weeks of history or all words of a week is done for a few zones at a time.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

from city.bay_tracks import spans_until
from city.bays import Span
from city.ids import AssetId, ZoneId
from city.parking_counting import KEEP_NS, Town
from city.parking_facts import Forecast, Quarter, Stay
from city.parking_forecast import came_true, forecast
from city.parking_stats import quarters, stays
from city.places import ParkingBay, Restriction, Tenant
from city.readings import NS, from_ns, to_ns
from city.retention import FEW_BAYS
from city.settings import Parking
from city.store.port_parking import ParkingFound
from city.store.ports import Store
from gateway_bridge.parking_study import Study

QUARTER_NS = 900 * NS
SLACK_NS = 90 * NS  # after the end of a quarter: what is said at its end comes a little later
STAYS_AFTER_NS = 3600 * NS
KEYS = 3  # days



class Books:
    """One town's books. `book` belongs to one loop and blocks."""

    def __init__(self, store: Store, tenant: Tenant, settings: Parking) -> None:
        self._store, self._tenant = store, tenant
        self._study = Study(store, tenant, settings)

    @property
    def suspects(self) -> frozenset[AssetId]:
        """The bays whose sensors are stuck or restless, compared with their zones."""
        return self._study.suspects

    def begin(self, town: Town, since_ns: int, now: datetime) -> None:
        """Nothing is booked yet, and spans are known since then."""
        now_ns = to_ns(now)
        town.kept.booked_ns = _floor(min(max(since_ns, now_ns - KEEP_NS), now_ns))
        town.kept.stayed_ns = town.kept.booked_ns

    def book(self, town: Town, now: datetime) -> ParkingFound:
        """What is due after a full look."""
        days, errors = self._study.some(town, now)
        if not town.kept.booked_ns:
            self.begin(town, to_ns(now), now)
        until_ns = _floor(to_ns(now) - SLACK_NS)
        new = until_ns > town.kept.booked_ns
        if not new and not town.changed:
            return ParkingFound(days=days, errors=errors)
        made = list(self._quarters(town, now, max(until_ns, town.kept.booked_ns)))
        left = self._stays(town, now)
        foretold = [one for zone in town.zones() for one in self._forecast(town, zone, now)] if new else []
        true = self._came_true(made)
        town.kept.booked_ns = max(until_ns, town.kept.booked_ns)
        town.changed.clear()
        return ParkingFound(quarters=made, stays=left, days=days, forecasts=[*true, *foretold], errors=errors)

    # -- quarters and stays

    def _quarters(self, town: Town, now: datetime, until_ns: int) -> Iterable[Quarter]:
        earliest = _floor(to_ns(now) - KEEP_NS)
        for zone, bays in town.zones().items():
            late = [town.changed[bay.id] for bay in bays if bay.id in town.changed]
            first = max(min([town.kept.booked_ns, *map(_floor, late)]), earliest)
            for kind in {bay.restriction for bay in bays} if first < until_ns else ():
                yield from self._zone_quarters(town, zone, kind, first, until_ns, now)

    def _zone_quarters(self, town: Town, zone: ZoneId, kind: Restriction, first_ns: int, until_ns: int,
                       now: datetime) -> list[Quarter]:
        open_ones = (bay for bay in town.zones()[zone] if bay.id not in town.blocked() and not bay.blocked)
        spans = (self._spans(town, bay, now, first_ns) for bay in open_ones if bay.restriction is kind)
        return quarters(zone, kind.value, spans, from_ns(first_ns), from_ns(until_ns), town.rules)

    def _spans(self, town: Town, bay: ParkingBay, now: datetime, since_ns: int) -> list[Span]:
        """A bay's spans until now, as far as they were known; the last ones before that time, too."""
        memory, now_ns = town.memory(bay.id), to_ns(now)
        found = [one for one in memory.spans if one.end_ns >= since_ns - 4 * QUARTER_NS]
        return memory.cut([*found, *spans_until(memory.track, now_ns, town.rules, memory.beat)], now_ns)

    def _stays(self, town: Town, now: datetime) -> list[Stay]:
        """Those that ended more than an hour ago and are not booked; those of a bay of which something came late again, in the
        place of what was booked."""
        earliest, booked = to_ns(now) - KEEP_NS, town.kept.stayed_ns
        until = max(_floor(to_ns(now) - STAYS_AFTER_NS), booked)
        key, found = self._keys(town), list[Stay]()
        for zone, bays in town.zones().items():
            for bay in bays:
                since = max(min(booked, town.changed.get(bay.id, booked)), earliest)
                if since < until:
                    mine = stays(zone, bay.restriction.value, bay.id, self._spans(town, bay, now, since), town.rules, key)
                    found += [one for one in mine if since <= to_ns(one.ended) < until]
        town.kept.stayed_ns = until
        return found

    def _keys(self, town: Town) -> Callable[[date], bytes]:
        """The secret of a day, which is forgotten after two more."""
        def key(day: date) -> bytes:
            name, keys = day.isoformat(), town.kept.keys
            if name not in keys:
                keys[name] = secrets.token_bytes(16)
                for old in sorted(keys)[:-KEYS]:
                    del keys[old]
            return keys.get(name) or secrets.token_bytes(16)

        return key

    # -- forecasts

    def _came_true(self, made: Sequence[Quarter]) -> list[Forecast]:
        """Forecasts whose quarter is over now, with what then was."""
        if not made:
            return []
        start, end = min(one.at for one in made), max(one.at for one in made) + timedelta(minutes=15)
        told: dict[ZoneId, list[Forecast]] = {}
        for each in self._store.made_forecasts(self._tenant.id, start, end):
            told.setdefault(each.zone, []).append(each)
        by_zone: dict[ZoneId, list[Quarter]] = {}
        for one in made:
            by_zone.setdefault(one.zone, []).append(one)
        return [one for zone, mine in told.items() for one in came_true(mine, by_zone.get(zone, ()), self._study.rules)]

    def _forecast(self, town: Town, zone: ZoneId, now: datetime) -> list[Forecast]:
        """None of few bays: what became of forecasts is kept for longer than single stays are."""
        usual, fact = self._study.usual(zone), town.fact(zone)
        counted = None if fact is None else fact.counts.get("")
        if usual is None or counted is None or counted.total < FEW_BAYS:
            return []
        return forecast(zone, usual, counted, now, self._study.rules)


def _floor(at_ns: int) -> int:
    return at_ns // QUARTER_NS * QUARTER_NS
