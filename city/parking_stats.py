"""What a zone's bays did, in sums: quarter hours, stays, days of sensors; and what towns ask of them. Pure.

Spans of a bay are those of city.bay_tracks, in order of time: ended ones (`follow`) and then those until now (`spans_until`).
Who parks for less than `shortest_stay` has not parked, and who leaves for less than the debouncing time has not left.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import fmean, median

from city.bay_tracks import follow
from city.bays import BayEvent, Rules, Sign, Span, Track
from city.ids import AssetId, ZoneId
from city.nights import BERLIN
from city.parking_facts import BayDay, Quarter, Stay
from city.readings import NS, from_ns, to_ns

QUARTER = timedelta(minutes=15)
DWELL_BINS = (15, 30, 60, 120, 180, 240, 480, 720, 1440)  # upper ends, minutes; longer stays come after the last


def quarters(zone: ZoneId, restriction: str, bays: Iterable[Sequence[Span]], start: datetime, end: datetime,
             rules: Rules) -> list[Quarter]:
    """The quarters of an hour with start ≤ at < end, both full ones, of comparable bays whose spans reach over all of that
    time; what no span reaches is not known. A stay that goes on at the end of the spans has not ended."""
    first, width = to_ns(start), round(QUARTER.total_seconds()) * NS
    sums = [_Sum() for _ in range((to_ns(end) - first) // width)]
    number = 0
    for spans in bays:
        number += 1
        for begin_ns, end_ns, occupied in ((one.begin_ns, one.end_ns, one.occupied) for one in spans):
            if occupied is not None:
                _spread(sums, begin_ns - first, end_ns - first, width, occupied=occupied)
        for one in _visits(spans, rules):
            _visit(sums, one, first, width)
    return [one.quarter(zone, restriction, start + place * QUARTER, number) for place, one in enumerate(sums)]


def stays(zone: ZoneId, restriction: str, bay: AssetId, spans: Sequence[Span], rules: Rules,
          key: Callable[[date], bytes]) -> list[Stay]:
    """The stays in the spans that are over, to the minute. `key` is the secret of a day (Europe/Berlin): with it the bay's
    name becomes one that only holds for stays that ended on that day."""
    return [Stay(zone, restriction, _alias(bay, key(_day(one.end_ns))), _minute(one.begin_ns), _minute(one.end_ns), one.certain)
            for one in _visits(spans, rules) if one.left]


def bay_day(bay: AssetId, zone: ZoneId, day: date, before: Track, events: Sequence[BayEvent], until: datetime, rules: Rules,
            beat: timedelta, *, later: Sequence[Span]) -> BayDay:
    """A sensor's day: its `events` of it, in order, after the track `before`; `later`: its bay's spans of the day, and the day
    ends at `until` at the latest."""
    after, _ = follow(before, events, rules, beat)
    begin, end = _bounds(day)
    end = min(end, to_ns(until))
    known = {state: sum(_within(one, begin, end) for one in later if one.occupied is state) for state in (False, True)}
    return BayDay(bay, day, zone, after.beats - before.beats, sum(one.sign == Sign.EDGE.value for one in events),
                  after.missed - before.missed, after.lost - before.lost, sum(one.sign == Sign.START.value for one in events),
                  known[True] // NS, max(end - begin - known[True] - known[False], 0) // NS,
                  sum(one.left and begin <= one.end_ns < end for one in _visits(later, rules)))


# -- what towns ask

def heat(of: Iterable[Quarter]) -> Mapping[tuple[int, int], float]:
    """The share of known bays that were occupied, by weekday (1 = Monday) and hour (Europe/Berlin)."""
    sums: dict[tuple[int, int], list[int]] = {}
    for one in of:
        local = one.at.astimezone(BERLIN)
        total = sums.setdefault((local.isoweekday(), local.hour), [0, 0])
        total[0] += one.occupied_s
        total[1] += one.occupied_s + one.free_s
    return {key: occupied / known for key, (occupied, known) in sorted(sums.items()) if known}


def occupancy(of: Iterable[Quarter]) -> float | None:
    """The share of known bay-time that was occupied (rule 12); None where nothing was known."""
    occupied = known = 0
    for one in of:
        occupied, known = occupied + one.occupied_s, known + one.occupied_s + one.free_s
    return occupied / known if known else None


def turnover(of: Iterable[Quarter]) -> float | None:
    """Completed stays per bay and day, counted over the time in which bays were known (rule 12); None: nothing was."""
    ended = known = 0
    for one in of:
        ended, known = ended + one.departures, known + one.occupied_s + one.free_s
    return ended * 86_400 / known if known else None


@dataclass(frozen=True, slots=True)
class Dwell:
    """How long people stay: how many stays in each of DWELL_BINS and after the last, and their mean and median, minutes."""

    counts: tuple[int, ...]
    mean_min: float | None
    median_min: float | None

    @property
    def stays(self) -> int:
        return sum(self.counts)


def dwell(of: Iterable[Stay]) -> Dwell:
    """The distribution of the stays that were seen whole (rule 2)."""
    lasted = [(one.ended - one.began).total_seconds() / 60 for one in of if one.certain]
    counts = [0] * (len(DWELL_BINS) + 1)
    for minutes in lasted:
        counts[sum(minutes > end for end in DWELL_BINS)] += 1
    return Dwell(tuple(counts), fmean(lasted) if lasted else None, median(lasted) if lasted else None)


# -- how

@dataclass(frozen=True, slots=True)
class _Visit:
    """A stay: when, whether it was seen to begin and to end, and whether nothing is missing of it."""

    begin_ns: int
    end_ns: int
    came: bool
    left: bool
    certain: bool


def _visits(spans: Sequence[Span], rules: Rules) -> list[_Visit]:
    whole, found = _smooth(spans, rules), []
    for place, one in enumerate(whole):
        if one.occupied and one.end_ns - one.begin_ns >= rules.shortest_stay // timedelta(microseconds=1) * 1000:
            before = whole[place - 1] if place else None
            after = whole[place + 1] if place + 1 < len(whole) else None
            came = before is not None and before.occupied is not None and before.end_ns == one.begin_ns
            left = after is not None and after.occupied is not None and after.begin_ns == one.end_ns
            found.append(_Visit(one.begin_ns, one.end_ns, came, left, one.certain and left))
    return found


def _smooth(spans: Sequence[Span], rules: Rules) -> list[Span]:
    """Without the moments in which an occupied bay was free, because somebody was only manoeuvring."""
    whole: list[Span] = []
    moment = rules.debounce // timedelta(microseconds=1) * 1000
    for one in spans:
        if (len(whole) > 1 and one.occupied and whole[-2].occupied and whole[-1].occupied is False
                and whole[-1].end_ns - whole[-1].begin_ns < moment and one.begin_ns == whole[-1].end_ns
                and whole[-2].end_ns == whole[-1].begin_ns):
            del whole[-1]
            before = whole.pop()
            one = Span(before.begin_ns, one.end_ns, True, before.certain and one.certain)
        whole.append(one)
    return whole


@dataclass(slots=True)
class _Sum:
    """A quarter of an hour on its way."""

    free_ns: int = 0
    occupied_ns: int = 0
    arrivals: int = 0
    departures: int = 0
    stays: int = 0
    stays_ns: int = 0

    def quarter(self, zone: ZoneId, restriction: str, at: datetime, bays: int) -> Quarter:
        whole = bays * round(QUARTER.total_seconds())
        free = min(round(self.free_ns / NS), whole)
        occupied = min(round(self.occupied_ns / NS), whole - free)
        return Quarter(zone, restriction, at, bays, free, occupied, whole - free - occupied, self.arrivals, self.departures,
                       self.stays, round(self.stays_ns / NS))


def _spread(sums: list[_Sum], begin: int, end: int, width: int, *, occupied: bool) -> None:
    begin, end = max(begin, 0), min(end, len(sums) * width)
    while begin < end:
        place = begin // width
        until = min(end, (place + 1) * width)
        if occupied:
            sums[place].occupied_ns += until - begin
        else:
            sums[place].free_ns += until - begin
        begin = until


def _visit(sums: list[_Sum], one: _Visit, first: int, width: int) -> None:
    came, left = (one.begin_ns - first) // width, (one.end_ns - first) // width
    if one.came and 0 <= came < len(sums):
        sums[came].arrivals += 1
    if one.left and 0 <= left < len(sums):
        sums[left].departures += 1
        if one.certain:
            sums[left].stays += 1
            sums[left].stays_ns += one.end_ns - one.begin_ns


def _alias(bay: AssetId, key: bytes) -> str:
    return hmac.new(key, bay.encode(), "sha256").hexdigest()[:16]


def _day(at_ns: int) -> date:
    return from_ns(at_ns).astimezone(BERLIN).date()


def _bounds(day: date) -> tuple[int, int]:
    """A local day, ns."""
    first, last = (datetime.combine(one, time(), BERLIN).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return to_ns(first), to_ns(last)


def _minute(at_ns: int) -> datetime:
    return from_ns(at_ns // (60 * NS) * 60 * NS)


def _within(span: Span, begin: int, end: int) -> int:
    return max(min(span.end_ns, end) - max(span.begin_ns, begin), 0)
