"""What residents are told of bays, and what only the town's staff sees."""

from datetime import timedelta

from city.store.ports import Role

BASE = "/api/v1/tenants/alt"


def test_counts_are_open_data_without_single_bays(anonymous, hears, clock):
    for bay in ("B1", "B2", "B3", "B5", "B6"):
        hears(bay, clock.now(), occupied=bay == "B1")
    answer = anonymous.get(f"{BASE}/parking")
    assert answer.headers["access-control-allow-origin"] == "*"
    zone = answer.json()[0]
    everybody, disabled = zone["counts"]
    assert (everybody["restriction"], everybody["free"], everybody["total"], everybody["word"]) == ("", 4, 5, "many")
    assert (disabled["restriction"], disabled["free"], disabled["word"]) == ("disabled", None, "no_data")
    assert "B1" not in answer.text


def test_what_is_not_known_well_is_a_range_and_not_a_number(anonymous, hears, clock):
    for bay in ("B1", "B2", "B3", "B5"):
        hears(bay, clock.now(), occupied=bay == "B1")
    everybody = anonymous.get(f"{BASE}/parking").json()[0]["counts"][0]
    assert (everybody["free"], everybody["free_min"], everybody["free_max"]) == (None, 3, 4)


def test_of_fewer_than_five_comparable_bays_everybody_learns_a_word_only(anonymous, operator, hears, clock):
    for bay in ("B1", "B2", "B3", "B5", "B6"):
        hears(bay, clock.now(), occupied=False)
    operator.put(f"{BASE}/bays/B1/blocked", json={"blocked": True})
    everybody = anonymous.get(f"{BASE}/parking").json()[0]["counts"][0]
    assert (everybody["free"], everybody["free_min"], everybody["coverage"], everybody["word"]) == (None, None, None, "many")


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
