"""From the error tree to RFC 9457: every refusal is problem+json with one sentence, the field and the rule."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from city import errors
from city.errors import CityError, Refused
from simulator.panel.words import preferred, translate

MEDIA = "application/problem+json"
_STATUS: tuple[tuple[type[CityError], int], ...] = (
    (errors.NotFound, 404), (errors.SignInNeeded, 401), (errors.Forbidden, 403), (errors.Conflict, 409), (errors.TooOften, 429),
    (errors.TooLarge, 413), (errors.Unsupported, 422), (errors.Invalid, 422), (errors.Refused, 400), (errors.BadInput, 400),
    (errors.Unavailable, 503))


class Problem(BaseModel):
    """RFC 9457 problem details; `field` and `rule` name the input at fault and what it breaks."""

    type: str
    title: str
    status: int
    detail: str
    field: str = ""
    rule: str = ""


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text, "content": {MEDIA: {}}}
    for status, text in ((401, "No token, or a wrong one"), (404, "Not found"), (409, "Contradiction"), (422, "Not valid"))}


def install(app: FastAPI) -> None:
    """Make every refusal of `app` a problem+json answer."""
    app.add_exception_handler(CityError, _city_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def problem(error: CityError, accept_language: str) -> JSONResponse:
    """The answer to an error, in the language that is asked for."""
    language = preferred(accept_language)
    status = next(number for kind, number in _STATUS if isinstance(error, kind))
    refused = error if isinstance(error, Refused) else None
    return _answer(error.reason, status, translate(language, error.message, **error.facts), language,
                   field=refused.field if refused else "", rule=refused.rule if refused else "")


def _answer(kind: str, status: int, detail: str, language: str, *, field: str = "", rule: str = "",
            headers: Mapping[str, str] | None = None) -> JSONResponse:
    said = Problem(type=f"urn:stadtfunk:problem:{kind}", title=kind, status=status, detail=detail, field=field, rule=rule)
    return JSONResponse(said.model_dump(), status, {
        "Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "no-store", **(headers or {})}, MEDIA)


async def _city_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CityError)
    return problem(error, request.headers.get("accept-language", ""))


async def _validation_error(request: Request, error: Exception) -> Response:
    """What pydantic found, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    language, first = preferred(request.headers.get("accept-language", "")), error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    detail = translate(language, "The value of “{field}” is not valid: {what}.", field=field, what=str(first["msg"])[:200])
    return _answer("Invalid", 422, detail, language, field=field, rule=str(first["type"]))


async def _http_error(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself."""
    assert isinstance(error, HTTPException)
    language = preferred(request.headers.get("accept-language", ""))
    template = {404: "There is nothing at this address.", 405: "This cannot be done at this address."}.get(
        error.status_code, "The request cannot be read.")
    return _answer("Refused", error.status_code, translate(language, template), language, headers=error.headers)
