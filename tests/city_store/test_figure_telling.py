"""Figures on their way: a sample each step, kept for an hour while InfluxDB is down."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from city.clock import ManualClock
from city.errors import InfluxDown, Invalid
from city.figures import PLATFORM_CPU, PLATFORM_MEMORY, PLATFORM_RECEIVED
from city.figures_sample import Look, Sample
from city.settings import Influx
from city.store.figure_outbox import KEPT, MOST_LINES, MOST_SINKS, Lines, Outbox
from city.store.figure_telling import Process, Teller, platform_lines, platform_outbox, telling
from city.store.influx import InfluxBusy, InfluxHeld, RejectedLines
from city.store.process import look
from tests.city_store.standin import standin
from tests.patience import PATIENCE_S

START = datetime(2026, 11, 23, 2, 51, 20, tzinfo=UTC)


class Place:
    """A sink that may be told to refuse."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.fails: Exception | None = None
        self.bad, self.requests, self.closed = b"?", 0, False

    def write(self, lines: Sequence[bytes]) -> int:
        self.requests += 1
        if self.fails is not None:
            raise self.fails
        if self.bad in lines:
            raise RejectedLines(f"partial write: field type conflict dropped={lines.count(self.bad)}")
        self.written += lines
        return 0

    def close(self) -> None:
        self.closed = True


def dated(begun: datetime, now: datetime) -> list[tuple[str, Lines]]:
    return [("", [f"{begun:%H:%M:%S}-{now:%H:%M:%S}".encode()])]


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def teller(clock: ManualClock, place: Place) -> Teller:
    return Teller(clock, 60, ((dated, Outbox(lambda _: place)),))


def test_the_first_sample_is_dated_when_the_telling_began_and_the_next_at_its_step(teller: Teller, clock: ManualClock,
                                                                                   place: Place) -> None:
    assert teller.step() == 40.0
    assert place.requests == 0
    clock.advance(40)
    assert teller.step() == 60.0
    clock.advance(59)
    assert teller.step() == 1.0
    clock.advance(1)
    teller.step()
    assert place.written == [b"02:51:20-02:52:00", b"02:52:00-02:53:00"]


def test_steps_that_were_slept_through_are_told_together(teller: Teller, clock: ManualClock, place: Place) -> None:
    clock.advance(40 + 200)
    assert teller.step() == 40.0
    clock.advance(40)
    teller.step()
    assert place.written == [b"02:51:20-02:55:20", b"02:55:00-02:56:00"]


def test_the_end_tells_of_what_has_begun_and_lets_go(teller: Teller, clock: ManualClock, place: Place) -> None:
    clock.advance(45)
    teller.step()
    clock.advance(10)
    teller.leave()
    assert place.written == [b"02:51:20-02:52:05", b"02:52:00-02:52:15"]
    assert place.closed


def test_what_waits_is_said_once_and_sent_when_influx_is_back(teller: Teller, clock: ManualClock, place: Place,
                                                             caplog: pytest.LogCaptureFixture) -> None:
    place.fails = InfluxDown("away")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.advance(60)
            teller.step()
        assert [record.getMessage() for record in caplog.records] == [
            "away – figures of the platform wait, those of the last hour."]
        place.fails = None
        clock.advance(60)
        teller.step()
    assert len(place.written) == 4
    assert caplog.records[-1].getMessage() == "InfluxDB takes figures of the platform again; 0 of its lines are lost so far."


def test_samples_of_more_than_an_hour_are_dropped_oldest_first_and_counted(teller: Teller, clock: ManualClock,
                                                                           place: Place) -> None:
    place.fails = InfluxDown("away")
    clock.advance(40)
    for _ in range(70):
        teller.step()
        clock.advance(60)
    place.fails = None
    teller.step()
    kept = int(KEPT.total_seconds()) // 60 + 1
    assert (len(place.written), teller.lost) == (kept, 71 - kept)
    assert place.written[-1] == b"04:01:00-04:02:00"


def test_a_process_that_ends_does_not_wait_for_an_influx_that_is_away(teller: Teller, clock: ManualClock,
                                                                      place: Place) -> None:
    place.fails = InfluxDown("away")
    clock.advance(60)
    teller.step()
    asked = place.requests
    teller.leave()
    assert place.requests == asked
    assert place.closed


def test_a_place_that_is_held_keeps_back_nothing_of_the_others() -> None:
    places = {"a": Place(), "b": Place(), "c": Place()}
    places["b"].fails = InfluxHeld("no", held="forbidden")
    outbox = Outbox(places.__getitem__)
    outbox.put(START, [(name, [name.encode()]) for name in places])
    with pytest.raises(InfluxHeld):
        outbox.send(ManualClock(START))
    assert (places["a"].written, places["c"].written, outbox.waiting) == ([b"a"], [b"c"], 1)
    places["b"].fails = None
    outbox.put(START, [("b", [b"b2"])])
    outbox.send(ManualClock(START))
    assert (places["b"].written, places["a"].requests, outbox.waiting) == ([b"b", b"b2"], 1, 0)


def test_an_influx_that_asks_to_be_left_alone_is_asked_nothing_until_then(place: Place, clock: ManualClock) -> None:
    outbox = Outbox(lambda _: place)
    place.fails = InfluxBusy("busy ({status})", retry_after_s=120.0, status=503)
    for seconds in (0, 60, 59):
        clock.advance(seconds)
        outbox.put(clock.now(), [("a", [b"1"]), ("b", [b"2"])])
        with pytest.raises(InfluxDown, match=r"busy \(503\)") as raised:
            outbox.send(clock)
        assert not isinstance(raised.value, InfluxBusy)  # it asks nobody to wait with the next sample
    assert (place.requests, outbox.waiting) == (1, 6)
    place.fails = None
    clock.advance(1)
    outbox.send(clock)
    assert (len(place.written), outbox.waiting) == (6, 0)


def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_long(place: Place, clock: ManualClock) -> None:
    outbox = Outbox(lambda _: place)
    place.fails = InfluxBusy("busy", retry_after_s=10.0)
    outbox.put(clock.now(), [("", [b"1"])])
    with pytest.raises(InfluxDown):
        outbox.send(clock)
    place.fails = None
    outbox.send(ManualClock(START - timedelta(days=1)))
    assert place.written == [b"1"]


def test_any_number_of_places_takes_a_limited_number_of_connections() -> None:
    opened: dict[str, Place] = {}

    def sink_of(name: str) -> Place:
        opened[name] = Place()
        return opened[name]

    outbox = Outbox(sink_of)
    outbox.put(START, [(f"{number}", [b"1"]) for number in range(MOST_SINKS + 3)])
    outbox.send(ManualClock(START))
    assert [name for name, place in opened.items() if place.closed] == ["0", "1", "2"]
    assert all(place.written for place in opened.values())
    outbox.close()
    assert all(place.closed for place in opened.values())


def test_any_number_of_lines_is_kept_within_bounds(place: Place) -> None:
    outbox = Outbox(lambda _: place)
    for number in range(11):
        outbox.put(START, [("", [b"%d" % number] * (MOST_LINES // 10))])
    assert (outbox.waiting, outbox.dropped) == (MOST_LINES, MOST_LINES // 10)
    outbox.send(ManualClock(START))
    assert place.written[0] == b"1"


def test_a_line_that_is_refused_costs_no_other(place: Place) -> None:
    place.bad = b"bad"
    outbox = Outbox(lambda _: place)
    outbox.put(START, [("", [b"1", b"2", b"bad", b"3"])])
    outbox.send(ManualClock(START))
    assert (sorted(place.written), outbox.refused, outbox.waiting) == ([b"1", b"2", b"3"], 1, 0)


def test_where_all_lines_are_refused_nobody_asks_about_each(place: Place) -> None:
    place.bad = b"bad"
    outbox = Outbox(lambda _: place)
    outbox.put(START, [("", [b"bad"] * 1000)])
    outbox.send(ManualClock(START))
    assert (place.requests, outbox.refused) == (1, 1000)


async def test_a_fault_of_ours_in_a_sample_ends_no_more_than_the_step(clock: ManualClock, place: Place,
                                                                     caplog: pytest.LogCaptureFixture) -> None:
    faults: list[Exception] = [ValueError("ours")]

    def tells(begun: datetime, now: datetime) -> list[tuple[str, Lines]]:
        if faults:
            raise faults.pop()
        return dated(begun, now)

    stop = asyncio.Event()
    with caplog.at_level(logging.CRITICAL):
        running = asyncio.create_task(telling(Teller(clock, 60, ((tells, Outbox(lambda _: place)),)), clock, stop))
        async with asyncio.timeout(PATIENCE_S):
            while not place.written:
                await clock.tick(60)
                await asyncio.sleep(0.01)
            stop.set()
            await running
    assert not faults
    assert place.closed


def test_a_process_is_told_of_with_its_name_and_letters_by_reason() -> None:
    lines = platform_lines({"process": "bridge", "name": "b 1"}, Sample({PLATFORM_RECEIVED: 3, PLATFORM_CPU: None},
                                                                       {"Truncated": 2}), 5)
    assert lines == [b"platform,name=b\\ 1,process=bridge received=3i 5",
                     b"letters,name=b\\ 1,process=bridge,reason=Truncated count=2i 5"]


def test_this_process_uses_memory_and_time() -> None:
    looks = iter([{PLATFORM_RECEIVED: 1}, {PLATFORM_RECEIVED: 5}])
    process = Process("bridge", "b", lambda seen: Look(seen.real_s, seen.cpu_s, seen.memory_mb, next(looks)))
    [(_, [line])] = process.tells(START, START + timedelta(seconds=60))
    assert b" received=4i,cpu=" in line
    assert 1 < (look().memory_mb or 0) < 10_000
    assert f"{PLATFORM_MEMORY.field}=".encode() in line


def test_the_platform_has_a_bucket_of_its_own_that_forgets() -> None:
    missing: tuple[int, dict[str, str], bytes] = (404, {}, b'{"error":"database not found"}')
    answers = deque([missing, (200, {}, b"{}"), (204, {}, b"")])
    with standin(version={"X-Influxdb-Version": "1.8.10"}, answers=answers) as server:
        outbox = platform_outbox(Influx(url=server.url, bucket="city", platform_days=30))
        outbox.put(START, [("", [b"platform,process=api,name=x requests=1i 1"])])
        outbox.send(ManualClock(START))
        outbox.close()
        assert server.asked[2][3] == b"q=CREATE%20DATABASE%20%22city__platform%22%20WITH%20DURATION%2030d"
        assert server.points == {b"platform,process=api,name=x requests=1i 1"}


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(Invalid):
        platform_outbox(Influx(url="ftp://h"))
