"""The imitated server over the true air: frames meet, wait, and use up a gateway's hour."""

from datetime import UTC, datetime, timedelta

import pytest

from city.airtime import DUTY_CYCLE, HOUR_S, time_on_air
from city.orders import MulticastGroup, SetLevel
from decoders.catalog import codec_of
from simulator.chirpstack import ChirpStack
from simulator.downlinks import Order
from simulator.fleet import NOT_THERE
from simulator.scenario import Scenario
from simulator.true_air import TrueAir

START = datetime(2026, 11, 22, 18, tzinfo=UTC)
CODEC = codec_of("nas/ul20xx")
DIM = CODEC.encode_downlink(SetLevel(40, 60))


class Town:
    def __init__(self, lamps: int = 40, **devices: float) -> None:
        calm = {"uplink_loss": 0.0, "downlink_loss": 0.0, "join_within_s": 20.0} | devices
        self.scenario = Scenario.load(None).sized(lamps=lamps, bays=0).tuned(**calm)
        self.chirpstack = ChirpStack(self.scenario, seed=3, start=START, carried_by=TrueAir)
        assert isinstance(self.chirpstack.carrier, TrueAir)
        self.air, self.seconds = self.chirpstack.carrier, 0.0

    def run(self, seconds: float) -> list[tuple[str, bytes]]:
        self.seconds += seconds
        return self.chirpstack.advance(START + timedelta(seconds=self.seconds))

    def tell(self, lamps: int) -> None:
        for site in self.scenario.lamps[:lamps]:
            self.chirpstack.queues.enqueue(self.chirpstack.station(site.dev_eui),
                                           Order("", site.dev_eui, False, DIM.port, DIM.data, None))

    def at(self, level: int) -> int:
        return sum(lamp.level == level for lamp in self.chirpstack.lamps.values())


def test_a_lamp_that_is_told_obeys_and_says_so() -> None:
    town = Town()
    town.run(150)
    town.tell(10)
    said = town.run(60)
    assert town.at(40) == 10
    assert sum("/event/txack" in topic for topic, _ in said) == 10
    assert sum(town.chirpstack.on_air_s(one.id) for one in town.scenario.gateways) == pytest.approx(
        10 * time_on_air(len(DIM.data), 9), rel=0.01)


def test_a_town_that_speaks_at_once_is_not_understood() -> None:
    calm, crowd = Town(), Town()
    for town, within in ((calm, 120.0), (crowd, 0.3)):
        town.run(150)
        before = town.chirpstack.stats["lost up"]
        for index, station in enumerate(list(town.chirpstack.stations.values())):
            town.chirpstack._engine.after(within * index / 40, station.send, DIM)
        town.run(140)
        town.seconds = town.chirpstack.stats["lost up"] - before
    assert crowd.seconds > 10 * max(calm.seconds, 0.5)


def test_a_gateway_sends_no_more_than_its_share_of_an_hour() -> None:
    town = Town(lamps=30, rx2_sf=12, status_interval_s=3600, usage_interval_s=3600)
    town.run(150)
    for _ in range(40):
        town.tell(30)
        town.run(100)
    budget = HOUR_S * DUTY_CYCLE
    used = [town.chirpstack.on_air_s(one.id) for one in town.scenario.gateways]
    assert max(used) <= budget
    assert town.chirpstack.stats["gateway refused"] > 0, "and says so to what is too much"


def test_a_group_hears_one_frame_and_strangers_do_not() -> None:
    town = Town(rx2_sf=9)
    town.run(150)
    group = next(iter(town.chirpstack.registry.groups))
    members = [site for site in town.scenario.lamps if site.lamp.zone == group.name]
    keys = MulticastGroup(0, group.mc_addr, group.mc_nwk_s_key, group.mc_app_s_key)
    for site in members:
        frame = CODEC.encode_downlink(keys)
        town.chirpstack.queues.enqueue(town.chirpstack.station(site.dev_eui),
                                       Order("", site.dev_eui, False, frame.port, frame.data, None))
    town.run(120)
    town.chirpstack.multicast.enqueue(group, DIM.port, DIM.data)
    town.run(30)
    assert 0.9 * len(members) <= town.at(40) <= len(members) < len(town.scenario.lamps)


def test_a_share_of_downlinks_is_lost_on_top() -> None:
    town = Town(downlink_loss=0.5, status_interval_s=3600, usage_interval_s=3600)
    town.run(150)
    town.tell(40)
    town.run(60)
    assert 8 <= town.at(40) <= 32
    assert town.chirpstack.stats["lost down"] >= 8


def test_a_gateway_that_is_off_the_net_says_nothing() -> None:
    town = Town()
    town.run(150)
    for one in town.scenario.gateways:
        town.chirpstack.fleet.silence(one.id, True)
    station = town.chirpstack.station(town.scenario.lamps[0].dev_eui)
    said, _ = town.air.down(station.gateway or 0, station, DIM, sf=9, frequency=869_525_000, delay_s=0, arrived=lambda _: None)
    assert said == NOT_THERE


def test_the_same_seed_gives_the_same_air() -> None:
    first, second = Town(), Town()
    assert first.run(300) == second.run(300)
    assert first.air.medium.stats == second.air.medium.stats
