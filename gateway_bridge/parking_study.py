"""What is learnt of a zone from weeks of its history, and of its sensors by comparing them: a few zones at a time.

All zones have had their turn after ROUND looks, about two hours; what usually is, is learnt anew once a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from city.bay_suspects import Features, StuckRules, features, suspects
from city.bay_tracks import follow, ordered, spans_until
from city.bays import BayEvent, Span, Track
from city.ids import AssetId, ZoneId
from city.nights import BERLIN
from city.parking_counting import Town
from city.parking_facts import BayDay, Forecast, ForecastError, Quarter
from city.parking_forecast import LEADS, ForecastRules, Profile, errors, looked_back, profile
from city.parking_stats import bay_day
from city.places import ParkingBay, Tenant
from city.programs import holidays_of
from city.readings import to_ns
from city.settings import Parking
from city.store.ports import Store, TenantStore

ROUND = 120  # full looks in which every zone has been studied once
AT_FIRST = 5  # zones in one look that nothing is known of yet
AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Week:
    """What a bay's sensor has said in the last days: its events before yesterday, of yesterday and of today."""

    parts: tuple[list[BayEvent], list[BayEvent], list[BayEvent]]
    tracks: tuple[Track, Track, Track]
    spans: Sequence[Span]


class Study:
    """Of one town. Belongs to one loop; `some` blocks."""

    def __init__(self, store: Store, tenant: Tenant, settings: Parking) -> None:
        self.rules = ForecastRules.of(settings)
        self._store, self._tenant = store, tenant
        self._stuck = StuckRules.of(settings)
        self._usual: dict[ZoneId, tuple[date, Profile]] = {}
        self._suspects: dict[ZoneId, frozenset[AssetId]] = {}
        self._next = 0

    @property
    def suspects(self) -> frozenset[AssetId]:
        """The bays whose sensors are stuck or restless, compared with their zones."""
        return frozenset(bay for found in self._suspects.values() for bay in found)

    def usual(self, zone: ZoneId) -> Profile | None:
        """What usually is in a zone; None where it has not had its turn yet."""
        return self._usual[zone][1] if zone in self._usual else None

    def some(self, town: Town, now: datetime) -> tuple[list[BayDay], list[ForecastError]]:
        """The next zones: the days of their sensors, and how good forecasts are where that was found anew."""
        zones, days, judged = self._turn(town), list[BayDay](), list[ForecastError]()
        store, today = self._store.tenant(self._tenant.id), now.astimezone(BERLIN).date()
        for zone in zones:
            if zone not in self._usual or self._usual[zone][0] != today:
                judged.append(self._learn(store, town, zone, now))
            days += self._compare(store, town, zone, now)
        return days, judged

    def _turn(self, town: Town) -> list[ZoneId]:
        zones = sorted(town.zones())
        new = [zone for zone in zones if zone not in self._usual][:AT_FIRST]
        if new or not zones:
            return new
        number = -(-len(zones) // ROUND)
        self._next += number
        return [zones[(self._next + place) % len(zones)] for place in range(number)]

    # -- what usually is

    def _learn(self, store: TenantStore, town: Town, zone: ZoneId, now: datetime) -> ForecastError:
        history = store.quarters(now - timedelta(weeks=self.rules.weeks), now, zone)
        usual = profile(history, now, self.rules, self._holiday)
        self._usual[zone] = (now.astimezone(BERLIN).date(), usual)
        fact = town.fact(zone)
        total = fact.counts[""].total if fact is not None and "" in fact.counts else 0
        return errors(zone, self._true(zone, history, now), total, usual.weeks, now, self.rules)

    def _true(self, zone: ZoneId, history: Sequence[Quarter], now: datetime) -> Sequence[Forecast]:
        """Forecasts and what came true: our own, or what they would have been where there are too few yet."""
        made = self._store.made_forecasts(self._tenant.id, now - self.rules.most_kept, now, zone=zone, leads=LEADS)
        made = [one for one in made if one.actual is not None]
        return made if len(made) >= self.rules.least_true else looked_back(zone, history, now, self.rules, self._holiday)

    def _holiday(self, day: date) -> bool:
        return day in holidays_of(self._tenant.land, day.year)

    # -- sensors

    def _compare(self, store: TenantStore, town: Town, zone: ZoneId, now: datetime) -> list[BayDay]:
        today = now.astimezone(BERLIN).date()
        kinds: dict[str, dict[AssetId, Features]] = {}
        days = []
        for bay in town.zones()[zone]:
            week = _week(store, town, bay, now, today, self._stuck.window)
            kinds.setdefault(bay.restriction.value, {})[bay.id] = features(week.spans, to_ns(now), self._stuck)
            days += _days(town, bay, week, now, today)
        self._suspects[zone] = frozenset(bay for of in kinds.values() for bay in self._found(of))
        return days

    def _found(self, of: Mapping[AssetId, Features]) -> Mapping[AssetId, object]:
        return suspects(of, self._stuck)


def _week(store: TenantStore, town: Town, bay: ParkingBay, now: datetime, today: date, window: timedelta) -> _Week:
    """Of the window, and of yesterday and today in any case."""
    since = min(now - window, _midnight(today - timedelta(days=1)))
    events = ordered(store.bay_events(bay.id, since, now + AHEAD))
    first, second = to_ns(_midnight(today - timedelta(days=1))), to_ns(_midnight(today))
    parts = ([one for one in events if one.at_ns < first], [one for one in events if first <= one.at_ns < second],
             [one for one in events if one.at_ns >= second])
    tracks, spans, track, beat = [], list[Span](), Track(), town.memory(bay.id).beat
    for part in parts:
        track, ended = follow(track, part, town.rules, beat)
        tracks.append(track)
        spans += ended
    return _Week(parts, (tracks[0], tracks[1], tracks[2]), [*spans, *spans_until(track, to_ns(now), town.rules, beat)])


def _days(town: Town, bay: ParkingBay, week: _Week, now: datetime, today: date) -> list[BayDay]:
    """Yesterday and today, as far as anything was said."""
    beat, found = town.memory(bay.id).beat, []
    for place, day in ((1, today - timedelta(days=1)), (2, today)):
        if week.parts[place] or week.tracks[place - 1].heard_ns:
            found.append(bay_day(bay.id, bay.zone, day, week.tracks[place - 1], week.parts[place], now, town.rules, beat,
                                 later=week.spans))
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
