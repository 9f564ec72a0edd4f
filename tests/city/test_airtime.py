"""Time on air as the reference computed it, and estimates that follow from it."""

import pytest

from city.airtime import estimate, time_on_air


@pytest.mark.parametrize(("payload", "sf", "ms"), [(3, 7, 46.3), (3, 9, 164.9), (3, 10, 288.8), (4, 12, 1155.1), (10, 9, 185.3)])
def test_downlinks_of_the_reference(payload, sf, ms):
    assert time_on_air(payload, sf) * 1000 == pytest.approx(ms, abs=0.1)


@pytest.mark.parametrize(("payload", "sf", "ms"), [(0, 7, 46.3), (10, 7, 61.7), (51, 12, 2793.5), (10, 12, 1482.8)])
def test_uplinks_of_the_reference(payload, sf, ms):
    assert time_on_air(payload, sf, crc=True) * 1000 == pytest.approx(ms, abs=0.1)


def test_a_thousand_lamps_one_by_one_take_minutes_and_twelve_hours_worth_waits_for_the_budget():
    assert estimate(1000, 4, 9).last_s == pytest.approx(165, abs=3)
    assert estimate(1000, 4, 12).last_s > 3 * 3600
    assert estimate(1000, 4, 9, gateways=4).last_s < estimate(1000, 4, 9).last_s / 3


def test_nothing_to_do_takes_no_time():
    assert estimate(0, 4, 9).last_s == 0
