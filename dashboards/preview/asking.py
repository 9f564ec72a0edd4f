"""A board's questions to InfluxDB: variables first, each with the choices before it, then annotations, then panels.

What fails is kept beside what answers, so that a reader sees both. Whoever answers is not trusted: InfluxDB.series bounds an
answer's size and time, here its rows are bounded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from city.errors import BadInput, CityError, InfluxDown, Invalid
from city.store.influx import InfluxHeld, Series
from dashboards.fill import ALL, VARIABLE, All, Value, fill, interval, rounded, span_ms, unfilled
from dashboards.preview.frames import Frame, Json, frames
from dashboards.preview.moments import Range, between, moment
from dashboards.preview.numbers import Where

WIDTH_PX = 1408  # of the grid in a window of 1440
MOST_FRAMES, MOST_ROWS = 200, 20_000
MOST_CHOICES, MOST_EVENTS = 1000, 300
AUTO = "$__auto"


class Source(Protocol):
    """One of a town's databases."""

    def series(self, text: str) -> list[Series]:
        """See InfluxDB.series."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One query: as it was sent, whom, what came back, and for how long that took."""

    ref: str
    source: str
    text: str
    took: timedelta
    frames: tuple[Frame, ...] = ()
    error: str = ""
    left_out: int = 0

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.frames)


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable and what is chosen."""

    name: str
    label: str
    value: Value
    shown: str
    hidden: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An annotation: what happened from `start_ms` to `end_ms` (the same: at one moment)."""

    start_ms: int
    end_ms: int
    text: str
    kind: str
    colour: str


class Asking:
    """The questions of one board; `chosen` are values that the caller wants for variables."""

    def __init__(self, board: Json, sources: Mapping[str, Source], where: Where, given: tuple[str, str] | None,
                 chosen: Mapping[str, Sequence[str]], *, ticks: Callable[[], float]) -> None:
        """`given`: from and to instead of the board's own. `ticks`: seconds of any clock that only runs forward."""
        own = board.get("time") or {}
        start, end = given or (str(own.get("from", "now-6h")), str(own.get("to", "now")))
        self.range = between(start, end, where.now, where.zone)
        self._board, self._sources, self._where, self._chosen, self._ticks = board, sources, where, chosen, ticks
        self._values: dict[str, Value] = {}
        self._silent: InfluxDown | None = None
        self.choices = [self._choose(one) for one in (board.get("templating") or {}).get("list") or ()]

    def events(self) -> tuple[list[Event], list[Asked]]:
        """What the board's annotations find, in order of time, and how they were asked."""
        found, asked = [], []
        for one in (self._board.get("annotations") or {}).get("list") or ():
            target = one.get("target") or {}
            query = str(one.get("query") or target.get("query") or "")
            if one.get("builtIn") or not one.get("enable", True) or not query:
                continue
            answer = self._ask(str(one.get("name", "")), query, one, self.range, 60_000, table=True)
            asked.append(answer)
            found += [event for frame in answer.frames for event in _events(one, target, frame)]
        return sorted(found, key=lambda event: event.start_ms)[-MOST_EVENTS:], asked

    def range_of(self, panel: Json) -> Range:
        """The panel's own range where it has one (timeFrom: "90d", timeShift), else the board's. Raises Invalid."""
        found = self.range
        if own := str(panel.get("timeFrom") or ""):
            begin = own if own.startswith("now") else f"now-{own}"
            found = between(begin, "now", self._where.now, self._where.zone)
        if shift := str(panel.get("timeShift") or ""):
            back = self._where.now - moment(f"now-{shift}", self._where.now, self._where.zone)
            found = Range(found.start - back, found.end - back)
        return found

    def words(self, text: str) -> str:
        """A title with its variables filled in as a person reads them."""
        shown = {choice.name: choice.shown for choice in self.choices}
        return VARIABLE.sub(lambda found: shown.get(found[1] or found[2] or found[4], found.group()), text)

    def panel(self, panel: Json) -> list[Asked]:
        """All queries of a panel."""
        span = self.range_of(panel)
        width = float(panel.get("maxDataPoints") or (panel.get("gridPos") or {}).get("w", 12) / 24 * WIDTH_PX)
        step_ms = interval(span.span, width, str(panel.get("interval") or ""))
        return [self._ask(str(target.get("refId", "?")), str(target.get("query") or ""), {**panel, **target}, span, step_ms,
                          table=target.get("resultFormat") == "table", alias=str(target.get("alias") or ""))
                for target in panel.get("targets") or () if not target.get("hide") and target.get("query")]

    def _ask(self, ref: str, query: str, owner: Json, span: Range, step_ms: int, *, table: bool, alias: str = "") -> Asked:
        name = self._source_of(owner)
        try:
            text = fill(query, span.start, span.end, step_ms, {**self._values, **self._intervals(span, step_ms)})
        except CityError as error:
            return Asked(ref, name, query, timedelta(), error=str(error))
        began = self._ticks()
        try:
            if left := unfilled(text):
                raise Invalid("Nobody knows ${name}.", field="query", rule="variables", name=left[0])
            if self._silent is not None:
                raise self._silent
            if name not in self._sources:
                raise Invalid("There is no data source {name}.", field="datasource", rule="known", name=name)
            found = frames(ref, self._sources[name].series(text), table=table, alias=alias)
        except InfluxHeld as error:
            return Asked(ref, name, text, self._since(began), error=str(error))
        except InfluxDown as error:
            self._silent = error  # whoever is silent once would be waited for again with each query
            return Asked(ref, name, text, self._since(began), error=str(error))
        except (BadInput, Invalid) as error:
            return Asked(ref, name, text, self._since(began), error=str(error))
        kept = [_bounded(one) for one in found[:MOST_FRAMES]]
        return Asked(ref, name, text, self._since(began), tuple(kept), left_out=len(found) - len(kept))

    def _since(self, began: float) -> timedelta:
        return timedelta(seconds=self._ticks() - began)

    def _source_of(self, owner: Json) -> str:
        source = owner.get("datasource") or {}
        uid = str(source.get("uid") or "") if isinstance(source, dict) else str(source)
        if uid.startswith("$"):
            value = self._values.get(uid.strip("${}"), uid)
            uid = value if isinstance(value, str) else uid
        return uid

    def _intervals(self, span: Range, step_ms: int) -> dict[str, str]:
        """Interval variables on “auto” depend on what is shown."""
        found = {}
        for one in (self._board.get("templating") or {}).get("list") or ():
            if one.get("type") == "interval" and self._values.get(str(one.get("name"))) == AUTO:
                least = span_ms(str(one.get("auto_min") or "1ms"))
                count = int(one.get("auto_count") or 0)
                ms = max(rounded(span.span / timedelta(milliseconds=1) / count), least) if count else step_ms
                found[str(one["name"])] = f"{ms}ms" if ms % 1000 else f"{ms // 1000}s"
        return found

    def _choose(self, one: Json) -> Choice:
        name, kind = str(one.get("name", "")), str(one.get("type", ""))
        label = str(one.get("label") or name)
        error, options = "", list[tuple[str, str]]()
        if kind == "query":
            options, error = self._options(one)
        elif kind in ("custom", "interval"):
            options = _listed(str(one.get("query") or ""))
        elif kind in ("constant", "textbox", "datasource"):
            options = [(text, text) for text in [str((one.get("current") or {}).get("value") or one.get("query") or "")]]
        value, shown = self._picked(one, options)
        self._values[name] = value
        return Choice(name, label, value, shown, one.get("hide") == 2 or kind in ("constant", "datasource"), error)

    def _picked(self, one: Json, options: Sequence[tuple[str, str]]) -> tuple[Value, str]:
        """As a viewer finds it: what the board says, else the first choice; or what the caller wants."""
        name, multi = str(one.get("name", "")), bool(one.get("multi"))
        if wanted := self._chosen.get(name):
            return (tuple(wanted) if multi else wanted[0]), ", ".join(wanted)
        current = (one.get("current") or {}).get("value")
        values = [str(value) for value in current] if isinstance(current, list) else [str(current)] if current else []
        if one.get("type") == "interval" and (one.get("auto") and (not values or values[0].startswith(AUTO))):
            return AUTO, "auto"
        if one.get("includeAll") and (not values or "$__all" in values):
            every = str(one.get("allValue") or "")
            return (All(every) if every else tuple(value for _, value in options) or ALL), "All"
        known = [(text, value) for text, value in options if value in values] or list(options[:1])
        if not known:
            return "", "–"
        return (tuple(value for _, value in known) if multi else known[0][1]), ", ".join(text for text, _ in known)

    def _options(self, one: Json) -> tuple[list[tuple[str, str]], str]:
        query = one.get("query")
        text = str(query.get("query", "")) if isinstance(query, dict) else str(query or "")
        asked = self._ask(str(one.get("name", "")), text, one, self.range, 60_000, table=False)
        values = dict.fromkeys(str(value) for frame in asked.frames for field in frame.fields if field.kind != "time"
                               for value in field.values if value is not None)
        ordered = sorted(values, key=str.casefold) if one.get("sort") else list(values)
        return [(value, value) for value in ordered[:MOST_CHOICES]], asked.error


def _bounded(frame: Frame) -> Frame:
    if frame.rows <= MOST_ROWS:
        return frame
    return replace(frame, fields=tuple(replace(one, values=one.values[-MOST_ROWS:]) for one in frame.fields))


def _listed(text: str) -> list[tuple[str, str]]:
    """A custom variable's choices: value, or label : value, between commas."""
    parts = [part.strip().partition(" : ") for part in text.split(",") if part.strip()]
    return [(label.strip(), (value if colon else label).strip()) for label, colon, value in parts]


def _events(annotation: Json, target: Json, frame: Frame) -> list[Event]:
    """Grafana makes a table of the answer with columns called measurement.field: the one whose name contains textColumn is the
    text, the one that is timeEndColumn the end (response_parser.ts, transformAnnotationResponse)."""
    time = frame.time
    if time is None:
        return []

    def wanted(key: str) -> str:
        return str(annotation.get(key) or target.get(key) or "")

    called = {f"{frame.name}.{one.name}": one.values for one in frame.fields if one is not time}
    texts = next((values for name, values in called.items() if wanted("textColumn") and wanted("textColumn") in name), ())
    ends = called.get(wanted("timeEndColumn"), ())
    name, tone = str(annotation.get("name", "")), str(annotation.get("iconColor") or target.get("iconColor") or "")
    found = []
    for number, start in enumerate(time.values):
        end = ends[number] if ends else None
        if isinstance(start, int) and texts and texts[number]:
            until = int(end) if isinstance(end, int | float) and end > start else start
            found.append(Event(start, until, str(texts[number]), name, tone))
    return found
