"""The loop that keeps hourly and daily values in InfluxDB: which windows have changed, and when each is written.

The shipper says which entries InfluxDB has got; the hours and days of their readings have changed. A window is written when
it is over and nothing has changed in it for a minute, or after a quarter of an hour in any case; a late reading changes it
again. A town whose bucket takes nothing (influx.per_town) keeps no other waiting: the windows that it lacks are kept, and one of
them is tried again each minute. What has changed and is not yet written stands in a file beside the log, with the position up to
which it was looked at; from there the log is looked at again after a crash. Where there is no such file, all windows of the log
are written.
"""

import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Protocol

from city.clock import Clock
from city.errors import StoreDown, Unavailable
from city.ids import TenantId
from city.readings import NS, Entry, from_ns, to_ns
from city.store import packing
from city.store.aggregates import DAY_NS, Scanned, Span, summed
from city.store.influx import InfluxHeld, RejectedLines, Sink
from city.store.influx_towns import TownsHeld
from gateway_bridge.sift import Line, sift

FILE = "aggregates.json"
MAX_BYTES = 8 * 2**20
QUIET, PATIENCE, GRACE = timedelta(seconds=60), timedelta(minutes=15), timedelta(minutes=2)
ROWS = 5000
LINES = 5000

_log = logging.getLogger(__name__)


class Log(Scanned, Protocol):
    """As much of the local log as is read here: see LocalLog."""

    def rows(self, cursor: int, limit: int) -> list[tuple[int, int, int, int, bytes]]: ...
    def cursor(self, sink: str) -> int: ...
    def oldest_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class AggregateStatus:
    """How many windows are to be written, now or when they are over; the sentence of the last attempt where it failed, and
    what a person must mend (a reason of InfluxHeld). `refused` lines were not taken by InfluxDB."""

    waiting: int
    error: str
    held: str
    written: int
    refused: int


@dataclass(slots=True)
class _Change:
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class _Window:
    span: Span
    start_ns: int

    @property
    def end(self) -> datetime:
        return from_ns(self.start_ns + self.span.length_ns)


class Aggregator:
    """Writes the windows that have changed. Blocks: `step` from one thread, `passed` from another, `status` from any."""

    def __init__(self, log: Log, sinks: Sequence[tuple[Span, Sink]], clock: Clock, *, directory: Path,
                 cursor: str, keep_days: int, bridge: str = "") -> None:
        """`cursor` is the shipper's; the log keeps `keep_days`: older windows are whole no more and stay as they are."""
        self._log, self._sinks, self._clock = log, sinks, clock
        self._path, self._cursor, self._keep_days, self._bridge = directory / FILE, cursor, keep_days, bridge
        self._turn = threading.Lock()
        self._changed: dict[_Window, _Change] = {}
        self._lacking: dict[_Window, TownsHeld] = {}  # written for all other towns
        self._retry_at: datetime | None = None
        self._known = self._unsaved = False
        self._error = self._held = ""
        self._written = self._refused = 0

    def passed(self, batch: Iterable[tuple[int, Entry]]) -> None:
        """InfluxDB has these entries now."""
        self._change({start for _, entry in batch for start in (entry.at_ns, *(at for _, _, at in entry.odd))},
                     self._clock.now())

    def step(self) -> int:
        """Write one window that is due; returns 1, or 0 where none is. Raises InfluxDown or StoreDown: nothing is lost."""
        try:
            done = self._step()
        except Unavailable as error:
            self._error, self._held = str(error), error.held if isinstance(error, InfluxHeld) else ""
            raise
        with self._turn:
            held = next(reversed(self._lacking.values()), None)
        self._error, self._held = (str(held), held.held) if held else ("", "")
        return done

    def status(self) -> AggregateStatus:
        """How it goes."""
        return AggregateStatus(len(self._changed), self._error, self._held, self._written, self._refused)

    def _step(self) -> int:
        if not self._known:
            self._load()
            self._known = True
        window = self._due()
        if window is not None:
            self._write(*window)
        if self._unsaved:
            self._save()
        return window is not None

    def _change(self, times: Iterable[int], now: datetime) -> None:
        hours = {at_ns - at_ns % self._finest() for at_ns in times}
        with self._turn:
            for window in {_Window(span, span.start(hour)) for hour in hours for span, _ in self._sinks}:
                known = self._changed.get(window)
                self._lacking.pop(window, None)
                if known is None:
                    self._changed[window], self._unsaved = _Change(now, now), True
                else:
                    known.at = max(now, known.at)

    def _finest(self) -> int:
        return min(span.length_ns for span, _ in self._sinks)

    def _due(self) -> tuple[_Window, Sink, datetime] | None:
        """The newest window that is over and quiet, where it goes, and when it last changed."""
        now = self._clock.now()
        with self._turn:
            due = [window for window, change in self._changed.items() if window not in self._lacking and now >= window.end + GRACE
                   and (now - change.at >= QUIET or now - change.since >= PATIENCE)]
            if not due and self._lacking and (self._retry_at is None or now >= self._retry_at):
                due, self._retry_at = [next(iter(self._lacking))], now + QUIET
            if not due:
                return None
            window = max(due, key=lambda one: (one.start_ns, one.span.name))
            return window, next(sink for span, sink in self._sinks if span == window.span), self._changed[window].at

    def _write(self, window: _Window, sink: Sink, changed_at: datetime) -> None:
        now, held = self._clock.now(), dict[TenantId, InfluxHeld]()
        if self._keeps(window, now):
            lines = summed(self._log, window.start_ns, window.start_ns + window.span.length_ns, bridge=self._bridge)
            while part := list(islice(lines, LINES)):
                try:
                    self._store(sink, part)
                except TownsHeld as error:
                    held |= error.towns
            self._written += not held
        with self._turn:
            change = self._changed[window]
            if change.at == changed_at:
                before = self._lacking.pop(window, None)
                if before is not None and len(held) < len(before.towns):
                    self._retry_at = None  # perhaps others go too
                if held:
                    self._lacking[window] = TownsHeld(held)
                else:
                    del self._changed[window]
            else:
                change.since = now
            self._unsaved = True

    def _keeps(self, window: _Window, now: datetime) -> bool:
        """Whether the log still has all of it, and InfluxDB would keep it."""
        days = min((limit for limit in (self._keep_days - 1, window.span.keep_days) if limit > 0), default=0)
        return not days or from_ns(window.start_ns) >= now - timedelta(days=days)

    def _store(self, sink: Sink, lines: list[bytes]) -> None:
        try:
            sink.write(lines)
        except RejectedLines:
            sifted = sift([Line(line, TenantId("")) for line in lines], sink.write)
            if sifted.refused:
                self._refused += len(sifted.refused)
                _log.warning("InfluxDB refused %d hourly or daily values: %s", len(sifted.refused), sifted.refused[0][1])

    def _load(self) -> None:
        """What had changed when this was last saved, and what has been shipped since."""
        end, now = self._log.cursor(self._cursor), self._clock.now()
        quiet = now - QUIET
        position, windows = self._saved()
        if position is None:
            last = to_ns(now)
            first = max(self._log.oldest_ns() or last, last - self._keep_days * DAY_NS, 0)
            self._change(range(first - first % DAY_NS, last if end else 0, self._finest()), quiet)
        else:
            self._change(windows, quiet)
            while position < end and (rows := self._log.rows(position, ROWS)):
                self._change([time for row in rows for time in _times(row)], quiet)
                position = rows[-1][0]

    def _saved(self) -> tuple[int | None, list[int]]:
        """The position and the beginnings of windows; None where nothing is known."""
        try:
            with self._path.open("rb") as file:
                said = json.loads(file.read(MAX_BYTES))
            if said["cursor"] != self._cursor:
                return None, []
            return int(said["position"]), [int(hour) * NS for hours in said["changed"].values() for hour in hours]
        except FileNotFoundError:
            return None, []
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            _log.warning("%s cannot be read (%s): all hourly and daily values are written again.", self._path, error)
            return None, []
        except OSError as error:
            raise _unusable(error) from error

    def _save(self) -> None:
        position = self._log.cursor(self._cursor)  # first: what has changed up to there is known by now
        with self._turn:
            changed = {span.name: sorted(window.start_ns // NS for window in self._changed if window.span == span)
                       for span, _ in self._sinks}
            self._unsaved = False
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"cursor": self._cursor, "position": position, "changed": changed}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            self._unsaved = True
            raise _unusable(error) from error


def _times(row: tuple[int, int, int, int, bytes]) -> Iterator[int]:
    _, at_ns, _, _, body = row
    yield at_ns
    for _, offset in packing.said_of(body)[2].values():
        yield at_ns + offset


def _unusable(error: OSError) -> StoreDown:
    return StoreDown("The local log cannot be used: {what}", what=str(error))
