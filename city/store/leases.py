"""Who alone does a job that several processes could do: one row a job, taken and renewed in one statement.

Times are the database's own, so the clocks of two machines need not agree. The fence number rises with each new holder: a
commit that names a lease is refused where another has taken it since, however long the former holder has slept.
"""

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, literal, literal_column, or_, select, update

from city.errors import LeaseLost
from city.store import tables
from city.store.database import Database
from city.store.ports import Lease

LONGEST_S = 300.0  # a lease that seems to last longer was taken before the clock was set back
_US = 1_000_000


class Leases:
    """The leases of one database. Any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now: ColumnElement[int] = literal_column(
            "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)" if database.sqlite
            else "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", BigInteger)

    def take(self, wanted: Lease, seconds: float, *, restarted: bool, patience_s: float) -> Lease | None:
        """See city.store.ports.Store.take_lease."""
        insert = self._database.insert(tables.leases).values(
            name=wanted.name, holder=wanted.holder, until_us=self._now + round(min(seconds, LONGEST_S) * _US), fence=1)
        new, old = insert.excluded, tables.leases.c
        ours = and_(old.holder == wanted.holder, old.fence == wanted.fence)
        free = or_(old.until_us <= self._now - round(patience_s * _US), old.until_us > self._now + round(LONGEST_S * _US),
                   and_(literal(restarted), old.holder == wanted.holder))
        statement = insert.on_conflict_do_update(index_elements=["name"], where=or_(ours, free), set_={
            "holder": new.holder, "until_us": new.until_us, "fence": case((ours, old.fence), else_=old.fence + 1)})
        with self._database.write() as connection:
            fence = connection.execute(statement.returning(tables.leases.c.fence)).scalar()
        return None if fence is None else Lease(wanted.name, wanted.holder, fence)

    def release(self, lease: Lease) -> None:
        """See city.store.ports.Store.release_lease."""
        with self._database.write() as connection:
            connection.execute(update(tables.leases).where(*_is(lease)).values(until_us=self._now))


def insist(connection: Connection, lease: Lease) -> None:
    """Raises LeaseLost where another has taken it; else nobody can until this transaction has ended."""
    held = select(tables.leases.c.fence).where(*_is(lease)).with_for_update(read=True)
    if connection.execute(held).first() is None:
        raise LeaseLost("Another process has taken over “{name}”.", name=lease.name)


def _is(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    table = tables.leases.c
    return table.name == lease.name, table.holder == lease.holder, table.fence == lease.fence
