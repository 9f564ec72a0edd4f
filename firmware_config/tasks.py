"""A pattern of nights as tasks with windows (Zenosmart). Between its windows such a controller burns at its fallback, so the
day is a window too.

Priorities do what the order of moments cannot: the day (1) goes before single nights (2, 3), and these before the usual ones
(4, 5), so that a window that comes before sunset or after sunrise does nothing, in whatever season.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from city.ids import ProgramId
from city.orders import DayTime, DimTask, DimWindow
from city.places import Site
from city.programs import Anchor, Moment
from firmware_config.course import Course, Pattern
from firmware_config.deviation import Deviation
from firmware_config.families import Family
from firmware_config.profile import DeviceConfig
from firmware_config.sun import EVENING, minutes_of, offset_minutes

DARK, SINGLE, SINGLE_NIGHT, STEPS, NIGHT = 1, 2, 3, 4, 5  # priorities
SINCE = date(2020, 1, 1)  # the first day of a task that has none: always the same, so that it does not change
NOON, DAY = 720, 1440
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _At:
    """A time of a night: of the day of its evening (0) or the next (1)."""

    time: DayTime
    day: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A window, its priority, and the day on which it begins, counted from the evening."""

    window: DimWindow
    priority: int
    day: int


def tasks(pattern: Pattern, courses: Mapping[ProgramId, Course], family: Family, site: Site,
          evening: date) -> tuple[DeviceConfig, list[Deviation]]:
    """The settings that hold the pattern, as it is in the night of `evening`, and what of it they cannot hold."""
    times = _Times(site, 0 if family.local else offset_minutes(evening))
    usual = _usual([courses[program] for program in pattern.nights], times, family.steps)
    if len(usual) > family.slots:
        return DeviceConfig(), [Deviation("The program needs {needed} tasks, and the controller holds {slots}: the platform "
                                          "drives it live.", {"needed": len(usual), "slots": family.slots})]
    kept, left = list(usual), list[date]()
    for day, program in pattern.special:
        more = _on(day, courses[program], times, family.steps)
        if left or len(kept) + len(more) > family.slots:
            left += [day] if day >= evening else []
        else:
            kept += more
    said = [Deviation("{count} single nights to come, {first} the next of them, do not fit into the controller's list: "
                      "the platform drives them live.", {"count": len(left), "first": left[0]})] if left else []
    return DeviceConfig(tasks=(*usual, *sorted(kept[len(usual):], key=lambda one: one.task))), said


class _Times:
    """Moments as the device tells them."""

    def __init__(self, site: Site, shift: int) -> None:
        self._site, self._shift = site, shift

    def of(self, moment: Moment) -> _At:
        """The time of a moment of the night."""
        if moment.anchor is not Anchor.CLOCK:
            evening = moment.anchor in EVENING
            return _At(DayTime(minutes_of(moment, self._site), "sunset" if evening else "sunrise"), 0 if evening else 1)
        return self.clock(moment.minutes if moment.minutes >= NOON else moment.minutes + DAY)

    def clock(self, minute: int) -> _At:
        """So many minutes after the midnight before the evening."""
        day, at = divmod(minute - self._shift, DAY)
        return _At(DayTime(at), day)


def _usual(nights: Sequence[Course], times: _Times, windows: int) -> list[DimTask]:
    on: dict[tuple[DimWindow, int], set[int]] = defaultdict(set)
    for weekday, course in enumerate(nights):
        before = nights[weekday - 1]
        for part in (*_day(before, course, times), *_night(course, times, STEPS, NIGHT)):
            on[part.window, part.priority].add((weekday + part.day) % 7 + 1)
    together: dict[tuple[frozenset[int], int], list[DimWindow]] = defaultdict(list)
    for (window, priority), days in on.items():
        together[frozenset(days), priority].append(window)
    found = [(priority, days, some) for (days, priority), all_ in together.items() for some in _chunks(all_, windows)]
    return [DimTask(number, SINCE, some, priority=priority, days_off=tuple(sorted(set(range(1, 8)) - days)))
            for number, (priority, days, some) in enumerate(sorted(found, key=lambda one: one[0]), 1)]


def _on(day: date, course: Course, times: _Times, windows: int) -> list[DimTask]:
    """The tasks of one night alone, numbered by its date."""
    together: dict[tuple[date, int], list[DimWindow]] = defaultdict(list)
    for part in _night(course, times, SINGLE, SINGLE_NIGHT):
        together[day + part.day * _DAY, part.priority].append(part.window)
    first = int(f"{day:%Y%m%d}") * 10
    found = [(begins, priority, some) for (begins, priority), all_ in together.items() for some in _chunks(all_, windows)]
    return [DimTask(first + number, begins, some, begins, priority) for number, (begins, priority, some) in enumerate(found)]


def _day(before: Course, course: Course, times: _Times) -> Iterator[_Part]:
    """Dark from the end of one night to the beginning of the next."""
    off, on = times.of(before.off.at), times.of(course.on.at)
    if off.time != on.time:
        yield _Part(DimWindow(off.time, on.time, 0), DARK, off.day - 1)


def _night(course: Course, times: _Times, steps: int, night: int) -> Iterator[_Part]:
    on, off = times.of(course.on.at), times.of(course.off.at)
    if on.time != off.time:
        yield _Part(DimWindow(on.time, off.time, course.on.level), night, on.day)
    begins = [times.of(step.at) for step in course.steps]
    for step, begin, end in zip(course.steps, begins, [*begins, times.clock(DAY + NOON)][1:], strict=True):
        if step.level != course.on.level and begin != end:
            yield _Part(DimWindow(begin.time, end.time, step.level), steps, begin.day)


def _chunks(windows: Sequence[DimWindow], size: int) -> Iterable[tuple[DimWindow, ...]]:
    return (tuple(windows[at:at + size]) for at in range(0, len(windows), size))
