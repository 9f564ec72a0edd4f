"""The names of a state's values are kept once, and found again by whoever reads it."""

import contextlib

import msgspec
import pytest
from sqlalchemy import insert, select

from city.errors import StoreDown
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.places import Restriction, Site, Tenant
from city.readings import DeviceState, Last, Lasts
from city.store import rows, tables
from city.store.database import Database
from city.store.opening import open_store, upgrade
from city.store.ports import Facts
from city.store.shapes import Shapes
from city.store.sql import SqlStore
from tests.stores import new_database

A = TenantId("aheim")
LAMPS = [DevEui(f"000000000000000{digit}") for digit in range(4)]
AT = 1_768_000_000_000_000_000


@pytest.fixture
def url(tmp_path):
    return new_database(tmp_path / "city.db")


@pytest.fixture
def database(url):
    database = Database(url)
    upgrade(database)
    store = SqlStore(database)
    store.put_tenant(Tenant(A, "Aheim", Site(48.4, 10.0)))
    store.tenant(A).import_rows([
        ImportRow(2 + number, AssetId(f"L{number}"), "lamp", "Lamp", Site(48.4, 10.0), ZoneId("Markt"), None, eui, "nas/ul20xx",
                  60.0, "P4", Restriction.NONE) for number, eui in enumerate(LAMPS)])
    yield database
    store.close()


def said(device, seconds=0, **values):
    at = AT + seconds * 10**9
    return DeviceState(device, "app", "01020304", seconds, at, last=Lasts.of(
        {name.replace("_", ".", 1): Last(value, at, AT) for name, value in values.items()}))


def shapes_of(database):
    with database.read() as connection:
        return [row.names for row in connection.execute(select(tables.shapes))]


def test_lamps_that_say_the_same_share_a_shape(database):
    states = [said(eui, number, lamp_level=float(number)) for number, eui in enumerate(LAMPS)]
    SqlStore(database).commit(Facts(states=tuple(states)))
    assert shapes_of(database) == ['["lamp.level"]']
    assert dict(SqlStore(database).tenant(A).states()) == {state.device: state for state in states}


def test_a_bridge_that_has_never_seen_a_shape_reads_it(url, database):
    reader = open_store(url)
    reader.view(LAMPS)
    for seconds, values in enumerate([{"lamp_level": 1.0}, {"lamp_level": 2.0, "lamp_power": 3.0}, {"lamp_power": 4.0}]):
        written = said(LAMPS[0], seconds, **values)
        SqlStore(database).commit(Facts(states=(written,)))
        assert set(written.last) <= set(reader.view(LAMPS)[LAMPS[0]].state.last)
    reader.close()


def test_two_bridges_that_tell_different_values_of_a_lamp_keep_both(url, database):
    """What they make of it together has a shape that neither has said."""
    one, other = SqlStore(database), open_store(url)
    one.commit(Facts(states=(said(LAMPS[0], 1, lamp_level=1.0),)))
    other.commit(Facts(states=(said(LAMPS[0], 2, lamp_power=2.0),)))
    third = open_store(url)
    assert set(third.view(LAMPS)[LAMPS[0]].state.last) == {"lamp.level", "lamp.power"}
    other.close()
    third.close()


def test_a_shape_whose_transaction_came_to_nothing_is_written_with_the_next(database):
    shapes = Shapes(database)
    index = said(LAMPS[0], lamp_level=1.0).last.index
    with contextlib.suppress(ZeroDivisionError), database.write() as connection:
        shapes.keep(connection, [index])
        raise ZeroDivisionError
    assert shapes_of(database) == []
    with database.write() as connection:
        new = shapes.keep(connection, [index])
    shapes.learned(new)
    assert shapes_of(database) == ['["lamp.level"]']
    with database.write() as connection:
        assert shapes.keep(connection, [index]) == {}


def test_a_state_of_the_version_before_is_read(database):
    state = said(LAMPS[0], 3, lamp_level=40.0, device_temperature=7.0)
    former = [state.device, "app", "01020304", 3, state.heard_ns, None, 0, ["lamp.level", "device.temperature"], [40.0, 7.0],
              [0, 0], [3 * 10**9] * 2, {}, 0, 0]
    with database.write() as connection:
        connection.execute(insert(tables.states).values(tenant=A, device=state.device, heard_ns=state.heard_ns, revision=1,
                                                        body=msgspec.json.encode(former).decode()))
    assert SqlStore(database).tenant(A).state(LAMPS[0]) == state


def test_a_shape_that_is_not_there_is_said(database):
    with database.write() as connection:
        connection.execute(insert(tables.states).values(
            tenant=A, device=LAMPS[0], heard_ns=AT, revision=1, body=rows.state_body(said(LAMPS[0], lamp_level=1.0), "nowhere")))
    with pytest.raises(StoreDown, match="nowhere"):
        SqlStore(database).tenant(A).states()
