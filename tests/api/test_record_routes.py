"""Alarms, configuration, dead letters and audit over HTTP."""

from dataclasses import replace

import pytest

from city.alarms import AlarmKind, begin
from city.ids import AssetId, TenantId
from city.orders import StatusInterval, to_json
from city.readings import DeviceState
from city.store.ports import DeadLetter, Facts, Role

BASE = "/api/v1/tenants/alt"


def test_an_alarm_is_seen_and_acknowledged(operator, store, hears, clock):
    alarm = begin(TenantId("alt"), AssetId("L1"), AlarmKind.LAMP_FAILURE, clock.now())
    store.commit(Facts(alarms=(alarm,)))
    hears("L1", clock.now(), level=50.0)
    assert operator.get(f"{BASE}/luminaires/L1").json()["state"] == "fault"
    assert [found["kind"] for found in operator.get(f"{BASE}/alarms").json()] == ["lamp_failure"]
    answer = operator.post(f"{BASE}/alarms/{alarm.id}/acknowledge").json()
    assert (answer["acknowledged_by"], answer["ended_at"]) == ("token:alt operator", None)
    store.commit(Facts(alarms=(replace(alarm, ended_at=clock.now()),)))
    assert operator.get(f"{BASE}/alarms").json() == []
    assert len(operator.get(f"{BASE}/alarms", params={"open_only": False}).json()) == 1


def test_an_alarm_that_is_none(operator):
    assert operator.post(f"{BASE}/alarms/nope/acknowledge").status_code == 404


def test_a_configuration_is_wanted_until_the_device_confirms_it(engineer, operator, store, town):
    wanted = {"status_interval_s": 900, "fallback_level": 80}
    assert operator.put(f"{BASE}/luminaires/L1/config", json=wanted).status_code == 403
    answer = engineer.put(f"{BASE}/luminaires/L1/config", json=wanted)
    assert answer.status_code == 202
    assert answer.json()["wanted"] == wanted
    assert answer.json()["reported"] == {}
    device = town.device_of(AssetId("L1")).dev_eui
    store.commit(Facts(states=(DeviceState(device, config={
        "StatusInterval": to_json(StatusInterval(900)).decode()}),)))
    assert engineer.get(f"{BASE}/luminaires/L1/config").json()["reported"] == {"StatusInterval": {"seconds": 900}}


def test_keys_that_a_device_confirmed_are_not_shown(engineer, store, town):
    device = town.device_of(AssetId("L1")).dev_eui
    order = '{"type":"MulticastGroup","slot":1,"dev_addr":"01020304","nwk_s_key":"SECRET","app_s_key":"SECRET"}'
    store.commit(Facts(states=(DeviceState(device, config={"MulticastGroup": order}),)))
    answer = engineer.get(f"{BASE}/luminaires/L1/config")
    assert "SECRET" not in answer.text
    assert answer.json()["reported"]["MulticastGroup"]["slot"] == 1


def test_a_configuration_that_breaks_a_rule_names_the_field(engineer):
    assert engineer.put(f"{BASE}/luminaires/L1/config", json={"fallback_level": 101}).json()["field"] == "fallback_level"
    assert engineer.put(f"{BASE}/luminaires/L1/config", json={"colour": 1}).json()["field"] == "colour"
    assert engineer.put(f"{BASE}/luminaires/U1/config", json={"fallback_level": 50}).status_code == 404


def test_dead_letters_of_ones_own_devices(engineer, operator, store, clock):
    mine = DeadLetter("1", clock.now(), "t", b"\x01\x02", "Truncated", "too short", TenantId("alt"))
    store.commit(Facts(letters=(mine, replace(mine, id="2", tenant=TenantId("neu")), replace(mine, id="3", tenant=None))))
    found = engineer.get(f"{BASE}/letters").json()
    assert [(letter["id"], letter["payload_hex"]) for letter in found] == [("1", "0102")]
    assert operator.get(f"{BASE}/letters").status_code == 403


def test_the_audit_is_for_engineers(engineer, as_role):
    engineer.put(f"{BASE}/luminaires/L1/config", json={"fallback_level": 80})
    lines = engineer.get(f"{BASE}/audit").json()
    assert (lines[0]["action"], lines[0]["target"]) == ("configure", "lamp L1")
    assert as_role(Role.OPERATOR).get(f"{BASE}/audit").status_code == 403


def test_every_write_leaves_a_line_with_who_did_it(engineer, town):
    engineer.put(f"{BASE}/zones/markt/override", json={"level": 40, "minutes": 5})
    engineer.delete(f"{BASE}/zones/markt/override")
    engineer.post(f"{BASE}/blocks", json={"bays": ["B1"], "end": "2026-03-03T00:00:00Z", "reason": "works"})
    assert [line.action for line in town.audit_lines()] == ["block bays", "end override", "override"]
    assert {line.actor for line in town.audit_lines()} == {"token:alt engineer"}


def test_what_only_the_model_has_is_configured_by_its_own_names(engineer):
    answer = engineer.put(f"{BASE}/luminaires/L1/config", json={"parameters": {"fade": 3}})
    assert (answer.status_code, answer.json()["wanted"]) == (202, {"parameters": {"fade": 3}})
    assert engineer.put(f"{BASE}/luminaires/L1/config", json={"parameters": {"fade": 99}}).status_code == 422
    assert engineer.put(f"{BASE}/luminaires/L1/config", json={"parameters": {"no_such": 1}}).status_code == 422


@pytest.mark.parametrize("act", [{"factory_reset_serial": 1}, {"update_mode": 1}, {"clear_holidays": 1}, {"read_time": 1}])
def test_no_act_is_kept_as_configuration(engineer, act):
    answer = engineer.put(f"{BASE}/luminaires/L1/config", json={"parameters": act})
    (name,) = act
    assert (answer.status_code, answer.json()["field"]) == (422, f"parameters.{name}")


def test_a_bays_sensor_is_configured_too(engineer, operator):
    assert engineer.put(f"{BASE}/bays/B1/config", json={"status_interval_s": 900}).status_code == 202
    assert operator.get(f"{BASE}/bays/B1/config").json()["wanted"] == {"status_interval_s": 900}
    assert engineer.put(f"{BASE}/bays/L1/config", json={"status_interval_s": 900}).status_code == 404


def test_a_severity_that_does_not_exist_is_refused_and_not_taken_for_any(operator):
    answer = operator.get(f"{BASE}/incidents", params={"severity": "hoch"})
    assert (answer.status_code, answer.json()["field"]) == (422, "severity")
    assert operator.get(f"{BASE}/incidents", params={"severity": "major"}).status_code == 200
