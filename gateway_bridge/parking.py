"""The loop that counts bays: what sensors have said becomes what is kept of bays and zones.

Every bridge follows its own log and writes the words of parking sensors into the city database. The bridge that steers reads
the words of all bridges from there, and looks at every town every few seconds. What it remembers of them it keeps in the
database every quarter of an hour and at the end; the next one goes on from there and from the words since then.

A bridge that is cut off from the broker finds out nothing: the time of the last evaluation stays, and so readers see that
numbers grow old.
"""

import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from city.bays import BayEvent, Rules, event_of
from city.clock import Clock
from city.errors import LeaseLost
from city.ids import AssetId, DevEui, GatewayId, TenantId
from city.parking import sign_of_life
from city.parking_counting import Kept, Sensor, Town, packed, unpacked
from city.parking_display import ZoneRules
from city.parking_doubt import DoubtRules
from city.places import Tenant
from city.public_parking import merged
from city.readings import from_ns, to_ns
from city.reception import GatewayWord, SilenceRules, usual_ears
from city.settings import Parking
from city.store import packing
from city.store.port_parking import ParkingFound
from city.store.ports import Known, Lease, Store
from city.store.readings import LocalLog
from decoders.catalog import catalog
from gateway_bridge.parking_books import Books
from gateway_bridge.parking_checks import Checks
from gateway_bridge.reading import Own

CURSOR = "parking"
ROWS, MOST_ROWS = 5000, 50_000  # at once, and before a town is looked at
SAVE_EVERY, REGISTER_EVERY = timedelta(minutes=15), timedelta(minutes=10)
OVERLAP, LONG_OVERLAP = timedelta(seconds=60), timedelta(minutes=20)  # other bridges' words may become visible a little later
SETTLE = timedelta(seconds=10)  # after a connection: what the broker has kept comes first
CATCH_UP = timedelta(seconds=15)  # so far behind the log may be for a look to be of the present …
LONGEST_CATCH_UP = timedelta(minutes=5)  # … and for so long one waits until it is not
AHEAD = timedelta(hours=1)
LARGEST = 512 * 2**20  # bytes of a memory when it is unpacked
UNKNOWN_BEAT = timedelta(hours=24)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loop is told by others of the same process: whether it is the one that looks, and under which lease; what is
    known of a device; whether there is a connection to the broker, and how many of them had lost what was kept for us; the
    towns' own scripts; what the network server has said of a town's gateways lately."""

    lease: Callable[[], tuple[bool, Lease | None]]
    known: Callable[[DevEui], Known | None]
    connected: Callable[[], bool]
    sessions_lost: Callable[[], int]
    scripts: Callable[[], Mapping[tuple[TenantId, str], Own]]
    gateways: Callable[[TenantId, datetime], Mapping[GatewayId, GatewayWord] | None] = lambda _tenant, _now: None


@dataclass(slots=True)
class _Town:
    """A town and what belongs to its looks."""

    town: Town
    devices: Mapping[AssetId, tuple[DevEui, timedelta]]
    books: Books
    checks: Checks
    registry: int
    registered: datetime
    saved: datetime
    full: datetime | None = None
    seen: dict[tuple[AssetId, str], datetime] = field(default_factory=dict)


class ParkingCounter:
    """Counts all towns. Blocks; belongs to one loop."""

    def __init__(self, store: Store, log: LocalLog, clock: Clock, settings: Parking, around: Surroundings) -> None:
        self._store, self._log, self._clock, self._settings, self._around = store, log, clock, settings, around
        self._rules, self._zone_rules = Rules.of(settings), ZoneRules.of(settings)
        self._towns: dict[TenantId, _Town] = {}
        self._connected: datetime | None = None  # since when
        self._cut: datetime | None = None
        self._lost = around.sessions_lost()
        self._cursor: int | None = None
        self._behind: dict[TenantId, datetime] = {}  # since when all that the log says of a town is of the past

    def step(self) -> bool:
        """Follow the log, and look at the towns; returns whether there is more to follow. Raises StoreDown."""
        now = self._clock.now()
        more = self._follow(now)
        ours, lease = self._around.lease()
        if not ours:
            self._towns.clear()
            return more
        listens, tenants = self._listens(now) and not more, self._store.tenants()
        for gone in self._towns.keys() - {tenant.id for tenant in tenants}:
            del self._towns[gone]
        registry = self._store.registry_revision()
        for tenant in tenants:
            try:
                self._town(tenant, registry, now, lease, listens=listens and not self._catches_up(tenant.id, now))
            except LeaseLost as error:
                _log.warning("%s", error)
                self._towns.clear()
                break
            except BaseException:
                self._towns.pop(tenant.id, None)  # what was found may not be written: begin where the memory was kept
                raise
        return more

    def pause(self) -> float:
        """Seconds until the next look."""
        return pause(self._clock.now(), self._settings)

    def save(self) -> None:
        """Keep what is remembered, at the end. Raises StoreDown."""
        ours, lease = self._around.lease()
        for tenant, town in self._towns.items() if ours else ():
            self._keep(tenant, town, self._clock.now(), lease)

    # -- from the log into the database

    def _follow(self, now: datetime) -> bool:
        """Whether there is more."""
        begins = self._cursor is None
        if self._cursor is None:
            self._cursor = self._log.cursor(CURSOR) or self._begin(now)
        rows = self._log.rows(self._cursor, ROWS)
        if not rows:
            if not begins:
                self._behind.clear()
            return False
        means = self._log.means()
        found: dict[TenantId, list[tuple[AssetId, BayEvent]]] = {}
        newest: dict[TenantId, int] = {}
        for _, at_ns, _, number, body in rows:
            place = means.places.get(number)
            if place is None:
                continue
            newest[place.tenant] = max(newest.get(place.tenant, 0), at_ns)
            self._heard(place.tenant, place.device, at_ns)
            if place.kind == "bay" and (event := event_of(packing.unpack(body, at_ns, number, means))) is not None:
                found.setdefault(place.tenant, []).append((place.asset, event))
        self._write(found, now)
        self._behind = self._late(newest, now)
        self._cursor = rows[-1][0]
        self._log.move_cursor(CURSOR, self._cursor)
        return len(rows) == ROWS

    def _begin(self, now: datetime) -> int:
        """The first time: what the log has of the days for which words are kept; returns the position to go on from."""
        head, means = self._log.head(), self._log.means()
        bays = {number for number, place in means.places.items() if place.kind == "bay"}
        since, until = to_ns(now - timedelta(days=self._settings.raw_days)), to_ns(now + AHEAD)
        found: dict[TenantId, list[tuple[AssetId, BayEvent]]] = {}
        newest: dict[TenantId, int] = {}
        for number, (_, at_ns, place, body) in enumerate(self._log.scan(bays, since, until) if bays else ()):
            if place in bays and (event := event_of(packing.unpack(body, at_ns, place, means))) is not None:
                where = means.places[place]
                newest[where.tenant] = max(newest.get(where.tenant, 0), at_ns)
                found.setdefault(where.tenant, []).append((where.asset, event))
            if number % ROWS == ROWS - 1:
                self._write(found, now)
                found = {}
        self._write(found, now)
        self._behind = self._late(newest, now)
        return head

    def _write(self, found: Mapping[TenantId, list[tuple[AssetId, BayEvent]]], now: datetime) -> None:
        towns = {town.id for town in self._store.tenants()} if found else ()
        for tenant, events in found.items():
            if tenant in towns:
                self._store.add_bay_events(tenant, events, now)

    def _heard(self, tenant: TenantId, device: DevEui, at_ns: int) -> None:
        """A gateway has heard a frame."""
        town, known = self._towns.get(tenant), self._around.known(device)
        if town is not None and known is not None and known.state.gateway is not None:
            town.town.kept.reception.heard(known.state.gateway, at_ns)

    def _late(self, newest: Mapping[TenantId, int], now: datetime) -> dict[TenantId, datetime]:
        """Since when nothing newer is told of which towns than some time ago."""
        return {tenant: self._behind.get(tenant, now) for tenant, at_ns in newest.items() if at_ns < to_ns(now - CATCH_UP)}

    def _catches_up(self, tenant: TenantId, now: datetime) -> bool:
        """Whether what we have just heard of the town is all of the past, as after a start: a look would call it the present,
        and gateways silent that are not. After a while one looks all the same: perhaps the network server's clock is slow."""
        since = self._behind.get(tenant)
        return since is not None and now - since < LONGEST_CATCH_UP

    def _listens(self, now: datetime) -> bool:
        """Whether what sensors say reaches us, and what was kept for us has."""
        if not self._around.connected():
            if self._connected is not None or self._cut is None:
                self._cut = now
            self._connected = None
            return False
        if self._connected is None:
            self._connected = now
            self._resumed(now)
        return now - self._connected >= SETTLE or self._cut is None

    def _resumed(self, now: datetime) -> None:
        """The connection is there again: silence so far says nothing of gateways. Where the broker has not kept what was said
        meanwhile, it is lost."""
        lost, self._lost = self._around.sessions_lost() > self._lost, self._around.sessions_lost()
        for town in self._towns.values():
            town.town.kept.reception.resume(now)
            if lost and self._cut is not None:
                town.town.deafened(to_ns(self._cut), to_ns(now))

    # -- one town

    def _town(self, tenant: Tenant, registry: int, now: datetime, lease: Lease | None, *, listens: bool) -> None:
        town = self._towns.get(tenant.id) or self._load(tenant, registry, now)
        self._register(tenant, town, registry, now)
        if town.town.empty and town.full is not None:  # it has lamps alone, and no number of a former zone is left
            if town.saved < town.registered:
                self._keep(tenant.id, town, now, lease)
            return
        self._read(tenant.id, town, now)
        if not listens:
            return
        full = due(town.full, now, self._settings)
        if full:
            self._judge(tenant.id, town, now)
        if full or town.town.busy(now):
            self._look(tenant.id, town, now, lease, full=full)
        if now - town.saved >= SAVE_EVERY:
            self._read(tenant.id, town, now, LONG_OVERLAP)
            self._keep(tenant.id, town, now, lease)

    def _load(self, tenant: Tenant, registry: int, now: datetime) -> _Town:
        """A town as it was left, or from what sensors have said in the last days."""
        store = self._store.tenant(tenant.id)
        body = self._store.parking_memory(tenant.id)
        kept = unpacked(_inflated(body)) if body is not None else Kept()
        kept.reception.resume(now)
        kept.reception.rules = SilenceRules.of(self._settings)
        town = Town(kept, self._rules, self._zone_rules, DoubtRules.of(self._settings))
        town.recall(store.bay_facts())
        found = _Town(town, {}, Books(self._store, tenant, self._settings),
                      Checks(self._store, tenant.id, self._settings), -1, now, now)
        self._register(tenant, found, registry, now)
        if not kept.read_ns:
            for asset in found.devices:
                events = store.bay_events(asset, now - timedelta(days=self._settings.raw_days), now + AHEAD)
                town.again(asset, events)
            kept.read_ns = to_ns(now)
            heard = [memory.spans[0].begin_ns for memory in kept.bays.values() if memory.spans]
            found.books.begin(town, min(heard, default=to_ns(now)), now)
        self._towns[tenant.id] = found
        return found

    def _register(self, tenant: Tenant, town: _Town, registry: int, now: datetime) -> None:
        """The bays that there are, when the registry has changed; sites and sensors now and then, too."""
        if town.registry == registry and now - town.registered < REGISTER_EVERY:
            return
        store = self._store.tenant(tenant.id)
        bays = store.bays()
        ours = {bay.id for bay in bays}
        beats = {device.model: self._beat(tenant.id, device.model) for device in store.devices() if device.asset in ours}
        town.devices = {device.asset: (device.dev_eui, beats[device.model]) for device in store.devices() if device.asset in ours}
        town.town.register(bays, {asset: self._sensor(eui, beat) for asset, (eui, beat) in town.devices.items()},
                           merged(store.zones(), store.parking_sites()))
        town.registry, town.registered, town.full = registry, now, None

    def _read(self, tenant: TenantId, town: _Town, now: datetime, overlap: timedelta = OVERLAP) -> None:
        """What any bridge has written since the last look."""
        since = from_ns(town.town.kept.read_ns) - overlap
        new = [(asset, event, at) for asset, event, at in self._store.new_bay_events(tenant, since)
               if (asset, event.key) not in town.seen]
        if not new:
            return
        late = town.town.take((asset, event) for asset, event, _ in new)
        for asset, event, at in new:
            town.seen[(asset, event.key)] = at
            town.town.kept.read_ns = max(town.town.kept.read_ns, to_ns(at))
        for asset in {asset for asset, _, _ in new} & town.devices.keys():
            town.town.serve(asset, self._sensor(*town.devices[asset]))
        store = self._store.tenant(tenant)
        for asset in late:
            start = max(town.town.memory(asset).since_ns, to_ns(now - timedelta(days=self._settings.raw_days)))
            town.town.again(asset, store.bay_events(asset, from_ns(start), now + AHEAD))
        if len(new) > len(town.devices) // 2:  # as after a start
            town.full = None
        before = from_ns(town.town.kept.read_ns) - LONG_OVERLAP - OVERLAP
        if len(town.seen) > 10_000:
            town.seen = {key: at for key, at in town.seen.items() if at >= before}

    def _judge(self, tenant: TenantId, town: _Town, now: datetime) -> None:
        """What changes a bay beside its sensor: blocks, suspects, and gateways that have fallen silent."""
        store = self._store.tenant(tenant)
        blocked = {block.bay for block in store.bay_blocks(now) if block.holds(now)}
        town.town.judge(blocked=blocked, suspects=town.books.suspects)
        town.town.kept.reception.look(now, self._around.gateways(tenant, now))

    def _look(self, tenant: TenantId, town: _Town, now: datetime, lease: Lease | None, *, full: bool) -> None:
        found = town.town.look(now, full=full)
        kept = town.books.book(town.town, now) if full else ParkingFound()
        checks = town.checks.look(town.town, {asset: eui for asset, (eui, _) in town.devices.items()}, now) if full else ()
        if full or found.changed or found.bays:
            self._store.put_parking(tenant, ParkingFound(
                bays=found.bays, zones=found.zones, gone=found.gone, quarters=kept.quarters, stays=kept.stays, days=kept.days,
                forecasts=kept.forecasts, errors=kept.errors, checks=checks), lease=lease)
        if full:
            town.full = now

    def _keep(self, tenant: TenantId, town: _Town, now: datetime, lease: Lease | None) -> None:
        self._store.put_parking_memory(tenant, zlib.compress(packed(town.town.kept), 1), now, lease=lease)
        town.saved = now

    def _sensor(self, device: DevEui, beat: timedelta) -> Sensor:
        known = self._around.known(device)
        if known is None:
            return Sensor(beat)
        return Sensor(sign_of_life(known.state, beat), usual_ears(known.state, known.state.heard_ns))

    def _beat(self, tenant: TenantId, model: str) -> timedelta:
        codec = catalog().get(model)
        if codec is not None:
            return codec.heartbeat
        own = self._around.scripts().get((tenant, model))
        return own.codec.heartbeat if own is not None else UNKNOWN_BEAT


def due(last: datetime | None, now: datetime, settings: Parking) -> bool:
    """Whether every zone is to be evaluated, when all were at `last`: whenever `publish_s` seconds since 1970 are over, so that
    these times say nothing of what happens between them."""
    return last is None or int(last.timestamp()) // settings.publish_s != int(now.timestamp()) // settings.publish_s


def pause(now: datetime, settings: Parking) -> float:
    """Seconds until the next look: when `evaluate_s`, or `publish_s`, seconds since 1970 are over."""
    at = now.timestamp()
    return min(every - at % every for every in (settings.evaluate_s, settings.publish_s))


def _inflated(body: bytes) -> bytes:
    """Never more than LARGEST: what does not fit is no memory of ours."""
    try:
        return zlib.decompressobj().decompress(body, LARGEST)
    except zlib.error:
        return b""
