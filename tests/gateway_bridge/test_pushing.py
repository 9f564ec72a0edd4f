"""Pushing zones to a ParkAPI, against a stand-in of its admin API that keeps sites as park-api-v3 does."""

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from city.clock import ManualClock
from city.errors import Invalid
from city.ids import TenantId, ZoneId
from city.imports import parse
from city.parkapi_push import AT_ONCE, Feed, Verdict, due, failed, judged, targets
from city.parking_facts import Count, ZoneFact
from city.parking_places import ParkingSite, TownParking
from city.places import Site, Tenant
from city.settings import Parkapi, Secret, Settings
from city.store.opening import open_store
from city.store.port_parking import ParkingFound
from city.store.ports import Store
from gateway_bridge.doctor.parkapi import judge_parkapi, probe_parkapi
from gateway_bridge.pushing import Pusher
from tests.exports.parkapi_schema import SITE as SCHEMA
from tests.exports.parkapi_schema import faults

NOW = datetime(2026, 11, 23, 10, 35, tzinfo=UTC)
PASSWORD = "geheim:mit Doppelpunkt"
HEAD = "asset,kind,name,latitude,longitude,zone\n"


class ParkApi(BaseHTTPRequestHandler):
    """As webapp/admin_rest_api/parking_sites: Basic authentication, sites by uid, an error for each that does not validate."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._lets_in():
            return
        items, errors = json.loads(body)["items"], []
        assert self.path == "/park-api/api/admin/v1/parking-sites/upsert-list"
        for item in items:
            if wrong := faults(SCHEMA, item) or self.server.refuse.get(item["uid"]):  # type: ignore[attr-defined]
                errors.append({"source_uid": "quelle", "parking_site_uid": item["uid"], "message": "Invalid parking site",
                               "data": {"code": "field_errors", "field_errors": {"name": {"code": str(wrong)}}}})
            else:
                self.server.sites[item["uid"]] = item  # type: ignore[attr-defined]
        self.server.pushes.append([item["uid"] for item in items])  # type: ignore[attr-defined]
        self._say(200, {"items": [], "errors": errors})

    def do_GET(self) -> None:
        if self._lets_in():
            assert self.path.startswith("/park-api/api/admin/v1/parking-sites?source_uid=quelle")
            self._say(200, {"items": [{"original_uid": uid} for uid in self.server.sites]})  # type: ignore[attr-defined]

    def do_DELETE(self) -> None:
        if self._lets_in():
            uid = self.path.rpartition("/by-uid/")[2]
            there = self.server.sites.pop(uid, None)  # type: ignore[attr-defined]
            self._say(204 if there else 404, {})

    def _lets_in(self) -> bool:
        status = self.server.status  # type: ignore[attr-defined]
        if status:
            self._say(status, {"error": {"code": "validation_error", "message": "Validation errors in request body.",
                                         "data": {"field_errors": {"items": {"code": "required_field"}}}}})
            return False
        word = base64.b64encode(f"quelle:{PASSWORD}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {word}":
            self._say(401, {"error": {"code": "unauthorized", "message": PASSWORD}})
            return False
        return True

    def _say(self, status: int, body: object) -> None:
        data = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def api() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), ParkApi)
    server.sites, server.pushes, server.refuse, server.status = {}, [], {}, 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    opened.put_tenant(Tenant(TenantId("alt"), "Altstadt", Site(48.7, 9.65)))
    add_zones(opened, "markt", "gasse")
    yield opened
    opened.close()


def add_zones(store: Store, *zones: str) -> None:
    rows, problems = parse((HEAD + "".join(f"B-{zone},bay,B,48.7,9.65,{zone}\n" for zone in zones)).encode(), set())
    assert not problems
    store.tenant(TenantId("alt")).import_rows(rows)


def facts(store: Store, at: datetime, **counts: Count) -> None:
    """What the bridge has found out of these zones at that time."""
    store.put_parking(TenantId("alt"), ParkingFound(
        zones=[ZoneFact(ZoneId(zone), {"": counted}, at, at, "", 9.65, 48.7) for zone, counted in counts.items()]))


def settings(api: Any, **more: Any) -> Settings:
    made = Parkapi(url=f"http://127.0.0.1:{api.server_port}/park-api", sources="alt=quelle",
                   passwords=Secret(f"quelle={PASSWORD}"), allow_private=True)
    return Settings(parkapi=replace(made, **more))


def pusher(store: Store, clock: ManualClock, chosen: Settings) -> Pusher:
    return Pusher(store, clock, chosen, lambda: (True, None))


def step(one: Pusher) -> int:
    return asyncio.run(one.step())


GOOD, BAD = Count(20, 7, 13, "few"), Count(20, 3, 4, "no_data")


def test_zones_are_pushed_with_the_time_of_their_evaluation(api, store, clock):
    facts(store, NOW - timedelta(minutes=2), markt=GOOD, gasse=BAD)
    one = pusher(store, clock, settings(api))
    assert step(one) == 1
    assert api.sites["alt-markt"]["realtime_free_capacity"] == 7
    assert api.sites["alt-markt"]["realtime_data_updated_at"] == "2026-11-23T10:33:00Z"
    assert not api.sites["alt-gasse"]["has_realtime_data"]
    assert step(one) == 0  # not due
    clock.advance(4 * 60)
    assert step(one) == 1
    assert len(api.pushes) == 1  # nothing was found out since: nothing is made to look newer
    facts(store, clock.now(), markt=GOOD, gasse=BAD)
    clock.advance(4 * 60)
    step(one)
    assert api.pushes[-1] == ["alt-markt"]


def test_a_zone_whose_gate_closes_is_taken_back_once_and_then_withheld(api, store, clock):
    facts(store, NOW, markt=GOOD)
    one = pusher(store, clock, settings(api))
    step(one)
    for minutes in (4, 8):
        clock.advance(4 * 60)
        facts(store, NOW + timedelta(minutes=minutes), markt=BAD)
        step(one)
    assert not api.sites["alt-markt"]["has_realtime_data"]
    assert "realtime_free_capacity" not in api.sites["alt-markt"]
    assert len(api.pushes) == 2
    clock.advance(4 * 60)
    facts(store, clock.now(), markt=GOOD)
    step(one)
    assert api.sites["alt-markt"]["realtime_free_capacity"] == 7


def test_what_is_evaluated_no_more_is_taken_back_after_half_an_hour(api, store, clock):
    facts(store, NOW, markt=GOOD)
    one = pusher(store, clock, settings(api))
    step(one)
    clock.advance(31 * 60)
    step(one)
    assert not api.sites["alt-markt"]["has_realtime_data"]


def test_a_withheld_zone_is_described_anew_when_that_changes_and_once_a_night(api, store, clock):
    facts(store, NOW, markt=BAD)
    one = pusher(store, clock, settings(api))
    step(one)
    clock.advance(4 * 60)
    store.tenant(TenantId("alt")).put_parking_site(ParkingSite("markt", address="Neu 1"), "me", clock.now())
    step(one)
    assert api.sites["alt-markt"]["address"] == "Neu 1"
    clock.advance(4 * 60)
    step(one)
    assert len(api.pushes) == 2
    clock.advance(15 * 3600)  # 02:47 in Berlin
    step(one)
    assert len(api.pushes) == 3


def test_what_is_public_no_more_is_removed_there_also_by_the_next_process(api, store, clock):
    facts(store, NOW, markt=GOOD, gasse=GOOD)
    api.sites["fremd-1"] = {"uid": "fremd-1"}  # another's, of the same source
    step(pusher(store, clock, settings(api)))
    store.tenant(TenantId("alt")).put_parking_site(ParkingSite("gasse", public=False), "me", clock.now())
    step(pusher(store, clock, settings(api)))
    assert set(api.sites) == {"alt-markt", "fremd-1"}


def test_a_wrong_password_is_said_without_it_and_not_tried_every_second(api, store, clock, caplog):
    facts(store, NOW, markt=GOOD)
    one = pusher(store, clock, settings(api, passwords=Secret("quelle=falsch-und-geheim")))
    for _ in range(3):
        step(one)
        clock.advance(4 * 60)
    assert api.sites == {}
    assert one.feed("alt").failures == 1
    assert "does not accept" in caplog.text
    assert "falsch" not in caplog.text + repr(one.feed("alt")) + repr(targets(settings(api).parkapi))
    assert PASSWORD not in caplog.text  # which the answer repeats


@pytest.mark.parametrize(("status", "pause"), [(400, 900), (500, 15), (503, 15), (429, 15), (302, 15)])
def test_a_refusal_is_said_and_tried_again_when_that_may_help(api, store, clock, caplog, status, pause):
    facts(store, NOW, markt=GOOD)
    api.status = status
    one = pusher(store, clock, settings(api))
    step(one)
    assert one.feed("alt").next_at == NOW + timedelta(seconds=pause)
    assert str(status) in caplog.text
    if status == 400:
        assert "items: required_field" in caplog.text
    api.status = 0
    clock.advance(pause)
    step(one)
    assert api.sites["alt-markt"]["realtime_free_capacity"] == 7
    assert one.feed("alt").trouble == ""


def test_a_site_that_is_refused_is_named_and_the_others_are_taken(api, store, clock, caplog):
    facts(store, NOW, markt=GOOD, gasse=GOOD)
    api.refuse = {"alt-gasse": ["too_long"]}
    one = pusher(store, clock, settings(api))
    step(one)
    assert set(api.sites) == {"alt-markt"}
    assert "alt-gasse" in caplog.text
    assert "too_long" in caplog.text
    assert _metric(one, "stadtfunk_parkapi_sites", state="refused") == 1
    api.refuse = {}
    clock.advance(4 * 60)
    step(one)
    assert set(api.sites) == {"alt-markt", "alt-gasse"}
    assert _metric(one, "stadtfunk_parkapi_sites", state="refused") == 0


def test_a_parkapi_that_is_away_is_tried_ever_more_slowly(store, clock):
    facts(store, NOW, markt=GOOD)
    chosen = Settings(parkapi=Parkapi(url="https://nirgends.example", sources="alt=quelle", passwords=Secret("quelle=x")))

    def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    one = Pusher(store, clock, chosen, lambda: (True, None), nowhere)
    pauses = []
    for _ in range(7):
        step(one)
        at = one.feed("alt").next_at
        assert at is not None
        pauses.append((at - clock.now()).total_seconds())
        clock.advance((at - clock.now()).total_seconds())
    assert pauses == [15, 30, 60, 120, 240, 240, 240]


def test_nothing_goes_into_the_own_network_unless_it_is_set(api, store, clock, caplog):
    facts(store, NOW, markt=GOOD)
    chosen = settings(api, url="https://rebound.example", allow_private=False)
    step(Pusher(store, clock, chosen, lambda: (True, None), lambda _host, _port: ["10.0.0.1"]))
    assert "not public" in caplog.text
    with pytest.raises(Invalid, match="https"):
        pusher(store, clock, settings(api, allow_private=False))


def test_a_bridge_that_does_not_steer_pushes_nothing(api, store, clock):
    facts(store, NOW, markt=GOOD)
    assert step(Pusher(store, clock, settings(api), lambda: (False, None))) == 0
    assert api.pushes == []


def test_a_town_that_there_is_not_is_said(api, store, clock, caplog):
    step(pusher(store, clock, settings(api, sources="nirgends=quelle")))
    assert "no such town" in caplog.text


def test_many_zones_go_in_several_requests(api, store, clock):
    names = [f"z{number}" for number in range(AT_ONCE + 3)]
    add_zones(store, *names)
    facts(store, NOW, **dict.fromkeys(names, GOOD))
    step(pusher(store, clock, settings(api)))
    assert [len(push) for push in api.pushes] == [AT_ONCE, 3]


def test_special_bays_are_not_told_where_the_town_does_not(api, store, clock):
    store.tenant(TenantId("alt")).put_parking_town(TownParking(special_public=False), "me", NOW)
    store.put_parking(TenantId("alt"), ParkingFound(zones=[ZoneFact(
        ZoneId("markt"), {"": GOOD, "disabled": Count(1, 1, 0, "full")}, NOW, NOW, "", 9.65, 48.7)]))
    step(pusher(store, clock, settings(api)))
    assert api.sites["alt-markt"]["restrictions"] == [{"type": "DISABLED", "capacity": 1}]


@pytest.mark.parametrize(("sources", "passwords"), [
    ("alt", "quelle=x"), ("alt=", "quelle=x"), ("alt=quelle", ""), ("alt=quelle,alt=zwei", "quelle=x"),
    ("alt=quelle,neu=quelle", "quelle=x"), ("alt=quelle", "andere=x"), ("alt=que:lle", "que:lle=x"), ("alt=q\nx", "q=x")])
def test_settings_that_cannot_be_used_are_refused_without_repeating_a_password(sources, passwords):
    with pytest.raises(Invalid) as refused:
        targets(Parkapi(url="https://api.example/park-api", sources=sources, passwords=Secret(passwords)))
    assert "=x" not in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"errors": 7}', b'{"errors": [1, {"data": 2}]}', b"\xff" * 99])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_any_answer_means_something(status, body):
    assert isinstance(judged(status, body), Verdict)
    assert (judged(status, body).trouble == "") == (status == 200)


def test_a_failure_keeps_what_was_taken():
    feed = failed(Feed(failures=40), Verdict("x"), NOW)
    assert feed.next_at == NOW + timedelta(minutes=4)
    assert due([], feed, NOW) == ([], [])


def test_the_doctor_says_whether_a_source_is_let_in(api):
    def said(chosen: Settings) -> list[tuple[str, str]]:
        return [(one.level.value, one.sentence + one.mend) for one in judge_parkapi(probe_parkapi(chosen.parkapi))]

    assert [level for level, _ in said(settings(api))] == ["ok"]
    [(level, words)] = said(settings(api, passwords=Secret("quelle=falsch-und-geheim")))
    assert (level, "401" in words, "falsch" in words) == ("broken", True, False)
    [(level, words)] = said(settings(api, passwords=Secret("")))
    assert (level, "no password" in words) == ("broken", True)
    assert [level for level, _ in said(settings(api, sources=""))] == ["warning"]
    api.status = 404
    assert [level for level, _ in said(settings(api))] == ["warning"]
    [(level, words)] = said(settings(api, url="http://127.0.0.1:9/park-api"))
    assert (level, "cannot push" in words) == ("broken", True)


def _metric(one: Pusher, name: str, **labels: str) -> float:
    return next(sample.value for metric in one.collect() for sample in metric.samples
                if sample.name == name and labels.items() <= sample.labels.items())
