"""The JSON that everybody may read of a town's free bays: made of what the bridge has found out, and only while that is fresh."""

from datetime import timedelta

import pytest

from city.ids import TenantId, ZoneId
from city.parking_facts import Count, ZoneFact
from city.store.port_parking import ParkingFound

BASE = "/api/v1/tenants/alt"


@pytest.fixture
def found(store, clock):
    """Call it to let the bridge have found out how many bays of the zone are free: found(free, occupied, total)."""

    def put(free, occupied, total=5, word="many", ago=timedelta(0), restriction=""):
        counts = {restriction: Count(total, free, occupied, word)}
        fact = ZoneFact(ZoneId("platz"), counts, clock.now() - ago, None, "rising", 8.0, 51.0)
        store.put_parking(TenantId("alt"), ParkingFound(zones=[fact]))

    return put


def test_counts_are_open_data_without_single_bays(anonymous, found):
    found(4, 1)
    answer = anonymous.get(f"{BASE}/parking")
    assert answer.headers["access-control-allow-origin"] == "*"
    zone, = answer.json()
    assert (zone["name"], zone["trend"], zone["grey"]) == ("platz", "rising", False)
    assert zone["counts"] == [{"restriction": "", "total": 5, "free": 4, "free_min": 4, "free_max": 4, "coverage": 1.0,
                               "word": "many"}]
    assert "B1" not in answer.text


def test_what_is_not_known_well_is_a_range_and_not_a_number(anonymous, found):
    found(3, 1)
    everybody = anonymous.get(f"{BASE}/parking").json()[0]["counts"][0]
    assert (everybody["free"], everybody["free_min"], everybody["free_max"]) == (None, 3, 4)


def test_of_fewer_than_five_comparable_bays_everybody_learns_a_word_only(anonymous, found):
    found(3, 1, total=4)
    everybody = anonymous.get(f"{BASE}/parking").json()[0]["counts"][0]
    assert (everybody["free"], everybody["free_min"], everybody["coverage"], everybody["word"]) == (None, None, None, "many")


def test_a_number_grows_grey_when_nothing_is_found_out_any_more(anonymous, found):
    found(4, 1, ago=timedelta(minutes=6))
    zone, = anonymous.get(f"{BASE}/parking").json()
    assert (zone["grey"], zone["counts"][0]["free"]) == (True, 4)


def test_and_then_it_is_gone(anonymous, found):
    found(4, 1, ago=timedelta(minutes=31))
    zone, = anonymous.get(f"{BASE}/parking").json()
    assert (zone["counts"][0]["free"], zone["counts"][0]["word"]) == (None, "no_data")
