"""Live changes to many open pages: one poller a town and process, however many listen.

A listener that cannot keep up is let go; its browser comes back with Last-Event-ID and hears what it missed.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

from starlette.concurrency import run_in_threadpool

from api import feed
from api.feed import Batch, Feed, Sees
from api.shell import Metrics
from city.clock import Clock, SystemClock
from city.errors import CityError, TooOften
from city.ids import TenantId
from city.store.ports import TenantStore

EVERY_S = 0.5
HEARTBEAT_S = 15.0
DOWN_S = 5.0
QUEUE = 50  # batches that a slow listener may be behind
MOST_LISTENERS = 500
LONGEST = timedelta(minutes=15)  # then the browser comes back by itself and shows its credentials again
_log = logging.getLogger(__name__)


class Hub:
    """Streams of one process. `clock` is the platform's; `pace` is real time, for waiting."""

    def __init__(self, clock: Clock, metrics: Metrics, pace: Clock | None = None) -> None:
        self._clock, self._metrics, self._pace = clock, metrics, pace or SystemClock()
        self._towns: dict[TenantId, _Town] = {}
        self._open: Counter[TenantId] = Counter()  # also those that were let go and do not read that they were

    def admit(self, town: TenantStore) -> None:
        """Raises TooOften where the town has as many listeners as it may: to be asked before an answer begins."""
        if self._open[town.tenant.id] >= MOST_LISTENERS:
            raise TooOften("Too many pages are open: try again in {seconds} seconds.", rule="listeners", seconds=60)

    async def listen(self, town: TenantStore, *, since: int | None, sees: Sees) -> AsyncIterator[bytes]:
        """Messages from revision `since` on (None: from now), for ever or until this listener is let go."""
        self.admit(town)
        here = self._towns.get(town.tenant.id)
        if here is None:
            here = self._towns[town.tenant.id] = _Town(town, self._clock, self._pace)
        gauge = self._metrics.listeners.labels(town.tenant.id)
        queue = here.join()
        gauge.inc()
        self._open[town.tenant.id] += 1
        try:
            async for message in self._stream(here, queue, since, sees):
                yield message
        finally:
            gauge.dec()
            self._open[town.tenant.id] -= 1
            if here.leave(queue) and self._towns.get(town.tenant.id) is here:
                del self._towns[town.tenant.id]

    async def _stream(self, here: "_Town", queue: "asyncio.Queue[Batch | None]", since: int | None,
                      sees: Sees) -> AsyncIterator[bytes]:
        source = await here.feed()
        until = self._pace.now() + LONGEST
        yield b"retry: 2000\n\n"
        if since is not None and since > source.revision:
            yield feed.reload()
        elif since is not None and (missed := await run_in_threadpool(source.catch_up, since)) is not None:
            yield missed.for_listener(sees)
        else:
            yield feed.hello(source.revision)
        while self._pace.now() < until:
            try:
                batch = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if batch is None:
                return
            yield batch.for_listener(sees)

    async def close(self) -> None:
        """Let everybody go."""
        for town in list(self._towns.values()):
            await town.close()
        self._towns.clear()


class _Town:
    """One town's listeners and the task that looks for changes while there are any."""

    def __init__(self, town: TenantStore, clock: Clock, pace: Clock) -> None:
        self._pace = pace
        self._queues: set[asyncio.Queue[Batch | None]] = set()
        self._loading = asyncio.ensure_future(run_in_threadpool(Feed, town, clock))
        self._task = asyncio.create_task(self._poll(), name=f"live {town.tenant.id}")

    def join(self) -> "asyncio.Queue[Batch | None]":
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(QUEUE)
        self._queues.add(queue)
        return queue

    def leave(self, queue: "asyncio.Queue[Batch | None]") -> bool:
        """Whether it was the last one: then looking ends."""
        self._queues.discard(queue)
        if not self._queues:
            self._task.cancel()
        return not self._queues

    async def feed(self) -> Feed:
        return await asyncio.shield(self._loading)

    async def close(self) -> None:
        self._task.cancel()
        for queue in list(self._queues):
            self._let_go(queue)

    async def _poll(self) -> None:
        """Look for changes for ever. What should not happen ends every stream: their browsers come back to a new one,
        where a silent stream would show old lamps as if they were of now."""
        try:
            await self._look_on()
        except Exception:
            _log.exception("live changes end")
            for queue in list(self._queues):
                self._let_go(queue)

    async def _look_on(self) -> None:
        source = await self.feed()
        while True:
            try:
                batch = await run_in_threadpool(source.look)
            except CityError as error:
                _log.warning("live changes pause: %s", error)
                await self._pace.sleep(DOWN_S)
                continue
            if batch is not None:
                self._tell(batch)
            await self._pace.sleep(EVERY_S)

    def _tell(self, batch: Batch) -> None:
        for queue in list(self._queues):
            if queue.full():
                self._let_go(queue)
            else:
                queue.put_nowait(batch)

    def _let_go(self, queue: "asyncio.Queue[Batch | None]") -> None:
        self._queues.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
