"""Parking zones as FIWARE entities: the reading half of an NGSI-LD API (ETSI GS CIM 009), for everybody."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.deps import Now, Public
from api.exporting import page_links
from api.opendata_answers import OpenRoute, open_json
from api.parking_exports import depending, parking_seen
from api.problems import RESPONSES
from api.public_view import PublicTown, Telling
from api.routes.ngsi_ld import LD_JSON, MOST, Form, Words, form
from city.errors import Invalid, NotFound
from city.exports import parking_ngsi
from city.exports.ngsi_ld import Entity, chosen, simplified
from city.exports.parking_ngsi import TYPES

_LD = {200: {"content": {LD_JSON: {}, "application/json": {}}, "description": "Entities."}}
router = APIRouter(route_class=OpenRoute, prefix="/opendata/{tenant}/ngsi-ld", tags=["open data"],
                   responses={**RESPONSES, **_LD})  # type: ignore[dict-item]
HOUR = timedelta(hours=1)
READ = frozenset({"type", "id", "attrs", "options", "limit", "offset"})
Asked = Annotated[Form, Depends(form)]


@router.get("/context.jsonld", response_class=Response, summary="What the terms of parking mean")
def context(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """A JSON-LD context: FIWARE's words, ours, NGSI-LD's."""
    return open_json(request, {"@context": parking_ngsi.context()}, telling.of(town, now).town, media_type=LD_JSON, fresh=HOUR)


@router.get("/v1/types", response_class=Response, summary="Which types of entities there are")
def types(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """An EntityTypeList (ETSI GS CIM 009, 5.2.24)."""
    found = telling.of(town, now)
    kinds = sorted({entity["type"] for entity in parking_ngsi.entities(parking_seen(request, found))})
    return open_json(request, {"id": f"urn:ngsi-ld:EntityTypeList:{found.tenant.id}", "type": "EntityTypeList",
                               "typeList": kinds}, found.town)


@router.get("/v1/entities", response_class=Response, summary="Parking zones and groups of bays")
def entities(request: Request, town: Public, telling: Telling, now: Now, form: Asked, type: Words = "", id: Words = "",
             limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
             offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0) -> Response:
    """OnStreetParking, OffStreetParking, ParkingGroup, a page at a time; by `type`, by `id`, or both. There are no ParkingSpots:
    single bays are told to nobody. `Accept: application/ld+json` has the context in each entity."""
    _check(request)
    found = telling.of(town, now)
    wanted = _wanted(list(parking_ngsi.entities(parking_seen(request, found))), _words(type), _words(id))
    answer = open_json(request, [_in_form(form, entity) for entity in wanted[offset:offset + limit]], found.town,
                       media_type=form.media_type)
    answer.headers["NGSILD-Results-Count"] = str(len(wanted))
    return _linked(request, answer, found, form, page_links(request, offset, limit, len(wanted)))


@router.get("/v1/entities/{id}", response_class=Response, summary="One parking zone or group of bays")
def entity(request: Request, town: Public, telling: Telling, now: Now, id: str, form: Asked) -> Response:
    """By its URN."""
    found = telling.of(town, now)
    one = next((one for one in parking_ngsi.entities(parking_seen(request, found)) if one["id"] == id), None)
    if one is None:
        raise NotFound("There is no entity “{id}”.", field="id", rule="exists", id=id[:120])
    return _linked(request, open_json(request, _in_form(form, one), found.town, media_type=form.media_type), found, form, ())


def _check(request: Request) -> None:
    """Raises Invalid for what we would have to leave unanswered: a filter that is ignored tells something wrong."""
    if unknown := sorted(set(request.query_params) - READ):
        raise Invalid("“{name}” is not supported here.", field=unknown[0][:40], rule=", ".join(sorted(READ)),
                      name=unknown[0][:40])


def _wanted(every: Sequence[Entity], types: Sequence[str], ids: Sequence[str]) -> list[Entity]:
    """Raises Invalid where neither type nor id is named, or a type that there is not."""
    if not types and not ids:
        raise Invalid("Say which entities: by type or by id.", field="type", rule=", ".join(TYPES))
    if unknown := [one for one in types if one not in TYPES]:
        raise Invalid("There are no entities of type “{type}”.", field="type", rule=", ".join(TYPES), type=unknown[0][:80])
    return [one for one in every if (not types or one["type"] in types) and (not ids or one["id"] in ids)]


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _in_form(form: Form, entity: Entity) -> Entity:
    plain = simplified(entity) if form.simple else entity
    short = chosen(plain, form.attributes)
    return parking_ngsi.with_context(short) if form.linked else short


def _linked(request: Request, answer: Response, found: PublicTown, form: Form, links: Sequence[str]) -> Response:
    address = f"/opendata/{found.tenant.id}/ngsi-ld/context.jsonld"
    context = f'<{address}>; rel="http://www.w3.org/ns/json-ld#context"; type="{LD_JSON}"'
    return depending(request, answer, "Accept", links=[*([] if form.linked else [context]), *links])
