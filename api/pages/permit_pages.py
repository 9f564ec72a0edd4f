"""Staff's pages of permit zones: their list with the pressure on them, and a form for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.auth import Actor
from api.deps import Acting, Asking, Here, Now, ParkingEngineering, ParkingViewing, platform
from api.i18n import language_of
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Page, Problem
from api.pages.permit_words import PermitWords, permit_words
from api.pages.render import PageRoute, back, html, page_of
from api.pages.site_form import Typed, permit_form, permit_meant, typed_permit
from api.pages.site_pages import told
from api.permit_report import DAYS, as_csv, report
from api.site_keeping import keep_permit_zone, remove_permit_zone
from city.errors import Conflict, Refused
from city.parking_checks import MAX_FEES, Caution, permit_cautions, permit_faults
from city.parking_places import PermitZone
from city.pressure import Pressure
from city.store.ports import Role, TenantStore

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=80)]
Code = Annotated[str, Form(max_length=40)]


@dataclass(frozen=True, slots=True)
class PermitRow:
    """A permit zone in the list: what it says to residents, who parks there by its name, and the pressure on it."""

    zone: PermitZone
    words: PermitWords
    parking_zones: Sequence[str]
    pressure: Pressure | None
    cautions: Sequence[Caution]


@dataclass(frozen=True, slots=True)
class PermitsPage:
    template: ClassVar[str] = "permits.html"
    page: Page
    rows: Sequence[PermitRow]
    days: int
    may_edit: bool
    saved: str = ""
    problems: tuple[Problem, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class PermitPage:
    template: ClassVar[str] = "permit.html"
    page: Page
    code: str
    known: bool
    form: Typed
    cautions: Sequence[Caution]
    may_edit: bool
    problems: tuple[Problem, ...] = ()
    most_fees: ClassVar[int] = MAX_FEES


@router.get(paths("permits")[0])
@router.get(paths("permits")[1])
def permits(request: Request, town: ParkingViewing, who: Asking, at: Now, saved: Word = "") -> Response:
    """All permit zones."""
    return _list(request, town, who, at, saved=saved)


@router.post(paths("permits")[0])
@router.post(paths("permits")[1])
def begin(request: Request, town: ParkingEngineering, who: Acting, at: Now, code: Code = "") -> Response:
    """Go on to the form of a new one."""
    code = code.strip()
    wrong = [fault for fault in permit_faults(PermitZone(code), town.tenant.site) if fault.field == "code"]
    if wrong:
        return _list(request, town, who, at, problems=told(language_of(request), wrong), code=code)
    return back(address(language_of(request), "permit", tenant=town.tenant.id, code=code))


@router.get(paths("permit-pressure")[0])
@router.get(paths("permit-pressure")[1])
def pressure_csv(town: ParkingViewing, here: Here, at: Now) -> Response:
    """The pressure on permit zones as CSV."""
    name = f"bewohnerparken-{town.tenant.id}-{at:%Y-%m-%d}.csv"
    body = as_csv(report(town, at, DAYS, here.settings.parking)).encode("utf-8-sig")
    return Response(body, media_type="text/csv; charset=utf-8",
                    headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})


@router.get(paths("permit")[0])
@router.get(paths("permit")[1])
def permit(request: Request, town: ParkingViewing, who: Asking, code: str) -> Response:
    """One permit zone's form; an empty one where there is none yet."""
    zone = _of(town, code)
    return _page(request, town, who, code, permit_form(zone or PermitZone(code)), zone)


@router.post(paths("permit")[0])
@router.post(paths("permit")[1])
async def keep(request: Request, town: ParkingEngineering, who: Acting, at: Now, code: str) -> Response:
    """Keep what was typed."""
    return await run_in_threadpool(_keep, request, town, who, at, code, typed_permit(await request.form()))


@router.post(paths("permit-remove")[0])
@router.post(paths("permit-remove")[1])
def remove(request: Request, town: ParkingEngineering, who: Acting, at: Now, code: str) -> Response:
    """Remove it, unless a parking zone names it."""
    try:
        remove_permit_zone(town, code, who, at)
    except Conflict as error:
        zone = _of(town, code)
        return _page(request, town, who, code, permit_form(zone or PermitZone(code)), zone, told(language_of(request), [error]))
    return back(address(language_of(request), "permits", tenant=town.tenant.id))


def _keep(request: Request, town: TenantStore, who: Actor, at: datetime, code: str, form: Typed) -> Response:
    meant, faults = permit_meant(code, form)
    wrong: list[Refused] = list(faults)
    if meant is not None:
        try:
            wrong = list(keep_permit_zone(town, meant, who, at))
        except Conflict as error:
            wrong = [error]
        if not wrong:
            return back(address(language_of(request), "permits", [("saved", code)], tenant=town.tenant.id))
    return _page(request, town, who, code, form, _of(town, code), told(language_of(request), wrong))


def _of(town: TenantStore, code: str) -> PermitZone | None:
    return next((zone for zone in town.permit_zones() if zone.code == code), None)


def _list(request: Request, town: TenantStore, who: Actor | None, at: datetime, *, saved: str = "",
          problems: tuple[Problem, ...] = (), code: str = "") -> Response:
    middle, language, names = town.tenant.site, language_of(request), {zone.id: zone.name for zone in town.zones()}
    pressure = {one.code: one for one in report(town, at, DAYS, platform(request).settings.parking)}
    sites = town.parking_sites()
    rows = [PermitRow(zone, permit_words(language, zone, at, land=town.tenant.land, point=(middle.longitude, middle.latitude)),
                      sorted(names.get(one, one) for one, site in sites.items() if site.permit_zone == zone.code),
                      pressure.get(zone.code), permit_cautions(zone)) for zone in town.permit_zones()]
    return html(request, PermitsPage(page_of(request, who, town.tenant), rows, DAYS, may(who, Role.ENGINEER), saved, problems,
                                     code), status=422 if problems else 200)


def _page(request: Request, town: TenantStore, who: Actor | None, code: str, form: Typed, zone: PermitZone | None,
          problems: tuple[Problem, ...] = ()) -> Response:
    cautions = permit_cautions(zone) if zone is not None else []
    context = PermitPage(page_of(request, who, town.tenant), code[:40], zone is not None, form, cautions, may(who, Role.ENGINEER),
                         problems)
    return html(request, context, status=422 if problems else 200)


