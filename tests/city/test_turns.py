"""Gateways that share lamps do not send at the same time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from city.ids import GatewayId
from city.turns import GAP, SLOT, SOON, Turns, loud_at

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
EAST, WEST, FAR = GatewayId("0016c001ff000001"), GatewayId("0016c001ff000002"), GatewayId("0016c001ff000003")
SF9, SF12 = 0.165, 1.155


@dataclass(frozen=True)
class Ear:
    gateway: GatewayId
    rssi: float


BETWEEN = (Ear(EAST, -100.0), Ear(WEST, -103.0))
NEAR_EAST, NEAR_WEST = (Ear(EAST, -80.0), Ear(WEST, -110.0)), (Ear(WEST, -80.0), Ear(EAST, -110.0))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def handed(turns: Turns, gateway: GatewayId, reach: tuple[Ear, ...], seconds: float, now: datetime, most: int = 100) -> int:
    count = 0
    while count < most and turns.opens(gateway, reach, seconds, now):
        turns.took(gateway, reach, seconds, now)
        count += 1
    return count


def test_a_gateway_is_handed_what_it_can_send_before_the_next_look() -> None:
    turns = Turns()
    assert handed(turns, EAST, BETWEEN, SF9, NOW) == 4
    assert handed(turns, EAST, BETWEEN, SF9, at(1)) == 4


def test_a_slow_frame_takes_two_looks() -> None:
    turns = Turns()
    assert [handed(turns, EAST, BETWEEN, SF12, at(second)) for second in range(6)] == [1, 0, 1, 0, 1, 0]


def test_neighbours_take_turns_where_a_lamp_hears_both() -> None:
    turns = Turns()
    assert handed(turns, EAST, BETWEEN, SF9, NOW)
    assert not handed(turns, WEST, BETWEEN, SF9, NOW)
    assert handed(turns, WEST, BETWEEN, SF9, at(1))
    assert not handed(turns, EAST, BETWEEN, SF9, at(1))


def test_lamps_that_hear_but_one_of_them_are_told_at_once() -> None:
    turns = Turns()
    assert handed(turns, EAST, NEAR_EAST, SF9, NOW)
    assert handed(turns, WEST, NEAR_WEST, SF9, NOW)
    assert not handed(turns, WEST, BETWEEN, SF9, NOW)


def test_nothing_is_said_alone_while_a_multicast_is_out() -> None:
    turns = Turns()
    turns.hush([EAST], at(20))
    assert not handed(turns, EAST, NEAR_EAST, SF9, at(10))
    assert not handed(turns, WEST, BETWEEN, SF9, at(10))
    assert handed(turns, WEST, NEAR_WEST, SF9, at(10))
    assert handed(turns, EAST, NEAR_EAST, SF9, at(20))


def test_a_lamp_that_its_gateway_never_heard_is_spoilt_by_whoever_it_hears() -> None:
    assert loud_at(FAR, BETWEEN) == {EAST, WEST}
    assert loud_at(EAST, NEAR_EAST) == frozenset()


GATEWAYS = st.sampled_from([EAST, WEST, FAR])
REACHES = st.lists(st.tuples(GATEWAYS, st.floats(-125, -60)), min_size=1, max_size=3, unique_by=lambda one: one[0]).map(
    lambda pairs: tuple(Ear(*pair) for pair in pairs))


@given(st.lists(st.tuples(GATEWAYS, REACHES, st.sampled_from([SF9, SF12]), st.integers(0, 3)), max_size=60))
def test_what_is_on_the_air_together_never_meets_at_a_lamp(asked: list[tuple[GatewayId, tuple[Ear, ...], float, int]]) -> None:
    turns, sent, free = Turns(), list[tuple[datetime, datetime, GatewayId, tuple[Ear, ...]]](), dict[GatewayId, datetime]()
    for gateway, reach, seconds, second in sorted(asked, key=lambda one: one[3]):
        now = at(second)
        if turns.opens(gateway, reach, seconds, now):
            turns.took(gateway, reach, seconds, now)
            begins = max(free.get(gateway, now), now)
            free[gateway] = begins + timedelta(seconds=seconds) + GAP
            sent.append((begins, free[gateway], gateway, reach))
    for begins, ends, gateway, reach in sent:
        for other_begins, other_ends, other, _ in sent:
            if other != gateway and begins + SOON < other_ends and other_begins + SOON < ends:
                assert other not in loud_at(gateway, reach)
    assert all(ends - begins <= max(SLOT, ends - begins) for begins, ends, _, _ in sent)
