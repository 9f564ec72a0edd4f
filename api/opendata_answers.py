"""How open data is answered: for everybody, from any website, tagged, packed, with its licence.

Cross-origin reading is free (CORS `*`): there is nothing here that depends on who asks. Refusals are problem+json, readable
from other websites, too.
"""

import gzip
import hashlib
import re
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.deps import anyone
from api.problems import problem
from api.schemas import to_json
from city.errors import CityError
from city.parking_places import TownParking

FRESH = timedelta(seconds=30)  # zones are evaluated anew every minute, or when something changes
WORTH_PACKING = 500  # bytes
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Link, Retry-After, Content-Disposition"}
ASKING = {**CORS, "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS", "Access-Control-Max-Age": "86400",
          "Access-Control-Allow-Headers": "Accept, Accept-Language, If-None-Match",
          "Cross-Origin-Resource-Policy": "cross-origin"}
_LINKABLE = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&()*+,=%-]{1,500}")
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OpenRoute(APIRoute):
    """A route of open data: its refusals may be read from other websites."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                answer = await handle(request)
            except CityError as error:
                answer = problem(request, error)
            except RequestValidationError as error:
                answer = await request.app.exception_handlers[RequestValidationError](request, error)
            for name, value in CORS.items():
                answer.headers.setdefault(name, value)
            return answer

        return answered


def let_ask(router: APIRouter) -> None:
    """Answer what a browser asks before it sends If-None-Match to another website, at every address that the router has."""
    for path in sorted({route.path for route in router.routes if isinstance(route, APIRoute)}):
        router.add_api_route(path, _asked, methods=["OPTIONS"], dependencies=[Depends(anyone)], include_in_schema=False)


def open_json(request: Request, body: object, town: TownParking, *, media_type: str = "application/json",
              fresh: timedelta = FRESH) -> Response:
    """JSON for everybody."""
    return open_data(request, to_json(body), town, media_type=media_type, fresh=fresh)


def open_data(request: Request, data: bytes, town: TownParking, *, media_type: str, filename: str = "",
              fresh: timedelta = FRESH) -> Response:
    """The data with its ETag and licence, packed where the caller reads that; or 304 where the caller has exactly that. It may
    be kept for `fresh` by whoever stands between. `filename`: it is to be saved as a file."""
    packed = len(data) >= WORTH_PACKING and "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{hashlib.sha256(data).hexdigest()[:24]}{"-gz" if packed else ""}"'
    headers = {**CORS, "Cross-Origin-Resource-Policy": "cross-origin", "ETag": tag, "Vary": "Accept-Encoding",
               "Cache-Control": f"public, max-age={int(fresh.total_seconds())}, stale-if-error=300"}
    if _LINKABLE.fullmatch(town.licence_url):
        headers["Link"] = f'<{town.licence_url}>; rel="license"'
    known = {item.strip().removeprefix("W/").replace('-gz"', '"') for item in request.headers.get("if-none-match", "").split(",")}
    if tag.replace('-gz"', '"') in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if filename:
        headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    if packed:
        data, headers["Content-Encoding"] = gzip.compress(data, 6, mtime=0), "gzip"
    return Response(data, media_type=media_type, headers=headers)


def _asked() -> Response:
    return Response(status_code=204, headers=ASKING)
