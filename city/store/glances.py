"""What has changed in a town since the last look, as light rows: by the index of revisions, so that a minute of a large town
costs what happened in it and not what there is."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Table, func, or_, select

from city.alarms import Alarm
from city.commands import State
from city.glance import PROGRAMMING, Glance, Heard, Ordered, Programmed
from city.incidents import Act, Deed, Incident
from city.lighting import Override
from city.quantities import LAMP_LEVEL
from city.readings import DeviceState
from city.store import rows, tables
from city.store import tables_faults as faults
from city.store import tables_lighting as lighting
from city.store.facts import LONGEST_LIFE
from city.store.incidents import incident_of
from city.store.overrides import override_of
from city.store.remembered import States
from city.store.scope import Scope

MOST_PAST = 2000  # of what is over, of each kind, at the first look
MOST_ALARMS = 100_000  # that stand, or have changed since the last look


class GlancePart:
    """The glance of a TenantStore; see city.store.port_glance."""

    _scope: Scope
    _states: States

    def glance(self, since: int, seq: int, ended_since: datetime) -> Glance:
        with self._scope.database.read() as connection:
            revision = self._scope.revision(connection)  # first: what comes in meanwhile is told next time, again
            programmed, last = self._programmed(connection, seq)
            if 0 < since == revision:
                return Glance(revision, last, programmed=programmed)
            incidents = self._incidents(connection, since)
            return Glance(revision, last, self._heard(connection, since), self._orders(connection, since, ended_since),
                          self._alarms(connection, since), self._wishes(connection, since, ended_since), incidents,
                          self._acts(connection, since, incidents), programmed)

    def _heard(self, connection: Connection, since: int) -> list[Heard]:
        table = tables.states.c
        query = select(table.body).where(table.tenant == self._scope.tenant.id)
        found = connection.execute(query.where(table.revision > since) if since else query).all()
        index_of = partial(self._states.shapes.index, connection)
        return [_heard(rows.state(row.body, index_of)) for row in found]

    def _orders(self, connection: Connection, since: int, ended_since: datetime) -> list[Ordered]:
        table = tables.commands.c
        query = select(table.id, table.asset, table.origin, table.state, table.created_at, table.changed_at).where(
            table.tenant == self._scope.tenant.id)
        if since:
            query = query.where(table.revision > since)
        else:
            query = query.where(table.created_at >= ended_since - LONGEST_LIFE,
                                or_(table.live, table.changed_at >= ended_since))
        return [Ordered(row.id, row.asset, row.origin, State(row.state), row.created_at, row.changed_at)
                for row in connection.execute(query)]

    def _alarms(self, connection: Connection, since: int) -> list[Alarm]:
        table = tables.alarms
        query = self._scope.select(table, table.c.revision > since if since else table.c.ended_at.is_(None)).limit(MOST_ALARMS)
        return [rows.alarm(row) for row in connection.execute(query)]

    def _wishes(self, connection: Connection, since: int, ended_since: datetime) -> list[Override]:
        table = lighting.overrides
        found = self._newer_rows(connection, table, since)
        if not since:
            standing = self._scope.select(table, table.c.ended_at.is_(None), table.c.ends_at > ended_since)
            found = [*connection.execute(standing), *found]
        return list({row.id: override_of(row) for row in found}.values())

    def _incidents(self, connection: Connection, since: int) -> list[Incident]:
        table = faults.incidents
        found = self._newer_rows(connection, table, since)
        if not since:
            found = [*connection.execute(self._scope.select(table, table.c.closed_at.is_(None))), *found]
        return list({row.id: incident_of(row) for row in found}.values())

    def _acts(self, connection: Connection, since: int, incidents: Sequence[Incident]) -> list[Act]:
        table, database = faults.acts.c, self._scope.database
        query = select(table.incident, table.at, table.deed).where(table.tenant == self._scope.tenant.id)
        if since:
            found = connection.execute(query.where(table.revision > since))
        else:
            open_ones = [one.id for one in incidents if one.open]
            found = connection.execute(query.where(database.among(table.incident)), database.listed(open_ones))
        return [Act(row.incident, row.at, "", Deed(row.deed)) for row in found]

    def _programmed(self, connection: Connection, seq: int) -> tuple[list[Programmed], int]:
        """In order of time, the newest; and the number of the audit's last line."""
        table = tables.audit.c
        mine = table.tenant == self._scope.tenant.id
        last = connection.scalar(select(func.max(table.seq)).where(mine)) or 0
        if last <= seq:
            return [], last
        query = select(table.at, table.action, table.target, table.detail).where(
            mine, table.seq > seq, table.seq <= last, table.action.in_(PROGRAMMING)).order_by(table.seq.desc()).limit(MOST_PAST)
        found = [Programmed(row.at, row.action, row.target, row.detail) for row in connection.execute(query)]
        return found[::-1], last

    def _newer_rows(self, connection: Connection, table: Table, since: int) -> Sequence[rows.R]:
        query = self._scope.select(table, table.c.revision > since).order_by(table.c.revision.desc())
        return connection.execute(query if since else query.limit(MOST_PAST)).all()


def _heard(state: DeviceState) -> Heard:
    level = state.last.get(LAMP_LEVEL.name)
    if level is None or not isinstance(level.value, float):
        return Heard(state.device, state.heard_ns)
    return Heard(state.device, state.heard_ns, level.value, level.at_ns)
