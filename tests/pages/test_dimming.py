"""Wishes that need care: many lamps, a second person, emergencies, and choices of any kind."""

import re

import pytest

from city.groups import Group
from city.ids import AssetId, CircuitId, DevEui, GroupId, ZoneId
from city.imports import ImportRow
from city.places import Restriction, Site
from city.quantities import LAMP_LEVEL
from city.readings import Entry, Place, Reading, to_ns
from tests.pages.conftest import NOW, csrf, sign_in
from tests.pages.test_console import dim, only_override
from tests.pages.test_public import text

PRICE = "/stadt/betrieb/dimmen/preis"


def many(world, count):
    world.town.import_rows([ImportRow(
        n + 1, AssetId(f"M{n:04}"), "lamp", f"M{n:04}", Site(51 + n / 1e4, 8.1), ZoneId("gross"), CircuitId(f"K{n // 60}"),
        DevEui(f"{n + 4096:016x}"), "nas/ul20xx", 50.0, "", Restriction.NONE) for n in range(count)])


async def form(client, path="/stadt/betrieb"):
    return csrf((await client.get(path)).text)


async def send(client, **fields):
    return await client.post("/stadt/betrieb/dimmen", data={"csrf": await form(client), "level": "60", "end": "2h", **fields})


async def test_many_lamps_are_dimmed_only_by_whoever_types_how_many(operator, world):
    many(world, 201)
    page = text((await operator.get("/stadt/betrieb/dimmen?zone=gross")).text)
    assert "201" in page
    refused = await send(operator, target="zone:gross", confirm="200")
    assert refused.status_code == 422
    assert 'id="confirm-wrong"' in refused.text
    assert not world.town.overrides(NOW)
    assert (await send(operator, target="zone:gross", confirm="201")).status_code == 303
    assert only_override(world).level == 60


async def test_more_than_a_thousand_wait_for_another_person_than_the_one_who_asks(operator, world):
    many(world, 1001)
    where = (await send(operator, target="zone:gross", confirm="1.001")).headers["location"]
    assert not world.town.overrides(NOW)
    page = (await operator.get(where)).text
    assert "wartet auf eine zweite Person" in text(page)
    assert "eingriff/freigeben" not in page
    wish = where.partition("id=")[2]
    alone = await operator.post("/stadt/betrieb/eingriff/freigeben", data={"csrf": csrf(page), "id": wish})
    assert alone.status_code == 403
    await sign_in(operator, "chief")
    assert "1 wartet auf eine zweite Person" in text((await operator.get("/stadt/betrieb")).text)
    second = (await operator.get(where)).text
    assert "olga bittet um deine Zustimmung" in text(second)
    await operator.post("/stadt/betrieb/eingriff/freigeben", data={"csrf": csrf(second), "id": wish})
    assert only_override(world).approved_by == "chief"
    assert "freigegeben von chief" in text((await operator.get(where)).text)


async def test_a_second_person_may_decline(operator, world):
    many(world, 1001)
    where = (await send(operator, target="zone:gross", confirm="1001")).headers["location"]
    await sign_in(operator, "chief")
    page = (await operator.get(where)).text
    assert "Ablehnen" in page
    await operator.post("/stadt/betrieb/eingriff/beenden", data={"csrf": csrf(page), "id": where.partition("id=")[2]})
    assert not [wish for wish in world.town.overrides_from(NOW) if wish.ended_at is None]


async def test_an_emergency_needs_neither_number_nor_second_person(operator, world):
    many(world, 1001)
    assert (await send(operator, target="zone:gross", emergency="yes", level="7")).status_code == 303
    wish = only_override(world)
    assert (wish.level, wish.emergency, wish.reason) == (100, True, "Notfall")


async def test_enter_in_a_field_never_means_an_emergency(operator, world):
    """A browser presses the first button of a form."""
    world.lamp("L1")
    page = (await operator.get("/stadt/betrieb/dimmen?zone=markt")).text
    first = re.search(r"<button[^>]*>", page[page.index('id="dim"'):])[0]
    assert 'id="go"' in first


async def test_lamps_can_be_given_back_to_their_program(operator, world):
    world.lamp("L1")
    where = await dim(operator, zone="markt", kind="program")
    assert only_override(world).level is None
    assert "markt wie programmiert" in text((await operator.get(where)).text)


async def test_a_choice_of_any_length_comes_in_one_field(operator, world):
    many(world, 190)
    page = await operator.post("/stadt/betrieb/dimmen/entwurf", data={
        "csrf": await form(operator), "lamps": " ".join(f"M{n:04}" for n in range(190)), "back": "//elsewhere.example"})
    said = text(page.text)
    assert "190 Leuchten dimmen" in said
    assert "und 184 weitere" in said
    assert "elsewhere" not in page.text
    lamps = re.search(r'name="lamps" value="([^"]+)"', page.text)[1]
    assert (await send(operator, lamps=lamps)).status_code == 303
    assert len(only_override(world).targets) == 190


@pytest.mark.parametrize(("target", "name"), [("circuit:K1", "Stromkreis K1"), ("group:alle", "Alle Linden"),
                                              ("town", "Musterstadt")])
async def test_circuits_groups_and_the_town_have_their_names(operator, world, target, name):
    world.lamp("L1")
    world.town.put_group(Group(world.town.tenant.id, GroupId("alle"), "Alle Linden", frozenset({AssetId("L1")})))
    assert f"{name} dimmen" in text((await operator.get(f"/stadt/betrieb/dimmen?target={target}")).text)


async def test_lamps_are_found_by_circuit_group_and_fault(operator, world):
    for name in ("L1", "L2"):
        world.lamp(name)
    world.alarm("L2")
    world.town.put_group(Group(world.town.tenant.id, GroupId("g"), "G", frozenset({AssetId("L1")})))

    async def listed(query):
        return re.findall(r'<tr data-lamp="([^"]+)"', (await operator.get(f"/stadt/betrieb?{query}")).text)

    assert await listed("group=g") == ["L1"]
    assert await listed("circuit=K1") == ["L1", "L2"]
    assert await listed("circuit=K9") == []
    assert await listed("fault=lamp_failure") == ["L2"]
    assert await listed("fault=nonsense&colour=nonsense&page=-3") == ["L1", "L2"]


async def test_overrides_are_listed_with_what_they_are_for(operator, world):
    world.lamp("L1")
    assert "folgt ihrem Programm" in text((await operator.get("/stadt/betrieb/eingriffe")).text)
    await dim(operator, zone="markt", reason="Laternenfest")
    page = text((await operator.get("/stadt/betrieb/eingriffe")).text)
    assert "markt auf 40 % gilt 1 Leuchte · bis heute 23:30 · Laternenfest · olga" in page


async def test_the_price_of_nonsense_is_a_sentence(operator, world):
    world.lamp("L1")
    token = await form(operator)
    for fields in ({"target": "zone:markt", "level": "x"}, {"target": "zone:markt", "level": "40", "end": "time", "until": "?"}):
        answer = await operator.post(PRICE, data={"csrf": token, **fields})
        assert (answer.status_code, 'class="wrong"' in answer.text) == (200, True)
    assert (await operator.post(PRICE, data={"csrf": token, "target": "planet:mars"})).status_code == 422
    assert (await operator.post(PRICE, data={"target": "zone:markt"})).status_code == 403


async def test_a_lamp_explains_its_last_frames_byte_by_byte(operator, world):
    eui = world.lamp("L1")
    place = Place(world.town.tenant.id, AssetId("L1"), "lamp", ZoneId("markt"), None, eui)
    data = bytes.fromhex("01F37F205E80003209160000FEFD4600")
    at = to_ns(NOW) - 60 * 10**9
    world.log.append([Entry.of(place, at, "k", (Reading(place, LAMP_LEVEL, 70.0, at),), 23, data)])
    page = (await operator.get("/stadt/betrieb/leuchte/L1")).text
    assert "FPort 23" in page
    assert data.hex(" ") in page
    assert 'class="trace"' in page
    history = (await operator.get("/stadt/betrieb/leuchte/L1/verlauf.json?span=24h")).json()
    assert [(series["unit"], series["values"]) for series in history["series"]] == [("%", [70.0])]
    assert len(history["nights"]) >= 2


async def test_viewers_see_no_raw_frames(viewer, world):
    world.lamp("L1")
    assert "Byte für Byte" not in (await viewer.get("/stadt/betrieb/leuchte/L1")).text


def test_the_log_gives_the_newest_entries_of_one_asset(world):
    eui, other = world.lamp("L1"), world.lamp("L2")
    world.history("L1", eui, *[float(n) for n in range(9)])
    world.history("L2", other, 1.0)
    found = world.log.entries(world.town.tenant.id, AssetId("L1"), NOW.replace(hour=0), NOW, 3)
    assert [entry.said[0].value for entry in found] == [8.0, 7.0, 6.0]
    assert world.log.entries(world.empty.tenant.id, AssetId("L1"), NOW.replace(hour=0), NOW, 3) == []
