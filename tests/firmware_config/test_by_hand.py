"""What people set at a controller by hand is held against the law before it is told: nobody would see it otherwise."""

from datetime import UTC, date, datetime

import pytest

from city.errors import Invalid
from city.orders import DayTime, DimTask, DimWindow, Holidays, Profile, ProfileStep, SunCalendar, SunStep, kept_as, to_json
from firmware_config.by_hand import check_by_hand
from firmware_config.families import FAMILIES
from firmware_config.profile import DeviceConfig
from tests.city.lighted import SITE, lamp

NOW = datetime(2026, 6, 22, 10, tzinfo=UTC)
NAS, TASKS = FAMILIES["nas/ul20xx"], FAMILIES["zenosmart/lcc"]
WORKDAYS, SUNDAY, HOLIDAY = (1, 2, 3, 4, 5, 6), (7,), (0,)


def profile(days: tuple[int, ...], level: int, *, slot: int = 3) -> Profile:
    """From ten at night (UTC) on so bright; at three the sun decides again."""
    return Profile(slot, days, (ProfileStep(0, level), ProfileStep(180, None), ProfileStep(1320, level)))


def refused(config: DeviceConfig, family=NAS, confirmed=(), **more) -> str:
    """The rule by which it is refused; "" where it is not."""
    try:
        check_by_hand(config, {kept_as(one): to_json(one).decode() for one in confirmed}, lamp(1, **more), family, SITE, NOW)
    except Invalid as error:
        return error.rule
    return ""


def test_a_lamp_is_not_put_out_at_night_by_its_own_profile_without_the_ring():
    assert refused(DeviceConfig(profiles=(profile(WORKDAYS, 0),))) == "StVO 394"
    assert refused(DeviceConfig(profiles=(profile(WORKDAYS, 0),)), lantern_ring=True) == ""
    assert refused(DeviceConfig(profiles=(profile(WORKDAYS, 30),))) == ""


@pytest.mark.parametrize("days", [WORKDAYS, SUNDAY, HOLIDAY])
def test_neither_on_any_day_of_the_week_nor_on_a_holiday(days):
    config = DeviceConfig(profiles=(profile(days, 0),), holidays=Holidays(((12, 24), (2, 29))))
    assert refused(config) == "StVO 394"


def test_a_floor_and_a_crossing_are_kept():
    config = DeviceConfig(profiles=(profile(WORKDAYS, 30),))
    assert refused(config, min_level=40) == "floor"
    assert refused(config, min_level=30) == ""
    assert refused(config, crossing=True) == "DIN 67523"
    assert refused(DeviceConfig(profiles=(profile(WORKDAYS, 100),)), crossing=True) == ""


def test_a_calendar_of_the_sun_that_ends_before_the_night_does_is_dark():
    def sun(zenith: float) -> DeviceConfig:
        return DeviceConfig(sun_calendar=SunCalendar(50.99, 8.11, (SunStep(zenith, 0),), (SunStep(90.8, 100),)))

    assert refused(sun(90.8)) == ""
    assert refused(sun(110.0)) == "StVO 394"


def test_what_the_lamp_holds_already_counts_too():
    held = (profile(WORKDAYS, 0),)
    assert refused(DeviceConfig(holidays=Holidays(())), confirmed=held) == "StVO 394"
    assert refused(DeviceConfig(status_interval_s=600), confirmed=held) == ""


def test_the_fallback_is_no_darker_than_the_lamp_may_be():
    for family in (NAS, None):
        assert refused(DeviceConfig(fallback_level=0), family) == "StVO 394"
        assert refused(DeviceConfig(fallback_level=0), family, lantern_ring=True) == ""
        assert refused(DeviceConfig(fallback_level=60), family, min_level=70) == "floor"
        assert refused(DeviceConfig(fallback_level=99), family, crossing=True) == "DIN 67523"
        assert refused(DeviceConfig(fallback_level=70), family, min_level=70) == ""


def test_of_tasks_the_windows_and_what_holds_outside_of_them_are_judged_together():
    night = DimTask(1, date(2026, 1, 1), (DimWindow(DayTime(0, "sunset"), DayTime(0, "sunrise"), 60),))
    assert refused(DeviceConfig(tasks=(night,), fallback_level=0), TASKS) == ""
    assert refused(DeviceConfig(fallback_level=0), TASKS, confirmed=(night,)) == ""
    short = DimTask(1, date(2026, 1, 1), (DimWindow(DayTime(0, "sunset"), DayTime(60), 60),))
    assert refused(DeviceConfig(tasks=(short,), fallback_level=0), TASKS) == "StVO 394"
