"""What the bridge counts, for Prometheus. Its own registry: two bridges in one process do not meet.

The balance holds at every moment: received = stored + duplicates + dead letters + queued.

The hot path touches plain numbers only, once a batch; a collector turns them into metrics when somebody asks. Whatever
comes from outside and names a series (a town, a gateway) is capped: beyond `MOST_NAMES` it is counted under "other".
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway_bridge.link import Link

LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
LAGS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MOST_NAMES = 500
OTHER = "other"
NS = 1_000_000_000

Missed = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: events kept, entries that were there already, and rejections by reason.

    `missed`: town, gateway and how many frames before it are missing, of each uplink with a gap in its counter.
    `towns`: events kept of each. `oldest_ns`, `newest_ns`: the network server's times of the batch's events, 0 where it had none.
    """

    stored: int = 0
    duplicates: int = 0
    letters: Mapping[str, int] = field(default_factory=dict)
    wrong_clocks: tuple[str, ...] = ()
    missed: Sequence[Missed] = ()
    oldest_ns: int = 0
    newest_ns: int = 0
    towns: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Outcome") -> "Outcome":
        reasons = {*self.letters, *other.letters}
        return Outcome(self.stored + other.stored, self.duplicates + other.duplicates,
                       {reason: self.letters.get(reason, 0) + other.letters.get(reason, 0) for reason in reasons},
                       self.wrong_clocks + other.wrong_clocks, (*self.missed, *other.missed),
                       min(self.oldest_ns or other.oldest_ns, other.oldest_ns or self.oldest_ns),
                       max(self.newest_ns, other.newest_ns),
                       {town: self.towns.get(town, 0) + other.towns.get(town, 0) for town in {*self.towns, *other.towns}})


class Count:
    """A number that only rises. Not for several threads at once: the bridge's loop alone counts with it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, by: int = 1) -> None:
        """`by` more."""
        self.value += by


class Level:
    """A number that rises and falls."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """It is this now."""
        self.value = value


class Spread:
    """How often values fell into which range: a histogram, a few hundred nanoseconds a value."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self._counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """One value more."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self._counts)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many fell into each range; the last one lies beyond all bounds."""
        return tuple(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Prometheus' cumulative ones: upper bound and how many values at most so large."""
        found, below = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self._counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class Capped:
    """Counts by names from outside, at most `MOST_NAMES` of them and "other"."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: Tally[str] = Tally()

    def inc(self, name: str, by: int = 1) -> None:
        """`by` more under this name."""
        if name not in self.values and len(self.values) >= MOST_NAMES:
            name = OTHER
        self.values[name] += by


class Metrics:
    """The counters of one bridge. Those with labels of scripts and failures are rare and may be used by any thread; all
    others belong to the bridge's loop."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received, self.stored, self.duplicates = Count(), Count(), Count()
        self.planned, self.sent, self.failed = Count(), Count(), Count()
        self.queued, self.lag_s = Level(), Level()
        self.dead_letters: Tally[str] = Tally()
        self.acknowledged_after, self.batch, self.lag = Spread(LATENCIES), Spread(SIZES), Spread(LAGS)
        self.wrong_clock, self.missed_by_gateway, self.missed_by_town = Capped(), Capped(), Capped()
        self.stored_by_town = Capped()
        self.over_rate: frozenset[str] = frozenset()  # towns that send more than they are expected to
        self.newest_ns = self.dated_ns = 0
        self.script_frames = self._counter("script_frames", "frames read by a town's script", "tenant", "model")
        self.script_seconds = self._counter("script_seconds", "time that a town's script took", "tenant", "model")
        self.breaches = self._counter("script_breaches", "limits broken by a town's script", "tenant", "model")
        self.switched_off = self._counter("scripts_switched_off", "scripts switched off for it", "tenant", "model")
        self.failures = self._counter("failures", "steps that failed and are tried again", "loop", "reason")
        self.retired = self._counter("retired_rows", "rows removed because their time was over", "what")
        self.registry.register(_Collector(self))

    def watch(self, link: Link) -> None:
        """Show what the link counts, too."""
        self.registry.register(_LinkCollector(link))

    def take(self, messages: int) -> None:
        """So many messages have come from the broker together."""
        self.received.value += messages
        self.queued.value += messages
        self.batch.observe(messages)

    def settle(self, outcome: Outcome, now_ns: int = 0) -> None:
        """A batch is done; `now_ns`, where given, is when its entries became durable."""
        self.stored.value += outcome.stored
        self.duplicates.value += outcome.duplicates
        if outcome.letters:
            self.dead_letters.update(outcome.letters)
        for gateway in outcome.wrong_clocks:
            self.wrong_clock.inc(gateway)
        for name, events in outcome.towns.items():
            self.stored_by_town.inc(name, events)
        for town, gateway, count in outcome.missed:
            self.missed_by_town.inc(town, count)
            self.missed_by_gateway.inc(gateway, count)
        if outcome.newest_ns:
            self._date(outcome, now_ns)

    def balance(self) -> dict[str, float]:
        """received, stored, duplicates, dead_letters and queued, as numbers."""
        return {"received": self.received.value, "stored": self.stored.value, "queued": self.queued.value,
                "duplicates": self.duplicates.value, "dead_letters": self.dead_letters.total()}

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _date(self, outcome: Outcome, now_ns: int) -> None:
        self.newest_ns = max(self.newest_ns, outcome.newest_ns)
        if now_ns:
            self.dated_ns = now_ns
            self.lag_s.value = max(now_ns - outcome.newest_ns, 0) / NS
            self.lag.observe(max(now_ns - outcome.oldest_ns, 0) / NS)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"stadtfunk_bridge_{name}", help, labels, registry=self.registry)


class _Collector(Collector):
    """The plain numbers, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return [*self._counts(), *self._levels(), *self._spreads(), *self._named()]

    def _counts(self) -> Iterator[Metric]:
        m = self._metrics
        for name, text, count in (
                ("received", "messages taken from the broker", m.received),
                ("stored", "events whose facts are stored", m.stored),
                ("duplicates", "events that were in the log already", m.duplicates),
                ("commands_planned", "commands made", m.planned),
                ("commands_sent", "downlinks handed to the network server", m.sent),
                ("commands_failed", "commands given up, refused or expired", m.failed)):
            yield CounterMetricFamily(f"stadtfunk_bridge_{name}", text, count.value)

    def _levels(self) -> Iterator[Metric]:
        m = self._metrics
        for name, text, value in (
                ("queued", "messages taken and not yet acknowledged", m.queued.value),
                ("towns_over_rate", "towns that send more than bridge.town_per_s", len(m.over_rate)),
                ("lag_seconds", "from the network server's time of the newest event of a batch until it was durable",
                 m.lag_s.value),
                ("newest_event_seconds", "the network server's time of the newest event, Unix time", m.newest_ns / NS)):
            yield GaugeMetricFamily(f"stadtfunk_bridge_{name}", text, value)

    def _spreads(self) -> Iterator[Metric]:
        m = self._metrics
        for name, text, spread in (
                ("acknowledged_after_seconds", "from receipt to acknowledgement", m.acknowledged_after),
                ("batch_messages", "messages in one commit", m.batch),
                ("batch_lag_seconds", "from the network server's time of the oldest event of a batch until it was durable",
                 m.lag)):
            yield HistogramMetricFamily(f"stadtfunk_bridge_{name}", text, buckets=spread.buckets(), sum_value=spread.total)

    def _named(self) -> Iterator[Metric]:
        m = self._metrics
        for name, text, label, values in (
                ("dead_letters", "messages kept as dead letters", "reason", m.dead_letters),
                ("stored_by_town", "events whose facts are stored, by town", "tenant", m.stored_by_town.values),
                ("gateway_clock_wrong", "uplinks that a gateway has dated wrongly", "gateway", m.wrong_clock.values),
                ("frames_missed", "uplinks that their frame counters say we never got", "tenant", m.missed_by_town.values),
                ("gateway_frames_missed", "the same, by the gateway that heard the next one", "gateway",
                 m.missed_by_gateway.values)):
            family = CounterMetricFamily(f"stadtfunk_bridge_{name}", text, labels=(label,))
            for key, count in list(values.items()):
                family.add_metric((key,), count)
            yield family


class _LinkCollector(Collector):
    def __init__(self, link: Link) -> None:
        self._link = link

    def collect(self) -> Iterable[Metric]:
        return self._metrics()

    def _metrics(self) -> Iterator[Metric]:
        counts = self._link.counts
        for name, text, value in (
                ("connections", "connections made to the broker", counts.connections),
                ("sessions_lost", "times that the broker had forgotten us", counts.sessions_lost),
                ("qos0", "events published with QoS 0, which may be lost", counts.qos0),
                ("retained", "events published as retained, which may be old", counts.retained),
                ("stale", "acknowledgements withheld because their connection had ended", counts.stale),
                ("redelivered", "messages that the broker may have delivered before", counts.redelivered),
                ("cut", "messages larger than is kept of one", counts.cut),
                ("watchdog", "connections given up because the broker delivered nothing", counts.watchdog),
                ("unanswered", "messages of our own that the broker did not bring back", counts.unanswered),
                ("taken_over", "sessions taken by another program with our client id", counts.taken_over)):
            yield CounterMetricFamily(f"stadtfunk_bridge_{name}", text, value)
        yield GaugeMetricFamily("stadtfunk_bridge_most_open", "the most messages that awaited acknowledgement at once",
                                counts.most_open)
        yield GaugeMetricFamily("stadtfunk_bridge_connected", "whether the broker is there", float(self._link.connected))
