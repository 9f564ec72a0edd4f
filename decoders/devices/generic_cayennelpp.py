"""Any device that speaks Cayenne LPP, with the types of LPP 1.0 and of “LPP over IPSO”. Class A or C.

Documents: myDevices “Cayenne Low Power Payload”; ElectronicCats CayenneLPP; for commands The Things Network's
go-cayenne-lib. The device's channel ("1") is kept; an axis or a colour is named behind it ("6-x").
"""

from collections.abc import Sequence

from city.errors import OutOfRange, Truncated
from city.orders import Order, Parameters
from city.planning import Abilities
from city.quantities import DEVICE_DEBUG, LPP_SWITCH, Measurement, Value
from decoders.bits import Reader, Writer
from decoders.codec import ANY_PORT, Codec, Frame, unknown_downlink, unknown_uplink, unsayable, unsupported
from decoders.devices import _cayenne as lpp

TITLE = "Cayenne LPP device"
COMMAND = 99  # FPort of our commands; see leaves_open
_END = 0xFF
_PREFIX = "output_"
_CHANNELS = tuple(map(str, range(256)))
_TAILED = {number: tuple(tuple(f"{channel}{figure.axis}" for channel in range(256)) for figure in known.figures)
           for number, known in lpp.STANDARD.items()}
_SINGLE = {number: known.figures[0] for number, known in lpp.STANDARD.items()
           if len(known.figures) == 1 and number != lpp.SWITCH}
_SWITCHED: dict[lpp.Entry, Measurement] = {
    (channel, lpp.SWITCH, raw): LPP_SWITCH(bool(raw), str(channel)) for channel in range(256) for raw in (0, 1)}
_Fields = dict[tuple[int, int], dict[int, Value]]  # by channel and type: values by their place in the field
_HOMES = {(figure.quantity.name, figure.axis): (number, place) for number, known in reversed(tuple(lpp.STANDARD.items()))
          for place, figure in enumerate(known.figures)}


def decode_uplink(frame: Frame) -> list[Measurement]:
    if not 1 <= frame.port <= 223:
        raise unknown_uplink(TITLE, frame.port)
    found, rest = lpp.entries(frame.reader("big"), frame.data, lpp.STANDARD)
    if not found:
        raise Truncated("The frame is empty.")
    said: list[Measurement] = []
    for entry in found:
        figure = _SINGLE.get(entry[1])
        if figure is not None:
            quantity, steps, _ = figure
            said.append(Measurement(quantity, entry[2] / steps if steps else entry[2], _CHANNELS[entry[0]]))
        elif entry in _SWITCHED:
            said.append(_SWITCHED[entry])
        else:
            said += _several(entry[0], entry[1], lpp.numbers(entry))
    return [*said, lpp.undocumented(rest)] if rest else said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Fields in the order in which their first number is said; undocumented bytes go to the end."""
    fields: _Fields = {}
    rest = b""
    for said in measurements:
        if said.quantity is DEVICE_DEBUG:
            rest = bytes.fromhex(str(said.value))
            continue
        channel, number, place = _home(port, said)
        fields.setdefault((channel, number), {})[place] = said.value
    write = Writer("big")
    for (channel, number), values in _settled(fields).items():
        figures = lpp.STANDARD[number].figures
        if len(values) != len(figures):
            raise unsayable(TITLE, port, f"half a field of type {number}")
        lpp.write(write, channel, number, [lpp.raw_of(values[place], figure.steps) for place, figure in enumerate(figures)])
    return Frame(port, write.raw("rest", rest).written())


def encode_downlink(order: Order) -> Frame:
    """`output_3 = 100` sets channel 3 to 1.00: values are hundredths."""
    if not isinstance(order, Parameters):
        raise unsupported(TITLE, order)
    write = Writer("big")
    for name, value in order.values:
        number = name.removeprefix(_PREFIX)
        if not name.startswith(_PREFIX) or number not in _CHANNELS[1:_END]:
            raise unsupported(TITLE, order)
        write.u8("channel", int(number)).i16(name, value)
    if not write.data:
        raise unsupported(TITLE, order)
    return Frame(COMMAND, write.u8("end", _END).written())


def decode_downlink(frame: Frame) -> Order:
    if frame.port != COMMAND:
        raise unknown_downlink(TITLE, frame.port)
    return Parameters(tuple(sorted(_commands(frame.reader("big")).items())))


def _several(channel: int, number: int, values: tuple[int, ...]) -> list[Measurement]:
    if number == lpp.SWITCH:
        raise OutOfRange("“switch” is {value}, and only 0 and 1 are allowed.", value=values[0])
    return [lpp.worth(figure, raw, channels[channel])
            for figure, raw, channels in zip(lpp.STANDARD[number].figures, values, _TAILED[number], strict=True)]


def _home(port: int, said: Measurement) -> tuple[int, int, int]:
    """Channel, type and place in it of what is said."""
    channel, dash, axis = said.channel.partition("-")
    home = _HOMES.get((said.quantity.name, dash + axis))
    if home is None or channel not in _CHANNELS:
        raise unsayable(TITLE, port, f"{said.quantity.name}@{said.channel}")
    return int(channel), *home


def _settled(fields: _Fields) -> _Fields:
    """An altitude beside a position of the same channel is the position's third number."""
    for (channel, number), values in list(fields.items()):
        if number == lpp.ALTITUDE and len(fields.get((channel, lpp.GPS), ())) == 2:
            fields[channel, lpp.GPS][2] = values[0]
            del fields[channel, number]
    return fields


def _commands(read: Reader) -> dict[str, int]:
    said: dict[str, int] = {}
    while (channel := read.u8("channel", means=lambda raw: "end" if raw == _END else str(raw))) != _END:
        name = f"{_PREFIX}{channel}"
        if not channel or name in said:
            raise OutOfRange("Channel {channel} cannot be told this, or is told twice.", channel=channel)
        said[name] = read.i16("value", means=lambda raw: f"{raw / 100}")
    read.end()
    if not said:
        raise Truncated("The frame is empty.")
    return said


CODEC = Codec(
    model="generic/cayenne-lpp",
    vendor="Cayenne LPP",
    title="any device that speaks Cayenne LPP",
    asset="lamp",
    device_class="A",
    source="myDevices Cayenne LPP; ElectronicCats CayenneLPP 1.6; The Things Network go-cayenne-lib for commands",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=ANY_PORT,
    downlink_ports=(COMMAND,),
    abilities=Abilities(dims=False, max_minutes=None),
    acts=("output_",),
    leaves_open=(
        ("What a channel measures: LPP only tells the kind of number. Nothing but temperature, humidity, time and position "
         "has a meaning that the platform knows; the rest is kept as lpp.*, and neither lights a lamp nor fills a bay."),
        "The kind of asset: LPP does not tell. It counts as a lamp's device, since a model serves one kind.",
        ("Types of firmware makers (polyline 240 among them): their length is unknown, so they and what follows them are "
         "kept as device.debug. A frame that begins with one is refused."),
        "myDevices' table ends at 12 types; sizes and scales of the others are ElectronicCats'. For the 12 both agree.",
        "LPP 2.0, a draft, gives some FPorts payloads without types: only fields with channel and type are read, on any FPort.",
        "The FPort of commands: no document names one. They go to FPort 99, and a device must listen there.",
        "Which output is digital and which analog: a command carries hundredths for either, 100 being “on”.",
    ),
)
