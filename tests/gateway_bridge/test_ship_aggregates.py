"""Which hours and days are written when: once they are over and quiet, again where they change, and after any crash."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import LAMP_POWER
from city.readings import Entry, Place, Reading, to_ns
from city.settings import Influx
from city.store.aggregates import spans
from city.store.readings import LocalLog
from gateway_bridge.aggregate import FILE, Aggregator
from gateway_bridge.ship import Shipper, cursor_name
from tests.gateway_bridge.test_ship import ListSink

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
INFLUX = Influx(url="http://influx:8086", batch=100)
PLACE = Place(TenantId("ahausen"), AssetId("L-1"), "lamp", ZoneId("Altstadt"), CircuitId("K1"), DevEui("70b3d5e75e000001"))


class Town:
    """A log, a bridge that ships it, and three InfluxDB databases."""

    def __init__(self, directory, now=NOW):
        self.directory, self.log = directory, LocalLog(directory)
        self.clock = ManualClock(now)
        self.sinks = {"hours": ListSink(), "days": ListSink()}
        self.number = 0
        self.start()

    def start(self, bridge=""):
        self.aggregator = Aggregator(self.log, [(span, self.sinks[span.name]) for span in spans(INFLUX)], self.clock,
                                     directory=self.directory, cursor=cursor_name(INFLUX), keep_days=400, bridge=bridge)
        self.shipper = Shipper(self.log, ListSink(), self.clock, INFLUX, bury=[].extend, passed=self.aggregator.passed)

    def says(self, power, at):
        self.number += 1
        self.log.append([Entry.of(PLACE, to_ns(at), f"up:{self.number}", [Reading(PLACE, LAMP_POWER, power, to_ns(at))])])

    def ship(self):
        while self.shipper.step():
            pass

    def run(self, minutes=0):
        """Ship, let time go by, write what is due."""
        self.ship()
        self.clock.advance(60 * minutes)
        while self.aggregator.step():
            pass

    def written(self, span):
        """(hour, mean, count) of each line, in the order of writing."""
        return [(datetime.fromtimestamp(int(at) // 10**9, UTC), float(fields[b"power_mean"]), int(fields[b"power_count"][:-1]))
                for line in self.sinks[span].stored for _, said, at in [line.split(b" ")]
                for fields in [dict(pair.split(b"=") for pair in said.split(b","))]]


@pytest.fixture
def town(tmp_path):
    running = Town(tmp_path)
    running.run()
    yield running
    running.log.close()


SIX = datetime(2026, 11, 22, 6, tzinfo=UTC)


def test_an_hour_is_written_when_it_is_over_and_a_day_when_that_is(town):
    town.says(30.0, NOW)
    town.says(50.0, NOW + timedelta(minutes=1))
    town.run(20)
    assert town.written("hours") == []
    town.run(15)
    assert town.written("hours") == [(SIX, 40.0, 2)]
    assert town.written("days") == []
    town.run(18 * 60)
    assert town.written("days") == [(SIX.replace(hour=0), 40.0, 2)]
    assert town.aggregator.status().waiting == 0
    town.run(60)
    assert (len(town.written("hours")), len(town.written("days"))) == (1, 1)


def test_a_late_reading_writes_its_hour_and_day_again(town):
    town.says(30.0, NOW)
    town.run(24 * 60)
    town.says(90.0, NOW + timedelta(minutes=2))
    town.run(2)
    assert town.written("hours") == [(SIX, 30.0, 1), (SIX, 60.0, 2)]
    assert town.written("days")[-1] == (SIX.replace(hour=0), 60.0, 2)


def test_an_hour_in_which_something_arrives_all_the_time_is_written_all_the_same(town):
    town.says(30.0, NOW)
    town.run(60)
    for minute in range(40):
        town.says(30.0, NOW + timedelta(seconds=minute))
        town.run(0.5)
    assert 1 <= len(town.written("hours")) <= 4


def test_what_changes_while_it_is_written_is_written_again(town):
    town.says(30.0, NOW)
    town.ship()
    town.clock.advance(3600)
    late = [town]

    class Interrupted(ListSink):
        def write(self, lines):
            for one in late:
                one.says(90.0, NOW)
                one.clock.advance(1)
                one.ship()
            late.clear()
            return super().write(lines)

    town.sinks["hours"] = Interrupted()
    town.start()
    town.ship()
    town.run()
    town.run(5)
    assert town.written("hours")[-1] == (SIX, 60.0, 2)


def test_while_influxdb_is_down_nothing_is_forgotten(town):
    town.says(30.0, NOW)
    town.ship()
    town.clock.advance(3600)
    town.sinks["hours"].failures.append(InfluxDown("InfluxDB does not answer: {what}", what="x"))
    with pytest.raises(InfluxDown):
        town.run()
    assert (town.aggregator.status().waiting, town.aggregator.status().error) == (2, "InfluxDB does not answer: x")
    town.run()
    assert town.written("hours") == [(SIX, 30.0, 1)]
    assert town.aggregator.status().error == ""


@pytest.mark.parametrize("saved", [True, False])
def test_after_a_crash_what_had_changed_is_written(town, saved):
    town.says(30.0, NOW)
    town.ship()
    if saved:
        town.aggregator.step()
    town.says(50.0, NOW - timedelta(hours=2))
    town.ship()
    town.start()  # another process, with what is on disk
    town.run(60)
    assert sorted(town.written("hours")) == [(SIX - timedelta(hours=2), 50.0, 1), (SIX, 30.0, 1)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cursor": "another", "position": 1, "changed": {}}', '{"cursor": 1}'])
def test_without_a_file_that_can_be_read_the_whole_log_is_written(town, text):
    town.says(50.0, NOW - timedelta(days=1))
    town.says(30.0, NOW)
    town.run(24 * 60)
    for sink in town.sinks.values():
        sink.stored.clear()
    (town.directory / FILE).write_text(text)
    town.start()
    town.run()
    assert sorted(town.written("hours")) == [(SIX - timedelta(days=1), 50.0, 1), (SIX, 30.0, 1)]
    assert len(town.written("days")) == 2


def test_a_log_that_was_shipped_before_there_were_hours_is_written_whole(tmp_path):
    town = Town(tmp_path)
    town.says(30.0, NOW - timedelta(days=3))
    town.ship()
    town.start()
    town.run()
    assert [count for _, _, count in town.written("hours")] == [1]
    assert json.loads((tmp_path / FILE).read_text())["position"] == town.log.head()
    town.log.close()


def test_what_influxdb_keeps_no_longer_or_the_log_has_only_in_part_is_left_alone(town):
    town.says(30.0, NOW - timedelta(days=399, hours=20))
    town.run(5)
    assert town.written("hours") == []
    assert town.aggregator.status().waiting == 0


def test_hours_that_influxdb_refuses_are_counted_and_passed(town):
    town.says(30.0, NOW)
    town.ship()
    town.clock.advance(3600)
    tags = b",asset=L-1,circuit=K1,device=70b3d5e75e000001,tenant=ahausen,zone=Altstadt"
    town.sinks["hours"].bad.add(b"lamp" + tags + b" power_mean=30.0,power_min=30.0,power_max=30.0,power_count=1i %d" % to_ns(SIX))
    town.run()
    assert (town.aggregator.status().refused, town.written("hours")) == (1, [])
