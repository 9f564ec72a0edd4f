"""The panel as people meet it: `simulate run --panel` in a process of its own, and a browser that cuts a circuit."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.patience import PATIENCE_S
from tests.wire.servers import Mosquitto
from tests.wire.test_browser import browser_page

pytestmark = pytest.mark.wire
TOWN = ("--lamps", "40", "--bays", "8", "--start", "2026-11-21T20:00:00+01:00", "--speed", "10", "--headless")
READY_WITHIN_MS = 30_000


@contextmanager
def panel(broker: Mosquitto, directory: Path, *words: str) -> Iterator[tuple[str, str]]:
    """The panel's address and token; it is ended by SIGTERM, also with a page open, and must end well."""
    command = [sys.executable, "-m", "simulator", *(words or ("run", *TOWN)), "--mqtt", f"mqtt://127.0.0.1:{broker.port}",
               "--panel", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=directory)
    assert process.stderr is not None
    try:
        told = re.match(r"panel: (http://127\.0\.0\.1:\d+)/#token=(\S+)", process.stderr.readline())
        assert told, process.stderr.read()
        yield told[1], told[2]
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "Traceback" not in said


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path / "broker")
    made.start()
    yield made
    made.stop()


async def opened(page: Page, address: str, token: str, path: str = "/de") -> None:
    await page.goto(f"{address}{path}#token={token}")
    await expect(page.get_by_text("live", exact=True)).to_be_visible(timeout=READY_WITHIN_MS)
    assert token not in page.url


async def test_a_circuit_is_cut_on_the_page_and_its_lamps_go_dark(broker: Mosquitto, tmp_path: Path) -> None:
    with panel(broker, tmp_path) as (address, token):
        async with browser_page(address, viewport={"width": 1440, "height": 900}) as page:
            await opened(page, address, token)
            await page.get_by_text("Stromkreise", exact=True).click()
            line = page.get_by_role("listitem").filter(has_text=re.compile("SV-03: "))
            lamps = int(re.search(r"von (\d+)", await line.inner_text())[1])
            await line.get_by_role("button", name="Abschalten").click()
            await expect(page.get_by_role("status").filter(has_text="SV-03 ist ohne Spannung.")).to_be_visible()
            await expect(page.locator("#things use[href='#s-unpowered']")).to_have_count(lamps)
            number = page.locator("#numbers > div", has_text="Leuchten ohne Spannung").locator("dd")
            await expect(number).to_contain_text(str(lamps))
            await page.locator("#shows").select_option("unpowered")
            await expect(page.locator("#devices li")).to_have_count(lamps)
            ended = page.get_by_role("button", name=re.compile("Beenden: Stromkreis ohne Spannung"))
            await ended.focus()
            await page.keyboard.press("Enter")
            await expect(page.get_by_text("Kein Gerät passt.")).to_be_visible(timeout=READY_WITHIN_MS)


async def test_a_device_is_followed_and_commanded_by_keyboard_on_a_phone(broker: Mosquitto, tmp_path: Path) -> None:
    with panel(broker, tmp_path) as (address, token):
        async with browser_page(address, viewport={"width": 360, "height": 780}) as page:
            await opened(page, address, token, "/en")
            await page.get_by_label("Search").fill("HIL-0002")
            await page.locator("#devices button[data-id='HIL-0002']").focus()
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("heading", name=re.compile(r"\(HIL-0002\)"))).to_be_visible()
            assert "thing=HIL-0002" in page.url
            await expect(page.get_by_text(re.compile("joined as"))).to_be_visible(timeout=READY_WITHIN_MS)
            await page.get_by_text("Send bytes from it").click()
            await page.get_by_label("FPort").fill("99")
            await page.get_by_label("Bytes in hex").fill("0102")
            await page.get_by_role("button", name="Send", exact=True).click()
            frame = page.locator("details.frame", has_text="FPort 99").first
            await frame.locator("summary").click(timeout=READY_WITHIN_MS)
            await expect(frame.get_by_text("01 02", exact=True).first).to_be_visible()
            await page.get_by_role("button", name="Pull it off the net").click()
            await expect(page.get_by_role("button", name="Bring it back to the net")).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_without_the_token_the_page_only_shows_and_asks_for_it(broker: Mosquitto, tmp_path: Path) -> None:
    with panel(broker, tmp_path) as (address, token):
        async with browser_page(address, viewport={"width": 1440, "height": 900}) as page:
            await page.goto(f"{address}/de?thing=HIL-0001")
            await page.get_by_role("button", name="Neu starten").click()
            await expect(page.get_by_role("alert")).to_have_text("Nötig ist der Schlüssel, der beim Start gezeigt wurde.")
            await page.get_by_label(re.compile("Schlüssel")).fill(token)
            await page.keyboard.press("Enter")
            await page.get_by_role("button", name="Neu starten").click()
            await expect(page.get_by_role("status").filter(has_text="Es startet neu")).to_be_visible()


def test_streams_flow_over_a_real_server_and_end_with_it(broker: Mosquitto, tmp_path: Path) -> None:
    with panel(broker, tmp_path) as (address, _), httpx.Client(base_url=address, timeout=PATIENCE_S) as client, \
            client.stream("GET", "/api/towns/hilchenbach/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        seen = [next(lines) for _ in range(8)]
        assert sum(line == "event: numbers" for line in seen) >= 2
        assert client.get("/api/clock").json() == {"can_pause": True, "paused": False}
        assert client.get("/", headers={"host": "evil.example"}).status_code == 403


def test_a_town_on_the_air_shows_its_frames_too(broker: Mosquitto, tmp_path: Path) -> None:
    scenario = tmp_path / "quick.toml"
    text = (Path(__file__).parents[2] / "simulator/towns/hilchenbach.toml").read_text()
    scenario.write_text(re.sub("join_within_s.*", "", text).replace("[devices]", "[devices]\njoin_within_s = 2.0"))
    with panel(broker, tmp_path, "drive", "--town", str(scenario), "--lamps", "3", "--bays", "1", "--headless") as (address, _), \
            httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        with client.stream("GET", "/api/towns/hilchenbach/events") as stream:
            told = (line.removeprefix("data: ") for line in stream.iter_lines())
            now = next(one for one in map(json.loads, (line for line in told if '"uplinks"' in line)) if one["uplinks"] >= 4)
        assert (now["level"], now["joined"], now["paused"]) == ("frames", 0, False)
        assert client.get("/api/clock").json()["can_pause"] is False
        seen = [client.get(f"/api/towns/hilchenbach/devices/HIL-000{number}/frames").json() for number in (1, 2, 3)]
        assert {frame["header"]["type"] for frames in seen for frame in frames} == {"Join-Request"}


def test_a_port_that_is_taken_is_said_in_a_sentence(broker: Mosquitto, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "run", *TOWN, "--mqtt", f"mqtt://127.0.0.1:{broker.port}",
               "--panel", str(broker.port)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, cwd=tmp_path, check=False)
    assert run.returncode != 0
    assert f"Nobody can listen on 127.0.0.1:{broker.port}" in run.stderr
