"""The table of quantities: one type for ever, one row a name."""

import math

import pytest

from city.quantities import BAY_OCCUPIED, DEVICE_RESETS, LAMP_LEVEL, LAMP_REASON, Kind, quantities, quantity


def test_names_are_measurement_dot_field_and_unique():
    names = [row.name for row in quantities()]
    assert len(set(names)) == len(names)
    assert all(row.measurement and row.field and "." not in row.field for row in quantities())


def test_a_float_quantity_stays_float_when_given_an_integer():
    value = LAMP_LEVEL(40).value
    assert (type(value), value) == (float, 40.0)


@pytest.mark.parametrize(("row", "value"), [(LAMP_LEVEL, True), (LAMP_LEVEL, "40"), (DEVICE_RESETS, 1.5), (DEVICE_RESETS, True),
                                            (BAY_OCCUPIED, 1), (LAMP_REASON, 3)])
def test_a_value_of_another_type_is_refused(row, value):
    with pytest.raises(TypeError):
        row(value)


@pytest.mark.parametrize(("value", "plausible"), [(0.0, True), (100.0, True), (100.1, False), (-1.0, False), (math.nan, False),
                                                  (math.inf, False)])
def test_a_level_lies_between_0_and_100(value, plausible):
    assert LAMP_LEVEL.plausible(value) is plausible


def test_counters_are_numbers_from_zero():
    counters = [row for row in quantities() if row.counts_up]
    assert counters
    assert all(row.kind in (Kind.INT, Kind.FLOAT) and row.low == 0 for row in counters)


def test_a_row_is_found_by_its_name():
    assert quantity("lamp.level") is LAMP_LEVEL
    with pytest.raises(KeyError):
        quantity("lamp.colour")
