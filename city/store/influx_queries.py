"""Answers out of InfluxDB 1.x, 2.x or 3.x, by InfluxQL at /query: in chunks, read as they come.

What comes is not trusted: each line and each wait has its bound, and whoever asked may end the wait from another thread.
"""

from base64 import b64encode
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from socket import SHUT_RDWR, socket
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import msgspec

from city.errors import InfluxDown
from city.ids import TenantId, ZoneId
from city.quantities import Kind, Quantity, Value
from city.readings import from_ns
from city.settings import Influx
from city.store import influxql
from city.store.influx import checked
from city.store.queries import How, Question, Row, Stop, counts

CHUNK = 2000  # rows that InfluxDB sends at a time
MAX_LINE = 16 * 2**20  # bytes of one chunk
CONNECT_S, READ_S = 5.0, 30.0
MAX_WORDS = 500


class _Part(msgspec.Struct):
    """Some rows of a series."""

    values: list[tuple[Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)], Value | None]] = []
    tags: dict[str, str] = {}


class _Result(msgspec.Struct):
    series: list[_Part] = []
    error: str = ""


class _Line(msgspec.Struct):
    """One chunk."""

    results: list[_Result] = []
    error: str = ""


_DECODE = msgspec.json.Decoder(_Line).decode


class InfluxQueries:
    """Answers from the InfluxDB at `settings.url`; nothing is asked before the first question."""

    def __init__(self, settings: Influx) -> None:
        """Raises Invalid where the address is none."""
        self._address, token = urlsplit(checked(settings).url), settings.token.reveal()
        self._where = f"{self._address.path.rstrip('/')}/query?" + urlencode(
            {"db": settings.bucket, "epoch": "ns", "chunked": "true", "chunk_size": CHUNK})
        allowed = "" if not token else f"Basic {b64encode(token.encode()).decode()}" if ":" in token else f"Token {token}"
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json",
                         **({"Authorization": allowed} if allowed else {})}

    def series(self, question: Question, stop: Stop | None = None) -> Iterator[Row]:
        """See Answers."""
        stop = Stop() if stop is None else stop
        stop.check()
        given = 0
        with closing(self._ask(influxql.asking(question), stop)) as found:
            for part in found:
                of = part.tags.get(question.by, "") if question.by else ""
                for at_ns, value in part.values:
                    if value is None or not counts(typed := _typed(value, question.quantity, question.manner)):
                        continue
                    if given == question.most:
                        raise question.too_many()
                    given += 1
                    yield Row(from_ns(at_ns), typed, of)

    def last(self, tenant: TenantId, quantity: Quantity, zone: ZoneId | None = None) -> list[Row]:
        """See Answers."""
        with closing(self._ask(influxql.newest_of(tenant, quantity, zone), Stop())) as found:
            return sorted((Row(from_ns(at_ns), _typed(value, quantity, "last"), part.tags.get("asset", ""))
                           for part in found for at_ns, value in part.values if value is not None), key=lambda row: row.of)

    def close(self) -> None:
        """Nothing is kept open between two questions."""

    def _ask(self, query: str, stop: Stop) -> Generator[_Part, None, None]:
        with _answers(stop), closing(self._connection()) as connection:
            connection.connect()
            line = connection.sock  # the connection forgets it when the other end means to close it
            line.settimeout(READ_S)
            with stop.ending(lambda: _wake(line)):
                connection.request("POST", self._where, urlencode({"q": query}), self._headers)
                with connection.getresponse() as response:  # closed early, InfluxDB notices, and ends the query
                    _judge(response)
                    for chunk in _chunks(response, stop):
                        yield from _parts(chunk)

    def _connection(self) -> HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        return kind(host, port, timeout=CONNECT_S)


def _wake(line: socket) -> None:
    """End a read in another thread."""
    with suppress(OSError):  # it has ended
        line.shutdown(SHUT_RDWR)


@contextmanager
def _answers(stop: Stop) -> Iterator[None]:
    try:
        yield
    except (HTTPException, msgspec.MsgspecError, OSError, ValueError, RecursionError) as error:
        stop.check()
        raise InfluxDown("InfluxDB does not answer: {what}", what=type(error).__name__) from error


def _chunks(response: HTTPResponse, stop: Stop) -> Iterator[bytes]:
    """The chunks: one JSON document a line."""
    kept = bytearray()
    while part := response.read1(65536):
        stop.check()
        kept += part
        *whole, rest = kept.split(b"\n")
        yield from map(bytes, whole)
        kept = bytearray(rest)
        if len(kept) > MAX_LINE:
            raise InfluxDown("InfluxDB's answer comes in pieces of more than {most} MB.", most=MAX_LINE // 2**20)
    stop.check()  # a wait that was ended looks like the end
    if response.length:
        raise IncompleteRead(b"", response.length)
    yield bytes(kept)


def _parts(line: bytes) -> Iterator[_Part]:
    """The series in a chunk."""
    if not line.strip():
        return
    said = _DECODE(line)
    for words in (said.error, *(result.error for result in said.results)):
        if words:
            raise InfluxDown("InfluxDB refuses the query: {words}", words=_short(words))
    for result in said.results:
        yield from result.series


def _judge(response: HTTPResponse) -> None:
    if response.status == 200:
        return
    words = _short(response.read1(65536).decode("utf-8", "replace")) or str(response.status)
    if response.status in (400, 422):
        raise InfluxDown("InfluxDB refuses the query: {words}", words=words)
    raise InfluxDown("InfluxDB cannot answer now ({status}): {words}", status=response.status, words=words)


def _short(words: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in words).split())[:MAX_WORDS]


def _typed(value: Value, quantity: Quantity, how: How) -> Value:
    """JSON does not tell 40.0 from 40. Raises InfluxDown for a value of another type than the quantity's."""
    kind = Kind.INT if how == "count" else Kind.FLOAT if how == "mean" else quantity.kind
    if isinstance(value, _TYPES[kind]) and (kind is Kind.BOOL or not isinstance(value, bool)):
        return float(value) if kind is Kind.FLOAT else value
    if kind is Kind.INT and isinstance(value, float) and value.is_integer():  # a sum beyond 64 bits
        return int(value)
    raise InfluxDown("InfluxDB has values of {quantity} that are of another type.", quantity=quantity.name)


_TYPES: dict[Kind, type | tuple[type, ...]] = {Kind.FLOAT: (float, int), Kind.INT: int, Kind.BOOL: bool, Kind.TEXT: str}
