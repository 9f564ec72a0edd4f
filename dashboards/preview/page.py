"""A board's preview as one HTML file that asks nobody for anything: its scripts and its data stand in it.

Nothing that InfluxDB or a board says becomes markup: the template escapes it, and the page's policy lets no other script run.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from city.errors import Invalid
from dashboards.board import Language, Text
from dashboards.preview.asking import Asked, Choice, Event
from dashboards.preview.fields import colour, looks
from dashboards.preview.frames import Field, Frame, Json
from dashboards.preview.moments import Range
from dashboards.preview.numbers import Scale, Where, moment_text, number_text
from dashboards.preview.views import View

HERE = Path(__file__).parent
VENDOR = HERE.parents[1] / "api" / "pages" / "static" / "vendor"  # filled by scripts/frontend
_WORDS = {
    "preview": Text("Vorschau", "Preview"),
    "banner": Text("Vorschau – nicht Grafana.", "Preview – not Grafana."),
    "why": Text("Von stadtfunk aus denselben Abfragen und demselben JSON gezeichnet; Grafana kann im Einzelnen anders aussehen.",
                "Drawn by stadtfunk from the same queries and the same JSON; Grafana may look different in detail."),
    "skip": Text("Zum Inhalt", "Skip to content"), "all": Text("Alle", "All"), "untitled": Text("Ohne Titel", "Untitled"),
    "events": Text("Ereignisse im Zeitraum", "Events in this time"), "chart": Text("Diagramm", "Chart"),
    "legend": Text("Legende", "Legend"), "nothing": Text("Keine Daten", "No data"), "failed": Text("Fehler", "Error"),
    "collapsed": Text("(in Grafana zugeklappt)", "(collapsed in Grafana)"),
    "box": Text("Hier zeigt Grafana ein Feld der Art „{kind}“.", "Here Grafana shows a panel of the kind “{kind}”."),
    "not_drawn": Text("Nicht gezeichnet wie in Grafana", "Not drawn as in Grafana"),
    "more": Text("… und {count} weitere, die hier nicht gezeigt werden", "… and {count} more that are not shown here"),
    "thresholds": Text("Schwellen", "Thresholds"), "numbers": Text("Die Werte in Zahlen", "The values in numbers"),
    "series": Text("Reihe", "Series"), "last": Text("Zuletzt", "Last"), "at": Text("am", "at"), "low": Text("Kleinster", "Least"),
    "high": Text("Größter", "Most"), "mean": Text("Mittel", "Mean"), "count": Text("Werte", "Values"),
    "boards": Text("Tafeln", "Boards"),
}
_ASKED = Text("Abfragen: {queries} · Zeilen: {rows} · {ms} ms", "Queries: {queries} · rows: {rows} · {ms} ms")
_ASKED_NONE = Text("Keine Abfrage", "No query")
_OWN, _HOUR = Text("letzte {count} {unit}", "last {count} {unit}"), Text("letzte Stunde", "last hour")
_SPANS = {"m": Text("Min.", "min"), "h": Text("Std.", "h"), "d": Text("Tage", "days"), "w": Text("Wochen", "weeks"),
          "M": Text("Monate", "months"), "y": Text("Jahre", "years")}
_FOOTER = Text("Erzeugt am {at} von stadtfunk dashboards preview. Zeiten in {zone}.",
               "Made at {at} by stadtfunk dashboards preview. Times in {zone}.")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One panel: its JSON, what was asked and what it shows."""

    panel: Json
    title: str
    asked: tuple[Asked, ...]
    view: View


@dataclass(frozen=True, slots=True)
class Section:
    """The panels under one heading."""

    title: str
    collapsed: bool
    panels: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """All that is known of one board."""

    board: Json
    span: Range
    choices: tuple[Choice, ...]
    events: tuple[Event, ...]
    event_errors: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def panels(self) -> list[Drawn]:
        return [one for section in self.sections for one in section.panels]

    @property
    def empty(self) -> int:
        """How many panels that ask have got nothing, and no error."""
        return sum(one.view.kind == "nothing" and not any(asked.error for asked in one.asked) for one in self.panels)

    @property
    def failed(self) -> int:
        """How many panels got an error, and as many for events and variables."""
        return (sum(any(asked.error for asked in one.asked) for one in self.panels) + len(self.event_errors)
                + sum(bool(choice.error) for choice in self.choices))


def board_page(result: Result, where: Where, *, vendor: Path = VENDOR) -> str:
    """The board as HTML. Raises Invalid where uPlot was not fetched."""
    script = _script(vendor)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    language, board = where.language, result.board
    return _environment().get_template("board.html").render(
        language=language, zone=where.zone.key, policy=Markup(f"'sha256-{digest}'"), words=_words(language),
        title=str(board.get("title", "")), about=str(board.get("description") or ""), period=_period(result.span, where),
        choices=[one for one in result.choices if not one.hidden],
        events=[{"time": _when(one, where), "text": one.text, "kind": one.kind, "colour": colour(one.colour)}
                for one in result.events],
        event_errors=result.event_errors, sections=[_section(one, where) for one in result.sections],
        footer=_footer(where), css=_style(vendor), script=Markup(script))


def index_page(pages: Sequence[tuple[str, str, str]], where: Where, *, vendor: Path = VENDOR) -> str:
    """Addresses, titles and what is to be said of each board."""
    return _environment().get_template("index.html").render(
        language=where.language, words=_words(where.language), css=_style(vendor), footer=_footer(where),
        pages=[{"href": href, "title": title, "summary": summary} for href, title, summary in pages])


def _section(section: Section, where: Where) -> Json:
    top = min((int(_place(one.panel)["y"]) for one in section.panels), default=0)
    return {"title": section.title, "collapsed": section.collapsed, "panels": [_panel(one, top, where) for one in section.panels]}


def _panel(one: Drawn, top: int, where: Where) -> Json:
    place = _place(one.panel)
    return {
        "id": one.panel.get("id", 0), "title": one.title, "kind": str(one.panel.get("type", "")),
        "help": str(one.panel.get("description") or ""), "x": place["x"], "y": place["y"] - top, "w": place["w"], "h": place["h"],
        "own": _own(str(one.panel.get("timeFrom") or ""), where),
        "view": one.view, "asked": one.asked, "errors": [asked.error for asked in one.asked if asked.error],
        "summary": _summary(one, where), "thresholds": _thresholds(one, where),
        "data": Markup(_inline(one.view.chart.data)) if one.view.chart else ""}


def _own(span: str, where: Where) -> str:
    """A panel's own range in words."""
    if span == "1h":
        return _HOUR(where.language)
    unit = _SPANS.get(span[-1:])
    return _OWN(where.language).format(count=span[:-1], unit=unit(where.language)) if unit else span


def _place(panel: Json) -> dict[str, int]:
    given = panel.get("gridPos") or {}
    return {key: int(given.get(key, default)) for key, default in (("x", 0), ("y", 0), ("w", 12), ("h", 8))}


def _summary(one: Drawn, where: Where) -> str:
    if not one.asked:
        return _ASKED_NONE(where.language)
    rows = number_text(sum(asked.rows for asked in one.asked), Scale(decimals=0), where.language)
    ms = sum(asked.took.total_seconds() for asked in one.asked) * 1000
    return _ASKED(where.language).format(queries=len(one.asked), rows=rows, ms=round(ms))


def _thresholds(one: Drawn, where: Where) -> list[tuple[str, str]]:
    """The panel's, where it has more than one colour: colour is never the only thing that tells."""
    look = looks(one.panel, Frame("", ()), Field("", "number", ()), 0)
    if len(look.steps) < 2:
        return []
    return [("<" if begin is None else f"≥ {look.word(begin, where)}", tone) for begin, tone in look.steps if tone]


def _period(span: Range, where: Where) -> str:
    start, end = (moment_text(at.timestamp() * 1000, "dateTimeAsLocal", where)[:-3] for at in (span.start, span.end))
    return f"{start} – {end}"


def _when(event: Event, where: Where) -> str:
    start = moment_text(event.start_ms, "dateTimeAsLocal", where)[:-3]
    return start if event.end_ms == event.start_ms else f"{start} – {moment_text(event.end_ms, 'dateTimeAsLocal', where)[:-3]}"


def _footer(where: Where) -> str:
    at = moment_text(where.now.timestamp() * 1000, "dateTimeAsLocal", where)
    return _FOOTER(where.language).format(at=at, zone=where.zone.key)


def _words(language: Language) -> dict[str, str]:
    return {key: text(language) for key, text in _WORDS.items()}


def _script(vendor: Path) -> str:
    file = vendor / "uplot.mjs"
    if not file.is_file():
        raise Invalid("uPlot is missing: run scripts/frontend, which fetches it.", field="vendor", rule="scripts/frontend")
    uplot = file.read_text(encoding="utf-8").replace("export { uPlot as default };", "return uPlot;")  # a module in a function
    return f"const uPlot = (() => {{\n{uplot}\n}})();\n{_text('preview.js')}".replace("</", "<\\/")


def _style(vendor: Path) -> Markup:
    return Markup((vendor / "uplot.css").read_text(encoding="utf-8") + _text("preview.css"))


def _inline(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                       lstrip_blocks=True)
