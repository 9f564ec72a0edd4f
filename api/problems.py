"""From the error tree to RFC 9457: every refusal is problem+json with one translated sentence, the field and the rule."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from api.i18n import language_of, translate
from city import errors
from city.errors import BadInput, CityError, Refused, SignInNeeded, TooOften, Unavailable

MEDIA = "application/problem+json"
OPEN = "/opendata/"  # read by programs of other websites; what is no address there, too
RETRY_AFTER_S = 5
MAX_NAMED = 20  # faults of one request that are listed one by one

_STATUS: tuple[tuple[type[CityError], int, str], ...] = (
    (errors.NotFound, 404, "Not found"),
    (errors.SignInNeeded, 401, "Sign-in needed"),
    (errors.Forbidden, 403, "Not allowed"),
    (errors.Conflict, 409, "Contradiction"),
    (errors.TooOften, 429, "Too often"),
    (errors.TooLarge, 413, "Too large"),
    (errors.Unsupported, 422, "The device cannot do this"),
    (errors.Invalid, 422, "A value is not valid"),
    (errors.Refused, 400, "Refused"),
    (errors.BadInput, 400, "Not readable"),
    (errors.Unavailable, 503, "Out of reach for now"),
)
_TITLES = {404: "Not found", 405: "Not possible here", 413: "Too large", 415: "Not readable"}
_BROKEN = {400: ("body", "readable"), 404: ("path", "exists"), 405: ("method", "allowed"), 413: ("body", "size"),
           415: ("Content-Type", "readable")}  # by the framework itself
_log = logging.getLogger(__name__)


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    field: str
    rule: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details; `field` and `rule` name the input at fault and what it breaks."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(examples=["urn:stadtfunk:problem:Invalid"])
    title: str
    status: int
    detail: str
    field: str = ""
    rule: str = ""
    errors: list[Fault] = []


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": title, "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status, title in ((401, "Sign-in needed"), (403, "Not allowed"), (404, "Not found"),
                          (422, "A value is not valid"), (503, "Out of reach for now"))
}


def install(app: FastAPI) -> None:
    """Make every refusal of `app` a problem+json answer."""
    app.add_exception_handler(CityError, _city_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def status_of(error: CityError) -> tuple[int, str]:
    """The HTTP status of an error and its title in English."""
    return next((status, title) for kind, status, title in _STATUS if isinstance(error, kind))


def problem(request: Request, error: CityError, extra: Mapping[str, object] | None = None) -> JSONResponse:
    """The answer to `error`, in the language the request asks for."""
    status, title = status_of(error)
    refused = error if isinstance(error, Refused) else None
    body = {"field": refused.field if refused else "", "rule": refused.rule if refused else "", **(extra or {})}
    facts = dict.fromkeys(error.facts, "…") if isinstance(error, Unavailable) else error.facts  # hosts, files: for our log
    return _answer(request, error.reason, status, title, translate(language_of(request), error.message, **facts),
                   body, _headers(error))


def unexpected(request: Request) -> JSONResponse:
    """The answer to what should not have happened; it says nothing of the cause."""
    language = language_of(request)
    return _answer(request, "Unexpected", 500, "An error of ours",
                   translate(language, "Something went wrong here. It has been written down."), {}, {})


def _headers(error: CityError) -> dict[str, str]:
    if isinstance(error, SignInNeeded):
        return {"WWW-Authenticate": 'Bearer realm="stadtfunk"'}
    if isinstance(error, TooOften):
        return {"Retry-After": str(error.facts.get("seconds", RETRY_AFTER_S))}
    return {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, Unavailable) else {}


def _answer(request: Request, kind: str, status: int, title: str, detail: str, body: Mapping[str, object],
            headers: Mapping[str, str]) -> JSONResponse:
    language = language_of(request)
    content = {"type": f"urn:stadtfunk:problem:{kind}", "title": translate(language, title), "status": status,
               "detail": detail, "field": "", "rule": "", **body}
    readable = {"Access-Control-Allow-Origin": "*"} if request.url.path.startswith(OPEN) else {}
    return JSONResponse(content, status, {"Content-Language": language, "Vary": "Accept-Language", **readable, **headers}, MEDIA)


async def _city_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CityError)
    if isinstance(error, Unavailable | BadInput):
        _log.warning("%s %s: %s: %s", request.method, request.url.path, error.reason, error)
    elif isinstance(error, errors.Forbidden | errors.SignInNeeded):
        _log.info("%s %s refused: %s", request.method, request.url.path, error)
    return _page(request, error) or problem(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    language = language_of(request)
    faults = [_fault(language, item) for item in error.errors()[:MAX_NAMED]]
    first = faults[0]
    return _answer(request, "Invalid", 422, "A value is not valid", first.detail,
                   {"field": first.field, "rule": first.rule, "errors": [fault.model_dump() for fault in faults]}, {})


def _fault(language: str, item: Mapping[str, Any]) -> Fault:
    """What pydantic found, without repeating what was sent."""
    field = ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0])
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, CityError):
        return Fault(field=field, rule=getattr(cause, "rule", ""),
                     detail=translate(language, cause.message, **cause.facts))
    return Fault(field=field, rule=item["type"],
                 detail=translate(language, "The value of “{field}” is not valid: {what}.", field=field,
                                  what=str(item["msg"])[:200]))


async def _http_error(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: unknown addresses, methods, bodies that are too large."""
    assert isinstance(error, HTTPException)
    title = _TITLES.get(error.status_code, "Refused")
    language = language_of(request)
    if error.status_code == 404:
        page = _page(request, errors.NotFound("There is nothing at this address.", rule="exists"))
        if page is not None:
            return page
    detail = {404: "There is nothing at this address.", 405: "This cannot be done at this address.",
              413: "The request is too large."}.get(error.status_code, "The request cannot be read.")
    field, rule = _BROKEN.get(error.status_code, ("", ""))
    return _answer(request, title.title().replace(" ", ""), error.status_code, title, translate(language, detail),
                   {"field": field, "rule": rule}, dict(error.headers or {}))


def _page(request: Request, error: CityError) -> Response | None:
    """The pages' own answer to an error at one of their addresses, if they have one."""
    render = getattr(request.app.state, "error_page", None)
    path = request.url.path
    if render is None or path.startswith("/api/"):
        return None
    if path.startswith(OPEN) and "text/html" not in request.headers.get("accept", ""):
        return None
    answer: Response | None = render(request, error, status_of(error)[0])
    return answer
