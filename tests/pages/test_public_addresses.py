"""Where a zone's page lives: beside pages whose words a zone could be called by, and where it is counted in another zone."""

import re
from datetime import date

import msgspec
import pytest
from fastapi.routing import APIRoute

from api.app import create_app
from api.pages.addresses import address, taken
from city import ids
from city.errors import Invalid
from city.imports import parse
from city.parking_facts import Count
from city.parking_places import ParkingSite, TownParking
from city.settings import Settings
from city.store.port_parking import ParkingFound
from tests.pages.conftest import NOW
from tests.pages.test_public import text
from tests.pages.told import Told


@pytest.fixture
def told(world):
    return Told(world)


def test_every_word_beside_a_zones_page_is_reserved(world):
    """As the routes are, not as anybody remembers them."""
    app = create_app(world.store, world.log, world.clock, Settings())
    paths = {route.path for route in app.routes if isinstance(route, APIRoute) and "GET" in route.methods}
    above = {path.rpartition("/")[0] for path in paths if path.endswith("/{zone}") and "betrieb" not in path}
    beside = {path.rpartition("/")[2] for path in paths if path.rpartition("/")[0] in above} - {"{zone}"}
    assert {"/{tenant}/parken", "/en/{tenant}/parking"} <= above
    assert {word.replace("{zone}", "") for word in beside} == ids.RESERVED_ZONES | {ids.BADGE}


@pytest.mark.parametrize("name", [*sorted(ids.RESERVED_ZONES), "markt.svg"])
def test_no_new_zone_is_called_by_such_a_word(name):
    assert taken(name)
    with pytest.raises(Invalid, match="use that address themselves"):
        ids.zone_id(name)
    rows, problems = parse(f"asset,kind,latitude,longitude,zone\nP1,bay,51,8,{name}\n".encode(), {})
    assert rows == []
    assert [(one.line, one.column) for one in problems] == [(2, "zone")]


@pytest.mark.parametrize("name", ["Marktplatz", "widget-2", "zone", "hinweis", "svg"])
def test_other_words_are_nobodys(name):
    assert not taken(name)
    assert ids.zone_id(name) == name


@pytest.mark.parametrize("name", ["leichte-sprache", "easy-read", "widget", "karte.json", "markt.svg"])
async def test_a_zone_that_has_such_a_name_already_has_its_page_apart(anybody, told, name):
    told.zone(name, 7, 17)
    for language in ("de", "en"):
        there = address(language, "parking-zone", tenant="stadt", zone=name)
        page = await anybody.get(there)
        assert page.status_code == 200
        assert re.search("7 (frei von|free of) 24", text(page.text))
        assert f'href="{there}"' in (await anybody.get(address(language, "parking", tenant="stadt"))).text
        other = address("en" if language == "de" else "de", "parking-zone", tenant="stadt", zone=name)
        assert f'href="{other}"' in page.text
        assert "7" in (await anybody.get(address(language, "badge", tenant="stadt", zone=name))).text
    answer = await anybody.post(address("de", "parking-doubt", tenant="stadt", zone=name), data={"what": "other"})
    assert answer.headers["location"].startswith(f"/stadt/parken/zone/{name}?thanks=")


async def test_words_of_the_doubts_address_are_names_like_others(anybody, told):
    told.zone("zone", 7, 17)
    told.zone("hinweis", 3, 9)
    assert "7 frei von 24" in text((await anybody.get("/stadt/parken/zone")).text)
    assert "3 frei von 12" in text((await anybody.get("/stadt/parken/hinweis")).text)
    assert "3 frei von 12" in text((await anybody.get("/stadt/parken/zone/hinweis")).text)
    assert (await anybody.post("/stadt/parken/zone/hinweis", data={"what": "other"})).status_code == 303


async def test_a_merged_zone_leads_to_the_one_that_it_is_counted_in_and_says_so(anybody, told, world):
    told.zone("platz", 7, 17)
    world.bays("gasse", None)
    world.town.put_parking_site(ParkingSite("gasse", merged_into="platz"), "t", NOW)
    for path, there in (("/stadt/parken/gasse", "/stadt/parken/platz?part=gasse"),
                        ("/en/stadt/parking/gasse", "/en/stadt/parking/platz?part=gasse")):
        answer = await anybody.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, there)
    page = text((await anybody.get("/stadt/parken/platz?part=gasse")).text)
    assert "„gasse“ wird zusammen mit „platz“ gezählt und angezeigt." in page
    assert "7 frei von 24" in page
    for strange in ("platz", "nichts", "%3Cb%3E"):
        assert "zusammen mit „platz“" not in text((await anybody.get(f"/stadt/parken/platz?part={strange}")).text)
    assert "7 frei von 24" in (await anybody.get("/stadt/parken/gasse.svg")).text
    assert "7 frei von 24" in (await anybody.get("/stadt/parken/widget?zone=gasse")).text
    assert (await anybody.post("/stadt/parken/gasse/hinweis", data={"what": "other"})).headers["location"].startswith(
        "/stadt/parken/platz?")


async def test_what_is_merged_into_a_hidden_zone_stays_hidden(anybody, told, world):
    told.zone("geheim", 7, 17, site=ParkingSite("geheim", public=False))
    world.bays("gasse", None)
    world.town.put_parking_site(ParkingSite("gasse", merged_into="geheim"), "t", NOW)
    for path in ("/stadt/parken/gasse", "/stadt/parken/gasse.svg", "/stadt/parken/geheim"):
        assert (await anybody.get(path)).status_code == 404


async def test_the_accessibility_statement_names_the_towns_own_days(anybody, world):
    assert "noch kein Datum einer eigenen Prüfung" in text((await anybody.get("/stadt/barrierefreiheit")).text)
    world.town.put_parking_town(TownParking(checked_on=str(date(2026, 3, 9))), "t", NOW)
    world.clock.advance(3)  # finished answers may be two seconds old
    page = text((await anybody.get("/stadt/barrierefreiheit")).text)
    assert "Die Stadt hat sie zuletzt am 9. März 2026 selbst überprüft." in page
    assert "Was die Stadt in dieser Erklärung von sich angibt, ist vom 22. November 2026." in page
    assert "last reviewed it on 9 March 2026" in text((await anybody.get("/en/stadt/accessibility")).text)


async def test_whoever_is_lost_in_a_town_is_led_back_to_its_parking(anybody, told):
    told.zone("platz", 7, 17)
    answer = await anybody.get("/stadt/parken/nirgends")
    assert answer.status_code == 404
    assert '<a class="button button--go" href="/stadt/parken">' in answer.text
    assert 'href="/stadt/parken"' not in (await anybody.get("/nirgends/parken/x")).text


async def test_a_range_says_why_it_is_one(anybody, told):
    told.zone("platz", 7, 14, 3)
    assert "einzelne Sensoren melden nicht" in text((await anybody.get("/stadt/parken")).text)
    told.zone("platz")
    told.facts["platz"] = msgspec.structs.replace(told.facts["platz"], counts={"": Count(24, 7, 17, "few", margin=3)})
    told.found(ParkingFound(zones=list(told.facts.values())))
    page = text((await anybody.get("/stadt/parken/platz")).text)
    assert "gerade nicht ganz sicher" in page
    assert "einzelne Sensoren" not in page
