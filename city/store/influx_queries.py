"""Answers out of InfluxDB 1.x, 2.x or 3.x, by InfluxQL at /query: in chunks, read as they come.

What comes is not trusted: each line and each wait has its bound, and whoever asked may end the wait from another thread.
"""

import json
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlencode

import urllib3

from city.errors import InfluxDown
from city.ids import TenantId, ZoneId
from city.quantities import Kind, Quantity, Value
from city.readings import from_ns
from city.settings import Influx
from city.store import influxql
from city.store.queries import How, Question, Row, Stop, counts

CHUNK = 2000  # rows that InfluxDB sends at a time
MAX_LINE = 16 * 2**20  # bytes of one chunk
CONNECT_S, READ_S = 5.0, 30.0
MAX_WORDS = 500
_Series = dict[str, Any]


class InfluxQueries:
    """Answers from the InfluxDB at `settings.url`; nothing is asked before the first question."""

    def __init__(self, settings: Influx) -> None:
        token = settings.token.reveal()
        self._where = f"{settings.url.rstrip('/')}/query?" + urlencode(
            {"db": settings.bucket, "epoch": "ns", "chunked": "true", "chunk_size": CHUNK})
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"} | (
            {} if not token else urllib3.make_headers(basic_auth=token) if ":" in token
            else {"Authorization": f"Token {token}"})
        self._pool = urllib3.PoolManager(maxsize=8, timeout=urllib3.Timeout(CONNECT_S, READ_S),
                                         retries=urllib3.Retry(0, redirect=0, raise_on_redirect=False, raise_on_status=False))

    def series(self, question: Question, stop: Stop | None = None) -> Iterator[Row]:
        """See Answers."""
        stop = stop or Stop()
        stop.check()
        given = 0
        with closing(self._ask(influxql.asking(question), stop)) as found:
            for part in found:
                of = part.get("tags", {}).get(question.by, "") if question.by else ""
                for at_ns, value in part.get("values", ()):
                    if value is None or not counts(typed := _typed(value, question.quantity, question.manner)):
                        continue
                    if given == question.most:
                        raise question.too_many()
                    given += 1
                    yield Row(from_ns(at_ns), typed, of)

    def last(self, tenant: TenantId, quantity: Quantity, zone: ZoneId | None = None) -> list[Row]:
        """See Answers."""
        with closing(self._ask(influxql.newest_of(tenant, quantity, zone), Stop())) as found:
            return sorted((Row(from_ns(at_ns), _typed(value, quantity, "last"), part["tags"]["asset"])
                           for part in found for at_ns, value in part["values"]), key=lambda row: row.of)

    def close(self) -> None:
        """Let the connections go."""
        self._pool.clear()

    def _ask(self, query: str, stop: Stop) -> Generator[_Series, None, None]:
        with _answers(stop):
            response = self._pool.request("POST", self._where, urlencode({"q": query}), headers=self._headers,
                                          preload_content=False)
            try:
                with stop.ending(response.shutdown):
                    _judge(response)
                    for line in _lines(response, stop):
                        yield from _parts(line)
                response.drain_conn()
            finally:
                response.close()  # InfluxDB notices, and ends the query


@contextmanager
def _answers(stop: Stop) -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        stop.check()
        cause = getattr(error, "reason", None)  # urllib3 wraps the error that tells
        raise InfluxDown("InfluxDB does not answer: {what}",
                         what=type(cause if isinstance(cause, Exception) else error).__name__) from error


def _lines(response: urllib3.BaseHTTPResponse, stop: Stop) -> Iterator[bytes]:
    """The chunks: one JSON document a line."""
    kept = bytearray()
    while part := response.read1(65536, decode_content=True):
        stop.check()
        kept += part
        *whole, rest = kept.split(b"\n")
        yield from map(bytes, whole)
        kept = bytearray(rest)
        if len(kept) > MAX_LINE:
            raise InfluxDown("InfluxDB's answer comes in pieces of more than {most} MB.", most=MAX_LINE // 2**20)
    stop.check()  # a wait that was ended looks like the end
    yield bytes(kept)


def _parts(line: bytes) -> Iterator[_Series]:
    """The series in a chunk."""
    if not line.strip():
        return
    said = json.loads(line)
    for result in (said, *said.get("results", ())):
        if "error" in result:
            raise InfluxDown("InfluxDB refuses the query: {words}", words=_short(str(result["error"])))
        yield from result.get("series", ())


def _judge(response: urllib3.BaseHTTPResponse) -> None:
    if response.status == 200:
        return
    words = _short(response.read1(65536, decode_content=True).decode("utf-8", "replace")) or str(response.status)
    if response.status in (400, 422):
        raise InfluxDown("InfluxDB refuses the query: {words}", words=words)
    raise InfluxDown("InfluxDB cannot answer now ({status}): {words}", status=response.status, words=words)


def _short(words: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in words).split())[:MAX_WORDS]


def _typed(value: Any, quantity: Quantity, how: How) -> Value:  # noqa: ANN401 - what JSON says
    """JSON does not tell 40.0 from 40."""
    if how == "count":
        return int(value)
    if how == "mean" or quantity.kind is Kind.FLOAT:
        return float(value)
    kept: Value = value
    return kept
