"""Answers out of InfluxDB 1.x, 2.x or 3.x, by InfluxQL at /query: in chunks, read as they come.

What comes is not trusted: each line and each wait has its bound, and whoever asked may end the wait from another thread.
"""

import heapq
from base64 import b64encode
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from itertools import groupby
from socket import SHUT_RDWR, socket
from typing import Annotated, Generic, TypeAlias, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from city.errors import InfluxDown
from city.ids import TenantId, ZoneId
from city.quantities import Kind, Quantity, Value
from city.readings import from_ns
from city.settings import Influx
from city.store import influxql
from city.store.influx import checked
from city.store.influx_bays import NOT_THERE, bays_settings
from city.store.influx_places import of_town
from city.store.queries import How, Question, Row, Stop, counts

CHUNK = 2000  # rows that InfluxDB sends at a time
MAX_LINE = 16 * 2**20  # bytes of one chunk
CONNECT_S, READ_S = 5.0, 30.0
MAX_WORDS = 500


_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Pair: TypeAlias = tuple[_Number, Value | None]  # time and value
_Triple: TypeAlias = tuple[_Number, Value | None, _Number]  # … and how many values it is made of
_Cells = TypeVar("_Cells", _Pair, _Triple)
_Weighed = tuple[Row, int]


class _Part(msgspec.Struct, Generic[_Cells]):
    """Some rows of a series."""

    values: list[_Cells] = []
    tags: dict[str, str] = {}


class _Result(msgspec.Struct, Generic[_Cells]):
    series: list[_Part[_Cells]] = []
    error: str = ""


class _Line(msgspec.Struct, Generic[_Cells]):
    """One chunk."""

    results: list[_Result[_Cells]] = []
    error: str = ""


_PAIRS, _TRIPLES = msgspec.json.Decoder(_Line[_Pair]).decode, msgspec.json.Decoder(_Line[_Triple]).decode
_Found = Generator[tuple[Mapping[str, str], int, Value | None, int], None, None]  # tags, time, value, how many it is made of


class InfluxQueries:
    """Answers from the InfluxDB at `settings.url`; nothing is asked before the first question. Each town is asked for in its own
    database (city.store.influx_places), and what single bays' sensors have said is in another one (city.store.influx_bays): where
    an answer may be in both, both are asked."""

    def __init__(self, settings: Influx) -> None:
        """Raises Invalid where the address is none."""
        self._settings = checked(settings)

    def series(self, question: Question, stop: Stop | None = None) -> Iterator[Row]:
        """See Answers."""
        stop = Stop() if stop is None else stop
        stop.check()
        given = 0
        with closing(self._rows(question, stop)) as found:
            for row in found:
                if given == question.most:
                    raise question.too_many()
                given += 1
                yield row

    def last(self, tenant: TenantId, quantity: Quantity, zone: ZoneId | None = None) -> list[Row]:
        """See Answers."""
        query = influxql.newest_of(tenant, quantity, zone)
        found: list[Row] = []
        for database in self._asked(tenant, quantity):
            with closing(database.ask(query, Stop())) as rows:
                found += [Row(from_ns(at_ns), _typed(value, quantity, "last"), of.get("asset", ""))
                          for of, at_ns, value, _ in rows if value is not None]
        return sorted(found, key=lambda row: row.of)

    def close(self) -> None:
        """Nothing is kept open between two questions."""

    def _asked(self, tenant: TenantId, quantity: Quantity) -> list["_Database"]:
        """Who may know of it. A town's own database is made when the first of its devices speaks."""
        its = of_town(self._settings, tenant)
        found = [_Database(its, may_lack=self._settings.per_town)]
        if self._settings.bays != "no" and quantity.measurement != "lamp":
            found.append(_Database(bays_settings(its), may_lack=True))
        return found

    def _rows(self, question: Question, stop: Stop) -> Generator[Row, None, None]:
        asked = self._asked(question.tenant, question.quantity)
        apart = question.asset is not None or question.by == "asset" or not question.step_ns  # each row is of one of them alone
        weighed = len(asked) > 1 and not apart
        query = influxql.asking(question, weighed=weighed)
        with ExitStack() as stack:
            streams = [stack.enter_context(closing(_rows(question, database.ask(query, stop, weighed=weighed))))
                       for database in asked]
            if len(streams) == 1:
                yield from (row for row, _ in streams[0])
            elif apart:
                yield from (row for row, _ in heapq.merge(*streams, key=_place_of))
            else:
                for _, same in groupby(heapq.merge(*streams, key=_place_of), key=_place_of):
                    yield _joined(question.manner, list(same))


class _Database:
    """One database of an InfluxDB; one that `may_lack` answers with nothing where it is not there."""

    def __init__(self, settings: Influx, *, may_lack: bool = False) -> None:
        self._address, token = urlsplit(settings.url), settings.token.reveal()
        self._where = f"{self._address.path.rstrip('/')}/query?" + urlencode(
            {"db": settings.bucket, "epoch": "ns", "chunked": "true", "chunk_size": CHUNK})
        allowed = "" if not token else f"Basic {b64encode(token.encode()).decode()}" if ":" in token else f"Token {token}"
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json",
                         **({"Authorization": allowed} if allowed else {})}
        self._may_lack = may_lack

    def ask(self, query: str, stop: Stop, *, weighed: bool = False) -> _Found:
        """What answers it, row by row."""
        try:
            yield from self._ask(query, stop, weighed=weighed)
        except InfluxDown as error:
            if not (self._may_lack and NOT_THERE in str(error)):
                raise

    def _ask(self, query: str, stop: Stop, *, weighed: bool) -> _Found:
        with _answers(stop), closing(self._connection()) as connection:
            connection.connect()
            line = connection.sock  # the connection forgets it when the other end means to close it
            line.settimeout(READ_S)
            with stop.ending(lambda: _wake(line)):
                connection.request("POST", self._where, urlencode({"q": query}), self._headers)
                with connection.getresponse() as response:  # closed early, InfluxDB notices, and ends the query
                    _judge(response)
                    for chunk in _chunks(response, stop):
                        yield from _triples(chunk) if weighed else _pairs(chunk)

    def _connection(self) -> HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        return kind(host, port, timeout=CONNECT_S)


def _rows(question: Question, found: _Found) -> Generator[_Weighed, None, None]:
    """The rows of one database, each with how many values it is made of."""
    with closing(found):
        for of, at_ns, value, weight in found:
            if value is not None and counts(typed := _typed(value, question.quantity, question.manner)):
                yield Row(from_ns(at_ns), typed, of.get(question.by, "") if question.by else ""), weight


def _place_of(weighed: _Weighed) -> tuple[str, datetime]:
    return weighed[0].of, weighed[0].at


def _joined(how: How, same: list[_Weighed]) -> Row:
    """One row of the rows of several databases for the same step. Of two last values it is not known which came later: the
    first database's counts."""
    row, values = same[0][0], [one.value for one, _ in same]
    numbers = [value for value in values if not isinstance(value, str)]
    match how:
        case "mean":
            total = sum(weight for _, weight in same)
            value: Value = sum(number * weight for number, (_, weight) in zip(numbers, same, strict=True)) / total
        case "sum" | "count":
            value = sum(numbers)
        case "min":
            value = min(numbers)
        case "max":
            value = max(numbers)
        case "last":
            value = row.value
    return Row(row.at, value, row.of)


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


def _pairs(line: bytes) -> _Found:
    """The rows of a chunk."""
    if line.strip():
        for part in _series(_PAIRS(line)):
            for at_ns, value in part.values:
                yield part.tags, at_ns, value, 1


def _triples(line: bytes) -> _Found:
    """The same, where it was asked how many values each is made of."""
    if line.strip():
        for part in _series(_TRIPLES(line)):
            for at_ns, value, weight in part.values:
                yield part.tags, at_ns, value, weight


def _series(said: _Line[_Cells]) -> Iterator[_Part[_Cells]]:
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
