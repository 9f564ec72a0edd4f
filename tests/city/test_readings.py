"""From measurement to reading: placed by our registry, judged by range and by what is already known."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import BAY_OCCUPIED, LAMP_LEVEL, LAMP_POWER, Measurement
from city.readings import NO_LASTS, DeviceState, Entry, Place, Quality, entered, from_ns, to_ns

EUI = DevEui("70b3d57ed0000042")
PLACE = Place(TenantId("t"), AssetId("L1"), "lamp", ZoneId("markt"), CircuitId("c1"), EUI)


def remember(state: DeviceState, at_ns: int, *said: Measurement) -> DeviceState:
    return structs.replace(state, last=state.last.after(said, at_ns)[0])


def test_an_entry_has_its_devices_place_and_time():
    entry, _ = entered(PLACE, 5, "k", [LAMP_LEVEL(40)], NO_LASTS)
    (reading,) = entry.readings
    assert (reading.place, reading.value, reading.at_ns, reading.quality) == (PLACE, 40, 5, Quality.GOOD)
    assert Entry.of(PLACE, 5, "k", entry.readings) == entry


def test_a_measurement_that_is_dated_keeps_its_own_time():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    entry, last = entered(PLACE, 5, "k", [LAMP_LEVEL(40, at=at), LAMP_POWER(9)], NO_LASTS)
    assert [reading.at_ns for reading in entry.readings] == [to_ns(at), 5]
    assert last["lamp.level"].at_ns == to_ns(at)


@pytest.mark.parametrize("level", [130.0, -1.0, float("nan"), float("inf")])
def test_out_of_range_is_implausible_and_never_becomes_the_state(level):
    entry, last = entered(PLACE, 5, "k", [LAMP_LEVEL(level)], NO_LASTS)
    assert entry.readings[0].quality is Quality.IMPLAUSIBLE
    assert len(last) == 0


def test_older_than_known_is_late_and_never_becomes_the_state():
    state = remember(DeviceState(EUI), 10, LAMP_LEVEL(40))
    entry, last = entered(PLACE, 9, "k", [LAMP_LEVEL(70), LAMP_POWER(9)], state.last)
    assert [reading.quality for reading in entry.readings] == [Quality.LATE, Quality.GOOD]
    assert (last.value("lamp.level"), last.value("lamp.power")) == (40, 9)


def test_the_newest_wins_even_where_one_frame_says_the_older_last():
    before = from_ns(3)
    entry, last = entered(PLACE, 10**6, "k", [BAY_OCCUPIED(True), BAY_OCCUPIED(False, at=before)], NO_LASTS)
    assert [reading.quality for reading in entry.readings] == [Quality.GOOD, Quality.LATE]
    assert last.value("bay.occupied") is True


def test_since_moves_only_when_the_value_changes():
    state = DeviceState(EUI)
    for at, taken in ((1, True), (2, True), (3, False), (4, False)):
        state = remember(state, at, BAY_OCCUPIED(taken))
    assert state.last[BAY_OCCUPIED.name].since_ns == 3


def test_channels_are_kept_apart():
    state = remember(DeviceState(EUI), 1, LAMP_LEVEL(40), LAMP_LEVEL(20, "dali-9"))
    assert (state.value(LAMP_LEVEL), state.value(LAMP_LEVEL, "dali-9")) == (40, 20)


def test_devices_that_say_the_same_share_the_names():
    one, other = (remember(DeviceState(EUI), at, LAMP_LEVEL(40), LAMP_POWER(1)) for at in (1, 2))
    assert one.last.index is other.last.index


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_nanoseconds_and_back_is_exact_to_the_microsecond(naive):
    at = naive.replace(tzinfo=UTC)
    assert from_ns(to_ns(at)) == at
    assert from_ns(to_ns(at) + 999) - at < timedelta(microseconds=1)
