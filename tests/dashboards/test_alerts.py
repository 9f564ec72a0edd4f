"""Alert rules: both languages, bounded queries, a link to where it can be seen, and only what Grafana's API takes."""

import re

import pytest

from city.ids import TenantId
from city.settings import Influx
from city.store.influxql import name
from city.store.lines import column
from dashboards.alerts import Quiet, platform_rules, rule_json, town_rules
from dashboards.wanted import Kind, Reading, Wishes, contacts, platform_place, town_place

AHAUSEN = TenantId("ahausen")
DEFAULTS = Influx()
TOWN, PLATFORM = town_rules(AHAUSEN), platform_rules()


def wishes(language, influx: Influx = DEFAULTS):
    return Wishes(language, "https://stadt.example", Reading("http://influx", influx, {}), contacts("ahausen=a@b.de"))


def placed(language, kind: Kind, influx: Influx = DEFAULTS):
    both = town_place(AHAUSEN, "Ahausen", wishes(language, influx)), platform_place(wishes(language, influx))
    return [thing.body for place in both for thing in place.things if thing.kind is kind]


@pytest.mark.parametrize("rule", [*TOWN, *PLATFORM], ids=lambda rule: rule.name)
def test_a_query_is_bounded_and_asks_for_the_figure_that_the_rule_is_about(rule):
    measurement = column(rule.figure)[0]
    for asked in rule.asked:
        assert "$timeFilter" in asked.query
        assert not re.search(r"\$(?!timeFilter)", asked.query)  # Grafana fills in no variables in a rule
        assert f"FROM {name(measurement)}" in asked.query
        assert 0 < asked.since_s <= 2 * 86_400
    if rule in TOWN:
        assert all("\"tenant\" = 'ahausen'" in asked.query for asked in rule.asked)


@pytest.mark.parametrize("rule", [*TOWN, *PLATFORM], ids=lambda rule: rule.name)
def test_both_languages_say_the_same_values(rule):
    german, english = (re.findall(r"\{\{.*?\}\}", rule.summary(language)) for language in ("de", "en"))
    assert sorted(german) == sorted(english)
    assert rule.title("de") != rule.title("en")
    assert max(len(rule.title(language)) for language in ("de", "en")) <= 190
    said = {ref for ref, _, _ in rule.reduced}
    assert set(re.findall(r"\$values\.(\w)", rule.summary("de"))) <= said
    grouped = {tag for asked in rule.asked for tag in re.findall(r'"(\w+)"', asked.query.rpartition("GROUP BY")[2])}
    assert set(re.findall(r"\$labels\.(\w+)", rule.summary("de"))) <= grouped


@pytest.mark.parametrize("language", ["de", "en"])
def test_each_rule_leads_to_a_panel_that_is_there_and_to_the_console(language):
    boards = {body["uid"]: body for body in placed(language, Kind.BOARD)}
    for rule in placed(language, Kind.RULE):
        annotations = rule["annotations"]
        panels = boards[annotations["__dashboardUid__"]]["panels"]
        every = [inner for panel in panels for inner in (panel, *panel.get("panels", ()))]
        [panel] = [panel for panel in every if str(panel["id"]) == annotations["__panelId__"]]
        assert panel["type"] != "row"
        if rule["labels"]["town"] == "ahausen":
            assert annotations["runbook_url"].startswith("https://stadt.example/" + ("ahausen" if language == "de" else "en/"))


def test_a_town_says_nothing_where_it_has_no_figures_and_the_platform_does():
    assert {rule.no_data for rule in TOWN} == {Quiet.FINE}
    assert {rule.broken for rule in TOWN} == {Quiet.KEEP}  # one InfluxDB that is down is one alert, and not one of each town
    assert [rule.name for rule in PLATFORM if rule.no_data is Quiet.ALARM] == ["lag-influx"]
    assert {rule.broken for rule in PLATFORM} == {Quiet.ERROR}


def test_where_no_samples_are_taken_there_are_no_rules_about_them():
    assert [rule["uid"] for rule in placed("de", Kind.RULE, Influx(figures_s=0))] == ["stadtfunk-ahausen-coverage"]


def test_seldom_samples_are_fresh_for_longer():
    [asked] = next(rule for rule in town_rules(AHAUSEN, step_s=900) if rule.name == "unattended").asked
    assert asked.since_s == 2700


def test_a_rule_names_a_contact_point_only_where_there_is_one():
    receivers = {rule["labels"]["town"]: rule["notification_settings"] for rule in placed("de", Kind.RULE)}
    assert receivers == {"ahausen": {"receiver": "stadtfunk ahausen"}, "platform": None}


def test_a_towns_name_cannot_break_out_of_a_query():
    # a town's id has no such characters; should it ever have some, they stay inside the quotes
    rule = town_rules(TenantId("x' OR 1=1 --"))[0]
    assert "'x\\' OR 1=1 --'" in rule.asked[0].query


def test_without_a_panel_or_a_console_there_are_no_half_links():
    said = rule_json(TOWN[0], tenant=AHAUSEN, language="de", source="s", panel=None, console="", contact="")
    assert set(said["annotations"]) == {"summary"}
