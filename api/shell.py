"""The outermost layer of every answer: size limit, security headers, counting, and a calm answer to what should not
have happened.

Pure ASGI, so that streams pass through untouched.
"""

import logging
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from city.errors import TooLarge

CSP = ("default-src 'self'; worker-src 'self' blob:; img-src 'self' data: blob:; connect-src 'self'; "
       "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HSTS = "max-age=31536000; includeSubDomains"
UPLOADS, STREAMS = "/imports", "/events"
MAX_BODY = 2**20  # bytes, of all other requests
_log = logging.getLogger(__name__)


class Metrics:
    """This process's numbers, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("stadtfunk_http_requests", "answers sent", ["method", "route", "status"],
                                registry=self.registry)
        self.seconds = Histogram("stadtfunk_http_seconds", "time until an answer began", ["method", "route"],
                                 registry=self.registry)
        self.listeners = Gauge("stadtfunk_live_listeners", "open streams of live changes", ["tenant"],
                               registry=self.registry)
        self.sign_ins = Counter("stadtfunk_sign_ins", "sign-ins tried", ["outcome"], registry=self.registry)


class Shell:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, secure: bool, max_upload: int) -> None:
        self._app, self._metrics, self._max_upload = app, metrics, max_upload
        self._headers = {**HEADERS, "Strict-Transport-Security": HSTS} if secure else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD" and not scope["path"].endswith(STREAMS):  # a probe: all of a GET but its body
            scope, send = {**scope, "method": "GET"}, _bodiless(send)
        answer = _Answer(scope, send, self._headers, self._metrics)
        most = self._max_upload if scope["path"].endswith(UPLOADS) else min(MAX_BODY, self._max_upload)
        try:
            if _announced(scope) > most:
                await problems.problem(Request(scope), too_large(most))(scope, receive, answer.send)
                return
            await self._app(scope, _counted(receive, most), answer.send)
        except ClientDisconnect:
            _log.info("%s %s: whoever asked has gone", scope["method"], scope["path"])
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if answer.started:
                raise
            await problems.unexpected(Request(scope))(scope, receive, answer.send)


def too_large(most: int) -> TooLarge:
    """What is said of a body of more than `most` bytes."""
    return TooLarge("The request is larger than {most} kB.", field="body", rule="size", most=most // 1024)


def _bodiless(send: Send) -> Send:
    """`send` that leaves every body away."""
    async def sending(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return sending


def _announced(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _counted(receive: Receive, most: int) -> Receive:
    """`receive` for a body of unknown length: it stops being read where it becomes too large."""
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413)  # the framework lets this one pass while it reads a body
        return message

    return counting


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: Scope, send: Send, headers: dict[str, str], metrics: Metrics) -> None:
        self._scope, self._send, self._headers, self._metrics = scope, send, headers, metrics
        self._began, self.started = time.perf_counter(), False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._complete(MutableHeaders(scope=message))
            self._count(message["status"])
        await self._send(message)

    def _complete(self, headers: MutableHeaders) -> None:
        framed = "frame-ancestors *" in headers.get("content-security-policy", "")  # a widget, made to be framed
        for name, value in self._headers.items():
            if not (framed and name == "X-Frame-Options"):
                headers.setdefault(name, value)
        if self._scope["path"].startswith("/api/"):
            headers.setdefault("Cache-Control", "no-store")

    def _count(self, status: int) -> None:
        method, path = self._scope["method"], route_of(self._scope)
        method = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS") else "other"
        self._metrics.requests.labels(method, path, str(status)).inc()
        self._metrics.seconds.labels(method, path).observe(time.perf_counter() - self._began)


def route_of(scope: Scope) -> str:
    """The matched route's pattern, never the address itself: labels must stay few."""
    return getattr(scope.get("route"), "path", None) or "other"
