"""Zones' quarters of an hour in InfluxDB: what they say, and that they tell no more than everybody may know later."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.ids import TenantId, ZoneId
from city.parking_display import ZoneRules
from city.parking_facts import Quarter
from city.parking_places import ParkingSite
from city.public_parking import public_quarters
from city.store.quarter_lines import FIELDS, quarter_lines

AT = datetime(2026, 11, 22, 12, 15, tzinfo=UTC)
TOWN, ZONE, RULES = TenantId("ahausen"), ZoneId("Markt 1"), ZoneRules()


def quarter(restriction="", bays=10, free=3, taken=6, unknown=1, zone=ZONE, at=AT):
    return Quarter(zone, restriction, at, bays, free * 900, taken * 900, unknown * 900, arrivals=2, departures=1)


def fields(line):
    return dict(pair.split("=") for pair in line.decode().rpartition(" ")[0].rpartition(" ")[2].split(","))


def test_a_quarter_is_one_line_of_a_zones_bays():
    [line] = quarter_lines(TOWN, [quarter()], {}, RULES)
    assert line == (b"parking,tenant=ahausen,zone=Markt\\ 1 free=3.0,taken=6.0,unknown=1.0,capacity=10i,coverage=0.9,"
                    b"arrivals=2i,departures=1i %d" % (int(AT.timestamp()) * 10**9))


def test_bays_for_residents_are_a_series_of_their_own():
    [line] = quarter_lines(TOWN, [quarter("resident")], {}, RULES)
    assert line.startswith(b"parking,restriction=resident,tenant=ahausen,zone=Markt\\ 1 ")


@pytest.mark.parametrize("one", [quarter(bays=4), quarter("disabled", 12), quarter("charging", 12), quarter("resident", 4)])
def test_few_bays_and_those_that_few_people_use_are_not_kept(one):
    assert quarter_lines(TOWN, [one], {}, RULES) == []


@pytest.mark.parametrize("site", [ParkingSite(ZONE, public=False), ParkingSite(ZONE, merged_into="Nord")])
def test_zones_that_are_not_public_or_counted_elsewhere_are_not_kept(site):
    assert quarter_lines(TOWN, [quarter()], {ZONE: site}, RULES) == []


def test_where_little_was_known_only_that_is_said():
    [line] = quarter_lines(TOWN, [quarter(free=1, taken=0, unknown=9)], {}, RULES)
    assert fields(line) == {"unknown": "9.0", "capacity": "10i", "coverage": "0.1"}


def test_a_field_keeps_its_type_whatever_its_value():
    for one in (quarter(free=0, taken=10, unknown=0), quarter(free=10, taken=0, unknown=0), quarter(free=0, taken=0, unknown=0)):
        [line] = quarter_lines(TOWN, [one], {}, RULES)
        for name, value in fields(line).items():
            assert value.endswith("i") is (FIELDS[name] is int)
            assert FIELDS[name] is int or "." in value


amounts = st.integers(0, 30)


@given(st.builds(quarter, st.sampled_from(["", "disabled", "charging", "resident"]), amounts, amounts, amounts, amounts),
       st.sampled_from([None, ParkingSite(ZONE), ParkingSite(ZONE, public=False), ParkingSite(ZONE, merged_into="Nord")]))
def test_of_bays_for_everybody_a_number_is_kept_only_where_everybody_may_read_it(one, site):
    sites = {} if site is None else {ZONE: site}
    public = public_quarters([one], sites, RULES, AT + timedelta(hours=1))
    kept = [line for line in quarter_lines(TOWN, [one], sites, RULES) if "free" in fields(line)]
    if one.restriction == "":
        assert bool(kept) == bool(public)
    elif one.restriction != "resident":
        assert not kept
