"""Programs as the controllers' own tables: what comes out of them is what is programmed, and what cannot is said before."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from city.floors import DARK_BELOW
from city.groups import TOWN
from city.ids import AssetId, CalendarId, ProgramId, TenantId, ZoneId
from city.nights import Change, Night, evening_of, level_at
from city.orders import DimTask, Holidays, Profile, RemoveTask, SunCalendar, to_json
from city.places import Luminaire, Restriction, Site, Supply
from city.programs import Anchor, Assignment, Calendar, Moment, Program, Programming, Rule, Step, clock
from city.readings import to_ns
from city.wants import curve_of
from decoders.catalog import codec_of
from firmware_config.alone import Hand, alone, by_itself, tables_of
from firmware_config.compile import compiled, confirmed_by, difference, does, measured
from firmware_config.delta import confirm, delta
from firmware_config.families import FAMILIES, family
from firmware_config.profile import DeviceConfig
from simulator.tasks import Tasks
from simulator.timetable import Sky, Timetable
from tests.examples import examples

PLACE = Site(50.99, 8.11)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MODELS = sorted(FAMILIES)
TOLD_THE_SUN = [model for model in MODELS if FAMILIES[model].sun or FAMILIES[model].kind == "tasks"]
SUNSET, SUNRISE = Moment(Anchor.SUNSET), Moment(Anchor.SUNRISE)


def lamp(**facts: object) -> Luminaire:
    return Luminaire(TenantId("t"), AssetId("L"), "L", PLACE, ZoneId("z"), **facts)  # type: ignore[arg-type]


def town(*programs: Program, rules: tuple[Rule, ...] = ()) -> Programming:
    calendar = Calendar(CalendarId("own"), "own", programs[0].id, rules)
    return Programming(PLACE, "NW", {program.id: program for program in programs}, {calendar.id: calendar},
                       (Assignment(TOWN, calendar.id, NOON, "ada"),))


def program(*steps: Step, name: str = "p", on: Step | None = None, off: Step | None = None) -> Program:
    return Program(ProgramId(name), name, on or Step(SUNSET, 100), steps, off or Step(SUNRISE, 0))


def by_tables(programming: Programming, one: Luminaire, model: str, night: Night) -> tuple[Change, ...]:
    """What a controller does in the night that was told at its noon."""
    what = compiled(programming, one, model, night.noon)
    kind = family(model)
    assert kind is not None
    return by_itself(tables_of(confirmed_by(what.config)), kind, night)


def off_by(programming: Programming, one: Luminaire, model: str, night: Night) -> timedelta | None:
    return difference(by_tables(programming, one, model, night), curve_of(one, programming, night), night)


def simulated(config: DeviceConfig, night: Night) -> list[int]:
    """The levels of a simulated controller of the night's second half of each minute."""
    sky = Sky(PLACE)
    table, tasks = Timetable(sky, PLACE.longitude), Tasks(sky)
    for order in config.settings():
        match order:
            case SunCalendar():
                table.calendar = order
            case Profile():
                table.keep(order)
            case Holidays():
                table.holidays = order
            case DimTask():
                assert tasks.put(order)
    found, at = [], night.noon + 30 * timedelta(seconds=1)
    while at < night.next_noon:
        by_task = tasks.wanted(to_ns(at)) if tasks.slots else table.wanted(to_ns(at))[0]
        found.append(100 if by_task is None else by_task)
        at += MINUTE
    return found


def each_minute(changes: tuple[Change, ...], night: Night) -> list[int]:
    minutes = int((night.next_noon - night.noon) / MINUTE)
    return [level_at(changes, night.noon + (n + 0.5) * MINUTE).level for n in range(minutes)]


def near(found: list[int], wanted: list[int]) -> bool:
    """The same but for a minute around each change."""
    return all(level in wanted[max(n - 1, 0):n + 2] for n, level in enumerate(found))


LEVELS = st.integers(DARK_BELOW, 100)
# between the latest sunset and the earliest sunrise, in tens: there the order of moments is the same all the year
TIMES = st.one_of(st.integers(132, 143), st.integers(0, 25)).map(lambda tens: clock(*divmod(10 * tens, 60)))
EXACT = st.builds(
    lambda on, steps: program(*sorted((Step(at, level) for at, level in steps), key=lambda step: (step.at.minutes + 720) % 1440),
                              on=Step(SUNSET, on)),
    LEVELS, st.lists(st.tuples(TIMES, LEVELS), max_size=5, unique_by=lambda one: one[0]))
EVENINGS = st.dates(date(2026, 1, 1), date(2028, 12, 31)).filter(
    lambda day: not (day.isoweekday() in (6, 7) and day.month in (3, 10) and day.day >= 24))  # but for those when clocks change
LAMPS = st.builds(lamp, min_level=st.sampled_from([0, 0, 30]), lighting_class=st.sampled_from(["", "P4"]),
                  lighting_class_night=st.sampled_from(["", "P5"]), lantern_ring=st.booleans(),
                  restriction=st.sampled_from([Restriction.NONE, Restriction.NONE, Restriction.CROSSWALK]))


@given(EXACT, EVENINGS, LAMPS, st.sampled_from(TOLD_THE_SUN))
@settings(max_examples=examples(120), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_program_that_compiles_exactly_gives_the_programmed_night_in_any_season(
        wanted: Program, evening: date, one: Luminaire, model: str) -> None:
    night, programming = Night.of(evening, PLACE), town(wanted)
    own = by_tables(programming, one, model, night)
    late = difference(own, curve_of(one, programming, night), night)
    assert late is not None
    assert late <= MINUTE


@given(EXACT, EXACT, st.sets(st.integers(1, 7), min_size=1, max_size=6), EVENINGS, st.sampled_from(MODELS))
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_simulated_controller_does_in_the_night_what_is_said_of_it(
        usual: Program, other: Program, days: set[int], evening: date, model: str) -> None:
    second = Program(ProgramId("q"), "q", other.on, other.steps, other.off)
    programming = town(usual, second, rules=(Rule(second.id, weekdays=frozenset(days)), Rule(second.id, holidays=True)))
    night = Night.of(evening, PLACE)
    what = compiled(programming, lamp(), model, night.noon)
    assume(what.holds)
    assert near(simulated(what.config, night), each_minute(by_tables(programming, lamp(), model, night), night))


@given(EXACT, EXACT, st.sets(st.integers(1, 7), min_size=1, max_size=6), EVENINGS)
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_weekday_has_its_own_night_though_a_device_s_day_ends_at_its_midnight(
        usual: Program, other: Program, days: set[int], evening: date) -> None:
    second = Program(ProgramId("q"), "q", other.on, other.steps, other.off)
    programming = town(usual, second, rules=(Rule(second.id, weekdays=frozenset(days)),))
    for model in ("stadtfunk/lamp", "zenosmart/lcc"):
        what = compiled(programming, lamp(), model, Night.of(evening, PLACE).noon)
        if what.config.tasks and any("needs" in str(one) for one in what.deviations):
            continue
        late = off_by(programming, lamp(), model, Night.of(evening, PLACE))
        assert late is not None, model
        assert late <= MINUTE


@pytest.mark.parametrize("model", MODELS)
def test_every_table_that_is_compiled_has_bytes_that_say_the_same(model: str) -> None:
    steps = (Step(clock(22), 50), Step(clock(23, 30), 20), Step(clock(4, 40), 70))
    programming = town(program(*steps), program(name="q"), rules=(Rule(ProgramId("q"), holidays=True),
                                                                 Rule(ProgramId("q"), weekdays=frozenset({5, 6}))))
    what, codec = compiled(programming, lamp(lantern_ring=True), model, NOON), codec_of(model)
    assert what.holds
    for order in what.config.settings():
        assert codec.decode_downlink(codec.encode_downlink(order)) == order


def test_steps_between_the_ten_minutes_are_said_to_be_rounded() -> None:
    what = compiled(town(program(Step(clock(22, 4), 50))), lamp(), "nas/ul20xx", NOON)
    assert "Steps are rounded to 10 minutes: 22:04 becomes 22:00." in map(str, what.deviations)
    assert measured(what, town(program(Step(clock(22, 4), 50))), lamp(), "nas/ul20xx", NOON)[0].facts == {"minutes": 4}


def test_an_offset_from_sunset_becomes_the_sun_s_angle_and_is_a_few_minutes_off() -> None:
    programming = town(program(on=Step(Moment(Anchor.SUNSET, 20), 100)))
    what = compiled(programming, lamp(), "stadtfunk/lamp", NOON)
    said = measured(what, programming, lamp(), "stadtfunk/lamp", NOON)
    assert [one.message for one in said] == ["It changes its level up to {minutes} minutes earlier or later than programmed."]
    tasks = compiled(programming, lamp(), "zenosmart/lcc", NOON)
    assert not measured(tasks, programming, lamp(), "zenosmart/lcc", NOON)


def test_programs_that_follow_twilight_are_held_by_the_sun_calendar() -> None:
    programming = town(program(Step(Moment(Anchor.DUSK), 100), Step(clock(23), 40), Step(clock(5), 100),
                               Step(Moment(Anchor.DAWN), 60), on=Step(SUNSET, 60)))
    for evening in (date(2026, 11, 22), date(2026, 3, 20), date(2026, 12, 21)):
        assert (off_by(programming, lamp(), "nas/ul20xx", Night.of(evening, PLACE)) or timedelta.max) <= 3 * MINUTE


def test_what_goes_wrong_in_another_season_is_said_now() -> None:
    programming = town(program(on=Step(Moment(Anchor.DUSK), 100)))
    what = compiled(programming, lamp(), "zenosmart/lcc", NOON)  # tasks know minutes from sunset, not twilight
    [said] = measured(what, programming, lamp(), "zenosmart/lcc", NOON)
    assert said.facts["minutes"] in range(5, 15)
    june = Night.of(date(2026, 6, 21), PLACE)
    assert (off_by(programming, lamp(), "zenosmart/lcc", june) or timedelta()) > 5 * MINUTE


def test_a_depth_of_the_sun_that_summer_does_not_reach_is_still_told_right() -> None:
    deep = Moment(Anchor.FALLS, altitude=-18)
    what = compiled(town(program(on=Step(deep, 100))), lamp(), "stadtfunk/lamp", NOON)
    assert what.config.sun_calendar is not None
    assert abs(what.config.sun_calendar.sunset[0].zenith - 108) < 0.1


def test_a_program_by_the_clock_alone_needs_no_sun() -> None:
    programming = town(program(Step(clock(22), 50), on=Step(clock(18, 30), 100), off=Step(clock(6, 20), 0)))
    for model in TOLD_THE_SUN:
        for evening in (date(2026, 6, 21), date(2026, 12, 21)):
            assert off_by(programming, lamp(lantern_ring=True), model, Night.of(evening, PLACE)) == timedelta(), model


def test_a_holiday_on_the_list_is_lit_its_own_way_until_midnight() -> None:
    usual, feast = program(Step(clock(22), 50), Step(clock(5), 100)), program(name="q")
    programming = town(usual, feast, rules=(Rule(feast.id, holidays=True),))
    what = compiled(programming, lamp(), "nas/ul20xx", datetime(2027, 5, 3, 12, tzinfo=UTC))
    assert what.config.holidays is not None
    assert (5, 6) in what.config.holidays.days  # Ascension Day 2027
    night = Night.of(date(2027, 5, 6), PLACE)
    own = by_tables(programming, lamp(), "nas/ul20xx", night)
    assert level_at(own, night.clock(23 * 60)).level == 100
    assert level_at(own, night.clock(2 * 60 + 30)).level == 50
    assert any("ends a holiday at midnight" in str(one) for one in what.deviations)
    assert difference(own, curve_of(lamp(), programming, night), night) is None
    assert off_by(programming, lamp(), "zenosmart/lcc", night) == timedelta()


def test_a_holiday_that_passes_changes_nothing_that_has_to_be_told() -> None:
    programming = town(program(Step(clock(22), 50)), program(name="q"), rules=(Rule(ProgramId("q"), holidays=True),))
    for model in ("nas/ul20xx", "zenosmart/lcc"):
        told = [compiled(programming, lamp(), model, datetime(2027, 1, 2, 12, tzinfo=UTC) + timedelta(days=day)).config
                for day in range(80)]
        assert all(one == told[0] for one in told)
    week = [compiled(programming, lamp(), "nas/ul20xx", datetime(2027, 5, day, 12, tzinfo=UTC)).config for day in range(1, 31)]
    assert all(one == week[0] for one in week)


def test_parts_of_the_year_are_told_when_they_begin() -> None:
    usual, winter = program(), program(Step(clock(21), 30), name="q")
    programming = town(usual, winter, rules=(Rule(winter.id, first=(11, 1), last=(2, 28)),))
    before, after = (compiled(programming, lamp(), "nas/ul20xx", datetime(2026, month, day, 13, tzinfo=UTC))
                     for month, day in ((10, 31), (11, 1)))
    assert before.config.profiles == ()
    assert after.config.profiles
    assert any(one.message.startswith("Parts of the year") for one in before.deviations)


def test_when_the_clocks_change_the_controller_is_an_hour_off_until_it_is_told_anew() -> None:
    programming = town(program(Step(clock(22), 50), Step(clock(4), 100)))
    saturday, sunday = Night.of(date(2026, 10, 24), PLACE), Night.of(date(2026, 10, 25), PLACE)
    assert off_by(programming, lamp(), "nas/ul20xx", saturday) is None
    late = off_by(programming, lamp(), "nas/ul20xx", sunday)
    assert late is not None
    assert late <= MINUTE
    kind = family("nas/ul20xx", {"nas/ul20xx"})
    assert kind is not None
    local = compiled(programming, lamp(), "nas/ul20xx", saturday.noon, local={"nas/ul20xx"})
    own = by_itself(tables_of(confirmed_by(local.config)), kind, saturday)
    assert (difference(own, curve_of(lamp(), programming, saturday), saturday) or timedelta()) <= MINUTE


def test_what_has_too_many_steps_is_left_to_the_platform() -> None:
    steps = tuple(Step(clock(*divmod(10 * n, 60)), 20 + n % 7) for n in range(3, 24))
    what = compiled(town(program(*steps)), lamp(), "nas/ul20xx", NOON)
    assert what.config.profiles == ()
    assert any("more steps than the controller can hold" in str(one) for one in what.deviations)
    assert compiled(town(program(*steps)), lamp(), "stadtfunk/lamp", NOON).config.profiles


def test_a_model_that_keeps_no_program_says_so() -> None:
    what = compiled(town(program()), lamp(), "acrios/acr-slc", NOON)
    assert not what.holds
    assert "drives it live" in str(what.deviations[0])


def test_only_what_differs_is_told_and_what_is_not_wanted_is_given_up() -> None:
    before = confirmed_by(compiled(town(program(Step(clock(22), 50), Step(clock(5), 100))), lamp(), "nas/ul20xx", NOON).config)
    later = compiled(town(program(Step(clock(23), 50), Step(clock(5), 100))), lamp(), "nas/ul20xx", NOON).config
    told = delta(before, later)
    assert [type(one) for one in told] == [Profile]
    gone = compiled(town(program()), lamp(), "nas/ul20xx", NOON).config
    [silent] = delta(confirm(before, told[0]), gone)
    assert isinstance(silent, Profile)
    assert [step.level for step in silent.steps] == [None]
    assert delta(confirm(before, silent), gone) == []
    assert codec_of("nas/ul20xx").encode_downlink(silent).port == 50


def test_a_task_takes_the_place_of_its_number_or_is_new_and_others_are_removed_first() -> None:
    rules = (Rule(ProgramId("q"), days=frozenset({date(2026, 12, 24)})),)
    wanted = compiled(town(program(Step(clock(22), 50)), program(name="q"), rules=rules), lamp(), "zenosmart/lcc", NOON).config
    reported = confirmed_by(wanted)
    other = compiled(town(program(Step(clock(23), 40))), lamp(), "zenosmart/lcc", NOON).config
    told = delta(reported, other)
    assert isinstance(told[0], RemoveTask)
    assert all(isinstance(one, DimTask) and one.replaces for one in told[1:])
    for order in told:
        reported = confirm(reported, order)
    assert delta(reported, other) == []
    assert [one.replaces for one in delta({}, other) if isinstance(one, DimTask)] == [False] * 3
    assert tables_of(reported).tasks == other.tasks


def test_a_lamp_left_alone_keeps_what_it_was_told_by_hand_and_then_its_program() -> None:
    programming = town(program(Step(clock(22), 50), Step(clock(5), 100)))
    tables = tables_of(confirmed_by(compiled(programming, lamp(), "nas/ul20xx", NOON).config))
    night = Night.of(evening_of(NOON), PLACE)
    kind = family("nas/ul20xx")
    left = alone(tables, kind, night)
    assert [change.level for change in left.changes] == [0, 100, 50, 100, 0]
    assert "22:00 50 %" in str(left.sentences[0])
    held = alone(tables, kind, night, hand=Hand(20, night.clock(23 * 60)))
    assert [(change.at, change.level) for change in held.changes[:3]] == [
        (night.noon, 20), (night.clock(23 * 60), 50), (night.clock(5 * 60), 100)]
    assert [change.level for change in alone(tables, kind, night, hand=Hand(20, None)).changes] == [20]
    assert alone(tables_of({}), kind, night).changes == ()
    assert alone(tables_of({}), None, night).changes == ()


def test_behind_a_feeder_without_power_by_day_a_lamp_forgets_the_time() -> None:
    night = Night.of(evening_of(NOON), PLACE)
    left = alone(tables_of({"FallbackLevel": to_json(_fallback(60)).decode()}), family("nas/ul20xx"), night, supply=Supply.NIGHT)
    assert [(change.at, change.level) for change in left.changes] == [(night.noon, 0), (night.sunset, 60), (night.sunrise, 0)]
    assert "fallback of 60 %" in str(left.sentences[0])


def test_near_a_change_nobody_is_told_what_he_is_about_to_do() -> None:
    night = Night.of(evening_of(NOON), PLACE)
    own = (Change(night.noon, 0), Change(night.clock(1200), 50))
    assert does(own, 50, night.clock(1190))
    assert does(own, 0, night.clock(1210))
    assert not does(own, 50, night.clock(1170))
    assert not does(own, 0, night.clock(1230))


def _fallback(level: int):  # type: ignore[no-untyped-def]
    [order] = DeviceConfig(fallback_level=level).settings()
    return order
