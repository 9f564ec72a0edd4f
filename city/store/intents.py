"""What people want of a town's bays, devices and alarms, and who wanted it when."""

from collections.abc import Sequence
from datetime import datetime

from city.alarms import Alarm
from city.errors import NotFound
from city.ids import AssetId, DevEui
from city.store import rows, tables
from city.store.database import plain
from city.store.ports import AuditLine, ConfigWish
from city.store.registry import registry_changed
from city.store.scope import Scope


class IntentsPart:
    """The intents of a TenantStore."""

    _scope: Scope

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
            self._scope.audit(connection, line)

    def audit_lines(self, limit: int = 100) -> Sequence[AuditLine]:
        """The newest first."""
        query = self._scope.select(tables.audit).order_by(tables.audit.c.seq.desc()).limit(limit)
        with self._scope.database.read() as connection:
            return [rows.audit_line(row) for row in connection.execute(query)]
