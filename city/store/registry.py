"""A tenant's registry: zones, circuits, assets, devices, streets; and how a list of assets enters it."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, or_, select

from city.errors import Conflict
from city.ids import AssetId, CircuitId, ZoneId
from city.imports import ImportRow
from city.places import Asset, Circuit, Device, Luminaire, ParkingBay, Street, Supply, Zone
from city.store import rows, tables
from city.store.database import Database, count_up, plain
from city.store.roll import REGISTRY as REGISTRY
from city.store.roll import WHOLE as WHOLE
from city.store.roll import Roll
from city.store.scope import Scope


def registry_changed(database: Database, connection: Connection) -> None:
    """Tell every process that what it remembers of devices and assets is old."""
    count_up(database, connection, WHOLE, REGISTRY)


class RegistryPart:
    """The registry half of a TenantStore."""

    _scope: Scope
    _roll: Roll

    def zones(self) -> Sequence[Zone]:
        query = self._scope.select(tables.zones).order_by(tables.zones.c.id)
        with self._scope.database.read() as connection:
            return [Zone(row.tenant, row.id, row.name) for row in connection.execute(query)]

    def zone(self, id: ZoneId) -> Zone:
        with self._scope.database.read() as connection:
            row = self._scope.one(connection, tables.zones, "zone", tables.zones.c.id == id)
        return Zone(row.tenant, row.id, row.name)

    def circuits(self) -> Sequence[Circuit]:
        query = self._scope.select(tables.circuits).order_by(tables.circuits.c.id)
        with self._scope.database.read() as connection:
            return [rows.circuit(row) for row in connection.execute(query)]

    def put_circuit(self, circuit: Circuit) -> None:
        """Raises NotFound where no lamp's row has ever named it."""
        table = tables.circuits
        with self._scope.database.write() as connection:
            self._scope.one(connection, table, "circuit", table.c.id == circuit.id)
            connection.execute(self._scope.update(table, table.c.id == circuit.id).values(
                name=plain(circuit.name), delivery_point=plain(circuit.delivery_point), supply=circuit.supply.value))
            registry_changed(self._scope.database, connection)

    def luminaires(self, zone: ZoneId | None = None, circuit: CircuitId | None = None) -> Sequence[Luminaire]:
        found = [tables.assets.c.kind == "lamp"]
        if zone is None and circuit is None:
            return self._roll.of(self._scope, "lamps", lambda connection: self._lamps(connection, found))
        if zone is not None:
            found.append(tables.assets.c.zone == zone)
        if circuit is not None:
            found.append(tables.assets.c.circuit == circuit)
        with self._scope.database.read() as connection:
            return self._lamps(connection, found)

    def _lamps(self, connection: Connection, found: Sequence[ColumnElement[bool]]) -> list[Luminaire]:
        query = self._scope.select(tables.assets, *found).order_by(tables.assets.c.id)
        return [rows.luminaire(row) for row in connection.execute(query)]

    def bays(self, zone: ZoneId | None = None) -> Sequence[ParkingBay]:
        found = [tables.assets.c.kind == "bay"]
        if zone is not None:
            found.append(tables.assets.c.zone == zone)
        query = self._scope.select(tables.assets, *found).order_by(tables.assets.c.id)
        with self._scope.database.read() as connection:
            return [rows.bay(row) for row in connection.execute(query)]

    def asset(self, id: AssetId) -> Asset:
        with self._scope.database.read() as connection:
            return rows.asset(self._scope.one(connection, tables.assets, "asset", tables.assets.c.id == id))

    def devices(self) -> Sequence[Device]:
        query = self._scope.select(tables.devices).order_by(tables.devices.c.dev_eui)
        return self._roll.of(self._scope, "devices",
                             lambda connection: [rows.device(row) for row in connection.execute(query)])

    def device_of(self, asset: AssetId) -> Device:
        with self._scope.database.read() as connection:
            return rows.device(self._scope.one(connection, tables.devices, "device", tables.devices.c.asset == asset))

    def streets(self) -> Sequence[Street]:
        query = self._scope.select(tables.streets).order_by(tables.streets.c.position)
        with self._scope.database.read() as connection:
            return [rows.street(row) for row in connection.execute(query)]

    def put_streets(self, streets: Sequence[Street]) -> None:
        values = [self._scope.row(rows.street_row(street, position)) for position, street in enumerate(streets)]
        with self._scope.database.write() as connection:
            connection.execute(self._scope.delete(tables.streets))
            if values:
                connection.execute(tables.streets.insert(), values)

    def import_rows(self, rows: Sequence[ImportRow]) -> int:
        """All rows or none. A device moves with its row, within the town; what an asset had before gives way."""
        if not rows:
            return 0
        with self._scope.database.write() as connection:
            _check(self._scope, connection, rows)
            _put_assets(self._scope, connection, rows)
            _put_devices(self._scope, connection, rows)
            registry_changed(self._scope.database, connection)
        return len(rows)


def _check(scope: Scope, connection: Connection, list_rows: Sequence[ImportRow]) -> None:
    by_eui = {row.dev_eui: row for row in list_rows if row.dev_eui}
    among, listed, table = scope.database.among, scope.database.listed, tables.devices.c
    taken = select(table.dev_eui).where(among(table.dev_eui), table.tenant != scope.tenant.id)
    for eui in connection.scalars(taken, listed([eui for eui in by_eui if eui])):
        raise Conflict("Line {line}: the device {dev_eui} already serves another town.", field="dev_eui",
                       rule="unique", line=by_eui[eui].line, dev_eui=eui)
    by_id = {row.asset: row for row in list_rows}
    for old in connection.execute(scope.select(tables.assets, among(tables.assets.c.id)), listed(list(by_id))):
        if old.kind != by_id[old.id].kind:
            raise Conflict("Line {line}: {asset} is a {kind} already.", field="kind", rule="stays the same",
                           line=by_id[old.id].line, asset=old.id, kind=old.kind)


def _put_assets(scope: Scope, connection: Connection, list_rows: Sequence[ImportRow]) -> None:
    database, revision = scope.database, scope.next_revision(connection)
    zones = sorted({row.zone for row in list_rows})
    circuits = sorted({row.circuit for row in list_rows if row.circuit})
    connection.execute(database.insert(tables.zones).on_conflict_do_nothing(),
                       [scope.row({"id": zone, "name": zone}) for zone in zones])
    if circuits:
        connection.execute(database.insert(tables.circuits).on_conflict_do_nothing(), [scope.row(
            {"id": circuit, "name": "", "delivery_point": "", "supply": Supply.PERMANENT.value}) for circuit in circuits])
    untold = [name for name in _MORE if all(getattr(row.more, name) is None for row in list_rows)]
    connection.execute(database.upsert(tables.assets, keep=("blocked", *untold)),
                       [scope.row(_asset_row(row, revision)) for row in list_rows])


def _asset_row(row: ImportRow, revision: int) -> dict[str, object]:
    return {"id": row.asset, "kind": row.kind, "name": row.name, "latitude": row.site.latitude,
            "longitude": row.site.longitude, "zone": row.zone, "circuit": row.circuit, "power_w": row.power_w,
            "lighting_class": row.lighting_class, "restriction": row.restriction.value, "blocked": False,
            "revision": revision, **{name: _told(getattr(row.more, name), default) for name, default in _MORE.items()}}


def _told(value: object, default: object) -> object:
    return default if value is None else value


_MORE: dict[str, object] = {"lighting_class_night": "", "designed_value": None, "lantern_ring": False, "luminaire_type": "",
                            "min_level": 0}


def _put_devices(scope: Scope, connection: Connection, list_rows: Sequence[ImportRow]) -> None:
    served = {row.asset: row for row in list_rows if row.dev_eui}
    if not served:
        return
    asset_of = {row.dev_eui: row.asset for row in served.values() if row.dev_eui}
    among, listed, table = scope.database.among, scope.database.listed, tables.devices.c
    either = scope.select(tables.devices, or_(among(table.asset, "assets"), among(table.dev_eui, "euis")))
    old = connection.execute(either, listed(list(served), "assets") | listed(list(asset_of), "euis")).all()
    moved = [row.dev_eui for row in old if asset_of.get(row.dev_eui) != row.asset]  # to another asset, or to none
    connection.execute(scope.delete(tables.devices, among(table.dev_eui)), listed([row.dev_eui for row in old]))
    for of in (tables.states, tables.applied, tables.wishes):  # all of that concerned the asset it served before
        connection.execute(scope.delete(of, among(of.c.device)), listed(moved))
    connection.execute(tables.devices.insert(), [
        scope.row({"dev_eui": row.dev_eui, "asset": row.asset, "model": row.model}) for row in served.values()])
