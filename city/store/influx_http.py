"""HTTP to InfluxDB: one request, one answer of bounded size within a bounded time; no redirects and no retries.

Whoever answers is not trusted: an answer that is too large, comes too slowly or is no HTTP is no answer.
"""

import gzip
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from io import BytesIO
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
import urllib3

from city.errors import InfluxDown
from city.settings import Influx

MAX_WORDS = 500
MAX_ANSWER = 32 * 2**20
MAX_WAIT_S = 3600.0
GZIP_FROM = 1400  # bytes: one packet's worth
UNREADABLE = (ValueError, msgspec.MsgspecError, RecursionError)  # read with a type: what is strange in it is never built
NO_RETRY = urllib3.Retry(0, redirect=0, raise_on_redirect=False, raise_on_status=False)


class Limits(NamedTuple):
    """How long InfluxDB may take, in seconds: to take up the connection, to say something more, and for a whole answer,
    however slowly it drips."""

    connect_s: float = 5.0
    read_s: float = 30.0
    whole_s: float = 60.0


LIMITS = Limits()


class TooMuch(InfluxDown):
    """InfluxDB's answer is larger than we read."""


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What InfluxDB has said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def words(self) -> str:
        """What InfluxDB says is wrong, in one line of at most 500 characters."""
        text = self.body[:65536].decode("utf-8", "replace")
        with suppress(*UNREADABLE):
            said = msgspec.json.decode(text, type=_Refusal)
            text = said.error or said.message or text
        return " ".join(_printable(text).split())[:MAX_WORDS] or f"status {self.status}"

    @property
    def retry_after_s(self) -> float | None:
        """Seconds, at most an hour; a date counts from the answer's own Date."""
        named = {key.lower(): value for key, value in self.headers.items()}
        text = named.get("retry-after", "").strip()
        try:
            if text.isdecimal() and text.isascii():
                return min(float(text), MAX_WAIT_S)
            wait = parsedate_to_datetime(text) - parsedate_to_datetime(named.get("date", ""))
            return min(max(wait.total_seconds(), 0.0), MAX_WAIT_S)
        except (TypeError, ValueError):
            return None


class Bounded(urllib3.PoolManager):
    """A pool whose answers are read here, whole and within their bounds, and whose lines are compressed where wanted.
    InfluxDB's own client is given it in place of its pool, so that both paths keep the same law."""

    def __init__(self, limits: Limits, *, compress: bool = False) -> None:
        super().__init__(maxsize=2, retries=NO_RETRY, timeout=urllib3.Timeout(connect=limits.connect_s, read=limits.read_s))
        self._limits, self._compress = limits, compress
        self.last = Answer(0, {}, b"")

    def request(self, method: str, url: str, body: Any = None, fields: Any = None,  # type: ignore[override]  # noqa: ANN401
                headers: Mapping[str, str] | None = None, json: Any = None,  # noqa: ANN401
                **more: Any) -> urllib3.HTTPResponse:  # noqa: ANN401
        """As PoolManager.request, with the answer read. Raises HTTPError, or TooMuch."""
        named = dict(headers or {})
        if self._compress and isinstance(body, bytes) and len(body) >= GZIP_FROM:
            body, named["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        more["preload_content"] = False
        deadline = time.monotonic() + self._limits.whole_s
        response = super().request(method, url, body, fields, named, json, **more)
        said = _read(response, deadline)
        kept = {key: value for key, value in response.headers.items() if key.lower() != "content-encoding"}
        self.last = Answer(response.status, kept, said)
        text = said.decode("utf-8", "replace").encode()  # the client would fall over anything else
        return urllib3.HTTPResponse(BytesIO(text), kept, response.status, reason=response.reason, preload_content=True)


class Http:
    """Plain HTTP to InfluxDB. Every method raises InfluxDown where there is no answer, TooMuch where it is too large."""

    def __init__(self, settings: Influx, limits: Limits = LIMITS) -> None:
        token = settings.token.reveal()
        self._base = settings.url.rstrip("/")
        self._bearer = {"Authorization": f"Bearer {token}"} if token else {}  # … as 3.x calls it at addresses of its own
        self._headers = {} if not token else urllib3.make_headers(basic_auth=token) if ":" in token \
            else {"Authorization": f"Token {token}"}
        self._pool, self._lines = Bounded(limits), Bounded(limits, compress=compresses(settings))

    def get(self, path: str, query: Mapping[str, str] | None = None, *, bearer: bool = False) -> Answer:
        return self._ask(self._pool, "GET", path, query or {}, None, "", bearer=bearer)

    def post(self, path: str, query: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        body = "&".join(f"{quote(key)}={quote(value)}" for key, value in form.items()).encode()
        return self._ask(self._pool, "POST", path, query, body, "application/x-www-form-urlencoded")

    def post_json(self, path: str, body: Mapping[str, object], *, query: Mapping[str, str] | None = None,
                  bearer: bool = False) -> Answer:
        return self._ask(self._pool, "POST", path, query or {}, msgspec.json.encode(body), "application/json", bearer=bearer)

    def put(self, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Lines."""
        return self._ask(self._lines, "POST", path, query, body, "text/plain; charset=utf-8")

    def close(self) -> None:
        self._pool.clear()
        self._lines.clear()

    def _ask(self, pool: Bounded, method: str, path: str, query: Mapping[str, str], body: bytes | None, kind: str, *,
             bearer: bool = False) -> Answer:
        where = f"{self._base}/{path}" + ("?" if query else "") + "&".join(
            f"{key}={quote(value, safe='')}" for key, value in query.items())
        known = self._bearer if bearer else self._headers
        headers = {**known, "Content-Type": kind} if kind else known
        try:
            response = pool.request(method, where, body, headers=headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise silent(error) from error
        return Answer(response.status, response.headers, response.data)


def silent(error: Exception) -> InfluxDown:
    """What to raise where no answer came."""
    cause = getattr(error, "reason", None)  # urllib3 wraps the error that tells
    return InfluxDown("InfluxDB does not answer: {what}",
                      what=type(cause if isinstance(cause, Exception) else error).__name__)


def compresses(settings: Influx) -> bool:
    """Whether lines are compressed: as set, else where the way to InfluxDB may be narrow."""
    return {"yes": True, "no": False}.get(settings.gzip) or (not settings.gzip and not _is_near(settings.url))


def _is_near(url: str) -> bool:
    """Whether the address is this machine's or in a private network, as far as its name tells."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa"))
    return address.is_private or address.is_loopback or address.is_link_local


def _read(response: urllib3.HTTPResponse, deadline: float) -> bytes:
    """All of it; the connection is not used again where that fails."""
    parts, size = [], 0
    try:
        while part := response.read1(65536, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise TooMuch("InfluxDB's answer is larger than {most} MB.", most=MAX_ANSWER // 2**20)
            if time.monotonic() > deadline:
                raise TimeoutError("the answer takes too long")
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return b"".join(parts)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
