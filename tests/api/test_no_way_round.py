"""No sequence of requests gets round the guard-rails: each of these once did."""

import pytest

from city.store.ports import Role
from tests.api.test_program_routes import BASE, PROGRAM, ring

LEFT, RIGHT = ("L1", "L2"), ("L3", "L4")
ROWS = ("asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
        "L1,lamp,Markt 1,51.01,8.1,anderswo,K1,a000000000000001,nas/ul20xx,60,M4,\n"
        "L2,lamp,Markt 2,51.02,8.1,anderswo,K1,a000000000000002,nas/ul20xx,60,M4,\n")


def test_a_bright_program_under_a_shipped_ones_name_is_not_removed_to_bring_the_dark_one_back(engineer):
    bright = {**PROGRAM, "steps": []}
    assert engineer.put(f"{BASE}/programs/teilnacht", json=bright).status_code == 200
    assert engineer.put(f"{BASE}/assignments", json={"target": "town", "calendar": "teilnacht"}).status_code == 200
    answer = engineer.delete(f"{BASE}/programs/teilnacht")
    assert (answer.status_code, answer.json()["rule"]) == (422, "StVO 394")
    assert not next(one["shipped"] for one in engineer.get(f"{BASE}/programs").json() if one["id"] == "teilnacht")
    engineer.put(f"{BASE}/assignments", json={"target": "town", "calendar": "ganznacht"})
    assert engineer.delete(f"{BASE}/programs/teilnacht").status_code == 204


def test_nor_a_bright_calendar_under_a_shipped_ones_name(engineer):
    bright = {"name": "Hell", "default": "ganznacht"}
    assert engineer.put(f"{BASE}/calendars/teilnacht", json=bright).status_code == 200
    assert engineer.put(f"{BASE}/assignments", json={"target": "town", "calendar": "teilnacht"}).status_code == 200
    answer = engineer.delete(f"{BASE}/calendars/teilnacht")
    assert (answer.status_code, answer.json()["rule"]) == (422, "StVO 394")


def test_a_lamp_that_leaves_a_group_does_not_come_under_a_calendar_that_it_may_not_obey(engineer):
    group = f"{BASE}/groups/hell"
    engineer.put(group, json={"name": "Hell", "members": [*LEFT, *RIGHT]})
    engineer.put(f"{BASE}/assignments", json={"target": "group:hell", "calendar": "ganznacht"})
    assert engineer.put(f"{BASE}/assignments", json={"target": "zone:markt", "calendar": "teilnacht"}).status_code == 200
    answer = engineer.put(group, json={"name": "Hell", "members": list(LEFT)})
    assert (answer.status_code, answer.json()["rule"]) == (422, "StVO 394")


def _wishes(person, clock, level: int, *targets: str, minutes: int = 120) -> str:
    """Somebody wishes for it, somebody else agrees where that is needed; its address."""
    made = person("alt-operator").post(f"{BASE}/overrides", json={"targets": targets, "level": level, "minutes": minutes}).json()
    if made["override"]["pending"]:
        assert person("alt-engineer").post(f"{made['href']}/approve").json()["pending"] is False
    clock.advance(1)
    return str(made["href"])


def _dark(engineer) -> int:
    """How many lamps are wanted to be dark."""
    return sum(engineer.get(f"{BASE}/luminaires/{lamp}").json()["target"]["level"] == 0 for lamp in (*LEFT, *RIGHT))


@pytest.mark.parametrize("change", ["remove", "empty", "other filter", "move lamps", "stop at the pole"])
def test_light_over_the_dark_does_not_go_out_by_the_back_door(town, engineer, person, clock, change):
    """What was put out beside it was lawful only while it held: no more than half of a circuit may be dark."""
    ring(town)
    technician = person("alt-operator")
    engineer.put(f"{BASE}/groups/g", json={"name": "G", "filter": {"zones": ["markt"]}})
    _wishes(person, clock, 0, *(f"lamp:{one}" for one in LEFT))
    if change == "stop at the pole":
        for lamp in LEFT:
            _wishes(person, clock, 100, f"lamp:{lamp}")
    else:
        _wishes(person, clock, 100, "group:g")
    _wishes(person, clock, 0, *(f"lamp:{one}" for one in RIGHT), minutes=60)
    assert _dark(engineer) == len(RIGHT)
    match change:
        case "remove":
            assert engineer.delete(f"{BASE}/groups/g").status_code == 204
        case "empty":
            assert engineer.put(f"{BASE}/groups/g", json={"name": "G", "members": []}).status_code == 200
        case "other filter":
            assert engineer.put(f"{BASE}/groups/g", json={"name": "G", "filter": {"zones": ["x"]}}).status_code == 200
        case "move lamps":
            assert engineer.post(f"{BASE}/imports", content=ROWS, headers={"Content-Type": "text/csv"}).status_code == 200
        case "stop at the pole":
            for lamp in LEFT:
                answer = technician.post("/alt/mast/befehl", data={"csrf": technician.headers["X-CSRF-Token"], "nr": lamp,
                                                                   "what": "stop"}, follow_redirects=False)
                assert answer.status_code == 303
    assert _dark(engineer) == 2
    assert town.audit_lines()[0].detail == "it must not stay dark after this change"


def test_whoever_holds_a_token_is_not_the_second_person_too(town, as_role, person):
    ring(town)
    body = {"targets": ["lamp:L1"], "level": 0, "minutes": 60}
    made = as_role(Role.OPERATOR).post(f"{BASE}/overrides", json=body).json()
    agree = f"{made['href']}/approve"
    taken = person("alt-operator").post(agree).json()
    assert (taken["pending"], taken["actor"]) == (True, "alt-operator")
    assert person("alt-operator").post(agree).status_code == 403
    assert as_role(Role.ADMIN).post(agree).status_code == 403
    assert person("alt-engineer").post(agree).json()["pending"] is False
    assert "token:alt operator" in next(one.detail for one in town.audit_lines() if one.action == "take over override")


def test_a_controller_is_not_set_by_hand_to_what_the_law_forbids(engineer):
    night = {"slot": 1, "days": [0, 1, 2, 3, 4, 5, 6, 7], "steps": [{"minute": 0, "level": 0}]}
    for asset, wanted, rule in (("L1", {"profiles": [night]}, "StVO 394"), ("X1", {"fallback_level": 50}, "DIN 67523"),
                                ("L1", {"fallback_level": 0}, "StVO 394")):
        answer = engineer.put(f"{BASE}/luminaires/{asset}/config", json=wanted)
        assert (answer.status_code, answer.json()["rule"]) == (422, rule)
        assert engineer.get(f"{BASE}/luminaires/{asset}/config").json()["wanted"] is None
