"""Nights as drawings: the curve of a program from noon to noon over the bands of the sun, as SVG numbers. Pure geometry.

Across: minutes after noon; down: 100 minus the level in per cent, so that a drawing is as wide as its night has minutes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from city.nights import BERLIN, Change, Night
from city.programs import Anchor, Moment
from city.sun import CIVIL, between

_TICK_HOURS = 3
_TURNS = (Anchor.SUNSET, Anchor.SUNRISE, Anchor.DUSK, Anchor.DAWN)


@dataclass(frozen=True, slots=True)
class Tick:
    """A full hour of Berlin's clock: `share` of the width, per cent."""

    share: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Drawing:
    """A night of `minutes`: the `line` of the levels, the bands of twilight and dark as (from, width), and the hours. `law` is
    the line that lamps follow where the law asks for more ("" where it is the same)."""

    night: Night
    minutes: int
    line: str
    twilight: tuple[float, float]
    dark: tuple[float, float]
    ticks: tuple[Tick, ...]
    changes: tuple[Change, ...]
    law: str = ""

    @property
    def area(self) -> str:
        """The line, closed at the bottom."""
        return f"{self.line}V100H0Z"


@dataclass(frozen=True, slots=True)
class Handle:
    """A step's place in a drawing, per cent of width and height. `key` names its row; `base` is its anchor without an
    offset, in minutes after noon (None: the clock)."""

    key: str
    x: float
    y: float
    at: datetime
    level: int
    base: float | None


def drawing(changes: Sequence[Change], night: Night, lawful: Sequence[Change] = ()) -> Drawing:
    """The drawing of the changes of a night; `lawful` are those of a lamp that may not be as dim or dark."""
    dusk, dawn = between(night.site, night.evening, CIVIL)
    line, law = _line(changes, night), _line(lawful, night) if lawful else ""
    return Drawing(night, minutes_of(night), line, _band(night, night.sunset, night.sunrise), _band(night, dusk, dawn),
                   tuple(_ticks(night)), tuple(changes), law if law != line else "")


def handle(key: str, moment: Moment, level: int, night: Night) -> Handle:
    """Where a step stands."""
    at = night.moment(moment)
    base = None if moment.anchor is Anchor.CLOCK else _across(night, night.moment(replace(moment, minutes=0)))
    return Handle(key, share_of(night, at), float(100 - level), at, level, base)


def turns(night: Night) -> dict[str, float]:
    """The turns of the sun by their names, in minutes after noon."""
    return {anchor.value: _across(night, night.moment(Moment(anchor))) for anchor in _TURNS}


def minutes_of(night: Night) -> int:
    """How long the night is."""
    return round((night.next_noon - night.noon) / timedelta(minutes=1))


def share_of(night: Night, at: datetime) -> float:
    """Where a time lies between the two noons, per cent."""
    return round(100 * _across(night, at) / minutes_of(night), 3)


def _line(changes: Iterable[Change], night: Night) -> str:
    """Steps with their fades; a fade that is cut short by the next step ends there."""
    parts, level, ordered = ["M0 100"], 0.0, [*changes]
    ends = [*(change.at for change in ordered[1:]), night.next_noon][:len(ordered)]
    for change, end in zip(ordered, ends, strict=True):
        faded = min(change.at + timedelta(seconds=change.fade_s), end)
        share = (faded - change.at) / timedelta(seconds=change.fade_s) if change.fade_s else 1.0
        level = round(level + share * (change.level - level), 2)
        parts.append(f"H{_across(night, change.at):g}L{_across(night, faded):g} {100 - level:g}")
    return "".join([*parts, f"H{minutes_of(night)}"])


def _across(night: Night, at: datetime) -> float:
    return round((min(max(at, night.noon), night.next_noon) - night.noon) / timedelta(minutes=1), 2)


def _band(night: Night, start: datetime, end: datetime) -> tuple[float, float]:
    first = _across(night, start)
    return first, round(_across(night, end) - first, 1)


def _ticks(night: Night) -> Iterable[Tick]:
    at = night.noon
    while at <= night.next_noon:
        if at.astimezone(BERLIN).hour % _TICK_HOURS == 0:
            yield Tick(share_of(night, at), at)
        at += timedelta(hours=1)
