"""TekZitel TekziPark parking sensor. Class A, magnetometer, radar and a scanner for permit beacons (Bluetooth).

Document: The Things Network's device library (vendor/tekzitel/tekzipark). Beacons, how strongly they are heard and whether
one is there are about persons: never emitted and not kept. The settings (FPort 3) come all in one downlink of 8 bytes;
each is a number of so many bits, the highest bits first in each byte.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from city.orders import Order, Parameters
from city.quantities import (
    BAY_BASELINE,
    BAY_FIELD,
    BAY_NUMBER,
    BAY_OBSTRUCTED,
    BAY_OCCUPIED,
    BAY_RADAR,
    DEVICE_BATTERY_LOW,
    DEVICE_BOOT,
    DEVICE_DEBUG,
    DEVICE_FAULT,
    DEVICE_HEARTBEAT,
    DEVICE_TEMPERATURE,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame, unknown_downlink, unknown_uplink, unsayable, unsupported
from decoders.devices._bays import CHANGED, Said, ordered, parameters, state

STATUS, DEBUG, SETTINGS = 1, 2, 3  # FPorts
TITLE = "TekziPark"
AXES = ("x", "y", "z")
LAYOUT = (  # name and bits of each setting, byte by byte
    (("suppress_offset", 1), ("radar_start", 3), ("fluctuations", 4)),
    (("dl_freq", 1), ("axis", 2), ("debug", 1), ("defl_thresh", 4)),
    (("zero_neg", 1), ("oversampl", 2), ("acc_samples", 2), ("fluct_xy", 3)),
    (("sleep", 3), ("reset_ctrl", 1), ("mag_reboot", 1), ("fluct_delay", 3)),
    (("axis_fluct", 2), ("fluct_z", 3), ("self_heal", 1), ("keepalive", 2)),
    (("radar_scans", 4), ("obstr_check", 1), ("refl_thresh", 3)),
    (("oi", 1), ("rssi", 1), ("beacons", 3), ("ble_window", 3)),
    (("ble_rssi", 8),),
)
SETTING_NAMES = tuple(name for fields in LAYOUT for name, _ in fields)
_OCCUPIED, _GOOD, _OBSTRUCTED, _RADAR, _NO_BEACON, _RESET, _KEEP_ALIVE = 0x80, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


def decode_uplink(frame: Frame) -> list[Measurement]:
    says = _SAYS.get(frame.port)
    if says is None:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    said = says(read)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Status 1 (without beacons: a simulated sensor knows nobody's) and 2 with the field."""
    said = Said(TITLE, port, measurements)
    if port not in _SAYS:
        raise unsayable(TITLE, port, "there is no such frame")
    write = Writer("big").u8("flags", _flags_of(said)).i8("temperature", said.whole(DEVICE_TEMPERATURE))
    write.u8("parking id", said.whole(BAY_NUMBER))
    return Frame(port, (write if port == STATUS else _write_field(write, said)).written())


def encode_downlink(order: Order) -> Frame:
    if not isinstance(order, Parameters):
        raise unsupported(TITLE, order)
    values = parameters(TITLE, order, SETTING_NAMES)
    return Frame(SETTINGS, bytes(_packed(fields, values) for fields in LAYOUT))


def decode_downlink(frame: Frame) -> Order:
    if frame.port != SETTINGS:
        raise unknown_downlink(TITLE, frame.port)
    read = frame.reader("big")
    values: dict[str, int] = {}
    for fields in LAYOUT:
        values |= _unpacked(fields, read.u8(", ".join(name for name, _ in fields), means=partial(_settings_in_words, fields)))
    read.end()
    return ordered(values)


def keepable(frame: Frame) -> bytes:
    """Without beacons, their strength, and whether one was missing; the frame stays as long as it was."""
    if frame.port not in _SAYS or not frame.data:
        return frame.data
    flags, rest = frame.data[0] & ~_NO_BEACON, frame.data[1:]
    return bytes([flags]) + (rest if frame.port == DEBUG else rest[:2] + bytes(max(0, len(rest) - 2)))


_Fields = Sequence[tuple[str, int]]


def _packed(fields: _Fields, values: dict[str, int]) -> int:
    raw = 0
    for name, bits in fields:
        Writer().u8(name, values[name], max=(1 << bits) - 1)  # for the check alone
        raw = raw << bits | values[name]
    return raw


def _unpacked(fields: _Fields, raw: int) -> dict[str, int]:
    values = {}
    for name, bits in reversed(fields):
        values[name], raw = raw & (1 << bits) - 1, raw >> bits
    return values


def _settings_in_words(fields: _Fields, raw: int) -> str:
    values = _unpacked(fields, raw)
    return ", ".join(f"{name} {values[name]}" for name, _ in fields)


def _told(raw: int) -> tuple[Measurement, ...]:
    return (*state(bool(raw & _OCCUPIED), bool(raw & _KEEP_ALIVE)), DEVICE_BATTERY_LOW(not raw & _GOOD),
            BAY_OBSTRUCTED(bool(raw & _OBSTRUCTED)), BAY_RADAR(bool(raw & _RADAR)),
            *([DEVICE_BOOT("reset")] if raw & _RESET else []))


def _in_words(raw: int) -> str:
    """Not whether there was a beacon: a trace shows nothing about persons."""
    words = ((_OBSTRUCTED, "obstructed"), (_RADAR, "radar"), (_RESET, "reset"), (_KEEP_ALIVE, "keep-alive"))
    return ", ".join(["occupied" if raw & _OCCUPIED else "free", "battery good" if raw & _GOOD else "battery low",
                      *(word for bit, word in words if raw & bit)])


_FLAGS = tuple(map(_told, range(256)))
_HEAD = (Part("flags", "B", _in_words), Part("temperature", "b", lambda raw: f"{raw} °C"), Part("parking id", "B"))
_STATUS = Record("big", *_HEAD)
_FIELD = Record("big", *_HEAD, *(Part(f"{what} {axis}", "b") for what in ("deflection", "baseline") for axis in AXES),
                Part("fault", "B"), Part("obstruction, scale open", "B"), Part("reflection, scale open", "B"))


def _status(read: Reader) -> list[Measurement]:
    flags, warmth, number = read.record(_STATUS)
    if read.left:
        read.raw("beacon strength", 1, secret=True)
    while read.left:
        read.raw("beacon", 2, secret=True)
    return [*_FLAGS[flags], DEVICE_TEMPERATURE(warmth), BAY_NUMBER(number)]


def _field(read: Reader) -> list[Measurement]:
    flags, warmth, number, dx, dy, dz, bx, by, bz, fault, obstruction, reflection = read.record(_FIELD)
    said = [*_FLAGS[flags], DEVICE_TEMPERATURE(warmth), BAY_NUMBER(number), BAY_FIELD(dx, "x"), BAY_FIELD(dy, "y"),
            BAY_FIELD(dz, "z"), BAY_BASELINE(bx, "x"), BAY_BASELINE(by, "y"), BAY_BASELINE(bz, "z"),
            DEVICE_DEBUG(f"{obstruction:02x}{reflection:02x}")]
    if fault:
        said.append(DEVICE_FAULT(f"code-{fault}"))
    return said


def _flags_of(said: Said) -> int:
    said.needed(BAY_OCCUPIED)
    flags = ((_OCCUPIED, said.flag(BAY_OCCUPIED)), (_GOOD, not said.flag(DEVICE_BATTERY_LOW)),
             (_OBSTRUCTED, said.flag(BAY_OBSTRUCTED)), (_RADAR, said.flag(BAY_RADAR)),
             (_RESET, said.get(DEVICE_BOOT) is not None), (_KEEP_ALIVE, said.flag(DEVICE_HEARTBEAT, CHANGED)))
    return sum(bit for bit, is_set in flags if is_set)


def _write_field(write: Writer, said: Said) -> Writer:
    for quantity in (BAY_FIELD, BAY_BASELINE):
        for axis in AXES:
            write.i8(quantity.name, said.whole(quantity, axis))
    return write.u8("fault", said.code(DEVICE_FAULT, {0: ""}, "")).raw("debug", said.raw(DEVICE_DEBUG, bytes(2)), count=2)


_SAYS: dict[int, Callable[[Reader], list[Measurement]]] = {STATUS: _status, DEBUG: _field}

CODEC = Codec(
    model="tekzitel/tekzipark",
    vendor="TekZitel",
    title="Parking sensor TekziPark",
    asset="bay",
    device_class="A",
    source="The Things Network device library tekzitel/tekzipark",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(STATUS, DEBUG),
    downlink_ports=(SETTINGS,),
    heartbeat=timedelta(hours=24),
    leaves_open=(
        "What the numbers of the settings stand for (units, steps of the keep-alive) is not published; only their bits are.",
        "How often a keep-alive comes is not published: taken as every 24 hours.",
        "FPort 2, fault: what its numbers mean is not published; told as code-1 to code-255.",
        "FPort 2, scale of obstruction and reflection: kept as device.debug; whether the sensor is covered is told by bit 4.",
        "Bit 6 of the flags is passed over.",
        ("Beacons of permits, their strength and whether one was missing: dropped, they are about persons. Only the length of "
        "the frame still tells how many there were."),
    ),
    keepable=keepable,
)
