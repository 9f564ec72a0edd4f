"""What the web server tells InfluxDB of itself: sheet platform of city.figures, from what it counts for Prometheus."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from prometheus_client import Histogram

from api.shell import Metrics
from city.clock import Clock
from city.figures import PLATFORM_ANSWER_P50, PLATFORM_ANSWER_P99, PLATFORM_ERRORS, PLATFORM_REFUSED, PLATFORM_REQUESTS
from city.figures_sample import Look, Spread
from city.settings import Settings
from city.store.figure_telling import Process, Teller, platform_outbox, telling
from city.store.process import host


@asynccontextmanager
async def sampled(metrics: Metrics, clock: Clock, settings: Settings) -> AsyncIterator[None]:
    """Tells of itself while the block runs, where InfluxDB is set; machine and port name the process, for there may be several.
    Raises Invalid where the settings name no InfluxDB."""
    if not (settings.influx.url and settings.influx.figures_s):
        yield
        return
    process = Process("api", f"{host()}:{settings.api.port}", lambda look: with_answers(look, metrics))
    stop = asyncio.Event()
    teller = Teller(clock, settings.influx.figures_s, ((process.tells, platform_outbox(settings.influx)),))
    task = asyncio.create_task(telling(teller, clock, stop))
    try:
        yield
    finally:
        stop.set()
        await task


def with_answers(look: Look, metrics: Metrics) -> Look:
    """The same look with what has been answered since the process began. Any thread may ask."""
    by_class: defaultdict[str, int] = defaultdict(int)
    for family in metrics.requests.collect():
        for one in family.samples:
            if one.name.endswith("_total"):
                by_class[one.labels["status"][:1]] += int(one.value)
    counts = {PLATFORM_REQUESTS: sum(by_class.values()), PLATFORM_REFUSED: by_class["4"], PLATFORM_ERRORS: by_class["5"]}
    return replace(look, counts=counts, spreads={(PLATFORM_ANSWER_P50, PLATFORM_ANSWER_P99): _spread(metrics.seconds)})


def _spread(histogram: Histogram) -> Spread:
    """All its labels together."""
    below: defaultdict[float, float] = defaultdict(float)  # Prometheus' buckets: everything up to the bound
    for family in histogram.collect():
        for one in family.samples:
            if one.name.endswith("_bucket"):
                below[float(one.labels["le"])] += one.value
    bounds = sorted(below)
    counts = [below[bound] - below[before] for bound, before in zip(bounds[1:], bounds, strict=False)]
    return Spread(bounds[:-1], [below[bounds[0]], *counts] if bounds else [])
