"""A town as exports see it, put together from a bounded number of store queries; and how an export is sent: tagged, typed,
compressed where the caller reads that, streamed where it is long."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from api import views
from api.library import codecs_for
from api.schemas import to_json
from city.errors import NotFound
from city.exports.seen import LampSeen, TownSeen
from city.ids import CalendarId
from city.places import Device, Luminaire
from city.programs import Programming
from city.store.ports import TenantStore
from city.wants import Wants

WORTH_COMPRESSING = 1024  # bytes
_VARY = "Accept, Accept-Encoding, Authorization, Cookie"
_GZIP_WINDOW = 31  # zlib's code for: with a gzip header


def town_seen(town: TenantStore, now: datetime, lamps: Sequence[Luminaire] | None = None) -> TownSeen:
    """The whole town, or as if it had only these lamps; without what they say."""
    return TownSeen(town.tenant, town.zones(), town.circuits(), town.luminaires() if lamps is None else lamps,
                    town.programming(), town.overrides_from(now), now)


def lamps_seen(town: TenantStore, seen: TownSeen, lamps: Iterable[Luminaire]) -> Iterator[LampSeen]:
    """These lamps with their three states. All questions are asked before the first one is told."""
    lamps = list(lamps)
    devices = {device.asset: device for device in _devices(town, lamps)}
    codecs, states = codecs_for(town, devices.values()), town.states()
    picture = views.Picture(zones=seen.zones, devices=devices, codecs=codecs, states=states, alarms=town.alarms(limit=views.ALL),
                            live=town.commands(states=views.LIVE, limit=views.ALL),
                            targets=Wants(seen.programming, seen.overrides, seen.now), now=seen.now)
    calendar_of = _calendars(seen.programming)

    def one(lamp: Luminaire) -> LampSeen:
        view, device = picture.view(lamp), devices.get(lamp.id)
        return LampSeen(lamp, view.zone_name, device, states.get(device.dev_eui) if device is not None else None, view.target,
                        calendar_of(lamp), view.alarms, view.override, view.word.value)

    return map(one, lamps)


def sent(request: Request, body: object, *, media_type: str = "application/json",
         headers: Mapping[str, str] | None = None) -> Response:
    """The body with its ETag, or 304 where the caller has exactly that."""
    data, zipped = to_json(body), _reads_gzip(request)
    tag = f'"{hashlib.sha256(data).hexdigest()[:24]}{"-gz" if zipped else ""}"'
    answer = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": _VARY, **(headers or {})}
    known = {item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=answer)
    if zipped and len(data) >= WORTH_COMPRESSING:
        data, answer["Content-Encoding"] = gzip.compress(data, 6, mtime=0), "gzip"
    return Response(data, media_type=media_type, headers=answer)


def streamed(request: Request, pieces: Iterable[bytes], *, media_type: str, filename: str) -> Response:
    """A long answer as a file, sent piece by piece while it is made."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "private, no-store", "Vary": _VARY}
    if _reads_gzip(request):
        pieces, headers["Content-Encoding"] = _zipped(pieces), "gzip"
    return StreamingResponse(pieces, media_type=media_type, headers=headers)


def _devices(town: TenantStore, lamps: Sequence[Luminaire]) -> Sequence[Device]:
    """All, or for a single lamp its own."""
    if len(lamps) != 1:
        return town.devices()
    try:
        return [town.device_of(lamps[0].id)]
    except NotFound:
        return []


def _calendars(programming: Programming) -> Callable[[Luminaire], CalendarId]:
    """Whose calendar holds; found once for each place unless single lamps or groups have their own."""
    by_place = not any(one.target.kind in ("lamp", "group") for one in programming.assignments)
    known: dict[object, CalendarId] = {}

    def of(lamp: Luminaire) -> CalendarId:
        place = (lamp.zone, lamp.circuit) if by_place else lamp.id
        if place not in known:
            known[place] = programming.calendar_of(lamp).id
        return known[place]

    return of


def page_links(request: Request, offset: int, limit: int, total: int) -> Sequence[str]:
    """The Link headers' entries for the page before and the page after, relative to the host."""
    found = []
    if offset + limit < total:
        found.append(f'<{_at(request, offset + limit)}>; rel="next"')
    if offset > 0:
        found.append(f'<{_at(request, max(offset - limit, 0))}>; rel="prev"')
    return found


def _at(request: Request, offset: int) -> str:
    url = request.url.include_query_params(offset=offset)
    return f"{url.path}?{url.query}"


def _reads_gzip(request: Request) -> bool:
    """Whether the caller reads gzip: named, and not with quality 0."""
    for item in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = item.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _zipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, _GZIP_WINDOW)
    for piece in pieces:
        if data := squeeze.compress(piece):
            yield data
    yield squeeze.flush()
