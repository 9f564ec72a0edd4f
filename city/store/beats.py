"""Bridges' signs of life: one row a bridge, so that the console can say which has not been heard."""

from collections.abc import Sequence

from sqlalchemy import select

from city.health import Beat, decode, encode
from city.store import tables
from city.store.database import Database, plain

MOST_BRIDGES = 100
MAX_NAME = 200


class Beats:
    """The signs of life in one database. Any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, beat: Beat) -> None:
        """See city.store.ports.Store.put_beat."""
        row = {"name": plain(beat.name)[:MAX_NAME], "at": beat.at, "body": encode(beat)}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(tables.beats), row)

    def all(self) -> Sequence[Beat]:
        """See city.store.ports.Store.beats."""
        newest = select(tables.beats).order_by(tables.beats.c.at.desc(), tables.beats.c.name).limit(MOST_BRIDGES)
        with self._database.read() as connection:
            return [decode(row.name, row.at, row.body) for row in connection.execute(newest)]
