"""Grafana's times: now, now-24h, now/d, now-1d/d, ISO 8601 or ms since 1970 (packages/grafana-data/src/datetime/datemath.ts)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from city.errors import Invalid

_STEP = re.compile(r"([-+/])(\d{0,6})([smhdwMQy])")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
          "w": timedelta(weeks=1)}
_MONTHS = {"M": 1, "Q": 3, "y": 12}
MOST_YEARS = 30

Edge = Literal["begin", "end"]


@dataclass(frozen=True, slots=True)
class Range:
    """What a panel shows, both ends included."""

    start: datetime
    end: datetime

    @property
    def span(self) -> timedelta:
        return self.end - self.start


def between(start: str, end: str, now: datetime, zone: ZoneInfo) -> Range:
    """The range that two of Grafana's times mean. Raises Invalid where it is empty, or absurdly long."""
    found = Range(moment(start, now, zone, "begin"), moment(end, now, zone, "end"))
    if found.start >= found.end or found.span > timedelta(days=366 * MOST_YEARS):
        raise Invalid("From {start} to {end} is no time.", field="from", rule="from < to", start=start[:40], end=end[:40])
    return found


def moment(text: str, now: datetime, zone: ZoneInfo, edge: Edge = "begin") -> datetime:
    """The moment, in UTC; /d and the like round to the `edge` of that day in `zone`. Raises Invalid."""
    text = text.strip()
    try:
        if not text.startswith("now"):
            return _absolute(text, zone)
        at, rest = now.astimezone(zone), text[3:]
        while rest:
            found = _STEP.match(rest)
            if not found:
                raise ValueError(rest)
            at = _rounded(at, found[3], edge) if found[1] == "/" else _moved(at, found[1], int(found[2] or 1), found[3])
            rest = rest[found.end():]
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid("“{text}” is no time as Grafana writes it (now-24h, now/d, 2026-11-22T18:00).", field="from",
                      rule="now-24h", text=text[:40]) from error


def _absolute(text: str, zone: ZoneInfo) -> datetime:
    if text.isdecimal() and text.isascii():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _moved(at: datetime, sign: str, count: int, unit: str) -> datetime:
    way = -count if sign == "-" else count
    if unit in _MONTHS:
        months = at.year * 12 + at.month - 1 + way * _MONTHS[unit]
        return at.replace(year=months // 12, month=months % 12 + 1, day=min(at.day, 28))
    if unit in "smh":  # real time; days are the calendar's
        return (at.astimezone(UTC) + way * _UNITS[unit]).astimezone(at.tzinfo)
    return at + way * _UNITS[unit]


def _rounded(at: datetime, unit: str, edge: Edge) -> datetime:
    begin = at.replace(microsecond=0)
    for name in ("second", "minute", "hour"):
        if unit == name[0]:
            break
        begin = begin.replace(**{name: 0})  # type: ignore[arg-type]
    match unit:
        case "w":
            begin -= timedelta(days=begin.weekday())
        case "M":
            begin = begin.replace(day=1)
        case "Q":
            begin = begin.replace(day=1, month=(begin.month - 1) // 3 * 3 + 1)
        case "y":
            begin = begin.replace(day=1, month=1)
    return begin if edge == "begin" else _moved(begin, "+", 1, unit) - timedelta(milliseconds=1)
