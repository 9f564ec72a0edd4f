"""What a demo's parking begins with: rules of its zones, and weeks that follow the same habits as its present."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean

import pytest

from city.imports import parse
from city.parking_rules import in_force
from city.parking_stats import heat
from decoders.catalog import catalog
from simulator.demo import TOWNS
from simulator.habits import wanted_occupancy
from simulator.parking_furnishing import WEEKS, furnish_parking, past
from simulator.scenario import Scenario
from tests.stores import new_store

END = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def found():
    return past(Scenario.load(None), END, Random(1))


def test_five_weeks_are_counted_without_a_gap(found):
    counted = Counter((one.zone, one.restriction) for one in found.quarters)
    assert {kind: number for (_, kind), number in counted.items()} == {
        "": WEEKS * 7 * 96, "disabled": 14 * 96, "charging": 14 * 96, "resident": 14 * 96}
    assert all(one.free_s + one.occupied_s == one.bays * 900 and one.free_s >= 0 for one in found.quarters)


def test_the_past_follows_the_habits_of_the_present(found):
    shares = heat(one for one in found.quarters if one.zone == "Marktplatz" and not one.restriction)
    assert len(shares) == 7 * 24
    off = [abs(share - wanted_occupancy("city", ((day - 1) * 24 + hour + 0.5) * 3600)) for (day, hour), share in shares.items()]
    assert fmean(off) < 0.06


def test_stays_tell_no_bay(found):
    assert found.stays
    assert all(len(one.alias) == 16 and one.ended > one.began for one in found.stays)
    days = {}
    for one in found.stays:
        days.setdefault(one.alias, set()).add(one.ended.date())
    assert all(len(of) == 1 for of in days.values())


def test_it_is_done_once_and_what_a_town_has_said_stays(tmp_path):
    store, scenario = new_store(tmp_path / "city.db"), Scenario.load(TOWNS / "netphen.toml")
    store.put_tenant(scenario.tenant)
    town = store.tenant(scenario.tenant.id)
    town.import_rows(parse(scenario.import_csv(), catalog())[0])
    furnish_parking(store, scenario, END, END)
    sites, quarters = town.parking_sites(), town.quarters(END - timedelta(days=1), END)
    assert set(sites) == {bay.zone for bay in town.bays()}
    assert {zone: site.merged_into for zone, site in sites.items() if site.merged_into} == {"Kirchgasse": "Petersplatz"}
    assert {(one.zone, one.bays) for one in quarters if not one.restriction} == {("Ortsmitte", 16), ("Petersplatz", 14)}
    for site in sites.values():
        assert in_force(site, END, land="NW", point=(8.1, 51.0)).rules
    furnish_parking(store, scenario, END + timedelta(hours=3), END + timedelta(hours=3))
    assert town.quarters(END - timedelta(days=1), END) == quarters
    store.close()
