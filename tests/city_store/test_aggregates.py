"""Hours and days: what is computed from the log's rows is what the readings say, however they came."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import BAY_OCCUPIED, DEVICE_UPLINKS, LAMP_ENERGY, LAMP_LEVEL, LAMP_POWER, LAMP_REASON
from city.readings import Entry, Place, Quality, Reading, to_ns
from city.settings import Influx
from city.store.aggregates import DAY_NS, HOUR_NS, settings_of, spans, summed
from city.store.readings import LocalLog
from tests.examples import examples

START = datetime(2026, 11, 22, 6, tzinfo=UTC)
AT = to_ns(START)


def place(number=1, zone="Altstadt"):
    return Place(TenantId("ahausen"), AssetId(f"L-{number}"), "lamp", ZoneId(zone), CircuitId("K1"), DevEui(f"{number:016x}"))


def entry(at, *said, where=None, key="up"):
    """`said`: quantity, value, and where it differs from the rule channel, quality and time."""
    where = where or place()
    readings = [Reading(where, *(quantity, value, *(rest[2:3] or (at,)), *(rest[0:1] or ("",)), *(rest[1:2] or (Quality.GOOD,))))
                for quantity, value, *rest in said]
    return Entry.of(where, at, key, readings)


@pytest.fixture
def log(tmp_path):
    opened = LocalLog(tmp_path)
    yield opened
    opened.close()


TAGS = b",asset=L-1,circuit=K1,device=0000000000000001,tenant=ahausen,zone=Altstadt"


def test_an_hour_has_means_and_limits_of_what_is_measured_and_the_last_of_what_counts(log):
    log.append([entry(AT + number, (LAMP_LEVEL, level), (LAMP_ENERGY, 100.0 + number), (DEVICE_UPLINKS, number),
                      (BAY_OCCUPIED, flag), (LAMP_REASON, "manual"), key=f"up:{number}")
                for number, (level, flag) in enumerate([(10.0, True), (50.0, False), (30.5, False), (0.0, False)])])
    assert list(summed(log, AT, AT + HOUR_NS)) == [
        b"lamp" + TAGS + b" level_mean=22.625,level_min=0.0,level_max=50.0,level_count=4i,"
        b"energy_last=103.0,energy_count=4i %d" % AT,
        b"device" + TAGS + b" uplinks_last=3i,uplinks_count=4i %d" % AT,
        b"bay" + TAGS + b" occupied_mean=0.25,occupied_count=4i %d" % AT]


def test_of_a_single_bay_there_are_no_hours_and_no_days(log):
    lamp = entry(AT, (LAMP_LEVEL, 10.0))
    bay = replace(lamp.place, kind="bay", asset=AssetId("B-1"))
    log.append([lamp, Entry.of(bay, AT, "up:bay", [Reading(bay, BAY_OCCUPIED, True, AT)])])
    assert [line.split(b",", 1)[0] for line in summed(log, AT, AT + HOUR_NS)] == [b"lamp"]


def test_the_bridge_is_named_where_several_share_the_work(log):
    log.append([entry(AT, (LAMP_LEVEL, 10.0))])
    [line] = summed(log, AT, AT + HOUR_NS, bridge="one of two")
    assert line.startswith(b"lamp" + TAGS + rb",bridge=one\ of\ two level_mean=10.0")


def test_parts_of_an_asset_are_series_and_facets_of_the_device_fields(log):
    log.append([entry(AT, (LAMP_LEVEL, 10.0, "dali-9"), (LAMP_LEVEL, 20.0), (DEVICE_UPLINKS, 7, "dr5"))])
    lines = list(summed(log, AT, AT + HOUR_NS))
    assert [line.partition(b" ")[0] for line in lines] == [b"lamp" + TAGS + b",channel=dali-9", b"lamp" + TAGS, b"device" + TAGS]
    assert b" uplinks_dr5_last=7i," in lines[2]


def test_a_reading_counts_where_it_is_dated_and_an_implausible_one_nowhere(log):
    hour = AT + HOUR_NS
    log.append([entry(hour + 5, (LAMP_LEVEL, 10.0), (LAMP_POWER, 99.0, "", Quality.IMPLAUSIBLE),
                      (LAMP_ENERGY, 5.0, "", Quality.LATE, hour - 5))])
    assert list(summed(log, AT, hour)) == [b"lamp" + TAGS + b" energy_last=5.0,energy_count=1i %d" % AT]
    [line] = summed(log, hour, hour + HOUR_NS)
    assert line.partition(b" ")[2].startswith(b"level_mean=10.0,level_min=10.0,level_max=10.0,level_count=1i %d" % hour)


def test_a_lamp_that_moves_to_another_zone_is_two_series(log):
    log.append([entry(AT, (LAMP_LEVEL, 10.0)), entry(AT + 1, (LAMP_LEVEL, 20.0), where=place(zone="Süd"))])
    assert len(list(summed(log, AT, AT + HOUR_NS))) == 2


def test_an_hour_without_readings_is_nothing(log):
    assert list(summed(log, AT, AT + HOUR_NS)) == []


values = st.lists(st.tuples(st.integers(0, 5), st.integers(-HOUR_NS, 2 * HOUR_NS), st.floats(0, 2000)), min_size=1, max_size=40)


@given(values, st.integers(1, 4))
@settings(max_examples=examples(25), deadline=None)
def test_it_is_what_the_readings_say_whatever_their_order_and_however_many_places_at_once(tmp_path_factory, said, at_once):
    log = LocalLog(tmp_path_factory.mktemp("log"))
    log.append([entry(AT + after, (LAMP_POWER, value), where=place(number), key=f"up:{index}")
                for index, (number, after, value) in enumerate(said)])
    expected = defaultdict(list)
    for number, after, value in said:
        if 0 <= after < HOUR_NS:
            expected[f"L-{number}"].append(value)
    found = {}
    for line in summed(log, AT, AT + HOUR_NS, at_once=at_once):
        tags, fields, _ = line.decode().split(" ")
        asset = dict(pair.split("=") for pair in tags.split(",")[1:])["asset"]
        assert asset not in found
        found[asset] = dict(pair.split("=") for pair in fields.split(","))
    log.close()
    assert found.keys() == expected.keys()
    for asset, numbers in expected.items():
        fields = found[asset]
        assert float(fields["power_mean"]) == pytest.approx(sum(numbers) / len(numbers))
        assert (float(fields["power_min"]), float(fields["power_max"])) == (min(numbers), max(numbers))
        assert fields["power_count"] == f"{len(numbers)}i"


def test_hours_and_days_go_to_databases_of_their_own():
    influx = Influx(url="http://influx:8086", bucket="town", hourly_days=10, daily_days=0)
    assert [(span.name, span.keep_days, settings_of(span, influx).bucket) for span in spans(influx)] == [
        ("hours", 10, "town_hours"), ("days", 0, "town_days")]
    hours, days = spans(influx)
    assert (hours.start(AT + 5), days.start(AT + 5)) == (AT, to_ns(START - timedelta(hours=6)))
    assert days.length_ns == DAY_NS
