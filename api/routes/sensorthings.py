"""Parking zones as an OGC SensorThings API 1.1 (18-088) that everybody may read, and nobody writes."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api import problems
from api.deps import Now, Public
from api.i18n import language_of, translate
from api.opendata_answers import CORS, OpenRoute, open_data, open_json
from api.parking_exports import depending, parking_seen
from api.past_quarters import Recalling
from api.problems import RESPONSES
from api.public_view import Telling
from city.errors import Invalid, Unsupported
from city.exports import sensorthings, sta_answers, sta_query
from city.exports.sta_answers import Model

ROOT = "/opendata/{tenant}/sta/v1.1"
_EXTENSION = "urn:stadtfunk:sensorthings:filter"
SETTINGS: dict[str, object] = {_EXTENSION: {
    "functions": sorted(sta_query.FUNCTIONS), "operators": ["and", "or", "not", "eq", "ne", "gt", "ge", "lt", "le"],
    "mostTop": sta_query.MOST_TOP, "expandDepth": sta_query.EXPAND_DEPTH, "observationDays": sensorthings.KEPT.days}}
_JSON = {200: {"content": {"application/json": {}}, "description": "Entities."}, 501: RESPONSES[422]}


def _options() -> dict[str, Any]:
    """What may be asked for, for the OpenAPI document; the handler reads it by itself."""
    return {"parameters": [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
                           for name in sta_query.KNOWN]}


def model(request: Request, town: Public, telling: Telling, recalling: Recalling, now: Now) -> Model:
    """What there is: of zones that are public now, and of nothing else."""
    found = telling.of(town, now)
    seen = parking_seen(request, found)
    return sensorthings.model(seen, f"{seen.base}/sta/v1.1", recalling.of(town, found.minute))


router = APIRouter(route_class=OpenRoute, tags=["open data"], responses={**RESPONSES, **_JSON})  # type: ignore[dict-item]


@router.get(ROOT, response_class=Response, summary="SensorThings: which sets of entities there are")
def root(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """With `serverSettings.conformance`: what of the standard is kept to."""
    found = telling.of(town, now)
    empty = Model(f"{parking_seen(request, found).base}/sta/v1.1", {}, lambda *_: [])
    return depending(request, open_json(request, sta_answers.root(empty, SETTINGS), found.town), addressed=True)


@router.get(ROOT + "/{path:path}", response_class=Response, summary="SensorThings: entities, along their relations",
            openapi_extra=_options())
def entities(request: Request, town: Public, telling: Telling, now: Now, path: str,
             all: Model = Depends(model)) -> Response:  # noqa: B008
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


def _refused(request: Request, error: Invalid | Unsupported) -> Response:
    """The standard's own status (9.3.1): 501 for what it has and we have not, 400 for what cannot be read."""
    status = 501 if isinstance(error, Unsupported) else 400
    title = translate(language_of(request), "Not supported" if status == 501 else "Not readable")
    answer = problems.problem(request, error, {"status": status, "title": title})
    answer.status_code = status
    for name, value in CORS.items():
        answer.headers.setdefault(name, value)
    return answer
