"""What a board is made of, before it is anyone's JSON. Titles are German and English; units come from the Quantity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Literal

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


class Look(Enum):
    """How a panel shows what its query gives."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    AGE = "age"  # one number: how long ago the newest value was true


@dataclass(frozen=True, slots=True)
class Panel:
    """One query and how it is shown. `legend` is Grafana's alias ("$tag_zone"); `height` in grid rows, `width` in
    grid columns. `total`: the value is a sum or a count, so that the quantity's upper limit does not hold for it;
    `unit` replaces the quantity's where the value is a count. `shortest` is the shortest step of $__interval."""

    title: Text
    help: Text
    query: str
    quantity: Quantity
    look: Look
    width: int
    height: int
    legend: str = ""
    total: bool = False
    unit: Unit | None = None
    shortest: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, placed from left to right."""

    title: Text
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a viewer may choose on top of the board; `query` lists the choices."""

    name: str
    title: Text
    query: str


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard of one town. `name` is its key for ever: the UID is made of it and the tenant."""

    name: str
    tenant: TenantId
    title: Text
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    since: str = "now-24h"
    refresh: str = "1m"
    tags: tuple[str, ...] = field(default=("stadtfunk",))


COUNT = Unit("none", 0)
AGE = Unit("dateTimeFromNow", 0)

UNITS: Mapping[str, Unit] = MappingProxyType({  # UCUM, as in the Quantity table
    "": Unit("none", 2),
    "%": Unit("percent", 0),
    "W": Unit("watt", 1),
    "W.h": Unit("watth", 0),
    "V": Unit("volt", 1),
    "A": Unit("amp", 2),
    "s": Unit("s", 0),
    "min": Unit("m", 0),
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
    return unit if quantity.kind is Kind.FLOAT else Unit(unit.grafana, 0)
