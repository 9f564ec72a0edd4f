"""Parking: what the bridge finds out, for any town."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, literal_column, select, tuple_

from city.bays import BayEvent
from city.ids import AssetId, TenantId, ZoneId
from city.parking_facts import Forecast, Retired, ZoneFact
from city.readings import from_ns
from city.retention import FEW_BAYS, FEW_QUARTERS
from city.sensor_checks import SensorCheck
from city.store import tables
from city.store import tables_parking as own
from city.store.database import Database, count_up, plain
from city.store.leases import insist
from city.store.parking import EVENT, PARKING
from city.store.port_parking import ParkingFound
from city.store.scope import REVISION

if TYPE_CHECKING:
    from city.store.ports import Lease

_json = msgspec.json.Encoder().encode
_AGED = {"bay_events": (own.bay_events, "at"), "parking_stays": (own.parking_stays, "ended"), "bay_days": (own.bay_days, "day"),
         "forecasts": (own.forecasts, "at"), "doubts": (own.doubts, "at"), "bay_blocks": (own.bay_blocks, "end"),
         "sensor_checks": (own.sensor_checks, "at"), "checked_sensors": (own.checked_sensors, "at"),
         "parking_quarters": (own.parking_quarters, "at"), FEW_QUARTERS: (own.parking_quarters, "at"),
         "retired": (own.retired, "at"),
         "bay_letters": (tables.letters, "received_at")}
AGED = tuple(_AGED)
DEVICE = "/device/"  # … and the DevEUI, in topics of events


class BridgeParking:
    """See city.store.port_parking.ParkingBook."""

    _database: Database

    def add_bay_events(self, tenant: TenantId, events: Collection[tuple[AssetId, BayEvent]], now: datetime) -> int:
        if not events:
            return 0
        rows = [{"tenant": tenant, "bay": bay, "key": event.key, "at": from_ns(event.at_ns), "received_at": now,
                 "body": _json(event)} for bay, event in events]
        insert = self._database.insert(own.bay_events).on_conflict_do_nothing(index_elements=["tenant", "bay", "key"])
        with self._database.write() as connection:
            return max(connection.execute(insert, rows).rowcount, 0)

    def new_bay_events(self, tenant: TenantId, since: datetime) -> Sequence[tuple[AssetId, BayEvent, datetime]]:
        table = own.bay_events.c
        query = select(table.bay, table.body, table.received_at).where(table.tenant == tenant, table.received_at >= since)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(table.received_at, table.bay, table.key)).all()
        return [(AssetId(row.bay), EVENT.decode(row.body), row.received_at) for row in rows]

    def put_parking(self, tenant: TenantId, found: ParkingFound, *, lease: "Lease | None" = None) -> None:
        with self._fenced(lease), self._database.write() as connection:
            put = partial(self._upsert, connection, tenant)
            changed = self._put_zones(connection, tenant, found.zones)
            if found.bays or found.gone:
                revision = count_up(self._database, connection, tenant, REVISION)
                put(own.bays_now, ({"bay": one.bay, "body": _text(one), "revision": revision} for one in found.bays))
                for bay in found.gone:
                    connection.execute(delete(own.bays_now).where(own.bays_now.c.tenant == tenant, own.bays_now.c.bay == bay))
            put(own.parking_quarters, (_columns(one) for one in found.quarters))
            put(own.parking_stays, (_columns(one) for one in found.stays))
            put(own.bay_days, ({"bay": one.bay, "day": one.day, "zone": one.zone, "body": _text(one)} for one in found.days))
            put(own.forecasts, (_columns(one) for one in found.forecasts))
            put(own.forecast_errors, ({"zone": one.zone, "body": _text(one)} for one in found.errors))
            self._put_checks(connection, tenant, found.checks)
            if changed or found.errors:
                count_up(self._database, connection, tenant, PARKING)

    def made_forecasts(self, tenant: TenantId, start: datetime, end: datetime, *, zone: ZoneId | None = None,
                       leads: Collection[int] = ()) -> Sequence[Forecast]:
        table = own.forecasts.c
        where = [table.tenant == tenant, table.at >= start, table.at < end, *([table.zone == zone] if zone else []),
                 *([table.lead_min.in_(list(leads))] if leads else [])]
        query = select(own.forecasts).where(*where).order_by(table.zone, table.at, table.lead_min)
        with self._database.read() as connection:
            return [Forecast(ZoneId(row.zone), row.at, row.lead_min, row.free, row.made_at, row.actual)
                    for row in connection.execute(query)]

    def parking_memory(self, tenant: TenantId) -> bytes | None:
        with self._database.read() as connection:
            return connection.scalar(select(own.parking_memories.c.body).where(own.parking_memories.c.tenant == tenant))

    def put_parking_memory(self, tenant: TenantId, body: bytes, now: datetime, *, lease: "Lease | None" = None) -> None:
        with self._fenced(lease), self._database.write() as connection:
            connection.execute(self._database.upsert(own.parking_memories), {"tenant": tenant, "body": body, "at": now})

    # -- what must not be kept

    def retire(self, tenant: TenantId, what: str, before: datetime, limit: int = 10_000) -> int:
        table, name = _AGED[what]
        keys = list(table.primary_key)
        bound = before.date() if name == "day" else before
        oldest = select(*keys).where(*self._its(tenant, what), table.c[name] < bound).order_by(table.c[name]).limit(limit)
        with self._database.write() as connection:
            return connection.execute(delete(table).where(tuple_(*keys).in_(oldest))).rowcount

    def oldest(self, tenant: TenantId, what: str) -> datetime | None:
        table, name = _AGED[what]
        with self._database.read() as connection:
            found = connection.scalar(select(func.min(table.c[name])).where(*self._its(tenant, what)))
        return _midnight(found) if name == "day" and found is not None else found

    def put_retired(self, tenant: TenantId, report: Retired) -> None:
        row = {"tenant": tenant, "what": report.what, "at": report.at, "removed": report.removed, "oldest": report.oldest,
               "keep_days": report.keep_days, "note": plain(report.note)}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(own.retired), row)

    # -- parts

    def _put_zones(self, connection: Connection, tenant: TenantId, zones: Sequence[ZoneFact]) -> bool:
        """Whether anything but the time of evaluation has changed."""
        if not zones:
            return False
        table = own.zones_now
        before = {row.zone: row.body for row in connection.execute(select(table.c.zone, table.c.body).where(
            table.c.tenant == tenant))}
        after = {one.zone: _text(msgspec.structs.replace(one, evaluated_at=_NEVER)) for one in zones}
        self._upsert(connection, tenant, table, ({"zone": one.zone, "body": after[one.zone], "evaluated_at": one.evaluated_at}
                                                 for one in zones))
        for zone in before.keys() - after.keys():
            connection.execute(delete(table).where(table.c.tenant == tenant, table.c.zone == zone))
        return before != after

    def _put_checks(self, connection: Connection, tenant: TenantId, checks: Sequence[SensorCheck]) -> None:
        put, names = partial(self._upsert, connection, tenant), [{"zone": one.zone, "at": one.at} for one in checks]
        bare = (msgspec.structs.replace(one, sensors=()) for one in checks)
        put(own.sensor_checks, (name | {"body": _text(one)} for name, one in zip(names, bare, strict=True)))
        put(own.checked_sensors, (name | {"body": _json(one.sensors).decode()} for name, one in zip(names, checks, strict=True)
                                  if one.sensors))

    def _its(self, tenant: TenantId, what: str) -> list[ColumnElement[bool]]:
        """The town's rows of this kind; of dead letters those of sensors of bays, which their topics name; of quarters of
        an hour those about few bays."""
        table, _ = _AGED[what]
        if what == FEW_QUARTERS:
            return [table.c.tenant == tenant, table.c.bays < literal_column(str(FEW_BAYS))]  # as its index has it
        if what != "bay_letters":
            return [table.c.tenant == tenant]
        devices, assets, topic = tables.devices.c, tables.assets.c, table.c.topic
        begin = (func.instr if self._database.sqlite else func.strpos)(topic, DEVICE) + len(DEVICE)
        sensor = exists().where(devices.dev_eui == func.lower(func.substr(topic, begin, 16)), devices.tenant == tenant,
                                assets.tenant == tenant, assets.id == devices.asset, assets.kind == "bay")
        return [table.c.tenant == tenant, sensor]

    def _upsert(self, connection: Connection, tenant: TenantId, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        listed = [{"tenant": tenant, **row} for row in rows]
        if listed:
            connection.execute(self._database.upsert(table), listed)

    def _fenced(self, lease: "Lease | None") -> AbstractContextManager[None]:
        return nullcontext() if lease is None else self._database.only_if(partial(insist, lease=lease))


def _text(one: msgspec.Struct) -> str:
    return _json(one).decode()


_columns: Callable[[Any], dict[str, Any]] = msgspec.structs.asdict
_NEVER = from_ns(0)


def _midnight(day: Any) -> datetime:  # noqa: ANN401 - a date
    return datetime(day.year, day.month, day.day, tzinfo=_NEVER.tzinfo)
