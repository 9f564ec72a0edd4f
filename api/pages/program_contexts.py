"""What the templates of programs, calendars, groups and their settings are given; see api.pages.contexts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import ClassVar, Self

from api.pages.calendar_form import CalendarForm
from api.pages.contexts import Link, Page, Problem
from api.pages.curves import Drawing, Handle
from api.pages.group_form import GroupForm
from api.pages.program_form import ProgramForm
from api.told import Told
from city.factors import Factor
from city.groups import Group
from city.programs import Calendar, Program
from city.whatif import WhatIf


@dataclass(frozen=True, slots=True)
class Option:
    """One of a choice."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """Choices of one kind; `text` "" stands alone."""

    text: str
    options: Sequence[Option]


@dataclass(frozen=True, slots=True)
class Said:
    """A finding in words. `weight` is a Weight's value."""

    weight: str
    sentence: str
    rule: str


@dataclass(frozen=True, slots=True)
class Saving:
    """A year of some lamps, before and after: kWh, kg of CO2, euros. `unknown`: lamps whose power nobody has told, which are
    left out. `factors`: the figures used, with unit, source, and whether they are only assumed."""

    kwh: float
    kwh_before: float
    co2_kg: float
    money: float
    hours: float
    unknown: int
    factors: Sequence[Factor]

    @classmethod
    def of(cls, found: WhatIf) -> Self:
        return cls(found.after.kwh, found.before.kwh, found.saved_co2_kg, found.saved_eur, found.after.hours_per_lamp,
                   found.after.unknown, (found.co2, found.price))

    @property
    def saved(self) -> float:
        """kWh; negative: it takes more."""
        return self.kwh_before - self.kwh

    @property
    def share(self) -> float:
        """Per cent saved of what is used now."""
        return 100 * self.saved / self.kwh_before if self.kwh_before else 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """What controllers of these models cannot hold by themselves; "": these hold all of it."""

    sentence: str
    models: Sequence[str]
    lamps: int


@dataclass(frozen=True, slots=True)
class NightPicture:
    """One night as a small drawing: its day in words, the program that holds, and what is said of other lamps."""

    evening: date
    drawing: Drawing
    says: str
    program: str = ""
    quiet: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What comes of a program, a calendar or an assignment for the lamps that it would be for."""

    lamps: int
    target: str
    findings: Sequence[Said] = ()
    saving: Saving | None = None
    held: Sequence[Held] = ()
    nights: Sequence[NightPicture] = ()

    @property
    def refused(self) -> bool:
        return any(one.weight == "refused" for one in self.findings)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before lamps in use change: for how many, whether the number must be typed, and what was shown."""

    lamps: int
    typed: bool
    seen: str


@dataclass(frozen=True, slots=True)
class ProgramRow:
    program: Program
    drawing: Drawing
    words: str
    calendars: Sequence[Calendar]
    lamps: int
    shipped: bool


@dataclass(frozen=True, slots=True)
class CalendarRow:
    calendar: Calendar
    tonight: Program
    lamps: int
    assigned: int
    shipped: bool


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """Where a calendar holds; `href` leads to the change of it."""

    name: str
    calendar: Calendar
    tonight: Program
    lamps: int
    href: str
    at: datetime | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True)
class ProgramsPage:
    template: ClassVar[str] = "programs.html"
    page: Page
    places: Sequence[PlaceRow]
    programs: Sequence[ProgramRow]
    calendars: Sequence[CalendarRow]
    groups: int
    land: str
    may_edit: bool
    said: str
    told: Told


@dataclass(frozen=True, slots=True)
class ProgramPage:
    """The editor. `program` is what is kept (None: a new one), `bases` the anchors of the rows in minutes after noon; `price`
    is what the change means for the lamps that the question is about."""

    template: ClassVar[str] = "program.html"
    fragments: ClassVar[Mapping[str, str]] = {"editor": "parts/program_editor.html", "judged": "parts/program_judged.html"}
    page: Page
    program: Program | None
    shipped: bool
    calendars: Sequence[Calendar]
    form: ProgramForm
    action: str
    drawing: Drawing
    handles: Sequence[Handle]
    bases: str
    turns: str
    targets: Sequence[OptionGroup]
    judged: Judged | None
    may_edit: bool
    saved: bool = False
    question: Question | None = None
    price: Saving | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """A night of the month view: its program by number in the legend, and the holiday's name."""

    day: date
    number: int
    program: Program
    holiday: str
    rule: int


@dataclass(frozen=True, slots=True)
class Month:
    """A month's days in weeks, Monday first; None where a day is not shown."""

    name: str
    weeks: Sequence[Sequence[Day | None]]


@dataclass(frozen=True, slots=True)
class CalendarPage:
    template: ClassVar[str] = "calendar.html"
    fragments: ClassVar[Mapping[str, str]] = {"editor": "parts/calendar_editor.html"}
    page: Page
    calendar: Calendar | None
    shipped: bool
    form: CalendarForm
    action: str
    programs: Sequence[Option]
    weekdays: Sequence[str]
    land: str
    months: Sequence[Month]
    legend: Sequence[tuple[int, Program, Drawing]]
    rules: Sequence[str]
    places: Sequence[str]
    judged: Judged | None
    may_edit: bool
    saved: bool = False
    question: Question | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class AssignPage:
    """Which calendar shall hold for a target; with both chosen, what comes of it."""

    template: ClassVar[str] = "assign.html"
    page: Page
    target: str
    calendar: str
    targets: Sequence[OptionGroup]
    calendars: Sequence[Option]
    now: str
    then: str
    judged: Judged | None
    question: Question | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class NightsPage:
    """The next nights of a lamp or of all lamps of a target, as programmed."""

    template: ClassVar[str] = "nights.html"
    page: Page
    target: str
    name: str
    targets: Sequence[OptionGroup]
    lamps: int
    nights: Sequence[NightPicture]
    first: date
    earlier: str
    later: str
    lamp: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupRow:
    group: Group
    lamps: int
    calendar: str
    words: str


@dataclass(frozen=True, slots=True)
class GroupsPage:
    template: ClassVar[str] = "groups.html"
    page: Page
    groups: Sequence[GroupRow]
    may_edit: bool
    said: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A lamp that the finder offers."""

    id: str
    name: str
    zone: str
    inside: bool


@dataclass(frozen=True, slots=True)
class GroupPage:
    template: ClassVar[str] = "group.html"
    fragments: ClassVar[Mapping[str, str]] = {"editor": "parts/group_editor.html"}
    page: Page
    group: Group | None
    form: GroupForm
    action: str
    choices: Mapping[str, Sequence[Option]]
    lamps: int
    names: Sequence[str]
    overlaps: Sequence[tuple[str, int]]
    found: Sequence[Found]
    found_total: int
    zones: Sequence[Option]
    may_edit: bool
    saved: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingsPage:
    template: ClassVar[str] = "town_settings.html"
    page: Page
    land: str
    laender: Sequence[Option]
    holidays: Sequence[tuple[date, str]]
    may_edit: bool
    saved: bool = False
    problems: tuple[Problem, ...] = ()
    links: Sequence[Link] = field(default=())
