"""Nwave NPS310 parking sensor. Class A, magnetometer.

Document: The Things Network's device library (vendor/nwave/nps310sm). Numbers are big-endian.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from city.quantities import BAY_OCCUPIED, DEVICE_DEBUG, Measurement
from decoders.bits import Reader
from decoders.codec import Codec, Frame, no_downlink, no_order, unknown_uplink, unsayable
from decoders.devices._bays import CHANGED, UNCHANGED, Said, free_or_occupied, state
from decoders.devices._nwave import DEBUG, HEARTBEAT, START, STATUS, Start

TITLE = "NPS310"
_START = Start({1: "watchdog", 2: "power-on", 3: "user-request", 4: "brown-out", 5: "other"})


def decode_uplink(frame: Frame) -> list[Measurement]:
    says = _SAYS.get(frame.port)
    if says is None:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    said = says(read)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Status 1, heartbeat 2, start 3, debug 6."""
    write = _WRITES.get(port)
    if write is None:
        raise unsayable(TITLE, port, "there is no such frame")
    return Frame(port, write(Said(TITLE, port, measurements)))


def _status(read: Reader) -> list[Measurement]:
    return list(state(bool(read.u8("state", means=free_or_occupied) & 1), CHANGED))


def _heartbeat(read: Reader) -> list[Measurement]:
    return list(state(bool(read.u8("state", means=free_or_occupied) & 1), UNCHANGED))


def _debug(read: Reader) -> list[Measurement]:
    return [DEVICE_DEBUG(read.rest("not documented", min=1).hex())]


def _write_state(said: Said) -> bytes:
    return bytes([bool(said.needed(BAY_OCCUPIED))])


def _write_debug(said: Said) -> bytes:
    said.needed(DEVICE_DEBUG)
    return said.raw(DEVICE_DEBUG)


_SAYS: dict[int, Callable[[Reader], list[Measurement]]] = {
    STATUS: _status, HEARTBEAT: _heartbeat, START: _START.read, DEBUG: _debug}
_WRITES: dict[int, Callable[[Said], bytes]] = {
    STATUS: _write_state, HEARTBEAT: _write_state, START: _START.write, DEBUG: _write_debug}

CODEC = Codec(
    model="nwave/nps310",
    vendor="Nwave",
    title="Parking sensor NPS310",
    asset="bay",
    device_class="A",
    source="The Things Network device library nwave/nps310sm",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=(STATUS, HEARTBEAT, START, DEBUG),
    downlink_ports=(),
    heartbeat=timedelta(hours=24),
    leaves_open=(
        "Downlinks are not published; none is sent.",
        "Bits 7 to 1 of the state are passed over.",
        "FPort 6, the maker's own debugging: kept as device.debug.",
        "How often a heartbeat comes is not published: taken as every 24 hours, as the other sensors of the maker do.",
    ),
)
