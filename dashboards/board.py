"""What a board is made of, before it is anyone's JSON. Units, ranges, thresholds and names come from the Quantity; what else is
read is German and English."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal

from city.ids import TenantId
from city.quantities import Kind, Quantity

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")
WIDTH = 24  # columns of Grafana's grid


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages."""

    de: str
    en: str

    def __call__(self, language: Language) -> str:
        return self.de if language == "de" else self.en


@dataclass(frozen=True, slots=True)
class Unit:
    """How Grafana shows a unit: its name for it, and digits behind the point."""

    grafana: str
    decimals: int


class Source(Enum):
    """Which data source a panel asks: the name that its UID is made of."""

    RAW = "influxdb"  # a town's readings and figures
    HOURS = "hours"  # means, extremes and counts of hours …
    DAYS = "days"  # … and of UTC days: city.store.aggregates
    BAYS = "bays"  # readings of single bays
    PLATFORM = "platform"  # no town's: what the platform says of itself


class Look(Enum):
    """How a panel shows what its queries give."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    BARS = "bargauge"  # one bar for each series, its newest value
    SPREAD = "histogram"  # how the rows of a table are distributed
    AGE = "age"  # one number: how long ago the newest value was true


class Means(Enum):
    """What a query's numbers are."""

    VALUE = "a value of the quantity, or a mean of such"
    SUM = "a sum of values: the quantity's upper limit does not hold"
    COUNT = "how many there are: no unit"


class Draw(Enum):
    """How a time series is drawn."""

    LINE = "line"  # from value to value
    STEPS = "steps"  # a value holds until the next
    BARS = "bars"  # what came together in a step
    STACKED = "stacked"  # such parts of a whole, one upon the other
    AREA = "area"  # samples of parts of a whole, one upon the other


@dataclass(frozen=True, slots=True)
class Link:
    """Where a click leads. `url` has Grafana's own variables in it, encoded by it (:percentencode)."""

    title: Text
    url: Text


@dataclass(frozen=True, slots=True)
class Query:
    """InfluxQL, and what comes out. `legend` is Grafana's alias ("$tag_zone"; None: the quantity's name). `dashed`, `colour` and
    `draw` tell it from the panel's other queries."""

    text: str
    quantity: Quantity
    means: Means = Means.VALUE
    legend: Text | str | None = None
    dashed: bool = False
    colour: str = ""
    draw: Draw | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table as the query names it. Name, unit and thresholds are the quantity's where one is given; `title` and
    `unit` replace them; `words`: what its values are called. A hidden column only feeds links; `only`: hidden in the other
    language. `facets`: it stands for columns name_… too (city.store.lines), called by the quantity's name and what follows."""

    name: str
    quantity: Quantity | None = None
    title: Text | None = None
    unit: Unit | None = None
    links: tuple[Link, ...] = ()
    words: Mapping[str, Text] = field(default_factory=dict)
    hidden: bool = False
    only: Language | None = None
    width: int = 0
    facets: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Queries of one data source and how they are shown; `height` in grid rows, `width` in grid columns. Without a title it bears
    the first quantity's name. `unit` replaces the quantity's. `shortest` is the shortest step of $__interval; `time_from` ("90d")
    replaces the board's range. `columns` are a table's; others are shown by their own names. `sort`: a table's first order, "-"
    before it: the largest first. `bridge_s`: lines are drawn across gaps of so many seconds. `bucket`: the width of a histogram's
    bars; 0: Grafana chooses. `whole`: its query asks for all fields of a measurement, whichever there are; those of the `columns`
    get names and units, also in a chart."""

    queries: tuple[Query, ...]
    look: Look
    width: int
    height: int
    title: Text | None = None
    help: Text | None = None
    source: Source = Source.RAW
    unit: Unit | None = None
    draw: Draw = Draw.LINE
    columns: tuple[Column, ...] = ()
    sort: str = ""
    links: tuple[Link, ...] = ()
    shortest: str = ""
    time_from: str = ""
    bridge_s: int = 3 * 3600
    thresholds: bool = True
    bucket: float = 0
    whole: bool = False

    @property
    def quantity(self) -> Quantity:
        """The first query's: title, unit and range of the panel."""
        return self.queries[0].quantity

    @property
    def means(self) -> Means:
        return self.queries[0].means


@dataclass(frozen=True, slots=True)
class Raw:
    """A panel given as Grafana's JSON, in both languages, without `id` and `gridPos`."""

    width: int
    height: int
    de: Mapping[str, Any]
    en: Mapping[str, Any]
    queries: tuple[Query, ...] = ()
    source: Source = Source.RAW

    def __call__(self, language: Language) -> Mapping[str, Any]:
        return self.de if language == "de" else self.en


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading; each takes the highest place that is free, and there the leftmost. A collapsed row asks nothing
    until somebody opens it."""

    title: Text
    panels: tuple[Panel | Raw, ...]
    collapsed: bool = False


class Choice(Enum):
    """Where a variable's choices come from."""

    ASKED = "query"
    GIVEN = "custom"
    STEPS = "interval"


@dataclass(frozen=True, slots=True)
class Variable:
    """What a viewer may choose on top of the board. Made by `asked`, `given`, `interval`."""

    name: str
    title: Text
    choice: Choice
    query: str = ""
    multi: bool = False
    options: tuple[tuple[Text, str], ...] = ()
    source: Source = Source.RAW
    hidden: bool = False

    @classmethod
    def asked(cls, name: str, title: Text, query: str, *, multi: bool = True, source: Source = Source.RAW,
              hidden: bool = False) -> "Variable":
        """`query` lists the choices; `multi`: several, or all. `hidden`: it follows from the others."""
        return cls(name, title, Choice.ASKED, query, multi, source=source, hidden=hidden)

    @classmethod
    def given(cls, name: str, title: Text, options: tuple[tuple[Text, str], ...]) -> "Variable":
        """One of fixed choices, label and value; the first is chosen. A value has no comma or colon in it."""
        return cls(name, title, Choice.GIVEN, options=options)

    @classmethod
    def custom(cls, name: str, title: Text, options: tuple[tuple[str, str], ...]) -> "Variable":
        """As `given`, with labels that are the same in both languages."""
        return cls.given(name, title, tuple((Text(label, label), value) for label, value in options))

    @classmethod
    def interval(cls) -> "Variable":
        """$interval: the step of charts, by itself (as $__interval) or chosen."""
        return cls("interval", Text("Schritt", "Step"), Choice.STEPS)


@dataclass(frozen=True, slots=True)
class Annotation:
    """Events drawn into every chart of the board: a query for each language, whose columns are time, `text`, and `until` in ms; a
    row without one of them is not drawn."""

    name: Text
    queries: Text
    colour: str

    @property
    def query(self) -> str:
        """The German one."""
        return self.queries.de


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard of one town, or of none: the platform's. `name` is its key for ever: the UID is made of it and the tenant."""

    name: str
    tenant: TenantId | None
    title: Text
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    links: tuple[Link, ...] = ()
    help: Text = Text("", "")
    since: str = "now-24h"
    refresh: str = "1m"
    tags: tuple[str, ...] = field(default=("stadtfunk",))

    def panels(self) -> Iterator[Panel | Raw]:
        """All of them, row by row."""
        for row in self.rows:
            yield from row.panels


COUNT = Unit("none", 0)
AGE = Unit("dateTimeFromNow", 0)
MOMENT = Unit("dateTimeAsLocalNoDateIfToday", 0)  # ms since 1970

UNITS: Mapping[str, Unit] = MappingProxyType({  # UCUM, as in the Quantity table
    "": Unit("none", 2),
    "%": Unit("percent", 0),
    "1": Unit("percentunit", 0),
    "W": Unit("watt", 1),
    "W.h": Unit("watth", 1),
    "V": Unit("volt", 1),
    "A": Unit("amp", 2),
    "s": Unit("s", 0),
    "ms": Unit("ms", 0),
    "min": Unit("m", 0),
    "h": Unit("suffix: h", 1),  # hours, also where they are many
    "kg": Unit("masskg", 1),
    "EUR": Unit("currencyEUR", 2),
    "MB": Unit("decmbytes", 0),
    "lx": Unit("lux", 0),
    "deg": Unit("degree", 1),
    "Cel": Unit("celsius", 1),
    "dB": Unit("dB", 1),
    "dB[mW]": Unit("dBm", 0),
    "[g]": Unit("accG", 2),
    "deg/s": Unit("rotdegs", 1),
    "Hz": Unit("rothz", 2),
    "hPa": Unit("pressurehpa", 1),
    "m": Unit("lengthm", 2),
    "[ppm]": Unit("ppm", 0),
})


def unit_of(quantity: Quantity) -> Unit:
    """How Grafana shows the quantity; whole numbers and truth have no digits behind the point. A unit that Grafana has no
    name for stands behind the number as it is."""
    unit = UNITS.get(quantity.unit) or Unit(f"suffix: {quantity.unit}", 2)
    if quantity.unit == "s" and quantity.counts_up:  # years
        return Unit(unit.grafana, 1)
    return unit if quantity.kind is Kind.FLOAT else Unit(unit.grafana, 0)
