"""What the bridge knows of its devices, in memory; their states reach the city database a little later.

An uplink changes a device's state, and hardly ever anything else. Written at once that would be the dearest part of it:
pages all over the database for each batch. So states are kept here and written behind, for an allowance of bytes: those
that people wait for (a bay is free, a lamp burns at another level) at once while there are few of them, the others in the
order of their keys, since neighbours share a page. What must not be lost is in the log already: a cursor there says up to
where states are in the database, and what came after it is replayed at the start.

People, and other bridges on the same database, write too. Every town counts its changes, so one small query before each
batch tells whether there is anything to read.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from time import perf_counter

from msgspec import structs

from city.commands import Command
from city.ids import DevEui, TenantId
from city.readings import DeviceState
from city.store.commits import merged
from city.store.facts import MOST_CHANGES
from city.store.ports import Changes, Facts, Known, ReadingLog, Registered, Store, View
from decoders.catalog import catalog
from gateway_bridge.news import News, differs
from gateway_bridge.sessions import replayed

CURSOR = "states"
PACE = 10.0  # how many times as long as a writing took nothing is written: a slow disk has other work, too
AT_ONCE, AT_THE_END = 50, 1000  # states in one transaction: a few milliseconds, in which others wait
MET_AT_ONCE = 200
IN_ORDER_B, ANYWHERE_B = 1000, 8000  # what a state costs, written among its neighbours or alone: log and pages, estimated
CURSOR_EVERY_S = 10.0
FIRST_REPLAYED = 50_000  # entries, where no cursor is: of a bridge that ended before its first, or of one that kept none
LOOK_EVERY_S, AWAY_S = 0.2, 2.0
MOST_STRANGERS = 100_000


@dataclass(frozen=True, slots=True)
class Part:
    """Some states that are to be written, as they were when they were chosen."""

    states: tuple[DeviceState, ...]


class Allowance:
    """Bytes that may be written: so many a second, and so many for each change; at most MOST are saved up."""

    MOST = 1_000_000.0

    def __init__(self, per_second: float, per_change: float) -> None:
        self._per_second, self._per_change = per_second, per_change
        self._saved, self._at = self.MOST, perf_counter()

    def earn(self, changes: int) -> None:
        self._saved += changes * self._per_change

    def spend(self, size: float) -> bool:
        """Whether that is within it: a debt has to be paid off first."""
        now = perf_counter()
        self._saved = min(self._saved + (now - self._at) * self._per_second, self.MOST)
        self._at = now
        if self._saved < 0:
            return False
        self._saved -= size
        return True


class Memory:
    """What is known of each device that has been heard of. Its methods are for one thread at a time, but for `write`."""

    def __init__(self, store: Store, log: ReadingLog | None, *, pace: float = 0.0) -> None:
        """`pace` 0: all changes are due at once, and what others have written is looked for each time. Without a `log`
        nothing is to be kept here, only looked at."""
        self._store, self._log, self._pace = store, log, pace
        self._known: dict[DevEui, Known] = {}
        self._foreign: set[DevEui] = set()
        self._strangers: set[DevEui] = set()
        self._revisions: dict[TenantId, int] = {}
        self._registry = self._commits = -1
        self._dirty: dict[DevEui, int] = {}  # and the log's position before the first change that is not written
        self._urgent: set[DevEui] = set()
        self._sweep: list[DevEui] = []
        self._news: News | None = None
        self._unmet: list[DevEui] = []
        self._met = -1  # the registry's revision at which all have been met, or will be
        self._for_urgent, self._for_all = Allowance(60_000, 30), Allowance(120_000, 60)
        self._look_at = self._write_at = self._cursor_at = self._dirty_since = 0.0

    def recover(self) -> int:
        """At the start: bring the states up to what the log says; returns how many entries were replayed. Raises StoreDown."""
        if self._log is None:
            return 0
        cursor, replays = self._log.cursor(CURSOR) or max(self._log.head() - FIRST_REPLAYED, 0), 0
        before = cursor
        while entries := list(self._log.after(cursor, 5000)):
            known = dict(self.look({entry.place.device for _, entry in entries}))
            for position, entry in entries:
                if entry.place.device in known:
                    known[entry.place.device] = replayed(known[entry.place.device], entry)
                cursor = position
            self.keep(known, before)
            replays += len(entries)
        return replays

    def meet(self) -> bool:
        """Learn some of the registry's devices before they are heard, so that no event has to wait for that. Returns
        whether any are left. Raises StoreDown."""
        if self.stale:
            self.refresh()  # first: what others write from then on is told, what they wrote before is learned
        registry = self._store.registry_revision()
        if registry != self._met:
            self._unmet = [device.dev_eui for town in self._store.tenants()
                           for device in self._store.tenant(town.id).devices()]
            self._met = registry
        some, self._unmet = self._unmet[-MET_AT_ONCE:], self._unmet[:-MET_AT_ONCE]
        missing = self.missing(some)
        if missing:
            self.learn(missing)
        return bool(self._unmet)

    def look(self, devices: Collection[DevEui]) -> View:
        """What is known of these devices; those without an asset are missing from it. Raises StoreDown."""
        if self.stale:
            self.refresh()
        missing = self.missing(devices)
        if missing:
            self.learn(missing)
        return self.view(devices)

    def view(self, devices: Collection[DevEui]) -> View:
        """As `look`, without asking the database."""
        known = self._known
        return {device: known[device] for device in devices if device in known}

    def missing(self, devices: Collection[DevEui]) -> list[DevEui]:
        """Those of which the database has to be asked first."""
        known, strangers = self._known, self._strangers
        return [device for device in devices if device not in known and device not in strangers]

    def foreign(self, devices: Collection[DevEui]) -> bool:
        """Whether the model of any of these has no codec of ours."""
        return bool(self._foreign) and not self._foreign.isdisjoint(devices)

    @property
    def stale(self) -> bool:
        """Whether it is time to see what others have written, other parts of this process among them."""
        return self._store.commits != self._commits or perf_counter() >= self._look_at

    def postpone(self) -> None:
        """The database is away: ask it again a little later."""
        self._look_at = perf_counter() + AWAY_S

    def refresh(self) -> None:
        """Take what people and other bridges have written. Raises StoreDown."""
        self._commits = self._store.commits
        registry, revisions = self._store.revisions()
        if registry != self._registry:
            self._registry = registry
            self._register()
        for tenant, revision in revisions.items():
            known = self._revisions.setdefault(tenant, revision)
            if known != revision:
                changes = self._store.tenant(tenant).changes(known)
                self._take(changes)
                if len(changes.commands) >= MOST_CHANGES:
                    self._take_live(tenant)
                self._revisions[tenant] = changes.revision
        self._look_at = perf_counter() + (LOOK_EVERY_S if self._pace else 0.0)

    def learn(self, devices: Collection[DevEui]) -> None:
        """Ask the database of these. Raises StoreDown. Who sees a device as known sees whether it is foreign: another
        thread may look in between, and takes a frame for a script for one that nobody can read."""
        found, ours = self._store.view(devices), catalog()
        self._foreign.update(device for device, known in found.items() if known.device.model not in ours)
        self._known.update(found)
        if len(self._strangers) > MOST_STRANGERS:
            self._strangers.clear()
        self._strangers.update(device for device in devices if device not in found)

    def keep(self, changed: Mapping[DevEui, Known], position: int) -> None:
        """What is known now of these devices. `position`: the log's newest before their entries."""
        known, dirty = self._known, self._dirty
        if not dirty:
            self._dirty_since = perf_counter()
        for device, now in changed.items():
            was = known[device]
            before = was.state
            known[device] = now
            if now.state is not before:
                dirty.setdefault(device, position)
            differing = differs(before, now.state)
            # A difference could not be told from the log after a crash. What is heard for the first time is none: nobody
            # has seen it be otherwise, and its session begins anew with its next frame.
            if differing and before.heard_ns:
                self._urgent.add(device)
            if self._news is not None:
                self._news.kept(device, was, now, differs=differing)
        self._for_urgent.earn(len(changed))
        self._for_all.earn(len(changed))

    def follow(self) -> News:
        """What changes from now on, for the one who steers; whoever followed before is told no more."""
        self._news = News()
        return self._news

    def unfollow(self) -> None:
        """Nobody wants to be told any more."""
        self._news = None

    def everything(self) -> list[Known]:
        """What is known of all devices that have been heard of, without asking the database."""
        return list(self._known.values())

    def get(self, device: DevEui) -> Known | None:
        """What is known of one device, without asking the database."""
        return self._known.get(device)

    def committed(self, facts: Facts, revisions: Mapping[TenantId, int]) -> None:
        """Another part of this process has written these commands and alarms: here they are known without reading them."""
        for tenant, revision in revisions.items():
            if self._revisions.get(tenant) == revision - 1:
                self._revisions[tenant] = revision
        self._commits += 1
        self._take(Changes(0, (), facts.commands, facts.alarms, ()))

    def due(self, *, everything: bool = False) -> Part | None:
        """The states to be written now."""
        if not self._dirty:
            return None
        if everything or not self._pace:
            return self._part(self._swept(AT_THE_END))
        if perf_counter() < self._write_at:
            return None
        if self._urgent and self._hurries():
            return self._part(sorted(self._urgent))
        return self._part(self._swept(AT_ONCE)) if self._for_all.spend(self._price()) else None

    def write(self, part: Part) -> Mapping[TenantId, int]:
        """Into the database; returns the towns' new revisions. Any thread may do so. Raises StoreDown."""
        return self._store.commit(Facts(states=part.states))

    def written(self, part: Part, revisions: Mapping[TenantId, int], took_s: float) -> None:
        """They are in the database. What has changed since is due again."""
        self._write_at = perf_counter() + self._pace * took_s
        self._commits += 1
        for tenant, revision in revisions.items():
            if self._revisions.get(tenant) == revision - 1:  # else somebody wrote before us, which is still to be read
                self._revisions[tenant] = revision
        for state in part.states:
            known = self._known.get(state.device)
            if known is None or known.state is state:
                self._dirty.pop(state.device, None)
                self._urgent.discard(state.device)
        if not self._sweep:
            self._dirty_since = perf_counter()

    def flush(self, *, everything: bool = False) -> int:
        """Write what is due; returns how many states. Raises StoreDown, with all that is not written still due."""
        count = 0
        while part := self.due(everything=everything):
            begun = perf_counter()
            self.written(part, self.write(part), perf_counter() - begun)
            count += len(part.states)
            if self._pace and not everything:
                break
        self.mark(at_once=everything)
        return count

    def mark(self, *, at_once: bool = False) -> None:
        """Now and then: note in the log up to where the states are in the database. Raises StoreDown."""
        if self._log is not None and (at_once or perf_counter() >= self._cursor_at):
            self._cursor_at = perf_counter() + CURSOR_EVERY_S
            self._log.move_cursor(CURSOR, min(self._dirty.values()) if self._dirty else self._log.head())

    @property
    def waiting(self) -> int:
        """How many states are not in the database as they are here."""
        return len(self._dirty)

    def lag_s(self) -> float:
        """Seconds since all of them had been looked at, 0 where none waits: none waits longer than about that."""
        return perf_counter() - self._dirty_since if self._dirty else 0.0

    def __contains__(self, device: object) -> bool:
        return device in self._known

    def __len__(self) -> int:
        return len(self._known)

    def _part(self, devices: Collection[DevEui]) -> Part:
        return Part(tuple(self._known[device].state for device in devices))

    def _hurries(self) -> bool:
        """Whether those that are waited for are written before the others: where they are too many, their turn among their
        neighbours comes as soon."""
        count = len(self._urgent)
        return count <= AT_ONCE and self._for_urgent.spend(count * ANYWHERE_B)

    def _price(self) -> float:
        """Of the next states in order: the fewer wait, the less they share."""
        each = min(ANYWHERE_B, IN_ORDER_B * len(self._known) / len(self._dirty))
        return each * min(AT_ONCE, len(self._dirty))

    def _swept(self, most: int) -> list[DevEui]:
        """The next that wait in the order of their keys, where some wait: neighbours share a page of the database."""
        if not self._sweep:
            self._sweep = sorted(self._dirty, reverse=True)
        devices: list[DevEui] = []
        while self._sweep and len(devices) < most:
            device = self._sweep.pop()
            if device in self._dirty:
                devices.append(device)
        return devices or self._swept(most)

    def _register(self) -> None:
        """Places may have changed, and devices been moved to other assets or taken away."""
        self._strangers.clear()
        registered = self._store.registered(list(self._known))
        for device in [device for device in self._known if device not in registered]:
            self._forget(device)
        for device, now in registered.items():
            known = self._known[device]
            if known.registered != now:
                self._moved(known, now)

    def _moved(self, known: Known, now: Registered) -> None:
        device = now.device.dev_eui
        if known.tenant.id == now.tenant.id and known.asset.id == now.asset.id and known.device.model == now.device.model:
            self._known[device] = structs.replace(known, registered=now)
        else:  # whatever was under way was for the former asset
            self._forget(device)

    def _forget(self, device: DevEui) -> None:
        del self._known[device]
        self._dirty.pop(device, None)
        self._urgent.discard(device)
        self._foreign.discard(device)

    def _take(self, changes: Changes) -> None:
        """What others have written."""
        if self._news is not None:
            self._news.taken(changes)
        for state in changes.states:
            known = self._known.get(state.device)
            if known is not None:
                both = merged(state, known.state) if state.device in self._dirty else state
                self._known[state.device] = structs.replace(known, state=both)
        for command in sorted(changes.commands, key=lambda item: item.created_at):
            known = self._known.get(command.device)
            if known is not None:
                others = tuple(one for one in known.live if one.id != command.id)
                live = (*others, command) if command.state.live else others
                self._known[command.device] = structs.replace(known, live=live)
        if changes.alarms:
            self._take_alarms(changes)

    def _take_live(self, tenant: TenantId) -> None:
        """More commands have changed than were told."""
        live: dict[DevEui, list[Command]] = {}
        for command in sorted(self._store.live_commands(tenant), key=lambda item: item.created_at):
            live.setdefault(command.device, []).append(command)
        for device, known in self._known.items():
            if known.tenant.id == tenant:
                self._known[device] = structs.replace(known, live=tuple(live.get(device, ())))

    def _take_alarms(self, changes: Changes) -> None:
        assets = {alarm.asset for alarm in changes.alarms}
        by_asset = {(known.tenant.id, known.asset.id): device for device, known in self._known.items()
                    if known.registered.asset.id in assets}
        for alarm in changes.alarms:
            device = by_asset.get((alarm.tenant, alarm.asset))
            if device is not None:
                known = self._known[device]
                others = tuple(one for one in known.alarms if one.id != alarm.id)
                self._known[device] = structs.replace(known, alarms=(*others, alarm) if alarm.open else others)
