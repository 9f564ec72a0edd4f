"""Questions about history, whoever answers them: what may be asked, and what an answer is.

Values have start ≤ time < end. Steps are counted from `start`, and a row of a step bears the step's beginning; steps
without a value have no row. Late readings count; implausible ones, and numbers that are not finite, do not.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Literal, Protocol, Self

from msgspec import Struct

from city.errors import Invalid, TooLarge
from city.ids import AssetId, TenantId, ZoneId
from city.quantities import Kind, Quantity, Value
from city.readings import NS, to_ns

How = Literal["mean", "min", "max", "sum", "count", "last"]
By = Literal["", "asset", "zone"]
ADDING: frozenset[How] = frozenset({"mean", "sum"})
COMPARING: frozenset[How] = frozenset({"min", "max"})
MOST_ROWS = 100_000  # of one answer, unless the question says otherwise


class Row(Struct, frozen=True, gc=False):  # a struct: ten thousand are made for one look at a town
    """One value of an answer; `of` is the asset or the zone it belongs to, "" for all that were asked about."""

    at: datetime
    value: Value
    of: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One quantity, or one channel of it, of a town: of all of it, one zone or one asset.

    `every_s`: one row for each step of so many seconds (≥ 1 µs) that has a value, made by `how` (None: as is usual for
    the quantity); None: every value itself. `by`: one series for each asset or zone, instead of one for all.
    `most`: rows of the answer. Raises Invalid where it makes no sense.
    """

    tenant: TenantId
    quantity: Quantity
    start: datetime
    end: datetime
    every_s: float | None = None
    how: How | None = None
    by: By = ""
    channel: str = ""
    zone: ZoneId | None = None
    asset: AssetId | None = None
    most: int = MOST_ROWS

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None or self.end.utcoffset() is None:
            raise Invalid("A time needs its offset from UTC.", field="start", rule="aware")
        if self.every_s is None:
            _refuse_how_without_steps(self.how)
            return
        if self.step_ns < 1000:
            raise Invalid("A step must be longer than nothing.", field="every", rule="> 0")
        if (self.last_ns - self.first_ns) // self.step_ns > self.most:
            raise self.too_many()
        _refuse_senseless(self.quantity, self.how)

    @property
    def first_ns(self) -> int:
        return to_ns(self.start)

    @property
    def last_ns(self) -> int:
        """The first ns that is not asked about."""
        return to_ns(self.end)

    @property
    def step_ns(self) -> int:
        """A step in ns, whole microseconds; 0 without steps."""
        return 0 if self.every_s is None else round(self.every_s * NS / 1000) * 1000

    @property
    def manner(self) -> How:
        """How a step's values become one."""
        return self.how or usual(self.quantity)

    def too_many(self) -> TooLarge:
        """What is said where the answer has more rows than asked for."""
        return TooLarge("The answer has more than {most} rows: ask for a shorter time, for longer steps, or for fewer assets.",
                        field="every", rule=f"≤ {self.most} rows", most=self.most)


class Stopped(Exception):   # not an error: whoever asked wants no answer any more
    """Raised out of an answer whose `Stop` was set."""


class Stop:
    """A word across threads: nobody wants the answer any more. Whoever waits for others says how to end the wait."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._said = False
        self._ends: dict[int, Callable[[], None]] = {}

    def set(self) -> None:
        """End all waits, now and later. Any thread may say so, more than once."""
        with self._turn:
            self._said = True
            for end in self._ends.values():
                end()

    def check(self) -> None:
        """Raises Stopped if it has been said."""
        if self._said:
            raise Stopped

    def ending(self, end: Callable[[], None]) -> "_Ending":
        """A context in which `end` is called when it is said; `end` may come from another thread, and before."""
        return _Ending(self, end)

    def add(self, key: int, end: Callable[[], None]) -> None:
        with self._turn:
            self._ends[key] = end
            if self._said:
                end()

    def drop(self, key: int) -> None:
        with self._turn:
            self._ends.pop(key, None)


class _Ending:
    def __init__(self, stop: Stop, end: Callable[[], None]) -> None:
        self._stop, self._end = stop, end

    def __enter__(self) -> Self:
        self._stop.add(id(self), self._end)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.drop(id(self))


class Answers(Protocol):
    """Whoever can answer. Any thread may ask."""

    def series(self, question: Question, stop: Stop | None = None) -> Iterator[Row]:
        """The rows, in order of (`of`, time), as they are found. Closing the iterator ends the work, and so does `stop`,
        from any thread: Stopped comes out then. Raises TooLarge at the row that is one too many, and where far too much
        would have to be read; Unavailable."""
        ...
    def last(self, tenant: TenantId, quantity: Quantity, zone: ZoneId | None = None) -> list[Row]:
        """The newest good value of each asset that has one, in order of asset (`of`)."""
        ...
    def close(self) -> None: ...


class Sum:
    """What a step's values come to, as far as they have been added; in any order, and two parts make one whole."""

    __slots__ = ("count", "high", "last", "low", "newest", "total")

    def __init__(self) -> None:
        self.count, self.total, self.low, self.high = 0, 0.0, 0.0, 0.0
        self.last: Value = 0
        self.newest = (-1, 0)  # time and position of `last`

    def add(self, at_ns: int, position: int, value: Value) -> None:
        """One more value, from that position of the log: of two of the same time the later word counts as last."""
        number = 0 if isinstance(value, str) else value
        self.merge(1, number, number, number, value, (at_ns, position))

    def merge(self, count: int, total: float, low: float, high: float, last: Value, newest: tuple[int, int]) -> None:
        """What some more values come to."""
        if not self.count or low < self.low:
            self.low = low
        if not self.count or high > self.high:
            self.high = high
        if newest >= self.newest:
            self.last, self.newest = last, newest
        self.total = self.total + total if self.count else total  # whole numbers stay whole
        self.count += count

    def value(self, how: How) -> Value:
        """The one value; there is at least one."""
        match how:
            case "mean":
                return self.total / self.count
            case "min":
                return self.low
            case "max":
                return self.high
            case "sum":
                return self.total
            case "count":
                return self.count
            case "last":
                return self.last


def usual(quantity: Quantity) -> How:
    """The mean of levels; of counters, whole numbers, text and truth the last."""
    return "mean" if quantity.kind is Kind.FLOAT and not quantity.counts_up else "last"


def counts(value: Value) -> bool:
    """Whether a value that is not implausible can be part of an answer."""
    return value.__class__ is not float or isfinite(value)


def _refuse_how_without_steps(how: How | None) -> None:
    if how is not None:
        raise Invalid("Only steps have a {how}: say how long they are.", field="how", rule="needs every", how=how)


def _refuse_senseless(quantity: Quantity, how: How | None) -> None:
    number = quantity.kind in (Kind.FLOAT, Kind.INT)
    if (how in ADDING and (not number or quantity.counts_up)) or (how in COMPARING and not number):
        raise Invalid("{quantity} has no {how}.", field="how", rule="makes sense", quantity=quantity.name, how=how)
