"""Logs that were written before there were segments: one SQLite table a day, moved into segments once."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec

from city.store import frames, ledger, packing
from city.store.appending import Files
from city.store.days import DAY_NS
from city.store.segments import opened

_FRAME = 500
_Row = tuple[int, int, int, bytes]  # position, time, place, body
_DECODE = msgspec.msgpack.Decoder(list[object]).decode
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'day@_%' ESCAPE '@' ORDER BY name"


def is_old(connection: sqlite3.Connection) -> bool:
    """Whether there are rows to move."""
    return bool(connection.execute(_TABLES).fetchone())


def is_old_file(damaged: Path) -> bool:
    """The same of a damaged file."""
    return next(ledger.readable(damaged, _TABLES), None) is not None


def move(connection: sqlite3.Connection, damaged: Path | None, files: Files, head: int) -> int:
    """Write all rows to `files`, those of a damaged file as far as they can be read, and drop them. A move that was
    interrupted goes on after the newest position that is there. Returns the newest. Raises OSError and sqlite3.Error."""
    known = _last(files.path, files.position) if files.path else 0
    rows = _readable(damaged) if damaged else _rows(connection)
    for first, batch in _runs(row for row in rows if row[0] > known):
        day = max(row[1] for row in batch) // DAY_NS
        defined = b""
        if files.due(day):
            files.begin(first, day)
            defined = _definitions(connection)
        files.write(frames.encode(first, [row[1] for row in batch], [row[2] for row in batch],
                                  [frames.tag(_key(row[3])) for row in batch], [row[3] for row in batch],
                                  _spread(row[3] for row in batch), defined))
        known = first + len(batch) - 1
    if not damaged:
        _drop(connection)
    return max(head, known)


def _last(path: Path, end: int) -> int:
    last = 0
    with opened(path) as file:
        for found in frames.walk(file, 0, end):
            if isinstance(found, frames.Frame):
                last = found.last
    return last


def _rows(connection: sqlite3.Connection) -> Iterator[_Row]:
    return merge(*(connection.execute(f"SELECT seq, at_ns, place, body FROM {name} ORDER BY seq")
                   for (name,) in connection.execute(_TABLES).fetchall()), key=itemgetter(0))


def _readable(damaged: Path) -> Iterator[_Row]:
    tables = [str(name) for (name,) in ledger.readable(damaged, _TABLES)]
    found = merge(*(ledger.readable(damaged, f"SELECT seq, at_ns, place, body FROM {name} ORDER BY seq") for name in tables),
                  key=itemgetter(0))
    for row in found:
        match row:
            case (int(seq), int(at_ns), int(place), bytes(body)) if _key(body):
                yield seq, at_ns, place, body


def _runs(rows: Iterable[_Row]) -> Iterator[tuple[int, list[_Row]]]:
    """Batches of rows whose positions follow each other."""
    for _, run in groupby(enumerate(rows), key=lambda item: item[1][0] - item[0]):
        batch = []
        for _, row in run:
            batch.append(row)
            if len(batch) == _FRAME:
                yield batch[0][0], batch
                batch = []
        if batch:
            yield batch[0][0], batch


def _key(body: bytes) -> str:
    try:
        return str(_DECODE(body)[0])
    except (msgspec.DecodeError, IndexError):
        return ""


def _spread(bodies: Iterable[bytes]) -> tuple[int, int]:
    """By how much readings are older and younger than their entries at most."""
    offsets = [int(offset) for body in bodies for odd in _DECODE(body)[4:] for _, _, offset in odd]  # type: ignore[attr-defined]
    return max(0, -min(offsets, default=0)), max(0, max(offsets, default=0))


def _definitions(connection: sqlite3.Connection) -> bytes:
    devices = dict(connection.execute("SELECT id, device FROM places").fetchall())
    return ledger.definitions(((number, place, devices[number]) for number, place in packing.places(connection).items()),
                              connection.execute("SELECT id, quantity, channel FROM series").fetchall())


def _drop(connection: sqlite3.Connection) -> None:
    with ledger.transaction(connection):
        for (name,) in connection.execute(_TABLES).fetchall():
            connection.execute(f"DROP TABLE {name}")
        connection.execute("DROP TABLE IF EXISTS days")
    with closing(connection.execute("VACUUM")):
        pass
