"""The loop from the broker into the log and the city database.

The promise: every event of QoS 1 that the bridge acknowledges is on fsynced local storage; it reaches InfluxDB at least
once and is idempotent there, or is kept whole as a dead letter with its reason; and received = stored + duplicates + dead
letters + queued. The order is

    receive → parse → read → view → handle → log.append (durable) → store.commit (durable) → acknowledge

and a crash between any two of these makes the broker deliver the event again, where keys let it change nothing: entries
are known by (time, device, session:counter), commands, alarms and letters by their own keys. States are kept in memory
and written behind; the log says them again after a crash (gateway_bridge.memory). What the promise
does not cover: QoS 0; a broker that drops what it holds for us (Mosquitto beyond max_queued_messages, any broker that
loses our session - counted as sessions lost); and a disk that lies about fsync.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter

from city.clock import Clock
from city.errors import BadInput, RetainedEvent, StoreDown, Unavailable
from city.ids import DevEui
from city.readings import NS, to_ns
from city.settings import Bridge
from city.store.ports import Facts, Known, ReadingLog, Store, View
from gateway_bridge.caps import FrameCap, TownRates, too_many
from gateway_bridge.events import Event, Uplink, parse
from gateway_bridge.link import Link, Message
from gateway_bridge.memory import Memory
from gateway_bridge.metrics import Metrics, Missed, Outcome
from gateway_bridge.pipeline import Arrival, Batch, devices_of, handle_all
from gateway_bridge.reading import Reader
from gateway_bridge.tally import Tally
from gateway_bridge.unread import dead_letter
from gateway_bridge.waiting import unbroken

LIVE_NS = 60 * NS  # an event that is older has waited somewhere
QUICK_S = 0.002  # whatever takes no longer is done at once: to hand it to a thread and wait for that takes as long

_log = logging.getLogger(__name__)
_TOWN = attrgetter("place.tenant")


class Listener:
    """Takes events from the link and keeps their facts, batch by batch."""

    def __init__(self, link: Link, store: Store, log: ReadingLog, clock: Clock, settings: Bridge, metrics: Metrics, *,
                 turn: asyncio.Lock | None = None, reader: Reader | None = None, memory: Memory | None = None,
                 tally: Tally | None = None) -> None:
        """`turn` is shared with the loops of the same process that change what the bridge knows. So are `reader`, which
        stays the caller's to close, and `memory`, whose states the caller writes; without one, all is written at once.
        `tally` is told which gateways heard what is kept."""
        self._link, self._store, self._readings, self._clock = link, store, log, clock
        self._reader = reader or Reader(store, metrics=metrics)
        self._limit, self._linger_s = max(settings.batch, 1), settings.linger_ms / 1000
        self._metrics, self._turn = metrics, turn or asyncio.Lock()
        self._memory = Memory(store, log) if memory is None else memory
        self._writes, self._tally = memory is None, tally
        self._caps, self._per_minute = FrameCap(settings.device_per_minute), settings.device_per_minute
        self._rates = TownRates(settings.town_per_s)
        self._held: list[Message] = []
        self._arrivals: list[Arrival] = []
        self._received_at, self._stored_s = 0.0, QUICK_S

    async def step(self) -> int:
        """Wait for events, keep what they say, acknowledge them; returns how many. Raises Unavailable with the batch
        still held and not acknowledged: the next step tries it again. Cancelled while it keeps them, it ends that first.
        """
        if not self._held:
            self._held = await self._link.receive(self._limit, self._linger_s)
            self._received_at = time.perf_counter()
            self._metrics.take(len(self._held))
            self._arrivals = self._capped(parse_all(self._held))
        return await unbroken(self._finish())

    async def _finish(self) -> int:
        outcome = await self._kept(self._arrivals, devices_of(self._arrivals))
        done, self._held, self._arrivals = self._held, [], []
        now_ns = to_ns(self._clock.now())
        self._metrics.settle(outcome, now_ns)
        self._metrics.queued.set(0)
        if now_ns - outcome.oldest_ns < LIVE_NS:
            self._note_rates(outcome)
        await self._link.acknowledge(done)
        self._metrics.acknowledged_after.observe(time.perf_counter() - self._received_at)
        return len(done)

    async def _kept(self, arrivals: Sequence[Arrival], devices: Collection[DevEui]) -> Outcome:
        """Store what they say. A town's scripts run before the turn is taken, since they are slow; that a device needs one
        may be learned only within it, and then they are read first after all. Raises Unavailable."""
        read = False
        while True:
            if not read and self._memory.foreign(devices):
                arrivals = await asyncio.to_thread(read_all, self._reader.read, arrivals, self._clock.now())
                read = True
            async with self._turn:
                await self._know(devices)
                if not read and self._memory.foreign(devices):
                    continue
                outcome = await self._keep(arrivals, self._clock.now())
                if self._writes:
                    await asyncio.to_thread(self._memory.flush)
                return outcome

    async def _know(self, devices: Collection[DevEui]) -> None:
        """Have the memory know these devices. What others have written may wait while the database is away: readings of
        devices that are known go on. Raises StoreDown where one is not."""
        memory = self._memory
        if memory.stale:
            try:
                await asyncio.to_thread(memory.refresh)
            except StoreDown as error:
                if self._writes:
                    raise
                memory.postpone()
                _log.warning("%s The bridge goes on with what it knows.", error)
        missing = memory.missing(devices)
        if missing:
            await asyncio.to_thread(memory.learn, missing)

    async def _keep(self, arrivals: Sequence[Arrival], now: datetime) -> Outcome:
        """Store the facts of these messages, durably. A batch that storage cannot take for a reason of its content is taken
        apart, so that one poisonous message is a dead letter and the others are kept. Raises Unavailable."""
        try:
            return await self._keep_together(arrivals, now)
        except Unavailable:
            raise
        except Exception as error:
            _log.exception("%d events could not be stored together", len(arrivals))
            if len(arrivals) == 1:
                return await asyncio.to_thread(_bury, self._store, arrivals[0].message, error, now)
        half = len(arrivals) // 2
        return await self._keep(arrivals[:half], now) + await self._keep(arrivals[half:], now)

    async def _keep_together(self, arrivals: Sequence[Arrival], now: datetime) -> Outcome:
        view = self._memory.view(devices_of(arrivals))
        batch = handle_all(arrivals, view, now)
        position = self._readings.head()
        repeated = await self._stored(batch.facts)
        self._memory.keep(batch.changed, position)
        outcome = _outcome(arrivals, batch, view, repeated)
        if self._tally is not None:
            self._tally.note(arrivals, batch.changed, outcome.missed, view if repeated else None)
        return outcome

    async def _stored(self, facts: Facts) -> int:
        """As store_facts, in a thread where that may keep others waiting."""
        begun = time.perf_counter()
        if self._stored_s < QUICK_S and not (facts.commands or facts.alarms or facts.letters):
            repeated = store_facts(self._store, self._readings, facts)
        else:
            repeated = await asyncio.to_thread(store_facts, self._store, self._readings, facts)
        self._stored_s = time.perf_counter() - begun
        return repeated

    def _note_rates(self, outcome: Outcome) -> None:
        """Say which town sends more than it is expected to; what waited during an outage says nothing of that."""
        for town in self._rates.note(outcome.towns, time.monotonic()):
            _log.warning("the town %s sends more than bridge.town_per_s events a second", town)
        self._metrics.over_rate = self._rates.over

    def _capped(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Frames of a device that sends more than any can are none."""
        memory = self._memory
        uplinks = [(index, arrival.event) for index, arrival in enumerate(arrivals)
                   if isinstance(arrival.event, Uplink) and arrival.event.device in memory]
        for place in self._caps.excess((up.device, up.at_ns) for _, up in uplinks):
            index, up = uplinks[place]
            arrivals[index] = Arrival(arrivals[index].message, too_many(up.device, self._per_minute))
        return arrivals


def read_all(read: Callable[[Sequence[Arrival], datetime], list[Arrival]], arrivals: Sequence[Arrival],
             now: datetime) -> list[Arrival]:
    """The arrivals with what they say where our codecs do not tell, by one of a Reader's methods. One over which we stumble
    is found and marked, so that it is a dead letter and the others are kept. Raises Unavailable."""
    try:
        return read(arrivals, now)
    except Unavailable:
        raise
    except Exception as error:
        _log.exception("%d messages could not be read together", len(arrivals))
        if len(arrivals) == 1:
            return [Arrival(arrivals[0].message, error)]
    half = len(arrivals) // 2
    return read_all(read, arrivals[:half], now) + read_all(read, arrivals[half:], now)


def parse_all(messages: Iterable[Message]) -> list[Arrival]:
    """Each message with its event, or with the reason why there is none."""
    return [Arrival(message, _parsed(message)) for message in messages]


def store_facts(store: Store, log: ReadingLog, facts: Facts) -> int:
    """The entries into the log, then commands, alarms and dead letters into the city database, both durably; returns how
    many entries were there already. States are the memory's to write, but for those of devices that have obeyed: who sees
    the one must see the other. Raises StoreDown."""
    repeated = len(facts.entries) - log.append(facts.entries) if facts.entries else 0
    if facts.commands or facts.alarms or facts.letters:
        told = {command.device for command in facts.commands}
        store.commit(replace(facts, entries=(), states=tuple(state for state in facts.states if state.device in told)))
    return repeated


def _outcome(arrivals: Sequence[Arrival], batch: Batch, view: View, repeated: int) -> Outcome:
    facts = batch.facts
    times = [entry.at_ns for entry in facts.entries]
    return Outcome(batch.handled - repeated, repeated, Counter(letter.reason for letter in facts.letters),
                   tuple([a.event.clock_off for a in arrivals if isinstance(a.event, Uplink) and a.event.clock_off]),
                   list(_missed(batch.changed, view)), min(times, default=0), max(times, default=0),
                   Counter(map(_TOWN, facts.entries)))


def _missed(changed: Mapping[DevEui, Known], view: View) -> Iterator[Missed]:
    """Town, gateway and number of frames that are missing now and were not before."""
    for device, known in changed.items():
        before, after = view[device].state, known.state
        if after.holes != before.holes or after.missed != before.missed:
            missing = after.window.missing - before.window.missing
            if missing > 0:
                yield known.tenant.id, after.gateway or "", missing


def _bury(store: Store, message: Message, error: Exception, now: datetime) -> Outcome:
    letter = dead_letter(message, error, now)
    store.commit(Facts(letters=(letter,)))
    return Outcome(letters={letter.reason: 1})


def _parsed(message: Message) -> Event | BadInput:
    if message.retain:
        return RetainedEvent("The event was published as retained: the broker hands it to everybody who subscribes, however "
                             "old it is.")
    try:
        return parse(message.topic, message.payload)
    except BadInput as error:
        return error
