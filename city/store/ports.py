"""What the rest of the platform asks of storage. People write intents through TenantStore, the bridge writes Facts.

A TenantStore cannot name another tenant: whatever it returns or takes belongs to its own. All methods block; call them
from a thread where a loop must not wait. All raise StoreDown when the database cannot be reached or written.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import NamedTuple, Protocol

import msgspec

from city.alarms import Alarm
from city.budget import Spent
from city.commands import Command, State
from city.health import Beat
from city.ids import AssetId, CircuitId, CommandId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.lighting import Override
from city.places import Asset, Circuit, Device, Luminaire, ParkingBay, Street, Tenant, Zone
from city.quantities import Quantity, Value
from city.readings import DeviceState, Entry, Place
from city.scripts import Script
from city.store.port_air import NO_CHANGES, AirChanges, AirStore
from city.store.port_asks import AskStore
from city.store.port_energy import EnergyBook, EnergyStore
from city.store.port_faults import Faults, TenantFaults
from city.store.port_glance import GlanceStore
from city.store.port_lighting import LightingStore
from city.store.port_parking import ParkingBook, ParkingStore
from city.store.port_steps import StepStore


class Role(Enum):
    """What a person or program may do in a tenant; each role may do what the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"  # dims lamps, acknowledges alarms
    ENGINEER = "engineer"  # configures devices, imports, replays dead letters
    ADMIN = "admin"  # accounts and tokens


class Area(Enum):
    """A part of the town's work. Who works in one alone neither sees nor changes what is of another."""

    LIGHTING = "lighting"
    PARKING = "parking"


EVERY_AREA = frozenset(Area)


@dataclass(frozen=True, slots=True)
class Account:
    """A local account. `tenant` None: it may act in every town. `password_hash` is argon2id, never shown. Its role holds in its
    `areas` alone."""

    name: str
    role: Role
    tenant: TenantId | None
    password_hash: str = field(repr=False)
    areas: frozenset[Area] = EVERY_AREA


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as kept: only its SHA-256. `prefix` (8 characters) lets a person recognise it."""

    prefix: str
    name: str
    role: Role
    tenant: TenantId | None
    digest: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None
    areas: frozenset[Area] = EVERY_AREA


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser, by the SHA-256 of its cookie; `csrf` is what its forms must carry."""

    digest: str = field(repr=False)
    account: str
    csrf: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what, when: one line for each intent."""

    at: datetime
    actor: str
    action: str
    target: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Input that could not be read, kept whole. `id` is a digest of topic and payload: the same input is one letter
    whose `count` rises. `tenant` is None unless our registry knows the device."""

    id: str
    received_at: datetime
    topic: str
    payload: bytes = field(repr=False)
    reason: str
    detail: str
    tenant: TenantId | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class ConfigWish:
    """The configuration a person wants of one device: JSON of a firmware_config.DeviceConfig."""

    device: DevEui
    wanted: bytes
    actor: str
    at: datetime


class Registered(msgspec.Struct, frozen=True, gc=False):
    """A device that serves an asset of a town, and the place of what it says."""

    tenant: Tenant
    device: Device
    asset: Asset
    place: Place

    @classmethod
    def of(cls, tenant: Tenant, device: Device, asset: Asset) -> "Registered":
        return cls(tenant, device, asset, Place(tenant.id, asset.id, asset.kind, asset.zone, asset.circuit, device.dev_eui))


class Known(msgspec.Struct, frozen=True, gc=False):
    """All that the bridge needs to know about one device to handle its event."""

    registered: Registered
    state: DeviceState
    live: tuple[Command, ...] = ()
    alarms: tuple[Alarm, ...] = ()

    @property
    def tenant(self) -> Tenant:
        return self.registered.tenant

    @property
    def device(self) -> Device:
        return self.registered.device

    @property
    def asset(self) -> Asset:
        return self.registered.asset


View = Mapping[DevEui, Known]


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened, for one transaction. Everything is keyed, so committing the same facts twice changes nothing."""

    entries: tuple[Entry, ...] = ()
    states: tuple[DeviceState, ...] = ()
    commands: tuple[Command, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    letters: tuple[DeadLetter, ...] = ()
    air: AirChanges = NO_CHANGES


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do a job alone, as the process `holder` has or wants it; `fence` rises with each new holder."""

    name: str
    holder: str
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed in a tenant since a revision, and the revision to ask from next time."""

    revision: int
    states: tuple[DeviceState, ...]
    commands: tuple[Command, ...]
    alarms: tuple[Alarm, ...]
    overrides: tuple[Override, ...]
    assets: tuple[Asset, ...] = ()


class TenantStore(LightingStore, AirStore, AskStore, TenantFaults, StepStore, EnergyStore, ParkingStore, GlanceStore, Protocol):
    """One tenant's registry, intents and facts. Lookups of one thing raise NotFound."""

    @property
    def tenant(self) -> Tenant: ...

    # registry
    def zones(self) -> Sequence[Zone]: ...
    def zone(self, id: ZoneId) -> Zone: ...
    def circuits(self) -> Sequence[Circuit]: ...
    def put_circuit(self, circuit: Circuit) -> None:
        """What is known of a circuit that the town has."""
        ...
    def luminaires(self, zone: ZoneId | None = None, circuit: CircuitId | None = None) -> Sequence[Luminaire]: ...
    def bays(self, zone: ZoneId | None = None) -> Sequence[ParkingBay]: ...
    def asset(self, id: AssetId) -> Asset: ...
    def devices(self) -> Sequence[Device]: ...
    def device_of(self, asset: AssetId) -> Device: ...
    def streets(self) -> Sequence[Street]: ...
    def put_streets(self, streets: Sequence[Street]) -> None: ...
    def import_rows(self, rows: Sequence[ImportRow]) -> int:
        """Create or update zones, circuits, assets and devices in one transaction; returns how many rows.
        Raises Conflict, naming the line, where a dev_eui already serves another tenant's asset."""
        ...

    # its own codecs
    def scripts(self) -> Sequence[Script]: ...
    def script(self, model: str) -> Script: ...
    def put_script(self, script: Script) -> None:
        """Add it, or a new version of it. Raises Conflict where a device of the model serves another kind of asset
        or the town keeps too many, Invalid where it is too large."""
        ...
    def remove_script(self, model: str) -> None:
        """Raises Conflict while the town has devices of the model."""
        ...
    def switch_script(self, model: str, off: str, actor: str, now: datetime) -> Script:
        """Off for the reason `off`, or on where that is ""; returns it as it is then."""
        ...

    # intents
    def set_blocked(self, bay: AssetId, blocked: bool) -> None: ...
    def config_wish(self, device: DevEui) -> ConfigWish | None: ...
    def put_config_wish(self, wish: ConfigWish) -> None: ...
    def acknowledge_alarm(self, id: str, actor: str, now: datetime) -> Alarm: ...
    def audit(self, line: AuditLine) -> None: ...
    def audit_lines(self, limit: int = 100) -> Sequence[AuditLine]: ...

    # facts
    def state(self, device: DevEui) -> DeviceState | None: ...
    def states(self) -> Mapping[DevEui, DeviceState]: ...
    def command(self, id: CommandId) -> Command: ...
    def commands(self, *, asset: AssetId | None = None, origin: str | None = None, states: Collection[State] = (),
                 changed_since: datetime | None = None, limit: int = 1000) -> Sequence[Command]:
        """Newest first; empty `states` means all; `changed_since`: those that changed then or later."""
        ...
    def alarms(self, *, open_only: bool = True, limit: int = 1000) -> Sequence[Alarm]: ...
    def letters(self, limit: int = 100) -> Sequence[DeadLetter]: ...
    def changes(self, since: int) -> Changes: ...
    def revision(self) -> int: ...


class Store(Faults, EnergyBook, ParkingBook, Protocol):
    """The city database."""

    # towns and who may enter
    def tenants(self) -> Sequence[Tenant]: ...
    def tenant(self, id: TenantId) -> TenantStore:
        """Raises NotFound."""
        ...
    def put_tenant(self, tenant: Tenant) -> None: ...
    def account(self, name: str) -> Account | None: ...
    def put_account(self, account: Account) -> None: ...
    def put_session(self, session: Session) -> None: ...
    def session(self, digest: str, now: datetime) -> tuple[Session, Account] | None: ...
    def end_session(self, digest: str) -> None: ...
    def put_token(self, token: Token) -> None: ...
    def token(self, digest: str, now: datetime) -> Token | None: ...

    # the bridge
    def scripts(self) -> Sequence[Script]:
        """Those of all towns."""
        ...
    def scripts_revision(self) -> int:
        """A number that rises with any change of any town's script; cheap to ask for."""
        ...
    def registry_revision(self) -> int:
        """A number that rises when any town's assets or devices change; cheap to ask for."""
        ...
    @property
    def commits(self) -> int:
        """How often this object has committed facts that nobody else may know of yet."""
        ...
    def revisions(self) -> tuple[int, Mapping[TenantId, int]]:
        """The registry's revision and each town's, in one cheap query."""
        ...
    def registered(self, devices: Collection[DevEui]) -> Mapping[DevEui, Registered]:
        """Town, device and asset of these devices, from memory as long as no registry has changed."""
        ...
    def view(self, devices: Collection[DevEui]) -> View:
        """What is known of these devices, in one query a table; devices without an asset are missing from it."""
        ...
    def commit(self, facts: Facts) -> Mapping[TenantId, int]:
        """States, commands, alarms and dead letters in one durable transaction, stamped with a new revision of each town
        that they change: those are returned. Entries are the reading log's business and ignored here."""
        ...
    def live_commands(self, tenant: TenantId | None = None) -> Sequence[Command]: ...
    def last_applied(self, tenant: TenantId) -> Mapping[DevEui, Command]:
        """The newest applied SetLevel or Resume of each device."""
        ...
    def config_wishes(self, tenant: TenantId) -> Mapping[DevEui, ConfigWish]: ...
    def all_letters(self, limit: int = 100, reason: str | None = None) -> Sequence[DeadLetter]: ...
    def oldest_letters(self, tenant: TenantId, reason: str, limit: int) -> Sequence[DeadLetter]:
        """A town's letters of one reason, the oldest first."""
        ...
    def towns_with_letters(self, reason: str) -> Collection[TenantId]:
        """The towns that have letters of this reason; cheap to ask for."""
        ...
    def letter(self, id: str) -> DeadLetter: ...
    def remove_letter(self, id: str) -> None: ...
    def remove_letters(self, ids: Collection[str]) -> None: ...
    def count_letters(self) -> Mapping[str, int]:
        """By reason."""
        ...
    def ping(self) -> None:
        """Raises StoreDown."""
        ...
    def close(self) -> None: ...
    def take_lease(self, wanted: Lease, seconds: float, *, restarted: bool = False, patience_s: float = 0.0) -> Lease | None:
        """Take or renew the lease for so many seconds from now, by the database's clock; None while another holds it, or
        held it until less than `patience_s` ago. `wanted` is the lease as last held, with fence 0 at first; `restarted`:
        a former process of the same holder's name is gone, so what it held is ours, under a new fence."""
        ...
    def release_lease(self, lease: Lease) -> None:
        """It ends now, for whoever wants it next; nothing where another has taken it."""
        ...
    def commit_as(self, lease: Lease, facts: Facts, *, wait_s: float | None = None) -> Mapping[TenantId, int]:
        """As `commit`, in the same transaction as the proof that the lease is still ours; for who keeps others waiting, with
        no more than `wait_s` for each lock. Raises LeaseLost, and then nothing is committed."""
        ...
    def all_spent(self, since: datetime) -> Sequence[Spent]:
        """Time on air of all towns' orders since then."""
        ...
    def put_beat(self, beat: Beat) -> None:
        """A bridge's sign of life, in the place of its former one."""
        ...
    def beats(self) -> Sequence[Beat]:
        """The last sign of life of each bridge, the newest first."""
        ...
    def intents(self) -> tuple[int, Mapping[TenantId, int]]:
        """The registry's revision, and how often people have changed what they want of each town (0 is left out: programs,
        overrides, configurations), in one cheap query."""
        ...


@dataclass(frozen=True, slots=True)
class Point:
    """One value in a history: the value itself, or the mean of a step (its last value for counters, text and truth)."""

    at: datetime
    value: Value


class Picked(NamedTuple):
    """Some of the entries of a log, and the position up to which it was looked through; `looked` at so many."""

    entries: list[tuple[int, Entry]]
    last: int
    looked: int


class ReadingLog(Protocol):
    """History: what was said, in order of arrival for shipping and by time for questions."""

    def append(self, entries: Sequence[Entry]) -> int:
        """Durable (fsynced) when it returns; entries already there by (at_ns, device, key) are passed over.
        Returns how many were new. Raises StoreDown."""
        ...
    def history(self, tenant: TenantId, asset: AssetId, quantity: Quantity, start: datetime, end: datetime,
                every_s: float | None = None, channel: str = "") -> list[Point]:
        """Values with start ≤ at < end in order of time, or one per step of `every_s`; implausible ones left out."""
        ...
    def entries(self, tenant: TenantId, asset: AssetId, start: datetime, end: datetime, limit: int) -> list[Entry]:
        """What an asset said with start ≤ time < end, the newest first."""
        ...
    def after(self, cursor: int, limit: int) -> Iterator[tuple[int, Entry]]:
        """Entries in order of arrival with their position, from the first position above `cursor`."""
        ...
    def picked(self, cursor: int, limit: int, wanted: Callable[[Place], bool]) -> Picked:
        """Of at most `limit` entries from the first position above `cursor`, in order of arrival, those of wanted places."""
        ...
    def cursor(self, sink: str) -> int: ...
    def move_cursor(self, sink: str, position: int) -> None: ...
    def head(self) -> int:
        """The newest position."""
        ...
    def close(self) -> None: ...
