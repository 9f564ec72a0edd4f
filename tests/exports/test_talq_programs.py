"""Programs and calendars to TALQ and back, and that TALQ's own rules make the same light of them as ours."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import Invalid, Unsupported
from city.exports.talq_programs import calendar, control_program, inexact, program_of
from city.ids import CalendarId, ProgramId
from city.nights import BERLIN, Night, curve, level_at
from city.places import Site
from city.programs import HALBNACHT, SHIPPED, Anchor, Calendar, Moment, Program, Rule, Step

SITE = Site(51.0, 8.1)
NIGHT = Night.of(date(2026, 11, 22), SITE)
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d:00")
levels, fades = st.integers(0, 100), st.sampled_from([0, 0, 10, 600])
minutes = st.integers(0, 1439)


def steps(moments: st.SearchStrategy[Moment]) -> st.SearchStrategy[tuple[Step, ...]]:
    return st.lists(st.builds(Step, moments, levels, fades), max_size=6).map(lambda some: tuple(sorted(some, key=place)))


def place(step: Step) -> tuple[bool, int]:
    """In the order of a night."""
    by_clock = step.at.anchor is Anchor.CLOCK
    return step.at.anchor is Anchor.SUNRISE, (step.at.minutes - 720) % 1440 if by_clock else step.at.minutes


clocks = st.builds(Moment, st.just(Anchor.CLOCK), minutes)
suns = st.builds(Moment, st.sampled_from([Anchor.SUNSET, Anchor.SUNRISE]), st.integers(-240, 240))
ends = st.one_of(
    st.tuples(st.integers(-120, 120).map(lambda at: Moment(Anchor.SUNSET, at)),
              st.integers(-120, 120).map(lambda at: Moment(Anchor.SUNRISE, at))),
    st.tuples(st.integers(720, 1439).map(lambda at: Moment(Anchor.CLOCK, at)),
              st.integers(0, 719).map(lambda at: Moment(Anchor.CLOCK, at))))
programs = st.builds(
    lambda between, level, fade, some: Program(ProgramId("p"), "P", Step(between[0], level, fade), some, Step(between[1], 0)),
    ends, levels, fades, st.one_of(steps(clocks), steps(suns))).filter(lambda program: inexact(program) is None)


@settings(deadline=None)
@given(programs)
def test_a_program_comes_back_from_talq_with_the_same_light_every_night(program: Program) -> None:
    back = program_of(control_program(program, NIGHT))
    for evening in (date(2026, 6, 21), date(2026, 11, 22), date(2026, 12, 31)):
        night = Night.of(evening, SITE)
        assert curve(back, night) == curve(program, night)


@settings(deadline=None)
@given(programs)
def test_talq_to_us_and_back_is_the_same_document(program: Program) -> None:
    document = control_program(program, NIGHT)
    assert control_program(program_of(document), NIGHT) == document


@settings(deadline=None)
@given(programs, st.lists(st.integers(0, 24 * 60 - 1), min_size=1, max_size=20))
def test_talqs_own_rules_make_the_same_light(program: Program, moments: list[int]) -> None:
    document = control_program(program, NIGHT)
    changes = curve(program, NIGHT)
    for at in (NIGHT.noon + timedelta(minutes=number, seconds=30) for number in moments):
        if all(abs((at - change.at).total_seconds()) > 1 for change in changes):
            assert level_by_talq(document, NIGHT, at) == level_at(changes, at).level


def level_by_talq(document: dict[str, Any], night: Night, at: datetime) -> int:
    """A second reading of TALQ's rules: active period, the fixed control that began last (from noon on), over it the astro
    control that began last."""
    [period] = document["activePeriods"]
    if period["name"] == "AstroClockActivePeriod":
        start = night.sunset + timedelta(minutes=period["sunsetOffset"])
        end = night.sunrise + timedelta(minutes=period["sunriseOffset"])
    else:
        start, end = (local(night, period[name]) for name in ("startTime", "endTime"))
    if not start <= at < end:
        return 0
    begun = [(local(night, one["startTime"]), one["command"]) for one in document["fixedTimeControls"]]
    command = max(((when, one) for when, one in begun if when <= at), key=lambda pair: pair[0])[1]
    astro = [(sun(night, one) + timedelta(minutes=one["offset"]), number, one["command"])
             for number, one in enumerate(document["astroClockTimeControls"])]
    over = [one for one in astro if one[0] <= at]
    found: int = (max(over, key=lambda one: one[:2])[2] if over else command)["state"]["value"]
    return found


def sun(night: Night, control: dict[str, Any]) -> datetime:
    return night.sunset if control["solarEventType"] == "sunset" else night.sunrise


def local(night: Night, text: str) -> datetime:
    hours, mins = int(text[:2]), int(text[3:5])
    day = night.evening if hours >= 12 else night.evening + timedelta(days=1)
    return datetime(day.year, day.month, day.day, hours, mins, tzinfo=BERLIN).astimezone(UTC)


@settings(deadline=None)
@given(programs)
def test_the_document_has_talqs_shape(program: Program) -> None:
    document = control_program(program, NIGHT)
    assert {"type", "id", "ownerCMS", "activePeriods", "fixedTimeControls"} <= set(document)
    times = [one["startTime"] for one in document["fixedTimeControls"]]
    assert times == sorted(set(times))
    assert all(CLOCK.fullmatch(one) for one in times)
    for one in document["astroClockTimeControls"]:
        assert set(one) == {"offset", "solarEventType", "operation", "command"}


@pytest.mark.parametrize("program", SHIPPED.values(), ids=lambda one: one.name)
def test_what_is_shipped_is_told_exactly(program: Program) -> None:
    assert control_program(program, NIGHT)["x-stadtfunk"]["exact"] is True
    back = program_of(control_program(program, NIGHT))
    assert (back.id, back.name, curve(back, NIGHT)) == (program.id, program.name, curve(program, NIGHT))


ODD = {
    "dusk": Program(ProgramId("odd"), "Odd", Step(Moment(Anchor.DUSK), 90), (Step(Moment(Anchor.CLOCK, 1380), 40, 60),),
                    Step(Moment(Anchor.DAWN), 0)),
    "mixed steps": Program(ProgramId("odd"), "Odd", Step(Moment(Anchor.SUNSET), 90),
                           (Step(Moment(Anchor.CLOCK, 1380), 40), Step(Moment(Anchor.SUNRISE, -30), 80))),
    "fade out": Program(ProgramId("odd"), "Odd", Step(Moment(Anchor.SUNSET), 90), (), Step(Moment(Anchor.SUNRISE), 0, 60)),
    "mixed ends": Program(ProgramId("odd"), "Odd", Step(Moment(Anchor.CLOCK, 1020), 90)),
    "out of order": Program(ProgramId("odd"), "Odd", Step(Moment(Anchor.SUNSET), 90),
                            (Step(Moment(Anchor.CLOCK, 800), 40), Step(Moment(Anchor.CLOCK, 780), 60))),
    "never lit": Program(ProgramId("odd"), "Odd", Step(Moment(Anchor.CLOCK, 300), 90), (), Step(Moment(Anchor.CLOCK, 1200), 0))}


@pytest.mark.parametrize("program", ODD.values(), ids=ODD)
def test_what_talq_cannot_say_is_one_nights_course_to_the_minute_and_marked(program: Program) -> None:
    document = control_program(program, NIGHT)
    assert document["x-stadtfunk"]["exact"] is False
    assert document["x-stadtfunk"]["why"]
    assert document["x-stadtfunk"]["evening"] == "2026-11-22"
    changes = curve(program, NIGHT)
    for number in range(0, 24 * 60, 7):
        at = NIGHT.noon + timedelta(minutes=number, seconds=30)
        if all(abs((at - change.at).total_seconds()) > 60 for change in changes) and len(changes) > 1:
            assert level_by_talq(document, NIGHT, at) == level_at(changes, at).level
    with pytest.raises(Unsupported):
        program_of(document)


def talq(**more: object) -> dict[str, Any]:
    return {**control_program(SHIPPED[HALBNACHT], NIGHT), **more}


def fixed(*at: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"startTime": time, "command": {"state": {"name": "LevelState", "value": level}}} for time, level in at]


def test_without_a_control_at_noon_the_last_one_goes_round() -> None:
    program = program_of(talq(fixedTimeControls=fixed(("05:00:00", 90), ("22:00:00", 40))))
    assert program.on.level == 90
    assert [step.level for step in program.steps] == [40, 90]
    assert program_of(talq(fixedTimeControls=[])).on.level == 100


@pytest.mark.parametrize(("body", "error"), [
    ({}, Invalid), (None, Invalid), ([], Invalid), (talq(type="Other"), Invalid), (talq(id="../x"), Invalid),
    (talq(surprise=1), Invalid), (talq(fixedTimeControls=fixed(("25:00:00", 1))), Invalid),
    (talq(fixedTimeControls=fixed(("22:00:00", 101))), Invalid),
    (talq(fixedTimeControls=fixed(("22:00:00", 1), ("05:00:00", 1))), Invalid),
    (talq(fixedTimeControls=fixed(("22:00:00", 1), ("22:00:00", 2))), Invalid),
    (talq(fixedTimeControls=fixed(*((f"{n // 60:02}:{n % 60:02}:00", n) for n in range(60)))), Invalid),
    (talq(fixedTimeControls=fixed(*((f"{n // 60:02}:{n % 60:02}:00", 1) for n in range(101)))), Invalid),
    (talq(fixedTimeControls=fixed(("22:00:30", 1))), Unsupported), (talq(activePeriods=[]), Unsupported),
    (talq(activePeriods=[{"name": "SensorActivePeriod"}]), Invalid), (talq(dynamicControls=[{}]), Unsupported),
    (talq(activePeriods=[{"name": "AbsoluteActivePeriod", "startTime": "08:00:00", "endTime": "16:00:00"}]), Unsupported),
    (talq(activePeriods=[{"name": "AstroClockActivePeriod", "sunsetOffset": 10**9, "sunriseOffset": 0}]), Invalid),
    (talq(astroClockTimeControls=[{"offset": 0, "solarEventType": "sunset", "operation": "Max",
                                   "command": {"state": {"name": "LevelState", "value": 1}}}]), Unsupported),
    (talq(astroClockTimeControls=[{"offset": 0, "solarEventType": "sunset", "operation": "Set",
                                   "command": {"state": {"name": "LevelState", "value": 1}}}]), Unsupported)])
def test_what_no_lamp_here_can_do_exactly_is_refused(body: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        program_of(body)


# --- calendars --------------------------------------------------------------------------------------------------------

TODAY = date(2026, 11, 22)
some_days = st.dates(date(2026, 11, 21), date(2027, 12, 31))
a_day = some_days.map(lambda day: (day.month, day.day))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    ranged, weekdays, holidays = draw(st.booleans()), draw(st.frozensets(st.integers(1, 7))), draw(st.booleans())
    days = draw(st.frozensets(some_days, max_size=3))
    if not (ranged or weekdays or holidays or days):
        holidays = True
    return Rule(draw(st.sampled_from([ProgramId("a"), ProgramId("b")])), weekdays, draw(a_day) if ranged else None,
                draw(a_day) if ranged else None, holidays, days)


@settings(deadline=None)
@given(st.lists(rules(), max_size=4), st.sampled_from(["NW", "BY", ""]), st.lists(some_days, min_size=1, max_size=10))
def test_talqs_first_rule_that_matches_names_the_same_program(some: list[Rule], land: str, evenings: list[date]) -> None:
    ours = Calendar(CalendarId("c"), "C", ProgramId("d"), tuple(some))
    document = calendar(ours, land, TODAY)
    for evening in evenings:
        assert by_talq(document, evening) == ours.on(evening, land)


def by_talq(document: dict[str, Any], evening: date) -> str:
    for rule in document["rules"]:
        if meets(rule, evening):
            return str(rule["program"])
    return str(document["defaultProgram"])


def meets(rule: dict[str, Any], evening: date) -> bool:
    text = evening.isoformat()
    for name, low in (("startDate", True), ("endDate", False)):
        border = rule.get(name)
        if border is not None:
            here = text[4:].replace("-", "--", 1) if border.startswith("--") else text
            if (here < border) if low else (here > border):
                return False
    condition = rule.get("condition")
    if condition is None:
        return True
    assert condition["type"] == "ccDay"
    return any(one["start"] <= evening.isoweekday() <= one.get("end", one["start"]) for one in condition["days"])


def test_holidays_are_written_out_and_it_is_said_until_when() -> None:
    document = calendar(Calendar(CalendarId("c"), "C", ProgramId("d"), (Rule(ProgramId("a"), holidays=True),)), "NW", TODAY)
    assert {"startDate": "2026-12-25", "endDate": "2026-12-26", "program": "a"} in document["rules"]
    assert document["x-stadtfunk"]["writtenOutUntil"] == "2027-12-31"


def test_a_range_over_new_year_is_two_rules() -> None:
    ours = Calendar(CalendarId("c"), "C", ProgramId("d"), (Rule(ProgramId("a"), frozenset({5, 6}), (12, 1), (1, 6)),))
    assert [(rule["startDate"], rule["endDate"]) for rule in calendar(ours, "NW", TODAY)["rules"]] == [
        ("--12-01", "--12-31"), ("--01-01", "--01-06")]
