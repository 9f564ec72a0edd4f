"""A pattern of nights as a sun calendar with profiles by the clock above it (NAS UL20xx, our own lamp).

The calendar lights from dusk to dawn and clamps the profiles, so that a profile's step that comes before sunset or after
sunrise does what the program means: nothing. A device's day ends at its midnight, so each profile holds the morning of one
night and the evening of the next; the days that come out alike share a profile.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from city.ids import ProgramId
from city.orders import Holidays, Profile, ProfileStep, SunCalendar, SunStep
from city.places import Site
from city.programs import Anchor, Moment, Step
from firmware_config.course import Course, Pattern
from firmware_config.deviation import Deviation
from firmware_config.families import Family
from firmware_config.profile import DeviceConfig
from firmware_config.sun import EVENING, HORIZON, offset_minutes, shortest_night, zenith_of

NOON, DAY, WEEK = 720, 1440, 7 * 1440  # minutes
Value = tuple[int, int | None]  # minute, level; None: the calendar's
Steps = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Sun:
    """The part that the calendar plays. `ceiling`: the level up to which it leaves a profile alone, and at which a profile
    may be silent; None: it has steps of its own within the night."""

    calendar: SunCalendar | None
    ceiling: int | None


def timetable(pattern: Pattern, courses: dict[ProgramId, Course], family: Family, site: Site,
              evening: date) -> tuple[DeviceConfig, list[Deviation]]:
    """The settings that hold the pattern, as it is in the night of `evening`, and what of it they cannot hold."""
    nights = [courses[program] for program in pattern.nights]
    sun, said = _sun(nights, courses.values(), family, site)
    rule = _rule(sun, family, site)
    evenings = [rule(course) for course in nights]
    shift = 0 if family.local else offset_minutes(evening)
    said += _rounded(evenings, family.grain)
    days = _days(evenings, shift, family.grain)
    holidays, kind, more = _holidays(pattern, courses, rule, evenings, days, family, shift)
    profiles, too_many = _profiles(days, kind, family)
    return DeviceConfig(sun_calendar=sun.calendar, holidays=holidays, profiles=profiles), [*said, *more, *too_many]


def _sun(nights: Sequence[Course], courses: Iterable[Course], family: Family, site: Site) -> tuple[_Sun, list[Deviation]]:
    shapes = Counter(_shape(course) for course in nights)
    (on, inner, off), _ = shapes.most_common(1)[0]
    said = [] if len(shapes) == 1 else [Deviation(
        "The controller has one calendar of the sun for all nights: where programs follow the sun otherwise, the platform "
        "drives the lamp live.")]
    brightest = max(course.brightest for course in courses)
    if not family.sun:
        said.append(Deviation("The controller lights from sunset to sunrise by a calendar of its own: only its steps by the "
                              "clock can be told."))
        return _Sun(None, 100), said
    if on is None and off is None:
        return _Sun(_calendar([SunStep(HORIZON, 0)], [SunStep(HORIZON, 0)], False, family, site), 0), said
    falls = [_sun_step(Step(on or Moment(Anchor.SUNSET), brightest), family, site)]
    rises = [_sun_step(Step(off or Moment(Anchor.SUNRISE), 0), family, site)]
    if inner:
        lit = next(course.on.level for course in nights if _shape(course) == (on, inner, off))
        falls = [SunStep(falls[0].zenith, lit),
                 *(_sun_step(step, family, site) for step in inner if step.at.anchor in EVENING)]
        rises = [*(_sun_step(step, family, site) for step in inner if step.at.anchor not in EVENING), *rises]
    return _Sun(_calendar(rises, falls, True, family, site), None if inner else brightest), said


def _shape(course: Course) -> tuple[Moment | None, tuple[Step, ...], Moment | None]:
    """What of a course the sun tells."""
    on, off = (None if step.at.anchor is Anchor.CLOCK else step.at for step in (course.on, course.off))
    return on, tuple(Step(step.at, step.level) for step in course.steps if step.at.anchor is not Anchor.CLOCK), off


def _calendar(rises: Sequence[SunStep], falls: Sequence[SunStep], clamps: bool, family: Family, site: Site) -> SunCalendar:
    latitude, longitude = (round(round(degrees / family.place) * family.place, 7)
                           for degrees in (site.latitude, site.longitude))
    return SunCalendar(latitude, longitude, tuple(rises), tuple(falls), clamps_profiles=clamps)


def _sun_step(step: Step, family: Family, site: Site) -> SunStep:
    return SunStep(zenith_of(step.at, site, family.zenith), step.level)


def _rule(sun: _Sun, family: Family, site: Site) -> Callable[[Course], list[Value]]:
    """How a course becomes steps of a profile: minutes from midnight before its evening (720 is noon), ascending."""
    def rule(course: Course) -> list[Value]:
        steps = list(_by_clock(course, sun))
        return steps if family.sun else list(_at_night_only(steps, latest, earliest))
    sunset, sunrise = shortest_night(site)
    latest, earliest = -(-sunset // family.grain) * family.grain, sunrise // family.grain * family.grain
    return rule


def _by_clock(course: Course, sun: _Sun) -> Iterator[Value]:
    def value(level: int) -> int | None:
        return None if level == ceiling else level
    ceiling = sun.ceiling if sun.ceiling is not None else course.on.level
    by_clock = course.on.at.anchor is Anchor.CLOCK
    begin, end = _minute(course.on.at), _minute(course.off.at)
    yield NOON, value(0) if by_clock and sun.ceiling is not None else value(course.on.level)
    if by_clock:
        yield begin, value(course.on.level)
    for step in course.steps:
        if step.at.anchor is not Anchor.CLOCK:
            ceiling = step.level if sun.ceiling is None else ceiling
        elif not by_clock or _minute(step.at) >= begin:
            yield _minute(step.at), value(step.level)
        else:
            yield begin, value(step.level)
    if course.off.at.anchor is Anchor.CLOCK:
        yield end, value(0)


def _at_night_only(steps: Iterable[Value], latest: int, earliest: int) -> Iterator[Value]:
    """Of a controller whose calendar clamps nothing: no step while it may be day in some season, and silence before."""
    last: int | None = None
    for minute, level in steps:
        if minute >= DAY + earliest:
            break
        yield max(minute, latest), level
        last = level
    if last is not None:
        yield DAY + earliest, None


def _minute(moment: Moment) -> int:
    return moment.minutes if moment.minutes >= NOON else moment.minutes + DAY


def _days(evenings: Sequence[Sequence[Value]], shift: int, grain: int) -> list[Steps]:
    """The steps of each day of the device from Monday to Sunday."""
    events: dict[int, int | None] = {}
    for weekday, steps in enumerate(evenings):
        for minute, level in steps:
            at = weekday * DAY + minute - shift
            events[(at + grain // 2) // grain * grain % WEEK] = level
    times = sorted(events)
    if not times:
        return [()] * 7
    return [_day(day, events, times) for day in range(7)]


def _day(day: int, events: dict[int, int | None], times: Sequence[int]) -> Steps:
    begin = day * DAY
    before = [at for at in times if at < begin] or times
    steps: list[Value] = [(0, events[before[-1]])]
    for at in times:
        if begin <= at < begin + DAY:
            if at == begin:
                steps.clear()
            steps.append((at - begin, events[at]))
    kept = [one for last, one in zip([(0, None), *steps], steps, strict=False) if last[1] != one[1]]
    return tuple(kept)


def _rounded(evenings: Iterable[Sequence[Value]], grain: int) -> list[Deviation]:
    odd = sorted({minute % DAY for steps in evenings for minute, _ in steps if minute % grain})
    return [Deviation("Steps are rounded to {grain} minutes: {before} becomes {after}.",
                      {"grain": grain, "before": _clock(minute), "after": _clock((minute + grain // 2) // grain * grain)})
            for minute in odd]


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _holidays(pattern: Pattern, courses: dict[ProgramId, Course], rule: Callable[[Course], list[Value]],
              evenings: Sequence[Sequence[Value]], days: Sequence[Steps], family: Family,
              shift: int) -> tuple[Holidays | None, Steps | None, list[Deviation]]:
    """The list of days that are none of the week, the steps of such a day, and what they leave out."""
    told: list[date] = []
    kind: Steps | None = None
    left: list[date] = []
    after = False
    for day, program in pattern.special:
        instead, weekday = rule(courses[program]), day.weekday()
        steps = _days([instead if n == weekday else one for n, one in enumerate(evenings)], shift, family.grain)
        after |= day >= pattern.evening and steps[(weekday + 1) % 7] != days[(weekday + 1) % 7]
        if steps[weekday] == days[weekday]:
            continue
        if kind is None and family.holidays:
            kind = steps[weekday]
        (told if steps[weekday] == kind and len(told) < family.holidays else left).append(day)
    holidays = Holidays(tuple(sorted({(day.month, day.day) for day in told}))) if told else None
    return holidays, kind, _said_of(told, [day for day in left if day >= pattern.evening], after)


def _said_of(told: Sequence[date], left: Sequence[date], after: bool) -> list[Deviation]:
    said = []
    if left:
        said.append(Deviation("{count} single nights to come, {first} the next of them, do not fit into the controller's list: "
                              "the platform drives them live.", {"count": len(left), "first": left[0]}))
    if after and told:
        said.append(Deviation("The controller ends a holiday at midnight: the hours after it the platform drives live."))
    return said


def _profiles(days: Sequence[Steps], holiday: Steps | None, family: Family) -> tuple[tuple[Profile, ...], list[Deviation]]:
    groups: dict[Steps, list[int]] = {}
    for weekday, steps in enumerate(days, 1):
        groups.setdefault(steps, []).append(weekday)
    if holiday is not None:
        groups.setdefault(holiday, []).insert(0, 0)
    else:
        max(groups.values(), key=len).insert(0, 0)  # the list of days on which it is a holiday may still be an old one
    wanted = [(steps, tuple(on)) for steps, on in groups.items() if steps]
    fitting = [one for one in wanted if len(one[0]) <= family.steps]
    said = [] if fitting == wanted and len(fitting) <= family.slots else [Deviation(
        "The program has more steps than the controller can hold ({steps} a day, {slots} kinds of days): the platform drives "
        "what is left out live.", {"steps": family.steps, "slots": family.slots})]
    profiles = (Profile(slot, on, tuple(ProfileStep(minute, level) for minute, level in steps))
                for slot, (steps, on) in enumerate(sorted(fitting[:family.slots], key=lambda one: one[1][-1])))
    return tuple(profiles), said
