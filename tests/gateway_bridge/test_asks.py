"""Somebody at a pole wants a lamp to report at once."""

from datetime import timedelta

import pytest

from city.errors import NotFound
from city.ids import AssetId
from city.orders import ReadStatus
from gateway_bridge.wishes import ASKED, ASKED_FOR
from tests.gateway_bridge.samples import up
from tests.gateway_bridge.town import LAMP, NOW, small_town


@pytest.fixture
def town(tmp_path):
    with small_town(tmp_path) as made:
        yield made


def asked(town):
    return [command for command in town.commands() if command.origin == ASKED]


async def look(town, seconds=1):
    town.clock.advance(seconds)
    await town.steerer.tick()


async def test_a_lamp_that_is_asked_is_told_once_to_report(town):
    await town.hear("up", up(time=town.stamp()))
    await look(town)
    town.own.ask_device(LAMP, "ada", town.clock.now())
    await look(town)
    await look(town)
    command, = asked(town)
    assert isinstance(command.order, ReadStatus)


async def test_a_lamp_that_has_spoken_since_is_not_asked(town):
    await town.hear("up", up(time=town.stamp()))
    town.own.ask_device(LAMP, "ada", town.clock.now())
    town.clock.advance(2)
    await town.hear("up", up(f_cnt=2000, time=town.stamp()))
    await look(town)
    assert asked(town) == []


async def test_nobody_waits_for_ever(town):
    await town.hear("up", up(time=town.stamp()))
    town.own.ask_device(LAMP, "ada", town.clock.now())
    await look(town, ASKED_FOR.total_seconds() + 1)
    assert asked(town) == []


def test_questions_are_of_this_town_and_forgotten_after_a_day(town):
    with pytest.raises(NotFound):
        town.own.ask_device(AssetId("elsewhere"), "ada", NOW)
    town.own.ask_device(LAMP, "ada", NOW)
    assert town.own.asked(NOW - timedelta(minutes=1)) == {LAMP: NOW}
    assert town.own.asked(NOW) == {}
    town.own.ask_device(AssetId("P-1"), "ada", NOW + timedelta(days=2))
    assert town.own.asked(NOW - timedelta(days=9)) == {AssetId("P-1"): NOW + timedelta(days=2)}
