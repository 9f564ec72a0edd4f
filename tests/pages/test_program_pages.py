"""Programs, calendars, assignments and groups as pages: what an engineer types, sees and keeps without JavaScript."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from api.app import create_app
from city.ids import TenantId
from city.settings import Settings
from city.store.ports import Account, Role
from tests.pages.conftest import HASH, csrf, sign_in
from tests.pages.test_public import text

LIST, NEW = "/stadt/programme", "/stadt/programme/neu"


@pytest.fixture
async def anybody(world) -> AsyncIterator[httpx.AsyncClient]:
    world.store.put_account(Account("erna", Role.ENGINEER, TenantId("stadt"), HASH))
    app = create_app(world.store, world.log, world.clock, Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.test") as client:
        yield client


@pytest.fixture
async def engineer(anybody) -> httpx.AsyncClient:
    return await sign_in(anybody, "erna")


def fields(page: str) -> dict[str, str]:
    """What the editor's form would send as it stands, without its buttons."""
    form = page[page.index('id="editor"'):]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]+>", form):
        name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in ("name", "value"))
        kind = re.search(r'type="(\w+)"', tag)
        if name and (not kind or kind[1] not in ("checkbox", "radio") or " checked" in tag):
            found[name[1]] = value[1] if value else ""
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        found[name] = chosen[1] if chosen else ""
    found |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?([^<]*)</textarea>', form))
    return found


async def send(client: httpx.AsyncClient, address: str, do: str, **typed: str) -> httpx.Response:
    """Open the page, type, press a button."""
    page = (await client.get(address)).text
    return await client.post(address, data={"csrf": csrf(page), **fields(page), "do": do, **typed})


async def test_it_opens(engineer, world):
    world.lamp("L1")
    for address in (LIST, NEW, LIST + "/halbnacht", "/stadt/kalender/standard", "/stadt/kalender/neu", "/stadt/zuordnung", "/stadt/zuordnung?target=town&calendar=ganznacht",
                    "/stadt/naechte", "/stadt/gruppen", "/stadt/gruppen/neu", "/stadt/einstellungen", "/en/stadt/programs/halbnacht"):
        answer = await engineer.get(address)
        assert answer.status_code == 200, text(answer.text)
