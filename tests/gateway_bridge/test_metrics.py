"""What the bridge counts, in numbers and in Prometheus' text."""

import pytest

from gateway_bridge import metrics as module
from gateway_bridge.link import MemoryLink
from gateway_bridge.metrics import Capped, Metrics, Outcome, Spread

SECOND = 1_000_000_000


def test_the_balance_holds_before_during_and_after_a_batch() -> None:
    metrics = Metrics()

    def holds() -> bool:
        said = metrics.balance()
        return said["received"] == said["stored"] + said["duplicates"] + said["dead_letters"] + said["queued"]

    metrics.take(10)
    assert holds()
    metrics.take(5)
    assert metrics.balance()["queued"] == 15
    metrics.settle(Outcome(stored=7, duplicates=2, letters={"TooOld": 1}))
    metrics.queued.value -= 10
    assert holds()
    assert metrics.balance() == {"received": 15, "stored": 7, "duplicates": 2, "dead_letters": 1, "queued": 5}


def test_outcomes_add_up() -> None:
    one = Outcome(1, 2, {"a": 1}, ("gw",), (("alt", "g1", 2),), 5, 9)
    two = Outcome(3, 4, {"a": 1, "b": 2}, (), (("neu", "g2", 1),), 3, 7)
    assert one + two == Outcome(4, 6, {"a": 2, "b": 2}, ("gw",), (("alt", "g1", 2), ("neu", "g2", 1)), 3, 9)
    assert (Outcome() + two).oldest_ns == (two + Outcome()).oldest_ns == 3


def test_the_lag_is_that_of_the_newest_event_and_the_spread_that_of_the_oldest() -> None:
    metrics = Metrics()
    metrics.settle(Outcome(stored=2, oldest_ns=100 * SECOND, newest_ns=103 * SECOND), 104 * SECOND)
    assert metrics.lag_s.value == 1.0
    assert metrics.lag.total == 4.0
    text = metrics.text().decode()
    assert "stadtfunk_bridge_lag_seconds 1.0" in text
    assert 'stadtfunk_bridge_batch_lag_seconds_bucket{le="5.0"} 1.0' in text
    assert 'stadtfunk_bridge_batch_lag_seconds_bucket{le="2.0"} 0.0' in text


def test_a_clock_that_is_ahead_gives_no_negative_lag() -> None:
    metrics = Metrics()
    metrics.settle(Outcome(stored=1, oldest_ns=10 * SECOND, newest_ns=10 * SECOND), 9 * SECOND)
    assert metrics.lag_s.value == 0.0


def test_what_names_a_series_from_outside_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NAMES", 3)
    counted = Capped()
    for number in range(10):
        counted.inc(f"gw{number}", 2)
    counted.inc("gw0")
    assert counted.values == {"gw0": 3, "gw1": 2, "gw2": 2, "other": 14}


def test_missing_frames_count_by_town_and_by_gateway() -> None:
    metrics = Metrics()
    metrics.settle(Outcome(stored=2, missed=(("alt", "g1", 3), ("alt", "g2", 1))))
    text = metrics.text().decode()
    assert 'stadtfunk_bridge_frames_missed_total{tenant="alt"} 4.0' in text
    assert 'stadtfunk_bridge_gateway_frames_missed_total{gateway="g1"} 3.0' in text


def test_a_spread_counts_a_value_at_its_bound_below_it() -> None:
    spread = Spread((1, 2))
    for value in (1, 1.5, 2, 3):
        spread.observe(value)
    assert spread.buckets() == [("1", 1.0), ("2", 3.0), ("+Inf", 4.0)]
    assert (spread.count, spread.total) == (4, 7.5)


def test_what_the_link_counts_is_shown() -> None:
    metrics, link = Metrics(), MemoryLink()
    metrics.watch(link)
    link.counts.sessions_lost = 2
    assert "stadtfunk_bridge_sessions_lost_total 2.0" in metrics.text().decode()
