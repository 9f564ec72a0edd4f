"""InfluxDB 1.x, 2.x and 3.x behind one narrow door: write these lines, or say what is wrong.

2.x and 3.x are written through influxdb-client's synchronous write (never its batching mode, which loses data), 1.x
through its own /write. The version is found out at the first write, so that nothing waits for InfluxDB at start.
Writing the same lines again changes nothing, so whenever the outcome is not known the answer is InfluxDown: send again.

What the answers mean: 2xx stored; 400 and 422 RejectedLines with InfluxDB's own words (some of the lines may be
stored); 401, 403, 404 InfluxDown, because a wrong token or a missing bucket is not the lines' fault; 413 the lines are
halved; redirects, 429, 5xx and silence InfluxDown, with the wait that Retry-After asks for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import quote, urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from city.errors import BadInput, InfluxDown, Invalid
from city.settings import Influx

CONNECT_S, READ_S = 5.0, 30.0
MAX_WORDS = 500
MAX_ANSWER = 32 * 2**20
MAX_WAIT_S = 3600.0
_NO_RETRY = urllib3.Retry(0, redirect=0, raise_on_redirect=False, raise_on_status=False)

Row = Mapping[str, object]


class RejectedLines(BadInput):
    """InfluxDB will not take at least one of the lines, ever. `words` are its own."""

    def __init__(self, words: str) -> None:
        super().__init__("InfluxDB refuses the lines: {words}", words=words)
        self.words = words


class RejectedQuery(BadInput):
    """InfluxDB does not understand the query, or its answer is too large."""


class InfluxBusy(InfluxDown):
    """InfluxDB asks to be left alone for `retry_after_s` seconds (None: it does not say)."""

    def __init__(self, message: str, *, retry_after_s: float | None, **facts: object) -> None:
        super().__init__(message, **facts)
        self.retry_after_s = retry_after_s


class Sink(Protocol):
    """Where lines go."""

    def write(self, lines: Sequence[bytes]) -> None:
        """All lines are stored when it returns. Raises RejectedLines or InfluxDown; sending again is harmless."""
        ...


def open_sink(settings: Influx) -> "InfluxDB":
    """The InfluxDB at `settings.url`; nothing is sent yet. Raises Invalid where the address is none."""
    return InfluxDB(settings)


class InfluxDB:
    """One InfluxDB of any version, one bucket or database."""

    def __init__(self, settings: Influx) -> None:
        self._settings = _checked(settings)
        self._http = _Http(settings)
        self._writer: _Writer | None = None

    def write(self, lines: Sequence[bytes]) -> None:
        """As Sink.write. One request, or more where InfluxDB finds one too large."""
        if not lines:
            return
        answer = self._send(b"\n".join(lines))
        if answer.status != 413:
            _judge(answer)
        elif len(lines) == 1:
            raise RejectedLines("the line is too large (413)")
        else:
            half = len(lines) // 2
            self.write(lines[:half])
            self.write(lines[half:])

    def query(self, text: str) -> list[Row]:
        """The rows that an InfluxQL query gives: columns, tags, and the measurement under "name"; time in ns.
        Raises RejectedQuery, or InfluxDown."""
        answer = self._http.post("query", {"db": self._settings.bucket, "epoch": "ns"}, {"q": text})
        if answer.status in (400, 422):
            raise RejectedQuery("InfluxDB refuses the query: {words}", words=answer.words)
        _judge(answer)
        return list(_rows(answer.body))

    def version(self) -> str:
        """What InfluxDB calls itself, "" if it does not say. Raises InfluxDown."""
        answer = self._http.get("ping")
        _judge(answer)
        said = answer.headers.get("X-Influxdb-Version", "")
        return said.removeprefix("v") or _version_in(answer.body)

    def close(self) -> None:
        """Let the connections go."""
        if self._writer is not None:
            self._writer.close()
        self._http.close()

    def _send(self, body: bytes) -> "_Answer":
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
        version = self.version()
        if version.startswith(("0.", "1.")):
            return _One(self._settings, self._http)
        if version.startswith("2.") and not self._settings.org:
            raise InfluxDown("InfluxDB 2.x needs an organisation: set influx.org.")
        return _Two(self._settings)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def words(self) -> str:
        """What InfluxDB says is wrong, in one line of at most 500 characters."""
        text = self.body[:65536].decode("utf-8", "replace")
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        if isinstance(said, dict):
            text = str(said.get("error") or said.get("message") or text)
        return " ".join(text.split())[:MAX_WORDS] or f"status {self.status}"


class _Writer(Protocol):
    def send(self, body: bytes) -> _Answer: ...
    def create(self) -> bool:
        """Make the missing database; False where that is not ours to do."""
        ...
    def close(self) -> None: ...


class _Http:
    """Plain HTTP to InfluxDB: no redirects, no retries, answers of bounded size, InfluxDown where there is none."""

    def __init__(self, settings: Influx) -> None:
        token = settings.token.reveal()
        self._base = settings.url.rstrip("/")
        self._headers = {} if not token else urllib3.make_headers(basic_auth=token) if ":" in token \
            else {"Authorization": f"Token {token}"}
        self._pool = urllib3.PoolManager(maxsize=2, retries=_NO_RETRY, timeout=urllib3.Timeout(CONNECT_S, READ_S))

    def get(self, path: str) -> _Answer:
        return self._ask("GET", path, {}, None)

    def post(self, path: str, query: Mapping[str, str], form: Mapping[str, str]) -> _Answer:
        body = "&".join(f"{quote(key)}={quote(value)}" for key, value in form.items()).encode()
        return self._ask("POST", path, query, body, "application/x-www-form-urlencoded")

    def put(self, path: str, query: Mapping[str, str], body: bytes) -> _Answer:
        return self._ask("POST", path, query, body, "text/plain; charset=utf-8")

    def close(self) -> None:
        self._pool.clear()

    def _ask(self, method: str, path: str, query: Mapping[str, str], body: bytes | None, kind: str = "") -> _Answer:
        where = f"{self._base}/{path}" + ("?" if query else "") + "&".join(
            f"{key}={quote(value, safe='')}" for key, value in query.items())
        headers = {**self._headers, "Content-Type": kind} if kind else self._headers
        try:
            response = self._pool.request(method, where, body=body, headers=headers, preload_content=False)
            try:
                said = response.read(MAX_ANSWER + 1, decode_content=True)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _silent(error) from error
        if len(said) > MAX_ANSWER:
            response.close()
            raise RejectedQuery("InfluxDB's answer is larger than {most} MB.", most=MAX_ANSWER // 2**20)
        return _Answer(response.status, response.headers, said)


class _One:
    """InfluxDB 1.x: /write."""

    def __init__(self, settings: Influx, http: _Http) -> None:
        self._database, self._http = settings.bucket, http

    def send(self, body: bytes) -> _Answer:
        return self._http.put("write", {"db": self._database, "precision": "ns"}, body)

    def create(self) -> bool:
        name = self._database.replace("\\", "\\\\").replace('"', '\\"')
        answer = self._http.post("query", {}, {"q": f'CREATE DATABASE "{name}"'})
        if answer.status != 200 or b'"error"' in answer.body:
            raise InfluxDown("InfluxDB does not let us create the database: {words}", words=answer.words)
        return True

    def close(self) -> None:
        """The connections are not its own."""


class _Two:
    """InfluxDB 2.x and 3.x: influxdb-client's synchronous write."""

    def __init__(self, settings: Influx) -> None:
        self._bucket, self._org = settings.bucket, settings.org
        self._client = InfluxDBClient(settings.url.rstrip("/"), settings.token.reveal(), org=settings.org,
                                      timeout=(CONNECT_S * 1000, READ_S * 1000), retries=_NO_RETRY)
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def send(self, body: bytes) -> _Answer:
        try:
            self._api.write(self._bucket, self._org, body)  # nanoseconds
        except ApiException as error:
            if not error.status:
                raise _silent(error) from error
            return _Answer(error.status, error.headers or {}, str(error.body or "").encode())
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            raise _silent(error) from error
        return _Answer(204, {}, b"")

    def create(self) -> bool:
        return False

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]


def _checked(settings: Influx) -> Influx:
    parts = urlsplit(settings.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise Invalid("influx.url must be http(s)://host:port, without user or password.", field="influx.url",
                      rule="address")
    if not settings.bucket:
        raise Invalid("influx.bucket must not be empty.", field="influx.bucket", rule="not empty")
    return settings


def _judge(answer: _Answer) -> None:
    """Nothing where InfluxDB agrees; else the error that its answer means."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status in (400, 422):
        raise RejectedLines(answer.words)
    if status in (401, 403):
        raise InfluxDown("InfluxDB does not let us in ({status}): {words}", status=status, words=answer.words)
    if status == 404:
        raise InfluxDown("InfluxDB has no such bucket or database: {words}", words=answer.words)
    raise InfluxBusy("InfluxDB cannot take it now ({status}): {words}", retry_after_s=_retry_after(answer.headers),
                     status=status, words=answer.words)


def _silent(error: Exception) -> InfluxDown:
    cause = getattr(error, "reason", None)  # urllib3 wraps the error that tells
    return InfluxDown("InfluxDB does not answer: {what}",
                      what=type(cause if isinstance(cause, Exception) else error).__name__)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, at most an hour; a date counts from the answer's own Date."""
    named = {key.lower(): value for key, value in headers.items()}
    text = named.get("retry-after", "").strip()
    try:
        if text.isdecimal():
            return min(float(text), MAX_WAIT_S)
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(named.get("date", ""))
        return min(max(wait.total_seconds(), 0.0), MAX_WAIT_S)
    except (TypeError, ValueError):
        return None


def _version_in(body: bytes) -> str:
    """3.x says its version in the ping's body too."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(said.get("version", "")) if isinstance(said, dict) else ""


def _rows(body: bytes) -> Iterator[Row]:
    try:
        said = json.loads(body)
    except ValueError as error:
        raise InfluxDown("InfluxDB's answer is not JSON.") from error
    for result in said.get("results", ()):
        if "error" in result:
            raise RejectedQuery("InfluxDB refuses the query: {words}", words=str(result["error"])[:MAX_WORDS])
        for series in result.get("series", ()):
            known = {"name": series.get("name", ""), **series.get("tags", {})}
            for values in series.get("values", ()):
                yield {**known, **dict(zip(series["columns"], values, strict=True))}
