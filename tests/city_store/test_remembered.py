"""A town's states in memory are always those of the database, whoever has changed them."""

import pytest

from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.places import Restriction, Site, Tenant
from city.readings import DeviceState, Last, Lasts
from city.store.database import Database
from city.store.opening import open_store, upgrade
from city.store.ports import Facts
from city.store.remembered import States
from city.store.scope import Scope
from city.store.shapes import Shapes
from city.store.sql import SqlStore
from tests.stores import new_database

A, B = TenantId("aheim"), TenantId("bheim")
D1, D3, BAY = (DevEui(f"000000000000000{digit}") for digit in "13b")


@pytest.fixture
def url(tmp_path):
    return new_database(tmp_path / "city.db")


@pytest.fixture
def store(url):
    opened = open_store(url)
    for tenant in (A, B):
        opened.put_tenant(tenant_named(tenant))
    opened.tenant(A).import_rows([row("L1", D1), row("P1", BAY, kind="bay"), row("L2")])
    yield opened
    opened.close()


def tenant_named(id):
    return Tenant(id, id.title(), Site(48.4, 10.0))


def row(asset, eui=None, *, kind="lamp"):
    return ImportRow(2, AssetId(asset), kind, asset, Site(48.4, 10.0), ZoneId("Markt"), None, eui, "nas/ul20xx" if eui else "",
                     60.0 if kind == "lamp" else None, "P4" if kind == "lamp" else "", Restriction.NONE)


def said(device, seconds, **values):
    at = 1_768_000_000_000_000_000 + seconds * 10**9
    last = {name.replace("_", ".", 1): Last(value, at, at) for name, value in values.items()}
    return DeviceState(device, "app", "01020304", seconds, at, last=Lasts.of(last))


def test_what_another_process_has_written_is_seen(store, url):
    assert store.tenant(A).states() == {}
    other = open_store(url)
    other.commit(Facts(states=(said(D1, 1, lamp_level=40.0),)))
    first = store.tenant(A).states()
    other.commit(Facts(states=(said(D1, 2, lamp_level=70.0), said(BAY, 2, bay_occupied=True))))
    other.close()
    assert {eui: state.heard_ns for eui, state in first.items()} == {D1: said(D1, 1).heard_ns}  # whoever has it keeps it
    assert store.tenant(A).states() == {eui: store.tenant(A).state(eui) for eui in (D1, BAY)}
    assert len(store.tenant(A).states()) == 2
    assert store.tenant(B).states() == {}


def test_nothing_is_read_twice(store):
    store.commit(Facts(states=(said(D1, 1, lamp_level=40.0), said(BAY, 1, bay_occupied=True))))
    first = store.tenant(A).states()
    assert store.tenant(A).states() is first
    store.commit(Facts(states=(said(D1, 2, lamp_level=41.0),)))
    assert store.tenant(A).states()[BAY] is first[BAY]


def test_a_device_that_serves_another_asset_is_forgotten(store):
    store.commit(Facts(states=(said(D1, 1, lamp_level=40.0), said(BAY, 1, bay_occupied=True))))
    assert set(store.tenant(A).states()) == {D1, BAY}
    store.tenant(A).import_rows([row("L1", D3)])
    assert set(store.tenant(A).states()) == {BAY}
    store.tenant(A).import_rows([row("L2", D1)])
    assert set(store.tenant(A).states()) == {BAY}
    store.commit(Facts(states=(said(D1, 2, lamp_level=1.0),)))
    assert set(store.tenant(A).states()) == {BAY, D1}
    assert store.tenant(A).device_of(AssetId("L2")).dev_eui == D1


def test_towns_that_are_too_large_are_read_each_time(url):
    database = Database(url)
    upgrade(database)
    store, states = SqlStore(database), States(Shapes(database), most=1)
    store.put_tenant(tenant_named(A))
    store.tenant(A).import_rows([row("L1", D1), row("P1", BAY, kind="bay")])
    scope = Scope(database, tenant_named(A))
    for seconds in (1, 2):
        store.commit(Facts(states=(said(D1, seconds, lamp_level=40.0), said(BAY, seconds, bay_occupied=True))))
        assert {state.heard_ns for state in states.of(scope).values()} == {said(D1, seconds).heard_ns}
    assert states.of(scope) is not states.of(scope)
    store.close()
