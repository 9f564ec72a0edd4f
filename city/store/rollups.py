"""Hourly sums of the local log by zone, in a file of their own beside it: what makes long questions short.

They follow the log as a sink does: some thousand rows in order of arrival are added up and merged into what is there,
together with the position that has been reached, in one transaction. So nothing is counted twice or left out whenever a
process dies, late readings find their hour, and the writer of the log has no part in it. Whoever asks questions brings
them up to date; several processes may. The file is worth nothing without the log, and is made anew from it.
"""

import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

from city.errors import StoreDown
from city.ids import TenantId, ZoneId
from city.quantities import RADIO_RSSI, RADIO_SNR, Kind, Quantity, Value
from city.readings import NS
from city.store import packing
from city.store.packing import Meanings
from city.store.queries import Sum

HOUR_NS, DAY_NS = 3600 * NS, 86_400 * NS
OUTLIVE_NS = 60 * DAY_NS  # what sums are kept longer than rows, as rows of the oldest file may be late
FILE = "rollups.db"
LAYOUT = 1  # any other is thrown away
MEASUREMENTS = frozenset({"lamp", "bay", "device"})
_RADIO = frozenset({RADIO_RSSI, RADIO_SNR})
_INT64 = 2**63

_log = logging.getLogger("stadtfunk.log")
_SCHEMA = (
    "CREATE TABLE series (id INTEGER PRIMARY KEY, quantity TEXT NOT NULL, channel TEXT NOT NULL, UNIQUE (quantity, channel))",
    "CREATE TABLE zones (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, zone TEXT NOT NULL, UNIQUE (tenant, zone))",
    # by hour first: what is added now lies side by side, and a few pages are written for thousands of rows
    ("CREATE TABLE hours (hour INTEGER NOT NULL, series INTEGER NOT NULL, zone INTEGER NOT NULL, n INTEGER NOT NULL, total,"
     " low, high, last, last_ns INTEGER NOT NULL, last_seq INTEGER NOT NULL, PRIMARY KEY (hour, series, zone)) WITHOUT ROWID"),
    # the last row that has been added, so that another log is not taken for its continuation
    ("CREATE TABLE reached (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, at_ns INTEGER NOT NULL,"
     " tag INTEGER NOT NULL)"),
    "INSERT INTO reached VALUES (1, 0, 0, 0)",
)
_MERGE = (
    "INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hour, series, zone) DO UPDATE SET n = n + excluded.n,"
    " total = total + excluded.total, low = min(low, excluded.low), high = max(high, excluded.high),"
    " last = CASE WHEN (excluded.last_ns, excluded.last_seq) >= (last_ns, last_seq) THEN excluded.last ELSE last END,"
    " last_seq = CASE WHEN (excluded.last_ns, excluded.last_seq) >= (last_ns, last_seq) THEN excluded.last_seq ELSE last_seq END,"
    " last_ns = max(last_ns, excluded.last_ns)")
Row = tuple[int, int, int, int, bytes]  # position, time, tag, number of the place, body
_Groups = dict[tuple[int, int, tuple[int, ...]], tuple[list[tuple[int, int]], list[Sequence[Any]]]]
# by zone, hour and the log's series: time and position of each row, and its values in the order of the series


def rolled(quantity: Quantity) -> bool:
    """Whether sums of it are kept: what zones are asked about. Text and counters say nothing when added up."""
    return quantity.kind is not Kind.TEXT and not quantity.counts_up and (
        quantity.measurement in MEASUREMENTS or quantity in _RADIO)


class Rows(Protocol):
    """As much of a LocalLog as is followed."""

    def rows(self, cursor: int, limit: int) -> list[Row]: ...
    def means(self) -> Meanings: ...
    def oldest_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Hour:
    """What the readings of one quantity in one zone come to, in one hour."""

    zone: str
    start_ns: int
    count: int
    total: float
    low: float
    high: float
    last: Value
    newest: tuple[int, int]

    def add_to(self, sums: Sum) -> None:
        sums.merge(self.count, self.total, self.low, self.high, self.last, self.newest)


class RollUps:
    """The file in `directory`. Any thread and any process may use it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._turn, self._reading = threading.Lock(), threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._numbers = _Numbers()

    def add(self, log: "Rows", limit: int) -> int:
        """Take at most `limit` more rows of the log; returns how many there were. Raises StoreDown."""
        with self._turn, _errors():
            if self._writer is None:
                self._writer = _open(self._path)
            try:
                with _transaction(self._writer) as connection:
                    return self._add(connection, log, limit)
            except BaseException:
                self._numbers = _Numbers()  # some may have come to nothing
                raise

    def reached(self) -> int:
        """The position of the log up to which they go. Raises StoreDown."""
        with self._reading, _errors():
            if self._reader is None:
                self._reader = _open(self._path)
            return _reached(self._reader)[0]

    def hours(self, log: "Rows", quantity: Quantity, channel: str, town: tuple[TenantId, ZoneId | None],
              span: tuple[int, int]) -> tuple[int, list[Hour]] | None:
        """The position of the log that has been reached, and what is kept of hours that begin in `span` (ns); None where
        they are not of this log. Raises StoreDown."""
        with self._reading, _errors():
            if self._reader is None:
                self._reader = _open(self._path)
            connection = self._reader
            connection.execute("BEGIN")
            try:
                reached = _reached(connection)
                if not _continues(log, reached):
                    return None
                return reached[0], [_hour(row, quantity) for row in connection.execute(_HOURS, {
                    "quantity": quantity.name, "channel": channel, "tenant": town[0], "zone": town[1],
                    "first": span[0] // HOUR_NS, "last": span[1] // HOUR_NS})]
            finally:
                connection.rollback()

    def close(self) -> None:
        for connection in (self._writer, self._reader):
            if connection is not None:
                connection.close()
        self._writer = self._reader = None
        self._numbers = _Numbers()

    def _add(self, connection: sqlite3.Connection, log: "Rows", limit: int) -> int:
        reached = _reached(connection)
        if not _continues(log, reached):
            _log.warning("The roll-ups beside the log are of another log: they are made anew.")
            connection.execute("DELETE FROM hours")
            self._numbers, reached = _Numbers(), (0, 0, 0)
        rows = log.rows(reached[0], limit)
        if rows:
            self._numbers.learn(connection, log.means())
            connection.executemany(_MERGE, list(_merged(_groups(rows, self._numbers), self._numbers)))
            connection.execute("UPDATE reached SET seq = ?, at_ns = ?, tag = ?", rows[-1][:3])
            if rows[-1][1] // DAY_NS != reached[1] // DAY_NS:
                connection.execute("DELETE FROM hours WHERE hour < ?", ((log.oldest_ns() - OUTLIVE_NS) // HOUR_NS,))
        return len(rows)


class _Numbers:
    """What the log's numbers of places and series are in our file."""

    def __init__(self) -> None:
        self._known = packing.NO_NAMES
        self.zones: dict[int, int] = {}  # by the log's place
        self.series: dict[int, tuple[int, Quantity]] = {}  # by the log's series; those that are not kept are missing

    def learn(self, connection: sqlite3.Connection, means: Meanings) -> None:
        """Give numbers to what is new in the log."""
        if means is self._known:
            return
        for number, place in means.places.items():
            if number not in self.zones:
                self.zones[number] = _number(connection, "zones", ("tenant", place.tenant), ("zone", place.zone))
        for number, (quantity, channel) in means.series.items():
            if number not in self.series and rolled(quantity):
                ours = _number(connection, "series", ("quantity", quantity.name), ("channel", channel))
                self.series[number] = (ours, quantity)
        self._known = means


_HOURS = (  # hour after hour, so that other series are not read
    "WITH RECURSIVE span (hour) AS (SELECT :first UNION ALL SELECT hour + 1 FROM span WHERE hour + 1 < :last)"
    " SELECT zones.zone, hours.hour, n, total, low, high, last, last_ns, last_seq FROM span CROSS JOIN hours"
    " ON hours.hour = span.hour AND series = (SELECT id FROM series WHERE quantity = :quantity AND channel = :channel)"
    " JOIN zones ON zones.id = hours.zone AND tenant = :tenant AND zones.zone = coalesce(:zone, zones.zone)"
    " WHERE span.hour < :last")


def _groups(rows: Iterable[Row], numbers: _Numbers) -> _Groups:
    """The rows by zone, hour and what they speak of: those of one model mostly speak of the same."""
    groups: _Groups = defaultdict(lambda: ([], []))
    zones = numbers.zones
    for seq, at_ns, _, place, body in rows:
        zone = zones.get(place)
        if zone is None:  # damaged: nobody knows whose it is
            continue
        series, values, odd = packing.said_of(body)
        if odd:
            _spread(groups, (zone, seq, at_ns), series, values, odd)
            continue
        ranks, said = groups[zone, at_ns // HOUR_NS, tuple(series)]
        ranks.append((at_ns, seq))
        said.append(values)
    return groups


def _spread(groups: _Groups, where: tuple[int, int, int], series: Sequence[int], values: Sequence[Any],
            odd: Mapping[int, tuple[bool, int]]) -> None:
    """The values of a row that are not all of the row's time, or not all plausible, each by itself."""
    zone, seq, at_ns = where
    for index, (number, value) in enumerate(zip(series, values, strict=True)):
        implausible, offset = odd.get(index, (False, 0))
        if not implausible:
            ranks, said = groups[zone, (at_ns + offset) // HOUR_NS, (number,)]
            ranks.append((at_ns + offset, seq))
            said.append((value,))


def _merged(groups: _Groups, numbers: _Numbers) -> Iterator[tuple[object, ...]]:
    """Rows of `hours`."""
    for (zone, hour, series), (ranks, said) in groups.items():
        last = _last(ranks)
        for number, column in zip(series, zip(*said, strict=True), strict=True):
            if number in numbers.series:
                ours, quantity = numbers.series[number]
                sums = _sums(column, quantity, ranks, last)
                if sums is not None:
                    yield hour, ours, zone, *sums


def _last(ranks: Sequence[tuple[int, int]]) -> int:
    """The index of the newest; of those of the same rank the last one."""
    newest = max(ranks)
    return len(ranks) - 1 - ranks[::-1].index(newest)


def _sums(column: Sequence[Any], quantity: Quantity, ranks: Sequence[tuple[int, int]],
          last: int) -> tuple[object, ...] | None:
    """n, total, low, high, last, last_ns, last_seq; None where no value counts."""
    total = sum(column)
    if quantity.kind is Kind.FLOAT and not isfinite(total):
        kept = [index for index, value in enumerate(column) if isfinite(value)]
        if not kept:
            return None
        if len(kept) < len(column):
            few = [ranks[index] for index in kept]
            return _sums([column[index] for index in kept], quantity, few, _last(few))
    if quantity.kind is Kind.FLOAT:
        found = (float(total), float(min(column)), float(max(column)), float(column[last]))
    else:
        found = (total if -_INT64 <= total < _INT64 else float(total), min(column), max(column), column[last])
    return len(column), *found, *ranks[last]


def _hour(row: tuple[Any, ...], quantity: Quantity) -> Hour:
    zone, hour, count, total, low, high, last, last_ns, last_seq = row
    if quantity.kind is Kind.BOOL:
        last = bool(last)
    return Hour(zone, hour * HOUR_NS, count, total, low, high, last, (last_ns, last_seq))


def _number(connection: sqlite3.Connection, table: str, first: tuple[str, str], second: tuple[str, str]) -> int:
    """The number of a pair of names, given now if it has none."""
    pair = (first[1], second[1])
    connection.execute(f"INSERT OR IGNORE INTO {table} ({first[0]}, {second[0]}) VALUES (?, ?)", pair)
    number: int = connection.execute(f"SELECT id FROM {table} WHERE {first[0]} = ? AND {second[0]} = ?", pair).fetchone()[0]
    return number


def _reached(connection: sqlite3.Connection) -> tuple[int, int, int]:
    seq, at_ns, tag = connection.execute("SELECT seq, at_ns, tag FROM reached").fetchone()
    return seq, at_ns, tag


def _continues(log: "Rows", reached: tuple[int, int, int]) -> bool:
    """Whether the log holds the row that was the last to be added."""
    seq, at_ns, tag = reached
    return seq == 0 or [row[:3] for row in log.rows(seq - 1, 1)] == [(seq, at_ns, tag)]


def _open(path: Path) -> sqlite3.Connection:
    """A connection to the file; one that is corrupt, or of another layout, is begun anew."""
    try:
        return _laid_out(path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        _log.warning("The roll-ups %s are corrupt (%s): they are made anew.", path, error)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return _laid_out(path)


def _laid_out(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 1000"):
            connection.execute(f"PRAGMA {pragma}")
        if _layout(connection) != LAYOUT:
            with _transaction(connection):
                if _layout(connection) != LAYOUT:  # nobody was faster
                    _lay_out(connection)
        _reached(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _layout(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def _lay_out(connection: sqlite3.Connection) -> None:
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        connection.execute(f"DROP TABLE {table}")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {LAYOUT}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
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
        raise StoreDown("The roll-ups beside the log cannot be used: {what}", what=str(error)) from error
