"""Boards as Grafana's dashboard JSON (classic schema, read by Grafana 10 to 13). Same board, same bytes."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from city.ids import TenantId
from dashboards.board import WIDTH, Board, Language, Look, Panel, Row, Text, Variable, unit_of

SCHEMA_VERSION = 39  # Grafana 11; 12 and 13 migrate it when they read it
MAX_UID = 40
DATASOURCE = {"type": "influxdb", "uid": "${datasource}"}
Json = dict[str, Any]


def render(board: Board, language: Language) -> str:
    """The dashboard as a text ending in a newline; keys sorted."""
    return json.dumps(dashboard(board, language), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def dashboard(board: Board, language: Language) -> Json:
    """The dashboard. Its UID is the same in every language, so that another language replaces it."""
    return {
        "uid": uid(board.tenant, board.name),
        "title": board.title(language),
        "tags": [*board.tags, str(board.tenant)],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": board.since, "to": "now"},
        "refresh": board.refresh,
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [_datasource_variable(board), *(_variable(one, language) for one in board.variables)]},
        "panels": list(_panels(board, language)),
    }


def uid(tenant: TenantId, name: str) -> str:
    """The fixed UID of a town's board, data source or folder: readable where it fits Grafana's 40 characters."""
    plain = f"stadtfunk-{tenant}-{name}"
    if len(plain) <= MAX_UID:
        return plain
    return "stadtfunk-" + hashlib.sha256(plain.encode()).hexdigest()[:MAX_UID - 10]


def _datasource_variable(board: Board) -> Json:
    own = uid(board.tenant, "influxdb")
    return {"name": "datasource", "type": "datasource", "query": "influxdb", "hide": 2, "regex": "", "refresh": 1,
            "includeAll": False, "multi": False, "options": [],
            "current": {"selected": True, "text": own, "value": own}}


def _variable(variable: Variable, language: Language) -> Json:
    return {"name": variable.name, "label": variable.title(language), "type": "query", "datasource": DATASOURCE,
            "query": variable.query, "definition": variable.query, "refresh": 2, "sort": 1, "regex": "", "hide": 0,
            "multi": True, "includeAll": True, "allValue": ".*", "options": [],
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def _panels(board: Board, language: Language) -> Iterator[Json]:
    number, y = 1, 0
    for row in board.rows:
        yield _row(row, language, number, y)
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            yield _panel(panel, language, number, (x, y))
            number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
        y += tallest


def _row(row: Row, language: Language, number: int, y: int) -> Json:
    return {"id": number, "type": "row", "title": row.title(language), "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}}


def _panel(panel: Panel, language: Language, number: int, at: tuple[int, int]) -> Json:
    look = Look.NUMBER if panel.look is Look.AGE else panel.look
    return {
        "id": number,
        "type": look.value,
        "title": panel.title(language),
        "description": panel.help(language),
        "datasource": DATASOURCE,
        "gridPos": {"x": at[0], "y": at[1], "w": panel.width, "h": panel.height},
        "targets": [_target(panel)],
        "fieldConfig": {"defaults": _field(panel), "overrides": _overrides(panel, language)},
        "options": _options(panel),
        "transformations": _transformations(panel),
        **({"interval": panel.shortest} if panel.shortest else {}),
    }


def _target(panel: Panel) -> Json:
    return {"refId": "A", "datasource": DATASOURCE, "rawQuery": True, "query": panel.query, "alias": panel.legend,
            "resultFormat": "table" if panel.look in (Look.TABLE, Look.AGE) else "time_series"}


def _field(panel: Panel) -> Json:
    unit = panel.unit or unit_of(panel.quantity)
    defaults: Json = {"unit": unit.grafana, "decimals": unit.decimals, "color": {"mode": "palette-classic"},
                      "noValue": "–"}
    if panel.quantity.low is not None and panel.look is not Look.AGE:
        defaults["min"] = panel.quantity.low
    if panel.quantity.high is not None and not panel.total and panel.look is not Look.TABLE:
        defaults["max"] = panel.quantity.high
    if panel.look is Look.LINES:
        # levels hold until the next report: steps, and gaps of a few hours bridged
        defaults["custom"] = {"drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "fillOpacity": 0,
                              "showPoints": "auto", "spanNulls": 3 * 3600 * 1000}
    return defaults


def _overrides(panel: Panel, language: Language) -> list[Json]:
    if panel.look is not Look.TABLE:
        return []
    shown = {"Time": Text("Zeit", "Time"), "zone": Text("Gebiet", "Zone"), "asset": Text("Leuchte", "Lamp"),
             panel.quantity.field: panel.title}
    time: Json = {"id": "unit", "value": "dateTimeAsLocal"}
    return [{"matcher": {"id": "byName", "options": key},
             "properties": [{"id": "displayName", "value": title(language)}, *([time] if key == "Time" else [])]}
            for key, title in shown.items()]


def _options(panel: Panel) -> Json:
    if panel.look is Look.TABLE:
        return {"showHeader": True, "footer": {"show": False, "reducer": ["sum"], "fields": ""}}
    if panel.look is Look.LINES:
        return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"}}
    fields = "/^Time$/" if panel.look is Look.AGE else ""
    return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": fields, "values": False}, "textMode": "value",
            "colorMode": "none", "graphMode": "none", "justifyMode": "auto", "orientation": "auto"}


def _transformations(panel: Panel) -> list[Json]:
    if panel.look is not Look.TABLE:
        return []
    return [{"id": "sortBy", "options": {"sort": [{"field": "asset"}]}}]
