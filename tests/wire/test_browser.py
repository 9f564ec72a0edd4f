"""The demo as its users meet it: a real process, a real browser, a zone dimmed and seen confirmed."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.patience import PATIENCE_S

pytestmark = pytest.mark.wire

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
READY_WITHIN_S, CONFIRMED_WITHIN_MS = 90, 120_000


def chromium():
    return next(path for path in CHROMIUM if Path(path).exists())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_demo(*options):
    """The demo's address and its operator's password; it is ended by Ctrl-C and must end well."""
    command = [sys.executable, "-m", "stadtfunk", "demo", "--port", str(free_port()), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STADTFUNK_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        address = re.search(r"ready: (\S+)", process.stdout.readline())
        password = re.search(r"password: (\S+)", process.stdout.readline())
        assert address, process.stderr.read()
        yield address[1], password[1]
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def demo():
    with running_demo("--lamps", "30", "--bays", "30", "--history", "1", "--speed", "4") as where:
        yield where


@asynccontextmanager
async def browser_page(address, **context):
    """A page in headless Chromium; fails if the page asks any third party for anything or its scripts fail."""
    async with async_playwright() as playwright:
        path = chromium()
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = await (await browser.new_context(locale="de-DE", **context)).new_page()
        strangers, failures = [], []
        page.on("request", lambda request: None if request.url.startswith((address, "blob:", "data:"))
                else strangers.append(request.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        yield page
        await browser.close()
        assert strangers == []
        assert failures == []


async def sign_in(page, address, password):
    await page.goto(f"{address}/hilchenbach/betrieb")
    await page.fill("input[name=name]", "betrieb")
    await page.fill("input[name=password]", password)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/hilchenbach/betrieb")


async def test_an_operator_dims_a_zone_and_sees_every_lamp_confirm_it(demo):
    address, password = demo
    async with browser_page(address, viewport={"width": 1440, "height": 900}) as page:
        await sign_in(page, address, password)
        await page.wait_for_selector("#list[data-ready]")  # the filters act by themselves from then on
        await page.get_by_label("Zone", exact=True).select_option("Altstadt")
        await page.get_by_role("link", name=re.compile(r"Leuchten? dimmen")).first.click()
        await page.get_by_role("spinbutton", name=re.compile("Stufe")).fill("60")
        await page.get_by_role("button", name=re.compile(r"Leuchten? auf 60 %")).click()
        done = page.get_by_text(re.compile(r"(\d+) von \1 Leuchten brennen wie gewollt"))
        await expect(done).to_be_visible(timeout=CONFIRMED_WITHIN_MS)


async def test_every_bay_and_lamp_of_the_town_is_known_from_the_first_minute(demo):
    address, password = demo
    async with browser_page(address) as page:
        await sign_in(page, address, password)
        bays = await (await page.request.get(f"{address}/api/v1/tenants/hilchenbach/bays")).json()
        lamps = (await (await page.request.get(f"{address}/api/v1/tenants/hilchenbach/luminaires")).json())["luminaires"]
    assert [bay["id"] for bay in bays if bay["why"] == "never_heard"] == []
    assert [lamp["id"] for lamp in lamps if lamp["state"] == "never_heard"] == []


async def test_a_wrong_password_is_said_at_the_field(demo):
    address, _ = demo
    async with browser_page(address) as page:
        await page.goto(f"{address}/hilchenbach/betrieb")
        await page.fill("input[name=name]", "betrieb")
        await page.fill("input[name=password]", "wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert").first).to_be_visible()
        assert "/betrieb/" not in page.url


@pytest.mark.parametrize("javascript", [True, False])
async def test_residents_read_the_zones_on_a_phone_with_and_without_javascript(demo, javascript):
    address, _ = demo
    async with browser_page(address, viewport={"width": 360, "height": 780}, java_script_enabled=javascript) as page:
        await page.goto(address)
        await page.get_by_role("link", name=re.compile("Parken")).first.click()
        await expect(page.get_by_role("heading", name="Marktplatz")).to_be_visible()
        await expect(page.get_by_text(re.compile(r"frei von \d+|keine verlässlichen Daten|voll")).first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360 if javascript else True
        assert await page.context.cookies() == []
