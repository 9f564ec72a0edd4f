"""Nwave NPS405 SM and FM (“G4 NPS”) parking sensors. Class A, magnetometer.

Documents: The Things Network's device library (vendor/nwave/nps405, the revision of 6-byte tag frames), the guide in
ThingsBoard's data converters (VENDORS/Nwave/G4_NPS_SM), Nwave “LoRaWAN Parking Sensor – Getting Started” §4.2. Numbers are
big-endian. Every status carries how long the previous state lasted; by it a lost change can be restored. What a tag says
(FPort 10) is about a person: it is never emitted and not kept.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from city.quantities import (
    BAY_OCCUPIED,
    BAY_PREVIOUS_ERROR,
    BAY_PREVIOUS_MINUTES,
    DEVICE_BATTERY_LOW,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_CURRENT,
    DEVICE_DEBUG,
    DEVICE_EVENT,
    DEVICE_HEALTH,
    DEVICE_TEMPERATURE,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame, no_downlink, no_order, unknown_uplink, unsayable
from decoders.devices._bays import CHANGED, UNCHANGED, Said, free_or_occupied, state
from decoders.devices._nwave import DEBUG, HEARTBEAT, START, STATUS, TAG, Start

TITLE = "NPS405"
_TAG, _TAG_WITHOUT_BATTERY = 5, 4  # bytes behind the state; older firmware does not tell the tag's battery
_OVERFLOW = 127
_COLD = (-5 - 10) * 2  # raw value of -5 °C, below which a battery may sag further
_EVENTS = {404: "calibration-completed", 805: "no-change-in-config", 899: "invalid-user-request"}
_START = Start({0: "rejoin", 1: "watchdog", 2: "power-on", 3: "user-request", 6: "brown-out", 7: "other"})


def decode_uplink(frame: Frame) -> list[Measurement]:
    says = _SAYS.get(frame.port)
    if says is None:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    said = says(read)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Status 1, heartbeat 2, start 3, debug 6, tag 10 (all zeros: a simulated sensor knows nobody's tag)."""
    write = _WRITES.get(port)
    if write is None:
        raise unsayable(TITLE, port, "there is no such frame")
    return Frame(port, write(Said(TITLE, port, measurements)))


def keepable(frame: Frame) -> bytes:
    """FPort 10 without the tag's id and battery."""
    return frame.data if frame.port != TAG else frame.data[:1] + bytes(max(0, len(frame.data) - 1))


def lasted(compressed: int) -> tuple[int, int | None]:
    """Minutes that the previous state lasted at least, and by how many it may have lasted longer (None: no limit)."""
    if compressed < 90:
        return compressed, 0
    if compressed < 120:
        return 90 + (compressed - 90) * 5, 4
    if compressed < _OVERFLOW:
        return 240 + (compressed - 120) * 60, 59
    return 660, None


def compressed(minutes: int) -> int:
    """The inverse of `lasted`: the 7 bits for so many minutes."""
    if minutes < 90:
        return max(0, minutes)
    if minutes < 240:
        return 90 + (minutes - 90) // 5
    return min(_OVERFLOW, 120 + (minutes - 240) // 60)


def _status_of(raw: int) -> tuple[Measurement, ...]:
    minutes, error = lasted(raw >> 1)
    said = (*state(bool(raw & 1), CHANGED), BAY_PREVIOUS_MINUTES(minutes))
    return said if error is None else (*said, BAY_PREVIOUS_ERROR(error))


def _in_words(raw: int) -> str:
    minutes, error = lasted(raw >> 1)
    return f"{free_or_occupied(raw)}, previous state {'at least ' if error is None else ''}{minutes} min"


_STATUSES = tuple(map(_status_of, range(256)))
_HEALTH = tuple((*state(bool(raw & 1), UNCHANGED), DEVICE_HEALTH(raw >> 1)) for raw in range(256))
_VOLTAGES = tuple(DEVICE_BATTERY_VOLTAGE((2500 + 4 * raw) / 1000) for raw in range(256))
_TEMPERATURES = {raw: DEVICE_TEMPERATURE(raw / 2 + 10) for raw in range(-128, 128)}
_CURRENTS = tuple(DEVICE_CURRENT(raw / 100_000) for raw in range(64))
_LOW = (DEVICE_BATTERY_LOW(False), DEVICE_BATTERY_LOW(True))
_BEAT = Record("big", Part("state and health", "B", lambda raw: f"{free_or_occupied(raw)}, health {raw >> 1}"),
               Part("battery", "B", lambda raw: f"{(2500 + 4 * raw) / 1000} V"),
               Part("temperature", "b", lambda raw: f"{raw / 2 + 10} °C"),
               Part("lowest temperature of a day, scale open", "B"), Part("highest temperature of a day, scale open", "B"),
               Part("current", "B", lambda raw: f"{(raw & 0x3F) * 10} µA"))


def _status(read: Reader) -> list[Measurement]:
    return list(_STATUSES[read.u8("state and time in the previous one", means=_in_words)])


def _heartbeat(read: Reader) -> list[Measurement]:
    flags, battery, warmth, lowest, highest, current = read.record(_BEAT)
    low = 2500 + 4 * battery < (3000 if warmth >= _COLD else 2900)
    return [*_HEALTH[flags], _VOLTAGES[battery], _LOW[low], _TEMPERATURES[warmth], _CURRENTS[current & 0x3F],
            DEVICE_DEBUG(f"{lowest:02x}{highest:02x}")]


def _debug(read: Reader) -> list[Measurement]:
    code = read.u16("code", means=lambda code: _EVENTS.get(code, "not documented"))
    said = [DEVICE_EVENT(_EVENTS.get(code, f"code-{code}"))]
    if read.left:
        said.append(DEVICE_DEBUG(read.rest("parameters").hex()))
    return said


def _tag(read: Reader) -> list[Measurement]:
    raw = read.u8("state and time in the previous one", means=lambda raw: _in_words(raw) if raw & 1 else "not told")
    if read.left > _TAG_WITHOUT_BATTERY:
        read.raw("tag battery", 1, secret=True)
    read.raw("tag id", 4, secret=True)
    return list(_STATUSES[raw]) if raw & 1 else []


def _write_status(said: Said) -> bytes:
    return bytes([compressed(said.whole(BAY_PREVIOUS_MINUTES)) << 1 | bool(said.needed(BAY_OCCUPIED))])


def _write_heartbeat(said: Said) -> bytes:
    write = Writer("big").u8("state and health", said.whole(DEVICE_HEALTH, default=0) << 1 | bool(said.needed(BAY_OCCUPIED)))
    write.u8("battery", said.whole(DEVICE_BATTERY_VOLTAGE, scale=250, offset=2.5))
    write.i8("temperature", said.whole(DEVICE_TEMPERATURE, scale=2, offset=10))
    write.raw("temperatures of a day", said.raw(DEVICE_DEBUG, bytes(2)), count=2)
    return write.u8("current", said.whole(DEVICE_CURRENT, scale=100_000, default=0), max=0x3F).written()


def _write_debug(said: Said) -> bytes:
    return Writer("big").u16("code", said.code(DEVICE_EVENT, _EVENTS)).raw("parameters", said.raw(DEVICE_DEBUG)).written()


def _write_tag(said: Said) -> bytes:
    told = _write_status(said) if said.get(BAY_OCCUPIED) is not None else bytes(1)
    return told + bytes(_TAG)


_SAYS: dict[int, Callable[[Reader], list[Measurement]]] = {
    STATUS: _status, HEARTBEAT: _heartbeat, START: _START.read, DEBUG: _debug, TAG: _tag}
_WRITES: dict[int, Callable[[Said], bytes]] = {
    STATUS: _write_status, HEARTBEAT: _write_heartbeat, START: _START.write, DEBUG: _write_debug, TAG: _write_tag}

CODEC = Codec(
    model="nwave/nps405",
    vendor="Nwave",
    title="Parking sensor NPS405 SM, NPS405 FM (G4)",
    asset="bay",
    device_class="A",
    source="The Things Network device library nwave/nps405; ThingsBoard guide Nwave G4 NPS",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=(STATUS, HEARTBEAT, START, DEBUG, TAG),
    downlink_ports=(),
    heartbeat=timedelta(hours=24),
    leaves_open=(
        "Downlinks: the numbers of FPorts and settings are published for the car counter NCC405 alone; none is sent.",
        ("FPort 2, lowest and highest temperature of a day: their scale is not published, and the published example "
        "contradicts that of the current temperature; kept as device.debug."),
        "FPort 2, bits 7 and 6 of the current are passed over; what the seven health bits mean is not published.",
        "How long a previous state lasted beyond 660 minutes: 660 are told, without a limit of error.",
        "FPort 6: of the codes only 404, 805 and 899 are published; parameters are kept as device.debug.",
        "FPort 10, tags of persons: id and battery are dropped; with bit 0 clear the frame says nothing of the bay.",
        "The heartbeat of 24 hours is documented for the car counter NCC405 and taken over.",
    ),
    keepable=keepable,
)
