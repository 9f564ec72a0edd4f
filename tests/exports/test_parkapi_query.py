"""ParkAPI's filters and its cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import Invalid
from city.exports.parkapi_query import page, parsed

ITEMS = [{"id": number, "name": f"Zone {number}", "purpose": "CAR", "type": "ON_STREET" if number % 2 else "CAR_PARK",
          "lat": 48.7 + number / 1000, "lon": 9.65, "official_region_code": "081170049049",
          "static_data_updated_at": "2026-01-10T09:00:00Z",
          **({"realtime_data_updated_at": f"2026-11-23T10:3{number}:00Z"} if number < 4 else {})} for number in range(1, 6)]


def asked(**query):
    return [item["id"] for item in page(ITEMS, parsed(query, "alt"), "/sites", query)["items"]]


@pytest.mark.parametrize(("query", "found"), [
    ({}, [1, 2, 3, 4, 5]), ({"name": "ZONE 3"}, [3]), ({"type": "CAR_PARK"}, [2, 4]), ({"not_type": "CAR_PARK"}, [1, 3, 5]),
    ({"purpose": "BIKE"}, []), ({"source_uid": "alt"}, [1, 2, 3, 4, 5]), ({"source_uid": "neu"}, []),
    ({"source_uids": "neu,alt"}, [1, 2, 3, 4, 5]), ({"source_uids": "neu"}, []), ({"official_region_code": "08"}, []),
    ({"official_region_code": "081170049049"}, [1, 2, 3, 4, 5]), ({"lat_min": "48.7035", "lat_max": "48.7045"}, [4]),
    ({"lon_min": "10"}, []), ({"lat": "48.703", "lon": "9.65", "radius": "120"}, [2, 3, 4]),
    ({"realtime_data_updated_at_since": "2026-11-23T10:32:00Z"}, [2, 3]),
    ({"realtime_data_updated_at_until": "2026-11-23T11:32:00+01:00"}, [1, 2]),
    ({"realtime_data_updated_at_until": "2026-11-23T11:32:00 01:00"}, [1, 2]),  # as a plus in an address arrives
    ({"static_data_updated_at_since": "2026-01-10T09:00:01Z"}, []), ({"limit": "2"}, [1, 2]), ({"start": "4"}, [4, 5]),
    ({"name": "", "limit": ""}, [1, 2, 3, 4, 5]), ({"unheard_of": "x"}, [1, 2, 3, 4, 5])])
def test_a_filter_lets_through_what_fits(query, found):
    assert asked(**query) == found


@pytest.mark.parametrize("query", [
    {"purpose": "PLANE"}, {"type": "ZONE"}, {"not_type": "x"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "-1"},
    {"limit": "²"}, {"start": "9" * 40}, {"lat": "48"}, {"lat": "x", "lon": "9", "radius": "1"}, {"lat_min": "nan"},
    {"lat_max": "91"}, {"lon_min": "inf"}, {"lat": "48", "lon": "9", "radius": "-1"}, {"name": "x" * 257},
    {"source_uids": "x" * 257}, {"calculate_has_realtime_data": "perhaps"}, {"realtime_data_updated_at_since": "yesterday"},
    {"static_data_updated_at_until": "0001-01-01T00:00:00+14:00"}])
def test_a_filter_that_is_none_is_refused_by_name(query):
    with pytest.raises(Invalid) as refused:
        parsed(query, "alt")
    assert refused.value.field in query


def test_the_raw_word_is_asked_for_by_a_false():
    assert parsed({"calculate_has_realtime_data": "false"}, "alt").raw
    assert not parsed({"calculate_has_realtime_data": "True"}, "alt").raw


@given(st.lists(st.integers(1, 2**52), unique=True, max_size=30), st.integers(1, 12))
def test_the_cursor_comes_past_every_item_once(ids, limit):
    items = [{"id": number} for number in ids]
    seen, query = [], {"limit": str(limit)}
    for _ in range(len(ids) + 2):
        found = page(items, parsed(query, "alt"), "/sites", query)
        assert found["total_count"] == len(ids)
        seen += [item["id"] for item in found["items"]]
        if "next_id" not in found:
            break
        query = {"limit": str(limit), "start": str(found["next_id"])}
        assert found["next_path"] == f"/sites?limit={limit}&start={found['next_id']}"
    assert seen == sorted(ids)
