"""Each town's lines go to its own bucket and to no other; what one bucket refuses is no other's loss."""

import json
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import ManualClock
from city.errors import InfluxDown, Invalid
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import DEVICE_DEBUG, LAMP_LEVEL, raw
from city.readings import Entry, Place, Reading
from city.settings import Influx, Secret
from city.store.aggregates import spans
from city.store.influx import InfluxHeld, RejectedLines
from city.store.influx_places import of_platform, of_town
from city.store.influx_towns import TownsHeld, TownSink, open_bays, open_readings, open_span
from city.store.lines import lines
from tests.city_store.standin import standin
from tests.gateway_bridge.test_ship import NOW, ListSink

ONE, TWO, THREE = ({"X-Influxdb-Version": said} for said in ("1.8.10", "v2.7.11", "3.4.0"))
A, B = TenantId("ahausen"), TenantId("b-dorf-2")
LINE = {town: b"lamp,asset=L-1,tenant=%s,zone=Z level=1.0 1" % town.encode() for town in (A, B)}


class Towns(dict):
    """A sink for each town, made when it is asked for, and which were closed."""

    def __init__(self) -> None:
        self.closed = []

    def __call__(self, town):
        outer = self

        class One(ListSink):
            def close(self):
                outer.closed.append(town)

        return self.setdefault(town, One())


def test_each_line_goes_to_its_own_town_and_blocks_stay_whole():
    towns = Towns()
    block = LINE[A] + b"\n" + LINE[A].replace(b"lamp", b"radio")
    assert TownSink(towns).write([LINE[A], LINE[B], block]) == 0
    assert towns[A].stored == [LINE[A], *block.split(b"\n")]
    assert towns[B].stored == [LINE[B]]


hostile = st.sampled_from([",tenant=evil ", "\\,tenant=evil,", "=,tenant=evil"])
texts = st.text(st.characters(codec="utf-8"), max_size=30) | hostile


@given(texts.filter(bool), texts.filter(bool), texts, texts, st.sampled_from([A, B]))
def test_nothing_that_comes_from_outside_makes_a_line_anothers(asset, zone, said, channel, town):
    place = Place(town, AssetId(asset), "lamp", ZoneId(zone), CircuitId(asset), DevEui("70b3d5e75e000001"))
    measured = [Reading(place, LAMP_LEVEL, 1.0, 1, channel), Reading(place, DEVICE_DEBUG, said, 1)]
    try:
        made = raw("acme/x1", zone, said)
        measured.append(Reading(place, made.quantity, made.value, 1))
    except KeyError:  # no name at all
        pass
    towns = Towns()
    TownSink(towns).write(lines(Entry.of(place, 1, "up", measured, 2, said.encode("utf-8", "replace")), frames=True))
    assert set(towns) == {town}


@pytest.mark.parametrize("held", ["missing", "forbidden", "retention"])
def test_one_towns_bucket_that_takes_nothing_is_named_and_the_others_have_theirs(held):
    towns = Towns()
    towns(A).failures = [InfluxHeld("no {x}", held=held, x="rights")]
    with pytest.raises(TownsHeld) as caught:
        TownSink(towns).write([LINE[A], LINE[B]])
    assert (caught.value.held, set(caught.value.towns), str(caught.value)) == (held, {A}, "ahausen: no rights")
    assert towns[B].stored == [LINE[B]]


@pytest.mark.parametrize("error", [InfluxHeld("wrong token", held="unauthorized"), InfluxHeld("a web page", held="stranger"),
                                   InfluxDown("away")])
def test_what_concerns_all_stops_at_once(error):
    towns = Towns()
    towns(A).failures = [error]
    with pytest.raises(InfluxDown) as caught:
        TownSink(towns).write([LINE[A], LINE[B]])
    assert caught.value is error
    assert B not in towns


def test_a_refusal_is_told_after_all_others_have_theirs_and_after_what_is_held():
    towns = Towns()
    towns(A).bad = {LINE[A]}
    sink = TownSink(towns)
    with pytest.raises(RejectedLines):
        sink.write([LINE[A], LINE[B]])
    assert towns[B].stored == [LINE[B]]
    towns[B].failures = [InfluxHeld("no", held="missing")]
    with pytest.raises(TownsHeld):
        sink.write([LINE[A], LINE[B]])


@pytest.mark.parametrize("line", [b"lamp level=1.0 1", b'lamp,asset=a text=",tenant" 1', b"lamp,tenant= level=1.0 1",
                                  b"lamp,tenant=../x level=1.0 1", b"lamp,asset=a\\,tenant\\=ahausen level=1.0 1"])
def test_a_line_that_is_no_towns_is_refused(line):
    towns = Towns()
    with pytest.raises(RejectedLines, match="no town"):
        TownSink(towns).write([line, LINE[B]])
    assert set(towns) == {B}


def test_connections_are_kept_for_so_many_towns_only():
    towns = Towns()
    sink = TownSink(towns, most=2)
    for town in ("a", "b", "a", "c", "a", "b"):
        sink.write([b"lamp,tenant=%s level=1.0 1" % town.encode()])
    assert towns.closed == ["b", "c"]
    sink.close()
    assert sorted(towns.closed) == ["a", "b", "b", "c"]


def settings(server, **more):
    return Influx(url=server.url, bucket="stadt", org="kreis", token=Secret("secret"), **more)


def paths(server):
    return [path.partition("&precision")[0] for _, path, _, _ in server.asked if "write" in path]


def test_two_towns_are_two_databases_of_1x_made_when_they_are_missing():
    missing, done, stored = (404, {}, b'{"error":"database not found"}'), (200, {}, b'{"results":[{}]}'), (204, {}, b"")
    with standin(version=ONE, answers=deque([missing, done, stored] * 2)) as server:
        open_readings(settings(server, readings_days=90)).write([LINE[A], LINE[B]])
        made = [body for _, path, _, body in server.asked if path == "/query"]
        assert paths(server) == ["/write?db=stadt_ahausen", "/write?db=stadt_ahausen", "/write?db=stadt_b-dorf-2",
                                 "/write?db=stadt_b-dorf-2"]
    assert made == [f"q=CREATE%20DATABASE%20%22stadt_{town}%22%20WITH%20DURATION%2090d".encode() for town in (A, B)]


def test_a_bucket_of_2x_is_made_for_each_new_town():
    missing, org = (404, {}, b'{"message":"bucket not found"}'), (200, {}, b'{"orgs":[{"id":"0a1b"}]}')
    with standin(version=TWO, answers=deque([missing, org, (201, {}, b"{}"), (204, {}, b"")] * 2)) as server:
        open_readings(settings(server)).write([LINE[A], LINE[B]])
        made = [json.loads(body) for command, path, _, body in server.asked if (command, path) == ("POST", "/api/v2/buckets")]
        assert server.points == set(LINE.values())
    assert made == [{"orgID": "0a1b", "name": f"stadt_{town}", "retentionRules": []} for town in (A, B)]


def test_a_bucket_that_another_bridge_has_made_meanwhile_is_there():
    answers = [(404, {}, b"{}"), (200, {}, b'{"orgs":[{"id":"1"}]}'),
               (422, {}, b'{"message":"bucket with name stadt_ahausen already exists"}'), (204, {}, b"")]
    with standin(version=TWO, answers=deque(answers)) as server:
        open_readings(settings(server)).write([LINE[A]])
        assert server.points == {LINE[A]}


@pytest.mark.parametrize("answer", [(200, {}, b"{}"), (409, {}, b'{"error":"exists"}'), (403, {}, b'{"error":"no"}')])
def test_a_database_of_3x_is_made_with_its_retention_before_a_first_line_makes_it_for_ever(answer):
    with standin(version=THREE, answers=deque([answer, (204, {}, b"")])) as server:
        open_readings(settings(server, readings_days=30)).write([LINE[A]])
        [(headers, made)] = [(headers, json.loads(body)) for _, path, headers, body in server.asked
                             if path == "/api/v3/configure/database"]
        assert server.points == {LINE[A]}
    assert (made, headers["Authorization"]) == ({"db": "stadt_ahausen", "retention_period": "30d"}, "Bearer secret")


def test_bays_hours_and_days_stand_behind_the_towns_name():
    kept = json.dumps({"buckets": [{"name": f"stadt_{town}_bays", "retentionRules": [{"everySeconds": 86400}]}
                                   for town in (A, B)]}).encode()
    with standin(version=TWO, answers=deque([(404, {}, b""), (200, {}, kept), (204, {}, b"")] * 2)) as server:
        open_bays(settings(server), ManualClock(NOW), days=7).write([LINE[A], LINE[B]])
        hours, _ = spans(settings(server))
        server.answers.clear()
        open_span(hours, settings(server)).write([LINE[B]])
        names = [path.partition("bucket=")[2].partition("&")[0] for path in paths(server)]
    assert names == ["stadt_ahausen_bays", "stadt_b-dorf-2_bays", "stadt_b-dorf-2_hours"]


def test_with_one_place_for_all_nothing_is_divided():
    with standin(version=ONE) as server:
        open_readings(settings(server, per_town=False)).write([LINE[A], b"other x=1 1", LINE[B]])
        assert paths(server) == ["/write?db=stadt"]


def test_names_of_places_cannot_meet():
    own = Influx(bucket="stadt")
    names = [of_town(own, TenantId(town)).bucket for town in ("a", "a-platform", "platform")] + [of_platform(own).bucket]
    assert len(set(names)) == 4
    assert of_town(of_town(own, A), B).bucket == "stadt_ahausen"


@pytest.mark.parametrize("make", [open_readings, lambda its: open_bays(its, ManualClock(NOW), days=7),
                                  lambda its: open_span(spans(its)[0], its)])
def test_an_address_that_is_none_is_refused_before_the_first_line(make):
    with pytest.raises(Invalid):
        make(Influx(url="nonsense"))
