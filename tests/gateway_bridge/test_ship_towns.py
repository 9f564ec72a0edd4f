"""Several towns behind one cursor: a bucket that takes nothing holds up its own town alone, and nothing of anybody is lost."""

import json
import logging
from collections import deque
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import TenantId, ZoneId
from city.parking_facts import Quarter
from city.places import Site, Tenant
from city.readings import to_ns
from city.settings import Influx, Parking
from city.store.aggregates import Span, spans
from city.store.influx import InfluxHeld, RejectedLines
from city.store.influx_bays import bays_settings
from city.store.influx_towns import TownsHeld, TownSink
from city.store.lines import lines
from city.store.opening import open_store
from city.store.port_parking import ParkingFound
from city.store.ports import DeadLetter, Facts
from city.store.readings import LocalLog
from gateway_bridge.aggregate import Aggregator
from gateway_bridge.rewind import Rewind, Rewinds
from gateway_bridge.ship import BAYS_TOPIC, Part, Shipper, cursor_name
from gateway_bridge.ship_quarters import QuarterShipper
from gateway_bridge.shipping import replay
from tests.city_store.standin import standin
from tests.examples import examples
from tests.gateway_bridge.test_ship import NOW, ListLog, ListSink, entry
from tests.gateway_bridge.test_ship_all import Bridge, written
from tests.gateway_bridge.test_ship_bays import said

A, B, C = (TenantId(name) for name in ("ahausen", "beheim", "cstadt"))
SETTINGS = Influx(url="http://influx:8086", batch=6)


def of(town, number):
    one = entry(number)
    place = one.place
    return replace(one, place=type(place)(town, place.asset, place.kind, place.zone, place.circuit, place.device))


class Place(ListSink):
    """A town's bucket; `held` says why it takes nothing."""

    def __init__(self):
        super().__init__()
        self.held = self.down = ""

    def write(self, lines):
        if self.down:
            raise InfluxDown("away")
        if self.held:
            raise InfluxHeld("{what}", held=self.held, what=f"this is {self.held}")
        return super().write(lines)

    def close(self):
        """Nothing is open."""


class Towns:
    """A log, and a bucket for each town."""

    def __init__(self, entries=(), **more):
        self.log, self.clock, self.letters = ListLog(list(entries)), ManualClock(NOW), []
        self.places = {town: Place() for town in (A, B, C)}
        self.more = more
        self.start()

    def start(self):
        self.shipper = Shipper(self.log, TownSink(self.places.__getitem__), self.clock, SETTINGS, bury=self.letters.extend,
                               **self.more)

    def run(self, seconds=0):
        self.clock.advance(seconds)
        for _ in range(1000):
            if not self.shipper.step() and not self.shipper.hurries:
                return
        raise AssertionError("it never comes to rest")

    def lacks(self, town):
        return {line for one in self.log.entries if one.place.tenant == town for line in lines(one)} - \
            set(self.places[town].stored)

    @property
    def cursor(self):
        return self.log.cursor(cursor_name(SETTINGS))


def two(count):
    return [of((A, B)[number % 2], number) for number in range(count)]


def test_the_other_town_goes_on_and_the_held_one_catches_up_when_it_is_mended(caplog):
    caplog.set_level(logging.WARNING)
    towns = Towns(two(40))
    towns.places[A].held = "missing"
    towns.run()
    assert (towns.lacks(B), towns.places[A].stored) == (set(), [])
    status = towns.shipper.status()
    assert (status.held, status.error, status.waiting) == ("missing", "ahausen: this is missing", 40)
    assert towns.cursor == 0
    towns.log.entries += [of((A, B)[number % 2], number) for number in range(40, 60)]
    towns.run(60)
    assert (towns.lacks(B), towns.cursor, towns.shipper.held) == (set(), 0, "missing")
    towns.places[A].held = ""
    towns.run(5)
    assert (towns.lacks(A), towns.lacks(B), towns.cursor) == (set(), set(), 60)
    assert (towns.shipper.status().held, towns.shipper.status().error) == ("", "")
    for town in (A, B):
        assert all(f"tenant={town},".encode() in line for line in towns.places[town].stored)
    said = [(one.levelname, one.getMessage().partition(" – ")[0]) for one in caplog.records]
    assert said == [("ERROR", "ahausen: this is missing"),
                    ("WARNING", "InfluxDB takes data of ahausen again, and has all of it.")]


def test_a_held_town_is_asked_now_and_then_and_not_with_every_batch():
    towns = Towns(two(400))
    towns.places[A].held = "forbidden"
    asked = []
    write = towns.places[A].write

    def counting(lines):
        asked.append(towns.clock.now())
        return write(lines)

    towns.places[A].write = counting
    towns.run()
    assert len(asked) == 1
    for _ in range(60):
        towns.run(1)
    assert 10 <= len(asked) <= 13


def test_lag_is_that_of_the_town_that_waits():
    towns = Towns(replace(one, at_ns=to_ns(NOW - timedelta(seconds=600 - number))) for number, one in enumerate(two(20)))
    towns.places[A].held = "retention"
    towns.run()
    assert towns.shipper.status().lag_s == pytest.approx(600, abs=2)


def test_two_held_towns_are_mended_one_after_the_other():
    towns = Towns(of((A, B, C)[number % 3], number) for number in range(60))
    towns.places[A].held, towns.places[C].held = "missing", "forbidden"
    towns.run()
    assert towns.lacks(B) == set()
    assert towns.shipper.status().error.startswith("ahausen, cstadt: ")
    towns.places[C].held = ""
    towns.run(5)
    assert (towns.lacks(C), towns.cursor, towns.shipper.held) == (set(), 0, "missing")
    towns.places[A].held = ""
    towns.run(5)
    assert (towns.lacks(A), towns.cursor) == (set(), 60)


def test_after_a_crash_the_held_towns_readings_are_still_there_to_be_sent():
    towns = Towns(two(40))
    towns.places[A].held = "missing"
    towns.run()
    towns.start()
    towns.places[A].held = ""
    towns.run()
    assert (towns.lacks(A), towns.lacks(B), towns.cursor) == (set(), set(), 40)


def test_a_held_town_in_a_long_backlog_with_its_live_tail_misses_nothing():
    towns = Towns(two(300), backlog=50)
    towns.shipper.step()
    towns.log.entries += [of((A, B)[number % 2], number) for number in range(1000, 1010)]
    towns.places[A].held = "missing"
    for _ in range(20):
        towns.clock.advance(1)
        towns.shipper.step()
    towns.places[A].held = ""
    towns.run(5)
    assert (towns.lacks(A), towns.lacks(B), towns.cursor) == (set(), set(), 310)


def test_a_rewind_reaches_held_towns_too(tmp_path: Path):
    rewinds = Rewinds(tmp_path)
    towns = Towns(two(40), rewinds=rewinds)
    towns.run()
    for place in towns.places.values():
        place.stored.clear()
    towns.places[A].held = "missing"
    rewinds.ask(Rewind(cursor_name(SETTINGS), 10))
    towns.run()
    towns.places[A].held = ""
    towns.run(5)
    assert {len(set(towns.places[town].stored)) for town in (A, B)} == {30}


def test_a_refused_line_of_one_town_is_a_letter_while_another_is_held():
    towns = Towns(two(12))
    towns.places[A].held = "missing"
    bad = lines(towns.log.entries[3])[0]
    towns.places[B].bad = {bad}
    towns.run()
    assert [(letter.payload, letter.tenant) for letter in towns.letters] == [(bad, B)]
    assert towns.lacks(B) == {bad}


def test_bays_of_a_town_whose_bucket_keeps_them_too_long_wait_alone_and_are_let_go_in_time():
    towns = Towns([replace(said("bay", number), place=of((A, B)[number % 2], number + 100).place) for number in range(20)],
                  part=Part(keep_days=7, topic=BAYS_TOPIC))
    towns.places[A].held = "retention"
    towns.run()
    assert (towns.lacks(B), towns.cursor, towns.shipper.held) == (set(), 0, "retention")
    towns.run(8 * 86_400)  # nothing of it may be kept any longer, so nothing of it waits
    assert (towns.places[A].stored, towns.cursor, towns.shipper.held) == ([], 20, "")


EVENT = st.one_of(
    st.tuples(st.just("held"), st.sampled_from((A, B, C)), st.sampled_from(("", "missing", "forbidden"))),
    st.tuples(st.just("down"), st.sampled_from((A, B, C)), st.sampled_from(("", "down"))),
    st.tuples(st.just("new"), st.sampled_from((A, B, C)), st.integers(1, 12)),
    st.tuples(st.just("step"), st.just(A), st.integers(1, 4)), st.tuples(st.just("wait"), st.just(A), st.integers(1, 9)),
    st.tuples(st.just("crash"), st.just(A), st.just(0)))


@given(st.lists(EVENT, max_size=40), st.sampled_from([5, 10_000]))
@settings(max_examples=examples(200), deadline=None)
def test_whatever_happens_what_the_cursor_has_passed_is_stored_and_in_the_end_all_is_where_it_belongs(events, backlog):
    towns = Towns(backlog=backlog)
    for what, town, how in events:
        match what:
            case "held" | "down":
                setattr(towns.places[town], what, how)
            case "new":
                begin = len(towns.log.entries)
                towns.log.entries += [of(town if number % 3 else B, begin + number) for number in range(how)]
            case "wait":
                towns.clock.advance(how)
            case "crash":
                towns.start()
            case _:
                for _ in range(how):
                    with suppress(InfluxDown):
                        towns.shipper.step()
        passed = towns.log.entries[:towns.cursor]
        assert all(line in towns.places[one.place.tenant].stored for one in passed for line in lines(one))
    for place in towns.places.values():
        place.held = place.down = ""
    towns.run(60)
    assert towns.cursor == len(towns.log.entries)
    for town, place in towns.places.items():
        assert set(place.stored) == {line for one in towns.log.entries if one.place.tenant == town for line in lines(one)}


def test_letters_of_other_towns_are_sent_again_though_one_is_held():
    places = {A: Place(), B: Place()}
    places[A].held = "missing"
    payload = {town: lines(of(town, 1))[0] for town in (A, B)}
    with closing(open_store("sqlite://")) as store:
        store.commit(Facts(letters=tuple(
            DeadLetter(town, NOW, "influx", payload[town], RejectedLines.__name__, "") for town in (A, B))))
        with pytest.raises(TownsHeld, match="ahausen"):
            replay(store, TownSink(places.__getitem__))
        assert [letter.id for letter in store.all_letters()] == [A]
    assert places[B].stored == [payload[B]]


def test_quarters_of_one_town_do_not_wait_for_another(tmp_path: Path):
    places = {A: Place(), B: Place()}
    with closing(open_store("sqlite://")) as store:
        for town in (A, B):
            store.put_tenant(Tenant(town, town, Site(51.0, 8.0)))
            store.put_parking(town, ParkingFound(quarters=[
                Quarter(ZoneId("Markt"), "", NOW - timedelta(days=days), 10, 5400, 3600, 0) for days in range(1, 6)]))
        shipper = QuarterShipper(store, TownSink(places.__getitem__), ManualClock(NOW), Parking(), directory=tmp_path,
                                 cursor="one", lease=lambda: (True, None))
        places[A].held = "forbidden"
        steps = 0
        with suppress(TownsHeld):
            while not shipper.step():
                assert shipper.held == "forbidden"
                steps += 1
        assert (shipper.held, steps > 1) == ("forbidden", True)
        assert (len(places[B].stored), places[A].stored) == (5, [])
        places[A].held = ""
        while not shipper.step():
            pass
        assert ([len(place.stored) for place in places.values()], shipper.error) == ([5, 5], "")


class Hours:
    """Hours and days of two towns, with a log that all has been shipped from."""

    def __init__(self, directory: Path, span: Span) -> None:
        self.log, self.clock, self.places = LocalLog(directory), ManualClock(NOW), {A: Place(), B: Place()}
        self.aggregator = Aggregator(self.log, [(span, TownSink(self.places.__getitem__))], self.clock, directory=directory,
                                     cursor="one", keep_days=400)

    def ship(self, hours) -> None:
        entries = [replace(of(town, number + index), at_ns=to_ns(NOW - timedelta(hours=number)))
                   for number in hours for index, town in ((0, A), (1000, B))]
        self.log.append(entries)
        self.log.move_cursor("one", self.log.head())
        self.aggregator.passed(enumerate(entries))

    def run(self, seconds: float) -> int:
        self.clock.advance(seconds)
        return sum(iter(self.aggregator.step, 0))


def test_hours_of_one_town_do_not_wait_for_another_and_come_when_it_is_mended(tmp_path: Path):
    hours = Hours(tmp_path, spans(SETTINGS)[0])
    hours.aggregator.step()
    hours.ship(range(2, 12))
    hours.places[A].held = "missing"
    assert hours.run(120) == 11  # one of them twice: it is tried again when nothing else is due
    assert (len(hours.places[B].stored) >= 20, hours.places[A].stored) == (True, [])
    status = hours.aggregator.status()
    assert (status.held, status.error, status.waiting) == ("missing", "ahausen: this is missing", 10)
    before = len(hours.places[B].stored)
    assert [hours.run(20) for _ in range(9)] == [0, 0, 1] * 3  # one a minute
    assert len(hours.places[B].stored) == before + 3 * 2
    hours.ship([20])
    hours.run(120)
    assert any(b" %d" % to_ns(NOW - timedelta(hours=20)) in line for line in hours.places[B].stored)
    hours.places[A].held = ""
    hours.run(61)
    times = [{int(line.rpartition(b" ")[2]) for line in hours.places[town].stored} for town in (A, B)]
    assert times == [{to_ns(NOW - timedelta(hours=number)) for number in (*range(2, 12), 20)}] * 2
    status = hours.aggregator.status()
    assert (status.held, status.error, status.waiting) == ("", "", 0)
    hours.log.close()


async def test_the_bridge_tells_which_town_is_held_and_ships_the_other(tmp_path: Path):
    with standin() as server:  # 2.x
        class Answers(deque):
            """No bucket of the one town, and none may be made."""

            def __len__(self):
                return 1

            def __getitem__(self, index):
                _, path, _, _ = server.asked[-1]
                if "bucket=stadtfunk_ahausen&" in path:
                    return 404, {}, b'{"message":"bucket not found"}'
                return (200, {}, b'{"orgs":[{"id":"1"}]}') if "orgs" in path else \
                    (403, {}, b'{"message":"write:buckets is missing"}') if "buckets" in path else (204, {}, b"")

        server.answers = Answers()
        bridge = Bridge(tmp_path, server.url, org="kreis", per_town=True, aggregates=False)
        others = [replace(of(B, number), at_ns=to_ns(NOW) + number) for number in range(3)]
        bridge.log.append(others)
        seen = []

        def held():
            seen[:] = [bridge.shipping.status(), bridge.metrics()]
            return seen[0].held and len(server.points) == 6

        await bridge.until(held)
        status, metrics = seen
        assert server.points == {line for one in others for line in lines(one)}
    assert "ahausen: InfluxDB does not let us create the bucket stadtfunk_ahausen: write:buckets is missing" in status.error
    assert (status.held, status.waiting >= 3) == ("missing", True)
    assert metrics['stadtfunk_bridge_ship_held{reason="missing"}'] == 1


async def test_readings_hours_and_days_of_two_towns_go_to_their_own_places(tmp_path: Path):
    with standin(version={"X-Influxdb-Version": "1.8.10"}) as server:
        bridge = Bridge(tmp_path, server.url, per_town=True)
        others = [replace(of(B, number), at_ns=to_ns(NOW) + number) for number in range(3)]
        bridge.log.append(others)
        bridge.log.move_cursor(cursor_name(Influx(url=server.url, per_town=False)), 2)
        names = [f"stadtfunk_{town}{end}" for town in (A, B) for end in ("", "_hours")]
        await bridge.until(lambda: all(written(server, name) for name in names))
        assert written(server, "stadtfunk") == []
        assert written(server, f"stadtfunk_{A}") == [line for one in bridge.entries for line in lines(one)]
        assert written(server, f"stadtfunk_{B}") == [line for one in others for line in lines(one)]
        for town in (A, B):
            assert all(b",tenant=%s," % town.encode() in line for line in written(server, f"stadtfunk_{town}_hours"))
    with closing(LocalLog(tmp_path)) as log:
        names = {name for name, _ in log._sinks()}
    here = Influx(url=server.url)
    assert names == {cursor_name(here), cursor_name(bays_settings(here))}, "the log would be kept for places of no use"
    assert json.loads((tmp_path / "aggregates.json").read_text())["cursor"].endswith(" by town")
