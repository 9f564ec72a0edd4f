"""axe-core in a page: what of it shuts people out, as far as a program can tell."""

from pathlib import Path

from playwright.async_api import Page

SCRIPT = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"  # scripts/frontend --tests
RUN = "axe.run(document).then((found) => found.violations.map((one) => one.id + ' ' + one.nodes[0].target.join(' ')))"


async def violations(page: Page) -> list[str]:
    """The rules that the page as it is breaks, each with its first place."""
    await page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found: list[str] = await page.evaluate(RUN)
    return found
