"""The loop that reads dead letters again when a person asks for it.

Only the bridge writes the local log. Whoever wants a letter replayed while it runs marks the letter as requested; the
bridge takes it from there. What still cannot be read is a letter again, with its reason.

The bridge asks for it itself where a town has described a model, or switched its script on again: the letters of that
model's devices are read anew, and the alarm that the script is off has ended.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from city.alarms import Alarm, AlarmKind
from city.clock import Clock
from city.errors import Unavailable
from city.scripts import Script
from city.store.ports import DeadLetter, Facts, ReadingLog, Store, TenantStore
from gateway_bridge.events import device_of
from gateway_bridge.link import Message
from gateway_bridge.listen import read_all, store_facts
from gateway_bridge.pipeline import Arrival, devices_of, handle_all
from gateway_bridge.reading import Key, Own, Reader
from gateway_bridge.waiting import unbroken

REQUESTED = "ReplayRequested"
AT_ONCE = 100
CURABLE = ("UnknownModel", "ScriptError", "ScriptBreach", "ScriptOff", "TooManySeries")  # by a script, or another one
MOST_LETTERS = 10_000  # of one reason
MOST_ALARMS = 100_000

_log = logging.getLogger(__name__)


class Mender:
    """Replays what is requested."""

    def __init__(self, store: Store, log: ReadingLog, clock: Clock, turn: asyncio.Lock, reader: Reader | None = None) -> None:
        """`turn` and `reader` are shared with the loops of the same process that write states and commands too."""
        self._store, self._log, self._clock, self._turn = store, log, clock, turn
        self._reader = reader or Reader(store)
        self._seen: Mapping[Key, Own] = {}

    async def step(self) -> int:
        """Replay up to a hundred requested letters; returns how many were tried. Raises StoreDown, SandboxDown."""
        async with self._turn:
            await unbroken(asyncio.to_thread(self._look_at_scripts))
        letters = await asyncio.to_thread(self._store.all_letters, AT_ONCE, REQUESTED)
        for letter in letters:
            await unbroken(self._mend(letter))
        return len(letters)

    async def _mend(self, letter: DeadLetter) -> None:
        arrivals = await asyncio.to_thread(read_all, self._reader, [_message(letter)], self._clock.now())
        async with self._turn:
            try:
                await asyncio.to_thread(_settle, self._store, self._log, letter, arrivals, self._clock.now())
            except Unavailable:
                raise
            except Exception as error:  # one that storage cannot take must not stand before the others for ever
                _log.exception("the letter %s could not be replayed", letter.id)
                failed = replace(letter, reason="InternalError", detail=f"{type(error).__name__}: {error}"[:1000])
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
    return _settle(store, log, letter, read_all(reader, [_message(letter)], now), now)


def request(store: Store, letters: Iterable[DeadLetter], now: datetime) -> None:
    """Ask the running bridge to replay these."""
    _put(store, [replace(letter, reason=REQUESTED) for letter in letters], now)


def _message(letter: DeadLetter) -> Message:
    return Message(letter.topic, letter.payload)


def _settle(store: Store, log: ReadingLog, letter: DeadLetter, arrivals: Sequence[Arrival], now: datetime) -> str:
    facts = handle_all(arrivals, store.view(devices_of(arrivals)), now).facts
    if facts.letters:
        still = facts.letters[0]
        if letter.reason != still.reason:
            _put(store, [replace(still, id=letter.id)], now)
        return still.reason
    store_facts(store, log, facts)
    store.remove_letter(letter.id)
    return ""


def _letters_of(store: Store, scripts: Mapping[Key, Own]) -> list[DeadLetter]:
    """The newest letters that have not been tried with these scripts as they are now."""
    found = [(letter, eui) for reason in CURABLE for letter in store.all_letters(MOST_LETTERS, reason)
             if (eui := device_of(letter.topic)) is not None]
    registered = store.registered({eui for _, eui in found})
    return [letter for letter, eui in found if (known := registered.get(eui)) is not None
            and (own := scripts.get((known[0].id, known[1].model))) is not None and _is_older(letter, own.script)]


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
    dated = (replace(letter, received_at=max(now, letter.received_at + timedelta(microseconds=1)), count=0)
             for letter in letters)
    store.commit(Facts(letters=tuple(dated)))
