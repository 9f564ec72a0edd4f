"""What residents may be told: unknown is never counted as free or as taken."""


from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.orders import Parameters, StatusInterval, to_json
from city.parking import BayState, Occupancy, Word, bay_state, lost_change, publishable, sign_of_life, zone_occupancy
from city.places import ParkingBay, Restriction, Site
from city.quantities import BAY_OCCUPIED, BAY_PREVIOUS_MINUTES, DEVICE_HEARTBEAT
from city.readings import DeviceState, Last, Lasts, to_ns

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


def bay(number=1, restriction=Restriction.NONE, blocked=False):
    return ParkingBay(TenantId("t"), AssetId(f"B{number}"), f"B{number}", Site(51, 8), ZoneId("markt"), restriction, blocked)


def heard(taken, ago):
    at = to_ns(NOW - ago)
    return DeviceState(DevEui("70b3d57ed0000042"), heard_ns=at, last=Lasts.of({BAY_OCCUPIED.name: Last(taken, at, at)}))


def test_a_heartbeat_keeps_a_bay_known_and_its_loss_does_not():
    assert bay_state(bay(), heard(True, timedelta(hours=24, minutes=59)), DAY, NOW).occupancy is Occupancy.OCCUPIED
    assert bay_state(bay(), heard(True, timedelta(hours=25, minutes=1)), DAY, NOW).occupancy is Occupancy.UNKNOWN
    assert bay_state(bay(), heard(True, timedelta(hours=50)), DAY, NOW).occupancy is Occupancy.OUT_OF_SERVICE


def test_a_sensor_that_is_heard_but_does_not_say_its_state_leaves_the_bay_unknown():
    radio = changed(heard(True, timedelta(hours=26)), heard_ns=to_ns(NOW))
    assert bay_state(bay(), radio, DAY, NOW).occupancy is Occupancy.UNKNOWN
    assert bay_state(bay(), radio, DAY, NOW).heard_at == NOW


def test_a_sensor_says_its_state_as_often_as_it_has_been_set_to():
    known, seconds = heard(True, DAY), 6 * 3600.0
    report = to_json(Parameters((("battery_change", 1), ("max_time", 600), ("min_time", 60)))).decode()
    assert sign_of_life(None, DAY) == sign_of_life(known, DAY) == DAY
    assert sign_of_life(changed(known, config={"StatusInterval": to_json(StatusInterval(900)).decode()}), DAY).seconds == 900
    assert sign_of_life(changed(known, config={"Parameters": report, "StatusInterval": "?"}), DAY).seconds == 600
    assert sign_of_life(changed(known, config={"Parameters": to_json(Parameters((("mode", 5),))).decode()}), DAY) == DAY
    assert sign_of_life(changed(known, last=Lasts.of({"device.setting@max_time": Last(seconds, 1, 1)})), DAY).seconds == seconds
    for absurd in (0.0, 1e300, float("nan"), "soon"):
        assert sign_of_life(changed(known, last=Lasts.of({"device.setting@max_time": Last(absurd, 1, 1)})), DAY) == DAY


def change(occupied, minutes, **more):
    return [BAY_OCCUPIED(occupied), BAY_PREVIOUS_MINUTES(minutes), *([DEVICE_HEARTBEAT(more["heartbeat"])] if more else [])]


def test_a_change_that_was_lost_is_restored_by_how_long_the_state_before_lasted():
    known = heard(True, timedelta(hours=2))
    for said in (change(True, 30), change(True, 30, heartbeat=False)):
        assert lost_change(said, known, to_ns(NOW)) == (BAY_OCCUPIED(False, at=NOW - timedelta(minutes=30)),)


@pytest.mark.parametrize(("said", "known"), [
    (change(True, 30), heard(False, timedelta(hours=2))),  # nothing was lost
    (change(True, 120), heard(True, timedelta(hours=2))),  # it would have been lost before we knew
    (change(True, 30, heartbeat=True), heard(True, timedelta(hours=2))),
    (change(True, 0), heard(True, timedelta(hours=2))),
    (change(True, float("inf")), heard(True, timedelta(hours=2))),
    (change(True, 1e6), heard(True, timedelta(days=999))),
    ([BAY_OCCUPIED(True)], heard(True, timedelta(hours=2))),
    (change(True, 30), DeviceState(DevEui("70b3d57ed0000042")))])
def test_nothing_is_restored_where_nothing_is_known_to_be_lost(said, known):
    assert lost_change(said, known, to_ns(NOW)) == ()


def test_a_bay_never_heard_is_unknown_with_its_reason():
    state = bay_state(bay(), None, DAY, NOW)
    assert (state.occupancy, state.reason) == (Occupancy.UNKNOWN, "never heard")


def test_a_blocked_bay_is_blocked_whatever_its_sensor_says():
    assert bay_state(bay(blocked=True), heard(False, DAY / 2), DAY, NOW).occupancy is Occupancy.BLOCKED


def zone(free=0, occupied=0, unknown=0, blocked=0, disabled_free=0):
    rows = [(Occupancy.FREE, free), (Occupancy.OCCUPIED, occupied), (Occupancy.UNKNOWN, unknown), (Occupancy.BLOCKED, blocked)]
    states = [BayState(bay(n), occupancy, heard_at=NOW) for occupancy, count in rows for n in range(count)]
    return states + [BayState(bay(n, Restriction.DISABLED), Occupancy.FREE) for n in range(disabled_free)]


def test_a_free_disabled_bay_is_not_a_free_bay():
    states = zone(free=3, occupied=2, disabled_free=2)
    assert zone_occupancy(states).free == 3
    assert zone_occupancy(states, Restriction.DISABLED).free == 2


def test_blocked_bays_leave_the_total():
    assert zone_occupancy(zone(free=3, blocked=4)).total == 3


def test_number_range_or_no_data_by_coverage():
    assert zone_occupancy(zone(free=5, occupied=4, unknown=1)).says_number
    part = zone_occupancy(zone(free=3, occupied=3, unknown=4))
    assert (part.says_number, part.says_range, part.free_min, part.free_max) == (False, True, 3, 7)
    assert zone_occupancy(zone(free=3, unknown=7)).word is Word.NO_DATA


def test_few_comparable_bays_are_nobodys_business_but_those_people_depend_on():
    four, five = zone_occupancy(zone(free=2, occupied=2)), zone_occupancy(zone(free=3, occupied=2))
    assert (publishable(four, Restriction.NONE), publishable(five, Restriction.NONE)) == (False, True)
    assert not publishable(four, Restriction.RESIDENT)
    assert publishable(zone_occupancy(zone(free=1)), Restriction.DISABLED)


def test_words():
    assert zone_occupancy(zone(free=1, occupied=9)).word is Word.FULL
    assert zone_occupancy(zone(free=3, occupied=7)).word is Word.FEW
    assert zone_occupancy(zone(free=4, occupied=6)).word is Word.MANY
    assert zone_occupancy([]).word is Word.NO_DATA


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_counts_never_leave_their_bounds(free, occupied, unknown, blocked):
    counted = zone_occupancy(zone(free, occupied, unknown, blocked))
    assert 0 <= counted.free_min <= counted.free_max <= counted.total == free + occupied + unknown
    assert counted.free == free
    assert counted.occupied == occupied
