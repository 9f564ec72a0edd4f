"""The dim dialog as a board's link opens it: filled in with what was chosen there, checked, and nothing sent."""

import re

import pytest

from tests.pages.conftest import NOW
from tests.pages.test_public import text

DIM = "/stadt/betrieb/dimmen"
pytestmark = pytest.mark.usefixtures("zones")


@pytest.fixture
def zones(world):
    for lamp, zone in (("L1", "markt"), ("L2", "markt"), ("S1", "schule")):
        world.lamp(lamp, zone=zone)


def value(html, name):
    return re.search(rf'name="{name}"[^>]* value="([^"]*)"', html)[1]


def chosen(html):
    return re.search(r'name="end" value="(\w+)" checked', html)[1]


def targets(html):
    return re.findall(r'name="target" value="([^"]+)"', html)


@pytest.mark.parametrize(("minutes", "end", "until"), [("60", "1h", None), ("120", "2h", None), ("30", "time", "19:02"),
                                                       ("480", "time", "02:32"), ("1439", "time", "18:31")])
async def test_what_a_board_has_chosen_is_filled_in_and_nothing_is_sent(operator, world, minutes, end, until):
    answer = await operator.get(f"{DIM}?zone=%7Bmarkt%7D&level=60&minutes={minutes}")
    assert answer.status_code == 200
    assert (targets(answer.text), value(answer.text, "level"), chosen(answer.text)) == (["zone:markt"], "60", end)
    if until is not None:
        assert value(answer.text, "until") == until
    assert "2 Leuchten" in text(answer.text)
    assert not world.town.overrides_from(NOW)


async def test_several_zones_are_several_targets(operator):
    answer = await operator.get(f"{DIM}?zone=%7Bmarkt%2Cschule%7D&level=70&minutes=60")
    assert targets(answer.text) == ["zone:markt", "zone:schule"]


async def test_all_zones_are_no_choice(operator):
    answer = await operator.get(f"{DIM}?zone=.%2A&level=70&minutes=60")
    assert answer.status_code == 422
    assert "Wählen Sie zuerst eine Zone oder Leuchten." in text(answer.text)


@pytest.mark.parametrize(("query", "wrong"), [
    ("level=200&minutes=60", "level"), ("level=-5&minutes=60", "level"), ("level=%3Cscript%3E&minutes=60", "level"),
    ("level=60&minutes=0", "until"), ("level=60&minutes=1440", "until"), ("level=60&minutes=1h", "until")])
async def test_what_cannot_be_is_said_at_its_field(operator, world, query, wrong):
    answer = await operator.get(f"{DIM}?zone=markt&{query}")
    assert answer.status_code == 422
    assert f'id="{wrong}-wrong"' in answer.text
    assert "<script>" not in answer.text.replace("<script src", "")
    assert value(answer.text, "level") == ("60" if wrong == "until" else "50")
    assert not world.town.overrides_from(NOW)


async def test_without_them_it_is_as_ever(operator):
    answer = await operator.get(f"{DIM}?zone=markt")
    assert (answer.status_code, value(answer.text, "level"), chosen(answer.text)) == (200, "50", "time")


async def test_a_viewer_and_nobody_do_not_get_there(viewer, anybody):
    assert (await viewer.get(f"{DIM}?zone=markt&level=60&minutes=60")).status_code == 403
    anybody.cookies.clear()
    answer = await anybody.get(f"{DIM}?zone=markt&level=60&minutes=60")
    assert answer.status_code == 303
    assert "level%3D60%26minutes%3D60" in answer.headers["location"]
