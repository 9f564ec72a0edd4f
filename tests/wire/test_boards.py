"""Every query of every board, its variables and its annotations, as Grafana sends them to a real influxd: asked of databases that
hold nothing, and of such in which every quantity of the boards stands once an interval, for two towns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from city import figures
from city.figures import SHEETS
from city.ids import TenantId
from city.quantities import LAMP_ENERGY, LAMP_POWER, Kind, Quantity
from city.readings import to_ns
from city.settings import Influx
from city.store.figure_lines import line
from city.store.influx import InfluxDB
from dashboards import derived
from dashboards.board import Board, Choice, Means, Panel, Query, Source
from dashboards.boards import BOARDS, PLATFORM, lighting
from dashboards.fill import ALL, Value, fill, interval, span_ms, unfilled
from tests.wire.influxd import Influxd, influxd

pytestmark = pytest.mark.wire

TOWN, OTHER = TenantId("ahausen"), TenantId("beheim")
END = datetime(2026, 11, 22, 20, tzinfo=UTC)
ZONES, CIRCUITS, GATEWAYS = ("Altstadt", "Süd/1"), ("K1", "K2"), ("g1", "g2")
LAMPS, BAYS = ("L-1", "L-2", "L-3", "L-4"), ("P-1", "P-2")
OWN = "raw/acme/x1"  # what is said there nobody has mapped
CHOSEN: Mapping[str, Value] = {"zone": ALL, "circuit": ALL, "gateway": ALL, "process": ALL, "asset": "L-1", "bay": "P-1",
                               "own": OWN, "own_bays": OWN}
NARROW: Mapping[str, Value] = {**CHOSEN, "zone": ("Süd/1",), "circuit": ("K1", "K2"), "gateway": ("g1",),
                               "process": ("bridge-1", "api-1")}


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a board, and how it is to be asked."""

    board: Board
    panel: Panel
    query: Query

    @property
    def quantity(self) -> Quantity:
        return self.query.quantity

    @property
    def means(self) -> Means:
        return self.query.means

    def filled(self, variables: Mapping[str, Value]) -> str:
        back = self.panel.time_from or self.board.since.removeprefix("now-")
        span = timedelta(milliseconds=span_ms(back))
        said = fill(self.query.text, END - span, END, interval(span, 800, self.panel.shortest), variables)
        assert not unfilled(said), said
        return said


def boards() -> list[Board]:
    return [*(make(TOWN, "https://stadt.example") for make in BOARDS), PLATFORM()]


def asked() -> list[object]:
    return [pytest.param(Asked(board, panel, query), id=f"{board.name}-{number}{'abcdefghijklmnop'[at]}")
            for board in boards() for number, panel in enumerate(one for one in board.panels() if isinstance(one, Panel))
            for at, query in enumerate(panel.queries)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield running


class Databases:
    """What a town's data sources stand for, here one database each."""

    def __init__(self, server: Influxd, name: str) -> None:
        self._open = {source: InfluxDB(Influx(url=server.url, bucket=f"{name}_{source.value}", api="1"), creates=True)
                      for source in Source}

    def of(self, source: Source) -> InfluxDB:
        return self._open[source]

    def fill(self) -> None:
        for source, database in self._open.items():
            written = [one for tenant in (TOWN, OTHER) for one in lines_of(source, tenant)]
            for first in range(0, len(written), 5000):
                database.write(written[first:first + 5000])


@pytest.fixture(scope="module")
def empty(server: Influxd) -> Databases:
    made = Databases(server, "empty")
    for source in Source:
        made.of(source).write([b"nothing here=1 1"])  # so that the database is there
    return made


@pytest.fixture(scope="module")
def filled(server: Influxd) -> Databases:
    made = Databases(server, "filled")
    made.fill()
    return made


def lines_of(source: Source, tenant: TenantId) -> Iterator[bytes]:
    """Each quantity that a board asks this source for, through three days; the other town's values are others."""
    asking = [panel for board in boards() for panel in board.panels() if panel.source is source]
    off = 7 if tenant == OTHER else 0
    if source is Source.PLATFORM:
        yield from (each for at in steps(15) for each in figure_points("platform", tenant, at, off))
        yield from (each for at in steps(15) for each in figure_points("letters", tenant, at, off))
        return
    rolled = source in (Source.HOURS, Source.DAYS)
    shown = {query.quantity for panel in asking for query in panel.queries} | {
        column.quantity for panel in asking if isinstance(panel, Panel) for column in panel.columns if column.quantity}
    shown = {one for one in shown if one.measurement not in SHEETS}
    shown = {LAMP_ENERGY if one is derived.LAMP_ENERGY_GAIN else one for one in shown}  # what that is worked out from
    for at in steps({Source.HOURS: 60, Source.DAYS: 1440}.get(source, 30)):
        for number, asset in enumerate(BAYS if source is Source.BAYS else LAMPS):
            yield from readings(tenant, asset, number, shown, at, rolled=rolled, off=off)
        if source is Source.RAW:
            for sheet in SHEETS:
                if sheet not in ("platform", "letters"):
                    yield from figure_points(sheet, tenant, at, off)


def steps(minutes: int) -> list[int]:
    days = 30 if minutes == 1440 else 3
    return [to_ns(END - timedelta(minutes=minutes * back + 1)) for back in range(days * 1440 // minutes)]


def readings(tenant: str, asset: str, number: int, shown: set[Quantity], at: int, *, rolled: bool,
             off: int) -> Iterator[bytes]:
    zone, circuit = ZONES[number % 2], CIRCUITS[number % 2]
    where = f"asset={asset},circuit={circuit},device=d{asset},tenant={tenant},zone={zone}"
    by_measurement: dict[str, dict[str, str]] = {}
    for quantity in shown:
        for field, said in fields(quantity, at, rolled=rolled, off=off):
            by_measurement.setdefault(OWN if quantity is derived.RAW_VALUE else quantity.measurement, {})[field] = said
    for measurement, every in by_measurement.items():
        yield f"{measurement},{where} {','.join(f'{key}={value}' for key, value in sorted(every.items()))} {at}".encode()


def fields(quantity: Quantity, at: int, *, rolled: bool, off: int) -> Iterator[tuple[str, str]]:
    value = some(quantity, off)
    if quantity.counts_up:
        value = at // 10**9 / 3600
    kinds = {Kind.FLOAT: repr(float(value)), Kind.INT: f"{int(value)}i", Kind.BOOL: "true", Kind.TEXT: f'"{off}ab"'}
    if not rolled:
        yield quantity.field, kinds[quantity.kind]
    elif quantity.counts_up:
        yield f"{quantity.field}_last", kinds[quantity.kind]
    else:
        yield from ((f"{quantity.field}_{part}", repr(float(value))) for part in ("mean", "min", "max"))
    if rolled:
        yield f"{quantity.field}_count", "4i"


def some(quantity: Quantity, off: int) -> float:
    """A value in the quantity's range; the other town's is not this town's."""
    low, high = quantity.low if quantity.low is not None else -10.0, quantity.high if quantity.high is not None else 50.0
    share = 0.9 if off else 0.5
    return low + share * (min(high, 4000) - low)


def figure_points(sheet: str, tenant: TenantId, at: int, off: int) -> Iterator[bytes]:
    kinds = ("lamp", "bay") if sheet == "fleet" else ("override", "program", "incident")
    each: dict[str, tuple[str, ...]] = {
        "zone": ZONES, "circuit": CIRCUITS[:1], "kind": kinds, "gateway": GATEWAYS, "cause": ("circuit",),
        "process": ("bridge", "api", "simulator"), "name": ("bridge-1", "api-1"), "reason": ("Truncated",)}
    said: dict[Quantity, float | int | str | None] = {}
    for quantity in figures.figures():
        if quantity.measurement == sheet:
            value = some(quantity, off)
            words = {"incident.state": "standing", "override.state": "active", "incident.severity": "major"}
            said[quantity] = words.get(quantity.name, f"{off}ä") if quantity.kind is Kind.TEXT else \
                quantity.kind is Kind.BOOL or (int(value) if quantity.kind is Kind.INT else value)
    places: list[dict[str, str]] = [{}]
    for tag in SHEETS[sheet].tags:
        if tag == "tenant":
            places = [{**place, tag: tenant} for place in places]
        elif tag in each:
            places = [{**place, tag: value} for place in places for value in each[tag]]
    for place in places:
        made = line(sheet, place, said, at)
        assert made is not None
        yield made


@pytest.mark.parametrize("one", asked())
@pytest.mark.parametrize("variables", [CHOSEN, NARROW], ids=["all", "chosen"])
def test_every_query_is_understood_where_there_is_nothing(empty, one, variables):
    rows = empty.of(one.panel.source).query(one.filled(variables))
    shown = [row.get(one.quantity.field) for row in rows]
    assert all(value in (None, 0) for value in shown), rows[:3]


@pytest.mark.parametrize("one", asked())
@pytest.mark.parametrize("variables", [CHOSEN, NARROW], ids=["all", "chosen"])
def test_every_query_shows_this_towns_values_in_the_quantitys_range(filled, one, variables):
    quantity = one.quantity
    rows = filled.of(one.panel.source).query(one.filled(variables))
    names = {quantity.field, f"mean_{quantity.field}"} if one.panel.whole else {quantity.field}
    values = [row[name] for row in rows for name in names if row.get(name) is not None]
    assert values, one.filled(variables)
    assert one.panel.whole or {row["zone"] for row in rows if row.get("zone")} <= (
        set(ZONES) if variables is CHOSEN else {"Süd/1"})
    assert len(rows) <= 3000
    if quantity.kind in (Kind.TEXT, Kind.BOOL):
        return
    low, high = quantity.low, quantity.high
    assert low is None or all(value >= low for value in values), (min(values), low)
    if one.means is Means.VALUE and high is not None:
        assert all(value <= high for value in values), (max(values), high)
        if one.board.tenant is not None and not quantity.counts_up and "share" not in quantity.name and quantity.name not in (
                "energy.saving", "energy.against", "parking.occupancy"):
            assert all(value == pytest.approx(some(quantity, 0), rel=0.02, abs=1) for value in values)  # none of the other town


def test_the_power_of_a_zone_is_that_of_all_its_lamps(filled):
    [panel] = [one for one in lighting(TOWN).panels() if isinstance(one, Panel) and one.title and one.title.en == "Power by zone"]
    rows = filled.of(panel.source).query(Asked(lighting(TOWN), panel, panel.queries[0]).filled(CHOSEN))
    assert {row["zone"] for row in rows} == set(ZONES)
    assert all(row["power"] == pytest.approx(some(LAMP_POWER, 0) * len(LAMPS) / len(ZONES)) for row in rows)
    assert 22 <= len(rows) <= 24  # twelve hours, two zones


def test_a_level_that_is_wanted_lies_beside_that_which_is_obeyed(filled):
    [panel] = [one for one in lighting(TOWN).panels() if isinstance(one, Panel) and one.title and one.title.en == "Level by zone"]
    obeyed, wanted = ({row["zone"] for row in filled.of(panel.source).query(Asked(lighting(TOWN), panel, query).filled(CHOSEN))}
                      for query in panel.queries)
    assert obeyed == wanted == set(ZONES)


@pytest.mark.parametrize(("measurement", "variable"), [
    pytest.param(board.name, one, id=f"{board.name}-{one.name}") for board in boards() for one in board.variables
    if one.choice is Choice.ASKED])
def test_every_variable_offers_what_there_is(empty, filled, measurement, variable):
    query = fill(variable.query, END - timedelta(days=1), END, 60_000, CHOSEN)
    assert not unfilled(query)
    there = {"zone": ZONES, "circuit": CIRCUITS[:1] if measurement == "energy" else CIRCUITS, "gateway": GATEWAYS, "asset": LAMPS,
             "bay": BAYS, "process": ("bridge-1", "api-1"), "own": (OWN,), "own_bays": (OWN,)}
    assert {row.get("value", row["name"]) for row in filled.of(variable.source).query(query)} == set(there[variable.name])
    assert empty.of(variable.source).query(query) == []


@pytest.mark.parametrize("annotation", [pytest.param(one, id=f"{board.name}-{one.name.en}")
                                        for board in boards() for one in board.annotations])
def test_every_annotation_has_the_columns_that_grafana_looks_for(empty, filled, annotation):
    for language in ("de", "en"):
        query = fill(annotation.queries(language), END - timedelta(days=1), END, 60_000, CHOSEN)
        assert not unfilled(query)
        rows = filled.of(Source.RAW).query(query)
        assert rows
        assert len(rows) <= 200
        assert all(row["text"] == "0ä" and isinstance(row["until"], int) for row in rows)
        assert empty.of(Source.RAW).query(query) == []
