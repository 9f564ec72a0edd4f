"""SLS Corp (Vialights) VOLC2180 street light controller, NEMA, 0-10 V or PWM. Class C.

Documents: the maker's decoder and profile in The Things Network's device library (vendor/slscorp, firmware
“LoRaWAN_End_Node v0501”), which also lists the opcodes of requests. Numbers are big-endian; the first byte is an opcode,
the FPort says nothing.
"""

from collections.abc import Sequence

from city.errors import OutOfRange, UnknownVersion
from city.orders import Order, ReadStatus
from city.planning import Abilities
from city.quantities import (
    DEVICE_DEBUG,
    DEVICE_TEMPERATURE,
    LAMP_CURRENT,
    LAMP_ENERGY,
    LAMP_LDR,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_VOLTAGE,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import ANY_PORT, Codec, Frame, unknown_downlink, unknown_uplink, unsupported
from decoders.devices._lamps import HIGHEST_PORT, Saying, status_alone

TITLE = "VOLC2180"
FIRST_PORT = 1  # any FPort does; orders go to this one
TRAP, METER_REQUEST, METER, LDR = 0x00, 0x57, 0x58, 0x6A
_FULL, _STEPS_PER_CENT = 250, 2.5  # of the dimming value


def decode_uplink(frame: Frame) -> list[Measurement]:
    if not 1 <= frame.port <= HIGHEST_PORT:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    said = _meter(read, frame) if frame.data[:1] in _METERS else _other(read, frame)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Any FPort: bytes as they are, the LDR, or the meter (with a temperature: a trap)."""
    say = Saying(TITLE, port, measurements)
    if say.get(DEVICE_DEBUG) is not None:
        return Frame(port, say.hex(DEVICE_DEBUG))
    if say.get(LAMP_LDR) is not None:
        return Frame(port, Writer("big").u8("opcode", LDR).u16("LDR", say.number(LAMP_LDR)).written())
    is_trap = say.get(DEVICE_TEMPERATURE) is not None
    write = Writer("big").u8("opcode", TRAP if is_trap else METER)
    write.u8("dimming", say.number(LAMP_LEVEL, _STEPS_PER_CENT), max=_FULL).u16("power", say.number(LAMP_POWER))
    write.u24("energy", say.number(LAMP_ENERGY)).u16("power factor", say.number(LAMP_POWER_FACTOR, 1000))
    write.u16("current", say.number(LAMP_CURRENT, 1000)).u32("voltage", say.number(LAMP_VOLTAGE, 1000))
    if is_trap:
        write.u8("temperature", say.number(DEVICE_TEMPERATURE))
    return Frame(port, write.written())


def encode_downlink(order: Order) -> Frame:
    """Only the request for the meter: the bytes of the other orders are not published."""
    if not isinstance(order, ReadStatus):
        raise unsupported(TITLE, order)
    status_alone(TITLE, order)
    return Frame(FIRST_PORT, _METER_FRAME)


def decode_downlink(frame: Frame) -> Order:
    if not 1 <= frame.port <= HIGHEST_PORT:
        raise unknown_downlink(TITLE, frame.port)
    read = frame.reader("big")
    opcode = read.u8("opcode", means=_means_opcode)
    if opcode != METER_REQUEST:
        raise UnknownVersion("There is no order for opcode {opcode}.", opcode=f"{opcode:02x}")
    read.end()
    return ReadStatus()


def _meter(read: Reader, frame: Frame) -> list[Measurement]:
    _, level, power, high, low, factor, current, voltage, *warm = read.record(_METERS[frame.data[:1]])
    if level > _FULL:
        raise OutOfRange("“dimming” at byte 1 is {value}, and only 0 to 250 is allowed.", value=level)
    said = [_LEVELS[level], Measurement(LAMP_POWER, float(power)), Measurement(LAMP_ENERGY, float(high << 16 | low)),
            Measurement(LAMP_POWER_FACTOR, factor / 1000), Measurement(LAMP_CURRENT, current / 1000),
            Measurement(LAMP_VOLTAGE, voltage / 1000)]
    if warm:
        said.append(Measurement(DEVICE_TEMPERATURE, float(warm[0])))
    return said


def _other(read: Reader, frame: Frame) -> list[Measurement]:
    opcode = read.u8("opcode", means=_means_opcode)
    return [LAMP_LDR(read.u16("LDR count"))] if opcode == LDR else _undocumented(read, opcode, frame)


def _undocumented(read: Reader, opcode: int, frame: Frame) -> list[Measurement]:
    """Answers whose fields have names but no unit or meaning, or not even names: kept as they are."""
    if opcode in _NAMED:
        read.record(_NAMED[opcode])
    elif opcode in _UNNAMED:
        read.rest("not documented")
    else:
        raise UnknownVersion("A VOLC2180 sends nothing documented with opcode {opcode}.", opcode=f"{opcode:02x}")
    return [DEVICE_DEBUG(frame.data.hex())]


def _means_opcode(opcode: int) -> str:
    return _OPCODES.get(opcode, "not documented")


def _means_level(raw: int) -> str:
    return f"{raw / _STEPS_PER_CENT:g} %"


_OPCODES = {TRAP: "meter, unasked", 0x05: "radio", 0x07: "radio set", 0x0E: "device property", 0x11: "light on or off",
            0x14: "brightness", 0x27: "ADR", 0x29: "ADR set", 0x37: "commissioning", 0x39: "commissioning set",
            0x3F: "join interval", 0x41: "join interval set", METER_REQUEST: "meter, please", METER: "meter",
            0x5E: "EEPROM erased", LDR: "LDR"}
_LEVELS = tuple(LAMP_LEVEL(raw / _STEPS_PER_CENT) for raw in range(_FULL + 1))
_METER_FRAME = bytes([METER_REQUEST])
_METER_PARTS = (
    Part("opcode", "B", _means_opcode), Part("dimming", "B", _means_level), Part("power", "H", lambda raw: f"{raw} W"),
    Part("energy, upper byte", "B", lambda raw: f"{raw << 16} Wh"), Part("energy, lower bytes", "H", lambda raw: f"{raw} Wh"),
    Part("power factor", "H", lambda raw: f"{raw / 1000:g}"), Part("current", "H", lambda raw: f"{raw / 1000:g} A"),
    Part("voltage", "I", lambda raw: f"{raw / 1000:g} V"))
_METERS = {bytes([METER]): Record("big", *_METER_PARTS),
           bytes([TRAP]): Record("big", *_METER_PARTS, Part("temperature", "B", lambda raw: f"{raw} °C"))}
_COMMISSIONING = Record(
    "big", Part("latitude, unit not documented", "i"), Part("longitude, unit not documented", "i"),
    Part("operation mode", "B"), Part("device mode", "B"), Part("time zone", "I"), Part("alarm mask", "H"),
    Part("high voltage", "H"), Part("low voltage", "H"), Part("high current", "H"), Part("low current", "H"),
    Part("low power factor", "B"), Part("burning hours", "H"), Part("temperature", "B"))
_RADIO = Record("big", Part("transmit power", "B"), Part("data rate", "B"))
_JOIN_INTERVAL = Record("big", Part("join accept uplink interval", "H"))
_NAMED = {0x05: _RADIO, 0x07: _RADIO, 0x27: Record("big", Part("adaptive data rate", "B")),
          0x29: Record("big", Part("adaptive data rate", "B")), 0x37: _COMMISSIONING, 0x39: _COMMISSIONING,
          0x3F: _JOIN_INTERVAL, 0x41: _JOIN_INTERVAL, 0x5E: Record("big", Part("EEPROM erased", "B"))}
_UNNAMED = frozenset({0x0E, 0x11, 0x14})

CODEC = Codec(
    model="slscorp/volc2180",
    vendor="SLS Corp",
    title="VOLC2180 street light controller",
    asset="lamp",
    device_class="C",
    source="The Things Network device library, vendor/slscorp: volc2180.js and volc2180.yaml",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=ANY_PORT,
    downlink_ports=ANY_PORT,
    abilities=Abilities(dims=False, max_minutes=None, reports_on_demand=True),
    leaves_open=(
        "How it is told a level: the opcodes 12 and 15 are published, not their bytes. It is never told one.",
        "Its FPorts: the maker's decoder looks at none. Any FPort is read; the request for the meter goes to FPort 1.",
        "Whether a request is its opcode alone, as its list of opcodes suggests.",
        "Units of the commissioning (37, 39: position, time zone, alarm limits): kept as device.debug.",
        "Units of the answers on radio (05, 07), ADR (27, 29), join interval (3F, 41), EEPROM (5E): kept as device.debug.",
        "The bytes of the answers 0E, 11 and 14: kept as device.debug.",
        "Temperatures below 0 °C: the maker's decoder knows none; the byte is read as 0 to 255.",
        "How often it reports by itself. It is taken as silent after a day.",
    ),
)
