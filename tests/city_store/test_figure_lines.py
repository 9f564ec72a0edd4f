"""Figures as line protocol: tags, types and escapes follow from the table."""

import math

import pytest

from city.figures import (
    CONTROL_OLDEST,
    CONTROL_SENT,
    GATEWAY_RSSI,
    GATEWAY_UPLINKS,
    INCIDENT_COUNT,
    INCIDENT_DE,
    SHEETS,
    figures,
)
from city.quantities import Kind, Quantity
from city.store.figure_lines import line

AT = 1_700_000_000_000_000_000


def test_tags_are_sorted_and_each_value_has_the_type_of_its_quantity() -> None:
    said = line("gateway", {"tenant": "ahausen", "gateway": "0016c001ff10a235"}, {GATEWAY_UPLINKS: 7, GATEWAY_RSSI: -97}, AT)
    assert said == b"gateway,gateway=0016c001ff10a235,tenant=ahausen uplinks=7i,rssi=-97.0 1700000000000000000"


def test_empty_tags_and_missing_values_are_left_out() -> None:
    said = line("control", {"tenant": "a", "zone": ""}, {CONTROL_SENT: 0, CONTROL_OLDEST: None}, 1)
    assert said == b"control,tenant=a sent=0i 1"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_point_without_values_is_none(value: float | None) -> None:
    assert line("control", {"tenant": "a"}, {CONTROL_OLDEST: value}, 1) is None


def test_what_would_break_a_line_is_escaped() -> None:
    tags = {"tenant": "a", "cause": "no,power =x\ny\\"}
    said = line("incident", tags, {INCIDENT_DE: 'Lampe "7"\\\nist aus', INCIDENT_COUNT: 2}, 1)
    assert said == b'incident,cause=no\\,power\\ \\=x_y_,tenant=a de="Lampe \\"7\\"\\\\ ist aus",count=2i 1'


def test_a_tag_or_a_quantity_of_another_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="device"):
        line("control", {"tenant": "a", "device": "x"}, {CONTROL_SENT: 1}, 1)
    with pytest.raises(ValueError, match=r"gateway\.uplinks"):
        line("control", {"tenant": "a"}, {GATEWAY_UPLINKS: 1}, 1)
    with pytest.raises(ValueError, match="nothing"):
        line("nothing", {}, {}, 1)


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError):
        line("control", {"tenant": "a"}, {CONTROL_SENT: 1.5}, 1)


@pytest.mark.parametrize("quantity", list(figures()), ids=lambda one: one.name)
def test_every_figure_of_the_table_has_a_line(quantity: Quantity) -> None:
    values: dict[Kind, float | int | str] = {Kind.FLOAT: 0.5, Kind.INT: 3, Kind.TEXT: "x", Kind.BOOL: True}
    value = values[quantity.kind]
    written = {Kind.FLOAT: "0.5", Kind.INT: "3i", Kind.TEXT: '"x"', Kind.BOOL: "true"}[quantity.kind]
    tags = dict.fromkeys(SHEETS[quantity.measurement].tags, "t")
    said = line(quantity.measurement, tags, {quantity: value}, AT)
    assert said is not None
    assert said.endswith(f" {quantity.field}={written} {AT}".encode())
    assert all(f",{name}=t".encode() in said for name in tags)
