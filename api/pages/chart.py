"""A lamp's last 24 hours as a drawing: levels and power on one time axis, as SVG numbers. Pure geometry."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.lighting import BERLIN
from city.store.ports import Point

LEFT, RIGHT = 16.0, 672.0
LEVEL_TOP, LEVEL_BOTTOM = 12.0, 112.0
POWER_TOP, POWER_BOTTOM = 148.0, 248.0
GAP = timedelta(hours=3)  # a line is not drawn across a silence longer than this


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid: where, and what it says."""

    place: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table that says the same as the drawing."""

    at: datetime
    level: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """SVG paths for level (steps) and power (lines), the grid, the nights, and the same as a table."""

    level: str
    power: str
    top_w: int
    hours: tuple[Tick, ...]
    nights: tuple[tuple[float, float], ...]
    rows: tuple[Row, ...]

    @property
    def empty(self) -> bool:
        return not self.rows


def chart(levels: Sequence[Point], powers: Sequence[Point], nights: Iterable[tuple[datetime, datetime]],
          start: datetime, end: datetime) -> Chart:
    """The drawing of what was reported from `start` to `end`; `nights` are (sunset, sunrise) pairs."""
    def across(at: datetime) -> float:
        share = (min(max(at, start), end) - start) / (end - start)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    watts = [value for point in powers if (value := _value(point)) is not None]
    top = _round_up(max(watts, default=0.0))
    dark = tuple((across(dusk), round(across(dawn) - across(dusk), 1)) for dusk, dawn in nights
                 if dusk < end and dawn > start)
    return Chart(
        level=_path([(point.at, across(point.at), _down(_value(point), 100, LEVEL_TOP, LEVEL_BOTTOM))
                     for point in levels], steps=True),
        power=_path([(point.at, across(point.at), _down(_value(point), top, POWER_TOP, POWER_BOTTOM))
                     for point in powers], steps=False),
        top_w=top, hours=tuple(Tick(across(at), at) for at in _hours(start, end)), nights=dark,
        rows=_rows(levels, powers))


def _value(point: Point) -> float | None:
    return float(point.value) if isinstance(point.value, int | float) else None


def _down(value: float | None, top: float, high: float, low: float) -> float:
    return round(low - (low - high) * min(max(value or 0.0, 0.0), top) / top, 1)


def _path(points: Iterable[tuple[datetime, float, float]], *, steps: bool) -> str:
    parts: list[str] = []
    before: datetime | None = None
    for at, x, y in points:
        if before is None or at - before > GAP:
            parts.append(f"M{x} {y}h1")
        else:
            parts.append(f"H{x}V{y}" if steps else f"L{x} {y}")
        before = at
    return "".join(parts)


def _round_up(watts: float) -> int:
    return next((top for top in (10, 20, 40, 60, 80, 100, 150, 200, 300, 500, 1000) if watts <= top), 2000)


def _hours(start: datetime, end: datetime) -> Iterable[datetime]:
    """Every third full hour of Berlin's clock."""
    at = start.astimezone(BERLIN).replace(minute=0, second=0, microsecond=0).astimezone(start.tzinfo)
    while at <= end:
        if at >= start and at.astimezone(BERLIN).hour % 3 == 0:
            yield at
        at += timedelta(hours=1)


def _rows(levels: Iterable[Point], powers: Iterable[Point]) -> tuple[Row, ...]:
    level, power = ({point.at: _value(point) for point in points} for points in (levels, powers))
    return tuple(Row(at, level.get(at), power.get(at)) for at in sorted(level.keys() | power.keys(), reverse=True))
