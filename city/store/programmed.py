"""Groups, programs and calendars as JSON bodies, and the half of a TenantStore that keeps them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import Connection, Table

from city.errors import Conflict, Invalid, NotFound
from city.groups import Filter, Group, Target
from city.ids import AssetId, CalendarId, GroupId, ProgramId
from city.programs import SHIPPED, SHIPPED_CALENDARS, Assignment, Calendar, Program, Programming, Rule, Step
from city.store import tables_lighting as tables
from city.store.database import plain
from city.store.ports import AuditLine
from city.store.rows import R
from city.store.scope import Scope

MOST = 500  # of groups, programs, calendars and assignments each


class _ProgramBody(msgspec.Struct):
    on: Step
    off: Step
    steps: tuple[Step, ...] = ()


class _CalendarBody(msgspec.Struct):
    default: ProgramId
    rules: tuple[Rule, ...] = ()


class _GroupBody(msgspec.Struct):
    members: tuple[AssetId, ...] = ()
    filter: Filter | None = None


def program_body(program: Program) -> str:
    """What of a program is neither name nor number, as JSON."""
    return msgspec.json.encode(_ProgramBody(program.on, program.off, program.steps)).decode()


def calendar_body(calendar: Calendar) -> str:
    return msgspec.json.encode(_CalendarBody(calendar.default, calendar.rules), order="sorted").decode()


def group_body(group: Group) -> str:
    return msgspec.json.encode(_GroupBody(tuple(sorted(group.members)), group.filter)).decode()


class ProgrammedPart:
    """What a town has programmed."""

    _scope: Scope

    def programming(self) -> Programming:
        """All of it, with what is shipped."""
        with self._scope.database.read() as connection:
            programs = [_program(row) for row in connection.execute(self._scope.select(tables.programs))]
            calendars = [_calendar(row) for row in connection.execute(self._scope.select(tables.calendars))]
            groups = [_group(row) for row in connection.execute(self._scope.select(tables.groups))]
            places = [_assignment(row) for row in connection.execute(self._scope.select(tables.assignments))]
        town = self._scope.tenant
        return Programming(
            town.site, town.land, MappingProxyType({**SHIPPED, **{one.id: one for one in programs}}),
            MappingProxyType({**SHIPPED_CALENDARS, **{one.id: one for one in calendars}}),
            tuple(sorted(places, key=lambda one: one.target)), MappingProxyType({one.id: one for one in groups}))

    def put_program(self, program: Program, audited: AuditLine | None = None) -> None:
        """Add it, or a new version. Raises Conflict where the town keeps too many. `audited` is written down together with it, or
        neither is; so it is in all that follows."""
        self._put(tables.programs, program.id, program.name, program_body(program), audited)

    def put_calendar(self, calendar: Calendar, audited: AuditLine | None = None) -> None:
        """As `put_program`. Raises NotFound for a program that does not exist."""
        known = self.programming().programs
        for program in calendar.programs():
            if program not in known:
                raise NotFound("There is no program “{program}”.", field="program", rule="exists", program=program)
        self._put(tables.calendars, calendar.id, calendar.name, calendar_body(calendar), audited)

    def put_group(self, group: Group, audited: AuditLine | None = None) -> None:
        """As `put_program`. Raises Invalid for a group of another town."""
        if group.tenant != self._scope.tenant.id:
            raise Invalid("This belongs to another town.", field="tenant", rule="own town")
        self._put(tables.groups, group.id, group.name, group_body(group), audited)

    def remove_program(self, id: ProgramId, audited: AuditLine | None = None) -> None:
        """A shipped one comes back as it was shipped. Raises NotFound, Conflict while a calendar names it."""
        kept = self.programming()
        using = [one.name for one in kept.calendars.values() if id in one.programs()]
        if using and id not in SHIPPED:
            raise Conflict("The calendar “{calendar}” still names this program.", field="program", rule="unused",
                           calendar=using[0])
        self._remove(tables.programs, id, "program", audited)

    def remove_calendar(self, id: CalendarId, audited: AuditLine | None = None) -> None:
        """As `remove_program`, while it is assigned."""
        if id not in SHIPPED_CALENDARS and any(one.calendar == id for one in self.programming().assignments):
            raise Conflict("This calendar is still assigned to lamps.", field="calendar", rule="unused")
        self._remove(tables.calendars, id, "calendar", audited)

    def remove_group(self, id: GroupId, audited: AuditLine | None = None) -> None:
        """Raises NotFound, Conflict while a calendar is assigned to it."""
        if any(one.target == Target("group", id) for one in self.programming().assignments):
            raise Conflict("A calendar is still assigned to this group.", field="group", rule="unused")
        self._remove(tables.groups, id, "group", audited)

    def assign(self, target: Target, calendar: CalendarId | None, actor: str, now: datetime, *,
               audited: AuditLine | None = None) -> None:
        """Let a calendar hold for a target, or (None) whatever holds around it. Raises NotFound where the town has no such
        calendar."""
        if calendar is not None and calendar not in self.programming().calendars:
            raise NotFound("There is no calendar “{calendar}”.", field="calendar", rule="exists", calendar=calendar)
        table = tables.assignments
        with self._scope.database.write() as connection:
            if calendar is None:
                connection.execute(self._scope.delete(table, table.c.target == str(target)))
            else:
                self._leave_room(connection, table, str(target), "target")
                connection.execute(self._scope.database.upsert(table), self._scope.row(
                    {"target": str(target), "calendar": calendar, "at": now, "actor": plain(actor)}))
            self._reprogrammed(connection, audited)

    def _put(self, table: Table, id: str, name: str, body: str, audited: AuditLine | None) -> None:
        with self._scope.database.write() as connection:
            self._leave_room(connection, table, id)
            connection.execute(self._scope.database.upsert(table), self._scope.row(
                {"id": id, "name": plain(name), "body": body}))
            self._reprogrammed(connection, audited)

    def _reprogrammed(self, connection: Connection, audited: AuditLine | None) -> None:
        self._scope.intended(connection)
        if audited is not None:
            self._scope.audit(connection, audited)

    def _leave_room(self, connection: Connection, table: Table, id: str, key: str = "id") -> None:
        kept = {getattr(row, key) for row in connection.execute(self._scope.select(table))}
        if id not in kept and len(kept) >= MOST:
            raise Conflict("A town keeps at most {most} of these.", field=key, rule=f"≤ {MOST}", most=MOST)

    def _remove(self, table: Table, id: str, what: str, audited: AuditLine | None) -> None:
        with self._scope.database.write() as connection:
            self._scope.one(connection, table, what, table.c.id == id)
            connection.execute(self._scope.delete(table, table.c.id == id))
            self._reprogrammed(connection, audited)


def known_targets(targets: Collection[Target], existing: Mapping[str, Collection[str]]) -> None:
    """Raises NotFound for a target that the town does not have; `existing` are the ids of each kind."""
    for target in targets:
        if target.kind != "town" and target.id not in existing.get(target.kind, ()):
            raise NotFound("There is no {what} in this town.", field="targets", rule="exists", what=str(target))


def _program(row: R) -> Program:
    body = _PROGRAM.decode(row.body)
    return Program(row.id, row.name, body.on, body.steps, body.off)


def _calendar(row: R) -> Calendar:
    body = _CALENDAR.decode(row.body)
    return Calendar(row.id, row.name, body.default, body.rules)


def _group(row: R) -> Group:
    body = _GROUP.decode(row.body)
    return Group(row.tenant, row.id, row.name, frozenset(body.members), body.filter)


def _assignment(row: R) -> Assignment:
    return Assignment(Target.parse(row.target), row.calendar, row.at, row.actor)


_PROGRAM: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_ProgramBody)
_CALENDAR: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_CalendarBody)
_GROUP: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_GroupBody)
