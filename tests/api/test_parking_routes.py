"""What residents are told of bays, and what only the town's staff sees."""

from datetime import timedelta

from city.store.ports import Role

BASE = "/api/v1/tenants/alt"


def test_single_bays_are_for_operators(as_role, operator, anonymous, hears, clock):
    hears("B1", clock.now() - timedelta(hours=30), occupied=True)
    assert anonymous.get(f"{BASE}/bays").status_code == 401
    assert as_role(Role.VIEWER).get(f"{BASE}/bays").status_code == 403
    bays = {bay["id"]: bay for bay in operator.get(f"{BASE}/bays", params={"zone": "platz"}).json()}
    assert (bays["B1"]["occupancy"], bays["B1"]["reason"]) == ("unknown", "heartbeat missed")
    assert operator.get(f"{BASE}/bays", params={"zone": "markt"}).json() == []


def test_a_blocked_bay_is_not_counted(operator, anonymous, town):
    assert operator.put(f"{BASE}/bays/B1/blocked", json={"blocked": True}).status_code == 204
    assert anonymous.get(f"{BASE}/parking").json()[0]["counts"][0]["total"] == 4
    assert town.audit_lines()[0].action == "block bay"
    operator.put(f"{BASE}/bays/B1/blocked", json={"blocked": False})
    assert anonymous.get(f"{BASE}/parking").json()[0]["counts"][0]["total"] == 5


def test_a_lamp_cannot_be_blocked(operator):
    assert operator.put(f"{BASE}/bays/L1/blocked", json={"blocked": True}).status_code == 404
    assert operator.put(f"{BASE}/bays/B1/blocked", json={"blocked": "yes"}).status_code == 422


def test_towns_and_streets_are_public(anonymous, town):
    from city.places import Street

    town.put_streets([Street("Marktstraße", ((8.1, 51.0), (8.2, 51.1)))])
    assert [found["id"] for found in anonymous.get("/api/v1/tenants").json()] == ["alt", "neu"]
    feature = anonymous.get(f"{BASE}/streets").json()["features"][0]
    assert feature["geometry"] == {"type": "LineString", "coordinates": [[8.1, 51.0], [8.2, 51.1]]}
    assert anonymous.get("/api/v1/tenants/nope/parking").status_code == 404
