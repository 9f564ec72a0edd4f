"""Programs, calendars, groups and wishes over the wire. Moments of a night are {"anchor": "clock", "minutes": 1320}."""

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt

from api.intents import Proposal
from api.schemas import EstimateOut, OverrideOut
from city.groups import KINDS, MAX_MEMBERS, MAX_NAME, Filter, Group, Target
from city.guards import Finding
from city.ids import AssetId, CalendarId, ProgramId, TenantId, calendar_id, group_id, program_id
from city.lighting import MAX_REASON, MAX_TARGETS
from city.nights import Change
from city.programs import MAX_DAYS, MAX_RULES, MAX_STEPS, Anchor, Assignment, Calendar, Moment, Program, Rule, Step

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Short = Annotated[str, Field(max_length=64)]
TargetText = Annotated[str, Field(max_length=80, description=f"{', '.join(KINDS)}; as “zone:markt”", examples=["zone:markt"])]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OverrideIn(_In):
    """A wish: a level (null: as programmed), and its end as a time or in minutes from now."""

    level: StrictInt | None = Field(description="per cent, 0 to 100; null: as programmed", examples=[40])
    until: AwareDatetime | None = Field(None, description="the end, with its offset from UTC")
    minutes: StrictInt | None = Field(None, description="the end, in minutes from now; instead of `until`")
    reason: str = Field("", max_length=MAX_REASON)
    start: AwareDatetime | None = Field(None, description="the beginning; null: now")
    emergency: StrictBool = Field(False, description="100 % for safety's sake: no guard-rail but the mandatory end")
    confirm: StrictInt | None = Field(None, description="the number of lamps, typed by a person, where many are dimmed at once")


class WishIn(OverrideIn):
    """As above, for any targets."""

    targets: list[TargetText] = Field(min_length=1, max_length=MAX_TARGETS)

    def named(self) -> list[Target]:
        """Raises Invalid."""
        return [Target.parse(text) for text in self.targets]


class FindingOut(BaseModel):
    """A guard-rail that a wish runs into: `weight` is refused, second person, typed confirmation or notice."""

    weight: str
    rule: str
    field: str
    sentence: str

    @classmethod
    def of(cls, finding: Finding, sentence: str) -> Self:
        return cls(weight=finding.weight.value, rule=finding.rule, field=finding.field, sentence=sentence)


class ProposalOut(BaseModel):
    """What a wish would be, before it is sent."""

    override: OverrideOut
    lamps: int
    needs_second: bool
    findings: list[FindingOut]
    estimate: EstimateOut | None

    @classmethod
    def of(cls, proposal: Proposal, findings: list[FindingOut]) -> Self:
        return cls(override=OverrideOut.of(proposal.override), lamps=len(proposal.lamps), findings=findings,
                   needs_second=proposal.override.needs_second,
                   estimate=EstimateOut.of(proposal.estimate) if proposal.estimate else None)


class MomentModel(_In):
    """A time of every night. `minutes`: after local midnight for the clock, else an offset from the sun's turn."""

    anchor: Literal["clock", "sunset", "sunrise", "dusk", "dawn", "falls", "rises"]
    minutes: StrictInt = 0
    altitude: float | None = Field(None, description="degrees, for falls and rises")

    def moment(self) -> Moment:
        return Moment(Anchor(self.anchor), self.minutes, self.altitude)

    @classmethod
    def of(cls, moment: Moment) -> Self:
        return cls(anchor=moment.anchor.value, minutes=moment.minutes, altitude=moment.altitude)


class StepModel(_In):
    """From a moment on a level, per cent, reached over so many seconds."""

    at: MomentModel
    level: StrictInt
    fade_s: StrictInt = 0

    def step(self) -> Step:
        return Step(self.at.moment(), self.level, self.fade_s)

    @classmethod
    def of(cls, step: Step) -> Self:
        return cls(at=MomentModel.of(step.at), level=step.level, fade_s=step.fade_s)


class ProgramIn(_In):
    """Levels through a night, noon to noon: lit from `on`, then by `steps`, dark from `off`."""

    name: Name
    on: StepModel
    steps: list[StepModel] = Field(default_factory=list, max_length=MAX_STEPS)
    off: StepModel

    def program(self, id: str) -> Program:
        """Raises Invalid."""
        return Program(program_id(id), self.name, self.on.step(), tuple(step.step() for step in self.steps), self.off.step())


class ProgramOut(ProgramIn):
    id: str
    shipped: bool = Field(description="as it was shipped, unchanged")

    @classmethod
    def of(cls, program: Program, *, shipped: bool) -> Self:
        return cls(id=program.id, name=program.name, on=StepModel.of(program.on),
                   steps=[StepModel.of(step) for step in program.steps], off=StepModel.of(program.off), shipped=shipped)


Day = Annotated[tuple[int, int], Field(description="month, day")]


class RuleModel(_In):
    """On which nights a program holds: all conditions that are given must be met by the day of the evening."""

    program: Short
    weekdays: list[Annotated[StrictInt, Field(ge=1, le=7)]] = Field(default_factory=list, max_length=7, description="1 = Monday")
    first: Day | None = None
    last: Day | None = None
    holidays: StrictBool = False
    days: list[date] = Field(default_factory=list, max_length=MAX_DAYS)

    def rule(self) -> Rule:
        return Rule(ProgramId(self.program), frozenset(self.weekdays), self.first, self.last, self.holidays,
                    frozenset(self.days))

    @classmethod
    def of(cls, rule: Rule) -> Self:
        return cls(program=rule.program, weekdays=sorted(rule.weekdays), first=rule.first, last=rule.last,
                   holidays=rule.holidays, days=sorted(rule.days))


class CalendarIn(_In):
    """Which program holds on which night: that of the first rule that is met, else `default`."""

    name: Name
    default: Short
    rules: list[RuleModel] = Field(default_factory=list, max_length=MAX_RULES)

    def calendar(self, id: str) -> Calendar:
        """Raises Invalid."""
        return Calendar(calendar_id(id), self.name, ProgramId(self.default), tuple(rule.rule() for rule in self.rules))


class CalendarOut(CalendarIn):
    id: str
    shipped: bool

    @classmethod
    def of(cls, calendar: Calendar, *, shipped: bool) -> Self:
        return cls(id=calendar.id, name=calendar.name, default=calendar.default, shipped=shipped,
                   rules=[RuleModel.of(rule) for rule in calendar.rules])


class FilterModel(_In):
    """Lamps that have one of the values of each list that is not empty, and a power within the bounds (W)."""

    zones: list[Short] = Field(default_factory=list, max_length=200)
    circuits: list[Short] = Field(default_factory=list, max_length=200)
    lighting_classes: list[Short] = Field(default_factory=list, max_length=200)
    luminaire_types: list[Annotated[str, Field(max_length=120)]] = Field(default_factory=list, max_length=200)
    restrictions: list[Short] = Field(default_factory=list, max_length=10)
    min_power_w: float | None = Field(None, ge=0, le=5000)
    max_power_w: float | None = Field(None, ge=0, le=5000)

    def filter(self) -> Filter:
        """Raises Invalid."""
        return Filter(tuple(self.zones), tuple(self.circuits), tuple(self.lighting_classes), tuple(self.luminaire_types),
                      tuple(self.restrictions), self.min_power_w, self.max_power_w)

    @classmethod
    def of(cls, filter: Filter) -> Self:
        return cls(zones=list(filter.zones), circuits=list(filter.circuits), lighting_classes=list(filter.lighting_classes),
                   luminaire_types=list(filter.luminaire_types), restrictions=list(filter.restrictions),
                   min_power_w=filter.min_power_w, max_power_w=filter.max_power_w)


class GroupIn(_In):
    """Lamps that are meant together: `members`, or those that `filter` finds."""

    name: Name
    members: list[Short] = Field(default_factory=list, max_length=MAX_MEMBERS)
    filter: FilterModel | None = None

    def group(self, tenant: TenantId, id: str) -> Group:
        """Raises Invalid."""
        return Group(tenant, group_id(id), self.name, frozenset(AssetId(one) for one in self.members),
                     self.filter.filter() if self.filter else None)


class GroupOut(GroupIn):
    id: str
    lamps: int = Field(description="how many belong to it now")

    @classmethod
    def of(cls, group: Group, lamps: int) -> Self:
        return cls(id=group.id, name=group.name, members=sorted(group.members), lamps=lamps,
                   filter=FilterModel.of(group.filter) if group.filter else None)


class AssignIn(_In):
    """The calendar that holds for a target; null: whatever holds around it."""

    target: TargetText
    calendar: Short | None

    def chosen(self) -> CalendarId | None:
        return CalendarId(self.calendar) if self.calendar is not None else None


class AssignmentOut(BaseModel):
    target: str
    calendar: str
    at: datetime
    actor: str

    @classmethod
    def of(cls, assignment: Assignment) -> Self:
        return cls(target=str(assignment.target), calendar=assignment.calendar, at=assignment.at, actor=assignment.actor)


class AssignedOut(BaseModel):
    """What a calendar's assignment runs into, and what is assigned then."""

    findings: list[FindingOut]
    assignments: list[AssignmentOut]


class ChangeOut(BaseModel):
    at: datetime
    level: int
    fade_s: int

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(at=change.at, level=change.level, fade_s=change.fade_s)


class NightOut(BaseModel):
    """A night of a lamp: which program holds, and the levels that it gives within the law."""

    evening: date
    program: str
    program_name: str
    sunset: datetime
    sunrise: datetime
    changes: list[ChangeOut]
