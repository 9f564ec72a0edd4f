"""Tables for a spreadsheet: lamps with their three states, commands, alarms, overrides.

Two variants. "rfc": RFC 4180 in UTF-8, commas, points, times in UTC. "de": as a German spreadsheet opens it by itself: UTF-8
with a byte order mark, semicolons, decimal commas, local times. A text that a spreadsheet would take for a formula gets an
apostrophe before it, as OWASP advises (CSV Injection): names come from imports, and reasons from people.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from city.alarms import Alarm
from city.commands import Command
from city.exports.seen import LampSeen
from city.floors import highest_floor
from city.lighting import Override
from city.nights import BERLIN

Variant = Literal["rfc", "de"]
Cell = str | int | float | bool | datetime | None
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
           "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")
ROWS_AT_ONCE = 500
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Column(Generic[_T]):
    """One column: its name in either variant, and what of a row stands there."""

    name: str
    german: str
    of: Callable[[_T], Cell]


def table(columns: Sequence[Column[_T]], rows: Iterable[_T], variant: Variant) -> Iterator[bytes]:
    """The table piece by piece, as it is sent; the first piece has the names of its columns."""
    names = [column.german if variant == "de" else column.name for column in columns]
    yield ((_MARK if variant == "de" else "") + _line(names, variant)).encode()
    lines: list[str] = []
    for row in rows:
        lines.append(_line([column.of(row) for column in columns], variant))
        if len(lines) >= ROWS_AT_ONCE:
            yield "".join(lines).encode()
            lines.clear()
    if lines:
        yield "".join(lines).encode()


def _line(cells: Iterable[Cell], variant: Variant) -> str:
    separator = ";" if variant == "de" else ","
    return separator.join(_quoted(_text(cell, variant), separator) for cell in cells) + "\r\n"


def _text(cell: Cell, variant: Variant) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return ("ja" if cell else "nein") if variant == "de" else ("true" if cell else "false")
        case datetime():
            return _time(cell, variant)
        case int() | float():
            number = f"{cell:.10g}" if isinstance(cell, float) else str(cell)
            return number.replace(".", ",") if variant == "de" else number
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _time(at: datetime, variant: Variant) -> str:
    if variant == "de":
        return at.astimezone(BERLIN).strftime("%d.%m.%Y %H:%M:%S")
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _quoted(text: str, separator: str) -> str:
    if any(mark in text for mark in (separator, '"', "\r", "\n")) or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _kinds(seen: LampSeen) -> str:
    return " ".join(sorted(kind.value for kind in seen.kinds))


LAMPS: tuple[Column[LampSeen], ...] = (
    Column("id", "Nummer", lambda seen: seen.lamp.id),
    Column("name", "Name", lambda seen: seen.lamp.name),
    Column("zone", "Zone", lambda seen: seen.zone_name),
    Column("circuit", "Stromkreis", lambda seen: seen.lamp.circuit),
    Column("latitude", "Breite", lambda seen: seen.lamp.site.latitude),
    Column("longitude", "Länge", lambda seen: seen.lamp.site.longitude),
    Column("luminaire_type", "Leuchtentyp", lambda seen: seen.lamp.luminaire_type),
    Column("nominal_w", "Nennleistung W", lambda seen: seen.lamp.power_w),
    Column("lighting_class", "Beleuchtungsklasse", lambda seen: seen.lamp.lighting_class),
    Column("lighting_class_night", "Beleuchtungsklasse nachts", lambda seen: seen.lamp.lighting_class_night),
    Column("lantern_ring", "Laternenring", lambda seen: seen.lamp.lantern_ring),
    Column("least_level", "Mindeststufe %", lambda seen: highest_floor(seen.lamp)),
    Column("dev_eui", "DevEUI", lambda seen: seen.device.dev_eui if seen.device is not None else None),
    Column("model", "Steuergerät", lambda seen: seen.device.model if seen.device is not None else None),
    Column("state", "Zustand", lambda seen: seen.word),
    Column("target_level", "Soll %", lambda seen: seen.target.level),
    Column("target_reason", "Soll: Grund", lambda seen: seen.target.reason),
    Column("target_origin", "Soll: Herkunft", lambda seen: seen.target.origin),
    Column("target_since", "Soll seit", lambda seen: seen.target.since),
    Column("target_until", "Soll bis", lambda seen: seen.target.until),
    Column("level_in_effect", "Gemeldet %", lambda seen: float(said.value) if (said := seen.in_effect) is not None else None),
    Column("level_reason", "Gemeldet: Grund", lambda seen: seen.reason),
    Column("level_at", "Gemeldet um", lambda seen: said.at if (said := seen.in_effect) is not None else None),
    Column("actual_level", "Gemessen % (errechnet)", lambda seen: actual.level if (actual := seen.actual) is not None else None),
    Column("power_w", "Gemessen W", lambda seen: actual.power_w if (actual := seen.actual) is not None else None),
    Column("actual_at", "Gemessen um", lambda seen: actual.at if (actual := seen.actual) is not None else None),
    Column("heard_at", "Zuletzt gehört", lambda seen: seen.heard_at),
    Column("override", "Eingriff", lambda seen: seen.override.id if seen.override is not None else None),
    Column("alarms", "Störungen", _kinds))

COMMANDS: tuple[Column[Command], ...] = (
    Column("id", "Nummer", lambda one: one.id),
    Column("asset", "Leuchte oder Stellplatz", lambda one: one.asset),
    Column("device", "DevEUI", lambda one: one.device),
    Column("order", "Befehl", lambda one: type(one.order).__name__),
    Column("level", "Stufe %", lambda one: getattr(one.order, "level", None)),
    Column("minutes", "Minuten", lambda one: getattr(one.order, "minutes", None)),
    Column("origin", "Herkunft", lambda one: one.origin),
    Column("state", "Zustand", lambda one: one.state.value),
    Column("note", "Begründung", lambda one: one.note),
    Column("attempts", "Versuche", lambda one: one.attempts),
    Column("created_at", "Angelegt", lambda one: one.created_at),
    Column("sent_at", "Gesendet", lambda one: one.sent_at),
    Column("changed_at", "Geändert", lambda one: one.changed_at),
    Column("expires_at", "Gültig bis", lambda one: one.expires_at),
    Column("holds_until", "Hält bis", lambda one: one.holds_until))

ALARMS: tuple[Column[Alarm], ...] = (
    Column("id", "Nummer", lambda one: one.id),
    Column("asset", "Leuchte oder Stellplatz", lambda one: one.asset),
    Column("kind", "Art", lambda one: one.kind.value),
    Column("severity", "Schwere", lambda one: one.severity.name.lower()),
    Column("began_at", "Beginn", lambda one: one.began_at),
    Column("ended_at", "Ende", lambda one: one.ended_at),
    Column("acknowledged_at", "Quittiert", lambda one: one.acknowledged_at),
    Column("acknowledged_by", "Quittiert von", lambda one: one.acknowledged_by),
    Column("facts", "Nachweis", lambda one: ", ".join(f"{name}: {value}" for name, value in sorted(one.facts.items()))))

OVERRIDES: tuple[Column[Override], ...] = (
    Column("id", "Nummer", lambda one: one.id),
    Column("targets", "Ziele", lambda one: " ".join(map(str, one.targets))),
    Column("level", "Stufe %", lambda one: one.level),
    Column("start", "Beginn", lambda one: one.start),
    Column("end", "Ende", lambda one: one.end),
    Column("ended_at", "Beendet", lambda one: one.ended_at),
    Column("reason", "Grund", lambda one: one.reason),
    Column("actor", "Wer", lambda one: one.actor),
    Column("created_at", "Angelegt", lambda one: one.created_at),
    Column("emergency", "Notfall", lambda one: one.emergency),
    Column("needs_second", "Zweite Person nötig", lambda one: one.needs_second),
    Column("approved_by", "Freigegeben von", lambda one: one.approved_by),
    Column("approved_at", "Freigegeben", lambda one: one.approved_at))
