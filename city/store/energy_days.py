"""The book of energy: a line a lamp and night, its sums, and the factors of a town."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import and_, delete, func, select, tuple_

from city.energy import NO_ENDS, Ends, LampNight, Used
from city.energy_report import NightSum
from city.errors import Conflict, NotFound
from city.factors import MAX_FACTORS, Factor, FactorKind, Factors
from city.ids import AssetId, TenantId
from city.store import tables_energy as tables
from city.store.database import Database, plain
from city.store.port_energy import Booked
from city.store.rows import R
from city.store.scope import Scope
from city.store.tables import tenants as tenant_rows

RECALL = timedelta(days=31)  # how long a counter's last reading is gone on from
_SUMS = ("metered_wh", "estimated_wh", "undimmed_wh", "burn_s", "missing_s")
_NIGHTS = tables.energy_nights.c


class EnergyPart:
    """The energy of a TenantStore."""

    _scope: Scope

    def energy(self, first: date, last: date) -> Sequence[NightSum]:
        """The nights from `first` to `last`, both included, in order of night, zone and circuit."""
        where = (_NIGHTS.night >= first, _NIGHTS.night <= last)
        place = (_NIGHTS.night, _NIGHTS.zone, _NIGHTS.circuit)
        query = self._scope.select(tables.energy_nights, *where).with_only_columns(
            *place, func.count().label("lamps"), *(func.sum(_NIGHTS[name]).label(name) for name in _SUMS)).group_by(*place)
        with self._scope.database.read() as connection:
            found = [NightSum(row.night, row.zone, row.circuit, row.lamps, _used(row)) for row in connection.execute(query)]
        return sorted(found, key=lambda one: (one.night, one.zone, one.circuit or ""))

    def lamp_nights(self, first: date, last: date, asset: AssetId | None = None) -> Sequence[LampNight]:
        """Lamp by lamp, in order of night and lamp."""
        where = [_NIGHTS.night >= first, _NIGHTS.night <= last]
        if asset is not None:
            where.append(_NIGHTS.asset == asset)
        query = self._scope.select(tables.energy_nights, *where).order_by(_NIGHTS.night, _NIGHTS.asset)
        with self._scope.database.read() as connection:
            return [_line(row) for row in connection.execute(query)]

    def booked(self) -> Booked | None:
        """None where nothing has been booked."""
        query = self._scope.select(tables.energy_nights).with_only_columns(
            func.min(_NIGHTS.night).label("first"), func.max(_NIGHTS.night).label("last"))
        with self._scope.database.read() as connection:
            row = connection.execute(query).one()
            if row.first is None:
                return None
            newest = self._scope.select(tables.energy_nights, _NIGHTS.night == row.last).with_only_columns(
                func.max(_NIGHTS.booked_at))
            return Booked(row.first, row.last, connection.execute(newest).scalar_one())

    def factors(self) -> Factors:
        """The town's own; those that are shipped stand behind them."""
        with self._scope.database.read() as connection:
            rows = connection.execute(self._scope.select(tables.factors)).all()
        found = (Factor(FactorKind(row.kind), row.valid_from, row.value, row.source, row.scope, row.assumed) for row in rows)
        return Factors(tuple(sorted(found, key=lambda one: (one.kind.value, one.valid_from))))

    def put_factor(self, factor: Factor, actor: str, now: datetime) -> None:
        """Add it, or another version of the same kind and day. Raises Conflict where the town keeps too many."""
        table = tables.factors
        values = {"kind": factor.kind.value, "valid_from": factor.valid_from, "value": factor.value,
                  "source": plain(factor.source), "scope": plain(factor.scope), "assumed": factor.assumed,
                  "actor": plain(actor), "at": now}
        others = tuple_(table.c.kind, table.c.valid_from) != (factor.kind.value, factor.valid_from)
        with self._scope.database.write() as connection:
            count = connection.execute(self._scope.select(table, others).with_only_columns(func.count())).scalar() or 0
            if count >= MAX_FACTORS:
                raise Conflict("A town keeps at most {most} figures.", field="valid_from", rule=f"≤ {MAX_FACTORS}",
                               most=MAX_FACTORS)
            connection.execute(self._scope.database.upsert(table), self._scope.row(values))

    def remove_factor(self, kind: FactorKind, valid_from: date) -> None:
        """Raises NotFound."""
        table = tables.factors
        with self._scope.database.write() as connection:
            gone = connection.execute(self._scope.delete(table, table.c.kind == kind.value,
                                                         table.c.valid_from == valid_from)).rowcount
        if not gone:
            raise NotFound("There is no such {what} in {town}.", field="factor", rule="exists", what="factor",
                           town=self._scope.tenant.name)


class BridgeEnergy:
    """What the bridge writes of it, for any town."""

    _database: Database

    def book_nights(self, tenant: TenantId, nights: Sequence[LampNight], now: datetime) -> int:
        """Write these lines, unless more was heard for the one that stands; returns how many were written."""
        if not nights:
            return 0
        table = tables.energy_nights
        insert = self._database.insert(table)
        keys = [column.name for column in table.primary_key]
        new = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
        statement = insert.on_conflict_do_update(index_elements=keys, set_=new,
                                                 where=insert.excluded.words >= table.c.words)
        with self._database.write() as connection:
            return connection.execute(statement, [_row(tenant, one, now) for one in nights]).rowcount

    def lines_of(self, tenant: TenantId, night: date, assets: Collection[AssetId] | None = None) -> Mapping[AssetId, LampNight]:
        """The lines of a night, of these lamps or of all."""
        database = self._database
        query = select(tables.energy_nights).where(_NIGHTS.tenant == tenant, _NIGHTS.night == night)
        if assets is not None:
            query = query.where(database.among(_NIGHTS.asset))
        with database.read() as connection:
            rows = connection.execute(query, {} if assets is None else database.listed(list(assets)))
            return {row.asset: _line(row) for row in rows}

    def counter_ends(self, tenant: TenantId, night: date) -> tuple[Mapping[AssetId, tuple[date, Ends]],
                                                                   Mapping[AssetId, tuple[date, Ends]]]:
        """The ends of each lamp's counters in the last night before this one in which it was heard, and in the first one
        after it, within 31 nights; with those nights."""
        return (self._nearest(tenant, night - RECALL, night - timedelta(days=1), last=True),
                self._nearest(tenant, night + timedelta(days=1), night + RECALL, last=False))

    def drop_nights(self, before: date, limit: int = 10_000) -> int:
        """Forget at most so many lines of each town's nights before that day, the oldest first; returns how many."""
        with self._database.read() as connection:
            tenants = connection.execute(select(tenant_rows.c.id)).scalars().all()
        return sum(self._drop(tenant, before, limit) for tenant in tenants)

    def _drop(self, tenant: TenantId, before: date, limit: int) -> int:
        """By the key's order: a look at every line of a book of years would hold up whoever writes."""
        oldest = select(_NIGHTS.night, _NIGHTS.asset).where(_NIGHTS.tenant == tenant, _NIGHTS.night < before).order_by(
            _NIGHTS.night, _NIGHTS.asset).limit(limit)
        gone = delete(tables.energy_nights).where(_NIGHTS.tenant == tenant, tuple_(_NIGHTS.night, _NIGHTS.asset).in_(oldest))
        with self._database.write() as connection:
            return connection.execute(gone).rowcount

    def _nearest(self, tenant: TenantId, first: date, until: date, *, last: bool) -> dict[AssetId, tuple[date, Ends]]:
        nearest = select(_NIGHTS.asset, (func.max if last else func.min)(_NIGHTS.night).label("night")).where(
            _NIGHTS.tenant == tenant, _NIGHTS.night >= first, _NIGHTS.night <= until, _NIGHTS.ends != "").group_by(
            _NIGHTS.asset).subquery()
        query = select(_NIGHTS.asset, _NIGHTS.night, _NIGHTS.ends).join(
            nearest, and_(_NIGHTS.asset == nearest.c.asset, _NIGHTS.night == nearest.c.night)).where(_NIGHTS.tenant == tenant)
        with self._database.read() as connection:
            return {row.asset: (row.night, _ends(row.ends)) for row in connection.execute(query)}


def _used(row: R) -> Used:
    return Used(*(int(getattr(row, name)) for name in _SUMS))


def _line(row: R) -> LampNight:
    return LampNight(row.asset, row.night, row.zone, row.circuit, _used(row), row.words, _ends(row.ends))


def _row(tenant: TenantId, line: LampNight, now: datetime) -> dict[str, object]:
    used = line.used
    return {"tenant": tenant, "night": line.night, "asset": line.asset, "zone": line.zone, "circuit": line.circuit,
            "metered_wh": used.metered_wh, "estimated_wh": used.estimated_wh, "undimmed_wh": used.undimmed_wh,
            "burn_s": used.burn_s, "missing_s": used.missing_s, "words": line.words, "booked_at": now,
            "ends": "" if line.ends == NO_ENDS else msgspec.json.encode(line.ends).decode()}


def _ends(text: str) -> Ends:
    return _ENDS.decode(text) if text else NO_ENDS


_ENDS = msgspec.json.Decoder(Ends)
