"""A gateway is never made to send for longer than it may within any one hour."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.budget import LATEST, Budget, Spent, down_band, lawful_s
from city.commands import Priority
from city.ids import GatewayId

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
ONE, TWO = GatewayId("a" * 16), GatewayId("b" * 16)
P = down_band()


def test_class_c_may_use_six_minutes_of_an_hour_and_orders_half_of_them():
    assert lawful_s(P) == 360
    assert Budget().limit_s(P, Priority.OVERRIDE) == 180
    assert Budget(0.25).limit_s(P, Priority.OVERRIDE) == 90


def test_the_less_urgent_leave_something_to_the_more_urgent_and_safety_may_use_nearly_all():
    limits = [Budget().limit_s(P, priority) for priority in Priority]
    assert limits == sorted(limits, reverse=True)
    assert limits[0] < lawful_s(P)
    assert len(set(limits)) == len(limits)


def test_each_gateway_and_each_sub_band_has_an_hour_of_its_own():
    budget = Budget(spent=[Spent(ONE, "P", NOW, 179.5)])
    assert not budget.allows(ONE, P, 1.0, Priority.OVERRIDE, NOW)
    assert budget.allows(TWO, P, 1.0, Priority.OVERRIDE, NOW)
    assert budget.allows(ONE, down_band(868_100_000), 1.0, Priority.OVERRIDE, NOW)


def test_it_is_free_again_as_soon_as_enough_has_left_the_hour():
    budget = Budget(spent=[Spent(ONE, "P", NOW, 100.0), Spent(ONE, "P", NOW + timedelta(minutes=10), 79.0)])
    now = NOW + timedelta(minutes=20)
    assert budget.free_at(ONE, P, 0.5, Priority.OVERRIDE, now) == now
    at = budget.free_at(ONE, P, 50.0, Priority.OVERRIDE, now)
    assert timedelta() <= at - (NOW + timedelta(hours=1) + LATEST) < timedelta(seconds=1)
    assert budget.allows(ONE, P, 50.0, Priority.OVERRIDE, at)


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(0.02, 3.0), st.sampled_from(Priority)), max_size=300))
def test_no_hour_ever_holds_more_than_the_lawful_time_whatever_is_asked(asked):
    """Each frame may leave the gateway up to LATEST later than it was handed over, each by another time."""
    budget, now, sent = Budget(), NOW, []
    for wait, seconds, priority in asked:
        now += timedelta(seconds=wait)
        if budget.allows(ONE, P, seconds, priority, now):
            budget.spend(Spent(ONE, "P", now, seconds))
            late = LATEST if len(sent) % 2 else timedelta()
            sent.append((now + late, seconds))
    for at, _ in sent:
        within = sum(seconds for other, seconds in sent if at - timedelta(hours=1) < other <= at)
        assert within <= lawful_s(P)


def test_what_no_band_allows_is_said():
    with pytest.raises(ValueError, match="nothing may be sent"):
        down_band(868_650_000)
