"""The overrides of a town, newest first: the half of a TenantStore that keeps them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement

from city.errors import Conflict, Forbidden
from city.groups import Target
from city.ids import OverrideId
from city.lighting import Override
from city.store import tables_lighting as tables
from city.store.database import plain
from city.store.ports import AuditLine
from city.store.rows import R
from city.store.scope import Scope


class OverridesPart:
    """What people wish of the lamps."""

    _scope: Scope

    def overrides(self, now: datetime) -> Sequence[Override]:
        """The active ones."""
        return [wish for wish in self._overrides(_open(now)) if wish.active(now)]

    def overrides_from(self, now: datetime) -> Sequence[Override]:
        """Those that are active now, begin later, or wait for a second person."""
        return self._overrides(_open(now))

    def override(self, id: OverrideId) -> Override:
        with self._scope.database.read() as connection:
            return override_of(self._scope.one(connection, tables.overrides, "override", tables.overrides.c.id == id))

    def intents_seen(self) -> int:
        """A number that rises whenever anybody wants something else of the town."""
        with self._scope.database.read() as connection:
            return self._scope.intents(connection)

    def add_override(self, override: Override, *, seen: int | None = None, audited: AuditLine | None = None) -> None:
        """Adding the same one again changes nothing. Raises Conflict where anybody has wanted something else since the
        number `seen`: what was checked then may not hold any more. `audited` is written down together with it, or neither is."""
        values = self._scope.row(_row(override))
        with self._scope.database.write() as connection:
            values["revision"] = self._scope.intended(connection, seen)
            insert = self._scope.database.insert(tables.overrides)
            added = connection.execute(insert.on_conflict_do_nothing(index_elements=["tenant", "id"]), values).rowcount
            if added and audited is not None:
                self._scope.audit(connection, audited)

    def end_override(self, id: OverrideId, now: datetime) -> Override:
        """It ends now, if it has not; returns it as it is then. Raises NotFound."""
        found = self.override(id)
        self._end([found], now)
        return self.override(id)

    def end_overrides(self, targets: Collection[Target], now: datetime) -> int:
        """End every override that is for exactly these targets and has not ended; returns how many."""
        exactly = tuple(sorted(set(targets)))
        return self._end([wish for wish in self._overrides(_open(now)) if wish.targets == exactly], now)

    def approve_override(self, id: OverrideId, actor: str, now: datetime, *, seen: int | None = None) -> Override:
        """A second person agrees. Raises NotFound, Forbidden for the one who asked, Conflict where nobody is waiting."""
        if self.override(id).actor == actor:
            raise Forbidden("A second person must approve this, not you again.", field="actor", rule="two persons")
        return self._agreed(id, now, seen, {"approved_by": plain(actor), "approved_at": now})

    def adopt_override(self, id: OverrideId, actor: str, now: datetime, *, seen: int | None = None) -> Override:
        """The first person agrees to what a program has asked for: from now on it is that person's own, and waits for a second.
        Raises NotFound, Conflict where nobody is waiting."""
        return self._agreed(id, now, seen, {"actor": plain(actor)})

    def _agreed(self, id: OverrideId, now: datetime, seen: int | None, values: Mapping[str, object]) -> Override:
        wish = self.override(id)
        if not wish.pending or wish.ended_at is not None or wish.end <= now:
            raise Conflict("Nobody waits for an approval of this any more.", field="override", rule="pending")
        mine = (tables.overrides.c.id == id, tables.overrides.c.approved_at.is_(None))
        with self._scope.database.write() as connection:
            revision = self._scope.intended(connection, seen)
            connection.execute(self._scope.update(tables.overrides, *mine).values(**values, revision=revision))
        return self.override(id)

    def _end(self, wishes: Sequence[Override], now: datetime) -> int:
        ids = [wish.id for wish in wishes if wish.ended_at is None and wish.end > now]
        if not ids:
            return 0
        database, table = self._scope.database, tables.overrides
        with database.write() as connection:
            revision = self._scope.intended(connection)
            ended = self._scope.update(table, database.among(table.c.id), table.c.ended_at.is_(None))
            return connection.execute(ended.values(ended_at=now, revision=revision), database.listed(ids)).rowcount

    def _overrides(self, where: Sequence[ColumnElement[bool]]) -> list[Override]:
        query = self._scope.select(tables.overrides, *where).order_by(
            tables.overrides.c.created_at.desc(), tables.overrides.c.id.desc())
        with self._scope.database.read() as connection:
            return [override_of(row) for row in connection.execute(query)]


def override_of(row: R) -> Override:
    """The override that a row keeps."""
    targets = tuple(Target.parse(one) for one in _TARGETS.decode(row.targets))
    return Override(row.id, row.tenant, row.level, row.starts_at, row.ends_at, row.reason, row.actor, row.created_at, targets,
                    row.ended_at, row.emergency, row.needs_second, row.approved_by, row.approved_at)


def _row(wish: Override) -> dict[str, object]:
    return {"tenant": wish.tenant, "id": wish.id, "level": wish.level, "starts_at": wish.start, "ends_at": wish.end,
            "reason": plain(wish.reason), "actor": plain(wish.actor), "created_at": wish.created_at,
            "targets": msgspec.json.encode([str(target) for target in wish.targets]).decode(), "ended_at": wish.ended_at,
            "emergency": wish.emergency, "needs_second": wish.needs_second, "approved_by": plain(wish.approved_by),
            "approved_at": wish.approved_at}


def _open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    wish = tables.overrides.c
    return wish.ended_at.is_(None), wish.ends_at > now


_TARGETS = msgspec.json.Decoder(list[str])
