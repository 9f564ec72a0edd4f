"""The page for whoever stands at a pole: which lamp this is, what is wrong with it, and what it can be told at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form, Query, Request, Response

from api import pole, views
from api.auth import Actor
from api.deps import Acting, Asking, Now, Operating, Rails, Viewing
from api.i18n import explain, language_of, translate
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Page, Problem
from api.pages.lamp import health
from api.pages.render import PageRoute, back, html, page_of
from api.pole import Repair
from api.views import LuminaireView
from city.errors import Invalid, NotFound, Refused
from city.guards import Limits
from city.ids import AssetId
from city.lighting import Override
from city.places import Luminaire
from city.store.ports import Role, TenantStore

MOST_FOUND = 20
MAX_NUMBER = 80

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]
FormWord = Annotated[str, Form(max_length=300)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


DONE = {
    "blink": _("The lamp blinks three times now."), "full": _("The lamp burns at 100 % for ten minutes."),
    "stop": _("Back to the program."),
    "status": _("The lamp has been asked to report."),
    "repaired": _("The repair is noted. It turns green when the lamp's own reports show it."),
}


@dataclass(frozen=True, slots=True)
class MastPage:
    """The only page that may use the camera: to read the label of a pole."""

    template: ClassVar[str] = "mast.html"
    permissions: ClassVar[str] = "geolocation=(), camera=(self), microphone=()"
    page: Page
    number: str
    view: LuminaireView | None
    health: Sequence[str]
    found: Sequence[Luminaire]
    running: Sequence[Override]
    repair: Repair | None
    may_order: bool
    said: str = ""
    problems: tuple[Problem, ...] = ()


@router.get(paths("mast")[0])
@router.get(paths("mast")[1])
def mast(request: Request, town: Viewing, who: Asking, at: Now, nr: Word = "", done: Word = "") -> Response:
    """Search by the pole's number; the lamp itself where only one fits."""
    return _page(request, town, who, at, nr.strip()[:MAX_NUMBER], said=DONE.get(done, ""))


@router.post(paths("mast-order")[0])
@router.post(paths("mast-order")[1])
def order(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, nr: FormWord = "",
          what: FormWord = "") -> Response:
    """Have the lamp blink, burn fully, report, or go back to its program; or say that it has been repaired."""
    language = language_of(request)
    view = views.luminaire(town, AssetId(nr), at)
    try:
        _do(language, town, view, what, who, at, rails)
    except Refused as error:
        return _page(request, town, who, at, nr, problems=(Problem("orders", explain(language, error)),))
    return back(address(language, "mast", [("nr", nr), ("done", what)], tenant=town.tenant.id))


def found(lamps: Sequence[Luminaire], number: str) -> list[Luminaire]:
    """The lamps of that number: exactly, else those whose number or name has it; zeros at the front do not count."""
    wanted = _bare(number)
    exact = [lamp for lamp in lamps if _bare(lamp.id) == wanted or _bare(lamp.name) == wanted]
    ends = [lamp for lamp in lamps if _digits(lamp.id) == wanted] if wanted.isdecimal() else []
    words = number.casefold().split()
    return exact or ends or [lamp for lamp in lamps if all(word in f"{lamp.id} {lamp.name}".casefold() for word in words)]


def _do(language: str, town: TenantStore, view: LuminaireView, what: str, who: Actor, at: datetime,
        rails: Limits) -> None:
    match what:
        case "blink":
            reason = translate(language, _("blinks for somebody at the pole"))
            pole.blink(town, view, reason=reason, who=who, now=at, limits=rails)
        case "full":
            reason = translate(language, _("lit for somebody at the pole"))
            pole.full(town, view, reason=reason, who=who, now=at, limits=rails)
        case "stop":
            pole.stop(town, view, who=who, now=at, limits=rails)
        case "status":
            pole.ask(town, view, who=who, now=at)
        case "repaired":
            pole.say_repaired(town, view, who, at)
        case _:
            raise Invalid(_("There is no such order."), field="orders", rule="known")


def _page(request: Request, town: TenantStore, who: Actor | None, at: datetime, number: str, *, said: str = "",
          problems: tuple[Problem, ...] = ()) -> Response:
    language = language_of(request)
    lamps = found(town.luminaires(), number) if number else []
    view = views.luminaire(town, lamps[0].id, at) if len(lamps) == 1 else None
    if number and not lamps:
        missing = NotFound("There is no lamp “{asset}”.", field="asset", rule="exists", asset=number)
        problems = (*problems, Problem("nr", explain(language, missing)))
    return html(request, MastPage(
        page_of(request, who, town.tenant), number, view, list(health(language, view)) if view else (),
        lamps[:MOST_FOUND] if view is None else (), list(pole.running(town, view.lamp, at)) if view else (),
        pole.repair_of(view, pole.alarms_of(town, view.lamp)) if view else None, may(who, Role.OPERATOR),
        translate(language, said) if said else "", problems), status=422 if problems else 200)


def _bare(text: str) -> str:
    return text.strip().casefold().lstrip("0") or "0"


def _digits(text: str) -> str:
    """The number at the end of a pole's name, without zeros at its front."""
    digits = text[len(text.rstrip("0123456789")):]
    return digits.lstrip("0") or "0"

