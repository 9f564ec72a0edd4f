"""What parking's staff sees and does: single bays, sensors, blocks, overstays, residents' doubts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from city.bays import BayEvent
from city.clock import ManualClock
from city.ids import AssetId, TenantId, ZoneId
from city.parking_facts import BayDay, BayFact, Quarter, Stay
from city.parking_places import Doubt, Doubting, ParkingSite, SiteRule
from city.places import Street
from city.readings import to_ns
from city.sensor_checks import CheckedSensor, SensorCheck
from city.store.port_parking import ParkingFound
from city.store.ports import Role, Store, TenantStore

BASE = "/api/v1/tenants/alt"
T = TenantId("alt")
Finds = Callable[..., None]


@pytest.fixture
def finds(store: Store, clock: ManualClock) -> Finds:
    """Call it to let the bridge have found out how a bay is: finds("B1", "occupied", why="", ago=minutes)."""

    def put(bay: str, occupancy: str, why: str = "", ago: float = 5, **more: object) -> None:
        at = clock.now() - timedelta(minutes=ago)
        fact = BayFact(AssetId(bay), ZoneId("platz"), occupancy, why, at, at, at, True, False, **more)  # type: ignore[arg-type]
        store.put_parking(T, ParkingFound(bays=[fact]))

    return put


def soon(clock: ManualClock, hours: float = 2) -> str:
    return (clock.now() + timedelta(hours=hours)).isoformat()


def test_single_bays_are_for_operators(as_role: Callable[..., TestClient], operator: TestClient, anonymous: TestClient,
                                       finds: Finds) -> None:
    finds("B1", "unknown", "silent", ago=90)
    finds("B2", "occupied")
    assert anonymous.get(f"{BASE}/bays").status_code == 401
    assert as_role(Role.VIEWER).get(f"{BASE}/bays").status_code == 403
    bays = {bay["id"]: bay for bay in operator.get(f"{BASE}/bays", params={"zone": "platz"}).json()}
    assert (bays["B1"]["occupancy"], bays["B1"]["why"]) == ("unknown", "silent")
    assert (bays["B2"]["occupancy"], bays["B2"]["certain"]) == ("occupied", True)
    assert (bays["B3"]["occupancy"], bays["B3"]["why"]) == ("unknown", "never_heard")
    assert operator.get(f"{BASE}/bays", params={"zone": "markt"}).json() == []


def test_a_bay_tells_its_sensors_last_words_of_seven_days_and_its_days(operator: TestClient, store: Store, clock: ManualClock,
                                                                       finds: Finds) -> None:
    finds("B1", "occupied")
    old, new = clock.now() - timedelta(days=8), clock.now() - timedelta(minutes=5)
    store.add_bay_events(T, [(AssetId("B1"), BayEvent(to_ns(old), "s", 1, "edge", False)),
                             (AssetId("B1"), BayEvent(to_ns(new), "s", 2, "edge", True))], clock.now())
    day = BayDay(AssetId("B1"), clock.now().date(), ZoneId("platz"), 20, 30, 4, 1, 0, 3600, 60)
    store.put_parking(T, ParkingFound(days=[day]))
    told = operator.get(f"{BASE}/bays/B1").json()
    assert [(word["sign"], word["occupied"], word["number"]) for word in told["words"]] == [("edge", True, 2)]
    assert (told["days"][0]["missed"], told["sensor"]["findings"]) == (4, ["missed"])
    assert operator.get(f"{BASE}/bays/L1").status_code == 404


def test_a_zone_is_blocked_for_a_time_and_opened_early(operator: TestClient, town: TenantStore, clock: ManualClock,
                                                       finds: Finds) -> None:
    finds("B1", "free")
    made = operator.post(f"{BASE}/blocks", json={"zone": "platz", "end": soon(clock), "reason": "Wochenmarkt"})
    assert made.status_code == 201
    assert sorted(block["bay"] for block in made.json()["blocks"]) == ["B1", "B2", "B3", "B4", "B5", "B6"]
    bays = operator.get(f"{BASE}/bays").json()
    assert {bay["occupancy"] for bay in bays} == {"blocked"}
    assert bays[0]["block"]["reason"] == "Wochenmarkt"
    assert (town.audit_lines()[0].action, town.audit_lines()[0].target) == ("block bays", "zone platz")
    ended = operator.post(f"{BASE}/blocks/{made.json()['id']}/end").json()
    assert all(block["ended_at"] for block in ended["blocks"])
    assert {bay["id"]: bay["occupancy"] for bay in operator.get(f"{BASE}/bays").json()}["B1"] == "free"
    assert town.audit_lines()[0].action == "end block"


def test_a_block_that_is_to_come_holds_from_its_start_to_its_end(operator: TestClient, clock: ManualClock) -> None:
    operator.post(f"{BASE}/blocks", json={"bays": ["B1"], "start": soon(clock, 1), "end": soon(clock, 2), "reason": "Umzug"})

    def state() -> str:
        return {bay["id"]: str(bay["occupancy"]) for bay in operator.get(f"{BASE}/bays").json()}["B1"]

    before = state()
    clock.advance(61 * 60)
    during = state()
    clock.advance(60 * 60)
    assert (before, during, state()) == ("unknown", "blocked", "unknown")


def test_one_bay_of_a_block_is_opened_alone(operator: TestClient, clock: ManualClock, town: TenantStore) -> None:
    operator.post(f"{BASE}/blocks", json={"bays": ["B1", "B2"], "end": soon(clock), "reason": "Bau"})
    assert operator.post(f"{BASE}/bays/B1/open").status_code == 204
    bays = {bay["id"]: bay["occupancy"] for bay in operator.get(f"{BASE}/bays").json()}
    assert (bays["B1"], bays["B2"]) == ("unknown", "blocked")
    assert operator.post(f"{BASE}/bays/B1/open").status_code == 404
    assert town.audit_lines()[0].target == "bay B1"


def test_a_bay_that_an_earlier_version_blocked_without_an_end_can_be_opened(operator: TestClient, town: TenantStore) -> None:
    town.set_blocked(AssetId("B1"), True)
    assert operator.get(f"{BASE}/bays/B1").json()["state"]["occupancy"] == "blocked"
    assert operator.post(f"{BASE}/bays/B1/open").status_code == 204
    assert operator.get(f"{BASE}/bays/B1").json()["state"]["occupancy"] == "unknown"


@pytest.mark.parametrize(("body", "status", "field"), [
    ({"bays": []}, 422, "bays"), ({"bays": ["B1"], "reason": " "}, 422, "reason"), ({"bays": ["L1"]}, 404, "bays"),
    ({"zone": "markt"}, 404, "zone"), ({"bays": ["B1"], "end": "2026-03-02T21:00:00Z"}, 422, "end"),
    ({"bays": ["B1"], "end": "2028-03-02T21:00:00Z"}, 422, "end"), ({"bays": ["B1"], "reason": "x" * 201}, 422, "reason"),
    ({"bays": ["B1"], "reason": "a\u202eb"}, 422, "reason")])
def test_a_block_without_sense_is_refused_and_nothing_is_written(operator: TestClient, town: TenantStore, clock: ManualClock,
                                                                 body: dict[str, object], status: int, field: str) -> None:
    answer = operator.post(f"{BASE}/blocks", json={"end": soon(clock), "reason": "Bau", **body})
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert list(town.bay_blocks(clock.now())) == []
    assert not town.audit_lines()


def test_sensors_come_worst_first(operator: TestClient, store: Store, clock: ManualClock, finds: Finds) -> None:
    finds("B1", "free")
    finds("B2", "out_of_service", "gone", ago=4000)
    finds("B3", "free", start_fault="coverage")
    store.put_parking(T, ParkingFound(days=[BayDay(AssetId("B1"), clock.now().date(), ZoneId("platz"), 30, 30, 0, 0, 0, 0, 0)]))
    told = [(one["bay"], one["findings"]) for one in operator.get(f"{BASE}/sensors").json()]
    assert told[0] == ("B2", ["gone"])
    assert ("B3", ["coverage"]) in told
    assert told[-1] == ("B1", [])


def test_overstays_name_bays_and_minutes_of_now_zone_by_zone(operator: TestClient, town: TenantStore, clock: ManualClock,
                                                             finds: Finds) -> None:
    noon = clock.advance(14 * 3600)  # a Tuesday, 13:00 in Berlin
    rule = SiteRule(hours="Mo-Fr 08:00-18:00", max_stay_min=120, disc=True)
    town.put_parking_site(ParkingSite(ZoneId("platz"), rules=(rule,)), "eva", noon)
    finds("B1", "occupied", ago=150)
    finds("B2", "occupied", ago=60)
    finds("B3", "occupied", ago=60 * 10)  # since before eight in Berlin: only from then on the limit holds
    zone = operator.get(f"{BASE}/overstays").json()[0]
    assert (zone["zone"], zone["limited"]) == ("platz", 3)
    assert [(one["bay"], one["minutes"], one["over_min"]) for one in zone["over"]] == [("B3", 300, 180), ("B1", 150, 30)]
    clock.advance(8 * 3600)
    assert operator.get(f"{BASE}/overstays").json() == []


def test_a_zones_usage_is_told_without_its_bays(operator: TestClient, store: Store, clock: ManualClock) -> None:
    begin = clock.now() - timedelta(hours=30)
    store.put_parking(T, ParkingFound(
        quarters=[Quarter(ZoneId("platz"), "", begin + n * timedelta(minutes=15), 5, 2250, 2250, 0, 1, 1) for n in range(96)],
        stays=[Stay(ZoneId("platz"), "", "a", begin, begin + timedelta(minutes=40), True)]))
    told = operator.get(f"{BASE}/parking-usage/platz").json()
    assert (told["occupied"], told["median_stay_min"], told["step_s"]) == (0.5, 40, 3600)
    assert round(told["turnover"], 1) == 19.2
    assert [one["stays"] for one in told["dwell"] if one["up_to_min"] == 60] == [1]
    assert {one["occupied"] for one in told["heat"]} == {0.5}
    table = operator.get(f"{BASE}/parking-usage/platz/table.csv")
    assert table.text.splitlines()[0].startswith("at,zone,kind,bays,occupied_percent")
    assert "B1" not in table.text
    assert operator.get(f"{BASE}/parking-usage/nirgends").status_code == 404
    assert operator.get(f"{BASE}/parking-usage/platz", params={"first": "2020-01-01"}).status_code == 422


def test_a_doubt_is_settled_with_what_was_found_out(operator: TestClient, town: TenantStore, clock: ManualClock) -> None:
    town.add_doubt(Doubt("d1", T, ZoneId("platz"), Doubting.FULLER, clock.now(), "4 frei von 5", "alles voll"))
    told = operator.get(f"{BASE}/doubts").json()
    assert [(one["id"], one["what"], one["shown"]) for one in told] == [("d1", "fuller", "4 frei von 5")]
    assert operator.post(f"{BASE}/doubts/d1/close", json={"outcome": "Sensor B2 klemmte"}).status_code == 204
    assert operator.get(f"{BASE}/doubts").json() == []
    closed = operator.get(f"{BASE}/doubts", params={"open_only": False}).json()[0]
    assert (closed["outcome"], closed["closed_by"]) == ("Sensor B2 klemmte", "token:alt operator")
    assert operator.post(f"{BASE}/doubts/none/close", json={"outcome": "x"}).status_code == 404
    assert town.audit_lines()[0].action == "close doubt"


def test_a_doubt_tells_what_the_check_of_its_zones_sensors_has_found(operator: TestClient, town: TenantStore, store: Store,
                                                                     clock: ManualClock) -> None:
    now, hour = clock.now(), timedelta(hours=1)
    for name, what in (("d1", Doubting.FULLER), ("d2", Doubting.EMPTIER), ("d3", Doubting.RULE)):
        town.add_doubt(Doubt(name, T, ZoneId("platz"), what, now))
    check = SensorCheck(ZoneId("platz"), now, now + hour, now, 2, 1, results={"fuller": "confirmed"},
                        sensors=(CheckedSensor(AssetId("B1"), "wrong", False, 1, ("missed",), now), CheckedSensor(AssetId("B2"))))
    store.put_parking(T, ParkingFound(checks=[check]))
    told = {one["id"]: one["check"] for one in operator.get(f"{BASE}/doubts").json()}
    assert (told["d1"]["result"], told["d2"]["result"], told["d3"]) == ("confirmed", "running", None)
    assert [(one["bay"], one["word"], one["findings"], one["lost"]) for one in told["d1"]["sensors"]] == [
        ("B1", "wrong", ["missed"], 1), ("B2", "waiting", [], 0)]
    assert (told["d1"]["total"], told["d1"]["waiting"], told["d1"]["done_at"]) == (2, 1, None)


def test_towns_and_streets_are_public(anonymous: TestClient, town: TenantStore) -> None:
    town.put_streets([Street("Marktstraße", ((8.1, 51.0), (8.2, 51.1)))])
    assert [found["id"] for found in anonymous.get("/api/v1/tenants").json()] == ["alt", "neu"]
    feature = anonymous.get(f"{BASE}/streets").json()["features"][0]
    assert feature["geometry"] == {"type": "LineString", "coordinates": [[8.1, 51.0], [8.2, 51.1]]}
    assert anonymous.get("/api/v1/tenants/nope/parking").status_code == 404
