"""Parking: the half of a TenantStore that people write, and the facts they read."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, func, or_

from city.bays import BayEvent
from city.errors import Conflict, NotFound
from city.ids import AssetId, ZoneId
from city.parking_facts import BayDay, BayFact, Forecast, ForecastError, Quarter, Retired, Stay, ZoneFact
from city.parking_places import Block, Doubt, Doubting, ParkingSite, PermitZone, TownParking
from city.sensor_checks import CheckedSensor, SensorCheck
from city.store import tables
from city.store import tables_parking as own
from city.store.database import count_up, counted, plain
from city.store.rows import R
from city.store.scope import Scope

PARKING = "parking"  # the counter of what public pages show
MOST_PERMIT_ZONES, MOST_BLOCKS, MOST_DOUBTS = 200, 5000, 10_000
UNSAID = TownParking(special_public=False)  # single bays are told only where a town has decided so (Art. 25 (2) DSGVO)
_json = msgspec.json.Encoder().encode


class ParkingPart:
    """The parking of a TenantStore; see city.store.port_parking.ParkingStore."""

    _scope: Scope

    # -- people write

    def parking_sites(self) -> Mapping[ZoneId, ParkingSite]:
        with self._scope.database.read() as connection:
            found = connection.execute(self._scope.select(own.parking_sites)).all()
        return {ZoneId(row.zone): _SITE.decode(row.body) for row in found}

    def parking_said_at(self) -> Mapping[str, datetime]:
        with self._scope.database.read() as connection:
            sites = connection.execute(self._scope.select(own.parking_sites)).all()
            towns = connection.execute(self._scope.select(own.parking_towns)).all()
        return dict([*((row.zone, row.at) for row in sites), *(("", row.at) for row in towns)])

    def put_parking_site(self, site: ParkingSite, actor: str, now: datetime) -> None:
        self.put_parking_sites([site], actor, now)

    def put_parking_sites(self, sites: Sequence[ParkingSite], actor: str, now: datetime) -> None:
        with self._scope.database.write() as connection:
            for site in sites:
                self._zone(connection, site.zone)
                if site.merged_into:
                    self._zone(connection, site.merged_into)
                self._say(connection, own.parking_sites, {"zone": site.zone}, site, actor, now)
            self._check_merges(connection)

    def permit_zones(self) -> Sequence[PermitZone]:
        query = self._scope.select(own.permit_zones).order_by(own.permit_zones.c.code)
        with self._scope.database.read() as connection:
            return [_PERMIT.decode(row.body) for row in connection.execute(query)]

    def put_permit_zone(self, zone: PermitZone, actor: str, now: datetime) -> None:
        with self._scope.database.write() as connection:
            self._room(connection, own.permit_zones, MOST_PERMIT_ZONES, own.permit_zones.c.code != zone.code)
            self._say(connection, own.permit_zones, {"code": zone.code}, zone, actor, now)

    def remove_permit_zone(self, code: str) -> None:
        with self._scope.database.write() as connection:
            bodies = connection.execute(self._scope.select(own.parking_sites)).all()
            if any(_SITE.decode(row.body).permit_zone == code for row in bodies):
                raise Conflict("The permit zone “{code}” is still named by a parking zone.", field="code", rule="not in use",
                               code=code)
            if not connection.execute(self._scope.delete(own.permit_zones, own.permit_zones.c.code == code)).rowcount:
                raise self._nothing("permit zone")
            self._shown(connection)

    def parking_town(self) -> TownParking:
        with self._scope.database.read() as connection:
            row = connection.execute(self._scope.select(own.parking_towns)).first()
        return UNSAID if row is None else _TOWN.decode(row.body)

    def put_parking_town(self, town: TownParking, actor: str, now: datetime) -> None:
        with self._scope.database.write() as connection:
            self._say(connection, own.parking_towns, {}, town, actor, now)

    def bay_blocks(self, since: datetime) -> Sequence[Block]:
        table = own.bay_blocks.c
        query = self._scope.select(own.bay_blocks, table.end > since, or_(table.ended_at.is_(None), table.ended_at > since))
        with self._scope.database.read() as connection:
            return [_block(row) for row in connection.execute(query.order_by(table.start, table.id))]

    def add_blocks(self, blocks: Sequence[Block]) -> None:
        table = own.bay_blocks
        with self._scope.database.write() as connection:
            bays = {row.id for row in connection.execute(self._scope.select(tables.assets, tables.assets.c.kind == "bay"))}
            for block in blocks:
                if block.bay not in bays:
                    raise NotFound("There is no bay “{asset}”.", field="bay", rule="exists", asset=block.bay[:64])
                connection.execute(table.insert(), self._scope.row({
                    "tenant": block.tenant, "id": block.id, "bay": block.bay, "start": block.start, "end": block.end,
                    "reason": plain(block.reason), "actor": plain(block.actor), "created_at": block.created_at,
                    "ended_at": block.ended_at}))
            for at in {block.created_at for block in blocks}:
                self._room(connection, table, MOST_BLOCKS + 1, table.c.end > at)
            self._shown(connection)

    def end_block(self, id: str, now: datetime) -> Block:
        table = own.bay_blocks
        with self._scope.database.write() as connection:
            block = _block(self._scope.one(connection, table, "block", table.c.id == id))
            if block.ended_at is None and block.end > now:
                connection.execute(self._scope.update(table, table.c.id == id).values(ended_at=now))
                self._shown(connection)
            return _block(self._scope.one(connection, table, "block", table.c.id == id))

    def add_doubt(self, doubt: Doubt) -> None:
        table = own.doubts
        with self._scope.database.write() as connection:
            self._zone(connection, doubt.zone)
            connection.execute(table.insert(), self._scope.row({
                "tenant": doubt.tenant, "id": doubt.id, "zone": doubt.zone, "what": doubt.what.value, "at": doubt.at,
                "shown": plain(doubt.shown), "text": plain(doubt.text), "closed_at": doubt.closed_at,
                "closed_by": plain(doubt.closed_by), "outcome": plain(doubt.outcome)}))
            kept = self._scope.select(table).with_only_columns(table.c.at).order_by(table.c.at.desc()).offset(MOST_DOUBTS)
            oldest = connection.execute(kept.limit(1)).scalar()
            if oldest is not None:
                connection.execute(self._scope.delete(table, table.c.at <= oldest))

    def doubts(self, *, open_only: bool = True, limit: int = 200) -> Sequence[Doubt]:
        table = own.doubts.c
        query = self._scope.select(own.doubts, *([table.closed_at.is_(None)] if open_only else []))
        with self._scope.database.read() as connection:
            return [_doubt(row) for row in connection.execute(query.order_by(table.at.desc(), table.id).limit(limit))]

    def close_doubt(self, id: str, actor: str, outcome: str, now: datetime) -> None:
        table = own.doubts
        with self._scope.database.write() as connection:
            self._scope.one(connection, table, "doubt", table.c.id == id)
            connection.execute(self._scope.update(table, table.c.id == id).values(
                closed_at=now, closed_by=plain(actor), outcome=plain(outcome)))

    # -- facts

    def bay_facts(self, zone: ZoneId | None = None) -> Sequence[BayFact]:
        with self._scope.database.read() as connection:
            found = connection.execute(self._scope.select(own.bays_now).order_by(own.bays_now.c.bay)).all()
        facts = (_BAY.decode(row.body) for row in found)
        return [fact for fact in facts if zone is None or fact.zone == zone]

    def changed_bay_facts(self, since: int) -> Sequence[BayFact]:
        table = own.bays_now.c
        with self._scope.database.read() as connection:
            found = connection.execute(self._scope.select(own.bays_now, table.revision > since).order_by(table.bay)).all()
        return [_BAY.decode(row.body) for row in found]

    def zone_facts(self) -> Sequence[ZoneFact]:
        with self._scope.database.read() as connection:
            rows = connection.execute(self._scope.select(own.zones_now).order_by(own.zones_now.c.zone)).all()
        return [msgspec.structs.replace(_ZONE.decode(row.body), evaluated_at=row.evaluated_at) for row in rows]

    def parking_revision(self) -> int:
        with self._scope.database.read() as connection:
            return counted(connection, self._scope.tenant.id, PARKING)

    def quarters(self, start: datetime, end: datetime, zone: ZoneId | None = None, *,
                 restriction: str | None = None) -> Sequence[Quarter]:
        table = own.parking_quarters.c
        where = [table.at >= start, table.at < end, *([table.zone == zone] if zone else []),
                 *([] if restriction is None else [table.restriction == restriction])]
        query = self._scope.select(own.parking_quarters, *where).order_by(table.at, table.zone, table.restriction)
        with self._scope.database.read() as connection:
            return [Quarter(row.zone, row.restriction, row.at, row.bays, row.free_s, row.occupied_s, row.unknown_s, row.arrivals,
                            row.departures, row.stays, row.stays_s) for row in connection.execute(query)]

    def stays(self, start: datetime, end: datetime, zone: ZoneId | None = None) -> Sequence[Stay]:
        table = own.parking_stays.c
        where = [table.ended >= start, table.ended < end, *([table.zone == zone] if zone else [])]
        with self._scope.database.read() as connection:
            rows = connection.execute(self._scope.select(own.parking_stays, *where).order_by(table.ended, table.alias)).all()
        return [Stay(row.zone, row.restriction, row.alias, row.began, row.ended, row.certain) for row in rows]

    def bay_days(self, first: date, last: date, bay: AssetId | None = None) -> Sequence[BayDay]:
        table = own.bay_days.c
        where = [table.day >= first, table.day <= last, *([table.bay == bay] if bay else [])]
        with self._scope.database.read() as connection:
            rows = connection.execute(self._scope.select(own.bay_days, *where).order_by(table.day, table.bay)).all()
        return [_DAY.decode(row.body) for row in rows]

    def bay_events(self, bay: AssetId, start: datetime, end: datetime) -> Sequence[BayEvent]:
        table = own.bay_events.c
        query = self._scope.select(own.bay_events, table.bay == bay, table.at >= start, table.at < end).order_by(table.at)
        with self._scope.database.read() as connection:
            return [EVENT.decode(row.body) for row in connection.execute(query)]

    def forecasts(self, zone: ZoneId, start: datetime, end: datetime) -> Sequence[Forecast]:
        table = own.forecasts.c
        where = (table.zone == zone, table.at >= start, table.at < end)
        with self._scope.database.read() as connection:
            rows = connection.execute(self._scope.select(own.forecasts, *where).order_by(table.at, table.made_at)).all()
        return list({row.at: Forecast(row.zone, row.at, row.lead_min, row.free, row.made_at, row.actual)
                     for row in rows}.values())

    def forecast_errors(self) -> Mapping[ZoneId, ForecastError]:
        with self._scope.database.read() as connection:
            rows = connection.execute(self._scope.select(own.forecast_errors)).all()
        return {ZoneId(row.zone): _ERROR.decode(row.body) for row in rows}

    def sensor_checks(self, since: datetime) -> Sequence[SensorCheck]:
        checks, sensors = own.sensor_checks, own.checked_sensors
        with self._scope.database.read() as connection:
            found = connection.execute(self._scope.select(checks, checks.c.at >= since).order_by(
                checks.c.at.desc(), checks.c.zone)).all()
            parts = connection.execute(self._scope.select(sensors, sensors.c.at >= since)).all() if found else ()
        of = {(row.zone, row.at): _SENSORS.decode(row.body) for row in parts}
        return [msgspec.structs.replace(_CHECK.decode(row.body), sensors=of.get((row.zone, row.at), ())) for row in found]

    def retired(self, limit: int = 100) -> Sequence[Retired]:
        table = own.retired.c
        query = self._scope.select(own.retired).order_by(table.at.desc(), table.what).limit(limit)
        with self._scope.database.read() as connection:
            return [Retired(row.at, row.what, row.removed, row.oldest, row.keep_days, row.note)
                    for row in connection.execute(query)]

    # -- parts

    def _say(self, connection: Connection, table: Table, key: Mapping[str, str], body: msgspec.Struct, actor: str,
             now: datetime) -> None:
        row: dict[str, Any] = {**key, "body": _json(body).decode(), "actor": plain(actor), "at": now}
        connection.execute(self._scope.database.upsert(table), self._scope.row(row))
        self._shown(connection)

    def _shown(self, connection: Connection) -> None:
        count_up(self._scope.database, connection, self._scope.tenant.id, PARKING)

    def _room(self, connection: Connection, table: Table, most: int, *others: Any) -> None:  # noqa: ANN401 - conditions
        """Raises Conflict where there are `most` already."""
        query = self._scope.select(table, *others).with_only_columns(func.count())
        if (connection.execute(query).scalar() or 0) >= most:
            raise Conflict("A town keeps at most {most} of these.", rule=f"≤ {most}", most=most)

    def _zone(self, connection: Connection, zone: str) -> None:
        self._scope.one(connection, tables.zones, "zone", tables.zones.c.id == zone)

    def _check_merges(self, connection: Connection) -> None:
        sites = [_SITE.decode(row.body) for row in connection.execute(self._scope.select(own.parking_sites))]
        merged = {site.zone for site in sites if site.merged_into}
        if any(site.merged_into in merged for site in sites):
            raise Conflict("A zone can only be merged into one that is counted by itself.", field="merged_into",
                           rule="not merged itself")

    def _nothing(self, what: str) -> NotFound:
        return NotFound("There is no such {what} in {town}.", field=what, rule="exists", what=what, town=self._scope.tenant.name)


def _block(row: R) -> Block:
    return Block(row.id, row.tenant, AssetId(row.bay), row.start, row.end, row.reason, row.actor, row.created_at, row.ended_at)


def _doubt(row: R) -> Doubt:
    return Doubt(row.id, row.tenant, ZoneId(row.zone), Doubting(row.what), row.at, row.shown, row.text, row.closed_at,
                 row.closed_by, row.outcome)


EVENT = msgspec.json.Decoder(BayEvent)
_SITE = msgspec.json.Decoder(ParkingSite)
_PERMIT = msgspec.json.Decoder(PermitZone)
_TOWN = msgspec.json.Decoder(TownParking)
_BAY = msgspec.json.Decoder(BayFact)
_ZONE = msgspec.json.Decoder(ZoneFact)
_DAY = msgspec.json.Decoder(BayDay)
_CHECK = msgspec.json.Decoder(SensorCheck)
_SENSORS = msgspec.json.Decoder(tuple[CheckedSensor, ...])
_ERROR = msgspec.json.Decoder(ForecastError)
