"""What each of InfluxDB's documented answers means to us; 1.x, 2.x and 3.x, against a stand-in on loopback."""

import gc
import json
from collections import deque

import pytest

from city.errors import InfluxDown, Invalid
from city.settings import Influx, Secret
from city.store.influx import InfluxBusy, InfluxHeld, RejectedLines, RejectedQuery, open_sink
from city.store.influx_http import Limits, compresses
from tests.city_store.standin import AFTER_STORING, DRIP, GARBAGE, HANG, HUGE, SLOW, standin

ONE = {"X-Influxdb-Version": "1.8.10"}
THREE = {"X-Influxdb-Version": "3.2.1"}
LINES = [b"lamp,asset=A level=1.0 1", b"lamp,asset=B level=2.0 2", b"lamp,asset=C level=3.0 3"]
BOUND = b" at 2026-11-21T05:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-11-22T05:00:00Z"
POINT = b"point " + b"lamp,asset=A" * 40 + BOUND
TOO_OLD = (  # of three lines two: 1.8 and 2.7.11, 1.12.4, 2.9.1, who quotes long names; and 1.12.4 with a write window
    b'{"error":"partial write: points beyond retention policy dropped=2"}',
    b'{"error":"partial write: dropped 2 points outside retention policy of duration 24h0m0s - oldest point lamp,asset=A' + BOUND
    + b', newest point lamp,asset=B' + BOUND + b' dropped=2 for database: town for retention policy: autogen"}',
    b'{"code":"unprocessable entity","message":"failure writing points to database: partial write: dropped 2 points outside reten'
    b'tion policy of duration 24h0m0s - oldest ' + POINT + b', newest ' + POINT + b' dropped=2"}',
    b'{"error":"partial write: dropped 2 points outside retention policy of duration 24h0m0s and 0 points outside write window ('
    b'-1h0m0s to 1h0m0s) - oldest ' + POINT + b'"}')
NOT_ONLY_OLD = (b'{"error":"partial write: dropped 1 points outside retention policy of duration 24h0m0s and 1 points outside '
                b'write window (1h0m0s) - oldest ' + POINT + b'"}')
NO = b'{"code":"unprocessable entity","message":"failure writing points: field type conflict: level"}'


def sink_at(server, *, creates=False, keep_days=None, limits=Limits(), **more):  # noqa: B008 - it is frozen
    settings = {"url": server.url, "token": Secret("s3cret"), "org": "ahausen", "bucket": "town", **more}
    return open_sink(Influx(**settings), creates=creates, keep_days=keep_days, limits=limits)


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

    @pytest.mark.parametrize(("status", "held"), [(401, "unauthorized"), (403, "forbidden")])
    def test_what_a_person_must_mend_is_named(self, version, status, held):
        with standin(version=version, answers=deque([(status, {}, b"{}")])) as server, pytest.raises(InfluxHeld) as caught:
            sink_at(server).write(LINES)
        assert caught.value.held == held

    def test_it_goes_on_when_the_token_is_mended(self, version):
        answers = deque([(401, {}, b"{}"), (403, {}, b"{}"), (204, {}, b"")])
        with standin(version=version, answers=answers) as server:
            sink = sink_at(server)
            for _ in range(2):
                with pytest.raises(InfluxHeld):
                    sink.write(LINES)
            sink.write(LINES)
            assert server.points == set(LINES)

    def test_a_stranger_that_says_yes_to_everything_has_stored_nothing(self, version):
        with standin(version=version, answers=deque([(200, {}, b"<html>Sign in</html>")])) as server, \
                pytest.raises(InfluxHeld) as caught:
            sink_at(server).write(LINES)
        assert caught.value.held == "stranger"

    @pytest.mark.parametrize("words", TOO_OLD)
    def test_lines_older_than_influxdb_keeps_are_done(self, version, words):
        with standin(version=version, answers=deque([(400, {}, words)])) as server:
            assert sink_at(server).write(LINES) == 2

    def test_lines_outside_the_time_that_may_be_written_are_refused_and_not_taken_for_old_ones(self, version):
        with standin(version=version, answers=deque([(400, {}, NOT_ONLY_OLD)])) as server, pytest.raises(RejectedLines):
            sink_at(server).write(LINES)

    @pytest.mark.parametrize("body", [b"partial write: field type conflict: \xe4\xff dropped=3", b"[" * 100_000, b"x" * 100_000])
    def test_a_refusal_in_strange_words_is_still_one(self, version, body):
        gc.collect()  # what other tests have left must not be finalized in the depth of a recursion
        with standin(version=version, answers=deque([(400, {}, body)])) as server, pytest.raises(RejectedLines) as caught:
            sink_at(server).write(LINES)
        assert len(caught.value.words) <= 500
        assert caught.value.dropped == (3 if b"dropped" in body else 0)

    @pytest.mark.parametrize("how", [AFTER_STORING, GARBAGE, HUGE, DRIP, HANG])
    def test_who_misbehaves_is_asked_again_and_waited_for_no_longer_than_said(self, version, how):
        with standin(version=version, answers=deque([(how, {}, b""), (204, {}, b"")])) as server:
            sink = sink_at(server, limits=Limits(1.0, 0.3, 0.5))
            with pytest.raises(InfluxDown):
                sink.write(LINES)
            sink.write(LINES)
            assert server.points == set(LINES)
            assert len(server.bodies()) == 2

    def test_who_is_slow_is_waited_for(self, version):
        with standin(version=version, answers=deque([(SLOW, {}, b"")])) as server:
            sink_at(server).write(LINES)
            assert len(server.bodies()) == 1

    @pytest.mark.parametrize("gzip", ["yes", "no"])
    def test_lines_arrive_compressed_or_not(self, version, gzip):
        lines = [b"lamp,asset=%05d level=1.0 1" % number for number in range(200)]
        with standin(version=version) as server:
            sink_at(server, gzip=gzip).write(lines)
            _, _, headers, body = server.asked[-1]
        assert headers.get("Content-Encoding") == ("gzip" if gzip == "yes" else None)
        assert body == b"\n".join(lines)

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


def test_a_smaller_size_is_remembered_and_a_larger_one_tried_again_later():
    lines = [b"lamp,asset=%05d level=1.0 1" % number for number in range(2000)]
    with standin(answers=deque([(413, {}, b""), (204, {}, b"")])) as server:
        sink = sink_at(server)
        sink.write(lines)
        assert [body.count(b"\n") + 1 for body in server.bodies()] == [2000, 1000, 1000]
        server.asked.clear()
        sink.write(lines)
        assert max(len(body) for body in server.bodies()) <= len(b"\n".join(lines)) // 2 + 1
        for _ in range(1000):
            sink.write(lines[:1])
        server.asked.clear()
        sink.write(lines)
        assert len(server.bodies()) == 1


def test_a_bucket_of_2x_that_is_ours_is_made_with_its_retention():
    missing, org = (404, {}, b'{"message":"bucket not found"}'), (200, {}, b'{"orgs":[{"id":"0a1b","name":"ahausen"}]}')
    with standin(answers=deque([missing, org, (201, {}, b"{}"), (204, {}, b"")])) as server:
        sink_at(server, creates=True, keep_days=30).write(LINES)
        asked = [(command, path.partition("?")[0]) for command, path, _, _ in server.asked][1:]
        made = json.loads(server.asked[3][3])
        assert server.points == set(LINES)
    assert asked == [("POST", "/api/v2/write"), ("GET", "/api/v2/orgs"), ("POST", "/api/v2/buckets"), ("POST", "/api/v2/write")]
    assert made == {"orgID": "0a1b", "name": "town", "retentionRules": [{"type": "expire", "everySeconds": 30 * 86400}]}


@pytest.mark.parametrize("answers", [
    [(404, {}, b"{}"), (200, {}, b'{"orgs":[]}')],
    [(404, {}, b"{}"), (200, {}, b'{"orgs":[{"id":"1"}]}'), (403, {}, b'{"message":"write:buckets is missing"}')]])
def test_a_bucket_that_we_may_not_make_is_held(answers):
    with standin(answers=deque(answers)) as server, pytest.raises(InfluxHeld) as caught:
        sink_at(server, creates=True).write(LINES)
    assert caught.value.held == "missing"


def test_a_database_of_1x_is_made_with_its_retention():
    missing = (404, {}, b'{"error":"database not found"}')
    with standin(version=ONE, answers=deque([missing, (200, {}, b"{}"), (204, {}, b"")])) as server:
        sink_at(server, keep_days=1830).write(LINES)
        assert server.asked[2][3] == b"q=CREATE%20DATABASE%20%22town%22%20WITH%20DURATION%201830d"


@pytest.mark.parametrize(("api", "path"), [("1", "/write"), ("2", "/api/v2/write")])
def test_who_calls_itself_something_else_is_written_as_set(api, path):
    with standin(version={"X-Influxdb-Version": "1.8.0" if api == "2" else "v2.7.11"}) as server:
        sink_at(server, api=api, org="").write(LINES)
        assert [path for _, path, _, _ in server.asked] == [server.asked[0][1]]
        assert server.asked[0][1].startswith(path)


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_a_ping_is_taken_for_one_that_knows_the_newer_write(status):
    with standin(version={}, ping_status=status) as server:
        sink_at(server).write(LINES)
        assert server.points == set(LINES)


@pytest.mark.parametrize(("status", "error"), [(401, InfluxHeld), (503, InfluxBusy)])
def test_a_ping_that_fails_is_no_version(status, error):
    with standin(version={}, ping_status=status) as server, pytest.raises(error):
        sink_at(server).write(LINES)


@pytest.mark.parametrize(("url", "narrow"), [
    ("http://127.0.0.1:8086", False), ("http://localhost:8086", False), ("http://influx:8086", False),
    ("http://10.1.2.3:8086", False), ("http://[::1]:8086", False), ("http://nas.local:8086", False),
    ("https://influx.example.org", True), ("https://203.0.113.7:8086", False), ("https://8.8.8.8:8086", True)])
def test_lines_are_compressed_where_the_way_may_be_narrow(url, narrow):
    assert compresses(Influx(url=url)) is narrow
    assert compresses(Influx(url=url, gzip="yes"))
    assert not compresses(Influx(url=url, gzip="no"))


@pytest.mark.parametrize("wrong", [{"api": "3"}, {"gzip": "9"}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(Invalid):
        open_sink(Influx(url="http://influx:8086", **wrong))


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
