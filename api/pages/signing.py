"""Signing in and out with a form."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from api import sessions
from api.deps import Asking, anyone
from api.i18n import explain, language_of, translate
from api.pages.addresses import address, is_local, paths
from api.pages.contexts import Problem, SignInPage
from api.pages.render import PageRoute, back, html, page_of
from city.errors import Refused

MAX_TYPED = 4096
router = APIRouter(route_class=PageRoute, include_in_schema=False)
Typed = Annotated[str, Form(max_length=MAX_TYPED)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("sign-in")[0], dependencies=[Depends(anyone)])
@router.get(paths("sign-in")[1], dependencies=[Depends(anyone)])
def form(request: Request, who: Asking, next: str = "") -> Response:
    """The form; `next` is where one came from."""
    return html(request, SignInPage(page_of(request, who), next if is_local(next) else "", ""))


@router.post(paths("sign-in")[0], dependencies=[Depends(anyone)])
@router.post(paths("sign-in")[1], dependencies=[Depends(anyone)])
def sign_in(request: Request, name: Typed = "", password: Typed = "", next: Typed = "") -> Response:
    """Sign in and go back to where one came from; or the form again, with what is wrong at its field."""
    language = language_of(request)
    target = next if is_local(next) else ""
    problems = tuple(Problem(field, translate(language, sentence)) for field, value, sentence in (
        ("name", name, _("Enter your name.")), ("password", password, _("Enter your password."))) if not value)
    if not problems:
        answer = back(target or address(language, "towns"))
        try:
            sessions.sign_in(request, answer, name=name.strip(), password=password)
        except Refused as error:
            field = error.field if error.field in ("name", "password") else "name"
            problems = (Problem(field, explain(language, error)),)
        else:
            return answer
    return html(request, SignInPage(page_of(request), target, name[:100], problems), status=422)


@router.post(paths("sign-out")[0], dependencies=[Depends(anyone)])
@router.post(paths("sign-out")[1], dependencies=[Depends(anyone)])
def sign_out(request: Request, who: Asking) -> Response:
    """End the session."""
    answer = back(address(language_of(request), "towns"))
    sessions.sign_out(request, answer, who)
    return answer
