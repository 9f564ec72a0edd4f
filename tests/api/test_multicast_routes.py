"""Groups of radio, casts, prices and time on air over the API."""

from datetime import timedelta

from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from city.airtime import Estimate
from city.budget import Spent
from city.clock import ManualClock
from city.commands import Priority
from city.groups import Group, Target
from city.ids import AssetId, DevEui, GatewayId, GroupId, TenantId
from city.multicast import CastRun, Measured, Member, Membership, RadioGroup
from city.orders import SetLevel
from city.store.port_air import AirChanges
from city.store.ports import Facts, Role, Store, TenantStore

BASE = "/api/v1/tenants/alt"
GATEWAY = GatewayId("b" * 16)
GROUP = RadioGroup(TenantId("alt"), "g1", Target("zone", "markt"), "nas/ul20xx", "app", 1, 1, "01020304", dr=3,
                   network_id="n", gateways=(GATEWAY,), ready=True)


def lamps(town: TenantStore) -> list[DevEui]:
    return [town.device_of(lamp.id).dev_eui for lamp in town.luminaires() if lamp.zone == "markt"]


def with_group(store: Store, town: TenantStore, state: Membership = Membership.CONFIRMED) -> None:
    members = tuple((TenantId("alt"), Member("g1", device, state)) for device in lamps(town))
    store.commit(Facts(air=AirChanges((GROUP,), members=members)))


def test_groups_are_wanted_by_engineers_and_only_of_what_there_is(operator: TestClient, as_role, town: TenantStore) -> None:
    engineer = as_role(Role.ENGINEER)
    assert operator.post(f"{BASE}/multicast", json={"targets": ["zone:markt"]}).status_code == 403
    assert engineer.post(f"{BASE}/multicast", json={"targets": ["zone:nowhere"]}).status_code == 404
    assert engineer.post(f"{BASE}/multicast", json={"targets": ["circuit:nowhere"]}).status_code == 404
    assert engineer.post(f"{BASE}/multicast", json={"targets": ["lamp:L1"]}).status_code == 422
    assert engineer.post(f"{BASE}/multicast", json={"targets": ["nonsense"]}).status_code == 422
    answer = engineer.post(f"{BASE}/multicast", json={"targets": ["zone:markt", "town"]})
    assert answer.status_code == 202
    assert [one["target"] for one in answer.json()] == ["zone:markt", "town"]
    assert [line.action for line in town.audit_lines()][:1] == ["multicast"]
    said = operator.get(f"{BASE}/multicast").json()
    assert said["enabled"] is False
    assert [one["target"] for one in said["wanted"]] == ["town", "zone:markt"]
    assert engineer.delete(f"{BASE}/multicast/zone:markt").status_code == 204
    assert engineer.delete(f"{BASE}/multicast/zone:markt").status_code == 404


def test_without_targets_every_zone_and_circuit_has_a_group(as_role, town: TenantStore) -> None:
    as_role(Role.ENGINEER).post(f"{BASE}/multicast", json={})
    wanted = {str(wish.target) for wish in town.group_wishes()}
    assert {"zone:markt", "zone:schule", "circuit:K1"} <= wanted
    assert "zone:platz" not in wanted  # bays only


def test_asking_again_changes_nothing_but_other_keys_when_asked_for(as_role, town: TenantStore, clock: ManualClock) -> None:
    engineer = as_role(Role.ENGINEER)
    engineer.post(f"{BASE}/multicast", json={"targets": ["zone:markt"]})
    (first,) = town.group_wishes()
    clock.advance(10)
    engineer.post(f"{BASE}/multicast", json={"targets": ["zone:markt"]})
    assert list(town.group_wishes()) == [first]
    engineer.post(f"{BASE}/multicast", json={"targets": ["zone:markt"], "rekey": True})
    engineer.delete(f"{BASE}/multicast/zone:markt")
    clock.advance(10)
    engineer.post(f"{BASE}/multicast", json={"targets": ["zone:markt"]})
    (last,) = town.group_wishes()
    assert last.generation > first.generation + 1  # a former generation's keys never come back


def test_a_group_shows_its_members_by_what_is_known_and_no_keys(store: Store, town: TenantStore, operator: TestClient) -> None:
    with_group(store, town, Membership.TOLD)
    (group,) = operator.get(f"{BASE}/multicast").json()["groups"]
    assert group["members"] == {"wanted": 0, "told": 4, "confirmed": 0, "leaving": 0}
    assert not any("key" in name for name in group)
    rows = operator.get(f"{BASE}/multicast/g1/members").json()
    assert [row["asset"] for row in rows] == ["L1", "L2", "L3", "L4"]
    assert operator.get(f"{BASE}/multicast/g2/members").status_code == 404


def test_a_price_knows_the_group_that_fits_exactly(store: Store, town: TenantStore, operator: TestClient) -> None:
    def priced(*targets: str) -> dict[str, float]:
        return operator.post(f"{BASE}/estimate", json={"targets": targets, "level": 40}).json()

    alone = priced("zone:markt")
    assert (alone["lamps"], alone["frames"], alone["casts"], alone["unicast_frames"]) == (4, 4, 0, 4)
    with_group(store, town, Membership.TOLD)
    assert priced("zone:markt")["casts"] == 0  # nobody has confirmed
    with_group(store, town)
    group = priced("zone:markt")
    assert (group["frames"], group["casts"], group["gateways"]) == (3, 1, 1)
    assert group["known_s"] > group["last_s"]
    part = priced("lamp:L1", "lamp:L2", "lamp:L3")
    assert (part["frames"], part["casts"]) == (3, 0)  # the fourth must not hear it
    assert operator.post(f"{BASE}/estimate", json={"targets": ["lamp:U1"]}).status_code == 422
    assert operator.post(f"{BASE}/estimate", json={"targets": ["lamp:none"]}).status_code == 404


def test_a_price_for_a_long_list_asks_the_store_no_more_than_for_a_short_one(town: TenantStore, operator: TestClient) -> None:
    town.put_group(Group(TenantId("alt"), GroupId("eins"), "Eins", frozenset({AssetId("L1")})))
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    def asked(times: int) -> int:
        seen.clear()
        answer = operator.post(f"{BASE}/estimate", json={"targets": ["group:eins", "lamp:L1", "circuit:K1"] * times, "level": 40})
        assert answer.json()["lamps"] == 5  # the crossing too
        return len(seen)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        few = asked(1)
        assert asked(300) <= few
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_cast_tells_what_was_estimated_and_what_was_measured(store: Store, operator: TestClient, clock: ManualClock) -> None:
    now = clock.now()
    run = CastRun("c1", TenantId("alt"), "g1", "override:x", Priority.OVERRIDE, SetLevel(40, 60), 4, 3, 0.2, now, now, now,
                  sent=3, ended_at=now, estimate=Estimate(4, 3, 0.5, 10.0, known_s=100.0), measured=Measured(110.0, 3, 1, 0))
    store.commit(Facts(air=AirChanges(casts=(run,))))
    (said,) = operator.get(f"{BASE}/casts").json()
    assert said["measured"] == {"known_s": 110.0, "by_cast": 3, "alone": 1, "none": 0, "error": 0.1}
    assert operator.get(f"{BASE}/casts/c1").json() == said
    assert operator.get(f"{BASE}/casts/c2").status_code == 404


def test_time_on_air_is_told_by_gateway_and_hour(store: Store, operator: TestClient, clock: ManualClock) -> None:
    now = clock.now()
    spent = [Spent(GATEWAY, "P", now - timedelta(minutes=minutes), 1.5) for minutes in (0, 1, 61, 60 * 30)]
    store.commit(Facts(air=AirChanges(spent=tuple((TenantId("alt"), one) for one in spent))))
    rows = operator.get(f"{BASE}/airtime").json()
    assert sum(row["seconds"] for row in rows) == 4.5
    assert {row["lawful_s"] for row in rows} == {360.0}
    assert len(operator.get(f"{BASE}/airtime?hours=48").json()) == len(rows) + 1
    assert AssetId("L1") not in str(rows)
