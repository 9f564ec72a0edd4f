"""Looking at what has changed comes to the same commands as looking at everything, and costs nothing where nothing has."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.groups import Target
from city.ids import DevEui
from city.imports import COLUMNS, parse
from city.orders import to_json
from city.programs import HALBNACHT, Anchor, Moment, Program, Step, clock
from city.readings import to_ns
from city.settings import Bridge
from city.store.ports import ConfigWish
from gateway_bridge.mirror import Mirror
from gateway_bridge.steer import Steerer
from gateway_bridge.wishes import Decision
from tests.examples import examples
from tests.gateway_bridge.samples import EUI, other
from tests.gateway_bridge.test_steer import MANUAL, PROFILE, Lamp, tick
from tests.gateway_bridge.town import LAMP, Town, small_town

CSV = ("N-0042,lamp,Lampe 42,48.7,13.8,nord,K1,70b3d57ed0000043,nas/ul20xx,40,P4,\n")


def replaced(town: Town) -> None:
    """Another device serves the lamp."""
    rows, problems = parse((",".join(COLUMNS) + "\n" + CSV).encode(), {"nas/ul20xx"})
    assert not problems
    town.own.import_rows(rows)


class Life:
    """A small town and its steerer, which looks at so many devices each time whether anything has changed or not."""

    def __init__(self, town: Town, least: int) -> None:
        self.town, self.least, self.lamp = town, least, Lamp(town)
        self.restart()

    def restart(self) -> None:
        town = self.town
        town.steerer = Steerer(town.link, town.store, town.clock, Bridge(), town.metrics, turn=town.turn, reader=town.reader,
                               least=self.least)

    async def do(self, step: tuple[str, int]) -> None:
        what, how = step
        town = self.town
        if what in ("report", "answer", "refuse", "join") and not town.link.connected:
            what = ""  # nobody hears it
        match what:
            case "wish":
                town.wish(how, minutes=30, id=f"w{to_ns(town.clock.now())}")
            case "end":
                town.own.end_overrides([Target("lamp", LAMP)], town.clock.now())
            case "report":
                await self.lamp.report(how, MANUAL if how % 2 else PROFILE)
            case "answer":
                if self.lamp.downs():
                    await self.lamp.echo()
            case "refuse":
                if self.lamp.downs():
                    await self.lamp.refuse()
            case "join":
                await town.hear("join", other(time=town.stamp(), devAddr="00189441"))
            case "program":
                town.own.put_program(Program(HALBNACHT, "Halbnacht", Step(Moment(Anchor.SUNSET), how),
                                             (Step(clock(22), 50), Step(clock(5), how))))
            case "config":
                town.own.put_config_wish(ConfigWish(DevEui(EUI), b'{"fallback_level":%d}' % how, "ada", town.clock.now()))
            case "restart":
                self.restart()
            case "broker":
                town.link.connected = not town.link.connected
            case "pass":
                for _ in range(3):
                    await tick(town, how / 3)
        await tick(town, 1)

    def said(self) -> list[tuple[bytes, str, str]]:
        return sorted((to_json(one.order), one.origin, one.state.value) for one in self.town.commands())


STEPS = st.one_of(
    st.tuples(st.sampled_from(["wish", "report", "config"]), st.sampled_from([0, 40, 55, 100])),
    st.tuples(st.just("program"), st.sampled_from([70, 100])),
    st.tuples(st.sampled_from(["end", "answer", "answer", "refuse", "join", "restart", "broker"]), st.just(0)),
    st.tuples(st.just("pass"), st.sampled_from([6, 30, 130, 700, 3700])))


@given(st.lists(STEPS, max_size=10), st.sampled_from([0, 14]))
@settings(max_examples=examples(15), deadline=None)
def test_whatever_happens_both_come_to_the_same_commands(steps: list[tuple[str, int]], hours: int) -> None:
    async def lived(life: Life) -> list[tuple[bytes, str, str]]:
        life.town.clock.advance(hours * 3600)
        await life.lamp.report(0, PROFILE)
        for step in steps:
            await life.do(step)
        for _ in range(2):  # in a minute all have had their turn, and are told what they were found to need
            await tick(life.town, 61)
        return life.said()

    with ExitStack() as stack:
        full, lean = (Life(stack.enter_context(small_town(Path(stack.enter_context(TemporaryDirectory())))), least)
                      for least in (1000, 0))
        assert asyncio.run(lived(lean)) == asyncio.run(lived(full))


async def test_where_nothing_has_changed_nothing_is_looked_at(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(town, 0)
    await life.lamp.report(0, PROFILE)
    await tick(town)
    looked: list[object] = []
    decisions = town.steerer._decisions

    def decide(mirror: Mirror, devices: Sequence[DevEui], now: datetime) -> Iterator[Decision]:
        looked.extend(devices)
        return decisions(mirror, devices, now)

    monkeypatch.setattr(town.steerer, "_decisions", decide)
    for _ in range(20):
        await tick(town)
    assert looked == []
    town.wish(40)
    await tick(town)
    assert len(town.link.published) == 1
    assert set(looked) == {EUI}


async def test_a_configuration_is_told_in_the_next_look(town: Town) -> None:
    life = Life(town, 0)
    await life.lamp.report(0, PROFILE)
    await tick(town)
    town.own.put_config_wish(ConfigWish(DevEui(EUI), b'{"fallback_level":50}', "ada", town.clock.now()))
    await tick(town)
    assert len(town.link.published) == 1


async def test_an_order_of_a_device_that_serves_nothing_any_more_is_given_up(town: Town) -> None:
    life = Life(town, 0)
    await life.lamp.report(0, PROFILE)
    town.wish(40)
    town.link.connected = False
    await tick(town)
    replaced(town)
    await tick(town)
    await tick(town)
    assert [one.state.value for one in town.commands()] == ["failed"]
