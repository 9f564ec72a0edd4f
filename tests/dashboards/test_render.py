"""Boards as Grafana reads them: complete, placed without overlap, the same bytes each time, in two languages."""

import json
import re
from collections.abc import Iterator

import pytest

from city.figures import FAULTS_INCIDENTS, PARKING_COVERAGE, figures
from city.grafana import MAX_UID, uid
from city.ids import TenantId
from city.quantities import LAMP_LEVEL, LAMP_POWER, RADIO_RSSI, quantities
from dashboards import colours
from dashboards.board import LANGUAGES, UNITS, Board, Column, Look, Panel, Query, Row, Source, Text, Variable, unit_of
from dashboards.boards import BOARDS, PLATFORM
from dashboards.render import dashboard, placed, render, source_uid
from dashboards.render_panel import help_of, panel_json, thresholds

TOWN = TenantId("ahausen")
CONSOLE = "https://stadt.example"
KNOWN_PANELS = {"row", "timeseries", "stat", "table", "bargauge", "histogram", "canvas"}
SIMPLE = Panel((Query("SELECT 1", LAMP_LEVEL),), Look.LINES, 12, 8)

boards = pytest.mark.parametrize("board", [*(make(TOWN, CONSOLE) for make in BOARDS), PLATFORM(CONSOLE)],
                                 ids=lambda board: board.name)
languages = pytest.mark.parametrize("language", LANGUAGES)


def panels_of(said: dict) -> Iterator[dict]:
    """All panels, also those in rows that are folded."""
    for panel in said["panels"]:
        yield panel
        yield from panel.get("panels", [])


@boards
def test_the_same_board_is_the_same_bytes(board):
    assert render(board, "de") == render(board, "de")


@boards
@languages
def test_what_grafana_asks_for_is_there(board, language):
    said = dashboard(board, language)
    assert said["uid"] == uid(board.tenant, board.name)
    assert (said["schemaVersion"], said["timezone"], said["editable"]) == (39, "Europe/Berlin", False)
    assert said["time"]["from"].startswith("now-")
    for panel in panels_of(said):
        assert panel["type"] in KNOWN_PANELS
        assert {"id", "title", "gridPos"} <= panel.keys()
        if panel["type"] == "row":
            assert panel["collapsed"] == bool(panel["panels"])
            continue
        assert {"options", "fieldConfig", "description"} <= panel.keys()
        assert [target["refId"] for target in panel["targets"]] == [chr(65 + n) for n in range(len(panel["targets"]))]


@boards
@languages
def test_panels_have_numbers_of_their_own_and_lie_beside_each_other(board, language):
    said = dashboard(board, language)
    numbers = [panel["id"] for panel in panels_of(said)]
    assert numbers == list(range(1, len(numbers) + 1))
    for together in (said["panels"], *(row["panels"] for row in said["panels"] if row["type"] == "row")):
        cells = [(x, y) for panel in together for at in [panel["gridPos"]]
                 for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        assert len(cells) == len(set(cells))
        assert all(0 <= x < 24 for x, _ in cells)


@boards
@languages
def test_each_target_asks_one_data_source_of_the_town_in_raw_influxql(board, language):
    own = {source_uid(board.tenant, source) for source in Source}
    for panel in panels_of(dashboard(board, language)):
        for target in panel.get("targets", []):
            assert target["datasource"] == panel["datasource"]
            assert target["datasource"]["uid"] in own
            assert target["rawQuery"] is True
            assert target["resultFormat"] in ("table", "time_series")


@boards
@languages
def test_every_variable_in_a_query_or_title_is_one_of_the_board(board, language):
    said = dashboard(board, language)
    known = {one["name"] for one in said["templating"]["list"]}
    asked = [target["query"] for panel in panels_of(said) for target in panel.get("targets", [])]
    asked += [one["query"] for one in said["templating"]["list"] if one["type"] == "query"]
    asked += [one["query"] for one in said["annotations"]["list"] if "query" in one]
    used = {name for query in asked for name in re.findall(r"\$(\w+)", query)}
    assert used - {"timeFilter", "__interval"} <= known
    texts = json.dumps([panel.get("title") for panel in panels_of(said)] + [panel.get("options") for panel in panels_of(said)])
    assert {name for name in re.findall(r"\$\{(\w+)", texts) if not name.startswith("__")} <= known


@boards
def test_every_variable_is_used(board):
    text = json.dumps(list(panels_of(dashboard(board, "de"))))
    choices = " ".join(one.query for one in board.variables)
    assert all(f"${one.name}" in text + choices or f"${{{one.name}" in text for one in board.variables)


@boards
def test_another_language_is_the_same_board(board):
    german, english = (json.loads(render(board, language)) for language in LANGUAGES)
    assert german["uid"] == english["uid"]
    queries = [[target["query"] for panel in panels_of(said) for target in panel.get("targets", [])]
               for said in (german, english)]
    assert queries[0] == queries[1]
    assert [panel["gridPos"] for panel in panels_of(german)] == [panel["gridPos"] for panel in panels_of(english)]
    words = [[panel["title"] for panel in panels_of(said)] for said in (german, english)]
    assert words[0] != words[1]


@boards
@languages
def test_links_take_nothing_into_an_address_that_is_not_encoded(board, language):
    """Names of zones and lamps come from outside: what Grafana puts into an address must not become more than a name."""
    urls = re.findall(r'"url": "([^"]*)"', render(board, language))
    assert bool(urls) == (board.tenant is not None)
    for url in urls:
        assert url.startswith((CONSOLE + "/", "/d/stadtfunk-"))
        names = re.findall(r"\$\{([^}]*)\}", url)
        assert url.count("$") == len(names)
        assert all(name.endswith(":percentencode") or name == "__url_time_range" for name in names)


def test_without_a_console_no_link_leads_to_one():
    for make in BOARDS:
        urls = re.findall(r'"url": "([^"]*)"', render(make(TOWN), "de"))
        assert all(url.startswith("/d/stadtfunk-ahausen-") or "/api/" in url for url in urls)


@languages
def test_annotations_name_columns_as_grafanas_influxdb_source_does(language):
    """It looks for the text in any column that contains the word, and for the end in one that is named measurement.column."""
    for make in BOARDS:
        built_in, *ours = dashboard(make(TOWN), language)["annotations"]["list"]
        assert built_in["builtIn"] == 1
        for one in ours:
            assert one["target"]["fromAnnotations"] is True
            assert one["query"] == one["target"]["query"]
            assert one["textColumn"] == "text"
            assert one["timeEndColumn"] == "event.until"
            assert one["query"].startswith(f'SELECT "{language}" AS "text", "until" FROM "event"')


def test_units_ranges_and_names_come_from_the_quantity():
    level = panel_json(SIMPLE, "de", {})
    assert level["title"] == "Lichtniveau"
    defaults = level["fieldConfig"]["defaults"]
    assert (defaults["unit"], defaults["min"], defaults["max"]) == ("percent", LAMP_LEVEL.low, LAMP_LEVEL.high)
    by_title = {panel.title.en: panel for panel in BOARDS[0](TOWN).panels() if isinstance(panel, Panel) and panel.title}
    power = panel_json(by_title["Power by zone"], "en", {})["fieldConfig"]["defaults"]
    assert (power["unit"], power["min"], "max" in power) == ("watt", LAMP_POWER.low, False)  # a sum has no upper limit
    assert panel_json(by_title["Lamps burning"], "en", {})["fieldConfig"]["defaults"]["unit"] == "none"
    rssi = panel_json(Panel((Query("SELECT 1", RADIO_RSSI),), Look.LINES, 6, 8), "en", {})["fieldConfig"]["defaults"]
    assert not {"min", "max"} & rssi.keys()  # from -200 to 10 dBm nothing could be seen


def test_thresholds_say_which_side_is_worse_and_are_said_in_words():
    less = thresholds(PARKING_COVERAGE)["steps"]
    assert less == [{"color": colours.ACT, "value": None}, {"color": colours.LOOK, "value": 0.6},
                    {"color": colours.FINE, "value": 0.9}]
    more = thresholds(FAULTS_INCIDENTS)["steps"]
    assert more == [{"color": colours.FINE, "value": None}, {"color": colours.LOOK, "value": 1}]
    coverage = help_of(Panel((Query("SELECT 1", PARKING_COVERAGE),), Look.NUMBER, 4, 4))
    assert coverage == Text("Auffällig unter 90 %, schlecht unter 60 %.", "Doubtful below 90 %, bad below 60 %.")


def test_thresholds_of_the_tables_lie_in_the_range_and_in_order():
    judged = [one for one in (*quantities(), *figures()) if one.warn is not None or one.bad is not None]
    assert judged
    for one in judged:
        for at in (one.warn, one.bad):
            assert at is None or ((one.low is None or at >= one.low) and (one.high is None or at <= one.high)), one.name
        assert one.warn != one.bad


def test_where_all_is_well_a_number_stays_plain_but_a_bar_and_a_line_are_seen():
    base = {look: panel_json(Panel((Query("SELECT 1", FAULTS_INCIDENTS),), look, 4, 4), "de", {})["fieldConfig"]["defaults"]
            ["thresholds"]["steps"][0]["color"] for look in (Look.NUMBER, Look.BARS, Look.LINES)}
    assert base == {Look.NUMBER: "transparent", Look.BARS: colours.of("faults"), Look.LINES: colours.GREY}


def test_an_empty_cell_has_no_colour_of_a_threshold():
    """Grafana gives a cell without a value the colour of the lowest step, and where less is worse that is the worst."""
    table = Panel((Query("SELECT 1", PARKING_COVERAGE),), Look.TABLE, 12, 8, columns=(Column("coverage", PARKING_COVERAGE),))
    [override] = panel_json(table, "de", {})["fieldConfig"]["overrides"]
    said = {one["id"]: one["value"] for one in override["properties"]}
    assert said["thresholds"]["steps"][0]["color"] == colours.ACT
    [empty] = said["mappings"]
    assert (empty["type"], empty["options"]["match"], empty["options"]["result"]["color"]) == ("special", "null", "transparent")


def test_every_unit_of_the_tables_is_shown_in_grafana():
    shown = {quantity.unit: unit_of(quantity).grafana for quantity in (*quantities(), *figures())}
    assert all(shown[unit] == known.grafana for unit, known in UNITS.items() if unit in shown)
    assert all(name == f"suffix: {unit}" for unit, name in shown.items() if unit not in UNITS)


def test_a_panel_takes_the_highest_free_place_and_there_the_leftmost():
    sizes = [(4, 4), (4, 4), (4, 4), (4, 4), (8, 8), (4, 4), (4, 4), (24, 2)]
    places, end = placed([Panel(SIMPLE.queries, Look.NUMBER, width, height) for width, height in sizes], 1)
    assert places == [(0, 1), (4, 1), (8, 1), (12, 1), (16, 1), (0, 5), (4, 5), (0, 9)]
    assert end == 11


def test_uids_are_fixed_short_enough_and_each_towns_own():
    long, other = TenantId("a" * 40), TenantId("a" * 39 + "b")
    assert uid(TOWN, "lighting") == "stadtfunk-ahausen-lighting"
    assert len(uid(long, "lighting")) == MAX_UID
    towns = (TOWN, long, other, TenantId("platform"), None)  # a town may be called like what belongs to none
    names = ("lighting", "influxdb", "folder")
    assert len({uid(tenant, name) for tenant in towns for name in names}) == len(towns) * len(names)
    assert source_uid(None, Source.PLATFORM) == "stadtfunk-platform-influxdb"
    assert [source_uid(TOWN, source) for source in (Source.RAW, Source.HOURS, Source.BAYS)] == [
        "stadtfunk-ahausen-influxdb", "stadtfunk-ahausen-hours", "stadtfunk-ahausen-bays"]


def test_a_town_with_a_hostile_name_stays_inside_its_quotes():
    """Names of towns are checked where they come in (city.ids); the query does not trust that."""
    for make in BOARDS:
        for panel in make(TenantId("a' OR 1=1 --")).panels():
            for query in panel.queries:
                assert r"a\' OR 1=1 --" in query.text


def test_a_variable_is_asked_given_or_a_step():
    given = Variable.given("x", Text("Wahl", "Choice"), ((Text("eins", "one"), "1"), (Text("zwei", "two"), "2")))
    board = Board("b", TOWN, Text("B", "B"), (Row(Text("R", "R"), (SIMPLE,)),), variables=(
        given, Variable.interval(), Variable.asked("asset", Text("A", "A"), "SHOW", multi=False)))
    x, step, asset = dashboard(board, "en")["templating"]["list"]
    assert (x["type"], x["query"], x["current"]["value"]) == ("custom", "one : 1,two : 2", "1")
    assert (step["type"], step["auto"], step["current"]["value"]) == ("interval", True, "$__auto_interval_interval")
    assert (asset["type"], asset["multi"], asset["includeAll"]) == ("query", False, False)
