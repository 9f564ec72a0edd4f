"""The preview's own parts: times, frames, names, units, what is asked, what is drawn, and that nothing said becomes markup."""

import hashlib
import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from city.errors import InfluxDown, Invalid
from city.ids import TenantId
from city.settings import Influx
from city.store.influx import RejectedQuery, Series
from dashboards.boards import BOARDS, PLATFORM
from dashboards.preview.asking import Asking
from dashboards.preview.command import Wish, chosen, complaints, places, preview
from dashboards.preview.fields import colour, looks, name_of
from dashboards.preview.frames import Field, Frame, frames, reduced, transformed
from dashboards.preview.moments import Range, between, moment
from dashboards.preview.numbers import Where, scale, written
from dashboards.preview.page import board_page, index_page
from dashboards.preview.views import Seen, view
from dashboards.render import dashboard

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)
DE, EN = Where("de", BERLIN, NOW), Where("en", BERLIN, NOW)
TOWN = TenantId("ahausen")
START = NOW - timedelta(hours=6)
SPAN = Range(START, NOW)
STEP = 900_000
CONSOLE = "https://stadt.example"
HOSTILE = "</script><script>alert(1)</script><b onload=x>\"'&"


def ns(minutes: float) -> int:
    return int((START + timedelta(minutes=minutes)).timestamp()) * 10**9


class Answering:
    """Gives `answer` (or what it returns for the query) and remembers what was asked."""

    def __init__(self, answer):
        self.asked, self._answer = [], answer

    def series(self, text):
        self.asked.append(text)
        said = self._answer(text) if callable(self._answer) else self._answer
        if isinstance(said, Exception):
            raise said
        return said


def levels(*values, zone="Altstadt", column="level"):
    return Series("lamp", {"zone": zone}, ["time", column], [[ns(15 * at), value] for at, value in enumerate(values)])


def panel(kind="timeseries", *, targets=1, **more):
    return {"id": 7, "type": kind, "title": "Niveau", "datasource": {"uid": "here"}, "gridPos": {"x": 0, "y": 1, "w": 12, "h": 8},
            "targets": [{"refId": "ABC"[n], "query": "SELECT x FROM y WHERE $timeFilter", "alias": "$tag_zone",
                         "resultFormat": "table" if kind == "table" else "time_series"} for n in range(targets)], **more}


def board(*panels, **more):
    return {"title": "Probe", "time": {"from": "now-6h", "to": "now"}, "panels": list(panels), **more}


def seen_of(one, answer, where=DE):
    result = preview(board(one), {"here": Answering(answer)}, where, Wish(None, {}))
    return result.panels[0].view


@pytest.mark.parametrize(("text", "edge", "said"), [
    ("now", "begin", "2026-11-22T20:30:00+00:00"), ("now-24h", "begin", "2026-11-21T20:30:00+00:00"),
    ("now/d", "begin", "2026-11-21T23:00:00+00:00"), ("now/d", "end", "2026-11-22T22:59:59.999000+00:00"),
    ("now-1d/d", "begin", "2026-11-20T23:00:00+00:00"), ("now/w", "begin", "2026-11-15T23:00:00+00:00"),
    ("now-1M/M", "begin", "2026-09-30T22:00:00+00:00"), ("now-2y", "begin", "2024-11-22T20:30:00+00:00"),
    ("2026-11-22T18:00", "begin", "2026-11-22T17:00:00+00:00"), ("1795356000000", "begin", "2026-11-22T14:00:00+00:00"),
    ("now-30d", "begin", "2026-10-23T19:30:00+00:00")])  # across the end of summer time: the same hour of the day
def test_times_are_grafanas(text, edge, said):
    assert moment(text, NOW, BERLIN, edge).isoformat() == said


@pytest.mark.parametrize("text", ["", "soon", "now-", "now-5", "now/", "now-9999999d", "now-999999y", "2026-13-01", "9" * 30])
def test_what_is_no_time_is_said(text):
    with pytest.raises(Invalid):
        moment(text, NOW, BERLIN)
    with pytest.raises(Invalid):
        between("now", "now-1h", NOW, BERLIN)


def test_series_are_named_by_the_alias_or_as_influxdb_calls_them():
    answer = [levels(40, 50), levels(None, 60, zone="Süd")]
    assert [one.name for one in frames("A", answer, table=False, alias="$tag_zone $col [[m]] $tag_none")] == [
        "Altstadt level lamp $tag_none", "Süd level lamp $tag_none"]
    [first, second] = frames("A", answer, table=False)
    assert first.name == "lamp.level { zone: Altstadt }"
    assert second.fields[1].values == (None, 60)
    assert second.time.values == (ns(0) // 10**6, ns(15) // 10**6)


def test_a_table_has_time_tags_and_values_of_all_series():
    [table] = frames("A", [levels(40, 50), levels(60, zone="Süd")], table=True)
    assert [one.name for one in table.fields] == ["Time", "zone", "level"]
    assert table.fields[1].values == ("Altstadt", "Altstadt", "Süd")
    assert frames("A", [], table=True) == []
    [names] = frames("A", [Series("lamp", {}, ["key", "value"], [["zone", "Süd"], ["zone", "West"]])], table=False)
    assert names.fields[0].values == ("Süd", "West")


def test_an_answer_that_is_not_made_as_influxdbs_is_an_error_and_strange_values_are_none():
    result = preview(board(panel()), {"here": Answering([Series("x", {}, ["time", "a"], [[1]])])}, DE, Wish(None, {}))
    assert "do not fit" in result.panels[0].asked[0].error
    [found] = frames("A", [Series("x", {}, ["time", "a"], [[1, 10**400], [2, float("inf")], [3, {"b": 1}], [4, "x" * 9999]])],
                     table=False)
    assert found.fields[1].values == (None, None, None, "x" * 2000)


@pytest.mark.parametrize(("calc", "value"), [
    ("lastNotNull", 4), ("last", None), ("sum", 7), ("mean", 3.5), ("min", 3), ("max", 4), ("count", 3), ("diff", 1),
    ("firstNotNull", 3), ("unheard of", None)])
def test_reducers(calc, value):
    assert reduced((3, 4, None), calc) == value
    assert reduced((), "sum") is None


def test_transformations_that_boards_use():
    a = Frame("A", (Field("zone", "string", ("N", "S")), Field("free", "number", (3, 5))))
    b = Frame("B", (Field("zone", "string", ("S", "N", "W")), Field("all", "number", (10, 4, 1))))

    def after(*steps):
        found, unknown = transformed([a, b], [{"id": name, "options": options} for name, options in steps], name_of)
        return {one.shown or one.name: one.values for one in found[0].fields}, unknown

    assert after(("merge", {})) == ({"zone": ("N", "S", "W"), "free": (3, 5, None), "all": (4, 10, 1)}, [])
    joined = ("joinByField", {"byField": "zone", "mode": "inner"})
    assert after(joined)[0] == {"zone": ("N", "S"), "free": (3, 5), "all": (4, 10)}
    share = ("calculateField", {"mode": "binary", "alias": "share",
                                "binary": {"left": "free", "operator": "/", "right": "all"}})
    assert after(joined, share)[0]["share"] == (0.75, 0.5)
    assert after(("sortBy", {"sort": [{"field": "free", "desc": True}]}), ("limit", {"limitField": 1}))[0]["zone"] == ("S",)
    assert list(after(("organize", {"excludeByName": {"free": True}, "renameByName": {"zone": "Gebiet"}}))[0]) == ["Gebiet"]
    assert after(("prophesy", {}))[1] == ["prophesy"]


@pytest.mark.parametrize(("value", "unit", "decimals", "de", "en"), [
    (1234.5, "watt", 1, "1,2 kW", "1.2 kW"), (31.5, "watt", 1, "31,5 W", "31.5 W"), (0.004, "amp", 0, "4 mA", "4 mA"),
    (1500, "masskg", 1, "1,5 Mg", "1.5 Mg"), (250, "decmbytes", 0, "250 MB", "250 MB"), (0.256, "percentunit", 0, "26%", "26%"),
    (40, "percent", 0, "40%", "40%"), (-97.4, "dBm", 0, "−97 dBm", "−97 dBm"), (12345, "none", 0, "12.345", "12,345"),
    (-0.01, "none", 0, "0", "0"), (90, "s", 1, "1,5 min", "1.5 min"), (0, "s", 0, "0 s", "0 s"),
    (218, "ms", 0, "218 ms", "218 ms"),
    (3.5, "currencyEUR", 2, "€3,50", "€3.50"), (7, "suffix: kg/h", 1, "7,0 kg/h", "7.0 kg/h"), (None, "watt", 0, "–", "–"),
    (True, "bool_yes_no", 0, "ja", "true"), ("frei", "watt", 0, "frei", "frei"), (2.25, "", None, "2,25", "2.25"),
    (float("nan"), "watt", 0, "–", "–")])
def test_units_are_written_as_grafana_writes_them(value, unit, decimals, de, en):
    assert written(value, unit, decimals, DE) == de
    assert written(value, unit, decimals, EN) == en


def test_moments_are_the_towns():
    ms = NOW.timestamp() * 1000
    assert written(ms, "dateTimeAsLocal", None, DE) == "22.11.2026 21:30:00"
    assert written(ms - 86_400_000, "dateTimeAsLocalNoDateIfToday", None, EN) == "2026-11-21 21:30:00"
    assert written(ms - 3_600_000, "dateTimeAsLocalNoDateIfToday", None, DE) == "20:30:00"
    assert written(ms - 300_000, "dateTimeFromNow", None, DE) == "vor 5 min"
    assert written(ms + 7_200_000, "dateTimeFromNow", None, EN) == "in 2 h"
    assert written(1e300, "dateTimeAsLocal", None, DE).startswith("1.000.000")
    assert scale("s", 0.5, 0).suffix == " ms"


def test_a_fields_looks_are_the_defaults_and_its_overrides():
    one = panel(fieldConfig={
        "defaults": {"unit": "percent", "color": {"mode": "fixed", "fixedColor": "#0072B2"}, "custom": {"lineWidth": 2},
                     "mappings": [{"type": "value", "options": {"1": {"text": "an", "color": "green"}}},
                                  {"type": "range", "options": {"from": 90, "to": None, "result": {"text": "voll"}}},
                                  {"type": "special", "options": {"match": "null", "result": {"text": "unbekannt",
                                                                                                 "color": "transparent"}}}]},
        "overrides": [{"matcher": {"id": "byName", "options": "Süd"}, "properties": [
            {"id": "displayName", "value": "Gebiet ${__field.labels.zone}"}, {"id": "custom.stacking.mode", "value": "normal"},
            {"id": "thresholds", "value": {"mode": "absolute", "steps": [{"color": "red", "value": None}, {"color": "#00FF00",
                                                                                                         "value": 60}]}},
            {"id": "color", "value": {"mode": "thresholds"}}]}]})
    frame = frames("A", [levels(40, zone="Süd")], table=False, alias="$tag_zone")[0]
    other = frames("A", [levels(40)], table=False, alias="$tag_zone")[0]
    found, plain = looks(one, frame, frame.fields[1], 0), looks(one, other, other.fields[1], 0)
    assert (found.name, found.custom["stacking"], plain.custom) == ("Gebiet Süd", {"mode": "normal"}, {"lineWidth": 2})
    assert (found.tone(59), found.tone(60), plain.tone(60), found.tone(1)) == ("#F2495C", "#00FF00", "#0072B2", "#73BF69")
    assert found.tone(None) == ""  # not the lowest threshold's
    assert [plain.word(value, DE) for value in (1.0, 95, None, 40)] == ["an", "voll", "unbekannt", "40%"]


@pytest.mark.parametrize("name", ["red;background:url(x)", "#12", "expression(1)", "#GGGGGG", "", "rgb(1,2,3)"])
def test_only_colours_become_style(name):
    assert colour(name) == ""


@pytest.fixture
def vendor(tmp_path):
    """Stands in for the vendored library, which is in no commit."""
    (tmp_path / "uplot.mjs").write_text("const uPlot = 1;\nexport { uPlot as default };\n")
    (tmp_path / "uplot.css").write_text(".uplot {}\n")
    return tmp_path


def variables(*some):
    return {"templating": {"list": list(some)}}


ZONES = {"name": "zone", "type": "query", "multi": True, "includeAll": True, "allValue": ".*", "sort": 5,
         "datasource": {"uid": "here"}, "query": "SHOW TAG VALUES zone", "current": {"value": ["$__all"]}}
LAMPS = {"name": "asset", "type": "query", "multi": False, "datasource": {"uid": "here"}, "current": {},
         "query": "SHOW TAG VALUES WHERE zone =~ /^$zone$/"}
STEPS = {"name": "interval", "type": "interval", "query": "1m,15m,1h", "auto": True, "auto_count": 100, "auto_min": "1m",
         "current": {"value": "$__auto_interval_interval"}}
GIVEN = {"name": "dim", "type": "custom", "query": "40 % : 40,100 % : 100", "current": {"value": "40"}}


def tags(*values):
    return [Series("lamp", {}, ["key", "value"], [["x", value] for value in values])]


def asked_with(wanted, *some, text="/^$zone$/ '$asset' $interval $__interval $dim"):
    source = Answering(lambda query: tags("Süd.1", "Nord") if "SHOW" in query else [levels(1)])
    one = panel()
    one["targets"][0]["query"] = text
    asking = Asking(board(one, **variables(*some)), {"here": source}, DE, None, wanted, ticks=lambda: 0.0)
    asking.panel(one)
    return source.asked, asking


def test_variables_are_chosen_as_a_viewer_finds_them_each_after_those_before_it():
    asked, asking = asked_with({}, ZONES, LAMPS, STEPS, GIVEN)
    assert asked == ["SHOW TAG VALUES zone", "SHOW TAG VALUES WHERE zone =~ /^.*$/", "/^.*$/ 'Süd.1' 300s 30s 40"]
    assert [(one.name, one.shown) for one in asking.choices] == [("zone", "All"), ("asset", "Süd.1"), ("interval", "auto"),
                                                                 ("dim", "40 %")]
    assert asking.words("Dimmen auf ${dim:text} in $zone") == "Dimmen auf 40 % in All"


def test_the_caller_may_choose():
    asked, _ = asked_with({"zone": ["Süd.1", "a|b"], "interval": ["15m"], "asset": ["L-1"]}, ZONES, LAMPS, STEPS, GIVEN)
    assert asked[-1] == r"/^(Süd\.1|a\|b)$/ 'L-1' 15m 30s 40"
    assert chosen(["zone=A=B", "zone=C"]) == {"zone": ["A=B", "C"]}
    for wrong in ("zone", "=x", "a b=c"):
        with pytest.raises(Invalid):
            chosen([wrong])


def test_a_step_follows_from_the_panels_width_and_its_own_range():
    source = Answering([levels(1)])
    wide, long = panel(gridPos={"x": 0, "y": 0, "w": 24, "h": 8}, interval="15m"), panel(timeFrom="90d")
    for one in (wide, long):
        one["targets"][0]["query"] = "$timeFilter $__interval"
    asking = Asking(board(), {"here": source}, DE, None, {}, ticks=lambda: 0.0)
    asking.panel(wide)
    asking.panel(long)
    assert [text.rpartition(" ")[2] for text in source.asked] == ["15m", "3h"]
    begin = int(re.search(r">= (\d+)ms", source.asked[1])[1])
    assert datetime.fromtimestamp(begin / 1000, UTC) == moment("now-90d", NOW, BERLIN)


@pytest.mark.parametrize(("answer", "said"), [
    (RejectedQuery("InfluxDB refuses the query: {words}", words="bad syntax"), "bad syntax"),
    (InfluxDown("InfluxDB does not answer: {what}", what="ReadTimeout"), "ReadTimeout")])
def test_what_fails_is_shown_beside_what_answers(answer, said):
    source = Answering(answer)
    result = preview(board(panel(targets=2), panel()), {"here": source}, DE, Wish(None, {}))
    assert result.failed == 2
    assert all(said in asked.error for one in result.panels for asked in one.asked)
    assert any(said in line for line in complaints(result))
    assert len(source.asked) == (1 if isinstance(answer, InfluxDown) else 3)  # whoever is silent is asked once


def test_variables_and_data_sources_that_nobody_knows_are_errors_and_are_not_sent():
    source, unknown, stranger = Answering([levels(1)]), panel(), panel(datasource={"uid": "elsewhere"})
    unknown["targets"][0]["query"] = "SELECT x FROM y WHERE z = '$lamp'"
    result = preview(board(unknown, stranger), {"here": source}, DE, Wish(None, {}))
    assert [one.asked[0].error for one in result.panels] == ["Nobody knows $lamp.", "There is no data source elsewhere."]
    assert source.asked == []


def test_events_have_their_text_and_their_end(vendor):
    note = {"name": "Eingriffe", "datasource": {"uid": "here"}, "query": "SELECT de AS text, ends AS until", "textColumn": "text",
            "timeEndColumn": "event.until", "iconColor": "#D55E00"}
    rows = [[ns(60), "Fest", ns(120) // 10**6], [ns(30), "Probe", None], [ns(10), None, None]]
    answer = [Series("event", {}, ["time", "text", "until"], rows)]
    source = Answering(lambda text: answer if "AS text" in text else [levels(1, 2)])
    result = preview(board(panel(), annotations={"list": [note, {"builtIn": 1, "name": "own"}]}), {"here": source}, DE,
                     Wish(None, {}))
    assert [(one.text, one.end_ms - one.start_ms) for one in result.events] == [("Probe", 0), ("Fest", 3_600_000)]
    marks = result.panels[0].view.chart.data["marks"]
    assert [(mark["number"], mark["colour"]) for mark in marks] == [(1, "#D55E00"), (2, "#D55E00")]
    html = board_page(result, DE, vendor=vendor)
    assert "22.11.2026 16:30 – 22.11.2026 17:30: Fest" in html


def with_custom(**custom):
    return panel(targets=1, fieldConfig={"defaults": {"unit": "percent", "custom": custom}})


def drawn(one, *answer):
    return seen_of(one, list(answer)).chart


def test_nulls_are_gaps_unless_they_are_bridged():
    several = levels(1, None, None, 4, None, 6)
    assert drawn(with_custom(), several).data["series"][0]["y"] == [1, None, None, 4, None, 6]
    assert drawn(with_custom(spanNulls=True), several).data["series"][0]["y"] == [1, 4, 6]
    assert drawn(with_custom(spanNulls=2_000_000), several).data["series"][0]["y"] == [1, None, None, 4, 6]
    assert drawn(with_custom(insertNulls=STEP), Series("lamp", {}, ["time", "x"], [[ns(0), 1], [ns(60), 2]])).data[
        "series"][0]["y"] == [1, None, 2]


def test_parts_are_stacked_one_upon_the_other_and_keep_their_own_values():
    found = drawn(with_custom(stacking={"mode": "normal"}, drawStyle="bars"), levels(1, 2, zone="a"), levels(10, None, zone="b"),
                  levels(100, 200, 300, zone="c"))
    assert {one["name"]: one["y"] for one in found.data["series"]} == {"a": [1, 2, 0], "b": [11, 2, 0], "c": [111, 202, 300]}
    assert [one["name"] for one in found.data["series"]] == ["c", "b", "a"]  # the highest is painted first
    assert found.data["series"][1]["own"] == [10, None, None]
    assert found.data["axes"][0]["min"] == 0
    whole = drawn(with_custom(stacking={"mode": "percent"}), levels(1, zone="a"), levels(3, zone="b"))
    assert {one["name"]: one["y"] for one in whole.data["series"]} == {"a": [25], "b": [100]}


def test_an_axis_has_one_unit_and_thresholds_are_lines():
    one = panel(fieldConfig={"defaults": {"unit": "watt", "decimals": 1, "min": 0, "thresholds": {"mode": "absolute", "steps": [
        {"color": "green", "value": None}, {"color": "red", "value": 900}]}, "custom": {"thresholdsStyle": {"mode": "dashed"}}},
        "overrides": [{"matcher": {"id": "byName", "options": "b"}, "properties": [{"id": "unit", "value": "percent"}]}]})
    found = drawn(one, levels(500, 1500, zone="a"), levels(5, zone="b"))
    assert [(axis["div"], axis["suffix"]) for axis in found.data["axes"]] == [(1000.0, " kW"), (1.0, "%")]
    assert [one["axis"] for one in found.data["series"]] == ["y0", "y1"]
    assert found.data["lines"] == [{"at": 900.0, "colour": "#F2495C", "dashed": True}]
    first = found.lines[0]
    assert (first.name, first.last, first.low, first.high, first.mean, first.count) == (
        "a", "1,5 kW", "500,0 W", "1,5 kW", "1,0 kW", 2)


def test_a_chart_is_bounded_and_says_what_is_missing():
    found = drawn(panel(), *(levels(1, zone=f"z{number}") for number in range(50)))
    assert (len(found.data["series"]), found.left_out) == (40, 10)


def test_a_stat_shows_the_reduced_value_with_its_colour():
    options = {"reduceOptions": {"calcs": ["sum"], "fields": ""}, "colorMode": "background", "graphMode": "area"}
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 1000}]
    one = panel("stat", options=options, fieldConfig={"defaults": {
        "unit": "watth", "decimals": 1, "color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}})
    [stat] = seen_of(one, [levels(600, None, 700)]).stats
    assert (stat.text, stat.tone, stat.filled, stat.name, len(stat.spark)) == ("1,3 kWh", "#F2495C", True, "", 2)
    assert [stat.name for stat in seen_of(one, [levels(1, zone="a"), levels(2, zone="b")]).stats] == ["a", "b"]
    nothing = seen_of(one, [])
    assert (nothing.kind, nothing.words) == ("nothing", "")
    age = panel("stat", options={"reduceOptions": {"calcs": ["lastNotNull"], "fields": "/^Time$/"}},
                fieldConfig={"defaults": {"unit": "dateTimeFromNow"}})
    age["targets"][0]["resultFormat"] = "table"
    assert seen_of(age, [levels(1, 2)]).stats[0].text == "vor 6 h"


def test_bars_and_histograms():
    gauge = panel("bargauge", fieldConfig={"defaults": {"unit": "percent", "min": 0, "max": 200}})
    assert [(bar.name, bar.share, bar.text) for bar in seen_of(gauge, [levels(50, zone="a"), levels(400, zone="b")]).bars] == [
        ("a", 0.25, "50%"), ("b", 1.0, "400%")]
    spread = panel("histogram", options={"bucketSize": 10})
    found = seen_of(spread, [levels(-105, -104, -91, -72)])
    assert [(bar.name, bar.text) for bar in found.bars] == [("−110", "2"), ("−100", "1"), ("−90", "0"), ("−80", "1")]


def test_a_tables_links_lead_to_web_addresses_only():
    def linked(url):
        links = {"id": "links", "value": [{"title": "x", "url": url}]}
        one = panel("table", fieldConfig={"defaults": {}, "overrides": [
            {"matcher": {"id": "byName", "options": "zone"}, "properties": [links]}]})
        return seen_of(one, [levels(40, zone="Süd/1 &")]).table.rows[0][1].href

    assert linked("https://x.example/z/${__data.fields.zone:percentencode}?a=${__value.raw:percentencode}") == (
        "https://x.example/z/S%C3%BCd%2F1%20%26?a=S%C3%BCd%2F1%20%26")
    assert linked("javascript:alert(1)") == linked("/z/1") == linked("https://x.example/${__from}") == ""


def test_a_table_hides_sorts_and_is_bounded():
    one = panel("table", options={"sortBy": [{"displayName": "level", "desc": True}]}, fieldConfig={
        "defaults": {}, "overrides": [{"matcher": {"id": "byName", "options": "Time"},
                                       "properties": [{"id": "custom.hidden", "value": True}]}]})
    found = seen_of(one, [levels(*range(300))]).table
    assert [cell.text for cell in found.heads] == ["zone", "level"]
    assert (found.rows[0][1].text, len(found.rows), found.more) == ("299", 200, 100)


def test_what_is_not_known_is_said():
    strange = seen_of(panel("geomap"), [levels(1)])
    assert (strange.kind, strange.notes) == ("table", ("panel “geomap”",))
    canvas = {"id": 1, "type": "canvas", "title": "Dimmen", "gridPos": {}, "options": {"root": {"elements": [
        {"name": "knopf", "config": {"text": {"fixed": "Dimmen …"}}}]}}}
    box = view(canvas, [], Seen(DE, SPAN, []))
    assert (box.kind, box.words) == ("box", "Dimmen …")


def hostile_page(vendor, language="de"):
    one = panel(title=HOSTILE, description=HOSTILE)
    table, strange = panel("table"), panel("canvas", options={"content": HOSTILE})
    strange["targets"] = []
    answer = Answering(lambda text: tags(HOSTILE) if "SHOW" in text else [levels(1, 2, zone=HOSTILE)])
    given = board(one, table, strange, panel("stat"), title=HOSTILE, description=HOSTILE, **variables(LAMPS))
    return board_page(preview(given, {"here": answer}, Where(language, BERLIN, NOW), Wish(None, {})),
                      Where(language, BERLIN, NOW), vendor=vendor)


def test_nothing_that_is_said_becomes_markup(vendor):
    html = hostile_page(vendor)
    assert "alert(1)</script>" not in html
    assert "<b onload" not in html
    data = re.search(r'<script type="application/json" id="d7">(.*?)</script>', html, re.DOTALL)[1]
    assert json.loads(data)["series"][0]["name"] == HOSTILE


def test_the_page_lets_only_its_own_script_run_and_asks_nobody(vendor):
    html = hostile_page(vendor)
    [script] = re.findall(r'<script type="module">(.*?)</script>', html, re.DOTALL)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in html
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', html) == []
    assert "return uPlot;" in script
    assert "export {" not in script


def test_a_page_says_what_it_is_in_both_languages(vendor):
    assert "Vorschau – nicht Grafana." in hostile_page(vendor)
    english = hostile_page(vendor, "en")
    assert 'lang="en"' in english
    assert "Preview – not Grafana." in english
    assert "Vorschau – nicht Grafana." in index_page([("a.html", "A", "1 panel")], DE, vendor=vendor)


def test_without_the_vendored_library_it_says_how_to_get_it(tmp_path):
    result = preview(board(panel()), {"here": Answering([levels(1)])}, DE, Wish(None, {}))
    with pytest.raises(Invalid, match="scripts/frontend"):
        board_page(result, DE, vendor=tmp_path)


def test_a_town_has_four_places_and_the_platform_one():
    influx = Influx(url="http://127.0.0.1:1", bucket="b")
    assert sorted(one.bucket for one in places(influx, TOWN).values()) == ["b_ahausen", "b_ahausen_bays", "b_ahausen_days",
                                                                           "b_ahausen_hours"]
    assert {uid: one.bucket for uid, one in places(influx, None).items()} == {"stadtfunk-platform-influxdb": "b__platform"}


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("made", [*(make(TOWN, console=CONSOLE) for make in BOARDS), PLATFORM(console=CONSOLE)],
                         ids=lambda made: made.name)
def test_every_board_is_drawn_even_where_there_is_nothing(made, language, vendor):
    sources = {uid: Answering([]) for uid in places(Influx(url="http://127.0.0.1:1"), made.tenant)}
    where = Where(language, BERLIN, NOW)
    result = preview(dashboard(made, language), sources, where, Wish(None, {}))
    assert result.failed == 0
    assert {one.view.kind for one in result.panels} <= {"nothing", "box"}
    assert [note for one in result.panels for note in one.view.notes] == []  # every transformation of ours is known here
    assert made.title(language) in board_page(result, where, vendor=vendor).replace("&#34;", '"')
