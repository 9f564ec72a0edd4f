"""Staff's forms of parking zones in a real browser: an area drawn by mouse and by keys, rules typed, nobody shut out."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Page, expect

from api.app import create_app
from city.clock import ManualClock
from city.ids import TenantId
from city.parking_places import ParkingSite, PermitZone, SiteRule
from city.places import Site, Street, Tenant
from city.settings import Settings
from city.store.ports import Account, Role
from city.store.readings import LocalLog
from tests.pages.conftest import HASH, NOW, PASSWORD, World
from tests.patience import PATIENCE_S
from tests.stores import new_store
from tests.wire.axe import violations
from tests.wire.servers import free_port
from tests.wire.test_browser import browser_page

pytestmark = pytest.mark.wire
SITE = "/stadt/betrieb/parken/regeln/platz"
PAGES = ("regeln", "regeln/platz", "bewohner", "bewohner/A", "stadt", "liste")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[str, World]]:
    """A town with bays behind a server of its own."""
    store, log = new_store(tmp_path / "city.db"), LocalLog(tmp_path / "log")
    store.put_tenant(Tenant(TenantId("stadt"), "Musterstadt", Site(51.0, 8.1), land="NW"))
    store.put_account(Account("chief", Role.ADMIN, None, HASH))
    mine = store.tenant(TenantId("stadt"))
    mine.put_streets([Street("Hauptstraße", ((8.099, 50.999), (8.103, 51.003)))])
    world = World(store, log, ManualClock(NOW), mine, mine)
    world.bays("platz", True, False, True)
    mine.put_permit_zone(PermitZone("A", "Altstadt", hours="Mo-Su 18:00-08:00"), "me", NOW)
    mine.put_parking_site(ParkingSite("platz", permit_zone="A", rules=(
        SiteRule("", "Mo-Sa 08:00-20:00; PH off", 120, disc=True), SiteRule("resident", "Mo-Sa 08:00-20:00; PH off"))), "me", NOW)
    with serving(world) as address:
        yield address, world
    log.close()
    store.close()


@contextmanager
def serving(world: World) -> Iterator[str]:
    port, ready = free_port(), threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets=None) -> None:
            await super().startup(sockets)
            ready.set()

    app = create_app(world.store, world.log, world.clock, Settings())
    server = Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


async def opened(page: Page, address: str, path: str = SITE) -> None:
    await page.goto(f"{address}/anmelden?next={path}")
    await page.fill("input[name=name]", "chief")
    await page.fill("input[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}{path}")


async def test_an_area_is_drawn_by_mouse_and_by_keys_and_kept(town: tuple[str, World]) -> None:
    address, world = town
    async with browser_page(address, viewport={"width": 1440, "height": 1400}) as page:
        await opened(page, address)
        canvas = page.locator("#draw canvas")
        await expect(canvas).to_be_visible()
        await expect(page.locator("#draw-said")).to_have_text("Ecken: 0")
        box = await canvas.bounding_box()
        assert box is not None
        for x, y in ((0.3, 0.3), (0.6, 0.3), (0.6, 0.6)):
            await canvas.click(position={"x": box["width"] * x, "y": box["height"] * y})
        await canvas.focus()
        for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowDown", "Space"):
            await page.keyboard.press(key)
            await page.wait_for_function("!document.querySelector('.maplibregl-map')?.classList.contains('moving')")
        await expect(page.locator("#draw-said")).to_have_text("Ecken: 4")
        await page.keyboard.press("Backspace")
        await expect(page.locator("#draw-said")).to_have_text("Ecken: 3")
        drawn = json.loads(await page.locator("#area").input_value())
        assert len(drawn["coordinates"][0]) == 4
        if shots := os.environ.get("STADTFUNK_SHOTS"):
            await page.screenshot(path=f"{shots}/site-drawn.png", full_page=True)
        await page.get_by_role("button", name="Speichern").click()
        await page.wait_for_url("**/regeln?saved=platz")
        assert len(next(iter(world.town.parking_sites().values())).area) == 4


async def test_without_scripts_rules_are_typed_and_what_is_wrong_is_said(town: tuple[str, World]) -> None:
    address, world = town
    async with browser_page(address, viewport={"width": 1024, "height": 900}, java_script_enabled=False) as page:
        await opened(page, address)
        await page.get_by_label("Regel 3: Für wen").select_option("disabled")
        await page.get_by_label("Regel 3: Zeiten").fill("Mo-Fr 25:00")
        await page.get_by_role("button", name="Speichern").click()
        await expect(page.locator("#rules-2-hours-wrong")).to_be_visible()
        await page.get_by_label("Regel 3: Zeiten").fill("24/7")
        await page.get_by_label("Regel 3: Höchstparkdauer, Min.").fill("180")
        await page.get_by_role("button", name="Eingabe prüfen").click()
        await expect(page.get_by_text("mit Behindertenparkausweis höchstens 3 Std.").first).to_be_visible()
        await page.get_by_role("button", name="Speichern").click()
        assert next(iter(world.town.parking_sites().values())).rules[2] == SiteRule("disabled", "24/7", 180)


@pytest.mark.parametrize("width", [320, 1440])
async def test_the_pages_shut_nobody_out(town: tuple[str, World], width: int) -> None:
    address, _ = town
    async with browser_page(address, viewport={"width": width, "height": 900}) as page:
        await opened(page, address)
        for path in PAGES:
            await page.goto(f"{address}/stadt/betrieb/parken/{path}")
            if shots := os.environ.get("STADTFUNK_SHOTS"):
                await page.screenshot(path=f"{shots}/{path.replace('/', '-')}-{width}.png", full_page=True)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert await violations(page) == [], path
