"""Looks at a running bridge: what `gateway_bridge.health` judges, gauges of the process, and its signs of life.

Nothing here is on the hot path: plain attributes of others are read when somebody asks, and every ten seconds.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from city.clock import Clock
from city.errors import BrokerDown, StoreDown, Unavailable
from city.health import SIGN_EVERY_S, Beat, Readiness
from city.readings import from_ns
from city.store.process import SELF, resident
from gateway_bridge.health import NEVER, Facts, Seen, readiness
from gateway_bridge.link import Link
from gateway_bridge.metrics import Metrics

WATCHED = ("sessions_lost", "qos0", "watchdog", "taken_over")
LISTEN = "listen"
MOST_SAID = 200

_T = TypeVar("_T")


class Shipped(Protocol):
    """How far InfluxDB is, as gateway_bridge.ship says."""

    @property
    def waiting(self) -> int: ...
    @property
    def lag_s(self) -> float: ...
    @property
    def error(self) -> str: ...
    @property
    def held(self) -> str: ...


class Logged(Protocol):
    """How the local log is, as city.store.status says."""

    @property
    def bytes(self) -> int: ...
    @property
    def free_bytes(self) -> int: ...
    @property
    def fsyncs(self) -> int: ...
    @property
    def last_commit_ms(self) -> float: ...
    @property
    def broken(self) -> str: ...
    @property
    def set_aside(self) -> tuple[str, ...]: ...
    @property
    def lost(self) -> int: ...
    @property
    def dropped_unshipped(self) -> int: ...


class Signs(Protocol):
    """Where signs of life are kept."""

    def put_beat(self, beat: Beat) -> None:
        """In the place of this bridge's former one. Raises StoreDown."""
        ...


class Vitals:
    """What is seen of one bridge. `step` belongs to a loop of its own; all else may be called from any thread."""

    def __init__(self, link: Link, metrics: Metrics, clock: Clock, *, name: str, signs: Signs,
                 log: Callable[[], Logged] | None = None, shipping: Callable[[], Shipped] | None = None,
                 states_lag_s: Callable[[], float] | None = None, overdue: Callable[[], str] | None = None) -> None:
        """`name` is the bridge's client id. `overdue`: what should have been removed by now. The callables are asked from a
        thread and may wait a little."""
        self._link, self._metrics, self._clock, self._name, self._signs = link, metrics, clock, name, signs
        self._log, self._shipping, self._states_lag_s, self._overdue = log, shipping, states_lag_s, overdue
        self._started = clock.now()
        self._disconnected: datetime | None = None
        self._seen = dict.fromkeys(WATCHED, NEVER)
        self._broker_says = self._storage_says = self._database_says = ""
        self._settled, self._settled_at = -1, time.monotonic()
        self._process = Process(metrics)
        metrics.registry.register(_VitalsCollector(self))

    def failed(self, loop: str, error: Unavailable) -> None:
        """A loop of the bridge could not do its step."""
        if isinstance(error, BrokerDown):
            self._broker_says = str(error)
        elif loop == LISTEN:
            self._storage_says = str(error)

    def worked(self, loop: str) -> None:
        """A loop of the bridge has done its step."""
        if loop == LISTEN:
            self._storage_says = ""

    async def step(self) -> None:
        """Look, and give a sign of life; then wait until the next one is due. A city database that is down is noted, and
        no failure of this loop."""
        beat = await asyncio.to_thread(self.beat)
        try:
            await asyncio.to_thread(self._signs.put_beat, beat)
            self._database_says = ""
        except StoreDown as error:
            self._database_says = str(error)
        self._process.look()
        await self._clock.sleep(SIGN_EVERY_S)

    def beat(self) -> Beat:
        """The sign of life of this moment."""
        facts, now = self.facts(), self._clock.now()
        numbers = {"received": float(self._metrics.received.value), "waiting": float(facts.waiting), "lag_s": facts.lag_s,
                   "ship_lag_s": facts.ship_lag_s, "rss": float(self._process.rss()), "cpu_us": self._process.cpu_us,
                   "connections": float(self._link.counts.connections)}
        return Beat(self._name, now, readiness(facts, now).reasons, numbers)

    def readiness(self, facts: Facts | None = None) -> Readiness:
        """Whether the bridge can do its work now, or could when it was seen so."""
        return readiness(facts or self.facts(), self._clock.now())

    def log(self) -> Logged | None:
        """How the log is; None where it does not tell."""
        return _asked(self._log)

    def facts(self) -> Facts:
        """All that is seen now."""
        self._notice(self._clock.now())
        seen, metrics, log, shipped = self._seen, self._metrics, self.log(), _asked(self._shipping)
        return Facts(
            started_at=self._started, connected=self._link.connected, disconnected_at=self._disconnected,
            broker_says=self._broker_says, session_lost=seen["sessions_lost"], qos0=seen["qos0"],
            watchdog=seen["watchdog"], taken_over=seen["taken_over"],
            storage_says=self._storage_says, database_says=self._database_says,
            log_says=log.broken if log else "", quarantined=_damage(log) if log else "",
            dropped=log.dropped_unshipped if log else 0, free=log.free_bytes if log else None,
            queued=int(metrics.queued.value), over_rate=", ".join(sorted(metrics.over_rate))[:MOST_SAID], batch_s=self._batch_s(),
            lag_s=metrics.lag_s.value, lag_at=from_ns(metrics.dated_ns) if metrics.dated_ns else None,
            states_lag_s=self._states_lag_s() if self._states_lag_s is not None else 0.0,
            influx_says=(shipped.error or shipped.held) if shipped else "", waiting=shipped.waiting if shipped else 0,
            ship_lag_s=shipped.lag_s if shipped else 0.0, retention_says=_asked(self._overdue) or "")

    @property
    def process(self) -> "Process":
        """The process the bridge runs in."""
        return self._process

    def _notice(self, now: datetime) -> None:
        """When what is only counted has last happened."""
        counts = self._link.counts
        if self._link.connected:
            self._disconnected, self._broker_says = None, ""
        elif self._disconnected is None:
            self._disconnected = now
        for name in WATCHED:
            if (count := getattr(counts, name)) > self._seen[name].count:
                self._seen[name] = Seen(count, now)

    def _batch_s(self) -> float:
        """For how long messages have waited without one being settled."""
        settled = self._metrics.stored.value + self._metrics.duplicates.value + self._metrics.dead_letters.total()
        if settled != self._settled or not self._metrics.queued.value:
            self._settled, self._settled_at = settled, time.monotonic()
        return time.monotonic() - self._settled_at


def _asked(ask: Callable[[], _T] | None) -> _T | None:
    """The answer; None where nobody is to be asked or the log cannot be read: the listening loop says that better."""
    try:
        return ask() if ask is not None else None
    except StoreDown:
        return None


def _damage(log: Logged) -> str:
    return f"{', '.join(log.set_aside[-5:])}; {log.lost} entries could not be read" if log.set_aside else ""


class Process:
    """CPU, memory and descriptors of this process; 0 where the system does not tell."""

    def __init__(self, metrics: Metrics, root: Path = SELF) -> None:
        self._metrics, self._root = metrics, root
        self._cpu_s, self._received = time.process_time(), metrics.received.value
        self.cpu_us = 0.0  # of all threads, for each message of the last interval in which some came

    def look(self) -> None:
        """An interval ends."""
        cpu_s, received = time.process_time(), self._metrics.received.value
        if received > self._received:
            self.cpu_us = 1e6 * (cpu_s - self._cpu_s) / (received - self._received)
        self._cpu_s, self._received = cpu_s, received

    def rss(self) -> int:
        """Bytes of memory in use."""
        return resident(self._root)

    def descriptors(self) -> int:
        """Files and sockets that are open."""
        try:
            return sum(1 for _ in (self._root / "fd").iterdir())
        except OSError:
            return 0


class _VitalsCollector(Collector):
    """All of it as metrics."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def describe(self) -> Iterable[Metric]:
        return ()  # so that registering does not ask anybody

    def collect(self) -> Iterable[Metric]:
        return self._metrics()

    def _metrics(self) -> Iterator[Metric]:
        facts, process = self._vitals.facts(), self._vitals.process
        for name, text, value in (
                ("ready", "whether the bridge can do its work", float(self._vitals.readiness(facts).ready)),
                ("influx_waiting", "entries of the log that InfluxDB has not got", facts.waiting),
                ("influx_lag_seconds", "age of the oldest entry that InfluxDB has not got", facts.ship_lag_s),
                ("states_lag_seconds", "how far the devices' states in the city database are behind", facts.states_lag_s),
                ("batch_waits_seconds", "for how long messages have waited without one being stored", facts.batch_s),
                ("cpu_per_message_microseconds", "CPU of the process for each message, last interval", process.cpu_us),
                ("resident_memory_bytes", "memory of the process", process.rss()),
                ("open_descriptors", "files and sockets that are open", process.descriptors())):
            yield GaugeMetricFamily(f"stadtfunk_bridge_{name}", text, value)
        yield CounterMetricFamily("stadtfunk_bridge_cpu_seconds", "CPU of the process", time.process_time())
        yield from _of_log(self._vitals.log())


def _of_log(log: Logged | None) -> Iterator[Metric]:
    if log is None:
        return
    for name, text, value in (("log_bytes", "size of the local log", log.bytes),
                              ("log_free_bytes", "room on its disk", log.free_bytes),
                              ("log_commit_seconds", "how long the last append took to be durable", log.last_commit_ms / 1000),
                              ("log_refuses", "whether the log takes nothing until the next start", float(bool(log.broken)))):
        yield GaugeMetricFamily(f"stadtfunk_bridge_{name}", text, value)
    for name, text, value in (("log_fsyncs", "fsyncs of the log", log.fsyncs),
                              ("log_lost", "entries that could not be read any more", log.lost),
                              ("log_dropped_unshipped", "entries dropped before InfluxDB had them", log.dropped_unshipped)):
        yield CounterMetricFamily(f"stadtfunk_bridge_{name}", text, value)
