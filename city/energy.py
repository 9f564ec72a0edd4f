"""What a lamp used in one night, noon to noon, from what it said: metered where its counter counts, estimated where it does
not, missing where nobody knows. And for how long it burnt, and what that would have taken without dimming.

    metered     the increase of the counter, however often it was reset, wrapped, doubled or late; at most 1.5 · P_max · Δt
    estimated   measured power, or what the reported level should draw, for as long as that holds; as programmed where a lamp
                has no controller at all
    missing     seconds in which it should have burnt, has a controller, and neither meter nor word tells

Times are seconds since 1970, energies Wh, powers W. These are operating values: no meter of this kind may be billed by.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise, zip_longest

from city.counting import Count, Piece, increases
from city.ids import AssetId, CircuitId, ZoneId

LIMIT = 1.5  # of the largest power: what is more was never drawn
LARGEST_W = 1000.0  # of a lamp whose power nobody has written down
LIT_W = 2.0  # a lamp that draws more burns, where it does not say at which level
HOUR = 3600.0
HOLD_BETWEEN_S, HOLD_S = 14 * HOUR, 4 * HOUR  # a word holds until the next one, and so long after the last one
BURN_SLACK_S = HOUR  # some controllers count whole hours
ENERGY_SLACK_WH = 1.0  # most count whole watt-hours
APART = 1.5  # times the usual gap between two reports: one is missing


@dataclass(slots=True)
class Heard:
    """What one lamp said in a night and a little around it, in any order. `energy` and `burn` are counters (Wh, s), `used` is
    the energy since the report before; `levels` (per cent) and `powers` (W) are pairs of time and value."""

    energy: list[Count] = field(default_factory=list)
    used: list[Count] = field(default_factory=list)
    burn: list[Count] = field(default_factory=list)
    levels: list[tuple[float, float]] = field(default_factory=list)
    powers: list[tuple[float, float]] = field(default_factory=list)

    def words(self, start: float, end: float) -> int:
        """How many values of the night there are."""
        counted = sum(start <= one.at < end for many in (self.energy, self.used, self.burn) for one in many)
        return counted + sum(start <= at < end for many in (self.levels, self.powers) for at, _ in many)


@dataclass(frozen=True, slots=True)
class Ends:
    """The first and the last reading of a night's counters, from which its neighbours go on."""

    energy: tuple[Count, Count] | None = None
    burn: tuple[Count, Count] | None = None


NO_ENDS = Ends()


@dataclass(frozen=True, slots=True)
class Course:
    """What was programmed: from each time on so many per cent, in order of time; the first is the night's beginning."""

    steps: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Draws:
    """What a lamp should draw at a level; `watts` None where nobody has written its power down. `full`: at 100 %."""

    watts: tuple[float, ...] | None  # at 0, 1, … 100 per cent

    @property
    def full(self) -> float | None:
        return self.watts[100] if self.watts else None

    def at(self, level: float) -> float | None:
        return self.watts[min(max(round(level), 0), 100)] if self.watts else None


@dataclass(frozen=True, slots=True)
class Case:
    """One lamp's night: `start` to `end` (noon to noon, or to now), what it draws, what was programmed. `has_controller`:
    whether it could have said anything; `dark_standby`: whether it has power while it does not burn."""

    start: float
    end: float
    draws: Draws
    course: Course
    has_controller: bool = True
    dark_standby: bool = True


@dataclass(frozen=True, slots=True)
class Used:
    """Wh and seconds of one lamp's night."""

    metered_wh: int = 0
    estimated_wh: int = 0
    undimmed_wh: int = 0
    burn_s: int = 0
    missing_s: int = 0

    @property
    def wh(self) -> int:
        return self.metered_wh + self.estimated_wh


@dataclass(frozen=True, slots=True)
class LampNight:
    """A line of the book: a lamp's night, where the lamp stood then, how much it said, and its counters' ends."""

    asset: AssetId
    night: date
    zone: ZoneId
    circuit: CircuitId | None
    used: Used
    words: int = 0
    ends: Ends = NO_ENDS


def reckon(case: Case, heard: Heard, before: Ends = NO_ENDS, after: Ends = NO_ENDS) -> Used:
    """What the lamp used. `before` and `after`: its counters' ends in the nights around, where it was heard then; what was
    counted over a silence of days is shared among them as it is programmed for this one."""
    most_w = LIMIT * max([case.draws.full or LARGEST_W, *(watts for _, watts in heard.powers)])
    plan = _Plan(case)
    counted = increases(_with(heard.energy, before.energy, after.energy), most_w / HOUR, ENERGY_SLACK_WH)
    pieces = counted or _since(heard.used, most_w / HOUR)
    metered = min(sum(plan.share(piece) for piece in pieces), most_w * (case.end - case.start) / HOUR)
    spans = _union((piece.first, piece.last) for piece in pieces)
    believed = _believed(heard, case.draws)
    open_spans = _without([(case.start, case.end)], spans)
    estimated, rest = _estimate(open_spans, believed)
    missing = 0.0
    if case.has_controller:
        missing = sum(plan.lit(*span) for span in rest)
    elif case.draws.watts:
        estimated += sum(plan.wh(*span) for span in rest)
    else:
        missing = sum(plan.lit(*span) for span in rest)
    burnt = _burnt(case, plan, believed, spans, increases(_with(heard.burn, before.burn, after.burn), 1.0, BURN_SLACK_S))
    full = case.draws.full
    undimmed = burnt * full / HOUR if full else metered + estimated
    return Used(round(metered), round(estimated), round(undimmed), round(burnt), round(missing))


def ends_of(heard: Heard, start: float, end: float) -> Ends:
    """The ends of the counters within a night."""
    return Ends(_ends(heard.energy, start, end), _ends(heard.burn, start, end))


@dataclass(frozen=True, slots=True)
class _Known:
    """So many watts (None: unknown) from `first` to `last`, burning or not."""

    first: float
    last: float
    watts: float | None
    lit: bool


class _Plan:
    """What is programmed in a night as a function of time; beyond its ends it is taken to be alike."""

    def __init__(self, case: Case) -> None:
        self._case = case
        steps = [(max(at, case.start), level) for at, level in case.course.steps] or [(case.start, 0)]
        ends = [*(at for at, _ in steps[1:]), max(case.end, steps[-1][0])]
        self._spans = [(at, max(at, end), level) for (at, level), end in zip(steps, ends, strict=True)]
        self._start, self._length = steps[0][0], max(ends[-1] - steps[0][0], 1.0)
        self._whole = self._weight_within(self._start, self._start + self._length)

    def share(self, piece: Piece) -> float:
        """The part of an amount that falls into the night: as is programmed, else evenly."""
        first, last = max(piece.first, self._case.start), min(piece.last, self._case.end)
        if last <= first:
            return piece.amount if self._case.start <= piece.first == piece.last < self._case.end else 0.0
        if (first, last) == (piece.first, piece.last):
            return piece.amount
        whole = self._until(piece.last) - self._until(piece.first)
        part = (self._until(last) - self._until(first)) / whole if whole > 0 else (last - first) / (piece.last - piece.first)
        return piece.amount * min(max(part, 0.0), 1.0)

    def wh(self, first: float, last: float) -> float:
        """What it should use."""
        return sum(self._watts(level) * _overlap(first, last, at, end) / HOUR for at, end, level in self._spans)

    def lit(self, first: float, last: float) -> float:
        """Seconds in which it should burn."""
        return sum(_overlap(first, last, at, end) for at, end, level in self._spans if level)

    def _watts(self, level: int) -> float:
        if not level and not self._case.dark_standby:
            return 0.0
        watts = self._case.draws.at(level)
        return (0.5 + level * 0.4) if watts is None else watts  # a weight, where nothing is known

    def _weight_within(self, first: float, last: float) -> float:
        return self.wh(first, last)

    def _until(self, at: float) -> float:
        """What is programmed from the night's beginning until then; before it, less than nothing."""
        nights, rest = divmod(at - self._start, self._length)
        return nights * self._whole + self._weight_within(self._start, self._start + rest)


def _with(counts: Sequence[Count], before: tuple[Count, Count] | None, after: tuple[Count, Count] | None) -> list[Count]:
    return [*([before[1]] if before else []), *counts, *([after[0]] if after else [])]


def _since(used: Iterable[Count], most_per_s: float) -> list[Piece]:
    """Energy since the last report: each report's own, where one before it is known. Between two that are farther apart than
    usual others are missing, lost or heard by another bridge, and with them what they told: such a report tells of the usual
    time before it alone, unless it tells of more than can have been used in that."""
    ordered = sorted({(one.by, one.at): one for one in used}.values(), key=lambda one: (one.by, one.at))
    pairs = [(before, one) for before, one in pairwise(ordered) if before.by == one.by]
    gaps = sorted(one.at - before.at for before, one in pairs)
    usual = gaps[len(gaps) // 4] if gaps else 0.0
    found = []
    for before, one in pairs:
        gap = one.at - before.at
        if 0 <= one.value <= most_per_s * gap + ENERGY_SLACK_WH:
            whole = gap <= APART * usual or one.value > most_per_s * usual + ENERGY_SLACK_WH
            found.append(Piece(before.at if whole else one.at - usual, one.at, one.value))
    return found


def _believed(heard: Heard, draws: Draws) -> list[_Known]:
    """What its words say, each for as long as it holds. Measured power goes before what a level should draw, and holds on
    while the level is said to be the same."""
    levels, powers = dict(heard.levels), dict(heard.powers)
    times = sorted(levels.keys() | powers.keys())
    known: list[_Known] = []
    level: float | None = None
    watts: float | None = None
    for at, after in zip_longest(times, times[1:]):
        if at in powers:
            level, watts = levels.get(at, level), powers[at]
        elif levels[at] != level:
            level, watts = levels[at], draws.at(levels[at])
        lit = level > 0 if level is not None else watts is not None and watts > LIT_W
        until = at + HOLD_S if after is None else min(after, at + HOLD_BETWEEN_S)
        known.append(_Known(at, until, watts, lit))
    return known


def _estimate(spans: Iterable[tuple[float, float]], believed: Sequence[_Known]) -> tuple[float, list[tuple[float, float]]]:
    """Wh in these spans by what is believed, and what is left of them."""
    total, rest = 0.0, list(spans)
    told = [one for one in believed if one.watts is not None]
    for first, last in rest:
        total += sum((one.watts or 0.0) * _overlap(first, last, one.first, one.last) for one in told) / HOUR
    return total, _without(rest, [(one.first, one.last) for one in told])


def _burnt(case: Case, plan: _Plan, believed: Sequence[_Known], metered: Sequence[tuple[float, float]],
           counted: Sequence[Piece]) -> float:
    """Seconds of burning: as counted; else as its words say; else, where its meter counted or nobody could say, as
    programmed."""
    total = sum(plan.share(piece) for piece in counted)
    rest = _without([(case.start, case.end)], _union((piece.first, piece.last) for piece in counted))
    for first, last in rest:
        total += sum(_overlap(first, last, one.first, one.last) for one in believed if one.lit)
    rest = _without(rest, [(one.first, one.last) for one in believed])
    if case.has_controller:
        rest = _within(rest, metered)
    total += sum(plan.lit(*span) for span in rest)
    return min(total, case.end - case.start)


def _ends(counts: Iterable[Count], start: float, end: float) -> tuple[Count, Count] | None:
    inside = sorted((one for one in counts if start <= one.at < end), key=lambda one: one.at)
    return (inside[0], inside[-1]) if inside else None


def _overlap(first: float, last: float, start: float, end: float) -> float:
    return max(min(last, end) - max(first, start), 0.0)


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sorted, and no two of them touch."""
    found: list[tuple[float, float]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _without(spans: Iterable[tuple[float, float]], taken: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """What is left of the spans, which are in order."""
    left: list[tuple[float, float]] = []
    gone = _union(taken)
    for first, last in spans:
        at = first
        for start, end in gone:
            if end > at and start < last:
                if start > at:
                    left.append((at, start))
                at = max(at, end)
        if at < last:
            left.append((at, last))
    return left


def _within(spans: Iterable[tuple[float, float]], kept: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(max(first, start), min(last, end)) for first, last in spans for start, end in kept
            if min(last, end) > max(first, start)]
