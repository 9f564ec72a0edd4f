"""Programs and calendars in the words of TALQ 2.7.1 (ControlProgramOne, Calendar), and programs back from there.

TALQ's fixed times hold until the next one and go round the day; its day is taken from noon to noon (dayOffset 12), as our
nights are. The first control of a night stands at noon: it is the level that a lamp is lit with. An astro clock control (Set)
hides the fixed ones until the next astro control, so that steps by the clock and by the sun do not mix there. What TALQ cannot
say is told as the times of one night, and marked: `x-stadtfunk.exact` is false then, and nothing of it is taken back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from city.errors import Invalid, Unsupported
from city.exports.talq import OWN, OWNER, Json, level_command
from city.ids import program_id
from city.nights import BERLIN, Night, curve
from city.programs import Anchor, Calendar, Moment, Program, Rule, Step

NOON = 12 * 60
DAY = 24 * 60
SUN = (Anchor.SUNSET, Anchor.SUNRISE)
MAX_CONTROLS = 100
_Seconds = Annotated[float, Meta(ge=0, le=3600)]
_Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$")]


class _Strict(Struct, forbid_unknown_fields=True, rename="camel"):
    """What is not understood is refused: a program that does something else than it says is worse than none."""


class LevelState(_Strict):
    """The only state that a lamp of ours has."""

    value: Annotated[int, Meta(ge=0, le=100)]
    name: Literal["LevelState"] = "LevelState"


class CommandBase(_Strict):
    """A level, and how gently it is reached."""

    state: LevelState
    ramp_to_level_time: _Seconds = 0
    ramp_from_level_time: _Seconds = 0


class FixedTimeControl(_Strict):
    """From a local time on."""

    start_time: _Clock
    command: CommandBase


class AstroClockTimeControl(_Strict):
    """From so many minutes after a turn of the sun on."""

    offset: int
    solar_event_type: Literal["sunset", "sunrise"]
    operation: Literal["Set", "Max", "Min", "Add", "Sub", "Mul"]
    command: CommandBase


class AbsoluteActivePeriod(_Strict, tag_field="name", tag="AbsoluteActivePeriod"):
    """Lit between two local times."""

    start_time: _Clock
    end_time: _Clock


class AstroClockActivePeriod(_Strict, tag_field="name", tag="AstroClockActivePeriod"):
    """Lit between two turns of the sun, each with an offset in minutes."""

    sunset_offset: int
    sunrise_offset: int


class ControlProgramOne(_Strict):
    """TALQ's program."""

    id: str
    owner_cms: Annotated[str, Meta(max_length=200)] = msgspec.field(name="ownerCMS")
    active_periods: Annotated[list[AbsoluteActivePeriod | AstroClockActivePeriod], Meta(max_length=MAX_CONTROLS)]
    fixed_time_controls: Annotated[list[FixedTimeControl], Meta(max_length=MAX_CONTROLS)]
    astro_clock_time_controls: Annotated[list[AstroClockTimeControl], Meta(max_length=MAX_CONTROLS)] = []
    dynamic_controls: Annotated[list[Any], Meta(max_length=MAX_CONTROLS)] = []
    type: Literal["ControlProgramOne"] = "ControlProgramOne"
    own: dict[str, Any] = msgspec.field(name=OWN, default_factory=dict)


def control_program(program: Program, night: Night) -> Json:
    """A program as TALQ says it; where it cannot, the course of this one night."""
    why = inexact(program)
    periods, fixed, astro = _exact(program) if why is None else _as_of(program, night)
    own = {"name": program.name, "exact": why is None}
    if why is not None:
        own |= {"why": why, "evening": night.evening.isoformat()}
    return {"type": "ControlProgramOne", "id": program.id, "ownerCMS": OWNER, "activePeriods": [periods],
            "fixedTimeControls": fixed, "astroClockTimeControls": astro, OWN: own}


def inexact(program: Program) -> str | None:
    """Why TALQ cannot say this program; None where it can."""
    ends = program.on.at.anchor, program.off.at.anchor
    by = {step.at.anchor for step in program.steps}
    if ends not in ((Anchor.SUNSET, Anchor.SUNRISE), (Anchor.CLOCK, Anchor.CLOCK)):
        return "An active period lies between sunset and sunrise, or between two local times."
    if ends[0] is Anchor.CLOCK and _after_noon(program.on.at.minutes) >= _after_noon(program.off.at.minutes):
        return "It begins after it ends: no lamp is lit."
    if not (by <= {Anchor.CLOCK} or by <= set(SUN)):
        return "Its steps must all be by the clock, or all by sunset and sunrise."
    if not _in_order(program):
        return "Its steps are not in the order of a night."
    return "The end of an active period has no ramp." if program.off.fade_s else None


def program_of(body: object) -> Program:
    """The program that a ControlProgramOne describes. Raises Invalid for what is none, Unsupported for what no lamp here can
    do."""
    try:
        talq = msgspec.convert(body, ControlProgramOne)
    except msgspec.ValidationError as error:
        raise Invalid("This is no control program: {what}", field="body", rule="ControlProgramOne",
                      what=str(error)[:200]) from None
    _refuse_foreign(talq)
    on, off = _ends(talq.active_periods[0])
    first, steps = _steps(talq)
    return Program(program_id(talq.id), str(talq.own.get("name") or talq.id), Step(on, first.level, first.fade_s), tuple(steps),
                   Step(off, 0))


def calendar(calendar: Calendar, land: str, today: date) -> Json:
    """A calendar as TALQ says it. Holidays and single days are written out, from yesterday to the end of next year."""
    evenings = _evenings(today)
    rules = [talq for rule in calendar.rules for talq in _rules(rule, land, evenings)]
    own = {"name": calendar.name, "writtenOutUntil": evenings[-1].isoformat()}
    return {"id": calendar.id, "ownerCMS": OWNER, "rules": rules, "defaultProgram": calendar.default, OWN: own}


def _in_order(program: Program) -> bool:
    """Of steps before a night begins, ours counts the last in the list and TALQ's the last in time: they must be the same."""
    places = [(SUN.index(step.at.anchor), step.at.minutes) if step.at.anchor in SUN else (0, _after_noon(step.at.minutes))
              for step in program.steps]
    both = {turn for turn, _ in places} == {0, 1}
    early = any(turn == 0 and minutes < program.on.at.minutes for turn, minutes in places)
    return places == sorted(places) and not (both and early)


def _exact(program: Program) -> tuple[Json, list[Json], list[Json]]:
    by_clock = {step.at.minutes: step for step in program.steps if step.at.anchor is Anchor.CLOCK}  # the last one holds
    by_sun = {(step.at.anchor, step.at.minutes): step for step in program.steps if step.at.anchor is not Anchor.CLOCK}
    fixed = {NOON: program.on, **by_clock}
    return (_period(program), [_fixed(minutes, fixed[minutes]) for minutes in sorted(fixed)],
            [_astro(step) for step in by_sun.values()])


def _as_of(program: Program, night: Night) -> tuple[Json, list[Json], list[Json]]:
    """The changes of one night, as local times; of two in one minute the later holds. A night without light is dark all day."""
    changes = curve(program, night)[1:]
    times = [change.at.astimezone(BERLIN) for change in changes]
    minutes = [60 * at.hour + at.minute for at in times]
    if not changes:
        return _absolute(NOON, NOON), [_fixed(NOON, Step(program.on.at, 0))], []
    levels = {at: Step(program.on.at, change.level, change.fade_s) for at, change in zip(minutes, changes, strict=True)}
    lit = {NOON: Step(program.on.at, changes[0].level, changes[0].fade_s)} | levels
    end = minutes[-1] if changes[-1].level == 0 else NOON
    return _absolute(minutes[0], end), [_fixed(at, lit[at]) for at in sorted(lit)], []


def _period(program: Program) -> Json:
    on, off = program.on.at, program.off.at
    if on.anchor is Anchor.CLOCK:
        return _absolute(on.minutes, off.minutes)
    return {"name": "AstroClockActivePeriod", "sunsetOffset": on.minutes, "sunriseOffset": off.minutes}


def _absolute(start: int, end: int) -> Json:
    return {"name": "AbsoluteActivePeriod", "startTime": _hms(start), "endTime": _hms(end)}


def _fixed(minutes: int, step: Step) -> Json:
    return {"startTime": _hms(minutes), "command": level_command(step.level, step.fade_s)}


def _astro(step: Step) -> Json:
    return {"offset": step.at.minutes, "solarEventType": step.at.anchor.value, "operation": "Set",
            "command": level_command(step.level, step.fade_s)}


def _refuse_foreign(talq: ControlProgramOne) -> None:
    commands = [*(one.command for one in talq.fixed_time_controls), *(one.command for one in talq.astro_clock_time_controls)]
    for foreign, error in (
            (talq.dynamic_controls, Unsupported("No lamp here knows dynamic controls.", field="dynamicControls", rule="none")),
            (len(talq.active_periods) != 1, Unsupported("A program here has exactly one active period.", field="activePeriods",
                                                        rule="one")),
            (any(one.operation != "Set" for one in talq.astro_clock_time_controls),
             Unsupported("Astro clock controls here can only Set a level.", field="operation", rule="Set")),
            (any(command.ramp_from_level_time for command in commands),
             Unsupported("No lamp here knows a ramp from a level.", field="rampFromLevelTime", rule="0")),
            (any(command.ramp_to_level_time % 1 for command in commands),
             Unsupported("Ramps here last whole seconds.", field="rampToLevelTime", rule="whole seconds")),
            (talq.own.get("exact") is False,
             Unsupported("This was only the course of one night, not the program.", field=OWN, rule="exact"))):
        if foreign:
            raise error


def _ends(period: AbsoluteActivePeriod | AstroClockActivePeriod) -> tuple[Moment, Moment]:
    if isinstance(period, AstroClockActivePeriod):
        return Moment(Anchor.SUNSET, period.sunset_offset), Moment(Anchor.SUNRISE, period.sunrise_offset)
    start, end = _minutes(period.start_time), _minutes(period.end_time)
    if _after_noon(start) >= _after_noon(end):
        raise Unsupported("An active period here lies between two noons.", field="activePeriods", rule="noon to noon")
    return Moment(Anchor.CLOCK, start), Moment(Anchor.CLOCK, end)


def _steps(talq: ControlProgramOne) -> tuple[Step, list[Step]]:
    """What a night begins with, and the steps that follow."""
    fixed = [Step(Moment(Anchor.CLOCK, _minutes(one.start_time)), *_level(one.command)) for one in talq.fixed_time_controls]
    if any(one.at.minutes >= other.at.minutes for one, other in pairwise(fixed)):
        raise Invalid("Fixed times must increase.", field="fixedTimeControls", rule="increasing")
    astro = [Step(Moment(Anchor(one.solar_event_type), one.offset), *_level(one.command))
             for one in talq.astro_clock_time_controls]
    if len({one.at for one in astro}) < len(astro):
        raise Invalid("Two controls have the same time.", field="astroClockTimeControls", rule="unique")
    first = _at_noon(fixed)
    steps = sorted((one for one in fixed if one.at.minutes != NOON), key=lambda one: _after_noon(one.at.minutes))
    if steps and astro:
        raise Unsupported("Fixed times and astro clock controls cannot be mixed here: the latter hide the former.",
                          field="astroClockTimeControls", rule="not mixed")
    return first, steps or astro


def _at_noon(fixed: Sequence[Step]) -> Step:
    """What holds at noon: the control there, else the last one before, around the day; else full light."""
    before = max(fixed, key=lambda one: (one.at.minutes - NOON - 1) % DAY, default=None)
    if before is None:
        return Step(Moment(Anchor.CLOCK, NOON), 100)
    return before if before.at.minutes == NOON else Step(before.at, before.level)


def _level(command: CommandBase) -> tuple[int, int]:
    return command.state.value, int(command.ramp_to_level_time)


def _minutes(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    if seconds != "00":
        raise Unsupported("Times here are whole minutes.", field="startTime", rule="hh:mm:00")
    return 60 * int(hours) + int(minutes)


def _hms(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}:00"


def _after_noon(minutes: int) -> int:
    return (minutes - NOON) % DAY


def _evenings(today: date) -> list[date]:
    first, last = today - timedelta(days=1), date(today.year + 1, 12, 31)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _rules(rule: Rule, land: str, evenings: Sequence[date]) -> Iterator[Json]:
    """One rule of ours: TALQ's has a range of dates and one condition."""
    if rule.holidays or rule.days:
        for first, last in _runs(one for one in evenings if rule.meets(one, land)):
            yield {"startDate": first.isoformat(), "endDate": last.isoformat(), "program": rule.program}
        return
    condition = {"condition": {"type": "ccDay", "days": _week(rule.weekdays)}} if rule.weekdays else {}
    for first, last in _ranges(rule):
        yield {"startDate": first, "endDate": last, **condition, "program": rule.program} if first \
            else {**condition, "program": rule.program}


def _ranges(rule: Rule) -> list[tuple[str, str]]:
    """A range that passes the turn of the year is two."""
    if rule.first is None or rule.last is None:
        return [("", "")]
    if rule.first <= rule.last:
        return [(_day(rule.first), _day(rule.last))]
    return [(_day(rule.first), "--12-31"), ("--01-01", _day(rule.last))]


def _day(of: tuple[int, int]) -> str:
    return f"--{of[0]:02}-{of[1]:02}"


def _week(weekdays: Iterable[int]) -> list[Mapping[str, int]]:
    return [{"start": first} if first == last else {"start": first, "end": last}
            for first, last in _runs(weekdays)]


def _runs(values: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Consecutive days, or numbers of days, put together."""
    runs: list[tuple[Any, Any]] = []
    for value in sorted(values):
        step = timedelta(days=1) if isinstance(value, date) else 1
        if runs and runs[-1][1] + step == value:
            runs[-1] = runs[-1][0], value
        else:
            runs.append((value, value))
    return runs
