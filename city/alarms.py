"""Conditions that have a beginning and an end, and need a person: what begins one, and what ends it."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from types import MappingProxyType

from city.ids import AssetId, TenantId
from city.quantities import (
    DEVICE_BATTERY_LOW,
    DEVICE_CLOCK_VALID,
    LAMP_DALI_ERROR,
    LAMP_FAILURE,
    LAMP_METERING_ERROR,
    Quantity,
)
from city.readings import DeviceState, from_ns


class Severity(IntEnum):
    """How much a condition matters; more is worse."""

    INFO = 0
    WARNING = 1
    MAJOR = 2
    CRITICAL = 3


class AlarmKind(Enum):
    """What is wrong; each has one sentence in `SENTENCES`. Those from PARTIAL_FAILURE on are judged by city.faults."""

    LAMP_FAILURE = "lamp_failure"
    DRIVER_SILENT = "driver_silent"
    METER_SILENT = "meter_silent"
    CLOCK_INVALID = "clock_invalid"
    BATTERY_LOW = "battery_low"
    DEVICE_SILENT = "device_silent"
    COMMAND_FAILED = "command_failed"
    SCRIPT_OFF = "script_off"
    FLOODING = "flooding"
    PARTIAL_FAILURE = "partial_failure"
    OVERPOWER = "overpower"
    DIMMING_FAILURE = "dimming_failure"
    DAY_BURNER = "day_burner"
    NIGHT_OFF = "night_off"
    CYCLING = "cycling"
    FLICKER = "flicker"
    LOW_POWER_FACTOR = "low_power_factor"
    UNDERVOLTAGE = "undervoltage"
    OVERVOLTAGE = "overvoltage"
    OVER_TEMPERATURE = "over_temperature"
    TILTED = "tilted"
    METER_JUMP = "meter_jump"
    RELAY_FAILURE = "relay_failure"
    CLOCK_WRONG = "clock_wrong"
    RESTARTS = "restarts"


SENTENCES = {
    AlarmKind.LAMP_FAILURE: "The lamp should burn and does not.",
    AlarmKind.DRIVER_SILENT: "The controller cannot talk to the driver.",
    AlarmKind.METER_SILENT: "The controller cannot talk to its meter.",
    AlarmKind.CLOCK_INVALID: "The controller's clock is not set; its own program runs at wrong times.",
    AlarmKind.BATTERY_LOW: "The battery is low.",
    AlarmKind.DEVICE_SILENT: "No sign of life for longer than it should be.",
    AlarmKind.COMMAND_FAILED: "An order was not carried out after every attempt.",
    AlarmKind.SCRIPT_OFF: "The script of this device's model broke its limits repeatedly and was switched off.",
    AlarmKind.FLOODING: "The device sends more often than LoRaWAN allows: it is faulty, or somebody pretends to be it.",
    AlarmKind.PARTIAL_FAILURE: "The lamp draws too little: a part of it has failed.",
    AlarmKind.OVERPOWER: "The lamp draws too much.",
    AlarmKind.DIMMING_FAILURE: "The lamp does not follow its dimming level.",
    AlarmKind.DAY_BURNER: "The lamp burns by day.",
    AlarmKind.NIGHT_OFF: "The lamp is off at night although it is to burn.",
    AlarmKind.CYCLING: "The lamp goes off and on by itself.",
    AlarmKind.FLICKER: "The lamp flickers: its power does not hold still.",
    AlarmKind.LOW_POWER_FACTOR: "The power factor is too low.",
    AlarmKind.UNDERVOLTAGE: "The mains voltage is too low.",
    AlarmKind.OVERVOLTAGE: "The mains voltage is too high.",
    AlarmKind.OVER_TEMPERATURE: "The luminaire is too hot.",
    AlarmKind.TILTED: "The luminaire is tilted: the pole may have been hit.",
    AlarmKind.METER_JUMP: "The energy counter has jumped.",
    AlarmKind.RELAY_FAILURE: "The relay does not do what it says.",
    AlarmKind.CLOCK_WRONG: "The controller's clock is wrong; its own program runs at wrong times.",
    AlarmKind.RESTARTS: "The device restarts again and again.",
}

RULE = "rule"  # the fact that names the rule of city.faults by which an alarm stands; those have it, and no others
NO_FACTS: Mapping[str, float | str] = MappingProxyType({})
_SEVERITIES = {
    Severity.INFO: (AlarmKind.METER_JUMP,),
    Severity.WARNING: (AlarmKind.METER_SILENT, AlarmKind.CLOCK_INVALID, AlarmKind.BATTERY_LOW, AlarmKind.DEVICE_SILENT,
                       AlarmKind.COMMAND_FAILED, AlarmKind.SCRIPT_OFF, AlarmKind.FLOODING, AlarmKind.LOW_POWER_FACTOR,
                       AlarmKind.OVERPOWER, AlarmKind.DIMMING_FAILURE, AlarmKind.DAY_BURNER, AlarmKind.CLOCK_WRONG,
                       AlarmKind.RESTARTS, AlarmKind.UNDERVOLTAGE, AlarmKind.OVERVOLTAGE, AlarmKind.OVER_TEMPERATURE,
                       AlarmKind.FLICKER),
    Severity.MAJOR: (AlarmKind.LAMP_FAILURE, AlarmKind.DRIVER_SILENT, AlarmKind.PARTIAL_FAILURE, AlarmKind.NIGHT_OFF,
                     AlarmKind.CYCLING, AlarmKind.TILTED, AlarmKind.RELAY_FAILURE),
}
SEVERITY_OF = {kind: severity for severity, kinds in _SEVERITIES.items() for kind in kinds}
DARKENS = frozenset({  # there is too little light, or soon may be: at a pedestrian crossing that is critical
    AlarmKind.LAMP_FAILURE, AlarmKind.DRIVER_SILENT, AlarmKind.PARTIAL_FAILURE, AlarmKind.NIGHT_OFF, AlarmKind.CYCLING,
    AlarmKind.DIMMING_FAILURE, AlarmKind.TILTED, AlarmKind.DEVICE_SILENT})

STEADY = timedelta(minutes=10)  # so long a fault must be gone by the device's own word: some come and go with each report
FLOODED = timedelta(hours=1)  # so long the alarm stands at least: one an hour of a device that never stops

_BY_READING: tuple[tuple[Quantity, bool, AlarmKind], ...] = (
    (LAMP_FAILURE, True, AlarmKind.LAMP_FAILURE),
    (LAMP_DALI_ERROR, True, AlarmKind.DRIVER_SILENT),
    (LAMP_METERING_ERROR, True, AlarmKind.METER_SILENT),
    (DEVICE_CLOCK_VALID, False, AlarmKind.CLOCK_INVALID),
    (DEVICE_BATTERY_LOW, True, AlarmKind.BATTERY_LOW),
)
_BAD = tuple((quantity.name, bad) for quantity, bad, _ in _BY_READING)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One condition at one asset, from `began_at` until `ended_at`; acknowledged by whom and when. `facts` are its proof:
    what was measured, expected, and by which rule."""

    id: str
    tenant: TenantId
    asset: AssetId
    kind: AlarmKind
    began_at: datetime
    ended_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    severity: Severity = Severity.WARNING
    facts: Mapping[str, float | str] = field(default_factory=lambda: NO_FACTS, hash=False)

    @property
    def open(self) -> bool:
        return self.ended_at is None

    @property
    def judged(self) -> bool:
        """Whether a rule of city.faults has begun it: then it ends by that rule too, not by what the device says."""
        return RULE in self.facts


def begin(tenant: TenantId, asset: AssetId, kind: AlarmKind, now: datetime, *, severity: Severity | None = None,
          facts: Mapping[str, float | str] = NO_FACTS) -> Alarm:
    """A new alarm; its id is a pure function of what, where and when, so beginning it twice is one alarm."""
    seed = f"{tenant}|{asset}|{kind.value}|{now.isoformat()}"
    return Alarm(str(uuid.uuid5(_NAMESPACE, seed)), tenant, asset, kind, now, facts=facts,
                 severity=SEVERITY_OF[kind] if severity is None else severity)


def watch(tenant: TenantId, asset: AssetId, state: DeviceState, open_alarms: Iterable[Alarm],
          now: datetime) -> tuple[Alarm, ...]:
    """The alarms that an uplink begins or ends: `state` is what is known after it. Unchanged ones are not returned."""
    running = {alarm.kind: alarm for alarm in open_alarms if alarm.open}
    changed = [_switch(begin(tenant, asset, kind, now), running.get(kind), bad=state.value(quantity) is bad,
                       steady=_steady(state, quantity, now))
               for quantity, bad, kind in _BY_READING if state.value(quantity) is not None]
    changed += [replace(alarm, ended_at=now) for alarm in running.values() if alarm.kind is AlarmKind.DEVICE_SILENT
                or (alarm.kind is AlarmKind.FLOODING and now - alarm.began_at >= FLOODED)]
    return tuple(alarm for alarm in changed if alarm is not None)


def alarming(state: DeviceState) -> bool:
    """Whether anything that the device says of itself calls for an alarm."""
    index, values = state.last.index, state.last.values
    for name, bad in _BAD:  # asked of every uplink
        number = index.get(name)
        if number is not None and values[number] is bad:
            return True
    return False


def watch_flood(tenant: TenantId, asset: AssetId, open_alarms: Iterable[Alarm], now: datetime) -> Alarm | None:
    """A new FLOODING alarm for a device of which a frame was one too many, if none is open. A later frame that is none
    ends it (`watch`)."""
    if any(alarm.open and alarm.kind is AlarmKind.FLOODING for alarm in open_alarms):
        return None
    return begin(tenant, asset, AlarmKind.FLOODING, now)


def watch_silence(tenant: TenantId, asset: AssetId, state: DeviceState, longest: timedelta,
                  open_alarms: Iterable[Alarm], now: datetime) -> Alarm | None:
    """A new DEVICE_SILENT alarm if the device was heard once but not for `longest`, and none is open."""
    if not state.heard_ns or now - from_ns(state.heard_ns) <= longest:
        return None
    if any(alarm.open and alarm.kind is AlarmKind.DEVICE_SILENT for alarm in open_alarms):
        return None
    return begin(tenant, asset, AlarmKind.DEVICE_SILENT, now)


def _steady(state: DeviceState, quantity: Quantity, now: datetime) -> bool:
    """Whether the value has been what it is for a while. A clock that has been set is set; one that is not is mostly told
    the time within a minute of the restart: it must say so again after that."""
    known = state.last.get(quantity.name)
    if quantity is DEVICE_CLOCK_VALID and known is not None:
        return known.value is True or from_ns(known.at_ns) - from_ns(known.since_ns) >= STEADY
    return known is not None and now - from_ns(known.since_ns) >= STEADY


def _switch(new: Alarm, running: Alarm | None, *, bad: bool, steady: bool) -> Alarm | None:
    """The alarm that begins or ends now."""
    if bad:
        return new if running is None and (steady or new.kind is not AlarmKind.CLOCK_INVALID) else None
    if running is not None and running.judged:
        return None
    return replace(running, ended_at=new.began_at) if running is not None and steady else None


_NAMESPACE = uuid.UUID("0c8f6c0e-0a5e-4f6e-8f0f-3b1f7c2d9a41")
