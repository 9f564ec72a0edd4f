"""The pressure on permit zones, of whole zones and nothing else."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from city.ids import ZoneId
from city.parking_facts import Quarter
from city.parking_places import ParkingSite, PermitZone
from city.pressure import Pressure, pressures
from city.settings import Parking
from city.store import tables, tables_parking
from city.store.schema import metadata

MONDAY = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # 1 o'clock in Berlin
SITES = {ZoneId("markt"): ParkingSite("markt", permit_zone="A"), ZoneId("platz"): ParkingSite("platz", permit_zone="A"),
         ZoneId("bahnhof"): ParkingSite("bahnhof")}


def quarter(zone: str, hour: float, taken: float, *, unknown: float = 0.0, restriction: str = "", bays: int = 10) -> Quarter:
    known = round(bays * 900 * (1 - unknown))
    return Quarter(zone, restriction, MONDAY + timedelta(hours=hour), bays, known - round(known * taken), round(known * taken),
                   bays * 900 - known)


def report(*quarters: Quarter, hours: str = "18:00-08:00") -> Pressure:
    return pressures([PermitZone("A", hours=hours)], SITES, quarters, Parking(), land="NW", point=(8.1, 51.0))[0]


def test_it_is_counted_within_the_hours_of_residents_and_outside_them():
    found = report(quarter("markt", 18, 1.0), quarter("platz", 18, 0.8), quarter("markt", 19, 0.5), quarter("markt", 11, 0.2),
                   quarter("bahnhof", 18, 0.0))
    assert (found.zones, found.bays, found.quarters) == (2, 20, 2)
    assert found.taken == pytest.approx((9000 + 7200 + 4500) / 27000)
    assert found.taken_else == pytest.approx(0.2)
    assert found.by_hour[19] == pytest.approx(0.9)
    assert found.by_hour[12] is None


def test_a_quarter_of_an_hour_is_full_where_nearly_all_bays_were_taken():
    assert report(quarter("markt", 18, 0.96), quarter("markt", 18.25, 0.9)).full == 0.5


def test_what_is_hardly_known_is_left_out_and_nothing_is_no_number():
    found = report(quarter("markt", 18, 1.0, unknown=0.5))
    assert (found.taken, found.full, found.quarters) == (None, None, 0)


def test_bays_that_residents_may_not_use_are_not_counted():
    assert report(quarter("markt", 18, 1.0), quarter("markt", 18, 0.0, restriction="disabled")).taken == 1.0


def test_nothing_is_kept_of_permits_or_of_who_has_one():
    """The schema: a permit zone is an area; no table holds a permit, a plate, a person's address, or a way from one to a bay."""
    assert tables_parking.permit_zones.metadata is tables.assets.metadata is metadata
    permits = {table.name: set(table.columns.keys()) for table in metadata.tables.values() if "permit" in table.name}
    assert permits == {"permit_zones": {"tenant", "code", "body", "actor", "at"}}
    assert set(PermitZone.__struct_fields__) == {
        "code", "name", "area", "hours", "fees", "application_url", "note", "note_en"}
    told = {column.name for table in metadata.tables.values() for column in table.columns}
    assert not told & {"plate", "licence_plate", "resident", "permit", "vehicle", "street_address"}
    joined = [key for table in metadata.tables.values() for key in table.foreign_keys if "permit" in key.target_fullname]
    assert joined == []
    assert {one.name for one in fields(Pressure)} == {
        "code", "name", "zones", "bays", "taken", "taken_else", "full", "by_hour", "quarters"}
