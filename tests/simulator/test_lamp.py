"""A lamp controller does as its manual says, and its power as physics says."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from city.orders import (
    AlarmLimits,
    FallbackLevel,
    LevelNotice,
    Profile,
    ProfileStep,
    ReadStatus,
    Reboot,
    Resume,
    SetLevel,
    StatusInterval,
    SunCalendar,
    SunStep,
    UsageInterval,
)
from city.sun import night
from decoders.codec import Frame
from simulator.lamp import DIM, STATUS, SYSTEM, USAGE, expected_power, power_factor
from tests.simulator.conftest import NIGHT, PLACE, Pole

MakePole = Callable[..., Pole]


@pytest.mark.parametrize(("level", "watts"), [(0, 0.5), (100, 64.0), (75, 44.4), (10, 5.9), (50, 27.1)])
def test_power_follows_the_known_record_of_a_64_w_luminaire(level: int, watts: float) -> None:
    assert expected_power(64, level) == pytest.approx(watts, abs=0.1)


def test_power_factor_falls_with_the_load_and_stays_a_factor() -> None:
    factors = [power_factor(level) for level in range(0, 101, 10)]
    assert factors == sorted(factors)
    assert factors[-1] == pytest.approx(0.97, abs=0.01)
    assert power_factor(100) <= 1


def test_it_burns_at_its_fallback_until_it_knows_the_time_and_then_by_the_calendar(make_pole: MakePole) -> None:
    pole = make_pole(start=datetime(2026, 11, 21, 11, tzinfo=UTC))
    pole.lamp.start()
    assert (pole.lamp.level, pole.lamp.reason) == (100, "fallback")
    assert pole.said(SYSTEM)[0][1]["device.firmware"] == "1.1.8"
    pole.run(31)
    assert (pole.lamp.level, pole.lamp.reason) == (0, "calendar-day")


def test_it_switches_at_sunset_and_sunrise(make_pole: MakePole) -> None:
    sunset, sunrise = night(PLACE, date(2026, 11, 21))
    pole = make_pole(start=sunset - timedelta(hours=1)).settled()
    pole.until(sunset - timedelta(seconds=5))
    assert pole.lamp.level == 0
    pole.until(sunset + timedelta(seconds=10))
    assert (pole.lamp.level, pole.lamp.reason) == (100, "calendar-night")
    pole.until(sunrise - timedelta(seconds=5))
    assert pole.lamp.level == 100
    pole.until(sunrise + timedelta(seconds=10))
    assert (pole.lamp.level, pole.lamp.reason) == (0, "calendar-day")


def test_timed_dimming_ends_by_itself_to_the_minute(pole: Pole) -> None:
    pole.settled().order(SetLevel(40, minutes=5))
    assert (pole.lamp.level, pole.lamp.reason) == (40, "manual")
    pole.run(299)
    assert pole.lamp.level == 40
    pole.run(2)
    assert (pole.lamp.level, pole.lamp.reason) == (100, "calendar-night")


def test_a_newer_timed_order_is_not_ended_by_the_older_one(pole: Pole) -> None:
    pole.settled().order(SetLevel(40, minutes=5))
    pole.run(60)
    pole.order(SetLevel(20, minutes=30))
    pole.run(600)
    assert pole.lamp.level == 20


def test_untimed_dimming_lasts_until_resume(pole: Pole) -> None:
    pole.settled().order(SetLevel(30))
    pole.run(86_400)
    assert (pole.lamp.level, pole.lamp.reason) == (30, "manual")
    pole.order(Resume())
    assert pole.lamp.reason in ("calendar-night", "calendar-day")


def test_an_accepted_order_is_repeated_on_its_port(pole: Pole) -> None:
    frame = pole.settled().order(SetLevel(40, minutes=5))
    pole.run(3)
    assert frame in [sent for _, sent in pole.frames]
    [(_, said)] = pole.said(DIM)
    assert said == {"device.echo": f"60:{frame.data.hex()}"}


@pytest.mark.parametrize(("frame", "refusal"), [
    (Frame(60, bytes.fromhex("7700")), "60:0a"),  # unknown header
    (Frame(60, bytes.fromhex("09fe28")), "60:03"),  # too short
    (Frame(77, b"\x01"), "77:02"),  # unknown port
    (Frame(50, bytes.fromhex("0701000000")), None),  # an interval of one second
])
def test_nonsense_is_refused_on_port_99_and_never_repeated(pole: Pole, frame: Frame, refusal: str | None) -> None:
    pole.settled().lamp.receive(frame)
    pole.run(3)
    [(_, said)] = pole.said(SYSTEM)
    assert said["device.rejected"].startswith(f"{frame.port}:")
    assert refusal is None or said["device.rejected"] == refusal
    assert frame not in [sent for _, sent in pole.frames]
    assert pole.lamp.level == 100


def test_a_change_of_level_is_reported_within_twenty_seconds_and_once(pole: Pole) -> None:
    pole.settled().order(SetLevel(40, minutes=60))
    pole.run(20.5)
    [(at, said)] = pole.said(STATUS)
    assert at <= NIGHT + timedelta(seconds=111)
    assert (said["lamp.level"], said["lamp.reason"]) == (40, "manual")


def test_the_notice_keeps_the_time_it_was_configured_with(pole: Pole) -> None:
    pole.settled().order(StatusInterval(86_400))
    pole.order(LevelNotice(60, 600))
    pole.run(900)
    pole.frames.clear()
    pole.order(SetLevel(40, minutes=60))
    pole.run(61)
    pole.order(SetLevel(50, minutes=60))
    pole.run(500)
    assert [said["lamp.level"] for _, said in pole.said(STATUS)] == [40]
    pole.run(200)
    assert [said["lamp.level"] for _, said in pole.said(STATUS)] == [40, 50]


def test_status_comes_at_its_interval_and_at_the_one_it_is_told(pole: Pole) -> None:
    pole.settled()
    pole.run(6000)
    assert 9 <= len(pole.said(STATUS)) <= 11
    pole.order(StatusInterval(60))
    pole.frames.clear()
    pole.run(6000)
    assert 95 <= len(pole.said(STATUS)) <= 103


def test_the_meter_counts_what_the_lamp_draws(pole: Pole) -> None:
    pole.settled().order(UsageInterval(60))
    pole.order(SetLevel(50, minutes=120))
    pole.run(70)
    pole.frames.clear()
    pole.run(3600)
    reports = [said for _, said in pole.said(USAGE)]
    metered = reports[-1]["lamp.energy"] - reports[0]["lamp.energy"]
    hours = (len(reports) - 1) / 60
    assert metered == pytest.approx(expected_power(40, 50) * hours, rel=0.1)
    assert all(abs(said["lamp.power"] - expected_power(40, 50)) < 2 for said in reports)
    assert all(223 <= said["lamp.voltage"] <= 237 for said in reports)
    assert reports[-1]["lamp.burn_time"] - reports[0]["lamp.burn_time"] == pytest.approx(3600 * hours, rel=0.02)


def test_a_dark_lamp_draws_standby_and_counts_no_burning_hours(make_pole: MakePole) -> None:
    pole = make_pole(start=datetime(2026, 6, 21, 10, tzinfo=UTC)).settled()
    pole.run(100)
    before, burnt = pole.lamp.energy_wh, pole.lamp.burn_s
    pole.run(28_800)
    pole.order(ReadStatus(status=False, usage=True))
    pole.run(10)
    assert pole.lamp.energy_wh - before == pytest.approx(4.0, rel=0.1)
    assert pole.lamp.burn_s - burnt < 60


def test_read_status_is_answered_in_seconds(pole: Pole) -> None:
    pole.settled().order(ReadStatus(status=True, usage=True))
    pole.run(10)
    assert len(pole.said(STATUS)) == len(pole.said(USAGE)) == 1


def test_settings_are_kept(pole: Pole) -> None:
    pole.settled().order(FallbackLevel(35))
    pole.order(AlarmLimits(min_power=None, max_power=10))
    pole.run(700)
    assert pole.lamp.fallback == 35
    assert pole.said(STATUS)[-1][1]["lamp.alert_power"] is True


def test_a_reboot_forgets_manual_dimming_and_says_so(pole: Pole) -> None:
    pole.settled().order(SetLevel(10))
    pole.order(FallbackLevel(35))
    pole.order(Reboot())
    pole.run(8)
    assert pole.said(SYSTEM)[-1][1]["device.boot"] == "soft"
    assert (pole.lamp.level, pole.lamp.reason) == (35, "fallback")
    pole.run(60)
    assert pole.lamp.reason == "calendar-night"


def test_a_profile_stands_above_the_calendar_until_it_falls_silent(make_pole: MakePole) -> None:
    pole = make_pole(start=datetime(2026, 11, 23, 20, tzinfo=UTC)).settled()
    pole.order(Profile(0, (1, 2, 3, 4, 5), (ProfileStep(22 * 60, 20), ProfileStep(23 * 60, None))))
    assert pole.lamp.level == 100
    pole.until(datetime(2026, 11, 23, 22, 0, 10, tzinfo=UTC))
    assert (pole.lamp.level, pole.lamp.reason) == (20, "profile-0")
    pole.until(datetime(2026, 11, 23, 23, 0, 10, tzinfo=UTC))
    assert (pole.lamp.level, pole.lamp.reason) == (100, "calendar-night")


def test_a_sun_calendar_replaces_the_one_it_came_with(make_pole: MakePole) -> None:
    pole = make_pole(start=datetime(2026, 11, 21, 12, tzinfo=UTC)).settled()
    pole.order(SunCalendar(51.0, 8.11, sunrise=(SunStep(90.8, 0),), sunset=(SunStep(90.8, 60), SunStep(96.0, 80))))
    sunset, sunrise = night(PLACE, date(2026, 11, 21))
    pole.until(sunset + timedelta(minutes=5))
    assert (pole.lamp.level, pole.lamp.reason) == (60, "dusk-0")
    pole.until(sunset + timedelta(hours=2))
    assert (pole.lamp.level, pole.lamp.reason) == (80, "dusk-1")
    pole.until(sunrise + timedelta(minutes=5))
    assert (pole.lamp.level, pole.lamp.reason) == (0, "dawn-0")


def test_faults_show_in_power_status_or_silence(pole: Pole) -> None:
    pole.settled().lamp.fail("lamp failure")
    assert pole.lamp.power() < 2
    pole.run(700)
    assert pole.said(STATUS)[-1][1]["lamp.failure"] is True
    pole.lamp.fail("stuck driver")
    pole.order(SetLevel(10, minutes=60))
    assert pole.lamp.power() == pytest.approx(40, rel=0.05)
    pole.run(30)
    assert pole.said(STATUS)[-1][1]["lamp.level"] == 10
    pole.lamp.fail("silent")
    pole.frames.clear()
    pole.order(SetLevel(90, minutes=60))
    pole.run(86_400)
    assert pole.frames == []
    pole.lamp.fail("")
    pole.run(1000)
    assert pole.frames


def test_an_unknown_fault_is_refused(pole: Pole) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        pole.lamp.fail("haunted")
