"""InfluxDB 3 Core: what it refuses, what it has room for, and tables that have their tags before anybody asks for them."""

from collections import Counter
from itertools import count

import pytest

from city.clock import ManualClock
from city.figures import SHEETS
from city.ids import TenantId
from city.settings import Influx, Secret
from city.store.influx import InfluxHeld, RejectedLines, open_sink
from city.store.influx_access import buckets_of_platform, buckets_of_town, prepare, reader_name
from city.store.influx_bays import BaySink
from city.store.influx_http import Answer
from city.store.influx_schema import PLACE_TAGS
from city.store.influx_three import measurements, refused, tags
from city.store.influx_towns import TownsHeld, open_readings
from gateway_bridge.sift import Line, sift
from tests.city_store.influx3_server import influx3
from tests.gateway_bridge.test_ship import NOW

A, B = TenantId("ahausen"), TenantId("beheim")


def settings(server, **more) -> Influx:
    return Influx(url=server.url, bucket="stadt", token=Secret(server.token), **more)


def line(number: int, value: str = "40.0", town: TenantId = A) -> bytes:
    return f"lamp,asset=L-{number},tenant={town} level={value} {number}".encode()


def test_bad_lines_are_found_with_two_requests_and_the_good_ones_are_stored():
    """Each request takes a second there, until its log is written: nobody has time to halve."""
    numbers = count()
    lines = [Line(line(next(numbers), '"bright"' if at % 7 == 3 else "40.0"), A) for at in range(1000)]
    with influx3() as server:
        sink = open_sink(settings(server))
        found = sift(lines, sink.write)
        assert Counter(path for _, path in server.asked)["/api/v3/write_lp"] == 2
        assert server.stored["stadt"] == {one.text.decode() for at, one in enumerate(lines) if at % 7 != 3}
    assert [one.text for one, _ in found.refused] == [one.text for at, one in enumerate(lines) if at % 7 == 3]
    assert {words for _, words in found.refused} == {
        "invalid column type for column 'level', expected iox::column_type::field::float, got iox::column_type::field::string"}
    assert (found.stored, found.expired) == (len(lines) - len(found.refused), 0)


def test_lines_in_blocks_are_named_one_by_one():
    with influx3() as server, pytest.raises(RejectedLines) as caught:
        open_sink(settings(server)).write([line(1) + b"\n" + line(2), line(3) + b"\n" + line(4, "t")])
    assert list(caught.value.lines) == [line(4, "t")]


@pytest.mark.parametrize("body", [b"", b"[", b'{"error":"no"}', b'{"data":7}', b'{"data":[{"line_number":0}]}', b'{"data":[{}]}',
                                  b'{"data":[{"line_number":4}]}', b'{"data":{"line_number":1}}', b"[" * 100_000])
def test_an_answer_that_names_no_line_of_ours_names_none(body):
    assert refused(Answer(400, {}, body), b"a x=1 1\nb x=1 1\nc x=1 1") == {}


def test_a_table_has_all_tags_that_are_asked_for_before_its_first_line():
    said = [line(1), b"radio,asset=L-1,tenant=ahausen rssi=-100.0 1", b"gateway,gateway=g,tenant=ahausen heard=1i 1",
            b"raw/acme/x\\ 1,tenant=ahausen odd\\ one=1.0 1"]
    with influx3() as server:
        sink = open_sink(settings(server))
        for _ in range(3):
            sink.write(said)
        made = {table: {name for name, kind in columns.items() if kind == "tag"} for (_, table), columns in server.tables.items()}
        assert Counter(path for _, path in server.asked)["/api/v3/configure/table"] == len(said)
    assert made["lamp"] == made["radio"] == made["raw/acme/x 1"] == set(PLACE_TAGS)
    assert made["gateway"] == set(SHEETS["gateway"].tags) == set(tags("gateway"))


def test_who_may_not_make_tables_still_writes():
    with influx3(may_make=False) as server:
        open_sink(settings(server), creates=True, keep_days=30).write([line(1)])
        assert server.stored == {"stadt": {line(1).decode()}}


@pytest.mark.parametrize(("text", "found"), [
    (b"", set()), (b"a,b=c d=1 1\na e=2 2\nb f=3 3", {"a", "b"}), (b"a\\,b\\ c\\=d,t=u x=1 1", {"a,b c=d"}),
    (b'a x="\nstill, a" 1', {"a", "still"})])  # we write no line ends into texts
def test_measurements_are_read_off_the_lines(text, found):
    assert measurements(text) == found


def test_a_town_too_many_waits_and_says_why_and_the_others_have_theirs():
    with influx3(most=1) as server:
        sink = open_readings(settings(server))
        with pytest.raises(TownsHeld) as caught:
            sink.write([line(1, town=A), line(2, town=B), line(3, town=A)])
        assert server.stored == {"stadt_ahausen": {line(1).decode(), line(3).decode()}}
        server.most = 2
        sink.write([line(2, town=B)])
        assert server.stored["stadt_beheim"] == {line(2, town=B).decode()}
    assert set(caught.value.towns) == {B}
    assert "Adding a new database would exceed limit of 1 databases" in str(caught.value)
    assert "influx.per_town = false" in str(caught.value)


@pytest.mark.parametrize("keep_days", [0, 30])
@pytest.mark.parametrize("bucket", ["x" * 65, "grün", "_own"])
def test_a_database_that_cannot_be_is_not_the_lines_fault(bucket, keep_days):
    with influx3() as server, pytest.raises(InfluxHeld) as caught:
        open_sink(Influx(url=server.url, bucket=bucket), creates=True, keep_days=keep_days).write([line(1)])
    assert caught.value.held == "missing"


def test_a_request_that_is_too_large_is_halved():
    lines = [line(number) for number in range(2000)]
    with influx3(largest=40_000) as server:
        open_sink(settings(server)).write(lines)
        assert len(server.stored["stadt"]) == len(lines)


def test_bays_go_to_a_database_that_forgets_them():
    with influx3(token="secret") as server:
        BaySink(settings(server), ManualClock(NOW), days=7).write([b"bay,asset=B-1,tenant=ahausen occupied=t 1"])
        assert server.databases == {"stadt_bays": 7 * 86_400 * 10**9}


def test_one_town_and_the_platform_fit_and_a_second_one_does_not():
    with influx3(token="secret") as server:
        admin = settings(server)
        for tenant, buckets in ((A, buckets_of_town(admin, A, bays_days=7)), (None, buckets_of_platform(admin))):
            prepare(admin, reader_name(admin, tenant), buckets)
            assert not [line for line in prepare(admin, reader_name(admin, tenant), buckets).done if line.startswith("+")]
        assert len(server.databases) == 5
        with pytest.raises(InfluxHeld, match=r"stadt_beheim.*influx\.per_town = false"):
            prepare(admin, reader_name(admin, B), buckets_of_town(admin, B, bays_days=7))
