"""Parking zones as FIWARE entities: what dataModel.Parking requires and enumerates, and what NGSI-LD does."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.exports import parking_ngsi
from city.exports.ngsi_ld import Entity, simplified
from city.parking_display import Tells
from city.parking_places import ParkingSite, SiteKind, SiteRule
from city.places import Restriction
from city.public_parking import PublicCount
from tests.exports.parking import CHARGING, DISABLED, HOSTILE, NOTHING, NUMBER, RANGE, RESIDENT, WORD, seen, zone

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
COMMON = {"id", "type", "location", "address", "name", "description", "seeAlso", "dateModified", "category",
          "allowedVehicleType", "totalSpotNumber", "availableSpotNumber", "occupiedSpotNumber", "occupancyDetectionType"}
FIWARE = {"OnStreetParking": COMMON | {"extraSpotNumber", "parkingMode", "refParkingGroup"},
          "OffStreetParking": COMMON | {"extraSpotNumber", "layout", "refParkingGroup"},
          "ParkingGroup": COMMON | {"refParkingSite", "requiredPermit"}}
REQUIRED = {"OnStreetParking": {"id", "type", "location"}, "OffStreetParking": {"id", "type", "location"},
            "ParkingGroup": {"id", "type", "refParkingSite"}}
CATEGORIES = {
    "OnStreetParking": {"blueZone", "feeCharged", "forDisabled", "forElectricalCharging", "forLoadUnload", "forResidents", "free",
                        "greenZone", "mediumTerm", "onlyWithPermit", "shortTerm", "taxiStop"},
    "OffStreetParking": {"public", "private", "free", "feeCharged", "shortTerm", "mediumTerm", "longTerm"},
    "ParkingGroup": {"onStreet", "offStreet", "onlyDisabled", "onlyElectricalCharging", "onlyResidents", "onlyWithPermit"}}
GARAGE = ParkingSite("garage", kind=SiteKind.CAR_PARK.value, rules=(SiteRule(fee=True),),
                     area=((8.0, 51.0), (8.1, 51.0), (8.1, 51.1), (8.0, 51.0)))


def every() -> list[Entity]:
    return list(parking_ngsi.entities(seen(zone(), zone("wall", WORD, DISABLED), zone("hof", RANGE, RESIDENT), zone("x", NOTHING),
                                           zone("garage", NUMBER, site=GARAGE), zone("laden", CHARGING))))


@pytest.mark.parametrize("entity", every(), ids=lambda one: one["id"])
def test_an_entity_has_what_its_model_requires_and_only_known_words(entity: Entity) -> None:
    assert REQUIRED[entity["type"]] <= set(entity)
    assert set(entity) <= FIWARE[entity["type"]] | set(parking_ngsi.OWN_TERMS)
    assert entity["id"].startswith(f"urn:ngsi-ld:{entity['type']}:altstadt:")
    assert set(entity["category"]["value"]) <= CATEGORIES[entity["type"]]
    for name, attribute in entity.items():
        if name not in ("id", "type"):
            assert attribute["type"] in ("Property", "GeoProperty", "Relationship"), name
            assert ("object" in attribute) == (attribute["type"] == "Relationship")
            assert "observedAt" not in attribute or STAMP.fullmatch(attribute["observedAt"])


def plain(*counts: PublicCount) -> list[dict[str, Any]]:
    return [simplified(entity) for entity in parking_ngsi.entities(seen(zone("markt", *counts)))]


def test_a_zones_free_bays_are_those_for_everybody_and_the_others_are_extra() -> None:
    site, *groups = plain(NUMBER, DISABLED, CHARGING)
    assert (site["totalSpotNumber"], site["availableSpotNumber"], site["extraSpotNumber"]) == (25, 7, 1)
    assert site["occupiedSpotNumber"] == 14
    assert [(one["totalSpotNumber"], one["availableSpotNumber"]) for one in groups] == [(2, 1), (1, 0)]
    assert site["refParkingGroup"] == [one["id"] for one in groups]
    assert {one["refParkingSite"] for one in groups} == {site["id"]}


def test_no_sum_of_extra_bays_where_one_part_of_it_is_not_told() -> None:
    assert "extraSpotNumber" not in plain(NUMBER, DISABLED, RESIDENT)[0]


def test_a_range_has_no_number_and_a_class_has_neither() -> None:
    range_, word, nothing = plain(RANGE)[0], plain(WORD)[0], plain(NOTHING)[0]
    assert "availableSpotNumber" not in range_
    assert (range_["availableSpotNumberMin"], range_["availableSpotNumberMax"], range_["availability"]) == (2, 7, "few")
    for entity in (word, nothing):
        assert not {"availableSpotNumber", "availableSpotNumberMin", "occupiedSpotNumber", "knownSpotNumber"} & set(entity)
    assert (word["availability"], nothing["availability"]) == ("full", "no_data")


def test_hostile_names_are_values_and_never_addresses() -> None:
    site = ParkingSite("markt", url="javascript:alert(1)", note=HOSTILE, orientation="SIDEWAYS")
    entity = parking_ngsi.site(seen(), zone(name=HOSTILE, site=site))
    assert entity["name"]["value"] == HOSTILE
    assert "seeAlso" not in entity
    assert "parkingMode" not in entity


COUNTS = st.builds(
    lambda kind, total, how, free, known: PublicCount(
        kind, total, how, "few", min(free, known, total) if how is Tells.NUMBER else None,
        min(free, known, total) if how in (Tells.NUMBER, Tells.RANGE) else None,
        total - min(known, total) + min(free, known, total) if how in (Tells.NUMBER, Tells.RANGE) else None,
        min(known, total) if how in (Tells.NUMBER, Tells.RANGE) else None),
    st.sampled_from([Restriction.NONE, Restriction.DISABLED, Restriction.CHARGING, Restriction.RESIDENT]),
    st.integers(1, 60), st.sampled_from(Tells), st.integers(0, 60), st.integers(0, 60))


@given(st.lists(COUNTS, min_size=1, max_size=4, unique_by=lambda one: one.restriction))
def test_numbers_never_exceed_the_total_and_stand_only_where_they_are_told(counts: list[PublicCount]) -> None:
    site, *groups = plain(*counts)
    assert site.get("availableSpotNumber", 0) + site.get("extraSpotNumber", 0) <= site["totalSpotNumber"]
    assert site["totalSpotNumber"] == sum(one.total for one in counts)
    for entity in (site, *groups):
        assert 0 <= entity.get("availableSpotNumberMin", 0) <= entity.get("availableSpotNumberMax", 60) <= 60
    numbers = [one for one in counts if one.restriction is not Restriction.NONE and one.tells is Tells.NUMBER]
    assert sum("availableSpotNumber" in one for one in groups) == len(numbers)
