"""From measurement to reading: placed by our registry, judged by range and by what is already known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.places import Device, Luminaire, Site
from city.quantities import BAY_OCCUPIED, LAMP_LEVEL, LAMP_POWER
from city.readings import DeviceState, Quality, from_ns, judge, place, remember, to_ns

EUI = DevEui("70b3d57ed0000042")
LAMP = Luminaire(TenantId("t"), AssetId("L1"), "L1", Site(51, 8), ZoneId("markt"), CircuitId("c1"))
DEVICE = Device(EUI, TenantId("t"), AssetId("L1"), "nas/ul20xx")


def test_a_reading_stands_at_the_devices_asset():
    (reading,) = place([LAMP_LEVEL(40)], DEVICE, LAMP, 5)
    assert (reading.place.asset, reading.place.zone, reading.place.circuit, reading.at_ns) == ("L1", "markt", "c1", 5)


def test_a_measurement_that_is_dated_keeps_its_own_time():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    (reading,) = place([LAMP_LEVEL(40, at=at)], DEVICE, LAMP, 5)
    assert reading.at_ns == to_ns(at)


def test_out_of_range_is_implausible_and_never_becomes_the_state():
    readings = judge(place([LAMP_LEVEL(130)], DEVICE, LAMP, 5), DeviceState(EUI))
    assert readings[0].quality is Quality.IMPLAUSIBLE
    assert remember(DeviceState(EUI), readings).value(LAMP_LEVEL) is None


def test_older_than_known_is_late_and_never_becomes_the_state():
    state = remember(DeviceState(EUI), place([LAMP_LEVEL(40)], DEVICE, LAMP, 10))
    late = judge(place([LAMP_LEVEL(70), LAMP_POWER(9)], DEVICE, LAMP, 9), state)
    assert [reading.quality for reading in late] == [Quality.LATE, Quality.GOOD]
    after = remember(state, late)
    assert (after.value(LAMP_LEVEL), after.value(LAMP_POWER)) == (40, 9)


def test_since_moves_only_when_the_value_changes():
    state = DeviceState(EUI)
    for at, taken in ((1, True), (2, True), (3, False), (4, False)):
        state = remember(state, place([BAY_OCCUPIED(taken)], DEVICE, LAMP, at))
    assert state.since_ns[BAY_OCCUPIED.name] == 3


def test_channels_are_kept_apart():
    state = remember(DeviceState(EUI), place([LAMP_LEVEL(40), LAMP_LEVEL(20, "dali-9")], DEVICE, LAMP, 1))
    assert (state.value(LAMP_LEVEL), state.value(LAMP_LEVEL, "dali-9")) == (40, 20)


def test_remembering_keeps_the_rest_of_the_state():
    state = DeviceState(EUI, application_id="a", session="s", f_cnt=7, missed=2, config={"x": "y"})
    after = remember(state, place([LAMP_LEVEL(1)], DEVICE, LAMP, 1))
    assert replace(after, last={}, since_ns={}) == state


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_nanoseconds_and_back_is_exact_to_the_microsecond(naive):
    at = naive.replace(tzinfo=UTC)
    assert from_ns(to_ns(at)) == at
    assert from_ns(to_ns(at) + 999) - at < timedelta(microseconds=1)
