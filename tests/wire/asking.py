"""Boards' queries, asked of a real InfluxDB as Grafana does: of their data source's bucket, macros and variables filled in."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter

from city.ids import TenantId
from city.quantities import Quantity
from city.settings import Influx
from city.store.aggregates import settings_of, spans
from city.store.influx import InfluxDB, Row
from city.store.influx_bays import bays_settings
from city.store.influx_places import of_platform, of_town
from dashboards.board import WIDTH, Annotation, Board, Choice, Panel, Query, Raw, Source, Variable
from dashboards.fill import ALL, Value, fill, interval, span_ms, unfilled

SCREEN_PX = 1600.0


def bucket(settings: Influx, tenant: TenantId | None, source: Source) -> Influx:
    """What the data source of that UID reads."""
    if tenant is None or source is Source.PLATFORM:
        return of_platform(settings)
    town = of_town(settings, tenant)
    hours, days = spans(town)
    return {Source.RAW: town, Source.HOURS: settings_of(hours, town), Source.DAYS: settings_of(days, town),
            Source.BAYS: bays_settings(town)}[source]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a query of a panel gives, and how long that took."""

    board: str
    panel: Panel | Raw
    query: Query
    rows: Sequence[Row]
    seconds: float
    text: str

    @property
    def name(self) -> str:
        """For people."""
        place = "" if self.panel.source in (Source.RAW, Source.PLATFORM) else f" ({self.panel.source.value})"
        return f"{self.board}: {named(self.panel)}{place} [{self.query.quantity.name}]"

    def said(self) -> list[float | str]:
        """What comes out of the quantity: numbers, truth as one, and words."""
        name = self.query.quantity.field
        return [row[name] for row in self.rows if row.get(name) is not None]

    def values(self) -> list[float]:
        """Its numbers."""
        return [float(value) for value in self.said() if not isinstance(value, str)]


class Viewer:
    """Somebody before a board, who has chosen a range. Keeps its connections until `close`."""

    def __init__(self, settings: Influx, start: datetime, end: datetime, *, places: Mapping[str, str] | None = None) -> None:
        """`places`: other names for buckets."""
        self._settings, self.start, self.end, self._names = settings, start, end, places or {}
        self._open: dict[str, InfluxDB] = {}
        self._stack = ExitStack()

    def close(self) -> None:
        self._stack.close()

    def database(self, tenant: TenantId | None, source: Source) -> InfluxDB:
        name = self.bucket(tenant, source)
        if name not in self._open:
            self._open[name] = self._stack.enter_context(closing(InfluxDB(replace(self._settings, bucket=name))))
        return self._open[name]

    def bucket(self, tenant: TenantId | None, source: Source) -> str:
        """The name of the bucket that is asked."""
        name = bucket(self._settings, tenant, source).bucket
        return self._names.get(name, name)

    def choices(self, board: Board, variable: Variable) -> list[str]:
        """What a variable offers."""
        if variable.choice is not Choice.ASKED:
            return [value for _, value in variable.options]
        text = fill(variable.query, self.start, self.end, 60_000, self._chosen(board, {}, only_before=variable.name))
        return [str(row.get("value", row["name"])) for row in self.database(board.tenant, variable.source).query(text)]

    def asks(self, board: Board, **chosen: Value) -> Iterator[Shown]:
        """All queries of all panels; what is not chosen is All, or the first choice."""
        variables = self._chosen(board, chosen)
        for panel in board.panels():
            for query in panel.queries:
                yield self.ask(board, panel, query, variables)

    def ask(self, board: Board, panel: Panel | Raw, query: Query, variables: Mapping[str, Value] | None = None, *,
            every: timedelta | None = None) -> Shown:
        """One of them; `every`: the step that the viewer has chosen. AssertionError where a macro or variable is left that nobody
        fills in."""
        variables = self._chosen(board, {}) if variables is None else variables
        start, step_ms = self.start, 60_000
        if isinstance(panel, Panel):
            start = self.end - timedelta(milliseconds=span_ms(panel.time_from)) if panel.time_from else start
            step_ms = interval(self.end - start, SCREEN_PX * panel.width / WIDTH, panel.shortest)
        step_ms = step_ms if every is None else every // timedelta(milliseconds=1)
        text = fill(query.text, start, self.end, step_ms, variables)
        assert unfilled(text) == [], f"{board.name}: {named(panel)}: {text}"
        begun = perf_counter()
        rows = self.database(board.tenant, panel.source).query(text)
        return Shown(board.name, panel, query, rows, perf_counter() - begun, text)

    def annotates(self, board: Board, annotation: Annotation, language: str) -> list[Row]:
        """What an annotation says."""
        text = fill(annotation.queries.de if language == "de" else annotation.queries.en, self.start, self.end, 60_000,
                    self._chosen(board, {}))
        assert unfilled(text) == [], text
        return self.database(board.tenant, Source.RAW if board.tenant else Source.PLATFORM).query(text)

    def _chosen(self, board: Board, chosen: Mapping[str, Value], only_before: str = "") -> dict[str, Value]:
        found: dict[str, Value] = {}
        for variable in board.variables:
            if variable.name == only_before:
                break
            if variable.name in chosen:
                found[variable.name] = chosen[variable.name]
            elif variable.choice is Choice.ASKED:
                found[variable.name] = ALL if variable.multi else next(iter(self.choices(board, variable)), "")
            elif variable.choice is Choice.GIVEN:
                found[variable.name] = variable.options[0][1]
        return found


def named(panel: Panel | Raw) -> str:
    """A panel's title, or what stands for it."""
    if isinstance(panel, Raw):
        return str(panel.en.get("title", "raw"))
    return panel.title.en if panel.title is not None else panel.quantity.name


def of(shown: Sequence[Shown], quantity: Quantity) -> list[Shown]:
    """Those about a quantity. AssertionError where no panel is."""
    found = [one for one in shown if one.query.quantity.name == quantity.name]
    assert found, f"no panel shows {quantity.name}"
    return found
