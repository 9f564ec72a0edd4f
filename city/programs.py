"""What a town has programmed: levels through a night, which of them on which night, and for which lamps.

The words are TALQ's (ControlProgram, Calendar, CalendarRule; TALQ 2.7.1). A night belongs to the day of its evening.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

from holidays import HolidayBase, country_holidays

from city.errors import Invalid
from city.groups import MAX_NAME, Cover, Groups, Kind, Target
from city.ids import CalendarId, ProgramId
from city.places import Luminaire, Site

MAX_STEPS = 24
MAX_RULES = 60
MAX_DAYS = 400
MAX_OFFSET = 240  # minutes from a turn of the sun
MAX_FADE_S = 3600
LANDS = frozenset({"BB", "BE", "BW", "BY", "HB", "HE", "HH", "MV", "NI", "NW", "RP", "SH", "SL", "SN", "ST", "TH"})


class Anchor(Enum):
    """What a moment of a night hangs on."""

    CLOCK = "clock"
    SUNSET = "sunset"
    SUNRISE = "sunrise"
    DUSK = "dusk"  # the end of civil twilight: the sun 6° below the horizon
    DAWN = "dawn"
    FALLS = "falls"  # the sun falls through an altitude of its own choice
    RISES = "rises"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of every night. `minutes`: after local midnight (0-1439) by the CLOCK, else an offset (-240 to 240).
    `altitude`: degrees (-18 to 30) for FALLS and RISES, else None. Raises Invalid."""

    anchor: Anchor
    minutes: int = 0
    altitude: float | None = None

    def __post_init__(self) -> None:
        low, high = (0, 1439) if self.anchor is Anchor.CLOCK else (-MAX_OFFSET, MAX_OFFSET)
        _within("minutes", self.minutes, low, high)
        if (self.anchor in (Anchor.FALLS, Anchor.RISES)) != (self.altitude is not None):
            raise Invalid("The sun's altitude belongs to the moments “falls” and “rises”, and to no others.",
                          field="altitude", rule="falls, rises")
        if self.altitude is not None:
            _within("altitude", self.altitude, -18, 30)


@dataclass(frozen=True, slots=True)
class Step:
    """From `at` on burn at `level` per cent, reached over `fade_s` seconds (0-3600). Raises Invalid."""

    at: Moment
    level: int
    fade_s: int = 0

    def __post_init__(self) -> None:
        _within("level", self.level, 0, 100)
        _within("fade_s", self.fade_s, 0, MAX_FADE_S)


@dataclass(frozen=True, slots=True)
class Program:
    """Levels through a night: lit from `on`, then by `steps`, dark from `off` (level 0). Steps outside count at the border
    that they lie beyond; of several at one moment the last holds. Raises Invalid."""

    id: ProgramId
    name: str
    on: Step
    steps: tuple[Step, ...] = ()
    off: Step = field(default_factory=lambda: Step(Moment(Anchor.SUNRISE), 0))

    def __post_init__(self) -> None:
        _named(self.name)
        if len(self.steps) > MAX_STEPS:
            raise Invalid("A program has at most {most} steps.", field="steps", rule=f"≤ {MAX_STEPS}", most=MAX_STEPS)
        if self.off.level:
            raise Invalid("A program ends in the dark: its last level is 0.", field="off", rule="level 0")


@dataclass(frozen=True, slots=True)
class Rule:
    """On which nights a program holds: all conditions that are given must be met by the day of the evening.

    `weekdays`: 1 = Monday … 7 = Sunday. `first` and `last`: (month, day) of each year, both included; a range may pass the
    turn of the year. `holidays`: those of the Land. `days`: single dates (events). Raises Invalid.
    """

    program: ProgramId
    weekdays: frozenset[int] = frozenset()
    first: tuple[int, int] | None = None
    last: tuple[int, int] | None = None
    holidays: bool = False
    days: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        for day in self.weekdays:
            _within("weekdays", day, 1, 7)
        if (self.first is None) != (self.last is None):
            raise Invalid("A range of days has a first and a last day.", field="first", rule="both or none")
        for of in (self.first, self.last):
            if of is not None:
                _check_day(of)
        if len(self.days) > MAX_DAYS:
            raise Invalid("A rule has at most {most} single days.", field="days", rule=f"≤ {MAX_DAYS}", most=MAX_DAYS)
        if not (self.weekdays or self.first or self.holidays or self.days):
            raise Invalid("A rule without any condition would hide all that follow it.", field="rules", rule="condition")

    def meets(self, evening: date, land: str) -> bool:
        """Whether the night that begins on `evening` is meant, in the Land `land`."""
        if self.weekdays and evening.isoweekday() not in self.weekdays:
            return False
        if self.first is not None and self.last is not None and not _in_range(evening, self.first, self.last):
            return False
        if self.holidays and evening not in holidays_of(land, evening.year):
            return False
        return not self.days or evening in self.days


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which program holds on which night: that of the first rule that is met, else `default`. Raises Invalid."""

    id: CalendarId
    name: str
    default: ProgramId
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        _named(self.name)
        if len(self.rules) > MAX_RULES:
            raise Invalid("A calendar has at most {most} rules.", field="rules", rule=f"≤ {MAX_RULES}", most=MAX_RULES)

    def on(self, evening: date, land: str) -> ProgramId:
        """The program of the night that begins on `evening`."""
        return next((rule.program for rule in self.rules if rule.meets(evening, land)), self.default)

    def programs(self) -> frozenset[ProgramId]:
        """All that it names."""
        return frozenset({self.default, *(rule.program for rule in self.rules)})


@dataclass(frozen=True, slots=True)
class Assignment:
    """The calendar that holds for a target, since when and by whom."""

    target: Target
    calendar: CalendarId
    at: datetime
    actor: str


_PLACES: tuple[Kind, ...] = ("lamp", "group", "circuit", "zone", "town")  # who knows a lamp best decides


@dataclass(frozen=True)
class Programming:
    """All that a town has programmed, its groups included. What is shipped is always there; a town may have its own under
    the same names."""

    site: Site
    land: str = ""
    programs: Mapping[ProgramId, Program] = field(default_factory=lambda: SHIPPED)
    calendars: Mapping[CalendarId, Calendar] = field(default_factory=lambda: SHIPPED_CALENDARS)
    assignments: tuple[Assignment, ...] = ()
    groups: Groups = field(default_factory=lambda: MappingProxyType({}))

    def calendar_of(self, lamp: Luminaire) -> Calendar:
        """The calendar of the lamp: its own, else of the group that was assigned last, its circuit, its zone, the town."""
        for kind in _PLACES:
            found = [one for one in self.assignments if one.target.kind == kind and lamp in self._cover(one.target)]
            if found:
                newest = max(found, key=lambda one: (one.at, one.target))
                return self.calendars.get(newest.calendar) or standard(self.calendars)
        return standard(self.calendars)

    def programs_of(self, evening: date) -> list[Program]:
        """The programs that hold anywhere in the night that begins on `evening`, each once."""
        used = [standard(self.calendars), *(found for one in self.assignments
                                            if (found := self.calendars.get(one.calendar)) is not None)]
        return [self.program(name) for name in sorted({calendar.on(evening, self.land) for calendar in used})]

    def program_of(self, lamp: Luminaire, evening: date) -> Program:
        """The program of the lamp in the night that begins on `evening`."""
        return self.program(self.calendar_of(lamp).on(evening, self.land))

    def program(self, id: ProgramId) -> Program:
        """Of that name; the shipped standard where it has been taken away."""
        return self.programs.get(id) or SHIPPED[HALBNACHT]

    def _cover(self, target: Target) -> Cover:
        covers = self.__dict__.setdefault("_covers", {})
        if target not in covers:
            covers[target] = Cover((target,), self.groups)
        found: Cover = covers[target]
        return found


def clock(hour: int, minute: int = 0) -> Moment:
    """A local time of every night."""
    return Moment(Anchor.CLOCK, 60 * hour + minute)


@lru_cache(maxsize=512)
def holidays_of(land: str, year: int) -> HolidayBase:
    """The public holidays of a Land in a year; of all Germany where `land` is ""."""
    return country_holidays("DE", subdiv=land or None, years=year)


def _in_range(day: date, first: tuple[int, int], last: tuple[int, int]) -> bool:
    here = day.month, day.day
    return first <= here <= last if first <= last else here >= first or here <= last


def _check_day(of: tuple[int, int]) -> None:
    try:
        date(2024, *of)  # a leap year: 29 February may be named, and never comes in the others
    except ValueError:
        raise Invalid("There is no such day: {month}-{day}.", field="first", rule="month, day", month=of[0],
                      day=of[1]) from None


def _named(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise Invalid("A name has 1 to {most} printable characters.", field="name", rule="name", most=MAX_NAME)


def _within(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise Invalid("{what} must lie between {low} and {high}, not {value}.", field=field, rule=f"{low}…{high}",
                      what=field, low=low, high=high, value=value)


GANZNACHT, HALBNACHT, TEILNACHT = ProgramId("ganznacht"), ProgramId("halbnacht"), ProgramId("teilnacht")
_DUSK = Step(Moment(Anchor.SUNSET), 100)
SHIPPED: Mapping[ProgramId, Program] = MappingProxyType({program.id: program for program in (
    Program(GANZNACHT, "Ganznacht", _DUSK),
    Program(HALBNACHT, "Halbnacht", _DUSK, (Step(clock(22), 50), Step(clock(5), 100))),
    Program(TEILNACHT, "Teilnacht", _DUSK, (Step(clock(23), 0), Step(clock(5), 100))))})
STANDARD = Calendar(CalendarId("standard"), "Standard", HALBNACHT)
SHIPPED_CALENDARS: Mapping[CalendarId, Calendar] = MappingProxyType({
    STANDARD.id: STANDARD,
    CalendarId("ganznacht"): Calendar(CalendarId("ganznacht"), "Ganznacht", GANZNACHT),
    CalendarId("teilnacht"): Calendar(CalendarId("teilnacht"), "Teilnacht", TEILNACHT)})


def standard(calendars: Mapping[CalendarId, Calendar]) -> Calendar:
    """What holds where nothing is assigned."""
    return calendars.get(STANDARD.id, STANDARD)
