"""Settings of parking that show only in what is asked of a town: how fine its past is told, how far back a sensor is judged."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api import staff
from api.public_view import public_history
from city.ids import AssetId, TenantId, ZoneId
from city.imports import ImportRow
from city.parking_facts import BayDay, Quarter
from city.places import Restriction, Site, Tenant
from city.settings import Parking
from city.store.port_parking import ParkingFound
from city.store.ports import Store, TenantStore
from tests.stores import new_store

NOW, TOWN, ZONE, BAY = datetime(2026, 11, 23, 11, tzinfo=UTC), TenantId("stadt"), ZoneId("platz"), AssetId("B1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = new_store(tmp_path / "city.db")
    made.put_tenant(Tenant(TOWN, "Stadt", Site(51.0, 8.0)))
    made.tenant(TOWN).import_rows([ImportRow(n, AssetId(f"B{n}"), "bay", "", Site(51.0, 8.0), ZONE, None, None, "", None, "",
                                             Restriction.NONE) for n in range(1, 11)])
    quarters = [Quarter(ZONE, "", NOW - timedelta(minutes=15 * n), 10, 4500, 4500, 0) for n in range(1, 17)]
    days = [BayDay(BAY, (NOW - timedelta(days=n)).date(), ZONE, 1, 10, 0, 0, 0, 0, 0) for n in range(10)]
    made.put_parking(TOWN, ParkingFound(quarters=quarters, days=days))
    yield made
    made.close()


@pytest.fixture
def town(store: Store) -> TenantStore:
    return store.tenant(TOWN)


@pytest.mark.parametrize(("minutes", "steps"), [(15, 16), (30, 8), (60, 4)])
def test_the_past_is_told_no_finer_than_is_set(town: TenantStore, minutes: int, steps: int) -> None:
    said = replace(Parking(), history_minutes=minutes)
    assert len(public_history(town, NOW - timedelta(hours=4), NOW, NOW, said)) == steps


@pytest.mark.parametrize("days", [3, 7])
def test_a_sensor_is_judged_by_as_many_days_as_are_set(town: TenantStore, days: int) -> None:
    said = replace(Parking(), health_days=days)
    assert staff.sensor(town, BAY, NOW, said).changes == 10 * days
    assert next(one for one in staff.sensors(town, NOW, said) if one.bay.id == BAY).changes == 10 * days
