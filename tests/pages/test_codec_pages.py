"""Models and scripts as pages: what an engineer finds, tries, keeps and switches without JavaScript."""

import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from api.app import create_app
from city.alarms import AlarmKind, begin
from city.ids import TenantId
from city.scripts import LeafMapping, Rule, Script
from city.settings import Settings
from city.store.ports import Account, Facts, Role
from decoders.catalog import catalog
from decoders.javascript import Sandbox
from tests.pages.conftest import HASH, HOSTILE, NOW, csrf, sign_in
from tests.pages.test_public import text

LIST, NEW = "/stadt/betrieb/modelle", "/stadt/betrieb/modelle/neu"
OWN, EDIT = f"{LIST}/acme/sl-100", f"{LIST}/acme/sl-100/skript"
SOURCE = """function decodeUplink(input) {
  return { data: { power_w: input.bytes[0] / 2, state: input.bytes[1] ? "on" : "off", tag: "04a1b2" } };
}"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.fixture
async def anybody(world, sandbox) -> AsyncIterator[httpx.AsyncClient]:
    world.store.put_account(Account("erna", Role.ENGINEER, TenantId("stadt"), HASH))
    app = create_app(world.store, world.log, world.clock, Settings(), sandbox)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.test") as client:
        yield client


@pytest.fixture
async def engineer(anybody) -> httpx.AsyncClient:
    return await sign_in(anybody, "erna")


def script(world, **changes: object) -> Script:
    """A kept script of the town."""
    mapping = LeafMapping(rules=(Rule(leaf="power_w", quantity="lamp.power", scale=0.5),), dropped=("tag",))
    kept = Script(TenantId("stadt"), "acme/sl-100", **{"title": "SL-100", "asset": "lamp", "source": SOURCE,
                                                     "mapping": mapping, "vendor": "ACME", **changes})
    world.town.put_script(kept)
    return kept


async def send(client: httpx.AsyncClient, address: str, do: str, **fields: str) -> httpx.Response:
    """The editor's form as a browser without JavaScript sends it."""
    page = (await client.get(address)).text
    data = {"csrf": csrf(page), "do": do, "asset": "lamp", "device_class": "C", "heartbeat": "24", "way": "up",
            "port": "1", **fields}
    return await client.post(address, data=data, files={"file": ("", b"")})


def rows(page: str) -> dict[str, str]:
    """What the editor's rows mean, by leaf; "" kept raw."""
    found = {}
    for row in re.findall(r"<tr[^>]*>(?:(?!</tr>).)*?name=\"leaf-\d+\".*?</tr>", page, re.DOTALL):
        leaf = re.search(r'name="leaf-\d+"[^>]*value="([^"]*)"', row)
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', row)
        assert leaf
        found[leaf[1]] = (chosen[1] or chosen[2]) if chosen else ""
    return found


async def test_every_native_model_is_listed_with_what_it_leaves_open(viewer, world):
    world.lamp("L1")
    page = (await viewer.get(LIST)).text
    for codec in catalog().values():
        assert f'href="{LIST}/{codec.model}"' in page
    assert "Modelle" in text(page)
    assert f"{len(catalog())} von {len(catalog())} Modellen" in text(page)
    assert "Skript hinzufügen" not in text(page)


async def test_the_list_is_searched_by_its_address(engineer, world):
    world.lamp("L1")
    script(world)

    async def listed(query: str) -> set[str]:
        return set(re.findall(rf'href="{LIST}/([a-z0-9-]+/[a-z0-9_-]+)"', (await engineer.get(f"{LIST}?{query}")).text))

    assert await listed("q=placepod") == {"pni/placepod"}
    assert await listed("only=used") == {"nas/ul20xx"}
    assert await listed("only=own") == {"acme/sl-100"}
    assert "bosch/tps110" not in await listed("asset=lamp")
    assert await listed("q=nichts") == set()
    assert "Skript hinzufügen" in text((await engineer.get(LIST)).text)


async def test_viewers_see_examples_explained_but_type_no_frames(viewer):
    page = (await viewer.get(f"{LIST}/nas/ul20xx?example=0")).text
    assert 'class="trace"' in page
    assert "explain-go" not in page
    assert (await viewer.post(f"{LIST}/nas/ul20xx", data={"csrf": csrf(page), "port": "1", "hex": "01"})).status_code == 403


async def test_a_native_model_explains_an_example_and_a_typed_frame(operator, world):
    world.lamp("L1")
    address = f"{LIST}/nas/ul20xx"
    page = (await operator.get(address)).text
    assert "Lampe L1" in page
    assert catalog()["nas/ul20xx"].source in text(page)
    assert "explain-go" in page
    assert 'class="trace"' in (await operator.get(f"{address}?example=0")).text
    sent = await operator.post(f"{LIST}/bosch/tps110", data={"csrf": csrf(page), "way": "up", "port": "1", "hex": "01"})
    assert "bay.occupied ja" in text(sent.text)


async def test_frames_that_cannot_be_are_refused_at_their_field(operator):
    page = (await operator.get(f"{LIST}/bosch/tps110")).text
    for form, sentence in (({"port": "1", "hex": "0"}, "Das ist kein Hex"), ({"port": "300", "hex": "01"}, "FPort liegt"),
                           ({"port": "x", "hex": "01"}, "FPort liegt")):
        sent = await operator.post(f"{LIST}/bosch/tps110", data={"csrf": csrf(page), **form})
        assert sent.status_code == 422
        assert sentence in text(sent.text)
    unknown = await operator.post(f"{LIST}/bosch/tps110", data={"csrf": csrf(page), "port": "99", "hex": "01"})
    assert unknown.status_code == 200
    assert "FPort 99" in text(unknown.text)


async def test_a_script_is_tried_before_it_is_kept_and_its_leaves_get_a_meaning(engineer, world):
    tried = await send(engineer, NEW, "try", model="acme/sl-100", source=SOURCE, hex="3f 01")
    assert tried.status_code == 200
    assert not world.town.scripts()
    assert rows(tried.text)["power_w"] == "lamp.power"
    assert "lamp.power 31,5 W" in text(tried.text)
    assert SOURCE.splitlines()[1].strip().replace('"', "&#34;") in tried.text, "nothing typed is lost"


async def test_what_concerns_persons_can_be_dropped(engineer, world):
    saved = await send(engineer, NEW, "save", **{
        "model": "acme/sl-100", "title": "SL", "source": SOURCE, "leaf-0": "power_w", "means-0": "lamp.power", "scale-0": "0,5",
        "leaf-1": "tag", "means-1": "drop", "leaf-2": "state", "means-2": "lamp.lit", "words-2": "on = ja; off = nein"})
    assert saved.status_code == 303, text(saved.text)
    assert saved.headers["location"] == f"{EDIT}?saved=1"
    kept = world.town.script("acme/sl-100").mapping
    assert kept.dropped == ("tag",)
    assert kept.rules == (Rule(leaf="power_w", quantity="lamp.power", scale=0.5),
                          Rule(leaf="state", quantity="lamp.lit", words={"on": True, "off": False}))
    page = (await engineer.get(saved.headers["location"])).text
    assert "Gespeichert" in text(page)
    assert rows(page) == {"power_w": "lamp.power", "tag": "drop", "state": "lamp.lit"}


async def test_a_file_takes_the_place_of_the_text(engineer, world):
    page = (await engineer.get(NEW)).text
    data = {"csrf": csrf(page), "do": "save", "model": "acme/sl-100", "asset": "lamp", "device_class": "A", "source": "old"}
    sent = await engineer.post(NEW, data=data, files={"file": ("codec.js", SOURCE.encode())})
    assert sent.status_code == 303, text(sent.text)
    assert world.town.script("acme/sl-100").source == SOURCE
    bad = await engineer.post(NEW, data={**data, "model": "acme/x"}, files={"file": ("codec.js", b"\xff\xfe\x00")})
    assert "UTF-8" in text(bad.text)


@pytest.mark.parametrize(("fields", "sentence"), [
    ({"source": "function decodeUplink( {"}, "Dieses Skript wird nicht gespeichert"),
    ({"model": "ACME"}, "hersteller/modell"),
    ({"model": "nas/ul20xx"}, "liest stadtfunk selbst"),
    ({"leaf-0": "x", "means-0": "lamp.power", "scale-0": "viel"}, "„viel“ ist keine Zahl"),
    ({"leaf-0": "x", "means-0": "lamp.lit", "words-0": "an"}, "Wörter"),
    ({"leaf-0": "x", "means-0": "bay.occupied"}, "bay.occupied"),
    ({"orders": "{"}, "JSON"),
    ({"variables": "name"}, "name=wert"),
    ({"heartbeat": "9999"}, "Lebenszeichen"),
])
async def test_what_cannot_be_kept_is_said_and_nothing_typed_is_lost(engineer, world, fields, sentence):
    sent = await send(engineer, NEW, "save", **{"model": "acme/sl-100", "source": SOURCE, "title": "Mein Titel", **fields})
    assert sent.status_code == 422
    assert sentence in text(sent.text)
    assert "Mein Titel" in sent.text
    target = re.search(r'class="summary".*?href="#([^"]+)"', sent.text, re.DOTALL)
    assert target
    assert f'id="{target[1]}"' in sent.text
    assert not world.town.scripts()


@pytest.mark.parametrize("fields", [
    {"heartbeat": "-1e300"}, {"heartbeat": "1e300"}, {"max_minutes": "1e300"}, {"scale-0": "1e300"}, {"offset-0": "-1e300"},
    {"scale-0": "9" * 400}, {"orders": '{"a":' * 500}, {"object": '{"a":' * 500, "way": "encode"}, {"hex": "\u00b2"},
    {"port": "\uff11"}, {"model": "a\x00b"}, {"source": "\x00"}])
async def test_hostile_fields_are_answered(engineer, fields):
    rows = {"leaf-0": "power_w", "means-0": "lamp.power", "channel-0": "", "scale-0": "1", "offset-0": "0", "words-0": ""}
    for do in ("try", "save"):
        sent = await send(engineer, NEW, do, **{"model": "acme/sl-100", "source": SOURCE, "hex": "0102", **rows, **fields})
        assert sent.status_code < 500, do


async def test_a_breach_reads_as_one_plain_sentence(engineer):
    tried = await send(engineer, NEW, "try", source="function decodeUplink() { for (;;) {} }", hex="00")
    assert "Das Skript wurde angehalten." in text(tried.text)
    assert "Das Skript rechnete länger als 100 ms und wurde angehalten." in text(tried.text)


async def test_a_new_script_does_not_replace_one_that_is_there(engineer, world):
    script(world)
    sent = await send(engineer, NEW, "save", model="acme/sl-100", source=SOURCE)
    assert "gibt es schon ein Skript" in text(sent.text)


async def test_proposals_replace_what_was_chosen(engineer, world):
    script(world, mapping=LeafMapping(rules=(Rule(leaf="power_w", quantity="lamp.voltage"),)))
    form = {"source": SOURCE, "hex": "3f01", "leaf-0": "power_w", "means-0": "lamp.voltage"}
    kept = await send(engineer, EDIT, "try", **form)
    assert rows(kept.text)["power_w"] == "lamp.voltage"
    anew = await send(engineer, EDIT, "propose", **form)
    assert rows(anew.text)["power_w"] == "lamp.power"


async def test_a_switched_off_script_says_why_and_can_be_switched_on(engineer, world):
    script(world, off="It broke its limits 3 times within 10 minutes, lastly: The script ran longer than 100 ms and was stopped.")
    page = (await engineer.get(OWN)).text
    assert "Dieses Skript ist abgeschaltet" in text(page)
    assert "3-mal" in text(page)
    assert "Das Skript rechnete länger als 100 ms und wurde angehalten." in text(page)
    sent = await engineer.post(f"{OWN}/schalten", data={"csrf": csrf(page), "on": "yes"})
    assert sent.headers["location"] == OWN
    assert world.town.script("acme/sl-100").off == ""
    await engineer.post(f"{OWN}/schalten", data={"csrf": csrf(page), "on": "no"})
    assert "von Hand" in text((await engineer.get(OWN)).text)


async def test_a_script_without_devices_can_be_removed(engineer, world):
    script(world)
    page = (await engineer.get(OWN)).text
    sent = await engineer.post(f"{OWN}/entfernen", data={"csrf": csrf(page)})
    assert sent.headers["location"] == LIST
    assert not world.town.scripts()


async def test_viewers_see_what_a_script_means_but_not_its_source(viewer, world):
    script(world)
    page = (await viewer.get(OWN)).text
    assert "× 0,5" in text(page)
    assert "decodeUplink" not in page
    assert (await viewer.get(EDIT)).status_code == 403
    assert (await viewer.get(NEW)).status_code == 403
    home = (await viewer.get(LIST)).text
    assert (await viewer.post(EDIT, data={"csrf": csrf(home), "do": "try"})).status_code == 403
    assert (await viewer.post(f"{OWN}/entfernen", data={"csrf": csrf(home)})).status_code == 403


async def test_hostile_scripts_are_only_text(engineer, world):
    source = f"function decodeUplink() {{ return {{data: {{}}}} }} // </textarea>{HOSTILE}"
    script(world, title=HOSTILE, vendor=HOSTILE, source=source,
           mapping=LeafMapping(rules=(Rule(leaf="power_w", quantity="lamp.lit", words={HOSTILE: True}),)))
    for address in (LIST, OWN, EDIT):
        page = (await engineer.get(address)).text
        assert HOSTILE not in page
        assert "</textarea><script>" not in page
    noisy = 'function decodeUplink() { return {data: {"<b>x": "<b>y"}, warnings: ["<b>z"]} }'
    assert "<b>" not in (await send(engineer, NEW, "try", source=noisy, hex="00")).text


async def test_a_lamp_names_its_model_and_what_is_open(viewer, world):
    world.lamp("L1")
    page = (await viewer.get("/stadt/betrieb/leuchte/L1")).text
    assert f'href="{LIST}/nas/ul20xx"' in page
    if catalog()["nas/ul20xx"].leaves_open:
        assert "offen bleibt" in text(page)


async def test_an_alarm_of_a_script_leads_to_the_script(operator, world):
    world.bays("markt", True)
    bay = world.rows[0].asset
    world.store.commit(Facts(alarms=(begin(world.town.tenant.id, bay, AlarmKind.SCRIPT_OFF, NOW),)))
    assert f'href="{LIST}/bosch/tps110"' in (await operator.get("/stadt/betrieb/stoerungen")).text


async def test_pages_speak_english_too(engineer, world):
    script(world)
    for address in ("", "/new", "/acme/sl-100", "/acme/sl-100/script", "/bosch/tps110"):
        answer = await engineer.get(f"/en/stadt/operations/models{address}")
        assert answer.status_code == 200
        assert '<html lang="en">' in answer.text
        assert f'href="{LIST}' in answer.text  # the German one


@pytest.mark.parametrize("address", [LIST, NEW, OWN, EDIT, f"{LIST}/bosch/tps110?example=0"])
async def test_nothing_inline_that_the_policy_forbids(engineer, world, address):
    script(world)
    page = (await engineer.get(address)).text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=\"", page)


async def test_nobody_sees_models_without_signing_in(anybody):
    for address in (LIST, NEW, OWN, EDIT):
        assert (await anybody.get(address)).status_code == 303
