"""A zone's next hours and last days as drawings: SVG numbers, and the same as tables. Pure geometry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from city.lighting import BERLIN
from city.parking_facts import Forecast
from city.public_parking import PublicQuarter

TOP, BOTTOM, LEFT, RIGHT = 12.0, 132.0, 32.0, 388.0
STEP = timedelta(minutes=15)
HOURS = tuple(range(24))


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of a grid: where, and what stands at it."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class OutlookRow:
    """A quarter of an hour: how many bays were free, or will be."""

    at: datetime
    free: float
    expected: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """The last hours as a filled area, the next as a dashed line; `now` is where they meet. `rows` say the same."""

    past: str
    expected: str
    now: float
    hours: tuple[Mark, ...]
    bays: tuple[Mark, ...]
    rows: tuple[OutlookRow, ...]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """A day: the mean number of free bays in each hour of Berlin's clock, None where it is not known or not over."""

    day: date
    free: tuple[float | None, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Days:
    """The last days, one small drawing each."""

    days: tuple[Day, ...]
    total: int


def outlook(quarters: Sequence[PublicQuarter], forecasts: Sequence[Forecast], total: int, now: datetime,
            before: timedelta = timedelta(hours=3), after: timedelta = timedelta(hours=3)) -> Outlook | None:
    """The drawing of a zone with `total` bays around `now`; None where nothing is expected."""
    if not forecasts or total < 1:
        return None
    start, end = now - before, now + after

    def across(at: datetime) -> float:
        return _r(LEFT + (RIGHT - LEFT) * ((min(max(at, start), end) - start) / (end - start)))

    def down(free: float) -> float:
        return _r(BOTTOM - (BOTTOM - TOP) * min(max(free, 0.0), total) / total)

    seen = [one for one in quarters if start <= one.at < now]
    past = [(one.at, across(one.at), across(one.at + STEP), down(one.free)) for one in seen]
    line = "".join(f"{'L' if index else 'M'}{across(one.at)} {down(one.free)}" for index, one in enumerate(forecasts))
    rows = [OutlookRow(one.at, one.free, False) for one in seen] + [OutlookRow(one.at, one.free, True) for one in forecasts]
    return Outlook("".join(f"M{left} {BOTTOM}V{y}H{right}V{BOTTOM}Z" for _, left, right, y in past), line, across(now),
                   tuple(Mark(across(at), f"{at.astimezone(BERLIN):%H:%M}") for at in _full_hours(start, end)),
                   tuple(Mark(down(free), str(free)) for free in sorted({0, total // 2, total})), tuple(rows), start, end)


def days(quarters: Iterable[PublicQuarter], total: int, last: date, many: int = 7) -> Days | None:
    """The last days up to `last`, the newest first, from hourly means; None where nothing is known of any of them."""
    found: dict[tuple[date, int], list[float]] = {}
    for one in quarters:
        local = one.at.astimezone(BERLIN)
        found.setdefault((local.date(), local.hour), []).append(one.free)
    means = {key: round(sum(values) / len(values), 1) for key, values in found.items()}
    some = [last - timedelta(days=ago) for ago in range(many)]
    if total < 1 or not any((day, hour) in means for day in some for hour in HOURS):
        return None
    return Days(tuple(_day(day, means, total) for day in some), total)


def _day(day: date, means: Mapping[tuple[date, int], float], total: int) -> Day:
    free = tuple(means.get((day, hour)) for hour in HOURS)
    bars = (f"M{_r(hour * 10 + 0.5)} 24V{_r(24 - 22 * min(value / total, 1.0))}h9V24Z"
            for hour, value in enumerate(free) if value is not None)
    return Day(day, free, "".join(bars))


def _full_hours(start: datetime, end: datetime) -> Iterable[datetime]:
    at = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while at <= end:
        yield at
        at += timedelta(hours=1)


def _r(value: float) -> float:
    return round(value, 1)
