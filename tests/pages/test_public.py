"""What residents read."""

import json
import re

from api.pages.static_files import load
from city.places import Restriction
from tests.pages.conftest import HOSTILE

WORDS = re.compile(r"<[^>]+>|\s+")


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


async def test_zone_with_known_bays_says_a_number(anybody, world):
    world.bays("platz", *([False] * 7 + [True] * 17))
    page = text((await anybody.get("/stadt/parken")).text)
    assert "7 frei von 24" in page
    assert "wenige frei" in page
    assert "vor 5 Min." in page
    assert "Stand 18:32" in page


async def test_zone_with_gaps_says_a_range(anybody, world):
    world.bays("platz", *([False] * 3 + [True] * 4 + [None] * 3))
    assert "ca. 3–6 frei von 10" in text((await anybody.get("/stadt/parken")).text)


async def test_zone_without_reliable_data_says_so(anybody, world):
    world.bays("platz", *([None] * 9), False)
    page = text((await anybody.get("/stadt/parken")).text)
    assert "keine verlässlichen Daten" in page
    assert "frei von" not in page


async def test_few_bays_are_told_as_a_word_only(anybody, world):
    """Of four bays a number would let one follow a single neighbour."""
    world.bays("hof", False, False, True, True)
    page = text((await anybody.get("/stadt/parken")).text)
    assert "frei von" not in page
    assert "viele frei" in page
    assert "zu wenige Stellplätze für eine Zahl" in page


async def test_special_bays_are_counted_apart(anybody, world):
    world.bays("platz", *([True] * 10))
    world.bays("platz", False, True, restriction=Restriction.DISABLED)
    world.bays("platz", False, restriction=Restriction.RESIDENT)
    page = text((await anybody.get("/stadt/parken")).text)
    assert "0 frei von 10" in page
    assert "Behinderte 1/2" in page
    assert "Bewohner ? unbekannt /1" in page  # one resident's bay is one resident


async def test_filters_work_as_plain_links(anybody, world):
    world.bays("voll", *([True] * 10))
    world.bays("frei", *([False] * 10))
    world.bays("frei", False, restriction=Restriction.CHARGING)
    page = (await anybody.get("/stadt/parken")).text
    assert 'href="/stadt/parken?filter=free"' in page
    only_free = (await anybody.get("/stadt/parken?filter=free")).text
    assert 'data-zone="frei"' in only_free
    assert 'data-zone="voll"' not in only_free
    assert 'href="/stadt/parken?filter=free&amp;filter=charging"' in only_free
    assert "Zu diesen Filtern passt gerade keine Zone." in (await anybody.get("/stadt/parken?filter=disabled")).text


async def test_unknown_filters_are_ignored(anybody, world):
    world.bays("platz", *([False] * 10))
    assert 'data-zone="platz"' in (await anybody.get("/stadt/parken?filter=%3Cscript%3E")).text


async def test_empty_town_says_so(anybody):
    assert "zählt noch keine Stellplätze" in (await anybody.get("/leer/parken")).text


async def test_english_page_has_its_own_address_and_leads_back(anybody, world):
    world.bays("platz", *([False] * 3 + [True] * 4 + [None] * 3))
    page = (await anybody.get("/en/stadt/parking?filter=free")).text
    assert '<html lang="en">' in page
    assert "about 3–6 free of 10" in text(page)
    assert 'href="/stadt/parken?filter=free"' in page


async def test_nothing_has_changed_is_a_304(anybody, world):
    world.bays("platz", *([False] * 10))
    first = await anybody.get("/stadt/parken")
    again = await anybody.get("/stadt/parken", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    world.bays("platz", True)
    assert (await anybody.get("/stadt/parken", headers={"if-none-match": first.headers["etag"]})).status_code == 200


async def test_refresh_gets_the_list_alone(anybody, world):
    world.bays("platz", *([False] * 10))
    part = (await anybody.get("/stadt/parken", headers={"hx-request": "true", "hx-target": "zones"})).text
    assert part.startswith("<section")
    assert "<html" not in part


async def test_public_pages_set_no_cookie_and_ask_no_other_server(anybody, world):
    world.bays("platz", *([False] * 10))
    for path in ("/", "/stadt/parken", "/datenschutz", "/en/privacy"):
        answer = await anybody.get(path)
        assert "set-cookie" not in answer.headers
        assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
        assert "'unsafe" not in answer.headers["content-security-policy"]


async def test_pages_have_no_inline_code_or_style(anybody, world):
    world.bays("platz", *([False] * 10))
    page = (await anybody.get("/stadt/parken")).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>", page)


async def test_map_tells_no_single_bay(anybody, world):
    world.bays("platz", *([False] * 10))
    feed = json.loads((await anybody.get("/stadt/parken/karte.json")).text)
    assert [zone["properties"]["text"] for zone in feed["zones"]["features"]] == ["10 frei von 10"]
    assert feed["streets"]["features"][0]["properties"]["name"] == "Hauptstraße"


async def test_residents_page_fits_in_60_kb_without_the_map(anybody, world):
    """All that a browser fetches for it: the page as it is, styles and scripts as sent with gzip."""
    for zone in range(12):
        world.bays(f"zone-{zone}", *([False] * 6))
    page = await anybody.get("/stadt/parken")
    files = load()
    fetched = re.findall(r'(?:src|href)="/static/[0-9a-f]+/([^"]+)"', page.text)
    assert "parking.css" in fetched
    if any(path.startswith("vendor/") for path in files.files):
        assert "vendor/htmx.min.js" in fetched
    assert len(page.content) + sum(files.size(path) for path in fetched) <= 60_000


async def test_a_wrong_address_is_a_page_in_words(anybody):
    for path in ("/gibtesnicht", "/niemand/parken", "/stadt/parken/mehr"):
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
