"""The circuits' page: names, delivery points and supply, one row a circuit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form, Request, Response

from api.auth import Actor
from api.deps import Acting, Asking, Engineering, Now, Viewing
from api.feeding import MAX_TEXT, keep_circuit
from api.i18n import explain, language_of
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Page, Problem
from api.pages.render import PageRoute, back, html, page_of
from city.errors import Invalid
from city.ids import CircuitId
from city.places import Circuit, Supply
from city.store.ports import Role, TenantStore

router = APIRouter(route_class=PageRoute, include_in_schema=False)
FormWord = Annotated[str, Form(max_length=300)]


@dataclass(frozen=True, slots=True)
class CircuitsPage:
    """`rows`: each circuit and how many lamps it feeds; `saved`: the one that has just been kept."""

    template: ClassVar[str] = "circuits.html"
    page: Page
    rows: Sequence[tuple[Circuit, int]]
    most: int
    may_edit: bool
    saved: str = ""
    problems: tuple[Problem, ...] = ()


@router.get(paths("circuits")[0])
@router.get(paths("circuits")[1])
def circuits(request: Request, town: Viewing, who: Asking, saved: str = "") -> Response:
    """All circuits of the town."""
    return _page(request, town, who, saved=saved[:64])


@router.post(paths("circuits")[0])
@router.post(paths("circuits")[1])
def keep(request: Request, town: Engineering, who: Acting, at: Now, id: FormWord, name: FormWord = "",
         delivery_point: FormWord = "", supply: FormWord = "permanent") -> Response:
    """Keep what was typed of one circuit."""
    language = language_of(request)
    try:
        keep_circuit(town, Circuit(town.tenant.id, CircuitId(id), name, delivery_point, _supply(supply)), who, at)
    except Invalid as error:
        problem = Problem(f"name-{id}", explain(language, error))
        return _page(request, town, who, problems=(problem,))
    return back(address(language, "circuits", [("saved", id)], tenant=town.tenant.id))


def _page(request: Request, town: TenantStore, who: Actor | None, *, saved: str = "",
          problems: tuple[Problem, ...] = ()) -> Response:
    lamps = Counter(lamp.circuit for lamp in town.luminaires())
    rows = [(one, lamps[one.id]) for one in town.circuits()]
    return html(request, CircuitsPage(page_of(request, who, town.tenant), rows, MAX_TEXT, may(who, Role.ENGINEER), saved,
                                      problems), status=422 if problems else 200)


def _supply(text: str) -> Supply:
    return Supply.NIGHT if text == Supply.NIGHT.value else Supply.PERMANENT
