"""A town's asset list as CSV or GeoJSON into checked rows; every bad row is named with line, column and rule."""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

import msgspec

from city import ids
from city.errors import Invalid
from city.ids import AssetId, CircuitId, DevEui, ZoneId
from city.places import LIGHTING_CLASSES, AssetKind, Restriction, Site

COLUMNS = ("asset", "kind", "name", "latitude", "longitude", "zone", "circuit", "dev_eui", "model", "power_w",
           "lighting_class", "restriction", "lighting_class_night", "designed_value", "lantern_ring", "luminaire_type",
           "min_level")
REQUIRED = ("asset", "kind", "latitude", "longitude", "zone")
MAX_BYTES = 16 * 2**20
MAX_ROWS = 100_000
MAX_NAME = 120
_SURPLUS = "\0surplus"
_YES, _NO = frozenset({"yes", "ja", "true", "1", "x"}), frozenset({"no", "nein", "false", "0"})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LampData:
    """What a list may tell of a lamp beyond where it stands; None: its column is empty or missing, and what is known
    stays."""

    lighting_class_night: str | None = None
    designed_value: float | None = None
    lantern_ring: bool | None = None
    luminaire_type: str | None = None
    min_level: int | None = None


NO_DATA = LampData()


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One asset of the list, checked. `line` is where it stood (features count from 1)."""

    line: int
    asset: AssetId
    kind: AssetKind
    name: str
    site: Site
    zone: ZoneId
    circuit: CircuitId | None
    dev_eui: DevEui | None
    model: str
    power_w: float | None
    lighting_class: str
    restriction: Restriction
    more: LampData = NO_DATA


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one row: `message` and `facts` as in CityError."""

    line: int
    column: str
    rule: str
    message: str
    facts: Mapping[str, object]

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.message.format(**self.facts)}"


def parse(data: bytes, models: Collection[str]) -> tuple[list[ImportRow], list[Problem]]:
    """The good rows and the problems of the bad ones. GeoJSON where `data` begins with "{", else CSV (UTF-8, comma or
    semicolon). `models` are the models that have a codec. Raises Invalid where there is no list to read at all."""
    if len(data) > MAX_BYTES:
        raise Invalid("The file is larger than {most} MB.", field="file", rule="size", most=MAX_BYTES // 2**20)
    rows: list[ImportRow] = []
    problems: list[Problem] = []
    first_line: dict[tuple[str, str], int] = {}
    for line, cells in _lines(data):
        row, found = _row(line, cells, models)
        found += _repeated(line, cells, first_line)
        problems += found
        if row is not None and not found:
            rows.append(row)
    if not rows and not problems:
        raise Invalid("The file lists no asset.", field="file", rule="has rows")
    return rows, problems


def _lines(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("The file is not UTF-8 text (byte {at}).", field="file", rule="UTF-8", at=error.start) from error
    lines = _geojson(text) if text.lstrip().startswith("{") else _csv(text)
    for number, item in enumerate(lines):
        if number >= MAX_ROWS:
            raise Invalid("The file lists more than {most} assets.", field="file", rule="rows", most=MAX_ROWS)
        yield item


def _csv(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in head else ",", strict=True)
    try:
        _check_columns([(name or "").strip() for name in reader.fieldnames or []])
        for cells in reader:
            surplus = cells.pop(None, None)
            named = {key.strip(): (value or "").strip() for key, value in cells.items()}
            if surplus:
                named[_SURPLUS] = ""
            yield reader.line_num, named
    except csv.Error as error:
        raise Invalid("Line {line} is not CSV: {what}.", field="file", rule="CSV", line=reader.line_num,
                      what=str(error)) from error


def _check_columns(names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise Invalid("The column “{column}” is missing.", field="file", rule="columns", column=missing[0])
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise Invalid("The column “{column}” is not known. Columns are: {known}.", field="file", rule="columns",
                      column=unknown[0][:64], known=", ".join(COLUMNS))
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise Invalid("The column “{column}” stands there twice.", field="file", rule="columns", column=twice[0])


def _geojson(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        collection = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("The file is not JSON: {what}.", field="file", rule="JSON", what=str(error)) from error
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list):
        raise Invalid("The file is no GeoJSON FeatureCollection.", field="file", rule="GeoJSON")
    for line, feature in enumerate(features, start=1):
        yield line, _feature(feature)


def _feature(feature: object) -> dict[str, str]:
    cells: dict[str, str] = {}
    if not isinstance(feature, dict):
        return cells
    properties = feature.get("properties")
    if isinstance(properties, dict):
        cells = {str(key): "" if value is None else str(value).strip() for key, value in properties.items()
                 if str(key) in COLUMNS}
    geometry = feature.get("geometry")
    point = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
    if isinstance(point, list) and len(point) >= 2:
        cells["longitude"], cells["latitude"] = str(point[0]), str(point[1])
    return cells


class _Cells:
    """One row's cells, read one by one; what is wrong with any is collected and the reading goes on."""

    def __init__(self, line: int, cells: Mapping[str, str]) -> None:
        self.line, self._cells = line, cells
        self.problems: list[Problem] = []

    def text(self, column: str) -> str:
        return self._cells.get(column, "")

    def bad(self, column: str, rule: str, message: str, **facts: object) -> None:
        self.problems.append(Problem(self.line, column, rule, message, facts))

    def read(self, column: str, parse: Callable[[str], T], default: T) -> T:
        """The cell as `parse` reads it; `default` where it is empty, or where it is wrong (and said so)."""
        text = self.text(column)
        if not text:
            if column in REQUIRED:
                self.bad(column, "required", "A value is needed.")
            return default
        try:
            return parse(text)
        except Invalid as error:
            self.bad(column, error.rule, error.message, **error.facts)
            return default

    def number(self, column: str, low: float, high: float) -> float | None:
        return self.read(column, lambda text: _number(text, low, high), None)


def _number(text: str, low: float, high: float) -> float | None:
    try:
        value = float(text.replace(",", ".").replace("_", "?"))  # Python reads 5_1 as 51
    except ValueError:
        raise Invalid("“{value}” is no number.", rule="number", value=text[:40]) from None
    if not (isfinite(value) and low <= value <= high):
        raise Invalid("{value} does not lie between {low} and {high}.", rule="range", value=value, low=low, high=high)
    return value


def _kind(text: str) -> AssetKind | None:
    match text:
        case "lamp":
            return "lamp"
        case "bay":
            return "bay"
    raise Invalid("“{value}” is neither lamp nor bay.", rule="kind", value=text[:40])


def _restriction(text: str) -> Restriction:
    try:
        return Restriction(text)
    except ValueError:
        raise Invalid("“{value}” is not one of disabled, charging, resident, crosswalk.", rule="restriction",
                      value=text[:40]) from None


def _yes_no(text: str) -> bool | None:
    word = text.casefold()
    if word not in _YES | _NO:
        raise Invalid("“{value}” is neither yes nor no.", rule="yes or no", value=text[:40])
    return word in _YES


def _lighting_class(text: str) -> str:
    if text not in LIGHTING_CLASSES:
        raise Invalid("“{value}” is no lighting class of EN 13201-2 (M1…M6, C0…C5, P1…P7).", rule="EN 13201-2",
                      value=text[:40])
    return text


def _label(text: str) -> str:
    if len(text) > MAX_NAME or not text.isprintable():
        raise Invalid("A name has at most {most} printable characters.", rule="name", most=MAX_NAME)
    return text


def _row(line: int, named: Mapping[str, str], models: Collection[str]) -> tuple[ImportRow | None, list[Problem]]:
    cells = _Cells(line, named)
    if _SURPLUS in named:
        cells.bad("row", "columns", "The row has more cells than there are columns.")
    asset = cells.read("asset", ids.asset_id, AssetId(""))
    kind = cells.read("kind", _kind, None)
    latitude, longitude = cells.number("latitude", -90, 90), cells.number("longitude", -180, 180)
    name = cells.read("name", _label, "") or str(asset)
    zone = cells.read("zone", ids.zone_id, ZoneId(""))
    circuit = cells.read("circuit", lambda text: CircuitId(ids.circuit_id(text)), None)
    eui = cells.read("dev_eui", lambda text: DevEui(ids.dev_eui(text)), None)
    model = cells.text("model")
    power = cells.number("power_w", 0, 5000)
    lighting_class = cells.read("lighting_class", _lighting_class, "")
    restriction = cells.read("restriction", _restriction, Restriction.NONE)
    more = _lamp_data(cells)
    if model and model not in models:
        cells.bad("model", "known model", "There is no codec for the model “{value}”. Describe it first, under Models: without a "
                  "script, what the network server decodes is kept.", value=model[:64])
    if bool(model) != bool(cells.text("dev_eui")):
        cells.bad("model" if not model else "dev_eui", "both or neither", "A device needs both dev_eui and model.")
    if kind is not None and restriction is not Restriction.NONE \
            and (kind == "lamp") != (restriction is Restriction.CROSSWALK):
        cells.bad("restriction", "fits the kind", "“{value}” does not fit a {kind}.", value=restriction.value,
                  kind=kind)
    if cells.problems or kind is None or latitude is None or longitude is None:
        return None, cells.problems
    return ImportRow(line, asset, kind, name, Site(latitude, longitude), zone, circuit, eui, model, power,
                     lighting_class, restriction, more), []


def _lamp_data(cells: _Cells) -> LampData:
    least = cells.number("min_level", 0, 100)
    return LampData(cells.read("lighting_class_night", _lighting_class, None), cells.number("designed_value", 0.01, 500),
                    cells.read("lantern_ring", _yes_no, None), cells.read("luminaire_type", _label, None),
                    None if least is None else round(least))


def _repeated(line: int, named: Mapping[str, str], first_line: dict[tuple[str, str], int]) -> list[Problem]:
    """A problem for each of asset and dev_eui that an earlier line has already named."""
    problems = []
    for column in ("asset", "dev_eui"):
        value = _compared(column, named.get(column, "").lower())
        first = first_line.setdefault((column, value), line) if value else line
        if first != line:
            problems.append(Problem(line, column, "unique", "“{value}” stands in line {first} already.",
                                    {"value": value[:64], "first": first}))
    return problems


def _compared(column: str, text: str) -> str:
    """A DevEUI is the same however it is separated."""
    return re.sub("[-: ]", "", text) if column == "dev_eui" else text
