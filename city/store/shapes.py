"""Which values a state has: their names, kept once for all devices that say the same.

They would be half of each state, and a town's lamps all say the same. The key of some names follows from the names, so
that bridges need not agree on it.
"""

import threading
from collections.abc import Iterable
from hashlib import blake2b

import msgspec
from sqlalchemy import Connection, select

from city.errors import StoreDown
from city.readings import lasts_index
from city.store import tables
from city.store.database import Database

_NAMES = msgspec.json.Decoder(tuple[str, ...])


class Shapes:
    """The shapes of one database, as far as they are known here. Any thread may ask."""

    def __init__(self, database: Database) -> None:
        self._put = database.insert(tables.shapes).on_conflict_do_nothing(index_elements=["key"])
        self._turn = threading.Lock()
        self._indexes: dict[str, dict[str, int]] = {}
        self._keys: dict[int, tuple[dict[str, int], str]] = {}  # by the identity of an index, which is held

    def key(self, index: dict[str, int]) -> str:
        """The key of the names of `Lasts`."""
        known = self._keys.get(id(index))
        if known is not None and known[0] is index:
            return known[1]
        names = tuple(index)
        found = blake2b(msgspec.json.encode(names), digest_size=6).hexdigest()
        with self._turn:
            if len(self._keys) > 10_000:
                self._keys.clear()
            self._keys[id(index)] = index, found
        return found

    def keep(self, connection: Connection, indexes: Iterable[dict[str, int]]) -> dict[str, dict[str, int]]:
        """Have these in the database when the transaction has ended; only then they are `learned`."""
        new = {key: index for index in indexes if (key := self.key(index)) not in self._indexes}
        if new:
            connection.execute(self._put, [{"key": key, "names": msgspec.json.encode(tuple(index)).decode()}
                                           for key, index in sorted(new.items())])
        return new

    def learned(self, new: dict[str, dict[str, int]]) -> None:
        """What was kept is there."""
        if new:
            with self._turn:
                self._indexes |= new

    def index(self, connection: Connection, key: str) -> dict[str, int]:
        """The names of a key. Raises StoreDown where the database does not say."""
        known = self._indexes.get(key)
        if known is None:
            rows = connection.execute(select(tables.shapes)).all()
            with self._turn:
                self._indexes |= {row.key: lasts_index(_NAMES.decode(row.names)) for row in rows}
            known = self._indexes.get(key)
        if known is None:
            raise StoreDown("The database does not know which values the states “{key}” have.", key=key)
        return known
