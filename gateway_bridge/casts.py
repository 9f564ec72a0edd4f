"""Orders that many lamps are told together: which of those that wait go out by a multicast group, in rounds.

Each lamp keeps its own command: it is sent when the cast begins, and applied when the lamp reports so. Nobody acknowledges
a multicast; a lamp that has not reported when silence means something is told alone, and so is at once one that reports
otherwise. A cast whose lamps have all been given another order ends, and what waits of it is dropped.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from city.airtime import DATA_RATES, SCHEDULER_S, Estimate, time_on_air
from city.budget import Spent
from city.casting import LOSS, MARGIN_S, REPEATS, Air, Cast, Cover, cover, priced
from city.commands import Command, Event, Priority, State, advance, cast
from city.ids import DevEui, GatewayId, TenantId
from city.losses import learnt
from city.multicast import CastRun, RadioGroup, after_round, measured
from city.orders import LevelNotice, Order, Resume, SetLevel
from city.places import Luminaire
from city.reach import by_neighbours, gateways_of
from city.reporting import reports_within_s, silence_after_s
from city.store.port_air import AirChanges
from city.store.ports import Known, TenantStore
from decoders.catalog import catalog
from decoders.codec import Frame
from gateway_bridge.confirm import encoded
from gateway_bridge.multicast import Multicast
from gateway_bridge.pace import Pace
from gateway_bridge.towns import Town

PATIENCE = timedelta(seconds=30)  # for the network server to take a cast's first round; then its lamps are told alone
TRY_AGAIN = timedelta(seconds=5)
LEARN_EVERY = timedelta(minutes=10)  # what share of downlinks a town loses
MEASURED_AFTER = timedelta(minutes=30)  # a cast's outcome, whatever is still under way
MOST_COMMANDS = 100_000
Knows = Callable[[DevEui], Known | None]


NOTHING = AirChanges()


@dataclass(frozen=True, slots=True)
class _Key:
    """What lamps must have in common to be told together. `level` None: Resume."""

    origin: str
    level: int | None
    priority: Priority


@dataclass(frozen=True, slots=True)
class Sending:
    """A round of a cast that is handed over now; `before` is the cast without it."""

    before: CastRun
    after: CastRun
    group: RadioGroup
    frame: Frame


@dataclass(frozen=True, slots=True)
class Move:
    """What casts change now: rounds to hand over, commands, casts; `drop` are the network server's names of groups whose
    waiting frames nobody wants any more; `held` are lamps that will be told together, but not now: the group or the gateways
    are busy.
    """

    sending: tuple[Sending, ...] = ()
    commands: tuple[Command, ...] = ()
    changes: AirChanges = NOTHING
    drop: tuple[str, ...] = ()
    held: frozenset[DevEui] = frozenset()


class Casts:
    """The casts under way in all towns, for the one who steers."""

    def __init__(self, groups: Multicast, pace: Pace, together: bool) -> None:
        self._groups, self._pace, self._together = groups, pace, together
        self._runs: dict[TenantId, dict[str, CastRun]] = {}
        self._losses: dict[TenantId, tuple[datetime, float]] = {}  # what a town loses, as was learnt then
        self._busy: dict[str, datetime] = {}  # until when a group's queue has something, by the group's id

    def forget(self) -> None:
        """Another process steers."""
        self._runs.clear()
        self._busy.clear()
        self._losses.clear()

    def read(self, own: TenantStore) -> None:
        """The casts that were under way when this process began to steer. Raises StoreDown."""
        if self._groups.works and own.tenant.id not in self._runs:
            self._runs[own.tenant.id] = {run.id: run for run in own.casts(open_only=True, limit=1000)}

    def may_join(self, command: Command) -> bool:
        """Whether an order waits while others of the town are still being looked at: it may be told with them."""
        return castable(command) and any(command.device in net.members for net in self._groups.nets(command.tenant))

    def crosses(self, command: Command, now: datetime) -> bool:
        """Whether a frame to a group that the lamp hears is still on its way and says something else: it could come later."""
        runs = [run for run in self._runs.get(command.tenant, {}).values() if self._busy.get(run.group, now) > now]
        if not runs or not isinstance(command.order, SetLevel | Resume):
            return False
        nets = {net.id: net for net in self._groups.nets(command.tenant)}
        return any(run.origin != command.origin and run.group in nets and command.device in nets[run.group].hearers
                   for run in runs)

    def begin(self, town: Town, waiting: Sequence[tuple[Known, Command]], knows: Knows, now: datetime) -> Move:
        """The casts that begin now, of all a town's commands that wait."""
        nets = self._groups.nets(town.tenant.id)
        if not nets:
            return Move()
        sending: list[Sending] = []
        commands: list[Command] = []
        held: set[DevEui] = set()
        spent = []
        for key, some in sorted(_alike(waiting).items(), key=lambda one: (one[0].priority.value, one[0].origin)):
            found = cover(some.keys(), nets, lambda device, key=key: _shall(town, knows(device), key, now))  # type: ignore[misc]
            for one in found.casts:
                made = self._begun(town.tenant.id, key, one, some, now)
                if made is None:
                    held |= one.lamps
                else:
                    sending.append(made[0])
                    commands += made[1]
                    spent += self._spent(made[0], now)
        changes = AirChanges(casts=tuple(one.after for one in sending), spent=tuple(spent))
        return Move(tuple(sending), tuple(commands), changes, held=frozenset(held))

    def go_on(self, town: Town, own: Callable[[], TenantStore], knows: Knows, now: datetime) -> Move:
        """The next rounds of a town's casts, and the ends of those that are over."""
        if self._groups.nets(town.tenant.id):
            self._learn(town.tenant.id, own, now)
        runs = self._runs.get(town.tenant.id, {})
        moves = [self._next(town, run, own, knows, now) for run in list(runs.values()) if now >= run.next_at]
        return joined(move for move in moves if move is not None)

    def failed(self, item: Sending, why: str, knows: Knows, now: datetime) -> Move:
        """The network server has not taken a round: it is tried again, or, where it was the first for too long, given up."""
        run = replace(item.before, note=why, next_at=now + TRY_AGAIN)
        if run.sent == 0 and now - run.created_at >= PATIENCE:
            return self._given_up(run, knows, now, why)
        self._runs.setdefault(run.tenant, {})[run.id] = run
        return Move(changes=AirChanges(casts=(run,)))

    def _learn(self, tenant: TenantId, own: Callable[[], TenantStore], now: datetime) -> None:
        known = self._losses.get(tenant)
        if known is None or not timedelta() <= now - known[0] < LEARN_EVERY:
            self._losses[tenant] = now, learnt(own().tried())

    # -- one cast

    def _begun(self, tenant: TenantId, key: _Key, one: Cast, some: Mapping[DevEui, tuple[Known, Command]],
               now: datetime) -> tuple[Sending, list[Command]] | None:
        group = self._groups.group(tenant, one.net.id)
        order = _order(key, [some[device][1] for device in one.lamps])
        frame = encoded(catalog()[group.model], order) if group is not None else None
        if group is None or frame is None or now < self._busy.get(group.id, now) or self._overtakes(tenant, one, key, now):
            return None
        seconds = time_on_air(len(frame.data), DATA_RATES[group.dr].sf)
        if not self._pace.fits(group.gateways, seconds, key.priority, now):
            return None
        within = max(report_within_s(some[device][0], len(one.lamps)) for device in one.lamps)
        _, loss = self._losses.get(tenant, (now, LOSS))
        air = Air(len(frame.data), DATA_RATES[group.dr].sf, loss=loss, together=self._together, verify_s=silence_after_s(within),
                  report_s=within)
        heard = now + timedelta(seconds=SCHEDULER_S + len(group.gateways) * MARGIN_S)  # by nearly all, with the first round
        name = str(uuid.uuid5(_NAMESPACE, f"{tenant}|{group.id}|{key}|{now.isoformat()}"))
        told = [cast(some[device][1], name, now, order=order, quiet_until=_silent(some[device][0], len(one.lamps), heard))
                for device in sorted(one.lamps)]
        last = max(command.quiet_until or heard for command in told)
        before = CastRun(name, tenant, group.id, key.origin, key.priority, order, len(told), REPEATS, seconds, now,
                         min(last, *(some[device][1].expires_at for device in one.lamps)), now,
                         estimate=_estimate(one, some, air))
        return self._handed_over(before, group, frame, now), told

    def _overtakes(self, tenant: TenantId, one: Cast, key: _Key, now: datetime) -> bool:
        """Whether frames that say something else are still on their way to some of these lamps, by another group."""
        busy = {run.group for run in self._runs.get(tenant, {}).values()
                if self._busy.get(run.group, now) > now and run.origin != key.origin}
        return bool(busy) and any(net.id in busy and not net.hearers.isdisjoint(one.net.hearers)
                                  for net in self._groups.nets(tenant))

    def _handed_over(self, run: CastRun, group: RadioGroup, frame: Frame, now: datetime) -> Sending:
        gap = timedelta(seconds=MARGIN_S * (1 if self._together else len(group.gateways)))
        after = after_round(run, now, gap)
        self._busy[group.id] = now + gap
        self._runs.setdefault(run.tenant, {})[run.id] = after
        return Sending(run, after, group, frame)

    def _next(self, town: Town, run: CastRun, own: Callable[[], TenantStore], knows: Knows, now: datetime) -> Move | None:
        group = self._groups.group(run.tenant, run.group)
        live = _live(run, group, self._groups, knows)
        if not live or now - run.created_at >= MEASURED_AFTER:
            return self._ended(run, own, now, group)
        frame = encoded(catalog()[group.model], run.order) if group is not None else None
        if group is None or frame is None or not run.open or now >= run.expires_at \
                or not any(one.attempts <= 1 for one in live):
            self._runs[run.tenant][run.id] = replace(run, next_at=now + TRY_AGAIN)  # nothing to send: looked at again
            return None
        if not self._still_fits(town, run, {one.device for one in live}, knows, now):
            stopped = replace(run, repeats=run.sent, next_at=now + TRY_AGAIN, note="some of the group shall do something else")
            self._runs[run.tenant][run.id] = stopped
            return Move(changes=AirChanges(casts=(stopped,)), drop=(group.network_id,))
        if not group.ready or not self._pace.fits(group.gateways, run.seconds, run.priority, now):
            return None
        sent = self._handed_over(run, group, frame, now)
        return Move((sent,), (), AirChanges(casts=(sent.after,), spent=tuple(self._spent(sent, now))))

    def _spent(self, sent: Sending, now: datetime) -> list[tuple[TenantId, Spent]]:
        until = now + timedelta(seconds=SCHEDULER_S + MARGIN_S * (len(sent.group.gateways) - 1) + sent.after.seconds)
        return [(sent.after.tenant, item) for item in self._pace.cast(sent.group.gateways, sent.after.seconds, now, until)]

    def _still_fits(self, town: Town, run: CastRun, live: Collection[DevEui], knows: Knows, now: datetime) -> bool:
        """Whether everybody who hears the group shall still do what the cast says."""
        level = run.order.level if isinstance(run.order, SetLevel) else None
        key = _Key(run.origin, level, run.priority)
        hearers = next((net.hearers for net in self._groups.nets(run.tenant) if net.id == run.group), frozenset[DevEui]())
        return all(device in live or _shall(town, knows(device), key, now) for device in hearers)

    def _ended(self, run: CastRun, own: Callable[[], TenantStore], now: datetime, group: RadioGroup | None) -> Move:
        commands = [one for one in own().commands(origin=run.origin, limit=MOST_COMMANDS) if one.cast == run.id]
        over = replace(run, ended_at=now, measured=measured(commands, run.created_at))
        self._runs[run.tenant].pop(run.id, None)
        dropped = (group.network_id,) if group is not None and run.sent < run.repeats and group.network_id else ()
        return Move(changes=AirChanges(casts=(over,)), drop=dropped)

    def _given_up(self, run: CastRun, knows: Knows, now: datetime, why: str) -> Move:
        group = self._groups.group(run.tenant, run.group)
        back = [advance(one, Event.LOSE, now, why) for one in _live(run, group, self._groups, knows) if one.state is State.SENT]
        self._runs.get(run.tenant, {}).pop(run.id, None)
        return Move(commands=tuple(back), changes=AirChanges(casts=(replace(run, ended_at=now, note=why),)))


def joined(moves: Iterable[Move]) -> Move:
    """All of them as one."""
    every = list(moves)
    return Move(tuple(one for move in every for one in move.sending), tuple(one for move in every for one in move.commands),
                AirChanges(casts=tuple(one for move in every for one in move.changes.casts),
                           spent=tuple(one for move in every for one in move.changes.spent)),
                tuple(one for move in every for one in move.drop),
                frozenset(device for move in every for device in move.held))


def castable(command: Command) -> bool:
    """Whether the order may be told to many: the light of the whole lamp, and the first attempt."""
    return command.state is State.PLANNED and not command.attempts and isinstance(command.order, SetLevel | Resume) \
        and not command.order.channel


def _alike(waiting: Iterable[tuple[Known, Command]]) -> dict[_Key, dict[DevEui, tuple[Known, Command]]]:
    found: dict[_Key, dict[DevEui, tuple[Known, Command]]] = defaultdict(dict)
    for known, command in waiting:
        if castable(command):
            level = command.order.level if isinstance(command.order, SetLevel) else None
            found[_Key(command.origin, level, command.priority)][command.device] = known, command
    return found


def _order(key: _Key, commands: Sequence[Command]) -> Order:
    """One order for all: for as long as any of them asks."""
    if key.level is None:
        return Resume()
    minutes = [command.order.minutes for command in commands if isinstance(command.order, SetLevel)]
    return SetLevel(key.level, None if None in minutes else max(one for one in minutes if one is not None))


def _shall(town: Town, known: Known | None, key: _Key, now: datetime) -> bool:
    """Whether a lamp that is not to be told may hear it all the same: just that is wanted of it."""
    lamp = known.asset if known is not None else None
    if not isinstance(lamp, Luminaire):
        return False
    want = town.setpoint(lamp, now)
    if want.origin != key.origin:
        return False
    return want.level in (0, 100) if key.level is None else want.level == key.level


def _silent(known: Known, lamps: int, heard: datetime) -> datetime:
    """When the lamp's silence means that it has not heard a cast, or that its report was not heard."""
    return heard + timedelta(seconds=silence_after_s(report_within_s(known, lamps)))


def report_within_s(known: Known, lamps: int) -> float:
    """Within how many seconds the lamp reports a change of its level."""
    codec = catalog().get(known.device.model)
    return reports_within_s(known.state.config, lamps, gateways=len(gateways_of(known.state)),
                            notices=codec is not None and encoded(codec, LevelNotice(60, 60)) is not None)


def _estimate(one: Cast, some: Mapping[DevEui, tuple[Known, Command]], air: Air) -> Estimate:
    reach: dict[DevEui, Sequence[GatewayId]] = {device: gateways_of(some[device][0].state) for device in one.lamps}
    sites = {device: some[device][0].asset.site for device in one.lamps}
    return priced(Cover((one,), frozenset()), reach, air, hears=by_neighbours(reach, sites))


def _live(run: CastRun, group: RadioGroup | None, groups: Multicast, knows: Knows) -> list[Command]:
    """The commands of a cast that are under way."""
    net = next((net for net in groups.nets(run.tenant) if net.id == run.group), None)
    if group is None or net is None:
        return []
    found = (knows(device) for device in net.hearers)
    return [one for known in found if known is not None for one in known.live if one.cast == run.id]


_NAMESPACE = uuid.UUID("f1b7a1a0-1d0c-4f57-8c5e-3a5b2f1e9d11")
