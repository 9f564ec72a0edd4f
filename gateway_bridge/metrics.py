"""What the bridge counts, for Prometheus. Its own registry: two bridges in one process do not meet.

The balance holds at every moment: received = stored + duplicates + dead letters + queued.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway_bridge.link import Link

LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: events kept, entries that were there already, and rejections by reason."""

    stored: int = 0
    duplicates: int = 0
    letters: Mapping[str, int] = field(default_factory=dict)
    wrong_clocks: tuple[str, ...] = ()

    def __add__(self, other: "Outcome") -> "Outcome":
        reasons = {*self.letters, *other.letters}
        return Outcome(self.stored + other.stored, self.duplicates + other.duplicates,
                       {reason: self.letters.get(reason, 0) + other.letters.get(reason, 0) for reason in reasons},
                       self.wrong_clocks + other.wrong_clocks)


class Metrics:
    """The counters of one bridge."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = self._counter("received", "messages taken from the broker")
        self.stored = self._counter("stored", "events whose facts are stored")
        self.duplicates = self._counter("duplicates", "events that were in the log already")
        self.dead_letters = self._counter("dead_letters", "messages kept as dead letters", "reason")
        self.queued = Gauge("stadtfunk_bridge_queued", "messages taken and not yet acknowledged", registry=self.registry)
        self.acknowledged_after = Histogram("stadtfunk_bridge_acknowledged_after_seconds", "from receipt to "
                                            "acknowledgement", buckets=LATENCIES, registry=self.registry)
        self.batch = Histogram("stadtfunk_bridge_batch_messages", "messages in one commit", buckets=SIZES,
                               registry=self.registry)
        self.wrong_clock = self._counter("gateway_clock_wrong", "uplinks that a gateway has dated wrongly", "gateway")
        self.planned = self._counter("commands_planned", "commands made")
        self.sent = self._counter("commands_sent", "downlinks handed to the network server")
        self.failed = self._counter("commands_failed", "commands given up, refused or expired")
        self.script_frames = self._counter("script_frames", "frames read by a town's script", "tenant", "model")
        self.script_seconds = self._counter("script_seconds", "time that a town's script took", "tenant", "model")
        self.breaches = self._counter("script_breaches", "limits broken by a town's script", "tenant", "model")
        self.switched_off = self._counter("scripts_switched_off", "scripts switched off for it", "tenant", "model")
        self.failures = self._counter("failures", "steps that failed and are tried again", "loop", "reason")

    def watch(self, link: Link) -> None:
        """Show what the link counts, too."""
        self.registry.register(_LinkCollector(link))

    def settle(self, outcome: Outcome) -> None:
        """A batch is done."""
        self.stored.inc(outcome.stored)
        self.duplicates.inc(outcome.duplicates)
        for reason, count in outcome.letters.items():
            self.dead_letters.labels(reason).inc(count)
        for gateway in outcome.wrong_clocks:
            self.wrong_clock.labels(gateway).inc()

    def balance(self) -> dict[str, float]:
        """received, stored, duplicates, dead_letters and queued, as numbers."""
        letters = sum(sample.value for metric in self.dead_letters.collect() for sample in metric.samples
                      if sample.name.endswith("_total"))
        return {"received": _value(self.received), "stored": _value(self.stored), "queued": _value(self.queued),
                "duplicates": _value(self.duplicates), "dead_letters": letters}

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"stadtfunk_bridge_{name}", help, labels, registry=self.registry)


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
                ("stale", "acknowledgements withheld because their connection had ended", counts.stale)):
            yield CounterMetricFamily(f"stadtfunk_bridge_{name}", text, value)
        yield GaugeMetricFamily("stadtfunk_bridge_connected", "whether the broker is there", float(self._link.connected))


def _value(metric: Counter | Gauge) -> float:
    return next(sample.value for family in metric.collect() for sample in family.samples
                if not sample.name.endswith("_created"))
