"""Open data over HTTP: for everybody, from anywhere, and never more than everybody may know."""

import csv
import gzip
from datetime import timedelta

import msgspec
import pytest

from city.ids import TenantId, ZoneId
from city.parking_facts import BayFact, Count, Quarter, ZoneFact
from city.parking_places import ParkingSite, TownParking
from city.store.port_parking import ParkingFound

API = "/opendata/alt/parkapi/api/public"
COUNTS = {"": Count(5, 2, 3, "few"), "disabled": Count(1, 1, 0, "full")}


@pytest.fixture(autouse=True)
def found(store, clock):
    """Writes what the bridge has found out."""

    def put(counts=None, age=timedelta(0), quarters=(), bays=()):
        at = clock.now() - age
        fact = ZoneFact(ZoneId("platz"), COUNTS if counts is None else counts, at, at, "steady", 8.2, 51.03)
        store.put_parking(TenantId("alt"), ParkingFound(zones=[fact], quarters=list(quarters), bays=list(bays)))

    store.tenant(TenantId("alt")).put_parking_town(TownParking(special_public=True), "me", clock.now())
    put()
    return put


def test_sites_are_read_by_anybody_from_any_website_with_their_licence(anonymous, town, clock):
    town.put_parking_town(TownParking(operator="Altstadt"), "me", clock.now())
    answer = anonymous.get(f"{API}/v3/parking-sites")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert 'rel="license"' in answer.headers["link"]
    assert "public" in answer.headers["cache-control"]
    body = answer.json()
    assert (body["total_count"], body["licence"]["name"]) == (1, "CC BY 4.0")
    [item] = body["items"]
    assert (item["original_uid"], item["capacity"], item["realtime_capacity"], item["realtime_free_capacity"]) == (
        "alt-platz", 6, 5, 2)
    for name in (item["id"], item["original_uid"]):
        assert anonymous.get(f"{API}/v3/parking-sites/{name}").json() == item


def test_who_has_it_already_is_told_so_and_who_can_unpack_gets_it_packed(anonymous):
    first = anonymous.get(f"{API}/v3/parking-sites")
    again = anonymous.get(f"{API}/v3/parking-sites", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["access-control-allow-origin"]) == (304, b"", "*")
    with anonymous.stream("GET", f"{API}/v3/parking-sites", headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        assert msgspec.json.decode(gzip.decompress(b"".join(packed.iter_raw()))) == first.json()
    plain = anonymous.get(f"{API}/v3/parking-sites", headers={"Accept-Encoding": "identity"})
    assert plain.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers


def test_a_browser_may_ask_first(anonymous):
    asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    answer = anonymous.options(f"{API}/v3/parking-sites", headers=asks)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize(("path", "status", "field"), [
    ("/v3/parking-sites?purpose=PLANE", 422, "purpose"), ("/v3/parking-sites?limit=5000", 422, "limit"),
    ("/v3/parking-sites/17", 404, "zone"), ("/v3/parking-sites/neu-platz", 404, "zone"), ("/v3/parking-spots/17", 404, "spot"),
    ("/v3/sources/17", 404, "source"), ("/v1/neu", 404, "city"),
    ("/v3/parking-sites/alt-platz/history?step=minute", 422, "step"),
    ("/v3/parking-sites/alt-platz/history?since=2020-01-01T00:00:00Z", 422, "since")])
def test_what_is_wrong_is_a_problem_that_names_the_field(anonymous, path, status, field):
    answer = anonymous.get(API + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["field"] == field


def test_what_is_wrong_is_read_from_other_websites_too(anonymous):
    for path in ("/v3/parking-sites?purpose=PLANE", "/v3/parking-sites/17", "/v3/parking-sites/alt-platz/history?step=minute"):
        assert anonymous.get(API + path).headers["access-control-allow-origin"] == "*"


def test_a_town_that_there_is_not_has_no_open_data(anonymous):
    assert anonymous.get("/opendata/nirgends/parkapi/api/public/v3/parking-sites").status_code == 404


def test_another_towns_zones_are_not_among_them(anonymous):
    assert anonymous.get("/opendata/neu/parkapi/api/public/v3/parking-sites").json()["items"] == []
    assert anonymous.get("/opendata/neu/parkapi/api/public/v1/neu").json()["lots"] == []


def test_after_half_an_hour_without_evaluation_the_numbers_are_gone(anonymous, found):
    found(age=timedelta(minutes=31))
    [item] = anonymous.get(f"{API}/v3/parking-sites").json()["items"]
    assert not item["has_realtime_data"]
    assert "realtime_free_capacity" not in item
    raw = anonymous.get(f"{API}/v3/parking-sites?calculate_has_realtime_data=false").json()["items"][0]
    assert raw["has_realtime_data"]
    assert "realtime_free_capacity" not in raw


def test_a_zone_that_is_not_public_is_nowhere(anonymous, town, clock):
    town.put_parking_site(ParkingSite("platz", public=False), "me", clock.now())
    assert anonymous.get(f"{API}/v3/parking-sites").json()["items"] == []
    assert anonymous.get(f"{API}/v3/parking-spots").json()["items"] == []
    assert anonymous.get(f"{API}/v3/parking-sites/alt-platz/history").status_code == 404
    assert anonymous.get("/opendata/alt/zones.geojson").json()["features"] == []
    assert len(anonymous.get("/opendata/alt/history.csv").text.splitlines()) == 1


def quarter(at, free, bays=5):
    return Quarter(ZoneId("platz"), "", at, bays, free * 900, (bays - free) * 900, 0)


def test_history_is_quarters_that_are_over_of_zones_that_are_large_enough(anonymous, found, clock):
    start = clock.now() - timedelta(hours=1)
    quarters = [quarter(start + timedelta(minutes=15 * n), n % 5) for n in range(5)]  # the last is not over
    found(quarters=[*quarters, Quarter(ZoneId("platz"), "disabled", start, 1, 900, 0, 0)])
    items = anonymous.get(f"{API}/v3/parking-sites/alt-platz/history").json()["items"]
    assert [item["realtime_free_capacity"] for item in items] == [0, 1, 2, 3]
    hours = anonymous.get(f"{API}/v3/parking-sites/alt-platz/history?step=hour").json()["items"]
    assert [item["realtime_free_capacity"] for item in hours] == [2]
    found(quarters=[quarter(one.at, 2, bays=4) for one in quarters])
    clock.advance(60)  # finished answers are kept for a minute where no zone has changed
    assert anonymous.get(f"{API}/v3/parking-sites/alt-platz/history").json()["items"] == []


def test_the_one_bay_for_the_disabled_is_told_only_where_the_town_says_so(anonymous, found, town, clock):
    now = clock.now()
    bays = [BayFact("B1", ZoneId("platz"), "free", "", now, now, now, True, False),
            BayFact("B4", ZoneId("platz"), "free", "", now - timedelta(hours=5), now, now, True, False)]
    found(bays=bays)
    [spot] = anonymous.get(f"{API}/v3/parking-spots").json()["items"]
    assert (spot["realtime_status"], spot["restrictions"][0]["type"], spot["lat"]) == ("AVAILABLE", "DISABLED", 51.04)
    assert anonymous.get(f"{API}/v3/parking-spots/{spot['id']}").json() == spot
    assert anonymous.get(f"{API}/v3/parking-spots/{spot['id']}/history").status_code == 404
    town.put_parking_town(TownParking(special_public=False), "me", clock.now())
    clock.advance(1)
    assert anonymous.get(f"{API}/v3/parking-spots").json()["items"] == []
    [site] = anonymous.get(f"{API}/v3/parking-sites").json()["items"]
    assert [row for row in site["restrictions"] if "realtime_capacity" in row] == []


def test_old_apps_find_the_town_and_its_lots(anonymous):
    [uid] = anonymous.get(f"{API}/v1").json()["cities"].values()
    [lot] = anonymous.get(f"{API}/v1/{uid}").json()["lots"]
    assert (lot["free"], lot["total"], lot["state"]) == (2, 5, "open")


def test_a_map_and_a_spreadsheet_get_the_same_numbers(anonymous):
    [feature] = anonymous.get("/opendata/alt/zones.geojson").json()["features"]
    assert (feature["properties"]["free"], feature["properties"]["disabled_free"]) == (2, 1)
    answer = anonymous.get("/opendata/alt/zones.csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [(row["kind"], row["free"], row["total"]) for row in rows] == [("all", "2", "5"), ("disabled", "1", "1")]
    german = anonymous.get("/opendata/alt/zones.csv?variant=de").content.decode("utf-8-sig")
    assert german.splitlines()[0].startswith("Zone;Name;Für wen")


def test_a_cursor_leads_to_the_end(anonymous):
    body = anonymous.get(f"{API}/v3/parking-sites?limit=1").json()
    after = anonymous.get(body["next_path"]).json()
    assert (len(body["items"]), after["items"], "next_id" in after) == (1, [], False)


def test_the_page_about_open_data_names_what_is_served_and_the_licence(anonymous):
    for path, words in (("/opendata/alt", "Offene Daten"), ("/en/opendata/alt", "Open data")):
        answer = anonymous.get(path)
        assert answer.status_code == 200
        assert words in answer.text
        assert "CC BY 4.0" in answer.text
        assert "set-cookie" not in answer.headers
        links = [part.partition('"')[0] for part in answer.text.split('href="http://testserver')[1:]]
        assert len(links) >= 5
        for link in links:
            assert anonymous.get(link).status_code in (200, 404)  # DATEX II knows no empty publication
    assert anonymous.get("/opendata/nirgends").status_code == 404


def test_a_program_of_another_website_can_read_that_there_is_nothing_and_a_person_gets_a_page(anonymous):
    answer = anonymous.get("/opendata/alt/nirgends", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.headers["access-control-allow-origin"] == "*"
    page = anonymous.get("/opendata/alt/nirgends", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
