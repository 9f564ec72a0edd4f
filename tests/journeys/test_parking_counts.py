"""Parking, from the air to a number that everybody may read: and to none where nothing is certain."""

from datetime import timedelta

import pytest

from city.settings import Parking
from gateway_bridge.parking import ParkingCounter, Surroundings
from gateway_bridge.tenure import Tenure


def counter_of(p, *, log=None, holder="one", steers=True):
    """The counting loop of a bridge on this platform."""
    tenure = Tenure(p.store, "steering", holder, 30)
    if steers:
        tenure.hold()
    return ParkingCounter(p.store, log or p.log, p.clock, Parking(), Surroundings(
        lambda: (steers, tenure.held[1]), lambda eui: p.store.view([eui]).get(eui), lambda: p.link.connected,
        lambda: p.link.counts.sessions_lost, dict))


async def live(p, counter, seconds, step=10.0):
    """Let time pass, and count."""
    end = p.clock.now() + timedelta(seconds=seconds)
    while p.clock.now() < end:
        await p.clock.tick(step)
        await p.hear()
        while counter.step():
            pass


@pytest.fixture
def town(platform):
    return platform(lamps=6, bays=40, missed_edge=0.0)


async def test_what_sensors_say_is_a_number_for_everybody(town):
    counter = counter_of(town)
    await live(town, counter, 1200)
    truth = {bay.id: town.chirpstack.bays[bay.id].occupied for bay in town.town.bays()}
    facts = {fact.bay: fact.occupancy for fact in town.town.bay_facts()}
    assert facts.keys() == truth.keys()
    assert sum((facts[bay] == "occupied") != truth[bay] for bay in truth) <= 2
    for zone in town.town.zone_facts():
        assert town.clock.now() - zone.evaluated_at <= timedelta(seconds=60)
        assert all(count.coverage == 1.0 for count in zone.counts.values())
