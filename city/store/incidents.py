"""Incidents, what people did about them, whom to tell of them, and what the bridge has learnt of lamps."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from city.alarms import Alarm, AlarmKind, Severity
from city.errors import Conflict, Invalid
from city.expected import Learnt, Typical
from city.ids import AssetId, TenantId
from city.incidents import COVERS, MOST_NOTE, Act, Cause, Deed, Incident
from city.notices import MOST_CHANNELS, About, Channel, Delivery, Sent, Way
from city.store import rows, tables
from city.store import tables_faults as own
from city.store.database import Database, count_up, plain
from city.store.leases import insist
from city.store.rows import R
from city.store.scope import REVISION, Scope

if TYPE_CHECKING:
    from city.store.ports import Lease

MOST_ACTS = 200  # about one incident
MOST_DELIVERIES = 2000  # kept of a town
_FACTS = msgspec.json.Decoder(dict[str, float | str])
_TEXTS = msgspec.json.Decoder(list[str])
_NUMBERS = msgspec.json.Decoder(tuple[float, ...])
_TOLD = msgspec.json.Decoder(tuple[str, list[tuple[str, int]]])
_json = msgspec.json.Encoder().encode


class FaultsPart:
    """The faults of a TenantStore."""

    _scope: Scope

    def incidents(self, *, open_only: bool = True, limit: int = 1000) -> Sequence[Incident]:
        table = own.incidents.c
        wanted = [table.closed_at.is_(None)] if open_only else []
        query = self._scope.select(own.incidents, *wanted).order_by(table.began_at.desc(), table.id).limit(limit)
        with self._scope.database.read() as connection:
            return [incident_of(row) for row in connection.execute(query)]

    def incident(self, id: str) -> Incident:
        with self._scope.database.read() as connection:
            return incident_of(self._scope.one(connection, own.incidents, "incident", own.incidents.c.id == id))

    def acts(self, incidents: Collection[str]) -> Mapping[str, Sequence[Act]]:
        table, database = own.acts.c, self._scope.database
        query = self._scope.select(own.acts, database.among(table.incident)).order_by(table.incident, table.number)
        found: dict[str, list[Act]] = {}
        with database.read() as connection:
            for row in connection.execute(query, database.listed(list(incidents))):
                found.setdefault(row.incident, []).append(Act(row.incident, row.at, row.actor, Deed(row.deed), row.body))
        return found

    def act(self, id: str, deed: Deed, text: str, actor: str, now: datetime) -> Act:
        text = plain(text.strip())
        if len(text) > MOST_NOTE:
            raise Invalid("A note has at most {most} characters.", field="text", rule=f"≤ {MOST_NOTE}", most=MOST_NOTE)
        if not text and deed in (Deed.NOTE, Deed.ASSIGN):
            raise Invalid("Something has to be written here.", field="text", rule="not empty")
        with self._scope.database.write() as connection:
            self._scope.one(connection, own.incidents, "incident", own.incidents.c.id == id)
            number = 1 + (connection.scalar(select(func.max(own.acts.c.number)).where(
                own.acts.c.tenant == self._scope.tenant.id, own.acts.c.incident == id)) or 0)
            if number > MOST_ACTS:
                raise Conflict("Enough has been written about this incident.", field="incident", rule=f"≤ {MOST_ACTS}")
            values = {"incident": id, "number": number, "at": now, "actor": plain(actor), "deed": deed.value, "body": text,
                      "revision": self._scope.next_revision(connection)}
            connection.execute(own.acts.insert(), self._scope.row(values))
        return Act(id, now, actor, deed, text)

    def incident_alarms(self, id: str, limit: int = 200) -> Sequence[Alarm]:
        about, table = self.incident(id), tables.alarms.c
        wanted: list[ColumnElement[bool]] = [table.asset.in_(about.assets[:200])]
        if about.cause is Cause.ASSET:
            wanted.append(table.began_at >= about.began_at)
        else:
            wanted += [table.began_at >= about.began_at - timedelta(hours=1),
                       table.kind.in_([kind.value for kind in COVERS[about.cause]])]
        query = self._scope.select(tables.alarms, *wanted).order_by(table.began_at.desc(), table.id).limit(limit)
        with self._scope.database.read() as connection:
            return [rows.alarm(row) for row in connection.execute(query)]

    def learnt(self) -> Learnt:
        with self._scope.database.read() as connection:
            return {(row.type, row.level): Typical(_NUMBERS.decode(row.nights), row.lamps)
                    for row in connection.execute(self._scope.select(own.typical))}

    def channels(self) -> Sequence[Channel]:
        query = self._scope.select(own.channels).order_by(own.channels.c.name, own.channels.c.id)
        with self._scope.database.read() as connection:
            return [_channel(row) for row in connection.execute(query)]

    def channel(self, id: str) -> Channel:
        with self._scope.database.read() as connection:
            return _channel(self._scope.one(connection, own.channels, "channel", own.channels.c.id == id))

    def put_channel(self, channel: Channel) -> None:
        with self._scope.database.write() as connection:
            known = {row.id for row in connection.execute(self._scope.select(own.channels))}
            if channel.id not in known and len(known) >= MOST_CHANNELS:
                raise Conflict("A town has at most {most} channels.", field="channel", rule=f"≤ {MOST_CHANNELS}",
                               most=MOST_CHANNELS)
            connection.execute(self._scope.database.upsert(own.channels), self._scope.row(_channel_row(channel)))
            self._scope.next_revision(connection)

    def remove_channel(self, id: str) -> None:
        with self._scope.database.write() as connection:
            self._scope.one(connection, own.channels, "channel", own.channels.c.id == id)
            connection.execute(self._scope.delete(own.channels, own.channels.c.id == id))
            self._scope.next_revision(connection)

    def try_channel(self, id: str, now: datetime) -> None:
        mine = own.channels.c.id == id
        with self._scope.database.write() as connection:
            self._scope.one(connection, own.channels, "channel", mine)
            connection.execute(self._scope.update(own.channels, mine).values(trial_at=now))

    def deliveries(self, *, live_only: bool = False, since: datetime | None = None, limit: int = 200) -> Sequence[Delivery]:
        table = own.deliveries.c
        wanted: list[ColumnElement[bool]] = [table.state == Sent.WAITING.value] if live_only else []
        if since is not None:
            wanted.append(table.at >= since)
        query = self._scope.select(own.deliveries, *wanted).order_by(table.at.desc(), table.id).limit(limit)
        with self._scope.database.read() as connection:
            return [_delivery(row) for row in connection.execute(query)]


class BridgeFaults:
    """What the bridge writes about faults; see city.store.port_faults.Faults."""

    _database: Database

    def put_incidents(self, tenant: TenantId, incidents: Iterable[Incident], *, lease: "Lease | None" = None) -> None:
        found = list(incidents)
        if not found:
            return
        with self._fenced(lease), self._database.write() as connection:
            revision = count_up(self._database, connection, tenant, REVISION)
            connection.execute(self._database.upsert(own.incidents),
                               [{"tenant": tenant, "revision": revision, **_incident_row(one)} for one in found])

    def put_learnt(self, tenant: TenantId, learnt: Learnt, *, lease: "Lease | None" = None) -> None:
        if not learnt:
            return
        with self._fenced(lease), self._database.write() as connection:
            connection.execute(self._database.upsert(own.typical), [
                {"tenant": tenant, "type": kind, "level": level, "nights": _json(known.nights).decode(), "lamps": known.lamps}
                for (kind, level), known in learnt.items()])

    def inspection(self, tenant: TenantId) -> bytes | None:
        with self._database.read() as connection:
            return connection.scalar(select(own.inspections.c.body).where(own.inspections.c.tenant == tenant))

    def put_inspection(self, tenant: TenantId, body: bytes, now: datetime, *, lease: "Lease | None" = None) -> None:
        with self._fenced(lease), self._database.write() as connection:
            connection.execute(self._database.upsert(own.inspections), {"tenant": tenant, "at": now, "body": body})

    def put_deliveries(self, tenant: TenantId, deliveries: Iterable[Delivery], *, lease: "Lease | None" = None) -> None:
        found = list(deliveries)
        if not found:
            return
        with self._fenced(lease), self._database.write() as connection:
            connection.execute(self._database.upsert(own.deliveries),
                               [{"tenant": tenant, **_delivery_row(one)} for one in found])
            _forget(connection, own.deliveries, tenant)

    def _fenced(self, lease: "Lease | None") -> AbstractContextManager[None]:
        return nullcontext() if lease is None else self._database.only_if(partial(insist, lease=lease))


def incident_of(row: R) -> Incident:
    return Incident(row.id, row.tenant, Cause(row.cause), row.subject, Severity(row.severity), row.began_at, row.ended_at,
                    row.closed_at, tuple(AssetId(asset) for asset in _TEXTS.decode(row.assets)), row.size,
                    tuple(AlarmKind(kind) for kind in _TEXTS.decode(row.kinds)), _FACTS.decode(row.facts), row.returned_at,
                    row.returns, row.merged)


def _incident_row(one: Incident) -> dict[str, Any]:
    return {"id": one.id, "cause": one.cause.value, "subject": one.subject, "severity": int(one.severity),
            "began_at": one.began_at, "ended_at": one.ended_at, "closed_at": one.closed_at,
            "assets": _json(one.assets).decode(), "size": one.count,
            "kinds": _json([kind.value for kind in one.kinds]).decode(), "facts": _json(dict(one.facts)).decode(),
            "returned_at": one.returned_at, "returns": one.returns, "merged": one.merged}


def _channel(row: R) -> Channel:
    quiet = None if row.quiet_from is None or row.quiet_until is None else (row.quiet_from, row.quiet_until)
    return Channel(row.id, row.tenant, row.name, Way(row.kind), row.address, Severity(row.severity), row.secret, row.language,
                   quiet, row.at_once, timedelta(minutes=row.repeat_minutes), row.off, row.changed_at, row.changed_by,
                   row.trial_at)


def _channel_row(one: Channel) -> dict[str, Any]:
    begin, end = one.quiet or (None, None)
    return {"id": one.id, "tenant": one.tenant, "name": plain(one.name), "kind": one.way.value, "address": plain(one.address),
            "secret": one.secret, "language": one.language, "severity": int(one.severity), "quiet_from": begin,
            "quiet_until": end, "at_once": one.at_once, "repeat_minutes": one.repeat // timedelta(minutes=1),
            "off": one.off, "changed_at": one.changed_at, "changed_by": plain(one.changed_by),
            "trial_at": one.trial_at}


def _delivery(row: R) -> Delivery:
    about, incidents = _TOLD.decode(row.body)
    return Delivery(row.id, row.tenant, row.channel, About(about), row.at,
                    tuple((one, Severity(severity)) for one, severity in incidents), Sent(row.state), row.attempts,
                    row.next_at, row.note)


def _delivery_row(one: Delivery) -> dict[str, Any]:
    told = [(name, int(severity)) for name, severity in one.incidents]
    return {"id": one.id, "tenant": one.tenant, "channel": one.channel, "at": one.at, "state": one.state.value,
            "attempts": one.attempts, "next_at": one.next_at, "note": plain(one.note),
            "body": _json((one.about.value, told)).decode()}


def _forget(connection: Connection, table: Table, tenant: TenantId) -> None:
    """All but the newest that are kept of a town."""
    mine = table.c.tenant == tenant
    oldest = connection.scalar(select(table.c.at).where(mine).order_by(table.c.at.desc()).offset(MOST_DELIVERIES).limit(1))
    if oldest is not None:
        connection.execute(delete(table).where(mine, table.c.at <= oldest))
