"""A list is looked at before it is imported."""

import re

import pytest

from api.pages.importing import packed_of, unpacked
from city.errors import Invalid
from city.places import Site
from city.readings import DeviceState, Last, Lasts, to_ns
from city.stocktaking import FAR_M, mismatches
from city.store.ports import Facts
from tests.pages.conftest import NOW, csrf, sign_in
from tests.pages.test_public import text

HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w"
PATH = "/stadt/betrieb/bestand/imports"


async def check(client, *rows):
    page = (await client.get(PATH)).text
    return await client.post(PATH, data={"csrf": csrf(page)}, files={"file": ("leuchten.csv", "\n".join((HEAD, *rows)))})


@pytest.fixture
async def chief(anybody):
    return await sign_in(anybody, "chief")


async def test_a_list_is_compared_before_anything_is_written(chief, world):
    world.lamp("L1")
    world.lamp("L2")
    answer = await check(chief, "L1,lamp,Neuer Name,51.0,8.1,markt,K1,0000000000000000,nas/ul20xx,50",
                         "L3,lamp,L3,51.0,8.1,markt,K1,,,50", "L4,lamp,L4,95,8.1,markt,K1,,,50")
    page = text(answer.text)
    assert answer.status_code == 200
    assert "neu 1 geändert 1 unverändert 0 nicht in der Liste 1" in page
    assert "name Lampe L1 Neuer Name" in page
    assert "latitude" in page
    assert world.town.luminaires()[0].name == "Lampe L1"


async def test_what_was_checked_is_what_is_imported(chief, world):
    world.lamp("L1")
    answer = await check(chief, "L3,lamp,L3,51.0,8.1,markt,K1,,,50")
    packed = re.search(r'name="packed" value="([^"]+)"', answer.text)[1]
    done = await chief.post(PATH, data={"csrf": csrf(answer.text), "packed": packed})
    assert done.headers["location"] == f"{PATH}?imported=1"
    assert "1 Objekt wurde eingelesen" in text((await chief.get(done.headers["location"])).text)
    assert [lamp.id for lamp in world.town.luminaires()] == ["L1", "L3"]


async def test_no_file_and_no_list_are_said_at_the_field(chief):
    page = (await chief.get(PATH)).text
    nothing = await chief.post(PATH, data={"csrf": csrf(page)}, files={"file": ("", b"")})
    assert "Wähle zuerst eine Datei" in nothing.text
    broken = await chief.post(PATH, data={"csrf": csrf(page)}, files={"file": ("x.csv", b"\xff\xfe")})
    assert 'id="file-wrong"' in broken.text


async def test_operators_look_and_do_not_import(operator, world):
    world.lamp("L1")
    page = (await operator.get(PATH)).text
    assert 'type="file"' not in page
    answer = await operator.post(PATH, data={"csrf": csrf(page)}, files={"file": ("x.csv", b"asset")})
    assert answer.status_code == 403


async def test_devices_that_say_otherwise_are_listed(operator, world):
    eui = world.lamp("L1", level=None)
    at = to_ns(NOW)
    said = {"lamp.level": 100.0, "lamp.power": 90.0, "device.latitude": 51.01, "device.longitude": 8.1}
    world.store.commit(Facts(states=(DeviceState(eui, heard_ns=at, last=Lasts.of({
        name: Last(value, at, at) for name, value in said.items()})),)))
    page = text((await operator.get(PATH)).text)
    assert "Lampe L1 Leistung 50 W 90 W" in page
    assert "Standort 51.00000, 8.10000 51.01000, 8.10000 (1112 m)" in page


def test_a_lamp_that_is_dimmed_or_near_fits(world):
    eui = world.lamp("L1", level=50.0)
    lamp, = world.town.luminaires()
    device, = world.town.devices()
    at = to_ns(NOW)
    near = lamp.site.latitude + 0.9 * FAR_M / 111_195
    state = DeviceState(eui, heard_ns=at, last=Lasts.of({"lamp.level": Last(50.0, at, at), "lamp.power": Last(25.0, at, at),
                                                         "device.latitude": Last(near, at, at),
                                                         "device.longitude": Last(8.1, at, at)}))
    assert list(mismatches([lamp], {lamp.id: device}, {eui: state})) == []
    assert isinstance(lamp.site, Site)


@pytest.mark.parametrize("text", [b"", b"!!", b"eJw", packed_of(b"x" * 100)[:-8].encode()])
def test_a_packed_file_that_is_damaged_is_refused(text):
    with pytest.raises(Invalid):
        unpacked(text)


def test_a_packed_file_that_grows_too_large_is_cut():
    assert len(unpacked(packed_of(bytes(20 * 2**20)).encode())) == 16 * 2**20 + 1
