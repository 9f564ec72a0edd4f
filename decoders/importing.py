"""`stadtfunk codec import DIR` and `stadtfunk codec test SCRIPT.js`: run scripts on their examples, keep what passes."""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from city import settings
from city.clock import SystemClock
from city.errors import CityError, Invalid, NotFound, ScriptError
from city.ids import tenant_id
from city.places import AssetKind
from city.quantities import Value
from city.scripts import MAX_SOURCE, LeafMapping, Script
from city.store.opening import open_store
from city.store.ports import AuditLine, TenantStore
from decoders import mapping, repository
from decoders.catalog import catalog
from decoders.checkout import Checkout, UnreadableFileError
from decoders.codec import Frame
from decoders.examples import Report, run
from decoders.javascript import Program, Sandbox, Uplinked
from decoders.repository import Found, KnownDevice, Way

_T = TypeVar("_T")
OK, FAILED, USAGE = 0, 1, 2
MOST_TOLD = 3  # failures of one codec that are told in full


def add_commands(commands: Any) -> None:  # noqa: ANN401  argparse keeps the type to itself
    """The two subcommands, for the parser of `decoders.__main__`."""
    reads = commands.add_parser("import", help="run a device repository's scripts on their examples; keep what passes")
    reads.add_argument("directory", type=Path, metavar="DIR", help="a checkout of lorawan-devices or of device profiles")
    reads.add_argument("--only", action="append", default=[], metavar="vendor[/codec]", help="only these; may be repeated")
    reads.add_argument("--town", metavar="TOWN", help="keep what passes as this town's codecs")
    reads.add_argument("--asset", choices=("lamp", "bay"), help="keep all as this, not only what its output shows to be one")
    reads.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    reads.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 4), help="scripts that run at a time")
    reads.set_defaults(run=_import)
    tests = commands.add_parser("test", help="try a script: a frame, an order's data, or a file of examples")
    tests.add_argument("script", type=Path, metavar="SCRIPT.js")
    tests.add_argument("--port", type=int, default=1, metavar="N", help="FPort (1)")
    tests.add_argument("--hex", metavar="H", help="the uplink's bytes")
    tests.add_argument("--normalize", action="store_true", help="through normalizeUplink too")
    tests.add_argument("--down", metavar="JSON", help='what encodeDownlink is given: {"level": 40}')
    tests.add_argument("--asset", choices=("lamp", "bay"), default="lamp", help="for which the mapping is proposed (lamp)")
    tests.add_argument("--examples", type=Path, metavar="FILE", help="a codec's YAML, or test_decode_*.json")
    tests.set_defaults(run=_test)


def report(directory: Path, sandbox: Sandbox, only: Sequence[str], workers: int, console: Console) -> list[Report]:
    """The reports of all codecs of the checkout, with a bar that shows how far it is."""
    all_found = list(repository.read(directory, only))
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar, ThreadPoolExecutor(workers) as pool:
        task = bar.add_task("codecs", total=len(all_found))
        reports: list[Report] = []
        for future in [pool.submit(run, found, sandbox) for found in all_found]:
            reports.append(future.result())
            bar.advance(task)
    return reports


def table(reports: Sequence[Report]) -> Table:
    """One row a codec, and the sums."""
    drawn = Table(title="Codecs", title_justify="left", show_footer=True)
    sums = [sum(len(one.found.examples) for one in reports), *(sum(getattr(one, name) for one in reports) for name in _COUNTS)]
    drawn.add_column("codec", overflow="fold", footer=_sum(reports))
    for head, total in zip(("examples", *_COUNTS), sums, strict=True):
        drawn.add_column(head, justify="right", footer=str(total))
    for one in reports:
        style = None if one.good else "red"
        drawn.add_row(escape(one.found.name), str(len(one.found.examples)), *(str(getattr(one, name)) for name in _COUNTS),
                      style=style)
    return drawn


def _sum(reports: Sequence[Report]) -> str:
    good, untested = sum(one.good and one.passed > 0 for one in reports), sum(one.good and not one.passed for one in reports)
    return f"{len(reports)} codecs: {good} good, {len(reports) - good - untested} bad, {untested} without examples"


def keep(town: TenantStore, reports: Sequence[Report], asset: AssetKind | None) -> Iterator[tuple[str, str]]:
    """Save what passed as scripts of the town, with a proposed mapping; yields each model with what became of it."""
    for one in reports:
        for device in one.found.devices:
            yield device.model, _kept(town, one, device, asset)


_COUNTS = ("passed", "failed", "errors")


def _import(asked: argparse.Namespace, console: Console) -> int:
    if asked.town:
        _with_town(asked.town, lambda _: None)  # better told now than after all examples
    with Sandbox(workers=max(asked.workers, 1)) as sandbox:
        reports = report(asked.directory, sandbox, asked.only, max(asked.workers, 1), console)
    console.print(table(reports))
    for one in reports:
        _tell(one, console)
    if asked.json:
        text = json.dumps([_as_json(one) for one in reports], indent=1, ensure_ascii=False)
        asked.json.write_text(text, "utf-8", errors="replace")  # half of a surrogate pair is no UTF-8
    if asked.town:
        console.print(_with_town(asked.town, lambda town: _kept_table(town, reports, asked.asset)))
    return OK if all(one.good for one in reports) else FAILED


def _with_town(name: str, do: Callable[[TenantStore], _T]) -> _T:
    store = open_store(settings.load().database.url.reveal())
    try:
        return do(store.tenant(tenant_id(name)))
    finally:
        store.close()


def _kept_table(town: TenantStore, reports: Sequence[Report], asset: AssetKind | None) -> Table:
    outcomes = Table("model", "outcome", title=f"Codecs of {escape(town.tenant.name)}", title_justify="left")
    for model, outcome in keep(town, reports, asset):
        outcomes.add_row(escape(model), escape(outcome))
    return outcomes


def _kept(town: TenantStore, one: Report, device: KnownDevice, asset: AssetKind | None) -> str:
    if not one.good:
        return "not kept: not all of its examples pass"
    if not one.passed:
        return "not kept: it has no examples"
    if native := _native(device.model):
        return f"not kept: stadtfunk reads it itself, as {native}"
    if len(one.found.source.encode()) > MAX_SOURCE:
        return f"not kept: the script has more than {MAX_SOURCE} bytes"
    if _known(town, device.model):
        return "not kept: the town has a codec for it already"
    try:
        return _saved(town, one, device, asset)
    except CityError as error:
        return f"not kept: {error}"


def _saved(town: TenantStore, one: Report, device: KnownDevice, asset: AssetKind | None) -> str:
    normalized, leaves, kind = _shown(one, device, asset)
    if kind is None:
        return "not kept: it looks neither like a lamp nor like a parking sensor; --asset says which it is"
    proposed = mapping.propose(leaves, kind)
    now = SystemClock().now()
    script = Script(tenant=town.tenant.id, model=device.model, title=device.title, asset=kind, source=one.found.source,
                    mapping=mapping.check(proposed, kind), vendor=one.found.vendor, device_class=device.device_class,
                    normalized=normalized, changed_at=now, changed_by="command line")
    town.put_script(script)
    town.audit(AuditLine(now, "command line", "codec import", device.model, one.found.name))
    return f"kept as a {kind}: {len(proposed.rules)} of {len(leaves)} values mapped, {len(proposed.dropped)} dropped"


def _shown(one: Report, device: KnownDevice, asset: AssetKind | None) -> tuple[bool, dict[str, Value], AssetKind | None]:
    """Whether the normalized output is to be mapped, since only that shows what the device is; the leaves; and what it is."""
    leaves, normal = _leaves(one, "up"), _leaves(one, "normal")
    kind = asset or _kind(device, leaves)
    if normal and kind is None:
        return True, normal, _kind(device, normal)
    return False, leaves, kind


def _kind(device: KnownDevice, leaves: Mapping[str, Value]) -> AssetKind | None:
    """A parking sensor says whether its bay is occupied, and its maker that it is for parking; a lamp controller says a
    light level, or its maker that it is for lamps and it says something that lamps say."""
    words = f"{device.title} {device.description} {device.model}".lower()
    if any(rule.quantity == "bay.occupied" for rule in mapping.propose(leaves, "bay").rules) and "park" in words:
        return "bay"
    said = {rule.quantity for rule in mapping.propose(leaves, "lamp").rules}
    for_lamps = any(word in words for word in ("street", "luminaire", "lamp", "zhaga", "nema", "light control", "dimm"))
    return "lamp" if for_lamps and any(name.startswith("lamp.") for name in said) else None


def _leaves(one: Report, way: Way) -> dict[str, Value]:
    """All leaves of all examples, each with its first value."""
    found: dict[str, Value] = {}
    for outcome in one.outcomes:
        if outcome.example.way == way and outcome.data:
            found = mapping.leaves(outcome.data) | found
    return found


def _native(model: str) -> str:
    """Our own codec for the model, whatever the repository's vendor id has besides the vendor's name; else ""."""
    vendor, _, name = model.partition("/")
    bare = name.replace("-", "").removeprefix(vendor.replace("-", ""))
    return next((ours for ours in catalog() if ours.partition("/")[2].replace("-", "").replace("_", "") == bare
                 and vendor.startswith(ours.partition("/")[0])), "")


def _known(town: TenantStore, model: str) -> bool:
    try:
        town.script(model)
    except NotFound:
        return False
    return True


def _tell(one: Report, console: Console) -> None:
    """Why it is not good: the first few reasons."""
    told = [*([one.broken] if one.broken else []), *one.found.problems,
            *(f"{outcome.example.way} “{outcome.example.title}” {outcome.why}" for outcome in one.outcomes if outcome.why)]
    for text in told[:MOST_TOLD]:
        console.print(f"[red]✗[/] {escape(one.found.name)}: {escape(_inert(text))}", soft_wrap=True, highlight=False)
    if len(told) > MOST_TOLD:
        console.print(f"  {escape(one.found.name)}: and {len(told) - MOST_TOLD} more", highlight=False)


def _as_json(one: Report) -> dict[str, Any]:
    return {"codec": one.found.name, "devices": [device.model for device in one.found.devices],
            "examples": len(one.found.examples), **{name: getattr(one, name) for name in _COUNTS}, "broken": one.broken,
            "problems": list(one.found.problems),
            "failures": [{"way": outcome.example.way, "example": outcome.example.title, "why": outcome.why}
                         for outcome in one.outcomes if outcome.why]}


def _test(asked: argparse.Namespace, console: Console) -> int:
    try:
        source = Checkout(asked.script.parent).text(asked.script.name)
    except UnreadableFileError as error:
        raise Invalid("{file} cannot be read: {what}", field="script", rule="readable", file=str(asked.script),
                      what=str(error)) from error
    with Sandbox() as sandbox:
        program = Program(source)
        console.print(f"{escape(_inert(asked.script.name))} defines {', '.join(sandbox.check(program))}")
        codes = [_try_examples(asked, source, sandbox, console)] if asked.examples else []
        codes += [_try_uplink(asked, program, sandbox, console)] if asked.hex is not None else []
        codes += [_try_downlink(asked, program, sandbox, console)] if asked.down is not None else []
    return max(codes, default=OK)


def _try_examples(asked: argparse.Namespace, source: str, sandbox: Sandbox, console: Console) -> int:
    examples, problems = repository.examples_in(asked.examples)
    done = run(Found(asked.script.stem, "", source, examples=examples, problems=problems), sandbox)
    console.print(table([done]))
    _tell(done, console)
    return OK if done.good else FAILED


def _try_uplink(asked: argparse.Namespace, program: Program, sandbox: Sandbox, console: Console) -> int:
    try:
        frame = Frame(asked.port, bytes.fromhex(asked.hex.replace(" ", "")))
    except ValueError:
        console.print(f"[red]“{escape(_inert(asked.hex))}” is no hex: an even number of digits 0-9 and a-f is needed.[/]")
        return USAGE
    answer = sandbox.decode_uplinks(program, [Uplinked(frame, SystemClock().now())], normalize=asked.normalize)[0]
    if isinstance(answer, ScriptError):
        raise answer
    for warning in answer.warnings:
        console.print(f"[yellow]warning:[/] {escape(_inert(str(warning)))}", highlight=False)
    leaves = mapping.leaves(answer.data)
    console.print(_said(leaves, mapping.propose(leaves, cast(AssetKind, asked.asset))))
    return OK


def _said(leaves: Mapping[str, Value], proposed: LeafMapping) -> Table:
    """Every value, and what it would mean."""
    drawn = Table("leaf", "value", "quantity", "part", "scale, offset", title="Says", title_justify="left")
    for leaf, value in leaves.items():
        rule = next((one for one in proposed.rules if one.leaf == leaf), None)
        meaning = (rule.quantity, rule.channel, f"× {rule.scale:.10g} + {rule.offset:.10g}") if rule else \
            ("dropped" if leaf in proposed.dropped else "raw", "", "")
        drawn.add_row(escape(leaf), escape(str(value)), *map(escape, meaning), style=None if rule else "dim")
    return drawn


def _try_downlink(asked: argparse.Namespace, program: Program, sandbox: Sandbox, console: Console) -> int:
    try:
        data = json.loads(asked.down)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        console.print("[red]--down takes a JSON object.[/]")
        return USAGE
    frame = sandbox.encode_downlink(program, data)
    console.print(f"FPort {frame.port}: {frame.data.hex()} ({len(frame.data)} bytes)", highlight=False)
    return OK


def _inert(text: str) -> str:
    """Words of somebody's script on one line: no control characters act on the terminal."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))
