"""A demo with an InfluxDB of its own, and its boards as pages and pictures, looked at in a real browser."""

import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from dashboards.__main__ import main
from dashboards.preview.pictures import NoBrowser, browser, take
from tests.patience import PATIENCE_S
from tests.wire.axe import violations
from tests.wire.servers import free_port
from tests.wire.test_browser import browser_page

pytestmark = pytest.mark.wire

LAMPS = 24
BOARDS = {"lighting", "energy", "parking", "network", "device", "platform"}


@pytest.fixture(scope="module")
def asking() -> Iterator[list[str]]:
    """What the demo says to type for its boards, without the directory."""
    command = [sys.executable, "-m", "stadtfunk", "demo", "--port", str(free_port()), "--influxd", "--lamps", str(LAMPS),
               "--bays", "12", "--history", "2"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STADTFUNK_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        said = [process.stdout.readline() for _ in range(3)] if process.stdout else []
        found = re.search(r"boards: stadtfunk dashboards preview boards (.+)", "".join(said))
        assert found, process.stderr.read() if process.stderr else ""
        yield found[1].split()
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def pages(asking: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("boards")
    main(["preview", str(directory), *asking])
    return directory


def test_every_board_of_every_town_is_there_and_no_query_is_refused(pages: Path) -> None:
    towns = {path.name for path in pages.iterdir() if path.is_dir()}
    assert towns == {"_platform", "hilchenbach", "netphen"}
    assert {path.stem for path in pages.glob("*/*.html")} == BOARDS
    refused = [(path.name, error) for path in pages.glob("*/*.html")
               for error in re.findall(r'<span class="wrong">(InfluxDB refuses[^<]*)', path.read_text(encoding="utf-8"))]
    # hours and days come after the first full hour
    assert [(name, error) for name, error in refused if "database not found" not in error] == []


def test_errors_make_the_exit_code_and_are_named(asking: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = [word if word != "stadtfunk-demo" else "no-such-bucket" for word in asking]
    assert main(["preview", str(tmp_path), *elsewhere, "--board", "lighting"]) == 1
    assert "database not found" in capsys.readouterr().err
    assert "database not found" in (tmp_path / "hilchenbach/lighting.html").read_text(encoding="utf-8")


async def test_a_board_shows_the_demos_data_and_asks_nobody(pages: Path) -> None:
    async with browser_page("file:", viewport={"width": 1440, "height": 900}) as page:
        await page.goto((pages / "hilchenbach/lighting.html").as_uri())
        await page.wait_for_selector("html[data-drawn=yes]")
        await expect(page.get_by_text("Vorschau – nicht Grafana.")).to_be_visible()
        panel = page.get_by_role("article", name="Gesamtleistung")
        assert re.fullmatch(r"\d+,\d k?W", await panel.locator(".stat b").inner_text())
        charts = page.locator("[data-chart]")
        assert await charts.count() == await page.locator("canvas").count() > 0
        await panel.locator("summary").click()
        await expect(panel.locator("pre")).to_contain_text("SELECT")


@pytest.mark.parametrize(("width", "light"), [(360, "light"), (1440, "dark")])
async def test_no_board_shuts_anybody_out(pages: Path, width: int, light: str) -> None:
    found = {}
    async with browser_page("file:", viewport={"width": width, "height": 900}, color_scheme=light) as page:
        for name in sorted(BOARDS):
            town = "_platform" if name == "platform" else "hilchenbach"
            await page.goto((pages / town / f"{name}.html").as_uri())
            await page.wait_for_selector("html[data-drawn=yes]")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            found[name] = [*await violations(page), *([f"{wide} px wide"] if wide > width else [])]
    assert found == {name: [] for name in BOARDS}


def test_pictures_are_taken_of_the_whole_page_in_both_lights(pages: Path) -> None:
    program = browser()
    assert program
    light, dark = take(program, pages / "hilchenbach/parking.html", width=1200)
    for picture in (light, dark):
        head = picture.read_bytes()[:24]
        width, height = struct.unpack(">II", head[16:24])
        assert head.startswith(b"\x89PNG")
        assert width == 1200
        assert height > 1500  # more than the window is high
    assert light.read_bytes() != dark.read_bytes()


def test_a_browser_that_does_not_draw_is_said(pages: Path) -> None:
    with pytest.raises(NoBrowser):
        list(take("/bin/false", pages / "index.html"))
