"""Bosch Parking Lot Sensor TPS110 (and TPL110, see `bosch_tpl110`), firmware 0.23 to 0.39. Class A, magnetometer and radar.

Documents: Bosch “Communication Interface v0.23.3”; for newer firmware the decoders in The Things Network's and
akenza's device libraries (FPort 2 with temperature from 0.29, FPort 5 from 0.39). Numbers are big-endian.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from city.errors import Invalid, OutOfRange, UnknownPort, Unsupported
from city.orders import DataRate, Order, UplinkConfirmation
from city.planning import Abilities
from city.quantities import (
    BAY_OCCUPIED,
    BAY_OCCUPIED_TIME,
    BAY_STATE_CHANGES,
    DEVICE_BOOT,
    DEVICE_DEBUG,
    DEVICE_FIRMWARE,
    DEVICE_INSTALLED_TIME,
    DEVICE_RADAR_TRIGGERS,
    DEVICE_RESETS,
    DEVICE_TEMPERATURE,
    DEVICE_UPLINKS,
    DEVICE_UPTIME,
    Measurement,
    Quantity,
    Value,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame
from decoders.devices._bays import CHANGED, UNCHANGED, state

STATUS, HEARTBEAT, START, INFO, USAGE, DEBUG, CONFIRMATION, DATA_RATE = 1, 2, 3, 4, 5, 6, 51, 52  # FPorts

_COUNTERS: dict[int, Quantity] = {0: BAY_STATE_CHANGES, 1: BAY_OCCUPIED_TIME, 3: DEVICE_RADAR_TRIGGERS,
                                  4: DEVICE_UPTIME, 6: DEVICE_INSTALLED_TIME}
_UPLINKS, _RESETS = 2, 5
_USAGE_NAMES = {0: "changes of state", 1: "time occupied", 2: "uplinks by data rate", 3: "measurements by radar",
                4: "time since restart", 5: "restarts", 6: "time since installation"}
_RESET_CAUSES = ("brown-out", "lockup", "external-pin", "power-on", "watchdog")
_RESTARTS = Record("big", *(Part(f"restarts by {cause}", "B") for cause in _RESET_CAUSES))
_VERSION = Record("big", *(Part(f"firmware {part}", "B") for part in ("major", "minor", "patch")))
_BOOTS = {1: "watchdog", 2: "power-on", 3: "system-request", 4: "other"}
_BOOTS_SINCE_39 = _BOOTS | {4: "external-pin", 5: "lockup", 6: "brown-out", 7: "other"}


def decode_uplink(frame: Frame) -> list[Measurement]:
    says = _SAYS.get(frame.port)
    if says is None:
        raise UnknownPort("A TPS110 sends nothing documented on FPort {port}.", port=frame.port)
    read = frame.reader("big")
    said = says(read)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Status 1, heartbeat 2, start 3, info 4, usage 5 (one kind a frame), debug 6."""
    write = _WRITES.get(port)
    if write is None:
        raise _cannot(port)
    try:
        return Frame(port, write(port, {(said.quantity.name, said.channel): said.value for said in measurements}))
    except (ValueError, OverflowError) as error:
        raise Invalid("A TPS110 cannot say this: {what}.", field="measurements", rule="form", what=str(error)) from error


def encode_downlink(order: Order) -> Frame:
    match order:
        case UplinkConfirmation(confirmed=True, repetitions=0):
            return Frame(CONFIRMATION, b"\x00")
        case UplinkConfirmation(confirmed=False, repetitions=0):
            return Frame(CONFIRMATION, b"\x01")
        case UplinkConfirmation():
            raise Invalid("A TPS110 repeats nothing that is not confirmed.", field="repetitions", rule="0")
        case DataRate(dr=dr):
            return Frame(DATA_RATE, bytes([dr]))
    raise Unsupported("A TPS110 takes no {order}.", field="order", rule="model", order=type(order).__name__)


def decode_downlink(frame: Frame) -> Order:
    read = frame.reader("big")
    order: Order
    if frame.port == CONFIRMATION:
        order = UplinkConfirmation(read.u8("status", max=1, means=lambda raw: "unconfirmed" if raw else "confirmed") == 0)
    elif frame.port == DATA_RATE:
        order = DataRate(read.u8("data rate", max=5, means=lambda dr: f"DR{dr}, SF{12 - dr}"))
    else:
        raise UnknownPort("A TPS110 takes nothing documented on FPort {port}.", port=frame.port)
    read.end()
    return order


def _bay(read: Reader) -> bool:
    """Bit 0 alone: bits 7 to 1 are reserved."""
    return bool(read.u8("state", means=lambda raw: "occupied" if raw & 1 else "free") & 1)


def _status(read: Reader) -> list[Measurement]:
    return list(state(_bay(read), CHANGED))


def _heartbeat(read: Reader) -> list[Measurement]:
    said = list(state(_bay(read), UNCHANGED))
    if read.left:
        said.append(DEVICE_TEMPERATURE(read.i8("temperature", means=lambda raw: f"{raw} °C")))
    return said


def _start(read: Reader) -> list[Measurement]:
    debug = read.raw("debug", 12)
    major, minor, patch = read.record(_VERSION)
    boots = _BOOTS_SINCE_39 if (major, minor) >= (0, 39) else _BOOTS
    cause = read.u8("reset cause", means=lambda raw: boots.get(raw, "not documented"))
    return [DEVICE_DEBUG(debug.hex()), DEVICE_FIRMWARE(f"{major}.{minor}.{patch}"),
            DEVICE_BOOT(boots.get(cause) or f"code-{cause}"), *state(_bay(read), UNCHANGED)]


def _opaque(read: Reader) -> list[Measurement]:
    return [DEVICE_DEBUG(read.rest("not documented", min=1).hex())]


def _usage(read: Reader) -> list[Measurement]:
    kind = read.u8("kind", means=lambda kind: _USAGE_NAMES.get(kind, "not documented"))
    if kind in _COUNTERS:
        return [_COUNTERS[kind](read.u32(_USAGE_NAMES[kind]))]
    if kind == _UPLINKS:
        uplinks = _thrice(read.raw("uplinks by data rate", 18, means=_by_data_rate))
        return [DEVICE_UPLINKS(count, f"dr{dr}") for dr, count in enumerate(uplinks)]
    if kind == _RESETS:
        counted = [DEVICE_RESETS(count, cause) for count, cause in zip(read.record(_RESTARTS), _RESET_CAUSES, strict=True)]
        return [*counted, DEVICE_RESETS(read.u16("restarts by software"), "software")]
    raise OutOfRange("“kind” at byte 0 is {kind}, and only 0 to 6 is allowed.", kind=kind)


def _thrice(data: bytes) -> list[int]:
    """Numbers of three bytes each."""
    return [int.from_bytes(data[at:at + 3]) for at in range(0, len(data), 3)]


def _by_data_rate(data: bytes) -> str:
    return ", ".join(f"DR{dr} {count}" for dr, count in enumerate(_thrice(data)))


_Said = dict[tuple[str, str], Value]


def _write_status(port: int, said: _Said) -> bytes:
    return bytes([bool(_needed(port, said, BAY_OCCUPIED))])


def _write_heartbeat(port: int, said: _Said) -> bytes:
    write = Writer("big").raw("state", _write_status(port, said))
    warmth = said.get((DEVICE_TEMPERATURE.name, ""))
    return (write if warmth is None else write.i8("temperature", round(float(warmth)))).written()


def _write_start(port: int, said: _Said) -> bytes:
    debug = bytes.fromhex(str(said.get((DEVICE_DEBUG.name, ""), "00" * 12)))
    version = tuple(int(part) for part in str(_needed(port, said, DEVICE_FIRMWARE)).split("."))
    word = str(_needed(port, said, DEVICE_BOOT))
    boots = _BOOTS_SINCE_39 if version >= (0, 39) else _BOOTS
    codes = {name: code for code, name in boots.items()}
    cause = int(word.removeprefix("code-")) if word.startswith("code-") else codes.get(word)
    if cause is None:
        raise Invalid("A TPS110 knows no reset cause “{word}”.", field="boot", rule="vocabulary", word=word)
    write = Writer("big").raw("debug", debug, count=12)
    for part in version:
        write.u8("firmware", part)
    return write.u8("reset cause", cause).raw("state", _write_status(port, said)).written()


def _write_opaque(port: int, said: _Said) -> bytes:
    return bytes.fromhex(str(_needed(port, said, DEVICE_DEBUG)))


def _write_usage(port: int, said: _Said) -> bytes:
    write = Writer("big")
    for kind, quantity in _COUNTERS.items():
        if (quantity.name, "") in said:
            return write.u8("kind", kind).u32(quantity.name, round(float(said[quantity.name, ""]))).written()
    if (DEVICE_UPLINKS.name, "dr0") in said:
        write.u8("kind", _UPLINKS)
        for dr in range(6):
            write.u24("uplinks", round(float(_needed(port, said, DEVICE_UPLINKS, f"dr{dr}"))))
        return write.written()
    write.u8("kind", _RESETS)
    for cause in _RESET_CAUSES:
        write.u8("restarts", round(float(_needed(port, said, DEVICE_RESETS, cause))))
    return write.u16("restarts", round(float(_needed(port, said, DEVICE_RESETS, "software")))).written()


def _needed(port: int, said: _Said, quantity: Quantity, channel: str = "") -> Value:
    value = said.get((quantity.name, channel))
    if value is None:
        raise Unsupported("A frame on FPort {port} needs {name}.", field="port", rule="FPort", port=port,
                          name=quantity.name)
    return value


def _cannot(port: int) -> Unsupported:
    return Unsupported("A TPS110 sends nothing on FPort {port}.", field="port", rule="FPort", port=port)


_SAYS: dict[int, Callable[[Reader], list[Measurement]]] = {
    STATUS: _status, HEARTBEAT: _heartbeat, START: _start, INFO: _opaque, USAGE: _usage, DEBUG: _opaque}
_WRITES: dict[int, Callable[[int, _Said], bytes]] = {
    STATUS: _write_status, HEARTBEAT: _write_heartbeat, START: _write_start, INFO: _write_opaque,
    USAGE: _write_usage, DEBUG: _write_opaque}

CODEC = Codec(
    model="bosch/tps110",
    vendor="Bosch",
    title="Parking Lot Sensor TPS110",
    asset="bay",
    device_class="A",
    source="Bosch Communication Interface v0.23.3; TTN and akenza device libraries for firmware 0.29 and 0.39",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(STATUS, HEARTBEAT, START, INFO, USAGE, DEBUG),
    downlink_ports=(CONFIRMATION, DATA_RATE),
    abilities=Abilities(dims=False, max_minutes=None),
    heartbeat=timedelta(hours=24),
    leaves_open=(
        "FPort 4, device information: its layout is not published with an example; kept as device.debug.",
        "FPort 6 and the first 12 bytes of FPort 3: Bosch's own debugging, kept as device.debug.",
        "The unit of the times on FPort 5: taken as seconds.",
        "From which firmware on reset cause 4 means the external pin: taken as 0.39, “other” before.",
        "Bits 7 to 1 of the state are reserved and passed over.",
    ),
)
