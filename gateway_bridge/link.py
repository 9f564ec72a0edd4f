"""What the bridge asks of a broker, and a broker in memory that keeps the same promises.

A message is delivered at least once: what is not acknowledged comes again after the connection breaks. It belongs to
the connection that brought it (`generation`); an acknowledgement for a former connection is never sent, because its
packet identifier may mean another message by now.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

import msgspec
from msgspec.structs import replace

from city.errors import BrokerDown

_PAYLOAD = attrgetter("payload")


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message as it came in. `number` counts receipts; `mid` is the broker's identifier in this connection."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    dup: bool = False
    generation: int = 0
    number: int = 0
    mid: int = 0


@dataclass(slots=True)
class LinkCounts:
    """What a link has seen since it was made.

    `sessions_lost`: the broker had forgotten us after a former connection, so what it held for us is gone.
    `stale`: acknowledgements withheld because their connection had ended; those messages come again.
    `retained`: messages that a topic keeps and the broker hands to every new subscriber, so they may be old.
    `redelivered`: the broker says that it may have delivered them before. `cut`: larger than a link keeps of a message.
    `watchdog`: connections given up because the broker delivered nothing. `unanswered`: messages of our own that it did
    not bring back. `taken_over`: sessions that another program with our client id has taken.
    `most_open`: the most messages that awaited acknowledgement at once.
    """

    connections: int = 0
    sessions_lost: int = 0
    qos0: int = 0
    retained: int = 0
    stale: int = 0
    redelivered: int = 0
    cut: int = 0
    watchdog: int = 0
    taken_over: int = 0
    unanswered: int = 0
    most_open: int = 0


class Link(Protocol):
    """A broker, as the bridge sees it."""

    @property
    def counts(self) -> LinkCounts: ...

    @property
    def connected(self) -> bool:
        """Whether a publish has a chance now."""
        ...

    async def receive(self, limit: int, linger_s: float) -> list[Message]:
        """Wait for a message, then at most `linger_s` for more of them (not where so many come that they come together
        anyway); 1 to `limit` messages in order of receipt.
        Raises BrokerDown, once for each reason, while the broker refuses us; the link goes on trying by itself."""
        ...

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """The broker may forget these. Sent in order of receipt; withheld for messages of a former connection."""
        ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand over with QoS 1; returns when the broker has it. Raises BrokerDown: it may have it or not."""
        ...

    async def close(self) -> None:
        """Leave; the broker keeps our session."""
        ...


class Inbox:
    """Received and not yet taken messages of an asyncio loop. `full` says that no more should be read: the acknowledgement
    window bounds what a broker may send, but not QoS 0, and not a broker without a window."""

    MOST_BYTES = 32 * 2**20
    EACH = 500  # what a message takes beside its payload, in bytes

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._problem: BrokerDown | None = None
        self._woken = asyncio.Event()

    @property
    def full(self) -> bool:
        return self._bytes > self.MOST_BYTES

    def put(self, messages: Sequence[Message]) -> None:
        self._waiting.extend(messages)
        self._bytes += self._size(messages)
        self._woken.set()

    def fail(self, problem: BrokerDown) -> None:
        """Whoever waits, or waits next, is told once."""
        self._problem = problem
        self._woken.set()

    def drop_former(self, generation: int) -> None:
        """Forget what former connections brought with QoS 1 or more: the broker delivers it again."""
        self._waiting = deque(item for item in self._waiting if item.qos == 0 or item.generation >= generation)
        self._bytes = self._size(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    async def some(self) -> None:
        """Return when there is a message. Raises the problem."""
        while not self._waiting:
            if self._problem is not None:
                problem, self._problem = self._problem, None
                raise problem
            self._woken.clear()
            await self._woken.wait()

    def take(self, limit: int) -> list[Message]:
        """At most so many of those that are here."""
        waiting = self._waiting
        taken = [waiting.popleft() for _ in range(min(limit, len(waiting)))]
        self._bytes -= self._size(taken)
        return taken

    def _size(self, messages: Iterable[Message]) -> int:
        payloads = list(map(_PAYLOAD, messages))
        return sum(map(len, payloads)) + self.EACH * len(payloads)


class Unacknowledged:
    """The messages of one connection that await acknowledgement, in order of receipt (MQTT 5, 4.6)."""

    def __init__(self) -> None:
        self._order: deque[Message] = deque()
        self._done: set[int] = set()

    def __len__(self) -> int:
        return len(self._order)

    def add(self, messages: Iterable[Message]) -> None:
        self._order.extend(messages)

    def done(self, messages: Sequence[Message]) -> list[Message]:
        """Those that may be acknowledged now: done, and everything received before them is too."""
        order, ready = self._order, []
        for message in messages:
            if order and order[0] is message:
                ready.append(order.popleft())
            elif order and message.number >= order[0].number:
                self._done.add(message.number)
        while self._done and order and order[0].number in self._done:
            ready.append(order.popleft())
            self._done.discard(ready[-1].number)
        return ready

    def left(self) -> list[Message]:
        return list(self._order)


class MemoryLink:
    """A broker and its one subscriber in memory, for tests: at least once, in order, nothing lost but by `forget`."""

    def __init__(self) -> None:
        self.counts = LinkCounts(connections=1)
        self.connected = True
        self.published: list[tuple[str, bytes]] = []
        self.acknowledged: list[Message] = []
        self._inbox, self._open = Inbox(), Unacknowledged()
        self._generation, self._number = 1, 0
        self._offline: list[Message] = []

    def deliver(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Somebody has published an event."""
        message = Message(topic, payload, qos, retain)
        if self.connected:
            self._hand_over(message)
        elif qos:
            self._offline.append(message)

    def disconnect(self) -> None:
        """The connection breaks; publishing fails until `reconnect`."""
        self.connected = False

    def reconnect(self, *, session_present: bool = True) -> None:
        """A new connection: what was not acknowledged comes again, before what was published meanwhile."""
        again = [replace(message, dup=True) for message in self._open.left()] + self._offline
        self._generation, self._open, self._offline = self._generation + 1, Unacknowledged(), []
        self.counts.connections += 1
        self.connected = True
        if not session_present:
            self.counts.sessions_lost += 1
            return
        self._inbox.drop_former(self._generation)
        for message in again:
            self._hand_over(message)

    def refuse(self, problem: BrokerDown) -> None:
        """The broker refuses us: `receive` says so."""
        self._inbox.fail(problem)

    async def receive(self, limit: int, linger_s: float) -> list[Message]:
        await self._inbox.some()
        if linger_s > 0 and len(self._inbox) < limit:
            await asyncio.sleep(linger_s)
        return self._inbox.take(limit)

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        current = [item for item in messages if item.qos and item.generation == self._generation and self.connected]
        self.counts.stale += sum(1 for item in messages if item.qos) - len(current)
        self.acknowledged += self._open.done(current)

    async def publish(self, topic: str, payload: bytes) -> None:
        if not self.connected:
            raise BrokerDown("There is no connection to the broker.")
        self.published.append((topic, payload))

    async def close(self) -> None:
        self.connected = False

    def _hand_over(self, message: Message) -> None:
        self._number += 1
        message = replace(message, generation=self._generation, number=self._number, mid=self._number)
        self.counts.qos0 += message.qos == 0
        self.counts.retained += message.retain
        if message.qos:
            self._open.add([message])
        self._inbox.put([message])
