"""What towns put into their own websites, and what makes the page installable."""

import json
import re
from xml.etree import ElementTree

import pytest

from city.parking_places import ParkingSite
from tests.pages.conftest import HOSTILE, NOW
from tests.pages.told import Told

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def told(world):
    return Told(world)


async def test_a_frame_says_what_the_page_says_and_may_stand_in_any_website(anybody, told):
    told.zone("platz", 7, 17)
    told.zone("bahnhof", 3, 15)
    answer = await anybody.get("/stadt/parken/widget")
    assert "7 frei von 24" in answer.text
    assert "3 frei von 18" in answer.text
    assert "frame-ancestors *" in answer.headers["content-security-policy"]
    assert "x-frame-options" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert len(answer.content) < 15_000
    only = (await anybody.get("/stadt/parken/widget?zone=bahnhof")).text
    assert "3 frei von 18" in only
    assert "7 frei von 24" not in only
    assert "Eine Parkzone dieses Namens gibt es nicht." in (await anybody.get("/stadt/parken/widget?zone=nichts")).text


async def test_no_other_page_may_be_framed(anybody, told):
    told.zone("platz", 7, 17)
    for path in ("/stadt/parken", "/stadt/parken/platz", "/stadt/parken/einbinden"):
        answer = await anybody.get(path)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


async def test_a_badge_is_a_picture_that_says_itself_what_it_shows(anybody, told):
    told.zone("platz", 7, 17)
    answer = await anybody.get("/stadt/parken/platz.svg")
    drawn = ElementTree.fromstring(answer.text)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert re.fullmatch(r".*: 7 frei von 24, Stand \d\d:\d\d", drawn.findtext(f"{SVG}title"))
    assert drawn.find(f"{SVG}script") is None
    english = ElementTree.fromstring((await anybody.get("/en/stadt/parking/platz.svg")).text)
    assert "7 free of 24" in english.findtext(f"{SVG}title")


async def test_a_badge_of_what_is_not_known_shows_a_question_mark(anybody, told):
    told.zone("platz", 2, 3, 19)
    texts = [one.text for one in ElementTree.fromstring((await anybody.get("/stadt/parken/platz.svg")).text).iter(f"{SVG}text")]
    assert texts[1].startswith("? ")


async def test_a_zone_that_is_not_public_has_no_badge(anybody, told, world):
    told.zone("platz", 7, 17)
    world.town.put_parking_site(ParkingSite("platz", public=False), "x", NOW)
    assert (await anybody.get("/stadt/parken/platz.svg")).status_code == 404
    assert "frei von" not in (await anybody.get("/stadt/parken/widget")).text


async def test_what_to_copy_is_shown_and_is_true(anybody, told):
    told.zone("platz", 7, 17)
    text = (await anybody.get("/stadt/parken/einbinden")).text
    sources = re.findall(r'(?:src=(?:&#34;|&quot;|"))(http://town\.test[^"&]+)', text)
    assert {source.rpartition("/")[2] for source in sources} == {"widget", "platz.svg"}
    for source in sources:
        assert (await anybody.get(source)).status_code == 200


async def test_the_page_can_be_put_on_a_home_screen(anybody, told):
    told.zone("platz", 7, 17)
    page = (await anybody.get("/stadt/parken")).text
    address = re.search(r'rel="manifest" href="([^"]+)"', page)[1]
    said = json.loads((await anybody.get(address)).text)
    assert (said["start_url"], said["scope"], said["lang"]) == ("/stadt/parken", "/stadt/parken", "de")
    assert (await anybody.get(said["icons"][0]["src"])).status_code == 200
    worker = await anybody.get(re.search(r'data-worker="([^"]+)"', page)[1])
    assert worker.headers["service-worker-allowed"] == "/stadt/parken"
    assert worker.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/leer/parken/widget", "/leer/parken/einbinden", "/en/leer/parking/app.webmanifest"])
async def test_a_hostile_name_stays_a_name(anybody, path):
    answer = await anybody.get(path)
    assert answer.status_code == 200
    assert HOSTILE not in answer.text
