"""Commands step by step, and how far a wish has come at each lamp."""

from datetime import timedelta

from fastapi.testclient import TestClient

from city.commands import Command, Event, Priority, advance, command
from city.groups import Target
from city.ids import AssetId, OverrideId
from city.lighting import Override, override
from city.orders import SetLevel
from city.store.ports import Facts, Store, TenantStore
from tests.api.conftest import NIGHT, says

BASE = "/api/v1/tenants/alt"


def wished(town: TenantStore) -> Override:
    wish = override(id=OverrideId("0f0e0d0c-0000-4000-8000-000000000001"), tenant=town.tenant.id,
                    targets=[Target("zone", "markt")], level=60, until=NIGHT + timedelta(hours=2), actor="me", now=NIGHT)
    town.add_override(wish)
    return wish


def ordered(town: TenantStore, wish: Override, asset: str, seconds: float = 0) -> Command:
    at = NIGHT + timedelta(seconds=seconds)
    return command(tenant=town.tenant.id, device=town.device_of(AssetId(asset)).dev_eui, asset=AssetId(asset),
                   order=SetLevel(60, 120), origin=f"override:{wish.id}", priority=Priority.OVERRIDE, now=at,
                   expires_at=at + timedelta(minutes=5))


def walked(first: Command, *events: tuple[Event, str]) -> list[Command]:
    course = [first]
    for number, (event, note) in enumerate(events, 1):
        course.append(advance(course[-1], event, first.created_at + timedelta(seconds=10 * number), note))
    return course


def test_a_command_tells_each_step_with_its_time_and_reason(operator: TestClient, store: Store, town: TenantStore) -> None:
    course = walked(ordered(town, wished(town), "L1"), (Event.SEND, ""), (Event.LOSE, "no answer in time"), (Event.SEND, ""),
                    (Event.TXACK, ""), (Event.ACK, ""), (Event.CONFIRM, ""))
    for step in course:
        store.commit(Facts(commands=(step,)))
    told = operator.get(f"{BASE}/commands/{course[0].id}").json()
    assert told["state"] == "applied"
    assert [(step["state"], step["attempts"], step["note"]) for step in told["steps"]] == [
        ("planned", 0, ""), ("sent", 1, ""), ("planned", 1, "no answer in time"), ("sent", 2, ""), ("scheduled", 2, ""),
        ("acked", 2, ""), ("applied", 2, "")]
    assert [step["at"] for step in told["steps"]] == sorted(step["at"] for step in told["steps"])


def test_a_wish_shows_every_lamp_and_counts_them(operator: TestClient, store: Store, town: TenantStore) -> None:
    wish = wished(town)
    lost = walked(ordered(town, wish, "L1"), (Event.SEND, ""), (Event.GIVE_UP, "no answer to 3 attempts"))
    done = walked(ordered(town, wish, "L2"), (Event.SEND, ""), (Event.CONFIRM, ""))
    store.commit(Facts(commands=(*lost, *done)))
    says(store, town, "L2", NIGHT + timedelta(seconds=20), level=60)
    told = operator.get(f"{BASE}/overrides/{wish.id}/lamps").json()
    assert [(lamp["asset"], lamp["state"]) for lamp in told["lamps"]] == [
        ("L1", "failed"), ("L2", "applied"), ("L3", "waiting"), ("L4", "waiting")]
    assert told["counts"] == {"failed": 1, "applied": 1, "waiting": 2}
    assert told["lamps"][0]["orders"][0]["steps"][-1]["note"] == "no answer to 3 attempts"
    progress = operator.get(f"{BASE}/overrides/{wish.id}").json()["progress"]
    assert {word: progress[word] for word in told["counts"]} == told["counts"]


def test_lamps_of_a_wish_come_by_state_and_page_by_page(operator: TestClient, store: Store, town: TenantStore) -> None:
    wish = wished(town)
    store.commit(Facts(commands=tuple(walked(ordered(town, wish, "L2"), (Event.SEND, "")))))
    first = operator.get(f"{BASE}/overrides/{wish.id}/lamps", params={"state": "waiting", "limit": 2}).json()
    assert ([lamp["asset"] for lamp in first["lamps"]], first["total"], first["cursor"]) == (["L1", "L3"], 3, "L3")
    rest = operator.get(f"{BASE}/overrides/{wish.id}/lamps", params={"state": "waiting", "limit": 2, "cursor": "L3"}).json()
    assert ([lamp["asset"] for lamp in rest["lamps"]], rest["cursor"]) == (["L4"], None)
    assert operator.get(f"{BASE}/overrides/{wish.id}/lamps", params={"state": "dim"}).status_code == 422
    assert operator.get(f"{BASE}/overrides/nothing/lamps").status_code == 404


def test_a_wish_that_another_has_replaced_or_that_is_over_waits_for_nothing(operator: TestClient, store: Store,
                                                                           town: TenantStore) -> None:
    wish = wished(town)
    store.commit(Facts(commands=tuple(walked(ordered(town, wish, "L1"), (Event.SEND, ""), (Event.SUPERSEDE, "a newer order")))))
    assert operator.get(f"{BASE}/overrides/{wish.id}").json()["progress"]["superseded"] == 1
    town.end_override(wish.id, NIGHT + timedelta(minutes=1))
    told = operator.get(f"{BASE}/overrides/{wish.id}/lamps", params={"state": "superseded"}).json()
    assert (told["total"], told["counts"]) == (4, {"superseded": 4})
    assert operator.get(f"{BASE}/overrides/{wish.id}").json()["progress"]["settled"] is True
