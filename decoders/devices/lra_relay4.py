"""Long Range Automation's open relay node: four relays, a schedule kept in the node, GNSS. For cabinets and lines.

Documents: the control centre's own source and tests (long-range-automation/streetlight-control, protocol version 0), of
which only the facts are used. The first byte is version and type; everything is on FPort 1, big-endian. Whatever it is
told is its whole configuration: the mode of each relay and four times, in tenths of an hour.
"""

from collections.abc import Sequence
from datetime import timedelta

from city.errors import Invalid, OutOfRange, UnknownVersion
from city.orders import Order, Parameters
from city.planning import Abilities
from city.quantities import (
    DEVICE_CLOCK_VALID,
    DEVICE_CONFIG_CHECKSUM,
    DEVICE_GNSS_FIX,
    DEVICE_LATITUDE,
    DEVICE_LONGITUDE,
    DEVICE_MAINTENANCE,
    DEVICE_NEXT_WINDOW,
    DEVICE_TIME_OF_DAY,
    LAMP_MODE,
    LAMP_RELAY_CLOSED,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame, unknown_downlink, unknown_uplink, unsayable, unsupported
from decoders.devices._lamps import Saying

TITLE = "relay node"
PORT = 1
LOCATION, HEARTBEAT, CONFIGURATION = 0, 1, 2  # types, of version 0
RELAYS = tuple(f"relay-{number}" for number in range(1, 5))
TIMES = ("on", "off", "outage_begin", "outage_end")  # in the order of the frame
_NONE, _LAST_TIME, _NO_FIX = 0xFF, 239, 0xFFFFFF
_MODES = ("off", "on", "auto", "mode-3")
_MAINTENANCE, _FIX = 0x80, 0x40


def decode_uplink(frame: Frame) -> list[Measurement]:
    if frame.port != PORT:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    head = read.u8("version and type", means=_means_head)
    if head not in (LOCATION, HEARTBEAT):
        raise UnknownVersion("A relay node sends nothing documented as version {version}, type {type}.",
                             version=head >> 4, type=head & 0x0F)
    said = _heartbeat(read) if head == HEARTBEAT else _location(read)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """FPort 1: a heartbeat where it says what the relays do, else a location."""
    say = Saying(TITLE, port, measurements)
    if port != PORT:
        raise unsayable(TITLE, port, "it is all on FPort 1")
    is_heartbeat = say.get(LAMP_RELAY_CLOSED, RELAYS[0]) is not None
    return Frame(port, _write_heartbeat(say) if is_heartbeat else _write_location(say))


def encode_downlink(order: Order) -> Frame:
    """Only the whole configuration: switching one relay would need what the others do, and the schedule."""
    if not isinstance(order, Parameters):
        raise unsupported(TITLE, order)
    values = dict(order.values)
    if "relay_modes" not in values or not {"relay_modes", *TIMES} >= values.keys():
        raise Invalid("A {model} has these parameters: {names}.", field="values", rule="names", model=TITLE,
                      names=f"relay_modes, {', '.join(TIMES)}")
    write = Writer("big").u8("head", CONFIGURATION).u8("relay_modes", values["relay_modes"])
    for name in TIMES:
        if name in values:
            write.u8(name, values[name], max=_LAST_TIME)
        else:
            write.u8(name, _NONE)
    return Frame(PORT, write.written())


def decode_downlink(frame: Frame) -> Order:
    if frame.port != PORT:
        raise unknown_downlink(TITLE, frame.port)
    read = frame.reader("big")
    head = read.u8("version and type", means=_means_head)
    if head != CONFIGURATION:
        raise UnknownVersion("A relay node takes nothing documented as version {version}, type {type}.",
                             version=head >> 4, type=head & 0x0F)
    values = {"relay_modes": read.u8("relay modes", means=_means_modes)}
    times = {name: read.u8(name, means=_means_time) for name in TIMES}
    read.end()
    for name, time in times.items():
        if _LAST_TIME < time < _NONE:
            raise OutOfRange("“{name}” is {time}, and a day has 240 tenths of an hour.", name=name, time=time)
    return Parameters(tuple(sorted((values | {name: time for name, time in times.items() if time != _NONE}).items())))


def _heartbeat(read: Reader) -> list[Measurement]:
    checksum, hour, minute, window, state, modes = read.record(_HEARTBEAT)
    said = [DEVICE_CONFIG_CHECKSUM(checksum), DEVICE_NEXT_WINDOW(float(window)), *_STATES[state], *_MODES_OF[modes]]
    if _NONE in (hour, minute):
        said.append(DEVICE_CLOCK_VALID(False))
    elif hour < 24 and minute < 60:
        said += (DEVICE_CLOCK_VALID(True), DEVICE_TIME_OF_DAY(3600.0 * hour + 60 * minute))
    else:
        raise OutOfRange("The frame says {hour}:{minute}, which is no time.", hour=hour, minute=minute)
    return said


def _location(read: Reader) -> list[Measurement]:
    window = DEVICE_NEXT_WINDOW(float(read.u8("next window", means=_means_minutes)))
    latitude = read.u24("latitude", means=_means_degrees)
    longitude = read.u24("longitude", means=_means_degrees)
    if _NO_FIX in (latitude, longitude):
        return [window, DEVICE_GNSS_FIX(False)]
    if abs(latitude - 1_800_000) > 900_000 or longitude > 3_600_000:
        raise OutOfRange("The frame says {latitude}, {longitude}, which is no position.", latitude=latitude,
                         longitude=longitude)
    return [window, DEVICE_GNSS_FIX(True), DEVICE_LATITUDE(round(latitude / 10_000 - 180, 4)),
            DEVICE_LONGITUDE(round(longitude / 10_000 - 180, 4))]


def _write_heartbeat(say: Saying) -> bytes:
    seconds = say.number(DEVICE_TIME_OF_DAY) if say.need(DEVICE_CLOCK_VALID) else None
    hour, minute = (_NONE, _NONE) if seconds is None else divmod(seconds // 60, 60)
    state = (_MAINTENANCE if say.need(DEVICE_MAINTENANCE) else 0) | (_FIX if say.need(DEVICE_GNSS_FIX) else 0)
    modes = 0
    for bit, relay in enumerate(RELAYS):
        state |= bool(say.need(LAMP_RELAY_CLOSED, relay)) << bit
        word = say.need(LAMP_MODE, relay)
        if word not in _MODES:
            raise unsayable(TITLE, PORT, "a relay's mode is off, on or auto")
        modes |= _MODES.index(str(word)) << 2 * bit
    write = Writer("big").u8("head", HEARTBEAT).u8("checksum", say.number(DEVICE_CONFIG_CHECKSUM))
    write.u8("hour", hour).u8("minute", minute).u8("next window", say.number(DEVICE_NEXT_WINDOW))
    return write.u8("state", state).u8("modes", modes).written()


def _write_location(say: Saying) -> bytes:
    write = Writer("big").u8("head", LOCATION).u8("next window", say.number(DEVICE_NEXT_WINDOW))
    for quantity in (DEVICE_LATITUDE, DEVICE_LONGITUDE):
        degrees = say.number(quantity, 10_000) + 1_800_000 if say.need(DEVICE_GNSS_FIX) else _NO_FIX
        write.u24(quantity.name, degrees)
    return write.written()


def _means_head(head: int) -> str:
    kind = {LOCATION: "location", HEARTBEAT: "heartbeat", CONFIGURATION: "configuration"}.get(head & 0x0F, "not documented")
    return f"version {head >> 4}, {kind}"


def _means_minutes(raw: int) -> str:
    return f"in {raw} min"


def _means_degrees(raw: int) -> str:
    return "no fix" if raw == _NO_FIX else f"{raw / 10_000 - 180:.4f}°"


def _means_time(raw: int) -> str:
    return "none" if raw == _NONE else f"{raw // 10:02}:{raw % 10 * 6:02}"


def _means_modes(raw: int) -> str:
    return ", ".join(f"{relay} {_MODES[raw >> 2 * bit & 3]}" for bit, relay in enumerate(RELAYS))


def _means_state(raw: int) -> str:
    closed = ", ".join(relay for bit, relay in enumerate(RELAYS) if raw >> bit & 1) or "none"
    return f"closed: {closed}; {'maintenance, ' if raw & _MAINTENANCE else ''}{'GNSS' if raw & _FIX else 'no GNSS'}"


_HEARTBEAT = Record("big", Part("checksum of the schedule", "B"), Part("hour", "B"), Part("minute", "B"),
                    Part("next window", "B", _means_minutes), Part("state", "B", _means_state),
                    Part("relay modes", "B", _means_modes))
_STATES = tuple((DEVICE_MAINTENANCE(bool(raw & _MAINTENANCE)), DEVICE_GNSS_FIX(bool(raw & _FIX)),
                 *(LAMP_RELAY_CLOSED(bool(raw >> bit & 1), relay) for bit, relay in enumerate(RELAYS)))
                for raw in range(256))
_MODES_OF = tuple(tuple(LAMP_MODE(_MODES[raw >> 2 * bit & 3], relay) for bit, relay in enumerate(RELAYS))
                  for raw in range(256))

CODEC = Codec(
    model="lra/relay4",
    vendor="Long Range Automation",
    title="streetlight relay node, four relays",
    asset="lamp",
    device_class="A",
    source="long-range-automation/streetlight-control (facts of its source and tests), protocol version 0",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(PORT,),
    downlink_ports=(PORT,),
    abilities=Abilities(dims=False, max_minutes=None),
    heartbeat=timedelta(minutes=0xFF),
    leaves_open=(
        "It switches and does not dim, and each order is its whole configuration: no lighting program steers it.",
        "relay_modes: two bits a relay, relay-1 the lowest; 0 off, 1 on, 2 auto (by the schedule). 3 is not described.",
        "on, off, outage_begin, outage_end: tenths of an hour (220 is 22:00); left out: no such time.",
        "Whether the times are UTC, as its clock is taken to be.",
        "How the schedule is summed up: device.config_checksum is the exclusive or of the four times, as the centre has it.",
        "Its LoRaWAN class: it announces its next window, so it is taken as A. No window is announced for later than 255 min.",
        "State bits 4 and 5 are passed over.",
    ),
)
