"""What one uplink costs the bridge on its way from JSON to durable storage, step by step.

    python -m bench.pipeline [lamps] [hours]

A simulated town's own messages, in batches of 500, through the bridge's own steps on SQLite and the local log. Prints
processor time for each message, and as a multiple of the bare decoding of its JSON in the same run.
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import TypeVar

import msgspec

from city.imports import parse as parse_list
from city.store.opening import open_store
from city.store.ports import Facts
from city.store.readings import LocalLog
from decoders.catalog import catalog
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all
from gateway_bridge.pipeline import devices_of, handle_all
from gateway_bridge.reading import Reader
from simulator.chirpstack import ChirpStack
from simulator.scenario import Scenario

START = datetime(2026, 11, 22, 16, tzinfo=UTC)
BATCH = 500
T = TypeVar("T")


class Stopwatch:
    """Processor time by step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def time(self, step: str, work: Callable[..., T], *arguments: object) -> T:
        begun = process_time()
        result = work(*arguments)
        self.spent[step] = self.spent.get(step, 0.0) + process_time() - begun
        return result


def main(lamps: int, hours: float) -> None:
    scenario = Scenario.load(None).sized(lamps=lamps, bays=lamps // 2)
    now = START + timedelta(hours=hours)
    messages = [Message(topic, payload) for topic, payload in ChirpStack(scenario, seed=1, start=START).advance(now)]
    with tempfile.TemporaryDirectory() as directory:
        spent, readings = run(scenario, messages, now, Path(directory))
    bare = spent.pop("bare JSON")
    total = sum(spent.values())
    each = 1e6 / len(messages)
    print(f"{len(messages)} messages of {lamps} lamps and {lamps // 2} bays, {readings / len(messages):.1f} readings a message\n")
    for step, seconds in [*spent.items(), ("together", total), ("bare JSON", bare)]:
        print(f"{step:<14} {seconds * each:8.1f} µs   {seconds / bare:6.1f} ×")
    print(f"\n{len(messages) / total:,.0f} messages for each second of processor time")


def run(scenario: Scenario, messages: list[Message], now: datetime, directory: Path) -> tuple[dict[str, float], int]:
    store, log, watch = open_store(f"sqlite:///{directory}/city.db"), LocalLog(directory / "log"), Stopwatch()
    reader = Reader(store)
    store.put_tenant(scenario.tenant)
    rows, _ = parse_list(scenario.import_csv(), catalog())
    store.tenant(scenario.tenant.id).import_rows(rows)
    readings = 0
    for first in range(0, len(messages), BATCH):
        batch = messages[first:first + BATCH]
        watch.time("bare JSON", bare, batch)
        arrivals = watch.time("parse", parse_all, batch)
        arrivals = watch.time("read", reader.read, arrivals, now)
        view = watch.time("view", store.view, devices_of(arrivals))
        facts = watch.time("handle", handle_all, arrivals, view, now).facts
        watch.time("log.append", log.append, facts.entries)
        watch.time("store.commit", store.commit, Facts(states=facts.states, alarms=facts.alarms, letters=facts.letters))
        readings += sum(len(entry.readings) for entry in facts.entries)
    reader.close()
    log.close()
    store.close()
    return watch.spent, readings


def bare(messages: list[Message]) -> list[object]:
    return [msgspec.json.decode(message.payload) for message in messages]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, float(sys.argv[2]) if len(sys.argv) > 2 else 2.0)
