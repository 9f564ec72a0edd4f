"""Milesight WS558 light controller: eight relays behind one meter, for cabinets and lines. Class C.

Documents: the tables of the maker's README (SensorDecoders, ws-series/ws558) and “WS558 User Guide”, §5 Device Payload;
the maker's encoder there for FF 27, its decoder for repeated orders.
Frames both ways are entries of channel, type and data on FPort 85; numbers are little-endian.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter

from city.errors import Invalid, OutOfRange, UnknownVersion
from city.orders import Order, Parameters, ReadStatus, Reboot, SetLevel, StatusInterval
from city.planning import Abilities
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_ECHO,
    DEVICE_EVENT,
    DEVICE_FIRMWARE,
    DEVICE_HARDWARE,
    DEVICE_SERIAL,
    LAMP_CURRENT,
    LAMP_ENERGY,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_RELAY_CLOSED,
    LAMP_VOLTAGE,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame, plain_echo, unknown_downlink, unknown_uplink, unsayable, unsupported
from decoders.devices._lamps import Saying, no_part, status_alone, switched, untimed

TITLE = "WS558"
PORT = 85
RELAYS = tuple(f"relay-{number}" for number in range(1, 9))
_ALL = 0xFF
_SWITCH = 0x08  # channel of the order to switch: its second byte is the mask of relays, no type
_CONFIG, _ANSWER = 0xFF, 0xFE  # channels of settings, and of their repetition
_DELAY = ("delay_relays", "delay_seconds", "delay_states", "delay_task")


def decode_uplink(frame: Frame) -> list[Measurement]:
    if frame.port != PORT:
        raise unknown_uplink(TITLE, frame.port)
    data = frame.data
    if len(data) == _REPORT.size and _heads(data) == _REPORT_HEADS:
        return _report_of(frame.reader().record(_REPORT))
    if data[:2] in _TOLD:
        return _repeated(frame)
    read, said = frame.reader(), list[Measurement]()
    while True:
        entry = _ENTRIES.get(data[read.offset:read.offset + 2])
        if entry is None:
            raise _undocumented(read)
        layout, means = entry
        said += means(*read.record(layout))
        if not read.left:
            return said


def _repeated(frame: Frame) -> list[Measurement]:
    """An order that it repeats, byte for byte or behind FE instead of FF; raises DecodeError where it is none."""
    read = frame.reader()
    channel = read.u8("channel")
    _ = _switched(read) if channel == _SWITCH else _configured(read, _CONFIG if channel == _ANSWER else channel)
    read.end()
    data = frame.data if channel != _ANSWER else bytes([_CONFIG]) + frame.data[1:]
    return [DEVICE_ECHO(plain_echo(Frame(PORT, data)))]


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """FPort 85: an entry for each measurement, all eight relays in one."""
    say = Saying(TITLE, port, measurements)
    write = Writer()
    for name, channel in say.values:
        entry = _WRITES.get(name)
        if entry is not None and channel in ("", RELAYS[0]):
            entry(say, write)
    if port != PORT or not write.data:
        raise unsayable(TITLE, port, "nothing of this has an entry")
    return Frame(port, write.written())


def encode_downlink(order: Order) -> Frame:
    match order:
        case SetLevel():
            return Frame(PORT, _switch(order))
        case ReadStatus():
            status_alone(TITLE, order)
            return Frame(PORT, b"\xff\x28\xff")
        case Reboot():
            return Frame(PORT, b"\xff\x10\xff")
        case StatusInterval(seconds=seconds):
            return Frame(PORT, Writer().raw("head", b"\xff\x03").u16("seconds", seconds, min=1).written())
        case Parameters(values=values):
            return Frame(PORT, _parameters(dict(values)))
    raise unsupported(TITLE, order)


def decode_downlink(frame: Frame) -> Order:
    """The one order in the frame."""
    if frame.port != PORT:
        raise unknown_downlink(TITLE, frame.port)
    read = frame.reader()
    channel = read.u8("channel")
    order = _switched(read) if channel == _SWITCH else _configured(read, channel)
    read.end()
    return order


def _switch(order: SetLevel) -> bytes:
    if order.channel and order.channel not in RELAYS:
        raise no_part(TITLE, order.channel)
    closed = switched(TITLE, order)
    untimed(TITLE, order)
    mask = 1 << RELAYS.index(order.channel) if order.channel else _ALL
    return bytes([_SWITCH, mask, mask if closed else 0])


def _switched(read: Reader) -> Order:
    mask = read.u8("relays", means=_means_relays)
    state = read.u8("closed", means=_means_relays) & mask
    if mask not in _CHANNELS or state not in (0, mask):
        raise OutOfRange("“relays” at byte 1 is {mask}: one order is for one relay, or the same for all.", mask=mask)
    return SetLevel(100 if state else 0, channel=_CHANNELS[mask])


def _configured(read: Reader, channel: int) -> Order:
    kind = read.u8("type")
    if channel != _CONFIG or kind not in _CONFIGURES:
        raise UnknownVersion("A WS558 takes nothing documented on channel {channel}, type {type}.",
                             channel=f"{channel:02x}", type=f"{kind:02x}")
    return _CONFIGURES[kind](read)


def _interval(read: Reader) -> Order:
    return StatusInterval(read.u16("reporting interval", min=1, means=lambda raw: f"{raw} s"))


def _reboot(read: Reader) -> Order:
    read.u8("reboot", min=0xFF)
    return Reboot()


def _report(read: Reader) -> Order:
    read.u8("report now", min=0xFF)
    return ReadStatus()


def _delay(read: Reader) -> Order:
    task = read.u8("delay task")
    seconds = read.u16("delay", means=lambda raw: f"{raw} s")
    return Parameters((("delay_relays", read.u8("relays", means=_means_relays)), ("delay_seconds", seconds),
                       ("delay_states", read.u8("closed", means=_means_relays)), ("delay_task", task)))


def _cancel(read: Reader) -> Order:
    task = read.u8("delay task to delete")
    read.u8("end of the order", min=0xFF)
    return Parameters((("cancel_delay_task", task),))


def _metering(read: Reader) -> Order:
    return Parameters((("power_consumption", read.u8("power consumption", max=1)),))


def _clearing(read: Reader) -> Order:
    read.u8("clear energy", min=0xFF)
    return Parameters((("clear_power_consumption", 1),))


def _parameters(values: dict[str, int]) -> bytes:
    """One of: the delay task (all four), its deletion, whether energy is metered, the energy set back to 0."""
    if tuple(values) == _DELAY:
        return (Writer().raw("head", b"\xff\x32").u8("delay_task", values["delay_task"])
                .u16("delay_seconds", values["delay_seconds"]).u8("delay_relays", values["delay_relays"])
                .u8("delay_states", values["delay_states"]).written())
    if tuple(values) == ("cancel_delay_task",):
        return Writer().raw("head", b"\xff\x23").u8("cancel_delay_task", values["cancel_delay_task"]).u8("end", 0xFF).written()
    if tuple(values) == ("power_consumption",):
        return Writer().raw("head", b"\xff\x26").u8("power_consumption", values["power_consumption"], max=1).written()
    if values == {"clear_power_consumption": 1}:
        return b"\xff\x27\xff"
    raise Invalid("A {model} has these parameters: {names}.", field="values", rule="names", model=TITLE,
                  names=f"{', '.join(_DELAY)}; cancel_delay_task; power_consumption; clear_power_consumption")


def _report_of(raw: tuple[int, ...]) -> list[Measurement]:
    """The periodic report: the same as its entries one by one, in half the time."""
    _, _, closed, _, factor, _, current, _, voltage, _, energy, _, power = raw
    return [*_STATES[closed], _FACTORS[factor], Measurement(LAMP_CURRENT, current / 1000),
            Measurement(LAMP_VOLTAGE, voltage / 10), Measurement(LAMP_ENERGY, float(energy)),
            Measurement(LAMP_POWER, float(power))]


def _undocumented(read: Reader) -> UnknownVersion:
    head = read.u16("channel and type", means=lambda _: "not documented")
    return UnknownVersion("A WS558 sends nothing documented on channel {channel}, type {type}.",
                          channel=f"{head & 0xFF:02x}", type=f"{head >> 8:02x}")


def _voltage(_: int, raw: int) -> Iterable[Measurement]:
    return (LAMP_VOLTAGE(raw / 10),)


def _power(_: int, raw: int) -> Iterable[Measurement]:
    return (LAMP_POWER(float(raw)),)


def _factor(_: int, raw: int) -> Iterable[Measurement]:
    return (_FACTORS[raw],)


def _energy(_: int, raw: int) -> Iterable[Measurement]:
    return (LAMP_ENERGY(float(raw)),)


def _current(_: int, raw: int) -> Iterable[Measurement]:
    return (LAMP_CURRENT(raw / 1000),)


def _relays(_: int, _changed: int, closed: int) -> Iterable[Measurement]:
    return _STATES[closed]


def _nothing(_: int, _raw: int) -> Iterable[Measurement]:
    return ()


@lru_cache(maxsize=64)
def _hardware(_: int, major: int, minor: int) -> Iterable[Measurement]:
    return (DEVICE_HARDWARE(f"{major:x}.{minor >> 4:x}" if minor & 0x0F == 0 else f"{major:x}.{minor:02x}"),)


@lru_cache(maxsize=64)
def _firmware(_: int, major: int, minor: int) -> Iterable[Measurement]:
    return (DEVICE_FIRMWARE(f"{major:x}.{minor:02x}"),)


def _serial(_: int, first: int, second: int) -> Iterable[Measurement]:
    return (Measurement(DEVICE_SERIAL, (second << 32 | first).to_bytes(8, "little").hex()),)


def _class(_: int, raw: int) -> Iterable[Measurement]:
    if raw > 3:
        raise OutOfRange("“LoRaWAN class” is {value}, and only 0 to 3 is allowed.", value=raw)
    return ()


def _reset(_: int, _raw: int) -> Iterable[Measurement]:
    return (DEVICE_BOOT("reset"),)


def _status(_: int, raw: int) -> Iterable[Measurement]:
    return _EVENTS[bool(raw)]


def _write_relays(say: Saying, write: Writer) -> None:
    closed = sum(1 << bit for bit, relay in enumerate(RELAYS) if say.need(LAMP_RELAY_CLOSED, relay))
    write.raw("head", b"\x08\x31").u8("changed", 0).u8("closed", closed)


def _write_version(write: Writer, text: str, digits: int) -> None:
    major, _, minor = text.partition(".")
    try:
        write.u8("major", int(major, 16)).u8("minor", int(minor[:2].ljust(digits, "0"), 16))
    except ValueError as error:
        raise unsayable(TITLE, PORT, "a version is major.minor") from error


def _means_tenths(raw: int) -> str:
    return f"{raw / 10:g} V"


def _means_cent(raw: int) -> str:
    return f"{raw / 100:g}"


def _means_milliampere(raw: int) -> str:
    return f"{raw / 1000:g} A"


def _means_relays(raw: int) -> str:
    return ", ".join(relay for bit, relay in enumerate(RELAYS) if raw >> bit & 1) or "none"


_EVENTS = ((DEVICE_EVENT("off"),), (DEVICE_EVENT("on"),))
_RELAY = {flag: tuple(LAMP_RELAY_CLOSED(flag, relay) for relay in RELAYS) for flag in (False, True)}
_STATES = tuple(tuple(_RELAY[bool(raw >> bit & 1)][bit] for bit in range(8)) for raw in range(256))
_CHANNELS = {_ALL: "", **{1 << bit: relay for bit, relay in enumerate(RELAYS)}}
_HEAD = Part("channel and type", "H", lambda raw: f"channel {raw & 0xFF:02x}, type {raw >> 8:02x}")
_ENTRIES: dict[bytes, tuple[Record, Callable[..., Iterable[Measurement]]]] = {
    head: (Record("little", _HEAD, *parts), means) for head, means, parts in (
        (b"\x03\x74", _voltage, [Part("voltage", "H", _means_tenths)]),
        (b"\x04\x80", _power, [Part("active power", "I", lambda raw: f"{raw} W")]),
        (b"\x05\x81", _factor, [Part("power factor", "B", _means_cent)]),
        (b"\x06\x83", _energy, [Part("power consumption", "I", lambda raw: f"{raw} Wh")]),
        (b"\x07\xc9", _current, [Part("total current", "H", _means_milliampere)]),
        (b"\x08\x31", _relays, [Part("relays that changed", "B", _means_relays), Part("closed", "B", _means_relays)]),
        (b"\xff\x01", _nothing, [Part("protocol version", "B")]),
        (b"\xff\x09", _hardware, [Part("hardware major", "B"), Part("hardware minor", "B")]),
        (b"\xff\x0a", _firmware, [Part("firmware major", "B"), Part("firmware minor", "B")]),
        (b"\xff\xff", _nothing, [Part("TSL version", "H")]),
        (b"\xff\x16", _serial, [Part("serial number, first half", "I"), Part("serial number, second half", "I")]),
        (b"\xff\x0f", _class, [Part("LoRaWAN class", "B")]),
        (b"\xff\xfe", _reset, [Part("reset event", "B")]),
        (b"\xff\x0b", _status, [Part("device status", "B")]))}
_FACTORS = tuple(LAMP_POWER_FACTOR(raw / 100) for raw in range(256))
_HEADS = b"\x08\x31\x05\x81\x07\xc9\x03\x74\x06\x83\x04\x80"
_heads = itemgetter(0, 1, 4, 5, 7, 8, 11, 12, 15, 16, 21, 22)  # channels and types, where the periodic report has them
_REPORT_HEADS = tuple(_HEADS)
_REPORT = Record("little", *(part for at in range(0, 12, 2) for part in _ENTRIES[_HEADS[at:at + 2]][0].parts))
_CONFIGURES: dict[int, Callable[[Reader], Order]] = {0x03: _interval, 0x10: _reboot, 0x23: _cancel, 0x26: _metering,
                                                     0x27: _clearing,
                                                     0x28: _report, 0x32: _delay}
_TOLD = frozenset({bytes([head, kind]) for kind in _CONFIGURES for head in (_CONFIG, _ANSWER)}
                  | {bytes([_SWITCH, mask]) for mask in _CHANNELS})
_ON, _OFF = b"\xff\x0b\xff", b"\xff\x0b\x00"
_WRITES: dict[str, Callable[[Saying, Writer], object]] = {
    LAMP_VOLTAGE.name: lambda say, write: write.raw("head", b"\x03\x74").u16("voltage", say.number(LAMP_VOLTAGE, 10)),
    LAMP_POWER.name: lambda say, write: write.raw("head", b"\x04\x80").u32("power", say.number(LAMP_POWER)),
    LAMP_POWER_FACTOR.name: lambda say, write: write.raw("head", b"\x05\x81").u8("factor", say.number(LAMP_POWER_FACTOR, 100)),
    LAMP_ENERGY.name: lambda say, write: write.raw("head", b"\x06\x83").u32("energy", say.number(LAMP_ENERGY)),
    LAMP_CURRENT.name: lambda say, write: write.raw("head", b"\x07\xc9").u16("current", say.number(LAMP_CURRENT, 1000)),
    LAMP_RELAY_CLOSED.name: _write_relays,
    DEVICE_HARDWARE.name: lambda say, write: _write_version(write.raw("head", b"\xff\x09"), str(say.need(DEVICE_HARDWARE)), 2),
    DEVICE_FIRMWARE.name: lambda say, write: _write_version(write.raw("head", b"\xff\x0a"), str(say.need(DEVICE_FIRMWARE)), 2),
    DEVICE_SERIAL.name: lambda say, write: write.raw("head", b"\xff\x16").raw("serial", say.hex(DEVICE_SERIAL), count=8),
    DEVICE_BOOT.name: lambda _, write: write.raw("reset event", b"\xff\xfe\x01"),
    DEVICE_EVENT.name: lambda say, write: write.raw("status", _ON if say.need(DEVICE_EVENT) == "on" else _OFF)}

CODEC = Codec(
    model="milesight/ws558",
    vendor="Milesight",
    title="WS558 light controller, eight relays",
    asset="lamp",
    device_class="C",
    source="Milesight SensorDecoders, ws-series/ws558 README; WS558 User Guide §5",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(PORT,),
    downlink_ports=(PORT,),
    abilities=Abilities(dims=False, max_minutes=None, reports_on_demand=True),
    acts=("cancel_", "clear_", "delay_", "power_consumption"),
    leaves_open=(
        "It switches and does not dim: no lighting program steers it. Its relays are switched one by one, or all at once.",
        "The user guide calls a state bit of 1 “open”, the README “on”: taken as a closed relay, that is, light.",
        "Which relay has changed: the guide's own examples leave that byte 0, so that it is passed over.",
        "Which intervals and delays it takes: anything that fits its two bytes is sent, an interval from 1 s on.",
        "Delay tasks: the guide knows one, numbered 0; numbers up to 255 are taken.",
        "The values of the reset event, and of a device status other than 0: “reset” and “on”.",
        "Protocol version, TSL version and LoRaWAN class have no quantity: only `explain` shows them.",
        "The README gives a serial number two bytes in one place and eight in another: eight are read.",
        "Whether it repeats orders: only the maker's decoder reads them, behind FF or FE. That counts as having heard them.",
        "How often it reports as it leaves the factory. It is taken as silent after a day.",
    ),
)
