"""Zones as ParkAPI's sites: our numbers in its fields, and nothing where nothing may be told."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.exports.csv_tables import table
from city.exports.parkapi import cities, listed, lots, number, past, site, source_of, spot
from city.exports.parking_csv import ZONES, zone_lines
from city.exports.parking_geojson import collection
from city.ids import ZoneId
from city.parking_facts import Count
from city.parking_places import ParkingSite, SiteRule, TownParking
from city.places import Restriction
from city.public_parking import PublicQuarter
from city.public_spots import public_spots
from tests.exports.parkapi_schema import SITE as SITE_SCHEMA
from tests.exports.parkapi_schema import SPOT as SPOT_SCHEMA
from tests.exports.parkapi_schema import faults
from tests.exports.parkapi_town import NOW, SAID, SITE, SOURCE, bay, bay_fact, counts, fact, zones


def test_a_zone_becomes_a_site_that_a_generic_source_takes():
    [zone] = zones(fact())
    item = site(zone, SOURCE)
    assert faults(SITE_SCHEMA, item) == []
    assert (item["uid"], item["capacity"], item["realtime_capacity"], item["realtime_free_capacity"]) == ("alt-markt", 25, 22, 7)
    assert item["restrictions"] == [
        {"hours": "Mo-Fr 08:00-18:00; Sa 08:00-14:00", "max_stay": "PT2H"},
        {"type": "DISABLED", "hours": "24/7", "max_stay": "PT1H30M", "capacity": 2, "realtime_capacity": 2,
         "realtime_free_capacity": 1},
        {"type": "RESIDENT", "hours": "Mo-Sa 18:00-08:00"},
        {"type": "CHARGING", "capacity": 1, "realtime_capacity": 1, "realtime_free_capacity": 0}]
    assert item["realtime_data_updated_at"] == "2026-11-23T10:35:00Z"  # of the evaluation, not of the last change
    assert item["static_data_updated_at"] == "2026-01-10T09:00:00Z"
    assert (item["has_fee"], item["realtime_opening_status"]) == (True, "OPEN")


def test_an_empty_car_park_has_all_bays_free_and_a_full_one_none():
    assert site(zones(fact(counted=counts(22, 22, 0)))[0], SOURCE)["realtime_free_capacity"] == 22
    assert site(zones(fact(counted=counts(22, 0, 22)))[0], SOURCE)["realtime_free_capacity"] == 0


def test_of_a_range_the_known_bays_are_told_and_unknown_ones_are_not_free():
    item = site(zones(fact(counted=counts(20, 5, 9)))[0], SOURCE)
    assert (item["capacity"], item["realtime_capacity"], item["realtime_free_capacity"]) == (20, 14, 5)


@pytest.mark.parametrize("one", [
    fact(counted=counts(20, 3, 4)), fact(counted=counts(4, 2, 2)), fact(age=timedelta(minutes=31))],
    ids=["too little known", "too few bays", "too long ago"])
def test_where_nothing_may_be_told_there_is_no_number_in_any_shape(one):
    [zone] = zones(one)
    for item in (site(zone, SOURCE), listed(zone, SOURCE), listed(zone, SOURCE, raw=True)):
        assert not [name for name in item if name.startswith("realtime_")]
        assert not [name for row in item["restrictions"] for name in row if name.startswith("realtime_")]
    assert not listed(zone, SOURCE)["has_realtime_data"]
    [lot] = lots([zone], SOURCE)["lots"]
    assert (lot["state"], lot.get("free")) == ("nodata", None)
    [feature] = collection([zone], SOURCE)["features"]
    assert not {"free", "free_min", "known", "evaluated_at"} & set(feature["properties"])


def test_only_a_zone_that_could_have_numbers_says_so_when_asked_for_the_raw_word():
    assert listed(zones(fact(age=timedelta(minutes=31)))[0], SOURCE, raw=True)["has_realtime_data"]
    assert not listed(zones(fact(counted=counts(4, 2, 2)))[0], SOURCE, raw=True)["has_realtime_data"]


def test_readers_get_whole_numbers_for_names_that_stay_the_same():
    item = listed(zones(fact())[0], SOURCE)
    assert item["id"] == number("alt-markt")
    assert 0 < item["id"] < 2**53
    assert (item["original_uid"], item["source_id"], "uid" in item) == ("alt-markt", number("alt"), False)
    assert item["official_region_code"] == "081170049049"


def test_hours_that_nobody_can_read_leave_it_open_whether_the_zone_is():
    [zone] = zones(fact(), sites=[msgspec.structs.replace(SITE, opening_hours="immer")])
    assert site(zone, SOURCE)["realtime_opening_status"] == "UNKNOWN"
    [zone] = zones(fact(), sites=[msgspec.structs.replace(SITE, opening_hours="Mo-Fr 08:00-10:00")])
    assert site(zone, SOURCE)["realtime_opening_status"] == "CLOSED"


def test_the_old_shape_counts_bays_for_everybody_only():
    body = lots(zones(fact()), SOURCE)
    [lot] = body["lots"]
    assert (lot["total"], lot["free"], lot["state"], lot["lot_type"]) == (22, 7, "open", "street")
    assert body["last_updated"] == "2026-11-23T10:35:00"
    assert cities(SOURCE)["cities"] == {"Altstadt": "alt"}


def test_the_source_names_the_licence():
    found = source_of(SOURCE, zones(fact()))
    assert (found["attribution_license"], found["attribution_contributor"]) == ("CC BY 4.0", "Stadt Altstadt")
    assert found["realtime_data_updated_at"] == "2026-11-23T10:35:00Z"


def test_history_is_a_mean_of_quarters_with_the_time_of_their_end():
    [row] = past([PublicQuarter(ZoneId("markt"), NOW.replace(minute=15), 6.6, 22)], SOURCE, timedelta(minutes=15))
    assert (row["realtime_free_capacity"], row["realtime_capacity"]) == (7, 22)
    assert (row["realtime_data_updated_at"], row["parking_site_id"]) == ("2026-11-23T10:30:00Z", number("alt-markt"))


def test_only_special_bays_are_spots_with_no_name_of_the_towns_and_no_time_of_a_change():
    town = zones(fact())
    bays = [bay("B1"), bay("B2", place=0.1), bay("B3", Restriction.CHARGING), bay("B4", Restriction.NONE),
            bay("B5", Restriction.RESIDENT)]
    found = public_spots(town, bays, [bay_fact("B1", "free"), bay_fact("B2", "occupied"), bay_fact("B4", "free")], SAID, {})
    items = [spot(one, SOURCE) for one in found]
    assert sorted(item["realtime_status"] for item in items) == ["AVAILABLE", "TAKEN", "UNKNOWN"]
    text = msgspec.json.encode(items).decode()
    assert "Bucht" not in text
    assert "B1" not in text
    assert "03:35" not in text  # since when
    for item in items:
        pushed = {name: value for name, value in item.items() if name in SPOT_SCHEMA["properties"]}
        assert faults(SPOT_SCHEMA, {**pushed, "uid": item["original_uid"]}) == []


def test_no_spot_is_told_where_the_town_does_not_tell_them():
    assert public_spots(zones(fact()), [bay("B1")], [bay_fact("B1", "free")], TownParking(special_public=False), {}) == []


def test_a_spots_state_waits_for_the_gate_of_its_kind():
    town = zones(fact(counted=counts(disabled=(3, 1, 0))))
    [one] = public_spots(town, [bay("B1")], [bay_fact("B1", "free")], SAID, {})
    assert (one.free, one.evaluated_at) == (None, None)
    assert not spot(one, SOURCE)["has_realtime_data"]


def test_bays_at_one_place_have_names_of_their_own_and_a_bay_of_a_hidden_zone_none():
    found = public_spots(zones(fact()), [bay("B1"), bay("B2"), bay("B3", zone="geheim")], [], SAID, {})
    assert len({one.name for one in found}) == 2
    assert found == public_spots(zones(fact()), [bay("B2"), bay("B1")], [], SAID, {})


def test_a_spot_of_a_merged_zone_stands_in_the_zone_that_counts_it():
    [one] = public_spots(zones(fact()), [bay("B1", zone="gasse")], [], SAID, {ZoneId("gasse"): ZoneId("markt")})
    assert one.zone.zone == "markt"


def test_a_name_that_looks_like_a_formula_is_text_in_the_table():
    [zone] = zones(fact(), sites=[msgspec.structs.replace(SITE, address="=HYPERLINK(1)", fee="@SUM(A1)")])
    lines = b"".join(table(ZONES, zone_lines([replace(zone, name="+49 Platz")], SOURCE), "rfc")).decode()
    assert "'=HYPERLINK(1)" in lines
    assert "'@SUM(A1)" in lines
    assert "'+49 Platz" in lines


def test_an_area_runs_against_the_clock_and_one_that_is_none_is_a_point():
    turned = msgspec.structs.replace(SITE, area=SITE.area[::-1])
    assert collection(zones(fact(), sites=[turned]), SOURCE)["features"][0]["geometry"]["coordinates"] == [
        [list(corner) for corner in SITE.area]]
    broken = msgspec.structs.replace(SITE, area=SITE.area[:2])
    [zone] = zones(fact(), sites=[broken])
    assert collection([zone], SOURCE)["features"][0]["geometry"]["type"] == "Point"
    assert "geojson" not in site(zone, SOURCE)


kinds = st.sampled_from(["", "disabled", "charging", "resident"])
three = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)).map(
    lambda n: Count(sum(n), n[0], n[1], "few"))
rules = st.builds(SiteRule, kind=kinds, hours=st.sampled_from(["", "24/7", "Mo-Fr 08:00-18:00"]),
                  max_stay_min=st.integers(-5, 6000), fee=st.booleans())
places = st.builds(ParkingSite, st.just("markt"), address=st.text(max_size=600), note=st.text(max_size=99),
                   opening_hours=st.text(max_size=20), rules=st.lists(rules, max_size=4).map(tuple), fee=st.text(max_size=40),
                   orientation=st.text(max_size=9), permit_zone=st.sampled_from(["", "A", "Z"]), osm=st.text(max_size=300))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(kinds, three, max_size=4), places, st.integers(0, 2400), st.booleans())
def test_whatever_a_zone_is_its_site_fits_the_schema_and_never_has_more_free_than_known(counted, place, age, special):
    for zone in zones(fact(counted=counted, age=timedelta(seconds=age)), sites=[place], said=TownParking(special_public=special)):
        item = site(zone, SOURCE)
        assert faults(SITE_SCHEMA, item) == []
        for row in (item, *item.get("restrictions", [])):
            if "realtime_capacity" in row:
                assert 0 <= row["realtime_free_capacity"] <= row["realtime_capacity"] <= row["capacity"]
        main = counted.get("", Count(0, 0, 0, ""))
        assert main.total >= 5 or "realtime_free_capacity" not in item
        assert special or all("realtime_capacity" not in row or row["capacity"] >= 5 for row in item.get("restrictions", []))
