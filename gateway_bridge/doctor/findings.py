"""What the doctor says: one finding for each thing it has looked at."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from rich.console import Console
from rich.table import Table
from rich.text import Text


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    UNKNOWN = "unknown"  # it could not be checked; the mend says how it can
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` is a short stable name; `mend` the exact setting and value, or the command, that puts it right."""

    check: str
    level: Level
    sentence: str
    mend: str = ""


def ok(check: str, sentence: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Level.OK, sentence)


def unknown(check: str, sentence: str, mend: str = "") -> Finding:
    """It could not be checked."""
    return Finding(check, Level.UNKNOWN, sentence, mend)


def warning(check: str, sentence: str, mend: str) -> Finding:
    """It works, and will hurt one day."""
    return Finding(check, Level.WARNING, sentence, mend)


def broken(check: str, sentence: str, mend: str) -> Finding:
    """Events are lost, or nothing works."""
    return Finding(check, Level.BROKEN, sentence, mend)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 all well, 1 warnings, 2 something is broken. What could not be checked is neither."""
    levels = {finding.level for finding in findings}
    return 2 if Level.BROKEN in levels else 1 if Level.WARNING in levels else 0


def as_json(findings: Sequence[Finding]) -> str:
    """For a program."""
    rows = [{"check": item.check, "level": item.level.value, "sentence": clean(item.sentence), "mend": clean(item.mend)}
            for item in findings]
    return json.dumps({"exit_code": exit_code(findings), "findings": rows}, ensure_ascii=False, indent=2)


def show(findings: Sequence[Finding], console: Console) -> None:
    """For a person: the worst last, where the eye is."""
    table = Table(show_lines=True, expand=False)
    for name in ("", "check", "finding and mend"):
        table.add_column(name, overflow="fold")
    for item in sorted(findings, key=lambda one: list(Level).index(one.level)):
        said = Text(clean(item.sentence))
        if item.mend:
            said.append("\n→ " + clean(item.mend), style="bold")
        table.add_row(Text(item.level.value, style=_STYLES[item.level]), Text(item.check), said)
    console.print(table)


def clean(text: str) -> str:
    """To the terminal: what comes from outside must not steer it."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


_STYLES = {Level.OK: "green", Level.UNKNOWN: "dim", Level.WARNING: "yellow", Level.BROKEN: "bold red"}
