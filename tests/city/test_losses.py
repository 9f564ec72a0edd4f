"""What a town loses on the air is learnt from how single orders went, and bounded whatever they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.casting import LOSS
from city.ids import DevEui
from city.losses import MOST_LOSS, MOST_OF_ONE, PRIOR_TRIES, Tried, between, learnt

TRIED = st.lists(st.builds(Tried, st.integers(0, 10**6).map(lambda number: DevEui(f"{number:016x}")),
                           st.integers(-5, 10**6), st.integers(-5, 10**7)), max_size=50)


def lamps(count, told, lost):
    return [Tried(DevEui(f"{number:016x}"), told, lost) for number in range(count)]


def test_of_a_town_that_was_told_nothing_the_usual_is_assumed():
    assert learnt([]) == LOSS
    assert learnt(lamps(5, 0, 0)) == LOSS


@pytest.mark.parametrize(("share", "most_off"), [(0, 0.003), (50, 0.001), (200, 0.01), (400, 0.02)])
def test_a_thousand_lamps_told_once_teach_the_share_that_was_lost(share, most_off):
    found = [*lamps(1000 - share, 1, 0), *lamps(share, 1, 1)]
    assert learnt(found) == pytest.approx(share / 1000, abs=most_off)


def test_one_lamp_behind_a_wall_does_not_speak_for_the_town():
    assert learnt([*lamps(1, 10_000, 9_000), *lamps(300, 1, 0)]) < 2 * LOSS
    assert learnt(lamps(1, 10_000, 10_000)) <= (LOSS * PRIOR_TRIES + MOST_OF_ONE) / (PRIOR_TRIES + MOST_OF_ONE)


@given(TRIED)
def test_the_loss_is_always_a_share_that_one_can_reckon_with(tried):
    assert 0.0 <= learnt(tried) <= MOST_LOSS


@given(TRIED, st.integers(1, 100))
def test_who_heard_the_first_try_never_makes_the_loss_larger_nor_who_did_not_smaller(tried, count):
    before = learnt(tried)
    assert learnt([*tried, *lamps(count, 1, 0)]) <= max(before, MOST_LOSS) + 1e-9
    if before < MOST_LOSS:
        assert learnt([*tried, *lamps(count, 1, 0)]) <= before + 1e-9
    assert learnt([*tried, *lamps(count, 1, 1)]) >= before - 1e-9


@given(TRIED)
def test_the_loss_lies_where_it_probably_does(tried):
    low, high = between(tried)
    assert 0.0 <= low <= learnt(tried) <= high <= MOST_LOSS


def test_the_more_was_tried_the_better_it_is_known():
    few, many = between(lamps(10, 1, 1)), between(lamps(1000, 1, 1))
    assert between([])[0] < 0.02 < 0.15 < between([])[1]
    assert many[1] - many[0] < few[1] - few[0]
