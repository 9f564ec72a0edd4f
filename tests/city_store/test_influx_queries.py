"""What comes from an InfluxDB that is slow, broken or hostile; and the queries themselves."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from city.errors import InfluxDown, TooLarge
from city.ids import AssetId, TenantId, ZoneId
from city.quantities import DEVICE_UPLINKS, LAMP_LEVEL
from city.settings import Influx, Secret
from city.store import influx_queries, influxql
from city.store.influx_queries import InfluxQueries
from city.store.queries import Question, Stop, Stopped
from tests.patience import PATIENCE_S

START = datetime(2026, 1, 10, tzinfo=UTC)
QUESTION = Question(TenantId("aheim"), LAMP_LEVEL, START, START + timedelta(hours=1))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


def chunk(*values: object, **more: object) -> bytes:
    series = {"name": "lamp", "columns": ["time", "value"], "values": [[number, value] for number, value in enumerate(values)]}
    return json.dumps({"results": [{"series": [series], **more}]}).encode() + b"\n"


class Told:
    """What a stand-in was asked, and whether whoever asked has hung up."""

    def __init__(self) -> None:
        self.request = b""
        self.gone = threading.Event()


@contextmanager
def influx(*parts: bytes, waits: bool = False, per_town: bool = True) -> Iterator[tuple[InfluxQueries, Told]]:
    """A server that answers one request with these bytes; `waits`: and then says nothing more until the other end goes."""
    listening, told = socket.create_server(("127.0.0.1", 0)), Told()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(10)
            told.request = connection.recv(65536)
            for part in parts:
                connection.sendall(part)
            with suppress(ConnectionError):
                while waits and connection.recv(65536):
                    pass
            told.gone.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    queries = InfluxQueries(Influx(url=f"http://127.0.0.1:{listening.getsockname()[1]}", bucket="b", token=Secret("u:p"),
                                   per_town=per_town))
    yield queries, told
    queries.close()
    thread.join(PATIENCE_S)
    listening.close()


def test_chunks_are_read_as_they_come():
    with influx(HEAD, chunk(1, 2.5, partial=True), waits=True) as (queries, told):
        rows = queries.series(QUESTION)
        assert [next(rows).value for _ in range(2)] == [1.0, 2.5]
        rows.close()
        assert told.gone.wait(PATIENCE_S)
    assert b"chunked=true" in told.request
    assert b"authorization: basic" in told.request.lower()


def test_a_town_is_asked_for_in_its_own_database_and_has_nothing_where_that_is_not_there_yet():
    missing = HEAD + b'{"results":[{"error":"database not found: b_ahausen"}]}\n'
    question = Question(TenantId("ahausen"), LAMP_LEVEL, START, QUESTION.end)
    with influx(missing) as (queries, told):
        assert list(queries.series(question)) == []
    assert b"POST /query?db=b_ahausen&" in told.request
    with influx(missing, per_town=False) as (queries, told), pytest.raises(InfluxDown):
        list(queries.series(question))
    assert b"POST /query?db=b&" in told.request
    with influx(missing) as (queries, told):
        assert queries.last(TenantId("beheim"), LAMP_LEVEL) == []
    assert b"POST /query?db=b_beheim&" in told.request


def test_a_wait_ends_from_another_thread():
    first = chunk(1, partial=True)
    head = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked") + f"{len(first):x}\r\n".encode()
    with influx(head, first + b"\r\n", waits=True) as (queries, told):
        stop = Stop()
        rows = queries.series(QUESTION, stop)
        assert next(rows).value == 1.0
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(Stopped):
            next(rows)
        assert told.gone.wait(PATIENCE_S)


def test_one_row_too_many_ends_the_work():
    with influx(HEAD, chunk(*range(10)), waits=True) as (queries, told):
        with pytest.raises(TooLarge):
            list(queries.series(Question(QUESTION.tenant, LAMP_LEVEL, START, QUESTION.end, most=9)))
        assert told.gone.wait(PATIENCE_S)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno", b"HTTP/1.1 503 Busy\r\n\r\n", b"nonsense\r\n\r\n",
    HEAD + b"{]\n", HEAD + b"[1]\n",
    HEAD + b'{"results":[{"series":[{"values":[["x",1]]}]}]}\n', HEAD + b'{"results":[{"series":[{"values":[[1]]}]}]}\n',
    HEAD + b'{"results":[{"error":"mean of a string"}]}\n', HEAD + b'{"error":"timeout"}\n', HEAD + b'{"results":[7]}\n',
    HEAD + b'{"results":[{"series":[{"values":[[1,"many"]]}]}]}\n', HEAD + b'{"results":[{"series":7}]}\n',
    HEAD + b'{"results":[{"series":[{"values":[[1e300,1]]}]}]}\n', HEAD + b"[" * 100_000 + b"\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + chunk(1)], ids=range(16))
def test_nonsense_is_no_answer(answer):
    with influx(answer) as (queries, _), pytest.raises(InfluxDown):
        list(queries.series(QUESTION))


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(InfluxDown):
        list(InfluxQueries(Influx(url=f"http://127.0.0.1:{port}")).series(QUESTION))


def test_a_piece_without_end_is_not_kept(monkeypatch):
    monkeypatch.setattr(influx_queries, "MAX_LINE", 100_000)
    with influx(HEAD, b" " * 300_000, waits=True) as (queries, told):
        with pytest.raises(InfluxDown, match="pieces"):
            list(queries.series(QUESTION))
        assert told.gone.wait(PATIENCE_S)


def test_queries_are_what_they_should_be():
    question = Question(TenantId("a"), LAMP_LEVEL, START + timedelta(seconds=90.5), QUESTION.end, 60, "max", "asset",
                        zone=ZoneId("Süd'\\"), asset=AssetId("L1"))
    assert influxql.asking(question) == (
        'SELECT max("level") AS value FROM "lamp" WHERE "tenant" = \'a\' AND "zone" = \'Süd\\\'_\' AND "asset" = \'L1\''
        ' AND "channel" = \'\' AND time >= 1768003290500000000 AND time < 1768006800000000000'
        ' GROUP BY time(60s, 30500000u), "asset" fill(none)')
    assert influxql.asking(Question(TenantId("a"), DEVICE_UPLINKS, START, QUESTION.end, channel="dr5")) == (
        'SELECT "uplinks_dr5" AS value FROM "device" WHERE "tenant" = \'a\' AND "channel" = \'\''
        ' AND time >= 1768003200000000000 AND time < 1768006800000000000')
