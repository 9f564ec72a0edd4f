"""Programs are told to a town's lamps a few by a few, each in its turn, so that whoever dims has the air."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.airtime import time_on_air
from city.budget import down_band, lawful_s
from city.ids import AssetId, DevEui, GatewayId, TenantId
from city.orders import SunCalendar
from city.places import Device
from city.rationing import FRAME_BYTES, MOST_SLOTS, SHARE, SLOT, has_turn, lasts, number_of, per_slot, turn
from city.readings import DeviceState, to_ns
from city.store.ports import Known, Registered
from gateway_bridge.configuring import TABLES
from gateway_bridge.telling import LOOKED_WITHIN, Untold
from gateway_bridge.towns import Town
from gateway_bridge.wishes import decide_in_full, served
from tests.gateway_bridge.test_holding import LAMP, NOON, TOLD, town

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
LAMPS = [DevEui(f"70b3d57e{number:08x}") for number in range(3000)]
GATEWAYS = [GatewayId(f"00000000000000{number:02x}") for number in range(4)]


def campaign(each: float, frames: int = 2) -> list[list[DevEui]]:
    """Whom a town of 3,000 lamps and 4 gateways tells in each slot, until all are told."""
    untold = Untold(each)
    untold.begin(LAMPS, START)
    for number, lamp in enumerate(LAMPS):
        untold.looked(lamp)
        untold.note(lamp, GATEWAYS[number % 4], frames)
    left, told, now = set(LAMPS), list[list[DevEui]](), START
    while left:
        turn = [lamp for lamp in sorted(left) if untold.has_turn(lamp, now)]
        for lamp in turn:
            untold.note(lamp, None, 0)
        left -= set(turn)
        told.append(turn)
        now += SLOT
        assert len(told) < 3 * MOST_SLOTS
    return told


def test_a_town_of_3000_lamps_is_told_through_the_day_and_no_hour_takes_more_than_its_share() -> None:
    each = per_slot(0.5, 9)
    told = campaign(each)
    assert timedelta(hours=4) < len(told) * SLOT < timedelta(hours=12)
    slowest = campaign(per_slot(0.5, 12))
    assert timedelta(days=1) < len(slowest) * SLOT < timedelta(days=3)
    promised = lasts(dict.fromkeys(GATEWAYS, 1500), each) / SLOT
    assert 0.7 < promised / len(told) < 1.3
    by_gateway = [Counter(LAMPS.index(lamp) % 4 for lamp in turn) for turn in told]
    hours = [sum(by_gateway[at:at + 6], Counter()) for at in range(len(told))]
    busiest_s = max(max(hour.values(), default=0) for hour in hours) * 2 * time_on_air(FRAME_BYTES, 9)
    assert busiest_s < SHARE * 0.5 * lawful_s(down_band())


def test_everybody_s_place_is_the_same_after_a_restart_and_they_are_spread_evenly() -> None:
    turns = Counter(number for lamp in LAMPS for number in range(64) if has_turn(lamp, 64, number))
    assert sum(turns.values()) == len(LAMPS)
    assert min(turns.values()) / (len(LAMPS) / 64) > 0.4
    assert max(turns.values()) / (len(LAMPS) / 64) < 1.6


@given(st.integers(0, 2**64 - 1), st.integers(1, 10), st.integers(0, 10**6))
def test_every_device_has_its_turn_once_in_each_round_and_keeps_it_on_a_smaller_circle(eui: int, power: int, first: int) -> None:
    device, circle = DevEui(f"{eui:016x}"), 2**power
    turns = [number for number in range(first, first + circle) if has_turn(device, circle, number)]
    assert len(turns) == 1
    assert has_turn(device, circle // 2, turns[0])


@given(st.dictionaries(st.sampled_from(LAMPS), st.integers(1, 9), max_size=200), st.floats(0.5, 50), st.integers(0, 10**6))
def test_whoever_has_a_turn_fits_into_the_slot_or_is_alone(frames: dict[DevEui, int], each: float, number: int) -> None:
    found = turn(frames, each, number)
    told = [count for device, count in frames.items() if found.has(device)]
    assert told or not frames
    assert len(told) <= 1 or sum(told) <= each or found.circle == MOST_SLOTS


def test_a_few_lamps_are_told_at_once() -> None:
    each = per_slot(0.5, 9)
    assert turn(dict.fromkeys(LAMPS[:15], 2), each, number_of(START)).circle == 1
    assert lasts({GATEWAYS[0]: 30}, each) == timedelta()
    assert lasts({GATEWAYS[0]: 1500, GATEWAYS[1]: 10}, each) > timedelta(hours=4)


def test_nobody_has_a_turn_before_it_is_known_how_many_lack_something() -> None:
    untold = Untold(25.0)
    untold.begin(LAMPS[:2], START)
    untold.looked(LAMPS[0])
    assert not untold.has_turn(LAMPS[0], START)
    untold.looked(LAMPS[1])
    assert untold.has_turn(LAMPS[0], START)
    untold.again(START)
    assert not untold.has_turn(LAMPS[0], START)
    assert untold.has_turn(LAMPS[0], START + LOOKED_WITHIN)


def steered(place: Town, model: str, now: datetime = NOON) -> list[object]:
    """The orders of LAMP's program that are planned now."""
    device = Device(DevEui("70b3d57ed0000042"), TenantId("t"), AssetId("L"), model)
    state = DeviceState(device.dev_eui, application_id="a", gateway=GATEWAYS[0], heard_ns=to_ns(now - timedelta(minutes=1)))
    known = Known(Registered.of(place.tenant, device, LAMP), state)
    item = served(known, {})
    assert item is not None
    return [one.order for one in decide_in_full(place, item, known, now).new if one.origin == TABLES]


def crowd(each: float) -> Town:
    """A town in which 3,000 other lamps of the gateway lack their programs."""
    place = town(TOLD)
    place.untold = Untold(each)
    for lamp in LAMPS:
        place.untold.note(lamp, GATEWAYS[0], 2)
    return place


@pytest.mark.parametrize("model", ["nas/ul20xx", "stadtfunk/lamp"])
def test_a_lamp_that_listens_all_the_time_waits_for_its_turn(model: str) -> None:
    place = crowd(25.0)
    turns = [bool(steered(place, model, NOON + number * SLOT)) for number in range(600)]
    assert 1 <= sum(turns) <= 8
    assert [type(one) for one in steered(crowd(10_000), "nas/ul20xx")] == [SunCalendar]


def test_one_that_listens_after_its_own_uplinks_is_told_when_it_speaks() -> None:
    assert len(steered(crowd(25.0), "zenosmart/lcc")) == 1


def test_while_many_are_being_dimmed_nobody_is_told_a_program() -> None:
    place = town(TOLD)
    place.crowded_until = NOON + timedelta(minutes=10)
    assert steered(place, "nas/ul20xx") == []
    assert steered(place, "zenosmart/lcc") == []
    assert steered(place, "nas/ul20xx", NOON + timedelta(minutes=10))
