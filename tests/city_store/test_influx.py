"""What each of InfluxDB's documented answers means to us; 1.x, 2.x and 3.x, against a stand-in on loopback."""

from collections import deque

import pytest

from city.errors import InfluxDown, Invalid
from city.settings import Influx, Secret
from city.store.influx import InfluxBusy, RejectedLines, RejectedQuery, open_sink
from tests.city_store.standin import standin

ONE = {"X-Influxdb-Version": "1.8.10"}
THREE = {"X-Influxdb-Version": "3.2.1"}
LINES = [b"lamp,asset=A level=1.0 1", b"lamp,asset=B level=2.0 2", b"lamp,asset=C level=3.0 3"]
NO = b'{"code":"unprocessable entity","message":"failure writing points: field type conflict: level"}'


def sink_at(server, **more):
    settings = {"url": server.url, "token": Secret("s3cret"), "org": "ahausen", "bucket": "town", **more}
    return open_sink(Influx(**settings))


def test_2x_is_written_through_its_own_api_with_token_organisation_and_nanoseconds():
    with standin() as server:
        sink_at(server).write(LINES)
        _, path, headers, body = server.asked[-1]
    assert path.startswith("/api/v2/write?")
    assert {"org=ahausen", "bucket=town", "precision=ns"} <= set(path.partition("?")[2].split("&"))
    assert headers["Authorization"] == "Token s3cret"
    assert body == b"\n".join(LINES)


def test_3x_needs_no_organisation():
    with standin(version=THREE) as server:
        sink_at(server, org="").write(LINES)
        assert server.bodies() == [b"\n".join(LINES)]


def test_a_version_that_only_the_body_tells_is_read_there():
    with standin(version={}, ping=b'{"version":"3.4.0","revision":"x"}') as server:
        assert sink_at(server).version() == "3.4.0"
    with standin(version={}, ping=b"pong") as server:
        assert sink_at(server).version() == ""


def test_1x_is_written_through_write_with_its_user():
    with standin(version=ONE) as server:
        sink_at(server, token=Secret("bridge:pw"), org="").write(LINES)
        _, path, headers, body = server.asked[-1]
    assert path == "/write?db=town&precision=ns"
    assert headers["Authorization"] == "Basic YnJpZGdlOnB3"
    assert body == b"\n".join(LINES)


def test_the_version_is_asked_for_once():
    with standin() as server:
        sink = sink_at(server)
        sink.write(LINES)
        sink.write(LINES)
        assert [path for _, path, _, _ in server.asked].count("/ping") == 1


def test_nothing_is_sent_for_no_lines():
    with standin() as server:
        sink_at(server).write([])
        assert server.asked == []


@pytest.mark.parametrize("version", [ONE, {"X-Influxdb-Version": "v2.7.11"}, THREE, {}])
class TestAnswers:
    @pytest.mark.parametrize("status", [400, 422])
    def test_a_refusal_carries_influxdbs_own_words(self, version, status):
        with standin(version=version, answers=deque([(status, {}, NO)])) as server, \
                pytest.raises(RejectedLines) as caught:
            sink_at(server).write(LINES)
        assert caught.value.words == "failure writing points: field type conflict: level"

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_wrong_token_is_not_the_lines_fault(self, version, status):
        with standin(version=version, answers=deque([(status, {}, b'{"message":"unauthorized"}')])) as server, \
                pytest.raises(InfluxDown) as caught:
            sink_at(server).write(LINES)
        assert "unauthorized" in str(caught.value)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("status", [429, 503])
    def test_it_waits_as_long_as_it_is_asked_to(self, version, status):
        with standin(version=version, answers=deque([(status, {"Retry-After": "17"}, b"")])) as server, \
                pytest.raises(InfluxBusy) as caught:
            sink_at(server).write(LINES)
        assert caught.value.retry_after_s == 17

    def test_what_is_too_large_is_halved_until_it_fits(self, version):
        too_large = (413, {}, b"")
        answers = deque([too_large, (204, {}, b""), too_large, (204, {}, b""), (204, {}, b"")])
        with standin(version=version, answers=answers) as server:
            sink_at(server).write(LINES)
            assert server.bodies() == [b"\n".join(LINES), LINES[0], b"\n".join(LINES[1:]), LINES[1], LINES[2]]

    def test_one_line_that_is_too_large_is_refused(self, version):
        with standin(version=version, answers=deque([(413, {}, b"")])) as server, pytest.raises(RejectedLines):
            sink_at(server).write(LINES[:1])

    @pytest.mark.parametrize("answer", [
        (500, {}, b"internal"), (502, {}, b"<html>"), (0, {}, b""), (500, {}, b"\xff\xfe"),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""), (307, {"Location": "/ping"}, b"")])
    def test_an_unknown_outcome_is_to_be_sent_again(self, version, answer):
        with standin(version=version, answers=deque([answer])) as server:
            with pytest.raises(InfluxDown):
                sink_at(server).write(LINES)
            assert len(server.bodies()) == 1


def test_a_missing_bucket_of_2x_is_held_and_said():
    with standin(answers=deque([(404, {}, b'{"message":"bucket \\"town\\" not found"}')])) as server, \
            pytest.raises(InfluxDown) as caught:
        sink_at(server).write(LINES)
    assert 'bucket "town" not found' in str(caught.value)


def test_a_missing_database_of_1x_is_made():
    missing = (404, {}, b'{"error":"database not found: \\"town\\""}')
    with standin(version=ONE, answers=deque([missing, (200, {}, b'{"results":[{}]}'), (204, {}, b"")])) as server:
        sink_at(server).write(LINES)
        assert [path for _, path, _, _ in server.asked][1:] == [
            "/write?db=town&precision=ns", "/query", "/write?db=town&precision=ns"]
        assert server.asked[2][3] == b"q=CREATE%20DATABASE%20%22town%22"


def test_a_database_that_we_may_not_make_is_held():
    missing = (404, {}, b'{"error":"database not found"}')
    refused = (403, {}, b'{"error":"create is for admins"}')
    with standin(version=ONE, answers=deque([missing, refused])) as server, pytest.raises(InfluxDown) as caught:
        sink_at(server).write(LINES)
    assert "create is for admins" in str(caught.value)


def test_2x_without_an_organisation_is_held_before_it_can_refuse_the_lines():
    with standin() as server:
        with pytest.raises(InfluxDown):
            sink_at(server, org="").write(LINES)
        assert server.bodies() == []


def test_nobody_there_is_influx_down():
    with standin() as server:
        url = server.url
    with pytest.raises(InfluxDown):
        open_sink(Influx(url=url)).write(LINES)


def test_a_date_to_come_back_at_counts_from_the_answers_own():
    headers = {"Date": "Sun, 22 Nov 2026 10:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 10:00:40 GMT"}
    with standin(version=ONE, answers=deque([(503, headers, b"")])) as server, pytest.raises(InfluxBusy) as caught:
        sink_at(server).write(LINES)
    assert caught.value.retry_after_s == 40


@pytest.mark.parametrize(("text", "wait"), [("999999", 3600.0), ("-5", None), ("soon", None), ("", None)])
def test_a_strange_wait_is_bounded_or_left_out(text, wait):
    with standin(version=ONE, answers=deque([(503, {"Retry-After": text}, b"")])) as server, \
            pytest.raises(InfluxBusy) as caught:
        sink_at(server).write(LINES)
    assert caught.value.retry_after_s == wait


def test_rows_have_tags_columns_and_the_measurement():
    body = (b'{"results":[{"series":[{"name":"lamp","tags":{"zone":"A"},"columns":["time","level"],'
            b'"values":[[1,40],[2,null]]}]}]}')
    with standin(answers=deque([(200, {}, body)])) as server:
        rows = sink_at(server).query('SELECT "level" FROM "lamp"')
        assert server.asked[-1][1] == "/query?db=town&epoch=ns"
    assert rows == [{"name": "lamp", "zone": "A", "time": 1, "level": 40},
                    {"name": "lamp", "zone": "A", "time": 2, "level": None}]


@pytest.mark.parametrize("answer", [(400, {}, b'{"error":"error parsing query"}'),
                                    (200, {}, b'{"results":[{"error":"field clause not found"}]}')])
def test_a_query_that_is_not_understood_says_so(answer):
    with standin(answers=deque([answer])) as server, pytest.raises(RejectedQuery):
        sink_at(server).query("SELEKT")


@pytest.mark.parametrize("url", ["", "influx:8086", "ftp://influx", "http://user:pw@influx:8086", "http://"])
def test_an_address_that_is_none_is_refused_without_repeating_secrets(url):
    with pytest.raises(Invalid) as caught:
        open_sink(Influx(url=url))
    assert caught.value.field == "influx.url"
    assert "pw" not in str(caught.value)


def test_no_secret_is_shown():
    assert "s3cret" not in repr(open_sink(Influx(url="http://127.0.0.1:1", token=Secret("s3cret"))).__dict__)
