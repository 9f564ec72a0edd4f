"""How much room dead letters take: in each town, by number, by bytes and by reason; the oldest give way.

A broken or forged device must not fill the disk, nor push out what other devices could not say. Bounds are looked at after
so many new letters, not after each: a town may be over them by that much, and by a bridge's share for each bridge.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from city.store import tables
from city.store.ports import DeadLetter

MOST_LETTERS = 50_000  # of one town, or of none
MOST_BYTES = 64 << 20  # of one town, or of none
MOST_OF: Mapping[str, int] = {"TooManyFrames": 1000}  # of reasons of which a few tell all
OVERHEAD = 200  # bytes of a row beside its texts
EVERY, EVERY_BYTES = 1000, 4 << 20

_LETTERS = tables.letters.c
_SIZE = func.length(_LETTERS.payload) + func.length(_LETTERS.topic) + func.length(_LETTERS.detail) + OVERHEAD


class LetterBounds:
    """What one process has added since it last looked. Any thread may use it, within its writing transaction."""

    def __init__(self, most: int = MOST_LETTERS, most_bytes: int = MOST_BYTES,
                 most_of: Mapping[str, int] = MOST_OF) -> None:
        self._most, self._most_bytes, self._most_of = most, most_bytes, most_of
        self._turn = threading.Lock()
        self._new: Counter[str | None] = Counter()
        self._new_bytes: Counter[str | None] = Counter()
        self._new_of: Counter[tuple[str | None, str]] = Counter()

    def keep(self, connection: Connection, added: Iterable[DeadLetter]) -> None:
        """Let the oldest go where these, which have just been added, are too many."""
        with self._turn:
            self._count(added)
            many, large, alike = self._due()
        for town in many:
            _let_go(connection, _LETTERS.tenant == town, self._most)
        for town in large:
            _let_go_bytes(connection, _LETTERS.tenant == town, self._most_bytes)
        for town, reason in alike:
            _let_go(connection, and_(_LETTERS.reason == reason, _LETTERS.tenant == town), self._most_of[reason])

    def _count(self, added: Iterable[DeadLetter]) -> None:
        for letter in added:
            self._new[letter.tenant] += 1
            self._new_bytes[letter.tenant] += len(letter.payload) + len(letter.topic) + len(letter.detail) + OVERHEAD
            if letter.reason in self._most_of:
                self._new_of[letter.tenant, letter.reason] += 1

    def _due(self) -> tuple[list[str | None], list[str | None], list[tuple[str | None, str]]]:
        """The towns to be looked at by number, by bytes and by reason; they are counted anew."""
        many = [town for town, count in self._new.items() if count >= min(EVERY, self._most)]
        large = [town for town, size in self._new_bytes.items() if size >= min(EVERY_BYTES, self._most_bytes)]
        alike = [key for key, count in self._new_of.items() if count >= self._most_of[key[1]]]
        for town in many:
            del self._new[town]
        for town in large:
            del self._new_bytes[town]
        for key in alike:
            del self._new_of[key]
        return many, large, alike


def _let_go(connection: Connection, its: ColumnElement[bool], most: int) -> None:
    """All but the newest `most`."""
    oldest = select(_LETTERS.received_at).where(its).order_by(_LETTERS.received_at.desc()).offset(most).limit(1)
    connection.execute(delete(tables.letters).where(its, _LETTERS.received_at <= oldest.scalar_subquery()))


def _let_go_bytes(connection: Connection, its: ColumnElement[bool], most: int) -> None:
    """All but the newest that take up to `most` bytes together."""
    total = func.sum(_SIZE).over(order_by=(_LETTERS.received_at.desc(), _LETTERS.id.desc()))
    running = select(_LETTERS.received_at, total.label("total")).where(its).subquery()
    newest = select(func.max(running.c.received_at)).where(running.c.total > most)
    connection.execute(delete(tables.letters).where(its, _LETTERS.received_at <= newest.scalar_subquery()))
