"""What is said of InfluxDB's schema holds of the lines that are written, and no name means two things."""

import re
from collections import Counter

import pytest

from city.figures import SHEETS, figures
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import Kind, Measurement, quantities
from city.readings import Entry, Place
from city.store.figure_lines import line
from city.store.influx_schema import PLACE_TAGS, SERIES_PER_DEVICE, TAGS, Field, figured, readings, tags_of
from city.store.lines import FRAME, lines

VALUES = {Kind.FLOAT: 1.5, Kind.INT: 1, Kind.BOOL: True, Kind.TEXT: "said"}
FORMS = {Kind.FLOAT: r"-?[0-9.e+-]+", Kind.INT: r"-?[0-9]+i", Kind.BOOL: "true|false", Kind.TEXT: '".*"'}
PLACE = Place(TenantId("ahausen"), AssetId("L-1"), "lamp", ZoneId("Markt"), CircuitId("K1"), DevEui("0" * 16))
ENTRY = Entry(PLACE, 1, "up:1", tuple(Measurement(one, VALUES[one.kind]) for one in quantities()), f_port=2, data=b"\x01")


def parts(text: bytes) -> tuple[str, dict[str, str], dict[str, str]]:
    """Measurement, tags and fields of a line whose values have no commas, spaces or equals signs."""
    head, fields, _ = text.decode().split(" ")
    measurement, *tags = head.split(",")
    return measurement, dict(one.split("=") for one in tags), dict(one.split("=") for one in fields.split(","))


def described() -> dict[tuple[str, str], Field]:
    return {(one.measurement, one.name): one for one in (*readings(), *figured())}


def written() -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """A line of each measurement, with all its fields and tags."""
    found = [parts(one) for one in lines(ENTRY, frames=True)]
    for sheet, described_so in SHEETS.items():
        said = {one: VALUES[one.kind] for one in figures() if one.measurement == sheet}
        made = line(sheet, dict.fromkeys(described_so.tags, "some"), said, 1)
        assert made is not None
        found.append(parts(made))
    return found


def test_a_field_has_one_type_for_ever_and_one_meaning():
    counted = Counter((one.measurement, one.name) for one in (*readings(), *figured()))
    assert [name for name, count in counted.items() if count > 1] == []


def test_what_devices_say_and_what_the_platform_knows_never_meet_in_one_measurement():
    assert {one.measurement for one in readings()} & {one.measurement for one in figured()} == set()


@pytest.mark.parametrize("said", written(), ids=lambda said: said[0])
def test_what_is_written_is_described(said):
    measurement, tags, fields = said
    known = described()
    assert tags.keys() <= set(tags_of(measurement)) <= TAGS.keys()
    for name, value in fields.items():
        assert re.fullmatch(FORMS[known[measurement, name].kind], value), f"{measurement}.{name}={value}"


def test_all_that_is_described_is_written():
    assert {(measurement, name) for measurement, _, fields in written() for name in fields} == described().keys()


def test_no_field_is_called_as_a_tag_of_its_measurement():
    """InfluxQL could not tell them apart."""
    assert [(one.measurement, one.name) for one in described().values() if one.name in (*tags_of(one.measurement), "time")] == []


def test_no_two_aggregates_have_one_name():
    """Hours and days add _mean, _min, _max, _last and _count to the names."""
    named = Counter((one.measurement, f"{one.name}_{of}") for one in readings() for of in ("mean", "min", "max", "last", "count"))
    assert [name for name, count in named.items() if count > 1] == []


def test_a_device_has_few_series():
    """Raw, by the hour and by the day; its frames are raw only. A lamp has no readings of a bay, nor a bay a lamp's; devices
    that speak Cayenne LPP say lpp instead."""
    for kind in ("lamp", "bay"):
        said = {one.measurement for one in readings()} - {"lpp", FRAME, "bay" if kind == "lamp" else "lamp"}
        rolled = 3 if kind == "lamp" else 1  # no single bay's hours or days are kept
        assert rolled * len(said) + 1 <= SERIES_PER_DEVICE


def test_tags_that_are_described_are_used():
    assert set(TAGS) == {*PLACE_TAGS, *(tag for sheet in SHEETS.values() for tag in sheet.tags)}
