"""The energy page as people meet it: the demo's own lamps, booked by its bridge, in a real browser."""

import os
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.wire.axe import violations
from tests.wire.test_browser import browser_page, running_demo

pytestmark = pytest.mark.wire
PATH = "/hilchenbach/betrieb/energie"


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[str, str]]:
    with running_demo("--lamps", "30", "--bays", "6", "--history", "40", "--speed", "4") as where:
        yield where


async def opened(page: Page, demo: tuple[str, str]) -> None:
    address, password = demo
    await page.goto(f"{address}/anmelden?next={PATH}")
    await page.fill("input[name=name]", "betrieb")
    await page.fill("input[name=password]", password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}{PATH}")
    for _ in range(60):  # the bridge books while the page is looked at
        if await page.locator(".report").count() and await page.locator(".report .total td").nth(1).inner_text() != "0,0":
            return
        await page.wait_for_timeout(500)
        await page.reload()
    raise AssertionError("nothing was booked")


async def test_the_demos_energy_is_booked_and_can_be_taken_home(demo: tuple[str, str]) -> None:
    async with browser_page(demo[0], viewport={"width": 1440, "height": 900}) as page:
        await opened(page, demo)
        await expect(page.locator("h1")).to_have_text("Energie")
        await expect(page.get_by_text("Betriebsmesswert, nicht abrechnungsfähig").first).to_be_visible()
        total = await page.locator(".report .total td").nth(1).inner_text()
        assert float(total.replace(".", "").replace(",", ".")) > 0
        if shot := os.environ.get("STADTFUNK_SHOT"):
            await page.screenshot(path=shot, full_page=True)
        async with page.expect_download() as waiting:
            await page.get_by_role("link", name="PDF").click()
        file = await (await waiting.value).path()
        assert file.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("width", [360, 1440])
async def test_the_page_shuts_nobody_out(demo: tuple[str, str], width: int) -> None:
    async with browser_page(demo[0], viewport={"width": width, "height": 780}) as page:
        await opened(page, demo)
        for path in ("energie?by=delivery", "stromkreise"):
            await page.goto(f"{demo[0]}/hilchenbach/betrieb/{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert await violations(page) == []
