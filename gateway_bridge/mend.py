"""The loop that reads dead letters again when a person asks for it.

Only the bridge writes the local log. Whoever wants a letter replayed while it runs marks the letter as requested; the
bridge takes it from there. What still cannot be read is a letter again, with its reason.

The bridge asks for it itself where a town has described a model, or switched its script on again: the letters of that
model's devices are read anew, and the alarm that the script is off has ended. Frames that wait for a script need nobody to
ask: they are read here, town by town and the oldest first, as fast as the script allows.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from city.alarms import Alarm, AlarmKind
from city.clock import Clock
from city.errors import Unavailable
from city.scripts import Script
from city.store.ports import DeadLetter, Facts, ReadingLog, Store, TenantStore
from gateway_bridge.events import device_of
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all, read_all, store_facts
from gateway_bridge.memory import Memory
from gateway_bridge.pipeline import Arrival, devices_of, handle_all
from gateway_bridge.reading import WAITS, Key, Own, Reader
from gateway_bridge.unread import letter_id
from gateway_bridge.waiting import unbroken

REQUESTED = "ReplayRequested"
AT_ONCE = 100
CURABLE = ("UnknownModel", "ScriptError", "ScriptBreach", "ScriptOff", "TooManySeries")  # by a script, or another one
MOST_LETTERS = 10_000  # of one reason
MOST_ALARMS = 100_000

_log = logging.getLogger(__name__)


class Mender:
    """Replays what is requested."""

    def __init__(self, store: Store, log: ReadingLog, clock: Clock, turn: asyncio.Lock, reader: Reader | None = None,
                 memory: Memory | None = None) -> None:
        """`turn`, `reader` and `memory` are shared with the loops of the same process that write states and commands too."""
        self._store, self._log, self._clock, self._turn = store, log, clock, turn
        self._reader = reader or Reader(store)
        self._memory = Memory(store, log) if memory is None else memory
        self._seen: Mapping[Key, Own] = {}

    async def step(self) -> int:
        """Read some of each town's letters that wait, and up to a hundred requested ones; returns how many wait no more.
        Raises StoreDown."""
        async with self._turn:
            await unbroken(asyncio.to_thread(self._look_at_scripts))
        done = 0
        for town in sorted(await asyncio.to_thread(self._store.towns_with_letters, WAITS)):
            waiting = await asyncio.to_thread(self._store.oldest_letters, town, WAITS, AT_ONCE)
            done += await unbroken(self._mend(waiting, asked_for=False))
        for letter in await asyncio.to_thread(self._store.all_letters, AT_ONCE, REQUESTED):
            done += await unbroken(self._mend([letter], asked_for=True))
        return done

    async def _mend(self, letters: Sequence[DeadLetter], *, asked_for: bool) -> int:
        """How many of them wait no more."""
        read = partial(self._reader.read_letters, asked_for=asked_for)
        arrivals = await asyncio.to_thread(read_all, read, parse_all(map(_message, letters)), self._clock.now())
        try:
            async with self._turn:
                reasons = await asyncio.to_thread(_settle, self._store, self._log, self._memory, letters, arrivals,
                                                  self._clock.now())
        except Unavailable:
            raise
        except Exception as error:
            if len(letters) > 1:
                return sum([await self._mend([letter], asked_for=asked_for) for letter in letters])
            await self._bury(letters[0], error)
            return 1
        return sum(reason != WAITS for reason in reasons.values())

    async def _bury(self, letter: DeadLetter, error: Exception) -> None:
        """One that storage cannot take must not stand before the others for ever."""
        _log.exception("the letter %s could not be replayed", letter.id, exc_info=error)
        failed = replace(letter, reason="InternalError", detail=f"{type(error).__name__}: {error}"[:1000])
        async with self._turn:
            await asyncio.to_thread(_put, self._store, [failed], self._clock.now())

    def _look_at_scripts(self) -> None:
        """What a person has changed since the last look, or since before we were started."""
        scripts = self._reader.scripts()
        if scripts is self._seen:
            return
        new = {key: own for key, own in scripts.items() if self._seen.get(key) is not own and not own.script.off}
        if new:
            now = self._clock.now()
            request(self._store, _letters_of(self._store, new), now)
            for tenant in {tenant for tenant, _ in new}:
                ended = _ended(self._store.tenant(tenant), {model for town, model in new if town == tenant}, now)
                self._store.commit(Facts(alarms=ended))
        self._seen = scripts


def replay(store: Store, log: ReadingLog, letter: DeadLetter, now: datetime, reader: Reader) -> str:
    """Run the letter's payload through the pipeline again. Returns "" where that worked, and the letter is gone; else
    the reason why it is still one, which the letter bears from then on. Raises Unavailable."""
    read = partial(reader.read_letters, asked_for=letter.reason != WAITS)
    return _settle(store, log, Memory(store, log), [letter], read_all(read, parse_all([_message(letter)]), now), now)[letter.id]


def request(store: Store, letters: Iterable[DeadLetter], now: datetime) -> None:
    """Ask the running bridge to replay these."""
    _put(store, [replace(letter, reason=REQUESTED) for letter in letters], now)


def _message(letter: DeadLetter) -> Message:
    return Message(letter.topic, letter.payload)


def _settle(store: Store, log: ReadingLog, memory: Memory, letters: Sequence[DeadLetter], arrivals: Sequence[Arrival],
            now: datetime) -> dict[str, str]:
    """Keep what they say; the reason why each is still a letter, "" for those that are none any more, by id."""
    batch = handle_all(arrivals, memory.look(devices_of(arrivals)), now)
    facts, position = batch.facts, log.head()
    still = {letter.id: letter for letter in facts.letters}
    again = {letter.id: found for letter in letters if (found := still.get(letter_id(_message(letter)))) is not None}
    if len(again) < len(letters):
        store_facts(store, log, replace(facts, letters=()))
        memory.keep(batch.changed, position)
        memory.flush()
    _put(store, [replace(again[letter.id], id=letter.id) for letter in letters
                 if letter.id in again and again[letter.id].reason != letter.reason], now)
    store.remove_letters([letter.id for letter in letters if letter.id not in again])
    return {letter.id: again[letter.id].reason if letter.id in again else "" for letter in letters}


def _letters_of(store: Store, scripts: Mapping[Key, Own]) -> list[DeadLetter]:
    """The newest letters that have not been tried with these scripts as they are now."""
    found = [(letter, eui) for reason in CURABLE for letter in store.all_letters(MOST_LETTERS, reason)
             if (eui := device_of(letter.topic)) is not None]
    registered = store.registered({eui for _, eui in found})
    return [letter for letter, eui in found if (known := registered.get(eui)) is not None
            and (own := scripts.get((known.tenant.id, known.device.model))) is not None and _is_older(letter, own.script)]


def _is_older(letter: DeadLetter, script: Script) -> bool:
    return script.changed_at is None or letter.received_at <= script.changed_at


def _ended(own: TenantStore, models: Collection[str], now: datetime) -> tuple[Alarm, ...]:
    """The alarms that a script is off, of assets whose device has one of these models."""
    assets = {device.asset for device in own.devices() if device.model in models}
    return tuple(replace(alarm, ended_at=now) for alarm in own.alarms(open_only=True, limit=MOST_ALARMS)
                 if alarm.kind is AlarmKind.SCRIPT_OFF and alarm.asset in assets)


def _put(store: Store, letters: Sequence[DeadLetter], now: datetime) -> None:
    """The same letters with another reason: they have not come once more, so they are not counted once more. Storage
    passes over what it has seen at that time, so they are dated after that even where a clock was set back."""
    dated = tuple(replace(letter, received_at=max(now, letter.received_at + timedelta(microseconds=1)), count=0)
                  for letter in letters)
    if dated:
        store.commit(Facts(letters=dated))
