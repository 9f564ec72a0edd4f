"""What people are shown of a town: put together from a bounded number of store queries, for JSON routes and pages alike.

Nothing here knows of HTTP. Wanted is never shown as reached: a lamp has its target, what it says it does, and what it
draws, each with its own time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from api.library import codecs_for
from api.pricing import price
from city.airtime import RX2_DR, Estimate
from city.alarms import Alarm, AlarmKind
from city.commands import Command, State
from city.errors import NotFound
from city.floors import highest_floor
from city.groups import Target, resolve
from city.ids import AssetId, DevEui, ZoneId
from city.lighting import Override, Setpoint
from city.orders import Resume, SetLevel
from city.places import Device, Luminaire, ParkingBay, Zone
from city.planning import OWN_CALENDAR_GRACE
from city.quantities import LAMP_LEVEL, LAMP_POWER, LAMP_REASON
from city.readings import NO_LASTS, DeviceState, Last, from_ns
from city.store.ports import TenantStore
from city.wants import Wants
from decoders.codec import Codec

ALL = 1_000_000  # a limit that means: every one
LIVE = tuple(state for state in State if state.live)
FAULTS = frozenset({AlarmKind.LAMP_FAILURE, AlarmKind.DRIVER_SILENT, AlarmKind.METER_SILENT})
OVERRIDE_GRACE = timedelta(minutes=3)
NO_KINDS: frozenset[AlarmKind] = frozenset()
HOUR = timedelta(hours=1)
UNKNOWN_HEARTBEAT = timedelta(hours=24)


class LampWord(Enum):
    """How a lamp is doing, in one word."""

    OK = "ok"  # burns as wanted
    WAITING = "waiting"  # was told, or has only just begun to be wanted otherwise
    DEVIATES = "deviates"  # burns otherwise than wanted, and has had time to obey
    FAULT = "fault"  # reports a defect
    SILENT = "silent"  # has not spoken for longer than it should
    NEVER_HEARD = "never_heard"  # has no controller, or one that never spoke


@dataclass(frozen=True, slots=True)
class LuminaireView:
    """One lamp and its three states: target (wanted), reported (in effect), measured (power)."""

    lamp: Luminaire
    zone_name: str
    device: DevEui | None
    model: str
    dims: bool
    target: Setpoint
    level: float | None
    level_reason: str
    level_at: datetime | None
    power_w: float | None
    power_at: datetime | None
    heard_at: datetime | None
    word: LampWord
    alarms: tuple[Alarm, ...]
    live: Command | None
    override: Override | None

    @property
    def floor(self) -> int:
        """The lowest lawful level, per cent."""
        return highest_floor(self.lamp)


@dataclass(frozen=True, slots=True)
class ZoneLightingView:
    """A zone's lamps: how many there are by word, what they burn at and draw, and the override of the whole zone."""

    zone: Zone
    lamps: int
    dimmable: int
    words: Mapping[LampWord, int]
    target_min: int
    target_max: int
    level_mean: float | None
    power_w: float | None
    floor: int
    override: Override | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class OverrideProgress:
    """How far an override has come. Each lamp counts once; the counts after `asked` sum to it.

    `applied`: reports the wanted level. `deviating`: obeyed, but reports another level since. `unable`: has no
    controller that dims. `waiting`: nothing has been sent yet. `superseded`: another wish holds there, or this one is over.
    """

    override: Override
    active: bool
    asked: int
    waiting: int
    sent: int
    scheduled: int
    acked: int
    applied: int
    deviating: int
    failed: int
    unable: int
    superseded: int

    @property
    def settled(self) -> bool:
        """Whether no more is to come by itself."""
        return self.waiting + self.sent + self.scheduled + self.acked == 0


def luminaires(town: TenantStore, now: datetime, zone: ZoneId | None = None) -> list[LuminaireView]:
    """Every lamp of the town, or of one zone, by id."""
    return _lamp_views(town, town.luminaires(zone), now)


def luminaires_of(town: TenantStore, lamps: Sequence[Luminaire], now: datetime) -> list[LuminaireView]:
    """These lamps of the town, in their order."""
    return _lamp_views(town, lamps, now)


def luminaire(town: TenantStore, asset: AssetId, now: datetime) -> LuminaireView:
    """One lamp; raises NotFound."""
    return _lamp_views(town, (lamp_of(town, asset),), now)[0]


def lamp_of(town: TenantStore, asset: AssetId) -> Luminaire:
    """The lamp of that number; raises NotFound also for a bay."""
    found = town.asset(asset)
    if not isinstance(found, Luminaire):
        raise NotFound("There is no lamp “{asset}”.", field="asset", rule="exists", asset=asset[:64])
    return found


def bay_of(town: TenantStore, asset: AssetId) -> ParkingBay:
    """The bay of that number; raises NotFound also for a lamp."""
    found = town.asset(asset)
    if not isinstance(found, ParkingBay):
        raise NotFound("There is no bay “{asset}”.", field="asset", rule="exists", asset=asset[:64])
    return found


def lighting_zones(town: TenantStore, now: datetime) -> list[ZoneLightingView]:
    """Every zone that has lamps."""
    return zones_of(town, luminaires(town, now), now)


def zones_of(town: TenantStore, views: Iterable[LuminaireView], now: datetime) -> list[ZoneLightingView]:
    """Every zone of which there are lamps among `views`, which are the town's."""
    grouped: dict[ZoneId, list[LuminaireView]] = {}
    for view in views:
        grouped.setdefault(view.lamp.zone, []).append(view)
    overrides = town.overrides(now)
    return [_zone_view(zone, grouped[zone.id], _of_zone(overrides, zone.id)) for zone in town.zones()
            if zone.id in grouped]


def override_progress(town: TenantStore, override: Override, now: datetime) -> OverrideProgress:
    """How far the override has come, lamp by lamp."""
    lamps = covered(town, override)
    devices = _devices(town, lamps)
    states, codecs = _states(town, devices), codecs_for(town, devices.values())
    newest: dict[AssetId, list[Command]] = {}
    for order in town.commands(origin=f"override:{override.id}", limit=ALL):
        newest.setdefault(order.asset, []).append(order)
    active = override.active(now)
    tally = Counter(step_of(override, active, dimming(devices.get(lamp.id), codecs), states, newest.get(lamp.id, []))
                    for lamp in lamps)
    return OverrideProgress(override, active, len(lamps), *(tally[step] for step in _STEPS))


def covered(town: TenantStore, override: Override) -> list[Luminaire]:
    """The lamps that an override concerns."""
    named = resolve(override.targets, town.luminaires(), town.programming().groups)
    return [lamp for lamp in named if override.concerns(lamp)]


def _of_zone(overrides: Iterable[Override], zone: ZoneId) -> Override | None:
    """The newest override that is for the whole zone."""
    return next((wish for wish in overrides if Target("zone", zone) in wish.targets), None)


def estimate_for(town: TenantStore, lamps: Iterable[Luminaire], now: datetime, rx2_dr: int = RX2_DR) -> Estimate:
    """What one order to these lamps costs now, at that data rate where nothing was sent yet. Raises Unsupported where none of
    them has a controller that dims."""
    return price(town, lamps, now=now, rx2_dr=rx2_dr)


def dimmable(town: TenantStore) -> set[AssetId]:
    """The assets whose controllers can be dimmed by us."""
    devices = town.devices()
    codecs = codecs_for(town, devices)
    return {device.asset for device in devices if dimming(device, codecs) is not None}


_STEPS = ("waiting", "sent", "scheduled", "acked", "applied", "deviating", "failed", "unable", "superseded")
_STEP_OF = {State.PLANNED: "waiting", State.SENT: "sent", State.SCHEDULED: "scheduled", State.ACKED: "acked",
            State.APPLIED: "deviating", State.SUPERSEDED: "superseded", State.EXPIRED: "failed", State.FAILED: "failed"}


def step_of(override: Override, active: bool, device: Device | None, states: Mapping[DevEui, DeviceState],
          orders: list[Command]) -> str:
    """Where one lamp stands; `device` is its controller if that dims, `orders` are those of this override, newest
    first."""
    if device is None:
        return "unable"
    state = states.get(device.dev_eui)
    level, at = (state.value(LAMP_LEVEL), state.at(LAMP_LEVEL)) if state else (None, None)
    done = any(order.state is State.APPLIED for order in orders)
    if active and isinstance(level, float) and round(level) == override.level and at is not None \
            and (done or at >= override.start or not orders):
        return "applied"
    if not active and done:
        return "applied"
    if not orders:
        return "waiting" if override.ended_at is None else "superseded"
    if level is None and orders[0].state is State.APPLIED:
        return "applied"  # it reports no level that could deviate
    return _STEP_OF[orders[0].state]


def _lamp_views(town: TenantStore, lamps: Sequence[Luminaire], now: datetime) -> list[LuminaireView]:
    devices = _devices(town, lamps)
    picture = Picture(
        zones=town.zones(), devices=devices, codecs=codecs_for(town, devices.values()),
        states=_states(town, devices), alarms=town.alarms(limit=ALL),
        live=town.commands(asset=lamps[0].id if len(lamps) == 1 else None, states=LIVE, limit=ALL),
        targets=Wants(town.programming(), town.overrides(now), now), now=now)
    return [picture.view(lamp) for lamp in lamps]


class Picture:
    """Everything that views of lamps need, looked up once; `live` commands come newest first."""

    def __init__(self, *, zones: Iterable[Zone], devices: Mapping[AssetId, Device],
                 codecs: Mapping[str, Codec], states: Mapping[DevEui, DeviceState], alarms: Iterable[Alarm],
                 live: Iterable[Command], targets: Wants, now: datetime) -> None:
        self._zones = {zone.id: zone.name for zone in zones}
        self._devices, self._states, self._targets, self._now = devices, states, targets, now
        self._codecs = codecs
        self._alarms: dict[AssetId, list[Alarm]] = {}
        for alarm in alarms:
            self._alarms.setdefault(alarm.asset, []).append(alarm)
        self._live: dict[AssetId, Command] = {}
        for order in live:
            if isinstance(order.order, SetLevel | Resume):
                self._live.setdefault(order.asset, order)

    def view(self, lamp: Luminaire) -> LuminaireView:
        """One lamp; twenty thousand of them take a fraction of a second, so the state is looked into directly."""
        device = self._devices.get(lamp.id)
        state = self._states.get(device.dev_eui) if device else None
        codec = self._codecs.get(device.model) if device else None
        said = state.last if state else NO_LASTS
        level, power, reason = said.get(LAMP_LEVEL.name), said.get(LAMP_POWER.name), said.get(LAMP_REASON.name)
        heard_at = from_ns(state.heard_ns) if state and state.heard_ns else None
        wish = self._targets.override_of(lamp)
        target, alarms = self._targets.under(wish, lamp), tuple(self._alarms.get(lamp.id, ()))
        live, burns = self._live.get(lamp.id), _number(level)
        return LuminaireView(
            lamp=lamp, zone_name=self._zones.get(lamp.zone, lamp.zone), device=device.dev_eui if device else None,
            model=device.model if device else "", dims=codec is not None and codec.abilities.dims, target=target,
            level=burns, level_reason=str(reason.value) if reason else "",
            level_at=from_ns(level.at_ns) if level else None, power_w=_number(power),
            power_at=from_ns(power.at_ns) if power else None, heard_at=heard_at,
            word=lamp_word(target, burns, heard_at, alarms, live, codec, self._now), alarms=alarms, live=live,
            override=wish)


def lamp_word(target: Setpoint, level: float | None, heard_at: datetime | None, alarms: Sequence[Alarm],
              live: Command | None, codec: Codec | None, now: datetime) -> LampWord:
    """One word for a lamp; silence and faults come before agreement, for they make it doubtful."""
    if heard_at is None:
        return LampWord.NEVER_HEARD
    kinds = {alarm.kind for alarm in alarms} if alarms else NO_KINDS
    heartbeat = codec.heartbeat if codec else UNKNOWN_HEARTBEAT
    if AlarmKind.DEVICE_SILENT in kinds or now - heard_at > heartbeat + heartbeat + HOUR:
        return LampWord.SILENT
    if kinds & FAULTS:
        return LampWord.FAULT
    if level is not None and round(level) == target.level:
        return LampWord.OK
    grace = OVERRIDE_GRACE if target.reason == "override" or target.level not in (0, 100) else OWN_CALENDAR_GRACE
    return LampWord.WAITING if live is not None or level is None or now - target.since < grace else LampWord.DEVIATES


def _zone_view(zone: Zone, views: list[LuminaireView], override: Override | None) -> ZoneLightingView:
    levels = [view.level for view in views if view.level is not None]
    powers = [view.power_w for view in views if view.power_w is not None]
    heard = [view.heard_at for view in views if view.heard_at is not None]
    targets = [view.target.level for view in views]
    return ZoneLightingView(
        zone=zone, lamps=len(views), dimmable=sum(view.dims for view in views),
        words=Counter(view.word for view in views), target_min=min(targets), target_max=max(targets),
        level_mean=sum(levels) / len(levels) if levels else None, power_w=sum(powers) if powers else None,
        floor=max(view.floor for view in views), override=override, newest=max(heard, default=None))


def _by_asset(devices: Iterable[Device]) -> dict[AssetId, Device]:
    return {device.asset: device for device in devices}


def _devices(town: TenantStore, lamps: Sequence[Luminaire]) -> dict[AssetId, Device]:
    """The lamps' devices; for a single lamp only its own is asked for."""
    if len(lamps) != 1:
        return _by_asset(town.devices())
    try:
        return {lamps[0].id: town.device_of(lamps[0].id)}
    except NotFound:
        return {}


def _states(town: TenantStore, devices: Mapping[AssetId, Device]) -> Mapping[DevEui, DeviceState]:
    if len(devices) > 1:
        return town.states()
    return {device.dev_eui: state for device in devices.values() if (state := town.state(device.dev_eui)) is not None}


def dimming(device: Device | None, codecs: Mapping[str, Codec]) -> Device | None:
    """The device, if it dims."""
    codec = codecs.get(device.model) if device is not None else None
    return device if codec is not None and codec.abilities.dims else None


def _number(last: Last | None) -> float | None:
    return float(last.value) if last is not None and isinstance(last.value, int | float) else None
