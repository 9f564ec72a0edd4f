"""A TCP proxy that a test poisons while it runs: latency, down, bandwidth, slow_close, timeout, reset_peer, slicer and
limit_data, as in Toxiproxy. It lives in a thread with a loop of its own; every method may be called from any thread.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from tests.faults.toxics import Bandwidth, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout, Toxic

Way = Literal["up", "down"]  # from whoever connects to the server, and back
CHUNK, WAITING = 65536, 64
_T = TypeVar("_T")


@dataclass
class Counts:
    """What has gone through."""

    accepted: int = 0
    refused: int = 0  # the server itself was not there
    open: int = 0
    bytes: dict[Way, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    pieces: dict[Way, int] = field(default_factory=lambda: {"up": 0, "down": 0})


class Proxy:
    """Listens on a port of its own (`port`) and relays to `target` of 127.0.0.1."""

    def __init__(self, target: int, *, seed: int = 0) -> None:
        self.counts = Counts()
        self.port = 0
        self._target, self._random = target, random.Random(seed)
        self._toxics: dict[Way, list[Toxic]] = {"up": [], "down": []}
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.up()

    def toxics(self, way: Way) -> list[Toxic]:
        return self._toxics[way]

    def draw(self, least: float, most: float) -> float:
        return self._random.uniform(least, most)

    def add(self, toxic: Toxic, way: Way = "down") -> None:
        """Poison all connections, those that are open too."""
        self._toxics[way] = [*self._toxics[way], toxic]

    def remove(self, toxic: Toxic, way: Way = "down") -> None:
        """Take it away; connections that lost data to a Timeout are closed."""
        self._toxics[way] = [known for known in self._toxics[way] if known is not toxic]
        self._do(self._end_wounded)

    def clear(self) -> None:
        """No toxics any more."""
        self._toxics = {"up": [], "down": []}
        self._do(self._end_wounded)

    @contextmanager
    def poisoned(self, toxic: Toxic, way: Way = "down") -> Iterator[None]:
        """The toxic, for the length of a block."""
        self.add(toxic, way)
        try:
            yield
        finally:
            self.remove(toxic, way)

    def up(self) -> None:
        """Listen, on the same port as ever."""
        self._do(self._listen)

    def down(self) -> None:
        """As if nobody listened: every connection ends, new ones are refused."""
        self._do(self._refuse)

    def cut(self) -> None:
        """Reset every connection now; new ones are let through."""
        self._do(self._reset)

    def close(self) -> None:
        self._do(self._refuse)
        self._do(self._cancel)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, what: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await what()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _reset(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    async def _end_wounded(self) -> None:
        for connection in list(self._connections):
            if connection.wounded:
                connection.reset()

    async def _cancel(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # connections that were reset end by themselves
            await asyncio.wait(others, timeout=2)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.accepted += 1
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            self.counts.refused += 1
            writer.transport.abort()
            return
        connection = _Connection(self, (reader, writer), far)
        self._connections.add(connection)
        self.counts.open += 1
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self.counts.open -= 1


@contextmanager
def proxy(target: int, *, seed: int = 0) -> Iterator[Proxy]:
    """A running proxy, closed at the end."""
    made = Proxy(target, seed=seed)
    try:
        yield made
    finally:
        made.close()


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Queue = asyncio.Queue[tuple[float, bytes]]  # when a chunk may go on, and the chunk; empty at the end


class _Connection:
    """One client, one connection to the server, and what flows each way."""

    def __init__(self, proxy: Proxy, near: _End, far: _End) -> None:
        self.wounded = False
        self._proxy, self._near, self._far = proxy, near, far
        self._passed: dict[Way, int] = {"up": 0, "down": 0}
        self._slept: dict[Way, float] = {"up": 0.0, "down": 0.0}

    async def run(self) -> None:
        up, down = _Queue(WAITING), _Queue(WAITING)
        flows = [self._read("up", self._near[0], up), self._write("up", up, self._far[1]),
                 self._read("down", self._far[0], down), self._write("down", down, self._near[1])]
        tasks = [asyncio.ensure_future(flow) for flow in flows]
        try:
            await asyncio.gather(*tasks)
        except (OSError, _Over):
            self.reset()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._hang_up()

    def reset(self) -> None:
        """RST to both ends: no FIN, nothing more is delivered."""
        for _, writer in (self._near, self._far):
            sock = writer.get_extra_info("socket")
            if sock is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _hang_up(self) -> None:
        for _, writer in (self._near, self._far):
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _read(self, way: Way, reader: asyncio.StreamReader, queue: _Queue) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data = await reader.read(CHUNK)
            await queue.put((loop.time() + self._delay(way), data))
            if not data:
                return

    def _delay(self, way: Way) -> float:
        late = [item for item in self._proxy.toxics(way) if isinstance(item, Latency)]
        return sum(max(0.0, item.delay + self._proxy.draw(-item.jitter, item.jitter)) for item in late)

    async def _write(self, way: Way, queue: _Queue, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if not data:
                break
            for piece in await self._through(way, data):
                writer.write(piece)
                await writer.drain()
                self._proxy.counts.bytes[way] += len(piece)
                self._proxy.counts.pieces[way] += 1
        for item in self._proxy.toxics(way):
            if isinstance(item, SlowClose):
                await asyncio.sleep(item.delay)
        if writer.can_write_eof():
            writer.write_eof()

    async def _through(self, way: Way, data: bytes) -> list[bytes]:
        """What is left of `data`, in pieces, after the toxics that are there now; raises _Over to end the connection."""
        pieces = [data]
        for toxic in self._proxy.toxics(way):
            match toxic:
                case Timeout(after):
                    self.wounded, pieces = True, []
                    if after:
                        await asyncio.sleep(after)
                        raise _Over
                case ResetPeer(after):
                    await asyncio.sleep(after)
                    raise _Over
                case Bandwidth(rate):
                    await asyncio.sleep(len(data) / rate)
                case Slicer():
                    pieces = [part async for part in self._sliced(toxic, pieces)]
                case LimitData(size):
                    pieces = self._limited(way, size, pieces)
        self._passed[way] += sum(map(len, pieces))
        return pieces

    async def _sliced(self, toxic: Slicer, pieces: list[bytes]) -> AsyncIterator[bytes]:
        for piece in pieces:
            rest = piece
            while rest:
                size = max(1, round(toxic.size + self._proxy.draw(-toxic.variation, toxic.variation)))
                await asyncio.sleep(toxic.delay)
                yield rest[:size]
                rest = rest[size:]

    def _limited(self, way: Way, size: int, pieces: list[bytes]) -> list[bytes]:
        left = size - self._passed[way]
        if left <= 0:
            raise _Over
        return [b"".join(pieces)[:left]]


class _Over(Exception):
    """A toxic ends the connection."""
