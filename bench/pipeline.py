"""What one uplink costs the bridge on its way from JSON to durable storage, step by step, without MQTT.

    python -m bench.pipeline [--events 20000] [--lamps 10000] [--batch 200] [--runs 3] [--profile]

Reports of real lamps (bench._load.lamps), in batches, through the bridge's own steps on SQLite and the local log. Prints
processor time for each event, and as a multiple of the bare decoding of its JSON in the same run; of several runs, each
on a store of its own, the median. With --profile: where the time goes inside, by cProfile (which makes calls dearer).
"""

import argparse
import cProfile
import pstats
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import process_time
from typing import TypeVar

import msgspec

from bench._load.lamps import Lamps
from city.ids import DevEui
from city.store.opening import open_store
from city.store.ports import ReadingLog, Store
from city.store.readings import LocalLog
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all, store_facts
from gateway_bridge.memory import PACE, Memory
from gateway_bridge.pipeline import devices_of, handle_all

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


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--lamps", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=200, help="events in one commit")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    words = parser.parse_args(argv)
    lamps = Lamps(words.lamps)
    now = datetime.now(UTC)
    events = lamps.events(words.lamps + words.events, now - timedelta(days=2))
    messages = [Message(event.topic, event.payload) for event in events]
    heard, messages = messages[:words.lamps], messages[words.lamps:]
    if words.profile:
        profile(lamps, heard, messages, now, words.batch)
        return 0
    runs = [measured(lamps, heard, messages, now, words.batch) for _ in range(words.runs)]
    report({step: median(run[step] for run in runs) / len(messages) * 1e6 for step in runs[0]}, words)
    return 0


def report(each_us: dict[str, float], words: argparse.Namespace) -> None:
    bare = each_us.pop("bare JSON")
    total = sum(each_us.values())
    print(f"{words.events} events of {words.lamps} lamps, {words.batch} a commit; median of {words.runs} runs\n")
    for step, us in [*each_us.items(), ("together", total), ("bare JSON", bare)]:
        print(f"{step:<14} {us:8.1f} µs   {us / bare:6.1f} ×")
    print(f"\n{1e6 / total:,.0f} events for each second of processor time, MQTT apart")


def profile(lamps: Lamps, heard: Sequence[Message], messages: Sequence[Message], now: datetime, batch: int) -> None:
    with tempfile.TemporaryDirectory() as directory, steps(lamps, Path(directory)) as work:
        work.all(heard, now, batch)
        profiler = cProfile.Profile()
        profiler.runcall(work.all, messages, now, batch)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def measured(lamps: Lamps, heard: Sequence[Message], messages: Sequence[Message], now: datetime,
             batch: int) -> dict[str, float]:
    """Seconds by step, of a bridge that has heard each lamp before."""
    with tempfile.TemporaryDirectory() as directory, steps(lamps, Path(directory)) as work:
        work.all(heard, now, batch)
        work.watch.spent.clear()
        for first in range(0, len(messages), batch):
            work.watch.time("bare JSON", bare, messages[first:first + batch])
        work.all(messages, now, batch)
        return work.watch.spent


@contextmanager
def steps(lamps: Lamps, directory: Path) -> "Iterator[Steps]":
    """The bridge's steps over a registered town."""
    with ExitStack() as stack:
        store = open_store(f"sqlite:///{directory}/city.db")
        stack.callback(store.close)
        lamps.register(store)
        log = LocalLog(directory / "log")
        stack.callback(log.close)
        yield Steps(store, log, Memory(store, log, pace=PACE), Stopwatch())


@dataclass(frozen=True, slots=True)
class Steps:
    """As gateway_bridge.listen has them, one after the other in one thread."""

    store: Store
    log: ReadingLog
    memory: Memory
    watch: Stopwatch

    def all(self, messages: Sequence[Message], now: datetime, batch: int) -> None:
        """Raises AssertionError where not each of them is stored: then the figures are void."""
        stored = sum(self.some(messages[first:first + batch], now) for first in range(0, len(messages), batch))
        self.watch.time("write states", lambda: self.memory.flush(everything=True))
        if stored != len(messages):
            raise AssertionError(f"{stored} of {len(messages)} events are stored: the figures are void")

    def some(self, messages: Sequence[Message], now: datetime) -> int:
        memory, time = self.memory, self.watch.time
        arrivals = time("parse", parse_all, messages)
        devices = time("devices", devices_of, arrivals)
        time("know", self._know, devices)
        view = time("view", memory.view, devices)
        batch = time("handle", handle_all, arrivals, view, now)
        position = self.log.head()
        repeated = time("store", store_facts, self.store, self.log, batch.facts)
        time("keep", memory.keep, batch.changed, position)
        time("write states", memory.flush)
        return len(batch.facts.entries) - repeated

    def _know(self, devices: Collection[DevEui]) -> None:
        if self.memory.stale:
            self.memory.refresh()
        if missing := self.memory.missing(devices):
            self.memory.learn(missing)


def bare(messages: Sequence[Message]) -> list[object]:
    return [msgspec.json.decode(message.payload) for message in messages]


if __name__ == "__main__":
    sys.exit(main())
