"""What residents read."""

import base64
import hashlib
import json
import re
from datetime import timedelta

import pytest

from api.pages.static_files import load
from api.site_schemas import TownIn
from city.ids import ZoneId
from city.parking_facts import Count, ZoneFact
from city.parking_places import ParkingSite, SiteRule
from city.store.port_parking import ParkingFound
from tests.pages.conftest import HOSTILE, NOW
from tests.pages.told import Told

WORDS = re.compile(r"<[^>]+>|\s+")


@pytest.fixture
def told(world):
    return Told(world)


def text(html: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(part for part in WORDS.split(html.replace("&nbsp;", " ").replace("\u00a0", " ")) if part)


async def test_front_door_offers_both_pages_of_every_town(anybody):
    page = (await anybody.get("/", headers={"accept-language": "de"})).text
    assert 'href="/stadt/parken"' in page
    assert 'href="/stadt/betrieb"' in page
    assert "Welche Stadt?" in page


async def test_accept_language_counts_only_at_the_front_door(anybody):
    english = {"accept-language": "en-GB,en;q=0.9"}
    assert '<html lang="en">' in (await anybody.get("/", headers=english)).text
    assert '<html lang="de">' in (await anybody.get("/stadt/parken", headers=english)).text


async def test_hostile_names_are_only_text(anybody):
    for path in ("/", "/leer/parken"):
        page = (await anybody.get(path)).text
        assert HOSTILE not in page
        assert "&lt;script&gt;alert(" in page


async def test_zone_with_known_bays_says_a_number(anybody, told):
    told.zone("platz", 7, 17, trend="rising", ago=timedelta(minutes=2))
    page = text((await anybody.get("/stadt/parken")).text)
    assert "7 frei von 24" in page
    assert "wenige frei" in page
    assert "es werden mehr frei" in page
    assert "vor 2 Min." in page
    assert "Stand 18:32" in page


async def test_zone_with_gaps_says_a_range(anybody, told):
    told.zone("platz", 3, 4, 3, trend="rising")
    page = text((await anybody.get("/stadt/parken")).text)
    assert "ca. 3–6 frei von 10" in page
    assert "einzelne Sensoren melden nicht" in page
    assert "es werden mehr frei" not in page  # nobody can say so of a range


async def test_zone_without_reliable_data_says_so(anybody, told):
    told.zone("platz", 1, 0, 9, "no_data")
    page = text((await anybody.get("/stadt/parken")).text)
    assert "keine verlässlichen Daten" in page
    assert "frei von" not in page


async def test_few_bays_are_told_as_a_word_only(anybody, told):
    """Of four bays a number would let one follow a single neighbour."""
    told.zone("hof", 2, 2, word="many")
    page = text((await anybody.get("/stadt/parken")).text)
    assert "frei von" not in page
    assert "viele frei" in page
    assert "zu wenige Stellplätze für eine Zahl" in page


async def test_an_old_evaluation_looks_old_and_a_very_old_one_is_gone(anybody, told):
    told.zone("alt", 7, 3, ago=timedelta(minutes=7))
    told.zone("uralt", 8, 2, ago=timedelta(minutes=31))
    page = (await anybody.get("/stadt/parken")).text
    assert re.search(r'class="zone zone--few zone--old" data-zone="alt"', page)
    assert "vor 7 Min. , veraltet" in text(page)
    assert "8 frei von 10" not in text(page)


async def test_special_bays_are_counted_apart(anybody, told):
    told.zone("platz", 0, 10, word="full", special={"disabled": Count(2, 1, 1, "full"), "resident": Count(1, 1, 0, "full")})
    page = text((await anybody.get("/stadt/parken")).text)
    assert "0 frei von 10" in page
    assert "Behinderte 1/2" in page
    assert "Bewohner ?" in page  # one resident's bay is one resident: neither a number nor a word
    assert "Bewohner voll" not in page


async def test_few_special_bays_are_not_told_before_the_town_has_decided_so(anybody, world):
    world.bays("platz", None)
    facts = [ZoneFact(ZoneId("platz"), {"disabled": Count(1, 1, 0, "many")}, NOW, NOW, "", 8.1, 51.0)]
    world.store.put_parking(world.town.tenant.id, ParkingFound(zones=facts))
    assert "Behinderte ?" in text((await anybody.get("/stadt/parken")).text)
    assert (await anybody.get("/opendata/stadt/parkapi/api/public/v3/parking-spots")).json()["items"] == []
    assert not TownIn(operator="Stadt").said().special_public


async def test_a_zone_whose_bays_are_all_blocked_stays_and_says_so(anybody, told):
    told.zone("markt", special={"": Count(0, 0, 0, "no_data")})
    told.zone("messe", special={"": Count(0, 0, 0, "no_data"), "disabled": Count(2, 1, 1, "few")})
    told.zone("amt", special={"disabled": Count(2, 1, 1, "few")})
    page = (await anybody.get("/stadt/parken")).text
    assert re.findall(r'data-zone="(\w+)"', page) == ["amt", "markt", "messe"]
    assert text(page).count("zur Zeit gesperrt") == 2
    assert text(page).count("nur Sonderstellplätze") == 1
    assert "zur Zeit gesperrt" in (await anybody.get("/stadt/parken/markt")).text
    lots = (await anybody.get("/opendata/stadt/parkapi/api/public/v1/stadt")).json()["lots"]
    assert [one["state"] for one in lots] == ["nodata", "closed", "closed"]
    assert "parkingSiteOpeningStatus>closed" in (await anybody.get("/opendata/stadt/datex2/v2.3/parking-status.xml")).text


async def test_a_zone_that_is_merged_is_told_with_the_other_at_once_and_not_twice(anybody, told):
    told.zone("platz", 7, 17)
    told.zone("gasse", 2, 2, site=ParkingSite("gasse", merged_into="platz"))
    assert re.findall(r'data-zone="(\w+)"', (await anybody.get("/stadt/parken")).text) == ["platz"]


async def test_the_rule_that_holds_now_stands_with_its_end(anybody, told):
    rules = (SiteRule(hours="Mo-Su 08:00-19:00", max_stay_min=120, disc=True),)
    told.zone("platz", 7, 17, site=ParkingSite("platz", rules=rules))
    page = text((await anybody.get("/stadt/parken")).text)
    assert "bis 19:00 höchstens 2 Std. mit Parkscheibe" in page
    assert "ab 19:00" in page


async def test_filters_work_as_plain_links(anybody, told):
    told.zone("voll", 0, 10, word="full")
    told.zone("frei", 10, 0, word="many", special={"charging": Count(1, 1, 0, "full")})
    page = (await anybody.get("/stadt/parken")).text
    assert 'href="/stadt/parken?filter=free"' in page
    only_free = (await anybody.get("/stadt/parken?filter=free")).text
    assert 'data-zone="frei"' in only_free
    assert 'data-zone="voll"' not in only_free
    assert 'href="/stadt/parken?filter=free&amp;filter=charging"' in only_free
    assert "Zu diesen Filtern passt gerade keine Zone." in (await anybody.get("/stadt/parken?filter=disabled")).text


async def test_free_of_charge_needs_somebody_to_have_said_so(anybody, told):
    told.zone("stumm", 5, 5)
    told.zone("umsonst", 5, 5, site=ParkingSite("umsonst", rules=(SiteRule(hours="Mo-Fr 08:00-10:00", fee=True),)))
    told.zone("teuer", 5, 5, site=ParkingSite("teuer", rules=(SiteRule(fee=True),), fee="1 € je Stunde"))
    page = (await anybody.get("/stadt/parken?filter=cheap")).text
    assert re.findall(r'data-zone="(\w+)"', page) == ["umsonst"]
    assert "1 € je Stunde" in (await anybody.get("/stadt/parken")).text


async def test_most_free_first_puts_what_is_not_known_last(anybody, told):
    told.zone("a", 2, 8)
    told.zone("b", 1, 0, 9, "no_data")
    told.zone("c", 9, 1, word="many")
    page = (await anybody.get("/stadt/parken?sort=free")).text
    assert re.findall(r'data-zone="(\w+)"', page) == ["c", "a", "b"]


async def test_unknown_filters_and_orders_are_ignored(anybody, told):
    told.zone("platz", 10)
    assert 'data-zone="platz"' in (await anybody.get("/stadt/parken?filter=%3Cscript%3E&sort=%3Cscript%3E")).text


async def test_empty_town_says_so(anybody):
    assert "zählt noch keine Stellplätze" in (await anybody.get("/leer/parken")).text


async def test_english_page_has_its_own_address_and_leads_back(anybody, told):
    told.zone("platz", 3, 4, 3)
    page = (await anybody.get("/en/stadt/parking?filter=free")).text
    assert '<html lang="en">' in page
    assert "about 3–6 free of 10" in text(page)
    assert 'href="/stadt/parken?filter=free"' in page


@pytest.mark.parametrize(("address", "target"), [("/stadt", "/stadt/parken"), ("/en/stadt", "/en/stadt/parking")])
async def test_a_towns_own_address_leads_to_its_parking(anybody, address, target):
    answer = await anybody.get(address)
    assert (answer.status_code, answer.headers["location"]) == (303, target)


async def test_nothing_has_changed_is_a_304(anybody, told, world):
    told.zone("platz", 10)
    first = await anybody.get("/stadt/parken")
    world.clock.advance(20)
    known = {"if-none-match": first.headers["etag"]}
    assert (await anybody.get("/stadt/parken", headers=known)).status_code == 304
    told.zone("platz", 9, 1)
    world.clock.advance(1)
    assert (await anybody.get("/stadt/parken", headers=known)).status_code == 200


async def test_refresh_gets_the_list_alone(anybody, told):
    told.zone("platz", 10)
    part = (await anybody.get("/stadt/parken?part=list&filter=free")).text
    assert part.startswith("<section")
    assert "<html" not in part
    assert 'href="/stadt/parken?filter=free"' in part  # leads to the page, not to the part


PUBLIC = ("/stadt/parken", "/stadt/parken/platz", "/stadt/parken/leichte-sprache", "/stadt/barrierefreiheit",
          "/stadt/datenschutz")


@pytest.mark.parametrize("path", ["/", "/datenschutz", "/en/privacy", *PUBLIC, "/en/stadt/parking/platz", "/en/stadt/parking",
                                  "/en/stadt/parking/easy-read", "/en/stadt/accessibility", "/en/stadt/privacy"])
async def test_public_pages_set_no_cookie_and_ask_no_other_server(anybody, told, path):
    told.zone("platz", 10)
    answer = await anybody.get(path)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert not re.search(r'(?:src|action)="(?:https?:)?//|<link[^>]+href="(?:https?:)?//', answer.text)
    assert "'unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", PUBLIC)
async def test_the_policy_names_exactly_what_is_inline(anybody, told, path):
    told.zone("platz", 10)
    answer = await anybody.get(path)
    assert not re.search(r"\sstyle=|\son[a-z]+=", answer.text)
    inline = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", answer.text, re.DOTALL)
    digests = {f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in inline}
    assert digests == set(re.findall(r"'sha256-[^']+'", answer.headers["content-security-policy"]))
    assert len(digests) == 2


async def test_map_tells_no_single_bay(anybody, told):
    told.zone("platz", 10)
    feed = json.loads((await anybody.get("/stadt/parken/karte.json")).text)
    assert [zone["properties"]["text"] for zone in feed["zones"]["features"]] == ["10 frei von 10"]
    assert feed["streets"]["features"][0]["properties"]["name"] == "Hauptstraße"


async def test_residents_page_fits_in_60_kb_without_the_map(anybody, told):
    """All that a browser fetches for it: the page as it is, scripts as sent with gzip."""
    for zone in range(20):
        told.zone(f"zone-{zone}", 6, 4, special={"disabled": Count(2, 1, 1, "full")}, trend="falling",
                  site=ParkingSite(f"zone-{zone}", rules=(SiteRule(max_stay_min=120, disc=True),)))
    page = await anybody.get("/stadt/parken")
    files = load()
    fetched = re.findall(r'(?:src|href)="/static/[0-9a-f]+/([^"]+)"', page.text)
    assert "parking.js" in fetched
    assert len(page.content) + sum(files.size(path) for path in fetched) <= 60_000


async def test_a_wrong_address_is_a_page_in_words(anybody):
    for path in ("/gibtesnicht", "/niemand/parken", "/stadt/parken/mehr", "/stadt/parken/platz/mehr"):
        answer = await anybody.get(path)
        assert answer.status_code == 404
        assert "Nicht gefunden" in answer.text
    assert "Not found" in (await anybody.get("/en/nowhere/parking")).text


async def test_static_files_live_for_ever_under_their_content(anybody):
    page = (await anybody.get("/")).text
    href = re.search(r'href="(/static/[0-9a-f]+/base\.css)"', page)[1]
    answer = await anybody.get(href)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    old = await anybody.get("/static/000000000000/base.css")
    assert old.headers["cache-control"] == "no-cache"
    assert (await anybody.get("/static/000000000000/..%2ftemplates%2fbase.html")).status_code == 404
