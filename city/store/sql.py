"""Store and TenantStore over SQLAlchemy, put together from their parts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import and_, delete, func, select, text

from city.budget import Spent
from city.commands import Command
from city.errors import Invalid, NotFound
from city.health import Beat
from city.ids import DevEui, TenantId, tenant_id
from city.places import Tenant
from city.programs import LANDS
from city.scripts import Script
from city.store import rows, tables
from city.store.accounts import Accounts
from city.store.air import AirPart, all_spent
from city.store.asks import AskPart
from city.store.beats import Beats
from city.store.commits import Commits
from city.store.database import Database, counted
from city.store.energy_days import BridgeEnergy, EnergyPart
from city.store.facts import FactsPart
from city.store.glances import GlancePart
from city.store.incidents import BridgeFaults, FaultsPart
from city.store.intents import IntentsPart
from city.store.leases import Leases, insist
from city.store.overrides import OverridesPart
from city.store.parking import ParkingPart
from city.store.parking_found import BridgeParking
from city.store.ports import ConfigWish, DeadLetter, Facts, Lease, Registered, TenantStore, View
from city.store.programmed import ProgrammedPart
from city.store.registry import REGISTRY, WHOLE, RegistryPart, registry_changed
from city.store.remembered import States
from city.store.roll import Roll
from city.store.scope import REVISION, Scope
from city.store.scripts import ScriptsPart, all_scripts, scripts_revision
from city.store.shapes import Shapes
from city.store.steps import StepsPart


class SqlTenantStore(RegistryPart, ScriptsPart, ProgrammedPart, OverridesPart, AirPart, IntentsPart, FactsPart, StepsPart,
                     FaultsPart, EnergyPart, AskPart, ParkingPart, GlancePart):
    """One tenant's half of the database; see city.store.ports.TenantStore."""

    def __init__(self, scope: Scope, states: States, roll: Roll) -> None:
        self._scope = scope
        self._states, self._roll = states, roll

    @property
    def tenant(self) -> Tenant:
        return self._scope.tenant


class SqlStore(Accounts, BridgeFaults, BridgeEnergy, BridgeParking):
    """The city database; see city.store.ports.Store. Any thread may use it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        shapes = Shapes(database)
        self._commits = Commits(database, shapes)
        self._states, self._roll = States(shapes), Roll()
        self._leases = Leases(database)
        self._beats = Beats(database)

    def tenants(self) -> Sequence[Tenant]:
        with self._database.read() as connection:
            return [rows.tenant(row) for row in connection.execute(select(tables.tenants).order_by(tables.tenants.c.id))]

    def tenant(self, id: TenantId) -> TenantStore:
        with self._database.read() as connection:
            row = connection.execute(select(tables.tenants).where(tables.tenants.c.id == id)).first()
        if row is None:
            raise NotFound("There is no town “{tenant}”.", field="tenant", rule="exists", tenant=id[:64])
        return SqlTenantStore(Scope(self._database, rows.tenant(row)), self._states, self._roll)

    def put_tenant(self, tenant: Tenant) -> None:
        """Raises Invalid for an id that cannot be the first word of the town's addresses."""
        tenant_id(tenant.id)
        if tenant.land and tenant.land not in LANDS:
            raise Invalid("“{value}” is no Land of Germany.", field="land", rule="ISO 3166-2:DE", value=tenant.land[:10])
        counter = self._database.insert(tables.counters).on_conflict_do_nothing(index_elements=["tenant", "name"])
        with self._database.write() as connection:
            connection.execute(self._database.upsert(tables.tenants), rows.tenant_row(tenant))
            connection.execute(counter, {"tenant": tenant.id, "name": REVISION, "value": 0})
            registry_changed(self._database, connection)

    def scripts(self) -> Sequence[Script]:
        return all_scripts(self._database)

    def scripts_revision(self) -> int:
        return scripts_revision(self._database)

    def registry_revision(self) -> int:
        with self._database.read() as connection:
            return counted(connection, WHOLE, REGISTRY)

    def registered(self, devices: Collection[DevEui]) -> Mapping[DevEui, Registered]:
        return self._commits.registered(devices)

    def view(self, devices: Collection[DevEui]) -> View:
        return self._commits.view(devices)

    def commit(self, facts: Facts) -> Mapping[TenantId, int]:
        return self._commits.commit(facts)

    @property
    def commits(self) -> int:
        return self._commits.made

    def revisions(self) -> tuple[int, Mapping[TenantId, int]]:
        return self._commits.revisions()

    def live_commands(self, tenant: TenantId | None = None) -> Sequence[Command]:
        """The most urgent first, then the oldest."""
        table = tables.commands
        query = select(table).where(table.c.live).order_by(table.c.priority, table.c.created_at, table.c.id)
        if tenant is not None:
            query = query.where(table.c.tenant == tenant)
        with self._database.read() as connection:
            return [rows.command(row) for row in connection.execute(query)]

    def last_applied(self, tenant: TenantId) -> Mapping[DevEui, Command]:
        commands, applied = tables.commands, tables.applied
        same = and_(applied.c.tenant == commands.c.tenant, applied.c.command == commands.c.id)
        query = select(commands).join(applied, same).where(applied.c.tenant == tenant)
        with self._database.read() as connection:
            return {row.device: rows.command(row) for row in connection.execute(query)}

    def config_wishes(self, tenant: TenantId) -> Mapping[DevEui, ConfigWish]:
        with self._database.read() as connection:
            found = connection.execute(select(tables.wishes).where(tables.wishes.c.tenant == tenant))
            return {row.device: rows.wish(row) for row in found}

    def all_letters(self, limit: int = 100, reason: str | None = None) -> Sequence[DeadLetter]:
        """The newest first."""
        query = select(tables.letters).order_by(tables.letters.c.received_at.desc(), tables.letters.c.id).limit(limit)
        if reason is not None:
            query = query.where(tables.letters.c.reason == reason)
        with self._database.read() as connection:
            return [rows.letter(row) for row in connection.execute(query)]

    def letter(self, id: str) -> DeadLetter:
        with self._database.read() as connection:
            row = connection.execute(select(tables.letters).where(tables.letters.c.id == id)).first()
        if row is None:
            raise NotFound("There is no such dead letter.", field="letter", rule="exists")
        return rows.letter(row)

    def oldest_letters(self, tenant: TenantId, reason: str, limit: int) -> Sequence[DeadLetter]:
        letters = tables.letters.c
        query = select(tables.letters).where(letters.reason == reason, letters.tenant == tenant).order_by(
            letters.received_at, letters.id).limit(limit)
        with self._database.read() as connection:
            return [rows.letter(row) for row in connection.execute(query)]

    def towns_with_letters(self, reason: str) -> Collection[TenantId]:
        towns = select(tables.letters.c.tenant).where(tables.letters.c.reason == reason).distinct()
        with self._database.read() as connection:
            return [town for town in connection.scalars(towns) if town is not None]

    def remove_letter(self, id: str) -> None:
        self.remove_letters((id,))

    def remove_letters(self, ids: Collection[str]) -> None:
        if not ids:
            return
        database, table = self._database, tables.letters
        with database.write() as connection:
            connection.execute(delete(table).where(database.among(table.c.id)), database.listed(list(ids)))

    def count_letters(self) -> Mapping[str, int]:
        letters = tables.letters.c
        query = select(letters.reason, func.sum(letters.times)).group_by(letters.reason)
        with self._database.read() as connection:
            return {reason: int(count) for reason, count in connection.execute(query)}

    def ping(self) -> None:
        with self._database.read() as connection:
            connection.execute(text("SELECT 1"))

    def take_lease(self, wanted: Lease, seconds: float, *, restarted: bool = False, patience_s: float = 0.0) -> Lease | None:
        return self._leases.take(wanted, seconds, restarted=restarted, patience_s=patience_s)

    def release_lease(self, lease: Lease) -> None:
        self._leases.release(lease)

    def commit_as(self, lease: Lease, facts: Facts, *, wait_s: float | None = None) -> Mapping[TenantId, int]:
        with self._database.only_if(partial(insist, lease=lease)), self._database.hurried(wait_s):
            return self._commits.commit(facts)

    def all_spent(self, since: datetime) -> Sequence[Spent]:
        return all_spent(self._database, since)

    def put_beat(self, beat: Beat) -> None:
        self._beats.put(beat)

    def beats(self) -> Sequence[Beat]:
        return self._beats.all()

    def intents(self) -> tuple[int, Mapping[TenantId, int]]:
        return self._commits.intents()

    def close(self) -> None:
        self._database.close()
