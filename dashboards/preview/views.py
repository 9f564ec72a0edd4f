"""What a panel shows, as plain values for the page: one function for each kind of panel that our boards use.

Another kind is shown as a table of its frames, and says so; a panel without queries (text, canvas) as a box that says what it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from dashboards.preview.asking import Asked, Event
from dashboards.preview.charts import Chart, chart
from dashboards.preview.fields import Looks, looks, name_of
from dashboards.preview.frames import Field, Frame, Json, reduced, transformed
from dashboards.preview.moments import Range
from dashboards.preview.numbers import BLANK, Where, written

MOST_SHOWN, MOST_STATS, MOST_BARS, MOST_SPARKS = 200, 60, 60, 200
BUCKETS = 30  # Grafana's own guess
_DATA = re.compile(r"\$\{__data\.fields(?:\.(\w+)|\[[\"']?([^\]\"']+)[\"']?\])(?::(\w+))?\}|\$\{__value\.(raw|text)(?::(\w+))?\}")


@dataclass(frozen=True, slots=True)
class Stat:
    """One big number; `spark` are the points of its small line, from 0 to 1."""

    name: str
    text: str
    tone: str
    filled: bool
    spark: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """`tone` is its colour, behind the text where it is `filled`; `share` (0 to 1) how full its bar is."""

    text: str
    number: bool = False
    tone: str = ""
    filled: bool = False
    href: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `more` rows are not shown."""

    heads: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a gauge or of a histogram: how full it is, 0 to 1."""

    name: str
    text: str
    share: float
    tone: str


@dataclass(frozen=True, slots=True)
class View:
    """A panel. `kind` is chart, stats, table, bars, columns, box or nothing; one of the others is filled accordingly."""

    kind: str
    notes: tuple[str, ...] = ()
    chart: Chart | None = None
    stats: tuple[Stat, ...] = ()
    table: Table | None = None
    bars: tuple[Bar, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands around a panel: when and for whom it is drawn, over which time, with which events."""

    where: Where
    span: Range
    events: Sequence[Event]


def view(panel: Json, asked: Sequence[Asked], seen: Seen) -> View:
    """The panel as it is drawn from what its queries gave."""
    if not asked:
        return View("box", words=_box(panel))
    given = [frame for one in asked for frame in one.frames]
    given, unknown = transformed(given, panel.get("transformations") or (), name_of)
    notes = [f"transformation “{name}”" for name in unknown]
    if not any(frame.rows for frame in given):
        return View("nothing", tuple(notes), words=_none(panel))
    kind = str(panel.get("type", ""))
    draw = _KINDS.get(kind)
    if draw is None:
        return _table(panel, given, seen, (*notes, f"panel “{kind}”"))
    return draw(panel, given, seen, tuple(notes))


def _chart(panel: Json, given: list[Frame], seen: Seen, notes: tuple[str, ...]) -> View:
    found = chart(panel, given, seen.where, seen.span, seen.events)
    return View("chart", notes, chart=found) if found.lines else View("nothing", notes, words=_none(panel))


def _stats(panel: Json, given: list[Frame], seen: Seen, notes: tuple[str, ...]) -> View:
    options = panel.get("options") or {}
    found = list(_values(panel, given, seen))
    several = len(found) > 1
    named = options.get("textMode") in ("value_and_name", "name") or (several and options.get("textMode", "auto") == "auto")
    mode = str(options.get("colorMode") or "value")
    stats = [Stat(look.name if named else "", look.word(value, seen.where), "" if mode == "none" else look.tone(value),
                  mode.startswith("background"), _spark(points) if options.get("graphMode") == "area" else ())
             for look, value, points in found[:MOST_STATS]]
    return View("stats", notes, stats=tuple(stats)) if stats else View("nothing", notes, words=_none(panel))


def _bars(panel: Json, given: list[Frame], seen: Seen, notes: tuple[str, ...]) -> View:
    found = [(look, value) for look, value, _ in _values(panel, given, seen)][:MOST_BARS]
    numbers = [value for _, value in found if isinstance(value, int | float)]
    bars = []
    for look, value in found:
        low = look.low if look.low is not None else min([0.0, *numbers])
        high = look.high if look.high is not None else max(numbers, default=1.0)
        share = (value - low) / (high - low) if isinstance(value, int | float) and high > low else 0.0
        bars.append(Bar(look.name, look.word(value, seen.where), min(max(share, 0.0), 1.0), look.tone(value)))
    return View("bars", notes, bars=tuple(bars)) if bars else View("nothing", notes, words=_none(panel))


def _columns(panel: Json, given: list[Frame], seen: Seen, notes: tuple[str, ...]) -> View:
    """How often numbers lie where (transformers/histogram.ts): buckets of one size, as many as Grafana would make."""
    found = [(looks(panel, frame, field, 0), float(value)) for frame in given for field in frame.fields if field.kind == "number"
             for value in field.values if value is not None]
    if not found:
        return View("nothing", notes, words=_none(panel))
    look, values = found[0][0], [value for _, value in found]
    options = panel.get("options") or {}
    low, high = min(values), max(values)
    size = float(options.get("bucketSize") or 0) or _round_size((high - low) / int(options.get("bucketCount") or BUCKETS))
    begin = low // size
    counts = [0] * min(int(high // size - begin) + 1, 200)
    for value in values:
        counts[min(int(value // size - begin), len(counts) - 1)] += 1
    edges = [(begin + number) * size for number in range(len(counts))]
    bars = [Bar(written(edge, look.unit, look.decimals if size >= 1 else None, seen.where), str(count), count / max(counts),
                look.colour) for edge, count in zip(edges, counts, strict=True)]
    return View("columns", notes, bars=tuple(bars))


def _table(panel: Json, given: list[Frame], seen: Seen, notes: tuple[str, ...]) -> View:
    frame = given[0]
    if len(given) > 1:
        notes = (*notes, f"+{len(given) - 1} frames")
    every = [(field, looks(panel, frame, field, number)) for number, field in enumerate(frame.fields)]
    shown = [(field, look) for field, look in every if not look.hidden]
    order = _order(panel, shown, frame.rows)
    heads = tuple(Cell(look.name, field.kind == "number") for field, look in shown)
    raw = {field.name: field.values for field in frame.fields} | {look.name: field.values for field, look in shown}
    rows = tuple(tuple(_cell(field, look, number, raw, seen.where) for field, look in shown) for number in order[:MOST_SHOWN])
    return View("table", notes, table=Table(heads, rows, max(len(order) - MOST_SHOWN, 0)))


_KINDS: Mapping[str, Callable[[Json, list[Frame], Seen, tuple[str, ...]], View]] = {
    "timeseries": _chart, "stat": _stats, "gauge": _bars, "bargauge": _bars, "histogram": _columns, "table": _table,
}


def _values(panel: Json, given: list[Frame], seen: Seen) -> list[tuple[Looks, Any, Sequence[Any]]]:
    """What reduceOptions make of the frames: for each field that is meant, a number (or each row's), and the field's values."""
    del seen
    options = (panel.get("options") or {}).get("reduceOptions") or {}
    wanted, calcs = str(options.get("fields") or ""), list(options.get("calcs") or ["lastNotNull"])
    found: list[tuple[Looks, Any, Sequence[Any]]] = []
    for frame in given:
        for field in frame.fields:
            look = looks(panel, frame, field, len(found))
            if not _wanted(wanted, field, look) or look.hidden:
                continue
            if options.get("values"):
                found += [(look, value, ()) for value in field.values[:int(options.get("limit") or MOST_STATS)]]
            else:
                found += [(look, reduced(field.values, calc), field.values) for calc in calcs]
    return found


def _wanted(wanted: str, field: Field, look: Looks) -> bool:
    if not wanted:
        return field.kind in ("number", "boolean")
    if wanted.startswith("/"):
        return bool(re.search(wanted.strip("/"), look.name) or re.search(wanted.strip("/"), field.name))
    return wanted in (field.name, look.name)


def _spark(values: Sequence[Any]) -> tuple[tuple[float, float], ...]:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    numbers = numbers[:: max(len(numbers) // MOST_SPARKS, 1)]
    if len(numbers) < 2:
        return ()
    low, high = min(numbers), max(numbers)
    return tuple((number / (len(numbers) - 1), (value - low) / (high - low) if high > low else 0.5)
                 for number, value in enumerate(numbers))


def _round_size(size: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if size <= 0:
        return 1.0
    power = 10.0 ** len(str(int(size))) / 10 if size >= 1 else 10.0 ** -len(str(int(1 / size)))
    return next((power * step for step in (1, 2, 2.5, 5, 10, 20, 25, 50, 100) if power * step >= size), size)


def _order(panel: Json, shown: Sequence[tuple[Field, Looks]], rows: int) -> list[int]:
    wanted = next(iter((panel.get("options") or {}).get("sortBy") or ()), None)
    by = next((field for field, look in shown if wanted and wanted.get("displayName") in (look.name, field.name)), None)
    order = list(range(rows))
    if by is not None and wanted is not None:
        there = sorted((number for number in order if by.values[number] is not None),
                       key=lambda number: by.values[number], reverse=bool(wanted.get("desc")))
        order = there + [number for number in order if by.values[number] is None]
    return order


def _cell(field: Field, look: Looks, number: int, raw: Mapping[str, Sequence[Any]], where: Where) -> Cell:
    value = field.values[number]
    kind = str((look.custom.get("cellOptions") or {}).get("type") or "auto")
    tone = look.tone(value) if kind in ("color-text", "color-background", "gauge") else ""
    share = None
    if kind == "gauge" and isinstance(value, int | float):
        low, high = look.low or 0.0, look.high if look.high is not None else max(
            (one for one in field.values if isinstance(one, int | float)), default=1.0)
        share = min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.0
    href = next((found for link in look.links if (found := _address(str(link.get("url") or ""), value, number, raw))), "")
    text = look.word(value, where)
    return Cell(text, field.kind == "number", tone, kind == "color-background", href if text != BLANK else "", share)


def _address(url: str, value: object, number: int, raw: Mapping[str, Sequence[Any]]) -> str:
    """A data link's address for one row; "" where it is no web address, or names what is not there."""

    def instead(found: re.Match[str]) -> str:
        name, form = found[1] or found[2], found[3] or found[5]
        given = value if found[4] else raw[name][number] if name in raw else None
        text = "" if given is None else str(given)
        return quote(text, safe="") if form == "percentencode" else text

    found = _DATA.sub(instead, url)
    parts = urlsplit(found)
    return found if parts.scheme in ("http", "https") and parts.netloc and "$" not in found else ""


def _box(panel: Json) -> str:
    """What a text panel says, or the elements of a canvas."""
    options = panel.get("options") or {}
    elements = (options.get("root") or {}).get("elements") or ()
    said = [str(((one.get("config") or {}).get("text") or {}).get("fixed") or one.get("name") or "") for one in elements]
    return str(options.get("content") or "\n".join(text for text in said if text))[:4000]


def _none(panel: Json) -> str:
    return str(((panel.get("fieldConfig") or {}).get("defaults") or {}).get("noValue") or "")
