"""Boards as Grafana's dashboard JSON (classic schema, read by Grafana 10 to 13). Same board, same bytes."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from city.grafana import PLATFORM, uid
from city.ids import TenantId
from dashboards.board import WIDTH, Annotation, Board, Choice, Language, Link, Panel, Raw, Row, Source, Variable
from dashboards.render_panel import panel_json

SCHEMA_VERSION = 39  # Grafana 11; 12 and 13 migrate it when they read it
Json = dict[str, Any]
STEPS = ("15m", "30m", "1h", "3h", "6h", "1d")
STEPS_ON_A_CHART = 200
ALL = {"selected": True, "text": ["All"], "value": ["$__all"]}
_BUILT_IN: Json = {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
                   "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"}


def render(board: Board, language: Language) -> str:
    """The dashboard as a text ending in a newline; keys sorted."""
    return json.dumps(dashboard(board, language), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def dashboard(board: Board, language: Language) -> Json:
    """The dashboard. Its UID is the same in every language, so that another language replaces it."""
    return {
        "uid": uid(board.tenant, board.name),
        "title": board.title(language),
        "description": board.help(language),
        "tags": [*board.tags, str(board.tenant or PLATFORM)],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "Europe/Berlin",
        "weekStart": "monday",
        "time": {"from": board.since, "to": "now"},
        "refresh": board.refresh,
        "annotations": {"list": [_BUILT_IN, *(_annotation(board, one, language) for one in board.annotations)]},
        "links": [_link(one, language) for one in board.links],
        "templating": {"list": [_variable(board, one, language) for one in board.variables]},
        "panels": list(_panels(board, language)),
    }


def source_uid(tenant: TenantId | None, source: Source) -> str:
    """The UID of the data source that is meant; the platform's own is "influxdb" too."""
    return uid(None if source is Source.PLATFORM else tenant, "influxdb" if source is Source.PLATFORM else source.value)


def datasource(board: Board, source: Source) -> Json:
    """How JSON refers to it."""
    return {"type": "influxdb", "uid": source_uid(board.tenant, source)}


def placed(panels: Sequence[Panel | Raw], y: int) -> tuple[list[tuple[int, int]], int]:
    """Where panels lie that begin at `y`, each at the highest free place and there the leftmost; and where the next row is."""
    edge, places = [y] * WIDTH, []
    for panel in panels:
        x = min(range(WIDTH - panel.width + 1), key=lambda at: (max(edge[at:at + panel.width]), at))
        top = max(edge[x:x + panel.width])
        places.append((x, top))
        edge[x:x + panel.width] = [top + panel.height] * panel.width
    return places, max(edge)


def _panels(board: Board, language: Language) -> Iterator[Json]:
    number, y = 1, 0
    for row in board.rows:
        heading = _row(row, language, number, y)
        places, end = placed(row.panels, y + 1)
        children = [_panel(board, panel, language, number + 1 + index, at)
                    for index, (panel, at) in enumerate(zip(row.panels, places, strict=True))]
        number, y = number + 1 + len(children), y + 1 if row.collapsed else end
        yield {**heading, "panels": children if row.collapsed else []}
        if not row.collapsed:
            yield from children


def _row(row: Row, language: Language, number: int, y: int) -> Json:
    return {"id": number, "type": "row", "title": row.title(language), "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}}


def _panel(board: Board, panel: Panel | Raw, language: Language, number: int, at: tuple[int, int]) -> Json:
    made = dict(panel(language)) if isinstance(panel, Raw) else panel_json(panel, language, datasource(board, panel.source))
    return {**made, "id": number, "gridPos": {"x": at[0], "y": at[1], "w": panel.width, "h": panel.height}}


def _link(link: Link, language: Language) -> Json:
    return {"type": "link", "title": link.title(language), "url": link.url(language), "icon": "external link", "tooltip": "",
            "targetBlank": False, "keepTime": link.url(language).startswith("/d/"), "includeVars": False, "asDropdown": False,
            "tags": []}


def _annotation(board: Board, annotation: Annotation, language: Language) -> Json:
    """Grafana's browser makes a table of the answer, whose columns it calls measurement.field: any that contains `text` is the
    text, the one that is `timeEndColumn` the end (public/app/plugins/datasource/influxdb/response_parser.ts)."""
    said: Json = {"query": annotation.queries(language), "textColumn": "text", "titleColumn": "", "tagsColumn": "",
                  "timeEndColumn": "event.until", "name": annotation.name(language)}
    return {**said, "datasource": datasource(board, Source.RAW), "enable": True, "hide": False, "iconColor": annotation.colour,
            "target": {**said, "refId": "Anno", "queryType": "tags", "fromAnnotations": True, "rawQuery": True, "limit": 100,
                       "matchAny": False, "tags": [], "type": "tags"}}


def _variable(board: Board, variable: Variable, language: Language) -> Json:
    common: Json = {"name": variable.name, "label": variable.title(language), "type": variable.choice.value,
                    "hide": 2 if variable.hidden else 0,
                    "skipUrlSync": False}
    match variable.choice:
        case Choice.ASKED:
            several: Json = {"multi": True, "includeAll": True, "allValue": ".*", "current": ALL}
            return {**common, "datasource": datasource(board, variable.source), "query": variable.query,
                    "definition": variable.query, "refresh": 2, "sort": 5, "regex": "", "options": [],
                    **(several if variable.multi else {"multi": False, "includeAll": False, "current": {}})}
        case Choice.GIVEN:
            options = [{"text": label(language), "value": value, "selected": index == 0}
                       for index, (label, value) in enumerate(variable.options)]
            return {**common, "query": ",".join(f"{one['text']} : {one['value']}" for one in options), "options": options,
                    "current": options[0], "multi": False, "includeAll": False}
        case Choice.STEPS:
            automatic: dict[str, Any] = {"text": "auto", "value": "$__auto_interval_interval", "selected": True}
            steps = [{"text": step, "value": step, "selected": False} for step in STEPS]
            return {**common, "query": ",".join(STEPS), "auto": True, "auto_count": STEPS_ON_A_CHART, "auto_min": STEPS[0],
                    "refresh": 2, "options": [automatic, *steps], "current": automatic}
