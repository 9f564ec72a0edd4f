"""Boards keep their promises: names for everything, queries bounded by town, time and size, links that lead somewhere."""

import re
from functools import reduce

import pytest

from api.pages import addresses
from city.figures import SHEETS, figures
from city.ids import TenantId
from city.quantities import quantities, quantity
from city.store.lines import column, has_facets
from dashboards import console, words
from dashboards.board import Look, Means, Panel, Source, Text
from dashboards.boards import BOARDS, PLATFORM
from dashboards.boards.common import NAMES
from dashboards.boards.device import device
from dashboards.derived import derived
from dashboards.fill import span_ms
from dashboards.preview.fields import name_of
from dashboards.preview.frames import Field, Frame, transformed
from dashboards.render_panel import help_of, panel_json, title_of
from decoders.catalog import catalog, vectors_path
from decoders.vectors import load

TOWN = TenantId("ahausen")
BOTH = [*(make(TOWN, "https://stadt.example") for make in BOARDS), PLATFORM()]
PANELS = [pytest.param(panel, id=f"{board.name}: {title_of(panel).en}") for board in BOTH for panel in board.panels()
          if isinstance(panel, Panel)]
ASKED = [pytest.param(board, panel, query.text, id=f"{board.name}: {title_of(panel).en}, {query.quantity.name}")
         for board in BOTH for panel in board.panels() if isinstance(panel, Panel) for query in panel.queries]
SAID = {(quantity(name), channel) for codec in catalog().values() for uplink in load(vectors_path(codec.model)).uplinks
        for name, _, channel in (said.partition("@") for said in uplink.reads or {})}
# what one of the three versions has not got, or what writes
FORBIDDEN = ("SLIMIT", " INTO ", "CONTINUOUS", "|>", "now()", ";", '"."', "*")


def test_figures_readings_and_derived_quantities_have_a_name_in_both_languages():
    for one in (*figures(), *derived(), *quantities()):
        said = words.title(one)
        assert said.de.strip() == said.de
        assert said.en.strip() == said.en
        assert said.de
        assert said.en


def test_every_name_belongs_to_a_quantity_of_a_board_or_a_figure():
    shown = {query.quantity.name for board in BOTH for panel in board.panels() for query in panel.queries}
    shown |= {column.quantity.name for board in BOTH for panel in board.panels() if isinstance(panel, Panel)
              for column in panel.columns if column.quantity is not None}
    shown |= {one.name for one in (*figures(), *derived())}
    assert [name for name in words.names() if name not in shown] == []


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_is_named_and_explained_in_both_languages(panel):
    texts = [title_of(panel), help_of(panel), *(query.legend for query in panel.queries if isinstance(query.legend, Text)),
             *(column.title for column in panel.columns if column.title is not None)]
    assert all(bool(text.de) == bool(text.en) for text in texts)
    assert title_of(panel).de
    if panel.title is not None:
        assert help_of(panel).de, "a title of its own needs a sentence that says what is shown"


@pytest.mark.parametrize(("board", "panel", "query"), ASKED)
def test_a_query_is_bounded_by_town_time_and_what_it_may_give(board, panel, query):
    assert "$timeFilter" in query
    assert (f"\"tenant\" = '{TOWN}'" in query) == (board.tenant is not None)
    every = ("SELECT *", "mean(*)") if isinstance(panel, Panel) and panel.whole else ()  # of one asset
    plain = query.replace("/^", "").replace(".*", "").replace("100 * ", "")
    assert not [word for word in FORBIDDEN if word in reduce(lambda text, one: text.replace(one, ""), every, plain)]
    assert not every or re.search(r'"asset" =~ /\^\$(asset|bay)\$/', query)
    if panel.look is Look.TABLE:
        assert re.search(r"LIMIT \d{1,3}$|bottom\(\"\w+\", \d{1,3}\)", query)
    if panel.look is Look.LINES:
        assert re.search(r"GROUP BY time\((\$__interval|\$interval|\d+[dh])\)", query)
        assert "asset" not in query.rpartition("GROUP BY")[2]  # thousands of lamps are no lines


@pytest.mark.parametrize(("panel", "query"), [pytest.param(*one.values[1:], id=one.id) for one in ASKED])
def test_long_ranges_ask_for_aggregates_and_fit_what_those_have(panel, query):
    rolled = re.findall(r'\("\w+_(mean|min|max|last|count)"\)', query)
    assert bool(rolled) == (panel.source in (Source.HOURS, Source.DAYS))
    if span_ms(panel.time_from or "1h") > 7 * 86_400_000 and panel.source is Source.RAW:
        assert any(f'FROM "{sheet}"' in query for sheet in SHEETS)  # few points: one a quarter, night or incident


def test_counts_have_no_unit_and_text_is_only_in_tables():
    for board in BOTH:
        for panel in board.panels():
            for query in panel.queries:
                assert query.quantity.kind.value not in ("text", "bool") or panel.look is Look.TABLE
                assert query.means is not Means.COUNT or panel.unit is None


def test_every_town_board_leads_to_the_others_and_none_to_itself():
    for board in BOTH[:-1]:
        to_boards = [link.url.de.rpartition("-")[2] for link in board.links if link.url.de.startswith("/d/")]
        assert sorted([*to_boards, board.name]) == sorted(NAMES)


@pytest.mark.parametrize("measurement", ["lamp", "device", "radio", "lpp"])
def test_a_column_of_one_channel_is_called_by_its_quantity_and_no_quantity_by_another(measurement):
    """All channels that the vectors of all models have."""
    [panel] = [one for one in device(TOWN).panels() if isinstance(one, Panel) and one.whole and one.look is Look.TABLE
               and one.source is Source.RAW and f'FROM "{measurement}"' in one.queries[0].text]
    wanted = {column(one)[1]: column(one)[1] for one in quantities() if one.measurement == measurement}
    for one, channel in SAID:
        if one.measurement == measurement and has_facets(one) and channel:
            wanted[column(one, channel)[1]] = f"{words.title(one).en}: {channel}"
    given = [Frame("A", tuple(Field(name, "number", (1.0,), shown=name) for name in wanted))]
    renames = [one for one in panel_json(panel, "en", {})["transformations"] if one["id"] == "renameByRegex"]
    [frame] = transformed(given, renames, name_of)[0]
    assert {one.name: one.shown for one in frame.fields} == wanted


def test_links_lead_to_pages_that_the_console_has():
    named = {"zone": "console", "circuit": "console"}
    for name, spelled in console.pages().items():
        plain = tuple(path.partition("?")[0] for path in spelled)
        assert plain == addresses.paths(named.get(name, name))


def test_a_list_is_sorted_by_a_column_that_it_has():
    for board in BOTH:
        for panel in board.panels():
            if isinstance(panel, Panel) and panel.sort:
                assert panel.sort.removeprefix("-") in [column.name for column in panel.columns]


def test_a_table_shows_columns_that_its_query_gives():
    for board in BOTH:
        for panel in board.panels():
            if isinstance(panel, Panel) and panel.look is Look.TABLE and not panel.whole:
                outer = panel.queries[0].text.partition(" FROM ")[0]
                given = set(re.findall(r'"(\w+)"', outer)) | {"Time"}
                assert {column.name for column in panel.columns} <= given
