"""The loop from the broker into the log and the city database.

The promise: every event of QoS 1 that the bridge acknowledges is on fsynced local storage - as an entry of the log, as
a state, command or alarm of the city database, or whole as a dead letter with its reason. The order is

    receive → parse → read → view → handle → log.append (durable) → store.commit (durable) → acknowledge

and a crash between any two of these makes the broker deliver the event again, where keys let it change nothing: entries
are known by (time, device, session:counter), states, commands, alarms and letters by their own keys. What the promise
does not cover: QoS 0; a broker that drops what it holds for us (Mosquitto beyond max_queued_messages, any broker that
loses our session - counted as sessions lost); and a disk that lies about fsync.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from city.clock import Clock
from city.errors import BadInput, Unavailable
from city.settings import Bridge
from city.store.ports import Facts, ReadingLog, Store
from gateway_bridge.events import Event, Uplink, parse
from gateway_bridge.link import Link, Message
from gateway_bridge.metrics import Metrics, Outcome
from gateway_bridge.pipeline import Arrival, dead_letter, devices_of, handle_all
from gateway_bridge.reading import Reader
from gateway_bridge.waiting import unbroken

_log = logging.getLogger(__name__)


class Listener:
    """Takes events from the link and keeps their facts, batch by batch."""

    def __init__(self, link: Link, store: Store, log: ReadingLog, clock: Clock, settings: Bridge, metrics: Metrics, *,
                 turn: asyncio.Lock | None = None, reader: Reader | None = None) -> None:
        """`turn` is shared with the Steerer of the same process: both read commands and write them. So is `reader`,
        which stays the caller's to close."""
        self._link, self._store, self._readings, self._clock = link, store, log, clock
        self._reader = reader or Reader(store, metrics=metrics)
        self._limit, self._linger_s = max(settings.batch, 1), settings.linger_ms / 1000
        self._metrics, self._turn = metrics, turn or asyncio.Lock()
        self._held: list[Message] = []
        self._received_at = 0.0

    async def step(self) -> int:
        """Wait for events, keep what they say, acknowledge them; returns how many. Raises Unavailable with the batch
        still held and not acknowledged: the next step tries it again. Cancelled while it keeps them, it ends that first.
        """
        if not self._held:
            self._held = await self._link.receive(self._limit, self._linger_s)
            self._received_at = time.perf_counter()
            self._metrics.received.inc(len(self._held))
            self._metrics.queued.set(len(self._held))
            self._metrics.batch.observe(len(self._held))
        return await unbroken(self._finish())

    async def _finish(self) -> int:
        arrivals = await asyncio.to_thread(read_all, self._reader.read, self._held, self._clock.now())
        async with self._turn:
            outcome = await asyncio.to_thread(keep, self._store, self._readings, arrivals, self._clock.now())
        done, self._held = self._held, []
        self._metrics.settle(outcome)
        self._metrics.queued.set(0)
        await self._link.acknowledge(done)
        self._metrics.acknowledged_after.observe(time.perf_counter() - self._received_at)
        return len(done)


def read_all(read: Callable[[Sequence[Arrival], datetime], list[Arrival]], messages: Sequence[Message],
             now: datetime) -> list[Arrival]:
    """Each message with its event and, where our codecs do not tell, with what it says, by one of a Reader's methods. One
    over which we stumble is found and marked, so that it is a dead letter and the others are kept. Raises Unavailable."""
    try:
        return read(parse_all(messages), now)
    except Unavailable:
        raise
    except Exception as error:
        _log.exception("%d messages could not be read together", len(messages))
        if len(messages) == 1:
            return [Arrival(messages[0], error)]
    half = len(messages) // 2
    return read_all(read, messages[:half], now) + read_all(read, messages[half:], now)


def keep(store: Store, log: ReadingLog, arrivals: Sequence[Arrival], now: datetime) -> Outcome:
    """Store the facts of these messages, durably. A batch that storage cannot take for a reason of its content is taken
    apart, so that one poisonous message is a dead letter and the others are kept. Raises Unavailable."""
    try:
        return _keep(store, log, arrivals, now)
    except Unavailable:
        raise
    except Exception as error:
        _log.exception("%d events could not be stored together", len(arrivals))
        if len(arrivals) == 1:
            return _bury(store, arrivals[0].message, error, now)
    half = len(arrivals) // 2
    return keep(store, log, arrivals[:half], now) + keep(store, log, arrivals[half:], now)


def parse_all(messages: Iterable[Message]) -> list[Arrival]:
    """Each message with its event, or with the reason why there is none."""
    return [Arrival(message, _parsed(message)) for message in messages]


def store_facts(store: Store, log: ReadingLog, facts: Facts) -> int:
    """The entries into the log, then the rest into the city database, both durably; returns how many entries were there
    already. Raises StoreDown."""
    repeated = len(facts.entries) - log.append(facts.entries) if facts.entries else 0
    store.commit(facts)
    return repeated


def _keep(store: Store, log: ReadingLog, arrivals: Sequence[Arrival], now: datetime) -> Outcome:
    batch = handle_all(arrivals, store.view(devices_of(arrivals)), now)
    repeated = store_facts(store, log, batch.facts)
    return Outcome(batch.handled - repeated, repeated, Counter(letter.reason for letter in batch.facts.letters),
                   tuple(a.event.clock_off for a in arrivals if isinstance(a.event, Uplink) and a.event.clock_off))


def _bury(store: Store, message: Message, error: Exception, now: datetime) -> Outcome:
    letter = dead_letter(message, error, now)
    store.commit(Facts(letters=(letter,)))
    return Outcome(letters={letter.reason: 1})


def _parsed(message: Message) -> Event | BadInput:
    try:
        return parse(message.topic, message.payload)
    except BadInput as error:
        return error
