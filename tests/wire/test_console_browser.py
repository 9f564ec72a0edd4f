"""The console as operators use it: lamps chosen on the map or in the list, dimmed, and seen to obey; all of it without a mouse
too, and without a violation that axe-core finds."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import expect

from tests.wire.axe import violations
from tests.wire.test_browser import CONFIRMED_WITHIN_MS, browser_page, running_demo, sign_in

pytestmark = pytest.mark.wire

WIDE = {"width": 1440, "height": 900}
CONFIRMED = re.compile(r"(\d+) von \1 Leuchten brennen wie gewollt|1 von 1 Leuchten brennt wie gewollt")


@pytest.fixture(scope="module")
def demo():
    with running_demo("--lamps", "30", "--bays", "5", "--history", "1", "--speed", "4") as where:
        yield where


async def console(page, demo, query=""):
    await sign_in(page, *demo)
    if query:
        await page.goto(f"{demo[0]}/hilchenbach/betrieb?{query}")
    await page.wait_for_selector("#list[data-ready]")


async def dims_to(page, level):
    await page.get_by_role("spinbutton", name=re.compile("Stufe")).fill(level)
    await page.get_by_role("button", name=re.compile(rf"Leuchten? auf {level} %")).click()
    await expect(page.get_by_text(CONFIRMED)).to_be_visible(timeout=CONFIRMED_WITHIN_MS)


async def test_lamps_are_dimmed_by_a_box_drawn_on_the_map(demo):
    async with browser_page(demo[0], viewport=WIDE) as page:
        await console(page, demo, "zone=Altstadt")
        await page.wait_for_selector("#map[data-ready]")
        box = await page.locator("#map").bounding_box()
        await page.get_by_role("button", name="Rechteck wählen").click()
        await page.mouse.move(box["x"] + 70, box["y"] + 5)
        await page.mouse.down()
        await page.mouse.move(box["x"] + box["width"] - 70, box["y"] + box["height"] - 5, steps=5)
        await page.mouse.up()
        await expect(page.locator("#drawer [data-count]")).to_have_text(re.compile(r"\d+ Leuchten gewählt"))
        await page.get_by_role("button", name="Dimmen …").click()
        await dims_to(page, "100")
        assert await violations(page) == []


async def test_the_list_says_and_does_the_same_without_a_mouse(demo):
    async with browser_page(demo[0], viewport=WIDE) as page:
        await console(page, demo)
        await page.locator("#q").focus()
        await page.keyboard.type("markt")
        await expect(page.locator("#choose-found")).not_to_have_text(re.compile("Alle 30"))
        await expect(page).to_have_url(re.compile("q=markt"))
        await page.locator("[role=grid]").focus()
        await page.keyboard.press("Space")
        await page.keyboard.press("Shift+ArrowDown")
        await expect(page.locator("#counted")).to_have_text("2 Leuchten gewählt")
        assert await page.locator("[role=row][aria-selected=true]").count() == 2
        await page.locator("[data-dim]").focus()
        await page.keyboard.press("Enter")
        level = page.get_by_role("spinbutton", name=re.compile("Stufe"))
        await expect(level).to_be_visible()
        await level.focus()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("100")
        await expect(page.locator("#go")).to_have_text(re.compile("auf 100 %"))
        await level.press("Enter")
        await expect(page.get_by_text(CONFIRMED)).to_be_visible(timeout=CONFIRMED_WITHIN_MS)
        await expect(page.locator("#progress h2")).to_be_focused()


async def test_a_polygon_is_drawn_with_the_keyboard_alone(demo):
    async with browser_page(demo[0], viewport=WIDE) as page:
        await console(page, demo)
        await page.wait_for_selector("#map[data-ready]")
        await page.get_by_role("button", name="Vieleck wählen").focus()
        await page.keyboard.press("Enter")
        for keys in (("ArrowLeft",) * 4 + ("ArrowUp",) * 4, ("ArrowRight",) * 8, ("ArrowDown",) * 8, ("ArrowLeft",) * 8):
            for key in keys:
                await page.keyboard.press(key)
                await page.wait_for_timeout(60)  # the map glides
            await page.wait_for_timeout(400)
            await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(page.locator("#counted")).to_have_text(re.compile("gewählt"))


async def test_a_search_is_in_the_address_and_back_works(demo):
    async with browser_page(demo[0], viewport=WIDE) as page:
        await console(page, demo)
        await page.get_by_label("Zone", exact=True).select_option("Altstadt")
        await expect(page).to_have_url(re.compile("zone=Altstadt"))
        found = await page.locator("#choose-found").inner_text()
        await page.get_by_label("Karte zeigt").select_option("state")
        await expect(page).to_have_url(re.compile("colour=state"))
        await page.go_back()
        await page.go_back()
        await expect(page.locator("#choose-found")).to_have_text(re.compile("Alle 30"))
        await page.reload()
        await page.goto(f"{demo[0]}/hilchenbach/betrieb?zone=Altstadt")
        await page.wait_for_selector("#list[data-ready]")
        assert await page.locator("#choose-found").inner_text() == found


async def test_a_lamp_shows_its_history_and_its_curves_obey_keys(demo):
    async with browser_page(demo[0], viewport=WIDE) as page:
        await sign_in(page, *demo)
        await page.goto(f"{demo[0]}/hilchenbach/betrieb/leuchte/HIL-0001")
        await expect(page.locator("#plots canvas").first).to_be_visible()
        await page.locator("#plots").focus()
        await page.keyboard.press("End")
        await expect(page.locator("#plot-said")).to_have_text(re.compile(r"Stufe|Leistung|Temperatur"))
        assert await violations(page) == []


async def test_a_technician_at_the_pole_has_a_lamp_blink_on_a_phone_without_javascript(demo):
    async with browser_page(demo[0], viewport={"width": 360, "height": 780}, java_script_enabled=False) as page:
        await sign_in(page, *demo)
        await page.goto(f"{demo[0]}/hilchenbach/mast")
        await page.fill("#nr", "HIL-0002")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="100 % für 10 Min.").click()
        await expect(page.get_by_text("brennt zehn Minuten mit 100 %")).to_be_visible()
        await page.get_by_role("button", name="Beenden → Programm").click()
        await expect(page.get_by_text("Zurück zum Programm")).to_be_visible()


@asynccontextmanager
async def held(page, script):
    """A script that does not arrive until the block ends: what people do before it counts."""
    let_go = asyncio.Event()

    async def wait(route):
        await let_go.wait()
        await route.continue_()

    await page.route(f"**/{script}", wait)
    try:
        yield
    finally:
        let_go.set()


async def test_what_is_chosen_before_the_scripts_are_there_counts(demo):
    async with browser_page(demo[0], viewport=WIDE) as page:
        await sign_in(page, *demo)
        async with held(page, "console.js"):
            await page.goto(f"{demo[0]}/hilchenbach/betrieb", wait_until="commit")
            await page.get_by_label("Zone", exact=True).select_option("Altstadt")
            await page.locator("#lamps input[type=checkbox]").first.check()
        await page.wait_for_selector("#list[data-ready]")
        await expect(page).to_have_url(re.compile("zone=Altstadt"))
        await expect(page.locator("#choose-found")).not_to_have_text(re.compile("Alle 30"))
        await expect(page.locator("#zonebox")).to_contain_text("Altstadt")
        await expect(page.locator("#counted")).to_have_text("1 Leuchte gewählt")
        async with held(page, "form.js"):
            await page.goto(f"{demo[0]}/hilchenbach/betrieb/dimmen?zone=Altstadt", wait_until="commit")
            await page.fill("#level", "70")
        await expect(page.locator("#slide")).to_have_value("70")
        await expect(page.locator("#go")).to_have_text(re.compile("auf 70 %"))


async def test_the_chosen_lamps_become_a_group(demo):
    async with browser_page(demo[0], viewport=WIDE) as page:
        await console(page, demo)
        await page.locator("#choose-found").click()
        await page.get_by_role("button", name="Gruppe aus Auswahl …").click()
        await page.wait_for_url("**/gruppen/neu**")
        await expect(page.get_by_text("30 Leuchten").first).to_be_visible()


READER = """
    globalThis.BarcodeDetector = class { static async getSupportedFormats() { return ["qr_code"]; }
                                         async detect() { return [{ rawValue: SAID.shift() ?? "" }]; } };
    navigator.mediaDevices.getUserMedia = async () => document.createElement("canvas").captureStream();
    HTMLMediaElement.prototype.play = async () => {};"""
LABELS = {"https://poles.example/x/HIL-0002?a=1": "HIL-0002", "http://town.example/mast?nr=HIL-0003": "HIL-0003",
          " HIL-0004 ": "HIL-0004", "javascript:alert(1)": "", "https://x.example/%3Cscript%3E": "", "https://x.example/": "",
          "data:text/html,1": "", "": "", "javascript://x.example/HIL-0002": "", "<img src=x>": "", "../../anmelden": "",
          "9" * 81: "", "https://%": ""}


async def test_a_label_is_scanned_where_the_browser_can_and_only_its_number_is_taken(demo):
    async with browser_page(demo[0], viewport={"width": 360, "height": 780}) as page:
        await sign_in(page, *demo)
        await page.goto(f"{demo[0]}/hilchenbach/mast")
        await expect(page.locator("#nr")).to_be_visible()
        module = await page.locator("script[src*='scan.js']").get_attribute("src")
        read = f"async (texts) => {{ const {{ poleOf }} = await import('{module}'); return texts.map(poleOf); }}"
        assert dict(zip(LABELS, await page.evaluate(read, list(LABELS)), strict=True)) == LABELS
        await page.add_init_script("const SAID = ['<b>nonsense</b>', 'https://poles.example/HIL-0005'];" + READER)
        await page.reload()
        await page.get_by_role("button", name="Schild scannen").click()
        await page.wait_for_url("**/mast?nr=HIL-0005")
        await expect(page.locator(".polename")).to_be_visible()


PAGES = (
    "betrieb", "betrieb?zone=Altstadt", "betrieb?q=xyz", "betrieb/leuchte/HIL-0001", "betrieb/dimmen?zone=Altstadt",
    "betrieb/eingriffe", "betrieb/stoerungen", "betrieb/meldewege", "betrieb/energie", "betrieb/stromkreise",
    "betrieb/modelle", "betrieb/modelle/nas/ul20xx?example=0", "betrieb/modelle/neu", "betrieb/bestand/imports",
    "programme", "programme/neu", "programme/halbnacht", "kalender/standard", "kalender/neu", "zuordnung", "naechte",
    "naechte?target=lamp:HIL-0001", "gruppen", "gruppen/neu", "einstellungen", "mast", "mast?nr=HIL-0001")


async def test_no_page_of_the_console_shuts_anybody_out_in_any_light_or_is_wider_than_a_phone(demo):
    async with browser_page(demo[0], viewport={"width": 360, "height": 780}, reduced_motion="reduce") as page:
        await sign_in(page, *demo)
        found = {}
        for path in PAGES:
            await page.goto(f"{demo[0]}/hilchenbach/{path}")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            wrong = [f"{wide} px wide"] if wide > 360 else []
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                wrong += [f"{scheme}: {one}" for one in await violations(page)]
            found |= {path: wrong} if wrong else {}
        assert found == {}
