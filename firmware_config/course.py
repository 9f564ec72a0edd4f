"""What a lamp is to hold: its calendar as a pattern of the week with single nights, and each program with the law in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from city.floors import DARK_BELOW, EARLY, FULL, LATE, core, lamp_floor
from city.ids import ProgramId
from city.nights import Night
from city.places import Luminaire, Site
from city.programs import Anchor, Calendar, Moment, Program, Rule, Step
from firmware_config.sun import SEASONS

YEAR_DAYS = 366  # single nights are known for a year from the turn of the half-year: so their list seldom changes
SEASON_DAYS = 30  # a rule for a longer range of the year is a season, not a list of nights
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Course:
    """A program as a lamp may follow it: its steps in the order of an ordinary night, at levels within the law."""

    on: Step
    steps: tuple[Step, ...]
    off: Step

    @property
    def brightest(self) -> int:
        """The highest of its levels."""
        return max(self.on.level, *(step.level for step in self.steps)) if self.steps else self.on.level


@dataclass(frozen=True, slots=True)
class Pattern:
    """Programs of the nights from Monday to Sunday, and of the single nights that differ: those from `evening` on, the nearest
    first, then those of this half-year that have passed, which may stay where they are. `seasonal`: the calendar has rules for
    parts of the year, and this is the pattern of the present one."""

    evening: date
    nights: tuple[ProgramId, ...]
    special: tuple[tuple[date, ProgramId], ...]
    seasonal: bool

    @property
    def programs(self) -> frozenset[ProgramId]:
        """All that it names."""
        return frozenset(self.nights) | {program for _, program in self.special}


@lru_cache(maxsize=256)
def pattern(calendar: Calendar, land: str, evening: date) -> Pattern:
    """The pattern of a calendar as of the night that begins on `evening`."""
    nights = tuple(_usual(calendar, land, evening, weekday) for weekday in range(1, 8))
    special = []
    begin = date(evening.year, 1 if evening.month < 7 else 7, 1)
    for ahead in range(YEAR_DAYS):
        day = begin + ahead * _DAY
        rule = next((rule for rule in calendar.rules if rule.meets(day, land)), None)
        if rule is not None and _single(rule) and rule.program != nights[day.weekday()]:
            special.append((day, rule.program))
    special.sort(key=lambda one: (one[0] < evening, abs(one[0] - evening)))
    return Pattern(evening, nights, tuple(special), any(_seasonal(rule) for rule in calendar.rules))


def course(program: Program, lamp: Luminaire, site: Site) -> Course:
    """The program with the lamp's floors in it, as city.floors.lawful raises a curve: at the change of the class too, and
    where it may not be dark it burns on as before. Which step comes first is that of the equinox's night."""
    night = Night.of(SEASONS[2], site)
    lit, steps = FULL, list[Step]()
    for at, step in _in_order(program, lamp, night):
        floor = _floor(lamp, step.at, at, night)
        if step.level >= DARK_BELOW:
            level = lit = max(step.level, floor)
        else:
            level = step.level if lamp.lantern_ring or not _in_core(at, night) else max(lit, floor)
        if step in (program.on, *program.steps) or level != steps[-1].level:
            steps.append(replace(step, level=level))
    return Course(steps[0], tuple(steps[1:]), program.off)


def _in_order(program: Program, lamp: Luminaire, night: Night) -> Sequence[tuple[datetime, Step]]:
    on, off = night.moment(program.on.at), night.moment(program.off.at)
    steps = sorted(((min(max(night.moment(step.at), on), off), step) for step in program.steps), key=lambda one: one[0])
    if lamp_floor(lamp) == lamp_floor(lamp, late=True):
        return [(on, program.on), *steps]
    told = {step.at for _, step in steps}
    borders = [(at, Step(moment, _held(program, steps, at)))
               for moment in (Moment(Anchor.CLOCK, LATE), Moment(Anchor.CLOCK, EARLY))
               if moment not in told and on < (at := night.moment(moment)) < off]
    return [(on, program.on), *sorted([*steps, *borders], key=lambda one: one[0])]


def _held(program: Program, steps: Sequence[tuple[datetime, Step]], at: datetime) -> int:
    return next((step.level for when, step in reversed(steps) if when <= at), program.on.level)


def _floor(lamp: Luminaire, moment: Moment, at: datetime, night: Night) -> int:
    if moment.anchor is Anchor.CLOCK:
        return lamp_floor(lamp, late=not EARLY <= moment.minutes < LATE)
    return lamp_floor(lamp, late=night.clock(LATE) <= at < night.clock(EARLY))


def _in_core(at: datetime, night: Night) -> bool:
    begin, end = core(night)
    return begin <= at < end


def _usual(calendar: Calendar, land: str, evening: date, weekday: int) -> ProgramId:
    """The program of a weekday in the present season, but for single nights."""
    for rule in calendar.rules:
        in_season = not _seasonal(rule) or Rule(rule.program, first=rule.first, last=rule.last).meets(evening, land)
        if not _single(rule) and in_season and (not rule.weekdays or weekday in rule.weekdays):
            return rule.program
    return calendar.default


def _single(rule: Rule) -> bool:
    """Whether it is for single nights: holidays, named days, some days of each year."""
    return rule.holidays or bool(rule.days) or (rule.first is not None and not _seasonal(rule))


def _seasonal(rule: Rule) -> bool:
    if rule.first is None or rule.last is None or rule.holidays or rule.days:
        return False
    first, last = date(2024, *rule.first), date(2024, *rule.last)
    return (last - first).days % 366 >= SEASON_DAYS
