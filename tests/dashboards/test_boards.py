"""Boards keep their promises: names for everything, queries bounded by town, time and size, links that lead somewhere."""

import re

import pytest

from api.pages import addresses
from city.figures import SHEETS, figures
from city.ids import TenantId
from city.quantities import quantities
from dashboards import console, words
from dashboards.board import Look, Means, Panel, Source, Text
from dashboards.boards import BOARDS, PLATFORM
from dashboards.boards.common import NAMES
from dashboards.derived import derived
from dashboards.fill import span_ms
from dashboards.render_panel import help_of, title_of

TOWN = TenantId("ahausen")
BOTH = [*(make(TOWN, "https://stadt.example") for make in BOARDS), PLATFORM()]
PANELS = [pytest.param(panel, id=f"{board.name}: {title_of(panel).en}") for board in BOTH for panel in board.panels()
          if isinstance(panel, Panel)]
ASKED = [pytest.param(board, panel, query.text, id=f"{board.name}: {title_of(panel).en}, {query.quantity.name}")
         for board in BOTH for panel in board.panels() if isinstance(panel, Panel) for query in panel.queries]
# what one of the three versions has not got, or what writes
FORBIDDEN = ("SLIMIT", " INTO ", "CONTINUOUS", "|>", "now()", ";", '"."', "*")


def test_figures_readings_and_derived_quantities_have_a_name_in_both_languages():
    """But for raw ones and Cayenne LPP's, which no board shows."""
    for quantity in (*figures(), *derived(), *(one for one in quantities() if one.measurement != "lpp")):
        said = words.title(quantity)
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
    assert not [word for word in FORBIDDEN if word in query.replace("/^", "").replace(".*", "").replace("100 * ", "")]
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
            if isinstance(panel, Panel) and panel.look is Look.TABLE:
                outer = panel.queries[0].text.partition(" FROM ")[0]
                given = set(re.findall(r'"(\w+)"', outer)) | {"Time"}
                assert {column.name for column in panel.columns} <= given
