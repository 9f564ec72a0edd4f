"""From a context to an answer: templates, headers, and what is said when something is refused."""

import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException as Unread
from starlette.requests import ClientDisconnect

from api import channeling
from api.auth import Actor
from api.deps import LIGHTING, PARKING, platform
from api.i18n import Words, explain, language_of, translate
from api.pages import bay_words, incident_words, labels, program_words
from api.pages.addresses import address, is_local, translated
from api.pages.contexts import ErrorPage, Page, PageContext
from api.pages.static_files import StaticFiles
from city.errors import (
    CityError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    SignInNeeded,
    TooLarge,
    Unavailable,
    Unsupported,
)
from city.places import Tenant
from city.store.ports import Role

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
          "font-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
PERMISSIONS = "geolocation=(), camera=(), microphone=()"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
_log = logging.getLogger(__name__)
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


def page_of(request: Request, who: Actor | None = None, town: Tenant | None = None,
            language: str | None = None) -> Page:
    """What every page has, from the request."""
    spoken = language or language_of(request)
    path, query = request.url.path, request.url.query
    grafana = platform(request).settings.grafana
    return Page(language=spoken, other=translated("de" if spoken == "en" else "en", path, query),
                path=f"{path}?{query}" if query else path, now=platform(request).clock.now(), town=town,
                who=who.name if who else "", csrf=who.csrf if who else "",
                lighting=who is not None and who.works_in(LIGHTING),
                bays=who is not None and who.works_in(PARKING) and who.may(Role.OPERATOR),
                grafana=(grafana.public_url or grafana.url) if who else "")


def html(request: Request, context: PageContext, *, status: int = 200, private: bool = True) -> Response:
    """The page; only its changing part where htmx asks for it and there is one. Public pages carry an ETag."""
    fragments: Mapping[str, str] = getattr(context, "fragments", {}) if request.headers.get("hx-request") else {}
    part = fragments.get(request.headers.get("hx-target", ""), context.template)
    text = rendered(request, context, part)
    headers = {**HEADERS, "Permissions-Policy": getattr(context, "permissions", PERMISSIONS), "Vary": "HX-Request, HX-Target"}
    if private or status != 200:
        return HTMLResponse(text, status_code=status, headers={**headers, "Cache-Control": "no-store"})
    return unless_known(request, text.encode(), "text/html; charset=utf-8", headers)


def unless_known(request: Request, data: bytes, type: str, headers: dict[str, str]) -> Response:
    """The data with its ETag, or 304 where the browser has exactly that."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    headers = {**headers, "ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=type, headers=headers)


def rendered(request: Request, context: PageContext, template: str) -> str:
    """The template's text."""
    files: StaticFiles = request.app.state.static_files
    language = context.page.language
    words = Words(language, context.page.now)

    def to(name: str, /, **parts: str) -> str:
        town = {"tenant": str(context.page.town.id)} if context.page.town else {}
        return address(language, name, **{**town, **parts})

    return _templates().get_template(template).render(
        c=context, page=context.page, static=files.url, to=to, **words.as_mapping())


def back(to: str) -> Response:
    """Send the browser on after a form, if that stays with us; else to the front door."""
    return RedirectResponse(to if is_local(to) else "/", status_code=303, headers={"Cache-Control": "no-store"})


class PageRoute(APIRoute):
    """A route whose refusals are pages in words: sign in first, or what is wrong and what to do."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def spoken(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeeded:
                return _to_sign_in(request)
            except CityError as error:
                return error_page(request, error)
            except RequestValidationError:
                return error_page(request, Invalid(_("This address cannot be read."), field="address", rule="form"))
            except Unread as error:  # the framework's own: a body that is no form, or too large a one
                return error_page(request, _unread(error), error.status_code)
            except ClientDisconnect:
                raise  # nobody is there to read a page
            except Exception as error:  # a person gets a page in words, the log gets the whole story
                _log.exception("%s %s failed", request.method, request.url.path)
                return error_page(request, error)

        return spoken


def error_page(request: Request, error: Exception, status: int | None = None, town: Tenant | None = None) -> Response:
    """What went wrong, as a page: one sentence, and what to do; of a `town` where one can go on there. Never the internals of an
    unexpected error."""
    usual, title, advice = _verdict(error)
    status = status or usual
    language = language_of(request)
    sentence = explain(language, error) if isinstance(error, CityError) and status != 503 else ""
    page = page_of(request, town=town)
    return html(request, ErrorPage(page, translate(language, title), sentence, translate(language, advice)),
                status=status)


def _unread(error: Unread) -> Refused:
    if error.status_code == 413:
        return TooLarge("The request is too large.", field="body", rule="size")
    return Refused("The request cannot be read.", field="body", rule="form")


def _to_sign_in(request: Request) -> Response:
    here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    target = address(language_of(request), "sign-in", [("next", here)] if request.method == "GET" else None)
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": address(language_of(request), "sign-in")})
    return RedirectResponse(target, status_code=303, headers={"Cache-Control": "no-store"})


def _verdict(error: Exception) -> tuple[int, str, str]:
    match error:
        case NotFound():
            return 404, _("Not found"), _("Check the address, or start from the list of towns.")
        case HTTPException(status_code=404 | 405 as status):
            return status, _("Not found"), _("Check the address, or start from the list of towns.")
        case SignInNeeded():
            return 401, _("Please sign in"), _("Sign in and try again.")
        case Forbidden():
            return 403, _("Not allowed"), _("Ask whoever runs stadtfunk in your town for the right role.")
        case Conflict():
            return 409, _("That has changed meanwhile"), _("Go back, reload the page and try again.")
        case Invalid() | Unsupported() | Refused():
            return 422, _("That does not work"), _("Go back and correct what is named above.")
        case Unavailable():
            return 503, _("Not available just now"), _("A service we need does not answer. Try again in a minute.")
    return 500, _("Something went wrong"), _("It is not your fault. It has been written to the log; try again, and "
                                             "tell whoever runs stadtfunk if it stays so.")


@cache
def _templates() -> Environment:
    made = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
                       undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False)
    made.globals.update(bay_words=bay_words, channeling=channeling, incident_words=incident_words, labels=labels,
                        program_words=program_words)
    return made
