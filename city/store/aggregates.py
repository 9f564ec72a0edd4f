"""Hours and days of the local log as lines for InfluxDB: what stays when the readings themselves are gone.

They go to databases (1.x, 3.x) or buckets (2.x) of their own, `<bucket>_hours` and `<bucket>_days`, because each of the three
versions has one retention a database, and InfluxQL asks them alike. Measurement and tags are those of the readings; a field
is `<field>_mean`, `_min`, `_max` and `_count`, of a truth value `_mean` (its share) and `_count`, of a counter `_last` and
`_count`; the time is the beginning of the hour or UTC day. Text has no such values.

A window is always computed whole, from all rows of it that the log has, so doing it again changes nothing and late readings
find their place. Memory is bounded: some thousand places at a time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Protocol

from city.quantities import Kind, Quantity
from city.readings import NS, Place
from city.settings import Influx
from city.store import packing
from city.store.lines import tag, tags, written
from city.store.packing import Meanings

HOUR_NS, DAY_NS = 3600 * NS, 86_400 * NS
PLACES_AT_ONCE = 3000
BAY = "bay"
_INT64 = 2**63


class Scanned(Protocol):
    """As much of the local log as is read here: see LocalLog."""

    def scan(self, places: Collection[int] | None, first_ns: int, last_ns: int) -> Iterator[tuple[int, int, int, bytes]]: ...
    def means(self) -> Meanings: ...


@dataclass(frozen=True, slots=True)
class Span:
    """A kind of window: its name, its length, and for how many days InfluxDB keeps what comes out (0: for ever)."""

    name: str
    length_ns: int
    keep_days: int

    def start(self, at_ns: int) -> int:
        """The beginning of the window in which a time lies."""
        return at_ns - at_ns % self.length_ns


def spans(settings: Influx) -> tuple[Span, Span]:
    """Hours and days."""
    return Span("hours", HOUR_NS, settings.hourly_days), Span("days", DAY_NS, settings.daily_days)


def settings_of(span: Span, settings: Influx) -> Influx:
    """Where its values go."""
    return replace(settings, bucket=f"{settings.bucket}_{span.name}")


def summed(log: Scanned, first_ns: int, last_ns: int, *, bridge: str = "", at_once: int = PLACES_AT_ONCE) -> Iterator[bytes]:
    """Lines for the readings of the log with first ≤ time < last, dated `first_ns`; of bays there are none, for hours and days
    are kept for years, and no single bay's are (city.retention; sums of zones are the city database's). `bridge` marks them
    where several bridges share the work, and each has only its part of a device's readings. Raises StoreDown."""
    numbers = sorted(log.means().places)
    for part in _slices(numbers, at_once):
        cells = _cells(log, part, (first_ns, last_ns))
        means = log.means()
        for number, found in cells.items():
            if number in means.places and means.places[number].kind != BAY:
                yield from _lines(means.places[number], found, means, first_ns, bridge)


class _Cell:
    """What the readings of one series in one window come to."""

    __slots__ = ("count", "high", "last", "last_ns", "low", "total")

    def __init__(self, value: float, at_ns: int) -> None:
        self.count, self.total, self.low, self.high, self.last, self.last_ns = 1, value, value, value, value, at_ns

    def add(self, value: float, at_ns: int) -> None:
        self.count += 1
        self.total += value
        if value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value
        if at_ns >= self.last_ns:
            self.last, self.last_ns = value, at_ns


_Found = dict[int, dict[int, _Cell]]  # place: series: what it comes to


def _slices(numbers: list[int], size: int) -> Iterator[frozenset[int] | None]:
    """None where one slice has them all."""
    if len(numbers) <= size:
        yield None
        return
    for begin in range(0, len(numbers), size):
        yield frozenset(numbers[begin:begin + size])


def _cells(log: Scanned, places: frozenset[int] | None, window: tuple[int, int]) -> _Found:
    first, last = window
    found: _Found = {}
    for _, at_ns, place, body in log.scan(places, first, last):
        series, values, odd = packing.said_of(body)
        if odd or not first <= at_ns < last:
            said: Iterable[tuple[int, Any, int]] = _dated(series, values, odd, at_ns, window)
        else:
            said = zip(series, values, (at_ns,) * len(values), strict=True)
        cells = found.setdefault(place, {})
        for number, value, at in said:
            if value.__class__ is str:
                continue
            known = cells.get(number)
            if known is not None:
                known.add(value, at)
            else:
                cells[number] = _Cell(value, at)
    return found


def _dated(series: Iterable[int], values: Iterable[Any], odd: Mapping[int, tuple[bool, int]], at_ns: int,
           window: tuple[int, int]) -> Iterator[tuple[int, Any, int]]:
    """Those that are plausible and of the window."""
    for index, (number, value) in enumerate(zip(series, values, strict=True)):
        implausible, offset = odd.get(index, (False, 0))
        if not implausible and window[0] <= at_ns + offset < window[1]:
            yield number, value, at_ns + offset


def _lines(place: Place, cells: Mapping[int, _Cell], means: Meanings, at_ns: int, bridge: str) -> Iterator[bytes]:
    points: dict[tuple[str, str], list[str]] = {}
    for number, cell in cells.items():
        if number in means.series:
            quantity, channel = means.series[number]
            measurement, field, part = written(quantity, channel)
            points.setdefault((measurement, part), []).extend(_fields(field, quantity, cell))
    where = tags(place) + (f",bridge={tag(bridge)}" if bridge else "")
    for (measurement, part), fields in points.items():
        if fields:
            channel = f",channel={part}" if part else ""
            yield f"{measurement}{where}{channel} {','.join(fields)} {at_ns}".encode("utf-8", "replace")


def _fields(field: str, quantity: Quantity, cell: _Cell) -> Iterator[str]:
    if quantity.kind is Kind.TEXT or not isfinite(cell.total):
        return
    if quantity.counts_up:
        last = _int(cell.last) if quantity.kind is Kind.INT else repr(float(cell.last))
        if last:
            yield f"{field}_last={last}"
    else:
        yield f"{field}_mean={float(cell.total / cell.count)!r}"
        if quantity.kind is not Kind.BOOL:
            yield f"{field}_min={float(cell.low)!r}"
            yield f"{field}_max={float(cell.high)!r}"
    yield f"{field}_count={cell.count}i"


def _int(value: float) -> str:
    number = int(value)
    return f"{number}i" if -_INT64 <= number < _INT64 else ""
