"""The shipper: what the cursor passes is stored or a dead letter, whatever InfluxDB does in between."""

import asyncio
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.quantities import LAMP_LEVEL, RADIO_RSSI
from city.readings import Entry, Place, Quality, Reading, to_ns
from city.settings import Influx
from city.store.influx import InfluxBusy, InfluxHeld, RejectedLines, open_sink
from city.store.lines import lines
from city.store.ports import Picked
from gateway_bridge.rewind import Rewind, Rewinds
from gateway_bridge.ship import Shipper, cursor_name, run_ship
from gateway_bridge.sift import Line, sift
from tests.city_store.standin import AFTER_STORING, GARBAGE, HANG_UP, standin
from tests.examples import examples
from tests.patience import PATIENCE_S

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
        yield from enumerate(self.entries[cursor:cursor + limit], start=cursor + 1)

    def picked(self, cursor, limit, wanted):
        looked = list(self.after(cursor, limit))
        found = [(at, one) for at, one in looked if wanted(one.place)]
        return Picked(found, looked[-1][0] if looked else cursor, len(looked))

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


BACKLOG = 500


def big():
    """A shipper in front of a backlog that is long for it."""
    log, sink, clock = ListLog([entry(n) for n in range(BACKLOG + 200)]), ListSink(), ManualClock(NOW)
    return log, sink, clock, Shipper(log, sink, clock, Influx(url="http://influx:8086", batch=50), bury=[].extend,
                                     backlog=BACKLOG)


def test_while_a_backlog_is_sent_what_arrives_now_is_seen_at_once_and_nothing_is_left_out():
    log, sink, clock, ship = big()
    ship.step()
    live = [entry(n) for n in range(1_000_000, 1_000_010)]
    log.entries += live
    clock.advance(1)
    ship.step()
    seen = set(sink.stored)
    assert all(line in seen for one in live for line in lines(one))
    assert ship.waiting() > BACKLOG
    assert ship.hurries
    steps = 0
    while ship.waiting():
        if steps % 5 == 0:
            log.entries.append(entry(2_000_000 + steps))
            clock.advance(1)
        ship.step()
        steps += 1
    assert sorted(sink.stored) == sorted(line for one in log.entries for line in lines(one))  # and none of it twice
    assert log.cursors[cursor_name(SETTINGS)] == len(log.entries)


def test_after_a_crash_in_a_backlog_the_cursor_is_where_the_backlog_was():
    log, sink, clock, ship = big()
    ship.step()
    log.entries += [entry(n) for n in range(1_000_000, 1_000_010)]
    clock.advance(1)
    ship.step()
    passed = log.cursors[cursor_name(SETTINGS)]
    assert passed == 50
    again = Shipper(log, sink, clock, SETTINGS, bury=[].extend)
    assert again.waiting() == len(log.entries) - passed
    while again.step():
        clock.advance(0.1)
    assert set(sink.stored) == {line for one in log.entries for line in lines(one)}


def test_the_order_of_each_device_is_kept_in_a_backlog():
    _, sink, clock, ship = big()
    while ship.waiting():
        ship.step()
        clock.advance(1)
    times = [int(line.rsplit(b" ", 1)[1]) for line in sink.stored if line.startswith(b"lamp")]
    assert times == sorted(times)


def test_status_tells_what_waits_how_late_it_is_and_what_to_mend():
    at = to_ns(NOW - timedelta(seconds=90))
    log = ListLog([replace(entry(n), at_ns=at) for n in range(3)])
    sink = ListSink(failures=[InfluxHeld("InfluxDB does not let us in ({status}): {words}", held="unauthorized", status=401,
                                         words="token expired")])
    ship = shipper(log, sink)
    with pytest.raises(InfluxHeld):
        ship.step()
    status = ship.status()
    assert (status.waiting, status.lag_s, status.held) == (3, 90.0, "unauthorized")
    assert "token expired" in status.error
    ship.step()
    status = ship.status()
    assert (status.waiting, status.lag_s, status.error, status.held) == (0, 0.0, "", "")
    assert status.per_s == 3 / 60


def test_a_rewind_is_taken_before_the_next_batch(tmp_path):
    log, sink, rewinds = ListLog([entry(n) for n in range(4)]), ListSink(), Rewinds(tmp_path)
    ship = Shipper(log, sink, ManualClock(NOW), SETTINGS, bury=[].extend, rewinds=rewinds)
    ship.step()
    rewinds.ask(Rewind(cursor_name(SETTINGS), 2))
    assert ship.step() == 2
    assert sink.stored == [line for number in (0, 1, 2, 3, 2, 3) for line in lines(log.entries[number])]
    assert rewinds.asked() is None


@pytest.mark.parametrize("asked", [Rewind("influx elsewhere:8086 town", 0), Rewind(cursor_name(SETTINGS), 9)])
def test_a_rewind_of_another_influxdb_or_forwards_changes_nothing(tmp_path, asked):
    log, sink, rewinds = ListLog([entry(n) for n in range(4)]), ListSink(), Rewinds(tmp_path)
    ship = Shipper(log, sink, ManualClock(NOW), SETTINGS, bury=[].extend, rewinds=rewinds)
    ship.step()
    rewinds.ask(asked)
    assert ship.step() == 0
    assert rewinds.asked() is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"cursor": 1, "position": 2}', b'{"cursor": "x", "position": -1}',
                                  b'{"cursor": "x", "position": true}', b"[" * 5000])
def test_a_request_that_nobody_can_read_is_removed(tmp_path, text):
    (tmp_path / "ship-again.json").write_bytes(text)
    assert Rewinds(tmp_path).asked() is None
    assert not (tmp_path / "ship-again.json").exists()


def test_lines_that_influxdb_would_have_deleted_by_now_are_counted_and_are_no_letters():
    log, letters = ListLog([entry(1)]), []

    class Forgetful(ListSink):
        def write(self, lines):
            super().write(lines)
            return 1

    ship = shipper(log, Forgetful(), letters)
    ship.step()
    assert (ship.counts.passed, ship.counts.stored, ship.counts.expired, letters) == (2, 1, 1, [])


class TestSift:
    """Requests that finding bad lines takes."""

    GOOD = tuple(Line(b"lamp,asset=%d level=1.0 1" % number, TenantId("a")) for number in range(4096))

    def bad(self, numbers, words="field type conflict"):
        lines = list(self.GOOD)
        for number in numbers:
            lines[number] = Line(b"lamp,asset=%d failure=true 1" % number, TenantId("a"))
        calls = []

        def write(texts):
            calls.append(len(texts))
            refused = sum(b"failure" in text for text in texts)
            if refused:
                raise RejectedLines(words.format(refused=refused))
            return 0

        sifted = sift(lines, write)
        assert {line.text for line, _ in sifted.refused} == {lines[number].text for number in numbers}
        assert sifted.stored == len(lines) - len(numbers)
        return len(calls)

    def test_one_bad_line_takes_few(self):
        assert self.bad([1234]) <= 2 * 12 + 1

    def test_many_bad_lines_take_no_more_than_one_each_and_a_bounded_rest(self):
        assert self.bad(range(0, 4096, 2)) <= 4096 + 2 * 12 * 33

    def test_a_conflict_that_influxdb_names_takes_three(self):
        words = 'partial write: field type conflict: input field "failure" on measurement "lamp" is type x dropped={refused}'
        assert self.bad(range(0, 4096, 2), words) == 3
        assert self.bad(range(4096), words) == 1

    def test_lines_of_another_measurement_are_not_suspected(self):
        words = 'input field \\"level\\" on measurement \\"lam\\" is type float dropped=0'
        assert self.bad([7], words) <= 2 * 12 + 1


ANSWERS = st.sampled_from([(204, {}, b""), (500, {}, b""), (503, {"Retry-After": "3"}, b""), (429, {}, b""), (401, {}, b""),
                           (403, {}, b""), (404, {}, b""), (413, {}, b""), (400, {}, b"bad"), (HANG_UP, {}, b""),
                           (AFTER_STORING, {}, b""), (200, {}, b"<html>"), (GARBAGE, {}, b"")])


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.11"])
def test_whatever_influxdb_answers_each_line_is_stored_once_or_a_letter_and_the_counters_balance(version):
    with standin(version={"X-Influxdb-Version": version}) as server:
        @given(st.lists(ANSWERS, max_size=20), st.sets(st.integers(0, 15)), st.integers(1, 24))
        @settings(max_examples=examples(30), deadline=None, database=None, derandomize=True,
                  phases=(Phase.explicit, Phase.generate))
        def law(answers, bad, batch):
            log, letters = ListLog([entry(n) for n in range(8)]), []
            every = [line for one in log.entries for line in lines(one)]
            refused = {every[number] for number in bad}
            server.answers = deque([*answers, (204, {}, b"")])
            server.points, server.judge = set(), refused.__contains__
            influx = Influx(url=server.url, batch=batch, org="ahausen")
            with closing(open_sink(influx)) as sink:
                ship = Shipper(log, sink, ManualClock(NOW), influx, bury=letters.extend)
                for _ in range(1000):
                    with suppress(InfluxDown):
                        if not ship.step():
                            break
            assert ship.waiting() == 0
            buried = {letter.payload for letter in letters}
            assert server.points | buried == set(every)
            assert server.points & refused == set()
            counts = ship.counts
            assert counts.passed == counts.stored + counts.expired + counts.refused >= len(every)
            assert counts.refused >= len(refused)

        law()


async def test_a_trouble_is_said_once_and_once_that_it_is_over(caplog):
    log, stop, clock = ListLog([entry(1)]), asyncio.Event(), ManualClock(NOW)
    held = [InfluxHeld("InfluxDB does not let us in ({status}): {words}", held="forbidden", status=403, words=f"no {n}")
            for n in range(5)]
    sink = ListSink(failures=[*held, InfluxDown("InfluxDB does not answer: {what}", what="x")])
    loop = asyncio.create_task(run_ship(shipper(log, sink), clock, stop))
    await until(lambda: sink.stored, clock)
    stop.set()
    await asyncio.wait_for(loop, PATIENCE_S)
    said = [(record.levelname, record.getMessage().partition(" (")[0]) for record in caplog.records]
    assert said == [("ERROR", "InfluxDB does not let us in"),
                    ("WARNING", "InfluxDB does not answer: x – the readings wait in the local log."),
                    ("WARNING", "InfluxDB takes data again.")]


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
    await asyncio.wait_for(loop, PATIENCE_S)


async def test_the_loop_waits_out_a_failure_and_goes_on_until_it_is_stopped():
    log, stop, clock = ListLog([entry(n) for n in range(12)]), asyncio.Event(), ManualClock(NOW)
    sink = ListSink(failures=[InfluxDown("down")])
    loop = asyncio.create_task(run_ship(shipper(log, sink), clock, stop))
    await until(lambda: sink.calls == 1)
    assert sink.stored == []
    await until(lambda: len(sink.stored) == 24, clock)
    stop.set()
    await asyncio.wait_for(loop, PATIENCE_S)


async def until(holds, clock=None):
    """Let the loop run, and time pass where a clock is given, until something holds."""
    for _ in range(500):
        if holds():
            return
        if clock is not None:
            await clock.tick(0.5)
        await asyncio.to_thread(int)
    raise AssertionError("it never came to hold")
