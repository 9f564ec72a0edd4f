"""DATEX II: valid by the schema that we wrote from the documented structure, whatever a town's zones are called and show."""

from dataclasses import replace
from io import BytesIO
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from city.exports import datex2
from city.parking_places import ParkingSite, SiteKind
from tests.exports import parking
from tests.exports.parking import CHARGING, DISABLED, HOSTILE, NOTHING, NUMBER, RANGE, WORD, seen, zone

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("datex2.xsd"))
D2 = {"d": datex2.NAMESPACE}
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def read(data: bytes) -> ET.Element:
    SCHEMA.validate(BytesIO(data))
    return ET.fromstring(data)


def said(data: bytes, path: str) -> list[str | None]:
    return [found.text for found in read(data).iterfind(f".//{path}", D2)]


def test_the_table_names_each_zone_with_its_place_and_its_bays_for_everybody_and_for_some() -> None:
    root = read(datex2.table(seen()))
    assert root.get("modelBaseVersion") == "2"
    assert root.findtext("d:payloadPublication/d:genericPublicationName", "", D2) == "ParkingTablePublication"
    record = root.find(".//d:parkingRecord", D2)
    assert record is not None
    assert record.get(TYPE) == "UrbanParkingSite"
    assert record.get("id") == "altstadt-markt"
    assert record.findtext("d:parkingName/d:values/d:value", "", D2) == "Am Markt"
    assert record.findtext("d:parkingNumberOfSpaces", "", D2) == "31"
    assert record.findtext("d:parkingPrincipalNumberOfSpaces", "", D2) == "22"
    assert record.findtext("d:maximumParkingDuration", "", D2) == "7200"
    assert record.findtext("d:parkingRecordVersionTime", "", D2) == "2026-11-20T09:30:00.000Z"
    assert record.findtext(".//d:latitude", "", D2) == "51.400000"
    assert [one.get("groupIndex") for one in record.iterfind("d:groupOfParkingSpaces", D2)] == ["1", "2", "3"]
    assert record.findtext("d:urbanParkingSiteType", "", D2) == "onStreetParking"


def test_the_status_says_free_bays_where_they_are_known_and_when_they_were() -> None:
    data = datex2.status(seen())
    record = read(data).find(".//d:parkingRecordStatus", D2)
    assert record is not None
    occupancy = record.find("d:parkingOccupancy", D2)
    assert occupancy is not None
    assert {one.tag.partition("}")[2]: one.text for one in occupancy} == {
        "parkingNumberOfSpacesOverride": "22", "parkingNumberOfVacantSpaces": "7", "parkingNumberOfOccupiedSpaces": "14",
        "parkingOccupancy": "66.7", "parkingOccupancyTrend": "decreasing"}  # more free bays: less occupancy
    assert record.findtext("d:parkingStatusOriginTime", "", D2) == "2026-11-23T09:29:20.000Z"
    assert record.findtext("d:parkingSiteStatus", "", D2) == "spacesAvailable"
    assert record.findtext("d:parkingSiteOpeningStatus", "", D2) == "open"


def test_a_status_refers_to_the_record_and_the_version_of_the_table() -> None:
    here = seen(zone(), zone("wall", WORD, name="Wall"))
    records = {(one.get("id"), one.get("version")) for one in read(datex2.table(here)).iterfind(".//d:parkingRecord", D2)}
    told = {(one.get("id"), one.get("version")) for one in read(datex2.status(here)).iterfind(".//d:parkingRecordReference", D2)}
    assert told == records


def test_a_version_changes_with_what_the_table_says_and_not_with_how_full_the_zone_is() -> None:
    one = zone()
    assert datex2.version(replace(one, counts=(RANGE, DISABLED, CHARGING, parking.RESIDENT))) == datex2.version(one)
    assert datex2.version(replace(one, name="Neuer Markt")) != datex2.version(one)
    assert datex2.version(replace(one, counts=(replace(NUMBER, total=23),))) != datex2.version(one)


def test_a_range_is_told_as_bounds_and_a_class_and_nothing_without_any_number() -> None:
    data = datex2.status(seen(zone("markt", RANGE)))
    assert said(data, "d:parkingNumberOfVacantSpaces") == []
    assert said(data, "d:parkingNumberOfVacantSpacesHigherThan") == ["1"]  # so 2 at least
    assert said(data, "d:parkingNumberOfVacantSpacesLowerThan") == ["8"]  # so 7 at most
    for count, status in ((WORD, "full"), (NOTHING, "unknown")):
        data = datex2.status(seen(zone("markt", count)))
        assert said(data, "d:parkingSiteStatus") == [status]
        assert not said(data, "d:parkingNumberOfVacantSpaces") + said(data, "d:parkingNumberOfOccupiedSpaces")


def test_a_zone_with_one_free_bay_is_not_called_full() -> None:
    data = datex2.status(seen(zone("markt", replace(NUMBER, word="full", free=1))))
    assert said(data, "d:parkingSiteStatus") == ["almostFull"]


def test_a_zone_without_bays_for_everybody_is_valid_too() -> None:
    for publication in (datex2.table, datex2.status):
        read(publication(seen(zone("laden", CHARGING, DISABLED))))


@pytest.mark.parametrize("kind", SiteKind)
def test_every_kind_of_site_has_a_layout_and_a_type(kind: SiteKind) -> None:
    read(datex2.table(seen(zone(site=ParkingSite("markt", kind=kind.value)))))


def test_hours_are_read_to_say_whether_a_zone_is_open() -> None:
    for hours, expected in (("Mo-Fr 08:00-18:00", "open"), ("Sa-Su", "closed"), ("25 o'clock", "statusUnknown")):
        data = datex2.status(seen(zone(site=ParkingSite("markt", opening_hours=hours))))
        assert said(data, "d:parkingSiteOpeningStatus") == [expected], hours


def test_hostile_names_stay_text() -> None:
    site = ParkingSite("markt", address=HOSTILE, fee=HOSTILE, note=HOSTILE, url="javascript:alert(1)", permit_zone=HOSTILE)
    data = datex2.table(seen(zone(name=HOSTILE, site=site)))
    assert said(data, "d:parkingName/d:values/d:value") == ["Böse ]]><!--<script>&\"' Zone"]
    assert said(data, "d:urlLinkAddress") == []


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=3000), st.text(max_size=300),
       st.sampled_from(list(product((NUMBER, RANGE, WORD, NOTHING), ("", "falling")))))
def test_any_names_make_valid_xml(name: str, note: str, what: tuple[object, str]) -> None:
    count, trend = what
    one = zone("markt", count, name=name, trend=trend, site=ParkingSite("markt", note=note, address=name))  # type: ignore[arg-type]
    for publication in (datex2.table, datex2.status):
        read(publication(seen(one)))
