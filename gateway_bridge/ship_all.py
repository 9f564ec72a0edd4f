"""All that goes to one InfluxDB: readings by one loop, hourly and daily values by another; neither waits for the other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from city.clock import Clock
from city.settings import Settings
from city.store.aggregates import settings_of, spans
from city.store.influx import HELD, InfluxDB, open_sink
from city.store.ports import DeadLetter, Facts, ReadingLog, Store
from city.store.readings import LocalLog
from gateway_bridge.aggregate import AggregateStatus, Aggregator
from gateway_bridge.rewind import Rewinds
from gateway_bridge.ship import Counts, Shipper, ShipStatus, cursor_name, repeat, run_ship
from gateway_bridge.waiting import Backoff, first

LOOK_EVERY_S = 5.0

_log = logging.getLogger(__name__)


class Shipping(Collector):
    """The loops that ship, what they have to show, and their metrics."""

    def __init__(self, settings: Settings, store: Store, log: ReadingLog, clock: Clock) -> None:
        """Nothing is sent before `run`. Raises Invalid where the settings name no InfluxDB."""
        self._clock, self._store = clock, store
        influx, directory = settings.influx, Path(settings.log.directory)
        self._sinks: list[InfluxDB] = [open_sink(influx)]
        self._aggregator: Aggregator | None = None
        if influx.aggregates and isinstance(log, LocalLog):
            parts = [(span, open_sink(settings_of(span, influx), creates=True, keep_days=span.keep_days))
                     for span in spans(influx)]
            self._sinks += [sink for _, sink in parts]
            self._aggregator = Aggregator(log, parts, clock, directory=directory, cursor=cursor_name(influx),
                                          keep_days=settings.log.keep_days,
                                          bridge=settings.mqtt.client_id if settings.mqtt.share else "")
        self._shipper = Shipper(log, self._sinks[0], clock, influx, bury=self._bury, rewinds=Rewinds(directory),
                                passed=self._aggregator.passed if self._aggregator else None)

    def status(self) -> ShipStatus:
        """How far InfluxDB is behind the local log. Raises StoreDown."""
        return self._shipper.status()

    def aggregates(self) -> AggregateStatus | None:
        """How the hourly and daily values are; None where there are none."""
        return self._aggregator.status() if self._aggregator else None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. A fault of ours in one loop is said, and the loop begun again."""
        loops = [partial(run_ship, self._shipper, self._clock, stop)]
        if self._aggregator is not None:
            loops.append(partial(repeat, self._aggregate(self._aggregator), "hourly and daily values come later",
                                 self._clock, stop))
        try:
            await asyncio.gather(*(self._again(loop, stop) for loop in loops))
        finally:
            for sink in self._sinks:
                await asyncio.to_thread(sink.close)

    def collect(self) -> Iterable[Metric]:
        """For Prometheus."""
        return [_held("ship_held", "1 where a person must mend something before InfluxDB takes readings", self._shipper.held),
                *_of_lines(self._shipper.counts), *self._of_aggregates()]

    def describe(self) -> Iterable[Metric]:
        """Without asking the log."""
        return ()

    async def _again(self, loop: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        backoff = Backoff()
        while not stop.is_set():
            try:
                await loop()
            except Exception:
                _log.exception("ship: a fault of ours; going on")
                await first(self._clock.sleep(backoff.failed()), stop.wait())

    def _bury(self, letters: Sequence[DeadLetter]) -> None:
        towns = {tenant.id for tenant in self._store.tenants()}  # the log may know one that the database has lost
        self._store.commit(Facts(letters=tuple(
            letter if letter.tenant in towns else replace(letter, tenant=None) for letter in letters)))

    def _aggregate(self, aggregator: Aggregator) -> Callable[[], float]:
        return lambda: 0.0 if aggregator.step() else LOOK_EVERY_S

    def _of_aggregates(self) -> Iterator[Metric]:
        status = self.aggregates()
        if status is not None:
            yield GaugeMetricFamily("stadtfunk_bridge_aggregates_waiting", "hours and days that have changed and are not "
                                    "written to InfluxDB yet", value=status.waiting)
            yield _held("aggregates_held", "1 where a person must mend something before hours and days are taken", status.held)


def _of_lines(counts: Counts) -> Iterator[Metric]:
    lines = CounterMetricFamily("stadtfunk_bridge_ship_lines", "lines that InfluxDB has stored, let go as too old, or refused",
                                labels=["outcome"])
    for outcome, count in (("stored", counts.stored), ("expired", counts.expired), ("refused", counts.refused)):
        lines.add_metric([outcome], count)
    yield lines
    yield CounterMetricFamily("stadtfunk_bridge_ship_requests", "requests with lines to InfluxDB", value=counts.requests)


def _held(name: str, help: str, held: str) -> Metric:
    gauge = GaugeMetricFamily(f"stadtfunk_bridge_{name}", help, labels=["reason"])
    for reason in HELD:
        gauge.add_metric([reason], float(reason == held))
    return gauge
