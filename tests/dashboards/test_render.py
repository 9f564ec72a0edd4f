"""Boards as Grafana reads them: complete, placed without overlap, the same bytes each time, in two languages."""

import json

import pytest

from city.ids import TenantId
from city.quantities import LAMP_LEVEL, LAMP_POWER, quantities
from dashboards.board import LANGUAGES, UNITS, unit_of
from dashboards.boards import BOARDS
from dashboards.render import MAX_UID, dashboard, render, uid

TOWN = TenantId("ahausen")
SOURCE = {"type": "influxdb", "uid": "${datasource}"}

boards = pytest.mark.parametrize("make", BOARDS, ids=lambda make: make.__name__)


@boards
def test_the_same_board_is_the_same_bytes(make):
    assert render(make(TOWN), "de") == render(make(TOWN), "de")


@boards
def test_titles_and_helps_are_in_both_languages(make):
    board = make(TOWN)
    texts = [board.title, *(variable.title for variable in board.variables), *(row.title for row in board.rows),
             *(text for row in board.rows for panel in row.panels for text in (panel.title, panel.help))]
    assert all(text.de and text.en and text.de != text.en for text in texts)


@boards
@pytest.mark.parametrize("language", LANGUAGES)
def test_panels_have_numbers_of_their_own_and_lie_beside_each_other(make, language):
    panels = dashboard(make(TOWN), language)["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    cells = [(x, y) for panel in panels for at in [panel["gridPos"]]
             for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@boards
def test_every_panel_asks_its_towns_data_source_in_raw_influxql(make):
    said = dashboard(make(TOWN), "en")
    [chosen] = [one for one in said["templating"]["list"] if one["type"] == "datasource"]
    assert chosen["current"]["value"] == "stadtfunk-ahausen-influxdb"
    panels = [panel for panel in said["panels"] if panel["type"] != "row"]
    assert panels
    for panel in panels:
        [target] = panel["targets"]
        assert panel["datasource"] == target["datasource"] == SOURCE
        assert target["rawQuery"] is True
        assert "'ahausen'" in target["query"]


def test_units_and_limits_come_from_the_quantity():
    panels = {panel["title"]: panel for panel in dashboard(BOARDS[0](TOWN), "en")["panels"]}
    level = panels["Level by zone"]["fieldConfig"]["defaults"]
    assert (level["unit"], level["min"], level["max"]) == ("percent", LAMP_LEVEL.low, LAMP_LEVEL.high)
    power = panels["Power by zone"]["fieldConfig"]["defaults"]
    assert (power["unit"], power["min"], "max" in power) == ("watt", LAMP_POWER.low, False)  # a sum has no upper limit
    assert panels["Lamps reporting"]["fieldConfig"]["defaults"]["unit"] == "none"


def test_every_unit_of_the_table_is_shown_in_grafana():
    shown = {quantity.unit: unit_of(quantity).grafana for quantity in quantities()}
    assert all(shown[unit] == known.grafana for unit, known in UNITS.items() if unit in shown)
    assert all(name == f"suffix: {unit}" for unit, name in shown.items() if unit not in UNITS)


def test_uids_are_fixed_short_enough_and_each_towns_own():
    long, other = TenantId("a" * 40), TenantId("a" * 39 + "b")
    assert uid(TOWN, "lighting") == "stadtfunk-ahausen-lighting"
    assert len(uid(long, "lighting")) == MAX_UID
    assert len({uid(tenant, name) for tenant in (TOWN, long, other) for name in ("lighting", "influxdb", "folder")}) == 9


@boards
def test_another_language_is_the_same_board(make):
    german, english = (json.loads(render(make(TOWN), language)) for language in LANGUAGES)
    assert german["uid"] == english["uid"]
    assert german["title"] != english["title"]
    assert [p.get("targets") for p in german["panels"]] == [p.get("targets") for p in english["panels"]]
