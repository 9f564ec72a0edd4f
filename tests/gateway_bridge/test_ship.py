"""The shipper: what the cursor passes is stored or a dead letter, whatever InfluxDB does in between."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.quantities import LAMP_LEVEL, RADIO_RSSI
from city.readings import Entry, Place, Quality, Reading
from city.settings import Influx
from city.store.influx import InfluxBusy, RejectedLines
from city.store.lines import lines
from gateway_bridge.ship import Shipper, cursor_name, run_ship

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETTINGS = Influx(url="http://influx:8086", batch=10)


def entry(number, quality=Quality.GOOD):
    place = Place(TenantId("ahausen"), AssetId(f"L-{number:04}"), "lamp", ZoneId("Altstadt"), None,
                  DevEui(f"{number:016x}"))
    return Entry.of(place, number, "up", tuple(
        Reading(place, quantity, value, number, "", quality) for quantity, value in (
            (LAMP_LEVEL, 40.0), (RADIO_RSSI, -100.0))))


@dataclass
class ListLog:
    """As much of a ReadingLog as shipping asks for; positions count from 1."""

    entries: list
    cursors: dict = field(default_factory=dict)

    def after(self, cursor, limit):
        yield from list(enumerate(self.entries, start=1))[cursor:cursor + limit]

    def cursor(self, sink):
        return self.cursors.get(sink, 0)

    def move_cursor(self, sink, position):
        self.cursors[sink] = position

    def head(self):
        return len(self.entries)


@dataclass
class ListSink:
    """Stores lines; refuses batches with a line in `bad`; raises what is in `failures` first."""

    bad: set = field(default_factory=set)
    failures: list = field(default_factory=list)
    stored: list = field(default_factory=list)
    calls: int = 0

    def write(self, lines):
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        if any(line in self.bad for item in lines for line in item.split(b"\n")):
            raise RejectedLines("field type conflict")
        self.stored += [line for item in lines for line in item.split(b"\n")]
        return 0


def shipper(log, sink, letters=None):
    kept = [] if letters is None else letters
    return Shipper(log, sink, ManualClock(NOW), SETTINGS, bury=kept.extend)


def test_everything_is_sent_in_batches_and_then_nothing_waits():
    log, sink = ListLog([entry(n) for n in range(12)]), ListSink()
    ship = shipper(log, sink)
    assert ship.waiting() == 12
    assert [ship.step() for _ in range(4)] == [5, 5, 2, 0]
    assert sink.stored == [line for one in log.entries for line in lines(one)]
    assert ship.waiting() == 0


def test_while_influxdb_is_down_the_cursor_stays():
    log, sink = ListLog([entry(1)]), ListSink(failures=[InfluxDown("down")])
    ship = shipper(log, sink)
    with pytest.raises(InfluxDown):
        ship.step()
    assert (ship.waiting(), sink.stored) == (1, [])
    assert ship.step() == 1


def test_a_batch_that_is_all_implausible_is_passed_without_a_request():
    log, sink = ListLog([entry(1, Quality.IMPLAUSIBLE)]), ListSink()
    ship = shipper(log, sink)
    assert (ship.step(), ship.step(), sink.stored) == (1, 0, [])


def test_a_refused_line_is_a_dead_letter_in_influxdbs_words_and_the_rest_is_stored():
    log, letters = ListLog([entry(n) for n in range(5)]), []
    bad = lines(log.entries[3])[1]
    sink = ListSink(bad={bad})
    assert shipper(log, sink, letters).step() == 5
    [letter] = letters
    assert (letter.payload, letter.detail, letter.reason) == (bad, "field type conflict", "RejectedLines")
    assert (letter.tenant, letter.received_at, letter.topic) == ("ahausen", NOW, "influx")
    assert set(sink.stored) == {line for one in log.entries for line in lines(one)} - {bad}


def test_letters_are_kept_before_the_cursor_passes_them():
    log = ListLog([entry(1)])

    def bury(_):
        raise InfluxDown("the letters' store is down")

    ship = Shipper(log, ListSink(bad={lines(log.entries[0])[0]}), ManualClock(NOW), SETTINGS, bury=bury)
    with pytest.raises(InfluxDown):
        ship.step()
    assert ship.waiting() == 1


@given(st.sets(st.integers(0, 39)), st.lists(st.booleans(), max_size=40))
def test_whatever_goes_wrong_each_line_is_stored_or_a_letter(bad, down):
    log, letters = ListLog([entry(n) for n in range(20)]), []
    every = [line for one in log.entries for line in lines(one)]
    refused = {every[n] for n in bad}
    sink = ListSink(bad=refused)
    ship = shipper(log, sink, letters)
    outages = iter(down)
    while ship.waiting():
        if next(outages, False):
            sink.failures.append(InfluxDown("down"))
            with pytest.raises(InfluxDown):
                ship.step()
        ship.step()
    assert set(sink.stored) == set(every) - refused
    assert {letter.payload for letter in letters} == refused


def test_one_bad_line_costs_few_requests():
    log = ListLog([entry(n) for n in range(5)])
    sink = ListSink(bad={lines(log.entries[0])[0]})
    shipper(log, sink).step()
    assert sink.calls <= 9


def test_another_influxdb_has_a_cursor_of_its_own_and_no_name_shows_a_secret():
    names = {cursor_name(Influx(url=url, bucket=bucket)) for url in ("http://a:8086", "http://b:8086", "http://a:8086/x")
             for bucket in ("town", "other")}
    assert len(names) == 6
    assert cursor_name(Influx(url="http://a:8086/")) == cursor_name(Influx(url="http://a:8086"))
    assert "pw" not in cursor_name(Influx(url="http://u:pw@a:8086"))


async def test_the_loop_waits_as_long_as_influxdb_asks():
    log, stop, clock = ListLog([entry(1)]), asyncio.Event(), ManualClock(NOW)
    sink = ListSink(failures=[InfluxBusy("busy", retry_after_s=90.0)])
    loop = asyncio.create_task(run_ship(shipper(log, sink), clock, stop))
    await until(lambda: sink.calls == 1)
    for _ in range(89):
        await clock.tick(1)
        await asyncio.to_thread(int)
    assert sink.calls == 1
    await until(lambda: sink.stored, clock)
    stop.set()
    await asyncio.wait_for(loop, 5)


async def test_the_loop_waits_out_a_failure_and_goes_on_until_it_is_stopped():
    log, stop, clock = ListLog([entry(n) for n in range(12)]), asyncio.Event(), ManualClock(NOW)
    sink = ListSink(failures=[InfluxDown("down")])
    loop = asyncio.create_task(run_ship(shipper(log, sink), clock, stop))
    await until(lambda: sink.calls == 1)
    assert sink.stored == []
    await until(lambda: len(sink.stored) == 24, clock)
    stop.set()
    await asyncio.wait_for(loop, 5)


async def until(holds, clock=None):
    """Let the loop run, and time pass where a clock is given, until something holds."""
    for _ in range(500):
        if holds():
            return
        if clock is not None:
            await clock.tick(0.5)
        await asyncio.to_thread(int)
    raise AssertionError("it never came to hold")
