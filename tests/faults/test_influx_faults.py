"""InfluxDB is away, slow, full, wrong or picky: F6–F13. Readings wait in the local log; nothing is dropped, and all is
there in the end, once, in order."""

import time
from collections.abc import Iterator, Sequence

import pytest

from tests.faults import invariant
from tests.faults.bridge import Bridge
from tests.faults.influx import Answer, FakeInflux, fake_influx, number_of
from tests.faults.rig import Rig
from tests.faults.toxics import Latency, ResetPeer, Timeout
from tests.faults.waiting import during, until

pytestmark = pytest.mark.wire
OURS = {"influx_org": "town", "influx_token": "secret-token"}


@pytest.fixture
def fake() -> Iterator[FakeInflux]:
    with fake_influx() as made:
        yield made


def _shipped(rig: Rig, seconds: float = 60.0) -> None:
    """Until InfluxDB has every event once that the broker took."""
    until(lambda: invariant.count_shipped(rig.influx.url) >= len(rig.publisher.acked), seconds, rig.bridges[-1].said, every=0.3)
    invariant.check(rig.publisher.acked, invariant.shipped(rig.fleet, rig.influx.url), seed=rig.seed)


def _taken(rig: Rig, fake: FakeInflux, seconds: float = 60.0) -> None:
    """The same of the stand-in; and that each device's points came in order."""
    until(lambda: fake.stored(rig.fleet) >= rig.publisher.acked, seconds, rig.bridges[-1].said, every=0.1)
    assert fake.stored(rig.fleet) == set(range(rig.publisher.sent))
    invariant.order_kept(rig.fleet, fake.numbers(rig.fleet))


def test_f06_influx_away_for_an_hour_of_events(rig: Rig, long: bool) -> None:
    """Acknowledgements go on; afterwards everything arrives, at 5,000 a second and more where the machine is ours."""
    events = 460_000 if long else 5_000
    bridge = rig.bridge(influx_url=rig.influx_url)
    rig.publisher.publish(100)
    _shipped(rig)
    rig.to_influx.down()
    rig.publisher.publish(events)
    rig.wait_stored(bridge, events + 100, 600.0)
    assert invariant.balance(bridge)["connected"] == 1
    rig.to_influx.up()
    began = time.monotonic()
    _shipped(rig, 240.0)
    seconds = time.monotonic() - began
    print(f"caught up {events} events in {seconds:.1f} s")  # noqa: T201 - what must be shown
    assert seconds < 120.0
    assert bridge.stop() == 0
    rig.check()


def test_f06_order_of_each_device_is_kept_over_an_outage(rig: Rig, fake: FakeInflux) -> None:
    bridge = rig.bridge(influx_url=fake.url, influx_batch=200, **OURS)
    rig.publisher.publish(300)
    _taken(rig, fake)
    fake.rule = lambda _: Answer(500, words="away")
    rig.publisher.publish(1500)
    rig.wait_stored(bridge, 1800)
    fake.rule = lambda _: Answer()
    rig.publisher.publish(300)
    _taken(rig, fake)
    assert bridge.stop() == 0


def test_f07_slow_and_hanging_influx_piles_nothing_up(rig: Rig, long: bool) -> None:
    bridge = rig.bridge(influx_url=rig.influx_url)
    rig.publisher.publish(500)
    _shipped(rig)
    threads, memory = bridge.threads(), bridge.rss_mb()
    with rig.publisher.running(rate=300), rig.to_influx.poisoned(Latency(10.0 if long else 1.0)):
        during(120.0 if long else 4.0, lambda: rig.to_influx.counts.open <= 4, every=0.1)
    frozen = Timeout()
    with rig.publisher.running(rate=300), rig.to_influx.poisoned(frozen):
        during(120.0 if long else 4.0, lambda: rig.to_influx.counts.open <= 4, every=0.1)
        assert bridge.threads() <= threads + 4, "no thread waits for each batch"
    _shipped(rig, 90.0)
    assert bridge.rss_mb() < memory + 40.0
    rig.wait_drained()
    assert bridge.stop() == 0
    rig.check()


def test_f08_busy_influx_is_left_alone_as_long_as_it_asks(rig: Rig, fake: FakeInflux) -> None:
    answers = [Answer(503, {"Retry-After": "2"}, "overloaded"), Answer(429, {"Retry-After": "2"}, "too many"),
               Answer(500, {}, "broken")]
    told: list[float] = []

    def rule(lines: Sequence[bytes]) -> Answer:
        if all(number_of(rig.fleet, line) is None for line in lines):  # the platform's figures come by a loop of their own
            return Answer()
        told.append(time.monotonic())
        return answers[len(told) - 1] if len(told) <= len(answers) else Answer()

    fake.rule = rule
    bridge = rig.bridge(influx_url=fake.url, **OURS)
    rig.publisher.publish(200)
    _taken(rig, fake)
    assert told[1] - told[0] >= 1.9, "503 with Retry-After: 2"
    assert told[2] - told[1] >= 1.9, "429 with Retry-After: 2"
    assert told[3] - told[2] < 30.0, "no header: our own back-off, which is capped"
    assert bridge.stop() == 0
    rig.check()
    assert rig.store.count_letters() == {}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_f09_a_wrong_token_or_missing_bucket_holds_the_queue(rig: Rig, fake: FakeInflux, status: int) -> None:
    fake.rule = lambda _: Answer(status, words="unauthorized access or no such bucket")
    bridge = rig.bridge(influx_url=fake.url, **OURS)
    rig.publisher.publish(200)
    rig.wait_stored(bridge, 200)
    until(lambda: len(fake.asked) >= 2, said=bridge.said)
    assert str(status) in bridge.said() or "bucket" in bridge.said()
    assert "secret-token" not in bridge.said()
    fake.rule = lambda _: Answer()
    _taken(rig, fake)
    assert bridge.stop() == 0
    assert rig.store.count_letters() == {}, "not the lines' fault"


def test_f10_one_bad_line_is_found_and_the_rest_stored(rig: Rig, fake: FakeInflux) -> None:
    bad = b",device=" + rig.fleet.eui(3).encode()

    def rule(lines: object) -> Answer:
        refused = any(bad in line and b"radio," in line and _f_cnt(line) == 5 for line in lines)  # type: ignore[attr-defined]
        return Answer(400, {}, "unable to parse points") if refused else Answer()

    fake.rule = rule
    bridge = rig.bridge(influx_url=fake.url, **OURS)
    rig.publisher.publish(400)
    number = (5 - 1) * rig.fleet.size + 3
    until(lambda: len(fake.stored(rig.fleet)) == 399, said=bridge.said)
    assert fake.stored(rig.fleet) == set(range(400)) - {number}
    until(rig.store.count_letters)
    assert sum(rig.store.count_letters().values()) == 1
    (letter,) = rig.store.all_letters()
    assert "unable to parse points" in letter.detail
    assert b"fcnt=5i" in letter.payload
    assert bridge.stop() == 0


def test_f11_a_conflict_of_types_takes_only_its_own_points(rig: Rig, fake: FakeInflux) -> None:
    bad = b",device=" + rig.fleet.eui(2).encode()

    def fits(line: bytes) -> bool:
        return not (bad in line and line.startswith(b"radio,"))

    def rule(lines: object) -> Answer:
        if all(map(fits, lines)):  # type: ignore[call-overload]
            return Answer()
        return Answer(422, {}, 'partial write: field type conflict: input field "fcnt" on measurement "radio" is type integer, '
                      "already exists as type float dropped=1", fits)

    fake.rule = rule
    bridge = rig.bridge(influx_url=fake.url, **OURS)
    rig.publisher.publish(100)
    fitting = {number for number in range(100) if number % rig.fleet.size != 2}
    until(lambda: fake.stored(rig.fleet) == fitting, said=bridge.said)
    until(lambda: sum(rig.store.count_letters().values()) == 5, said=bridge.said)
    assert all(b"radio," in letter.payload and bad in letter.payload for letter in rig.store.all_letters())
    rig.publisher.publish(20)
    until(lambda: 100 in fake.stored(rig.fleet), said=bridge.said)
    assert bridge.stop() == 0


def test_f12_too_large_a_request_is_split(rig: Rig, fake: FakeInflux) -> None:
    fake.rule = lambda lines: Answer(413, words="too large") if len(lines) > 25 else Answer()
    bridge = rig.bridge(influx_url=fake.url, **OURS)
    rig.publisher.publish(500)
    _taken(rig, fake)
    assert any(asked.status == 413 for asked in fake.asked)
    assert bridge.stop() == 0
    assert rig.store.count_letters() == {}


def test_f13_an_unknown_outcome_is_sent_again_and_visible_once(rig: Rig) -> None:
    bridge: Bridge = rig.bridge(influx_url=rig.influx_url)
    rig.publisher.publish(200)
    _shipped(rig)
    with rig.to_influx.poisoned(ResetPeer()):
        rig.publisher.publish(300)
        until(lambda: rig.to_influx.counts.accepted >= 3, said=bridge.said)
        until(lambda: invariant.count_shipped(rig.influx.url) > 200, said=bridge.said, every=0.2)
    _shipped(rig)
    assert bridge.stop() == 0
    rig.check()


def _f_cnt(line: bytes) -> int:
    found = line.partition(b"fcnt=")[2].partition(b"i")[0]
    return int(found) if found.isdigit() else -1
