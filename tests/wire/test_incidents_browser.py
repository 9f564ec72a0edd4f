"""The inbox of incidents in a real browser: acknowledged with the keyboard alone, read on a phone, told live."""

import asyncio
import os
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
from city.alarms import RULE, AlarmKind, Severity, begin
from city.clock import SystemClock
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.incidents import Cause, incident
from city.notices import Channel, Way
from city.places import Restriction, Site, Tenant
from city.settings import Settings
from city.store.ports import Account, Facts, Role, Store
from city.store.readings import LocalLog
from tests.pages.conftest import HASH, PASSWORD
from tests.stores import new_store
from tests.wire.axe import violations
from tests.wire.test_browser import browser_page, free_port

pytestmark = pytest.mark.wire
T = TenantId("stadt")
INBOX = "/stadt/betrieb/stoerungen"


@dataclass
class Served:
    address: str
    store: Store


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Served]:
    store, log = new_store(tmp_path / "city.db"), LocalLog(tmp_path / "log")
    store.put_tenant(Tenant(T, "Musterstadt", Site(51.0, 8.1)))
    store.put_account(Account("emil", Role.ENGINEER, T, HASH))
    rows = [ImportRow(number + 1, AssetId(f"L{number}"), "lamp", f"Lampe {number}", Site(51.0 + number / 1e4, 8.1),
                      ZoneId("markt"),
                      CircuitId("K1"), DevEui(f"{number:016x}"), "nas/ul20xx", 50.0, "", Restriction.NONE) for number in range(4)]
    store.tenant(T).import_rows(rows)
    now = datetime.now(UTC)
    failed = incident(T, Cause.ASSET, "L1", now - timedelta(hours=2), Severity.MAJOR, assets=(AssetId("L1"),),
                      kinds=(AlarmKind.PARTIAL_FAILURE,), facts={"measured": 12.5, "expected": 25.0, "level": 100.0})
    out = incident(T, Cause.CIRCUIT_OUT, "K1", now - timedelta(hours=1), Severity.CRITICAL, facts={"silent": 58.0, "of": 60.0},
                   assets=tuple(AssetId(f"X{number}") for number in range(60)))
    store.put_incidents(T, [failed, out])
    store.commit(Facts(alarms=(begin(T, AssetId("L1"), AlarmKind.PARTIAL_FAILURE, now - timedelta(hours=2),
                                     facts={RULE: "partial_failure", "measured": 12.5, "expected": 25.0, "level": 100.0}),)))
    store.tenant(T).put_channel(Channel("c", T, "Nachtdienst", Way.MAIL, "nacht@example.org", changed_at=now))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(store, log, SystemClock(), Settings()), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.05)
    yield Served(f"http://127.0.0.1:{port}", store)
    server.should_exit = True
    thread.join(20)
    log.close()
    store.close()


async def opened(page: Page, town: Served, path: str = INBOX) -> None:
    await page.goto(f"{town.address}/anmelden?next={path}")
    await page.fill("input[name=name]", "emil")
    await page.fill("input[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{town.address}{path}")


async def test_an_incident_is_acknowledged_and_noted_without_a_mouse(town: Served) -> None:
    async with browser_page(town.address, viewport={"width": 1440, "height": 900}) as page:
        await opened(page, town)
        await expect(page.locator(".incident").first).to_contain_text("Stromkreis K1 hat keinen Strom")
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.textContent.startsWith('Quittieren')"):
                break
        await page.keyboard.press("Enter")
        await expect(page.locator(".incident").first).to_contain_text("Lampe 1")
        await page.locator(".incident h2 a").first.focus()
        await page.keyboard.press("Enter")
        await page.get_by_label("Notiz").focus()
        await page.keyboard.type("Treiber bestellt")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Notiz: Treiber bestellt")).to_be_visible()


async def test_what_begins_while_one_looks_appears(town: Served) -> None:
    async with browser_page(town.address, viewport={"width": 1440, "height": 900}) as page:
        await opened(page, town)
        await expect(page.locator(".incident")).to_have_count(2)
        await asyncio.sleep(1)
        town.store.commit(Facts(alarms=(begin(T, AssetId("L2"), AlarmKind.TILTED, datetime.now(UTC)),)))
        await expect(page.locator(".incident")).to_have_count(3)
        await expect(page.locator("#live")).to_have_text("Die Liste hat sich geändert.")


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_shut_nobody_out(town: Served, width: int, scheme: str) -> None:
    async with browser_page(town.address, viewport={"width": width, "height": 780}, color_scheme=scheme) as page:
        await opened(page, town)
        detail = await page.locator(".incident h2 a").last.get_attribute("href")
        for name, path in (("inbox", INBOX), ("one", detail or ""), ("channels", "/stadt/betrieb/meldewege")):
            await page.goto(f"{town.address}{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            if shot := os.environ.get("STADTFUNK_SHOT"):
                await page.screenshot(path=f"{shot}-{name}-{width}-{scheme}.png", full_page=True)
            assert await violations(page) == [], path


async def test_it_works_without_javascript(town: Served) -> None:
    async with browser_page(town.address, java_script_enabled=False) as page:
        await opened(page, town)
        await page.get_by_role("button", name="Quittieren K1").click()
        await expect(page.locator(".incident").last).to_contain_text("gesehen von emil")
