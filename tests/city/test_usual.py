"""How often something usually happens, and by how many bays a count may be off for what nobody heard."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.readings import NS, to_ns
from city.usual import Rates, off_by

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def weeks(per_hour, *, number=2):
    """What was learnt of a stream with so many an hour, by the moment of its hour."""
    rates = Rates()
    for hour in range(number * 7 * 24):
        at = MONDAY + hour * HOUR
        for one in range(per_hour(at)):
            rates.add(to_ns(at) + one * NS)
    rates.turn(to_ns(MONDAY + number * 7 * 24 * HOUR))
    return rates


def test_saturdays_and_sundays_are_learnt_by_themselves():
    rates = weeks(lambda at: (40, 20, 4)[max(at.weekday() - 4, 0)] if at.weekday() >= 4 else 40)
    for day, usual in ((1, 40), (4, 40), (5, 20), (6, 4)):
        noon = to_ns(MONDAY + 14 * timedelta(days=1) + timedelta(days=day, hours=12))
        assert rates.expected(noon, noon + 3600 * NS) == pytest.approx(usual, rel=0.02)


def test_where_a_kind_of_day_was_never_seen_only_half_of_other_days_is_relied_upon():
    rates = Rates()
    for hour in range(4 * 24):
        rates.add(to_ns(MONDAY + hour * HOUR), 10)
    saturday = to_ns(MONDAY + timedelta(days=5, hours=10))
    assert rates.expected(saturday, saturday + 3600 * NS) == pytest.approx(5)


def test_a_morning_rises_by_quarters_not_by_hours():
    rates = weeks(lambda at: 60 if at.hour >= 8 else 4)
    early, late = (to_ns(MONDAY + timedelta(days=14, hours=7, minutes=minutes)) for minutes in (0, 45))
    assert rates.expected(early, early + 900 * NS) < rates.expected(late, late + 900 * NS) < 15


def test_a_count_that_nothing_can_have_changed_is_not_off():
    assert off_by(0, 0, 0.05) == 0


def test_who_all_go_one_way_take_a_count_further_off_than_who_come_and_go():
    assert off_by(4, 0, 0.01) > off_by(2, 2, 0.01)


@pytest.mark.parametrize(("more", "fewer"), [(0.4, 0.3), (2.0, 2.0), (5.0, 0.5), (12.0, 9.0)])
def test_the_chance_to_be_further_off_is_as_it_is_when_drawn(more, fewer):
    rng, draws, share = Random(5), 20_000, 0.05
    off = off_by(more, fewer, share)

    def poisson(mean):
        at, found = rng.expovariate(1), 0
        while at < mean:
            at, found = at + rng.expovariate(1), found + 1
        return found
    differences = [abs(poisson(more) - poisson(fewer)) for _ in range(draws)]
    assert sum(one > off for one in differences) / draws <= share * 1.1
    assert sum(one > off - 1 for one in differences) / draws > share * 0.75


@given(st.floats(0, 30), st.floats(0, 30), st.floats(0.001, 0.5))
def test_more_unseen_changes_never_make_a_count_surer(more, fewer, share):
    assert off_by(more, fewer, share) >= 0
    assert off_by(more, fewer, share / 2) >= off_by(more, fewer, share)
