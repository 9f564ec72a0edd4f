"""A town's zones of bays and of lamps as an OGC SensorThings API 1.1 (18-088) that everybody may read, and nobody writes; the
same with its single lamps for those who may see them."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api import problems
from api.deps import Now, Public, Viewing
from api.exporting import lamps_seen, sent, town_seen
from api.i18n import language_of, translate
from api.kept import Keeping
from api.opendata_answers import OpenRoute, open_data, open_json
from api.parking_exports import depending, our_address, parking_seen
from api.problems import RESPONSES
from api.public_view import Telling
from api.routes.common import TENANT
from city.errors import Invalid, Unsupported
from city.exports import sensorthings, sta_answers, sta_lighting, sta_query
from city.exports.sta_answers import Model, joined

ROOT, STAFF = "/opendata/{tenant}/sta/v1.1", f"{TENANT}/sta/v1.1"
_EXTENSION = "urn:stadtfunk:sensorthings:filter"
SETTINGS: dict[str, object] = {_EXTENSION: {
    "functions": sorted(sta_query.FUNCTIONS), "operators": ["and", "or", "not", "eq", "ne", "gt", "ge", "lt", "le"],
    "mostTop": sta_query.MOST_TOP, "expandDepth": sta_query.EXPAND_DEPTH, "observationDays": sensorthings.KEPT.days}}
_JSON = {200: {"content": {"application/json": {}}, "description": "Entities."}, 501: RESPONSES[422]}


def _options() -> dict[str, Any]:
    """What may be asked for, for the OpenAPI document; the handler reads it by itself."""
    return {"parameters": [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
                           for name in sta_query.KNOWN]}


def zones(request: Request, town: Public, telling: Telling, keeping: Keeping, now: Now) -> Model:
    """What there is for everybody: zones that are public now, and zones of lamps."""
    found = telling.of(town, now)
    seen = parking_seen(request, found)
    parking = sensorthings.model(seen, f"{seen.base}/sta/v1.1", keeping.past.of(town, found.minute))
    return joined(parking, sta_lighting.of_zones(keeping.lights.of(town, now), parking.base))


def with_lamps(request: Request, town: Viewing, telling: Telling, keeping: Keeping, now: Now) -> Model:
    """The same, and each lamp."""
    base = f"{our_address(request)}{STAFF.format(tenant=town.tenant.id)}"
    seen = town_seen(town, now)
    all_zones = replace(zones(request, town, telling, keeping, now), base=base)
    return joined(all_zones, sta_lighting.of_lamps(list(lamps_seen(town, seen, seen.lamps)), base))


router = APIRouter(route_class=OpenRoute, tags=["open data"], responses={**RESPONSES, **_JSON})  # type: ignore[dict-item]
staff = APIRouter(tags=["exports"], responses={**RESPONSES, **_JSON})  # type: ignore[dict-item]  # not for other websites


@router.get(ROOT, response_class=Response, summary="SensorThings: which sets of entities there are")
def root(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """With `serverSettings.conformance`: what of the standard is kept to."""
    found = telling.of(town, now)
    empty = Model(f"{parking_seen(request, found).base}/sta/v1.1", {}, lambda *_: [])
    return depending(request, open_json(request, sta_answers.root(empty, SETTINGS), found.town), addressed=True)


@router.get(ROOT + "/{path:path}", response_class=Response, summary="SensorThings: entities, along their relations",
            openapi_extra=_options())
def entities(request: Request, town: Public, telling: Telling, now: Now, path: str,
             all: Model = Depends(zones)) -> Response:  # noqa: B008
    """Things, Locations, Datastreams, Sensors, ObservedProperties, Observations, FeaturesOfInterest; `Things('markt')`,
    `Things('markt')/Datastreams`, `…/name`, `…/name/$value`, `…/$ref`. Observations go back seven days."""
    try:
        body = sta_answers.answer(all, path, sta_query.parse(request.query_params.multi_items(), now))
    except (Invalid, Unsupported) as error:
        return _refused(request, error)
    said = telling.of(town, now).town
    if isinstance(body, str):
        return open_data(request, body.encode(), said, media_type="text/plain; charset=utf-8")
    return depending(request, open_json(request, body, said), addressed=True)


@staff.get(STAFF, response_class=Response, summary="SensorThings with single lamps: which sets of entities there are")
def staff_root(request: Request, town: Viewing) -> Response:
    """As for everybody."""
    empty = Model(f"{our_address(request)}{STAFF.format(tenant=town.tenant.id)}", {}, lambda *_: [])
    return sent(request, sta_answers.root(empty, SETTINGS))


@staff.get(STAFF + "/{path:path}", response_class=Response, summary="SensorThings with single lamps: entities",
            openapi_extra=_options())
def staff_entities(request: Request, now: Now, path: str, all: Model = Depends(with_lamps)) -> Response:  # noqa: B008
    """What everybody may read, and each lamp as a Thing: level, power and energy as it last said."""
    try:
        body = sta_answers.answer(all, path, sta_query.parse(request.query_params.multi_items(), now))
    except (Invalid, Unsupported) as error:
        return _refused(request, error)
    return Response(body, media_type="text/plain; charset=utf-8") if isinstance(body, str) else sent(request, body)


def _refused(request: Request, error: Invalid | Unsupported) -> Response:
    """The standard's own status (9.3.1): 501 for what it has and we have not, 400 for what cannot be read."""
    status = 501 if isinstance(error, Unsupported) else 400
    title = translate(language_of(request), "Not supported" if status == 501 else "Not readable")
    answer = problems.problem(request, error, {"status": status, "title": title})
    answer.status_code = status
    return answer


router.routes.extend(staff.routes)
