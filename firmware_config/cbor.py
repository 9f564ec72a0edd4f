"""A DeviceConfig for our own device: CBOR with integer keys, core deterministic (RFC 8949 §4.2.1).

One configuration has exactly one encoding, so its bytes can be compared and signed. No floats are on the wire. The
largest encoding has 46 bytes and fits LoRaWAN's smallest EU868 frame (51 at DR0).

    0  version, always 1             3  fallback level, per cent
    1  status interval, s            4  [min W, max W, min V, max V, min power factor in hundredths], null: no limit
    2  usage interval, s             5  [latitude, longitude] in 1e-7 degree
Keys may be left out (all but 0): the device keeps what it has. Unknown keys are refused rather than kept, because a
configuration that is understood by half must not be run; a new key therefore is a new version.
"""

from collections.abc import Callable
from typing import Any

import cbor2

from city.errors import DecodeError, Invalid, OutOfRange, UnknownVersion
from city.orders import AlarmLimits, Position
from firmware_config.profile import DeviceConfig

VERSION = 1
MAX_BYTES = 51
MAX_DEPTH = 2
_PER_DEGREE = 10_000_000


def encode(config: DeviceConfig) -> bytes:
    """The one encoding of `config`; its status and usage interval and so on as they stand in it."""
    limits, position = config.alarm_limits, config.position
    values: dict[int, Any] = {
        0: VERSION,
        1: config.status_interval_s,
        2: config.usage_interval_s,
        3: config.fallback_level,
        4: None if limits is None else [limits.min_power, limits.max_power, limits.min_voltage, limits.max_voltage,
                                        _hundredths(limits.min_power_factor)],
        5: None if position is None else [round(position.latitude * _PER_DEGREE),
                                          round(position.longitude * _PER_DEGREE)],
    }
    return cbor2.dumps({key: value for key, value in values.items() if value is not None}, canonical=True)


def decode(data: bytes) -> DeviceConfig:
    """The configuration that has exactly this encoding. Raises DecodeError: longer than 51 bytes, deeper than 2, not
    deterministic, an unknown key or version, a value of a wrong type or out of range."""
    values = _map(data)
    if values.get(0) != VERSION:
        raise UnknownVersion("The configuration has version {version}, not {ours}.", version=str(values.get(0))[:20],
                             ours=VERSION)
    unknown = sorted(set(values) - set(range(6)))
    if unknown:
        raise DecodeError("The configuration has the unknown key {key}.", key=unknown[0])
    try:
        config = DeviceConfig(values.get(1), values.get(2), values.get(3),
                              _read(values.get(4), 5, _limits), _read(values.get(5), 2, _position))
    except Invalid as error:
        raise OutOfRange(error.message, **error.facts) from error
    if encode(config) != data:
        raise DecodeError("The configuration is not in its one deterministic encoding.")
    return config


def _map(data: bytes) -> dict[int, Any]:
    if len(data) > MAX_BYTES:
        raise DecodeError("A configuration has at most {most} bytes, not {size}.", most=MAX_BYTES, size=len(data))
    try:
        values = cbor2.loads(data, max_depth=MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except Exception as error:  # a tag's own decoder may raise anything
        raise DecodeError("The configuration is not CBOR: {what}", what=str(error)[:120]) from error
    if not isinstance(values, dict) or not all(type(key) is int for key in values):
        raise DecodeError("The configuration is not a map with whole numbers as keys.")
    return values


def _read(values: object, length: int, make: Callable[[list[int | None]], Any]) -> Any:  # noqa: ANN401 - as `make`
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != length \
            or not all(item is None or type(item) is int for item in values):
        raise DecodeError("The configuration has a list of another kind than {length} whole numbers.", length=length)
    return make(values)


def _limits(values: list[int | None]) -> AlarmLimits:
    min_power, max_power, min_voltage, max_voltage, factor = values
    return AlarmLimits(min_power, max_power, min_voltage, max_voltage, None if factor is None else factor / 100)


def _position(values: list[int | None]) -> Position:
    latitude, longitude = values
    if latitude is None or longitude is None:
        raise DecodeError("A position needs latitude and longitude.")
    return Position(latitude / _PER_DEGREE, longitude / _PER_DEGREE)


def _hundredths(factor: float | None) -> int | None:
    return None if factor is None else round(factor * 100)
