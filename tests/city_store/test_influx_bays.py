"""Where single bays go: asked for how long it keeps them, made where it is missing, and nothing sent where it is not so."""

import json
from collections import deque

import pytest

from city.clock import ManualClock
from city.errors import InfluxDown, Invalid
from city.settings import Influx, Secret
from city.store.influx import InfluxHeld
from city.store.influx_bays import BaySink, BaysWithheld, Kept, Server, bays_settings, forgets, look
from tests.city_store.standin import standin
from tests.gateway_bridge.test_ship import NOW

LINES = [b"bay,asset=P1 occupied=true 1"]
ONE, TWO, THREE, MUTE = ({"X-Influxdb-Version": "1.8.10"}, {"X-Influxdb-Version": "v2.7.11"}, {"X-Influxdb-Version": "3.2.0"}, {})
DAY = 86_400


def policy(duration):
    return 200, {}, json.dumps({"results": [{"series": [{"columns": ["name", "duration", "shardGroupDuration", "replicaN",
                                                                     "default"],
                                                         "values": [["other", "0s", "168h0m0s", 1, False],
                                                                    ["autogen", duration, "6h0m0s", 1, True]]}]}]}).encode()


def bucket(seconds, name="town_bays"):
    rules = [{"type": "expire", "everySeconds": seconds, "shardGroupDurationSeconds": 21_600}] if seconds else []
    return 200, {}, json.dumps({"buckets": [{"id": "0b", "name": name, "retentionRules": rules}]}).encode()


def database(ns):
    return 200, {}, json.dumps([{"database_name": "town", "retention_period_ns": None},
                                {"database_name": "town_bays", **({} if ns is None else {"retention_period_ns": ns})}]).encode()


NO_DATABASE = (200, {}, b'{"results":[{"statement_id":0,"error":"database not found: town_bays"}]}')
NOT_FOUND = (404, {}, b'{"code":"not found","message":"bucket \\"town_bays\\" not found"}')
OK, NOWHERE = (204, {}, b""), (404, {}, b"404 page not found")
OTHERS = (200, {}, b'[{"database_name":"town","deleted":false},{"database_name":"town_bays","deleted":true}]')
ORG = (200, {}, b'{"orgs":[{"id":"0a1b"}]}')


def sink(server, **more):
    clock = more.pop("clock", None) or ManualClock(NOW)
    return BaySink(Influx(url=server.url, bucket="town", org="stadt", token=Secret("secret"), **more), clock, days=7)


def paths(server):
    return [f"{command} {path.partition('?')[0]}" for command, path, _, _ in server.asked]


@pytest.mark.parametrize(("version", "answers"), [
    (ONE, [NOWHERE, policy("168h0m0s"), OK]), (TWO, [NOWHERE, bucket(7 * DAY), OK]),
    (TWO, [NOWHERE, bucket(2 * DAY), OK]), (THREE, [NOWHERE, database(7 * DAY * 10**9), OK])])
def test_what_forgets_in_time_gets_the_bays_and_nobody_is_asked_again_for_an_hour(version, answers):
    clock = ManualClock(NOW)
    with standin(version=version, answers=deque(answers)) as server:
        bays = sink(server, clock=clock)
        bays.write(LINES)
        asked = len(server.asked)
        bays.write(LINES)
        assert len(server.asked) == asked + 1
        assert all("town_bays" in path for command, path, _, _ in server.asked if "write" in path)
        assert server.points == set(LINES)
        clock.advance(3600)
        server.answers = deque([NOWHERE, answers[1], OK])
        bays.write(LINES)
        assert len(server.asked) > asked + 2
        bays.close()


@pytest.mark.parametrize(("version", "answer"), [
    (ONE, policy("0s")), (ONE, policy("720h0m0s")), (TWO, bucket(0)), (TWO, bucket(8 * DAY)), (THREE, database(None)),
    (THREE, database(31 * DAY * 10**9))])
def test_what_keeps_them_too_long_gets_nothing_until_that_is_mended(version, answer):
    with standin(version=version, answers=deque([NOWHERE, answer])) as server:
        bays = sink(server)
        with pytest.raises(InfluxHeld) as caught:
            bays.write(LINES)
        assert (caught.value.held, server.bodies()) == ("retention", [])
        good = {1: policy("168h0m0s"), 2: bucket(7 * DAY), 3: database(7 * DAY * 10**9)}[
            {"1": 1, "v": 2, "3": 3}[version["X-Influxdb-Version"][0]]]
        server.answers = deque([NOWHERE, good, OK])
        bays.write(LINES)
        assert server.points == set(LINES)


def test_a_missing_database_of_1x_is_made_with_its_retention():
    with standin(version=ONE, answers=deque([NOWHERE, NO_DATABASE, (200, {}, b'{"results":[{}]}'), NOWHERE, policy("168h0m0s"),
                                             OK])) as server:
        sink(server).write(LINES)
        assert b"q=CREATE%20DATABASE%20%22town_bays%22%20WITH%20DURATION%207d%20REPLICATION%201%20SHARD%20DURATION%206h" in \
            [body for _, _, _, body in server.asked]


def test_a_missing_bucket_of_2x_is_made_with_its_retention():
    with standin(version=TWO, answers=deque([NOWHERE, NOT_FOUND, ORG, (201, {}, b"{}"), NOWHERE, bucket(7 * DAY), OK])) as server:
        sink(server).write(LINES)
        [made] = [json.loads(body) for command, path, _, body in server.asked if command == "POST" and path == "/api/v2/buckets"]
    assert made == {"orgID": "0a1b", "name": "town_bays", "retentionRules": [
        {"type": "expire", "everySeconds": 7 * DAY, "shardGroupDurationSeconds": 6 * 3600}]}


def test_a_missing_database_of_3x_is_made_with_its_retention_before_a_first_line_could_make_it_without():
    with standin(version=THREE, answers=deque([NOWHERE, OTHERS, (200, {}, b"{}"), NOWHERE, database(7 * DAY * 10**9),
                                               OK])) as server:
        sink(server).write(LINES)
        [(headers, made)] = [(headers, json.loads(body)) for _, path, headers, body in server.asked
                             if path == "/api/v3/configure/database"]
        assert paths(server)[-1] == "POST /api/v3/write_lp"
    assert made == {"db": "town_bays", "retention_period": "7d"}
    assert headers["Authorization"] == "Bearer secret"


def test_a_3x_that_does_not_know_retention_makes_one_for_ever_and_gets_nothing():
    with standin(version=THREE, answers=deque([NOWHERE, OTHERS, (200, {}, b"{}"), NOWHERE, database(None)])) as server, \
            pytest.raises(InfluxHeld) as caught:
        sink(server).write(LINES)
    assert caught.value.held == "retention"


@pytest.mark.parametrize("answers", [[NOWHERE, NOT_FOUND, (200, {}, b'{"orgs":[]}')],
                                     [NOWHERE, NOT_FOUND, ORG, (403, {}, b'{"message":"write:buckets is missing"}')]])
def test_a_bucket_that_we_may_not_make_is_held_and_said(answers):
    with standin(version=TWO, answers=deque(answers)) as server, pytest.raises(InfluxHeld) as caught:
        sink(server).write(LINES)
    assert caught.value.held == "missing"


def test_a_bucket_of_2x_that_the_token_may_not_read_is_held_and_not_made_again():
    """2.x leaves it out of its answer; one that is missing is a 404."""
    with standin(version=TWO, answers=deque([NOWHERE, (200, {}, b'{"links":{},"buckets":[]}')])) as server:
        with pytest.raises(InfluxHeld, match="may not read the bucket") as caught:
            sink(server).write(LINES)
        assert caught.value.held == "forbidden"
        assert not [path for path in paths(server) if path.startswith("POST")]


@pytest.mark.parametrize(("version", "answers"), [
    (MUTE, [(200, {}, b"VictoriaMetrics is Healthy.\n")]),
    (MUTE, [NOWHERE, NOWHERE]), (TWO, [NOWHERE, (401, {}, b'{"message":"unauthorized"}')]),
    (TWO, [NOWHERE, (200, {}, b"<html>")]),
    (THREE, [NOWHERE, (400, {}, b'{"error":"no such table"}')])])
def test_who_does_not_say_how_long_gets_no_bays(version, answers):
    with standin(version=version, answers=deque(answers)) as server:
        with pytest.raises(BaysWithheld):
            sink(server).write(LINES)
        assert server.bodies() == []


@pytest.mark.parametrize("version", [MUTE, TWO])
def test_with_yes_they_are_sent_and_nobody_is_asked(version):
    with standin(version=version) as server:
        sink(server, bays="yes").write(LINES)
        assert server.points == set(LINES)
        assert paths(server) == ["GET /ping", "POST /api/v2/write"]


def test_who_is_away_is_asked_again():
    bays = BaySink(Influx(url="http://127.0.0.1:9"), ManualClock(NOW), days=7)
    with pytest.raises(InfluxDown) as caught:
        bays.write(LINES)
    assert not isinstance(caught.value, BaysWithheld | InfluxHeld)


def test_a_bucket_that_vanishes_is_looked_at_again():
    with standin(version=TWO, answers=deque([NOWHERE, bucket(7 * DAY), NOT_FOUND, ORG, (403, {}, b"{}")])) as server:
        bays = sink(server)
        with pytest.raises(InfluxHeld):
            bays.write(LINES)
        server.answers = deque([NOWHERE, bucket(7 * DAY), OK])
        bays.write(LINES)
        assert server.points == set(LINES)


@pytest.mark.parametrize(("version", "answer", "server"), [
    (TWO, bucket(7 * DAY), Server.TWO), (THREE, database(7 * DAY * 10**9), Server.THREE), (MUTE, policy("168h0m0s"), Server.ONE)])
def test_who_is_written_to_like_1x_is_asked_in_its_own_way(version, answer, server):
    with standin(version=version, answers=deque([NOWHERE, answer])) as told:
        settings = bays_settings(Influx(url=told.url, bucket="town", org="stadt", api="1"))
        assert look(settings) == Kept(server, there=True, seconds=7 * DAY)


def test_names_cannot_break_out_of_a_query():
    with standin(version=ONE, answers=deque([NOWHERE, policy("1h0m0s")])) as server:
        assert look(bays_settings(Influx(url=server.url, bucket='a" b'))) == Kept(Server.ONE, there=True, seconds=3600)
        assert b"ON%20%22a%5C%22%20b_bays%22" in server.asked[-1][3]


def test_for_ever_is_no_time():
    assert not forgets(Kept(Server.ONE, there=True, seconds=0), 7)
    assert not forgets(Kept(Server.ONE, there=False), 7)
    assert forgets(Kept(Server.ONE, there=True, seconds=7 * DAY), 7)


def test_the_setting_is_yes_no_or_nothing():
    with pytest.raises(Invalid):
        BaySink(Influx(url="http://x", bays="maybe"), ManualClock(NOW), days=7)
