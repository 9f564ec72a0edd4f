"""The loop that reads dead letters again when a person asks for it.

Only the bridge writes the local log. Whoever wants a letter replayed while it runs marks the letter as requested; the
bridge takes it from there. What still cannot be read is a letter again, with its reason.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from city.clock import Clock
from city.errors import Unavailable
from city.store.ports import DeadLetter, Facts, ReadingLog, Store
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all, store_facts
from gateway_bridge.pipeline import devices_of, handle_all
from gateway_bridge.waiting import unbroken

REQUESTED = "ReplayRequested"
AT_ONCE = 100

_log = logging.getLogger(__name__)


class Mender:
    """Replays what is requested."""

    def __init__(self, store: Store, log: ReadingLog, clock: Clock, turn: asyncio.Lock) -> None:
        """`turn` is shared with the loops of the same process that write states and commands too."""
        self._store, self._log, self._clock, self._turn = store, log, clock, turn

    async def step(self) -> int:
        """Replay up to a hundred requested letters; returns how many were tried. Raises StoreDown."""
        letters = await asyncio.to_thread(self._store.all_letters, AT_ONCE, REQUESTED)
        for letter in letters:
            await unbroken(self._mend(letter))
        return len(letters)

    async def _mend(self, letter: DeadLetter) -> None:
        async with self._turn:
            try:
                await asyncio.to_thread(replay, self._store, self._log, letter, self._clock.now())
            except Unavailable:
                raise
            except Exception as error:  # one that storage cannot take must not stand before the others for ever
                _log.exception("the letter %s could not be replayed", letter.id)
                failed = replace(letter, reason="InternalError", detail=f"{type(error).__name__}: {error}"[:1000])
                await asyncio.to_thread(_put, self._store, failed, self._clock.now())


def replay(store: Store, log: ReadingLog, letter: DeadLetter, now: datetime) -> str:
    """Run the letter's payload through the pipeline again. Returns "" where that worked, and the letter is gone; else
    the reason why it is still one, which the letter bears from then on. Raises Unavailable."""
    arrivals = parse_all([Message(letter.topic, letter.payload)])
    facts = handle_all(arrivals, store.view(devices_of(arrivals)), now).facts
    if facts.letters:
        still = facts.letters[0]
        if letter.reason != still.reason:
            _put(store, replace(still, id=letter.id), now)
        return still.reason
    store_facts(store, log, facts)
    store.remove_letter(letter.id)
    return ""


def request(store: Store, letters: Iterable[DeadLetter], now: datetime) -> None:
    """Ask the running bridge to replay these."""
    for letter in letters:
        _put(store, replace(letter, reason=REQUESTED), now)


def _put(store: Store, letter: DeadLetter, now: datetime) -> None:
    """The same letter with another reason: it has not come once more, so it is not counted once more. Storage passes over
    what it has seen at that time, so it is dated after that even where a clock was set back."""
    at = max(now, letter.received_at + timedelta(microseconds=1))
    store.commit(Facts(letters=(replace(letter, received_at=at, count=0),)))
