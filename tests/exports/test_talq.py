"""Devices, classes, groups, overrides and reports as TALQ 2.7.1's data model has them. The facts about its schemas below are
read off its public OpenAPI documents; nothing of those is kept here."""

import re
import uuid
from typing import Any

import pytest

from city.alarms import AlarmKind
from city.errors import Invalid
from city.exports import talq
from city.groups import Target
from city.ids import AssetId, TenantId
from city.lighting import Setpoint
from tests.exports.town import NOW, TOWN, alarm, lamp, seen, town, wish

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FLAG = dict.fromkeys(talq.MONITOR_EVENTS, "AttributeBoolean")
FUNCTIONS = {  # attribute -> type, of the functions that our devices have
    "BasicFunction": {"displayName": "AttributeString", "assetId": "AttributeString", "serial": "AttributeString",
                      "hwType": "AttributeString", "swVersion": "AttributeString", "location": "AttributeLocation"},
    "CommunicationFunction": {"communicationType": "AttributeString", "physicalAddress": "AttributeString",
                              "communicationFailure": "AttributeBoolean"},
    "LampActuatorFunction": {"calendarID": "AttributeString", "targetLightCommand": "AttributeCommand",
                             "feedbackLightCommand": "AttributeCommand", "actualLightState": "AttributeLevelState"},
    "LampMonitorFunction": {"numberOfLamps": "AttributeInteger", "supplyVoltage": "AttributeFloat",
                            "supplyCurrent": "AttributeFloat", "activePower": "AttributeFloat", "powerFactor": "AttributeFloat",
                            "activeEnergy": "AttributeFloat", "operatingHours": "AttributeFloat",
                            "switchOnCounter": "AttributeInteger", **FLAG}}
EVENT_TYPES = {  # those of TALQ's EventType that we use
    "lampFailure", "controlGearCommFailure", "lastSyncError", "batteryLevelTooLow", "communicationFailure", "lampPowerTooLow",
    "lampPowerTooHigh", "dimmingFailure", "lampUnexpectedOn", "cyclingFailure", "powerFactorTooLow", "supplyVoltageTooLow",
    "supplyVoltageTooHigh", "highTemperature", "notInProperPosition", "relayFailure", "deviceReset", "functionError"}
REASONS = {"default", "override", "sensor", "program"}


def checked_command(command: dict[str, Any]) -> None:
    assert set(command) <= {"state", "rampToLevelTime", "rampFromLevelTime", "reason", "cmsRefId", "refAddress", "start",
                            "expiration"}
    assert command["state"]["name"] == "LevelState"
    assert type(command["state"]["value"]) is int
    assert 0 <= command["state"]["value"] <= 100
    assert command.get("reason", "default") in REASONS
    for name in ("start", "expiration"):
        assert name not in command or STAMP.fullmatch(command[name])


def checked_attribute(kind: str, attribute: dict[str, Any]) -> None:
    assert attribute["type"] == kind
    assert set(attribute) <= {"type", "value", "timestamp"}
    assert "timestamp" not in attribute or STAMP.fullmatch(attribute["timestamp"])
    value = attribute["value"]
    match kind:
        case "AttributeCommand":
            checked_command(value)
        case "AttributeLevelState":
            checked_command({"state": value})
        case "AttributeLocation":
            assert set(value) == {"latitude", "longitude"}
        case _:
            assert type(value) is {"AttributeString": str, "AttributeFloat": float, "AttributeInteger": int,
                                   "AttributeBoolean": bool}[kind]


@pytest.mark.parametrize("one", [
    seen(), seen(level=60.0, power=18.0, reason="manual", voltage=231.0, energy=12_345.0, burned=7200.0, starts=17),
    seen(kinds=(AlarmKind.LAMP_FAILURE, AlarmKind.DEVICE_SILENT), level=0.0, power=0.2)])
def test_a_device_has_the_functions_and_types_of_the_lighting_profile(one: Any) -> None:
    device = talq.device(one)
    assert set(device) == {"address", "name", "class", "functions"}
    assert str(uuid.UUID(device["address"])) == device["address"]
    assert {function["type"] for function in device["functions"]} == set(FUNCTIONS)
    for function in device["functions"]:
        for name, attribute in function.items():
            if name not in ("id", "type"):
                checked_attribute(FUNCTIONS[function["type"]][name], attribute)


def functions_of(device: dict[str, Any]) -> dict[str, Any]:
    return {function["id"]: function for function in device["functions"]}


def test_the_three_light_states_stand_apart_each_with_its_own_time() -> None:
    actuator = functions_of(talq.device(seen(level=60.0, power=18.0, reason="manual")))["lampActuator"]
    assert actuator["targetLightCommand"] == {
        "type": "AttributeCommand", "timestamp": "2026-11-22T20:30:00.000Z",
        "value": {"state": {"name": "LevelState", "value": 50}, "rampToLevelTime": 10, "reason": "program",
                  "cmsRefId": "program", "refAddress": "halbnacht", "start": "2026-11-22T20:30:00.000Z",
                  "expiration": "2026-11-23T03:30:00.000Z"}}
    assert actuator["feedbackLightCommand"] == {
        "type": "AttributeCommand", "timestamp": "2026-11-22T21:25:00.000Z",
        "value": {"state": {"name": "LevelState", "value": 60}, "reason": "override"}}
    assert actuator["actualLightState"] == {"type": "AttributeLevelState", "timestamp": "2026-11-22T21:25:00.000Z",
                                            "value": {"name": "LevelState", "value": 53}}


def test_an_unknown_state_is_left_out_and_an_unknown_reason_too() -> None:
    assert "feedbackLightCommand" not in functions_of(talq.device(seen()))["lampActuator"]
    said = functions_of(talq.device(seen(level=60.0, reason="something-else")))["lampActuator"]["feedbackLightCommand"]
    assert "reason" not in said["value"]
    assert "actualLightState" not in functions_of(talq.device(seen(place=lamp(1, power_w=None), power=18.0)))["lampActuator"]


def test_a_fault_is_a_flag_since_when_it_began() -> None:
    monitor = functions_of(talq.device(seen(kinds=(AlarmKind.DAY_BURNER,), level=50.0)))["lampMonitor"]
    assert monitor["lampUnexpectedOn"] == {"type": "AttributeBoolean", "value": True, "timestamp": "2026-11-22T19:30:00.000Z"}
    assert monitor["lampFailure"] == {"type": "AttributeBoolean", "value": False, "timestamp": "2026-11-22T21:25:00.000Z"}


def test_counters_have_talqs_units() -> None:
    monitor = functions_of(talq.device(seen(energy=12_345.0, burned=7200.0, starts=17)))["lampMonitor"]
    assert (monitor["activeEnergy"]["value"], monitor["operatingHours"]["value"], monitor["switchOnCounter"]["value"]) == (
        12.345, 2.0, 17)


def test_a_class_announces_what_its_devices_have() -> None:
    made = talq.device_class("nas/ul20xx", dims=True)
    assert made["name"] == talq.device(seen())["class"] == "nas-ul20xx"
    for function in talq.device(seen(level=60.0, power=18.0, voltage=230.0))["functions"]:
        [described] = [one for one in made["functions"] if one["functionId"] == function["id"]]
        assert set(function) - {"id", "type"} <= {attribute["name"] for attribute in described["attributes"]}
        assert {event["type"] for event in described["events"]} <= EVENT_TYPES


def test_every_kind_of_alarm_is_an_event_of_talq() -> None:
    for kind in AlarmKind:
        [entry] = talq.event_entries(TOWN, [alarm(kind)])
        assert entry["eventType"] in EVENT_TYPES
        assert entry["type"] == "EventLogData"
        assert entry["startEndFlag"] is True
        assert entry["x-stadtfunk"]["kind"] == kind.value


def test_an_alarm_that_has_ended_is_two_entries_in_their_order() -> None:
    entries = talq.event_entries(TOWN, [alarm(AlarmKind.LAMP_FAILURE, ended=True), alarm(AlarmKind.DEVICE_SILENT)])
    assert [(entry["eventType"], entry["startEndFlag"]) for entry in entries].count(("lampFailure", False)) == 1
    assert [entry["timestamp"] for entry in entries] == sorted(entry["timestamp"] for entry in entries)
    assert entries[-1]["srcAddress"] == f"{talq.address(TOWN, AssetId('L1'))}/lampMonitor"


def test_light_states_are_logged_with_their_own_times() -> None:
    entries = talq.state_entries([seen(level=60.0, power=18.0)])
    assert [entry["attributeName"] for entry in entries] == ["targetLightCommand", "feedbackLightCommand", "actualLightState"]
    for entry in entries:
        checked_attribute(FUNCTIONS["LampActuatorFunction"][entry["attributeName"]], entry["attributeValue"])
        assert entry["timestamp"] == entry["attributeValue"]["timestamp"]
    assert talq.log_report("light-states", entries)["entries"][0]["data"] == entries[0]


def test_groups_are_the_town_its_zones_its_circuits_and_those_of_people() -> None:
    here = town(lamp(1), lamp(2, luminaire_type="Beta"))
    found = {group["address"]: group for group in talq.groups(here, talq.group_names(here))}
    assert set(found) == {"town", "zone:markt", "circuit:K1", "group:alpha"}
    assert found["group:alpha"]["members"] == [{"resource": "devices", "address": talq.address(TOWN, AssetId("L1"))}]
    for group in found.values():
        assert {"address", "members", "ownerCMS"} <= set(group)
        assert group["purpose"] in ("unknown", "override", "calendar", "loggerConfig")


def test_an_answer_with_too_many_members_is_refused_before_it_is_made() -> None:
    here = town(lamp(1), lamp(2))
    many = [(Target("town"), "all")] * (talq.MOST_MEMBERS // 2 + 1)
    assert len(talq.groups(here, many[:1])) == 1
    with pytest.raises(Invalid) as refused:
        talq.groups(here, many)
    assert (refused.value.field, refused.value.rule) == ("limit", "≤ 100000 lamps")


def test_where_a_calendar_holds_is_an_assign_command() -> None:
    assert talq.assign_commands(town()) == [{"addresses": [{"resource": "groups", "address": "zone:markt"}],
                                             "entity": {"resource": "calendars", "address": "teilnacht"}}]


def test_a_wish_is_an_override_command_with_an_expiration() -> None:
    body = talq.override_command(TOWN, wish("zone:markt", "lamp:L1"))
    assert body["addresses"] == [{"resource": "devices", "address": talq.address(TOWN, AssetId("L1"))},
                                 {"resource": "groups", "address": "zone:markt"}]
    checked_command(body["targetCommand"])
    assert body["targetCommand"]["expiration"] == "2026-11-22T23:30:00.000Z"
    assert body["targetCommand"]["cmsRefId"] == "Markt"
    assert "targetCommand" not in talq.override_command(TOWN, wish("town", level=None))


def test_an_address_is_the_same_for_ever_and_another_in_another_town() -> None:
    assert talq.address(TOWN, AssetId("L1")) == "31179c22-ef79-5c7e-a8e3-901014e425e8"
    assert talq.address(TenantId("neu"), AssetId("L1")) != talq.address(TOWN, AssetId("L1"))
    assert talq.lamps_by_address(TOWN, [lamp(1)])[talq.address(TOWN, AssetId("L1"))] == lamp(1)
    assert talq.addressed(TOWN, Target("town")) == {"resource": "groups", "address": "town"}


def test_a_wish_for_a_lamp_is_its_target_and_its_reason() -> None:
    want = Setpoint(30, "override", "override:x", NOW, NOW, None)
    value = functions_of(talq.device(seen(target=want)))["lampActuator"]["targetLightCommand"]["value"]
    assert (value["reason"], value["cmsRefId"], "refAddress" in value) == ("override", "override:x", False)
