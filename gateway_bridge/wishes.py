"""What a town's people want, as commands: the pure half of the steering loop."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from city.alarms import Alarm, AlarmKind, begin, watch_silence
from city.commands import Command, Event, Priority, State, advance, command
from city.errors import Invalid
from city.ids import AssetId, CommandId, DevEui, TenantId
from city.orders import LevelNotice, Order, ReadStatus, SetLevel, StatusInterval
from city.orders import from_json as order_from_json
from city.parking import sign_of_life
from city.places import Luminaire
from city.planning import (
    ASK_AFTER,
    ASKED_WITHIN,
    OWN_CALENDAR_GRACE,
    RENEW_AHEAD,
    TELL_AGAIN,
    Abilities,
    Wanted,
    follow_up,
    is_applied,
    is_its_own,
    plan,
)
from city.quantities import DEVICE_BOOT, LAMP_LEVEL, LAMP_REASON
from city.readings import DeviceState, from_ns
from city.reporting import reports_within_s, silence_after_s
from city.store.ports import Known
from decoders.catalog import catalog
from decoders.codec import Codec
from gateway_bridge.asking import READ_BACK
from gateway_bridge.configuring import AFTER_HEARTBEAT, configuring, hold_off, missing
from gateway_bridge.configuring import configs as configs
from gateway_bridge.confirm import BY_HAND, encoded
from gateway_bridge.reading import Key, Own
from gateway_bridge.towns import Applied, Essence, Town, essence, was_never_sent

LOCK = timedelta(seconds=5)  # ChirpStack's class_c_lock_duration between two downlinks to one device
LONGEST_SILENCE = timedelta(hours=3)  # of a lamp whose status interval nobody has set
INTERVALS_MISSED = 3
STARTING = timedelta(minutes=10)  # a lamp that has restarted burns at its fallback until it knows the time
CROWD_ASKED = timedelta(minutes=10)  # after an order was received, where so many have one that their reports take long
HORIZON = timedelta(minutes=5)  # every device is looked at more often than this
JUST_AFTER = timedelta(microseconds=1)
CROWDED = 1000  # lamps that are taken to report at once where nobody knows how long each takes
BACK_TO_LIGHT = timedelta(minutes=3)  # after a lamp that is darker than its program could not be told, until the next try
PROGRAM = "program"  # origin of what nobody wished otherwise
_MUTE = Abilities(dims=False, max_minutes=None)
ASKED, ASKED_FOR = "ask", timedelta(minutes=5)  # after that nobody waits for the answer any more


@dataclass(frozen=True, slots=True)
class Served:
    """An asset with the device that serves it. `own` is set where a town's script speaks for the model: `codec` is then
    the quiet one, and only the orders that the script is mapped to are ever planned."""

    asset: AssetId
    device: DevEui
    codec: Codec
    lamp: Luminaire | None
    own: Own | None = None

    def takes(self, order: Order) -> bool:
        """Whether the model has words for the order."""
        if self.own is None:
            return encoded(self.codec, order) is not None
        return type(order).__name__ in self.own.takes

    @property
    def can_dim(self) -> bool:
        """Whether anything speaks for the model: a script that is off tells its lamps nothing."""
        return self.own is None or SetLevel.__name__ in self.own.takes


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about one device now: `new` commands, live ones that are `ended` because others take their place
    or that time has `moved` on, `alarms`; and `again`, when to look at it again if nothing happens to it before."""

    new: Sequence[Command] = ()
    ended: Sequence[Command] = ()
    moved: Sequence[Command] = ()
    alarms: Sequence[Alarm] = ()
    again: datetime | None = None


NOTHING = Decision()


def decide(town: Town, item: Served | None, known: Known, now: datetime) -> Decision:
    """What is to be done about one device, its town having been brought to `now`. `item` None: nobody can speak to it."""
    town.untold.looked(known.device.dev_eui)
    if item is not None and quiet(town, item, known, now):
        return NOTHING
    return decide_in_full(town, item, known, now)


def decide_in_full(town: Town, item: Served | None, known: Known, now: datetime) -> Decision:
    """As `decide`, without the short cut."""
    live = {command.id: command for command in known.live}
    lamp = wanted(town, item, known, now) if item is not None else None
    planned = plan([lamp] if lamp is not None else (), now)
    settings, unwanted = configuring(town, item, known, now, reachable=not _silent(item, known.state, now)) \
        if item is not None else ([], [])
    asked = [*planned.commands, *settings, *(questions(town, item, known, now) if item is not None else ())]
    new = [_hurried(one, town) for one in asked if _may_try(one, town.failed, known.state, now)]
    ended = [*planned.superseded, *unwanted]
    live |= {command.id: command for command in (*new, *ended)}
    abilities = _patient(town, item, known.state, now) if item else _MUTE
    moved = followed_up([command for command in live.values() if command.state.live], abilities, now)
    live |= {command.id: command for command in moved}
    alarms = failure_alarms(moved, known.alarms, now)
    if lamp is not None:
        alarms += settled_alarms([lamp], known.alarms, now)
    if item is not None:
        alarms += silence_alarms(town.tenant.id, item, known, now)
    tried = {one.id for one in new}
    held_off = [town.failed[essence(one)] + _pause(one) for one in asked if one.id not in tried]
    times = [*held_off, *(at for one in live.values() if one.state.live for at in _deadlines(one, abilities)),
             *(_turns(lamp, known.state) if lamp is not None else ())]
    return Decision(new, ended, moved, alarms, min((at for at in times if at > now), default=None))


def questions(town: Town, item: Served, known: Known, now: datetime) -> list[Command]:
    """A person wants the device to report, and it has not since."""
    at, abilities = town.asked.get(item.asset), item.codec.abilities
    if at is None or not at <= now < at + ASKED_FOR or not abilities.reports_on_demand or not item.takes(ReadStatus()):
        return []
    if from_ns(known.state.heard_ns) > at or any(isinstance(live.order, ReadStatus) for live in known.live):
        return []
    return [command(tenant=town.tenant.id, device=item.device, asset=item.asset, order=ReadStatus(), origin=ASKED,
                    priority=Priority.OVERRIDE, now=now, expires_at=at + ASKED_FOR)]


def quiet(town: Town, item: Served, known: Known, now: datetime) -> bool:
    """Whether there is certainly nothing to be done about the device until `HORIZON` from now, unless something changes:
    nearly always. False says nothing."""
    state = known.state
    if known.live or known.alarms or item.asset in town.asked:
        return False
    if _silent(item, state, now):
        return False
    if not state.application_id:
        return True
    if missing(town, state, item, now):
        return False
    if item.lamp is None or not item.can_dim or not item.codec.abilities.dims:
        return True
    return _burns_on_its_own(town, item, item.lamp, state, now)


def wanted(town: Town, item: Served, known: Known, now: datetime) -> Wanted | None:
    """The lamp for the planner, once it has been heard. What it was made to do before it restarted, it has forgotten."""
    state = known.state
    if item.lamp is None or not state.application_id or not item.can_dim:
        return None
    want = town.setpoint(item.lamp, now)
    abilities = _patient(town, item, state, now)
    own = town.own_level(state.config, item.codec.model, want, now)
    reason = state.value(LAMP_REASON)
    return Wanted(item.lamp, item.device, abilities, want, _level(state, now, is_its_own(want, own)), state.at(LAMP_LEVEL),
                  _remembered(town.applied.get(item.device), state), known.live, own,
                  by_hand=None if reason is None else reason == BY_HAND)


def followed_up(live: Iterable[Command], abilities: Abilities, now: datetime) -> list[Command]:
    """The live commands that time alone has moved on: expired, to be sent again, or given up."""
    pairs = [(before, follow_up(before, abilities, now)) for before in live if not is_quiet(before, now)]
    return [after for before, after in pairs if after is not before]


def is_quiet(item: Command, now: datetime) -> bool:
    """Whether the silence of a device that was told by a multicast means nothing yet."""
    return item.state is State.SENT and item.quiet_until is not None and now < item.quiet_until


def orphaned(commands: Iterable[Command], now: datetime) -> list[Command]:
    """Live commands of devices that serve nothing any more, given up."""
    return [advance(item, Event.GIVE_UP, now, "the device serves nothing here any more") for item in commands]


def next_to_send(commands: Iterable[Command], now: datetime) -> Command | None:
    """Of one device's live commands the planned one that may go now: the most urgent, then the oldest; none while another
    is on its way, but that nothing waits for a setting: of a device that is told after its own uplinks that may take an hour."""
    live = list(commands)
    under_way = [item for item in live if item.state in (State.SENT, State.SCHEDULED)]
    planned = [item for item in live if item.state is State.PLANNED and item.expires_at > now
               and all(one.priority is Priority.CONFIG is not item.priority for one in under_way)]
    return min(planned, key=urgency, default=None)


def urgency(item: Command) -> tuple[int, datetime, CommandId]:
    """Commands are sent in this order."""
    return item.priority.value, item.created_at, item.id


def failure_alarms(commands: Iterable[Command], open_alarms: Iterable[Alarm], now: datetime) -> list[Alarm]:
    """A COMMAND_FAILED alarm for each asset whose order came to nothing and that has none open. An order that waited
    for the broker until it expired says nothing of the asset, and a slot without a task has no answer."""
    running = {alarm.asset for alarm in open_alarms if alarm.open and alarm.kind is AlarmKind.COMMAND_FAILED}
    failed = {item.asset: item for item in commands if item.state in (State.FAILED, State.EXPIRED)
              and not was_never_sent(item) and item.origin != READ_BACK}
    return [begin(item.tenant, asset, AlarmKind.COMMAND_FAILED, now) for asset, item in sorted(failed.items())
            if asset not in running]


def settled_alarms(lamps: Iterable[Wanted], open_alarms: Iterable[Alarm], now: datetime) -> list[Alarm]:
    """The COMMAND_FAILED alarms that end because the lamp has since been heard to do what is wanted of it."""
    content = {item.lamp.id: _content_at(item) for item in lamps if not item.live}
    return [replace(alarm, ended_at=now) for alarm in open_alarms if alarm.kind is AlarmKind.COMMAND_FAILED
            and (at := content.get(alarm.asset)) is not None and at > alarm.began_at]


def silence_alarms(tenant: TenantId, item: Served, known: Known, now: datetime) -> list[Alarm]:
    """A DEVICE_SILENT alarm for a device that was heard once, but not for as long as it should be. Lamps' silence is judged
    together (gateway_bridge.inspect): a cabinet without power is one incident, and no lamp's alarm."""
    if item.lamp is not None:
        return []
    alarm = watch_silence(tenant, item.asset, known.state, longest_silence(item, known.state), known.alarms, now)
    return [] if alarm is None else [alarm]


def longest_silence(item: Served, state: DeviceState) -> timedelta:
    """Three status intervals of a lamp, or three hours where its interval is not known; a heartbeat and an hour of any
    other device."""
    if item.lamp is None:
        return sign_of_life(state, item.codec.heartbeat) + AFTER_HEARTBEAT
    return _three_intervals(state.config.get(StatusInterval.__name__, ""))


@lru_cache(maxsize=4096)
def _three_intervals(confirmed: str) -> timedelta:
    try:
        interval = order_from_json(confirmed)
    except (Invalid, msgspec.DecodeError):
        return LONGEST_SILENCE
    return INTERVALS_MISSED * timedelta(seconds=interval.seconds) if isinstance(interval, StatusInterval) \
        else LONGEST_SILENCE


def served(known: Known, scripts: Mapping[Key, Own]) -> Served | None:
    """The device with its asset, where we know its model or the town has described it."""
    device, asset = known.device, known.asset
    lamp = asset if isinstance(asset, Luminaire) else None
    codec = catalog().get(device.model)
    if codec is not None:
        return Served(asset.id, device.dev_eui, codec, lamp)
    own = scripts.get((known.tenant.id, device.model))
    return None if own is None else Served(asset.id, device.dev_eui, own.quiet, lamp, own)


def patience(codec: Codec) -> Abilities:
    """The model's abilities, where a device that listens only after its own uplinks gets until after the next one."""
    if codec.device_class != "A":
        return codec.abilities
    return replace(codec.abilities, answer_within=max(codec.abilities.answer_within, codec.heartbeat + AFTER_HEARTBEAT),
                   report_within=max(codec.abilities.report_within, codec.heartbeat + AFTER_HEARTBEAT))


def _content_at(item: Wanted) -> datetime | None:
    """When the lamp was last known to do what is wanted: by its report, or, where it gives none, by what it acknowledged."""
    if item.abilities.reports_level:
        return item.level_at if item.level is not None and round(item.level) == item.setpoint.level else None
    last = item.last_applied
    return last.changed_at if last is not None and is_applied(last.order, item.setpoint.level) else None


def _burns_on_its_own(town: Town, item: Served, lamp: Luminaire, state: DeviceState, now: datetime) -> bool:
    """Whether a lamp that no override covers reports the program's level, and nothing holds it that ends soon."""
    if not item.codec.abilities.reports_level or town.overridden(lamp):
        return False
    reported, restarted = state.last.get(LAMP_LEVEL.name), state.last.get(DEVICE_BOOT.name)
    want = town.setpoint(lamp, now)
    if reported is None or not isinstance(reported.value, int | float) or round(reported.value) != want.level:
        return False
    if restarted is not None and restarted.at_ns > reported.at_ns:
        return False
    applied = town.applied.get(item.device)
    if applied is None or not isinstance(applied.order, SetLevel):
        return True
    if applied.holds_until is None:
        return False
    return applied.holds_until <= now or (applied.order.level == want.level
                                          and applied.holds_until - now > RENEW_AHEAD + HORIZON)


def _patient(town: Town, item: Served, state: DeviceState, now: datetime) -> Abilities:
    """The model's patience; in a crowd a lamp gets the random time of its notice before it is asked, and nobody tells it again
    what it has acknowledged until that question had its time: both would only crowd the air."""
    abilities = patience(item.codec)
    if town.crowded_until is None or now >= town.crowded_until:
        return abilities
    says = reports_within_s(state.config, CROWDED, notices=item.takes(LevelNotice(60, 60)))
    ask_after = min(timedelta(seconds=silence_after_s(says)), CROWD_ASKED)
    return replace(abilities, ask_after=ask_after, report_within=max(abilities.report_within, ask_after + ASKED_WITHIN))


def _deadlines(item: Command, abilities: Abilities) -> Iterator[datetime]:
    """When time alone may move the command on."""
    if item.state is not State.ACKED:
        yield item.expires_at
    if item.sent_at is not None and item.state is not State.PLANNED:
        since = item.changed_at or item.sent_at
        if item.quiet_until is not None:
            yield item.quiet_until
        yield since + (abilities.report_within if item.state is State.ACKED else abilities.answer_within) + JUST_AFTER
        yield since + (ASK_AFTER if item.attempts > 1 else abilities.ask_after)


def _turns(lamp: Wanted, state: DeviceState) -> Iterator[datetime]:
    """When a lamp about which nothing changes may have to be told something; when its setpoint ends is the town's to know."""
    yield lamp.setpoint.since + OWN_CALENDAR_GRACE
    if (restarted := state.at(DEVICE_BOOT)) is not None:
        yield restarted + STARTING
    if (last := lamp.last_applied) is not None:
        if last.holds_until is not None:
            yield last.holds_until - RENEW_AHEAD
            yield last.holds_until
        if last.changed_at is not None:
            yield last.changed_at + TELL_AGAIN


def _level(state: DeviceState, now: datetime, left_alone: bool) -> float | None:
    """What the lamp reports, nothing yet since it has restarted, or where it starts up and is left to its own program."""
    restarted, reported = state.at(DEVICE_BOOT), state.at(LAMP_LEVEL)
    if restarted is not None and reported is not None and (
            reported < restarted or (left_alone and now - restarted < STARTING)):
        return None
    level = state.value(LAMP_LEVEL)
    return float(level) if isinstance(level, int | float) else None


def _remembered(applied: Applied | None, state: DeviceState) -> Applied | None:
    restarted = state.at(DEVICE_BOOT)
    return applied if applied is None or restarted is None or restarted <= applied.changed_at else None


def _silent(item: Served, state: DeviceState, now: datetime) -> bool:
    return bool(state.heard_ns) and now - from_ns(state.heard_ns) > longest_silence(item, state)


def _hurried(item: Command, town: Town) -> Command:
    """Light for safety's sake goes first."""
    return replace(item, priority=Priority.SAFETY) if town.active and town.emergency(item.origin) else item


def _pause(item: Command) -> timedelta:
    """How long after an order has failed its like is not tried again; what makes a lamp as bright as its program cannot wait."""
    back = item.origin == PROGRAM and item.priority in (Priority.SAFETY, Priority.OVERRIDE)
    return BACK_TO_LIGHT if back else hold_off(item.origin)


def _may_try(item: Command, failed: Mapping[Essence, datetime], state: DeviceState, now: datetime) -> bool:
    """Whether its like has not failed a moment ago; a device that has restarted since is tried at once, and so is one that
    was never told because no broker was there, or no time."""
    failed_at = failed.get(essence(item))
    if failed_at is None or now - failed_at >= _pause(item):
        return True
    restarted = state.at(DEVICE_BOOT)
    return restarted is not None and restarted > failed_at
