"""A town's asset list into the store: for `POST imports` and for `stadtfunk import FILE --tenant T`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.intents import settle
from city import settings
from city.clock import SystemClock
from city.errors import Invalid
from city.guards import Limits
from city.ids import tenant_id
from city.imports import MAX_BYTES, ImportRow, Problem, parse
from city.places import AssetKind
from city.store.opening import open_store
from city.store.ports import AuditLine, TenantStore
from decoders.catalog import catalog

MOST_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows went in, and what is wrong with those that did not."""

    rows: int
    problems: tuple[Problem, ...]

    @property
    def bad_lines(self) -> int:
        """How many lines have problems."""
        return len({problem.line for problem in self.problems})


def take(town: TenantStore, data: bytes, *, valid_only: bool) -> Imported:
    """Import the list: all of it, or nothing where a row has a problem; with `valid_only` the good rows.
    Raises Invalid where there is no list to read, Conflict where a device already serves another town."""
    rows, problems = read(town, data)
    if problems and not valid_only:
        return Imported(0, problems)
    return Imported(town.import_rows(rows) if rows else 0, problems)


def imported(town: TenantStore, done: Imported, what: str, who: str, now: datetime, limits: Limits) -> None:
    """Write down who has imported it, and end what must not stay dark: lamps may have another zone or circuit, or no ring."""
    if done.rows:
        town.audit(AuditLine(now, who, "import", what, f"{done.rows} rows"))
        settle(town, who, now, limits)


def read(town: TenantStore, data: bytes) -> tuple[Sequence[ImportRow], tuple[Problem, ...]]:
    """The good rows of a list for this town, and what is wrong with the others. Raises Invalid where there is no list."""
    serves = _models(town)
    parsed, problems = parse(data, serves.keys())
    problems += [found for row in parsed if (found := _misplaced(row, serves))]
    return [row for row in parsed if not _misplaced(row, serves)], tuple(problems)


def _models(town: TenantStore) -> dict[str, AssetKind]:
    """What each model serves: those of the town's own scripts, and ours, which come first."""
    own = {script.model: script.asset for script in town.scripts()}
    return own | {model: codec.asset for model, codec in catalog().items()}


def _misplaced(row: ImportRow, models: Mapping[str, AssetKind]) -> Problem | None:
    """A lamp's controller at a parking bay, or a sensor of bays at a lamp: its words would mean nothing there."""
    serves = models[row.model] if row.model else row.kind
    if serves == row.kind:
        return None
    return Problem(row.line, "model", "serves this kind", "“{model}” serves a {serves}, not a {kind}.",
                   {"model": row.model, "serves": serves, "kind": row.kind})


def main(argv: Sequence[str]) -> int:
    """`stadtfunk import FILE --tenant T [--valid-only]`; 1 where anything is wrong with the file."""
    asked = _arguments().parse_args(argv)
    data = _read(asked.file)
    own = settings.load()
    store = open_store(own.database.url.reveal())
    try:
        town = store.tenant(tenant_id(asked.tenant))
        done = take(town, data, valid_only=asked.valid_only)
        imported(town, done, asked.file.name, "command line", SystemClock().now(), Limits.of(own.guards))
    finally:
        store.close()
    _show(done, asked.file.name)
    return 1 if done.problems else 0


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Invalid("{file} cannot be read: {what}", field="file", rule="readable", file=str(file),
                      what=error.strerror or "") from error


def _show(done: Imported, name: str) -> None:
    console = Console()
    if done.problems:
        table = Table("line", "column", "rule", "what is wrong", title=_inert(name))
        for problem in done.problems[:MOST_SHOWN]:
            words = problem.column, problem.rule, problem.message.format(**problem.facts)
            table.add_row(str(problem.line), *map(_inert, words))
        console.print(table)
    left = f", {done.bad_lines} lines have problems" if done.problems else ""
    console.print(f"{done.rows} assets imported{left}")


def _inert(text: str) -> Text:
    """Words of the file as they are: neither markup nor control characters act on the terminal."""
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk import", description="Import a town's assets (CSV or GeoJSON).")
    parser.add_argument("file", type=Path)
    parser.add_argument("--tenant", required=True, help="the town's name in addresses")
    parser.add_argument("--valid-only", action="store_true", help="import the good rows even if others are bad")
    return parser
