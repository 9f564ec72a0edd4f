"""What people say of parking zones and permit zones: a sentence a field, and nothing that breaks a page."""

import json
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import Invalid
from city.ids import ZoneId
from city.parking_checks import (
    fee_table,
    fees_to_come,
    permit_cautions,
    permit_faults,
    site_faults,
    town_faults,
    url_fault,
)
from city.parking_import import Known, preview
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteRule, TownParking
from city.parking_shapes import extent_m, ring_fault, ring_of, ring_of_text, text_of
from city.places import Site

TOWN = Site(51.0, 8.1)
SQUARE = ((8.1, 51.0), (8.101, 51.0), (8.101, 51.001), (8.1, 51.001), (8.1, 51.0))


def fields(site: ParkingSite) -> set[str]:
    return {error.field for error in site_faults(site, TOWN, {"A"})}


def test_a_good_site_has_no_faults():
    assert fields(ParkingSite("markt", area=SQUARE, rules=(SiteRule("", "Mo-Fr 08:00-18:00; PH off", 120, disc=True),),
                              permit_zone="A", osm="way/123", url="https://www.stadt.de/parken?x=1#y", fee="1 €")) == set()


@pytest.mark.parametrize(("change", "field"), [
    ({"kind": "TREE"}, "kind"), ({"orientation": "up"}, "orientation"), ({"opening_hours": "x"}, "opening_hours"),
    ({"address": "a\nb"}, "address"), ({"note": "x" * 501}, "note"), ({"fee": " 1"}, "fee"),
    ({"permit_zone": "Z"}, "permit_zone"), ({"osm": "way/0"}, "osm"), ({"url": "http://stadt.de"}, "url"),
    ({"rules": (SiteRule("taxi"),)}, "rules.0.kind"),
    ({"rules": (SiteRule(), SiteRule("", "SH"))}, "rules.1.hours"), ({"rules": (SiteRule("", "", -1),)}, "rules.0.max_stay_min"),
    ({"rules": (SiteRule(),) * 21}, "rules"), ({"note_en": "‮evil"}, "note_en"),
])
def test_each_wrong_field_is_named(change, field):
    assert fields(msgspec.structs.replace(ParkingSite("markt"), **change)) == {field}


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://user:pw@stadt.de", "https://localhost", "//stadt.de", "https://",
                                 "https://stadt.de/\"onclick=", "https://stadt.de/a b", "https://[::1", "https://10.0.0.1/"])
def test_a_link_for_everybody_is_https_to_a_public_name(url):
    fault = url_fault("url", url)
    assert fault is not None
    assert fault.field == "url"


@pytest.mark.parametrize(("ring", "rule"), [
    (SQUARE[:3], "closed"), (((8.1, 51.0), (8.2, 51.0), (8.1, 51.0)), "closed"),
    (((8.1, 51.0), (8.101, 51.001), (8.101, 51.0), (8.1, 51.001), (8.1, 51.0)), "simple"),
    (((8.1, 51.0), (8.102, 51.0), (8.101, 51.0), (8.1, 51.001), (8.1, 51.0)), "simple"),
    (((9.1, 51.0), (9.101, 51.0), (9.101, 51.001), (9.1, 51.0)), "≤ 30 km"),
])
def test_an_area_is_closed_simple_and_near(ring, rule):
    fault = ring_fault(ring, TOWN, "area")
    assert fault is not None
    assert fault.rule == rule
    assert ring_fault(SQUARE, TOWN, "area") is None


def test_an_area_of_500_corners_is_checked_quickly_and_501_are_too_many():
    from math import cos, pi, sin

    circle = [(8.1 + 0.01 * cos(2 * pi * n / 500), 51.0 + 0.01 * sin(2 * pi * n / 500)) for n in range(500)]
    assert ring_fault(ring_of(circle, "area"), TOWN, "area") is None
    with pytest.raises(Invalid, match="500"):
        ring_of([*circle, (8.1, 51.0), (8.2, 51.0)], "area")


def test_geojson_comes_in_and_goes_out_again():
    assert ring_of_text(text_of(SQUARE), "area") == SQUARE
    assert ring_of({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}}, "area") == SQUARE
    assert ring_of(SQUARE[:-1], "area") == SQUARE
    assert ring_of_text(" ", "area") == ()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda part: st.lists(part, max_size=4) | (
    st.dictionaries(st.sampled_from(["type", "coordinates", "geometry"]), part)), max_leaves=20))
def test_no_shape_breaks_the_reader(shape):
    try:
        ring = ring_of(shape, "area")
    except Invalid:
        return
    ring_fault(ring, TOWN, "area")


def test_a_permit_zone_wider_than_the_law_allows_is_kept_with_a_caution():
    wide = ((8.1, 51.0), (8.115, 51.0), (8.115, 51.001), (8.1, 51.0))
    assert 1040 < extent_m(wide) < 1070
    zone = PermitZone("A", area=wide, fees=(PermitFee(date(2026, 1, 1), 12, 200.0),))
    assert permit_faults(zone, TOWN) == []
    assert [caution.field for caution in permit_cautions(zone)] == ["area", "fees"]
    assert permit_cautions(PermitZone("A", area=SQUARE, fees=(PermitFee(date(2026, 1, 1), 24, 61.0),))) == []


def test_each_wrong_field_of_a_permit_zone_is_named():
    day = date(2026, 1, 1)
    zone = PermitZone("A B", hours="x", application_url="http://x.de", fees=(
        PermitFee(day, 0, 10), PermitFee(day, 12, -1), PermitFee(day, 12, 1.005), PermitFee(date(1999, 1, 1), 6, 1)))
    assert [error.field for error in permit_faults(zone, TOWN)] == [
        "code", "hours", "fees.0.months", "fees.1.euro", "fees.2.euro", "fees.2.months", "fees.3.valid_from", "application_url"]


def test_fees_hold_from_their_day_on():
    old, new, long = (PermitFee(date(2025, 1, 1), 12, 30.0), PermitFee(date(2026, 7, 1), 12, 60.0),
                      PermitFee(date(2025, 1, 1), 24, 60.0))
    assert fee_table((new, long, old), date(2026, 6, 30)) == [old, long]
    assert fee_table((new, long, old), date(2026, 7, 1)) == [new, long]
    assert fees_to_come((new, long, old), date(2026, 6, 30)) == [new]


def test_a_town_s_own_words_are_checked():
    wrong = TownParking(operator="x" * 121, contact="nobody", phone="call me", region_code="12345", licence_url="ftp://x",
                        website="x", imprint_url="https://user@stadt.de")
    assert {error.field for error in town_faults(wrong)} == {
        "operator", "contact", "phone", "region_code", "licence_url", "website", "imprint_url"}
    assert town_faults(TownParking("Stadt", "parken@stadt-muster.de", "+49 2733 12-0", "059700020020")) == []


# -- lists

KNOWN = Known({"markt", "bahnhof"}, {ZoneId("markt"): ParkingSite("markt", address="Markt 1", note="bleibt")}, {"A"}, TOWN)


def collection(*features: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_a_list_says_what_is_new_what_changes_and_leaves_the_rest():
    found = preview(collection(
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}, "properties": {
            "zone": "markt", "address": "Markt 2", "gis_id": 7}},
        {"type": "Feature", "geometry": None, "properties": {
            "zone": "bahnhof", "public": "nein", "merged_into": "markt", "rules": [
                {"hours": "Mo-Fr 08:00-18:00", "disc": True}]}},
    ), KNOWN)
    assert (found.problems, found.same) == ([], 0)
    assert [(site.zone, changed) for site, changed in found.changed] == [("markt", ("address", "area"))]
    assert found.changed[0][0].note == "bleibt"
    assert found.new[0] == ParkingSite("bahnhof", public=False, merged_into="markt",
                                       rules=(SiteRule("", "Mo-Fr 08:00-18:00", disc=True),))
    assert [site.zone for site in found.sites] == ["bahnhof", "markt"]


def test_bad_rows_are_named_by_line_and_column():
    found = preview(b'zone;url;rules\nmarkt;http://x.de;\nnirgends;;\nbahnhof;;"[{""hour"": 1}]"\nmarkt;;\n', KNOWN)
    assert [(one.line, one.column) for one in found.problems] == [(2, "url"), (3, "zone"), (4, "rules")]
    assert (found.same, found.bad_lines) == (1, 3)


def test_the_same_list_again_changes_nothing():
    assert preview(b"zone,address\nmarkt,Markt 1\n", KNOWN).same == 1


@pytest.mark.parametrize("data", [b"", b"{}", b"{", b"\xff", b"zone,nonsense\n", b"address\nx\n", b'zone\n"markt',
                                  b"zone\nmarkt,1\n", b'{"features": ' + b"[" * 5000])
def test_what_is_no_list_is_refused(data):
    with pytest.raises(Invalid) as caught:
        preview(data, KNOWN)
    assert caught.value.field == "file"


def test_zones_that_a_list_merges_in_a_chain_are_named_by_their_lines():
    found = preview(b"zone,merged_into,address\nmarkt,bahnhof,\nbahnhof,markt,Bahnhof 1\n", KNOWN)
    assert [(one.line, one.column, one.rule) for one in found.problems] == [
        (3, "merged_into", "not merged itself"), (2, "merged_into", "not merged itself")]
    assert found.sites == []


def test_a_list_may_turn_a_merge_round():
    known = Known(KNOWN.zones, {ZoneId("markt"): ParkingSite("markt", merged_into="bahnhof")}, set(), TOWN)
    turned = [{"properties": {"zone": "bahnhof", "merged_into": "markt"}}, {"properties": {"zone": "markt", "merged_into": ""}}]
    found = preview(collection(*turned), known)
    assert (found.problems, [site.zone for site in found.sites]) == ([], ["bahnhof", "markt"])
    assert [one.line for one in preview(collection(turned[0]), known).problems] == [1]
