"""Finished answers to what everybody asks: public pages and open data of a town, straight from memory.

What is public of a town changes when its parking_revision does, and by the minute (ages, rules, what is too old). Both are
looked at once a second, whoever asks, however often; as long as they are the same, the bytes are. Everything else, and the
first of each, takes the ordinary road: the answer here is the one that it gave.
"""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from re import Pattern

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.i18n import preferred
from api.shell import Metrics
from city.clock import Clock
from city.errors import NotFound
from city.ids import TenantId
from city.store.ports import Store

LOOKS_EVERY, OLDEST = timedelta(seconds=1), timedelta(seconds=2)
MOST, MOST_BYTES, LARGEST, LONGEST_QUERY = 4000, 64 * 2**20, 2**20, 300
WORTH_PACKING = 500  # bytes
PACKED_TYPES = (b"text/", b"application/json", b"application/geo+json", b"application/xml", b"application/ld+json", b"image/svg")
MINE = (b"if-none-match", b"accept-encoding")  # decided here
APART = {b"", b"accept-encoding", b"accept-language", b"hx-request", b"hx-target"}  # what kept answers may depend on
OTHER = (b"hx-request", b"range", b"if-modified-since")  # asks for something else than the whole

Key = tuple[str, bytes, str]
State = tuple[int, int]  # parking_revision, and the minute
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer as it goes out: plain and packed (b"": not worth it), with the state of the town that it is for. One that depends
    on more of a request than is told apart here `keeps` not: it goes out once."""

    tenant: TenantId
    route: str
    state: State
    tag: bytes
    headers: Headers
    body: bytes
    packed: bytes
    keeps: bool = True

    @property
    def size(self) -> int:
        return len(self.body) + len(self.packed)


@dataclass(slots=True)
class _Town:
    revision: int
    at: datetime
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def young(self, now: datetime, span: timedelta) -> bool:
        """Whether it was looked at within the span; a clock that was set back makes nothing young."""
        return timedelta() <= now - self.at < span


class Quick:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, *, store: Store, clock: Clock, metrics: Metrics, routes: Iterable[BaseRoute]) -> None:
        """`routes`: those whose answers may be kept; see `keepable`."""
        self._app, self._store, self._clock, self._metrics = app, store, clock, metrics
        self._routes = routes
        self._patterns: list[tuple[Pattern[str], str]] | None = None
        self._kept: OrderedDict[Key, Finished] = OrderedDict()
        self._bytes = 0
        self._towns: dict[TenantId, _Town] = {}
        self._making: dict[Key, asyncio.Lock] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope)
        found = asked and self._place(asked)
        if not asked or not found:
            await self._app(scope, receive, send)
            return
        tenant, route = found
        state = await self._state(tenant)
        if state is None:
            await self._app(scope, receive, send)
            return
        answer = self._kept.get(asked.key)
        if answer is None or answer.state != state:
            answer = await self._made(asked, tenant, route, state, scope, receive, send)
        if answer is not None:
            await self._reply(answer, asked, send)

    def _place(self, asked: "_Asked") -> tuple[TenantId, str] | None:
        """Whose answer it is, and by which route; None where answers of that address are not kept."""
        kept = self._kept.get(asked.key)
        if kept is not None:
            return kept.tenant, kept.route
        if self._patterns is None:  # only now are all routes there
            self._patterns = [(route.path_regex, route.path) for route in self._routes if isinstance(route, APIRoute)]
        for pattern, path in self._patterns:
            match = pattern.match(asked.key[0])
            if match is not None:
                return TenantId(match.group("tenant")), path
        return None

    async def _state(self, tenant: TenantId) -> State | None:
        """The town's state as of OLDEST ago or later; None where there is no such town. One looks, the others take what is
        known as long as that is young enough, and else wait."""
        town, now = self._towns.get(tenant), self._clock.now()
        if town is None:
            revision = await run_in_threadpool(self._revision, tenant)
            if revision is None:
                return None
            town = self._towns.setdefault(tenant, _Town(revision, now))
        elif not town.young(now, OLDEST if town.turn.locked() else LOOKS_EVERY):
            async with town.turn:
                if not town.young(now, LOOKS_EVERY):
                    revision = await run_in_threadpool(self._revision, tenant)
                    if revision is None:
                        return None
                    town.revision, town.at = revision, now
        return town.revision, int(now.timestamp()) // 60

    def _revision(self, tenant: TenantId) -> int | None:
        try:
            return self._store.tenant(tenant).parking_revision()
        except NotFound:
            return None

    async def _made(self, asked: "_Asked", tenant: TenantId, route: str, state: State, scope: Scope, receive: Receive,
                    send: Send) -> Finished | None:
        """The answer by the ordinary road, kept if it may be; None where it has gone out already. One makes it, who asks for
        the same meanwhile waits."""
        lock = self._making.setdefault(asked.key, asyncio.Lock())
        try:
            async with lock:
                kept = self._kept.get(asked.key)
                if kept is not None and kept.state == state:
                    return kept
                taken = _Taken(send)
                plain = [(name, value) for name, value in scope["headers"] if name not in MINE]
                await self._app({**scope, "method": "GET", "headers": plain}, receive, taken.take)
                answer = taken.finished(tenant, route, state)
                if answer is None:
                    await taken.pass_on(bodiless=asked.head)
                    return None
                if answer.keeps:
                    self._keep(asked.key, answer)
                return answer
        finally:
            if not lock.locked():
                self._making.pop(asked.key, None)

    def _keep(self, key: Key, answer: Finished) -> None:
        if (before := self._kept.pop(key, None)) is not None:
            self._bytes -= before.size
        self._kept[key] = answer
        self._bytes += answer.size
        while len(self._kept) > MOST or self._bytes > MOST_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].size

    async def _reply(self, answer: Finished, asked: "_Asked", send: Send) -> None:
        if asked.key in self._kept:
            self._kept.move_to_end(asked.key)
        packed = asked.packs and answer.packed
        tag = _packed_tag(answer.tag) if packed else answer.tag
        known = asked.tags and (b"*" in asked.tags or answer.tag in asked.tags or _packed_tag(answer.tag) in asked.tags)
        body = b"" if known else answer.packed if packed else answer.body
        headers = [*answer.headers, (b"etag", tag)]
        if not known:
            headers += [(b"content-length", str(len(body)).encode()), *([(b"content-encoding", b"gzip")] if packed else [])]
        status = 304 if known else 200
        self._metrics.requests.labels("HEAD" if asked.head else "GET", answer.route, str(status)).inc()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if asked.head else body})


def keepable(routes: Iterable[BaseRoute], guard: object) -> list[BaseRoute]:
    """Those routes that answer GET for one town and anybody, which `guard` is the mark of."""
    return [route for route in routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())
            and "{tenant}" in route.path and any(one.call is guard for one in route.dependant.dependencies)]


@dataclass(frozen=True, slots=True)
class _Asked:
    key: Key
    head: bool
    tags: bytes
    packs: bool


def _asked(scope: Scope) -> _Asked | None:
    """What is asked for, where a kept answer may do."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or len(scope["query_string"]) > LONGEST_QUERY:
        return None
    tags, packs, speaks = b"", False, ""
    for name, value in scope["headers"]:
        if name in OTHER:
            return None
        if name == b"if-none-match":
            tags = value
        elif name == b"accept-encoding":
            packs = b"gzip" in value
        elif name == b"accept-language":
            speaks = value.decode("latin-1")[:200]
    path = scope["path"]
    return _Asked((path, scope["query_string"], _spoken(speaks) if path.startswith("/api/") else ""), scope["method"] == "HEAD",
                  tags, packs)


class _Taken:
    """An answer on its way out, held back until it is whole; one that becomes too large goes on at once."""

    def __init__(self, send: Send) -> None:
        self._send, self._messages, self._size, self._passes = send, list[Message](), 0, False

    async def take(self, message: Message) -> None:
        if self._passes:
            await self._send(message)
            return
        self._messages.append(message)
        self._size += len(message.get("body", b""))
        if self._size > LARGEST:
            await self.pass_on()

    async def pass_on(self, *, bodiless: bool = False) -> None:
        """Send what was held back, and all that comes."""
        self._passes = True
        for message in self._messages:
            await self._send({**message, "body": b""} if bodiless and message["type"] == "http.response.body" else message)
        self._messages.clear()

    def finished(self, tenant: TenantId, route: str, state: State) -> Finished | None:
        """The answer, where it is one that may be kept: a success that is public and nobody is remembered by."""
        if self._passes or not self._messages or self._messages[0]["status"] != 200:
            return None
        headers: dict[bytes, bytes] = {name.lower(): value for name, value in self._messages[0]["headers"]}
        tag = headers.pop(b"etag", b"")
        caching = headers.get(b"cache-control", b"")
        if b"set-cookie" in headers or b"no-store" in caching or not (tag or b"public" in caching):
            return None
        headers.pop(b"content-length", None)
        vary = headers.get(b"vary")
        keeps = {name.strip().lower() for name in (vary or b"").split(b",")} <= APART
        if b"accept-encoding" not in (vary or b"").lower():
            headers[b"vary"] = b"Accept-Encoding" if vary is None else vary + b", Accept-Encoding"
        body = b"".join(message.get("body", b"") for message in self._messages[1:])
        tag = tag or b'"' + sha256(body).hexdigest()[:20].encode() + b'"'
        packed = _packed(body, headers.get(b"content-type", b""))
        return Finished(tenant, route, state, tag, list(headers.items()), body, packed, keeps)


def _packed(body: bytes, type: bytes) -> bytes:
    if len(body) < WORTH_PACKING or not type.startswith(PACKED_TYPES):
        return b""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def _packed_tag(tag: bytes) -> bytes:
    return tag[:-1] + b'-gz"'


@lru_cache(maxsize=512)
def _spoken(accept_language: str) -> str:
    return preferred(accept_language)
