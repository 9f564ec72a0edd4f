"""The choke point of tenancy: every statement on a tenant's rows is made here, with the tenant in it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Select, Table, Update, delete, select, update

from city.errors import Conflict, Forbidden, NotFound
from city.places import Tenant
from city.store import tables
from city.store.database import Database, count_up, counted
from city.store.ports import AuditLine
from city.store.rows import R, audit_row

REVISION, AUDIT, INTENTS = "revision", "audit", "intents"


class Scope:
    """One tenant's rows and no others. `tenant` is fixed; no method takes another."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self.database = database
        self.tenant = tenant

    def select(self, table: Table, *where: ColumnElement[bool]) -> Select[Any]:
        """All columns of the tenant's rows in `table` that fulfil `where`."""
        return select(table).where(self._own(table), *where)

    def update(self, table: Table, *where: ColumnElement[bool]) -> Update:
        return update(table).where(self._own(table), *where)

    def delete(self, table: Table, *where: ColumnElement[bool]) -> Delete:
        return delete(table).where(self._own(table), *where)

    def row(self, values: Mapping[str, object]) -> dict[str, object]:
        """A row to be inserted, with the tenant filled in; raises Forbidden where it names another one."""
        row = {"tenant": self.tenant.id, **values}
        if row["tenant"] != self.tenant.id:
            raise Forbidden("This belongs to another town.", field="tenant", rule="own town")
        return row

    def one(self, connection: Connection, table: Table, what: str, *where: ColumnElement[bool]) -> R:
        """The one row that fulfils `where`; raises NotFound naming `what`."""
        row = connection.execute(self.select(table, *where)).first()
        if row is None:
            raise NotFound("There is no such {what} in {town}.", field=what, rule="exists", what=what,
                           town=self.tenant.name)
        return row

    def next_revision(self, connection: Connection) -> int:
        """The revision that this transaction stamps on what it changes."""
        return count_up(self.database, connection, self.tenant.id, REVISION)

    def intended(self, connection: Connection, seen: int | None = None) -> int:
        """As `next_revision`, where people want something else from now on: who steers must look. Raises Conflict where
        they have wanted something else since `seen` was counted."""
        revision = self.next_revision(connection)
        now = count_up(self.database, connection, self.tenant.id, INTENTS)
        if seen is not None and now != seen + 1:
            raise Conflict("Somebody else has just changed something here; please look again and repeat it.", field="targets",
                           rule="unchanged meanwhile")
        return revision

    def intents(self, connection: Connection) -> int:
        """How often people have wanted something else."""
        return counted(connection, self.tenant.id, INTENTS)

    def audit(self, connection: Connection, line: AuditLine) -> None:
        """Write it down as the audit's next line."""
        values = {"seq": count_up(self.database, connection, self.tenant.id, AUDIT), **audit_row(line)}
        connection.execute(tables.audit.insert(), self.row(values))

    def revision(self, connection: Connection) -> int:
        return counted(connection, self.tenant.id, REVISION)

    def _own(self, table: Table) -> ColumnElement[bool]:
        own: ColumnElement[bool] = table.c.tenant == self.tenant.id
        return own
