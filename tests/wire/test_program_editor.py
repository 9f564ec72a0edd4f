"""The program editor as people meet it: a real process and a real browser; a night is drawn by keyboard and by pointer, and
what comes of it stands beside it before it is kept."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, expect

from tests.wire.axe import violations
from tests.wire.test_browser import browser_page, running_demo

pytestmark = pytest.mark.wire
DESK = {"width": 1440, "height": 900}
TOWN = "/hilchenbach"


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[str, str]]:
    with running_demo("--lamps", "30", "--bays", "6", "--history", "1", "--speed", "4") as where:
        yield where


@asynccontextmanager
async def editor(demo: tuple[str, str], path: str, **context: object) -> AsyncIterator[Page]:
    """A page of the editor for somebody who has signed in."""
    address, password = demo
    async with browser_page(address, **{"viewport": DESK, **context}) as page:
        await page.goto(f"{address}/anmelden?next={TOWN}{path}")
        await page.fill("input[name=name]", "betrieb")
        await page.fill("input[name=password]", password)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{address}{TOWN}{path}")
        await page.wait_for_load_state()
        yield page


async def tabbed_to(page: Page, wanted: str, most: int = 60) -> None:
    """Press Tab until the focus is on what fits the selector."""
    for _ in range(most):
        if await page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard never comes to {wanted}")


async def test_a_program_is_made_by_keyboard_alone_and_its_preview_seen(demo: tuple[str, str]) -> None:
    async with editor(demo, "/programme/neu") as page:
        await tabbed_to(page, "#name")
        await page.keyboard.type("Tastatur")
        await tabbed_to(page, "#do-add")
        await page.keyboard.press("Enter")
        await expect(page.locator("#level-0")).to_be_visible()
        await tabbed_to(page, '.curve__handles [data-key="0"]')
        for key, times in (("ArrowDown", 8), ("Shift+ArrowDown", 3), ("ArrowRight", 6), ("Shift+ArrowRight", 2)):
            for _ in range(times):
                await page.keyboard.press(key)
        await expect(page.locator("#time-0")).to_have_value("22:32")
        await expect(page.locator("#level-0")).to_have_value("57")
        handle = page.locator('.curve__handles [data-key="0"]')
        await expect(handle).to_have_attribute("aria-valuetext", "22:32, 57 %")
        drawn = await page.locator("#curve .n-line").get_attribute("d")
        assert re.search(r"H632(\.0)?L632(\.0)? 43", drawn or "")
        await expect(page.locator(".nights .n-small")).to_have_count(14)
        await expect(page.locator(".nights .n-small").first).to_have_attribute("aria-label", re.compile("22:32 57 %"))
        await expect(page.locator(".saving")).to_contain_text("kWh")
        await expect(handle).to_be_focused()
        await tabbed_to(page, "#do-save")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/programme/tastatur?saved=1")
        await expect(page.get_by_role("status")).to_contain_text("Gespeichert")
        await expect(page.locator("#level-0")).to_have_value("57")


async def test_a_step_is_dragged_and_the_form_says_where_to(demo: tuple[str, str]) -> None:
    async with editor(demo, "/programme/halbnacht") as page:
        box = await page.locator(".curve__handles").bounding_box()
        assert box
        knob = await page.locator('.curve__handles [data-key="0"] .knob').bounding_box()
        assert knob
        await page.mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2)
        await page.mouse.down()
        await page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.3, steps=8)
        await page.mouse.up()
        await expect(page.locator("#time-0")).to_have_value("00:00")
        await expect(page.locator("#level-0")).to_have_value("70")
        dusk = await page.locator('.curve__handles [data-key="on"] .knob').bounding_box()
        assert dusk
        await page.mouse.move(dusk["x"] + dusk["width"] / 2, dusk["y"] + dusk["height"] / 2)
        await page.mouse.down()
        await page.mouse.move(dusk["x"] + dusk["width"] / 2 + box["width"] / 48, dusk["y"] + 2, steps=4)
        await page.mouse.up()
        await expect(page.locator("#offset-on")).to_have_value(re.compile("^(25|30|35)$"))
        await expect(page.locator(".nights .n-small").first).to_have_attribute("aria-label", re.compile("00:00 70 %"))


async def test_no_page_is_wider_than_a_phone_or_shuts_anybody_out(demo: tuple[str, str]) -> None:
    async with editor(demo, "/programme", viewport={"width": 360, "height": 780}) as page:
        for path in ("/programme", "/programme/halbnacht", "/kalender/standard", "/zuordnung", "/gruppen/neu", "/einstellungen"):
            await page.goto(f"{demo[0]}{TOWN}{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
            assert await violations(page) == [], path


async def test_without_javascript_the_form_does_it_all(demo: tuple[str, str]) -> None:
    async with editor(demo, "/programme/neu", java_script_enabled=False) as page:
        await page.fill("#name", "Ohne Skript")
        await page.click("#do-add")
        await page.fill("#level-0", "40")
        await page.click("#do-check")
        await expect(page.locator(".nights .n-small").first).to_have_attribute("aria-label", re.compile("22:00 40 %"))
        await page.click("#do-save")
        await expect(page.get_by_role("heading", name="Ohne Skript", level=1)).to_be_visible()
