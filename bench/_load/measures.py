"""Drain and live: the two ways in which a bridge gets its events."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench._load.loader import Tools, latencies, percentile
from bench._load.processes import Used, rest, stolen_s
from bench._load.servers import Influx
from bench._peers.ours import Bridges
from bench._peers.subject import Contender, Subject


@dataclass(frozen=True, slots=True)
class Drained:
    """A backlog taken in, the processes ended, all of it found again. Memory is 0 of what ends by itself."""

    events: int
    wall_s: float
    cpu_s: float
    written: int
    rss_mb: float
    peak_mb: float

    @property
    def us(self) -> float:
        """CPU µs for an event: with all that was put off, less what the process needs to leave."""
        return self.cpu_s / self.events * 1e6

    @property
    def per_cpu_s(self) -> float:
        return self.events / self.cpu_s

    @property
    def per_s(self) -> float:
        return self.events / self.wall_s


@dataclass(frozen=True, slots=True)
class Load:
    """Events in a file, and the tools that publish them."""

    tools: Tools
    records: Path
    count: int


def drain(contender: Contender, load: Load, directory: Path, port: int) -> Drained:
    """Connected, it is stopped in its tracks; the broker fills its session; then it is let go, with no loader running.
    Raises Void where it has not kept everything."""
    count = min(contender.events or load.count, load.count)
    return drained(contender.start(directory, port), load, count, port)


def drained(subject: Subject, load: Load, count: int, port: int) -> Drained:
    """As `drain`, of a subject that runs."""
    try:
        rest(subject.running)
        for process in subject.running:
            process.freeze()
        before = [process.used() for process in subject.running]
        load.tools.publish(port, load.records, count)
        begun = time.monotonic()
        for process in subject.running:
            process.thaw()
        subject.wait(count)
        wall = time.monotonic() - begun
        now = [process.used() for process in subject.running if not process.ended]
        after = subject.end()
        subject.check(count)
    finally:
        for process in subject.running:
            process.__exit__()
    return _difference(count, wall, before, now, after)


@dataclass(frozen=True, slots=True)
class Live:
    """Events as they come: the share of a core, bytes written, and milliseconds from when each event was due at the loader
    to its acknowledgement in front of the broker, which the bridge sends when the event is durable."""

    rate: float
    events: int
    cpu_share: float
    us: float  # CPU for an event, to the end of the process
    written: int
    latencies_ms: Sequence[float]
    stolen: float  # share of the machine's processor time that it did not get from the one it runs on

    def late(self, share: float) -> float:
        return percentile(self.latencies_ms, share)


def leaving(subject: Subject) -> float:
    """CPU seconds that it takes to leave with nothing to do."""
    try:
        rest(subject.running)
        before = [process.used() for process in subject.running]
        return sum(used.cpu_s for used in subject.end()) - sum(used.cpu_s for used in before)
    finally:
        for process in subject.running:
            process.__exit__()


def live(contender: Contender, load: Load, directory: Path, port: int, rate: float, seconds: float) -> Live:
    """So many events a second for so long, the loader, the broker and the bridge on the same machine."""
    count = min(int(rate * seconds), load.count)
    directory.mkdir(parents=True, exist_ok=True)
    relay = load.tools.relay(port, directory / "relay")
    with relay.running:
        subject = contender.start(directory / "subject", relay.port)
        (process,) = subject.running
        with process:
            rest(subject.running)
            before, begun, lost = process.used(), time.monotonic(), stolen_s()
            load.tools.publish(port, load.records, count, rate=rate, times=directory / "due")
            if contender.puts_off:
                busy, wall, lost = process.used().cpu_s - before.cpu_s, time.monotonic() - begun, stolen_s() - lost
            subject.wait(count)
            after = subject.end()[0]
            if not contender.puts_off:
                busy, wall, lost = after.cpu_s - before.cpu_s, time.monotonic() - begun, stolen_s() - lost
            subject.check(count)
        relay.running.wait(10)
    us, written = (after.cpu_s - before.cpu_s) / count * 1e6, after.written - before.written
    return Live(rate, count, busy / wall, us, written, latencies(directory / "due", relay.acknowledged),
                lost / wall / (os.cpu_count() or 1))


def caught_up(subject: Bridges, influx: Influx, count: int) -> Drained:
    """InfluxDB, stopped in its tracks until now, goes on; from then until it has all the events of the log."""
    (process,) = subject.running
    with process:
        before, begun = process.used(), time.monotonic()
        influx.running.thaw()
        subject.wait_for_influx(count)
        wall, now = time.monotonic() - begun, process.used()
        after = subject.end()
        subject.check(count)
    return _difference(count, wall, (before,), (now,), after)


def without(run: Drained, cpu_s: float) -> Drained:
    """The run less so much of processor time."""
    return replace(run, cpu_s=run.cpu_s - cpu_s)


def _difference(count: int, wall: float, before: Sequence[Used], now: Sequence[Used], after: Sequence[Used]) -> Drained:
    """Memory is that of `now`, just before the end: a process that has ended has none."""
    return Drained(count, wall, sum(used.cpu_s for used in after) - sum(used.cpu_s for used in before),
                   sum(used.written for used in after) - sum(used.written for used in before),
                   sum(used.rss_mb for used in now), sum(used.peak_mb for used in now))
