"""The small SQLite file beside the log's segments: the numbers of names, and how far each sink has got.

Names are also defined in each segment that uses them, so a lost ledger is made anew from the segments; without its
cursors sinks begin again, which InfluxDB does not mind. Therefore a commit here does not wait for the disk.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from city.readings import Place
from city.store import packing

FILE = "readings.db"
_SCHEMA = (
    *packing.SCHEMA,
    "CREATE TABLE IF NOT EXISTS cursors (sink TEXT PRIMARY KEY, position INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS dropped (one INTEGER PRIMARY KEY CHECK (one = 1), last_seq INTEGER NOT NULL)",
)
_KEPT = ("devices", "places", "series", "cursors", "dropped")
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_Definitions = tuple[list[tuple[int, list[object]]], list[tuple[int, str, str]]]  # places, series
_DECODE = msgspec.msgpack.Decoder(_Definitions).decode
_ENCODE = msgspec.msgpack.Encoder().encode


def connect(path: Path) -> sqlite3.Connection:
    """A connection that may write. Raises sqlite3.Error or OSError."""
    path.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        with transaction(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def checked(path: Path) -> sqlite3.Connection | str:
    """A connection that may write, or what is wrong with the file. Raises sqlite3.Error or OSError."""
    connection = None
    try:
        connection = connect(path)
        found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        packing.places(connection)
        if found == "ok":
            return connection
    except sqlite3.DatabaseError as error:
        if not corrupt(error):
            raise
        found = str(error)
    if connection:
        connection.close()
    return found


def knows_places(connection: sqlite3.Connection) -> bool:
    """Whether any place has a number."""
    return connection.execute("SELECT 1 FROM places LIMIT 1").fetchone() is not None


def corrupt(error: BaseException) -> bool:
    """Whether SQLite says that the file is damaged."""
    return isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def floor(connection: sqlite3.Connection) -> int:
    """A position that has been given already: of what was dropped, or reached by a sink."""
    found: int = connection.execute("SELECT max(coalesce((SELECT max(last_seq) FROM dropped), 0),"
                                    " coalesce((SELECT max(position) FROM cursors), 0))").fetchone()[0]
    return found


def note_dropped(connection: sqlite3.Connection, last: int) -> None:
    """Positions up to `last` have been given, though nothing may be left of them."""
    connection.execute("INSERT INTO dropped VALUES (1, ?) ON CONFLICT (one) DO UPDATE"
                       " SET last_seq = max(last_seq, excluded.last_seq)", (last,))


def definitions(places: Iterable[tuple[int, Place, int]], series: Iterable[tuple[int, str, str]]) -> bytes:
    """Of places by their number, with the number of their device, and of series."""
    flat = [(number, (place.tenant, place.asset, place.kind, place.zone, place.circuit, device, place.device))
            for number, place, device in places]
    return _ENCODE((flat, list(series))) if flat else _ENCODE(((), kept)) if (kept := list(series)) else b""


def learn(connection: sqlite3.Connection, defined: Iterable[bytes]) -> bool:
    """Take over what segments define and the ledger does not know; whether there was any. Call it in a transaction."""
    before = connection.total_changes
    known = {number for (number,) in connection.execute("SELECT id FROM places")}
    for part in defined:
        places, series = _DECODE(part)
        for number, (tenant, asset, kind, zone, circuit, device, eui) in places:
            if number in known:
                continue
            known.add(number)
            connection.execute("INSERT OR IGNORE INTO devices VALUES (?, ?)", (device, eui))
            connection.execute("INSERT OR IGNORE INTO places VALUES (?, ?, ?, ?, ?, ?, ?)",
                               (number, tenant, asset, kind, zone, circuit, device))
        connection.executemany("INSERT OR IGNORE INTO series VALUES (?, ?, ?)", series)
    return connection.total_changes > before


def salvage(connection: sqlite3.Connection, damaged: Path) -> None:
    """Take over what can still be read of a damaged ledger. Call it in a transaction."""
    for table in _KEPT:
        for row in readable(damaged, f"SELECT * FROM {table}"):
            marks = ", ".join("?" * len(row))
            with suppress(sqlite3.IntegrityError):  # garbage
                connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)


def close_gaps(connection: sqlite3.Connection) -> None:
    """Give every lost number a name of its own, for numbers are counted. Call it in a transaction."""
    for table, row in (("devices", "'lost-' || n"), ("series", "'lost-' || n, ''"),
                       ("places", "'', 'lost-' || n, 'lamp', '', NULL, (SELECT min(id) FROM devices)")):
        connection.execute(f"INSERT OR IGNORE INTO {table} WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
                           f" WHERE n < (SELECT coalesce(max(id), 0) FROM {table})) SELECT n, {row} FROM c"
                           f" WHERE EXISTS (SELECT 1 FROM {table}) AND n NOT IN (SELECT id FROM {table})")


def readable(damaged: Path, query: str) -> Iterator[tuple[object, ...]]:
    """The rows of a damaged file up to the first that cannot be read."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(f"{damaged.resolve().as_uri()}?mode=ro&immutable=1",
                                                                  uri=True)) as connection:
        yield from connection.execute(query)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Nothing of the block is kept if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
