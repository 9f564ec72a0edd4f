"""What a lamp said, and what may be concluded from it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.alarms import AlarmKind, Severity
from city.expected import LEAST_NIGHTS, Lesson, expected_power, learn, prior
from city.faults import DAY, HOUR, MINUTE, Mark, Sight, Track, Want, due, least_factor, limits, over, severity
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.judging import judge
from city.places import Luminaire, Site
from city.quantities import Quantity, quantity
from city.readings import NO_LASTS, DeviceState, to_ns

NOON = to_ns(datetime(2026, 11, 2, 11, tzinfo=UTC))
LAMP = Luminaire(TenantId("t"), AssetId("L1"), "L1", Site(51, 8), ZoneId("z"), CircuitId("c"), 40.0, luminaire_type="A")


class Story:
    """A lamp's reports, one after the other, from some hours after noon on."""

    def __init__(self, *, want: int = 100, day: bool = False, nominal: float = 40.0) -> None:
        self.state, self.track = DeviceState(DevEui("0" * 16)), Track()
        self.want, self.nominal, self.now = want, nominal, NOON
        self.day_ns, self.dark_ns = (NOON - 4 * HOUR, 0) if day else (0, NOON)

    def says(self, after_h: float = 1.0, **values: float | bool | str) -> "Story":
        self.now += int(after_h * HOUR)
        said = [_quantity(name)(value) for name, value in values.items()]
        last, _ = self.state.last.after(said, self.now)
        self.state = DeviceState(self.state.device, heard_ns=self.now, last=last)
        self.track, _ = judge(self.track, self.sight(), self.now + MINUTE)
        return self

    def sight(self) -> Sight:
        return Sight(self.state, Want(self.want, NOON - HOUR), lambda level: prior(self.nominal, level), self.nominal, 0, HOUR,
                     self.day_ns, self.dark_ns)

    def due(self) -> set[AlarmKind]:
        return {kind for kind in map(AlarmKind, self.track.marks) if due(self.track, kind, self.now + HOUR)}


def _quantity(name: str) -> Quantity:
    return quantity(name if "." in name else {"clock": "device.clock", "boot": "device.boot", "celsius": "device.temperature",
                                              "maintenance": "device.maintenance"}.get(name, f"lamp.{name}"))


def burning(watts: float = 40.0, level: float = 100.0, **more: float | bool | str) -> Story:
    return Story().says(level=level, power=watts, **more).says(level=level, power=watts, **more)


def test_a_healthy_lamp_has_no_marks():
    story = burning(energy=1000, voltage=231, power_factor=0.96).says(level=100, power=41, energy=1040, voltage=229,
                                                                      power_factor=0.96)
    assert story.track.marks == {}


@pytest.mark.parametrize(("watts", "level", "kinds"), [
    (0.9, 100, {AlarmKind.LAMP_FAILURE}),
    (20.0, 100, {AlarmKind.PARTIAL_FAILURE}),
    (60.0, 100, {AlarmKind.OVERPOWER}),
    (40.0, 50, {AlarmKind.DIMMING_FAILURE}),
    (31.0, 100, set()),
    (51.0, 100, set()),
])
def test_power_is_judged_at_the_level_that_the_lamp_says(watts, level, kinds):
    story = Story(want=level)
    for _ in range(5):
        story.says(level=level, power=watts)
    assert story.due() == kinds


def test_a_lost_report_of_a_new_level_looks_like_no_fault():
    """It was switched off at dawn, the notice was lost: only the power says so, until its next status."""
    story = burning()
    for _ in range(4):
        story.says(0.25, power=0.5)
    story.says(0.25, level=0)
    assert story.due() == set()


def test_a_level_that_changed_there_and_back_while_nothing_was_heard_looks_like_no_fault():
    story = burning()
    story.says(6, power=17).says(level=100)  # half the light in between, and nobody heard of it
    assert story.track.marks == {}


def test_the_first_minutes_after_a_change_of_level_are_not_judged():
    story = burning()
    story.want = 50
    story.says(level=50, power=17.0).says(0.1, power=39.0).says(0.05, level=50)
    assert story.track.marks == {}


def test_a_small_lamp_that_is_dimmed_low_cannot_be_told_from_a_dark_one():
    story = Story(want=10, nominal=20.0)
    for _ in range(4):
        story.says(level=10, power=1.0)
    assert AlarmKind.LAMP_FAILURE not in story.due()


def test_one_good_report_begins_the_count_anew():
    story = burning().says(level=100, power=1).says(level=100, power=40).says(level=100, power=1)
    assert AlarmKind.LAMP_FAILURE not in story.due()
    assert AlarmKind.LAMP_FAILURE in story.says(level=100, power=1).due()


def test_a_repaired_lamp_is_told_by_two_good_reports():
    story = burning(1.0).says(level=100, power=1).says(level=100, power=40)
    assert not over(story.track, AlarmKind.LAMP_FAILURE, story.now + HOUR)
    assert over(story.says(level=100, power=40).track, AlarmKind.LAMP_FAILURE, story.now + HOUR)


def test_a_driver_that_keeps_its_power_whatever_it_is_told_does_not_follow():
    story = burning()
    story.want = 50
    for _ in range(3):
        story.says(level=50, power=40)
    assert story.due() == {AlarmKind.DIMMING_FAILURE}


def test_a_driver_that_is_stuck_at_half_is_not_well_because_half_is_wanted_at_midnight():
    story = Story(want=50).says(level=50, power=17).says(level=50, power=17)
    for level in (100, 50, 50, 100):  # one steady measurement a level, two nights
        story.want = level
        story.says(level=level).says(level=level, power=17).says(level=level)
    assert AlarmKind.DIMMING_FAILURE in story.due()


def test_a_meter_that_speaks_after_the_status_is_judged_at_once_where_the_level_is_the_wanted_one():
    story = Story()
    for _ in range(3):
        story.says(level=100).says(0.02, power=0.5)
    assert story.due() == {AlarmKind.LAMP_FAILURE}
    unwanted = Story(want=70)
    for _ in range(3):
        unwanted.says(level=100).says(0.02, power=0.5)
    assert AlarmKind.LAMP_FAILURE not in unwanted.due()  # its status will tell, an interval later


def test_a_lamp_that_says_another_level_than_is_wanted_does_not_follow():
    story = Story(want=50)
    for _ in range(5):
        story.says(level=100, power=40)
    assert AlarmKind.DIMMING_FAILURE in story.due()


def test_a_lamp_that_burns_by_day_burns_by_day():
    story = Story(want=0, day=True).says(level=100, power=40).says(level=100, power=40)
    assert story.due() == {AlarmKind.DAY_BURNER}
    assert Story(want=0, day=True).says(level=0, power=0.5).says(level=0, power=0.5).due() == set()


def test_somebody_who_works_at_a_lamp_by_day_raises_no_alarm():
    story = Story(want=0, day=True).says(level=100, power=40, maintenance=True).says(level=100, power=40, maintenance=True)
    assert story.due() == set()
    story = Story(want=100, day=True).says(level=100, power=40).says(level=100, power=40)
    assert story.due() == set()


def test_a_lamp_that_stays_dark_at_night_is_off():
    assert Story().says(level=0, power=0.5).says(level=0, power=0.5).due() == {AlarmKind.NIGHT_OFF}


def test_time_burnt_that_is_too_short_is_cycling():
    story = Story().says(level=100, power=40, burn_time=0)
    for number in range(1, 5):
        story.says(level=100, power=40, burn_time=1800 * number)
    assert story.due() == {AlarmKind.CYCLING}


def test_time_burnt_that_is_told_after_the_status_counts_as_well():
    story = Story()
    for number in range(4):
        story.says(level=100).says(0.02, power=40, burn_time=1800 * number)
    assert story.due() == {AlarmKind.CYCLING}


def test_power_that_does_not_hold_still_flickers():
    story = Story()
    for number in range(12):
        story.says(level=100, power=30 if number % 2 else 50)
    assert AlarmKind.FLICKER in story.due()


@pytest.mark.parametrize(("values", "kind"), [
    ({"voltage": 199.0}, AlarmKind.UNDERVOLTAGE), ({"voltage": 255.0}, AlarmKind.OVERVOLTAGE),
    ({"celsius": 72.0}, AlarmKind.OVER_TEMPERATURE),
    ({"level": 100, "power": 40, "power_factor": 0.5}, AlarmKind.LOW_POWER_FACTOR),
])
def test_limits_of_mains_and_housing(values, kind):
    story = Story()
    for _ in range(5):
        story.says(**values)
    assert story.due() == {kind}


def test_a_voltage_between_set_and_clear_stays_as_it_was():
    story = Story().says(voltage=200.0).says(voltage=200.0).says(voltage=210.0)
    assert AlarmKind.UNDERVOLTAGE in story.due()
    assert story.says(voltage=225.0).says(voltage=225.0).due() == set()


def test_heat_that_endangers_the_driver_is_graver():
    story = Story().says(celsius=90.0).says(celsius=90.0)
    mark = story.track.marks["over_temperature"]
    assert severity(AlarmKind.OVER_TEMPERATURE, mark, crosswalk=False) is Severity.CRITICAL


def test_tilt_counts_from_how_it_was_put_up():
    assert Story().says(tilt=12).says(tilt=13).says(tilt=14).due() == set()
    assert Story().says(tilt=2).says(tilt=20).says(tilt=20).due() == {AlarmKind.TILTED}


@pytest.mark.parametrize(("before", "after", "jumps"), [
    (1000, 1040, False), (1000, 900, True), (1000, 90_000, True), (2**32 - 10, 20, False), (2**24 - 10, 20, False)])
def test_a_counter_that_wraps_has_not_jumped(before, after, jumps):
    story = Story().says(energy=before).says(energy=after)
    assert (AlarmKind.METER_JUMP in story.due()) is jumps


def test_a_clock_that_was_never_set_is_not_wrong_by_decades():
    story = Story()
    for _ in range(3):
        story.says(clock=946_684_900)
    assert story.due() == set()
    story = Story()
    for _ in range(3):
        story.says(clock=(story.now + HOUR) / 1e9 - 900)
    assert story.due() == {AlarmKind.CLOCK_WRONG}


def test_more_than_five_restarts_a_day_are_a_storm():
    story = Story()
    for _ in range(5):
        story.says(boot="power-on")
    assert story.due() == set()
    assert story.says(boot="power-on").due() == {AlarmKind.RESTARTS}


def test_a_welded_relay_is_open_and_the_lamp_burns():
    story = Story(want=0)
    for _ in range(4):
        story.says(level=0, power=40, relay_closed=False)
    assert story.due() == {AlarmKind.RELAY_FAILURE}


def test_limits_are_those_of_the_record():
    assert limits(100) == pytest.approx((0.75, 1.30))
    assert limits(10) == pytest.approx((0.70, 1.97))
    assert prior(64, 75) == pytest.approx(44.4, abs=0.1)
    assert prior(64, 10) == pytest.approx(5.9, abs=0.1)
    assert least_factor(50) == pytest.approx(0.75)
    assert least_factor(100) == 0.80


def test_too_little_light_at_a_crossing_is_critical():
    assert severity(AlarmKind.LAMP_FAILURE, Mark(), crosswalk=True) is Severity.CRITICAL
    assert severity(AlarmKind.LAMP_FAILURE, Mark(), crosswalk=False) is Severity.MAJOR
    assert severity(AlarmKind.METER_JUMP, Mark(), crosswalk=True) is Severity.INFO


# -- what is learnt

def nights(factors: dict[str, float], count: int, suspects: frozenset[AssetId] = frozenset()):
    known = {}
    for _ in range(count):
        lesson = Lesson()
        for name, factor in factors.items():
            for _ in range(3):
                lesson.add(replace(LAMP, id=AssetId(name)), 100, 40 * factor)
        known = learn(known, lesson, suspects)
    return known


def test_a_type_that_draws_less_than_its_papers_say_is_learnt_in_three_nights():
    lamps = {f"L{number}": 0.8 for number in range(9)}
    assert expected_power(LAMP, 100, nights(lamps, LEAST_NIGHTS - 1)) == 40.0
    assert expected_power(LAMP, 100, nights(lamps, LEAST_NIGHTS)) == pytest.approx(32.0)


def test_one_lamp_teaches_nothing_and_a_few_broken_ones_change_nothing():
    assert nights({"L1": 0.5}, 14) == {}
    lamps = {f"L{number}": 1.0 for number in range(6)} | {"bad1": 0.4, "bad2": 0.4}
    assert expected_power(LAMP, 100, nights(lamps, 5)) == pytest.approx(40.0)


def test_where_most_of_a_type_are_suspect_the_papers_are_wrong():
    lamps = {f"L{number}": 1.5 for number in range(8)}
    assert expected_power(LAMP, 100, nights(lamps, 4, frozenset(map(AssetId, lamps)))) == pytest.approx(60.0)


@given(st.lists(st.tuples(st.sampled_from(["level", "power", "voltage", "energy", "burn_time", "tilt", "celsius", "clock"]),
                          st.floats(0, 1e5), st.floats(0, 2)), max_size=40))
def test_whatever_a_lamp_says_it_is_judged_and_remembered_in_little_space(reports):
    story = Story()
    for name, value, hours in reports:
        story.says(hours, **{name: value})
    assert len(story.track.samples) <= 12
    assert len(story.track.waiting) <= 3
    assert all(mark.bad <= 99 and mark.good <= 99 for mark in story.track.marks.values())


def test_states_without_anything_are_judged_too():
    story = Story()
    story.state = DeviceState(DevEui("0" * 16), heard_ns=NOON, last=NO_LASTS)
    track, good = judge(Track(), story.sight(), NOON + DAY)
    assert track.marks == {}
    assert good == ()
