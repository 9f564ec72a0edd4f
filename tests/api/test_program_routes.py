"""Programs, calendars, groups and wishes for any lamps over the API."""

from dataclasses import replace
from datetime import timedelta

from city.imports import ImportRow, LampData
from city.store.ports import Role
from tests.api.conftest import NIGHT

BASE = "/api/v1/tenants/alt"
PROGRAM = {"name": "Sparsam", "on": {"at": {"anchor": "dusk", "minutes": -10}, "level": 90},
           "steps": [{"at": {"anchor": "clock", "minutes": 1380}, "level": 30, "fade_s": 60}],
           "off": {"at": {"anchor": "sunrise"}, "level": 0}}
CALENDAR = {"name": "Markt", "default": "sparsam", "rules": [{"program": "ganznacht", "weekdays": [5, 6]}]}


def test_a_program_is_made_assigned_and_obeyed(engineer, as_role):
    assert engineer.put(f"{BASE}/programs/sparsam", json=PROGRAM).json()["steps"][0]["at"]["minutes"] == 1380
    assert engineer.put(f"{BASE}/calendars/markt", json=CALENDAR).status_code == 200
    answer = engineer.put(f"{BASE}/assignments", json={"target": "zone:markt", "calendar": "markt"})
    assert answer.json()["assignments"][0]["target"] == "zone:markt"
    viewer = as_role(Role.VIEWER)
    lamp = viewer.get(f"{BASE}/luminaires/L1").json()
    assert (lamp["target"]["level"], lamp["target"]["program"]) == (30, "sparsam")
    nights = viewer.get(f"{BASE}/luminaires/L1/nights", params={"days": 7}).json()
    assert [night["program"] for night in nights] == ["sparsam"] * 4 + ["ganznacht"] * 2 + ["sparsam"]
    assert {one["id"] for one in viewer.get(f"{BASE}/programs").json()} >= {"sparsam", "ganznacht", "halbnacht", "teilnacht"}


def test_only_engineers_change_what_is_programmed(as_role):
    operator = as_role(Role.OPERATOR)
    for path, body in (("programs/x", PROGRAM), ("calendars/x", CALENDAR), ("groups/x", {"name": "x"}),
                       ("assignments", {"target": "town", "calendar": "ganznacht"})):
        assert operator.put(f"{BASE}/{path}", json=body).status_code == 403


def test_a_dark_calendar_is_refused_where_lamps_have_no_ring(engineer):
    answer = engineer.put(f"{BASE}/assignments", json={"target": "town", "calendar": "teilnacht"})
    assert (answer.status_code, answer.json()["rule"]) == (422, "StVO 394")
    assert "Laternenring" in answer.json()["detail"]
    assert engineer.get(f"{BASE}/assignments").json() == []


def test_a_program_in_use_cannot_become_dark(engineer):
    engineer.put(f"{BASE}/programs/sparsam", json=PROGRAM)
    engineer.put(f"{BASE}/calendars/markt", json=CALENDAR)
    engineer.put(f"{BASE}/assignments", json={"target": "zone:markt", "calendar": "markt"})
    dark = {**PROGRAM, "steps": [{"at": {"anchor": "clock", "minutes": 1380}, "level": 0}]}
    assert engineer.put(f"{BASE}/programs/sparsam", json=dark).json()["rule"] == "StVO 394"
    assert engineer.put(f"{BASE}/programs/unused", json=dark).status_code == 200
    assert engineer.delete(f"{BASE}/programs/sparsam").status_code == 409


def test_groups_by_members_and_by_filter(engineer):
    made = engineer.put(f"{BASE}/groups/eins", json={"name": "Eins", "members": ["L1", "L2"]}).json()
    assert (made["lamps"], made["members"]) == (2, ["L1", "L2"])
    found = engineer.put(f"{BASE}/groups/zwei", json={"name": "Zwei", "filter": {"zones": ["markt"]}}).json()
    assert found["lamps"] == 4
    assert engineer.put(f"{BASE}/groups/drei", json={"name": "x", "members": ["nowhere"]}).status_code == 404
    assert engineer.put(f"{BASE}/groups/vier", json={"name": "x", "filter": {}}).json()["field"] == "filter"


def test_a_wish_for_a_group_and_a_lamp_covers_each_lamp_once(engineer, operator):
    engineer.put(f"{BASE}/groups/eins", json={"name": "Eins", "members": ["L1", "L2"]})
    body = {"targets": ["group:eins", "lamp:L1"], "level": 60, "minutes": 30}
    checked = operator.post(f"{BASE}/overrides/check", json=body).json()
    assert (checked["lamps"], checked["findings"], checked["estimate"]["lamps"]) == (2, [], 2)
    assert operator.get(f"{BASE}/overrides").json() == []
    href = operator.post(f"{BASE}/overrides", json=body).json()["href"]
    assert operator.get(href).json()["progress"]["asked"] == 2
    assert operator.get(f"{BASE}/luminaires/L2").json()["target"]["level"] == 60
    assert operator.delete(href).json()["ended_at"] is not None
    assert operator.get(f"{BASE}/luminaires/L2").json()["target"]["reason"] == "program"


def test_targets_that_are_not_there_are_named(operator):
    for target, status in (("zone:nowhere", 404), ("group:none", 404), ("lamp:B1", 404), ("street:x", 422), ("zone:", 422)):
        answer = operator.post(f"{BASE}/overrides", json={"targets": [target], "level": 60, "minutes": 30})
        assert (answer.status_code, answer.json()["field"]) == (status, "targets")


def test_a_wish_may_begin_later_and_resume_one_lamp(operator, clock):
    start = (clock.now() + timedelta(minutes=30)).isoformat()
    operator.post(f"{BASE}/overrides", json={"targets": ["zone:markt"], "level": 60, "minutes": 90, "start": start})
    clock.advance(1)
    operator.post(f"{BASE}/overrides", json={"targets": ["lamp:L1"], "level": None, "minutes": 90})
    assert operator.get(f"{BASE}/luminaires/L2").json()["target"]["reason"] == "program"
    clock.advance(1800)
    assert operator.get(f"{BASE}/luminaires/L2").json()["target"]["level"] == 60
    assert operator.get(f"{BASE}/luminaires/L1").json()["target"]["reason"] == "program"


def test_a_dark_wish_waits_for_a_second_person(town, person):
    ring(town)
    one, other = person("alt-operator"), person("alt-engineer")
    body = {"targets": ["lamp:L1"], "level": 0, "minutes": 60}
    assert one.post(f"{BASE}/overrides/check", json=body).json()["needs_second"] is True
    made = one.post(f"{BASE}/overrides", json=body).json()
    assert made["override"]["pending"] is True
    assert one.get(f"{BASE}/luminaires/L1").json()["target"]["reason"] == "program"
    assert one.post(f"{made['href']}/approve").status_code == 403
    assert other.post(f"{made['href']}/approve").json()["approved_by"] == "alt-engineer"
    assert one.get(f"{BASE}/luminaires/L1").json()["target"]["level"] == 0
    assert other.post(f"{made['href']}/approve").status_code == 409
    assert [line.action for line in town.audit_lines()][:2] == ["approve override", "override"]


def test_nobody_agrees_to_the_own_wish_by_a_token_or_another_session(town, as_role, person):
    ring(town)
    made = person("alt-operator").post(f"{BASE}/overrides", json={"targets": ["lamp:L1"], "level": 0, "minutes": 60}).json()
    for same in (as_role(Role.OPERATOR), as_role(Role.ADMIN), person("alt-operator")):
        answer = same.post(f"{made['href']}/approve")
        assert (answer.status_code, answer.json()["rule"]) == (403, "two persons")
    assert person("alt-viewer").post(f"{made['href']}/approve").json()["rule"] == "role"
    assert town.overrides(NIGHT) == []


def test_what_a_second_person_lets_hold_replaces_what_was_wished_before(town, person, clock):
    ring(town)
    operator = person("alt-operator")
    operator.post(f"{BASE}/overrides", json={"targets": ["lamp:L1"], "level": 60, "minutes": 120})
    clock.advance(1)
    made = operator.post(f"{BASE}/overrides", json={"targets": ["lamp:L1"], "level": 0, "minutes": 60}).json()
    clock.advance(1)
    operator.post(f"{BASE}/overrides", json={"targets": ["zone:markt"], "level": 90, "minutes": 240})
    person("alt-engineer").post(f"{made['href']}/approve")
    assert [wish.level for wish in town.overrides(clock.now())] == [90, 0]
    operator.delete(f"{BASE}/zones/markt/override")
    clock.advance(3600)
    assert operator.get(f"{BASE}/luminaires/L1").json()["target"]["reason"] == "program"


def test_light_that_is_replaced_by_shorter_light_leaves_no_circuit_dark(town, person, clock):
    ring(town)
    operator = person("alt-operator")

    def wishes(level: int, minutes: int, *lamps: str) -> None:
        made = operator.post(f"{BASE}/overrides", json={"targets": [f"lamp:{one}" for one in lamps], "level": level,
                                                        "minutes": minutes}).json()
        if made["override"]["pending"]:
            assert person("alt-engineer").post(f"{made['href']}/approve").status_code == 200
        clock.advance(1)

    wishes(0, 120, "L1", "L2")
    wishes(100, 120, "L1", "L2", "X1")
    wishes(0, 60, "L3", "L4")  # lawful: the others are lit for longer
    wishes(100, 10, "L1", "L2", "X1")
    clock.advance(15 * 60)
    levels = [operator.get(f"{BASE}/luminaires/L{n}").json()["target"]["level"] for n in (1, 2, 3, 4)]
    assert levels.count(0) <= 2


def test_no_lamp_joins_a_group_that_is_dimmed(town, engineer, person):
    ring(town)
    operator = person("alt-operator")
    engineer.put(f"{BASE}/groups/eins", json={"name": "Eins", "members": ["L1"]})
    made = operator.post(f"{BASE}/overrides", json={"targets": ["group:eins"], "level": 0, "minutes": 60}).json()
    person("alt-engineer").post(f"{made['href']}/approve")
    for more in ({"members": ["L1", "L2", "L3", "L4"]}, {"filter": {"zones": ["markt"]}}):
        answer = engineer.put(f"{BASE}/groups/eins", json={"name": "Eins", **more})
        assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (409, "members", "not dimmed")
    assert engineer.put(f"{BASE}/groups/eins", json={"name": "Keine", "members": []}).status_code == 200
    operator.delete(made["href"])
    assert engineer.put(f"{BASE}/groups/eins", json={"name": "Eins", "members": ["L1", "L2"]}).status_code == 200


def test_an_emergency_lights_everything_at_once(operator):
    body = {"targets": ["town"], "level": 100, "minutes": 60, "emergency": True, "reason": "Unfall"}
    assert operator.post(f"{BASE}/overrides", json=body).status_code == 202
    assert operator.get(f"{BASE}/luminaires/L1").json()["target"]["level"] == 100
    assert operator.post(f"{BASE}/overrides", json={**body, "level": 40}).json()["field"] == "level"


def ring(town) -> None:
    """Every lamp carries the Laternenring."""
    devices = {device.asset: device for device in town.devices()}
    rows = [ImportRow(number, lamp.id, "lamp", lamp.name, lamp.site, lamp.zone, lamp.circuit,
                      devices[lamp.id].dev_eui if lamp.id in devices else None,
                      devices[lamp.id].model if lamp.id in devices else "", lamp.power_w, lamp.lighting_class, lamp.restriction)
            for number, lamp in enumerate(town.luminaires())]
    town.import_rows([replace(row, more=LampData(lantern_ring=True)) for row in rows])
