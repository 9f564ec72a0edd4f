"""The tables of the local log: one a UTC day, and the indexes that answer questions about one asset.

Clustering or indexing by device while a day is written would make every uplink dirty a page of its own. So the running
day is indexed two hours at a time, when they are over, and a finished day as a whole.
"""

import sqlite3
from collections.abc import Collection, Iterator
from heapq import merge
from itertools import islice

from city.ids import AssetId, TenantId
from city.quantities import Quantity, Value
from city.readings import NS, from_ns
from city.store import packing

DAY_NS = 86_400 * NS
PART_NS = DAY_NS // 12


def table(day: int) -> str:
    """The name of the table of a day, counted from 1970."""
    return f"day_{from_ns(day * DAY_NS):%Y%m%d}"


def create(connection: sqlite3.Connection, day: int) -> None:
    """The table of a day, with the index that makes a repeated entry one, unless it is there."""
    name = table(day)
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {name} (seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, device INTEGER NOT NULL,"
        " tag INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL)")
    connection.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {name}_at ON {name} (at_ns, device, tag)")
    connection.execute("INSERT OR IGNORE INTO days VALUES (?, 0, 0, 0, 0)", (day,))


def close(connection: sqlite3.Connection, day: int) -> None:
    """Index a finished day by device; later entries of it are still taken."""
    name = table(day)
    connection.execute(f"CREATE INDEX IF NOT EXISTS {name}_device ON {name} (device, at_ns)")
    for low, _ in _parts(day):
        connection.execute(f"DROP INDEX IF EXISTS {_part_index(low)}")
    connection.execute("UPDATE days SET closed = 1 WHERE day = ?", (day,))


def index_parts(connection: sqlite3.Connection, day: int, until_ns: int) -> None:
    """Index those parts of the running day that are over."""
    name = table(day)
    for low, high in _parts(day):
        if high <= until_ns:
            connection.execute(f"CREATE INDEX IF NOT EXISTS {_part_index(low)} ON {name} (device, at_ns)"
                               f" WHERE at_ns >= {low} AND at_ns < {high}")


def last(connection: sqlite3.Connection, day: int) -> int:
    """The newest position in a day's table."""
    position: int = connection.execute(f"SELECT coalesce(max(seq), 0) FROM {table(day)}").fetchone()[0]
    return position


def newest_ns(connection: sqlite3.Connection, days: Collection[int]) -> int:
    """The time of the newest entry; 0 if there is none."""
    if not days:
        return 0
    newest: int = connection.execute(f"SELECT coalesce(max(at_ns), 0) FROM {table(max(days))}").fetchone()[0]
    return newest


def values(connection: sqlite3.Connection, asset: tuple[TenantId, AssetId], of: Quantity, channel: str,
           first: int, last: int) -> Iterator[tuple[int, Value]]:
    """(time in ns, value) with first ≤ time < last of one series of one asset, in no order."""
    number = connection.execute("SELECT id FROM series WHERE quantity = ? AND channel = ?", (of.name, channel)).fetchone()
    places = connection.execute("SELECT id, device FROM places WHERE tenant = ? AND asset = ?", asset).fetchall()
    if number is None or not places:
        return
    here, devices = (", ".join(str(row[column]) for row in places) for column in (0, 1))
    for name, part, low, high in _pieces(connection, first, last):
        rows = connection.execute(  # the inner query is answered by an index alone
            f"SELECT at_ns, body FROM {name} WHERE place IN ({here}) AND seq IN (SELECT seq FROM {name}"
            f" WHERE {part} at_ns >= ? AND at_ns < ? AND device IN ({devices}))", (low, high))
        for at_ns, body in rows:
            yield from ((at, value) for at, value in packing.values_of(body, at_ns, number[0], of) if first <= at < last)


def _pieces(connection: sqlite3.Connection, first: int, last: int) -> Iterator[tuple[str, str, int, int]]:
    """(table, condition that names the index's part, low, high) of all that may hold a reading of that time."""
    for day, lag, lead, closed in connection.execute(
            "SELECT day, lag_ns, lead_ns, closed FROM days ORDER BY day").fetchall():
        for begin, end in [(day * DAY_NS, (day + 1) * DAY_NS)] if closed else _parts(day):
            low, high = max(first - lead, begin), min(last + lag, end)
            if low < high:
                yield table(day), "" if closed else f"at_ns >= {begin} AND at_ns < {end} AND", low, high


def _parts(day: int) -> Iterator[tuple[int, int]]:
    for low in range(day * DAY_NS, (day + 1) * DAY_NS, PART_NS):
        yield low, low + PART_NS


def _part_index(low: int) -> str:
    return f"{table(low // DAY_NS)}_{low % DAY_NS // PART_NS:02}"


Row = tuple[int, int, int, int, bytes]  # position, time, tag, place, body


def after(connection: sqlite3.Connection, position: int, limit: int) -> list[Row]:
    """At most `limit` rows in order of arrival, from the first position above `position`."""
    touched = connection.execute("SELECT day FROM days WHERE last_seq > ?", (position,)).fetchall()
    found = [connection.execute(f"SELECT seq, at_ns, tag, place, body FROM {table(day)} WHERE seq > ? ORDER BY seq LIMIT ?",
                                (position, limit)) for (day,) in touched]
    return list(islice(merge(*found), limit))


def holds(connection: sqlite3.Connection, position: int, at_ns: int, tag: int) -> bool:
    """Whether a row has that position, time and tag."""
    day = at_ns // DAY_NS
    return connection.execute("SELECT 1 FROM days WHERE day = ?", (day,)).fetchone() is not None and connection.execute(
        f"SELECT 1 FROM {table(day)} WHERE seq = ? AND at_ns = ? AND tag = ?", (position, at_ns, tag)).fetchone() is not None


def oldest(connection: sqlite3.Connection) -> int:
    """The oldest day there is; 0 if there is none."""
    day: int = connection.execute("SELECT coalesce(min(day), 0) FROM days").fetchone()[0]
    return day


def scan(connection: sqlite3.Connection, first: int, last: int) -> Iterator[Row]:
    """All rows that may hold a reading with first ≤ time < last, each day's in order of arrival."""
    for day, lag, lead in connection.execute("SELECT day, lag_ns, lead_ns FROM days ORDER BY day").fetchall():
        low, high = max(first - lead, day * DAY_NS), min(last + lag, (day + 1) * DAY_NS)
        if low < high:
            by = "NOT INDEXED" if high - low > DAY_NS // 4 else ""  # from end to end, or piece by piece
            yield from connection.execute(f"SELECT seq, at_ns, tag, place, body FROM {table(day)} {by}"
                                          " WHERE at_ns >= ? AND at_ns < ? ORDER BY seq", (low, high))


def of_devices(connection: sqlite3.Connection, devices: Collection[int], first: int, last: int) -> Iterator[Row]:
    """Those rows of `scan` that are of a few devices, found by the indexes."""
    among = ", ".join(map(str, devices))
    for name, part, low, high in _pieces(connection, first, last):
        yield from connection.execute(  # the inner query is answered by an index alone
            f"SELECT seq, at_ns, tag, place, body FROM {name} WHERE seq IN (SELECT seq FROM {name}"
            f" WHERE {part} at_ns >= ? AND at_ns < ? AND device IN ({among})) ORDER BY seq", (low, high))
