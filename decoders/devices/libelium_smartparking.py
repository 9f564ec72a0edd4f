"""Libelium Smart Parking, firmware 1 (12 B) and 2 to 3 (11 B), any FPort. Class A, magnetometer, later with radar.

Documents: Libelium “Plug & Sense! Smart Parking Technical Guide”, §7 Frames, and “Smart Parking v2 Technical Manual” v7.5,
§3.6; for firmware 2 and 3 the parser in ZENNER's element-parsers. All frames begin with the state and a frame counter; the
firmwares differ in all that follows, so that it is kept as bytes. What a frame is for stands in device.event (its kind,
“recalibration”, or both with a “+”).
"""

from collections.abc import Sequence
from datetime import timedelta

from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_BATTERY_LOW,
    DEVICE_COUNTER,
    DEVICE_DEBUG,
    DEVICE_EVENT,
    DEVICE_FAULT,
    DEVICE_HEARTBEAT,
    DEVICE_TEMPERATURE,
    Measurement,
    Value,
)
from decoders.bits import Part, Record, Writer
from decoders.codec import ANY_PORT, Codec, Frame, no_downlink, no_order, unknown_uplink, unsayable
from decoders.devices._bays import CHANGED, UNCHANGED, Said, state

TITLE = "Libelium Smart Parking"
_INFO, _KEEP_ALIVE = 0, 1
_KINDS = {2: "daily", 3: "error", 4: "start-1", 5: "start-2"}
_LATER_KINDS = _KINDS | {2: "config-or-daily", 6: "service", 7: "rtc-request", 8: "rssi"}
_REST, _OLD_REST = 9, 10  # bytes behind state and counter
_OCCUPIED, _LOW, _REFUSED, _RECALIBRATED, _KIND = 0x80, 0x40, 0x20, 0x10, 0x0F


def decode_uplink(frame: Frame) -> list[Measurement]:
    if not 1 <= frame.port <= ANY_PORT[-1]:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    if read.left == _OLD.size + _OLD_REST:
        raw, counter = read.record(_OLD)
        return [*_OLD_HEADS[raw], DEVICE_COUNTER(counter), DEVICE_DEBUG(read.raw(_DIFFERS, _OLD_REST).hex())]
    raw, counter, error, warmth = read.record(_LATER)
    rest = f"{error:02x}{warmth & 0xFF:02x}{read.raw(_DIFFERS, _REST - 2).hex()}"
    read.end()
    if error or raw & _KIND > _KEEP_ALIVE:
        return [*_HEADS[raw], DEVICE_COUNTER(counter), DEVICE_DEBUG(rest)]
    return [*_HEADS[raw], DEVICE_COUNTER(counter), DEVICE_TEMPERATURE(warmth), DEVICE_DEBUG(rest)]


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Firmware 3, or 1 where device.debug has its ten bytes."""
    said = Said(TITLE, port, measurements)
    if port not in ANY_PORT:
        raise unsayable(TITLE, port, "there is no such frame")
    warmth = said.whole(DEVICE_TEMPERATURE, default=0)
    rest = said.raw(DEVICE_DEBUG, Writer().u8("sensor error", 0).i8("temperature", warmth).raw("rest", bytes(7)).written())
    if len(rest) not in (_REST, _OLD_REST):
        raise unsayable(TITLE, port, f"device.debug has {len(rest)} bytes")
    raw = (_OLD_RAWS if len(rest) == _OLD_REST else _RAWS).get(_told(said))
    if raw is None:
        raise unsayable(TITLE, port, "no kind of frame is that")
    return Frame(port, Writer().u8("kind", raw).u8("counter", said.whole(DEVICE_COUNTER)).raw("rest", rest).written())


def _event(kind: int, recalibrated: bool, kinds: dict[int, str]) -> str:
    word = "" if kind <= _KEEP_ALIVE else kinds.get(kind, f"kind-{kind}")
    return "+".join(filter(None, (word, "recalibration" if recalibrated else "")))


def _head(raw: int) -> tuple[Measurement, ...]:
    kind = raw & _KIND
    event = _event(kind, bool(raw & _RECALIBRATED), _LATER_KINDS)
    return (*state(bool(raw & _OCCUPIED), CHANGED if kind == _INFO else UNCHANGED), DEVICE_BATTERY_LOW(bool(raw & _LOW)),
            *([DEVICE_EVENT(event)] if event else []), *([DEVICE_FAULT("config-refused")] if raw & _REFUSED else []))


def _old_head(raw: int) -> tuple[Measurement, ...]:
    """Firmware 1 has bits 5 and 4 reserved, and fewer kinds."""
    kind = raw & _KIND
    event = _event(kind, False, _KINDS)
    return (*state(bool(raw & _OCCUPIED), CHANGED if kind == _INFO else UNCHANGED), DEVICE_BATTERY_LOW(bool(raw & _LOW)),
            *([DEVICE_EVENT(event)] if event else []))


def _words(raw: int, kinds: dict[int, str]) -> str:
    kind = raw & _KIND
    name = {_INFO: "info", _KEEP_ALIVE: "keep-alive"}.get(kind) or kinds.get(kind, f"kind {kind}, reserved")
    return f"{'occupied' if raw & _OCCUPIED else 'free'}, {name}{', battery low' if raw & _LOW else ''}"


def _in_words(raw: int) -> str:
    return (_words(raw, _LATER_KINDS) + (", settings refused" if raw & _REFUSED else "")
            + (", recalibrated" if raw & _RECALIBRATED else ""))


def _old_in_words(raw: int) -> str:
    return _words(raw, _KINDS)


_Told = tuple[Value | None, ...]
_TOLD = (BAY_OCCUPIED, DEVICE_HEARTBEAT, DEVICE_BATTERY_LOW, DEVICE_EVENT, DEVICE_FAULT)


def _told(said: Said) -> _Told:
    said.needed(BAY_OCCUPIED)
    defaults = {DEVICE_HEARTBEAT.name: CHANGED, DEVICE_BATTERY_LOW.name: False}
    return tuple(defaults.get(one.name) if said.get(one) is None else said.get(one) for one in _TOLD)


_DIFFERS = "differs by firmware"
_OLD = Record("big", Part("state and kind", "B", _old_in_words), Part("frame counter", "B"))
_LATER = Record("big", Part("state and kind", "B", _in_words), Part("frame counter", "B"),
                Part("sensor error, or differs by firmware", "B"),
                Part("temperature, or differs by firmware", "b", lambda raw: f"{raw} °C"))
_HEADS = tuple(map(_head, range(256)))
_OLD_HEADS = tuple(map(_old_head, range(256)))
_RAWS = {_told(Said(TITLE, 1, head)): raw for raw, head in enumerate(_HEADS)}
_OLD_RAWS = {_told(Said(TITLE, 1, _OLD_HEADS[raw])): raw for raw in reversed(range(256))}

CODEC = Codec(
    model="libelium/smartparking",
    vendor="Libelium",
    title="Smart Parking (firmware 1 to 3)",
    asset="bay",
    device_class="A",
    source="Libelium Smart Parking Technical Guide §7, Smart Parking v2 Technical Manual §3.6; ZENNER element-parsers",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=ANY_PORT,
    downlink_ports=(),
    heartbeat=timedelta(hours=3),  # the longest keep-alive of the guide's example, by night
    leaves_open=(
        "All bytes behind the frame counter differ by firmware; they are kept as device.debug.",
        ("The temperature of 11-byte frames is read where firmware 3 has it (byte 3), and only while byte 2 is 0: in early "
        "firmware 2 the temperature or the hour stands in byte 2."),
        ("The clock that the sensor asks for as “start-1” and “rtc-request”: for firmware 1 and early 2 the answer is published "
         "(year, month, day, weekday, hour, minute), but not its FPort; for later firmware only its name. None is sent."),
        "Settings by downlink: published by one example of firmware 1 alone, in which they cannot be told apart; none is sent.",
        "Kind 2 confirms settings in later firmware and is a daily report in earlier: told as config-or-daily.",
        "The keep-alive can be set in the sensor: taken as every 3 hours, the longest in the maker's example.",
        "Kinds of frames from 9 on (firmware 1: from 6 on) are reserved; their state is read, as all frames begin alike.",
    ),
)
