"""The two frames that make up nearly all of a simulated UL20xx's talk, said in a tenth of the time: the status of a lamp
without parts and sensors, and its meters. What is any different is left to `answers`, byte by byte the same."""

import struct
from collections.abc import Sequence

from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_TEMPERATURE,
    LAMP_BURN_TIME,
    LAMP_DALI_STATUS,
    LAMP_DRIVER_TIME,
    LAMP_ENERGY,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    LAMP_VOLTAGE,
    Measurement,
    Value,
)
from decoders.devices._nas_ul20xx import words

_STATUS = struct.Struct("<BIBBBbbBBBBBB").pack
_USAGE = struct.Struct("<BBBIHBBII").pack
_METERS = 0b1111_0011  # energy, power, power factor, voltage, driver time, lamp-on time
_CLOCK, _RELAY, _RSSI, _SNR, _WARMTH, _LEVEL, _REASON, _DALI = (quantity.name for quantity in (
    DEVICE_CLOCK, LAMP_RELAY_CLOSED, DEVICE_DOWNLINK_RSSI, DEVICE_DOWNLINK_SNR, DEVICE_TEMPERATURE, LAMP_LEVEL, LAMP_REASON,
    LAMP_DALI_STATUS))
_ENERGY, _POWER, _FACTOR, _VOLTAGE, _DRIVER, _BURN = (quantity.name for quantity in (
    LAMP_ENERGY, LAMP_POWER, LAMP_POWER_FACTOR, LAMP_VOLTAGE, LAMP_DRIVER_TIME, LAMP_BURN_TIME))


def quick(port: int, measurements: Sequence[Measurement]) -> bytes | None:
    """The frame's bytes; None where it is not one of the two, or a value lies beyond it."""
    said: dict[str, Value] = {}
    for one in measurements:
        if one.channel:
            return None
        said[one.quantity.name] = one.value
    try:
        if port == words.STATUS and len(said) == 8:
            return _status(said)
        return _usage(said) if port == words.USAGE and len(said) == 6 else None
    except (KeyError, TypeError, ValueError, OverflowError, struct.error):
        return None  # `answers` says what is wrong


def _status(said: dict[str, Value]) -> bytes | None:
    level, reason = round(float(said[_LEVEL])), words.quick_code(str(said[_REASON]))
    if reason is None or reason == words.NONE or not 0 <= level <= 100:
        return None
    return _STATUS(1, round(float(said[_CLOCK])), bool(said[_RELAY]) << 7, 0, -round(float(said[_RSSI])),
                   round(float(said[_SNR])), round(float(said[_WARMTH])), 0, 0, words.BROADCAST, reason, level,
                   round(float(said[_DALI])))


def _usage(said: dict[str, Value]) -> bytes:
    return _USAGE(0, words.INTERNAL, _METERS, round(float(said[_ENERGY])), round(float(said[_POWER])),
                  round(float(said[_FACTOR]) * 100), round(float(said[_VOLTAGE])), round(float(said[_DRIVER])),
                  round(float(said[_BURN])))
