"""All that goes to one InfluxDB: readings by one loop, those of single bays by another, hourly and daily values by a third,
zones' quarters of an hour by a fourth, towns' figures by a fifth; none waits for another, and no town for another
(city.store.influx_towns)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from city.clock import Clock
from city.errors import StoreDown
from city.readings import to_ns
from city.settings import Settings
from city.store.aggregates import spans
from city.store.appending import LAST_NS
from city.store.influx import HELD
from city.store.influx_bays import bays_settings
from city.store.influx_towns import Place, open_bays, open_readings, open_span
from city.store.ports import DeadLetter, Facts, Lease, ReadingLog, Store
from city.store.readings import LocalLog
from gateway_bridge.aggregate import AggregateStatus, Aggregator
from gateway_bridge.rewind import BAYS_FILE, Rewinds
from gateway_bridge.ship import (
    BAYS_TOPIC,
    Counts,
    Part,
    Shipper,
    ShipStatus,
    cursor_name,
    is_bay,
    is_no_bay,
    repeat,
    run_ship,
)
from gateway_bridge.ship_figures import FigureShipper
from gateway_bridge.ship_platform import towns_outbox
from gateway_bridge.ship_quarters import QuarterShipper
from gateway_bridge.ship_report import BayReporter
from gateway_bridge.waiting import Backoff, first

LOOK_EVERY_S = 5.0

_log = logging.getLogger(__name__)


class Shipping(Collector):
    """The loops that ship, what they have to show, and their metrics."""

    def __init__(self, settings: Settings, store: Store, log: ReadingLog, clock: Clock,
                 lease: Callable[[], tuple[bool, Lease | None]] = lambda: (True, None)) -> None:
        """Nothing is sent before `run`. `lease`: whether this process sends what one bridge sends for all. Raises Invalid where
        the settings name no InfluxDB."""
        self._clock, self._store, self._log = clock, store, log
        self._influx = influx = settings.influx
        directory = Path(settings.log.directory)
        self._sinks: list[Place] = [main := open_readings(influx), quarters := open_readings(influx)]
        self._aggregator: Aggregator | None = None
        if influx.aggregates and isinstance(log, LocalLog):
            parts = [(span, open_span(span, influx)) for span in spans(influx)]
            self._sinks += [sink for _, sink in parts]
            self._aggregator = Aggregator(log, parts, clock, directory=directory, cursor=cursor_name(influx),
                                          keep_days=settings.log.keep_days,
                                          bridge=settings.mqtt.client_id if settings.mqtt.share else "")
        self._shipper = Shipper(log, main, clock, influx, bury=self._bury, rewinds=Rewinds(directory), part=Part(is_no_bay),
                                passed=self._aggregator.passed if self._aggregator else None)
        self._bays = self._of_bays(settings, log) if influx.bays != "no" else None
        self._quarters = QuarterShipper(store, quarters, clock, settings.parking, directory=directory, cursor=cursor_name(influx),
                                        lease=lease)
        self._reporter = BayReporter(store, influx, clock, days=max(settings.parking.raw_days, 1), lease=lease)
        self._figures = FigureShipper(store, towns_outbox(influx), clock, settings, lease=lease) if influx.figures_s > 0 else None

    def status(self) -> ShipStatus:
        """How far InfluxDB is behind the local log; where only bays, quarters or figures wait for a person, their sentence.
        Raises StoreDown."""
        status = self._shipper.status()
        others: tuple[Shipper | QuarterShipper | FigureShipper | None, ...] = (self._bays, self._quarters, self._figures)
        held = next((one for one in others if one and one.held), None)
        return status if status.error or held is None else replace(status, error=held.error, held=held.held)

    def overdue(self) -> str:
        """What InfluxDB should have forgotten by now; "" where all is well, or not known."""
        return self._reporter.says()

    def aggregates(self) -> AggregateStatus | None:
        """How the hourly and daily values are; None where there are none."""
        return self._aggregator.status() if self._aggregator else None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. A fault of ours in one loop is said, and the loop begun again."""
        loops = [partial(run_ship, self._shipper, self._clock, stop),
                 partial(repeat, self._quarters.step, "quarters of parking come later", self._clock, stop),
                 partial(repeat, self._reporter.step, "what it has of bays is reported later", self._clock, stop)]
        if self._bays is not None:
            loops.append(partial(run_ship, self._bays, self._clock, stop, meanwhile="single bays wait in the local log"))
        if self._aggregator is not None:
            loops.append(partial(repeat, self._aggregate(self._aggregator), "hourly and daily values come later",
                                 self._clock, stop))
        if self._figures is not None:
            loops.append(partial(repeat, self._figures.step, "figures of the last hour wait in memory", self._clock, stop))
        try:
            await asyncio.to_thread(self._drop_other_places)
            await asyncio.gather(*(self._again(loop, stop) for loop in loops))
        finally:
            for sink in self._sinks:
                await asyncio.to_thread(sink.close)
            if self._figures is not None:
                await asyncio.to_thread(self._figures.close)

    def collect(self) -> Iterable[Metric]:
        """For Prometheus."""
        return [_held("ship_held", "1 where a person must mend something before InfluxDB takes readings", self._shipper.held),
                *_of_lines(self._shipper.counts), *self._of_parking(), *self._of_aggregates(), *self._of_figures()]

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

    def _drop_other_places(self) -> None:
        """Where nothing goes any more since influx.per_town was changed, the log waits for nobody."""
        if isinstance(self._log, LocalLog):
            other = replace(self._influx, per_town=not self._influx.per_town)
            for place in (other, bays_settings(other)):
                with suppress(StoreDown):  # at the next start, then
                    self._log.drop_cursor(cursor_name(place))

    def _of_bays(self, settings: Settings, log: ReadingLog) -> Shipper:
        """The shipper of single bays; where it has sent nothing yet, it begins with the days for which they may be kept."""
        days = max(settings.parking.raw_days, 1)
        sink = open_bays(settings.influx, self._clock, days=days)
        self._sinks.append(sink)
        since = self._clock.now() - timedelta(days=days)
        part = Part(is_bay, days, BAYS_TOPIC, lambda: _first_of_bays(log, to_ns(since)) if isinstance(log, LocalLog) else 0)
        bays = bays_settings(settings.influx)
        return Shipper(log, sink, self._clock, bays, bury=self._bury, rewinds=Rewinds(Path(settings.log.directory), BAYS_FILE),
                       part=part)

    def _of_parking(self) -> Iterator[Metric]:
        if self._bays is not None:
            yield _held("ship_bays_held", "1 where a person must mend something before InfluxDB takes readings of single bays",
                        self._bays.held)
            yield GaugeMetricFamily("stadtfunk_bridge_ship_bays_withheld", "1 where readings of single bays are not sent because "
                                    "nobody knows for how long they would be kept", value=float(bool(self._bays.withheld)))
        yield CounterMetricFamily("stadtfunk_bridge_quarter_lines", "zones' quarters of an hour that were sent to InfluxDB",
                                  value=self._quarters.lines)
        yield _held("quarters_held", "1 where a person must mend something before quarters are taken", self._quarters.held)

    def _of_figures(self) -> Iterator[Metric]:
        if self._figures is not None:
            yield CounterMetricFamily("stadtfunk_bridge_figure_lines", "figures of towns that were made for InfluxDB",
                                      value=self._figures.lines)
            yield CounterMetricFamily("stadtfunk_bridge_figures_lost", "figures of towns that InfluxDB refused, or was away for "
                                      "too long for", value=self._figures.lost)
            yield _held("figures_held", "1 where a person must mend something before figures are taken", self._figures.held)

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


def _first_of_bays(log: LocalLog, since_ns: int) -> int:
    """The position before the first word of a bay since then."""
    bays = {number for number, place in log.means().places.items() if is_bay(place)}
    found = (position for position, at_ns, _, _ in log.scan(bays, since_ns, LAST_NS) if at_ns >= since_ns) if bays else ()
    return max(min(found, default=log.head()) - 1, 0)


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
