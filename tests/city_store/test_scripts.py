"""How many scripts a town may keep."""

from dataclasses import replace

import pytest

from city.errors import Conflict
from city.ids import TenantId
from city.places import Site, Tenant
from city.scripts import MAX_SOURCE, Script
from city.store.scripts import MOST_SCRIPTS, MOST_TOGETHER
from tests.stores import new_store

TOWN, OTHER = TenantId("aheim"), TenantId("bheim")


@pytest.fixture
def store(tmp_path):
    store = new_store(tmp_path / "city.db")
    for town in (TOWN, OTHER):
        store.put_tenant(Tenant(town, town.title(), Site(48.4, 10.0)))
    yield store
    store.close()


def script(number: int, source: str = "", town: TenantId = TOWN) -> Script:
    return Script(town, f"acme/x{number}", "X", "lamp", source)


def test_a_town_keeps_only_so_many_and_others_do_not_count(store):
    town = store.tenant(TOWN)
    for number in range(MOST_SCRIPTS):
        town.put_script(script(number))
    with pytest.raises(Conflict, match="at most 200 scripts"):
        town.put_script(script(MOST_SCRIPTS))
    town.put_script(replace(script(0), title="a new version is no further one"))
    store.tenant(OTHER).put_script(script(0, town=OTHER))
    town.remove_script("acme/x1")
    town.put_script(script(MOST_SCRIPTS))


def test_a_towns_scripts_do_not_fill_the_memory_that_all_share(store):
    town = store.tenant(TOWN)
    longest = " " * MAX_SOURCE
    for number in range(MOST_TOGETHER // MAX_SOURCE):
        town.put_script(script(number, longest))
    with pytest.raises(Conflict, match="8 MB together"):
        town.put_script(script(1000, "x"))
    town.put_script(script(0, longest))
