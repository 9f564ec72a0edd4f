"""PNI PlacePod parking sensor, in the ground or on it. Class A, magnetometer. Cayenne LPP with fixed channels.

Documents: PNI's communications protocol as ZENNER's element-parsers, sjkp/PNI.PlacePod and akenza's device library have
it, with their tests. A frame's FPort says nothing.
"""

from collections.abc import Mapping, Sequence

from city.errors import OutOfRange
from city.planning import Abilities
from city.quantities import (
    BAY_OCCUPIED,
    BAY_VEHICLES,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_DEBUG,
    DEVICE_EVENT,
    DEVICE_HEARTBEAT,
    DEVICE_TEMPERATURE,
    Measurement,
    Value,
)
from decoders.bits import Writer
from decoders.codec import ANY_PORT, Codec, Frame, no_downlink, no_order, unknown_uplink, unsayable
from decoders.devices import _cayenne as lpp

TITLE = "PlacePod"
RECALIBRATE, TEMPERATURE, BATTERY, INTERNAL, INTERNAL_TOO = 0x01, 0x02, 0x03, 0x05, 0x06  # channels
STATE, DEACTIVATE, COUNT, KEEP_ALIVE, REBOOT = 0x15, 0x1C, 0x21, 0x37, 0x3F
_MARK = 0x80  # in a count: no count, but a reboot or recalibration
_START = (DEVICE_EVENT("start-up"),)
_RESTARTED = DEVICE_EVENT("rebooted-or-recalibrated", "count")
_TASKS = {RECALIBRATE: "recalibrate", DEACTIVATE: "deactivate", REBOOT: "reboot"}
_OUTCOMES = ("failed", "done")
_TYPES: Mapping[int, lpp.Type] = {number: lpp.TYPES[number] for number in (
    lpp.DIGITAL_INPUT, lpp.DIGITAL_OUTPUT, lpp.ANALOG_INPUT, lpp.ANALOG_OUTPUT, lpp.PRESENCE, lpp.TEMPERATURE)}
_SAYS: Mapping[tuple[int, int, int], tuple[Measurement, ...]] = {
    **{(STATE, lpp.PRESENCE, bit): (BAY_OCCUPIED(bool(bit)), DEVICE_HEARTBEAT(False)) for bit in (0, 1)},
    **{(KEEP_ALIVE, lpp.PRESENCE, bit): (BAY_OCCUPIED(bool(bit)), DEVICE_HEARTBEAT(True)) for bit in (0, 1)},
    **{(task, lpp.DIGITAL_OUTPUT, bit): (DEVICE_EVENT(_OUTCOMES[bit], name),)
       for task, name in _TASKS.items() for bit in (0, 1)}}
_FLAGS = {(channel, number) for channel, number, _ in _SAYS}


def decode_uplink(frame: Frame) -> list[Measurement]:
    if not 1 <= frame.port <= 223:
        raise unknown_uplink(TITLE, frame.port)
    if not frame.data:
        return list(_START)
    found, rest = lpp.entries(frame.reader("big"), frame.data, _TYPES)
    said: list[Measurement] = []
    for channel, number, raw in found:
        flag = _SAYS.get((channel, number, raw))
        if flag is not None:
            said += flag
        elif channel == TEMPERATURE and number == lpp.TEMPERATURE:
            said.append(Measurement(DEVICE_TEMPERATURE, raw / 10))
        elif channel == BATTERY and number == lpp.ANALOG_INPUT:
            said.append(Measurement(DEVICE_BATTERY_VOLTAGE, raw / 100))
        else:
            said += _seldom(channel, number, raw)
    return [*said, lpp.undocumented(rest)] if rest else said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """What a PlacePod says beside its state stands before it; a count is a keep-alive where it is said to be one."""
    said = {(one.quantity.name, one.channel): one.value for one in measurements}
    if said == {(DEVICE_EVENT.name, ""): _START[0].value}:
        return Frame(port, b"")
    write, rest = Writer("big"), b""
    alive = bool(said.pop((DEVICE_HEARTBEAT.name, ""), False))
    for (name, channel), value in said.items():
        if name == DEVICE_DEBUG.name and not channel:
            rest = bytes.fromhex(str(value))
            continue
        if not _write(write, name, channel, value, alive=alive):
            raise unsayable(TITLE, port, f"{name}@{channel}")
    return Frame(port, write.raw("rest", rest).written())


def _seldom(channel: int, number: int, raw: int) -> list[Measurement]:
    if number == lpp.DIGITAL_INPUT and channel in (COUNT, KEEP_ALIVE):
        count = [_RESTARTED] if raw & _MARK else [BAY_VEHICLES(raw)]
        return [*count, DEVICE_HEARTBEAT(channel == KEEP_ALIVE)]
    if (channel, number) in _FLAGS:
        raise OutOfRange("“{name}” on channel {channel} is {value}, and only 0 and 1 are allowed.",
                         name=_TYPES[number].name, channel=channel, value=raw)
    data = lpp.write(Writer("big"), channel, number, (raw,)).written()
    return [DEVICE_DEBUG(data[2:].hex(), f"{channel}-{number}")]


def _write(write: Writer, name: str, channel: str, value: Value, *, alive: bool) -> bool:
    """Whether the one thing could be said."""
    if name == DEVICE_TEMPERATURE.name:
        lpp.write(write, TEMPERATURE, lpp.TEMPERATURE, (lpp.raw_of(value, 10),))
    elif name == DEVICE_BATTERY_VOLTAGE.name:
        lpp.write(write, BATTERY, lpp.ANALOG_INPUT, (lpp.raw_of(value, 100),))
    elif name == BAY_OCCUPIED.name:
        lpp.write(write, KEEP_ALIVE if alive else STATE, lpp.PRESENCE, (int(bool(value)),))
    elif name == BAY_VEHICLES.name or (name, channel) == (DEVICE_EVENT.name, "count"):
        count = _MARK if name == DEVICE_EVENT.name else int(value)
        lpp.write(write, KEEP_ALIVE if alive else COUNT, lpp.DIGITAL_INPUT, (count,))
    elif name == DEVICE_EVENT.name and channel in _TASKS.values() and value in _OUTCOMES:
        task = next(task for task, known in _TASKS.items() if known == channel)
        lpp.write(write, task, lpp.DIGITAL_OUTPUT, (_OUTCOMES.index(str(value)),))
    elif name == DEVICE_DEBUG.name:
        at, _, number = channel.partition("-")
        write.u8("channel", int(at)).u8("type", int(number)).raw("value", bytes.fromhex(str(value)))
    else:
        return False
    return True


CODEC = Codec(
    model="pni/placepod",
    vendor="PNI",
    title=TITLE,
    asset="bay",
    device_class="A",
    source="PNI PlacePod communications protocol, by ZENNER element-parsers, sjkp/PNI.PlacePod and akenza with their tests",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=ANY_PORT,
    downlink_ports=(),
    abilities=Abilities(dims=False, max_minutes=None),
    leaves_open=(
        "Downlinks: recalibrate, deactivate and reboot exist, since the sensor answers them; their bytes are not published.",
        "Channels 5 and 6, “PNI internal”, and channels that no document lists: kept as device.debug.",
        "Fields of types that the sensor is not documented to have: they and all behind them are kept as device.debug.",
        ("A count with bit 7 set: a reboot or a recalibration, the documents do not tell which. One parser takes 128 for a "
         "count; PNI's text and the other parser do not."),
        "Temperatures below zero: two's complement, as in Cayenne LPP, ZENNER's and akenza's parsers; one parser differs.",
        "An empty frame: start-up, by akenza's parser alone.",
        "How often a keep-alive comes is not published: taken as every 24 hours.",
    ),
)
