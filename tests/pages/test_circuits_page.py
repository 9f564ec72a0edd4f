"""Circuits: at which delivery point they are counted, said on a page or by the API."""

import re

import httpx
import pytest

from city.places import Supply
from tests.pages.conftest import World, sign_in

API = "/api/v1/tenants/stadt/circuits"


@pytest.fixture(autouse=True)
def lamps(world: World) -> None:
    world.lamp("L-1")
    world.lamp("L-2")


async def csrf(client: httpx.AsyncClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', (await client.get("/stadt/betrieb/stromkreise")).text)
    assert found is not None
    return found[1]


async def test_an_engineer_says_where_a_circuit_is_counted(world: World, anybody: httpx.AsyncClient):
    chief = await sign_in(anybody, "chief")
    form = {"csrf": await csrf(chief), "id": "K1", "name": " Schrank Süd ", "delivery_point": "DE0001",
            "supply": "night_switched"}
    assert (await chief.post("/stadt/betrieb/stromkreise", data=form)).status_code == 303
    kept = next(one for one in world.town.circuits() if one.id == "K1")
    assert (kept.name, kept.delivery_point, kept.supply) == ("Schrank Süd", "DE0001", Supply.NIGHT)
    text = (await chief.get("/stadt/betrieb/stromkreise?saved=K1")).text
    assert "Gespeichert." in text
    assert "2 Leuchten" in text
    found = (await chief.get(API)).json()
    assert found == [{"id": "K1", "name": "Schrank Süd", "delivery_point": "DE0001", "supply": "night_switched", "lamps": 2}]


async def test_a_circuit_that_is_not_there_and_a_name_that_is_none(anybody: httpx.AsyncClient):
    chief = await sign_in(anybody, "chief")
    head = {"X-CSRF-Token": await csrf(chief)}
    assert (await chief.put(f"{API}/K9", json={"name": "x"}, headers=head)).status_code == 404
    assert (await chief.put(f"{API}/K1", json={"name": "a\nb"}, headers=head)).status_code == 422
    wrong = await chief.post("/stadt/betrieb/stromkreise", data={"csrf": head["X-CSRF-Token"], "id": "K1", "name": "x" * 81})
    assert wrong.status_code == 422
    assert "name-K1-wrong" in wrong.text


async def test_an_operator_reads_and_does_not_write(operator: httpx.AsyncClient):
    text = (await operator.get("/stadt/betrieb/stromkreise")).text
    assert "K1" in text
    assert "<fieldset class=\"fields\" disabled>" in text
    assert (await operator.put(f"{API}/K1", json={"name": "x"})).status_code == 403
