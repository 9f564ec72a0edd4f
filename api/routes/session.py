"""Signing in and out."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api import sessions
from api.deps import FORMS, Acting, Asking, anyone
from api.problems import RESPONSES
from api.schemas import SessionOut, SignInIn
from city.store.ports import Area

router = APIRouter(prefix="/api/v1/session", tags=["session"], dependencies=[Depends(anyone)], responses=RESPONSES)
_SCHEMA = SignInIn.model_json_schema()
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {
    media: {"schema": _SCHEMA} for media in ("application/json", "application/x-www-form-urlencoded")}}}


@router.post("", status_code=201, openapi_extra=_BODY, summary="Sign in with name and password")
async def sign_in(request: Request, response: Response) -> SessionOut:
    """Sets the session's cookie. Name and password as JSON or as a form."""
    given = await _credentials(request)
    session, account = await run_in_threadpool(sessions.sign_in, request, response, name=given.name,
                                               password=given.password)
    return SessionOut(name=account.name, role=account.role.value, tenant=account.tenant, areas=names_of(account.areas),
                      csrf=session.csrf, expires_at=session.expires_at)


@router.get("", summary="Who am I")
def whoami(who: Acting) -> SessionOut:
    """Name, role and town of whoever asks, and the CSRF token of their session."""
    return SessionOut(name=who.name, role=who.role.value, tenant=who.tenant, areas=names_of(who.areas), csrf=who.csrf)


@router.delete("", status_code=204, summary="Sign out")
def sign_out(request: Request, response: Response, who: Asking) -> None:
    """Ends the session of the cookie; without one it does nothing."""
    sessions.sign_out(request, response, who)


def names_of(areas: frozenset[Area]) -> list[str]:
    """In order."""
    return sorted(area.value for area in areas)


async def _credentials(request: Request) -> SignInIn:
    try:
        if request.headers.get("content-type", "").startswith(FORMS):
            form = await request.form()
            return SignInIn.model_validate({key: form.get(key) for key in ("name", "password")})
        return SignInIn.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in error.errors()]) from error
