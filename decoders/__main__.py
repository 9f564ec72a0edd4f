"""python -m decoders: list the models, begin a new one, check one or all, explain a frame byte by byte."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from city.errors import CityError, DecodeError
from city.orders import Order
from city.quantities import Measurement
from decoders import devices, importing, laws, template, vectors
from decoders.bits import Field
from decoders.catalog import catalog, codec_of, vectors_path
from decoders.codec import ANY_PORT, Codec, Frame, TracedFrame

OK, FAILED, USAGE = 0, 1, 2
MOST_EXPLAINED = 3  # frames that are shown field by field, where several models read one


def main(argv: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Returns the exit code: 0, 1 where something does not hold or cannot be read, 2 where the call is wrong."""
    arguments = _parser().parse_args(argv)
    console = console or Console(width=None if sys.stdout.isatty() else 120)
    try:
        code: int = arguments.run(arguments, console)
    except CityError as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return FAILED
    return code


def _list(_: argparse.Namespace, console: Console) -> int:
    table = Table(title="Models", title_justify="left")
    table.add_column("model", no_wrap=True)
    for head in ("vendor", "serves", "class", "uplinks on", "downlinks on", "directions", "vectors"):
        table.add_column(head, overflow="fold")
    sources = Table(title="Sources", title_justify="left")
    sources.add_column("model", no_wrap=True)
    sources.add_column("source", overflow="fold")
    for model, codec in catalog().items():
        known = vectors.load(vectors_path(model))
        directions = "up, down" if codec.downlink_ports else "up"
        table.add_row(model, codec.vendor, codec.asset, codec.device_class, _numbers(codec.uplink_ports),
                      _numbers(codec.downlink_ports), directions, f"{len(known.uplinks)} + {len(known.downlinks)}")
        sources.add_row(model, escape(codec.source))
    console.print(table)
    console.print(sources)
    return OK


def _new(arguments: argparse.Namespace, console: Console) -> int:
    directory = arguments.devices or Path(devices.__path__[0])
    written = template.write(arguments.model, directory)
    if isinstance(written, str):
        console.print(f"[red]{escape(written)}[/]")
        return USAGE
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True)
    console.print(f"Put the maker's examples into the .toml, then: python -m decoders check {arguments.model}")
    return OK


def _check(arguments: argparse.Namespace, console: Console) -> int:
    models = [arguments.model] if arguments.model else list(catalog())
    return max([_check_one(model, arguments.devices, console) for model in models], default=OK)


def _check_one(model: str, directory: Path | None, console: Console) -> int:
    codec = codec_of(model, directory)
    try:
        known = vectors.load(vectors_path(model, directory))
    except vectors.VectorsError as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return FAILED
    findings = [*vectors.run(codec, known), *laws.all_laws(codec, known)]
    for finding in findings:
        console.print(f"[red]✗[/] {model}: {escape(finding.about)}: {escape(finding.problem)}", soft_wrap=True)
    if not findings:
        console.print(f"[green]✓[/] {model}: {len(known.uplinks)} uplinks, {len(known.downlinks)} downlinks, all laws")
    return FAILED if findings else OK


def _explain(arguments: argparse.Namespace, console: Console) -> int:
    text = "".join(arguments.hex).replace(" ", "").removeprefix("0x")
    try:
        data = bytes.fromhex(text)
    except ValueError:
        console.print(f"[red]“{escape(text)}” is no hex: an even number of digits 0-9 and a-f is needed.[/]")
        return USAGE
    codecs = [codec_of(arguments.model, arguments.devices)] if arguments.model else list(catalog().values())
    if len(codecs) == 1 and arguments.port is not None:
        return _explain_one(codecs[0], arguments.port, data, arguments.down, console)
    readable = _readable(codecs, arguments.port, data, down=arguments.down)
    if not readable:
        console.print("[red]None of the models asked reads this frame. With --model and --port its fields are shown as far "
                      "as they can be read.[/]")
        return FAILED
    if len(readable) > MOST_EXPLAINED:
        console.print(_candidates(readable, data, arguments.down))
        console.print("With --model and --port each field is shown.")
        return OK
    return max(_explain_one(codec, port, data, arguments.down, console) for codec, port in readable)


def _readable(codecs: Sequence[Codec], port: int | None, data: bytes, *, down: bool) -> list[tuple[Codec, int]]:
    """Models and ports that read the bytes to the end; those that only keep them as they are count where no other does."""
    found = [(codec, at) for codec in codecs for at in _ports(codec, port, down=down)
             if not _outcome(codec, Frame(at, data), down).startswith("✗")]
    understood = [(codec, at) for codec, at in found if down or not laws.is_opaque(codec.decode_uplink(Frame(at, data)))]
    return understood or found


def _ports(codec: Codec, port: int | None, *, down: bool) -> Sequence[int]:
    """The ports to try: the one asked for, or all; one stands for all where the port means nothing."""
    ports = codec.downlink_ports if down else codec.uplink_ports
    if port is not None:
        return [port] if port in ports else []
    return ports[:1] if ports == ANY_PORT else ports


def _outcome(codec: Codec, frame: Frame, down: bool) -> str:
    """What the frame says, on one line; ✗ and the reason where it cannot be read."""
    try:
        if down:
            return repr(codec.decode_downlink(frame))
        return ", ".join(f"{name} = {value}" for name, value in vectors.reads_of(codec.decode_uplink(frame)).items())
    except DecodeError as error:
        return f"✗ {error.reason}: {error}"


def _candidates(readable: Sequence[tuple[Codec, int]], data: bytes, down: bool) -> Table:
    table = Table(title="Read by", title_justify="left")
    for head in ("model", "FPort", "says"):
        table.add_column(head, overflow="fold")
    for codec, port in readable:
        table.add_row(codec.model, str(port), escape(_outcome(codec, Frame(port, data), down)[:300]))
    return table


def _explain_one(codec: Codec, port: int, data: bytes, down: bool, console: Console) -> int:
    frame = TracedFrame(port, data)
    way = "downlink" if down else "uplink"
    console.print(f"{codec.vendor} {codec.title} ({codec.model}), {way} on FPort {port}, {len(data)} bytes")
    return _tell(codec, frame, down, console)


def _tell(codec: Codec, frame: TracedFrame, down: bool, console: Console) -> int:
    try:
        said = codec.decode_downlink(frame) if down else codec.decode_uplink(frame)
    except DecodeError as error:
        console.print(_fields(frame.trace))
        console.print(f"[red]{error.reason}: {escape(str(error))}[/]")
        return FAILED
    console.print(_fields(frame.trace))
    console.print(_measurements(said) if isinstance(said, list) else _order(said))
    return OK


def _fields(trace: Sequence[Field]) -> Table:
    table = Table(title="Bytes", title_justify="left")
    table.add_column("byte", justify="right")
    for head in ("hex", "field"):
        table.add_column(head, overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("meaning", overflow="fold")
    for field in trace:
        count = len(field.data)
        span = f"{field.offset}" if count < 2 else f"{field.offset}–{field.offset + count - 1}"
        table.add_row(span, field.hex, escape(field.name), escape(str(field.value)), escape(field.meaning),
                      style="red" if field.failed else None)
    return table


def _measurements(said: Sequence[Measurement]) -> Table:
    table = Table(title="Says", title_justify="left")
    table.add_column("quantity")
    table.add_column("part")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("unit")
    for one in said:
        value = f"{one.value:.10g}" if isinstance(one.value, float) else str(one.value)
        style = None if one.quantity.plausible(one.value) else "yellow"
        table.add_row(one.quantity.name, escape(one.channel), escape(value), escape(one.quantity.unit), style=style)
    return table


def _order(order: Order) -> str:
    return f"Order: {escape(repr(order))}"


def _numbers(ports: Sequence[int]) -> str:
    return "any" if tuple(ports) == ANY_PORT else ", ".join(map(str, ports))


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 255:
        raise ValueError
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m decoders", description=__doc__)
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--devices", type=Path, metavar="DIR", help="codecs in this directory instead of our own")
    commands = parser.add_subparsers(required=True, metavar="list | new | check | explain | import | test")
    commands.add_parser("list", help="every model that can be read").set_defaults(run=_list)
    new = commands.add_parser("new", parents=[where], help="write the two files of a new model")
    new.add_argument("model", metavar="vendor/model")
    new.set_defaults(run=_new)
    check = commands.add_parser("check", parents=[where], help="run the vectors and the laws of one model, or of all")
    check.add_argument("model", nargs="?")
    check.set_defaults(run=_check)
    explain = commands.add_parser("explain", parents=[where], help="what each byte of a frame means")
    explain.add_argument("hex", nargs="+", help="with or without spaces")
    explain.add_argument("--port", type=_port, help="FPort; without it, every port that reads the frame")
    explain.add_argument("--model", help="for example nas/ul20xx; without it, every model that reads the frame")
    explain.add_argument("--down", action="store_true", help="a downlink, not an uplink")
    explain.set_defaults(run=_explain)
    importing.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
