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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import process_time
from typing import TypeVar

import msgspec

from bench._load.lamps import Lamps
from city.store.opening import open_store
from city.store.ports import Facts
from city.store.readings import LocalLog
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all
from gateway_bridge.pipeline import devices_of, handle_all
from gateway_bridge.reading import Reader

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
    messages = [Message(event.topic, event.payload) for event in lamps.events(words.events, now - timedelta(days=2))]
    if words.profile:
        profile(lamps, messages, now, words.batch)
        return 0
    runs = [measured(lamps, messages, now, words.batch) for _ in range(words.runs)]
    report({step: median(run[step] for run in runs) / len(messages) * 1e6 for step in runs[0]}, words)
    return 0


def report(each_us: dict[str, float], words: argparse.Namespace) -> None:
    bare = each_us.pop("bare JSON")
    total = sum(each_us.values())
    print(f"{words.events} events of {words.lamps} lamps, {words.batch} a commit; median of {words.runs} runs\n")
    for step, us in [*each_us.items(), ("together", total), ("bare JSON", bare)]:
        print(f"{step:<14} {us:8.1f} µs   {us / bare:6.1f} ×")
    print(f"\n{1e6 / total:,.0f} events for each second of processor time, MQTT apart")


def profile(lamps: Lamps, messages: Sequence[Message], now: datetime, batch: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        work = prepared(lamps, Path(directory), batch)
        profiler = cProfile.Profile()
        profiler.runcall(work, messages, now, Stopwatch())
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def measured(lamps: Lamps, messages: Sequence[Message], now: datetime, batch: int) -> dict[str, float]:
    """Seconds by step."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as directory:
        work = prepared(lamps, Path(directory), batch)
        for first in range(0, len(messages), batch):
            watch.time("bare JSON", bare, messages[first:first + batch])
        work(messages, now, watch)
    return watch.spent


def prepared(lamps: Lamps, directory: Path, batch: int) -> Callable[[Sequence[Message], datetime, Stopwatch], None]:
    """The bridge's steps over a registered town; each event must be in the log afterwards."""
    store, log = open_store(f"sqlite:///{directory}/city.db"), LocalLog(directory / "log")
    reader = Reader(store)
    lamps.register(store)

    def work(messages: Sequence[Message], now: datetime, watch: Stopwatch) -> None:
        stored = 0
        for first in range(0, len(messages), batch):
            part = messages[first:first + batch]
            arrivals = watch.time("parse", parse_all, part)
            arrivals = watch.time("read", reader.read, arrivals, now)
            view = watch.time("view", store.view, devices_of(arrivals))
            facts = watch.time("handle", handle_all, arrivals, view, now).facts
            stored += watch.time("log.append", log.append, facts.entries)
            watch.time("store.commit", store.commit, Facts(states=facts.states, commands=facts.commands,
                                                           alarms=facts.alarms, letters=facts.letters))
        if stored != len(messages):
            raise AssertionError(f"{stored} of {len(messages)} events are stored: the figures are void")
        reader.close()
        log.close()
        store.close()

    return work


def bare(messages: Sequence[Message]) -> list[object]:
    return [msgspec.json.decode(message.payload) for message in messages]


if __name__ == "__main__":
    sys.exit(main())
