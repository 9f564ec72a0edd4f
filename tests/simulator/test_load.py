"""Load: many events, each a new one, each as a town would have sent it."""

import json
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from city.errors import Invalid
from simulator.load import Load
from simulator.scenario import Scenario

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
TOWN = Scenario.load().sized(lamps=12, bays=4)


def load(rate: float = 100.0, seed: int = 1) -> Load:
    return Load(TOWN, seed=seed, start=NOW, per_second=rate)


def test_events_come_at_the_rate_and_evenly() -> None:
    source = load(250.0)
    counts = [len(source.advance(NOW + timedelta(milliseconds=100 * step))) for step in range(1, 21)]
    assert set(counts) == {25}


def test_each_is_a_new_event_of_its_device_and_otherwise_what_the_town_said() -> None:
    messages = load().advance(NOW + timedelta(seconds=4))
    read = [(topic, json.loads(payload)) for topic, payload in messages]
    assert len({event["deduplicationId"] for _, event in read}) == 400
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", event["deduplicationId"])
               for _, event in read)
    by_device = defaultdict(list)
    for topic, event in read:
        assert event["deviceInfo"]["devEui"] in topic
        at = datetime.fromisoformat(event["time"])
        assert NOW <= at <= NOW + timedelta(seconds=4)
        assert all(one["gwTime"] == event["time"] < one["nsTime"] for one in event["rxInfo"])
        by_device[topic].append(event)
    assert len(by_device) == 16
    for events in by_device.values():
        counters = [event["fCnt"] for event in events]
        assert counters == list(range(counters[0], counters[0] + len(counters)))
        assert len({event["data"] for event in events}) == 1


def test_the_same_seed_gives_the_same_load() -> None:
    until = NOW + timedelta(seconds=1)
    assert load(seed=3).advance(until) == load(seed=3).advance(until)
    assert load(seed=3).advance(until) != load(seed=4).advance(until)


def test_commands_are_counted_and_nothing_else() -> None:
    source = load()
    source.command("application/x/device/y/command/down", b"{}", NOW)
    assert (source.stats["commands refused"], source.command_topics) == (1, ())


@pytest.mark.parametrize("rate", [0.0, -1.0, 2e6, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(Invalid, match="events a second"):
        load(rate)
