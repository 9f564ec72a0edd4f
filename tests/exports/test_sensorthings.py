"""SensorThings over zones: paths, relations, queries in the subset that we document, and nothing that is not public."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from time import process_time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import CityError, Invalid, NotFound, Unsupported
from city.exports import sensorthings, sta_answers, sta_lighting, sta_query
from city.ids import AssetId, ZoneId
from city.parking_places import TownParking
from city.places import Zone
from city.public_parking import PublicQuarter
from tests.exports.parking import DISABLED, NOTHING, NOW, NUMBER, RANGE, RESIDENT, TENANT, WORD, seen, zone
from tests.exports.town import lamp
from tests.exports.town import seen as lamp_seen

BASE = "https://data.example/sta/v1.1"
START = NOW - timedelta(days=1)
PAST = sensorthings.by_zone([PublicQuarter(ZoneId("markt"), START + n * sensorthings.QUARTER, float(n), 22) for n in range(90)]
                            + [PublicQuarter(ZoneId("geheim"), START, 1.0, 9)])
TOWN = seen(zone("markt", NUMBER, DISABLED, RESIDENT), zone("wall", RANGE, name="Am Wall"), zone("hof", WORD, name="Hof"),
            zone("öde", NOTHING, name="O'Öde"))


def ask(path: str, here: Any = TOWN, **options: str) -> Any:
    pairs = [(f"${name}", text) for name, text in options.items()]
    return sta_answers.answer(sensorthings.model(here, BASE, PAST), path, sta_query.parse(pairs, NOW))


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["@iot.id"] for one in answer["value"]]


def follow(link: str) -> Any:
    parts = urlsplit(link)
    return ask(parts.path.removeprefix("/sta/v1.1/"), **{key[1:]: text for key, text in parse_qsl(parts.query)})


def test_the_root_names_all_sets_and_what_is_kept_to() -> None:
    root = sta_answers.root(sensorthings.model(TOWN, BASE, PAST), {})
    assert [one["name"] for one in root["value"]] == list(sta_answers.RELATIONS)
    kept = root["serverSettings"]["conformance"]
    assert all(one.startswith("http://www.opengis.net/spec/iot_sensing/1.1/req/") for one in kept)


@pytest.mark.parametrize("name", sta_answers.RELATIONS)
def test_each_entity_of_each_set_leads_to_itself_and_to_all_it_is_related_to(name: str) -> None:
    for one in ask(name, top="3")["value"]:
        assert follow(one["@iot.selfLink"])["@iot.id"] == one["@iot.id"]
        for relation, (_, single) in sta_answers.RELATIONS[name].items():
            found = follow(one[f"{relation}@iot.navigationLink"])
            assert ("@iot.id" in found) == single


def test_entities_have_the_properties_that_the_standard_requires() -> None:
    required = {"Things": {"name", "description", "properties"}, "Locations": {"name", "description", "encodingType", "location"},
                "Datastreams": {"name", "description", "unitOfMeasurement", "observationType"},
                "Sensors": {"name", "description", "encodingType", "metadata"},
                "ObservedProperties": {"name", "definition", "description"},
                "Observations": {"phenomenonTime", "resultTime", "result"},
                "FeaturesOfInterest": {"name", "description", "encodingType", "feature"}}
    for name, wanted in required.items():
        found = ask(name)["value"]
        assert found
        assert all(wanted <= set(one) for one in found), name
    assert ask("HistoricalLocations")["value"] == []


def test_numbers_are_observed_only_where_they_are_told() -> None:
    assert ask("Datastreams('markt.free')/Observations")["value"][0]["result"] == 7
    assert ask("Datastreams('wall.free')/Observations")["value"] == []
    assert ask("Datastreams('wall.class')/Observations")["value"][0]["parameters"] == {"bays": 22, "freeMin": 2, "freeMax": 7}
    assert ask("Datastreams('hof.class')/Observations")["value"][0]["result"] == "full"
    assert ask("Datastreams('hof.class')/Observations")["value"][0]["parameters"] == {"bays": 4}
    assert ask("Datastreams('öde.class')/Observations")["value"][0]["result"] == "no_data"
    assert ask("Datastreams('markt.disabled')/Observations", count="true")["@iot.count"] == 1  # now, and no history
    assert ask("Datastreams('markt.resident')/Observations")["value"] == []


def test_the_past_of_a_zone_that_is_not_public_any_more_is_not_told() -> None:
    assert "geheim" not in str([ask(name, top="1000") for name in sta_answers.RELATIONS])
    for path in ("Things('geheim')", "Datastreams('geheim.mean')", f"Observations('geheim.mean@{int(START.timestamp())}')"):
        with pytest.raises(NotFound):
            ask(path)


def test_special_bays_are_no_datastreams_where_a_town_does_not_tell_them() -> None:
    silent = replace(TOWN, town=TownParking(special_public=False))
    assert not [one for one in ids(ask("Datastreams", silent)) if one.endswith((".disabled", ".resident"))]


def test_means_stand_for_a_quarter_of_an_hour_and_the_newest_comes_first() -> None:
    found = ask("Datastreams('markt.mean')/Observations", top="2")["value"]
    assert [one["result"] for one in found] == [89.0, 88.0]
    begun, _, ended = found[0]["phenomenonTime"].partition("/")
    assert ended == found[0]["resultTime"] > begun


def test_a_collection_is_walked_to_its_end_by_its_next_links() -> None:
    page = ask("Datastreams('markt.mean')/Observations", top="40", count="true", orderby="result asc")
    results = [one["result"] for one in page["value"]]
    while "@iot.nextLink" in page:
        page = follow(page["@iot.nextLink"])
        results += [one["result"] for one in page["value"]]
        assert page["@iot.count"] == 90
    assert results == [float(n) for n in range(90)]


FILTERS = [
    ("Things", "name eq 'Am Wall'", ["wall"]), ("Things", "startswith(name,'Am') and properties/bays gt 4", ["markt", "wall"]),
    ("Things", "not (properties/bays ge 5)", ["hof"]), ("Things", "substringof('all', name) or id eq 'hof'", ["wall", "hof"]),
    ("Things", "name eq 'O''Öde'", ["öde"]), ("Things", "length(name) le 3", ["hof"]),
    ("Things", "properties/nothing eq null and name ne 'x'", ["markt", "wall", "hof", "öde"]),
    ("Datastreams", "Thing/name eq 'Hof' and properties/part eq 'class'", ["hof.class"]),
    ("Datastreams", "ObservedProperty/id eq 'availability'", ["markt.class", "wall.class", "hof.class", "öde.class"]),
    ("Things", "tolower(name) eq 'hof'", ["hof"]), ("Things", "true eq false", []), ("Things", "1 eq '1'", [])]


@pytest.mark.parametrize(("path", "text", "found"), FILTERS)
def test_filters_keep_what_they_say(path: str, text: str, found: Sequence[str]) -> None:
    assert ids(ask(path, filter=text)) == list(found)


def test_times_are_compared_as_times_whatever_their_zone() -> None:
    after = "phenomenonTime ge 2026-11-22T12:30:00+02:00 and phenomenonTime lt 2026-11-22T11:30:00Z"
    found = ask("Datastreams('markt.mean')/Observations", filter=after, orderby="phenomenonTime")["value"]
    assert [one["result"] for one in found] == [4.0, 5.0, 6.0, 7.0]
    assert len(ask("Observations", filter="resultTime gt 2026-11-23T09:00:00Z and result eq 7")["value"]) == 1
    assert ask("Observations", filter="phenomenonTime gt now()")["value"] == []


def test_what_is_related_is_put_in_with_queries_of_its_own() -> None:
    found = ask("Things('markt')", expand="Datastreams($filter=properties/part eq 'mean';$expand=Observations($top=2;$count=true;"
                "$select=result)),Locations($select=location)", select="name")
    assert set(found) == {"name", "Datastreams", "Locations"}
    stream, = found["Datastreams"]
    assert stream["Observations"] == [{"result": 89.0}, {"result": 88.0}]
    assert stream["Observations@iot.count"] == 90
    assert follow(stream["Observations@iot.nextLink"]) | {"@iot.nextLink": ""} == {
        "@iot.count": 90, "@iot.nextLink": "", "value": [{"result": 87.0}, {"result": 86.0}]}
    assert ask("Datastreams('hof.class')", expand="Thing/Locations,Sensor")["Thing"]["Locations"][0]["@iot.id"] == "hof"


def test_properties_values_and_references() -> None:
    assert ask("Things('wall')/name") == {"name": "Am Wall"}
    assert ask("Things('wall')/name/$value") == "Am Wall"
    assert ask("Things('wall')/Datastreams/$ref")["value"][0] == {"@iot.selfLink": f"{BASE}/Datastreams('wall.mean')"}
    assert ask("Things('wall')/Datastreams('wall.class')/ObservedProperty")["@iot.id"] == "availability"


@pytest.mark.parametrize("path", ["Nothing", "Things('x')", "Things('wall')/Nothing", "Things/name", "Things(wall)", "x",
                                  "Things('wall')/name/more", "Things('wall')/Datastreams('markt.free')",
                                  "/".join(["Things"] * 9)])
def test_what_is_not_there_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        ask(path)


@pytest.mark.parametrize(("options", "kind"), [
    ({"filter": "st_within(location, geography'POINT(8 51)')"}, Unsupported),
    ({"filter": "year(resultTime) eq 2026"}, Unsupported),
    ({"resultFormat": "dataArray"}, Unsupported), ({"filter": "name eq"}, Invalid), ({"filter": "(" * 200}, Invalid),
    ({"filter": "not " * 100 + "true"}, Invalid), ({"filter": "name eq 'x' or"}, Invalid),
    ({"filter": "__import__('os')"}, Invalid),
    ({"filter": "Datastreams/name eq 'x'"}, Invalid), ({"top": "-1"}, Invalid), ({"top": "²"}, Invalid),
    ({"skip": "9999999"}, Invalid),
    ({"count": "yes"}, Invalid), ({"orderby": "name; drop"}, Invalid), ({"orderby": "a,b,c,d,e,f"}, Invalid),
    ({"select": "a b"}, Invalid), ({"expand": "Nothing"}, Invalid), ({"expand": "Datastreams($top=x)"}, Invalid),
    ({"expand": "Datastreams/Thing/Datastreams/Thing/Datastreams"}, Unsupported), ({"filter": "x" * 1001}, Invalid)])
def test_what_cannot_be_answered_is_refused_with_a_sentence(options: dict[str, str], kind: type[CityError]) -> None:
    with pytest.raises(kind) as caught:
        ask("Things", **options)
    assert str(caught.value)


def test_an_option_that_is_none_of_ours_is_refused_and_a_page_has_a_limit() -> None:
    with pytest.raises(Invalid):
        sta_query.parse([("filter", "name eq 'x'")], NOW)
    with pytest.raises(Invalid):
        sta_query.parse([("$top", "1"), ("$top", "2")], NOW)
    assert sta_query.parse([("$top", "999999")], NOW).top == sta_query.MOST_TOP


@given(st.text(max_size=120), st.text(max_size=60), st.text(max_size=60), st.text(max_size=80))
def test_any_question_is_answered_or_refused_with_a_sentence(path: str, filter_: str, order: str, expand: str) -> None:
    for options in ({"filter": filter_}, {"orderby": order}, {"expand": expand}, {"select": order}):
        with suppress(Invalid, NotFound, Unsupported):
            ask("Things", **options)
        with suppress(Invalid, NotFound, Unsupported):
            ask(path)


WORDS = st.lists(st.sampled_from(["name", "eq", "and", "or", "not", "(", ")", "'x'", "1", "null", "now()", "length(", ",", "ge",
                                  "2026-11-22T11:30:00Z", "Thing/name", "result", "phenomenonTime", "true"]), max_size=14)


@given(WORDS)
def test_any_words_of_the_grammar_are_read_or_refused(words: list[str]) -> None:
    with suppress(Invalid, Unsupported):
        ask("Observations", filter=" ".join(words), top="5")


def test_an_answer_and_what_is_looked_through_for_it_have_a_bound_and_a_time_makes_it_smaller() -> None:
    here = seen(*(zone(f"z{n}", NUMBER) for n in range(16)))
    long = sensorthings.by_zone(PublicQuarter(ZoneId(f"z{n}"), NOW - k * sensorthings.QUARTER, 1.0, 22)
                                for n in range(16) for k in range(1, 673))
    model = sensorthings.model(here, BASE, long)
    assert len(sta_answers.answer(model, "Observations", sta_query.parse([], NOW))["value"]) == 100  # type: ignore[index]
    for options in ([("$filter", "result eq 1")], [("$orderby", "result")]):
        with pytest.raises(Invalid):
            sta_answers.answer(model, "Observations", sta_query.parse(options, NOW))
    short = [("$filter", "phenomenonTime ge 2026-11-23T09:00:00Z and result eq 1"), ("$count", "true")]
    assert sta_answers.answer(model, "Observations", sta_query.parse(short, NOW))["@iot.count"] == 32  # type: ignore[index]
    with pytest.raises(Invalid):
        sta_answers.answer(model, "Things", sta_query.parse([("$expand", "Datastreams/Observations($top=1000)")], NOW))


def test_a_filter_deep_in_what_is_put_in_costs_no_more_than_one_that_is_not() -> None:
    """Each stream leads to all streams of its kind, and each of those to its past: little to read, and minutes of work."""
    here = seen(*(zone(f"z{n}", NUMBER) for n in range(20)))
    long = sensorthings.by_zone(PublicQuarter(ZoneId(f"z{n}"), NOW - k * sensorthings.QUARTER, 1.0, 22)
                                for n in range(20) for k in range(1, 673))
    model = sensorthings.model(here, BASE, long)
    asked = " and ".join(["result ne 2"] * 30)
    deep = f"ObservedProperty($expand=Datastreams($expand=Observations($top=0;$filter={asked})))"
    usual = [("$expand", "Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc;$filter=result ge 0))")]
    began = process_time()
    assert len(sta_answers.answer(model, "Things", sta_query.parse(usual, NOW))["value"]) == 20  # type: ignore[index]
    honest, began = process_time() - began, process_time()
    with pytest.raises(Invalid):
        sta_answers.answer(model, "Datastreams", sta_query.parse([("$expand", deep), ("$top", "1000")], NOW))
    assert process_time() - began < 20 * honest


# --- lamps ------------------------------------------------------------------------------------------------------------


def lights(count: int, spoken: int, level: float = 40.0) -> list[sta_lighting.ZoneLight]:
    lamps = [replace(lamp(n), id=AssetId(f"L{n}")) for n in range(count)]
    levels = {AssetId(f"L{n}"): (0.0 if n == 0 else level, NOW) for n in range(spoken)}
    return sta_lighting.zone_lights([Zone(lamps[0].tenant, lamps[0].zone, "Am Markt")], lamps, levels, NOW)


def lit(path: str, light: list[sta_lighting.ZoneLight]) -> Any:
    model = sta_answers.joined(sensorthings.model(TOWN, BASE, PAST), sta_lighting.of_zones(light, BASE))
    return sta_answers.answer(model, path, sta_query.parse([], NOW))


def test_a_zone_of_lamps_tells_its_mean_level_and_how_many_burn() -> None:
    light = lights(5, 4)
    assert lit("Datastreams('light:markt.level')/Observations", light)["value"][0]["result"] == 30.0
    burning = lit("Datastreams('light:markt.lit')/Observations", light)["value"][0]
    assert (burning["result"], burning["parameters"]) == (3, {"lamps": 5, "known": 4})
    assert lit("FeaturesOfInterest('light:markt')/Observations", light)["value"]
    assert lit("Things", light)["value"][-1]["@iot.id"] == "light:markt"


def test_few_lamps_are_no_thing_and_many_that_are_silent_have_no_observation() -> None:
    with pytest.raises(NotFound):
        lit("Things('light:markt')", lights(4, 4))
    assert lit("Datastreams('light:markt.level')/Observations", lights(5, 2))["value"] == []
    late = sta_lighting.zone_lights([Zone(TENANT.id, ZoneId("markt"), "x")], [lamp(n) for n in range(6)],
                                    {lamp(n).id: (50.0, NOW - timedelta(days=2)) for n in range(6)}, NOW)
    assert lit("Datastreams('light:markt.level')/Observations", late)["value"] == []


def test_a_single_lamp_is_a_thing_with_what_it_last_said() -> None:
    model = sta_lighting.of_lamps([lamp_seen(1, level=60.0, power=18.0)], BASE)
    answer = sta_answers.answer(model, "Things", sta_query.parse([("$expand", "Datastreams/Observations,Locations")], NOW))
    assert isinstance(answer, dict)
    thing, = answer["value"]
    results = {one["@iot.id"]: [said["result"] for said in one["Observations"]] for one in thing["Datastreams"]}
    assert sorted(results.values()) == [[], [18.0], [60.0]]
    assert thing["Locations"][0]["location"]["type"] == "Point"
