"""MOKO LW009 parking sensors: LW009-IG (in the ground) and LW009-SM (on it). Class A, magnetometer, later with radar.

Documents: no manual of the maker's is public; three published decoders (of LW009-IG and LW009-SM by fixed offsets, of
LW009-SM by fields) agree on a head of 12 bytes and fields of tag, length and value behind it, big-endian. Only the fields
on which all agree, or which say their unit, are read; the others are kept as they are.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from city.errors import UnknownVersion
from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_BATTERY,
    DEVICE_BATTERY_LOW,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_CLOCK,
    DEVICE_COUNTER,
    DEVICE_DEBUG,
    DEVICE_EVENT,
    DEVICE_FAULT,
    DEVICE_HEARTBEAT,
    DEVICE_HUMIDITY,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame, no_downlink, no_order, unknown_uplink, unsayable
from decoders.devices._bays import CHANGED, UNCHANGED, Said, state

DATA = 1  # FPort
TITLE = "LW009"
EVENT, BATTERY, VOLTAGE, STATE, HUMIDITY = 0x02, 0x24, 0x29, 0x32, 0x35  # tags
_HEARTBEAT, _FREE, _OCCUPIED, _LOW = 0x00, 0x0B, 0x0C, 0x0E  # events
_FAULTS = {0x0D: "magnetic-interference", 0x0F: "magnetic-sensor", 0x10: "magnetic-sensor-silent", 0x11: "temperature-sensor",
           0x12: "radar-sensor"}
_NAMES = {0x02: "event", 0x03: "device type", 0x05: "version", 0x06: "heartbeat interval", 0x0B: "temperature",
          0x22: "sensitivity", 0x23: "radar", 0x24: "battery", 0x25: "magnetic field", 0x29: "battery voltage", 0x32: "state",
          0x35: "humidity"}
_HEAD = Record("big", Part("head", "B"), Part("protocol version", "B"), Part("clock", "I", lambda raw: f"{raw} s since 1970"),
               Part("frame counter", "H"), Part("message length", "H"), Part("instruction", "B"),
               Part("encrypted", "B", lambda raw: "yes" if raw else "no"))
_FIELD = Record("big", Part("tag", "B", lambda tag: _NAMES.get(tag, "not documented")), Part("length", "B"))


def decode_uplink(frame: Frame) -> list[Measurement]:
    if frame.port != DATA:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    head, version, clock, counter, length, instruction, encrypted = read.record(_HEAD)
    if encrypted:
        raise UnknownVersion("The message is encrypted in a way that is not published.")
    said = [DEVICE_CLOCK(clock), DEVICE_COUNTER(counter)]
    kept = _fields(read.block("message", length), said)
    tail = read.rest("not documented")
    said.append(DEVICE_DEBUG(f"{head:02x}{version:02x}{instruction:02x} {kept.hex()} {tail.hex()}"))
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    said = Said(TITLE, port, measurements)
    if port != DATA:
        raise unsayable(TITLE, port, "there is no such frame")
    head, kept, tail = _kept(said, port)
    message = _write_fields(said) + kept
    write = Writer("big").raw("head", head[:2]).u32("clock", said.whole(DEVICE_CLOCK, default=0))
    write.u16("counter", said.whole(DEVICE_COUNTER)).u16("length", len(message))
    return Frame(port, write.raw("instruction", head[2:] + b"\0").raw("message", message + tail).written())


def _fields(read: Reader, said: list[Measurement]) -> bytes:
    """Adds what the fields say; returns those that stay as they are."""
    kept, event, occupied = b"", None, None
    while read.left:
        tag, length = read.record(_FIELD)
        field = (tag, length)
        if field == _EVENT and event is None:
            event = read.u8("event", means=_event_in_words)
        elif field == _STATE and occupied is None:
            occupied = read.u8("state", max=1, means=_state_in_words) == 1
        elif field in _NUMBERS:
            said.append(_NUMBERS[field](read))
        else:
            kept += bytes(field) + read.raw(_NAMES.get(tag, "not documented"), length)
    said += _told(event, occupied)
    return kept


def _state_in_words(raw: int) -> str:
    return "occupied" if raw else "free"


def _battery(read: Reader) -> Measurement:
    return DEVICE_BATTERY(read.u8("battery", means=lambda raw: f"{raw} %"))


def _voltage(read: Reader) -> Measurement:
    return DEVICE_BATTERY_VOLTAGE(read.u16("battery voltage", means=lambda raw: f"{raw} mV") / 1000)


def _humidity(read: Reader) -> Measurement:
    return DEVICE_HUMIDITY(read.u8("humidity", means=lambda raw: f"{raw} %"))


_EVENT, _STATE = (EVENT, 1), (STATE, 1)
_NUMBERS: dict[tuple[int, int], Callable[[Reader], Measurement]] = {
    (BATTERY, 1): _battery, (VOLTAGE, 2): _voltage, (HUMIDITY, 1): _humidity}


def _told(event: int | None, occupied: bool | None) -> Sequence[Measurement]:
    if event is None:
        return () if occupied is None else (BAY_OCCUPIED(occupied),)
    changed = event in (_FREE, _OCCUPIED)
    if occupied is None and not changed:
        return (DEVICE_HEARTBEAT(UNCHANGED), *_EVENTS[event])
    return (*state(event == _OCCUPIED if occupied is None else occupied, CHANGED if changed else UNCHANGED), *_EVENTS[event])


def _event_of_code(event: int) -> tuple[Measurement, ...]:
    if event in (_HEARTBEAT, _FREE, _OCCUPIED):
        return ()
    if event == _LOW:
        return (DEVICE_BATTERY_LOW(True),)
    return (DEVICE_FAULT(_FAULTS[event]) if event in _FAULTS else DEVICE_EVENT(f"code-{event}"),)


_EVENTS = tuple(map(_event_of_code, range(256)))


def _event_in_words(event: int) -> str:
    words = {_HEARTBEAT: "heartbeat", _FREE: "became free", _OCCUPIED: "became occupied", _LOW: "battery low"} | _FAULTS
    return words.get(event, "not documented")


def _kept(said: Said, port: int) -> tuple[bytes, bytes, bytes]:
    """Head, fields and tail in device.debug."""
    text = str(said.get(DEVICE_DEBUG) or "000000  ")
    try:
        head, kept, tail = map(bytes.fromhex, text.split(" "))
    except ValueError:
        head = kept = tail = b""
    if len(head) != 3:
        raise unsayable(TITLE, port, f"{DEVICE_DEBUG.name} is {text}")
    return head, kept, tail


def _write_fields(said: Said) -> bytes:
    write = Writer("big")
    if said.get(DEVICE_HEARTBEAT) is not None:
        write.raw("event", bytes((EVENT, 1))).u8("event", _event_of(said))
    for tag, quantity in ((BATTERY, DEVICE_BATTERY), (HUMIDITY, DEVICE_HUMIDITY)):
        if said.get(quantity) is not None:
            write.raw("field", bytes((tag, 1))).u8(quantity.name, said.whole(quantity))
    if said.get(DEVICE_BATTERY_VOLTAGE) is not None:
        write.raw("field", bytes((VOLTAGE, 2))).u16("battery voltage", said.whole(DEVICE_BATTERY_VOLTAGE, scale=1000))
    if said.get(BAY_OCCUPIED) is not None:
        write.raw("field", bytes((STATE, 1))).u8("state", said.flag(BAY_OCCUPIED))
    return write.written()


def _event_of(said: Said) -> int:
    if not said.flag(DEVICE_HEARTBEAT):
        return _OCCUPIED if said.flag(BAY_OCCUPIED) else _FREE
    if said.flag(DEVICE_BATTERY_LOW):
        return _LOW
    if said.get(DEVICE_FAULT) is not None:
        return said.code(DEVICE_FAULT, _FAULTS)
    return said.code(DEVICE_EVENT, {_HEARTBEAT: ""}, "")


CODEC = Codec(
    model="moko/lw009",
    vendor="MOKO",
    title="Parking sensor LW009-IG, LW009-SM",
    asset="bay",
    device_class="A",
    source="Published decoders of LW009-IG and LW009-SM without a named author; no manual of the maker's is public",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=(DATA,),
    downlink_ports=(),
    heartbeat=timedelta(hours=24),
    leaves_open=(
        "No manual of the maker's is public: the layout is that of three published decoders; check it on your own sensors.",
        ("Kept as device.debug, as the decoders differ or leave sign and scale open: magnetic field, temperature, radar, "
        "device type, version, heartbeat interval (of which the decoders differ by 30 s), sensitivity."),
        "First and second byte and the instruction of each frame, and bytes behind the message: kept as device.debug.",
        "Encrypted messages are not read; how they are encrypted is not published.",
        "Event 0x10: “sensor cannot be read” for LW009-IG, “sensor failed” for LW009-SM; told as magnetic-sensor-silent.",
        "During magnetic interference (a fault the sensor reports) the state may be wrong.",
        "How often a heartbeat comes can be set; taken as every 24 hours. Downlinks are not published; none is sent.",
    ),
)
