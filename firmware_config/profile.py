"""What one device should be configured as: typed, checked, and the same as JSON."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

import msgspec

from city.errors import Invalid
from city.orders import AlarmLimits, FallbackLevel, Parameters, Position, Setting, StatusInterval, UsageInterval

SHORTEST_S, LONGEST_S = 60, 86_400
MAX_POWER_W, MAX_VOLTAGE_V = 2000, 500
POSITION_DIGITS = 7  # of a degree: a centimetre
MAX_JSON = 4096
MAX_PARAMETERS, MAX_NUMBER = 64, 2**32 - 1


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """What is wanted of one device; None: leave it as it is. Raises Invalid, naming the field.

    Intervals are seconds, 60 to 86 400; the level is per cent; limits are W, V and a power factor; the position is
    WGS 84 degrees, kept to 7 digits, and has no name of its own (the asset has one). `parameters` are what only the
    model itself has: at most 64 names with whole numbers; which it knows, and their ranges, its codec tells.
    """

    status_interval_s: int | None = None
    usage_interval_s: int | None = None
    fallback_level: int | None = None
    alarm_limits: AlarmLimits | None = None
    position: Position | None = None
    parameters: Parameters | None = None

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

    def settings(self) -> tuple[Setting, ...]:
        """One order for each field that is not None, in the order of the fields."""
        wanted: list[Setting] = []
        if self.status_interval_s is not None:
            wanted.append(StatusInterval(self.status_interval_s))
        if self.usage_interval_s is not None:
            wanted.append(UsageInterval(self.usage_interval_s))
        if self.fallback_level is not None:
            wanted.append(FallbackLevel(self.fallback_level))
        wanted += [setting for setting in (self.alarm_limits, self.position, self.parameters) if setting is not None]
        return tuple(wanted)


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
        None if wish.parameters is None else _parameters(wish.parameters.items()))


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
