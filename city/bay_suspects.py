"""Sensors that are stuck or restless, found by comparing each with its zone (rule 7 in docs/parking.md). Pure.

Features and the idea: Piovesan et al., Sensors 2016, 16, 1575: occupation, frequency of events, duration of stays and of
vacancies. A bay that has not changed for long is only suspect where the bays around it do change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from statistics import median

from city.bays import Span
from city.ids import AssetId
from city.readings import NS
from city.settings import Parking


class Suspicion(Enum):
    """What is wrong with a sensor, probably."""

    STUCK_OCCUPIED = "stuck_occupied"
    STUCK_FREE = "stuck_free"
    RESTLESS = "restless"


@dataclass(frozen=True, slots=True)
class StuckRules:
    """The numbers; see city.settings.Parking. `states`: so many that ended say how long one lasts at most; a bay that is left
    or taken `beyond` times longer than the longest of them is stuck, but not before `shortest`."""

    stuck: timedelta = timedelta(hours=72)
    turnover: float = 1.0  # stays a bay and day
    shortest: timedelta = timedelta(hours=12)
    beyond: float = 1.5
    states: int = 150
    restless_a_day: float = 24.0
    restless: float = 4.0  # times the zone's changes a day
    window: timedelta = timedelta(days=7)
    least_bays: int = 4
    least_known: timedelta = timedelta(days=2)

    @classmethod
    def of(cls, said: Parking) -> "StuckRules":
        """As somebody has set them."""
        return cls(timedelta(hours=said.stuck_hours), said.stuck_turnover, timedelta(hours=said.stuck_least_hours),
                   said.stuck_times, said.stuck_states, said.restless_changes, said.restless_times,
                   timedelta(days=said.suspect_days), said.suspect_bays, timedelta(hours=said.suspect_known_hours))


@dataclass(frozen=True, slots=True)
class Features:
    """What one bay did in the last days. `stays` and `vacancies`: how long those were that ended, sorted; `state` is
    what it says now, for `lasting`."""

    known: timedelta
    share: float  # of the known time that it was occupied
    changes_a_day: float
    stays: tuple[timedelta, ...]
    vacancies: tuple[timedelta, ...]
    state: bool | None
    lasting: timedelta

    @property
    def median_stay(self) -> timedelta | None:
        return _median(self.stays)

    @property
    def median_vacancy(self) -> timedelta | None:
        return _median(self.vacancies)


def features(spans: Sequence[Span], now_ns: int, rules: StuckRules) -> Features:
    """Of one bay's spans, in order, the last of which reach until now (city.bay_tracks.spans_until)."""
    since_ns = now_ns - _ns(rules.window)
    recent = [one for one in spans if one.end_ns > since_ns]
    known = [one for one in recent if one.occupied is not None]
    known_ns = sum(one.end_ns - max(one.begin_ns, since_ns) for one in known)
    occupied_ns = sum(one.end_ns - max(one.begin_ns, since_ns) for one in known if one.occupied)
    ended = [one for one in known if one.end_ns < now_ns]
    last = recent[-1] if recent else None
    state = last.occupied if last is not None else None
    return Features(_span(known_ns), occupied_ns / known_ns if known_ns else 0.0,
                    len(ended) * _ns(timedelta(days=1)) / known_ns if known_ns else 0.0,
                    _lengths(one for one in ended if one.occupied), _lengths(one for one in ended if not one.occupied),
                    state, _span(now_ns - _since(recent, state)) if state is not None else timedelta(0))


def suspects(of: Mapping[AssetId, Features], rules: StuckRules) -> Mapping[AssetId, Suspicion]:
    """Who is suspect among comparable bays (one zone's, of one restriction); nobody where there are too few."""
    able = {bay: one for bay, one in of.items() if one.known >= rules.least_known}
    if len(able) < rules.least_bays:
        return {}
    limits = {state: _limits(able, rules, state=state) for state in (False, True)}
    found = ((bay, _suspicion(one, median(other.changes_a_day for name, other in able.items() if name != bay), rules,
                              limits[one.state].of(bay) if one.state is not None else rules.stuck))
             for bay, one in able.items())
    return {bay: what for bay, what in found if what is not None}


@dataclass(frozen=True, slots=True)
class _Limits:
    """How long a state may last: what the other bays teach, which is another thing for the bay that holds the record."""

    record: AssetId | None
    usual: timedelta
    for_record: timedelta

    def of(self, bay: AssetId) -> timedelta:
        return self.for_record if bay == self.record else self.usual


def _limits(of: Mapping[AssetId, Features], rules: StuckRules, *, state: bool) -> _Limits:
    lengths = {bay: one.stays if state else one.vacancies for bay, one in of.items()}
    if sum(map(len, lengths.values())) < rules.states:
        return _Limits(None, rules.stuck, rules.stuck)
    longest = sorted(((mine[-1], bay) for bay, mine in lengths.items() if mine), reverse=True)
    (most, record), second = longest[0], longest[min(1, len(longest) - 1)][0]
    return _Limits(record, _limit(most, rules), _limit(second, rules))


def _limit(longest: timedelta, rules: StuckRules) -> timedelta:
    return min(max(rules.beyond * longest, rules.shortest), rules.stuck)


def _suspicion(one: Features, usual_changes: float, rules: StuckRules, limit: timedelta) -> Suspicion | None:
    if one.changes_a_day > max(rules.restless * usual_changes, rules.restless_a_day):
        return Suspicion.RESTLESS
    if one.state is None or usual_changes / 2 <= rules.turnover or one.lasting <= limit:
        return None
    return Suspicion.STUCK_OCCUPIED if one.state else Suspicion.STUCK_FREE


def _since(recent: Sequence[Span], state: bool | None) -> int:
    """Since when the present state has lasted: signs of life and lost changes in between cut spans, not states."""
    begin = recent[-1].begin_ns
    for one in reversed(recent[:-1]):
        if one.occupied is not state or one.end_ns != begin:
            break
        begin = one.begin_ns
    return begin


def _lengths(spans: Iterable[Span]) -> tuple[timedelta, ...]:
    return tuple(sorted(_span(one.end_ns - one.begin_ns) for one in spans))


def _median(of: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(one.total_seconds() for one in of)) if of else None


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000


def _span(ns: int) -> timedelta:
    return timedelta(seconds=ns / NS)
