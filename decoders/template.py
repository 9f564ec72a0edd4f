"""The two files that a new model begins with: they work, so that each change can be checked at once."""

import re
from pathlib import Path

from decoders.catalog import stem

_MODEL = re.compile(r"[a-z][a-z0-9-]{0,31}/[a-z0-9][a-z0-9-]{0,31}\Z")

VECTORS = '''# What the maker's document gives as examples; `python -m decoders check {model}` runs them.
source = "name, version and chapter of the maker's document"

[[uplink]]
says = "dimmed to 40 %, drawing 31.5 W"
port = 1
hex = "28 013b"
reads = {{ "lamp.level" = 40, "lamp.power" = 31.5 }}

[[uplink]]
says = "cut short on the air"
port = 1
hex = "28 01"
fails = "Truncated"

[[downlink]]
says = "dim to 40 %"
order = {{ SetLevel = {{ level = 40 }} }}
port = 10
hex = "28"
'''

CODEC = '''"""{model}: what it is, and which document and firmware this follows."""

from collections.abc import Sequence

from city.orders import Order, SetLevel
from city.planning import Abilities
from city.quantities import LAMP_LEVEL, LAMP_POWER, Measurement
from decoders.bits import Writer
from decoders.codec import Codec, Frame, unknown_downlink, unknown_uplink, unsayable, unsupported

TITLE = "{model}"
STATUS, DIM = 1, 10  # FPorts


def decode_uplink(frame: Frame) -> list[Measurement]:
    if frame.port != STATUS:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    level = read.u8("level", max=100, means=lambda raw: f"{{raw}} %")
    power = read.u16("power", means=lambda raw: f"{{raw / 10}} W")
    read.end()
    return [LAMP_LEVEL(level), LAMP_POWER(power / 10)]


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    said = {{one.quantity.name: one.value for one in measurements}}
    if port != STATUS or not {{"lamp.level", "lamp.power"}} <= said.keys():
        raise unsayable(TITLE, port, "level and power are needed")
    write = Writer("big").u8("level", round(float(said["lamp.level"])), max=100)
    return Frame(port, write.u16("power", round(float(said["lamp.power"]) * 10)).written())


def encode_downlink(order: Order) -> Frame:
    match order:
        case SetLevel(level=level, minutes=None, channel=""):
            return Frame(DIM, bytes([level]))
    raise unsupported(TITLE, order)


def decode_downlink(frame: Frame) -> Order:
    if frame.port != DIM:
        raise unknown_downlink(TITLE, frame.port)
    read = frame.reader()
    order = SetLevel(read.u8("level", max=100))
    read.end()
    return order


CODEC = Codec(
    model="{model}",
    vendor="{vendor}",
    title=TITLE,
    asset="lamp",
    device_class="C",
    source="name, version and chapter of the maker's document",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(STATUS,),
    downlink_ports=(DIM,),
    abilities=Abilities(dims=True, max_minutes=None, resumes=False),
    leaves_open=("What the document does not say, and what this codec does instead of guessing.",),
)
'''


def write(model: str, directory: Path) -> tuple[Path, Path] | str:
    """Writes the two files and names them, or says why not: a name of another form, or files that are there."""
    if not _MODEL.match(model):
        return f"“{model}” is no model: write vendor/model with a-z, 0-9 and hyphens, for example acme/sl-100."
    vectors, codec = directory / f"{stem(model)}.toml", directory / f"{stem(model)}.py"
    if present := [path.name for path in (vectors, codec) if path.exists()]:
        return f"{' and '.join(present)} exist already."
    vendor = model.partition("/")[0].title()
    vectors.write_text(VECTORS.format(model=model), encoding="utf-8")
    codec.write_text(CODEC.format(model=model, vendor=vendor), encoding="utf-8")
    return vectors, codec
