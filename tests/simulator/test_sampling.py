"""What the simulator tells InfluxDB of itself."""

from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest

from city.clock import ManualClock
from city.figures import PLATFORM_DEVICES, PLATFORM_FRAMES, PLATFORM_LOST
from city.figures_sample import Look, sample
from city.ids import TenantId
from city.settings import Influx
from simulator.chirpstack import ChirpStack
from simulator.options import shipped
from simulator.sampling import Played, named, of_towns, simulator_teller, tells, with_played
from simulator.scenario import Scenario
from tests.city_store.standin import standin
from tests.simulator.conftest import NIGHT

SCENARIO = Scenario.load(shipped()["sturmnacht"]).sized(lamps=30, bays=10)


def test_what_the_town_sent_and_what_nobody_heard_is_told_of_the_step() -> None:
    town = ChirpStack(SCENARIO, seed=1, start=NIGHT)
    events = town.advance(NIGHT + timedelta(hours=1))
    before = of_towns([town])
    ups = sum(topic.endswith("/up") for topic, _ in events)
    assert before.devices == 40
    assert before.frames - before.lost == ups > 0
    more = sum(topic.endswith("/up") for topic, _ in town.advance(NIGHT + timedelta(hours=2)))
    after = of_towns([town])
    found = sample(with_played(Look(0.0, 0.0), before), with_played(Look(1.0, 0.0), after)).values
    assert found[PLATFORM_DEVICES] == 40
    assert found[PLATFORM_FRAMES] == more + after.lost - before.lost
    assert found[PLATFORM_LOST] == after.lost - before.lost


def test_several_towns_are_one_simulator() -> None:
    towns = [ChirpStack(SCENARIO, seed=seed, start=NIGHT) for seed in (1, 2)]
    for town in towns:
        town.advance(NIGHT + timedelta(minutes=20))
    both = of_towns(towns)
    assert both == Played(*(sum(pair) for pair in zip(*map(of_towns, ([towns[0]], [towns[1]])), strict=True)))


@pytest.mark.parametrize(("count", "name"), [(1, "t0"), (3, "t0+t1+t2"), (72, "t0+t1+t2+69")])
def test_a_simulator_is_named_by_its_towns(count: int, name: str) -> None:
    towns = [replace(SCENARIO, tenant=replace(SCENARIO.tenant, id=TenantId(f"t{number}"))) for number in range(count)]
    assert named(towns) == name


def test_it_is_told_under_the_towns_own_time() -> None:
    clock = ManualClock(NIGHT)
    with standin(version={"X-Influxdb-Version": "1.8.10"}, answers=deque([(204, {}, b"")])) as influx:
        played = [Played(40, 10, 1, 2), Played(40, 70, 3, 5)]
        teller = simulator_teller(Influx(url=influx.url, figures_s=60), clock, [SCENARIO], lambda: played.pop(0))
        clock.advance(60)
        teller.step()
        [line] = influx.points
    assert line.startswith(b"platform,name=sturmnacht,process=simulator frames=60i,lost=2i,orders=3i,devices=40i,cpu=")
    assert line.endswith(b" %d" % (NIGHT.timestamp() * 10**9))


def test_nobody_is_told_where_there_is_no_influx() -> None:
    assert [tells(Influx()), tells(Influx(url="http://h", figures_s=0)), tells(Influx(url="http://h"))] == [False, False, True]
