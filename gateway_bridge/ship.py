"""The local log, sent on to InfluxDB: read past the cursor, write, move the cursor.

The cursor stands in the log and moves only after InfluxDB has stored the lines, so a crash sends some lines twice and
loses none. Each InfluxDB (address and bucket) has a cursor of its own: a new one is filled from the beginning.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from city.clock import Clock
from city.errors import Unavailable
from city.ids import TenantId
from city.settings import Influx
from city.store.influx import InfluxBusy, RejectedLines, Sink
from city.store.lines import lines
from city.store.ports import DeadLetter, ReadingLog
from gateway_bridge.waiting import Backoff, first

TOPIC = "influx"  # where a dead letter came from: a line, not a message of the broker
IDLE_S = 1.0

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
        entries_at_most = max(self._most // 2, 1)  # most entries are two lines or more
        for at, entry in self._log.after(self._log.cursor(self._name), entries_at_most):
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


async def run_ship(shipper: Shipper, clock: Clock, stop: asyncio.Event, backoff: Backoff | None = None) -> None:
    """Step until `stop`: at once while there is something to send, after a second where there is not, and after the
    back-off, or as long as InfluxDB asks, where it or the log is down. Any other error ends it."""
    backoff = backoff or Backoff()
    while not stop.is_set():
        try:
            pause = 0.0 if await asyncio.to_thread(shipper.step) else IDLE_S
            backoff.worked()
        except Unavailable as error:
            pause = max(backoff.failed(), _asked_for(error))
            _log.warning("%s – the readings wait in the local log; next attempt in %.1f s.", error, pause)
        if pause:
            await first(clock.sleep(pause), stop.wait())


def cursor_name(settings: Influx) -> str:
    """The name of this InfluxDB's cursor in the log."""
    parts = urlsplit(settings.url)
    return f"influx {parts.hostname or ''}:{parts.port or ''}{parts.path.rstrip('/')} {settings.bucket}"


def _asked_for(error: Unavailable) -> float:
    """Seconds that InfluxDB asks to be left alone for."""
    return (error.retry_after_s or 0.0) if isinstance(error, InfluxBusy) else 0.0


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes
    tenant: TenantId
