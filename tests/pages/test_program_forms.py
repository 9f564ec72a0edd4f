"""Forms and drawings of programs: whatever is kept can be opened and saved unchanged, and a drawing is true to its night."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from api.pages import calendar_form, group_form, program_form
from api.pages.curves import drawing, handle, share_of, turns
from city.groups import Filter, Group
from city.ids import AssetId, CalendarId, GroupId, ProgramId, TenantId, ZoneId
from city.nights import Change, Night, curve
from city.places import Luminaire, Site
from city.programs import SHIPPED, Anchor, Calendar, Moment, Program, Rule, Step, clock

SITE = Site(50.995, 8.11)
TOWN = TenantId("stadt")
NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
HIGH = st.floats(-18, 30).map(lambda value: round(value, 4))
SUN = st.sampled_from([Anchor.SUNSET, Anchor.SUNRISE, Anchor.DUSK, Anchor.DAWN])
MOMENTS = (st.builds(Moment, st.just(Anchor.CLOCK), st.integers(0, 1439)) | st.builds(Moment, SUN, st.integers(-240, 240))
           | st.builds(Moment, st.sampled_from([Anchor.FALLS, Anchor.RISES]), st.integers(-240, 240), HIGH))
STEPS = st.builds(Step, MOMENTS, st.integers(0, 100), st.integers(0, 3600))
OFF = st.builds(Step, MOMENTS, st.just(0), st.integers(0, 3600))
PROGRAMS = st.builds(Program, st.just(ProgramId("p")), NAMES, STEPS, st.lists(STEPS, max_size=6).map(tuple), OFF)
DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
OF_YEAR = DAYS.map(lambda day: (day.month, day.day))
CONDITIONS = st.fixed_dictionaries({"weekdays": st.frozensets(st.integers(1, 7)), "holidays": st.booleans(),
                                    "days": st.frozensets(DAYS, max_size=5), "range": st.none() | st.tuples(OF_YEAR, OF_YEAR)})


def rule(program: str, said: dict) -> Rule:
    first, last = said["range"] or (None, None)
    meant = bool(said["weekdays"] or said["holidays"] or said["days"] or said["range"])
    return Rule(ProgramId(program), said["weekdays"] if meant else frozenset({1}), first, last, said["holidays"], said["days"])


CALENDARS = st.builds(Calendar, st.just(CalendarId("c")), NAMES, st.sampled_from(list(SHIPPED)),
                      st.lists(st.builds(rule, st.sampled_from(list(SHIPPED)), CONDITIONS), max_size=5).map(tuple))


def lamp(id: str, name: str) -> Luminaire:
    return Luminaire(TOWN, AssetId(id), name, SITE, ZoneId("markt"))


@given(PROGRAMS)
def test_a_program_that_is_opened_and_saved_stays_as_it_was(program):
    form = program_form.form_of(program)
    sent = {"name": form.name} | {f"{name}-{key}": getattr(row, name) for key, row in form.rows.items()
                                  for name in program_form.StepRow.__slots__}
    read, wrong = program_form.read(program_form.typed(FormData(sent)), program.id)
    assert (read, list(wrong)) == (program, [])


@given(CALENDARS)
def test_a_calendar_that_is_opened_and_saved_stays_as_it_was(calendar):
    form = calendar_form.form_of(calendar)
    sent = [("name", form.name), ("default", form.default)]
    for number, row in enumerate(form.rules):
        sent += [(f"{name}-{number}", getattr(row, name)) for name in ("program", "first", "last", "days")]
        sent += [(f"weekday-{number}", day) for day in row.weekdays] + ([(f"holidays-{number}", "yes")] if row.holidays else [])
    read, wrong = calendar_form.read(calendar_form.typed(FormData(sent)), calendar.id)
    assert (read, list(wrong)) == (calendar, [])


@given(st.lists(st.sampled_from(["A", "B", "C", "L1", "L2"]), min_size=4, max_size=4), st.frozensets(st.integers(0, 3)))
def test_a_group_keeps_its_lamps_though_names_repeat_or_look_like_numbers(names, chosen):
    lamps = [lamp(f"L{number}", name) for number, name in enumerate(names)]
    group = Group(TOWN, GroupId("g"), "G", frozenset(lamps[number].id for number in chosen))
    read, wrong = group_form.read(group_form.form_of(group, lamps), TOWN, group.id, lamps)
    assert (read, list(wrong)) == (group, [])


def test_a_filter_that_is_opened_and_saved_stays_as_it_was():
    group = Group(TOWN, GroupId("g"), "G", filter=Filter(("markt",), lighting_classes=("P3", "M5"), min_power_w=12.5))
    assert group_form.read(group_form.form_of(group, ()), TOWN, group.id, ()) == (group, ())


FIELDS = ["name", "anchor-on", "time-on", "offset-on", "altitude-on", "level-on", "fade-on", "anchor-0", "time-0", "level-0",
          "anchor-off", "offset-off"]


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=12)))
def test_whatever_is_typed_becomes_a_program_or_sentences_at_fields(sent):
    form = program_form.typed(FormData(sent))
    program, wrong = program_form.read(form, ProgramId("p"))
    assert (program is None) == bool(wrong)
    known = {f"{name}-{key}" for key in form.rows for name in program_form.StepRow.__slots__} | {"name", "steps"}
    assert {field for field, _ in wrong} <= known


@given(PROGRAMS, st.dates(date(2026, 1, 1), date(2027, 12, 31)))
def test_a_drawing_stays_within_its_night_and_ends_at_its_noon(program, evening):
    night = Night.of(evening, SITE)
    drawn = drawing(curve(program, night), night)
    across = [float(x) for x in re.findall(r"[HL]([\d.]+)", drawn.line)]
    assert across == sorted(across)
    assert across[-1] == drawn.minutes
    assert all(0 <= float(y) <= 100 for y in re.findall(r"L[\d.]+ ([\d.]+)", drawn.line))


@pytest.mark.parametrize(("evening", "minutes"), [
    (date(2026, 3, 28), 1380), (date(2026, 10, 24), 1500), (date(2026, 6, 1), 1440)])
def test_the_night_of_a_change_of_clocks_has_its_true_length(evening, minutes):
    night = Night.of(evening, SITE)
    drawn = drawing((), night)
    assert drawn.minutes == minutes
    assert [drawn.ticks[0].share, drawn.ticks[-1].share] == [0, 100]
    at_four = handle("0", clock(4), 50, night)
    assert at_four.x == share_of(night, night.next_noon - timedelta(hours=8))
    assert at_four.base is None


def test_a_fade_is_drawn_as_a_slope_and_cut_where_the_next_step_begins():
    night = Night.of(date(2026, 11, 22), SITE)
    changes = (Change(night.noon, 0), Change(night.noon + timedelta(hours=6), 100, 3600),
               Change(night.noon + timedelta(hours=6, minutes=30), 20))
    assert drawing(changes, night).line == "M0 100H0L0 100H360L390 50H390L390 80H1440"


def test_where_the_sun_does_not_set_the_bands_are_empty():
    drawn = drawing((), Night.of(date(2026, 6, 21), Site(69.6, 18.9)))
    assert drawn.twilight[1] == 0
    assert drawn.dark[1] == 0
    assert set(turns(drawn.night)) == {"sunset", "sunrise", "dusk", "dawn"}
