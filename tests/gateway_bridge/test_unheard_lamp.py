"""A lamp that never reports its level (Zenosmart) is told it, confirmed by LoRaWAN alone, and told the program's afterwards."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from city.alarms import AlarmKind
from city.commands import State
from city.groups import Target
from city.imports import COLUMNS, parse
from city.orders import SetLevel
from tests.gateway_bridge.samples import other, up
from tests.gateway_bridge.town import LAMP, Town, small_town

CSV = "N-0042,lamp,Lampe 42,48.7,13.8,nord,K1,70b3d57ed0000042,zenosmart/lcc,40,P4,\n"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with small_town(tmp_path, register=False) as made:
        rows, problems = parse((",".join(COLUMNS) + "\n" + CSV).encode(), {"zenosmart/lcc"})
        assert not problems
        made.own.import_rows(rows)
        yield made


async def alive(town: Town, f_cnt: int) -> None:
    await town.hear("up", up(b"\x85\x00", f_port=6, f_cnt=f_cnt, time=town.stamp(), rxInfo=[]))


async def test_a_level_is_obeyed_once_the_lamp_has_acknowledged_it(town: Town) -> None:
    await alive(town, 1)
    town.wish(40)
    await step(town)
    down = told(town)[-1]
    assert (down["confirmed"], down["fPort"], base64.b64decode(down["data"])) == (True, 8, b"\x84\x01\x28")
    await town.hear("txack", other(time=town.stamp(), queueItemId=down["id"]))
    await step(town)
    assert [command.state for command in town.commands()] == [State.SCHEDULED]
    await town.hear("ack", other(time=town.stamp(), queueItemId=down["id"], acknowledged=True))
    await step(town, 5)
    await step(town, 600)
    assert [command.state for command in town.commands()] == [State.APPLIED]
    assert not town.own.alarms()


async def test_an_order_waits_for_the_uplink_after_which_the_lamp_listens(town: Town) -> None:
    await alive(town, 1)
    town.wish(40)
    for _ in range(9):  # minutes: it reports every ten
        await step(town, 60)
    await alive(town, 2)
    await town.hear("txack", other(time=town.stamp(), queueItemId=told(town)[-1]["id"]))
    await step(town, 50)
    await town.hear("ack", other(time=town.stamp(), queueItemId=told(town)[-1]["id"], acknowledged=True))
    await step(town)
    assert [command.state for command in town.commands()] == [State.APPLIED]
    assert len(town.link.published) == 1
    assert not town.own.alarms()


async def test_when_the_wish_ends_it_is_told_what_the_program_wants(town: Town) -> None:
    await test_a_level_is_obeyed_once_the_lamp_has_acknowledged_it(town)
    town.own.end_overrides([Target("lamp", LAMP)], town.clock.now())
    await step(town)
    assert {command.order for command in town.commands()} == {SetLevel(40), SetLevel(0)}  # by day the program is dark


async def test_three_attempts_without_acknowledgement_are_a_failure_and_the_next_that_has_one_ends_it(town: Town) -> None:
    await alive(town, 1)
    town.wish(40, minutes=6000)
    for minute in range(400):
        await step(town, 60)
        await alive(town, 2 + minute)
        if town.own.alarms(open_only=True):
            break
    assert {alarm.kind for alarm in town.own.alarms(open_only=True)} == {AlarmKind.COMMAND_FAILED}
    heard = len(town.link.published)
    while len(town.link.published) == heard:
        await step(town, 60)
    await town.hear("ack", other(time=town.stamp(), queueItemId=told(town)[-1]["id"], acknowledged=True))
    for _ in range(10):
        await step(town, 60)
    assert not town.own.alarms(open_only=True)


async def step(town: Town, seconds: float = 1.0) -> None:
    town.clock.advance(seconds)
    await town.steerer.tick()


def told(town: Town) -> list[dict[str, object]]:
    return [json.loads(payload) for _, payload in town.link.published]
