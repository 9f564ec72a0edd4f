"""What every ReadingLog promises."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_UPLINKS,
    LAMP_ENERGY,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_REASON,
    RADIO_FCNT,
    Kind,
    Quantity,
    Value,
    quantities,
)
from city.readings import NS, Entry, Place, Quality, Reading, to_ns
from city.store.ports import Point, ReadingLog
from city.store.readings import LocalLog

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
TOWN = TenantId("aheim")
PLACE = Place(TOWN, AssetId("L1"), "lamp", ZoneId("Markt"), CircuitId("K1"), DevEui("0000000000000001"))
Opening = Callable[[], ReadingLog]


@pytest.fixture(params=["local"])
def opening(request, tmp_path) -> Opening:  # noqa: ARG001 - one implementation so far
    """Opens the same log as often as it is called."""
    return lambda: LocalLog(tmp_path)


@pytest.fixture
def log(opening) -> Iterator[ReadingLog]:
    opened = opening()
    yield opened
    opened.close()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def entry(seconds: float, *said: tuple[Quantity, Value], place: Place = PLACE, key: str = "k",
          quality: Quality = Quality.GOOD, channel: str = "") -> Entry:
    ns = to_ns(at(seconds))
    readings = tuple(Reading(place, quantity, value, ns, channel, quality) for quantity, value in said)
    return Entry.of(place, ns, key, readings, 24, b"\x00\xff")


def shipped(log: ReadingLog, cursor: int = 0, limit: int = 1000) -> list[Entry]:
    return [item for _, item in log.after(cursor, limit)]


def history(log: ReadingLog, quantity: Quantity, start: float = 0, end: float = 10**6, every_s: float | None = None,
            channel: str = "") -> list[tuple[float, Value]]:
    points = log.history(TOWN, AssetId("L1"), quantity, at(start), at(end), every_s, channel)
    return [((point.at - START).total_seconds(), point.value) for point in points]


def test_an_empty_log_says_nothing(log):
    assert (log.append([]), log.head(), shipped(log), history(log, LAMP_LEVEL), log.cursor("influx")) == (0, 0, [], [], 0)


def test_an_entry_comes_back_as_it_was(log):
    whole = msgspec.structs.replace(
        entry(0, (LAMP_LEVEL, 40.0), (LAMP_REASON, "manual"), (BAY_OCCUPIED, True), (RADIO_FCNT, 7)),
        place=replace(PLACE, circuit=None))
    assert log.append([whole]) == 1
    assert shipped(log) == [whole]
    assert [type(reading.value) for reading in shipped(log)[0].readings] == [float, str, bool, int]


def test_channels_qualities_and_own_times_come_back(log):
    readings = tuple(msgspec.structs.replace(reading, at_ns=reading.at_ns + offset * NS, quality=quality, channel=channel)
                     for reading, offset, quality, channel in zip(
                         entry(0, (LAMP_LEVEL, 1.5), (LAMP_LEVEL, -2.25), (LAMP_LEVEL, 3.0)).readings, (-7200, 0, 3600),
                         (Quality.LATE, Quality.IMPLAUSIBLE, Quality.GOOD), ("dali-9", "", "dali-9"), strict=True))
    plain = entry(0)
    odd = Entry.of(plain.place, plain.at_ns, plain.key, readings, plain.f_port, plain.data)
    log.append([odd])
    assert shipped(log) == [odd]
    assert history(log, LAMP_LEVEL, -10_000, 10_000, channel="dali-9") == [(-7200, 1.5), (3600, 3.0)]


def test_appending_twice_is_one(log):
    entries = [entry(0, (LAMP_LEVEL, 1.0)), entry(0, (LAMP_LEVEL, 2.0), key="other"), entry(1, (LAMP_LEVEL, 3.0))]
    assert log.append(entries) == 3
    head = log.head()
    assert log.append(entries) == 0
    assert log.head() == head
    assert log.append([entries[2], entry(2, (LAMP_LEVEL, 4.0))]) == 1
    assert len(shipped(log)) == 4


def test_a_repetition_within_a_batch_is_one(log):
    assert log.append([entry(0, (LAMP_LEVEL, 1.0)), entry(0, (LAMP_LEVEL, 1.0))]) == 1


def test_a_device_that_has_moved_is_still_the_same_event(log):
    log.append([entry(0, (LAMP_LEVEL, 1.0))])
    assert log.append([entry(0, (LAMP_LEVEL, 1.0), place=replace(PLACE, zone=ZoneId("Bahnhof")))]) == 0


def test_entries_are_shipped_in_order_of_arrival(log):
    order = [5, 1, 200_000, 3, -100_000]
    log.append([entry(seconds, (LAMP_LEVEL, 1.0)) for seconds in order[:2]])
    log.append([entry(seconds, (LAMP_LEVEL, 1.0)) for seconds in order[2:]])
    assert [item.at_ns for item in shipped(log)] == [to_ns(at(seconds)) for seconds in order]
    positions = [position for position, _ in log.after(0, 1000)]
    assert positions == sorted(set(positions))
    assert positions[-1] == log.head()


def test_shipping_goes_on_after_the_cursor(log):
    log.append([entry(seconds, (LAMP_LEVEL, float(seconds))) for seconds in range(10)])
    first = list(log.after(0, 4))
    rest = list(log.after(first[-1][0], 100))
    assert [item.readings[0].value for _, item in first + rest] == [float(number) for number in range(10)]


def test_late_entries_are_shipped_though_their_day_was(log):
    log.append([entry(0, (LAMP_LEVEL, 1.0)), entry(86_400, (LAMP_LEVEL, 2.0)), entry(2 * 86_400, (LAMP_LEVEL, 3.0))])
    done = log.head()
    log.append([entry(10, (LAMP_LEVEL, 9.0))])
    assert [item.readings[0].value for item in shipped(log, done)] == [9.0]
    assert history(log, LAMP_LEVEL) == [(0, 1.0), (10, 9.0), (86_400, 2.0), (2 * 86_400, 3.0)]


def test_history_holds_start_and_not_end(log):
    log.append([entry(seconds, (LAMP_LEVEL, float(seconds))) for seconds in (3, 1, 2, 0)])
    assert history(log, LAMP_LEVEL, 1, 3) == [(1, 1.0), (2, 2.0)]


def test_history_is_of_one_asset_and_one_channel(log):
    lamp2 = replace(PLACE, asset=AssetId("L2"), device=DevEui("0000000000000002"))
    log.append([entry(0, (LAMP_LEVEL, 1.0)), entry(1, (LAMP_LEVEL, 2.0), place=lamp2),
                entry(2, (LAMP_LEVEL, 3.0), channel="dali-9")])
    assert history(log, LAMP_LEVEL) == [(0, 1.0)]
    assert history(log, LAMP_LEVEL, channel="dali-9") == [(2, 3.0)]
    assert history(log, LAMP_POWER) == []


def test_another_town_sees_nothing(log):
    log.append([entry(0, (LAMP_LEVEL, 1.0))])
    assert log.history(TenantId("bheim"), AssetId("L1"), LAMP_LEVEL, at(-1), at(1)) == []


def test_an_assets_history_outlives_its_device_and_zone(log):
    moved = replace(PLACE, zone=ZoneId("Bahnhof"), device=DevEui("0000000000000002"))
    log.append([entry(0, (LAMP_LEVEL, 1.0)), entry(1, (LAMP_LEVEL, 2.0), place=moved)])
    elsewhere = replace(PLACE, asset=AssetId("L9"))
    log.append([entry(2, (LAMP_LEVEL, 9.0), place=elsewhere)])
    assert history(log, LAMP_LEVEL) == [(0, 1.0), (1, 2.0)]


def test_late_values_are_history_and_implausible_ones_are_not(log):
    log.append([entry(0, (LAMP_LEVEL, 1.0), quality=Quality.LATE), entry(1, (LAMP_LEVEL, 999.0), quality=Quality.IMPLAUSIBLE)])
    assert history(log, LAMP_LEVEL) == [(0, 1.0)]


def test_steps_are_means_of_levels_and_last_values_of_the_rest(log):
    log.append([entry(seconds, (LAMP_POWER, float(seconds)), (LAMP_ENERGY, float(seconds)), (LAMP_REASON, str(seconds)),
                      (BAY_OCCUPIED, seconds == 50), (DEVICE_UPLINKS, seconds)) for seconds in (0, 10, 50, 60, 150)])
    assert history(log, LAMP_POWER, 0, 160, 60) == [(0, 20.0), (60, 60.0), (120, 150.0)]
    assert history(log, LAMP_ENERGY, 0, 160, 60) == [(0, 50.0), (60, 60.0), (120, 150.0)]
    assert history(log, LAMP_REASON, 0, 160, 60) == [(0, "50"), (60, "60"), (120, "150")]
    assert history(log, BAY_OCCUPIED, 0, 160, 60) == [(0, True), (60, False), (120, False)]
    assert history(log, DEVICE_UPLINKS, 5, 160, 60) == [(5, 60), (125, 150)]


def test_points_are_aware_utc(log):
    log.append([entry(0, (LAMP_LEVEL, 1.0))])
    assert log.history(TOWN, AssetId("L1"), LAMP_LEVEL, at(0), at(1)) == [Point(START, 1.0)]


def test_all_is_there_after_opening_again(opening, log):
    log.append([entry(seconds, (LAMP_LEVEL, float(seconds))) for seconds in (0, 100_000)])
    log.move_cursor("influx", 1)
    head = log.head()
    log.close()
    again = opening()
    assert (again.head(), again.cursor("influx"), again.cursor("other")) == (head, 1, 0)
    assert history(again, LAMP_LEVEL) == [(0, 0.0), (100_000, 100_000.0)]
    assert again.append([entry(0, (LAMP_LEVEL, 0.0)), entry(7, (LAMP_LEVEL, 7.0), (LAMP_POWER, 1.0))]) == 1
    assert again.head() > head
    assert [item.at_ns for item in shipped(again)][-1] == to_ns(at(7))
    again.close()


def test_cursors_are_kept_apart_and_can_go_back(log):
    log.move_cursor("influx", 5)
    log.move_cursor("other", 9)
    log.move_cursor("influx", 3)
    assert (log.cursor("influx"), log.cursor("other")) == (3, 9)


_BY_KIND = {Kind.FLOAT: st.floats(allow_nan=False), Kind.INT: st.integers(-(2**63), 2**63 - 1), Kind.BOOL: st.booleans(),
            Kind.TEXT: st.text(st.characters(codec="utf-8"), max_size=50)}
_SAID = st.sampled_from(list(quantities())).flatmap(
    lambda quantity: st.tuples(st.just(quantity), _BY_KIND[quantity.kind], st.sampled_from(["", "dali-9"]),
                               st.integers(-(2**62), 2**62), st.sampled_from(list(Quality))))


@settings(deadline=None)  # it waits for the disk
@given(st.lists(_SAID, max_size=8), st.text(st.characters(codec="utf-8"), max_size=40), st.integers(0, 255),
       st.binary(max_size=60), st.integers(0, 2**62))
def test_any_entry_comes_back_as_it_was(tmp_path_factory, said, key, port, data, ns):
    log = LocalLog(Path(tmp_path_factory.mktemp("log")))
    readings = tuple(Reading(PLACE, quantity, value, ns + offset, channel, quality)
                     for quantity, value, channel, offset, quality in said)
    whole = Entry.of(PLACE, ns, key, readings, port, data)
    log.append([whole])
    assert shipped(log) == [whole]
    assert [type(reading.value) for reading in shipped(log)[0].readings] == [type(item[1]) for item in said]
    log.close()
