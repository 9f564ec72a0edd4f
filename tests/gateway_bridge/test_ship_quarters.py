"""Quarters of an hour on their way to InfluxDB: each once, again where it changes, whoever steers and whatever fails."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import TenantId, ZoneId
from city.parking_facts import Quarter
from city.places import Site, Tenant
from city.settings import Parking
from city.store.influx import InfluxHeld
from city.store.opening import open_store
from city.store.port_parking import ParkingFound
from gateway_bridge.ship_quarters import FILE, QuarterShipper
from tests.gateway_bridge.test_ship import ListSink

NOW = datetime(2026, 11, 22, 12, 2, tzinfo=UTC)
TOWN = TenantId("ahausen")
QUARTER = timedelta(minutes=15)


def quarter(at, taken=4, zone="Markt"):
    return Quarter(ZoneId(zone), "", at, 10, (10 - taken) * 900, taken * 900, 0)


class Bridge:
    """The city database, a bridge's directory, and InfluxDB."""

    def __init__(self, directory, store=None, sink=None, clock=None, steers=True):
        self.directory, self.steers = directory, steers
        directory.mkdir(exist_ok=True)
        self.store = store or open_store("sqlite://")
        self.sink, self.clock = sink or ListSink(), clock or ManualClock(NOW)
        if store is None:
            self.store.put_tenant(Tenant(TOWN, "Ahausen", Site(51.0, 8.0)))
        self.restart()

    def restart(self, cursor="influx one"):
        self.shipper = QuarterShipper(self.store, self.sink, self.clock, Parking(), directory=self.directory, cursor=cursor,
                                      lease=lambda: (self.steers, None))

    def books(self, *quarters):
        self.store.put_parking(TOWN, ParkingFound(quarters=quarters))

    def run(self):
        while not self.shipper.step():
            pass

    def points(self):
        """What InfluxDB has: the last word of each point."""
        return {(line.split(b" ")[0], line.rpartition(b" ")[2]): line.split(b" ")[-2] for line in self.sink.stored}


@pytest.fixture
def bridge(tmp_path):
    one = Bridge(tmp_path / "one")
    yield one
    one.store.close()


def test_the_history_that_there_is_comes_first_and_then_each_new_quarter_once(bridge):
    days = [NOW.replace(minute=0) - timedelta(days=number) for number in (40, 39, 3, 0)]
    bridge.books(*(quarter(at - QUARTER) for at in days))
    bridge.run()
    assert len(bridge.sink.stored) == len(bridge.points()) == 4
    for _ in range(3):
        bridge.clock.advance(900)
        bridge.books(quarter(bridge.clock.now().replace(minute=bridge.clock.now().minute // 15 * 15) - QUARTER, 5))
        bridge.run()
        bridge.run()
    assert len(bridge.sink.stored) == len(bridge.points()) == 7


def test_what_changes_later_is_sent_again_and_nothing_else(bridge):
    at = NOW.replace(minute=0)
    bridge.books(*(quarter(at - number * QUARTER) for number in range(1, 9)))
    bridge.run()
    bridge.books(quarter(at - 5 * QUARTER, taken=7))
    bridge.run()
    assert len(bridge.sink.stored) == 9
    assert len(bridge.points()) == 8
    assert b"taken=7.0" in bridge.sink.stored[-1]


def test_an_outage_loses_nothing_and_is_said(bridge):
    at = NOW.replace(minute=0)
    bridge.books(*(quarter(at - number * QUARTER) for number in range(1, 200)))
    bridge.sink.failures = [InfluxHeld("no", held="unauthorized"), InfluxDown("away")]
    with pytest.raises(InfluxHeld):
        bridge.run()
    assert bridge.shipper.held == "unauthorized"
    with suppress(InfluxDown):
        bridge.run()
    bridge.run()
    assert (bridge.shipper.held, bridge.shipper.error, len(bridge.points())) == ("", "", 199)


def test_after_a_restart_only_what_may_still_change_is_sent_again(bridge):
    at = NOW.replace(minute=0)
    bridge.books(*(quarter(at - number * QUARTER) for number in range(1, 4 * 24 * 5)))
    bridge.run()
    before = len(bridge.sink.stored)
    bridge.restart()
    bridge.run()
    assert 0 < len(bridge.sink.stored) - before <= 4 * 9
    assert len(bridge.points()) == before


def test_another_influxdb_gets_everything(bridge):
    bridge.books(*(quarter(NOW.replace(minute=0) - number * QUARTER) for number in range(1, 4 * 24 * 3)))
    bridge.run()
    before = len(bridge.sink.stored)
    bridge.restart("influx two")
    bridge.run()
    assert len(bridge.sink.stored) == 2 * before


def test_two_bridges_that_take_turns_leave_no_gap_and_no_duplicate(bridge, tmp_path):
    other = Bridge(tmp_path / "two", bridge.store, bridge.sink, bridge.clock, steers=False)
    at = NOW.replace(minute=0)
    bridge.books(quarter(at - QUARTER))
    for number in range(12):
        turn = number // 3 % 2
        bridge.steers, other.steers = not turn, bool(turn)
        bridge.clock.advance(3 * 3600)
        bridge.books(*(quarter(at + timedelta(hours=3 * number) + step * QUARTER) for step in range(12)))
        for one in (bridge, other):
            one.run()
    assert len(bridge.points()) == 1 + 12 * 12


def test_who_does_not_steer_sends_nothing(bridge):
    bridge.steers = False
    bridge.books(quarter(NOW - timedelta(hours=1)))
    bridge.run()
    assert bridge.sink.stored == []


def test_a_refused_line_is_counted_and_does_not_stop_the_others(bridge):
    at = NOW.replace(minute=0)
    bridge.books(quarter(at - QUARTER, zone="A"), quarter(at - QUARTER, zone="B"), quarter(at - QUARTER, zone="C"))
    bridge.run()
    bridge.sink.bad = {line for line in bridge.sink.stored if b"zone=B" in line}
    bridge.sink.stored.clear()
    bridge.restart()
    bridge.run()
    assert (len(bridge.sink.stored), bridge.shipper.refused) == (2, 1)


@pytest.mark.parametrize("text", ["", "[]", '{"cursor": "influx one", "sent": {"ahausen": "x"}}', "\x00",
                                  json.dumps({"cursor": "influx one", "sent": {"ahausen": 10**30}})])
def test_a_damaged_position_means_everything_again(bridge, text):
    bridge.books(quarter(NOW - timedelta(days=3)))
    (bridge.directory / FILE).write_text(text, encoding="utf-8")
    bridge.run()
    assert len(bridge.points()) == 1
