"""From a resident's “Stimmt nicht?” through the bridge's loop to what staff reads of the sensors."""

import re
from datetime import timedelta

import pytest

from city.parking_places import Doubting
from city.quantities import BAY_OCCUPIED, DEVICE_HEARTBEAT, Measurement
from city.readings import Entry, to_ns
from city.sensor_checks import Result
from tests.journeys.test_parking_counts import counter_of, live


@pytest.fixture
def town(platform):
    return platform(lamps=6, bays=40, missed_edge=0.0)


def say(town, bay, after, number, occupied, *, beat=False):
    """A word of a bay's sensor that begins a session of its own, so long from now."""
    where = next(one for one in town.log.means().places.values() if one.asset == bay.id)
    said = (Measurement(BAY_OCCUPIED, occupied), Measurement(DEVICE_HEARTBEAT, beat))
    town.log.append([Entry(where, to_ns(town.clock.now() + after), f"0badcafe:{number}", said)])


def count(town, counter):
    town.clock.advance(61)
    while counter.step():
        pass


async def report(town, zone, what):
    async with town.anybody() as anybody:
        answer = await anybody.post(f"/{town.town.tenant.id}/parken/{zone}/hinweis", data={"what": what})
        assert answer.status_code == 303, answer.text[:500]
        thanks = await anybody.get(answer.headers["location"].partition("#")[0])
    assert town.town.doubts()[0].what.value == what
    return thanks.text


async def inbox(town):
    async with town.browser() as staff:
        answer = await staff.get(f"/{town.town.tenant.id}/betrieb/parken/hinweise")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.text)


def checks(town):
    return town.town.sensor_checks(town.start - timedelta(days=9))


def biggest(town):
    """The zone with most bays for everybody, and its first."""
    zone = max(town.town.zone_facts(), key=lambda one: one.counts[""].total if "" in one.counts else 0).zone
    return zone, next(bay for bay in town.town.bays() if bay.zone == zone)


async def test_a_report_starts_a_check_whose_result_staff_reads(town):
    counter = counter_of(town)
    await live(town, counter, 1200)
    zone, bay = biggest(town)
    say(town, bay, -timedelta(minutes=1), 1, False)
    count(town, counter)
    thanks = await report(town, zone, "fuller")
    assert "Sensoren dieser Zone" in thanks
    assert "Noch nicht begonnen" in await inbox(town)
    count(town, counter)
    check, = checks(town)
    assert (check.zone, check.done_at, check.result(Doubting.FULLER)) == (zone, None, Result.RUNNING)
    assert check.total == len([one for one in town.town.bays() if one.zone == zone])
    assert "Die Sensoren werden geprüft" in await inbox(town)

    say(town, bay, -timedelta(seconds=30), 2, True, beat=True)  # nobody has heard the change
    for _ in range(20):
        count(town, counter)
    check, = checks(town)
    assert check.result(Doubting.FULLER) is Result.CONFIRMED
    page = await inbox(town)
    assert "Bestätigt" in page
    assert f"/stellplatz/{bay.id}" in page


async def test_the_next_process_goes_on_with_a_check_and_a_flood_costs_one(town):
    first = counter_of(town)
    await live(town, first, 1200)
    zone, _ = biggest(town)
    for _ in range(4):
        await report(town, zone, "other")
    count(town, first)
    assert len(checks(town)) == 1
    first.save()
    second = counter_of(town)
    for _ in range(8):
        count(town, second)
    check, = checks(town)
    assert check.looked_at > town.town.doubts()[0].at + timedelta(minutes=5)


async def test_a_wrong_rule_is_no_matter_of_sensors(town):
    counter = counter_of(town)
    await live(town, counter, 600)
    zone, _ = biggest(town)
    thanks = await report(town, zone, "rule")
    assert "Sensoren" not in thanks.partition('role="status"')[2].partition("</p>")[0]
    count(town, counter)
    assert list(checks(town)) == []
    assert "Sensoren wissen nichts von Regeln" in await inbox(town)
