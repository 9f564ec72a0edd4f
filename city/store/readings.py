"""The local log: what permits an acknowledgement, the queue in front of InfluxDB, and history without it.

One SQLite file, one table a UTC day, rows in order of arrival: a batch writes a few pages at the end, whatever devices
are in it. A finished day gets an index by device (see city.store.days). One process appends; any number read.
"""

import logging
import shutil
import sqlite3
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import IO

from city.errors import Invalid, OutOfRange, StoreDown
from city.ids import AssetId, TenantId
from city.quantities import Kind, Quantity, Value
from city.readings import NS, Entry, from_ns, to_ns
from city.store import days, packing
from city.store.days import DAY_NS
from city.store.ports import Point
from city.store.status import LogStatus

LAST_NS = 2**63 - 1  # of the year 2262
READERS = 8  # connections that are kept open for reading
FILE = "readings.db"

_log = logging.getLogger("stadtfunk.log")
_SCHEMA = (
    *packing.SCHEMA,
    # `lag_ns`, `lead_ns`: how much older or younger than its entry a reading of that day may be
    ("CREATE TABLE IF NOT EXISTS days (day INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, lag_ns INTEGER NOT NULL,"
     " lead_ns INTEGER NOT NULL, closed INTEGER NOT NULL)"),
    "CREATE TABLE IF NOT EXISTS cursors (sink TEXT PRIMARY KEY, position INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS dropped (one INTEGER PRIMARY KEY CHECK (one = 1), last_seq INTEGER NOT NULL)",
)
_Row = tuple[int, int, int, int, int, bytes]  # seq, at_ns, device, tag, place, body


class LocalLog:
    """A ReadingLog in `directory`, of the newest `keep_days` days that have entries. Any thread may use it."""

    def __init__(self, directory: Path, *, keep_days: int = 400) -> None:
        """Raises StoreDown where the directory cannot be written. A log that is corrupt is moved aside, and said so."""
        if keep_days < 1:
            raise Invalid("At least one day must be kept.", field="log.keep_days", rule="≥ 1")
        self._directory, self._keep_days = directory, keep_days
        self._path = directory / FILE
        self._turn = threading.Lock()
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._writer: _Writer | None = None
        self._names = packing.NO_NAMES
        with _errors():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = self._opened()

    def append(self, entries: Sequence[Entry]) -> int:
        """See ReadingLog. Raises OutOfRange, storing nothing, for an entry that no log can keep: dated before 1970 or
        after 2261, or with a value of more than 64 bits."""
        for entry in entries:
            if not 0 <= entry.at_ns <= LAST_NS - DAY_NS:
                raise OutOfRange("An entry of {device} is dated {at_ns} ns.", device=entry.place.device,
                                 at_ns=entry.at_ns)
        if not entries:
            return 0
        with self._turn, _errors():
            if self._writer is None:
                self._writer = _Writer(self._connection, _locked(self._directory), self._keep_days)
            return self._writer.append(entries)

    def history(self, tenant: TenantId, asset: AssetId, quantity: Quantity, start: datetime, end: datetime,
                every_s: float | None = None, channel: str = "") -> list[Point]:
        """See ReadingLog. Steps are counted from `start`; a point of a step bears the step's beginning."""
        if every_s is not None and every_s <= 0:
            raise Invalid("A step must be longer than nothing.", field="every", rule="> 0")
        first, last = to_ns(start), to_ns(end)
        with self.reading() as connection:
            found = sorted(days.values(connection, (tenant, asset), quantity, channel, first, last), key=lambda item: item[0])
        if every_s is None:
            return [Point(from_ns(at_ns), value) for at_ns, value in found]
        return _steps(found, first, max(round(every_s * NS), 1), quantity)

    def after(self, cursor: int, limit: int) -> Iterator[tuple[int, Entry]]:
        with self.reading() as connection:
            touched = connection.execute("SELECT day FROM days WHERE last_seq > ?", (cursor,)).fetchall()
            rows = [connection.execute(
                f"SELECT seq, at_ns, place, body FROM {days.table(day)} WHERE seq > ? ORDER BY seq LIMIT ?", (cursor, limit))
                for (day,) in touched]
            newest = list(islice(merge(*rows), limit))
            names = self._names = packing.names(connection, self._names)
        return iter([(seq, packing.unpack(body, at_ns, place, names)) for seq, at_ns, place, body in newest])

    def cursor(self, sink: str) -> int:
        with self.reading() as connection:
            row = connection.execute("SELECT position FROM cursors WHERE sink = ?", (sink,)).fetchone()
        return row[0] if row else 0

    def move_cursor(self, sink: str, position: int) -> None:
        with self._turn, _errors(), _transaction(self._connection):
            self._connection.execute("INSERT INTO cursors VALUES (?, ?) ON CONFLICT (sink)"
                                     " DO UPDATE SET position = excluded.position", (sink, position))

    def head(self) -> int:
        with self.reading() as connection:
            return _head(connection)

    def rows(self, cursor: int, limit: int) -> list[tuple[int, int, int, int, bytes]]:
        """(position, time in ns, tag, number of the place, body) from the first position above `cursor`, in order of
        arrival; see city.store.packing for numbers and bodies."""
        with self.reading() as connection:
            touched = connection.execute("SELECT day FROM days WHERE last_seq > ?", (cursor,)).fetchall()
            rows = [connection.execute(
                f"SELECT seq, at_ns, tag, place, body FROM {days.table(day)} WHERE seq > ? ORDER BY seq LIMIT ?", (cursor, limit))
                for (day,) in touched]
            return list(islice(merge(*rows), limit))

    def means(self) -> packing.Meanings:
        """What the numbers in rows stand for: at least those of all rows that were read before the call."""
        with self.reading() as connection:
            self._names = packing.names(connection, self._names)
        return self._names

    def scan(self, places: Collection[int] | None, first_ns: int, last_ns: int) -> Iterator[tuple[int, int, int, bytes]]:
        """(position, time in ns, number of the place, body) of all rows of these places (None: of all) that may have a
        reading with first ≤ time < last, in no order. Ends early where it is closed."""
        with self.reading() as connection:
            for day, lag, lead in connection.execute("SELECT day, lag_ns, lead_ns FROM days ORDER BY day").fetchall():
                low, high = max(first_ns - lead, day * DAY_NS), min(last_ns + lag, (day + 1) * DAY_NS)
                if low < high:
                    for row in connection.execute(f"SELECT seq, at_ns, place, body FROM {days.table(day)}"
                                                  " WHERE at_ns >= ? AND at_ns < ?", (low, high)):
                        if places is None or row[2] in places:
                            yield row

    def oldest_ns(self) -> int:
        """No entry is older than this; 0 where nothing is known."""
        with self.reading() as connection:
            day = connection.execute("SELECT min(day) FROM days").fetchone()[0]
        return (day or 0) * DAY_NS

    def status(self) -> LogStatus:
        """How the log is now."""
        with self.reading() as connection:
            known = [day for (day,) in connection.execute("SELECT day FROM days ORDER BY day")]
        files = [path for path in self._directory.iterdir() if path.is_file()]
        return LogStatus(self.head(), f"{from_ns(known[0] * DAY_NS):%Y-%m-%d}" if known else "",
                         known[-1] - known[0] + 1 if known else 0, 1, sum(path.stat().st_size for path in files),
                         shutil.disk_usage(self._directory).free, 0, 0.0,
                         set_aside=tuple(path.name for path in files if ".corrupt-" in path.name))

    def close(self) -> None:
        with self._turn:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._connection.close()
            if self._writer is not None:
                self._writer.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return _open(self._path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            with closing(_locked(self._directory)):  # never from under another process
                aside = _move_aside(self._path)
            _log.error("The log %s is corrupt (%s). It has been moved to %s, and a new one begun: what was not shipped"
                       " from it yet is missing until someone repairs it.", self._path, error, aside)
            return _open(self._path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the log and cannot change it."""
        if self._closed:
            raise StoreDown("The log is closed.")
        with _errors():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True, timeout=10,
                                             isolation_level=None, check_same_thread=False)
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.rollback()
                if len(self._idle) < READERS and not self._closed:
                    self._idle.append(connection)
                else:
                    connection.close()


class _Writer:
    """The one that appends: holds the lock, the next position and the numbers of names."""

    def __init__(self, connection: sqlite3.Connection, lock: IO[bytes], keep_days: int) -> None:
        self._connection, self._lock, self._keep_days = connection, lock, keep_days
        self._names = packing.Names(connection)
        self._head = _head(connection)
        self._days = {day for (day,) in connection.execute("SELECT day FROM days")}
        self._newest_ns = days.newest_ns(connection, self._days)
        self._untidy = True

    def append(self, entries: Sequence[Entry]) -> int:
        if self._untidy:
            self._tidy()
        try:
            with _transaction(self._connection):
                added, head, touched = self._insert(entries)
        except BaseException:
            self._names.reload()
            raise
        self._head = head
        newest_ns = max(entry.at_ns for entry in entries)
        self._untidy = not touched <= self._days or newest_ns // days.PART_NS > self._newest_ns // days.PART_NS
        self._newest_ns = max(newest_ns, self._newest_ns)
        self._days |= touched
        return added

    def close(self) -> None:
        self._lock.close()

    def _insert(self, entries: Iterable[Entry]) -> tuple[int, int, set[int]]:
        """How many were new, the newest position, the days that were touched."""
        rows, spreads = self._rows(entries)
        self._names.write()
        added, head = 0, self._head
        for day, batch in rows.items():
            new = self._insert_day(day, batch)
            if new:
                last = batch[-1][0] if new == len(batch) else days.last(self._connection, day)
                lag, lead = spreads.get(day, (0, 0))
                self._connection.execute(
                    "UPDATE days SET last_seq = ?, lag_ns = max(lag_ns, ?), lead_ns = max(lead_ns, ?) WHERE day = ?",
                    (last, lag, lead, day))
                added, head = added + new, max(head, last)
        return added, head, set(rows)

    def _rows(self, entries: Iterable[Entry]) -> tuple[dict[int, list[_Row]], dict[int, tuple[int, int]]]:
        rows: dict[int, list[_Row]] = defaultdict(list)
        spreads: dict[int, tuple[int, int]] = {}
        number_of, pack, tag = self._names.place, self._names.pack, packing.tag
        for seq, entry in enumerate(entries, self._head + 1):
            place, device = number_of(entry.place)
            body, lag, lead = pack(entry)
            at_ns = entry.at_ns
            day = at_ns // DAY_NS
            rows[day].append((seq, at_ns, device, tag(entry.key), place, body))
            if lag or lead:
                known = spreads.get(day, (0, 0))
                spreads[day] = (max(known[0], lag), max(known[1], lead))
        return rows, spreads

    def _insert_day(self, day: int, batch: Sequence[_Row]) -> int:
        if day not in self._days:
            days.create(self._connection, day)
        insert = f"INSERT OR IGNORE INTO {days.table(day)} VALUES (?, ?, ?, ?, ?, ?)"
        return max(self._connection.executemany(insert, batch).rowcount, 0)

    def _tidy(self) -> None:
        """Drop the days that are too many, and give the finished ones their index."""
        known = self._connection.execute("SELECT day, last_seq, closed FROM days ORDER BY day DESC").fetchall()
        for day, last_seq, _ in known[self._keep_days:]:
            self._drop(day, last_seq)
        for day, _, closed in known[1:self._keep_days]:
            if not closed:
                with _transaction(self._connection):
                    days.close(self._connection, day)
        if known:
            with _transaction(self._connection):
                days.index_parts(self._connection, known[0][0], self._newest_ns)
        self._untidy = False

    def _drop(self, day: int, last_seq: int) -> None:
        behind = self._connection.execute("SELECT sink FROM cursors WHERE position < ?", (last_seq,)).fetchall()
        for (sink,) in behind:
            _log.warning("The log drops %s, though %s has not got all of it: it is older than the newest %d days.",
                         days.table(day), sink, self._keep_days)
        with _transaction(self._connection):
            self._connection.execute("INSERT INTO dropped VALUES (1, ?) ON CONFLICT (one) DO UPDATE"
                                     " SET last_seq = max(last_seq, excluded.last_seq)", (last_seq,))
            self._connection.execute(f"DROP TABLE {days.table(day)}")
            self._connection.execute("DELETE FROM days WHERE day = ?", (day,))
        self._days.discard(day)


def _open(path: Path) -> sqlite3.Connection:
    """A connection that may write; raises where any table cannot be read."""
    path.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 2000",
                       f"journal_size_limit = {64 * 2**20}"):
            connection.execute(f"PRAGMA {pragma}")
        with _transaction(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
        for (day,) in connection.execute("SELECT day FROM days").fetchall():
            days.last(connection, day)
        packing.places(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _move_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _locked(directory: Path) -> IO[bytes]:
    """The lock of the one that writes, held until it is closed; raises StoreDown where another process holds it."""
    lock = (directory / "writer.lock").open("ab")
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except OSError:
        lock.close()
        raise StoreDown("Another process writes the log in {directory}.", directory=str(directory)) from None
    return lock


def _head(connection: sqlite3.Connection) -> int:
    """The newest position ever given; never less than one that a sink has reached."""
    head: int = connection.execute(
        "SELECT max(coalesce((SELECT max(last_seq) FROM days), 0), coalesce((SELECT max(last_seq) FROM dropped), 0),"
        " coalesce((SELECT max(position) FROM cursors), 0))").fetchone()[0]
    return head


def _steps(found: Iterable[tuple[int, Value]], first: int, step: int, of: Quantity) -> list[Point]:
    steps: dict[int, list[Value]] = defaultdict(list)
    for at_ns, value in found:
        steps[(at_ns - first) // step].append(value)
    means = of.kind is Kind.FLOAT and not of.counts_up
    return [Point(from_ns(first + index * step), _mean(values) if means else values[-1])
            for index, values in steps.items()]


def _mean(values: Sequence[Value]) -> float:
    return sum(float(value) for value in values) / len(values)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Durable when the block has ended; nothing of it is kept if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreDown("The local log cannot be used: {what}", what=str(error)) from error
