"""The residents' pages as people meet them: with a script and without, on a narrow phone, magnified, by keyboard alone, and
when the line is gone."""

import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect

from api.app import create_app
from city.clock import SystemClock
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.parking_facts import Count, Forecast, ForecastError, Quarter, ZoneFact
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteRule, TownParking
from city.places import Restriction, Site, Tenant
from city.settings import Settings
from city.store.port_parking import ParkingFound
from city.store.readings import LocalLog
from tests.stores import new_store
from tests.wire.axe import violations
from tests.wire.servers import free_port
from tests.wire.test_browser import FLAGS, chromium

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]  # one browser for all
TOWN = TenantId("stadt")
PAGES = ("/stadt/parken", "/stadt/parken/markt", "/stadt/parken/schule", "/stadt/parken/leichte-sprache",
         "/stadt/barrierefreiheit", "/stadt/datenschutz", "/stadt/parken/einbinden", "/opendata/stadt", "/datenschutz", "/",
         "/stadt/parken/nirgends")
ENGLISH = ("/en/stadt/parking", "/en/stadt/parking/markt", "/en/stadt/parking/easy-read", "/en/stadt/accessibility",
           "/en/stadt/privacy", "/en/stadt/parking/embed", "/en/opendata/stadt", "/en/privacy", "/en/")
SMALL = """() => [...document.querySelectorAll('main a, main button, footer a, header a, header button, summary')]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 43.5)
    .filter((one) => one.parentElement.textContent.trim() === one.textContent.trim())
    .map((one) => one.outerHTML.slice(0, 90))"""  # links within a sentence are as high as it is
SEEN = """() => { const box = document.activeElement.getBoundingClientRect();
    const over = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height, 20) / 2);
    return getComputedStyle(document.activeElement).outlineStyle !== 'none' && box.bottom > 0 && box.top < innerHeight
        && (document.activeElement.contains(over) || over?.contains(document.activeElement)); }"""


class Hall:
    """A town whose numbers a test can change, behind a real server."""

    def __init__(self, store, port, browser):
        self.store, self.address, self.browser = store, f"http://127.0.0.1:{port}", browser
        self.town = store.tenant(TOWN)
        now = datetime.now(UTC)
        self.facts = {fact.zone: fact for fact in (
            _fact("bahnhof", Count(18, 3, 10, "few"), now, 8.30), _fact("markt", Count(24, 7, 17, "few"), now, 8.10, disabled=2),
            _fact("schule", Count(12, 1, 1, "no_data"), now, 8.20), _fact("zwinger", Count(40, 30, 10, "many"), now, 8.40))}
        self.say()

    def say(self, **words):
        """The zones anew, some of them with another word, all of them found out just now."""
        now = datetime.now(UTC)
        for zone, word in words.items():
            count = msgspec.structs.replace(self.facts[zone].counts[""], word=word)
            self.facts[zone] = msgspec.structs.replace(self.facts[zone], counts={**self.facts[zone].counts, "": count})
        found = [msgspec.structs.replace(fact, evaluated_at=now) for fact in self.facts.values()]
        self.store.put_parking(TOWN, ParkingFound(zones=found))


def _fact(id, count, now, longitude, disabled=0):
    special = {"disabled": Count(disabled, 1, disabled - 1, "few")} if disabled else {}
    return ZoneFact(ZoneId(id), {"": count, **special}, now, now, "rising", longitude, 51.0)


def _furnish(store):
    store.put_tenant(Tenant(TOWN, "Musterstadt", Site(51.0, 8.1)))
    town, now = store.tenant(TOWN), datetime.now(UTC)
    town.import_rows([ImportRow(n + 1, AssetId(f"B{n}"), "bay", f"B{n}", Site(51.0, 8.1), ZoneId(zone), None, DevEui(f"{n:016x}"),
                                "bosch/tps110", None, "", Restriction.NONE)
                      for n, zone in enumerate(("bahnhof", "markt", "schule", "zwinger"))])
    town.put_permit_zone(PermitZone("A", "Altstadt", fees=(PermitFee(date(2025, 1, 1), 12, 120.0),),
                                    application_url="https://stadt.example/antrag"), "test", now)
    town.put_parking_site(ParkingSite("markt", permit_zone="A", address="Markt 1", fee="1 € je Stunde", rules=(
        SiteRule(hours="Mo-Su 08:00-18:00", max_stay_min=120, disc=True), SiteRule("disabled"))), "test", now)
    town.put_parking_town(TownParking(contact="parken@stadt.example", phone="02733 1"), "test", now)
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    steps = [timedelta(minutes=15) * n for n in range(1, 200)]
    store.put_parking(TOWN, ParkingFound(
        quarters=[Quarter(ZoneId("markt"), "", quarter - step, 24, 8 * 900, 16 * 900, 0) for step in steps],
        forecasts=[Forecast(ZoneId("markt"), quarter + step, 15, 6.0, now) for step in steps[:12]],
        errors=[ForecastError(ZoneId("markt"), {"30": 1.1}, 900, 6.0, True, now)]))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield one
        await one.close()


@pytest.fixture(scope="module")
def hall(tmp_path_factory, browser) -> Iterator[Hall]:
    where, port = tmp_path_factory.mktemp("hall"), free_port()
    store, log = new_store(where / "city.db"), LocalLog(where / "log")
    _furnish(store)
    server = uvicorn.Server(uvicorn.Config(create_app(store, log, SystemClock(), Settings()), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Hall(store, port, browser)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        log.close()
        store.close()


@asynccontextmanager
async def visitor(hall: Hall, **context) -> AsyncIterator[Page]:
    """Somebody's browser profile. Nothing fails in it, nobody else is asked for anything, and nothing is left in it by us."""
    own, strangers, failures = (hall.address, "blob:", "data:"), list[str](), list[str]()
    profile = await hall.browser.new_context(locale="de-DE", **context)
    try:
        page = await profile.new_page()
        page.on("request", lambda one: None if one.url.startswith(own) else strangers.append(one.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        yield page
        assert await profile.cookies() == []
    finally:
        await profile.close()
    assert strangers == []
    assert failures == []


PHONE = {"viewport": {"width": 320, "height": 640}}
ZOOMED = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}  # 1280 by 800 at 200 %


@pytest.mark.parametrize(("size", "scheme", "pages"), [
    (PHONE, "light", PAGES), (PHONE, "dark", ENGLISH), (ZOOMED, "dark", PAGES), (ZOOMED, "light", ENGLISH)],
    ids=["320", "320 dark English", "zoomed dark", "zoomed English"])
async def test_no_page_shuts_anybody_out(hall, size, scheme, pages):
    hall.say()
    async with visitor(hall, **size, color_scheme=scheme) as page:
        for path in pages:
            await page.goto(hall.address + path)
            for more in await page.locator("main details").all():
                await more.evaluate("(one) => { if (!one.id) one.open = true; }")
            assert await page.evaluate("document.documentElement.scrollWidth") <= size["viewport"]["width"], path
            assert await violations(page) == [], path
            assert await page.evaluate(SMALL) == [], path


async def test_a_towns_website_frames_what_shuts_nobody_out(hall):
    hall.say()
    async with visitor(hall, **PHONE) as page:
        await page.goto(f"{hall.address}/stadt/parken/widget?theme=dark")
        await expect(page.get_by_text("frei von 24")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        assert await violations(page) == []


async def test_wider_spacing_of_text_hides_nothing(hall):
    """WCAG 1.4.12."""
    async with visitor(hall, **PHONE, bypass_csp=True) as page:
        await page.goto(f"{hall.address}/stadt/parken")
        await page.add_style_tag(content="* { line-height: 1.5 !important; letter-spacing: 0.12em !important } "
                                         "* { word-spacing: 0.16em !important } p { margin-bottom: 2em !important }")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        clipped = ("[...document.querySelectorAll('main *')].filter((one) => one.scrollWidth > one.clientWidth + 1 "
                   "&& one.clientWidth && getComputedStyle(one).overflow === 'hidden' && !one.matches('.sr, .sr *')).length")
        assert await page.evaluate(clipped) == 0


async def test_all_that_matters_goes_without_a_script(hall):
    hall.say()
    async with visitor(hall, **PHONE, java_script_enabled=False) as page:
        await page.goto(f"{hall.address}/stadt")
        await expect(page).to_have_url(f"{hall.address}/stadt/parken")
        await expect(page.get_by_text("frei von 24")).to_be_visible()
        await page.get_by_role("link", name="meiste freie zuerst").click()
        assert await page.locator("[data-zone]").first.get_attribute("data-zone") == "zwinger"
        await page.get_by_role("link", name="Behindertenparkplatz").click()
        await expect(page.locator("[data-zone]")).to_have_count(1)
        await page.get_by_role("link", name="markt").click()
        await expect(page.get_by_text("1 € je Stunde").first).to_be_visible()
        await page.get_by_label("Es ist weniger frei als angezeigt").check()
        await page.get_by_label("Wenn Sie möchten").fill("Baustelle")
        await page.get_by_role("button", name="Melden").click()
        await expect(page.get_by_text(re.compile("^Danke"))).to_be_visible()
    assert hall.town.doubts()[0].text == "Baustelle"


async def tab_until(page: Page, there: str) -> None:
    """Go on by the tabulator until that is true; wherever one comes by, one sees where one is."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        assert await page.evaluate(SEEN), await page.evaluate("document.activeElement.outerHTML")
        if await page.evaluate(there):
            return
    raise AssertionError(f"never came to where {there}")


async def test_a_keyboard_is_enough_and_its_place_is_always_seen(hall):
    hall.say()
    async with visitor(hall, viewport={"width": 640, "height": 480}, reduced_motion="reduce") as page:
        await page.goto(f"{hall.address}/stadt")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # over the header, to the content
        await tab_until(page, "document.activeElement.textContent.trim() === 'Behindertenparkplatz'")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"filter=disabled"))
        await tab_until(page, "document.activeElement.closest('h2')?.textContent.trim() === 'markt'")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{hall.address}/stadt/parken/markt")
        await tab_until(page, "document.activeElement.name === 'what'")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text(re.compile("^Danke"))).to_be_visible()
    assert hall.town.doubts()[0].what.value == "emptier"


async def test_only_a_change_of_class_is_spoken(hall):
    hall.say(bahnhof="few")
    async with visitor(hall) as page:
        await page.clock.install()
        await page.goto(f"{hall.address}/stadt/parken")
        await page.locator("#zones h2 a").nth(1).focus()
        hall.say(bahnhof="many")
        await page.wait_for_timeout(1500)  # finished answers may be a second old
        async with page.expect_response(re.compile("part=list")):
            await page.clock.run_for(61_000)
        await expect(page.locator("#live")).to_have_text("bahnhof: viele frei")
        assert await page.evaluate("document.activeElement.textContent") == "markt"  # who reads there is left there


async def test_numbers_look_old_without_a_line_and_then_go(hall):
    hall.say(bahnhof="few")
    async with visitor(hall) as page:
        await page.clock.install()
        await page.goto(f"{hall.address}/stadt/parken")
        await expect(page.locator(".zone--old")).to_have_count(0)
        await page.route("**/*", lambda route: route.abort())
        await page.clock.run_for(6 * 60_000)
        await expect(page.locator("#stale")).to_contain_text("Keine Verbindung seit")
        await expect(page.locator(".zone--old")).to_have_count(4)
        await expect(page.get_by_text("frei von 24")).to_be_visible()
        await page.clock.run_for(25 * 60_000)
        await expect(page.get_by_text(re.compile("frei von"))).to_have_count(0)
        await page.unroute("**/*")
        hall.say()
        await page.clock.run_for(61_000)
        await expect(page.get_by_text("frei von 24")).to_be_visible()


async def test_a_hidden_page_asks_for_nothing(hall):
    async with visitor(hall) as page:
        await page.clock.install()
        await page.goto(f"{hall.address}/stadt/parken")
        await page.wait_for_load_state("networkidle")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        await page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
        await page.clock.run_for(5 * 60_000)
        assert asked == []


async def test_where_one_is_and_what_one_likes_stay_in_the_browser(hall):
    hall.say()
    place = {"latitude": 51.0, "longitude": 8.39}
    async with visitor(hall, geolocation=place, permissions=["geolocation"]) as page:
        await page.goto(f"{hall.address}/stadt/parken")
        names = "[...document.querySelectorAll('[data-zone]')].map((one) => one.dataset.zone)"
        assert await page.evaluate(names) == ["bahnhof", "markt", "schule", "zwinger"]
        await page.wait_for_load_state("networkidle")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        await page.get_by_role("button", name="in meiner Nähe").click()
        await expect(page.locator(".zone__far").first).to_have_text(re.compile(r"^\d+ m entfernt$"))
        assert await page.evaluate(names) == ["zwinger", "bahnhof", "schule", "markt"]
        await page.get_by_role("button", name="Favorit: schule").click()
        assert (await page.evaluate(names))[0] == "schule"
        assert asked == []
        await page.reload()
        assert (await page.evaluate(names))[0] == "schule"
        await expect(page.get_by_role("button", name="Favorit: schule")).to_have_attribute("aria-pressed", "true")


async def test_the_map_is_zoomed_by_buttons(hall):
    hall.say()
    async with visitor(hall, viewport={"width": 800, "height": 900}) as page:
        await page.goto(f"{hall.address}/stadt/parken")
        await page.get_by_text("Karte", exact=True).click()
        button = page.get_by_role("button", name="Vergrößern")
        await expect(button).to_be_visible()
        box = await button.bounding_box()
        assert min(box["width"], box["height"]) >= 44
        assert await violations(page) == []
