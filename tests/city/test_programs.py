"""Programs, calendars and nights: noon to noon, by clock and sun, over every edge of the year."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import Invalid
from city.groups import Filter, Group, Target
from city.ids import AssetId, CalendarId, GroupId, ProgramId
from city.nights import BERLIN, Night, curve, evening_of, level_at
from city.places import Site
from city.programs import (
    GANZNACHT,
    HALBNACHT,
    SHIPPED,
    STANDARD,
    TEILNACHT,
    Anchor,
    Assignment,
    Calendar,
    Moment,
    Program,
    Programming,
    Rule,
    Step,
    clock,
)
from city.sun import altitude
from tests.city.lighted import EVENING, SITE, T, lamp
from tests.examples import examples

TROMSO = Site(69.65, 18.96)
moments = st.one_of(
    st.builds(clock, st.integers(0, 23), st.integers(0, 59)),
    st.builds(Moment, st.sampled_from([Anchor.SUNSET, Anchor.SUNRISE, Anchor.DUSK, Anchor.DAWN]), st.integers(-240, 240)),
    st.builds(Moment, st.sampled_from([Anchor.FALLS, Anchor.RISES]), st.integers(-240, 240), st.floats(-18, 30)))
steps = st.builds(Step, moments, st.integers(0, 100), st.integers(0, 3600))
programs = st.builds(Program, st.just(ProgramId("p")), st.just("p"), steps, st.lists(steps, max_size=8).map(tuple),
                     st.builds(Step, moments, st.just(0)))
evenings = st.dates(date(2024, 1, 1), date(2032, 12, 31))
sites = st.sampled_from([SITE, TROMSO, Site(-33.9, 18.4), Site(54.8, 8.3), Site(0.0, 0.0)])


def shown(program: Program, evening: date, site: Site = SITE) -> list[tuple[str, int]]:
    night = Night.of(evening, site)
    return [(change.at.astimezone(BERLIN).strftime("%H:%M"), change.level) for change in curve(program, night)]


def test_the_shipped_programs_through_a_november_night():
    evening = date(2026, 11, 22)
    assert shown(SHIPPED[GANZNACHT], evening) == [("12:00", 0), ("16:31", 100), ("07:56", 0)]
    assert shown(SHIPPED[HALBNACHT], evening) == [("12:00", 0), ("16:31", 100), ("22:00", 50), ("05:00", 100), ("07:56", 0)]
    assert shown(SHIPPED[TEILNACHT], evening) == [("12:00", 0), ("16:31", 100), ("23:00", 0), ("05:00", 100), ("07:56", 0)]


def test_in_june_the_morning_step_after_sunrise_does_not_light_the_day():
    north = Site(54.8, 8.3)
    assert shown(SHIPPED[HALBNACHT], date(2026, 6, 21), north)[-2:] == [("22:08", 50), ("04:49", 0)]


def test_of_steps_before_the_lamps_are_lit_the_last_in_time_holds():
    early = Program(ProgramId("p"), "p", Step(Moment(Anchor.SUNSET), 100), (Step(clock(15), 60), Step(clock(13), 30)))
    assert shown(early, date(2026, 6, 21))[1] == ("21:45", 60)


@given(programs, evenings, sites)
@settings(max_examples=examples(300), deadline=None)
def test_a_curve_is_in_order_inside_its_night_and_each_change_changes_something(program, evening, site):
    night = Night.of(evening, site)
    changes = curve(program, night)
    assert changes[0].at == night.noon
    assert all(night.noon <= change.at < night.next_noon for change in changes)
    assert [change.at for change in changes] == sorted({change.at for change in changes})
    assert all(one.level != other.level for one, other in pairwise(changes))
    assert {change.level for change in changes} <= {0, program.on.level, *(step.level for step in program.steps)}


@given(st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31)), sites)  # noqa: DTZ001 - hypothesis wants naive bounds
@settings(max_examples=examples(200), deadline=None)
def test_every_moment_belongs_to_exactly_one_night(naive, site):
    now = naive.replace(tzinfo=UTC)
    night = Night.around(now, site)
    assert night.noon <= now < night.next_noon
    assert night.noon <= night.sunset <= night.sunrise <= night.next_noon
    assert night.next_noon - night.noon in (timedelta(hours=23), timedelta(hours=24), timedelta(hours=25))
    assert Night.of(night.evening + timedelta(days=1), site).noon == night.next_noon


@pytest.mark.parametrize(("evening", "hours"), [(date(2026, 3, 28), 23), (date(2026, 10, 24), 25), (date(2028, 2, 28), 24)])
def test_the_nights_of_the_clock_change_and_of_the_leap_day(evening, hours):
    night = Night.of(evening, SITE)
    assert night.next_noon - night.noon == timedelta(hours=hours)
    changes = curve(SHIPPED[HALBNACHT], night)
    assert [change.at.astimezone(BERLIN).strftime("%H:%M") for change in changes if change.level == 50] == ["22:00"]
    assert level_at(changes, datetime.combine(evening + timedelta(days=1), datetime.min.time(), BERLIN).astimezone(UTC)
                    + timedelta(hours=1)).level == 50


def test_a_skipped_local_time_is_an_hour_later_and_a_repeated_one_its_first():
    spring, autumn = Night.of(date(2026, 3, 28), SITE), Night.of(date(2026, 10, 24), SITE)
    assert spring.clock(2 * 60 + 30).astimezone(BERLIN).strftime("%H:%M") == "03:30"
    assert autumn.clock(2 * 60 + 30) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_polar_day_stays_dark_and_polar_night_burns_from_noon_to_noon():
    assert {level for _, level in shown(SHIPPED[GANZNACHT], date(2026, 6, 21), TROMSO)} == {0}
    night = Night.of(date(2026, 12, 21), TROMSO)
    assert (night.sunset, night.sunrise) == (night.noon, night.next_noon)
    assert [change.level for change in curve(SHIPPED[GANZNACHT], night)] == [100]


@pytest.mark.parametrize("degrees", [-12.0, -6.0, 3.0])
def test_the_sun_stands_where_a_moment_says(degrees):
    night = Night.of(date(2026, 4, 10), SITE)
    for anchor in (Anchor.FALLS, Anchor.RISES):
        assert altitude(SITE, night.moment(Moment(anchor, 0, degrees))) == pytest.approx(degrees, abs=0.25)
    assert night.moment(Moment(Anchor.DUSK)) == night.moment(Moment(Anchor.FALLS, 0, -6.0))


@pytest.mark.parametrize("wrong", [
    lambda: clock(24), lambda: Moment(Anchor.SUNSET, 241), lambda: Moment(Anchor.SUNSET, 0, 3.0), lambda: Moment(Anchor.FALLS),
    lambda: Step(clock(22), 101), lambda: Step(clock(22), 50, 3601),
    lambda: Program(ProgramId("p"), "p", Step(clock(20), 100), off=Step(clock(6), 10)),
    lambda: Program(ProgramId("p"), "", Step(clock(20), 100)),
    lambda: Program(ProgramId("p"), "p", Step(clock(20), 100), (Step(clock(22), 50),) * 25),
    lambda: Rule(GANZNACHT), lambda: Rule(GANZNACHT, frozenset({8})), lambda: Rule(GANZNACHT, first=(2, 30), last=(3, 1)),
    lambda: Rule(GANZNACHT, first=(2, 1))])
def test_what_makes_no_sense_is_refused_with_its_field(wrong):
    with pytest.raises(Invalid) as caught:
        wrong()
    assert caught.value.field
    assert str(caught.value)


def test_the_first_rule_that_is_met_decides():
    feast = Rule(ProgramId("fest"), days=frozenset({date(2026, 12, 5)}))
    weekend = Rule(GANZNACHT, weekdays=frozenset({5, 6}))
    winter = Rule(TEILNACHT, first=(11, 15), last=(2, 28))
    calendar = Calendar(CalendarId("c"), "c", HALBNACHT, (feast, weekend, winter))
    on = {day: calendar.on(date.fromisoformat(day), "NW") for day in
          ("2026-12-05", "2026-12-12", "2026-12-14", "2027-01-04", "2027-02-28", "2028-02-29", "2026-06-15")}
    assert list(on.values()) == ["fest", GANZNACHT, TEILNACHT, TEILNACHT, TEILNACHT, HALBNACHT, HALBNACHT]


def test_a_range_to_the_leap_day_ends_on_the_28th_in_other_years():
    rule = Rule(GANZNACHT, first=(2, 1), last=(2, 29))
    assert [rule.meets(date(year, 2, day), "") for year, day in ((2028, 29), (2027, 28))] == [True, True]
    assert not rule.meets(date(2027, 3, 1), "")


def test_holidays_are_those_of_the_land():
    rule = Rule(GANZNACHT, holidays=True)
    corpus_christi = date(2026, 6, 4)
    assert [rule.meets(corpus_christi, land) for land in ("NW", "BE", "")] == [True, False, False]
    assert rule.meets(date(2026, 10, 3), "")


def test_a_lamp_obeys_its_own_calendar_then_its_group_its_circuit_its_zone_the_town():
    names = [CalendarId(name) for name in ("town", "zone", "circuit", "first", "second", "lamp")]
    one, group = lamp(1), Group(T, GroupId("g"), "g", frozenset({AssetId("L1")}))
    by_filter = Group(T, GroupId("f"), "f", filter=Filter(zones=("markt",)))
    places = [Target("town"), Target("zone", "markt"), Target("circuit", "K1"), Target("group", "g"), Target("group", "f"),
              Target("lamp", "L1")]
    assigned = [Assignment(target, name, EVENING + timedelta(hours=number), "ada")
                for number, (target, name) in enumerate(zip(places, names, strict=True))]
    calendars = MappingProxyType({name: Calendar(name, name, GANZNACHT) for name in names})
    town = Programming(SITE, calendars=calendars, groups=MappingProxyType({group.id: group, by_filter.id: by_filter}))
    assert town.calendar_of(one) == STANDARD
    for number in range(1, len(places) + 1):
        assert replace(town, assignments=tuple(assigned[:number])).calendar_of(one).id == names[number - 1]


def test_the_evening_is_the_day_before_until_noon():
    assert evening_of(datetime(2026, 11, 22, 10, 59, tzinfo=UTC)) == date(2026, 11, 21)
    assert evening_of(datetime(2026, 11, 22, 11, 0, tzinfo=UTC)) == date(2026, 11, 22)


def test_a_filter_of_no_power_at_all_is_no_filter_for_any_power():
    none = Filter(max_power_w=0)
    assert [none.keeps(replace(lamp(1), power_w=watts)) for watts in (0.0, 40.0, None)] == [True, False, False]
