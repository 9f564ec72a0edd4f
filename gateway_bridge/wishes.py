"""What a town's people want, as commands: the pure half of the steering loop."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec

from city.alarms import Alarm, AlarmKind, begin, watch_silence
from city.commands import Command, Event, Priority, State, advance, command
from city.errors import Invalid
from city.ids import AssetId, DevEui
from city.lighting import Override, Program, Setpoint, lamp_floor, program_setpoint, setpoint
from city.orders import Order, SetLevel, Setting, StatusInterval, to_json
from city.orders import from_json as order_from_json
from city.parking import sign_of_life
from city.places import Luminaire, Tenant
from city.planning import Abilities, Wanted, follow_up, is_applied
from city.quantities import DEVICE_BOOT, LAMP_LEVEL
from city.readings import DeviceState
from city.store.ports import ConfigWish
from decoders.codec import Codec
from firmware_config.delta import delta
from firmware_config.profile import from_json as config_from_json
from gateway_bridge.confirm import encoded
from gateway_bridge.reading import Own

LOCK = timedelta(seconds=5)  # ChirpStack's class_c_lock_duration between two downlinks to one device
HOLD_OFF = timedelta(minutes=10)  # after an order has failed, before the same one is tried again
CONFIG_EXPIRES = timedelta(hours=1)
LONGEST_SILENCE = timedelta(hours=3)  # of a lamp whose status interval nobody has set
INTERVALS_MISSED = 3
STARTING = timedelta(minutes=10)  # a lamp that has restarted burns at its fallback until it knows the time
AFTER_HEARTBEAT = timedelta(hours=1)
CONFIG = "config"


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


@dataclass(slots=True)
class Town:
    """What the steering loop knows of one tenant: the registry as last read, and the newest state of each device."""

    tenant: Tenant
    served: dict[DevEui, Served]
    states: dict[DevEui, DeviceState] = field(default_factory=dict)


def wanted(town: Town, overrides: Sequence[Override], program: Program, applied: Mapping[DevEui, Command],
           live: Mapping[DevEui, list[Command]], now: datetime) -> Iterator[Wanted]:
    """Each lamp that has been heard, for the planner. What a lamp was made to do before it restarted, it has forgotten."""
    by_floor: dict[int, Setpoint] = {}
    for device, item in town.served.items():
        state = town.states.get(device)
        if item.lamp is None or state is None or not state.application_id or not item.can_dim:
            continue
        want = _setpoint(item.lamp, overrides, program, town.tenant, by_floor, now)
        yield Wanted(item.lamp, device, patience(item.codec), want, _level(state, want, now), state.at(LAMP_LEVEL),
                     _remembered(applied.get(device), state), tuple(live.get(device, ())))


def configuring(town: Town, wishes: Mapping[DevEui, ConfigWish], live: Mapping[DevEui, list[Command]],
                now: datetime) -> tuple[list[Command], list[Command]]:
    """Commands for settings that a device has not confirmed yet, and live ones that nobody wants any more."""
    new: list[Command] = []
    superseded: list[Command] = []
    for device in {*wishes, *(device for device, commands in live.items() if any(map(_is_setting, commands)))}:
        item, state = town.served.get(device), town.states.get(device)
        if item is None or state is None or not state.application_id:
            continue
        missing = _missing(wishes.get(device), state, item)
        under_way = [command for command in live.get(device, ()) if _is_setting(command)]
        superseded += [advance(command, Event.SUPERSEDE, now, "another setting is wanted") for command in under_way
                       if command.order not in missing]
        new += [_config_command(town, item, order, now) for order in missing
                if all(command.order != order for command in under_way)]
    return new, superseded


def not_held_off(commands: Iterable[Command], failed: Iterable[Command], states: Mapping[DevEui, DeviceState],
                 now: datetime) -> list[Command]:
    """The commands whose like has not failed a moment ago; a device that has restarted since is tried at once, and so is
    one that was never told because no broker was there, or no time."""
    last: dict[tuple[DevEui, str, bytes], datetime] = {}
    for item in failed:
        if _was_never_sent(item):
            continue
        key = (item.device, item.origin, _essence(item.order))
        last[key] = max(last.get(key, item.created_at), item.changed_at or item.created_at)
    return [item for item in commands if _may_try(item, last, states.get(item.device), now)]


def followed_up(live: Iterable[Command], town: Town, now: datetime) -> list[Command]:
    """The live commands that time alone has moved on: expired, to be sent again, or given up."""
    moved = []
    for item in live:
        served = town.served.get(item.device)
        after = follow_up(item, patience(served.codec) if served else Abilities(dims=False, max_minutes=None), now)
        if after is not item:
            moved.append(after)
    return moved


def claim(live: Iterable[Command], last_sent: Mapping[DevEui, datetime], most: int, now: datetime) -> list[Command]:
    """The planned commands that may go now: most urgent first, then oldest; to one device one at a time, and not within
    ChirpStack's lock."""
    commands = list(live)
    busy = {item.device for item in commands if item.state in (State.SENT, State.SCHEDULED)}
    busy |= {device for device, at in last_sent.items() if now - at < LOCK}
    chosen: list[Command] = []
    for item in sorted(commands, key=lambda item: (item.priority.value, item.created_at, item.id)):
        if len(chosen) >= most:
            break
        if item.state is State.PLANNED and item.device not in busy and item.expires_at > now:
            busy.add(item.device)
            chosen.append(item)
    return chosen


def failure_alarms(commands: Iterable[Command], open_alarms: Iterable[Alarm], now: datetime) -> list[Alarm]:
    """A COMMAND_FAILED alarm for each asset whose order came to nothing and that has none open. An order that waited
    for the broker until it expired says nothing of the asset."""
    running = {alarm.asset for alarm in open_alarms if alarm.open and alarm.kind is AlarmKind.COMMAND_FAILED}
    failed = {item.asset: item for item in commands if item.state in (State.FAILED, State.EXPIRED)
              and not _was_never_sent(item)}
    return [begin(item.tenant, asset, AlarmKind.COMMAND_FAILED, now) for asset, item in sorted(failed.items())
            if asset not in running]


def settled_alarms(lamps: Iterable[Wanted], open_alarms: Iterable[Alarm], now: datetime) -> list[Alarm]:
    """The COMMAND_FAILED alarms that end because the lamp has since been heard to do what is wanted of it."""
    content = {item.lamp.id: _content_at(item) for item in lamps if not item.live}
    return [replace(alarm, ended_at=now) for alarm in open_alarms if alarm.kind is AlarmKind.COMMAND_FAILED
            and (at := content.get(alarm.asset)) is not None and at > alarm.began_at]


def silence_alarms(town: Town, open_alarms: Iterable[Alarm], now: datetime) -> list[Alarm]:
    """A DEVICE_SILENT alarm for each device that was heard once, but not for as long as it should be."""
    by_asset: dict[AssetId, list[Alarm]] = {}
    for alarm in open_alarms:
        by_asset.setdefault(alarm.asset, []).append(alarm)
    found = (watch_silence(town.tenant.id, item.asset, town.states[device], longest_silence(item, town.states[device]),
                           by_asset.get(item.asset, ()), now)
             for device, item in town.served.items() if device in town.states)
    return [alarm for alarm in found if alarm is not None]


def longest_silence(item: Served, state: DeviceState) -> timedelta:
    """Three status intervals of a lamp, or three hours where its interval is not known; a heartbeat and an hour of any
    other device."""
    if item.lamp is None:
        return sign_of_life(state, item.codec.heartbeat) + AFTER_HEARTBEAT
    try:
        interval = order_from_json(state.config.get(StatusInterval.__name__, ""))
    except (Invalid, msgspec.DecodeError):
        return LONGEST_SILENCE
    return INTERVALS_MISSED * timedelta(seconds=interval.seconds) if isinstance(interval, StatusInterval) \
        else LONGEST_SILENCE


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


def _setpoint(lamp: Luminaire, overrides: Sequence[Override], program: Program, tenant: Tenant,
              by_floor: dict[int, Setpoint], now: datetime) -> Setpoint:
    """As city.lighting.setpoint; where no override covers the lamp, reckoned once for all lamps of one floor."""
    covering = [wish for wish in overrides if wish.covers(lamp)]
    if covering:
        return setpoint(lamp, covering, program, tenant.site, now)
    floor = lamp_floor(lamp)
    if floor not in by_floor:
        by_floor[floor] = program_setpoint(program, tenant.site, now, floor=floor)
    return by_floor[floor]


def _level(state: DeviceState, want: Setpoint, now: datetime) -> float | None:
    """What the lamp reports, nothing yet since it has restarted, or where it starts up and is left to its own program."""
    restarted, reported = state.at(DEVICE_BOOT), state.at(LAMP_LEVEL)
    if restarted is not None and reported is not None:
        left_alone = want.reason == "program" and want.level in (0, 100)
        if reported < restarted or (left_alone and now - restarted < STARTING):
            return None
    level = state.value(LAMP_LEVEL)
    return float(level) if isinstance(level, int | float) else None


def _remembered(applied: Command | None, state: DeviceState) -> Command | None:
    restarted = state.at(DEVICE_BOOT)
    if applied is None or restarted is None or applied.changed_at is None or restarted <= applied.changed_at:
        return applied
    return None


def _missing(wish: ConfigWish | None, state: DeviceState, item: Served) -> list[Setting]:
    """The settings still to be told; a wish that is none asks for nothing, and so does what the model cannot be told."""
    if wish is None:
        return []
    try:
        config = config_from_json(wish.wanted)
    except Invalid:
        return []
    return [order for order in delta(state.config, config) if item.takes(order)]


def _is_setting(item: Command) -> bool:
    return item.origin == CONFIG and isinstance(item.order, Setting)


def _config_command(town: Town, item: Served, order: Setting, now: datetime) -> Command:
    lasts = CONFIG_EXPIRES if item.codec.device_class != "A" else 2 * (item.codec.heartbeat + AFTER_HEARTBEAT)
    return command(tenant=town.tenant.id, device=item.device, asset=item.asset, order=order, origin=CONFIG,
                   priority=Priority.CONFIG, now=now, expires_at=now + lasts)


def _was_never_sent(item: Command) -> bool:
    return item.state is State.EXPIRED and not item.attempts


def _may_try(item: Command, last: Mapping[tuple[DevEui, str, bytes], datetime], state: DeviceState | None,
             now: datetime) -> bool:
    failed_at = last.get((item.device, item.origin, _essence(item.order)))
    if failed_at is None or now - failed_at >= HOLD_OFF:
        return True
    restarted = state.at(DEVICE_BOOT) if state else None
    return restarted is not None and restarted > failed_at


def _essence(order: Order) -> bytes:
    """The order without what differs from minute to minute."""
    return to_json(SetLevel(order.level, channel=order.channel) if isinstance(order, SetLevel) else order)
