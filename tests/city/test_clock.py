"""Time is asked for in one place, and stands still in tests."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from city.clock import ManualClock, ScaledClock, SystemClock

START = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_scaled_clock_runs_faster():
    seconds = iter([100.0, 102.0])
    assert ScaledClock(START, 60, lambda: next(seconds)).now() == START + timedelta(minutes=2)


def test_a_clock_never_stops_or_runs_back():
    with pytest.raises(ValueError, match="above 0"):
        ScaledClock(START, 0)
    with pytest.raises(ValueError, match="backwards"):
        ManualClock(START).advance(-1)


async def test_a_sleeper_wakes_when_the_clock_has_been_moved_far_enough():
    clock = ManualClock(START)
    sleeper = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    await clock.tick(9)
    await asyncio.sleep(0)
    assert not sleeper.done()
    await clock.tick(1)
    await asyncio.wait_for(sleeper, 1)


def test_the_systems_clock_is_aware_utc():
    assert SystemClock().now().tzinfo is UTC
