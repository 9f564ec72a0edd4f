"""What happened in a town, as people ask for it. Only city.store.commits writes these."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, Table

from city.alarms import Alarm
from city.commands import Command, State
from city.ids import AssetId, CommandId, DevEui
from city.readings import DeviceState
from city.store import rows, tables, tables_lighting
from city.store.overrides import override_of
from city.store.ports import Changes, DeadLetter
from city.store.remembered import States
from city.store.scope import Scope

LONGEST_LIFE = timedelta(days=4)  # of a command, a setting for a sensor that listens once a day included
MOST_CHANGES = 5000  # of commands in one answer; who is further behind reads the newest


class FactsPart:
    """The facts of a TenantStore."""

    _scope: Scope
    _states: States

    def state(self, device: DevEui) -> DeviceState | None:
        with self._scope.database.read() as connection:
            row = connection.execute(self._scope.select(tables.states, tables.states.c.device == device)).first()
            return rows.state(row.body, partial(self._states.shapes.index, connection)) if row else None

    def states(self) -> Mapping[DevEui, DeviceState]:
        return self._states.of(self._scope)

    def command(self, id: CommandId) -> Command:
        with self._scope.database.read() as connection:
            return rows.command(self._scope.one(connection, tables.commands, "command", tables.commands.c.id == id))

    def commands(self, *, asset: AssetId | None = None, origin: str | None = None, states: Collection[State] = (),
                 changed_since: datetime | None = None, limit: int = 1000) -> Sequence[Command]:
        table = tables.commands.c
        wanted: list[ColumnElement[bool]] = []
        if asset is not None:
            wanted.append(table.asset == asset)
        if origin is not None:
            wanted.append(table.origin == origin)
        if states:
            wanted.append(table.state.in_([state.value for state in states]))
        if changed_since is not None:
            wanted += [table.changed_at >= changed_since, table.created_at >= changed_since - LONGEST_LIFE]
        query = self._scope.select(tables.commands, *wanted).order_by(table.created_at.desc(), table.id).limit(limit)
        with self._scope.database.read() as connection:
            found = connection.execute(query).all()
        return [rows.command(row) for row in found]

    def alarms(self, *, open_only: bool = True, limit: int = 1000) -> Sequence[Alarm]:
        """The newest first."""
        table = tables.alarms.c
        wanted = [table.ended_at.is_(None)] if open_only else []
        query = self._scope.select(tables.alarms, *wanted).order_by(table.began_at.desc(), table.id).limit(limit)
        with self._scope.database.read() as connection:
            return [rows.alarm(row) for row in connection.execute(query)]

    def letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """Those of the town's own devices, the newest first."""
        query = self._scope.select(tables.letters).order_by(tables.letters.c.received_at.desc()).limit(limit)
        with self._scope.database.read() as connection:
            return [rows.letter(row) for row in connection.execute(query)]

    def changes(self, since: int) -> Changes:
        with self._scope.database.read() as connection:
            revision = self._scope.revision(connection)  # first: what comes in meanwhile is told next time, again
            if revision <= since:
                return Changes(revision, (), (), (), ())
            states = self._newer(connection, tables.states, since)
            commands = self._newer(connection, tables.commands, since, MOST_CHANGES)
            alarms = self._newer(connection, tables.alarms, since)
            overrides = self._newer(connection, tables_lighting.overrides, since)
            assets = self._newer(connection, tables.assets, since)
            index_of = partial(self._states.shapes.index, connection)
            heard = tuple(rows.state(row.body, index_of) for row in states)
        return Changes(revision, heard, tuple(map(rows.command, commands)),
                       tuple(map(rows.alarm, alarms)), tuple(map(override_of, overrides)),
                       tuple(map(rows.asset, assets)))

    def revision(self) -> int:
        with self._scope.database.read() as connection:
            return self._scope.revision(connection)

    def _newer(self, connection: Connection, table: Table, since: int,
               most: int | None = None) -> Sequence[rows.R]:
        query = self._scope.select(table, table.c.revision > since).order_by(table.c.revision.desc()).limit(most)
        return connection.execute(query).all()
