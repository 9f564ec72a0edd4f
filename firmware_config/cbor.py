"""A DeviceConfig for our own device: CBOR with integer keys, core deterministic (RFC 8949 §4.2.1).

One configuration has exactly one encoding, so its bytes can be compared and signed. No floats are on the wire. Without a
program it is version 1, whose largest encoding has 46 bytes and fits LoRaWAN's smallest EU868 frame (51 at DR0); with one it
is version 2, for files and signatures: a lamp is told its program setting by setting.

    0  version, 1 or 2               3  fallback level, per cent
    1  status interval, s            4  [min W, max W, min V, max V, min power factor in hundredths], null: no limit
    2  usage interval, s             5  [latitude, longitude] in 1e-7 degree
    6  sun calendar, 7  [profile …], 8  holidays: as the settings 7, 8 and 9 of docs/reference/cbor-device.md
    9  [task …]: [number, first day, last day or null, priority, kind of days, days off, cycle, output, [window …]], days as
       their ordinal numbers, kinds 0 daily, 1 odd, 2 even, 3 cycle, days off as bits 1 Monday … 7 Sunday; a window is [begin,
       after, end, after, level] in minutes after 0 midnight, 1 sunrise, 2 sunset
Keys may be left out (all but 0): the device keeps what it has. Unknown keys are refused rather than kept, because a
configuration that is understood by half must not be run; a new key therefore is a new version.
"""

from collections.abc import Callable
from typing import Any

import cbor2

from city.errors import DecodeError, Invalid, OutOfRange, UnknownVersion
from city.orders import AlarmLimits, Position
from decoders.devices import _cbor_orders as words
from firmware_config.cbor_tasks import raw_task, task
from firmware_config.profile import DeviceConfig

VERSION, WITH_PROGRAM = 1, 2
MAX_BYTES = {VERSION: 51, WITH_PROGRAM: 8192}
MAX_DEPTH = 5
PROGRAM_KEYS = frozenset(range(6, 10))
_PER_DEGREE = 10_000_000


def encode(config: DeviceConfig) -> bytes:
    """The one encoding of `config`; its status and usage interval and so on as they stand in it."""
    limits, position = config.alarm_limits, config.position
    values: dict[int, Any] = {
        0: WITH_PROGRAM if config.programs else VERSION,
        1: config.status_interval_s,
        2: config.usage_interval_s,
        3: config.fallback_level,
        4: None if limits is None else [limits.min_power, limits.max_power, limits.min_voltage, limits.max_voltage,
                                        _hundredths(limits.min_power_factor)],
        5: None if position is None else [round(position.latitude * _PER_DEGREE),
                                          round(position.longitude * _PER_DEGREE)],
        6: None if config.sun_calendar is None else words.SUN.raw(config.sun_calendar),
        7: None if config.profiles is None else [words.PROFILE.raw(one) for one in config.profiles],
        8: None if config.holidays is None else words.HOLIDAYS.raw(config.holidays),
        9: None if config.tasks is None else [raw_task(one) for one in config.tasks],
    }
    return cbor2.dumps({key: value for key, value in values.items() if value is not None}, canonical=True)


def decode(data: bytes) -> DeviceConfig:
    """The configuration that has exactly this encoding. Raises DecodeError: longer than 51 bytes (8192 with a program), too
    deep, not deterministic, an unknown key or version, a value of a wrong type or out of range."""
    values = _map(data)
    version = values.get(0)
    if type(version) is not int or version not in MAX_BYTES:
        raise UnknownVersion("The configuration has version {version}, not {ours}.", version=str(version)[:20],
                             ours=WITH_PROGRAM)
    _check_size(data, version)
    unknown = sorted(set(values) - set(range(6)) - (PROGRAM_KEYS if version == WITH_PROGRAM else set()))
    if unknown:
        raise DecodeError("The configuration has the unknown key {key}.", key=unknown[0])
    try:
        config = DeviceConfig(values.get(1), values.get(2), values.get(3),
                              _read(values.get(4), 5, _limits), _read(values.get(5), 2, _position), **_program(values))
    except Invalid as error:
        raise OutOfRange(error.message, **error.facts) from error
    except words.BadValue as bad:
        raise OutOfRange("“{name}” is {value}, and only {low} to {high} is allowed.", **bad.facts) from bad
    if _encoded(config) != data:
        raise DecodeError("The configuration is not in its one deterministic encoding.")
    return config


def _program(values: dict[int, Any]) -> dict[str, Any]:
    """Raises BadValue, Invalid."""
    profiles, tasks = values.get(7), values.get(9)
    return {
        "sun_calendar": None if 6 not in values else words.SUN.order(values[6]),
        "profiles": None if 7 not in values else tuple(map(words.PROFILE.order, words.items("profiles", profiles, 0, 255))),
        "holidays": None if 8 not in values else words.HOLIDAYS.order(values[8]),
        "tasks": None if 9 not in values else tuple(map(task, words.items("tasks", tasks, 0, 255)))}


def _check_size(data: bytes, version: int) -> None:
    if len(data) > MAX_BYTES[version]:
        raise DecodeError("A configuration has at most {most} bytes, not {size}.", most=MAX_BYTES[version], size=len(data))


def _map(data: bytes) -> dict[int, Any]:
    _check_size(data, WITH_PROGRAM)
    try:
        values = cbor2.loads(data, max_depth=MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except Exception as error:  # a tag's own decoder may raise anything
        raise DecodeError("The configuration is not CBOR: {what}", what=str(error)[:120]) from error
    if not isinstance(values, dict) or not all(type(key) is int for key in values):
        raise DecodeError("The configuration is not a map with whole numbers as keys.")
    return values


def _encoded(config: DeviceConfig) -> bytes:
    """b"" where it has none."""
    try:
        return encode(config)
    except words.BadValue:
        return b""


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
