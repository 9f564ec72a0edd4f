"""Every bad row is named with line, column and rule."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import Invalid
from city.imports import parse
from city.places import Restriction

HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
GOOD = "L1,lamp,Laterne 1,50.99,8.11,markt,c1,70B3D57ED0000042,nas/ul20xx,31.5,P4,\n"
MODELS = {"nas/ul20xx", "bosch/tps110"}


def problems_of(row):
    return [(p.line, p.column, p.rule) for p in parse((HEAD + row).encode(), MODELS)[1]]


def test_a_good_row_is_read_whole():
    (row,), problems = parse((HEAD + GOOD).encode(), MODELS)
    assert problems == []
    assert (row.asset, row.kind, row.site.latitude, row.zone, row.circuit, row.dev_eui, row.power_w, row.line) == (
        "L1", "lamp", 50.99, "markt", "c1", "70b3d57ed0000042", 31.5, 2)


def test_semicolons_decimal_commas_and_a_byte_order_mark_are_what_german_tools_write():
    text = "﻿" + (HEAD + GOOD).replace(",", ";").replace("50.99", "50,99")
    (row,), problems = parse(text.encode(), MODELS)
    assert (row.site.latitude, problems) == (50.99, [])


@pytest.mark.parametrize(("row", "column", "rule"), [
    (GOOD.replace("L1", ""), "asset", "required"),
    (GOOD.replace("lamp", "lamb"), "kind", "kind"),
    (GOOD.replace("50.99", "nördlich"), "latitude", "number"),
    (GOOD.replace("50.99", "150"), "latitude", "range"),
    (GOOD.replace("50.99", "nan"), "latitude", "range"),
    (GOOD.replace("70B3", "zz"), "dev_eui", "eui64"),
    (GOOD.replace("nas/ul20xx", "acme/x"), "model", "known model"),
    (GOOD.replace("nas/ul20xx", ""), "model", "both or neither"),
    (GOOD.replace("P4", "ME4a"), "lighting_class", "EN 13201-2"),
    (GOOD.replace("P4,", "P4,disabled"), "restriction", "fits the kind"),
    (GOOD.replace("P4,", "P4,vip"), "restriction", "restriction"),
    (GOOD.replace("Laterne 1", "x" * 121), "name", "name"),
    (GOOD.rstrip() + ",more\n", "row", "columns")])
def test_a_bad_row_names_line_column_and_rule(row, column, rule):
    assert (2, column, rule) in problems_of(row)


def test_one_bad_row_does_not_hide_the_good_ones_nor_its_other_faults():
    rows, problems = parse((HEAD + GOOD + "L2,bank,,91,8,markt,,,,,,\n").encode(), MODELS)
    assert [row.asset for row in rows] == ["L1"]
    assert {p.column for p in problems} == {"kind", "latitude"}


def test_what_stands_twice_is_named_with_the_first_line():
    problems = parse((HEAD + GOOD + GOOD.replace("L1", "L2")).encode(), MODELS)[1]
    assert [(p.line, p.column, p.rule, p.facts["first"]) for p in problems] == [(3, "dev_eui", "unique", 2)]
    assert "line 3, dev_eui" in str(problems[0])


def test_geojson_points_are_read_with_longitude_first():
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [8.11, 50.99]},
               "properties": {"asset": "B1", "kind": "bay", "zone": "markt", "restriction": "disabled", "power_w": None}}
    (row,), problems = parse(json.dumps({"type": "FeatureCollection", "features": [feature]}).encode(), MODELS)
    assert (row.kind, row.site.longitude, row.restriction, problems) == ("bay", 8.11, Restriction.DISABLED, [])


@pytest.mark.parametrize("data", [b"", b"asset,kind\n", b"{", b'{"type":"Point"}', b"\xff\xfe", HEAD.encode(),
                                  HEAD.replace("power_w", "watts").encode()])
def test_what_is_no_list_is_refused_with_a_sentence(data):
    with pytest.raises(Invalid) as caught:
        parse(data, MODELS)
    assert caught.value.field == "file"
    assert str(caught.value)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(data):
    for head in (b"", HEAD.encode(), b'{"features":[', b"{"):
        with suppress(Invalid):
            parse(head + data, MODELS)


def test_one_device_written_in_two_ways_is_found_twice():
    again = GOOD.replace("L1", "L2").replace("70B3D57ED0000042", "70-b3-d5-7e-d0-00-00-42")
    assert problems_of(GOOD + again) == [(3, "dev_eui", "unique")]


def test_a_number_with_a_slip_of_the_finger_is_no_number():
    assert problems_of(GOOD.replace("50.99", "5_0.99")) == [(2, "latitude", "number")]


def test_a_column_that_stands_there_twice_is_refused():
    with pytest.raises(Invalid) as caught:
        parse(b"asset,asset,kind,latitude,longitude,zone\nL1,L2,lamp,51,8,m\n", MODELS)
    assert caught.value.facts["column"] == "asset"


def test_geojson_that_is_nested_without_end_is_refused():
    with pytest.raises(Invalid) as caught:
        parse(b'{"features":' + b"[" * 200_000, MODELS)
    assert caught.value.rule == "JSON"
