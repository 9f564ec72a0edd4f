"""The local log, sent on to InfluxDB: read past the cursor, write, move the cursor.

The cursor stands in the log and moves only after InfluxDB has stored the lines, so a crash sends some lines twice and
loses none. Each InfluxDB (address and bucket) has a cursor of its own: a new one is filled from the beginning.
"""

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from city.clock import Clock
from city.errors import Unavailable
from city.ids import TenantId
from city.settings import Influx
from city.store.influx import InfluxBusy, RejectedLines, Sink
from city.store.lines import lines
from city.store.ports import DeadLetter, ReadingLog

TOPIC = "influx"  # where a dead letter came from: a line, not a message of the broker
FIRST_WAIT_S, LONGEST_WAIT_S, IDLE_S = 1.0, 60.0, 1.0

Bury = Callable[[Sequence[DeadLetter]], None]

_log = logging.getLogger(__name__)


class Shipper:
    """Sends what `sink` does not have yet. Blocks: call `step` from a thread."""

    def __init__(self, log: ReadingLog, sink: Sink, clock: Clock, settings: Influx, *, bury: Bury) -> None:
        """`bury` keeps the lines that InfluxDB refuses; it is called before the cursor passes them."""
        self._log, self._sink, self._clock, self._bury = log, sink, clock, bury
        self._most = max(settings.batch, 1)
        self._name = cursor_name(settings)

    def step(self) -> int:
        """Send one batch; returns how many entries the cursor has passed, 0 where nothing waits.
        Raises InfluxDown or StoreDown with the cursor where it was."""
        position, entries, waiting = self._next()
        if not entries:
            return 0
        letters = self._store(waiting)
        if letters:
            _log.warning("InfluxDB refused %d of %d lines: %s", len(letters), len(waiting), letters[0].detail)
            self._bury(letters)
        self._log.move_cursor(self._name, position)
        return entries

    def waiting(self) -> int:
        """How many positions of the log InfluxDB does not have yet."""
        return max(self._log.head() - self._log.cursor(self._name), 0)

    def _next(self) -> "tuple[int, int, list[_Line]]":
        """The new cursor, how many entries it passes, and their lines: a batch of lines, or one entry's if it alone
        has more."""
        position, entries, found = 0, 0, list[_Line]()
        for at, entry in self._log.after(self._log.cursor(self._name), self._most):
            said = [_Line(text, entry.place.tenant) for text in lines(entry)]
            if entries and len(found) + len(said) > self._most:
                break
            position, entries = at, entries + 1
            found += said
        return position, entries, found

    def _store(self, waiting: "Sequence[_Line]") -> list[DeadLetter]:
        """Everything that InfluxDB takes is stored; the rest, found by halving, comes back as dead letters."""
        try:
            self._sink.write([line.text for line in waiting])
        except RejectedLines as error:
            if len(waiting) == 1:
                return [self._letter(waiting[0], error.words)]
        else:
            return []
        half = len(waiting) // 2
        return self._store(waiting[:half]) + self._store(waiting[half:])

    def _letter(self, line: "_Line", words: str) -> DeadLetter:
        digest = hashlib.sha256(TOPIC.encode() + b"\0" + line.text).hexdigest()[:32]
        return DeadLetter(digest, self._clock.now(), TOPIC, line.text, RejectedLines.__name__, words, line.tenant)


class Backoff:
    """How long to wait after each failure in a row: 1 s doubling to a minute, by half at random, never less than
    InfluxDB asks for."""

    def __init__(self, roll: Callable[[], float] = random.random) -> None:
        self._roll, self._failures = roll, 0

    def failed(self, error: Unavailable) -> float:
        """Seconds to wait after one more failure."""
        longest = min(FIRST_WAIT_S * 2.0 ** min(self._failures, 16), LONGEST_WAIT_S)
        self._failures += 1
        asked = error.retry_after_s if isinstance(error, InfluxBusy) else None
        return max(longest * (0.5 + self._roll() / 2), asked or 0.0)

    def worked(self) -> None:
        """The next failure is a first one again."""
        self._failures = 0


async def run_ship(shipper: Shipper, clock: Clock, stop: asyncio.Event, backoff: Backoff | None = None) -> None:
    """Step until `stop`: at once while there is something to send, after a second where there is not, and after the
    back-off where InfluxDB or the log is down. Nothing but StoreDown and InfluxDown is expected; all else ends it."""
    backoff = backoff or Backoff()
    while not stop.is_set():
        try:
            pause = 0.0 if await asyncio.to_thread(shipper.step) else IDLE_S
            backoff.worked()
        except Unavailable as error:
            pause = backoff.failed(error)
            _log.warning("%s The readings wait in the local log; next attempt in %.1f s.", error, pause)
        if pause:
            await _first(clock.sleep(pause), stop.wait())


def cursor_name(settings: Influx) -> str:
    """The name of this InfluxDB's cursor in the log."""
    parts = urlsplit(settings.url)
    return f"influx {parts.hostname or ''}:{parts.port or ''}{parts.path.rstrip('/')} {settings.bucket}"


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes
    tenant: TenantId


async def _first(*waits: Coroutine[object, object, object]) -> None:
    """Until the first of them is done; the others are called off."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
