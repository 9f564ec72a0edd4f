"""The residents' page without a connection: what was last seen, with its time, never as if it were of now; and a town's numbers
in the frame of another website."""

import re

import pytest
from playwright.async_api import expect

from tests.wire.axe import violations
from tests.wire.test_parking_browser import Hall, browser, hall, visitor

__all__ = ["browser", "hall"]
pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]
WORKS = "navigator.serviceWorker.ready.then((one) => one.active.state)"
OLDER = """(minutes) => { const real = Date.now; Date.now = () => real() + minutes * 60000; }"""


async def test_what_was_seen_is_there_without_a_connection_and_says_how_old_it_is(hall: Hall):
    async with visitor(hall, service_workers="allow") as page:
        await page.goto(f"{hall.address}/stadt/parken")
        assert await page.evaluate(WORKS) in ("activating", "activated")
        await page.reload()
        await page.context.set_offline(True)
        await page.reload()
        await expect(page.locator("[data-zone=markt] .zone__count")).to_contain_text("7")
        await page.add_init_script(f"({OLDER})(8)")
        await page.reload()
        await expect(page.locator("#stale")).to_have_text(re.compile(r"Keine Verbindung seit \d\d:\d\d"))
        await expect(page.locator("[data-zone=markt]")).to_have_class(re.compile("zone--old"))


async def test_after_half_an_hour_without_a_connection_no_number_is_left(hall: Hall):
    async with visitor(hall, service_workers="allow") as page:
        await page.goto(f"{hall.address}/stadt/parken")
        await page.evaluate(WORKS)
        await page.reload()
        await page.context.set_offline(True)
        await page.add_init_script(f"({OLDER})(31)")
        await page.reload()
        await expect(page.locator("[data-zone=markt] .zone__count")).to_have_text(re.compile(r"\? keine verlässlichen Daten"))


async def test_a_frame_in_another_website_shows_the_zones_and_shuts_nobody_out(hall: Hall):
    async with visitor(hall) as page:
        source = f"{hall.address}/stadt/parken/widget"
        body = f'<iframe src="{source}" title="Parken" width="320" height="420"></iframe>'
        await page.route("**/website", lambda route: route.fulfill(body=body, content_type="text/html"))
        await page.goto(f"{hall.address}/website")
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_text("7 frei von 24")).to_be_visible()
        for theme in ("light", "dark"):
            await page.goto(f"{hall.address}/stadt/parken/widget?theme={theme}")
            assert await violations(page) == [], theme
        await page.goto(f"{hall.address}/stadt/parken/einbinden")
        assert await violations(page) == []
        assert await page.locator("img[alt*='7 frei von 24']").evaluate("(image) => image.naturalWidth") > 100
