"""All loops of the bridge, until told to stop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from time import perf_counter

from city.clock import Clock
from city.errors import BrokerDown, LogBroken, StoreDown, Unavailable
from city.settings import Settings
from city.store.figure_telling import telling
from city.store.ports import ReadingLog, Store
from city.store.readings import LocalLog
from gateway_bridge import network_server
from gateway_bridge.bookkeeping import Bookkeeper
from gateway_bridge.inspect import EVERY_S as INSPECT_EVERY_S
from gateway_bridge.inspect import Inspector
from gateway_bridge.lag import Vitals
from gateway_bridge.link import Link
from gateway_bridge.listen import Listener
from gateway_bridge.memory import PACE, Memory
from gateway_bridge.mend import Mender
from gateway_bridge.metrics import Metrics
from gateway_bridge.network_server import NetworkServer
from gateway_bridge.notify import EVERY_S as NOTIFY_EVERY_S
from gateway_bridge.notify import Notifier
from gateway_bridge.parking import ParkingCounter, Surroundings
from gateway_bridge.parking_gateways import EVERY_S as GATEWAYS_EVERY_S
from gateway_bridge.parking_gateways import GatewayWatch
from gateway_bridge.post import Postman
from gateway_bridge.pushing import EVERY_S as PUSH_EVERY_S
from gateway_bridge.pushing import Pusher
from gateway_bridge.reading import Reader
from gateway_bridge.retire import Retirer
from gateway_bridge.serving import served
from gateway_bridge.ship_all import Shipping
from gateway_bridge.ship_platform import bridge_teller
from gateway_bridge.steer import STEERING, Steerer
from gateway_bridge.tally import Tally
from gateway_bridge.tenure import Tenure
from gateway_bridge.waiting import Backoff, first, unbroken

MEND_EVERY_S, WRITE_EVERY_S, MEET_EVERY_S, BOOK_EVERY_S = 2.0, 0.05, 60.0, 60.0

_log = logging.getLogger(__name__)


async def run_bridge(settings: Settings, *, store: Store, log: ReadingLog, link: Link, clock: Clock,
                     stop: asyncio.Event, metrics: Metrics | None = None, network: NetworkServer | None = None) -> None:
    """Listen, steer and (where InfluxDB is set) ship until `stop`; then end what is begun and return. Store, log and
    link stay the caller's to close, and so does `network` (None: that of the settings). Neighbours that are down are
    waited for; a fault in one loop never ends another."""
    metrics = metrics or Metrics()
    metrics.watch(link)
    turn = asyncio.Lock()
    async with _network(settings, network) as network, _reading(store, settings, metrics) as reader:
        memory = Memory(store, log, pace=PACE)
        tally = Tally() if settings.influx.url and settings.influx.figures_s else None
        listener = Listener(link, store, log, clock, settings.bridge, metrics, turn=turn, reader=reader, memory=memory,
                            tally=tally)
        tenure = Tenure(store, STEERING, settings.mqtt.client_id, settings.bridge.lease_s)
        steerer = Steerer(link, store, clock, settings.bridge, metrics, network, turn=turn, reader=reader, tenure=tenure,
                          memory=memory, chirpstack=settings.chirpstack)
        mender = Mender(store, log, clock, turn, reader, memory)
        replayed = False

        async def listen() -> None:
            nonlocal replayed
            if not replayed:
                async with turn:
                    count = await unbroken(asyncio.to_thread(memory.recover))
                _log.info("states: brought up to the log by %d entries", count)
                replayed = True
            await listener.step()

        async def steer() -> None:
            await steerer.tick()
            await clock.sleep(settings.bridge.tick_s)

        async def mend() -> None:
            if not (steerer.steers and await mender.step()):
                await clock.sleep(MEND_EVERY_S)

        async def write() -> None:
            if not await unbroken(_written(memory, turn)):
                await clock.sleep(WRITE_EVERY_S)

        async def meet() -> None:
            async with turn:
                more = await unbroken(asyncio.to_thread(memory.meet))
            await clock.sleep(0 if more else MEET_EVERY_S)

        books = Bookkeeper(store, log, clock, directory=log.directory, keep_days=settings.energy.keep_days) \
            if isinstance(log, LocalLog) else None

        async def book() -> None:
            if books is None or not await unbroken(asyncio.to_thread(books.step)):
                await clock.sleep(BOOK_EVERY_S)

        inspector = Inspector(store, memory, clock, turn, lambda: tenure.held)
        notifier = Notifier(store, clock, Postman(settings.notices), lambda: tenure.held, public_url=settings.api.public_url)

        async def inspect() -> None:
            await inspector.step()
            await clock.sleep(INSPECT_EVERY_S)

        async def notify() -> None:
            await notifier.step()
            await clock.sleep(NOTIFY_EVERY_S)

        retirer = Retirer(store, clock, settings.parking, metrics, lambda: tenure.held)

        async def retire() -> None:
            await clock.sleep(await unbroken(asyncio.to_thread(retirer.step)))

        watch = GatewayWatch(store, clock, network) if network is not None else None

        async def see_gateways() -> None:
            if watch is not None:
                await watch.step()
            await clock.sleep(GATEWAYS_EVERY_S)

        around = Surroundings(lambda: tenure.held, memory.get, lambda: link.connected, lambda: link.counts.sessions_lost,
                              reader.scripts, watch.of if watch else lambda _tenant, _now: None)
        counter = ParkingCounter(store, log, clock, settings.parking, around) if isinstance(log, LocalLog) else None

        async def count() -> None:
            if counter is None or not await unbroken(asyncio.to_thread(counter.step)):
                await clock.sleep(settings.parking.evaluate_s if counter is None else counter.pause())

        pusher = Pusher(store, clock, settings, lambda: tenure.held)

        async def push() -> None:
            await pusher.step()
            await clock.sleep(PUSH_EVERY_S)

        shipping = Shipping(settings, store, log, clock, lambda: tenure.held) if settings.influx.url else None
        vitals = Vitals(link, metrics, clock, name=settings.mqtt.client_id, signs=store,
                        log=log.status if isinstance(log, LocalLog) else None,
                        shipping=shipping.status if shipping else None, states_lag_s=memory.lag_s,
                        overdue=lambda: retirer.says() or (shipping.overdue() if shipping else ""))
        with served(metrics, vitals.readiness, settings.bridge.metrics_port):
            loops = [_forever(name, step, clock, stop, metrics, vitals) for name, step in
                     (("listen", listen), ("write", write), ("meet", meet), ("steer", steer), ("mend", mend),
                      ("book", book), ("count", count), ("gateways", see_gateways), ("inspect", inspect), ("notify", notify),
                      ("retire", retire), ("push", push), ("vitals", vitals.step))]
            metrics.registry.register(pusher)
            if shipping:
                metrics.registry.register(shipping)
                loops.append(shipping.run(stop))
            if shipping and tally:
                teller = bridge_teller(settings, store, clock, metrics, tally, status=shipping.status,
                                       steers=lambda: tenure.held[0])
                loops.append(telling(teller, clock, stop))
            await _all(loops, stop)
        with contextlib.suppress(StoreDown):  # what is not written is replayed from the log, a lease ends by itself
            await asyncio.to_thread(memory.flush, everything=True)
            await asyncio.to_thread(inspector.save)
            if counter is not None:
                await asyncio.to_thread(counter.save)
            await asyncio.to_thread(steerer.leave)


async def _written(memory: Memory, turn: asyncio.Lock) -> int:
    """How many states have been written into the database; nobody waits for it but the next such writing."""
    async with turn:
        part = memory.due()
    if part is None:
        return 0
    begun = perf_counter()
    revisions = await asyncio.to_thread(memory.write, part)
    async with turn:
        memory.written(part, revisions, perf_counter() - begun)
        await asyncio.to_thread(memory.mark)
    return len(part.states)


async def _all(loops: Iterable[Coroutine[object, object, None]], stop: asyncio.Event) -> None:
    """All of them to their end. Where one cannot go on, the others end what they have begun, and its error is raised."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        await asyncio.gather(*tasks)
    finally:
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forever(name: str, step: Callable[[], Awaitable[object]], clock: Clock, stop: asyncio.Event,
                   metrics: Metrics, vitals: Vitals) -> None:
    """One step after another until `stop`; after a failure, with growing pauses. Raises LogBroken."""
    backoff = Backoff()

    async def steps() -> None:
        while True:
            try:
                await step()
                backoff.worked()
                vitals.worked(name)
            except LogBroken as error:  # what was not made durable may be lost: only a new process may go on
                metrics.failures.labels(name, error.reason).inc()
                _log.critical("%s: %s", name, error)
                raise
            except BrokerDown as error:  # the link itself backs off and says each problem once
                metrics.failures.labels(name, error.reason).inc()
                vitals.failed(name, error)
            except Unavailable as error:
                metrics.failures.labels(name, error.reason).inc()
                vitals.failed(name, error)
                pause = backoff.failed()
                _log.warning("%s: %s Next attempt in %.1f s.", name, error, pause)
                await clock.sleep(pause)
            except Exception as error:
                metrics.failures.labels(name, type(error).__name__).inc()
                _log.exception("%s: a fault of ours; going on", name)
                await clock.sleep(backoff.failed())

    await first(steps(), stop.wait())


@contextlib.asynccontextmanager
async def _network(settings: Settings, given: NetworkServer | None) -> AsyncIterator[NetworkServer | None]:
    if given is not None or not settings.chirpstack.url:
        yield given
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
