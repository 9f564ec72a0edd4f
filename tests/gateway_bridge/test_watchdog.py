"""When a connection is asked for a sign of life, and when it is given up."""

import pytest

from gateway_bridge.watchdog import NARROW, TIMES, Company, Seldom, Step, Window, delivery, keepalive


@pytest.mark.parametrize(("now", "heard_at", "asked_at", "step"), [
    (10, 0, 0, Step.WAIT),
    (15, 0, 0, Step.ASK),
    (15, 14, 0, Step.ASK),  # what the broker sends does not tell it that we are there
    (20, 15.1, 15, Step.WAIT),
    (29, 14, 15, Step.WAIT),
    (30, 14, 15, Step.GIVE_UP),
    (30, 15.1, 15, Step.ASK),
])
def test_a_dead_connection_is_found_within_the_keepalive_time(now: float, heard_at: float, asked_at: float,
                                                              step: Step) -> None:
    assert keepalive(now, heard_at=heard_at, asked_at=asked_at, keepalive_s=30) is step


def test_without_a_keepalive_time_nobody_asks() -> None:
    assert keepalive(1e9, heard_at=0, asked_at=1, keepalive_s=0) is Step.WAIT


@pytest.mark.parametrize(("now", "arrived_at", "asked_at", "acknowledged_at", "held", "step"), [
    (59, 0, 0, 0, 0, Step.WAIT),
    (60, 0, 0, 0, 0, Step.ASK),
    (100, 50, 0, 0, 0, Step.WAIT),  # events come
    (79, 0, 60, 0, 0, Step.WAIT),
    (80, 0, 60, 0, 0, Step.GIVE_UP),
    (80, 60.1, 60, 0, 0, Step.WAIT),  # it came back
    (500, 0, 60, 0, 20, Step.WAIT),  # our own window is full: the broker may not send
    (501, 0, 60, 500, 0, Step.WAIT),  # it may again, but just now
    (520, 0, 60, 500, 0, Step.GIVE_UP),
])
def test_a_broker_that_delivers_nothing_is_given_up(now: float, arrived_at: float, asked_at: float, acknowledged_at: float,
                                                    held: int, step: Step) -> None:
    assert delivery(now, arrived_at=arrived_at, asked_at=asked_at, acknowledged_at=acknowledged_at, held=held,
                    every_s=60) is step


def test_a_watchdog_of_0_seconds_never_asks() -> None:
    assert delivery(1e9, arrived_at=0, asked_at=1, acknowledged_at=0, held=0, every_s=0) is Step.WAIT


def test_a_narrow_window_is_said_once() -> None:
    window = Window()
    assert [window.seen(20) for _ in range(3 * TIMES)].count(True) == 1
    assert window.most == 20


@pytest.mark.parametrize("numbers", [[1] * 100, [NARROW + 1] * 100, [20, 19] * 100, list(range(100))])
def test_what_only_looks_like_a_narrow_window_is_not_said(numbers: list[int]) -> None:
    window = Window()
    assert not any(window.seen(number) for number in numbers)


@pytest.mark.parametrize(("a_second", "wait_s"), [(1, 0.005), (1000, 0.005), (4000, 0.0025), (10_000, 0.001), (30_000, 0.0)])
def test_the_more_events_come_the_shorter_a_commit_waits_for_others(a_second: int, wait_s: float) -> None:
    company = Company()
    company.came(1, 100.0)
    company.came(a_second, 101.0)
    assert company.wait_s(0.005) == pytest.approx(wait_s)
    assert company.wait_s(0.0) == 0.0


def test_what_happens_with_every_message_is_said_once_an_hour() -> None:
    seldom = Seldom()
    assert [seldom.due("qos0", now) for now in (0, 1, 3599, 3600, 3601)] == [True, False, False, True, False]
    assert seldom.due("retained", 1)
