"""What a town says of itself that programs need: in which Land it lies, and so which holidays it keeps."""

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from api.audit import record
from api.auth import Actor
from api.deps import Acting, Asking, Engineering, Here, Now, Viewing
from api.i18n import explain, language_of
from api.pages import program_words as words
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Problem
from api.pages.program_contexts import Option, SettingsPage
from api.pages.render import PageRoute, back, html, page_of
from city.errors import Invalid
from city.nights import evening_of
from city.programs import LANDS
from city.store.ports import Role, TenantStore

SHOWN = 15

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]
FormWord = Annotated[str, Form(max_length=300)]


@router.get(paths("settings")[0])
@router.get(paths("settings")[1])
def settings(request: Request, town: Viewing, who: Asking, at: Now, saved: Word = "") -> Response:
    """The Land and the holidays to come."""
    return _page(request, town, who, at, saved=bool(saved))


@router.post(paths("settings")[0])
@router.post(paths("settings")[1])
def keep(request: Request, here: Here, town: Engineering, who: Acting, at: Now, land: FormWord = "") -> Response:
    """Choose the Land."""
    language = language_of(request)
    if land and land not in LANDS:
        wrong = Invalid("“{value}” is no Land of Germany.", field="land", rule="ISO 3166-2:DE", value=land[:10])
        return _page(request, town, who, at, problems=(Problem("land", explain(language, wrong)),))
    record(town, who, at, "town settings", "land", land)
    here.store.put_tenant(replace(town.tenant, land=land))
    return back(address(language, "settings", [("saved", "1")], tenant=town.tenant.id))


def _page(request: Request, town: TenantStore, who: Actor | None, at: datetime, *, saved: bool = False,
          problems: tuple[Problem, ...] = ()) -> Response:
    land = town.tenant.land
    return html(request, SettingsPage(
        page_of(request, who, town.tenant), land, [Option(code, name) for code, name in words.LAENDER.items()],
        coming(language_of(request), land, evening_of(at)), may(who, Role.ENGINEER), saved, problems),
        status=422 if problems else 200)


def coming(language: str, land: str, first: date) -> list[tuple[date, str]]:
    """The next holidays and their names."""
    years = (words.holiday_names(language, land, year) for year in (first.year, first.year + 1))
    found = [(day, name) for year in years for day, name in year.items()]
    return sorted(one for one in found if one[0] >= first)[:SHOWN]
