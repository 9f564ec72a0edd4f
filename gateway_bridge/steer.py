"""The loop from intents to downlinks: plan, follow up, claim, encode, publish.

A command is stored as sent *before* it is published. A crash in between costs time, not truth: nobody answers, and the
deadline for an answer has it sent again under the next attempt's id. The other way round, the device's answer could
arrive while we still believe the command was never sent. Where the broker does not take a command, it is put back as
planned with its attempt unspent; if the broker had taken it after all, it comes again under the same id, which
ChirpStack refuses while the first waits in its queue, and orders are absolute.

Of several bridges on one database one steers: the holder of a lease (`tenure`). What it claims is committed together with
the proof that the lease is still its own, and it publishes only while nobody else can have taken over: each attempt goes
out once. Whoever takes over finds what was claimed and follows it up. A bridge without a broker leaves the lease to one
that has, and one with `bridge.frames_per_tick` 0 never takes it.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from city.alarms import Alarm
from city.clock import Clock
from city.commands import Command, Event, State, advance
from city.errors import BrokerDown, LeaseLost, NetworkServerDown, Refused, SandboxDown, ScriptError
from city.ids import DevEui, TenantId
from city.orders import SetLevel, Setting
from city.places import Luminaire, Tenant
from city.planning import Wanted, plan
from city.settings import Bridge
from city.store.ports import Facts, Lease, Store, TenantStore
from decoders.catalog import catalog
from gateway_bridge import wishes
from gateway_bridge.downlinks import downlink
from gateway_bridge.link import Link
from gateway_bridge.metrics import Metrics
from gateway_bridge.network_server import NetworkServer
from gateway_bridge.reading import Key, Own, Reader
from gateway_bridge.tenure import Tenure
from gateway_bridge.waiting import unbroken
from gateway_bridge.wishes import Served, Town

REGISTRY_EVERY = timedelta(seconds=30)
ALARMS_EVERY = timedelta(seconds=60)
MOST_ALARMS = MOST_COMMANDS = 100_000
STEERING = "steering"  # the lease's name

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sending:
    before: Command
    after: Command
    topic: str
    payload: bytes
    replaces: bool


class Steerer:
    """Turns what people want into downlinks, one look at a time."""

    def __init__(self, link: Link, store: Store, clock: Clock, settings: Bridge, metrics: Metrics,
                 network: NetworkServer | None = None, *, turn: asyncio.Lock | None = None,
                 reader: Reader | None = None, tenure: Tenure | None = None) -> None:
        """`turn` is shared with the Listener of the same process: both read commands and write them. So is `reader`,
        which stays the caller's to close. Without a `tenure` no other process steers any of these towns."""
        self._link, self._store, self._clock, self._network = link, store, clock, network
        self._most, self._metrics = settings.frames_per_tick, metrics
        self._turn = turn or asyncio.Lock()
        self._reader = reader or Reader(store, metrics=metrics)
        self._tenure = tenure
        self._lease: Lease | None = None
        self._mirrors: dict[TenantId, _Mirror] = {}
        self._last_sent: dict[DevEui, datetime] = {}
        self._looks = 0

    @property
    def steers(self) -> bool:
        """Whether this process is the one that steers."""
        return self._tenure is None or self._tenure.sure

    async def tick(self) -> None:
        """One look: everything that is wanted, late or lost is put into commands, and the most urgent are sent.
        Raises StoreDown. Cancelled, it ends what it has begun first."""
        await unbroken(self._tick())

    def leave(self) -> None:
        """Another process may steer from now on. Raises StoreDown."""
        if self._tenure is not None:
            self._tenure.release()

    async def _tick(self) -> None:
        async with self._turn:
            sending = await asyncio.to_thread(self._look)
        for index, item in enumerate(sending):
            try:
                await self._send(item)
            except (BrokerDown, LeaseLost) as error:
                _log.warning("%s %d commands wait.", error, len(sending) - index)
                async with self._turn:
                    await asyncio.to_thread(self._put_back, sending[index:])
                return

    def _look(self) -> list[_Sending]:
        """What to send now; nothing where another process steers."""
        able = self._link.connected
        if self._tenure is not None:
            self._lease = self._tenure.hold(able=able) if self._most else None
            if self._lease is None:
                return []
        try:
            return self._decide(self._most if able else 0)
        except LeaseLost as error:
            return self._superseded(error)

    def _superseded(self, error: LeaseLost) -> list[_Sending]:
        """What was claimed before is the other's to follow up."""
        _log.warning("%s", error)
        if self._tenure is not None:
            self._tenure.lost()
        return []

    def _commit(self, facts: Facts) -> None:
        """Raises LeaseLost."""
        if self._lease is None:
            self._store.commit(facts)
        else:
            self._store.commit_as(self._lease, facts)

    async def _send(self, item: _Sending) -> None:
        """Raises BrokerDown, and LeaseLost where another may steer by now."""
        if not self.steers:
            raise LeaseLost("Another process may have taken over “{name}”.", name=STEERING)
        if item.replaces and self._network is not None:
            try:
                await self._network.flush(item.after.device)
            except NetworkServerDown as error:
                _log.warning("%s The former order goes by its own end.", error)
        await self._link.publish(item.topic, item.payload)
        self._metrics.sent.inc()

    def _decide(self, most: int) -> list[_Sending]:
        now = self._clock.now()
        self._last_sent = {device: at for device, at in self._last_sent.items() if now - at < wishes.LOCK}
        sending: list[_Sending] = []
        tenants = list(self._store.tenants())
        first = self._looks % len(tenants) if tenants else 0  # each town is the first in its turn
        self._looks += 1
        for tenant in tenants[first:] + tenants[:first]:
            sending += self._decide_for(tenant, most - len(sending), now)
        return sending

    def _decide_for(self, tenant: Tenant, most: int, now: datetime) -> list[_Sending]:
        mirror = self._mirrors.setdefault(tenant.id, _Mirror())
        own = self._store.tenant(tenant.id)
        town = mirror.refresh(own, tenant, self._reader.scripts(), now)
        live = _by_device(self._store.live_commands(tenant.id))
        lamps = list(wishes.wanted(town, own.overrides(now), own.program(), self._store.last_applied(tenant.id), live, now))
        new, ended = self._plan(own, town, lamps, live, now)
        current = {command.id: command for commands in live.values() for command in commands}
        replaced = {command.device for command in ended if current[command.id].attempts}
        current.update((command.id, command) for command in (*new, *ended))
        moved = wishes.followed_up([c for c in current.values() if c.state.live], town, now)
        current.update((command.id, command) for command in moved)
        sending, refused = self._claim(current.values(), town, replaced, most, now)
        alarms = self._alarms(own, town, mirror, lamps, [*moved, *refused], now)
        changed = {c.id: c for c in (*new, *ended, *moved, *refused, *(item.after for item in sending))}
        if changed or alarms:
            self._commit(Facts(commands=tuple(changed.values()), alarms=tuple(alarms)))
        self._last_sent.update((item.after.device, now) for item in sending)
        self._metrics.planned.inc(len(new))
        self._metrics.failed.inc(sum(c.state in (State.FAILED, State.EXPIRED) for c in changed.values()))
        return sending

    def _plan(self, own: TenantStore, town: Town, lamps: Sequence[Wanted], live: Mapping[DevEui, list[Command]],
              now: datetime) -> tuple[list[Command], list[Command]]:
        """New commands, and live ones that are superseded."""
        planned = plan(lamps, now)
        settings, unwanted = wishes.configuring(town, self._store.config_wishes(town.tenant.id), live, now)
        new = [*planned.commands, *settings]
        if new:
            failed = own.commands(states=(State.FAILED, State.EXPIRED), changed_since=now - wishes.HOLD_OFF,
                                  limit=MOST_COMMANDS)
            new = wishes.not_held_off(new, failed, town.states, now)
        return new, [*planned.superseded, *unwanted]

    def _claim(self, commands: Iterable[Command], town: Town, replaced: set[DevEui], most: int,
               now: datetime) -> tuple[list[_Sending], list[Command]]:
        """What to send now, and what cannot be said to its device. The town's scripts get so much time of a look and no
        more: others wait meanwhile. What is not said in it is said in the next."""
        sending: list[_Sending] = []
        refused: list[Command] = []
        spent, timer = 0.0, self._reader.timer
        for command in wishes.claim([c for c in commands if c.state.live], self._last_sent, most, now):
            after, served = advance(command, Event.SEND, now), town.served.get(command.device)
            scripted = served is not None and served.own is not None
            if scripted and spent > self._reader.budget_s:
                continue
            begun = timer() if scripted else 0.0
            try:
                topic, payload = self._encode(after, town, now)
            except (Refused, ScriptError) as error:
                refused.append(advance(command, Event.GIVE_UP, now, str(error)))
            except SandboxDown as error:
                _log.warning("%s A command for %s waits.", error, command.device)
            else:
                again = command.attempts > 0 or command.device in replaced
                sending.append(_Sending(command, after, topic, payload, again))
            spent += timer() - begun if scripted else 0.0
        return sending, refused

    def _encode(self, command: Command, town: Town, now: datetime) -> tuple[str, bytes]:
        """Raises Refused: Unsupported, Invalid; ScriptError and SandboxDown where a town's script speaks."""
        state, served = town.states.get(command.device), town.served.get(command.device)
        if served is None:
            raise Refused("The device {device} serves nothing here any more.", device=command.device)
        frame = served.codec.encode_downlink(command.order) if served.own is None \
            else self._reader.encode(served.own, command.order, served.asset, command.queue_id, now)
        return downlink(command, frame, state.application_id if state else "", confirmed=_says_nothing_of(served, command))

    def _alarms(self, own: TenantStore, town: Town, mirror: "_Mirror", lamps: Sequence[Wanted], moved: list[Command],
                now: datetime) -> list[Alarm]:
        due = mirror.alarms_due(now)
        if not moved and not due:
            return []
        running = own.alarms(open_only=True, limit=MOST_ALARMS)
        alarms = wishes.failure_alarms(moved, running, now)
        if due:
            alarms += [*wishes.settled_alarms(lamps, running, now), *wishes.silence_alarms(town, running, now)]
        return alarms

    def _put_back(self, sending: Iterable[_Sending]) -> None:
        """Planned again, the attempt unspent - unless an answer has come in meanwhile."""
        now = self._clock.now()
        live = {command.id: command for command in self._store.live_commands()}
        back = [replace(item.before, changed_at=max(now, item.after.changed_at or now)) for item in sending
                if (found := live.get(item.after.id)) is not None and found.state is State.SENT
                and found.attempts == item.after.attempts]
        try:
            self._commit(Facts(commands=tuple(back)))
        except LeaseLost as error:
            self._superseded(error)
        for command in back:
            self._last_sent.pop(command.device, None)


class _Mirror:
    """One town as the loop has last read it: the registry every half minute or when an asset changes, states as they
    change."""

    def __init__(self) -> None:
        self._town: Town | None = None
        self._scripts: Mapping[Key, Own] = {}
        self._revision = 0
        self._read_at: datetime | None = None
        self._looked_at: datetime | None = None

    def refresh(self, own: TenantStore, tenant: Tenant, scripts: Mapping[Key, Own], now: datetime) -> Town:
        town = self._town
        if town is None:
            self._revision = own.revision()
            town = self._town = Town(tenant, _served(own, scripts), dict(own.states()))
            self._read_at, self._scripts = now, scripts
            return town
        changes = own.changes(self._revision)
        self._revision, town.tenant = changes.revision, tenant
        town.states.update((state.device, state) for state in changes.states)
        old = self._read_at is None or now - self._read_at >= REGISTRY_EVERY
        if changes.assets or old or scripts is not self._scripts:
            town.served, self._read_at, self._scripts = _served(own, scripts), now, scripts
        return town

    def alarms_due(self, now: datetime) -> bool:
        if self._looked_at is not None and now - self._looked_at < ALARMS_EVERY:
            return False
        self._looked_at = now
        return True


def _served(own: TenantStore, scripts: Mapping[Key, Own]) -> dict[DevEui, Served]:
    """The town's devices whose model we know or the town has described, with their assets."""
    lamps: dict[str, Luminaire] = {lamp.id: lamp for lamp in own.luminaires()}
    codecs, town = catalog(), own.tenant.id
    served: dict[DevEui, Served] = {}
    for device in own.devices():
        codec, lamp = codecs.get(device.model), lamps.get(device.asset)
        script = scripts.get((town, device.model)) if codec is None else None
        if codec is not None:
            served[device.dev_eui] = Served(device.asset, device.dev_eui, codec, lamp)
        elif script is not None:
            served[device.dev_eui] = Served(device.asset, device.dev_eui, script.quiet, lamp, script)
    return served


def _says_nothing_of(served: Served, command: Command) -> bool:
    """Whether what the device sends will not tell if it obeys: it reports no level, or a town's script recognises no
    echo. The network's own acknowledgement is asked for then."""
    if isinstance(command.order, SetLevel):
        return not served.codec.abilities.reports_level
    return served.own is not None and isinstance(command.order, Setting)


def _by_device(commands: Iterable[Command]) -> dict[DevEui, list[Command]]:
    found: dict[DevEui, list[Command]] = {}
    for command in commands:
        found.setdefault(command.device, []).append(command)
    return found
