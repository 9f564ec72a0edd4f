"""Floors and guard-rails: what the law asks of a lamp, and that no sequence of wishes gets round it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city import guards
from city.errors import Invalid
from city.floors import core, floor_at, highest_floor, lamp_floor, lawful
from city.groups import Target
from city.guards import Limits, Weight, check, check_programs
from city.nights import Night, curve, level_at
from city.programs import GANZNACHT, HALBNACHT, SHIPPED, TEILNACHT, Step, clock
from city.wants import Wants
from tests.city.lighted import EVENING, LATE, NOON, SITE, TOWN, approved, case, lamp, street, wish
from tests.city.test_programs import evenings, programs, sites
from tests.examples import examples

RINGED = {"lantern_ring": True}


def weights(findings) -> dict[str, Weight]:
    return {finding.rule: finding.weight for finding in findings}


@pytest.mark.parametrize(("evening", "night", "designed", "floors"), [
    ("M3", "M4", 1.0, (100, 75)), ("M4", "M5", 0.75, (100, 67)), ("M4", "M6", 0.75, (100, 40)), ("P4", "P5", 5.0, (100, 60)),
    ("P4", "P6", 5.0, (100, 40)), ("P3", "P4", 7.5, (100, 67)), ("M4", "M6", 1.0, (75, 30)), ("M4", "", 1.0, (75, 75)),
    ("M3", "M4", None, (100, 75)), ("M3", "", None, (0, 0)), ("", "", None, (0, 0)), ("P7", "", 5.0, (0, 0)),
    ("M2", "M1", 1.5, (100, 100))])
def test_the_floor_comes_from_the_lighting_classes(evening, night, designed, floors):
    one = lamp(1, lighting_class=evening, lighting_class_night=night, designed_value=designed)
    assert (lamp_floor(one), lamp_floor(one, late=True)) == floors


def test_a_lamps_own_least_level_and_a_crossing_are_floors_too():
    assert highest_floor(lamp(1, min_level=30)) == 30
    assert highest_floor(lamp(1, crossing=True)) == 100


lamps = st.builds(lamp, st.integers(0, 99), crossing=st.booleans(), min_level=st.sampled_from([0, 0, 20]),
                  lighting_class=st.sampled_from(["", "M3", "M4", "P4"]), lantern_ring=st.booleans(),
                  lighting_class_night=st.sampled_from(["", "M5", "P6"]), designed_value=st.sampled_from([None, 1.0, 7.5]))


@given(programs, evenings, sites, lamps, st.integers(0, 1499))
@settings(max_examples=examples(300), deadline=None)
def test_no_program_takes_a_lamp_below_its_floor_or_unlawfully_into_the_dark(program, evening, site, one, minute):
    night = Night.of(evening, site)
    at = min(night.noon + timedelta(minutes=minute), night.next_noon - timedelta(seconds=1))
    level = level_at(lawful(curve(program, night), one, night), at).level
    if level >= 5:
        assert level >= floor_at(one, night, at)
    elif not one.lantern_ring:
        begin, end = core(night)
        assert not begin <= at < end


def test_teilnacht_puts_out_only_lamps_with_the_ring():
    midnight = Night.of(date(2026, 11, 22), SITE).clock(0)
    wants = Wants(replace(TOWN, programs={**SHIPPED, HALBNACHT: replace(SHIPPED[TEILNACHT], id=HALBNACHT)}), (), midnight)
    assert [wants.of(lamp(1)).level, wants.of(lamp(2, **RINGED)).level] == [100, 0]
    found = check_programs([SHIPPED[TEILNACHT]], street(3), SITE, NOON)
    assert weights(found) == {"StVO 394": Weight.REFUSED}
    assert check_programs([SHIPPED[TEILNACHT]], street(3, **RINGED), SITE, NOON) == ()
    assert check_programs([SHIPPED[GANZNACHT]], street(3), SITE, NOON) == ()


def test_a_program_that_is_dark_at_night_only_in_the_depth_of_winter_is_refused_in_any_season():
    early = replace(SHIPPED[GANZNACHT], off=Step(clock(7, 12), 0))
    for month in range(1, 13):
        now = datetime(2026, month, 5, 11, tzinfo=UTC)
        assert weights(check_programs([early], street(2), SITE, now)) == {"StVO 394": Weight.REFUSED}, month


def test_a_program_that_is_darker_than_the_law_is_said_to_be_raised():
    found = check_programs([SHIPPED[HALBNACHT]], street(3, lighting_class="M3", lighting_class_night="M4"), SITE, NOON)
    assert [(one.weight, one.facts["lamps"]) for one in found] == [(Weight.NOTICE, 3)]


def test_a_wish_below_the_floor_names_the_lamp_and_the_rule():
    town = [*street(3), lamp(9, lighting_class="M3", lighting_class_night="M4")]
    [found] = check(case(wish(70, now=LATE), town))
    assert (found.weight, found.rule, found.facts["lamp"], found.facts["floor"]) == (Weight.REFUSED, "EN 13201", "HIL-0009", 75)
    with pytest.raises(Invalid, match="HIL-0009"):
        guards.refuse([found])
    assert check(case(wish(75, now=LATE), town)) == ()
    assert weights(check(case(wish(75, now=EVENING), town))) == {"EN 13201": Weight.REFUSED}  # before ten the evening's class
    assert check(case(wish(10, now=NOON, hours=1), town)) == ()  # by day nobody needs the light


def test_a_crossing_burns_on_while_its_street_is_dimmed_and_cannot_be_dimmed_alone():
    town = [*street(3), lamp(9, crossing=True)]
    dimmed = wish(40)
    assert weights(check(case(dimmed, town))) == {"DIN 67523": Weight.NOTICE}
    assert [Wants(TOWN, [dimmed], EVENING).of(one).level for one in town] == [40, 40, 40, 100]
    assert weights(check(case(wish(99, "lamp:L9"), town))) == {"DIN 67523": Weight.REFUSED}
    assert check(case(wish(100, "lamp:L9"), town)) == ()


def test_the_dark_needs_the_ring_a_second_person_and_not_too_much_of_a_circuit():
    assert weights(check(case(wish(0), street(8))))["StVO 394"] is Weight.REFUSED
    found = weights(check(case(wish(0), street(8, **RINGED))))
    assert found == {"blackout protection": Weight.REFUSED, "two persons": Weight.SECOND}
    half = wish(0, *(f"lamp:L{n}" for n in range(4)))
    assert weights(check(case(half, street(8, **RINGED)))) == {"two persons": Weight.SECOND}
    assert check(case(wish(0, now=NOON, hours=1), street(8))) == ()


def test_a_level_that_nobody_sees_is_dark_too():
    assert weights(check(case(wish(1), street(8))))["StVO 394"] is Weight.REFUSED


def test_every_second_lamp_is_never_put_out_alone_or_by_and_by():
    town = street(12, **RINGED)
    odd = [f"lamp:L{n}" for n in (1, 3, 5, 7)]
    assert weights(check(case(wish(0, *odd), town)))["EN 13201 uniformity"] is Weight.REFUSED
    before = [approved(wish(0, odd[0], id="a")), approved(wish(0, odd[1], id="b"))]
    assert "EN 13201 uniformity" in weights(check(case(wish(0, odd[1], id="c"), town, before[:1])))
    assert "EN 13201 uniformity" not in weights(check(case(wish(0, *(f"lamp:L{n}" for n in range(5))), town)))


def test_an_emergency_is_always_allowed_but_ends():
    town = [*street(1500), lamp(9, crossing=True)]
    assert check(case(wish(100, "town", emergency=True), town)) == ()
    assert weights(check(case(wish(100, "town", emergency=True, hours=30), town))) == {"≤ 24 h": Weight.REFUSED}


def test_many_lamps_are_typed_and_very_many_need_a_second_person():
    assert weights(check(case(wish(60), street(201)))) == {"> 200 lamps": Weight.TYPED}
    assert set(weights(check(case(wish(60), street(1001)))).values()) == {Weight.TYPED, Weight.SECOND}


def test_very_many_lamps_need_a_second_person_also_one_street_after_the_other():
    town = street(30)
    few = Limits(second_above=20)
    first = wish(60, *(f"lamp:L{n}" for n in range(15)), id="a")
    second = wish(60, *(f"lamp:L{n}" for n in range(15, 30)), id="b")
    assert check(case(first, town), few) == ()
    assert weights(check(case(second, town, [first]), few)) == {"> 20 lamps": Weight.SECOND}
    assert check(case(second, town, [replace(first, actor="bert")]), few) == ()  # two persons
    assert check(case(second, town, [approved(replace(first, needs_second=True))]), few) == ()
    assert check(case(replace(first, id="c"), town, [first]), few) == ()  # the same lamps again
    assert check(case(replace(second, level=100), town, [first]), few) == ()
    later = replace(second, start=first.end, end=first.end + timedelta(hours=1))
    assert check(case(later, town, [first]), few) == ()


def test_what_is_lawful_beside_dark_neighbours_must_still_be_when_the_program_lights_them():
    town = street(9, **RINGED)
    dark = replace(TOWN, programs={**SHIPPED, HALBNACHT: replace(SHIPPED[TEILNACHT], id=HALBNACHT)})
    odd = [f"lamp:L{n}" for n in (1, 3, 5, 7)]
    night = Night.of(date(2026, 11, 22), SITE)
    lit = next(change.at for change in curve(SHIPPED[TEILNACHT], night) if change.at > night.clock(2) and change.level)
    assert lit < core(night)[1]
    for until, refused in ((lit - timedelta(minutes=5), False), (lit + timedelta(minutes=5), True)):
        asked = wish(0, *odd, now=night.clock(60), hours=(until - night.clock(60)) / timedelta(hours=1))
        found = weights(check(case(asked, town, programming=dark)))
        assert ("EN 13201 uniformity" in found) is refused


@pytest.mark.parametrize(("role", "hours", "refused"), [("operator", 24, False), ("operator", 25, True), ("engineer", 168, False),
                                                        ("engineer", 169, True), ("admin", 744, False)])
def test_each_role_has_its_longest_override(role, hours, refused):
    assert bool(check(case(wish(60, hours=hours), street(3), role=role))) is refused


def test_what_would_be_left_dark_alone_ends_with_the_wish_that_has_ended():
    town = street(12, **RINGED)
    middle = [f"lamp:L{n}" for n in (1, 3, 5)]
    one, two = wish(0, *middle, id="a"), wish(0, *(f"lamp:L{n}" for n in range(6)), id="b", now=EVENING + timedelta(seconds=1))
    now = EVENING + timedelta(seconds=2)
    assert guards.left_wrong(town, TOWN, [one, two], now) == []
    assert guards.left_wrong(town, TOWN, [one, replace(two, ended_at=now)], now) == [one]


def test_a_lamp_that_comes_under_a_dark_wish_later_and_has_no_ring_burns_as_programmed():
    """A group that grew, a lamp that was moved into the zone or has lost its ring: no guard-rail has seen it."""
    dark, late = approved(wish(0, hours=8)), LATE
    wants = Wants(TOWN, [dark], late)
    found = wants.of(lamp(1))
    assert (found.level, found.reason, found.origin) == (50, "override", "override:o1")
    assert wants.of(lamp(2, **RINGED)).level == 0
    assert Wants(TOWN, [replace(dark, start=NOON)], NOON).of(lamp(1)).level == 0  # by day nobody needs it
    assert wants.until <= Night.around(late, SITE).clock(5 * 60)  # then the law asks something else


def test_light_that_nobody_has_approved_hides_no_darkness():
    town = street(8, **RINGED)
    left, right = (tuple(f"lamp:L{n}" for n in range(4)), tuple(f"lamp:L{n}" for n in range(4, 8)))
    dark = approved(wish(0, *left, id="a"))
    lit = wish(100, "zone:markt", id="b", now=EVENING + timedelta(seconds=1), needs_second=True)
    more = wish(0, *right, id="c", now=EVENING + timedelta(seconds=2), hours=1)
    assert weights(check(case(more, town, [dark, lit])))["blackout protection"] is Weight.REFUSED
    assert "blackout protection" not in weights(check(case(more, town, [dark, approved(lit)])))


def test_many_small_wishes_do_not_hide_a_dark_hour_behind_them():
    town = street(8, **RINGED)
    small = [wish(100, "lamp:L0", id=f"s{n:03}", start=EVENING + timedelta(minutes=n), hours=(n + 0.5) / 60) for n in range(60)]
    dark = approved(wish(0, *(f"lamp:L{n}" for n in range(4)), id="d", start=EVENING + timedelta(hours=3), hours=5))
    more = wish(0, *(f"lamp:L{n}" for n in range(4, 8)), id="e", hours=5)
    assert Weight.REFUSED in weights(check(case(more, town, [*small, dark]))).values()
    assert Weight.REFUSED in weights(check(case(more, town, [dark]))).values()


def test_light_for_every_second_of_the_lamps_that_are_dark_ends_the_darkness():
    town = street(9, **RINGED)
    dark = wish(0, *(f"lamp:L{n}" for n in range(4)), id="a")
    lit = wish(60, "lamp:L1", "lamp:L3", id="b", now=EVENING + timedelta(seconds=1))
    assert guards.left_wrong(town, TOWN, [dark, lit], lit.created_at) == []  # L0 has one neighbour, L2 alone is no pattern
    more = replace(dark, targets=(*dark.targets, Target("lamp", "L4")))
    assert guards.left_wrong(town, TOWN, [more, lit], lit.created_at) == [more]


intents = st.lists(st.tuples(st.sets(st.integers(0, 9), min_size=1, max_size=10), st.sampled_from([None, 0, 3, 30, 60, 100]),
                             st.integers(0, 300), st.integers(10, 600)), max_size=8)


@given(intents, st.integers(0, 700), st.sampled_from([0, 1, 2]))
@settings(max_examples=examples(150), deadline=None)
def test_no_sequence_of_wishes_gets_round_the_guard_rails(asked, minute, ends):
    """Whatever passes the rails one by one, together it never darkens more of a circuit than may be, never every second
    lamp, no lamp without its ring, none below its floor; also where wishes are ended in between."""
    town = [*street(8, **RINGED, min_level=20), lamp(8), lamp(9, crossing=True)]
    kept = []
    for number, (chosen, level, start, minutes) in enumerate(asked):
        made = wish(level, *(f"lamp:L{n}" for n in chosen), id=f"o{number}", now=EVENING + timedelta(seconds=number),
                    hours=(start + minutes) / 60, start=EVENING + timedelta(minutes=start))
        if not any(finding.weight is Weight.REFUSED for finding in check(case(made, town, kept), Limits())):
            kept.append(made)
        if ends and len(kept) > ends:
            kept.pop(ends)
        left = guards.left_wrong(town, TOWN, kept, made.created_at)
        kept = [one for one in kept if one not in left]
    at = EVENING + timedelta(minutes=minute)
    wants, night = Wants(TOWN, kept, at), Night.around(at, SITE)
    begin, end = core(night)
    if not begin <= at < end:
        return
    levels = {one.id: wants.of(one).level for one in town}
    dark = [one for one in town if levels[one.id] < 5]
    assert len(dark) <= 5
    assert all(one.lantern_ring for one in dark)
    assert levels["L9"] == 100
    assert all(levels[one.id] >= 20 for one in town[:8] if one not in dark)
    alone = [number for number in range(1, 7)
             if levels[f"L{number}"] < 5 <= min(levels[f"L{number - 1}"], levels[f"L{number + 1}"])]
    assert len(alone) < 2 or len(alone) <= len(dark) / 3


@given(intents, st.integers(-60, 1500))
@settings(max_examples=examples(100), deadline=None)
def test_a_setpoint_always_has_exactly_one_reason(asked, minute):
    kept = [wish(level, *(f"lamp:L{n}" for n in chosen), id=f"o{number}", now=EVENING + timedelta(seconds=number),
                 hours=(start + minutes) / 60, start=EVENING + timedelta(minutes=start))
            for number, (chosen, level, start, minutes) in enumerate(asked)]
    at = EVENING + timedelta(minutes=minute)
    for one in street(10):
        want = Wants(TOWN, kept, at).of(one)
        covering = [item for item in kept if item.active(at) and Target("lamp", one.id) in item.targets]
        newest = max(covering, key=lambda item: item.age, default=None)
        if newest is None or newest.level is None:
            assert (want.reason, want.origin) == ("program", "program")
        else:
            assert (want.reason, want.origin) == ("override", f"override:{newest.id}")
        assert want.since <= at < want.until
        assert 0 <= want.level <= 100


def test_resuming_beats_an_older_wish_and_its_end_brings_it_back():
    older, newer = wish(40, id="a"), wish(None, "lamp:L1", id="b", now=EVENING + timedelta(minutes=1), hours=1)
    at = EVENING + timedelta(minutes=2)
    assert [Wants(TOWN, [older, newer], at).of(one).level for one in street(3)] == [40, 100, 40]
    assert Wants(TOWN, [older, newer], EVENING + timedelta(minutes=90)).of(lamp(1)).level == 40
    assert Wants(TOWN, [older, newer], EVENING + timedelta(hours=3)).of(lamp(1)).reason == "program"
