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
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter

from city.alarms import Alarm
from city.budget import WINDOW, Spent
from city.clock import Clock
from city.commands import Command, Event, Priority, State, advance
from city.errors import BrokerDown, LeaseLost, NetworkServerDown, NotFound, Refused, SandboxDown, ScriptError
from city.ids import DevEui, GatewayId, TenantId
from city.settings import Bridge, Chirpstack
from city.store.port_air import AirChanges
from city.store.ports import Facts, Known, Lease, Store
from gateway_bridge import casts, wishes
from gateway_bridge.casts import Casts, Move
from gateway_bridge.downlinks import Speaker
from gateway_bridge.link import Link
from gateway_bridge.memory import Memory
from gateway_bridge.metrics import Metrics
from gateway_bridge.mirror import LEAST, Mirror
from gateway_bridge.multicast import Multicast
from gateway_bridge.network_server import NetworkServer
from gateway_bridge.pace import Pace
from gateway_bridge.reading import Reader
from gateway_bridge.tenure import Tenure
from gateway_bridge.waiting import WAIT_S, unbroken
from gateway_bridge.wishes import NOTHING, Decision

SLICE_S = 0.005  # of planning, before what waits for the turn has it
LOOK_S = 0.5  # of planning in one look
AT_ONCE, MOST_NEW = 100, 75
STEERING = "steering"  # the lease's name
TOGETHER = timedelta(seconds=5)  # an order that may be told to many waits so long for the others at most
MOST_CLOSED = 30  # orders of one gateway that are looked at in vain in one look
CROWD = 30  # orders of a town that wait to be sent: more reports than can be asked for are still to come

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sending:
    before: Command
    after: Command
    topic: str
    payload: bytes
    replaces: bool
    spent: Spent | None = None


_Item = _Sending | casts.Sending | str  # a string: the name of a group whose waiting frames are dropped


class Steerer:
    """Turns what people want into downlinks, one look at a time."""

    def __init__(self, link: Link, store: Store, clock: Clock, settings: Bridge, metrics: Metrics,
                 network: NetworkServer | None = None, *, turn: asyncio.Lock | None = None, reader: Reader | None = None,
                 tenure: Tenure | None = None, memory: Memory | None = None, least: int = LEAST,
                 chirpstack: Chirpstack | None = None) -> None:
        """`turn` is shared with the Listener of the same process: both read commands and write them. So is `memory`; without
        one, the database is asked. So is `reader`, which stays the caller's to close. Without a `tenure` no other process
        steers any of these towns. `least`: devices that are looked at each time, whether anything has changed or not.
        `chirpstack`: what groups of radio need to know. Raises Invalid where their secret is too short."""
        self._link, self._store, self._clock, self._network = link, store, clock, network
        self._settings, self._chirpstack = settings, chirpstack or Chirpstack()
        self._groups = Multicast(self._chirpstack, network)
        self._radio = self._new_radio()
        self._most, self._metrics, self._least = settings.frames_per_tick, metrics, least
        self._turn = turn or asyncio.Lock()
        self._reader = reader or Reader(store, metrics=metrics)
        self._speaker = Speaker(self._groups, self._reader)
        self._memory = Memory(store, None) if memory is None else memory
        self._tenure = tenure
        self._lease: Lease | None = None
        self._mirror: Mirror | None = None
        self._last_sent: dict[DevEui, datetime] = {}
        self._replaced: set[DevEui] = set()
        self._looks, self._begun = 0, False

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
        mirror = await asyncio.to_thread(self._begin)
        if mirror is None:
            return
        until, sending = perf_counter() + LOOK_S, None
        while sending is None:
            async with self._turn:
                sending = await asyncio.to_thread(self._look, mirror, last=perf_counter() >= until)
        for index, item in enumerate(sending):
            try:
                await self._hand_over(item, mirror)
            except (BrokerDown, LeaseLost) as error:
                _log.warning("%s %d commands wait.", error, len(sending) - index)
                async with self._turn:
                    await asyncio.to_thread(self._put_back, [one for one in sending[index:] if isinstance(one, _Sending)])
                return
        await self._provide()

    async def _provide(self) -> None:
        changes = await self._groups.provision(self._clock.now()) if self.steers else AirChanges()
        if changes:
            async with self._turn:
                await asyncio.to_thread(self._note, Facts(air=changes))

    def _note(self, facts: Facts) -> None:
        try:
            self._commit(facts)
        except LeaseLost as error:
            self._superseded(error)

    def _begin(self) -> Mirror | None:
        """What people want now; None where another process steers."""
        if self._tenure is not None:
            self._lease = self._tenure.hold(able=self._link.connected) if self._most else None
            if self._lease is None:
                self._forget()
                return None
        if self._mirror is None:
            self._radio = self._new_radio(self._store.all_spent(self._clock.now() - WINDOW))
            self._mirror = Mirror(self._store, self._memory, least=self._least,
                                  readers=(self._groups.read, self._radio[1].read),
                                  local=frozenset(self._settings.local_clocks.replace(" ", "").split(",")),
                                  each=self._radio[0].per_slot)
        self._looks += 1
        self._mirror.read(self._reader.scripts(), self._clock.now())
        self._begun = False
        return self._mirror

    def _new_radio(self, spent: Iterable[Spent] = ()) -> tuple[Pace, Casts]:
        return (pace := Pace(self._settings, self._chirpstack, spent)), Casts(self._groups, pace, self._chirpstack.gps_time)

    def _look(self, mirror: Mirror, *, last: bool) -> list[_Item] | None:
        """Look at some devices. What to send now, or None where others are still to be looked at before."""
        now = self._clock.now()
        if self._memory.stale:
            self._memory.refresh()
        mirror.hear()
        if not self._begun:
            mirror.begin(now)
            self._begun = True
        try:
            self._decide(mirror, now)
            return None if mirror.waiting and not last else self._claim(mirror, now)
        except LeaseLost as error:
            return self._superseded(error)

    def _superseded(self, error: LeaseLost) -> list[_Item]:
        """What was claimed before is the other's to follow up."""
        _log.warning("%s", error)
        if self._tenure is not None:
            self._tenure.lost()
        self._forget()
        return []

    def _forget(self) -> None:
        """Another process steers."""
        if self._mirror is not None:
            self._mirror = None
            self._memory.unfollow()
        self._groups.forget()
        self._replaced.clear()

    def _commit(self, facts: Facts) -> None:
        """Raises LeaseLost."""
        if facts.commands or facts.alarms or facts.air:
            revisions = self._store.commit(facts) if self._lease is None else \
                self._store.commit_as(self._lease, facts, wait_s=WAIT_S)
            self._memory.committed(facts, revisions)
            self._groups.kept(facts.air)

    async def _hand_over(self, item: _Item, mirror: Mirror) -> None:
        """Raises BrokerDown, and LeaseLost where another may steer by now."""
        if not self.steers:
            raise LeaseLost("Another process may have taken over “{name}”.", name=STEERING)
        if isinstance(item, _Sending):
            await self._send(item)
        elif self._network is not None:
            try:
                await (self._network.drop_casts(item) if isinstance(item, str)
                       else self._network.cast(item.group.network_id, item.frame, item.after.expires_at))
            except (NetworkServerDown, NotFound) as error:
                _log.warning("%s", error)
                if not isinstance(item, str):
                    async with self._turn:
                        await asyncio.to_thread(self._not_cast, item, error, mirror)

    def _not_cast(self, item: casts.Sending, error: Exception, mirror: Mirror) -> None:
        now = self._clock.now()
        move = self._radio[1].failed(item, str(error), self._memory.get, now)
        self._note(Facts(commands=move.commands, air=move.changes))
        if isinstance(error, NotFound):
            self._note(Facts(air=self._groups.lost(item.group.tenant, item.group.id, str(error), now)))
        mirror.look_at(one.device for one in move.commands)

    async def _send(self, item: _Sending) -> None:
        """Raises BrokerDown."""
        if item.replaces and self._network is not None:
            try:
                await self._network.flush(item.after.device)
            except NetworkServerDown as error:
                _log.warning("%s The former order goes by its own end.", error)
        await self._link.publish(item.topic, item.payload)
        self._metrics.sent.inc()

    def _decide(self, mirror: Mirror, now: datetime) -> None:
        """Look at devices as long as a slice lasts, and commit what is to be done. What fails is looked at again."""
        until, taken = perf_counter() + SLICE_S, list[DevEui]()
        changed = {command.id: command for command in wishes.orphaned(mirror.orphans(), now)}
        alarms: list[Alarm] = []
        planned = 0
        try:
            while len(changed) < MOST_NEW and perf_counter() < until and (devices := mirror.take(AT_ONCE)):
                taken += devices
                for decision in self._decisions(mirror, devices, now):
                    planned += len(decision.new)
                    changed |= {one.id: one for one in (*decision.new, *decision.ended, *decision.moved)}
                    alarms += decision.alarms
            self._commit(Facts(commands=tuple(changed.values()), alarms=tuple(alarms)))
        except Exception:
            mirror.look_at(taken)
            raise
        for device in {one.device for one in changed.values()}:
            if (known := self._memory.get(device)) is not None:
                self._queue(mirror, known.live, now)
        self._metrics.planned.inc(planned)
        self._metrics.failed.inc(sum(one.state in (State.FAILED, State.EXPIRED) for one in changed.values()))

    def _decisions(self, mirror: Mirror, devices: Sequence[DevEui], now: datetime) -> Iterator[Decision]:
        missing = self._memory.missing(devices)
        if missing:
            self._memory.learn(missing)
        for device in devices:
            known = self._memory.get(device)
            town = mirror.town(known.tenant.id) if known is not None else None
            if known is None or town is None:
                continue
            decision = wishes.decide(town, wishes.served(known, mirror.scripts), known, now)
            if decision is NOTHING:
                continue
            if decision.again is not None:
                mirror.look_again(device, decision.again, now)
            self._replaced.update(one.device for one in decision.ended if one.attempts)
            if decision.new or decision.ended or decision.moved or decision.alarms:
                yield decision
            elif known.live:
                self._queue(mirror, known.live, now)

    def _queue(self, mirror: Mirror, live: Sequence[Command], now: datetime) -> None:
        """The device's next command, where ChirpStack's lock lets it go."""
        command = wishes.next_to_send(live, now)
        if command is None:
            return
        sent_at = self._last_sent.get(command.device)
        if sent_at is not None and now - sent_at < wishes.LOCK:
            mirror.look_again(command.device, sent_at + wishes.LOCK, now)
        else:
            mirror.queue(command)

    def _claim(self, mirror: Mirror, now: datetime) -> list[_Item]:
        """Commit what is sent now as sent: first to groups, then to devices. Each town is the first in its turn."""
        self._last_sent = {device: at for device, at in self._last_sent.items() if now - at < wishes.LOCK}
        most = self._most if self._link.connected else 0
        sending: list[_Sending] = []
        refused: list[Command] = []
        alarms: list[Alarm] = []
        taken: set[DevEui] = set()
        self._radio[0].begin(self._memory.get, now)
        try:
            move = self._cast(mirror, now) if self._groups.works else Move()
            for tenant in mirror.towns(self._looks):
                if mirror.waiting_orders(tenant) > CROWD and (town := mirror.town(tenant)) is not None:
                    town.crowded_until = now + wishes.CROWD_ASKED
                for known, after in self._claimed(mirror, tenant, sending, most, taken | move.held, now):
                    refused.append(after)
                    alarms += wishes.failure_alarms([after], known.alarms, now)
            spent = tuple((item.after.tenant, item.spent) for item in sending if item.spent is not None)
            self._commit(Facts(commands=(*refused, *(item.after for item in sending)), alarms=tuple(alarms),
                               air=AirChanges(spent=spent)))
        except Exception:
            mirror.look_at(taken)
            raise
        self._last_sent.update((item.after.device, now) for item in sending)
        self._replaced.difference_update(item.after.device for item in sending)
        self._metrics.failed.inc(len(refused))
        return [*move.drop, *move.sending, *sending]

    def _cast(self, mirror: Mirror, now: datetime) -> Move:
        """What groups are told now, committed; and what lamps are told of their groups' keys."""
        running = self._radio[1]
        moves: list[Move] = []
        for tenant in mirror.towns(self._looks):
            town = mirror.town(tenant)
            if town is None:
                continue
            commands, changes = self._groups.look(town, lambda tenant=tenant: mirror.lamps(tenant),  # type: ignore[misc]
                                                  self._memory.get, now)
            self._commit(Facts(commands=tuple(commands), air=changes))
            queued = mirror.queued(tenant, now) if self._groups.nets(tenant) else []
            moves.append(running.go_on(town, lambda tenant=tenant: mirror.own(tenant),  # type: ignore[misc]
                                       self._memory.get, now))
            if self._link.connected and (not mirror.waiting or any(now - one.created_at >= TOGETHER for _, one in queued)):
                moves.append(running.begin(town, queued, self._memory.get, now))
        move = casts.joined(moves)
        self._commit(Facts(commands=move.commands, air=move.changes))
        return move

    def _claimed(self, mirror: Mirror, tenant: TenantId, sending: list[_Sending], most: int, taken: set[DevEui],
                 now: datetime) -> Iterator[tuple[Known, Command]]:
        """Add to `sending` what is sent now to the town; tells what cannot be said to its device. The town's scripts get so
        much time of a look and no more: others wait meanwhile. What is not said in it is said in the next."""
        spent, timer, pace = 0.0, self._reader.timer, self._radio[0]
        held: list[Command] = []
        closed, allowed = Counter[GatewayId | None](), pace.gate(now)  # orders that have no turn: after so many nobody has

        def gate(gateway: GatewayId | None, priority: Priority) -> bool:
            return closed[gateway] < MOST_CLOSED and allowed(gateway, priority)

        while len(sending) < most and (found := mirror.next_queued(tenant, now, gate)) is not None:
            known, command = found
            if command.device in taken or self._waits(mirror, command, now) or not pace.has_turn(known.state, now):
                closed[known.state.gateway] += not pace.has_turn(known.state, now)
                held.append(command)
                continue
            taken.add(command.device)
            after, served = advance(command, Event.SEND, now), wishes.served(known, mirror.scripts)
            scripted = served is not None and served.own is not None
            if scripted and spent > self._reader.budget_s:
                mirror.look_at([command.device])
                continue
            begun = timer() if scripted else 0.0
            try:
                topic, payload, size = self._speaker.say(after, served, known, now)
            except (Refused, ScriptError) as error:
                yield known, advance(command, Event.GIVE_UP, now, str(error))
            except SandboxDown as error:
                _log.warning("%s A command for %s waits.", error, command.device)
                mirror.look_at([command.device])
            else:
                again = command.attempts > 0 or command.device in self._replaced
                listens = served is not None and served.codec.device_class != "A"
                cost = pace.send(after, known.state, size, now) if listens else None
                sending.append(_Sending(command, after, topic, payload, again, cost))
            spent += timer() - begun if scripted else 0.0
        for command in held:
            mirror.queue(command)

    def _waits(self, mirror: Mirror, command: Command, now: datetime) -> bool:
        """Whether an order may be told together with others that are not known yet, or must not overtake what a group that
        its lamp hears is still to be told."""
        running = self._radio[1]
        if mirror.waiting and now - command.created_at < TOGETHER and running.may_join(command):
            return True
        return running.crosses(command, now)

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

