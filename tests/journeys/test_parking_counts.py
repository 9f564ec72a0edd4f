"""Parking, from the air to a number that everybody may read: and to none where nothing is certain."""

from datetime import timedelta

import pytest

from api.public_view import public_view
from city.parking_display import Tells
from city.quantities import BAY_OCCUPIED, DEVICE_HEARTBEAT, Measurement
from city.readings import Entry, from_ns, to_ns
from city.settings import Parking
from city.store.readings import LocalLog
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


def published(town):
    """What everybody may know: the zones' main counts."""
    seen = public_view(town.town, town.clock.now(), Parking())
    return {zone.zone: zone.main for zone in seen.zones}


def known(town):
    """Of each bay what staff read."""
    return {fact.bay: (fact.occupancy, fact.why) for fact in town.town.bay_facts()}


async def test_a_bridge_that_is_cut_off_from_the_broker_finds_nothing_out_and_its_numbers_go(town):
    counter = counter_of(town)
    await live(town, counter, 1200)
    assert any(count.tells is Tells.NUMBER for count in published(town).values())
    before = {zone.zone: zone.evaluated_at for zone in town.town.zone_facts()}
    town.link.disconnect()
    for _ in range(200):
        await town.clock.tick(10)
        counter.step()
    assert {zone.zone: zone.evaluated_at for zone in town.town.zone_facts()} == before
    assert all(count.tells in (Tells.NOTHING, Tells.TOO_FEW) for count in published(town).values())


async def test_what_a_broker_has_kept_during_a_cut_is_counted_before_anything_is_told_again(town):
    counter = counter_of(town)
    await live(town, counter, 1200)
    town.link.disconnect()
    for _ in range(60):
        await town.clock.tick(10)
        for topic, payload in town.chirpstack.advance(town.clock.now()):
            town.link.deliver(topic, payload, qos=1)
        counter.step()
    town.link.reconnect()
    await live(town, counter, 120)
    truth = {bay.id: town.chirpstack.bays[bay.id].occupied for bay in town.town.bays()}
    assert sum((known(town)[bay][0] == "occupied") != truth[bay] for bay in truth) <= 2


async def test_what_a_broker_has_not_kept_makes_bays_doubtful_that_may_well_have_changed(town):
    counter = counter_of(town)
    await live(town, counter, 1200)
    town.link.disconnect()
    for _ in range(360):
        await town.clock.tick(10)
        town.chirpstack.advance(town.clock.now())
        counter.step()
    town.link.reconnect(session_present=False)
    await live(town, counter, 60)
    spoke = {fact.bay for fact in town.town.bay_facts() if fact.said_at is not None
             and fact.said_at > town.clock.now() - timedelta(seconds=60)}
    doubtful = {bay for bay, (_, why) in known(town).items() if why == "unheard"}
    assert doubtful >= known(town).keys() - spoke
    assert not any(count.tells is Tells.NUMBER for count in published(town).values())


async def test_after_a_restart_the_next_process_goes_on_without_a_wrong_number(town):
    first = counter_of(town)
    await live(town, first, 1200)
    first.save()
    before, numbers = known(town), published(town)
    second = counter_of(town)
    await live(town, second, 20)
    assert published(town) == numbers or known(town) != before  # the same, but for what was said since
    assert all(occupancy in ("free", "occupied") for occupancy, _ in known(town).values())


async def test_without_a_memory_the_same_follows_from_what_sensors_have_said(town):
    first = counter_of(town)
    await live(town, first, 1200)
    before = known(town)
    second = counter_of(town)  # the first one fell over before it kept anything
    second.step()
    assert known(town) == before


async def test_a_frame_that_comes_late_is_put_where_it_belongs(town):
    counter = counter_of(town)
    await live(town, counter, 1200)
    bay = town.town.bays()[0]
    place = town.log.means().places
    where = next(one for one in place.values() if one.asset == bay.id)
    now = to_ns(town.clock.now())
    minute = 60 * 10**9

    def say(at_ns, number, occupied, *, beat=False):
        said = (Measurement(BAY_OCCUPIED, occupied), Measurement(DEVICE_HEARTBEAT, beat))
        town.log.append([Entry(where, at_ns, f"0badcafe:{number}", said)])

    say(now + minute, 1, False)
    say(now + 3 * minute, 3, False)
    await town.clock.tick(240)
    counter.step()
    say(now + 2 * minute, 2, True)
    for _ in range(2):  # while all that is heard is of the past, it is waited for more
        await town.clock.tick(60)
        counter.step()
    fact, = (one for one in town.town.bay_facts() if one.bay == bay.id)
    assert (fact.occupancy, fact.since, fact.said_at) == ("free", from_ns(now + 3 * minute), from_ns(now + 3 * minute))
    assert [event.number for event in town.town.bay_events(bay.id, town.start, town.clock.now())][-3:] == [1, 2, 3]


async def test_two_bridges_share_the_work_and_the_one_that_steers_counts_what_both_have_heard(town, tmp_path):
    other_log = LocalLog(tmp_path / "other")
    steers = counter_of(town)
    helps = counter_of(town, log=other_log, steers=False)
    await live(town, steers, 600)
    bay = town.town.bays()[0]
    where = next(one for one in town.log.means().places.values() if one.asset == bay.id)
    before, _ = known(town)[bay.id]
    said = (Measurement(BAY_OCCUPIED, before == "free"), Measurement(DEVICE_HEARTBEAT, False))
    other_log.append([Entry(where, to_ns(town.clock.now()), "0badcafe:7", said)])
    helps.step()
    await town.clock.tick(70)
    steers.step()
    assert known(town)[bay.id][0] != before
    other_log.close()


async def test_what_is_told_late_is_heard_to_its_end_before_anything_is_told_of_it(town):
    """As after a start: two hours come within seconds, and no state on the way is ever said to be of now."""
    counter, told = counter_of(town), list[tuple[str, bytes]]()
    for _ in range(240):
        await town.clock.tick(30)
        told += town.chirpstack.advance(town.clock.now())
    for begin in range(0, len(told), part := len(told) // 8 + 1):
        some = told[begin:begin + part]
        for topic, payload in some:
            town.link.deliver(topic, payload)
        handled = 0
        while handled < len(some):
            handled += await town.listener.step()
        await town.clock.tick(5)
        counter.step()
        if begin + part < len(told):
            assert town.town.zone_facts() == []
    counter.step()
    truth = {bay.id: town.chirpstack.bays[bay.id].occupied for bay in town.town.bays()}
    assert sum((known(town)[bay][0] == "occupied") != truth[bay] for bay in truth) <= 2
    assert all(count.coverage == 1.0 for zone in town.town.zone_facts() for count in zone.counts.values())


async def test_a_network_server_whose_clock_is_slow_does_not_keep_us_from_looking_for_ever(town):
    counter, late = counter_of(town), list[tuple[str, bytes]]()
    for step in range(120):
        await town.clock.tick(10)
        late.append(town.chirpstack.advance(town.clock.now()))
        if step < 30:
            continue
        for topic, payload in (now := late.pop(0)):
            town.link.deliver(topic, payload)
        handled = 0
        while handled < len(now):
            handled += await town.listener.step()
        counter.step()
    assert all(town.clock.now() - zone.evaluated_at <= timedelta(seconds=90) for zone in town.town.zone_facts())
    assert town.town.zone_facts()


class Listening:
    """A store that says what is asked of it."""

    def __init__(self, store):
        self._store, self.asked = store, []

    def __getattr__(self, name):
        self.asked.append(name)
        return getattr(self._store, name)


async def test_a_town_without_bays_is_asked_for_nothing_but_whether_it_has_some_now(platform):
    p = platform(lamps=6, bays=0)
    p.store = Listening(p.store)
    counter = counter_of(p)
    await live(p, counter, 120)
    p.store.asked.clear()
    p.clock.advance(60)
    counter.step()
    assert set(p.store.asked) <= {"tenants", "registry_revision"}
