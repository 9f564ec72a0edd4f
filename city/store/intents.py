"""What people want of a town: its program, overrides, blocked bays, configuration; and who wanted it when."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement

from city.alarms import Alarm
from city.errors import Invalid, NotFound
from city.ids import AssetId, DevEui, OverrideId, ZoneId
from city.lighting import Override, Program
from city.store import rows, tables
from city.store.database import plain
from city.store.ports import AuditLine, ConfigWish
from city.store.registry import registry_changed
from city.store.scope import Scope


class IntentsPart:
    """The intents of a TenantStore."""

    _scope: Scope

    def program(self) -> Program:
        with self._scope.database.read() as connection:
            row = connection.execute(self._scope.select(tables.programs)).first()
        return rows.program(row) if row else Program()

    def put_program(self, program: Program) -> None:
        values = {"name": plain(program.name), "level": program.level, "reduced_level": program.reduced_level,
                  "reduced_from": program.reduced_from, "reduced_until": program.reduced_until}
        with self._scope.database.write() as connection:
            connection.execute(self._scope.database.upsert(tables.programs), self._scope.row(values))
            self._scope.intended(connection)

    def overrides(self, now: datetime) -> Sequence[Override]:
        """The active ones, newest first."""
        return self._overrides(_active(now))

    def overrides_from(self, now: datetime) -> Sequence[Override]:
        return self._overrides((tables.overrides.c.ended_at.is_(None), tables.overrides.c.ends_at > now))

    def override(self, id: OverrideId) -> Override:
        with self._scope.database.read() as connection:
            return rows.override(self._scope.one(connection, tables.overrides, "override", tables.overrides.c.id == id))

    def add_override(self, override: Override) -> None:
        """Adding the same one again changes nothing."""
        values = self._scope.row(rows.override_row(override))
        with self._scope.database.write() as connection:
            values["revision"] = self._scope.intended(connection)
            insert = self._scope.database.insert(tables.overrides)
            connection.execute(insert.on_conflict_do_nothing(index_elements=["tenant", "id"]), values)

    def end_overrides(self, *, zone: ZoneId | None = None, asset: AssetId | None = None, now: datetime) -> int:
        if (zone is None) == (asset is None):
            raise Invalid("Name either a zone or a lamp.", field="zone", rule="one of two")
        on = tables.overrides.c.zone == zone if asset is None else tables.overrides.c.asset == asset
        with self._scope.database.write() as connection:
            revision = self._scope.intended(connection)
            ended = self._scope.update(tables.overrides, on, *_active(now))
            return connection.execute(ended.values(ended_at=now, revision=revision)).rowcount

    def set_blocked(self, bay: AssetId, blocked: bool) -> None:
        found = (tables.assets.c.id == bay, tables.assets.c.kind == "bay")
        with self._scope.database.write() as connection:
            revision = self._scope.next_revision(connection)
            change = self._scope.update(tables.assets, *found).values(blocked=blocked, revision=revision)
            if not connection.execute(change).rowcount:
                raise NotFound("There is no such bay in {town}.", field="bay", rule="exists",
                               town=self._scope.tenant.name)
            registry_changed(self._scope.database, connection)

    def config_wish(self, device: DevEui) -> ConfigWish | None:
        with self._scope.database.read() as connection:
            row = connection.execute(self._scope.select(tables.wishes, tables.wishes.c.device == device)).first()
        return rows.wish(row) if row else None

    def put_config_wish(self, wish: ConfigWish) -> None:
        """Raises NotFound where the town has no such device."""
        values = {"device": wish.device, "wanted": wish.wanted, "actor": plain(wish.actor), "at": wish.at}
        with self._scope.database.write() as connection:
            self._scope.one(connection, tables.devices, "device", tables.devices.c.dev_eui == wish.device)
            connection.execute(self._scope.database.upsert(tables.wishes), self._scope.row(values))
            self._scope.intended(connection)

    def acknowledge_alarm(self, id: str, actor: str, now: datetime) -> Alarm:
        """The alarm, acknowledged: whoever was first stays the one who did."""
        mine = tables.alarms.c.id == id
        with self._scope.database.write() as connection:
            revision = self._scope.next_revision(connection)
            change = self._scope.update(tables.alarms, mine, tables.alarms.c.acknowledged_at.is_(None))
            connection.execute(change.values(acknowledged_at=now, acknowledged_by=plain(actor), revision=revision))
            return rows.alarm(self._scope.one(connection, tables.alarms, "alarm", mine))

    def audit(self, line: AuditLine) -> None:
        with self._scope.database.write() as connection:
            values = self._scope.row({"seq": self._scope.next_audit(connection), **rows.audit_row(line)})
            connection.execute(tables.audit.insert(), values)

    def audit_lines(self, limit: int = 100) -> Sequence[AuditLine]:
        """The newest first."""
        query = self._scope.select(tables.audit).order_by(tables.audit.c.seq.desc()).limit(limit)
        with self._scope.database.read() as connection:
            return [rows.audit_line(row) for row in connection.execute(query)]

    def _overrides(self, where: Sequence[ColumnElement[bool]]) -> Sequence[Override]:
        query = self._scope.select(tables.overrides, *where).order_by(
            tables.overrides.c.created_at.desc(), tables.overrides.c.id.desc())
        with self._scope.database.read() as connection:
            return [rows.override(row) for row in connection.execute(query)]


def _active(now: datetime) -> tuple[ColumnElement[bool], ...]:
    wish = tables.overrides.c
    return wish.ended_at.is_(None), wish.starts_at <= now, wish.ends_at > now
