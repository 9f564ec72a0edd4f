"""Open data of a town's parking: for everybody, made of what everybody may know (city.public_parking) and of nothing else.

ParkAPI's addresses are those of park-api-v3 below `/opendata/{town}/parkapi`, so that its clients need no other base address.
A site's number in addresses is made of its name and stays the same; the name itself does, too.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime

from api.deps import Here, Now, Public, platform
from api.limits import PastLimiter
from api.opendata_answers import OpenRoute, let_ask, open_data, open_json
from api.problems import RESPONSES
from api.public_view import PublicTown, Telling, public_history
from city.errors import Invalid, NotFound
from city.exports import parkapi, parkapi_query
from city.exports.csv_tables import Column, Variant, table
from city.exports.parkapi import Item, Source
from city.exports.parking_csv import PAST, ZONES, past_lines, zone_lines
from city.exports.parking_geojson import collection
from city.ids import ZoneId
from city.public_parking import PublicQuarter, PublicZone, merged
from city.public_spots import public_spots
from city.settings import Settings
from city.store.ports import TenantStore

ROOT = "/opendata/{tenant}"
PARKAPI = f"{ROOT}/parkapi/api/public"
LONGEST, USUAL, HOUR = timedelta(days=31), timedelta(days=7), timedelta(hours=1)
STEPS = {"15min": timedelta(minutes=15), "hour": HOUR}
CSV_TYPE = "text/csv; charset=utf-8; header=present"

Number = Annotated[str, Path(max_length=300, description="A number as in lists, or a name (`original_uid`).")]
Since = Annotated[AwareDatetime | None, Query(description="with its offset from UTC; without it a week before the end")]
Until = Annotated[AwareDatetime | None, Query(description="with its offset from UTC; now")]
Chosen = Annotated[Variant, Query(description="rfc: RFC 4180, UTC; de: semicolons, decimal commas, local time")]
Step = Annotated[str, Query(pattern="^(15min|hour)$")]


def _filters(*more: str) -> dict[str, Any]:
    """What ParkAPI's readers may ask for, for the OpenAPI document; the handlers read it by themselves."""
    texts = ("source_uid", "source_uids", "name", "purpose", "type", "not_type", "official_region_code",
             "static_data_updated_at_since", "static_data_updated_at_until", "realtime_data_updated_at_since",
             "realtime_data_updated_at_until", *more)
    numbers = ("lat", "lon", "radius", "lat_min", "lat_max", "lon_min", "lon_max")
    kinds = {**dict.fromkeys(texts, "string"), **dict.fromkeys(numbers, "number"), "limit": "integer", "start": "integer",
             "calculate_has_realtime_data": "boolean"}
    return {"parameters": [{"name": name, "in": "query", "required": False, "schema": {"type": kind}}
                           for name, kind in kinds.items()]}


router = APIRouter(route_class=OpenRoute, tags=["open data"], responses={404: RESPONSES[404], 422: RESPONSES[422]})


@router.get(f"{PARKAPI}/v3/parking-sites", response_class=Response, summary="Zones as ParkAPI v3 has them",
            openapi_extra=_filters())
def sites(request: Request, town: Public, telling: Telling, here: Here, at: Now) -> Response:
    """Every zone that is public, in pages if `limit` says so: filters and cursor of ParkAPI v3."""
    seen = telling.of(town, at)
    source = source_of(seen, here.settings)
    query = parkapi_query.parsed(request.query_params, town.tenant.id)
    rows = [parkapi.listed(zone, source, raw=query.raw) for zone in seen.zones]
    return _paged(request, rows, query, source)


@router.get(f"{PARKAPI}/v3/parking-sites/{{site}}", response_class=Response, summary="One zone as ParkAPI v3 has it")
def site(request: Request, town: Public, telling: Telling, here: Here, at: Now, site: Number) -> Response:
    """By its number or name."""
    seen = telling.of(town, at)
    source = source_of(seen, here.settings)
    query = parkapi_query.parsed(request.query_params, town.tenant.id)
    return open_json(request, parkapi.listed(_zone(seen, site), source, raw=query.raw), seen.town)


@router.get(f"{PARKAPI}/v3/parking-sites/{{site}}/history", response_class=Response, summary="A zone's history")
def history(request: Request, town: Public, telling: Telling, here: Here, at: Now, site: Number, since: Since = None,
            until: Until = None, step: Step = "15min") -> Response:
    """Means over quarters of an hour or hours that are over; nothing is told that is finer."""
    seen = telling.of(town, at)
    zone = _zone(seen, site)
    source = source_of(seen, here.settings)
    rows = parkapi.past(_past(request, town, seen, since, until, step, zone.zone), source, STEPS[step])
    return open_json(request, {"items": rows, "total_count": len(rows)}, seen.town)


@router.get(f"{PARKAPI}/v3/parking-spots", response_class=Response, summary="Bays for the disabled and for charging",
            openapi_extra=_filters("parking_site_uid"))
def spots(request: Request, town: Public, telling: Telling, here: Here, at: Now) -> Response:
    """As they are now, where the town tells them; of all other bays nobody is told more than zones do."""
    seen = telling.of(town, at)
    source = source_of(seen, here.settings)
    query = parkapi_query.parsed(request.query_params, town.tenant.id)
    return _paged(request, _spots(town, seen, source, raw=query.raw), query, source)


@router.get(f"{PARKAPI}/v3/parking-spots/{{spot}}", response_class=Response, summary="One bay for the disabled or for charging")
def spot(request: Request, town: Public, telling: Telling, here: Here, at: Now, spot: Number) -> Response:
    """By its number or name."""
    seen = telling.of(town, at)
    query = parkapi_query.parsed(request.query_params, town.tenant.id)
    rows = _spots(town, seen, source_of(seen, here.settings), raw=query.raw)
    found = next((row for row in rows if spot in (str(row["id"]), row["original_uid"])), None)
    if found is None:
        raise NotFound("There is no parking spot “{spot}”.", field="spot", rule="exists", spot=spot[:64])
    return open_json(request, found, seen.town)


@router.get(f"{PARKAPI}/v3/sources", response_class=Response, summary="The town as ParkAPI's source, with its licence")
def sources(request: Request, town: Public, telling: Telling, here: Here, at: Now) -> Response:
    """The one that there is here."""
    seen = telling.of(town, at)
    return open_json(request, {"items": [parkapi.source_of(source_of(seen, here.settings), seen.zones)], "total_count": 1},
                     seen.town)


@router.get(f"{PARKAPI}/v3/sources/{{source}}", response_class=Response, summary="The source by its number or name")
def source(request: Request, town: Public, telling: Telling, here: Here, at: Now, source: Number) -> Response:
    """The one that there is here."""
    seen = telling.of(town, at)
    found = parkapi.source_of(source_of(seen, here.settings), seen.zones)
    if source not in (str(found["id"]), found["uid"]):
        raise NotFound("There is no source “{source}”.", field="source", rule="exists", source=source[:64])
    return open_json(request, found, seen.town)


@router.get(f"{PARKAPI}/v1", response_class=Response, summary="ParkAPI v1: which towns there are")
def cities(request: Request, town: Public, telling: Telling, here: Here, at: Now) -> Response:
    """This one. For apps that know ParkAPI v1 only."""
    seen = telling.of(town, at)
    return open_json(request, parkapi.cities(source_of(seen, here.settings)), seen.town)


@router.get(f"{PARKAPI}/v1/{{city}}", response_class=Response, summary="ParkAPI v1: a town's zones")
def lots(request: Request, town: Public, telling: Telling, here: Here, at: Now,
         city: Annotated[str, Path(max_length=64)]) -> Response:
    """`free` of `total` bays for everybody; no `free`, and the state `nodata`, where nothing may be told."""
    seen = telling.of(town, at)
    if city != town.tenant.id:
        raise NotFound("There is no source “{source}”.", field="city", rule="exists", source=city)
    return open_json(request, parkapi.lots(seen.zones, source_of(seen, here.settings)), seen.town)


@router.get(f"{ROOT}/zones.geojson", response_class=Response, summary="Zones now, as GeoJSON")
def geojson(request: Request, town: Public, telling: Telling, here: Here, at: Now) -> Response:
    """RFC 7946."""
    seen = telling.of(town, at)
    return open_json(request, collection(seen.zones, source_of(seen, here.settings)), seen.town,
                     media_type="application/geo+json")


@router.get(f"{ROOT}/zones.csv", response_class=Response, summary="Zones now, as a table")
def zones_csv(request: Request, town: Public, telling: Telling, here: Here, at: Now, variant: Chosen = "rfc") -> Response:
    """A line for each zone and kind of bay."""
    seen = telling.of(town, at)
    rows = zone_lines(seen.zones, source_of(seen, here.settings))
    return _csv(request, seen, ZONES, list(rows), variant, "zones")


@router.get(f"{ROOT}/history.csv", response_class=Response, summary="History of zones, as a table")
def history_csv(request: Request, town: Public, telling: Telling, here: Here, at: Now, variant: Chosen = "rfc",
                zone: Annotated[str | None, Query(max_length=64)] = None, since: Since = None, until: Until = None,
                step: Step = "hour") -> Response:
    """Means over quarters of an hour or hours that are over, at most of 31 days at once."""
    seen = telling.of(town, at)
    only = seen.zone(zone).zone if zone else None
    rows = past_lines(_past(request, town, seen, since, until, step, only), seen.zones, source_of(seen, here.settings))
    return _csv(request, seen, PAST, list(rows), variant, "history")


def source_of(seen: PublicTown, settings: Settings) -> Source:
    """The town as its exports name it."""
    base = settings.api.public_url.rstrip("/")
    return Source(seen.tenant, seen.town, seen.permits, seen.said_at, f"{base}/{seen.tenant.id}/parken" if base else "")


def _paged(request: Request, rows: Sequence[Item], query: parkapi_query.Query, source: Source) -> Response:
    found = parkapi_query.page(rows, query, request.url.path, request.query_params)
    said = source.said
    licence = {"name": said.licence, "url": said.licence_url, "attribution": said.attribution or said.operator}
    return open_json(request, {**found, "licence": {name: text for name, text in licence.items() if text}}, said)


def _zone(seen: PublicTown, asked: str) -> PublicZone:
    for zone in seen.zones:
        uid = parkapi.site_uid(seen.tenant.id, zone.zone)
        if asked in (uid, str(parkapi.number(uid))):
            return zone
    raise NotFound("There is no parking zone “{zone}”.", field="zone", rule="exists", zone=asked[:64])


def _spots(town: TenantStore, seen: PublicTown, source: Source, *, raw: bool) -> list[Item]:
    if not seen.town.special_public:
        return []
    found = public_spots(seen.zones, town.bays(), town.bay_facts(), seen.town, merged(town.zones(), town.parking_sites()))
    return [parkapi.spot(one, source, raw=raw) for one in found]


def _past(request: Request, town: TenantStore, seen: PublicTown, since: datetime | None, until: datetime | None, step: str,
          zone: ZoneId | None) -> list[PublicQuarter]:
    end = min(until.astimezone(UTC), seen.at) if until else seen.at
    start = since.astimezone(UTC) if since else end - USUAL
    if start > end or end - start > LONGEST:
        raise Invalid("At most {days} days at once, and the end after the beginning.", field="since", rule="0…31 d",
                      days=LONGEST.days)
    known = {one.zone for one in seen.zones}
    limiter: PastLimiter = request.app.state.pasts
    limiter.check((end - start) / STEPS["15min"] * (1 if zone else len(known)), seen.at)
    found = public_history(town, start, end, seen.at, platform(request).settings.parking, zone=zone, step=STEPS[step])
    return [one for one in found if one.zone in known]


def _csv(request: Request, seen: PublicTown, columns: Sequence[Column[Any]], rows: Sequence[Any], variant: Variant,
         name: str) -> Response:
    return open_data(request, b"".join(table(columns, rows, variant)), seen.town, media_type=CSV_TYPE,
                     filename=f"{seen.tenant.id}-parking-{name}.csv")


let_ask(router)
