"""Boards go through grafana-foundation-sdk's models of a dashboard (Grafana 11.6, schema 39) and come back with nothing lost and
nothing changed but what those models do not know."""

import json
import re
from collections.abc import Iterator

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from city.ids import TenantId
from dashboards.board import LANGUAGES
from dashboards.boards import BOARDS, PLATFORM
from dashboards.render import dashboard

TOWN = TenantId("ahausen")
UNKNOWN_TO_THE_MODELS = re.compile("|".join((
    r"/templating/list/\d+/definition",  # what the list of variables shows; Grafana itself writes it
    # fields of InfluxDB's data source, which the SDK has no model of
    r"/annotations/list/\d+/(target/)?(query|textColumn|titleColumn|tagsColumn|timeEndColumn|name|refId|queryType)",
    r"/annotations/list/\d+/target/(fromAnnotations|rawQuery)",
    r"/panels/\d+/options/(zoomToContent|tooltip)",  # of a canvas, as are the rest: its model is older than actions
    r"/panels/\d+/options/root/(background|constraint|placement)",
    r"/panels/\d+/options/root/elements/\d+/(actions|links)")))
ADDED = re.compile(  # what the models write with its default
    r"/fiscalYearStartMonth|.*/(repeatDirection|transparent|builtIn|allowCustomValue|auto|auto_count|auto_min|includeAll|multi"
    r"|percentChangeColorMode|showPercentChange|infinitePan|frameIndex|showTypeIcons|maxVizHeight|bucketCount|gradientMode)"
    r"|.*/options/legend|.*/links/\d+/(asDropdown|icon|includeVars|keepTime|tags|tooltip|type)|.*/current/(text|value)")


def different(ours: object, theirs: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Where two JSON values differ, and how."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        yield from ((f"{at}/{key}", "lost") for key in ours.keys() - theirs.keys())
        yield from ((f"{at}/{key}", "added") for key in theirs.keys() - ours.keys())
        for key in ours.keys() & theirs.keys():
            yield from different(ours[key], theirs[key], f"{at}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from different(one, other, f"{at}/{index}")
    elif ours != theirs:
        yield at, f"changed: {ours!r} → {theirs!r}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("board", [*(make(TOWN, "https://stadt.example") for make in BOARDS), PLATFORM()],
                         ids=lambda board: board.name)
def test_a_board_comes_back_from_the_models_as_it_went_in(board, language):
    plugins.register_default_plugins()  # so that options are read by each panel's own model
    ours = json.loads(json.dumps(dashboard(board, language)))
    theirs = json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(json.dumps(ours)))))
    found = [(at, how) for at, how in different(ours, theirs)
             if not (how == "lost" and UNKNOWN_TO_THE_MODELS.fullmatch(at)) and not (how == "added" and ADDED.fullmatch(at))]
    assert found == []
