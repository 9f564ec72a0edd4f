"""The loop that counts bays, in the ways in which the world goes wrong: it keeps its rhythm, its numbers and its books."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import process_time

import pytest

from city.clock import ManualClock
from city.ids import ZoneId
from city.imports import parse
from city.parking_places import ParkingSite
from city.quantities import BAY_OCCUPIED, DEVICE_HEARTBEAT, Measurement
from city.readings import Entry, from_ns, to_ns
from city.settings import Parking
from decoders.catalog import catalog
from gateway_bridge.parking import ParkingCounter, Surroundings, due, pause
from gateway_bridge.tenure import Tenure
from tests.journeys.test_parking_counts import counter_of, known, live, published

QUARTER = timedelta(minutes=15)


@pytest.fixture
def town(platform):
    return platform(lamps=2, bays=40, missed_edge=0.0)


def say(town, bay, at, number, occupied, *, beat=False, session="0badcafe"):
    """A sensor's word in the local log."""
    where = next(one for one in town.log.means().places.values() if one.asset == bay)
    said = (Measurement(BAY_OCCUPIED, occupied), Measurement(DEVICE_HEARTBEAT, beat))
    town.log.append([Entry(where, to_ns(at), f"{session}:{number}", said)])


def listed(town, **other):
    """The town's list of assets again, with other values for some bays: {asset: {column: value}}."""
    rows = list(csv.DictReader(io.StringIO(town.scenario.import_csv().decode())))
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | other.get(row["asset"], {}) for row in rows)
    found, problems = parse(out.getvalue().encode(), catalog())
    assert problems == []
    return found


# -- rhythm

async def test_the_time_of_evaluation_follows_its_grid_whatever_happens_in_between(town):
    """Else it would tell that a car has come or gone, also in zones that nobody is told of."""
    counter = counter_of(town)
    await live(town, counter, 600)
    town.clock.advance(200)  # changes that were held back are shown
    counter.step()
    await town.clock.tick(17.3)
    quiet, busy, bay = [], [], town.town.bays()[0].id
    for number, times in enumerate((quiet, busy)):
        for place in range(40):
            await town.clock.tick(counter.pause())
            if number and place % 3:
                say(town, bay, town.clock.now() - timedelta(seconds=1), place + 1, place % 2 == 0)
            counter.step()
            times.append({fact.evaluated_at for fact in town.town.zone_facts()})
    assert {at.second for ats in quiet[12:] for at in ats} == {0}
    assert {at.microsecond for ats in quiet[12:] + busy for at in ats} == {0}
    on_grid = [at for ats in busy for at in ats if at.second == 0]
    assert [later - earlier for earlier, later in pairwise(sorted(on_grid))] == [timedelta(minutes=1)] * (len(on_grid) - 1)
    assert len(on_grid) >= 3


def test_looks_are_made_when_seconds_since_1970_are_over():
    at, said = datetime(2026, 11, 22, 18, 0, 7, 250_000, tzinfo=UTC), Parking()
    assert pause(at, said) == pytest.approx(2.75)
    assert pause(at.replace(second=58, microsecond=0), replace(said, evaluate_s=7, publish_s=60)) <= 2
    assert [due(at, at + timedelta(seconds=s), said) for s in (0, 52, 53, 60)] == [False, False, True, True]
    assert due(None, at, said)
    assert due(at, at - timedelta(minutes=10), said)  # the clock was set back: what is told is not left to grow old


# -- processes and clocks

async def test_two_bridges_take_turns_and_neither_books_a_quarter_twice_nor_tells_what_the_other_does_not(town):
    one, other = (Tenure(town.store, "steering", holder, 30) for holder in ("one", "other"))

    def counter(tenure):
        return ParkingCounter(town.store, town.log, town.clock, Parking(), Surroundings(
            lambda: tenure.held, lambda eui: town.store.view([eui]).get(eui), lambda: True, lambda: 0, dict))

    first, second = counter(one), counter(other)
    for turn in range(6):
        holder = other if turn % 2 else one
        for _ in range(30):
            await town.clock.tick(30)
            await town.hear()
            holder.hold()
            for each in (first, second):
                while each.step():
                    pass
        holder.release()
    booked = [(row.zone, row.restriction, row.at) for row in town.town.quarters(town.start, town.clock.now())]
    assert len(booked) == len(set(booked))
    assert {at for *_, at in booked} >= {town.start + n * QUARTER for n in range(5)}
    truth = {bay.id: town.chirpstack.bays[bay.id].occupied for bay in town.town.bays()}
    assert sum((known(town)[bay][0] == "occupied") != truth[bay] for bay in truth) <= 2


class Swinging(ManualClock):
    """A clock that somebody sets."""

    def set(self, at):
        self._now = at


async def test_a_clock_that_jumps_spoils_neither_numbers_nor_books(town):
    counter = counter_of(town)
    await live(town, counter, 1200)
    town.clock.advance(61)  # changes that were held back are shown
    counter.step()
    numbers, clock = known(town), Swinging(town.clock.now())
    jumping = ParkingCounter(town.store, town.log, clock, Parking(), Surroundings(
        lambda: (True, None), lambda eui: town.store.view([eui]).get(eui), lambda: True, lambda: 0, dict))
    jumping.step()
    for jump in (timedelta(hours=-2), timedelta(minutes=3), timedelta(hours=2), timedelta(minutes=-10), timedelta(minutes=10)):
        clock.set(clock.now() + jump)
        for _ in range(4):
            clock.advance(jumping.pause())
            jumping.step()
    assert known(town) == numbers
    rows = town.town.quarters(town.start - timedelta(days=1), town.start + timedelta(days=1))
    assert len({(row.zone, row.restriction, row.at) for row in rows}) == len(rows)
    assert all(row.free_s + row.occupied_s + row.unknown_s == 900 * row.bays for row in rows)
    assert all(row.at < town.clock.now() + timedelta(minutes=20) for row in rows)


# -- towns that change

async def test_a_bay_that_is_moved_counts_in_its_new_zone_at_once_and_in_the_old_one_no_more(town):
    counter = counter_of(town)
    await live(town, counter, 900)
    zones = sorted({bay.zone for bay in town.town.bays()})
    before = {fact.zone: sum(count.total for count in fact.counts.values()) for fact in town.town.zone_facts()}
    bay = next(one for one in town.town.bays() if one.zone == zones[0])
    town.town.import_rows(listed(town, **{bay.id: {"zone": zones[1]}}))
    await live(town, counter, 61)
    after = {fact.zone: sum(count.total for count in fact.counts.values()) for fact in town.town.zone_facts()}
    assert (after[zones[0]], after[zones[1]]) == (before[zones[0]] - 1, before[zones[1]] + 1)
    assert next(fact for fact in town.town.bay_facts() if fact.bay == bay.id).zone == zones[1]
    assert known(town)[bay.id][0] in ("free", "occupied")  # what its sensor said still holds


async def test_a_zone_without_bays_is_told_of_no_more_and_a_merged_one_is_counted_elsewhere(town):
    counter = counter_of(town)
    await live(town, counter, 900)
    zones = sorted({bay.zone for bay in town.town.bays()})
    gone = [one for one in town.town.bays() if one.zone == zones[0]]
    town.town.import_rows(listed(town, **{bay.id: {"zone": "neu"} for bay in gone}))
    await live(town, counter, 61)
    assert {fact.zone for fact in town.town.zone_facts()} == {*zones[1:], "neu"}
    assert zones[0] not in published(town)
    town.town.put_parking_site(ParkingSite(ZoneId("neu"), merged_into=zones[1]), "me", town.clock.now())
    await live(town, counter, 661)  # sites are read again every ten minutes
    facts = {fact.zone: fact for fact in town.town.zone_facts()}
    assert facts.keys() == set(zones[1:])
    inside = [one for one in town.town.bays() if one.zone in ("neu", zones[1])]
    assert sum(count.total for count in facts[zones[1]].counts.values()) == len(inside)


async def test_a_sensor_that_is_swapped_begins_anew_and_its_bay_keeps_no_word_of_the_old_one_for_longer(town):
    counter = counter_of(town)
    await live(town, counter, 900)
    bay = town.town.bays()[0]
    town.town.import_rows(listed(town, **{bay.id: {"dev_eui": "00000000deadbeef"}}))
    await live(town, counter, 61)
    now = town.clock.now()
    say(town, bay.id, now - timedelta(seconds=50), 500, True, beat=True, session="01111111")
    say(town, bay.id, now, 0, False, session="02222222")  # another device address, counting from the beginning
    await live(town, counter, 120)
    fact = next(one for one in town.town.bay_facts() if one.bay == bay.id)
    assert (fact.occupancy, fact.since) == ("free", from_ns(to_ns(now)))


async def test_a_town_that_is_there_no_more_is_forgotten_by_the_loop(town):
    counter = counter_of(town)
    await live(town, counter, 300)
    store = _Without(town.store, town.town.tenant.id)
    lonely = ParkingCounter(store, town.log, town.clock, Parking(), Surroundings(
        lambda: (True, None), lambda _: None, lambda: True, lambda: 0, dict))
    store.hides = False
    lonely.step()
    store.hides = True
    lonely.step()
    lonely.save()
    assert store.kept == []


class _Without:
    """A store that has lost a town."""

    def __init__(self, store, tenant):
        self._store, self._tenant, self.hides, self.kept = store, tenant, True, []

    def tenants(self):
        return [town for town in self._store.tenants() if not (self.hides and town.id == self._tenant)]

    def put_parking_memory(self, tenant, *_rest, **_named):
        self.kept.append(tenant)

    def __getattr__(self, name):
        return getattr(self._store, name)


# -- much at once

async def test_ten_thousand_words_after_an_outage_are_counted_in_seconds(town):
    seen = town.store.view([device.dev_eui for device in town.town.devices()])
    counter = ParkingCounter(town.store, town.log, town.clock, Parking(), Surroundings(
        lambda: (True, None), seen.get, lambda: True, lambda: 0, dict))
    await live(town, counter, 300)
    begin, bays = town.clock.now(), [bay.id for bay in town.town.bays()]
    places = {place.asset: place for place in town.log.means().places.values()}
    words = [Entry(places[bays[n % 40]], to_ns(begin + timedelta(seconds=4 * n)), f"0badcafe:{n // 40 + 1}",
                   (Measurement(BAY_OCCUPIED, n // 40 % 2 == 0), Measurement(DEVICE_HEARTBEAT, False))) for n in range(10_000)]
    for part in range(0, len(words), 500):
        town.log.append(words[part:part + 500])
    town.clock.advance(40_100)  # longer than the last change is held back
    spent = process_time()
    while counter.step():
        pass
    counter.step()
    assert process_time() - spent < 20  # on a slow and busy machine; about one second
    assert {fact.bay: fact.occupancy for fact in town.town.bay_facts()} == dict.fromkeys(bays, "free")
