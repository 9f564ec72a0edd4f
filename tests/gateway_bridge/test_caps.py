"""One device or one town that asks too much starves no other, and what waited during an outage is all taken."""

import random
import tracemalloc

import pytest

from city.errors import TooManySeries
from city.ids import DevEui, TenantId
from city.readings import NS
from gateway_bridge.caps import MOST_WATCHED, FrameCap, SeriesCap, TownRates, too_many

T0 = 1_800_000_000 * NS
ONE, TWO = DevEui("0000000000000001"), DevEui("0000000000000002")
A, B = TenantId("aheim"), TenantId("bheim")


def heard(device: DevEui, count: int, *, every_ns: int, since: int = T0) -> list[tuple[DevEui, int]]:
    return [(device, since + n * every_ns) for n in range(count)]


def test_a_device_that_floods_keeps_its_first_frames_and_others_keep_all() -> None:
    cap = FrameCap(60)
    flood, calm = heard(ONE, 1000, every_ns=NS // 100), heard(TWO, 50, every_ns=NS)
    mixed = [*flood[:500], *calm, *flood[500:]]
    over = cap.excess(mixed)
    assert len(over) == 940
    assert {mixed[place][0] for place in over} == {ONE}
    assert over[0] == 60


def test_a_device_is_heard_again_in_its_next_minute() -> None:
    cap = FrameCap(60)
    assert cap.excess(heard(ONE, 100, every_ns=1))
    assert cap.excess(heard(ONE, 60, every_ns=1, since=T0 + 60 * NS)) == []
    assert cap.excess(heard(ONE, 1, every_ns=1, since=T0 + 61 * NS)) == [0]


def test_a_days_backlog_that_arrives_at_once_is_all_taken() -> None:
    cap = FrameCap(60)
    backlog = [(DevEui(f"{n:016x}"), T0 + quarter * 900 * NS) for n in range(50) for quarter in range(96)]
    assert cap.excess(backlog) == []
    random.Random(1).shuffle(backlog)
    assert FrameCap(60).excess(backlog) == []


def test_one_report_a_second_is_taken_and_no_cap_takes_all() -> None:
    assert FrameCap(60).excess(heard(ONE, 5000, every_ns=NS)) == []
    assert FrameCap(0).excess(heard(ONE, 5000, every_ns=1)) == []


def test_what_is_counted_of_devices_stays_bounded_and_a_flooder_is_not_forgotten() -> None:
    cap = FrameCap(60)
    cap.excess(heard(ONE, 61, every_ns=1))
    tracemalloc.start()
    for begin in range(0, 3 * MOST_WATCHED, 1000):
        cap.excess((DevEui(f"{n:016x}"), T0) for n in range(begin + 10, begin + 1010))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < MOST_WATCHED * 500
    assert cap.excess([(ONE, T0 + 100)]) == [0]


def test_the_reason_names_the_device() -> None:
    assert ONE in str(too_many(ONE, 60))
    assert too_many(ONE, 60).reason == "TooManyFrames"


def test_a_town_over_its_rate_is_said_once_and_no_other() -> None:
    rates = TownRates(100)
    assert rates.note({A: 1000, B: 10}, 0.0) == []  # a burst is no rate
    assert rates.note({A: 200, B: 10}, 1.0) == [A]
    assert rates.note({A: 200, B: 10}, 2.0) == []
    assert rates.over == {A}
    assert rates.note({B: 10}, 60.0) == []
    assert rates.over == frozenset()
    assert rates.note({A: 1200}, 61.0) == [A]
    assert TownRates(0).note({A: 10**9}, 0.0) == []


def test_a_town_within_its_rate_is_never_said() -> None:
    rates = TownRates(100)
    assert all(rates.note({A: 100}, float(second)) == [] for second in range(1000))


def test_new_names_are_refused_where_there_is_no_room_and_known_ones_go_on() -> None:
    cap = SeriesCap(3)
    cap.know(A, ["raw.x.one"])
    cap.admit(A, ["raw.x.two", "raw.x.three"])
    with pytest.raises(TooManySeries):
        cap.admit(A, ["raw.x.one", "raw.x.four"])
    cap.admit(A, ["raw.x.one", "raw.x.two"])
    cap.admit(B, ["raw.x.four"])
    assert cap.full == {A}


def test_a_frame_that_is_refused_takes_no_room() -> None:
    cap = SeriesCap(2)
    with pytest.raises(TooManySeries):
        cap.admit(A, ["a", "b", "c"])
    cap.admit(A, ["d", "e"])


def test_room_is_made_where_a_towns_scripts_change() -> None:
    cap = SeriesCap(1)
    cap.admit(A, ["old"])
    cap.forget(A)
    cap.admit(A, ["new"])
    assert cap.full == frozenset()


def test_a_bomb_of_names_stays_bounded() -> None:
    cap, refused = SeriesCap(1000), 0
    for n in range(20_000):
        try:
            cap.admit(A, [f"raw.bomb.{n}"])
        except TooManySeries:
            refused += 1
    assert refused == 19_000
