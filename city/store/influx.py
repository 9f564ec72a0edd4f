"""InfluxDB 1.x, 2.x and 3.x behind one narrow door: write these lines, or say what is wrong.

2.x is written through influxdb-client's synchronous write (never its batching mode, which loses data), 1.x through its own
/write, 3.x as city.store.influx_three says. The version is found out at the first write, so that nothing waits for InfluxDB at
start; who talks like one version and calls itself another is told apart by the setting influx.api.
Writing the same lines again changes nothing, so whenever the outcome is not known the answer is InfluxDown: send again.

What the answers mean: 204 stored, as is any 2xx without a word; a 2xx with words comes from somebody else, and nothing is
stored. 400 and 422 RejectedLines with InfluxDB's own words (some of the lines may be stored), except for lines that are
older than InfluxDB keeps: it would have deleted them by now, so they are done. 401, 403, 404 InfluxHeld, because a wrong
token or a missing bucket is not the lines' fault; 413 the lines are halved, and the smaller size is remembered; redirects,
429, 5xx and silence InfluxDown, with the wait that Retry-After asks for.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec
import urllib3

from city.errors import BadInput, InfluxDown, Invalid
from city.settings import Influx
from city.store.influx_http import (
    LIMITS,
    MAX_WORDS,
    NO_RETRY,
    UNREADABLE,
    Answer,
    Bounded,
    Http,
    Limits,
    TooMuch,
    compresses,
    silent,
)
from city.store.influx_make import Made, make
from city.store.influx_three import Three, no_place, refused

LEAST = 16 * 1024  # bytes: no 413 makes requests smaller than that, except the one that it answers
LARGER_AFTER = 1000  # requests that went well, and the full size is tried again
_DROPPED = re.compile(r"\bdropped=(\d{1,9})\b")
_BEYOND_RETENTION = re.compile(  # as said up to 1.11 and 2.7.11, and since 1.12 and 2.7.12, with whole points quoted behind it
    r"partial write: (?:points beyond retention policy dropped=(\d{1,9})\b|dropped (\d{1,9}) points outside retention policy of "
    r"duration \S+(?: and 0 points outside write window \(.{1,100}?\))? - oldest )")

Row = Mapping[str, object]


class Series(NamedTuple):
    """Rows of one measurement that have the same tags, by which the query groups; the values of each in the columns' order."""

    name: str
    tags: Mapping[str, str]
    columns: Sequence[str]
    values: Sequence[Sequence[object]]


class RejectedLines(BadInput):
    """InfluxDB will not take at least one of the lines, ever. `words` are its own; `dropped` is how many it says it has not
    stored (0: it does not say), and `lines` are those that it names, each with its words (3.x; others may be bad too)."""

    def __init__(self, words: str, lines: Mapping[bytes, str] | None = None) -> None:
        super().__init__("InfluxDB refuses the lines: {words}", words=words)
        self.words, self.lines = words, lines or {}
        self.dropped = _dropped(words)


class RejectedQuery(BadInput):
    """InfluxDB does not understand the query, or its answer is too large."""


class InfluxBusy(InfluxDown):
    """InfluxDB asks to be left alone for `retry_after_s` seconds (None: it does not say)."""

    def __init__(self, message: str, *, retry_after_s: float | None, **facts: object) -> None:
        super().__init__(message, **facts)
        self.retry_after_s = retry_after_s


HELD = ("unauthorized", "forbidden", "missing", "organisation", "stranger", "retention")


class InfluxHeld(InfluxDown):
    """Nothing can be written until a person mends it. `held` says what, one of HELD: the token, its rights, the bucket or
    database, the setting influx.org, the address, where somebody else answers, or for how long it keeps single bays."""

    def __init__(self, message: str, *, held: str, **facts: object) -> None:
        super().__init__(message, **facts)
        self.held = held


class Sink(Protocol):
    """Where lines go."""

    def write(self, lines: Sequence[bytes]) -> int:
        """All lines are stored when it returns, but for so many that are older than InfluxDB keeps. An item may be several
        lines. Raises RejectedLines or InfluxDown; sending again is harmless."""
        ...


def open_sink(settings: Influx, *, creates: bool = False, keep_days: int | None = None, limits: Limits = LIMITS) -> "InfluxDB":
    """The InfluxDB at `settings.url`; nothing is sent yet. A database of 1.x that is missing is created; with `creates`
    a bucket of 2.x and a database of 3.x too. What is created keeps `keep_days` (0: for ever). Raises Invalid where the address
    is none."""
    return InfluxDB(settings, creates=creates, keep_days=settings.readings_days if keep_days is None else keep_days,
                    limits=limits)


class InfluxDB:
    """One InfluxDB of any version, one bucket or database. One thread writes; any may query."""

    def __init__(self, settings: Influx, *, creates: bool = False, keep_days: int = 0, limits: Limits = LIMITS) -> None:
        self._settings, self._creates, self._keep_days, self._limits = checked(settings), creates, keep_days, limits
        self._http = Http(settings, limits)
        self._writer: _Writer | None = None
        self._most, self._fine = 0, 0  # bytes in one request (0: no limit is known), and requests that went well since

    def write(self, lines: Sequence[bytes]) -> int:
        """As Sink.write. One request, or more where InfluxDB finds one too large."""
        expired = 0
        waiting = self._parts(lines)[::-1]
        while waiting:
            part = waiting.pop()
            body = b"\n".join(part)
            answer = self._send(body)
            if answer.status != 413:
                expired += _judged(answer, body)
                self._went_well()
            elif len(part) == 1:
                raise RejectedLines("the line is too large (413)")
            else:
                self._most, self._fine = max(len(body) // 2, LEAST), 0
                half = len(part) // 2
                waiting += (part[half:], part[:half])
        return expired

    def query(self, text: str) -> list[Row]:
        """The rows that an InfluxQL query gives: columns, tags, and the measurement under "name"; time in ns.
        Raises RejectedQuery, or InfluxDown."""
        return [{"name": one.name, **one.tags, **dict(zip(one.columns, values, strict=True))}
                for one in self.series(text) for values in one.values]

    def series(self, text: str) -> list[Series]:
        """The same as InfluxDB groups them. Raises RejectedQuery, or InfluxDown."""
        try:
            answer = self._http.post("query", {"db": self._settings.bucket, "epoch": "ns"}, {"q": text})
        except TooMuch as error:
            raise RejectedQuery(error.message, **error.facts) from error
        if answer.status in (400, 422):
            raise RejectedQuery("InfluxDB refuses the query: {words}", words=answer.words)
        _accept(answer)
        return list(_series(answer.body))

    def version(self) -> str:
        """What InfluxDB calls itself, "" if it does not say. Raises InfluxDown."""
        answer = self._http.get("ping")
        if answer.status not in (400, 404, 405):  # a server without a ping may still take lines
            _accept(answer)
        named = {key.lower(): value for key, value in answer.headers.items()}
        said = named.get("x-influxdb-version", "")
        return said.removeprefix("v")[:40] or _version_in(answer.body)

    def close(self) -> None:
        """Let the connections go."""
        if self._writer is not None:
            self._writer.close()
        self._http.close()

    def _parts(self, lines: Sequence[bytes]) -> list[Sequence[bytes]]:
        """In order, each as small as InfluxDB has last asked for."""
        if not self._most:
            return [lines] if lines else []
        parts, begin, size = list[Sequence[bytes]](), 0, 0
        for index, line in enumerate(lines):
            size += len(line) + 1
            if size > self._most and index > begin:
                parts.append(lines[begin:index])
                begin, size = index, len(line) + 1
        return [*parts, lines[begin:]] if lines else []

    def _went_well(self) -> None:
        self._fine += 1
        if self._most and self._fine >= LARGER_AFTER:
            self._most, self._fine = 0, 0

    def _send(self, body: bytes) -> Answer:
        if self._writer is None:
            self._writer = self._choose()
        answer = self._writer.send(body)
        if answer.status == 404 and self._writer.create():
            answer = self._writer.send(body)
        if answer.status == 404:
            self.close()
            self._writer = None  # perhaps another version by now
        return answer

    def _choose(self) -> "_Writer":
        api = self._settings.api
        version = "" if api else self.version()
        if api == "1" or version.startswith(("0.", "1.")):
            return _One(self._settings, self._http, self._keep_days)
        if version.startswith("2.") and not self._settings.org:
            raise InfluxHeld("InfluxDB 2.x needs an organisation: set influx.org.", held="organisation")
        major = 3 if version.startswith("3.") else 2
        if major == 3 and self._creates and self._keep_days:
            make(self._http, self._settings, major, keep_days=self._keep_days)  # 3.x would make it, and keep all for ever
        if major == 3:
            return Three(self._settings, self._http)
        return _Two(self._settings, self._http, major, self._keep_days if self._creates else None, self._limits)


class _Writer(Protocol):
    def send(self, body: bytes) -> Answer: ...
    def create(self) -> bool:
        """Make the missing database; False where that is not ours to do."""
        ...
    def close(self) -> None: ...


class _One:
    """InfluxDB 1.x: /write."""

    def __init__(self, settings: Influx, http: Http, keep_days: int) -> None:
        self._settings, self._http, self._keep_days = settings, http, keep_days

    def send(self, body: bytes) -> Answer:
        return self._http.put("write", {"db": self._settings.bucket, "precision": "ns"}, body)

    def create(self) -> bool:
        insist(make(self._http, self._settings, 1, keep_days=self._keep_days), self._settings)
        return True

    def close(self) -> None:
        """The connections are not its own."""


class _Two:
    """InfluxDB 2.x and 3.x: influxdb-client's synchronous write."""

    def __init__(self, settings: Influx, http: Http, major: int, keep_days: int | None, limits: Limits) -> None:
        """`keep_days` None: a missing bucket is not created."""
        # Here, because its modules take 12 MB and a second, and a bridge that writes to 1.x, or to none, needs none of them.
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.rest import ApiException

        self._refused = ApiException
        self._settings, self._http, self._major, self._keep_days = settings, http, major, keep_days
        self._client = InfluxDBClient(settings.url.rstrip("/"), settings.token.reveal(), org=settings.org,
                                      timeout=(limits.connect_s * 1000, limits.read_s * 1000), retries=NO_RETRY)
        self._pool = Bounded(limits, compress=compresses(settings))
        self._client.api_client.rest_client.pool_manager = self._pool  # type: ignore[assignment]
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def send(self, body: bytes) -> Answer:
        try:
            self._api.write(self._settings.bucket, self._settings.org, body)  # nanoseconds
        except self._refused as error:
            if not error.status:
                raise silent(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise silent(error) from error
        return self._pool.last

    def create(self) -> bool:
        if self._keep_days is None:
            return False
        insist(make(self._http, self._settings, self._major, keep_days=self._keep_days), self._settings)
        return True

    def close(self) -> None:
        self._pool.clear()
        self._client.close()  # type: ignore[no-untyped-call]


def checked(settings: Influx) -> Influx:
    """The same settings. Raises Invalid where the address is none, or the bucket has no name."""
    parts = urlsplit(settings.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise Invalid("influx.url must be http(s)://host:port, without user or password.", field="influx.url",
                      rule="address")
    if not settings.bucket:
        raise Invalid("influx.bucket must not be empty.", field="influx.bucket", rule="not empty")
    if settings.api not in ("", "1", "2"):
        raise Invalid("influx.api is 1 or 2, or empty.", field="influx.api", rule="1 or 2")
    if settings.gzip not in ("", "yes", "no"):
        raise Invalid("influx.gzip is yes or no, or empty.", field="influx.gzip", rule="yes or no")
    if settings.bays not in ("", "yes", "no"):
        raise Invalid("influx.bays is yes or no, or empty.", field="influx.bays", rule="yes or no")
    return settings


def insist(made: Made, settings: Influx) -> None:
    """Nothing where it is there now. Raises InfluxHeld."""
    if not made.there:
        raise InfluxHeld("InfluxDB does not let us create the bucket {bucket}: {words}", held="missing", bucket=settings.bucket,
                         words=made.words)


def _judged(answer: Answer, body: bytes) -> int:
    """How many of the body's lines InfluxDB has let go as too old, where it agrees to the others; else raises what it means."""
    if answer.status in (400, 422):
        if found := _BEYOND_RETENTION.search(answer.words):  # said only where all other lines are stored
            return int(found[1] or found[2])
        if lines := refused(answer, body):
            raise RejectedLines(next(iter(lines.values())), lines)
        if why := no_place(answer.words):
            raise InfluxHeld("InfluxDB has no place for these lines: {words}.", held="missing", words=why)
        raise RejectedLines(answer.words)
    _accept(answer)
    if answer.status != 204 and answer.body.strip():
        raise InfluxHeld("What answers at influx.url is no InfluxDB ({status}): {words}", held="stranger",
                         status=answer.status, words=answer.words)
    return 0


def _accept(answer: Answer) -> None:
    """Nothing where InfluxDB agrees; else the error that its answer means."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise InfluxHeld("InfluxDB does not let us in ({status}): {words}", status=status, words=answer.words,
                         held="unauthorized" if status == 401 else "forbidden")
    if status == 404:
        raise InfluxHeld("InfluxDB has no such bucket or database: {words}", held="missing", words=answer.words)
    raise InfluxBusy("InfluxDB cannot take it now ({status}): {words}", retry_after_s=answer.retry_after_s,
                     status=status, words=answer.words)


class _Ping(msgspec.Struct, frozen=True):
    version: str = ""


def _dropped(words: str) -> int:
    found = _DROPPED.search(words)
    return int(found[1]) if found else 0


def _version_in(body: bytes) -> str:
    """3.x says its version in the ping's body too."""
    with suppress(*UNREADABLE):
        return msgspec.json.decode(body, type=_Ping).version[:40]
    return ""


def _series(body: bytes) -> Iterator[Series]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InfluxDown("InfluxDB's answer is not JSON.") from error
    for result in said.get("results", ()):
        if "error" in result:
            raise RejectedQuery("InfluxDB refuses the query: {words}", words=str(result["error"])[:MAX_WORDS])
        for one in result.get("series", ()):
            yield Series(one.get("name", ""), one.get("tags", {}), one["columns"], one.get("values", ()))
