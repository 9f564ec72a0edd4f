"""Groups of radio, casts and time on air: a tenant's half, and what the bridge commits."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, case, delete, func, select

from city.airtime import Estimate
from city.budget import Spent
from city.commands import Priority, State
from city.errors import Conflict, NotFound
from city.groups import Target
from city.ids import DevEui, GatewayId, TenantId
from city.losses import ANSWER_LOST, Tried
from city.multicast import MAX_GROUPS, CastRun, GroupWish, Measured, Member, Membership, RadioGroup
from city.orders import from_json, to_json
from city.store import tables_air as tables
from city.store.database import Database, plain
from city.store.port_air import AirChanges
from city.store.rows import R
from city.store.scope import Scope
from city.store.tables import assets, commands
from city.store.tables_steps import command_steps

LOOKED_AT, MOST_TRIED = 10_000, 2_000  # of the newest orders that were obeyed; of those that were told alone
_ANSWERED = (State.ACKED.value, State.APPLIED.value)


class AirPart:
    """The groups of radio of a TenantStore."""

    _scope: Scope

    def group_wishes(self) -> Sequence[GroupWish]:
        """In the order of their targets."""
        return [GroupWish(Target.parse(row.target), row.actor, row.at, row.generation)
                for row in self._rows(tables.multicast_wishes, tables.multicast_wishes.c.target)]

    def put_group_wish(self, wish: GroupWish) -> None:
        """Want groups for a target, or other keys for them. Raises Conflict where the town wants too many."""
        table = tables.multicast_wishes
        values = {"target": str(wish.target), "actor": plain(wish.actor), "at": wish.at, "generation": wish.generation}
        with self._scope.database.write() as connection:
            others = self._scope.select(table, table.c.target != str(wish.target)).with_only_columns(func.count())
            if (connection.execute(others).scalar() or 0) >= MAX_GROUPS:
                raise Conflict("A town has at most {most} groups of radio.", field="target", rule=f"≤ {MAX_GROUPS}",
                               most=MAX_GROUPS)
            connection.execute(self._scope.database.upsert(table), self._scope.row(values))
            self._scope.intended(connection)

    def remove_group_wish(self, target: Target) -> None:
        """Raises NotFound."""
        table = tables.multicast_wishes
        with self._scope.database.write() as connection:
            if not connection.execute(self._scope.delete(table, table.c.target == str(target))).rowcount:
                raise NotFound("There is no such {what} in {town}.", field="target", rule="exists", what="target",
                               town=self._scope.tenant.name)
            self._scope.intended(connection)

    def radio_groups(self) -> Sequence[RadioGroup]:
        """In a fixed order."""
        return [_group(row) for row in self._rows(tables.multicast_groups, tables.multicast_groups.c.id)]

    def radio_members(self) -> Sequence[Member]:
        """Of all groups."""
        table = tables.multicast_members
        return [Member(row.group, row.device, Membership(row.state), row.enlisted, row.told_at, row.confirmed_at)
                for row in self._rows(table, table.c.group, table.c.device)]

    def casts(self, *, open_only: bool = False, limit: int = 100) -> Sequence[CastRun]:
        """The newest first. `open_only`: those whose outcome is not measured yet."""
        table = tables.casts
        where = (table.c.ended_at.is_(None),) if open_only else ()
        query = self._scope.select(table, *where).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
        with self._scope.database.read() as connection:
            return [_cast(row) for row in connection.execute(query)]

    def cast(self, id: str) -> CastRun:
        """Raises NotFound."""
        with self._scope.database.read() as connection:
            return _cast(self._scope.one(connection, tables.casts, "cast", tables.casts.c.id == id))

    def tried(self) -> Sequence[Tried]:
        """See AirStore. Who was told by a cast before may have heard that: what he answers when told alone teaches nothing."""
        orders, scope = commands.c, self._scope
        lamps = scope.select(assets, assets.c.kind == "lamp").with_only_columns(assets.c.id)
        obeyed = scope.select(commands, orders.state == State.APPLIED.value, orders.asset.in_(lamps),
                              orders.priority < Priority.CONFIG.value).with_only_columns(
            orders.id, orders.device, orders.cast, orders.created_at).order_by(
            orders.created_at.desc()).limit(LOOKED_AT).subquery().c
        alone = select(obeyed.id, obeyed.device).where(obeyed.cast == "").order_by(
            obeyed.created_at.desc()).limit(MOST_TRIED).subquery().c
        steps = scope.select(command_steps, command_steps.c.state.in_(_ANSWERED)).subquery().c
        explained = func.max(case((steps.note == ANSWER_LOST, 1), else_=0)).label("answer_lost")
        query = select(alone.device, func.min(steps.attempts).label("heard"), explained).where(
            steps.command == alone.id).group_by(alone.id, alone.device)
        told, lost = Counter[DevEui](), Counter[DevEui]()
        with scope.database.read() as connection:
            for row in connection.execute(query):
                told[row.device] += 1
                lost[row.device] += row.heard > 1 and not row.answer_lost
        return [Tried(device, count, lost[device]) for device, count in sorted(told.items())]

    def spent(self, since: datetime) -> Sequence[Spent]:
        """Time on air of this town's orders since then, summed by gateway, sub-band and minute."""
        table = tables.airtime
        query = self._scope.select(table, table.c.at >= since).order_by(table.c.at, table.c.gateway, table.c.band)
        with self._scope.database.read() as connection:
            return [_spent(row) for row in connection.execute(query)]

    def _rows(self, table: Table, *order: ColumnElement[Any]) -> Sequence[R]:
        with self._scope.database.read() as connection:
            return connection.execute(self._scope.select(table).order_by(*order)).all()


class AirFacts:
    """What the bridge commits about groups of radio, in the transaction of its other facts."""

    def __init__(self, database: Database) -> None:
        self._group, self._cast = database.upsert(tables.multicast_groups), database.upsert(tables.casts)
        self._member = database.upsert(tables.multicast_members)
        insert = database.insert(tables.airtime)
        known, new = tables.airtime.c, insert.excluded
        self._airtime = insert.on_conflict_do_update(
            index_elements=["tenant", "gateway", "band", "at"],
            set_={"us": known.us + new.us, "frames": known.frames + new.frames})

    def commit(self, connection: Connection, air: AirChanges, revisions: Mapping[TenantId, int]) -> int:
        """How many rows were written."""
        for tenant, group in air.gone:
            for table, column in ((tables.multicast_groups, "id"), (tables.multicast_members, "group")):
                connection.execute(delete(table).where(table.c.tenant == tenant, table.c[column] == group))
        for tenant, member in air.left:
            table = tables.multicast_members
            connection.execute(delete(table).where(table.c.tenant == tenant, table.c.group == member.group,
                                                   table.c.device == member.device))
        rows = [(self._group, [_group_row(group) for group in air.groups]),
                (self._member, [_member_row(tenant, member) for tenant, member in air.members]),
                (self._cast, [_cast_row(cast, revisions[cast.tenant]) for cast in air.casts]),
                (self._airtime, _by_minute(air.spent))]
        for statement, values in rows:
            if values:
                connection.execute(statement, values)
        return sum(len(values) for _, values in rows) + len(air.gone) + len(air.left)


def all_spent(database: Database, since: datetime) -> list[Spent]:
    """Of all towns."""
    table = tables.airtime
    with database.read() as connection:
        return [_spent(row) for row in connection.execute(select(table).where(table.c.at >= since).order_by(table.c.at))]


def _group(row: R) -> RadioGroup:
    return RadioGroup(row.tenant, row.id, Target.parse(row.target), row.model, row.application, row.slot, row.generation,
                      row.dev_addr, row.dr, row.frequency, row.network_id,
                      tuple(GatewayId(one) for one in _GATEWAYS.decode(row.gateways)), row.ready,
                      row.note, row.changed_at)


def _group_row(group: RadioGroup) -> dict[str, object]:
    return {"tenant": group.tenant, "id": group.id, "target": str(group.target), "model": group.model,
            "application": group.application_id, "slot": group.slot, "generation": group.generation,
            "dev_addr": group.dev_addr, "dr": group.dr, "frequency": group.frequency, "network_id": group.network_id,
            "gateways": msgspec.json.encode(group.gateways).decode(), "ready": group.ready, "note": plain(group.note),
            "changed_at": group.changed_at}


def _member_row(tenant: TenantId, member: Member) -> dict[str, object]:
    return {"tenant": tenant, "group": member.group, "device": member.device, "state": member.state.value,
            "enlisted": member.enlisted, "told_at": member.told_at, "confirmed_at": member.confirmed_at}


def _cast(row: R) -> CastRun:
    return CastRun(row.id, row.tenant, row.group, row.origin, Priority(row.priority), from_json(row.order_json), row.lamps,
                   row.repeats, row.seconds, row.created_at, row.expires_at, row.next_at, row.sent, row.ended_at,
                   _ESTIMATE.decode(row.estimate) if row.estimate else None,
                   _MEASURED.decode(row.measured) if row.measured else None, row.note)


def _cast_row(cast: CastRun, revision: int) -> dict[str, object]:
    return {"tenant": cast.tenant, "id": cast.id, "group": cast.group, "origin": cast.origin,
            "priority": cast.priority.value, "order_json": to_json(cast.order).decode(), "lamps": cast.lamps,
            "repeats": cast.repeats, "seconds": cast.seconds, "created_at": cast.created_at, "expires_at": cast.expires_at,
            "next_at": cast.next_at, "sent": cast.sent, "ended_at": cast.ended_at, "estimate": _body(cast.estimate),
            "measured": _body(cast.measured), "note": plain(cast.note), "revision": revision}


def _body(value: object) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()


def _spent(row: R) -> Spent:
    return Spent(row.gateway, row.band, row.at, row.us / 1e6, row.frames)


def _by_minute(spent: Iterable[tuple[TenantId, Spent]]) -> list[dict[str, object]]:
    """One row for each gateway, sub-band and minute. It is dated to the minute's end: what is read again counts no shorter
    than it was."""
    sums: dict[tuple[str, str, str, datetime], tuple[int, int]] = {}
    for tenant, one in spent:
        key = tenant, one.gateway, one.band, one.at.replace(second=59, microsecond=999_999)
        us, frames = sums.get(key, (0, 0))
        sums[key] = us + round(one.seconds * 1e6), frames + one.frames
    return [{"tenant": tenant, "gateway": gateway, "band": band, "at": at, "us": us, "frames": frames}
            for (tenant, gateway, band, at), (us, frames) in sorted(sums.items())]


_GATEWAYS = msgspec.json.Decoder(tuple[str, ...])
_ESTIMATE = msgspec.json.Decoder(Estimate)
_MEASURED = msgspec.json.Decoder(Measured)
