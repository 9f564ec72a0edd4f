"""What is booked of parking: quarters of an hour, stays, days of sensors; also of what comes late, and after a catching up."""

from datetime import timedelta

import pytest

from city.nights import BERLIN
from tests.journeys.test_parking_counts import counter_of, live

QUARTER = timedelta(minutes=15)


@pytest.fixture
def town(platform):
    return platform(lamps=2, bays=40, missed_edge=0.0)


def occupied(town, at):
    """By zone and kind: the share of bays that were taken in a quarter of an hour."""
    return {(one.zone, one.restriction): one.occupied_s / (900 * one.bays)
            for one in town.town.quarters(at, at + QUARTER) if one.unknown_s == 0}


async def test_each_quarter_of_an_hour_is_booked_when_it_is_over(town):
    counter = counter_of(town)
    await live(town, counter, 3600 + 200, step=20)
    booked = town.town.quarters(town.start, town.clock.now())
    places = {(bay.zone, bay.restriction.value) for bay in town.town.bays()}
    assert {one.at for one in booked} == {town.start + n * QUARTER for n in range(4)}
    assert {(one.zone, one.restriction) for one in booked} == places
    assert all(one.free_s + one.occupied_s + one.unknown_s == one.bays * 900 for one in booked)
    assert len(occupied(town, town.start + 3 * QUARTER)) == len(places)  # all was known by then
    truth = sum(town.chirpstack.bays[bay.id].occupied for bay in town.town.bays()) / 40
    last = [one for one in booked if one.at == town.start + 3 * QUARTER]
    assert sum(one.occupied_s for one in last) / (40 * 900) == pytest.approx(truth, abs=0.15)
    today = town.clock.now().astimezone(BERLIN).date()
    assert {day.bay for day in town.town.bay_days(today, today)} == {bay.id for bay in town.town.bays()}


async def test_what_is_heard_only_later_is_booked_as_if_it_had_been_heard_at_once(town):
    at_once = counter_of(town)
    await live(town, at_once, 3600 + 200, step=20)
    wanted = town.town.quarters(town.start, town.clock.now())
    stays = town.town.stays(town.start, town.clock.now())
    # the same words again, for a platform that looks before it has heard anything, and then hears them bit by bit
    other = town.store.tenant(town.scenario.tenant.id)
    events = {bay.id: other.bay_events(bay.id, town.start - timedelta(hours=1), town.clock.now()) for bay in other.bays()}
    for what in ("bay_events", "parking_quarters", "parking_stays"):
        town.store.retire(other.tenant.id, what, town.clock.now() + timedelta(days=1))
    town.store.put_parking_memory(other.tenant.id, b"nothing", town.clock.now())
    later = counter_of(town)
    words = sorted((event.at_ns, bay, event) for bay, of in events.items() for event in of)
    for part in range(0, len(words), 60):
        later.step()
        town.store.add_bay_events(other.tenant.id, [(bay, event) for _, bay, event in words[part:part + 60]], town.clock.now())
        await town.clock.tick(61)
    later.step()
    assert [one for one in other.quarters(town.start, wanted[-1].at + QUARTER) if one.unknown_s == 0] \
        == [one for one in wanted if one.unknown_s == 0]
    found = {(one.began, one.ended) for one in other.stays(town.start, town.clock.now())}
    assert found >= {(one.began, one.ended) for one in stays}
