"""What one device should be configured as: typed, checked, and the same as JSON."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

import msgspec

from city.errors import Invalid
from city.orders import (
    AlarmLimits,
    DimTask,
    FallbackLevel,
    Holidays,
    Parameters,
    Position,
    Profile,
    Setting,
    StatusInterval,
    SunCalendar,
    SunStep,
    UsageInterval,
)

SHORTEST_S, LONGEST_S = 60, 86_400
MAX_POWER_W, MAX_VOLTAGE_V = 2000, 500
POSITION_DIGITS = 7  # of a degree: a centimetre
MAX_JSON = 65_536
MAX_PARAMETERS, MAX_NUMBER = 64, 2**32 - 1
MAX_PROFILES, MAX_PROFILE_STEPS, MAX_SUN_STEPS, MAX_HOLIDAYS, MAX_TASKS = 255, 24, 15, 40, 20


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """What is wanted of one device; None: leave it as it is. Raises Invalid, naming the field.

    Intervals are seconds, 60 to 86 400; the level is per cent; limits are W, V and a power factor; the position is
    WGS 84 degrees, kept to 7 digits, and has no name of its own (the asset has one). `parameters` are what only the
    model itself has: at most 64 names with whole numbers; which it knows, and their ranges, its codec tells.
    `sun_calendar`, `holidays`, `profiles` (by slot) and `tasks` (by number) are a lamp's own program; of profiles and tasks
    those that are not named are given up, unless the field is None.
    """

    status_interval_s: int | None = None
    usage_interval_s: int | None = None
    fallback_level: int | None = None
    alarm_limits: AlarmLimits | None = None
    position: Position | None = None
    parameters: Parameters | None = None
    sun_calendar: SunCalendar | None = None
    holidays: Holidays | None = None
    profiles: tuple[Profile, ...] | None = None
    tasks: tuple[DimTask, ...] | None = None

    def __post_init__(self) -> None:
        _whole("status_interval_s", self.status_interval_s, SHORTEST_S, LONGEST_S)
        _whole("usage_interval_s", self.usage_interval_s, SHORTEST_S, LONGEST_S)
        _whole("fallback_level", self.fallback_level, 0, 100)
        if self.alarm_limits is not None:
            object.__setattr__(self, "alarm_limits", _limits(self.alarm_limits))
        if self.position is not None:
            object.__setattr__(self, "position", _position(self.position))
        if self.parameters is not None:
            object.__setattr__(self, "parameters", _parameters(self.parameters.values))
        if self.sun_calendar is not None:
            _check_calendar(self.sun_calendar)
        if self.holidays is not None:
            _check_holidays(self.holidays)
        if self.profiles is not None:
            object.__setattr__(self, "profiles", _profiles(self.profiles))
        if self.tasks is not None:
            _check_tasks(self.tasks)

    def settings(self) -> tuple[Setting, ...]:
        """One order for each field that is not None, in the order of the fields."""
        wanted: list[Setting] = []
        if self.status_interval_s is not None:
            wanted.append(StatusInterval(self.status_interval_s))
        if self.usage_interval_s is not None:
            wanted.append(UsageInterval(self.usage_interval_s))
        if self.fallback_level is not None:
            wanted.append(FallbackLevel(self.fallback_level))
        wanted += [setting for setting in (self.alarm_limits, self.position, self.parameters, self.sun_calendar, self.holidays)
                   if setting is not None]
        return (*wanted, *(self.profiles or ()), *(self.tasks or ()))

    @property
    def programs(self) -> bool:
        """Whether it has a say in what the lamp does by itself through a night."""
        return any(part is not None for part in (self.sun_calendar, self.holidays, self.profiles, self.tasks))


def to_json(config: DeviceConfig) -> bytes:
    """The configuration as JSON; what is None is left out."""
    return msgspec.json.encode({name: value for name, value in _plain(config).items() if value is not None})


def from_json(data: bytes | str) -> DeviceConfig:
    """The configuration in `data`. Raises Invalid, naming the field, on unknown fields, wrong types and values."""
    if len(data) > MAX_JSON:
        raise Invalid("A configuration has at most {most} bytes.", field="config", rule="size", most=MAX_JSON)
    try:
        wish = msgspec.json.decode(data, type=_Wish)
    except msgspec.DecodeError as error:
        where = str(error).partition("`$.")[2].rstrip("`") or "config"
        raise Invalid("This is no configuration: {what}", field=where, rule="schema", what=str(error)) from error
    return DeviceConfig(
        wish.status_interval_s, wish.usage_interval_s, wish.fallback_level,
        None if wish.alarm_limits is None else AlarmLimits(**_known(wish.alarm_limits)),
        None if wish.position is None else Position(wish.position.latitude, wish.position.longitude),
        None if wish.parameters is None else _parameters(wish.parameters.items()),
        wish.sun_calendar, wish.holidays, wish.profiles, wish.tasks)


class _Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    min_power: int | None = None
    max_power: int | None = None
    min_voltage: int | None = None
    max_voltage: int | None = None
    min_power_factor: float | None = None


class _Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    latitude: float
    longitude: float


class _Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status_interval_s: int | None = None
    usage_interval_s: int | None = None
    fallback_level: int | None = None
    alarm_limits: _Limits | None = None
    position: _Where | None = None
    parameters: dict[str, int] | None = None
    sun_calendar: SunCalendar | None = None
    holidays: Holidays | None = None
    profiles: tuple[Profile, ...] | None = None
    tasks: tuple[DimTask, ...] | None = None


def _plain(config: DeviceConfig) -> dict[str, Any]:
    values = {item.name: getattr(config, item.name) for item in fields(config)}
    if config.alarm_limits is not None:
        values["alarm_limits"] = _known(config.alarm_limits)
    if config.position is not None:
        values["position"] = {"latitude": config.position.latitude, "longitude": config.position.longitude}
    if config.parameters is not None:
        values["parameters"] = dict(config.parameters.values)
    return values


def _known(limits: AlarmLimits | _Limits) -> dict[str, Any]:
    values = {name: getattr(limits, name) for name in _Limits.__struct_fields__}
    return {name: value for name, value in values.items() if value is not None}


def _limits(limits: AlarmLimits) -> AlarmLimits:
    for kind, most in (("power", MAX_POWER_W), ("voltage", MAX_VOLTAGE_V)):
        low, high = getattr(limits, f"min_{kind}"), getattr(limits, f"max_{kind}")
        _whole(f"alarm_limits.min_{kind}", low, 0, most)
        _whole(f"alarm_limits.max_{kind}", high, 0, most)
        if low is not None and high is not None and low >= high:
            raise Invalid("{field} must lie below {high}, not at {value}.", rule="below the upper limit",
                          field=f"alarm_limits.min_{kind}", high=high, value=low)
    factor = limits.min_power_factor
    if factor is None:
        return limits
    return msgspec.structs.replace(limits, min_power_factor=round(
        _number("alarm_limits.min_power_factor", factor, 0, 1), 2))


def _position(position: Position) -> Position:
    if position.name:
        raise Invalid("A position in a configuration has no name.", field="position.name", rule="empty")
    return Position(round(_number("position.latitude", position.latitude, -90, 90), POSITION_DIGITS),
                    round(_number("position.longitude", position.longitude, -180, 180), POSITION_DIGITS))


def _parameters(values: Iterable[tuple[str, int]]) -> Parameters | None:
    """In the order of their names; None where there are none, for then nothing is asked."""
    found = sorted(values)
    if len(found) > MAX_PARAMETERS or any(not _PARAMETER.fullmatch(name) for name, _ in found):
        raise Invalid("A configuration has at most {most} parameters, named in letters, digits, hyphens and underscores.",
                      field="parameters", rule="names", most=MAX_PARAMETERS)
    for name, value in found:
        _whole(f"parameters.{name}", value, -MAX_NUMBER, MAX_NUMBER)
    return Parameters(tuple(found)) if found else None


def _check_calendar(calendar: SunCalendar) -> None:
    _number("sun_calendar.latitude", calendar.latitude, -90, 90)
    _number("sun_calendar.longitude", calendar.longitude, -180, 180)
    for name, steps in (("sunrise", calendar.sunrise), ("sunset", calendar.sunset)):
        _number(f"sun_calendar.{name}", len(steps), 0, MAX_SUN_STEPS)
        for step in steps:
            _check_sun_step(f"sun_calendar.{name}", step)


def _check_sun_step(field: str, step: SunStep) -> None:
    _number(f"{field}.zenith", step.zenith, 0, 180)
    _whole(f"{field}.level", step.level, 0, 100)


def _check_holidays(holidays: Holidays) -> None:
    _number("holidays", len(holidays.days), 0, MAX_HOLIDAYS)
    for month, day in holidays.days:
        _whole("holidays.month", month, 1, 12)
        _whole("holidays.day", day, 1, 31)


def _profiles(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
    """By slot."""
    found = tuple(sorted(profiles, key=lambda one: one.slot))
    if len({profile.slot for profile in found}) < len(found):
        raise Invalid("Each slot holds one profile.", field="profiles.slot", rule="each once")
    for profile in found:
        _check_profile(profile)
    return found


def _check_profile(profile: Profile) -> None:
    _whole("profiles.slot", profile.slot, 0, MAX_PROFILES - 1)
    for day in profile.days:
        _whole("profiles.days", day, 0, 7)
    _number("profiles.steps", len(profile.steps), 1, MAX_PROFILE_STEPS)
    minutes = [step.minute for step in profile.steps]
    if minutes != sorted(set(minutes)) or list(profile.days) != sorted(set(profile.days)) or not profile.days:
        raise Invalid("A profile names its days and its steps in order, each once.", field="profiles.steps", rule="ascending")
    for step in profile.steps:
        _whole("profiles.steps.minute", step.minute, 0, 1439)
        _whole("profiles.steps.level", step.level, 0, 100)


def _check_tasks(tasks: tuple[DimTask, ...]) -> None:
    _number("tasks", len(tasks), 0, MAX_TASKS)
    if len({task.task for task in tasks}) < len(tasks) or any(task.replaces for task in tasks):
        raise Invalid("Each task has a number of its own; what it replaces is seen from what the device holds.",
                      field="tasks.task", rule="each once")


def _whole(field: str, value: object, low: int, high: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid("{field} must be a whole number.", field=field, rule="whole number")
    _number(field, value, low, high)


def _number(field: str, value: float, low: float, high: float) -> float:
    if not (isfinite(value) and low <= value <= high):
        raise Invalid("{field} must lie between {low} and {high}, not {value}.", field=field, rule=f"{low}…{high}",
                      low=low, high=high, value=value)
    return value + 0.0 if value else 0.0  # -0.0 is 0


_PARAMETER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
