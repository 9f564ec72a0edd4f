"""How often sensors say their state, and changes that were lost."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace as changed

from city.ids import DevEui
from city.orders import Parameters, StatusInterval, to_json
from city.parking import lost_change, sign_of_life
from city.quantities import BAY_OCCUPIED, BAY_PREVIOUS_MINUTES, DEVICE_HEARTBEAT
from city.readings import DeviceState, Last, Lasts, to_ns

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


def heard(taken, ago):
    at = to_ns(NOW - ago)
    return DeviceState(DevEui("70b3d57ed0000042"), heard_ns=at, last=Lasts.of({BAY_OCCUPIED.name: Last(taken, at, at)}))


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
