"""What variables offer is asked for the range that is looked at."""

import pytest

from city.ids import TenantId
from dashboards.board import Board, Choice
from dashboards.boards import BOARDS, PLATFORM
from dashboards.render import dashboard

BOARDS_OF_ALL = [PLATFORM(), *(make(TenantId("ahausen")) for make in BOARDS)]


@pytest.mark.parametrize("board", BOARDS_OF_ALL, ids=lambda one: one.name)
def test_a_tags_values_are_asked_for_the_range_and_anew_with_another_one(board: Board) -> None:
    """InfluxDB 3 looks at one day where no time is given."""
    asked = {one.name: one.query for one in board.variables if one.choice is Choice.ASKED and "SHOW TAG VALUES" in one.query}
    rendered = {one["name"]: one for one in dashboard(board, "en")["templating"]["list"]}
    assert asked or all(one.choice is not Choice.ASKED for one in board.variables)
    assert [name for name, query in asked.items() if "$timeFilter" not in query] == []
    assert {rendered[name]["refresh"] for name in asked} <= {2}
