"""DATEX II, FIWARE, SensorThings and the catalogue at their addresses: for everybody, tagged, packed, with licence, and no more
than what everybody may know."""

import re
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from rdflib import Graph
from rdflib.compare import isomorphic

from api import auth
from api.routes.catalogue import OFFERS
from city.bays import BayEvent
from city.clock import ManualClock
from city.ids import AssetId, TenantId, ZoneId
from city.parking_facts import BayFact, Count, Quarter, Retired, ZoneFact
from city.parking_places import ParkingSite, TownParking
from city.readings import to_ns
from city.store.port_parking import ParkingFound
from city.store.ports import Role, Store, TenantStore
from tests.api.conftest import NIGHT, says

ROOT = "/opendata/alt"
ADDRESSES = ["/datex2/v2.3/parking-table.xml", "/datex2/v2.3/parking-status.xml", "/ngsi-ld/v1/entities?type=OnStreetParking",
             "/ngsi-ld/v1/types", "/ngsi-ld/context.jsonld", "/sta/v1.1", "/sta/v1.1/Things", "/sta/v1.1/Observations",
             "/catalogue.jsonld", "/catalogue.rdf", "/catalogue"]
D2 = {"d": "http://datex2.eu/schema/2/2_0"}


def counted(store: Store, at: datetime, free: int = 2, occupied: int = 3) -> None:
    """The bridge has found out how full the zone is, and how full it was."""
    bay, zone = AssetId("B1"), ZoneId("platz")
    quarters = [Quarter(zone, kind, at.replace(minute=0, second=0) - n * timedelta(minutes=15), bays, 900 * bays, 0, 0)
                for n in range(1, 9) for kind, bays in (("", 5), ("disabled", 1))]
    store.put_parking(TenantId("alt"), ParkingFound(
        bays=[BayFact(bay, zone, "occupied", "", at, at, at, True, False)], quarters=quarters,
        zones=[ZoneFact(zone, {"": Count(5, free, occupied, "many"), "disabled": Count(1, 1, 0, "few")}, at, at, "steady", 8.2,
                        51.03)]))
    store.add_bay_events(TenantId("alt"), [(bay, BayEvent(to_ns(at), "x", 1, "edge", True))], at)


@pytest.fixture
def public(store: Store, town: TenantStore) -> None:
    town.put_parking_site(ParkingSite("platz", address="Platz 1"), "me", NIGHT)
    town.put_parking_town(TownParking(operator="Stadt Altstadt", contact="parken@altstadt.example"), "me", NIGHT)
    counted(store, NIGHT)


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("address", ADDRESSES)
def test_each_answer_is_for_any_website_tagged_and_with_its_licence(anonymous: TestClient, address: str) -> None:
    answer = anonymous.get(ROOT + address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert 'rel="license"' in answer.headers["Link"]
    assert "public" in answer.headers["Cache-Control"]
    again = anonymous.get(ROOT + address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_answer_names_a_bay_or_the_zone_that_a_town_keeps_to_itself(anonymous: TestClient, town: TenantStore,
                                                                       clock: ManualClock, address: str) -> None:
    assert not re.search(r"\bB\d\b|[^-]\bPlatz \d\b(?<!Platz 1)", anonymous.get(ROOT + address).text)
    town.put_parking_site(ParkingSite("platz", public=False), "me", NIGHT)
    clock.advance(2)  # finished answers are kept for a second
    assert not re.search(r"\bplatz\b", anonymous.get(ROOT + address).text)


@pytest.mark.usefixtures("public")
def test_datex_says_how_many_bays_are_free_and_nothing_of_a_town_without_zones(anonymous: TestClient) -> None:
    answer = anonymous.get(f"{ROOT}/datex2/v2.3/parking-status.xml")
    assert answer.headers["Content-Type"] == "application/xml"
    record = ET.fromstring(answer.content).find(".//d:parkingRecordStatus", D2)
    assert record is not None
    assert record.findtext("d:parkingOccupancy/d:parkingNumberOfVacantSpaces", "", D2) == "2"
    refused = anonymous.get("/opendata/neu/datex2/v2.3/parking-status.xml")
    assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/problem+json")
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.usefixtures("public")
def test_a_number_that_is_too_old_is_told_nowhere(anonymous: TestClient, clock: ManualClock) -> None:
    clock.advance(31 * 60)
    assert "VacantSpaces" not in anonymous.get(f"{ROOT}/datex2/v2.3/parking-status.xml").text
    entity = anonymous.get(f"{ROOT}/ngsi-ld/v1/entities?type=OnStreetParking").json()[0]
    assert "availableSpotNumber" not in entity
    assert anonymous.get(f"{ROOT}/sta/v1.1/Datastreams('platz.free')/Observations").json()["value"] == []


@pytest.mark.usefixtures("public")
def test_entities_come_in_the_form_that_is_accepted_and_a_filter_is_not_ignored(anonymous: TestClient) -> None:
    address = f"{ROOT}/ngsi-ld/v1/entities?type=OnStreetParking,ParkingGroup&options=keyValues"
    linked = anonymous.get(address, headers={"Accept": "application/ld+json"})
    plain = anonymous.get(address, headers={"Accept": "application/json"})
    assert "@context" in linked.json()[0]
    assert "@context" not in plain.json()[0]
    assert "json-ld#context" in plain.headers["Link"]
    assert (plain.headers["NGSILD-Results-Count"], plain.json()[0]["availableSpotNumber"]) == ("2", 2)
    assert anonymous.get(f"{ROOT}/ngsi-ld/v1/entities/{plain.json()[0]['id']}").status_code == 200
    assert anonymous.get(f"{ROOT}/ngsi-ld/v1/entities?type=ParkingSpot").json() == []
    assert anonymous.get(f"{ROOT}/ngsi-ld/v1/entities?type=OnStreetParking&q=name==x").status_code == 422
    page = anonymous.get(address + "&limit=1")
    assert 'rel="next"' in page.headers["Link"]


@pytest.mark.usefixtures("public")
def test_sensorthings_is_walked_by_its_own_links_and_refuses_as_its_standard_says(anonymous: TestClient) -> None:
    root: dict[str, Any] = anonymous.get(f"{ROOT}/sta/v1.1").json()
    things = next(one["url"] for one in root["value"] if one["name"] == "Things")
    thing = anonymous.get(things).json()["value"][0]
    streams = anonymous.get(thing["Datastreams@iot.navigationLink"], params={"$expand": "Observations($top=3)", "$count": "true"})
    means = next(one for one in streams.json()["value"] if one["@iot.id"] == "platz.mean")
    assert [one["result"] for one in means["Observations"]] == [5.0, 5.0, 5.0]
    assert len(anonymous.get(means["Observations@iot.nextLink"]).json()["value"]) == 3
    assert anonymous.get(f"{ROOT}/sta/v1.1/Things('platz')/name/$value").text == "platz"
    for query, status in (("$filter=name eq", 400), ("$filter=st_within(a,b)", 501), ("$top=x", 400), ("$search=x", 501)):
        refused = anonymous.get(f"{ROOT}/sta/v1.1/Things?{query}")
        assert (refused.status_code, refused.json()["status"]) == (status, status)
        assert refused.json()["detail"]
    assert anonymous.get(f"{ROOT}/sta/v1.1/Things('B1')").status_code == 404


@pytest.mark.usefixtures("public")
def test_the_catalogue_says_the_same_in_both_forms_and_leads_only_to_what_there_is(anonymous: TestClient, app: FastAPI,
                                                                                  store: Store) -> None:
    store.put_retired(TenantId("alt"), Retired(NIGHT, "parking_quarters", 0, NIGHT - timedelta(days=400), 1830.0))
    linked, xml = anonymous.get(f"{ROOT}/catalogue.jsonld"), anonymous.get(f"{ROOT}/catalogue.rdf")
    assert isomorphic(Graph().parse(data=linked.text, format="json-ld"), Graph().parse(data=xml.text, format="xml"))
    assert anonymous.get(f"{ROOT}/catalogue", headers={"Accept": "application/rdf+xml"}).content == xml.content
    assert anonymous.get(f"{ROOT}/catalogue", headers={"Accept": "*/*"}).content == linked.content
    patterns = [route.path_regex for context in iter_route_contexts(app.routes)
                if isinstance(route := context.original_route, APIRoute) and "GET" in (route.methods or ())]
    assert '"dcat:startDate":[{"@value":"2025-01-26T22:00:00.000Z"' in linked.text
    for offer in OFFERS:
        assert any(pattern.match(f"{ROOT}/{offer.path.partition('?')[0]}") for pattern in patterns), offer.path
        assert anonymous.get(f"{ROOT}/{offer.path}").status_code == 200, offer.path


@pytest.mark.usefixtures("public")
def test_addresses_in_an_answer_are_those_the_caller_used_and_a_forged_host_is_not_repeated(anonymous: TestClient) -> None:
    hosts = ("parken.example", "a\"><script>", "x/y@z")
    told = [anonymous.get(f"{ROOT}/sta/v1.1", headers={"Host": host}).text for host in hosts]
    assert "http://parken.example/opendata/alt/sta/v1.1/Things" in told[0]
    assert not any("script" in text or "@z" in text for text in told)


@pytest.mark.usefixtures("public")
def test_lamps_are_told_by_zone_to_everybody_and_singly_to_those_who_may_see_them(
        anonymous: TestClient, app: FastAPI, store: Store, town: TenantStore) -> None:
    for lamp in ("L1", "L2"):
        says(store, town, lamp, NIGHT, level=40.0)
    open_things = anonymous.get(f"{ROOT}/sta/v1.1/Things").text
    assert "L1" not in open_things  # and the zone's four lamps are too few to be told together
    assert "light:" not in open_things
    staff = "/api/v1/tenants/alt/sta/v1.1"
    for address in (staff, f"{staff}/Things"):
        assert anonymous.get(address).status_code == 401
    text, kept = auth.new_token(name="t", role=Role.VIEWER, tenant=TenantId("alt"), now=NIGHT)
    store.put_token(kept)
    viewer = TestClient(app, headers={"Authorization": f"Bearer {text}"})
    answer = viewer.get(f"{staff}/Things('lamp:L1')?$expand=Datastreams/Observations")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "private" in answer.headers["Cache-Control"]
    assert [one["result"] for stream in answer.json()["Datastreams"] for one in stream["Observations"]] == [40.0]
    assert answer.json()["@iot.selfLink"].endswith(f"{staff}/Things('lamp:L1')")
    assert viewer.get(f"{staff}/Things('platz')").status_code == 200
    assert viewer.get(f"{staff}/Things?$filter=(").status_code == 400
    assert viewer.get("/api/v1/tenants/neu/sta/v1.1/Things").status_code == 404
