"""How far a town has been told its programs is said in numbers: to machines, and on the page of programs."""

import pytest
from fastapi.testclient import TestClient
from msgspec import structs

from api.told import told
from city.groups import TOWN
from city.ids import CalendarId, GatewayId, TenantId
from city.readings import DeviceState
from city.settings import Chirpstack, Settings
from city.store.ports import Facts, Store, TenantStore
from firmware_config.compile import compiled, confirmed_by
from tests.api.conftest import NIGHT


@pytest.fixture
def town(store: Store) -> TenantStore:
    made = store.tenant(TenantId("alt"))
    made.assign(TOWN, CalendarId("standard"), "ada", NIGHT)
    return made


def confirm(store: Store, town: TenantStore, lamp: str, *, parts: int) -> None:
    """The lamp has confirmed so many settings of its program."""
    found = next(one for one in town.luminaires() if one.id == lamp)
    config = confirmed_by(compiled(town.programming(), found, "nas/ul20xx", NIGHT).config)
    state = DeviceState(town.device_of(found.id).dev_eui, gateway=GatewayId("a" * 16))
    store.commit(Facts(states=(structs.replace(state, config=dict(list(config.items())[:parts])),)))


def test_lamps_are_counted_by_what_they_have_confirmed(store: Store, town: TenantStore) -> None:
    before = told(town, {}, Settings(), NIGHT)
    assert (before.hold, before.begun, before.waiting) == (0, 0, before.lamps)
    confirm(store, town, "L1", parts=99)
    confirm(store, town, "L2", parts=1)
    after = told(town, {}, Settings(), NIGHT)
    assert (after.hold, after.begun, after.waiting) == (1, 1, before.lamps - 2)
    assert after.frames < before.frames


def test_where_nobody_has_assigned_a_calendar_there_is_nothing_to_tell(store: Store) -> None:
    assert told(store.tenant(TenantId("alt")), {}, Settings(), NIGHT).lamps == 0


def test_what_few_lamps_lack_is_told_at_once_and_at_the_slowest_rate_it_takes_longer(store: Store, town: TenantStore) -> None:
    for lamp in ("L1", "L2", "L3", "L4"):
        confirm(store, town, lamp, parts=0)
    assert told(town, {}, Settings(chirpstack=Chirpstack(rx2_dr=5)), NIGHT).left.total_seconds() == 0
    assert told(town, {}, Settings(chirpstack=Chirpstack(rx2_dr=0)), NIGHT).left.total_seconds() > 0


@pytest.mark.usefixtures("town")
def test_it_is_told_over_the_api_and_on_the_page(engineer: TestClient) -> None:
    said = engineer.get("/api/v1/tenants/alt/programs/told").json()
    assert said["lamps"] == said["waiting"] > 0
    page = engineer.get("/alt/programme", headers={"Accept-Language": "de"})
    assert "haben das Programm dieser Nacht selbst gespeichert" in page.text
