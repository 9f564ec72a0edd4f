"""What residents say is wrong: with what the page said then, and what the sensors said since; to be settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form, Request, Response

from api import bay_acts, staff
from api.deps import Acting, Here, Now, ParkingOperating, Platform
from api.i18n import language_of, translate
from api.pages.addresses import address, paths
from api.pages.contexts import Page, Problem
from api.pages.render import PageRoute, back, html, page_of
from api.staff import ZoneView
from city.ids import ZoneId
from city.parking_places import Doubt
from city.store.ports import TenantStore

MOST = 200
MAX_OUTCOME = 500

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class DoubtsPage:
    template: ClassVar[str] = "staff_doubts.html"
    page: Page
    rows: Sequence[Doubt]
    zones: Mapping[ZoneId, ZoneView]
    every: bool
    wrong: str = ""
    problems: tuple[Problem, ...] = ()


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("staff-doubts")[0])
@router.get(paths("staff-doubts")[1])
def doubts(request: Request, here: Here, town: ParkingOperating, who: Acting, at: Now, every: str = "") -> Response:
    """Those that are open, or past ones too, the newest first."""
    return html(request, DoubtsPage(page_of(request, who, town.tenant), town.doubts(open_only=not every, limit=MOST),
                                    _zones(here, town, at), bool(every)))


@router.post(paths("staff-doubt-close")[0])
@router.post(paths("staff-doubt-close")[1])
def close(request: Request, here: Here, town: ParkingOperating, who: Acting, at: Now, doubt: str,
          outcome: Annotated[str, Form(max_length=4 * MAX_OUTCOME)] = "") -> Response:
    """Settle one, with what was found out."""
    language, words = language_of(request), " ".join(outcome.split())[:MAX_OUTCOME]
    if not words:
        problem = Problem(f"outcome-{doubt}", translate(language, _("Say in a few words what was found out.")))
        return html(request, DoubtsPage(page_of(request, who, town.tenant), town.doubts(limit=MOST), _zones(here, town, at),
                                        False, doubt, (problem,)), status=422)
    bay_acts.settle(town, who, at, doubt, words)
    return back(address(language, "staff-doubts", tenant=town.tenant.id))


def _zones(here: Platform, town: TenantStore, at: datetime) -> Mapping[ZoneId, ZoneView]:
    return {one.zone.id: one for one in staff.zones(town, staff.bays(town, at), at, here.settings.parking)}
