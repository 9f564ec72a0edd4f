"""How lamps that were told together report without drowning one another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.orders import LevelNotice
from city.reporting import LEAST_S, LOST, MOST_S, STEP_S, notice_for, silence_after_s, spoilt, spread_for
from decoders.catalog import codec_of

FOUR = {7: 0.93, 8: 0.04, 9: 0.02, 10: 0.01}  # by ADR, four gateways on three kilometres


def test_a_zone_of_a_thousand_reports_within_three_minutes() -> None:
    assert 100 <= spread_for(1000, gateways=4, rates=FOUR) <= 180
    assert spoilt(1000, spread_for(1000, gateways=4, rates=FOUR), gateways=4, rates=FOUR) <= LOST


def test_a_few_lamps_are_as_they_leave_the_factory() -> None:
    assert spread_for(0) == spread_for(10) == LEAST_S


@pytest.mark.parametrize(("seconds", "lost"), [(30, 0.093), (60, 0.060), (120, 0.028), (240, 0.013)])
def test_the_formula_says_what_the_simulated_air_showed(seconds: int, lost: float) -> None:
    """A thousand of 3,000 lamps, four gateways; a little is lost to the other two thousand."""
    assert spoilt(1000, seconds, gateways=4, rates=FOUR) == pytest.approx(lost, abs=0.02)


@given(st.integers(0, 30_000), st.integers(1, 8))
def test_more_lamps_take_longer_and_more_gateways_less(lamps: int, gateways: int) -> None:
    here = spread_for(lamps, gateways=gateways)
    assert LEAST_S <= here <= spread_for(lamps + 500, gateways=gateways) <= MOST_S
    assert spread_for(lamps, gateways=gateways + 1) <= here
    assert here % STEP_S == 0 or here == LEAST_S


@given(st.integers(1, 30_000))
def test_whatever_is_chosen_can_be_told_to_a_controller(lamps: int) -> None:
    codec, notice = codec_of("nas/ul20xx"), notice_for(lamps)
    assert isinstance(notice, LevelNotice)
    assert codec.decode_downlink(codec.encode_downlink(notice)) == notice


def test_slow_lamps_need_more_time() -> None:
    assert spread_for(500, rates={12: 1.0}) > 5 * spread_for(500, rates={7: 1.0})


def test_silence_means_something_only_after_the_random_time() -> None:
    assert silence_after_s(170) > 170
