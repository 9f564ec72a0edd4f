"""Calendars, profiles and tasks through the nights on which clocks change, leap days and midnights."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal

import pytest

from city.orders import DayTime, DimTask, DimWindow, Holidays, Position, Profile, ProfileStep, SunCalendar, SunStep
from city.readings import NS, to_ns
from city.sun import night
from simulator.tasks import SLOTS, Tasks
from simulator.timetable import Sky, Timetable
from tests.simulator.conftest import PLACE, Pole

MakePole = Callable[..., Pole]
HOUR = 3600 * NS
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6, 7)


def at(*when: int) -> int:
    return to_ns(datetime(*when, tzinfo=UTC))  # type: ignore[arg-type, misc]


def changes(table: Timetable | Tasks, begin: int, end: int) -> list[tuple[datetime, object]]:
    """When it wants something else, by asking it when to ask again."""
    found, now = [(begin, table.wanted(begin))], begin
    while (now := table.next_change(now)) < end:
        if table.wanted(now) != found[-1][1]:
            found.append((now, table.wanted(now)))
    return [(datetime.fromtimestamp(when // NS, UTC), what) for when, what in found]


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29), date(2026, 12, 31)])
def test_the_sun_calendar_knows_no_summer_time_and_every_day_of_the_year(day: date) -> None:
    table = Timetable(Sky(PLACE), PLACE.longitude)
    begin = to_ns(datetime(day.year, day.month, day.day, 10, tzinfo=UTC))
    evening, morning = night(PLACE, day)
    found = changes(table, begin, begin + 24 * HOUR)
    assert [(when, what[0]) for when, what in found[1:3]] == [  # type: ignore[index]
        (evening.replace(microsecond=0), 100), (morning.replace(microsecond=0), 0)]


def test_a_profile_s_steps_stay_at_their_utc_minute_through_both_changes_of_the_clock() -> None:
    table = Timetable(Sky(PLACE), PLACE.longitude)
    table.keep(Profile(0, EVERY_DAY, (ProfileStep(0, 20), ProfileStep(150, 70), ProfileStep(1380, 20))))
    for begin in (at(2026, 3, 28, 22), at(2026, 10, 24, 22)):
        steps = [(when.hour, when.minute, what[0]) for when, what in changes(table, begin, begin + 28 * HOUR)]  # type: ignore[index]
        assert (2, 30, 70) in steps
        assert (23, 0, 20) in steps
        assert len(steps) == 4


def test_the_leap_day_may_be_a_holiday_and_has_a_weekday() -> None:
    table = Timetable(Sky(PLACE), PLACE.longitude)
    table.keep(Profile(1, (2,), (ProfileStep(0, 60),)))  # 29 February 2028 is a Tuesday
    table.keep(Profile(2, (0,), (ProfileStep(0, 10),)))
    assert table.wanted(at(2028, 2, 29, 1)) == (60, "profile-1")
    table.holidays = Holidays(((2, 29),))
    assert table.wanted(at(2028, 2, 29, 1)) == (10, "profile-2")
    assert table.wanted(at(2028, 3, 7, 1)) == (60, "profile-1")


def test_a_newer_profile_takes_the_slot_of_the_one_before_and_the_lowest_slot_goes_first() -> None:
    table = Timetable(Sky(PLACE), PLACE.longitude)
    for slot, level in ((3, 30), (1, 10), (1, 15)):
        table.keep(Profile(slot, EVERY_DAY, (ProfileStep(0, level),)))
    assert table.wanted(at(2026, 5, 1, 1)) == (15, "profile-1")
    assert [one.slot for one in table.profiles] == [1, 3]


def test_a_lamp_that_is_told_its_place_follows_the_sun_there(make_pole: MakePole) -> None:
    evening, _ = night(PLACE, date(2026, 11, 21))
    pole = make_pole(start=evening - timedelta(hours=2)).settled()
    pole.order(Position(PLACE.latitude, PLACE.longitude + 15))
    pole.until(evening - timedelta(minutes=59))
    assert pole.lamp.level == 100


def test_a_step_that_the_sun_does_not_reach_is_skipped() -> None:
    table = Timetable(Sky(PLACE), PLACE.longitude)
    table.calendar = SunCalendar(60.0, 8.0, (SunStep(90.8, 0),), (SunStep(90.8, 50), SunStep(108.0, 90)))
    june, december = ({what[1] for _, what in changes(table, begin, begin + 48 * HOUR)}  # type: ignore[index]
                      for begin in (at(2026, 6, 20, 12), at(2026, 12, 20, 12)))
    assert "dusk-1" not in june
    assert "dusk-1" in december


def test_a_calendar_that_clamps_lets_no_profile_light_by_day() -> None:
    table = Timetable(Sky(PLACE), PLACE.longitude)
    calendar = SunCalendar(PLACE.latitude, PLACE.longitude, (SunStep(90.83, 0),), (SunStep(90.83, 80),), clamps_profiles=True)
    table.keep(Profile(0, EVERY_DAY, (ProfileStep(0, 40), ProfileStep(300, 100))))
    for clamps, levels in ((True, [40, 80, 0]), (False, [40, 100, 100])):
        table.calendar = SunCalendar(calendar.latitude, calendar.longitude, calendar.sunrise, calendar.sunset, clamps)
        assert [table.wanted(at(2026, 11, 23, hour))[0] for hour in (2, 5, 12)] == levels


def task(number: int, begin: DayTime, end: DayTime, level: int, *, priority: int = 1, replaces: bool = False,
         days: Literal["daily", "odd", "even", "cycle"] = "daily", days_off: tuple[int, ...] = (), cycle: int = 0,
         last_day: date | None = None) -> DimTask:
    return DimTask(number, date(2026, 1, 1), (DimWindow(begin, end, level),), last_day, priority, days, days_off, cycle,
                   replaces=replaces)


def test_a_window_passes_midnight_and_ends_at_sunrise() -> None:
    tasks = Tasks(Sky(PLACE))
    assert tasks.put(task(1, DayTime(22 * 60), DayTime(-30, "sunrise"), 40))
    _, sunrise = night(PLACE, date(2026, 10, 24))
    found = changes(tasks, at(2026, 10, 24, 12), at(2026, 10, 25, 12))
    assert [(when, what) for when, what in found[1:]] == [
        (datetime(2026, 10, 24, 22, tzinfo=UTC), 40), (sunrise.replace(microsecond=0) - timedelta(minutes=30), None)]


def test_the_smaller_priority_goes_first_and_then_the_newer_task() -> None:
    tasks, night_long = Tasks(Sky(PLACE)), (DayTime(20 * 60), DayTime(6 * 60))
    for number, level, priority in ((1, 100, 3), (2, 50, 3), (3, 20, 1)):
        assert tasks.put(task(number, *night_long, level, priority=priority))
    assert tasks.wanted(at(2026, 11, 1, 23)) == 20
    assert tasks.remove(3, 1)
    assert tasks.wanted(at(2026, 11, 1, 23)) == 50
    assert tasks.wanted(at(2026, 11, 1, 12)) is None


def test_days_are_odd_even_in_cycles_or_without_some_and_end() -> None:
    def runs(**facts: object) -> list[int]:
        tasks = Tasks(Sky(PLACE))
        tasks.put(task(1, DayTime(60), DayTime(120), 40, **facts))  # type: ignore[arg-type]
        return [day for day in range(1, 15) if tasks.wanted(at(2028, 2, 20, 1, 30) + day * 24 * HOUR) is not None]
    assert runs(days="odd") == [1, 3, 5, 7, 9, 10, 12, 14]  # 29 February and 1 March are both odd
    assert runs(days="even") == [2, 4, 6, 8, 11, 13]
    gaps = [later - earlier for earlier, later in pairwise(runs(days="cycle", cycle=4))]
    assert set(gaps) == {4}
    assert runs(days_off=(6, 7)) == [1, 2, 3, 4, 5, 8, 9, 10, 11, 12]
    assert runs(last_day=date(2028, 2, 24)) == [1, 2, 3, 4]


def test_there_is_room_for_twenty_and_numbers_are_new_or_known() -> None:
    tasks = Tasks(Sky(PLACE))
    assert not tasks.put(task(1, DayTime(60), DayTime(120), 40, replaces=True))
    assert all(tasks.put(task(number, DayTime(60), DayTime(120), 40)) for number in range(SLOTS))
    assert not tasks.put(task(99, DayTime(60), DayTime(120), 40))
    assert not tasks.put(task(3, DayTime(60), DayTime(120), 40))
    assert tasks.put(task(3, DayTime(60), DayTime(120), 70, replaces=True))
    assert not tasks.remove(99, 1)
    assert len(tasks.slots) == SLOTS
