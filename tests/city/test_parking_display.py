"""From bays to what a zone shows: rules 8 to 11 of docs/parking.md."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.bays import BayState, Occupancy
from city.ids import AssetId, TenantId, ZoneId
from city.parking import Word
from city.parking_display import Display, Tells, ZoneRules, count, display, tells, word_of
from city.parking_facts import Count
from city.places import ParkingBay, Restriction, Site

NOW, RULES = datetime(2026, 11, 22, 12, tzinfo=UTC), ZoneRules()
OCCUPANCIES = tuple(Occupancy)


def states(*of, restriction=Restriction.NONE):
    return [BayState(ParkingBay(TenantId("t"), AssetId(str(number)), "", Site(51, 8), ZoneId("z"), restriction), one)
            for number, one in enumerate(of)]


def shown(free, total=24, before="many", unknown=0, since=None, now=NOW):
    return display(Display(before, since), Count(total, free, total - free - unknown, ""), now, RULES)


@given(st.lists(st.tuples(st.sampled_from(OCCUPANCIES), st.sampled_from(tuple(Restriction)))))
def test_unknown_is_never_counted_as_free_or_as_taken(of):
    bays = [one for occupancy, restriction in of for one in states(occupancy, restriction=restriction)]
    for kind in Restriction:
        mine, found = [occupancy for occupancy, restriction in of if restriction is kind], count(bays, kind)
        assert 0 <= found.free <= found.free_max <= found.total == len(mine) - mine.count(Occupancy.BLOCKED)
        assert found.free == mine.count(Occupancy.FREE)
        assert found.occupied == mine.count(Occupancy.OCCUPIED)
        assert found.unknown == mine.count(Occupancy.UNKNOWN) + mine.count(Occupancy.OUT_OF_SERVICE)


def test_a_free_bay_for_the_disabled_is_not_a_free_bay():
    bays = states(Occupancy.OCCUPIED, Occupancy.OCCUPIED) + states(Occupancy.FREE, restriction=Restriction.DISABLED)
    assert count(bays, Restriction.NONE).free == 0
    assert count(bays, Restriction.DISABLED).free == 1


@pytest.mark.parametrize(("free", "word"), [(24, Word.MANY), (8, Word.MANY), (7, Word.FEW), (2, Word.FEW), (1, Word.FULL),
                                             (0, Word.FULL)])
def test_the_class_of_a_count(free, word):
    assert word_of(Count(24, free, 24 - free, ""), RULES) is word


def test_one_free_bay_of_two_for_the_disabled_is_not_called_full():
    assert word_of(Count(2, 1, 1, ""), RULES) is Word.MANY
    assert word_of(Count(2, 0, 2, ""), RULES) is Word.FULL


def test_too_little_known_has_no_class():
    assert word_of(Count(10, 5, 0, ""), RULES) is Word.NO_DATA
    assert word_of(Count(0, 0, 0, ""), RULES) is Word.NO_DATA


def test_a_class_is_left_one_bay_beyond_its_limit_and_after_two_minutes():
    assert shown(7).word == "many"
    begun = shown(6)
    assert (begun.word, begun.leaving_since) == ("many", NOW)
    assert shown(6, since=NOW, now=NOW + timedelta(seconds=119)).word == "many"
    assert shown(6, since=NOW, now=NOW + timedelta(seconds=120)).word == "few"
    assert shown(7, since=NOW, now=NOW + timedelta(seconds=120)) == Display("many")


def test_a_full_zone_is_called_so_at_once_and_so_is_one_that_nothing_is_known_of():
    assert shown(0).word == "full"
    assert shown(8, unknown=10).word == "no_data"
    assert shown(20, before="no_data").word == "many"


def test_few_becomes_many_one_bay_beyond():
    assert shown(8, before="few").leaving_since is None
    assert shown(9, before="few").leaving_since == NOW


def test_a_small_zone_with_one_bay_left_is_not_called_many_for_ever():
    assert shown(1, total=5, since=NOW - timedelta(minutes=2)).word == "full"


@given(st.lists(st.tuples(st.integers(0, 24), st.integers(5, 300)), min_size=1, max_size=30))
def test_the_class_does_not_flutter(steps):
    """No class is left sooner than two minutes after it was first wrong, but for "full" and "no data"."""
    before, now, wrong_since = Display("many"), NOW, None
    for free, seconds in steps:
        now += timedelta(seconds=seconds)
        counted = Count(24, free, 24 - free, "")
        wrong_since = None if word_of(counted, RULES).value == before.word else wrong_since or now
        after = display(before, counted, now, RULES)
        if after.word != before.word:
            assert after.word == word_of(counted, RULES).value
            assert free == 0 or now - wrong_since >= RULES.hold
            wrong_since = None
        before = after


@pytest.mark.parametrize(("known", "told"), [(20, Tells.NUMBER), (18, Tells.NUMBER), (17, Tells.RANGE), (12, Tells.RANGE),
                                             (11, Tells.NOTHING)])
def test_what_is_told_follows_from_how_much_is_known(known, told):
    assert tells(Count(20, 3, known - 3, ""), Restriction.NONE, timedelta(0), RULES) is told


@pytest.mark.parametrize(("margin", "told"), [(2, Tells.NUMBER), (3, Tells.RANGE), (4, Tells.RANGE), (5, Tells.NOTHING)])
def test_what_is_told_follows_from_how_far_a_count_may_be_off(margin, told):
    assert tells(Count(24, 8, 16, "", margin), Restriction.NONE, timedelta(0), RULES) is told


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 80))
def test_whatever_the_doubt_a_range_is_possible_and_holds_what_was_counted(free, occupied, unknown, margin):
    counted = Count(free + occupied + unknown, free, occupied, "", margin)
    assert 0 <= counted.least_free <= counted.free <= counted.free_max <= counted.most_free <= counted.total
    if tells(counted, Restriction.NONE, timedelta(0), RULES) is Tells.NUMBER:
        assert margin <= RULES.number_margin


def test_of_few_bays_only_a_word_is_told_unless_somebody_needs_exactly_them():
    few = Count(4, 2, 2, "")
    assert tells(few, Restriction.NONE, timedelta(0), RULES) is Tells.WORD
    assert tells(few, Restriction.RESIDENT, timedelta(0), RULES) is Tells.WORD
    assert tells(few, Restriction.DISABLED, timedelta(0), RULES) is Tells.NUMBER
    assert tells(few, Restriction.DISABLED, timedelta(0), RULES, special_public=False) is Tells.WORD


@pytest.mark.parametrize("total", [1, 2])
@pytest.mark.parametrize("restriction", tuple(Restriction))
def test_of_one_bay_or_two_not_even_a_word_is_told_whatever_is_known(total, restriction):
    """A word that says "full" of one bay says that a car stands in it."""
    for free, age in ((free, age) for free in range(total + 1) for age in (timedelta(0), timedelta(hours=1))):
        for counted in (Count(total, free, total - free, "few"), Count(total, free, 0, "no_data")):
            assert tells(counted, restriction, age, RULES, special_public=False) is Tells.TOO_FEW


def test_of_three_bays_a_word_is_told():
    assert tells(Count(3, 0, 3, ""), Restriction.NONE, timedelta(0), RULES) is Tells.WORD


def test_an_old_evaluation_tells_nothing():
    assert tells(Count(20, 5, 15, ""), Restriction.NONE, timedelta(minutes=30), RULES) is Tells.NUMBER
    assert tells(Count(20, 5, 15, ""), Restriction.NONE, timedelta(minutes=31), RULES) is Tells.NOTHING
