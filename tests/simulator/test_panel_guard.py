"""Who may ask the panel, what its page is made of, and who hears of changes."""

import ast
import asyncio
import inspect
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2.ext import babel_extract

from city import errors
from city.errors import Invalid, TooOften
from simulator.panel import hub, serving
from simulator.panel.hub import ANEW, Hub
from simulator.panel.page import HERE
from simulator.panel.shapes import State
from simulator.panel.words import german, preferred
from tests.patience import PATIENCE_S
from tests.simulator.panel_scene import ORIGIN, TOKEN, Caller, EventTown

ROOT = Path(__file__).parents[2]
TOWN = "/towns/hilchenbach"
BEARER = f"Bearer {TOKEN}"


@pytest.fixture(scope="module")
def scene() -> EventTown:
    return EventTown()


def asked(scene: EventTown, method: str = "POST", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {} if method == "POST" else None
    return scene.call.http.request(method, f"/api{TOWN}/weather", json=body, headers=named).status_code


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", TOKEN, "Basic x", BEARER + "x", BEARER[:-1]])
def test_nothing_changes_without_the_token(scene: EventTown, token: str) -> None:
    assert asked(scene, authorization=token) == 401


def test_everything_may_be_seen_without_it(scene: EventTown) -> None:
    assert asked(scene, "GET") == 200
    assert asked(scene, authorization=BEARER) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8080", "http://127.0.0.1:8081",
                                    "http://127.0.0.1:8080.evil.example"])
def test_pages_of_others_are_refused_even_with_the_token(scene: EventTown, origin: str) -> None:
    assert asked(scene, authorization=BEARER, origin=origin) == 403
    assert asked(scene, "GET", origin=origin) == 403
    assert asked(scene, authorization=BEARER, origin=ORIGIN) == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_says_where_a_request_comes_from_is_believed(scene: EventTown, site: str) -> None:
    assert asked(scene, authorization=BEARER, sec_fetch_site=site) == 403


@pytest.mark.parametrize(("host", "status"), [
    ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example:8080", 403), ("", 403), ("[::1", 403),
    ("127.0.0.1:8080", 200), ("localhost:8080", 200), ("[::1]:8080", 200), ("192.168.1.7", 200)])
def test_a_name_that_was_lent_to_us_is_refused(scene: EventTown, host: str, status: int) -> None:
    assert asked(scene, "GET", host=host) == status


def test_a_name_that_we_were_told_to_go_by_is_taken(scene: EventTown) -> None:
    call = Caller([scene.town], host="simulator.example")
    assert call.http.get("/api/towns", headers={"host": "simulator.example:8090"}).status_code == 200


def test_bodies_are_bounded_with_and_without_a_length(scene: EventTown) -> None:
    path, headers = f"/api{TOWN}/weather", {"authorization": BEARER, "content-type": "application/json"}
    assert scene.call.http.post(path, content=b" " * 70_000, headers=headers).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1000
    assert scene.call.http.post(path, content=endless(), headers=headers).status_code in (400, 413)


def test_the_page_asks_nobody_else_and_runs_nothing_of_others(scene: EventTown) -> None:
    front = scene.call.http.get("/", headers={"accept-language": "en-GB,en;q=0.9"}, follow_redirects=False)
    assert (front.status_code, front.headers["location"]) == (303, "/en")
    page = scene.call.http.get("/de")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert '<html lang="de">' in page.text
    assert "Hilchenbach" in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
    for address in re.findall(r'(?:src|href)="(/static/[^"?]+)', page.text):
        assert scene.call.http.get(address).status_code == 200, address
    assert TOKEN not in page.text
    assert scene.call.http.get("/static/..%2fpage.py").status_code == 404


def test_the_api_describes_itself(scene: EventTown) -> None:
    described = scene.call.http.get("/api/openapi.json").json()
    assert {"/api/towns", f"{'/api/towns/{town}'}/faults/{{number}}"} <= set(described["paths"])
    for path, methods in described["paths"].items():
        for method, said in methods.items():
            assert said.get("description"), f"{method} {path}"


# -- changes


async def opened(scene: EventTown, count: int = 1) -> tuple[Hub, list[hub.Reader]]:
    told = Hub({"hilchenbach": scene.call.panel.desk("hilchenbach")}, None)
    return told, [told.open("hilchenbach") for _ in range(count)]


async def drained(reader: hub.Reader) -> list[tuple[str, Any]]:
    """What waits for a reader."""
    found = []
    async with asyncio.timeout(PATIENCE_S):
        async for message in reader.messages():
            event, data = message.decode().removesuffix("\n\n").split("\n")
            found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
            if not reader.waiting:
                return found
    return found


async def test_an_open_page_hears_of_numbers_and_of_devices_that_change() -> None:
    scene = EventTown()
    told, (reader,) = await opened(scene)
    assert [event for event, _ in await drained(reader)] == ["numbers"]
    scene.chirpstack.lamps[scene.chirpstack.scenario.lamps[0].lamp.id].cut()
    told.look()
    (_, numbers), (event, changes) = await drained(reader)
    told.close()
    assert event == "changes"
    assert [State(**one).does for one in changes["items"]] == ["unpowered"]
    assert numbers["faults"] == []


async def test_a_slow_reader_is_told_to_look_anew_and_harms_nobody() -> None:
    told, (slow, quick) = await opened(EventTown(), 2)
    quick_heard = 0
    for _ in range(100):
        told.look()
        quick_heard += len(await drained(quick))
    assert quick_heard == 101
    assert slow.waiting <= hub.MOST_WAITING
    heard = await drained(slow)
    told.close()
    assert any(event == "anew" for event, _ in heard)
    assert b"anew" in ANEW


async def test_so_many_pages_and_no_more() -> None:
    told, _ = await opened(EventTown(), hub.MOST_READERS)
    with pytest.raises(TooOften):
        told.open("hilchenbach")
    told.close()
    told.shut(told.open("hilchenbach"))


# -- where it listens


@pytest.mark.parametrize(("text", "where"), [
    ("8090", ("127.0.0.1", 8090)), ("0.0.0.0:0", ("0.0.0.0", 0)), ("[::1]:8090", ("::1", 8090)), (":8090", ("127.0.0.1", 8090)),
    ("host:80", ("host", 80))])
def test_it_listens_on_this_machine_unless_told_otherwise(text: str, where: tuple[str, int]) -> None:
    assert serving.address(text) == where


@pytest.mark.parametrize("text", ["", "host", "host:", "host:99999", "8090x", "-1", "1" * 9])
def test_an_address_must_be_one(text: str) -> None:
    with pytest.raises(Invalid):
        serving.address(text)


@pytest.mark.parametrize("text", ["short", "with a space in it", "mit Umlaut: äöü", "a\nnew line here"])
def test_a_token_must_be_one(text: str) -> None:
    with pytest.raises(Invalid):
        serving.token(text)


def test_each_run_has_another_token_and_shows_it_nowhere() -> None:
    one, other = serving.token(None), serving.token(None)
    assert one.reveal() != other.reveal()
    assert one.reveal() not in repr(one)


# -- words


def sentences() -> dict[str, str]:
    """Every sentence that a person may read here."""
    found = {}
    refusals = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.Refused)}
    for path in sorted((ROOT / "simulator/panel").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in refusals | {"translate"}:
                for node in call.args[:2]:
                    found |= {part.value: path.name for part in ast.walk(node)
                              if isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value}
    for path in sorted((HERE / "static").glob("*.js")):
        found |= dict.fromkeys(re.findall(r'\bt\("((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")), path.name)
    for path in sorted((HERE / "templates").glob("*.html")):
        with path.open("rb") as stream:
            found |= {message: path.name for _, _, message, _ in babel_extract(stream, ["_"], [], {"silent": "false"}) if message}
    return found


def test_every_sentence_has_a_german_one_with_the_same_facts() -> None:
    assert [f"{where}: {text}" for text, where in sentences().items() if text not in german()] == []
    for english, text in german().items():
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} \
            <= {name for _, name, _, _ in string.Formatter().parse(english) if name}, english


def test_every_word_of_the_simulators_own_has_a_german_one() -> None:
    from simulator.bay import FAULTS as BAY_FAULTS
    from simulator.driver import FAULTS
    from simulator.medium import LOSSES
    from simulator.panel.faults_here import kinds
    words = {*LOSSES, *FAULTS, *BAY_FAULTS, *(one.kind for one in kinds()), *(key.name for one in kinds() for key in one.fields),
             *(choice for one in kinds() for key in one.fields for choice in key.choices)} - {""}
    assert sorted(words - set(german())) == []


def test_german_where_nothing_else_is_asked_for() -> None:
    assert (preferred(""), preferred("fr"), preferred("en-GB,en;q=0.9"), preferred("de-AT")) == ("de", "de", "en", "de")
