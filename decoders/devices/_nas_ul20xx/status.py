"""The status of firmware 1.1.x: a head read in one step, sensors and lights that are remembered by their bytes.

A frame that is traced is read field by field by the same functions; what they say of bytes that were met before is
only remembered for frames that are not.
"""

from functools import lru_cache

from city.errors import DecodeError, OutOfRange, UnknownVersion
from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_CLOCK_VALID,
    DEVICE_DEBUG,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_TEMPERATURE,
    LAMP_ALERT_LAMP,
    LAMP_ALERT_POWER,
    LAMP_ALERT_POWER_FACTOR,
    LAMP_ALERT_VOLTAGE,
    LAMP_DALI_ERROR,
    LAMP_ILLUMINANCE,
    LAMP_INPUT,
    LAMP_LDR,
    LAMP_METERING_ERROR,
    LAMP_RELAY_CLOSED,
    LAMP_TILT,
    Measurement,
)
from decoders.bits import Reader
from decoders.codec import Frame
from decoders.devices._nas_ul20xx import layouts, words
from decoders.devices._nas_ul20xx.layouts import HEAD, OLD_HEAD
from decoders.devices._nas_ul20xx.parts import known, with_main
from decoders.devices._nas_ul20xx.words import NONE

ALERTS = ((4, LAMP_ALERT_VOLTAGE), (5, LAMP_ALERT_LAMP), (6, LAMP_ALERT_POWER), (7, LAMP_ALERT_POWER_FACTOR))
CLOCK_VALID = (DEVICE_CLOCK_VALID(False), DEVICE_CLOCK_VALID(True))
INPUT = (LAMP_INPUT(False), LAMP_INPUT(True))
SIGNED = (*range(128), *range(-128, 0))  # a byte, as a signed one has its index in a table
RSSI = tuple(DEVICE_DOWNLINK_RSSI(-raw) for raw in range(256))
SNR = tuple(DEVICE_DOWNLINK_SNR(raw) for raw in SIGNED)
WARMTH = tuple(DEVICE_TEMPERATURE(raw) for raw in SIGNED)
ALERTED = tuple(tuple(quantity(bool(byte >> bit & 1)) for bit, quantity in ALERTS) for byte in range(256))
LDR = tuple(LAMP_LDR(raw) for raw in range(256))
_STATE = tuple((LAMP_DALI_ERROR(bool(byte & 0x02)), LAMP_METERING_ERROR(bool(byte & 0x20)),
                LAMP_RELAY_CLOSED(bool(byte & 0x80))) for byte in range(256))
_D4I = 3
_WHOLE = 255  # a sensor that no document lists is all that is left


def status(frame: Frame) -> list[Measurement]:
    """FPort 23, with the header of firmware 1.1.4 or an older one."""
    data = frame.data
    header = data[0] if data else 1
    if header == 1 and type(frame) is Frame and len(data) >= HEAD.size:
        values = HEAD.unpack_from(data)
        said = _said_before(data, HEAD.size + values[-1])
        if said is not None:
            return _head(values) + said
    read = frame.reader()
    if header == 1:
        values = read.record(HEAD)
        return [*_head(values), *_sensed(read.block("sensors", values[-1]), data), *_lights(read)]
    if header == 0:
        return [*_older(read), *_lights(read)]
    read.u8("header", means=layouts.means_status)
    raise UnknownVersion("A UL20xx status begins with 00 or 01, not {header}.", header=f"{header:02x}")


def _said_before(data: bytes, end: int) -> list[Measurement] | None:
    """What sensors up to `end` and lights behind them say, by their bytes; None where they must be read field by field,
    so that the error names the byte of the frame."""
    try:
        if end == HEAD.size:
            return list(_lit_before(data[end:]))
        if end <= len(data):
            return [*_sensed_before(data, HEAD.size, end), *_lit_before(data[end:])]
    except DecodeError:
        pass
    return None


def clock(epoch: int) -> tuple[Measurement, Measurement]:
    """The device's own time, and whether it has been set since the restart."""
    return Measurement(DEVICE_CLOCK, float(epoch)), CLOCK_VALID[epoch >= words.CLOCK_SET_SINCE]


def _head(values: tuple[int, ...]) -> list[Measurement]:
    _, epoch, state, _, rssi, snr, warmth, alerts, _ = values
    return [Measurement(DEVICE_CLOCK, float(epoch)), CLOCK_VALID[epoch >= words.CLOCK_SET_SINCE], *_STATE[state],
            RSSI[rssi], SNR[snr], WARMTH[warmth], *ALERTED[alerts]]


def _older(read: Reader) -> list[Measurement]:
    _, epoch, state, rssi, snr, warmth, flags = read.record(OLD_HEAD)
    said = [*clock(epoch), *_STATE[state], RSSI[rssi], SNR[snr], WARMTH[warmth], INPUT[state >> 4 & 1]]
    if flags & 2:
        said.append(LDR[read.u8("light-dependent resistor")])
    if flags & 0x10:
        said += ALERTED[read.u8("alerts", means=layouts.means_alerts)]
    return said


@lru_cache(maxsize=4096)
def _lit_before(tail: bytes) -> tuple[Measurement, ...]:
    return tuple(_lights(Reader(tail)))


def _lights(read: Reader) -> list[Measurement]:
    main: list[Measurement] = []
    parts: list[Measurement] = []
    while read.left:
        address, reason, level, dali = read.record(layouts.LIGHT)
        channel = known(address, read.offset - 4)
        if level > 100 and level != NONE:
            raise OutOfRange("“level” at byte {offset} is {value}, and only 0 to 100 or 255 is allowed.",
                             offset=read.offset - 2, value=level)
        (parts if channel else main).extend(words.light(channel, reason, level, dali))
    return with_main(main, parts)


def _sensed_before(data: bytes, at: int, stop: int) -> list[Measurement]:
    said: list[Measurement] = []
    d4i = False
    while at < stop:
        kind = data[at]
        end = at + _SIZES[kind]
        said += _sensor_before(data[at:end] if end < stop else data[at:stop])
        d4i = d4i or kind == _D4I
        at = end
    return _with_d4i(said) if d4i else said


def _sensed(read: Reader, data: bytes) -> list[Measurement]:
    said: list[Measurement] = []
    while read.left:
        said += _sensor(read, data)
    return _with_d4i(said)


@lru_cache(maxsize=8192)
def _sensor_before(data: bytes) -> tuple[Measurement, ...]:
    return _sensor(Reader(data), data)


def _sensor(read: Reader, data: bytes) -> tuple[Measurement, ...]:
    kind = data[read.offset]
    layout = layouts.SENSORS.get(kind)
    if layout is None:
        read.u8("sensor", means=layouts.means_sensor)
        return (DEVICE_DEBUG(bytes([kind, *read.rest("undocumented sensors")]).hex(), "sensors"),)
    _, raw = read.record(layout)
    if kind == 1:
        return (LDR[raw],)
    if kind == 4:
        return (INPUT[raw & 1],)
    if kind == 8:
        return () if raw == NONE else (LAMP_TILT(raw),)
    return () if raw == 0xFFFF else (LAMP_ILLUMINANCE(layouts.lux(raw), "d4i" if kind == _D4I else ""),)


def _with_d4i(said: list[Measurement]) -> list[Measurement]:
    """The driver's light sensor is the lamp's, where it has none of its own."""
    lit = [one for one in said if one.quantity is LAMP_ILLUMINANCE]
    if lit and all(one.channel for one in lit):
        said.append(Measurement(LAMP_ILLUMINANCE, lit[0].value))
    return said


_SIZES = tuple(layouts.SENSORS[kind].size if kind in layouts.SENSORS else _WHOLE for kind in range(256))
