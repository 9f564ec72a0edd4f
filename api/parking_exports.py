"""What open data of other people's standards is made of, and what its answers have besides."""

import re
from collections.abc import Iterable
from typing import Final

from fastapi import Request, Response

from api.deps import platform
from api.public_view import PublicTown
from city.exports.parking_seen import ParkingSeen

_HOST: Final = re.compile(r"[A-Za-z0-9.\-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")


def parking_seen(request: Request, found: PublicTown) -> ParkingSeen:
    """What exports are made of. Its time is the full minute, so that an answer stays the same for so long."""
    return ParkingSeen(found.tenant, found.zones, found.town, found.minute,
                       f"{our_address(request)}/opendata/{found.tenant.id}", found.said_at)


def our_address(request: Request) -> str:
    """Where this platform is reached, without a slash at its end: as it is set, or else as the caller says."""
    configured = platform(request).settings.api.public_url.rstrip("/")
    if configured:
        return configured
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


def depending(request: Request, answer: Response, *names: str, links: Iterable[str] = (), addressed: bool = False) -> Response:
    """The answer, which depends on these headers of the request, with more links. `addressed`: it names our own address,
    which depends on what the caller calls us, unless that is set. Whoever keeps answers must not mix them up."""
    hosts = ("Host",) if addressed and not platform(request).settings.api.public_url else ()
    if more := [*names, *hosts]:
        answer.headers["Vary"] = ", ".join([*more, *filter(None, [answer.headers.get("Vary", "")])])
    if linked := [*filter(None, [answer.headers.get("Link", "")]), *links]:
        answer.headers["Link"] = ", ".join(linked)
    return answer
