"""A lamp's night: metered, estimated, missing; the hours it burnt, and what they would have taken undimmed."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.bookkeeping import Known, NightBook
from city.counting import Count
from city.energy import HOUR, LIMIT, Ends, Heard, Used
from city.ids import AssetId, CircuitId, TenantId, ZoneId
from city.nights import Night, level_at
from city.places import Luminaire, Site
from city.programs import GANZNACHT, Programming
from city.wants import curve_of
from simulator.driver import Driver
from simulator.mains import Feeder

SITE = Site(50.94, 6.96)
LAMP = Luminaire(TenantId("t"), AssetId("l"), "L", SITE, ZoneId("z"), CircuitId("c"), power_w=40.0)
EVENING = date(2026, 11, 3)
NIGHT = Night.of(EVENING, SITE)
LATER = NIGHT.next_noon + timedelta(hours=3)
PROGRAMMING = Programming(SITE)
CURVE = curve_of(LAMP, PROGRAMMING, NIGHT)


def book(night: Night = NIGHT, now: datetime = LATER, controlled: tuple[str, ...] = ("l",)) -> NightBook:
    return NightBook(Known(PROGRAMMING, controlled={AssetId(one) for one in controlled}), night, now)


def used(heard: Heard, lamp: Luminaire = LAMP, **with_ends: Ends) -> Used:
    return book().line(lamp, heard, **with_ends).used


def lit_s() -> float:
    times = [*(change.at for change in CURVE), NIGHT.next_noon]
    return sum((after - change.at).total_seconds() for change, after in zip(CURVE, times[1:], strict=True) if change.level)


def metering(night: Night, *, every_s: float = 900, start_wh: float = 5000) -> tuple[list[Count], float]:
    """A counter that follows the program exactly, from an hour before the night to an hour after it; and the truth."""
    at, value, truth, counts = night.noon.timestamp() - HOUR, start_wh, 0.0, []
    changes = curve_of(LAMP, PROGRAMMING, night)
    while at <= night.next_noon.timestamp() + HOUR:
        counts.append(Count(at, value % 2**32))
        inside = night.noon.timestamp() <= at < night.next_noon.timestamp()
        level = level_at(changes, datetime.fromtimestamp(at, UTC)).level if inside else 0
        wh = (0.5 if not level else 40 * (0.05 + 0.95 * (level / 100) ** 1.35)) * every_s / HOUR
        truth += wh if inside else 0.0
        value, at = value + wh, at + every_s
    return counts, truth


def test_a_metered_night_is_what_the_counter_counted():
    counts, truth = metering(NIGHT)
    found = used(Heard(energy=counts))
    assert found.metered_wh == pytest.approx(truth, abs=1)
    assert (found.estimated_wh, found.missing_s) == (0, 0)
    assert found.burn_s == pytest.approx(lit_s(), abs=1)  # nothing said how long: as programmed, where the meter counted
    assert found.undimmed_wh == pytest.approx(40 * lit_s() / HOUR, abs=1)


@pytest.mark.parametrize(("evening", "hours"), [(date(2026, 3, 28), 23), (date(2026, 10, 24), 25)])
def test_the_nights_when_clocks_are_changed_are_as_long_as_they_are(evening: date, hours: int):
    night = Night.of(evening, SITE)
    assert night.next_noon - night.noon == timedelta(hours=hours)
    counts, truth = metering(night)
    line = book(night, night.next_noon + timedelta(hours=3)).line(LAMP, Heard(energy=counts))
    assert line.used.metered_wh == pytest.approx(truth, abs=1)


def test_without_a_meter_the_reported_level_tells():
    levels = [(change.at.timestamp() + minutes * 60, float(change.level)) for change in CURVE for minutes in (0, 30)]
    found = used(Heard(levels=levels))
    expected = metering(NIGHT, every_s=60)[1]
    assert found.metered_wh == 0
    assert found.estimated_wh == pytest.approx(expected, rel=0.01)
    assert found.burn_s == pytest.approx(lit_s(), abs=5)


def test_measured_power_goes_before_what_a_level_should_draw():
    at = NIGHT.clock(20 * 60).timestamp()
    found = used(Heard(levels=[(at, 100.0), (at + HOUR, 100.0)], powers=[(at, 36.0)]))
    assert found.estimated_wh == 36 * 5  # an hour between, and four after the last word
    assert found.missing_s > 0


def test_a_lamp_without_a_controller_is_reckoned_as_programmed():
    found = book(controlled=()).line(LAMP, Heard()).used
    assert found.estimated_wh == pytest.approx(metering(NIGHT, every_s=60)[1], rel=0.01)
    assert (found.metered_wh, found.missing_s) == (0, 0)
    assert found.burn_s == pytest.approx(lit_s(), abs=1)


def test_a_silent_controller_is_missing_and_neither_dark_nor_lit():
    found = used(Heard())
    assert (found.wh, found.burn_s, found.undimmed_wh) == (0, 0, 0)
    assert found.missing_s == pytest.approx(lit_s(), abs=1)


def test_a_lamp_without_a_power_is_metered_all_the_same():
    counts, truth = metering(NIGHT)
    unknown = Luminaire(LAMP.tenant, LAMP.id, "", SITE, LAMP.zone)
    found = used(Heard(energy=counts), unknown)
    assert found.metered_wh == pytest.approx(truth, abs=1)
    assert found.undimmed_wh == found.wh  # nobody knows what it saves


def test_the_counter_after_days_of_silence_fills_them():
    """Three nights, heard only at both ends: the sum of the nights is what was counted, and each has a likely share."""
    nights = [Night.of(EVENING + timedelta(days=number), SITE) for number in range(3)]
    first, last = Count(nights[0].noon.timestamp(), 1000.0), Count(nights[2].next_noon.timestamp() - 1, 1900.0)
    shares = [book(night, nights[2].next_noon + timedelta(hours=3)).line(
        LAMP, Heard(), Ends(energy=(first, first)), Ends(energy=(last, last))).used for night in nights]
    assert sum(share.metered_wh for share in shares) == pytest.approx(900, rel=0.01)
    assert all(290 < share.metered_wh < 310 and share.missing_s == 0 for share in shares)


def test_a_running_night_goes_as_far_as_now():
    counts, _ = metering(NIGHT)
    now = NIGHT.clock(22 * 60)
    heard = Heard(energy=[one for one in counts if one.at <= now.timestamp()])
    found = book(now=now).line(LAMP, heard).used
    assert found.missing_s == 0
    assert 0 < found.metered_wh <= used(Heard(energy=counts)).metered_wh


values = st.one_of(st.integers(0, 50), st.integers(2**32 - 50, 2**32 - 1), st.floats(0, 2**32 - 1))
times = st.floats(NIGHT.noon.timestamp() - 7200, NIGHT.next_noon.timestamp() + 7200)
counters = st.lists(st.builds(Count, times, values, st.sampled_from(["a", "b"])), max_size=25)


@given(counters, counters, counters, st.lists(st.tuples(times, st.floats(0, 100)), max_size=10),
       st.lists(st.tuples(times, st.floats(0, 40)), max_size=10))
def test_no_lamp_uses_less_than_nothing_or_more_than_it_can(energy, since, burn, levels, powers):
    """Whatever is reset, wraps, comes twice, late, or is nonsense."""
    found = used(Heard(energy, since, burn, levels, powers))
    hours = (NIGHT.next_noon - NIGHT.noon) / timedelta(hours=1)
    assert 0 <= found.metered_wh <= LIMIT * 40 * hours + 1
    assert 0 <= found.estimated_wh <= 40 * hours + 1
    assert 0 <= found.burn_s <= hours * HOUR + 1
    assert 0 <= found.missing_s <= hours * HOUR + 1
    assert 0 <= found.undimmed_wh <= 40 * hours + 1


def test_a_month_of_a_town_is_within_a_hundredth_of_what_its_lamps_really_used():
    """Thirty nights of twenty lamps as the simulator's physics has them (none alike, cold starts, ageing), whose reports are
    lost now and then, stop for days, and whose counters count whole watt-hours, wrap and start anew."""
    rng, truth, told = Random(7), 0.0, 0
    nights = [Night.of(date(2026, 10, 10) + timedelta(days=number), SITE) for number in range(30)]
    for number in range(20):
        driver = Driver(40.0, Feeder(0.0, 3.0), rng=rng, now_ns=int((nights[0].noon.timestamp() - 7200) * 1e9))
        driver.energy_wh = 2**32 - rng.uniform(0, 5000) if number % 3 == 0 else driver.energy_wh
        counts, began = _life(driver, nights, rng, resets=number % 5 == 0)
        truth += driver.energy_wh - began
        told += _booked(counts, nights)
    assert told == pytest.approx(truth, rel=0.01)


def _life(driver: Driver, nights: list[Night], rng: Random, *, resets: bool) -> tuple[list[Count], float]:
    """What its meter reports about every quarter of an hour, and where it stood at the first noon."""
    at, end = nights[0].noon.timestamp() - 7000, nights[-1].next_noon.timestamp()
    silent = at + rng.uniform(3, 20) * 86_400
    began, zero, counts = -1.0, 0.0, []
    steps = iter([(change.at.timestamp(), change.level) for night in nights for change in curve_of(LAMP, PROGRAMMING, night)])
    step = next(steps, None)
    while at < end:
        while step is not None and step[0] <= at:
            driver.dim(step[1], int(step[0] * 1e9))
            step = next(steps, None)
        driver.count(int(at * 1e9))
        began = driver.energy_wh if began < 0 and at >= nights[0].noon.timestamp() else began
        if resets and rng.random() < 0.0005:
            zero = driver.energy_wh
        if rng.random() > 0.05 and not silent < at < silent + 2.3 * 86_400:
            counts.append(Count(at, float(int(driver.energy_wh - zero) % 2**32)))
        at += rng.uniform(890, 910)
    return counts, began


def _booked(counts: list[Count], nights: list[Night]) -> int:
    total = 0
    for night in nights:
        start, end = night.noon.timestamp(), night.next_noon.timestamp()
        heard = Heard(energy=[one for one in counts if start - 7200 <= one.at < end + 7200])
        before, after = [one for one in counts if one.at < start][-1:], [one for one in counts if one.at >= end][:1]
        total += book(night, nights[-1].next_noon + timedelta(hours=3)).line(
            LAMP, heard, Ends(energy=(before[0], before[0])) if before else Ends(),
            Ends(energy=(after[0], after[0])) if after else Ends()).used.wh
    return total


def test_the_programmed_curve_of_the_tests_is_one_that_dims():
    assert {change.level for change in CURVE} == {0, 50, 100}
    assert GANZNACHT in PROGRAMMING.programs


@pytest.mark.parametrize("kind", ["counter", "since the last report", "power"])
def test_a_bridge_that_heard_half_of_what_lamps_said_books_nearly_the_same(kind):
    """Several bridges share a town's messages: each books from its own log, and the line of the one that heard more stands."""
    counts, truth = metering(NIGHT, every_s=600)
    dice, booked = Random(11), 0
    for _ in range(40):
        halves = (Heard(), Heard())
        for before, one in pairwise(counts):
            half, watts = halves[dice.random() < 0.5], (one.value - before.value) * 6
            half.powers.append((one.at, watts))
            if kind == "counter":
                half.energy.append(one)
            elif kind != "power":
                half.used.append(Count(one.at, one.value - before.value))
        better = max(halves, key=lambda half: half.words(NIGHT.noon.timestamp(), NIGHT.next_noon.timestamp()))
        booked += used(better).wh
    assert booked / 40 == pytest.approx(truth, rel=0.05)


def test_a_report_that_tells_of_more_than_the_usual_time_can_have_used_tells_of_all_of_it():
    first = NIGHT.sunset.timestamp()
    often = [Count(first + 300 * n, 3.3) for n in range(13)]
    rarely = [Count(often[-1].at + HOUR * n, 40.0) for n in (1, 2, 3)]  # its interval has been changed; nothing was lost
    assert used(Heard(used=[*often, *rarely])).metered_wh == pytest.approx(12 * 3.3 + 3 * 40, abs=1)
