"""All towns as the steering loop sees them, and which of their devices it has to look at now.

A look at each device each second would take the time of whoever waits for an uplink. So devices are looked at when
something about them has changed (the memory tells), when it is time (a deadline, a setpoint that ends, an order that has to
be renewed), and all of them in turn within a minute: that finds silence, and whatever else nobody has told.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from math import inf
from time import perf_counter

from city.commands import Command, Priority, State
from city.groups import Cover, Target
from city.ids import CommandId, DevEui, GatewayId, TenantId
from city.lighting import Override
from city.places import Luminaire, Supply
from city.store.ports import Known, Store, TenantStore
from gateway_bridge import wishes
from gateway_bridge.asking import READ_BACK
from gateway_bridge.configuring import TABLES, hold_off
from gateway_bridge.memory import Memory
from gateway_bridge.pace import Gate
from gateway_bridge.reading import Key, Own
from gateway_bridge.towns import Applied, Town, moved_on

ROUND = timedelta(seconds=60)  # in which each device has its turn, and what people want is read anew in any case
LEAST = 50  # devices whose turn it is in one look: a small town is looked at as a whole
READ_S = 0.25  # for what people want, in one look; the other towns are read in the next
MOST_COMMANDS = 100_000


def always(gateway: GatewayId | None, priority: Priority) -> bool:  # noqa: ARG001 - a gate that is open
    """Every gateway is open for every order."""
    return True


Heap = list[tuple[tuple[int, datetime, CommandId], DevEui]]


@dataclass(slots=True)
class _Page:
    """One town, and how old what is known of it is. `devices` is never changed: it is replaced."""

    town: Town
    intents: int = -1
    registry: int = -1
    urgent: bool = False
    read_at: datetime | None = None
    devices: Sequence[DevEui] = ()
    orphans: Sequence[Command] = ()
    planned: dict[GatewayId | None, Heap] = field(default_factory=dict)  # what may be sent, by the gateway that sends it

    def rank(self, registry: int, intents: Mapping[TenantId, int], now: datetime) -> int | None:
        """Towns with the lowest number are read first; None: nothing has changed."""
        if self.read_at is not None and intents.get(self.town.tenant.id, 0) != self.intents:
            return 0
        if self.urgent:
            return 1
        if self.registry != registry:
            return 2
        return 3 if self.read_at is None or not timedelta() <= now - self.read_at < ROUND else None


class Mirror:
    """`read` may be called at any time; the other methods while nobody else changes the memory."""

    def __init__(self, store: Store, memory: Memory, *, least: int = LEAST, timer: Callable[[], float] = perf_counter,
                 readers: Sequence[Callable[[TenantStore], None]] = (), local: Collection[str] = (),
                 each: float = inf) -> None:
        """`readers` are told of each town whose devices are read. `local` and `each`: as of Town."""
        self._store, self._memory, self._news = store, memory, memory.follow()
        self._readers, self._local, self._each = readers, local, each
        self._least, self._timer = least, timer
        self._pages: dict[TenantId, _Page] = {}
        self._registry = -1
        self._due: dict[DevEui, None] = {}
        self._later: deque[DevEui] = deque()
        self._times: list[tuple[datetime, DevEui]] = []
        self._again: dict[DevEui, datetime] = {}
        self._ring: Iterator[DevEui] = iter(())
        self._swept_at: datetime | None = None
        self._owed = 0.0
        self._queued: set[CommandId] = set()
        self.scripts: Mapping[Key, Own] = {}

    def read(self, scripts: Mapping[Key, Own], now: datetime) -> None:
        """What people have changed. Raises StoreDown."""
        registry, intents = self._store.intents()
        if registry != self._registry:
            self._enrol()
            self._registry = registry
        self._describe(scripts)
        begun = self._timer()
        ranked = [(rank, page) for page in self._pages.values() if (rank := page.rank(registry, intents, now)) is not None]
        for rank, page in sorted(ranked, key=lambda one: one[0]):
            if rank and self._timer() - begun > READ_S:
                return
            self._read_page(page, registry, intents.get(page.town.tenant.id, 0), now)

    def begin(self, now: datetime) -> None:
        """A new look: what has its turn by time."""
        for page in self._pages.values():
            if page.read_at is None:
                continue
            turned, changed = moved_on(page.town, now)
            if turned:
                self._later.extend(page.devices)
            if changed:
                self.look_at(self._covered(page, changed))
        while self._times and self._times[0][0] <= now:
            at, device = heapq.heappop(self._times)
            if self._again.get(device) == at:
                del self._again[device]
                self._due[device] = None
        self._sweep(now)

    def hear(self) -> None:
        """What the memory has to tell."""
        news = self._news
        self._due |= news.moved
        for command in news.ended:
            page = self._pages.get(command.tenant)
            if page is not None:
                page.town.told(command)
        for tenant in news.registered | news.missed:
            if tenant in self._pages:
                self._pages[tenant].urgent = True
        news.clear()

    def take(self, most: int) -> list[DevEui]:
        """The next devices to look at, out of the queue; whoever cannot do it puts them back by `look_at`."""
        if self._due:
            taken = list(islice(self._due, most))
            for device in taken:
                del self._due[device]
            return taken
        return [self._later.popleft() for _ in range(min(most, len(self._later)))]

    def look_at(self, devices: Iterable[DevEui]) -> None:
        """As soon as possible."""
        self._due.update(dict.fromkeys(devices))

    def look_again(self, device: DevEui, at: datetime, now: datetime) -> None:
        """Not before this time; where that is far away it has its turn before."""
        known = self._again.get(device)
        if at - now <= wishes.HORIZON and (known is None or at < known):
            self._again[device] = at
            heapq.heappush(self._times, (at, device))

    @property
    def waiting(self) -> bool:
        """Whether any device is still to be looked at."""
        return bool(self._due or self._later or self._news.moved)

    def town(self, tenant: TenantId) -> Town | None:
        """None until it has been read."""
        page = self._pages.get(tenant)
        return None if page is None or page.read_at is None else page.town

    def towns(self, first: int) -> list[TenantId]:
        """All of them, each the first in its turn."""
        tenants = sorted(self._pages)
        first = first % len(tenants) if tenants else 0
        return tenants[first:] + tenants[:first]

    def queue(self, command: Command) -> None:
        """It may be sent."""
        page = self._pages.get(command.tenant)
        if page is not None and command.id not in self._queued:
            self._queued.add(command.id)
            heapq.heappush(page.planned.setdefault(self._gateway(command.device), []), (wishes.urgency(command), command.device))

    def next_queued(self, tenant: TenantId, now: datetime, opens: Gate = always) -> tuple[Known, Command] | None:
        """The most urgent command of the town that may still be sent, out of the queue; of gateways that are not open for
        its priority, none."""
        page = self._pages[tenant]
        while heap := _most_urgent(page.planned, opens):
            (_, _, queued), device = heapq.heappop(heap)
            self._queued.discard(queued)
            known = self._memory.get(device)
            command = wishes.next_to_send(known.live, now) if known is not None else None
            if known is not None and command is not None and command.id == queued:
                return known, command
            self._due[device] = None
        return None

    def queued(self, tenant: TenantId, now: datetime) -> list[tuple[Known, Command]]:
        """All that wait to be sent, in any order; they stay in the queue."""
        found: list[tuple[Known, Command]] = []
        for heap in self._pages[tenant].planned.values():
            for (_, _, queued), device in heap:
                known = self._memory.get(device)
                command = wishes.next_to_send(known.live, now) if known is not None else None
                if known is not None and command is not None and command.id == queued:
                    found.append((known, command))
        return found

    def waiting_orders(self, tenant: TenantId) -> int:
        """How many orders of the town that somebody may be waiting for are still to be sent."""
        return sum(at[0] < Priority.CONFIG.value for heap in self._pages[tenant].planned.values() for at, _ in heap)

    def lamps(self, tenant: TenantId) -> list[Known]:
        """What is known of the town's devices that serve a lamp."""
        page = self._pages.get(tenant)
        found = map(self._memory.get, page.devices) if page is not None else ()
        return [known for known in found if known is not None and known.asset.kind == "lamp"]

    def own(self, tenant: TenantId) -> TenantStore:
        """The town's half of the store. Raises StoreDown."""
        return self._store.tenant(tenant)

    def orphans(self) -> list[Command]:
        """Live commands of devices that the registry has no more; told once."""
        found = [command for page in self._pages.values() for command in page.orphans]
        for page in self._pages.values():
            page.orphans = ()
        return found

    def _enrol(self) -> None:
        tenants = self._store.tenants()
        for tenant in tenants:
            page = self._pages.setdefault(tenant.id, _Page(Town.of(tenant, self._local, self._each)))
            if page.town.tenant != tenant:
                page.town.tenant = tenant
                page.urgent = True
        for gone in self._pages.keys() - {tenant.id for tenant in tenants}:
            del self._pages[gone]

    def _describe(self, scripts: Mapping[Key, Own]) -> None:
        """Other scripts than before: their towns' devices may be told something else."""
        if scripts is self.scripts:
            return
        towns = {key[0] for key in scripts.keys() | self.scripts.keys() if scripts.get(key) is not self.scripts.get(key)}
        for tenant in towns & self._pages.keys():
            self._later.extend(self._pages[tenant].devices)
        self.scripts = scripts

    def _read_page(self, page: _Page, registry: int, intents: int, now: datetime) -> None:
        own = self._store.tenant(page.town.tenant.id)
        if page.registry != registry or page.urgent:
            for reader in self._readers:
                reader(own)
            self._read_devices(page, own, now)
            page.registry, page.urgent = registry, False
        self._read_wishes(page, own, now)
        page.intents, page.read_at = intents, now

    def _read_wishes(self, page: _Page, own: TenantStore, now: datetime) -> None:
        town, programming = page.town, own.programming()
        if programming != town.programming:
            town.programming = programming
            town.changed()
        town.overrides, town.group_wishes = own.overrides_from(now), own.group_wishes()
        before, town.configs = town.configs, wishes.configs(self._store.config_wishes(town.tenant.id))
        self.look_at(device for device in before.keys() | town.configs.keys()
                     if before.get(device) != town.configs.get(device))
        asked, town.asked = town.asked, own.asked(now - wishes.ASKED_FOR)
        if asked != town.asked:
            self.look_at(self._covered_by(page, [Target("lamp", asset) for asset in town.asked]))
        town.failed = {key: at for key, at in town.failed.items() if now - at < hold_off(key[1])}

    def _read_devices(self, page: _Page, own: TenantStore, now: datetime) -> None:
        """Which devices the town has, and what they were last made to do. Those that are new have their turn first."""
        town, before = page.town, set(page.devices)
        page.devices = [self._shared(device.dev_eui) for device in own.devices()]
        if page.read_at is not None:  # at first all have their turn, since the program begins
            self._later.extend(page.devices if page.urgent else (one for one in page.devices if one not in before))
        if set(page.devices) != before:
            town.untold.begin(page.devices, now)
        town.applied = {self._shared(device): Applied.of(command)
                        for device, command in self._store.last_applied(town.tenant.id).items()}
        town.night_feeders = frozenset(one.id for one in own.circuits() if one.supply is Supply.NIGHT)
        for origin in (None, TABLES, READ_BACK):
            for command in own.commands(states=(State.FAILED, State.EXPIRED), changed_since=now - hold_off(origin or ""),
                                        origin=origin, limit=MOST_COMMANDS):
                town.told(command)
        serving = set(page.devices)
        page.orphans = [command for command in self._store.live_commands(town.tenant.id) if command.device not in serving]

    def _shared(self, device: DevEui) -> DevEui:
        """The same text as in the memory: a city has many."""
        known = self._memory.get(device)
        return device if known is None else known.device.dev_eui

    def _gateway(self, device: DevEui) -> GatewayId | None:
        known = self._memory.get(device)
        return known.state.gateway if known is not None else None

    def _covered(self, page: _Page, changed: Collection[Override]) -> Iterator[DevEui]:
        """The lamps of these overrides; one that is not known yet has its turn anyway."""
        yield from self._covered_by(page, [target for wish in changed for target in wish.targets])

    def _covered_by(self, page: _Page, targets: Iterable[Target]) -> Iterator[DevEui]:
        cover = Cover(targets, page.town.programming.groups)
        for device in page.devices:
            known = self._memory.get(device)
            if known is not None and isinstance(known.asset, Luminaire) and known.asset in cover:
                yield device

    def _sweep(self, now: datetime) -> None:
        total = sum(len(page.devices) for page in self._pages.values())
        passed = max(now - self._swept_at, timedelta()) if self._swept_at is not None else timedelta()
        self._swept_at = now
        if len(self._later) >= total:
            return
        self._owed = min(self._owed + total * (passed / ROUND), total)
        share = min(max(self._least, int(self._owed)), total)
        self._owed -= min(share, self._owed)
        turn = list(islice(self._ring, share))
        if len(turn) < share:
            self._ring = (device for page in list(self._pages.values()) for device in page.devices)
            turn += islice(self._ring, share - len(turn))
        self._later.extend(turn)


def _most_urgent(planned: Mapping[GatewayId | None, Heap], opens: Gate) -> Heap | None:
    """The heap with the most urgent command of all that may go now."""
    heaps = [heap for gateway, heap in planned.items() if heap and opens(gateway, Priority(heap[0][0][0]))]
    return min(heaps, key=lambda heap: heap[0], default=None)
