"""Pages for staff lead to the board of the same thing in Grafana, where there is one; residents' never do."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.app import create_app
from city.grafana import uid
from city.ids import TenantId
from city.settings import Grafana, Settings
from dashboards.boards import BOARDS
from tests.pages.conftest import sign_in

T = TenantId("stadt")
BASE = "https://stadt.example/grafana"
LAMP, BAY = "L.1-x", "platz-b1"
PLACES = [("/stadt/betrieb", "lighting", {}), ("/stadt/betrieb?zone=markt", "lighting", {"var-zone": "markt"}),
          ("/stadt/betrieb/stoerungen", "lighting", {}), ("/stadt/betrieb/energie", "energy", {}),
          (f"/stadt/betrieb/leuchte/{LAMP}", "device", {"var-asset": LAMP}), ("/stadt/betrieb/parken", "parking", {}),
          (f"/stadt/betrieb/parken/stellplatz/{BAY}", "device", {"var-bay": BAY})]


async def links(world, path: str, grafana: Grafana, who: str = "olga") -> list[tuple[str, dict[str, str]]]:
    """UID and chosen variables of each link to Grafana on a page."""
    app = create_app(world.store, world.log, world.clock, Settings(grafana=grafana))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.test") as client:
        if who:
            await sign_in(client, who)
        answer = await client.get(path)
    assert answer.status_code == 200
    found = [urlsplit(html.unescape(href)) for href in re.findall(r'href="([^"]+/d/[^"]+)"', answer.text)]
    assert all(link.geturl().startswith(f"{BASE}/d/") for link in found)
    return [(link.path.rpartition("/")[2], {key: value for key, [value] in parse_qs(link.query).items()}) for link in found]


@pytest.fixture(autouse=True)
def things(world):
    world.lamp(LAMP)
    world.bays("platz", True)


@pytest.mark.parametrize(("path", "board", "chosen"), PLACES)
async def test_a_page_leads_to_the_board_of_the_same_thing(world, path, board, chosen):
    inside = Grafana(url="http://inside:3000", public_url=f"{BASE}/")
    assert (uid(T, board), chosen) in await links(world, path, inside)
    made = {one(T).name: one(T) for one in BOARDS}[board]
    assert {key.removeprefix("var-") for key in chosen} <= {variable.name for variable in made.variables}


async def test_without_an_address_for_people_it_is_the_one_that_is_set(world):
    assert await links(world, "/stadt/betrieb/energie", Grafana(url=BASE)) == [(uid(T, "energy"), {})]


@pytest.mark.parametrize("path", [path for path, _, _ in PLACES])
async def test_without_grafana_there_is_no_link(world, path):
    assert await links(world, path, Grafana()) == []


async def test_residents_are_led_nowhere_else(world):
    assert await links(world, "/stadt/parken", Grafana(url=BASE), who="") == []
