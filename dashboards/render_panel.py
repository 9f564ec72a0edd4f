"""One panel as Grafana's JSON: units, ranges and thresholds from its quantities, names from dashboards.words."""

from collections.abc import Iterator
from string import ascii_uppercase
from typing import Any

from city.quantities import Quantity
from dashboards import colours, words
from dashboards.board import AGE, COUNT, MOMENT, Column, Draw, Language, Link, Look, Means, Panel, Query, Text, Unit, unit_of
from dashboards.fill import escaped

Json = dict[str, Any]
_TABLES = (Look.TABLE, Look.AGE, Look.SPREAD)  # what wants rows, not series
_FROM_ZERO = frozenset({"", "W", "W.h", "s", "h", "ms", "kg", "EUR", "MB"})  # units whose charts begin at 0


def panel_json(panel: Panel, language: Language, datasource: Json) -> Json:
    """All but its number and its place."""
    look = Look.NUMBER if panel.look is Look.AGE else panel.look
    return {
        "type": look.value,
        "title": title_of(panel)(language),
        "description": help_of(panel)(language),
        "datasource": datasource,
        "targets": [_target(panel, query, ref, language, datasource)
                    for query, ref in zip(panel.queries, ascii_uppercase, strict=False)],
        "fieldConfig": {"defaults": _field(panel, language), "overrides": _overrides(panel, language)},
        "options": _options(panel, language),
        "transformations": _transformations(panel, language),
        **({"interval": panel.shortest} if panel.shortest else {}),
        **({"timeFrom": panel.time_from, "hideTimeOverride": False} if panel.time_from else {}),
    }


def title_of(panel: Panel) -> Text:
    """Its own, or the name of its first quantity."""
    return panel.title or words.title(panel.quantity)


def help_of(panel: Panel) -> Text:
    """What a viewer reads behind the i; thresholds are said in words too."""
    said = _thresholds_said(panel.quantity) if _judged(panel) else None
    parts = [text for text in (panel.help, said) if text is not None]
    return Text(" ".join(text.de for text in parts), " ".join(text.en for text in parts))


def thresholds(quantity: Quantity, fine: str = colours.FINE) -> Json:
    """The quantity's `warn` and `bad` as Grafana's steps, from below; `fine` is the colour where all is well."""
    warn, bad = quantity.warn, quantity.bad
    if bad is not None and warn is not None and bad < warn:
        steps: list[tuple[str, float | None]] = [(colours.ACT, None), (colours.LOOK, bad), (fine, warn)]
    else:
        steps = [(fine, None), *((colour, at) for colour, at in ((colours.LOOK, warn), (colours.ACT, bad))
                                 if at is not None)]
    return {"mode": "absolute", "steps": [{"color": colour, "value": at} for colour, at in steps]}


def _judged(panel: Panel) -> bool:
    return panel.thresholds and panel.look is not Look.AGE and _limits(panel.quantity)


def _limits(quantity: Quantity) -> bool:
    return quantity.warn is not None or quantity.bad is not None


def _thresholds_said(quantity: Quantity) -> Text:
    warn, bad = (None if at is None else Text(*(_number(at, quantity, language) for language in ("de", "en")))
                 for at in (quantity.warn, quantity.bad))
    if warn is not None and bad is not None and (quantity.bad or 0) < (quantity.warn or 0):
        return Text(f"Auffällig unter {warn.de}, schlecht unter {bad.de}.", f"Doubtful below {warn.en}, bad below {bad.en}.")
    if warn is not None and bad is not None:
        return Text(f"Auffällig ab {warn.de}, handeln ab {bad.de}.", f"Look from {warn.en}, act from {bad.en}.")
    if warn is not None:
        return Text(f"Auffällig ab {warn.de}.", f"Look from {warn.en}.")
    assert bad is not None
    return Text(f"Handeln ab {bad.de}.", f"Act from {bad.en}.")


def _number(at: float, quantity: Quantity, language: Language) -> str:
    signs = {"1": "%", "s": "min", "Cel": "°C", "dB[mW]": "dBm"}
    scaled = at * 100 if quantity.unit == "1" else at / 60 if quantity.unit == "s" else at
    number = f"{scaled:g}".replace(".", "," if language == "de" else ".").replace("-", "−")
    return f"{number} {signs.get(quantity.unit, quantity.unit)}".strip()


def _target(panel: Panel, query: Query, ref: str, language: Language, datasource: Json) -> Json:
    return {"refId": ref, "datasource": datasource, "rawQuery": True, "query": query.text, "alias": _legend(query, language),
            "resultFormat": "table" if panel.look in _TABLES else "time_series"}


def _legend(query: Query, language: Language) -> str:
    if isinstance(query.legend, str):
        return query.legend
    return (query.legend or words.title(query.quantity))(language)


def _unit(panel: Panel, query: Query) -> Unit:
    if panel.look is Look.AGE:
        return AGE
    return panel.unit or (COUNT if query.means is Means.COUNT else unit_of(query.quantity))


def _field(panel: Panel, language: Language) -> Json:
    first, quantity = panel.queries[0], panel.quantity
    unit = _unit(panel, first)
    defaults: Json = {"unit": unit.grafana, "decimals": unit.decimals, "noValue": "–", "color": _colour(panel, first)}
    if _judged(panel):
        seen = {Look.BARS: colours.of(quantity.measurement), Look.LINES: colours.GREY}  # a bar or a line of no colour is none
        defaults["thresholds"] = thresholds(quantity, seen.get(panel.look, colours.FINE))
    if panel.look not in (Look.AGE, Look.TABLE, Look.SPREAD) and all(one.quantity.unit == quantity.unit for one in panel.queries):
        defaults |= _range(quantity, first.means)
    if panel.links:
        defaults["links"] = [_link(one, language) for one in panel.links]
    if panel.look is Look.LINES:
        defaults["custom"] = _drawn(panel)
    if panel.look is Look.TABLE:
        defaults["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}
    if panel.look is Look.SPREAD:
        defaults["custom"] = {"fillOpacity": 70, "lineWidth": 1}
    return defaults


def _range(quantity: Quantity, means: Means) -> Json:
    """Of a scale with two ends, both; of what is counted or added up from nothing, the lower."""
    closed = quantity.unit in ("%", "1") or quantity.high == 1
    found: Json = {"min": quantity.low} if quantity.low is not None and (closed or quantity.unit in _FROM_ZERO) else {}
    if closed and quantity.high is not None and means is Means.VALUE:
        found["max"] = quantity.high
    return found


def _colour(panel: Panel, query: Query) -> Json:
    if panel.look in (Look.NUMBER, Look.BARS) and _judged(panel):
        return {"mode": "thresholds"}
    if query.colour:
        return {"mode": "fixed", "fixedColor": query.colour}
    if panel.look is Look.TABLE or (panel.look is not Look.BARS and "$" in _legend(query, "en")):
        return {"mode": "palette-classic"}  # as many colours as there are series
    return {"mode": "fixed", "fixedColor": colours.of(query.quantity.measurement)}


def _drawn(panel: Panel) -> Json:
    return {**_style(panel.draw), "spanNulls": panel.bridge_s * 1000, "lineWidth": 2, "showPoints": "auto", "pointSize": 4,
            "thresholdsStyle": {"mode": "dashed" if _judged(panel) else "off"}}


def _style(draw: Draw) -> Json:
    alone = {"mode": "none", "group": "A"}
    match draw:
        case Draw.LINE:
            return {"drawStyle": "line", "lineInterpolation": "linear", "fillOpacity": 0, "stacking": alone}
        case Draw.STEPS:
            return {"drawStyle": "line", "lineInterpolation": "stepAfter", "fillOpacity": 0, "stacking": alone}
        case Draw.BARS:
            return {"drawStyle": "bars", "lineInterpolation": "linear", "fillOpacity": 60, "stacking": alone}
        case Draw.STACKED:
            return {"drawStyle": "bars", "lineInterpolation": "linear", "fillOpacity": 70,
                    "stacking": {**alone, "mode": "normal"}}
        case Draw.AREA:
            return {"drawStyle": "line", "lineInterpolation": "stepAfter", "fillOpacity": 40,
                    "stacking": {**alone, "mode": "normal"}}


def _overrides(panel: Panel, language: Language) -> list[Json]:
    if panel.look is Look.TABLE or panel.whole:
        facets = [_facets(column, language) for column in panel.columns if column.facets]
        return [*(_column(column, language) for column in panel.columns if panel.look is Look.TABLE), *facets]
    if len(panel.queries) == 1:
        return []
    found = []
    for index, (query, ref) in enumerate(zip(panel.queries, ascii_uppercase, strict=False)):
        properties = _told_apart(panel, query, index)
        if properties:
            found.append({"matcher": {"id": "byFrameRefID", "options": ref},
                          "properties": [{"id": key, "value": value} for key, value in properties.items()]})
    return found


def _told_apart(panel: Panel, query: Query, index: int) -> Json:
    """What distinguishes one of several queries: by colour, and by dash or kind of drawing."""
    found: Json = {}
    unit = _unit(panel, query)
    if unit != _unit(panel, panel.queries[0]):
        found |= {"unit": unit.grafana, "decimals": unit.decimals}
    if panel.look is Look.LINES:
        if "$" not in _legend(query, "en"):
            colour = query.colour or colours.PALETTE[index % len(colours.PALETTE)]
            found["color"] = {"mode": "fixed", "fixedColor": colour}
        if query.dashed:
            found["custom.lineStyle"] = {"fill": "dash", "dash": [8, 6]}
        if query.draw is not None:
            found |= {f"custom.{key}": value for key, value in _style(query.draw).items()}
    elif panel.thresholds and index:
        found["thresholds"] = thresholds(query.quantity)
        found["color"] = {"mode": "thresholds"} if _limits(query.quantity) else _colour(panel, query)
    return found


def _column(column: Column, language: Language) -> Json:
    """Grafana's overrides for one column."""
    quantity = column.quantity
    title = column.title or (words.title(quantity) if quantity is not None else words.TAGS.get(column.name))
    unit = column.unit or (unit_of(quantity) if quantity is not None else None)
    if unit is None and column.name == "Time":
        unit = MOMENT
    if unit is not None and quantity is not None and quantity.unit == "ms" and column.unit is None:
        unit = MOMENT  # ms since 1970: the only ms in tables
    found: Json = {"displayName": title(language)} if title is not None else {}
    if unit is not None and (quantity is None or quantity.kind.value != "text"):
        found |= {"unit": unit.grafana, "decimals": unit.decimals}
    if quantity is not None and _limits(quantity):
        found |= {"thresholds": thresholds(quantity), "color": {"mode": "thresholds"},
                  "custom.cellOptions": {"type": "color-background", "mode": "basic"}}
    mappings: list[Json] = []
    if column.words:
        mappings.append({"type": "value", "options": {value: {"text": text(language), "index": index}
                                                      for index, (value, text) in enumerate(column.words.items())}})
    if quantity is not None and _limits(quantity):  # else a cell without a value has the colour of the lowest
        mappings.append({"type": "special", "options": {"match": "null", "result": {"text": "–", "color": colours.FINE,
                                                                                    "index": len(column.words)}}})
    if mappings:
        found["mappings"] = mappings
    if column.links:
        found["links"] = [_link(one, language) for one in column.links]
    if column.hidden or column.only not in (None, language):
        found["custom.hidden"] = True
    if column.width:
        found["custom.width"] = column.width
    return {"matcher": {"id": "byName", "options": column.name},
            "properties": [{"id": key, "value": value} for key, value in found.items()]}


def _facets(column: Column, language: Language) -> Json:
    """The same for the columns that bear its name and more: by what `_transformations` has called them."""
    same = [one for one in _column(column, language)["properties"] if one["id"] != "displayName"]
    return {"matcher": {"id": "byRegexp", "options": f"/^{escaped(_called(column, language))}: /"}, "properties": same}


def _called(column: Column, language: Language) -> str:
    assert column.quantity is not None
    return words.title(column.quantity)(language)


def _link(link: Link, language: Language) -> Json:
    return {"title": link.title(language), "url": link.url(language), "targetBlank": False}


def _options(panel: Panel, language: Language) -> Json:
    newest: Json = {"calcs": ["lastNotNull"], "fields": "/^Time$/" if panel.look is Look.AGE else "", "values": False}
    match panel.look:
        case Look.TABLE:
            return {"showHeader": True, "cellHeight": "sm", "sortBy": _sorted(panel, language),
                    "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": "", "enablePagination": True}}
        case Look.LINES:
            return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]},
                    "tooltip": {"mode": "multi", "sort": "desc"}}
        case Look.BARS:
            return {"reduceOptions": newest, "displayMode": "basic", "orientation": "horizontal", "valueMode": "text",
                    "showUnfilled": True, "namePlacement": "auto", "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16}
        case Look.SPREAD:
            sizes: Json = {"bucketSize": panel.bucket, "bucketOffset": 0} if panel.bucket else {}
            return {**sizes, "combine": False, "tooltip": {"mode": "single", "sort": "none"},
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []}}
    return {"reduceOptions": newest, "textMode": "value_and_name" if len(panel.queries) > 1 else "value",
            "colorMode": "background" if _judged(panel) else "none", "graphMode": "none", "justifyMode": "auto",
            "orientation": "auto", "wideLayout": True}


def _sorted(panel: Panel, language: Language) -> list[Json]:
    if not panel.sort:
        return []
    wanted = panel.sort.removeprefix("-")
    [column] = [one for one in panel.columns if one.name == wanted]
    shown = {one["id"]: one["value"] for one in _column(column, language)["properties"]}
    return [{"displayName": shown.get("displayName", wanted), "desc": panel.sort.startswith("-")}]


def _transformations(panel: Panel, language: Language) -> list[Json]:
    """Columns in the order they are named in; the time only where it is asked for. Before, facets get their names."""
    renamed = list(_renamed(panel, language))
    if panel.look is not Look.TABLE or not panel.columns:
        return renamed
    names = [column.name for column in panel.columns]
    return [*renamed, {"id": "organize", "options": {
        "indexByName": {name: index for index, name in enumerate(names)},
        "excludeByName": {} if "Time" in names else {"Time": True}, "renameByName": {}}}]


def _renamed(panel: Panel, language: Language) -> Iterator[Json]:
    """uplinks_dr5 to “Uplinks sent: dr5”, but not battery_low, which is a quantity of its own; what nobody knows keeps its
    name."""
    if not panel.whole:
        return
    mean = "mean_" if panel.look is Look.LINES else ""
    for column in panel.columns:
        if column.facets:
            others = [other.name.removeprefix(f"{column.name}_") for other in panel.columns
                      if other.name.startswith(f"{column.name}_")]
            but = f"(?!(?:{'|'.join(others)})(?:_|$))" if others else ""
            yield _rename(f"/^{mean}{column.name}_{but}(.+)$/", f"{_called(column, language)}: $1")
    if mean:
        yield _rename(f"/^{mean}(.+)$/", "$1")


def _rename(regex: str, pattern: str) -> Json:
    return {"id": "renameByRegex", "options": {"regex": regex, "renamePattern": pattern}}
