"""A luminaire behaves as physics says, and each of its faults as it looks from outside."""

from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import pytest

from city.readings import NS, to_ns
from simulator.controllers.reporters import arc_power
from simulator.driver import (
    FAULTS,
    STANDBY_W,
    Driver,
    Lines,
    ageing,
    efficiency,
    expected_power,
    lumen_maintenance,
)
from simulator.mains import Feeder, feeder, outside, volts

START = to_ns(datetime(2026, 11, 21, 17, tzinfo=UTC))
HOUR, DAY = 3600 * NS, 86_400 * NS


def driver(kind: type[Driver] = Driver, *, clo: bool = False) -> Driver:
    return kind(40.0, feeder("SV-1"), rng=Random(4), now_ns=START, clo=clo)


@pytest.mark.parametrize(("level", "share"), [(100, 0.90), (75, 0.879), (50, 0.836), (10, 0.435), (0, 0.0)])
def test_a_driver_wastes_more_of_little_power(level: int, share: float) -> None:
    assert efficiency(level) == pytest.approx(share, abs=0.002)


def test_power_and_efficiency_rise_with_every_per_cent() -> None:
    for curve in (lambda level: expected_power(40, level), efficiency):
        assert all(low < high for low, high in pairwise(curve(level) for level in range(1, 101)))
    assert expected_power(40, 0) == STANDBY_W < expected_power(40, 1)


def test_a_cold_luminaire_draws_a_few_per_cent_more_until_it_is_warm() -> None:
    lamp = driver()
    lamp.dim(100, START)
    cold, minutes, warm = lamp.power(START), lamp.power(START + 600 * NS), lamp.power(START + HOUR)
    assert cold / warm == pytest.approx(1.035, abs=0.001)
    assert warm < minutes < cold
    assert lamp.temperature(START + HOUR) - lamp.temperature(START) == pytest.approx(17.0, abs=2.5)


def test_the_meter_counts_the_integral_of_the_power() -> None:
    lamp, at, joules = driver(), START, 0.0
    lamp.count(at)
    before = lamp.energy_wh
    for level in (100, 30, 0, 70, 1, 100):
        lamp.dim(level, at)
        for _ in range(1200):
            joules += (lamp.power(at) + lamp.power(at + NS)) / 2
            at += NS
    lamp.count(at)
    assert lamp.energy_wh - before == pytest.approx(joules / 3600, rel=1e-5)


def test_counting_often_or_once_is_the_same() -> None:
    often, once = driver(), driver()
    for lamp in (often, once):
        lamp.dim(60, START)
    for second in range(0, 7200, 37):
        often.count(START + second * NS)
    for lamp in (often, once):
        lamp.count(START + 7200 * NS)
    assert often.energy_wh == pytest.approx(once.energy_wh, rel=1e-7)
    assert often.power(START + 7200 * NS) == pytest.approx(once.power(START + 7200 * NS), rel=1e-6)
    assert often.burn_s == pytest.approx(once.burn_s)


def test_light_fades_and_power_creeps_with_the_hours_and_clo_holds_the_light() -> None:
    assert lumen_maintenance(0) == 1.0
    assert lumen_maintenance(50_000) == pytest.approx(0.894, abs=0.001)
    assert lumen_maintenance(100_000) == pytest.approx(0.80)
    assert ageing(100_000, clo=False) == pytest.approx(1.02)
    assert ageing(0, clo=True) == pytest.approx(0.80)
    assert ageing(100_000, clo=True) == pytest.approx(1.02)
    old, steady = driver(), driver(clo=True)
    for lamp in (old, steady):
        lamp.dim(100, START)
    lights = []
    for hours in (0, 60_000):
        for lamp in (old, steady):
            lamp.burn_s = hours * 3600
        lights.append((old.light(), steady.light()))
    assert lights[1][0] < 0.9 * lights[0][0]
    assert lights[1][1] == lights[0][1]


def test_the_power_factor_falls_with_a_higher_voltage_and_a_lower_load() -> None:
    low, high = (Driver(40.0, Feeder(offset, 0.0), rng=Random(1), now_ns=START) for offset in (-10.0, 10.0))
    for lamp in (low, high):
        lamp.dim(100, START)
    assert high.power_factor(START) < low.power_factor(START)
    full = low.power_factor(START)
    low.dim(30, START)
    assert low.power_factor(START) < full
    assert low.current(START) == pytest.approx(low.power(START) / low.voltage(START) / low.power_factor(START))


def test_the_voltage_sags_in_the_evening_differs_by_circuit_and_keeps_the_standard() -> None:
    night, evening = (to_ns(datetime(2026, 11, 21, hour, tzinfo=UTC)) for hour in (2, 18))
    circuits = [feeder(f"SV-{n}") for n in range(200)]
    assert all(volts(one, evening) < volts(one, night) for one in circuits)
    assert len({round(volts(one, night), 2) for one in circuits}) > 100
    day = [volts(one, START + hour * HOUR) for one in circuits for hour in range(24)]
    assert min(day) >= 207
    assert max(day) <= 253
    assert feeder("SV-1") == feeder("SV-1")


def test_summer_is_warmer_than_winter_and_noon_than_night() -> None:
    july, january = datetime(2026, 7, 19, tzinfo=UTC), datetime(2026, 1, 19, tzinfo=UTC)
    means = [sum(outside(to_ns(day) + hour * HOUR) for hour in range(24)) / 24 for day in (july, january)]
    assert means[0] == pytest.approx(18, abs=1)
    assert means[1] == pytest.approx(1, abs=1)
    assert outside(to_ns(july) + 13 * HOUR) - outside(to_ns(july) + HOUR) > 6


@pytest.mark.parametrize(("fault", "level", "watts", "status"), [
    ("", 100, 40.0, 0b100), ("", 0, 0.5, 0), ("lamp failure", 100, 1.1, 0b010), ("driver failure", 100, 0.2, 0b001),
    ("stuck driver", 10, 40.0, 0b100), ("relay welded", 0, 40.0, 0b100), ("relay welded", 50, 16.9, 0b100),
    ("silent", 100, 40.0, 0b100), ("day burner", 100, 40.0, 0b100), ("flicker", 100, 40.0, 0b100),
    ("meter drift", 100, 40.0, 0b100)])
def test_each_fault_draws_and_reports_what_it_must(fault: str, level: int, watts: float, status: int) -> None:
    lamp = driver()
    lamp.dim(100, START)
    lamp.fail(fault, START + HOUR)
    lamp.dim(level, START + HOUR)
    assert lamp.power(START + 2 * HOUR) == pytest.approx(watts, rel=0.06)
    assert lamp.dali_status(START + 2 * HOUR) == status


def test_a_lamp_failure_is_found_when_the_lamp_should_burn_and_stays_until_it_does() -> None:
    lamp = driver()
    lamp.fail("lamp failure", START)
    assert lamp.dali_status(START) == 0
    lamp.dim(100, START + HOUR)
    assert lamp.dali_status(START + HOUR) == 0b010
    lamp.dim(0, START + 2 * HOUR)
    assert lamp.dali_status(START + 3 * HOUR) == 0b010
    lamp.fail("", START + 4 * HOUR)
    assert lamp.dali_status(START + 4 * HOUR) == 0


def test_a_fade_shows_in_the_status_while_it_runs() -> None:
    lamp = driver()
    lamp.dim(100, START)
    assert lamp.dali_status(START + NS // 2) == 0b1_0100
    assert lamp.dali_status(START + NS) == 0b0_0100


def test_a_flickering_lamp_s_readings_scatter_and_a_sound_one_s_do_not() -> None:
    lamp, rng = driver(), Random(2)
    lamp.dim(100, START)
    spread = []
    for fault in ("", "flicker"):
        lamp.fail(fault, START)
        samples = [lamp.metered(START + HOUR, rng) for _ in range(200)]
        mean = sum(samples) / 200
        spread.append((sum((one - mean) ** 2 for one in samples) / 200) ** 0.5 / mean)
    assert spread[0] < 0.02 < 0.15 < spread[1]


def test_a_drifting_meter_runs_ahead_of_the_truth_by_two_per_cent_a_day_and_then_stays() -> None:
    lamp, rng = driver(), Random(2)
    lamp.dim(100, START)
    lamp.count(START + HOUR)
    lamp.fail("meter drift", START + HOUR)
    before = lamp.energy_wh
    lamp.count(START + HOUR + 10 * DAY)
    assert (lamp.energy_wh - before) / (lamp.power(START + 11 * DAY) * 240) == pytest.approx(1.10, abs=0.002)
    shown = sum(lamp.metered(START + 100 * DAY, rng) for _ in range(100)) / 100
    assert shown / lamp.power(START + 100 * DAY) == pytest.approx(1.4, rel=0.01)


def test_without_power_it_draws_and_counts_nothing() -> None:
    lamp = driver()
    lamp.dim(100, START)
    lamp.cut(START + HOUR)
    energy, burnt, powered = lamp.energy_wh, lamp.burn_s, lamp.driver_s
    assert lamp.power(START + 2 * HOUR) == lamp.current(START + 2 * HOUR) == lamp.voltage(START + 2 * HOUR) == 0.0
    lamp.restore(START + 10 * HOUR)
    assert (lamp.energy_wh, lamp.burn_s, lamp.driver_s) == (energy, burnt, powered)
    assert lamp.power(START + 10 * HOUR) == pytest.approx(41.4, rel=0.04)  # cold again


def test_lines_behind_relays_draw_as_many_shares_as_are_closed() -> None:
    lines = driver(Lines)
    powers = []
    for level in (25, 50, 100):
        lines.dim(level, START)
        powers.append(lines.power(START + HOUR) - STANDBY_W)
    assert powers[1] / powers[0] == pytest.approx(2.0, rel=0.05)
    assert powers[2] / powers[0] == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize(("level", "arc"), [(0, 0), (1, 85), (10, 170), (50, 229), (100, 254)])
def test_levels_become_arc_powers_by_the_logarithmic_curve(level: int, arc: int) -> None:
    assert arc_power(level) == arc


def test_an_unknown_fault_is_refused_and_a_sound_driver_has_none() -> None:
    assert FAULTS[0] == ""
    with pytest.raises(ValueError, match="no such fault"):
        driver().fail("haunted", START)
