"""How often something usually happens, learnt by the hour of workdays, Saturdays and Sundays, and what may have happened unseen.
Pure."""

from functools import lru_cache
from math import ceil, exp

import msgspec

from city.readings import NS

HOUR_NS, QUARTER_NS = 3600 * NS, 900 * NS
KINDS, HOURS = 3, 72  # of days; hours of one of each
LEARNS = 8  # a new hour counts for one eighth of what is usual at that hour
UNSEEN = 0.5  # of what is usual at that hour of other days, where this kind of day was never seen
LOOK_BACK_H = 48
MOST_UNSEEN = 40.0  # changes: more make no difference


class Rates(msgspec.Struct, array_like=True):
    """How often something happens, by hour (UTC) of workdays, Saturdays and Sundays: learnt of the hours that are over. `hour`
    is the running one, counted from 1970, `count` what has happened in it; `learnt`: how many hours of each kind were seen."""

    usual: list[float] = msgspec.field(default_factory=lambda: [0.0] * HOURS)
    learnt: list[int] = msgspec.field(default_factory=lambda: [0] * HOURS)
    hour: int = 0
    count: int = 0

    def add(self, at_ns: int, number: int = 1) -> None:
        """So many at that time. What is late counts as if it were of the running hour."""
        if at_ns // HOUR_NS != self.hour:
            self.turn(at_ns)
        if at_ns // HOUR_NS >= self.hour:  # the first hour has begun before we looked
            self.count += number

    def turn(self, at_ns: int) -> None:
        """Learn of the hours that are over."""
        hour = at_ns // HOUR_NS
        if not self.hour:
            self.hour = hour + 1
        for past in range(self.hour, min(hour, self.hour + LOOK_BACK_H)):
            self._learn(_kind(past), self.count if past == self.hour else 0)
        if hour > self.hour:
            self.hour, self.count = hour, 0

    def forget(self) -> None:
        """What has been counted in the running hour says nothing of what is usual: it was cut short."""
        self.hour, self.count = 0, 0

    @property
    def known(self) -> bool:
        """Whether anything is learnt."""
        return any(self.learnt)

    def expected(self, begin_ns: int, end_ns: int) -> float:
        """How many would usually have happened between the two; 0 where nothing is learnt. Between two hours' middles the rate
        is a straight line. At most two days are looked at."""
        total, at = 0.0, max(begin_ns, end_ns - LOOK_BACK_H * HOUR_NS)
        while at < end_ns:
            until = min((at // QUARTER_NS + 1) * QUARTER_NS, end_ns)
            total += self._at(at) * (until - at) / HOUR_NS
            at = until
        return total

    def _at(self, at_ns: int) -> float:
        """An hour, in the middle of a quarter."""
        hour, off = at_ns // HOUR_NS, (at_ns // QUARTER_NS % 4 - 1.5) / 4
        own, other = _kind(hour), _kind(hour + (1 if off > 0 else -1))
        here = self._rate(own)
        if not self.learnt[own] or not self.learnt[other]:
            return here
        return here + abs(off) * (self.usual[other] - here)

    def _rate(self, kind: int) -> float:
        if self.learnt[kind]:
            return self.usual[kind]
        alike = [self.usual[one] for one in range(kind % 24, HOURS, 24) if self.learnt[one]]
        if alike:
            return UNSEEN * min(alike)
        known = [rate for rate, seen in zip(self.usual, self.learnt, strict=True) if seen]
        return min(known) if known else 0.0  # an hour that was never seen may be the quietest

    def _learn(self, kind: int, count: int) -> None:
        self.learnt[kind] += 1
        self.usual[kind] += (count - self.usual[kind]) / min(self.learnt[kind], LEARNS)


class Changes(msgspec.Struct, array_like=True):
    """How often bays of a zone usually become occupied, and free."""

    came: Rates = msgspec.field(default_factory=Rates)
    left: Rates = msgspec.field(default_factory=Rates)

    def add(self, at_ns: int, *, occupied: bool) -> None:
        """One change; the other kind has gone on not happening."""
        (self.came if occupied else self.left).add(at_ns)
        (self.left if occupied else self.came).add(at_ns, 0)

    @property
    def known(self) -> bool:
        return self.came.known

    def expected(self, begin_ns: int, end_ns: int) -> tuple[float, float]:
        """How many would usually have come between the two, and how many left."""
        return self.came.expected(begin_ns, end_ns), self.left.expected(begin_ns, end_ns)


def chance(expected: float) -> float:
    """The chance that something happened at all that was to be expected so often."""
    return 1.0 - exp(-expected)


def off_by(more: float, fewer: float, share: float) -> int:
    """The least number of bays by which a count is not further off than with this chance, where so many bays are expected to
    be free unseen, and so many to be taken, each of them by itself (the difference of two Poisson numbers)."""
    if share >= 1 or chance(more + fewer) <= share:
        return 0
    return _off_by(_stepped(more), _stepped(fewer), max(share, 1e-06))


def _stepped(expected: float) -> float:
    """Rounded up a little, so that what was found need not be found again."""
    if expected >= 1:
        return min(ceil(expected * 8) / 8, MOST_UNSEEN)
    return ceil(expected * 40) / 40


@lru_cache(maxsize=8192)
def _tails(more: float, fewer: float) -> tuple[float, ...]:
    """The chance to be off by more than 0, 1, 2, … bays."""
    up, down = _poisson(more), _poisson(fewer)
    by = [0.0] * max(len(up), len(down))
    for one, first in enumerate(up):
        for other, second in enumerate(down):
            by[abs(one - other)] += first * second
    left, tails = 1.0, []
    for part in by:
        left -= part
        tails.append(left)
    return tuple(tails)


def _off_by(more: float, fewer: float, share: float) -> int:
    tails = _tails(more, fewer)
    return next((off for off, tail in enumerate(tails) if tail <= share), len(tails))


def _poisson(expected: float) -> list[float]:
    """The chances of 0, 1, 2, … as far as they matter."""
    part, found, left = exp(-expected), list[float](), 1.0
    while left > 1e-9 and len(found) < 120:
        found.append(part)
        left -= part
        part *= expected / len(found)
    return found


def _kind(hour: int) -> int:
    """Of an hour since 1970, which began on a Thursday."""
    day = (hour // 24 + 3) % 7
    return max(day - 4, 0) * 24 + hour % 24
