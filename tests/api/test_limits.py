"""Guessing passwords gets slower and slower."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from api import limits
from api.limits import RUNS_AT_ONCE, RUNS_OF_A_TOWN, RUNS_TOGETHER, RunLimiter, SignInLimiter
from city.errors import TooOften

NOW = datetime(2026, 3, 2, 22, tzinfo=UTC)


def test_strangers_may_read_much_of_the_past_but_not_again_and_again():
    limiter, month = limits.PastLimiter(), 31 * 96 * 40
    for _ in range(4):
        limiter.check(month, NOW)
    with pytest.raises(TooOften) as refused:
        limiter.check(month, NOW)
    seconds = int(str(refused.value.facts["seconds"]))
    assert 1 <= seconds <= 60
    limiter.check(month, NOW + timedelta(seconds=seconds))
    limiter.check(month * 1000, NOW + timedelta(hours=1))
    with pytest.raises(TooOften):
        limiter.check(1, NOW + timedelta(hours=1))
    limiter.check(month, NOW + timedelta(hours=1, minutes=1))


def wait(limiter: SignInLimiter, name: str, address: str, now: datetime) -> int:
    try:
        limiter.check(name, address, now)
    except TooOften as refused:
        return int(str(refused.facts["seconds"]))
    return 0


def test_five_errors_are_free_and_then_the_wait_doubles():
    limiter, waits = SignInLimiter(), []
    for _ in range(9):
        waits.append(wait(limiter, "eva", "1.2.3.4", NOW))
        limiter.failed("eva", "1.2.3.4", NOW)
    assert waits == [0, 0, 0, 0, 0, 3, 5, 9, 17]


def test_the_wait_has_an_upper_limit_and_ends():
    limiter = SignInLimiter()
    for _ in range(40):
        limiter.failed("eva", "1.2.3.4", NOW)
    assert wait(limiter, "eva", "1.2.3.4", NOW) == 901
    assert wait(limiter, "eva", "1.2.3.4", NOW + timedelta(minutes=15)) == 0


def test_nobody_else_has_to_wait_and_success_forgives():
    limiter = SignInLimiter()
    for _ in range(8):
        limiter.failed("eva", "1.2.3.4", NOW)
    assert wait(limiter, "eva", "9.9.9.9", NOW) == 0
    assert wait(limiter, "ida", "1.2.3.4", NOW) == 0
    limiter.succeeded("eva", "1.2.3.4")
    assert wait(limiter, "eva", "1.2.3.4", NOW) == 0


def test_one_address_that_tries_many_names_has_to_wait_too():
    limiter = SignInLimiter()
    for n in range(limits.FREE_TRIES_OF_ADDRESS):
        limiter.failed(f"name{n}", "1.2.3.4", NOW)
    assert wait(limiter, "another", "1.2.3.4", NOW) > 0


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "MOST_KEYS", 10)
    limiter = SignInLimiter()
    for n in range(100):
        limiter.failed(f"name{n}", f"10.0.0.{n}", NOW)
    assert len(limiter._failures) == 10


def test_too_often_names_no_negative_wait():
    limiter = SignInLimiter()
    for _ in range(6):
        limiter.failed("eva", "a", NOW)
    with pytest.raises(TooOften):
        limiter.check("eva", "a", NOW + timedelta(seconds=1))


def test_tries_at_the_same_time_count_before_they_have_failed():
    limiter = SignInLimiter()
    assert [wait(limiter, "eva", "1.2.3.4", NOW) for _ in range(7)] == [0, 0, 0, 0, 0, 2, 2]
    limiter.released("eva", "1.2.3.4")  # the database was down: nobody has erred
    assert wait(limiter, "eva", "1.2.3.4", NOW) == 0


def test_beyond_the_free_tries_there_is_one_at_a_time():
    limiter = SignInLimiter()
    for _ in range(limits.FREE_TRIES):
        limiter.failed("eva", "1.2.3.4", NOW)
    later = NOW + timedelta(seconds=5)
    assert [wait(limiter, "eva", "1.2.3.4", later) > 0 for _ in range(3)] == [False, True, True]


def test_one_towns_scripts_leave_room_for_anothers():
    limiter = RunLimiter()
    with ExitStack() as running:
        for n in range(RUNS_OF_A_TOWN):
            running.enter_context(limiter.running("aalen", f"eva{n}", NOW))
        with pytest.raises(TooOften), limiter.running("aalen", "adam", NOW):
            pass
        with limiter.running("bonn", "eva0", NOW):
            pass
    with limiter.running("aalen", "adam", NOW):
        pass


def test_all_towns_together_hold_few_threads():
    limiter = RunLimiter()
    with ExitStack() as running:
        for n in range(RUNS_AT_ONCE):
            running.enter_context(limiter.running(f"town{n}", "eva", NOW))
        with pytest.raises(TooOften), limiter.running("another", "eva", NOW):
            pass


def test_who_runs_scripts_often_waits_and_no_other_does():
    limiter = RunLimiter()
    for _ in range(RUNS_TOGETHER):
        with limiter.running("aalen", "eva", NOW):
            pass
    with pytest.raises(TooOften), limiter.running("aalen", "eva", NOW):
        pass
    with limiter.running("aalen", "adam", NOW), limiter.running("bonn", "eva", NOW):
        pass
