"""Parking's staff in a real browser: the list does what the map does, a block is made by keyboard and ended, nobody is shut
out."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Page, expect

from api.app import create_app
from city.bays import BayEvent
from city.clock import SystemClock
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.parking_facts import BayDay, BayFact, Count, Quarter, Stay, ZoneFact
from city.parking_places import Doubt, Doubting, ParkingSite, SiteRule
from city.places import Restriction, Site, Street, Tenant
from city.readings import to_ns
from city.sensor_checks import CheckedSensor, SensorCheck
from city.settings import Settings
from city.store.port_parking import ParkingFound
from city.store.ports import Account, Area, Role, Store
from city.store.readings import LocalLog
from tests.pages.conftest import HASH, PASSWORD
from tests.stores import new_store
from tests.wire.axe import violations
from tests.wire.test_browser import browser_page, free_port

pytestmark = pytest.mark.wire
T, ZONE = TenantId("stadt"), ZoneId("marktplatz")
START = "/stadt/betrieb/parken"
PAGES = ("", "/sensoren", "/sperrungen", "/parkdauer", "/auswertung", "/hinweise", "/stellplatz/P1", "/loeschungen")
IN_SIGHT = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect()
  return box.bottom > 0 && box.top < innerHeight && getComputedStyle(one).outlineStyle !== 'none'
}"""
STATES = (("free", ""), ("occupied", ""), ("occupied", ""), ("unknown", "silent"), ("out_of_service", "gone"), ("free", ""))


@dataclass
class Served:
    address: str
    store: Store


def furnish(store: Store, now: datetime) -> None:
    """A town with a zone of twelve bays, four weeks of quarters, a rule, a doubt."""
    store.put_tenant(Tenant(T, "Musterstadt", Site(51.0, 8.1), land="NW"))
    store.put_account(Account("petra", Role.OPERATOR, T, HASH, frozenset({Area.PARKING})))
    town = store.tenant(T)
    town.import_rows([ImportRow(n, AssetId(f"P{n}"), "bay", f"Marktplatz {n}", Site(51.0 + n / 2e4, 8.1 + (n % 3) / 2e4), ZONE,
                                None, DevEui(f"{n:016x}"), "bosch/tps110", None, "",
                                Restriction.DISABLED if n == 12 else Restriction.NONE) for n in range(1, 13)])
    town.put_streets([Street("Marktstraße", ((8.0995, 51.0), (8.1015, 51.001)))])
    town.put_parking_site(ParkingSite(ZONE, rules=(SiteRule(max_stay_min=60, disc=True),)), "eva", now)
    town.add_doubt(Doubt("d1", T, ZONE, Doubting.FULLER, now - timedelta(minutes=9), "4 frei von 11", "Alles belegt."))
    facts = []
    for n in range(1, 13):
        occupancy, why = STATES[n % len(STATES)]
        at = now - timedelta(minutes=11 * n)
        facts.append(BayFact(AssetId(f"P{n}"), ZONE, occupancy, why, at, at, at, n % 4 != 0, False))
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=27)
    quarters = [Quarter(ZONE, "", at, 11, 9900 - taken, taken, 0, 2, 2, 2, 4000) for n in range(27 * 96)
                for at in [begin + n * timedelta(minutes=15)] for taken in [9900 * (2 + abs(at.hour - 3) % 12) // 16]]
    stays = [Stay(ZONE, "", f"a{n}", begin + timedelta(hours=n), begin + timedelta(hours=n, minutes=10 + 17 * (n % 30)), True)
             for n in range(400)]
    days = [BayDay(AssetId(f"P{n}"), now.date() - timedelta(days=back), ZONE, 20, 30, n // 4, n // 6, 0, 40_000, 600)
            for n in range(1, 13) for back in range(7)]
    zone = ZoneFact(ZONE, {"": Count(11, 4, 4, "many"), "disabled": Count(1, 1, 0, "full")}, now, now, "", 8.1, 51.0)
    found = (CheckedSensor(AssetId("P1"), "wrong", False, 2, ("missed", "lost"), now), CheckedSensor(AssetId("P4"), "same"),
             CheckedSensor(AssetId("P3"), "waiting", False, 0, ("silent",), now - timedelta(hours=26)))
    check = SensorCheck(ZONE, now - timedelta(minutes=9), now + timedelta(hours=25), now, 12, 1, sensors=found,
                        results={"fuller": "confirmed"})
    store.put_parking(T, ParkingFound(bays=facts, zones=[zone], quarters=quarters, stays=stays, days=days, checks=[check]))
    store.add_bay_events(T, [(AssetId("P1"), BayEvent(to_ns(now - timedelta(minutes=20 * n)), "s", 50 - n, "edge", bool(n % 2)))
                             for n in range(12)], now)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("staff")
    store, log = new_store(directory / "city.db"), LocalLog(directory / "log")
    furnish(store, datetime.now(UTC))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(store, log, SystemClock(), Settings()), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(400):
        if server.started:
            break
        time.sleep(0.05)
    yield Served(f"http://127.0.0.1:{port}", store)
    server.should_exit = True
    thread.join(20)
    log.close()
    store.close()


async def opened(page: Page, town: Served, path: str = START) -> None:
    await page.goto(f"{town.address}/anmelden?next={path}")
    await page.fill("input[name=name]", "petra")
    await page.fill("input[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{town.address}{path}")


async def too_wide(page: Page) -> bool:
    """Whether the page as a whole has to be moved sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"))


async def tabbed(page: Page, selector: str) -> None:
    """Move by the Tab key alone to what fits; it must be in sight and show that it has the focus."""
    for _ in range(200):
        await page.keyboard.press("Tab")
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert await page.evaluate(IN_SIGHT), selector
            return
    raise AssertionError(f"no key leads to {selector}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_of_staff_shuts_anybody_out(town: Served, scheme: str) -> None:
    async with browser_page(town.address, viewport={"width": 1440, "height": 900}, color_scheme=scheme) as page:
        await opened(page, town)
        for part in PAGES:
            await page.goto(f"{town.address}{START}{part}")
            assert await violations(page) == [], part


async def test_at_320_pixels_no_page_has_to_be_moved_sideways(town: Served) -> None:
    async with browser_page(town.address, viewport={"width": 320, "height": 640}) as page:
        await opened(page, town)
        for part in PAGES:
            await page.goto(f"{town.address}{START}{part}")
            assert not await too_wide(page), part
            assert await violations(page) == [], part


async def test_without_a_script_bays_are_chosen_blocked_and_opened_again(town: Served) -> None:
    async with browser_page(town.address, viewport={"width": 1440, "height": 900}, java_script_enabled=False) as page:
        await opened(page, town)
        for bay in ("P2", "P3"):
            await page.get_by_label(f"{bay} auswählen").focus()
            await page.keyboard.press("Space")
        await page.get_by_role("button", name="Ausgewählte sperren …").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/sperrungen?bay=P2&bay=P3")
        await page.get_by_label("Grund").fill("Wochenmarkt")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Gespeichert.")
        await page.goto(f"{town.address}{START}?state=blocked")
        await expect(page.locator("table.bays tbody tr")).to_have_count(2)
        await page.goto(f"{town.address}{START}/sperrungen")
        await page.get_by_role("button", name="Wieder öffnen Wochenmarkt").click()
        await expect(page.get_by_role("status")).to_contain_text("Die Sperrung ist beendet.")
        await page.goto(f"{town.address}{START}?state=blocked")
        await expect(page.locator("table.bays")).to_have_count(0)


async def test_at_twice_the_size_bays_are_blocked_and_a_report_is_settled_by_keys_alone(town: Served) -> None:
    async with browser_page(town.address, viewport={"width": 640, "height": 450}, device_scale_factor=2) as page:
        await opened(page, town)
        for part in PAGES:
            await page.goto(f"{town.address}{START}{part}")
            assert not await too_wide(page), part
        await page.goto(f"{town.address}{START}")
        await tabbed(page, "input[name=bay][value=P4]")
        await page.keyboard.press("Space")
        await tabbed(page, "table.bays ~ p .button--go, form .button--go")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/sperrungen?bay=P4*")
        await tabbed(page, "#reason")
        await page.keyboard.type("Umzug")
        await tabbed(page, "form .button--go")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Gespeichert.")
        await page.goto(f"{town.address}{START}/hinweise")
        await tabbed(page, "input[name=outcome]")
        await page.keyboard.type("P4 war gesperrt.")
        await tabbed(page, "form .button")
        await page.keyboard.press("Enter")
        await expect(page.locator("input[name=outcome]")).to_have_count(0)


async def test_the_map_draws_and_the_list_renews_itself_under_a_readers_hands(town: Served) -> None:
    async with browser_page(town.address, viewport={"width": 1440, "height": 900}) as page:
        await opened(page, town)
        await expect(page.locator("#map[data-drawn=yes] canvas")).to_be_visible()
        await page.evaluate("document.getElementById('staff-parking').scrollIntoView()")
        at = datetime.now(UTC)
        town.store.put_parking(T, ParkingFound(bays=[
            BayFact(AssetId("P9"), ZONE, "unknown", "flapping", at, at, at, True, False)]))
        await expect(page.locator("tr", has_text="Marktplatz 9")).to_contain_text("wechselt öfter")
