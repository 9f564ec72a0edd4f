"""Cayenne LPP: channel, type, value, again and again. What the codecs of devices that speak it share.

Documents: myDevices “Cayenne Low Power Payload” (types 0-3, 101-104, 113, 115, 134, 136) and ElectronicCats CayenneLPP
for the IPSO types beyond it. Numbers are big-endian. A type fixes the length of its value, so that what follows a type
that no document lists cannot be told apart: it is kept as it is.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from city.errors import UnknownVersion
from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_DEBUG,
    DEVICE_HUMIDITY,
    DEVICE_LATITUDE,
    DEVICE_LONGITUDE,
    DEVICE_TEMPERATURE,
    LPP_ACCELERATION,
    LPP_ALTITUDE,
    LPP_ANALOG_INPUT,
    LPP_ANALOG_OUTPUT,
    LPP_COLOUR,
    LPP_CONCENTRATION,
    LPP_CURRENT,
    LPP_DIGITAL_INPUT,
    LPP_DIGITAL_OUTPUT,
    LPP_DIRECTION,
    LPP_DISTANCE,
    LPP_ENERGY,
    LPP_FREQUENCY,
    LPP_GENERIC,
    LPP_ILLUMINANCE,
    LPP_PERCENTAGE,
    LPP_POWER,
    LPP_PRESENCE,
    LPP_PRESSURE,
    LPP_ROTATION,
    LPP_SWITCH,
    LPP_VOLTAGE,
    Measurement,
    Quantity,
    Value,
)
from decoders.bits import Part, Reader, Record, Writer

DIGITAL_INPUT, DIGITAL_OUTPUT, ANALOG_INPUT, ANALOG_OUTPUT = 0, 1, 2, 3
GENERIC, LUMINOSITY, PRESENCE, TEMPERATURE, HUMIDITY = 100, 101, 102, 103, 104
ACCELEROMETER, BAROMETER, VOLTAGE, CURRENT, FREQUENCY, PERCENTAGE, ALTITUDE = 113, 115, 116, 117, 118, 120, 121
CONCENTRATION, POWER, DISTANCE, ENERGY, DIRECTION, TIME, GYROMETER = 125, 128, 130, 131, 132, 133, 134
COLOUR, GPS, SWITCH, SMALL_TIME = 135, 136, 142, 192  # the last is VSB's own


class Figure(NamedTuple):
    """One number of a type: what it says, what one step is worth (0: a whole number), and the end of its channel."""

    quantity: Quantity
    steps: int
    axis: str = ""


class Type(NamedTuple):
    """A type: its name, its bytes (channel and type first), and what its numbers say."""

    name: str
    layout: Record
    figures: tuple[Figure, ...]


Entry = tuple[int, ...]  # channel, type, and the numbers as they stand in the frame


def entries(read: Reader, data: bytes, types: Mapping[int, Type]) -> tuple[list[Entry], bytes]:
    """All fields of a frame, and the bytes from the first field on whose type is not in `types`.

    `data` is the whole frame that `read` reads. Raises UnknownVersion where already the first type is unknown.
    """
    if type(read) is Reader and (quick := _quickly(data, read.offset, types)) is not None:
        return quick, b""
    found: list[Entry] = []
    while read.left:
        at = read.offset + 1
        known = types.get(data[at]) if at < len(data) else _HEAD
        if known is None:
            if not found:
                raise UnknownVersion("The frame begins with type {type}, which Cayenne LPP does not have.", type=data[at])
            return found, read.rest("not documented", min=2)
        found.append(read.record(known.layout))
    return found, b""


def _quickly(data: bytes, at: int, types: Mapping[int, Type]) -> list[Entry] | None:
    """The fields of a frame in which nothing is unknown or cut, without a trace; else None."""
    found: list[Entry] = []
    try:
        while at < len(data):
            layout = types[data[at + 1]].layout
            found.append(layout.unpack_from(data, at))
            at += layout.size
    except (KeyError, IndexError, struct.error):
        return None
    return found


def numbers(entry: Entry) -> tuple[int, ...]:
    """The numbers of a field; those of three bytes are read as a high byte and the rest."""
    if entry[1] in _THREE_BYTES:
        return tuple(entry[i] << 16 | entry[i + 1] for i in range(2, len(entry), 2))
    return entry[2:]


def write(out: Writer, channel: int, number: int, values: Iterable[int]) -> Writer:
    """One field; raises Invalid where a number does not fit into it."""
    known, code = TYPES[number], CODES[number]
    out.u8("channel", channel).u8("type", number)
    for figure, value in zip(known.figures, values, strict=True):
        name = f"{known.name}{figure.axis}"
        if code == "i24":
            out.u24(name, value + (1 << 24) if value < 0 else value, max=0xFFFFFF if value < 0 else 0x7FFFFF)
        else:
            {"B": out.u8, "H": out.u16, "h": out.i16, "I": out.u32, "u24": out.u24}[code](name, value)
    return out


def worth(figure: Figure, raw: int, channel: str) -> Measurement:
    """What a number of the frame says."""
    return Measurement(figure.quantity, raw / figure.steps if figure.steps else raw, channel)


def raw_of(value: Value, steps: int) -> int:
    """The number in the frame that says `value`, to the nearest step."""
    return round(float(value) * (steps or 1))


def undocumented(rest: bytes) -> Measurement:
    """The end of a frame that cannot be read."""
    return DEVICE_DEBUG(rest.hex())


def _type(name: str, code: str, *figures: Figure) -> Type:
    values = [Part(f"{name}{figure.axis}", code) for figure in figures]
    return Type(name, _layout(*values), figures)


def _layout(*values: Part) -> Record:
    return Record("big", Part("channel", "B"), Part("type", "B", lambda number: TYPES[number].name), *values)


def _three(quantity: Quantity, steps: int, *axes: str) -> tuple[Figure, ...]:
    return tuple(Figure(quantity, steps, f"-{axis}") for axis in axes)


_THREE_BYTES = (GPS, SMALL_TIME)
_HEAD = Type("", _layout(), ())
_GPS = (Figure(DEVICE_LATITUDE, 10_000), Figure(DEVICE_LONGITUDE, 10_000), Figure(LPP_ALTITUDE, 100))
CODES = {DIGITAL_INPUT: "B", DIGITAL_OUTPUT: "B", ANALOG_INPUT: "h", ANALOG_OUTPUT: "h", GENERIC: "I", LUMINOSITY: "H",
          PRESENCE: "B", TEMPERATURE: "h", HUMIDITY: "B", ACCELEROMETER: "h", BAROMETER: "H", VOLTAGE: "H", CURRENT: "H",
          FREQUENCY: "I", PERCENTAGE: "B", ALTITUDE: "h", CONCENTRATION: "H", POWER: "H", DISTANCE: "I", ENERGY: "I",
          DIRECTION: "H", TIME: "I", GYROMETER: "h", COLOUR: "B", SWITCH: "B", GPS: "i24", SMALL_TIME: "u24"}
_PLAIN: tuple[tuple[int, str, tuple[Figure, ...]], ...] = (
    (DIGITAL_INPUT, "digital input", (Figure(LPP_DIGITAL_INPUT, 0),)),
    (DIGITAL_OUTPUT, "digital output", (Figure(LPP_DIGITAL_OUTPUT, 0),)),
    (ANALOG_INPUT, "analog input", (Figure(LPP_ANALOG_INPUT, 100),)),
    (ANALOG_OUTPUT, "analog output", (Figure(LPP_ANALOG_OUTPUT, 100),)),
    (GENERIC, "generic", (Figure(LPP_GENERIC, 0),)),
    (LUMINOSITY, "luminosity", (Figure(LPP_ILLUMINANCE, 1),)),
    (PRESENCE, "presence", (Figure(LPP_PRESENCE, 0),)),
    (TEMPERATURE, "temperature", (Figure(DEVICE_TEMPERATURE, 10),)),
    (HUMIDITY, "humidity", (Figure(DEVICE_HUMIDITY, 2),)),
    (ACCELEROMETER, "acceleration", _three(LPP_ACCELERATION, 1000, "x", "y", "z")),
    (BAROMETER, "pressure", (Figure(LPP_PRESSURE, 10),)),
    (VOLTAGE, "voltage", (Figure(LPP_VOLTAGE, 100),)),
    (CURRENT, "current", (Figure(LPP_CURRENT, 1000),)),
    (FREQUENCY, "frequency", (Figure(LPP_FREQUENCY, 1),)),
    (PERCENTAGE, "percentage", (Figure(LPP_PERCENTAGE, 1),)),
    (ALTITUDE, "altitude", (Figure(LPP_ALTITUDE, 1),)),
    (CONCENTRATION, "concentration", (Figure(LPP_CONCENTRATION, 1),)),
    (POWER, "power", (Figure(LPP_POWER, 1),)),
    (DISTANCE, "distance", (Figure(LPP_DISTANCE, 1000),)),
    (ENERGY, "energy", (Figure(LPP_ENERGY, 1),)),  # 0.001 kWh
    (DIRECTION, "direction", (Figure(LPP_DIRECTION, 1),)),
    (TIME, "time", (Figure(DEVICE_CLOCK, 1),)),
    (GYROMETER, "rate of turn", _three(LPP_ROTATION, 100, "x", "y", "z")),
    (COLOUR, "colour", _three(LPP_COLOUR, 0, "red", "green", "blue")),
    (SWITCH, "switch", (Figure(LPP_SWITCH, 0),)),
)
TYPES: dict[int, Type] = {number: _type(name, CODES[number], *figures) for number, name, figures in _PLAIN}
TYPES[GPS] = Type("position", _layout(*(Part(f"{name}, {part}", code) for name in ("latitude", "longitude", "altitude")
                                        for part, code in (("high", "b"), ("low", "H")))), _GPS)
STANDARD: Mapping[int, Type] = dict(TYPES)
TYPES[SMALL_TIME] = Type("small time", _layout(Part("small time, high", "B"), Part("small time, low", "H")),
                         (Figure(LPP_GENERIC, 0),))
