"""Lighting and parking are two areas of work: who works in one alone neither sees nor changes what is of the other."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from api import auth
from api.accounts import AREAS, add_account
from api.deps import BOTH, EITHER, LIGHTING, PARKING, check_areas
from city.clock import ManualClock
from city.errors import Forbidden
from city.ids import TenantId
from city.store.ports import EVERY_AREA, Area, Role, Store
from tests.api.conftest import NIGHT

CHANGES_NOTHING = {"/api/v1/tenants/{tenant}/codecs/try", "/{tenant}/betrieb/modelle/{vendor}/{name}",
                   "/en/{tenant}/operations/models/{vendor}/{name}"}  # tries that keep nothing
OF_LAMPS = re.compile(r"/(luminaires|lamps|overrides?|override|programs|calendars|assignments?|circuits|energy|groups|casts|talq|"
                      r"ngsi-ld|leuchte|dimmen|programme|kalender|stromkreise|energie|dim|pole|mast)\b")
OF_BAYS = re.compile(r"/(bays|parking/\w+|bay|blocks|doubts|betrieb/parken|operations/parking)\b")
As = Callable[[Area | None], TestClient]


def _guards(dependant: Dependant) -> list[object]:
    found = [dependant.call] if getattr(dependant.call, "role", None) is not None else []
    return found + [guard for child in dependant.dependencies for guard in _guards(child)]


def _town_routes(app: FastAPI) -> list[tuple[str, str, frozenset[Area]]]:
    """(method, path, areas) of every route that needs a role in a town."""
    found = []
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and (guards := _guards(route.dependant)) and "{tenant}" in str(route.path):
            found += [(method, str(route.path), guards[0].areas) for method in route.methods or () if method != "HEAD"]  # type: ignore[attr-defined]
    return found


def _ask(client: TestClient, method: str, path: str) -> int:
    address = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: "alt" if match[1] == "tenant" else "L1", path)
    status: int = client.request(method, address, json=None if method == "GET" else {}, follow_redirects=False).status_code
    return status


@pytest.fixture
def working_in(app: FastAPI, store: Store, clock: ManualClock) -> As:
    """A client of an admin of Altstadt who works in this area alone; None: in all."""

    def client(area: Area | None) -> TestClient:
        areas = EVERY_AREA if area is None else frozenset({area})
        text, kept = auth.new_token(name="t", role=Role.ADMIN, tenant=TenantId("alt"), now=clock.now(), areas=areas)
        store.put_token(kept)
        return TestClient(app, headers={"Authorization": f"Bearer {text}", "Accept-Language": "en"})

    return client


def test_every_guarded_route_of_a_town_declares_its_area(app: FastAPI) -> None:
    routes = _town_routes(app)
    assert len(routes) > 100
    for method, path, areas in routes:
        assert areas in (LIGHTING, PARKING, BOTH, EITHER), f"{method} {path}"
        if method != "GET":
            assert areas or path in CHANGES_NOTHING, f"{method} {path} would change something for whoever works in any area"


def test_what_names_lamps_is_lighting_and_what_names_bays_is_parking(app: FastAPI) -> None:
    for method, path, areas in _town_routes(app):
        if OF_BAYS.search(path):
            assert areas == PARKING, f"{method} {path}: {areas}"
        elif OF_LAMPS.search(path):
            assert areas == LIGHTING, f"{method} {path}: {areas}"


@pytest.mark.parametrize("area", list(Area))
def test_an_admin_of_one_area_is_refused_all_that_is_of_the_other(app: FastAPI, working_in: As, area: Area) -> None:
    client = working_in(area)
    others = [(method, path) for method, path, areas in _town_routes(app) if not areas <= {area}]
    assert others
    for method, path in others:
        assert _ask(client, method, path) == 403, f"{method} {path}"


@pytest.mark.parametrize(("area", "secret"), [(Area.PARKING, "Markt 1"), (Area.LIGHTING, "Platz 1")])
def test_what_is_of_no_area_names_nothing_of_the_other(app: FastAPI, working_in: As, area: Area, secret: str) -> None:
    client = working_in(area)
    for method, path, areas in _town_routes(app):
        if method == "GET" and areas == EITHER and not path.endswith("/events"):
            address = path.format(tenant="alt", vendor="nas" if area is Area.PARKING else "bosch",
                                  name="ul20xx" if area is Area.PARKING else "tps110")
            assert secret not in client.get(address).text, address


def test_parking_staff_cannot_dim_and_lighting_staff_cannot_see_bays(working_in: As) -> None:
    wish = {"level": 40, "minutes": 60}
    parking, lighting = working_in(Area.PARKING), working_in(Area.LIGHTING)
    refused = parking.put("/api/v1/tenants/alt/zones/markt/override", json=wish)
    assert (refused.status_code, refused.json()["rule"]) == (403, "area")
    assert lighting.get("/api/v1/tenants/alt/bays").status_code == 403
    assert parking.get("/api/v1/tenants/alt/bays").status_code == 200
    assert lighting.get("/api/v1/tenants/alt/luminaires").status_code == 200


@pytest.mark.parametrize(("asset", "quantity", "area"), [
    ("L1", "lamp.level", Area.LIGHTING), ("B1", "bay.occupied", Area.PARKING)])
def test_history_is_told_to_those_of_its_area(working_in: As, asset: str, quantity: str, area: Area) -> None:
    span = {"from": (NIGHT - timedelta(hours=1)).isoformat(), "to": NIGHT.isoformat(), "quantity": quantity}
    for one in Area:
        expected = 200 if one is area else 403
        assert working_in(one).get("/api/v1/tenants/alt/readings", params={**span, "asset": asset}).status_code == expected
        assert working_in(one).get("/api/v1/tenants/alt/series", params=span).status_code == expected


def test_values_of_every_kind_of_device_are_told_to_those_of_both_areas(working_in: As) -> None:
    span = {"from": (NIGHT - timedelta(hours=1)).isoformat(), "to": NIGHT.isoformat(), "quantity": "device.battery_voltage"}
    answers = [working_in(area).get("/api/v1/tenants/alt/series", params=span).status_code for area in (*Area, None)]
    assert answers == [403, 403, 200]


def test_an_account_is_made_for_an_area_and_says_so(app: FastAPI, store: Store) -> None:
    password = add_account(store, name="petra", role=Role.OPERATOR, tenant=TenantId("alt"), areas=AREAS["parking"])
    client = TestClient(app)
    told = client.post("/api/v1/session", json={"name": "petra", "password": password}).json()
    assert told["areas"] == ["parking"]
    assert client.get("/api/v1/tenants/alt/luminaires").status_code == 403


def test_an_actor_of_one_area_is_told_which_area_it_would_need() -> None:
    with pytest.raises(Forbidden) as refusal:
        check_areas(auth.Actor("o", Role.ADMIN, None, "token", areas=LIGHTING), PARKING)
    assert refusal.value.rule == "area"


def test_whoever_works_in_parking_alone_is_led_from_the_console_to_parking(working_in: As) -> None:
    answer = working_in(Area.PARKING).get("/alt/betrieb", follow_redirects=False)
    assert answer.status_code == 303
    assert "parken" in answer.headers["location"]
