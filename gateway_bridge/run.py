"""All loops of the bridge, until told to stop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from prometheus_client import start_http_server

from city.clock import Clock
from city.errors import BrokerDown, Conflict, Unavailable
from city.settings import Settings
from city.store.ports import ReadingLog, Store
from gateway_bridge import network_server
from gateway_bridge.link import Link
from gateway_bridge.listen import Listener
from gateway_bridge.mend import Mender
from gateway_bridge.metrics import Metrics
from gateway_bridge.network_server import NetworkServer
from gateway_bridge.reading import Reader
from gateway_bridge.ship_all import Shipping
from gateway_bridge.steer import Steerer
from gateway_bridge.waiting import Backoff, first

MEND_EVERY_S = 2.0

_log = logging.getLogger(__name__)


async def run_bridge(settings: Settings, *, store: Store, log: ReadingLog, link: Link, clock: Clock,
                     stop: asyncio.Event, metrics: Metrics | None = None) -> None:
    """Listen, steer and (where InfluxDB is set) ship until `stop`; then end what is begun and return. Store, log and
    link stay the caller's to close. Neighbours that are down are waited for; a fault in one loop never ends another."""
    metrics = metrics or Metrics()
    metrics.watch(link)
    turn = asyncio.Lock()
    async with _network(settings) as network, _reading(store, settings, metrics) as reader:
        listener = Listener(link, store, log, clock, settings.bridge, metrics, turn=turn, reader=reader)
        steerer = Steerer(link, store, clock, settings.bridge, metrics, network, turn=turn, reader=reader)

        async def steer() -> None:
            await steerer.tick()
            await clock.sleep(settings.bridge.tick_s)

        mender = Mender(store, log, clock, turn, reader)

        async def mend() -> None:
            if not await mender.step():
                await clock.sleep(MEND_EVERY_S)

        with _served(metrics, settings.bridge.metrics_port):
            loops = [_forever("listen", listener.step, clock, stop, metrics),
                     _forever("steer", steer, clock, stop, metrics), _forever("mend", mend, clock, stop, metrics)]
            if settings.influx.url:
                shipping = Shipping(settings, store, log, clock)
                metrics.registry.register(shipping)
                loops.append(shipping.run(stop))
            await asyncio.gather(*loops)


async def _forever(name: str, step: Callable[[], Awaitable[object]], clock: Clock, stop: asyncio.Event,
                   metrics: Metrics) -> None:
    """One step after another until `stop`; after a failure, with growing pauses."""
    backoff = Backoff()

    async def steps() -> None:
        while True:
            try:
                await step()
                backoff.worked()
            except BrokerDown as error:  # the link itself backs off and says each problem once
                metrics.failures.labels(name, error.reason).inc()
            except Unavailable as error:
                metrics.failures.labels(name, error.reason).inc()
                pause = backoff.failed()
                _log.warning("%s: %s Next attempt in %.1f s.", name, error, pause)
                await clock.sleep(pause)
            except Exception as error:
                metrics.failures.labels(name, type(error).__name__).inc()
                _log.exception("%s: a fault of ours; going on", name)
                await clock.sleep(backoff.failed())

    await first(steps(), stop.wait())


@contextlib.asynccontextmanager
async def _network(settings: Settings) -> AsyncIterator[NetworkServer | None]:
    if not settings.chirpstack.url:
        yield None
        return
    network = network_server.connect(settings.chirpstack)
    try:
        yield network
    finally:
        await network.close()


@contextlib.asynccontextmanager
async def _reading(store: Store, settings: Settings, metrics: Metrics) -> AsyncIterator[Reader]:
    reader = Reader(store, settings.scripts, metrics)
    try:
        yield reader
    finally:
        await asyncio.to_thread(reader.close)


@contextlib.contextmanager
def _served(metrics: Metrics, port: int) -> Iterator[None]:
    """/metrics on 127.0.0.1 while the bridge runs."""
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=metrics.registry)
    except (OSError, OverflowError) as error:
        raise Conflict("Metrics cannot be served on 127.0.0.1:{port}: {what}", field="bridge.metrics_port", rule="free",
                       port=port, what=str(error)) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
