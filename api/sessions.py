"""Signing a browser in and out; for the JSON routes and for the sign-in page."""

from fastapi import Request, Response

from api import auth
from api.auth import Actor
from api.deps import COOKIE, check_same_origin, platform
from api.limits import SignInLimiter
from api.shell import Metrics
from city.errors import SignInNeeded
from city.store.ports import Account, Session


def sign_in(request: Request, response: Response, *, name: str, password: str) -> tuple[Session, Account]:
    """A new session, its cookie set on `response`. Blocks. Raises SignInNeeded for a wrong name or password, TooOften
    after too many of them, Forbidden where another site's form asks."""
    check_same_origin(request)
    here, limiter, metrics = platform(request), _limiter(request), _metrics(request)
    now, address = here.clock.now(), request.client.host if request.client else ""
    limiter.check(name, address, now)
    hours = here.settings.api.session_hours
    try:
        with limiter.hashing:
            cookie, session, account = auth.sign_in(here.store, name=name, password=password, now=now, hours=hours)
    except SignInNeeded:
        limiter.failed(name, address, now)
        metrics.sign_ins.labels("refused").inc()
        raise
    except BaseException:
        limiter.released(name, address)
        raise
    limiter.succeeded(name, address)
    metrics.sign_ins.labels("accepted").inc()
    response.set_cookie(COOKIE, cookie, max_age=hours * 3600, httponly=True, samesite="lax",
                        secure=here.settings.api.https)
    return session, account


def sign_out(request: Request, response: Response, who: Actor | None) -> None:
    """End the browser's session, if it has one, and forget its cookie. Blocks."""
    cookie = request.cookies.get(COOKIE, "")
    if who is not None and who.by == "session" and cookie:
        platform(request).store.end_session(auth.digest(cookie))
    response.delete_cookie(COOKIE, httponly=True, samesite="lax",
                           secure=platform(request).settings.api.https)


def _limiter(request: Request) -> SignInLimiter:
    found: SignInLimiter = request.app.state.limiter
    return found


def _metrics(request: Request) -> Metrics:
    found: Metrics = request.app.state.metrics
    return found
