"""Lamps as FIWARE entities: what dataModel.Streetlighting requires (schemas of 2024), and what NGSI-LD does."""

import re
from typing import Any

import pytest

from city.alarms import AlarmKind
from city.errors import NotFound
from city.exports import ngsi_ld
from city.lighting import Setpoint
from tests.exports.town import NOW, TOWN, lamp, seen, town, wish

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
REQUIRED = {"Streetlight": {"id", "type", "location", "status"}, "StreetlightGroup": {"id", "type", "location"},
            "StreetlightControlCabinet": {"id", "type", "location", "refStreetlightGroup", "workingMode"},
            "StreetlightModel": {"id", "type", "name"}}
ENUMS = {"status": {"ok", "defectiveLamp", "columnIssue", "brokenLantern"}, "powerState": {"on", "off", "low", "bootingUp"},
         "controllingMethod": {"individual", "group"}, "workingMode": {"automatic", "manual", "semiautomatic"}}
FIWARE = {  # the attributes of the models (and of all of them) that may stand in our entities without a context of ours
    "id", "type", "location", "name", "annotations", "status", "powerState", "controllingMethod", "illuminanceLevel", "circuit",
    "refStreetlightGroup", "refStreetlightControlCabinet", "refStreetlightModel", "refDevice", "powerConsumption", "powerRating",
    "powerFactor", "voltage", "current", "lifetimePowerConsumption", "dateLastSwitchingOff", "refStreetlight", "activeProgramId",
    "circuitId", "workingMode", "features", "minPowerConsumption", "maxPowerConsumption", "lanternModelName"}


def all_entities() -> list[dict[str, Any]]:
    lamps = (lamp(1), lamp(2))
    here = town(*lamps, overrides=(wish("zone:markt"),))
    lit = [seen(1, level=50.0, power=18.0, reason="profile", voltage=231.0, energy=12_345.0,
                kinds=(AlarmKind.LAMP_FAILURE, AlarmKind.DEVICE_SILENT)), seen(2)]
    return [*(ngsi_ld.streetlight(here, one) for one in lit),
            *(ngsi_ld.streetlight_group(here, name, lit) for name in ngsi_ld.group_names(here)),
            ngsi_ld.control_cabinet(here, here.circuits[0], lamps), ngsi_ld.streetlight_model(here, "Alpha 40/4000", lamps)]


@pytest.mark.parametrize("entity", all_entities(), ids=lambda one: one["id"])
def test_an_entity_has_what_its_model_requires_and_only_known_words(entity: dict[str, Any]) -> None:
    assert REQUIRED[entity["type"]] <= set(entity)
    assert set(entity) <= FIWARE | set(ngsi_ld.OWN_TERMS)
    assert entity["id"].startswith(f"urn:ngsi-ld:{entity['type']}:{TOWN}:")
    assert " " not in entity["id"]
    for name, values in ENUMS.items():
        if name in entity:
            assert entity[name]["value"] in values


@pytest.mark.parametrize("entity", all_entities(), ids=lambda one: one["id"])
def test_every_attribute_is_a_property_a_relationship_or_a_place(entity: dict[str, Any]) -> None:
    for name, attribute in entity.items():
        if name in ("id", "type"):
            continue
        kind = attribute["type"]
        assert kind in ("Property", "GeoProperty", "Relationship"), name
        assert ("object" in attribute) == (kind == "Relationship")
        if kind == "Relationship":
            targets = attribute["object"] if isinstance(attribute["object"], list) else [attribute["object"]]
            assert all(target.startswith("urn:ngsi-ld:") for target in targets)
        if "observedAt" in attribute:
            assert STAMP.fullmatch(attribute["observedAt"])


def test_the_three_states_stand_apart_each_with_its_own_time_and_from_zero_to_one() -> None:
    said = seen(level=60.0, power=18.0, reason="manual")
    entity = ngsi_ld.streetlight(town(said.lamp), said)
    assert entity["targetLevel"] == {"type": "Property", "value": 0.5, "observedAt": "2026-11-22T20:30:00.000Z"}
    assert entity["targetUntil"]["value"] == {"@type": "DateTime", "@value": "2026-11-23T03:30:00.000Z"}
    assert entity["illuminanceLevel"] == {"type": "Property", "value": 0.6, "observedAt": "2026-11-22T21:25:00.000Z"}
    assert entity["effectReason"]["value"] == "manual"
    assert entity["actualLevel"]["value"] == pytest.approx(0.527)
    assert entity["actualLevel"]["derivedFrom"]["value"] == "powerConsumption"
    assert entity["powerConsumption"] == {"type": "Property", "value": 18.0, "observedAt": "2026-11-22T21:25:00.000Z",
                                          "unitCode": "WTT"}


def test_what_is_not_known_is_left_out() -> None:
    entity = ngsi_ld.streetlight(town(lamp(1)), seen())
    assert not {"illuminanceLevel", "powerState", "actualLevel", "powerConsumption", "lastHeard", "annotations"} & set(entity)
    assert entity["targetLevel"]["value"] == 0.5


@pytest.mark.parametrize(("level", "word"), [(0, "off"), (1, "low"), (99.9, "low"), (100, "on")])
def test_the_power_state_follows_the_level_in_effect(level: float, word: str) -> None:
    assert ngsi_ld.streetlight(town(lamp(1)), seen(level=float(level)))["powerState"]["value"] == word


def test_off_tells_since_when() -> None:
    entity = ngsi_ld.streetlight(town(lamp(1)), seen(level=0.0))
    assert entity["dateLastSwitchingOff"]["value"]["@value"] == "2026-11-22T20:25:00.000Z"


def test_faults_become_one_status_and_all_of_them_annotations() -> None:
    entity = ngsi_ld.streetlight(town(lamp(1)), seen(kinds=(AlarmKind.LAMP_FAILURE, AlarmKind.DEVICE_SILENT)))
    assert entity["status"]["value"] == "defectiveLamp"
    assert [note.split(" since")[0] for note in entity["annotations"]["value"]] == [
        "alarm: lamp_failure", "alarm: device_silent"]
    assert ngsi_ld.status_of({AlarmKind.DEVICE_SILENT}) == "ok"
    assert ngsi_ld.status_of({AlarmKind.LAMP_FAILURE, AlarmKind.TILTED}) == "columnIssue"


def test_keys_and_values_are_the_same_without_their_times() -> None:
    entity = ngsi_ld.streetlight(town(lamp(1)), seen(level=0.0))
    plain = ngsi_ld.simplified(entity)
    assert set(plain) == set(entity)
    assert plain["illuminanceLevel"] == 0
    assert plain["location"] == {"type": "Point", "coordinates": [8.1, 51.001]}
    assert plain["dateLastSwitchingOff"] == "2026-11-22T20:25:00.000Z"
    assert plain["refStreetlightGroup"] == "urn:ngsi-ld:StreetlightGroup:alt:zone:markt"


def test_our_own_words_have_a_meaning_and_ngsi_lds_context_is_the_last() -> None:
    linked = ngsi_ld.with_context({"id": "x", "type": "Streetlight"})["@context"]
    assert set(linked[1]) == set(ngsi_ld.OWN_TERMS)
    assert all(meaning.startswith("urn:stadtfunk:") for meaning in linked[1].values())
    assert linked[-1] == ngsi_ld.CORE_CONTEXT


def test_a_name_with_odd_letters_comes_back_from_its_urn() -> None:
    name = ngsi_ld.urn("StreetlightModel", TOWN, "Größe 40/4000 µ")
    assert re.fullmatch(r"[!-~]+", name)
    assert ngsi_ld.parse_urn(name, TOWN) == ("StreetlightModel", "Größe 40/4000 µ")


@pytest.mark.parametrize("text", [
    "", "urn", "urn:ngsi-ld:Streetlight:neu:L1", "urn:ngsi-ld:Vehicle:alt:L1", "L1", "urn:ngsi-ld:"])
def test_what_is_no_id_of_this_town_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        ngsi_ld.parse_urn(text, TOWN)


def test_a_group_tells_the_mean_level_as_of_its_oldest_word_and_the_wish_for_it() -> None:
    here = town(lamp(1), lamp(2), overrides=(wish("zone:markt"),))
    entity = ngsi_ld.streetlight_group(here, "zone:markt", [seen(1, level=40.0), seen(2, level=60.0)])
    assert entity["illuminanceLevel"]["value"] == 0.5
    assert entity["activeOverride"]["value"] == here.overrides[0].id
    assert entity["activeProgramId"]["value"] == "halbnacht"
    assert entity["location"]["value"]["type"] == "MultiPoint"


def test_a_cabinet_says_that_its_place_is_only_the_middle_of_its_lamps() -> None:
    here = town(lamp(1), lamp(3))
    entity = ngsi_ld.control_cabinet(here, here.circuits[0], here.lamps)
    assert entity["location"]["value"]["coordinates"] == pytest.approx([8.1, 51.002])
    assert "middle" in entity["annotations"]["value"][0]
    assert (entity["workingMode"]["value"], entity["supply"]["value"]) == ("automatic", "night_switched")


def test_the_target_of_a_wish_names_it() -> None:
    want = Setpoint(30, "override", "override:x", NOW, NOW, None)
    entity = ngsi_ld.streetlight(town(lamp(1)), seen(target=want))
    assert (entity["targetReason"]["value"], entity["targetOrigin"]["value"]) == ("override", "override:x")
