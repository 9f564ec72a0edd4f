"""What staff says of parking zones and permit zones, by the API."""

from datetime import timedelta

import pytest

from city.ids import ZoneId
from city.parking_facts import Quarter
from city.store.port_parking import ParkingFound
from city.store.ports import Role

BASE = "/api/v1/tenants/alt"
SQUARE = [[8.1, 51.0], [8.101, 51.0], [8.101, 51.001], [8.1, 51.001], [8.1, 51.0]]
DISC = {"hours": "Mo-Fr 08:00-18:00; PH off", "max_stay_min": 120, "disc": True}


@pytest.fixture
def engineer(as_role):
    return as_role(Role.ENGINEER)


def test_an_engineer_says_what_holds_and_it_is_written_down(engineer, town):
    engineer.put(f"{BASE}/permit-zones/A", json={})
    body = {"rules": [DISC], "permit_zone": "A", "fee": "frei", "area": SQUARE}
    answer = engineer.put(f"{BASE}/parking-sites/platz", json=body)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["zone"], answer.json()["broken"]) == ("platz", [])
    assert engineer.get(f"{BASE}/parking-sites/platz").json()["rules"][0]["max_stay_min"] == 120
    assert town.audit_lines()[0].action == "parking site"
    assert [one["zone"] for one in engineer.get(f"{BASE}/parking-sites").json()] == ["platz"]


def test_hours_that_hardly_say_what_was_meant_are_kept_with_a_caution(engineer):
    answer = engineer.put(f"{BASE}/parking-sites/platz", json={"rules": [{"hours": "Mo-Fr 08:00-12:00; 14:00-18:00"}]})
    assert answer.status_code == 200
    assert [one["field"] for one in answer.json()["cautions"]] == ["rules.0.hours"]
    assert engineer.get(f"{BASE}/parking-sites/platz").json()["cautions"] == answer.json()["cautions"]


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_kept(engineer, town):
    before = town.parking_revision()
    answer = engineer.put(f"{BASE}/parking-sites/platz", json={"url": "http://x", "osm": "x", "rules": [{"hours": "SH"}]})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["rules.0.hours", "osm", "url"]
    assert town.parking_revision() == before
    assert engineer.put(f"{BASE}/parking-sites/platz", json={"colour": "red"}).status_code == 422
    assert engineer.put(f"{BASE}/parking-sites/nowhere", json={}).status_code == 404


def test_whoever_only_reads_does_not_write(as_role, anonymous):
    viewer = as_role(Role.VIEWER)
    assert viewer.get(f"{BASE}/parking-sites").status_code == 200
    for path in ("parking-sites/platz", "permit-zones/A", "parking-town"):
        assert viewer.put(f"{BASE}/{path}", json={}).status_code == 403
        assert anonymous.put(f"{BASE}/{path}", json={}).status_code == 401
    assert viewer.post(f"{BASE}/parking-sites/imports", content=b"zone\nplatz\n").status_code == 403


def test_a_permit_zone_is_kept_with_its_cautions_and_removed_when_no_zone_names_it(engineer):
    body = {"name": "Altstadt", "fees": [{"valid_from": "2026-01-01", "months": 12, "euro": 200.0}],
            "application_url": "https://www.stadt.de/bewohner"}
    answer = engineer.put(f"{BASE}/permit-zones/A", json=body)
    assert answer.status_code == 200
    assert len(answer.json()["cautions"]) == 1
    assert engineer.put(f"{BASE}/parking-sites/platz", json={"permit_zone": "A"}).status_code == 200
    assert engineer.delete(f"{BASE}/permit-zones/A").status_code == 409
    engineer.put(f"{BASE}/parking-sites/platz", json={})
    assert engineer.delete(f"{BASE}/permit-zones/A").status_code == 204
    assert engineer.get(f"{BASE}/permit-zones").json() == []
    assert engineer.put(f"{BASE}/permit-zones/A B", json={}).json()["field"] == "code"


def test_the_town_says_who_answers(engineer):
    said = {"operator": "Stadt Alt", "contact": "parken@stadt-alt.de", "region_code": "059700020020"}
    assert engineer.put(f"{BASE}/parking-town", json=said).status_code == 200
    assert engineer.get(f"{BASE}/parking-town").json()["contact"] == "parken@stadt-alt.de"
    assert engineer.put(f"{BASE}/parking-town", json={"region_code": "1"}).json()["errors"][0]["field"] == "region_code"


def test_a_list_is_looked_at_first_and_kept_as_a_whole(engineer, town):
    good, bad = b"zone,address\nplatz,Am Platz 1\n", b"zone,address,osm\nplatz,Am Platz 2,\nplatz,,x\n"
    seen = engineer.post(f"{BASE}/parking-sites/imports?dry_run=true", content=good).json()
    assert (seen["kept"], seen["new"]) == (False, ["platz"])
    assert town.parking_sites() == {}
    assert engineer.post(f"{BASE}/parking-sites/imports", content=good).json()["kept"] is True
    refused = engineer.post(f"{BASE}/parking-sites/imports", content=bad)
    assert (refused.status_code, refused.json()["bad_lines"]) == (422, 1)
    assert town.parking_sites()[ZoneId("platz")].address == "Am Platz 1"
    partly = engineer.post(f"{BASE}/parking-sites/imports?valid_only=true", content=bad).json()
    assert partly["changed"] == {"platz": ["address"]}


def test_the_pressure_in_the_hours_of_residents(engineer, town, store, clock):
    engineer.put(f"{BASE}/permit-zones/A", json={"name": "=Altstadt", "hours": "24/7"})
    engineer.put(f"{BASE}/parking-sites/platz", json={"permit_zone": "A"})
    at = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    store.put_parking(town.tenant.id, ParkingFound(quarters=[Quarter("platz", "", at, 5, 900, 3600, 0)]))
    found = engineer.get(f"{BASE}/permit-pressure").json()
    assert (found[0]["taken"], found[0]["bays"], found[0]["quarters"]) == (0.8, 5, 1)
    text = engineer.get(f"{BASE}/permit-pressure.csv").text
    assert "A;'=Altstadt;1;5;0.800;;0.000;1" in text
    assert engineer.get(f"{BASE}/permit-pressure?days=93").status_code == 422
