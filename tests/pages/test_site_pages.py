"""Staff's forms of parking zones, permit zones and the town: kept as typed, a sentence a field, without JavaScript."""

import json
from datetime import timedelta

import httpx
import pytest

from api.pages.permit_words import permit_words
from city.ids import ZoneId
from city.parking_facts import Quarter
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteRule
from city.store.port_parking import ParkingFound
from tests.pages.conftest import HOSTILE, NOW, World, csrf, sign_in

RULES, SITE = "/stadt/betrieb/parken/regeln", "/stadt/betrieb/parken/regeln/platz"
PERMITS, PERMIT = "/stadt/betrieb/parken/bewohner", "/stadt/betrieb/parken/bewohner/A"
TOWN, LIST = "/stadt/betrieb/parken/stadt", "/stadt/betrieb/parken/liste"
SQUARE = {"type": "Polygon", "coordinates": [[[8.1, 51.0], [8.101, 51.0], [8.101, 51.001], [8.1, 51.0]]]}


@pytest.fixture(autouse=True)
def bays(world: World) -> None:
    world.bays("platz", True, False)
    world.bays("markt", True)


@pytest.fixture
async def chief(anybody: httpx.AsyncClient) -> httpx.AsyncClient:
    return await sign_in(anybody, "chief")


async def token(client: httpx.AsyncClient, page: str = SITE) -> str:
    return csrf((await client.get(page)).text)


async def test_a_zone_s_rules_are_typed_and_told_in_the_list(world: World, chief: httpx.AsyncClient):
    form = {"csrf": await token(chief), "do": "save", "kind": "ON_STREET", "opening_hours": "24/7", "public": "yes",
            "address": "Am Platz 1", "area": json.dumps(SQUARE), "rule-0-kind": "all", "rule-0-hours": "Mo-Su 08:00-20:00",
            "rule-0-stay": "120", "rule-0-disc": "yes", "rule-1-kind": "none", "rule-1-hours": "left over"}
    assert (await chief.post(SITE, data=form)).status_code == 303
    kept = world.town.parking_sites()[ZoneId("platz")]
    assert kept.rules == (SiteRule("", "Mo-Su 08:00-20:00", 120, disc=True),)
    assert (kept.address, kept.public, len(kept.area)) == ("Am Platz 1", True, 4)
    text = (await chief.get(f"{RULES}?saved=platz")).text
    assert "bis 20:00 höchstens 2 Std. mit Parkscheibe</span>" in text
    assert "Gespeichert." in text
    form = (await chief.get(SITE)).text
    assert 'value="Mo-Su 08:00-20:00"' in form
    assert "[[8.1,51.0],[8.101,51.0]" in form


async def test_rules_that_hardly_say_what_was_meant_are_kept_and_questioned(world: World, chief: httpx.AsyncClient):
    form = {"csrf": await token(chief), "do": "save", "opening_hours": "24/7", "kind": "ON_STREET", "rule-0-kind": "all",
            "rule-0-hours": "Mo-Fr 08:00-18:00", "rule-0-stay": "60", "rule-1-kind": "resident", "rule-1-hours": "24/7"}
    answer = await chief.post(SITE, data=form)
    assert answer.headers["location"] == f"{SITE}?saved=1"
    assert len(world.town.parking_sites()[ZoneId("platz")].rules) == 2
    text = (await chief.get(f"{SITE}?saved=1")).text
    assert "Gespeichert." in text
    assert '<a href="#rules-1-hours">Regel 2</a>: Regel 2 gilt weiter, wenn keine für alle gilt' in text
    assert 'id="rules-1-hours"' in text


async def test_what_is_typed_is_checked_without_being_kept(world: World, chief: httpx.AsyncClient):
    form = {"csrf": await token(chief), "do": "check", "opening_hours": "24/7", "rule-0-kind": "resident",
            "rule-0-hours": "Mo-Su 19:00-07:00", "kind": "ON_STREET"}
    answer = await chief.post(SITE, data=form)
    assert answer.status_code == 200
    assert "nur Bewohner" in answer.text
    assert world.town.parking_sites() == {}


async def test_each_wrong_field_has_its_sentence_and_nothing_typed_is_lost(world: World, chief: httpx.AsyncClient):
    form = {"csrf": await token(chief), "do": "save", "kind": "ON_STREET", "opening_hours": "24/7", "url": "http://x.de",
            "address": HOSTILE, "rule-0-kind": "all", "rule-0-hours": "SH off", "rule-0-stay": "5"}
    answer = await chief.post(SITE, data=form)
    assert answer.status_code == 422
    assert 'id="rules-0-hours-wrong"' in answer.text
    assert 'id="url-wrong"' in answer.text
    assert "<script>alert" not in answer.text
    assert 'value="SH off"' in answer.text
    assert world.town.parking_sites() == {}
    answer = await chief.post(SITE, data={**form, "rule-0-stay": "two", "area": "{"})
    assert {'id="rules-0-max_stay_min-wrong"' in answer.text, 'id="area-wrong"' in answer.text} == {True}


async def test_two_zones_that_would_be_merged_into_each_other_contradict(world: World, chief: httpx.AsyncClient):
    world.town.put_parking_site(ParkingSite("markt", merged_into="platz"), "me", NOW)
    form = {"csrf": await token(chief), "do": "save", "kind": "ON_STREET", "opening_hours": "24/7", "merged_into": "markt"}
    answer = await chief.post(SITE, data=form)
    assert answer.status_code == 422
    assert 'id="merged_into-wrong"' in answer.text


async def test_hours_from_the_database_that_cannot_be_read_break_no_page(world: World, chief: httpx.AsyncClient):
    world.town.put_permit_zone(PermitZone("A", hours="nonsense", application_url="javascript:alert(1)"), "me", NOW)
    world.town.put_parking_site(ParkingSite("platz", opening_hours="x", rules=(SiteRule("", "y"),), permit_zone="A"), "me", NOW)
    for page in (RULES, SITE, PERMITS, PERMIT, TOWN, LIST):
        answer = await chief.get(page)
        assert answer.status_code == 200, page
    assert "Zeiten nicht lesbar" in (await chief.get(RULES)).text
    assert "Zeiten nicht lesbar" in (await chief.get(PERMITS)).text


async def test_a_permit_zone_from_its_code_to_its_removal(world: World, chief: httpx.AsyncClient):
    secret = await token(chief, PERMITS)
    assert (await chief.post(PERMITS, data={"csrf": secret, "code": "A B"})).status_code == 422
    assert (await chief.post(PERMITS, data={"csrf": secret, "code": "A"})).headers["location"] == PERMIT
    form = {"csrf": secret, "name": "Altstadt", "hours": "Mo-Su 18:00-08:00", "application_url": "https://www.stadt.de/bewohner",
            "fee-0-valid_from": "2026-01-01", "fee-0-months": "12", "fee-0-euro": "120,50"}
    assert (await chief.post(PERMIT, data=form)).status_code == 303
    assert world.town.permit_zones()[0].fees[0].euro == 120.5
    text = (await chief.get(PERMITS)).text
    assert "120,50\N{NO-BREAK SPACE}€ (1 Jahr)" in text
    assert "bis morgen 08:00 Bewohner Zone A" in text
    assert "GebOSt Nr. 265" in text
    world.town.put_parking_site(ParkingSite("platz", permit_zone="A"), "me", NOW)
    assert (await chief.post(f"{PERMIT}/entfernen", data={"csrf": secret})).status_code == 422
    world.town.put_parking_site(ParkingSite("platz"), "me", NOW)
    assert (await chief.post(f"{PERMIT}/entfernen", data={"csrf": secret})).status_code == 303
    assert list(world.town.permit_zones()) == []


async def test_fees_that_cannot_be_read_are_named(chief: httpx.AsyncClient):
    form = {"csrf": await token(chief, PERMITS), "hours": "24/7", "fee-0-valid_from": "soon", "fee-0-months": "x",
            "fee-0-euro": "1e3"}
    answer = await chief.post(PERMIT, data=form)
    assert answer.status_code == 422
    assert all(f'id="fees-0-{cell}-wrong"' in answer.text for cell in ("valid_from", "months", "euro"))


async def test_the_pressure_stands_beside_the_zone_and_as_csv(world: World, chief: httpx.AsyncClient):
    world.town.put_permit_zone(PermitZone("A"), "me", NOW)
    world.town.put_parking_site(ParkingSite("platz", permit_zone="A"), "me", NOW)
    at = NOW.replace(minute=0) - timedelta(hours=3)
    world.store.put_parking(world.town.tenant.id, ParkingFound(quarters=[Quarter("platz", "", at, 8, 1800, 5400, 0)]))
    assert "waren in ihren Zeiten 75 % von 8 Stellplätzen belegt" in (await chief.get(PERMITS)).text
    assert "A;;1;8;0.750;;0.000;1" in (await chief.get("/stadt/betrieb/parken/nachfrage.csv")).text


async def test_what_the_town_says_of_itself(world: World, chief: httpx.AsyncClient):
    form = {"csrf": await token(chief, TOWN), "operator": "Stadt", "contact": "parken@stadt.de", "licence": "CC0 1.0"}
    assert (await chief.post(TOWN, data=form)).status_code == 303
    said = world.town.parking_town()
    assert (said.operator, said.contact, said.special_public) == ("Stadt", "parken@stadt.de", False)
    answer = await chief.post(TOWN, data={**form, "region_code": "12"})
    assert answer.status_code == 422
    assert 'id="region_code-wrong"' in answer.text
    assert 'value="parken@stadt.de"' in answer.text


async def test_a_list_is_seen_before_it_is_kept(world: World, chief: httpx.AsyncClient):
    secret = await token(chief, LIST)
    data = b"zone;address\nplatz;Am Platz 1\nnirgends;x\n"
    answer = await chief.post(LIST, data={"csrf": secret}, files={"file": ("zones.csv", data, "text/csv")})
    assert answer.status_code == 200
    assert "1 neu, 0 geändert, 0 wie bisher; Zeilen mit Fehlern: 1" in answer.text
    assert world.town.parking_sites() == {}
    packed = answer.text.split('name="packed" value="')[1].split('"')[0]
    assert (await chief.post(LIST, data={"csrf": secret, "packed": packed})).status_code == 303
    assert world.town.parking_sites()[ZoneId("platz")].address == "Am Platz 1"
    assert (await chief.post(LIST, data={"csrf": secret})).status_code == 422
    assert (await chief.post(LIST, data={"csrf": secret, "packed": "x"})).status_code == 422


async def test_whoever_only_reads_sees_forms_that_cannot_be_sent(viewer: httpx.AsyncClient):
    assert "disabled" in (await viewer.get(SITE)).text
    for page in (SITE, PERMITS, PERMIT, TOWN, LIST):
        assert (await viewer.post(page, data={})).status_code == 403


def test_residents_read_when_it_holds_what_it_costs_and_where_to_apply():
    day = NOW.date()
    zone = PermitZone("A", hours="Mo-Su 18:00-08:00", application_url="https://www.stadt.de/b", note="Hinweis", fees=(
        PermitFee(day - timedelta(days=400), 12, 30.7), PermitFee(day - timedelta(days=400), 6, 16.0),
        PermitFee(day + timedelta(days=40), 12, 60.0)))
    words = permit_words("de", zone, NOW, land="NW", point=(8.1, 51.0))
    assert list(words.fees) == [("6 Monate", "16,00\N{NO-BREAK SPACE}€"), ("1 Jahr", "30,70\N{NO-BREAK SPACE}€")]
    assert list(words.changes) == ["ab 1. Januar 2027: 60,00\N{NO-BREAK SPACE}€ für 1 Jahr"]
    assert (words.apply, list(words.now)) == ("https://www.stadt.de/b", ["bis morgen 08:00 Bewohner Zone A"])
    odd = PermitZone("A", application_url="javascript:x", hours="?")
    assert permit_words("de", odd, NOW, land="", point=(8.1, 51.0)).apply == ""
