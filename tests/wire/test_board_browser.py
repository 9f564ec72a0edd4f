"""A board's buttons in a real browser: a page that does what Grafana does with an action, on our own origin and on another."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Dialog, Page, Route, async_playwright, expect

from city.clock import ManualClock
from city.ids import TenantId
from city.places import Site, Tenant
from city.store.ports import Account, Role
from city.store.readings import LocalLog
from dashboards.boards.lighting import lighting
from dashboards.render import dashboard
from tests.dashboards.actions import canvas
from tests.pages.conftest import HASH, NOW, PASSWORD, World
from tests.stores import new_store
from tests.wire.test_browser import FLAGS, browser_page, chromium
from tests.wire.test_parking_forms_browser import serving

pytestmark = pytest.mark.wire
T = TenantId("stadt")
CHOSEN = {"zone": ["markt"], "dim_level": "60", "dim_minutes": "120"}

# What public/app/features/actions/utils.ts and public/app/core/utils/fetch.ts come to, for one canvas panel: variables filled in,
# a question, a fetch with credentials "same-origin", and no word of the answer. Test and Grafana differ in nothing that we see.
GRAFANA = """<!doctype html><title>Grafana</title><h1></h1><main></main><p role="status"></p><script>
const panel = %s, chosen = %s;
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%%" + c.charCodeAt(0).toString(16).toUpperCase());
const written = {
  percentencode: (value) => encode(Array.isArray(value) ? "{" + value.join(",") + "}" : value),
  text: (value) => [].concat(value).join(" + "), glob: (value) => [].concat(value).join(",") };
const fill = (text) => text.replace(/\\$\\{(\\w+)(?::(\\w+))?\\}/g, (_, name, format) => written[format || "glob"](chosen[name]));
document.querySelector("h1").textContent = fill(panel.title);
for (const element of panel.options.root.elements) {
  const button = document.createElement("button");
  button.textContent = element.config.text.fixed;
  button.onclick = async () => {
    for (const link of element.links || []) if (link.oneClick) window.open(fill(link.url), "_blank");
    const action = (element.actions || []).find((one) => one.oneClick);
    if (!action || !confirm(fill(action.confirmation))) return;
    const headers = { accept: "application/json, text/plain, */*", "X-Grafana-Action": "1" };
    for (const [name, value] of action.fetch.headers) headers[fill(name)] = fill(value);
    const said = document.querySelector("p");
    try {
      const answer = await fetch(new URL(fill(action.fetch.url)).toString(),
        { method: action.fetch.method, headers, body: fill(action.fetch.body), credentials: CREDENTIALS });
      await answer.text();
      said.dataset.status = answer.status;
      said.textContent = answer.ok ? "API call was successful" : "An error has occurred.";
    } catch (error) { said.dataset.status = "none"; said.textContent = "An error has occurred."; }
  };
  document.querySelector("main").append(button);
}
</script>"""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[str, World]]:
    store, log = new_store(tmp_path / "city.db"), LocalLog(tmp_path / "log")
    store.put_tenant(Tenant(T, "Musterstadt", Site(51.0, 8.1)))
    for name, role in (("olga", Role.OPERATOR), ("vera", Role.VIEWER)):
        store.put_account(Account(name, role, T, HASH))
    mine = store.tenant(T)
    world = World(store, log, ManualClock(NOW), mine, mine)
    for number in range(3):
        world.lamp(f"L{number}")
    with serving(world) as address:
        yield address, world
    log.close()
    store.close()


async def sign_in(page: Page, address: str, name: str) -> None:
    await page.goto(f"{address}/anmelden?next=/stadt/betrieb")
    await page.fill("input[name=name]", name)
    await page.fill("input[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}/stadt/betrieb")


async def board(page: Page, address: str, at: str = "", credentials: str = "same-origin") -> None:
    """Open the board; `at`: another address than the one behind our own reverse proxy."""
    where = at or f"{address}/grafana/d/stadtfunk-stadt-lighting"
    panel = json.dumps(canvas(dashboard(lighting(T, address), "de")))
    html = (GRAFANA % (panel, json.dumps(CHOSEN))).replace("CREDENTIALS", f'"{credentials}"')

    async def answer(route: Route) -> None:
        await route.fulfill(content_type="text/html; charset=utf-8", body=html)

    await page.route(where, answer)
    await page.goto(where)


async def click(page: Page, button: str, *, agreed: bool = True) -> None:
    """Click a button, and answer its question."""
    async def decide(dialog: Dialog) -> None:
        await (dialog.accept() if agreed else dialog.dismiss())

    page.once("dialog", decide)
    async with page.expect_event("dialog"):
        await page.get_by_role("button", name=button, exact=True).click()


async def answer_to(page: Page, button: str) -> dict[str, Any]:
    """What the platform answers to a click, which nobody sees in Grafana."""
    async with page.expect_response("**/from-board") as answered:
        await click(page, button)
    found: dict[str, Any] = await (await answered.value).json()
    return found


async def test_an_operator_dims_from_the_board_once_and_goes_back(town: tuple[str, World]) -> None:
    address, world = town
    async with browser_page(address) as page:
        await sign_in(page, address, "olga")
        await board(page, address)
        await expect(page.locator("h1")).to_have_text("Dimmen: Gebiet markt · 60 · 120")
        await click(page, "Dimmen", agreed=False)
        assert not world.town.overrides(NOW)
        first = await answer_to(page, "Dimmen")
        assert first["message"].startswith("3 Leuchten, 3 Funksprüche; die letzte Leuchte folgt in etwa")
        await expect(page.get_by_role("status")).to_have_text("API call was successful")
        again = await answer_to(page, "Dimmen")
        assert (first["href"], again["repeated"]) == (again["href"], True)
        [wish] = world.town.overrides(NOW)
        assert (wish.level, wish.actor, [str(one) for one in wish.targets]) == (60, "olga", ["zone:markt"])
        assert (await answer_to(page, "Zurück zum Programm"))["ended"] == 1
        assert not world.town.overrides(NOW)


@pytest.mark.parametrize(("name", "status"), [("vera", 403), ("", 401)])
async def test_a_viewer_and_nobody_get_an_error_and_change_nothing(town: tuple[str, World], name: str, status: int) -> None:
    address, world = town
    async with browser_page(address) as page:
        if name:
            await sign_in(page, address, name)
        await board(page, address)
        for button in ("Dimmen", "Zurück zum Programm", "100 % jetzt (2 h)"):
            assert (await answer_to(page, button))["status"] == status
            await expect(page.get_by_role("status")).to_have_text("An error has occurred.")
    assert not world.town.overrides_from(NOW)


async def test_the_same_board_on_another_site_changes_nothing(town: tuple[str, World]) -> None:
    """Even where the operator's browser would send the cookie along: the same host, another port; and by a form."""
    address, world = town
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = await (await browser.new_context(locale="de-DE")).new_page()
        await sign_in(page, address, "olga")
        for other in ("http://127.0.0.1:9/board", "http://evil.example/board"):
            await board(page, address, other, "include")
            await click(page, "Dimmen")
            await expect(page.get_by_role("status")).to_have_attribute("data-status", "none")
            form = f"""<form method="post" enctype="text/plain" action="{address}/api/v1/tenants/stadt/overrides/from-board">
                <input name='{{"zone": "markt", "level": "60", "minutes": "60", "reason": "' value='"}}'></form>"""
            await page.set_content(form)
            async with page.expect_navigation() as landed:
                await page.evaluate("document.forms[0].submit()")
            answer = await landed.value
            assert answer is not None
            assert answer.status in (401, 403)
        await browser.close()
    assert not world.town.overrides_from(NOW)


async def test_the_link_opens_the_dialog_filled_in_and_only_the_person_sends_it(town: tuple[str, World]) -> None:
    address, world = town
    async with browser_page(address) as page:
        await sign_in(page, address, "olga")
        await board(page, address)
        async with page.expect_popup() as opened:
            await page.get_by_role("button", name="Im Dialog öffnen, mit Preis und Ende →").click()
        dialog = await opened.value
        await expect(dialog.locator("#level")).to_have_value("60")
        await expect(dialog.locator("input[name=end][value='2h']")).to_be_checked()
        await expect(dialog.locator("#price")).to_contain_text("3")
        assert not world.town.overrides_from(NOW)
        await dialog.locator("#go").click()
        await expect(dialog.locator("#progress")).to_be_visible()
    [wish] = world.town.overrides(NOW)
    assert (wish.level, (wish.end - wish.created_at).total_seconds()) == (60, 7200)
