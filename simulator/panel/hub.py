"""What goes on, for open pages: each half second a town's numbers and the devices that have changed (server-sent events).

Whoever reads too slowly loses what waits and is told to look anew; nobody else notices.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping

from city.errors import TooOften
from simulator.panel.desk import Desk
from simulator.panel.pausing import PausableClock

EVERY_S = 0.5
MOST_WAITING, MOST_READERS = 16, 32
ANEW = b"event: anew\ndata: {}\n\n"


class Reader:
    """One open page."""

    def __init__(self, town: str) -> None:
        self.town = town
        self._waiting: deque[bytes] = deque()
        self._something, self._over = asyncio.Event(), False

    def tell(self, message: bytes) -> None:
        """Hand it a message; where too many wait, they all give way to one."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self._waiting.append(ANEW)
        else:
            self._waiting.append(message)
        self._something.set()

    @property
    def waiting(self) -> int:
        """Messages that it has not taken yet."""
        return len(self._waiting)

    def close(self) -> None:
        """It gets no more."""
        self._over = True
        self._something.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """What it is told, until it is closed."""
        while not self._over:
            await self._something.wait()
            self._something.clear()
            while self._waiting and not self._over:
                yield self._waiting.popleft()


class Hub:
    """All open pages."""

    def __init__(self, desks: Mapping[str, Desk], clock: PausableClock | None) -> None:
        self._desks, self._clock = desks, clock
        self._readers: list[Reader] = []
        self._task: asyncio.Task[None] | None = None

    async def stream(self, reader: Reader) -> AsyncIterator[bytes]:
        """An open page's messages, until it goes."""
        try:
            async for message in reader.messages():
                yield message
        finally:
            self.shut(reader)

    def open(self, town: str) -> Reader:
        """A new page of a town that is there; the numbers of now wait for it. Raises TooOften beyond MOST_READERS."""
        if len(self._readers) >= MOST_READERS:
            raise TooOften("{most} pages are open already.", field="events", rule="most", most=MOST_READERS)
        if not any(one.town == town for one in self._readers):
            self._desks[town].watch.whole()  # nobody has looked meanwhile
        reader = Reader(town)
        reader.tell(self._numbers(town))
        self._readers.append(reader)
        if self._task is None:
            self._task = asyncio.create_task(self._tick())
        return reader

    def shut(self, reader: Reader) -> None:
        """A page is gone; without any, nobody looks."""
        with contextlib.suppress(ValueError):
            self._readers.remove(reader)
        if not self._readers and self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """The end: streams never end by themselves."""
        for reader in list(self._readers):
            reader.close()
            self.shut(reader)

    def look(self) -> None:
        """Tell every page what is new in its town."""
        for town in {one.town for one in self._readers}:
            told = [self._numbers(town)]
            changes = self._desks[town].watch.look()
            if changes.many or changes.items:
                told.append(_message("changes", changes.model_dump_json()))
            for reader in self._readers:
                if reader.town == town:
                    for message in told:
                        reader.tell(message)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.look()

    def _numbers(self, town: str) -> bytes:
        paused = self._clock is not None and self._clock.paused
        return _message("numbers", self._desks[town].numbers(paused=paused).model_dump_json())


def _message(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()
