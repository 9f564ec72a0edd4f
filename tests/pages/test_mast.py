"""The page for whoever stands at a pole."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from api import intents
from api.auth import Actor
from api.pole import FLASH, FLASHES, PAUSE, blink, flash_level, repair_of
from api.views import luminaire
from city.alarms import AlarmKind, begin
from city.errors import Conflict, Invalid, Unsupported
from city.groups import Target
from city.ids import AssetId
from city.places import Restriction
from city.store.ports import Facts, Role
from city.wants import Wants
from tests.pages.conftest import NOW, csrf
from tests.pages.test_public import text

OLGA = Actor("olga", Role.OPERATOR, None, "token")


def view(world, asset="L1", at=NOW):
    return luminaire(world.town, AssetId(asset), at)


def wanted(world, at, asset="L1"):
    return Wants(world.town.programming(), world.town.overrides_from(NOW), at).of(world.town.asset(AssetId(asset))).level


async def test_the_last_digits_of_a_pole_lead_to_its_lamp(operator, world):
    world.lamp("HIL-0007")
    world.lamp("HIL-0017")
    page = text((await operator.get("/stadt/mast?nr=7")).text)
    assert "Lampe HIL-0007" in page
    assert "Blinken" in page


async def test_several_that_fit_are_listed_and_none_is_said(operator, world):
    world.lamp("A-1", name="Bahnhof Nord")
    world.lamp("A-2", name="Bahnhof Süd")
    assert "Bahnhof Süd" in text((await operator.get("/stadt/mast?nr=bahnhof")).text)
    answer = await operator.get("/stadt/mast?nr=nirgends")
    assert answer.status_code == 422
    assert "nirgends" in text(answer.text)


def test_a_lamp_blinks_three_times_within_the_law_and_ends_by_itself(world):
    world.lamp("L1")
    blink(world.town, view(world), reason="x", who=OLGA, now=NOW)
    levels = [wanted(world, NOW + n * FLASH) for n in range(2 * FLASHES + 1)]
    assert levels == [40, 100, 40, 100, 40, 100, 100]
    assert wanted(world, NOW + FLASHES * (FLASH + PAUSE)) == 100


def test_blinking_leaves_the_overrides_of_others_as_they_are(world):
    world.lamp("L1")
    intents.place(world.town, [Target("lamp", "L1")], intents.Wish(70, minutes=120), who=OLGA, now=NOW)
    blink(world.town, view(world), reason="x", who=OLGA, now=NOW + timedelta(seconds=1))
    assert wanted(world, NOW + timedelta(minutes=10)) == 70


def test_a_lamp_does_not_blink_twice_at_once(world):
    world.lamp("L1")
    blink(world.town, view(world), reason="x", who=OLGA, now=NOW)
    with pytest.raises(Conflict):
        blink(world.town, view(world), reason="x", who=OLGA, now=NOW)


def test_crossings_and_lamps_without_a_controller_do_not_blink(world):
    world.lamp("L1", restriction=Restriction.CROSSWALK)
    with pytest.raises(Invalid):
        blink(world.town, view(world), reason="x", who=OLGA, now=NOW)
    with pytest.raises(Unsupported):
        blink(world.town, replace(view(world), dims=False), reason="x", who=OLGA, now=NOW)
    assert not world.town.overrides_from(NOW)


@pytest.mark.parametrize(("target", "floor", "level"), [(100, 0, 40), (100, 60, 60), (50, 30, 100), (0, 0, 100), (60, 0, 10)])
def test_the_flash_is_lawful_and_can_be_seen(world, target, floor, level):
    world.lamp("L1")
    seen = view(world)
    lamp = replace(seen.lamp, min_level=floor)
    assert flash_level(replace(seen, lamp=lamp, target=replace(seen.target, level=target))) == level


def test_a_lamp_that_may_not_be_dimmed_enough_says_so(world):
    world.lamp("L1")
    seen = view(world)
    with pytest.raises(Invalid):
        flash_level(replace(seen, lamp=replace(seen.lamp, min_level=85)))


async def test_orders_are_given_by_plain_forms_and_only_by_operators(operator, world):
    world.lamp("L1")
    page = (await operator.get("/stadt/mast?nr=L1")).text
    answer = await operator.post("/stadt/mast/befehl", data={"csrf": csrf(page), "nr": "L1", "what": "full"})
    assert answer.headers["location"] == "/stadt/mast?nr=L1&done=full"
    assert "brennt zehn Minuten mit 100 %" in text((await operator.get(answer.headers["location"])).text)
    wish, = world.town.overrides(NOW)
    assert (wish.level, wish.end - NOW) == (100, timedelta(minutes=10))
    await operator.post("/stadt/mast/befehl", data={"csrf": csrf(page), "nr": "L1", "what": "stop"})
    assert not world.town.overrides(NOW)


async def test_viewers_look_and_do_not_order(viewer, world):
    world.lamp("L1")
    page = (await viewer.get("/stadt/mast?nr=L1")).text
    assert "mast/befehl" not in page
    answer = await viewer.post("/stadt/mast/befehl", data={"csrf": csrf((await viewer.get("/stadt/betrieb")).text), "nr": "L1",
                                                           "what": "full"})
    assert answer.status_code == 403


async def test_a_repair_turns_green_only_when_telemetry_shows_it(operator, world):
    world.lamp("L1")
    world.alarm("L1")
    page = (await operator.get("/stadt/mast?nr=L1")).text
    await operator.post("/stadt/mast/befehl", data={"csrf": csrf(page), "nr": "L1", "what": "repaired"})
    assert "noch nicht gezeigt" in text((await operator.get("/stadt/mast?nr=L1")).text)
    alarm, = world.town.alarms()
    world.store.commit(Facts(alarms=(replace(alarm, ended_at=NOW + timedelta(minutes=3)),)))
    assert "ihre eigenen Meldungen zeigen es" in text((await operator.get("/stadt/mast?nr=L1")).text)


def test_a_repair_of_two_faults_waits_for_both(world):
    world.lamp("L1")
    kinds = (AlarmKind.LAMP_FAILURE, AlarmKind.DRIVER_SILENT)
    first, second = (replace(begin(world.town.tenant.id, AssetId("L1"), kind, NOW), acknowledged_at=NOW, acknowledged_by="olga")
                     for kind in kinds)
    ended = replace(first, ended_at=NOW + timedelta(minutes=3))
    assert repair_of(view(world), [ended, second]).shown_at is None
    later = NOW + timedelta(minutes=9)
    assert repair_of(view(world), [ended, replace(second, ended_at=later)]).shown_at == later


async def test_only_the_page_at_the_pole_may_use_the_camera(operator, world):
    world.lamp("L1")
    assert "camera=(self)" in (await operator.get("/stadt/mast?nr=L1")).headers["Permissions-Policy"]
    for path in ("/stadt/betrieb", "/stadt/betrieb/leuchte/L1", "/", "/stadt/parken"):
        assert "camera=()" in (await operator.get(path)).headers["Permissions-Policy"], path


async def test_scanning_is_not_offered_before_the_browser_shows_that_it_can(operator):
    assert re.search(r'<div id="scan"[^>]* hidden>', (await operator.get("/stadt/mast")).text)
