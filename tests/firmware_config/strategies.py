"""Any DeviceConfig, for properties."""

from dataclasses import replace
from datetime import date

from hypothesis import strategies as st

from city.orders import (
    AlarmLimits,
    DayTime,
    DimTask,
    DimWindow,
    Holidays,
    Position,
    Profile,
    ProfileStep,
    SunCalendar,
    SunStep,
)
from firmware_config.profile import DeviceConfig


def _pair(most):
    both = st.lists(st.integers(0, most), min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(both, st.tuples(st.none(), st.integers(0, most)), st.tuples(st.integers(0, most), st.none()))


limits = st.builds(
    lambda power, voltage, factor: AlarmLimits(power[0], power[1], voltage[0], voltage[1], factor),
    _pair(2000), _pair(500), st.one_of(st.none(), st.floats(0, 1)))
positions = st.builds(Position, st.floats(-90, 90), st.floats(-180, 180))
configs = st.builds(
    DeviceConfig,
    *(st.one_of(st.none(), part) for part in (
        st.integers(60, 86_400), st.integers(60, 86_400), st.integers(0, 100), limits, positions)))

levels = st.integers(0, 100)
sun_steps = st.lists(st.builds(lambda hundredths, level: SunStep(hundredths / 100, level), st.integers(0, 18_000), levels),
                     max_size=3).map(tuple)
calendars = st.builds(lambda north, east, rise, fall, clamps: SunCalendar(north / 100, east / 100, rise, fall, clamps),
                      st.integers(-9000, 9000), st.integers(-18_000, 18_000), sun_steps, sun_steps, st.booleans())
profiles = st.lists(
    st.builds(lambda slot, days, steps: Profile(slot, tuple(sorted(days)),
                                                tuple(ProfileStep(*one) for one in sorted(steps.items()))),
              st.integers(0, 15), st.sets(st.integers(0, 7), min_size=1),
              st.dictionaries(st.integers(0, 1439), st.one_of(st.none(), levels), min_size=1, max_size=9)),
    max_size=4, unique_by=lambda one: one.slot).map(lambda some: tuple(sorted(some, key=lambda one: one.slot)))
day_times = st.one_of(st.builds(DayTime, st.integers(0, 1439)),
                      st.builds(DayTime, st.integers(-60, 60), st.sampled_from(["sunrise", "sunset"])))
windows = st.tuples(day_times, day_times, levels).filter(lambda one: one[0] != one[1]).map(lambda one: DimWindow(*one))
tasks = st.lists(
    st.builds(DimTask, st.integers(-2**31, 2**31 - 1), st.dates(date(2000, 1, 1), date(2050, 1, 1)),
              st.lists(windows, min_size=1, max_size=4).map(tuple),
              st.one_of(st.none(), st.dates(date(2051, 1, 1), date(2099, 1, 1))),
              st.integers(1, 5), st.just("daily"), st.sets(st.integers(1, 7)).map(lambda days: tuple(sorted(days)))),
    max_size=5, unique_by=lambda one: one.task).map(tuple)
holidays = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 31)), max_size=40).map(lambda days: Holidays(tuple(days)))
programs = st.builds(
    lambda config, sun, feasts, by_clock, by_task: replace(config, sun_calendar=sun, holidays=feasts, profiles=by_clock,
                                                           tasks=by_task),
    configs, *(st.one_of(st.none(), part) for part in (calendars, holidays, profiles, tasks)))
