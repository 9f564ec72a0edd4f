"""Exports over the wire: pages, tags, compression, forms, and wishes in TALQ's words."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from city.alarms import AlarmKind, begin
from city.clock import ManualClock
from city.exports import talq
from city.ids import AssetId, TenantId
from city.settings import Guards, Settings
from city.store.ports import Facts, Role, Store, TenantStore
from city.store.readings import LocalLog
from tests.api.conftest import NIGHT, says

BASE = "/api/v1/tenants/alt"
ENTITIES, TALQ = f"{BASE}/ngsi-ld/v1/entities", f"{BASE}/talq"
LD = {"Accept": "application/ld+json"}
ALT = TenantId("alt")
Roles = Callable[..., TestClient]


@pytest.fixture
def viewer(as_role: Roles) -> TestClient:
    return as_role(Role.VIEWER)


# --- FIWARE -----------------------------------------------------------------------------------------------------------


def test_entities_come_page_by_page_until_the_last(viewer: TestClient) -> None:
    first = viewer.get(ENTITIES, params={"type": "Streetlight", "limit": 4}, headers=LD)
    assert first.headers["content-type"] == "application/ld+json"
    assert first.headers["ngsild-results-count"] == "6"
    assert [one["id"][-2:] for one in first.json()] == ["L1", "L2", "L3", "L4"]
    link = first.headers["link"]
    assert 'rel="next"' in link
    rest = viewer.get(link.partition("<")[2].partition(">")[0], headers=LD)
    assert [one["id"][-2:] for one in rest.json()] == ["U1", "X1"]
    assert "next" not in rest.headers["link"]


def test_an_entity_comes_once_however_often_it_is_named(viewer: TestClient) -> None:
    every = viewer.get(ENTITIES, params={"type": ",".join(["Streetlight"] * 160)})
    assert every.headers["ngsild-results-count"] == "6"
    twice = "urn:ngsi-ld:Streetlight:alt:L1,urn:ngsi-ld:Streetlight:alt:L1"
    assert [one["id"][-2:] for one in viewer.get(ENTITIES, params={"id": twice}).json()] == ["L1"]


def test_the_context_stands_in_the_entity_or_in_the_link(viewer: TestClient) -> None:
    [linked] = viewer.get(ENTITIES, params={"type": "Streetlight", "limit": 1}, headers=LD).json()
    plain = viewer.get(ENTITIES, params={"type": "Streetlight", "limit": 1}, headers={"Accept": "application/json"})
    [bare] = plain.json()
    assert plain.headers["content-type"] == "application/json"
    assert "@context" not in bare
    address = plain.headers["link"].partition("<")[2].partition(">")[0]
    assert viewer.get(address).json() == {"@context": linked["@context"]}


def test_an_entity_is_found_by_its_urn_in_either_form(viewer: TestClient, store: Store, town: TenantStore) -> None:
    says(store, town, "L1", NIGHT - timedelta(minutes=5), level=60, power=18.0)
    urn = "urn:ngsi-ld:Streetlight:alt:L1"
    assert viewer.get(f"{ENTITIES}/{urn}").json()["illuminanceLevel"]["observedAt"] == "2026-03-02T21:55:00.000Z"
    plain = viewer.get(f"{ENTITIES}/{urn}", params={"options": "keyValues", "attrs": "illuminanceLevel,targetLevel"},
                       headers={"Accept": "application/json"}).json()
    assert plain == {"id": urn, "type": "Streetlight", "targetLevel": 0.5, "illuminanceLevel": 0.6}
    ids = f"{urn},urn:ngsi-ld:StreetlightControlCabinet:alt:K1,urn:ngsi-ld:Streetlight:neu:L1"
    two = viewer.get(ENTITIES, params={"id": ids})
    assert [one["type"] for one in two.json()] == ["Streetlight", "StreetlightControlCabinet"]
    assert viewer.get(f"{ENTITIES}/{quote('urn:ngsi-ld:StreetlightGroup:alt:zone:markt')}").status_code == 200


@pytest.mark.parametrize("path", [
    "?limit=10", "?type=Vehicle", "?type=Streetlight&options=concise", "?type=Streetlight&limit=0",
    "?type=Streetlight&limit=9999"])
def test_a_question_that_is_none_is_refused(viewer: TestClient, path: str) -> None:
    assert viewer.get(f"{ENTITIES}{path}").status_code == 422


@pytest.mark.parametrize("urn", ["urn:ngsi-ld:Streetlight:neu:L1", "urn:ngsi-ld:Streetlight:alt:L99", "x",
                                 "urn:ngsi-ld:StreetlightGroup:alt:group:none", "urn:ngsi-ld:StreetlightModel:alt:none"])
def test_an_entity_of_nobody_or_of_another_town_is_not_found(viewer: TestClient, urn: str) -> None:
    assert viewer.get(f"{ENTITIES}/{urn}").status_code == 404


def test_what_is_known_already_is_not_sent_again_and_a_change_is(viewer: TestClient, store: Store, town: TenantStore) -> None:
    first = viewer.get(f"{ENTITIES}?type=Streetlight")
    known = {"If-None-Match": first.headers["etag"]}
    again = viewer.get(f"{ENTITIES}?type=Streetlight", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    says(store, town, "L1", NIGHT, level=50)
    assert viewer.get(f"{ENTITIES}?type=Streetlight", headers=known).status_code == 200


def test_an_answer_is_compressed_for_those_who_read_it_under_a_tag_of_its_own(viewer: TestClient) -> None:
    small = viewer.get(ENTITIES, params={"type": "Streetlight"}, headers={"Accept-Encoding": "gzip"})
    large = viewer.get(ENTITIES, params={"type": "Streetlight"}, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in large.headers
    assert small.json() == large.json()
    assert small.headers["etag"] != large.headers["etag"]
    assert int(small.headers["content-length"]) < int(large.headers["content-length"]) / 4


# --- tables -----------------------------------------------------------------------------------------------------------


def test_lamps_are_a_file_in_either_variant(viewer: TestClient, store: Store, town: TenantStore) -> None:
    says(store, town, "L1", NIGHT - timedelta(minutes=5), level=60, power=18.0)
    answer = viewer.get(f"{BASE}/exports/lamps.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="alt-lamps-2026-03-02.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == ["L1", "L2", "L3", "L4", "U1", "X1"]
    assert (rows[0]["target_level"], rows[0]["level_in_effect"], rows[0]["power_w"]) == ("50", "60", "18")
    german = viewer.get(f"{BASE}/exports/lamps.csv", params={"variant": "de", "zone": "hof"}).text
    assert german.startswith("\ufeffNummer;Name;Zone")
    assert "U1;Hof;hof" in german


def test_a_table_is_compressed_while_it_is_made(viewer: TestClient) -> None:
    with viewer.stream("GET", f"{BASE}/exports/lamps.csv", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).startswith(b"id,name,zone")


def test_a_hostile_reason_is_no_formula(operator: TestClient) -> None:
    operator.put(f"{BASE}/zones/markt/override", json={"level": 60, "minutes": 60, "reason": "=HYPERLINK(1)"})
    assert ",'=HYPERLINK(1)," in operator.get(f"{BASE}/exports/overrides.csv").text


def test_an_ended_wish_stays_in_the_table(operator: TestClient) -> None:
    operator.put(f"{BASE}/zones/markt/override", json={"level": 60, "minutes": 60})
    operator.delete(f"{BASE}/zones/markt/override")
    [row] = csv.DictReader(io.StringIO(operator.get(f"{BASE}/exports/overrides.csv").text))
    assert (row["targets"], bool(row["ended_at"])) == ("zone:markt", True)


@pytest.mark.parametrize("name", ["commands", "alarms"])
def test_the_other_tables_have_their_names_at_least(viewer: TestClient, name: str) -> None:
    assert viewer.get(f"{BASE}/exports/{name}.csv").text.startswith("id,asset,")
    assert viewer.get(f"{BASE}/exports/{name}.csv", params={"variant": "xls"}).status_code == 422


# --- TALQ -------------------------------------------------------------------------------------------------------------


def command(level: int = 60, **more: object) -> dict[str, object]:
    return {"state": {"name": "LevelState", "value": level}, "expiration": (NIGHT + timedelta(hours=1)).isoformat(), **more}


def override(command: object, *addresses: str) -> dict[str, object]:
    some = [{"resource": "groups" if ":" in one or one == "town" else "devices", "address": one} for one in addresses]
    return {"addresses": some, "targetCommand": command}


def test_a_device_its_functions_and_its_attributes_have_addresses(viewer: TestClient) -> None:
    [first] = viewer.get(f"{TALQ}/devices", params={"limit": 1}).json()
    assert viewer.get(f"{TALQ}/devices/count").json() == 6
    assert viewer.get(f"{TALQ}/devices/{first['address']}").json() == first
    here = f"{TALQ}/devices/{first['address']}"
    actuator = viewer.get(f"{here}/lampActuator").json()
    assert actuator["calendarID"]["value"] == "standard"
    assert viewer.get(f"{here}/lampActuator/targetLightCommand").json() == actuator["targetLightCommand"]
    for path in ("/nothing", "/lampActuator/nothing", "/lampActuator/id"):
        assert viewer.get(f"{here}{path}").status_code == 404
    assert viewer.get(f"{TALQ}/devices/{talq.address(TenantId('neu'), AssetId('L1'))}").status_code == 404


def test_every_device_has_a_class_that_is_announced(viewer: TestClient) -> None:
    names = {one["name"] for one in viewer.get(f"{TALQ}/device-classes").json()}
    assert {one["class"] for one in viewer.get(f"{TALQ}/devices").json()} == names == {"nas-ul20xx", "no-controller"}


@pytest.mark.parametrize("path", ["groups", "calendars", "control-programs", "assign-commands", "override-commands"])
def test_lists_are_lists(viewer: TestClient, path: str) -> None:
    assert isinstance(viewer.get(f"{TALQ}/{path}").json(), list)


def test_a_wish_in_talqs_words_obeys_the_guard_rails_as_they_are_set(store: Store, log: LocalLog, clock: ManualClock,
                                                                     token: Callable[..., str]) -> None:
    app = create_app(store, log, clock, Settings(guards=Guards(typed_above=2, operator_hours=1)))
    client = TestClient(app, headers={"Authorization": f"Bearer {token('alt', Role.OPERATOR)}"})
    zone = client.post(f"{TALQ}/override-commands", json=override(command(), "zone:markt"))
    assert (zone.status_code, zone.json()["field"]) == (422, "confirm")
    late = command() | {"expiration": (NIGHT + timedelta(hours=2)).isoformat()}
    refused = client.post(f"{TALQ}/override-commands", json=override(late, talq.address(ALT, AssetId("L1"))))
    assert refused.json()["rule"] == "≤ 1 h"


def test_a_wish_in_talqs_words_is_an_override_like_any_other(operator: TestClient) -> None:
    answer = operator.post(f"{TALQ}/override-commands", json=override(command(cmsRefId="festival"), "zone:markt"))
    assert answer.status_code == 202
    wish = operator.get(answer.headers["location"]).json()
    assert (wish["targets"], wish["level"], wish["reason"]) == (["zone:markt"], 60, "festival")
    assert wish["end"] == "2026-03-02T23:00:00Z"
    [listed] = operator.get(f"{TALQ}/override-commands").json()
    assert listed["targetCommand"] == answer.json()["targetCommand"]
    assert operator.post(f"{TALQ}/override-commands", json={"addresses": listed["addresses"]}).json() == {"ended": 1}
    assert operator.get(f"{TALQ}/override-commands").json() == []


def test_a_lamp_is_named_by_its_uuid(operator: TestClient) -> None:
    answer = operator.post(f"{TALQ}/override-commands", json=override(command(), talq.address(ALT, AssetId("L2"))))
    assert answer.json()["addresses"] == [{"resource": "devices", "address": talq.address(ALT, AssetId("L2"))}]
    assert operator.get(answer.headers["location"]).json()["targets"] == ["lamp:L2"]


@pytest.mark.parametrize(("body", "status", "field"), [
    (override({"state": {"name": "LevelState", "value": 60}}, "zone:markt"), 422, "expiration"),
    (override(command(level=101), "zone:markt"), 422, None),
    (override(command(rampToLevelTime=5), "zone:markt"), 422, "rampToLevelTime"),
    (override({**command(), "state": {"name": "RGBState", "value": 1}}, "zone:markt"), 422, None),
    (override(command(), "zone:nowhere"), 404, None),
    (override(command(), talq.address(TenantId("neu"), AssetId("L1"))), 404, "addresses"),
    (override(command(level=50), "zone:schule"), 422, "level"), (override(command(surprise=1), "zone:markt"), 422, None),
    (override(command()), 422, None), (override(command(), "lamp:L1"), 422, "addresses")])
def test_what_talq_asks_for_and_may_not_be_is_refused(operator: TestClient, body: object, status: int, field: str | None) -> None:
    answer = operator.post(f"{TALQ}/override-commands", json=body)
    assert answer.status_code == status, answer.text
    assert field is None or answer.json()["field"] == field
    assert operator.get(f"{TALQ}/override-commands").json() == []


def test_whoever_only_looks_can_wish_for_nothing(viewer: TestClient, as_role: Roles) -> None:
    assert viewer.post(f"{TALQ}/override-commands", json=override(command(), "zone:markt")).status_code == 403
    assert as_role(Role.OPERATOR).post(f"{TALQ}/control-programs", json={}).status_code == 403


def test_a_program_goes_out_and_comes_back_as_one_of_ours(as_role: Roles) -> None:
    engineer = as_role(Role.ENGINEER)
    [document] = [one for one in engineer.get(f"{TALQ}/control-programs").json() if one["id"] == "halbnacht"]
    mine = {**document, "id": "fest", "x-stadtfunk": {"name": "Fest"}}
    assert engineer.post(f"{TALQ}/control-programs", json=mine).status_code == 201
    [kept] = [one for one in engineer.get(f"{BASE}/programs").json() if one["id"] == "fest"]
    assert (kept["name"], [step["level"] for step in kept["steps"]]) == ("Fest", [50, 100])
    [back] = [one for one in engineer.get(f"{TALQ}/control-programs").json() if one["id"] == "fest"]
    assert {name: value for name, value in back.items() if name not in ("id", "x-stadtfunk")} == {
        name: value for name, value in document.items() if name not in ("id", "x-stadtfunk")}
    assert engineer.post(f"{TALQ}/control-programs", json={**mine, "dynamicControls": [{}]}).status_code == 422


def test_reports_tell_alarms_and_light_states(viewer: TestClient, store: Store, town: TenantStore) -> None:
    store.commit(Facts(alarms=(begin(ALT, AssetId("L1"), AlarmKind.LAMP_FAILURE, NIGHT),)))
    [entry] = viewer.get(f"{TALQ}/log-reports/events").json()["entries"]
    assert (entry["data"]["eventType"], entry["data"]["startEndFlag"]) == ("lampFailure", True)
    says(store, town, "L1", NIGHT, level=50, power=18.0)
    states = viewer.get(f"{TALQ}/log-reports/light-states", params={"limit": 1}).json()
    assert [one["data"]["attributeName"] for one in states["entries"]] == [
        "targetLightCommand", "feedbackLightCommand", "actualLightState"]
    assert viewer.get(f"{TALQ}/log-reports/other").status_code == 422


def test_every_export_is_json_that_says_nothing_of_the_other_town(viewer: TestClient) -> None:
    for path in (f"{ENTITIES}?type=Streetlight,StreetlightGroup,StreetlightControlCabinet", f"{TALQ}/devices", f"{TALQ}/groups"):
        said = json.dumps(viewer.get(path).json())
        assert "b00000000000000" not in said
        assert ":neu:" not in said


def test_any_time_may_be_asked_for_however_far_away(viewer: TestClient) -> None:
    for since in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        assert viewer.get(f"{BASE}/exports/commands.csv", params={"since": since}).status_code == 200


def test_talqs_groups_and_devices_come_page_by_page(viewer: TestClient) -> None:
    for path, ids in (("groups", ["town", "zone:hof", "zone:markt"]), ("devices", None)):
        first = viewer.get(f"{TALQ}/{path}", params={"limit": 3})
        link = first.headers["link"]
        assert 'rel="next"' in link
        rest = viewer.get(link.partition("<")[2].partition(">")[0]).json()
        found = [one["address"] for one in first.json()]
        assert ids is None or found == ids
        assert rest
        assert not {one["address"] for one in rest} & set(found)
