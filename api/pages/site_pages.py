"""Staff's pages of parking zones: what holds where, a form for each zone, lists of many, and what the town says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.auth import Actor
from api.deps import Acting, Asking, Now, ParkingEngineering, ParkingViewing
from api.i18n import explain, language_of, translate
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Page, Problem
from api.pages.importing import packed_of, unpacked
from api.pages.program_contexts import Option
from api.pages.render import PageRoute, back, html, page_of
from api.pages.rule_words import from_words, sentences
from api.pages.site_form import Typed, site_form, site_meant, town_form, town_meant, typed_site, typed_town
from api.site_keeping import keep_list, keep_site, keep_town, known_of, parking_zones, site_of
from city.errors import Conflict, Invalid, Refused
from city.ids import ZoneId
from city.imports import Problem as RowProblem
from city.parking_cautions import site_cautions
from city.parking_checks import KINDS, MAX_RULES, ORIENTATIONS, Caution
from city.parking_import import COLUMNS, MAX_BYTES, Preview, preview
from city.parking_places import ParkingSite
from city.parking_rules import broken_hours, in_force
from city.store.ports import Role, TenantStore

CHANGES = 6  # that are told ahead
SHOWN = 200

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=80)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


KIND_WORDS = {"ON_STREET": _("at the roadside"), "OFF_STREET_PARKING_GROUND": _("car park, open ground"),
              "UNDERGROUND": _("underground car park"), "CAR_PARK": _("multi-storey car park")}
ORIENTATION_WORDS = {"": _("not said"), "PARALLEL": _("along the road"), "DIAGONAL": _("slanting"),
                     "PERPENDICULAR": _("across the road")}
FOR_WORDS = {"none": _("no rule"), "all": _("for everybody"), "resident": _("residents with a permit"),
             "disabled": _("with a disabled badge"), "charging": _("while charging")}


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A zone in the list: what holds now, and whether anything of it cannot be read."""

    id: str
    name: str
    site: ParkingSite
    said: bool
    now: Sequence[str]
    broken: Sequence[str]
    merged_into: str


@dataclass(frozen=True, slots=True)
class SitesPage:
    template: ClassVar[str] = "parking_rules.html"
    page: Page
    rows: Sequence[SiteRow]
    may_edit: bool
    saved: str = ""


@dataclass(frozen=True, slots=True)
class SitePage:
    """`ahead`: from when on what holds, as the form stands; `cautions` what of it hardly says what was meant."""

    template: ClassVar[str] = "parking_site.html"
    page: Page
    id: str
    name: str
    form: Typed
    others: Sequence[Option]
    permits: Sequence[Option]
    ahead: Sequence[tuple[str, Sequence[str]]]
    cautions: Sequence[Caution]
    may_edit: bool
    problems: tuple[Problem, ...] = ()
    saved: bool = False
    kinds: ClassVar[Sequence[tuple[str, str]]] = [(code, KIND_WORDS[code]) for code in KINDS]
    orientations: ClassVar[Sequence[tuple[str, str]]] = [(code, ORIENTATION_WORDS[code]) for code in ("", *ORIENTATIONS)]
    people: ClassVar[Sequence[tuple[str, str]]] = list(FOR_WORDS.items())
    most_rules: ClassVar[int] = MAX_RULES


@dataclass(frozen=True, slots=True)
class TownPage:
    template: ClassVar[str] = "parking_town.html"
    page: Page
    form: Typed
    may_edit: bool
    saved: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ListPage:
    """`found`: what a file that has been looked at would change; it travels back `packed`."""

    template: ClassVar[str] = "parking_list.html"
    page: Page
    columns: Sequence[str]
    may_edit: bool
    found: Preview | None = None
    packed: str = field(default="", repr=False)
    done: str = ""
    problems: tuple[Problem, ...] = ()
    shown: ClassVar[int] = SHOWN

    @staticmethod
    def sentence(language: str, problem: RowProblem) -> str:
        """What is wrong with a row."""
        return translate(language, problem.message, **problem.facts)


@router.get(paths("parking-rules")[0])
@router.get(paths("parking-rules")[1])
def sites(request: Request, town: ParkingViewing, who: Asking, at: Now, saved: Word = "") -> Response:
    """All parking zones and what holds there now."""
    said, names, language = town.parking_sites(), {zone.id: zone.name for zone in town.zones()}, language_of(request)
    rows = []
    for zone in parking_zones(town):
        site = said.get(zone.id, ParkingSite(zone.id))
        rows.append(SiteRow(zone.id, zone.name, site, zone.id in said, _now(town, site, language, at), broken_hours(site),
                            names.get(ZoneId(site.merged_into), site.merged_into)))
    return html(request, SitesPage(page_of(request, who, town.tenant), rows, may(who, Role.ENGINEER), saved))


@router.get(paths("parking-site")[0])
@router.get(paths("parking-site")[1])
def site(request: Request, town: ParkingViewing, who: Asking, at: Now, zone: str, saved: Word = "") -> Response:
    """One zone's form."""
    return _site_page(request, town, who, at, zone, site_form(site_of(town, zone)), saved=bool(saved))


@router.post(paths("parking-site")[0])
@router.post(paths("parking-site")[1])
async def keep(request: Request, town: ParkingEngineering, who: Acting, at: Now, zone: str) -> Response:
    """Keep what was typed, or only say what it would mean."""
    form = await request.form()
    return await run_in_threadpool(_keep, request, town, who, at, zone, typed_site(form), save=form.get("do") != "check")


@router.get(paths("parking-town")[0])
@router.get(paths("parking-town")[1])
def town_page(request: Request, town: ParkingViewing, who: Asking, saved: Word = "") -> Response:
    """Who operates, who answers, under which licence."""
    return html(request, TownPage(page_of(request, who, town.tenant), town_form(town.parking_town()), may(who, Role.ENGINEER),
                                  bool(saved)))


@router.post(paths("parking-town")[0])
@router.post(paths("parking-town")[1])
async def put_town(request: Request, town: ParkingEngineering, who: Acting, at: Now) -> Response:
    """Keep what was typed."""
    return await run_in_threadpool(_keep_town, request, town, who, at, typed_town(await request.form()))


@router.get(paths("parking-list")[0])
@router.get(paths("parking-list")[1])
def list_page(request: Request, town: ParkingViewing, who: Asking, done: Word = "") -> Response:
    """The form for a list of many zones."""
    return html(request, ListPage(page_of(request, who, town.tenant), COLUMNS, may(who, Role.ENGINEER),
                                  done=done if done.isdecimal() and len(done) < 8 else ""))


@router.post(paths("parking-list")[0])
@router.post(paths("parking-list")[1])
async def put_list(request: Request, town: ParkingEngineering, who: Acting, at: Now) -> Response:
    """Look at a file, or keep the one that was looked at."""
    form = await request.form()
    packed, file = form.get("packed"), form.get("file")
    data = await file.read(MAX_BYTES + 1) if isinstance(file, UploadFile) and file.filename else b""
    return await run_in_threadpool(_list, request, town, who, at, packed if isinstance(packed, str) else "", data)


# -- parts

def told(language: str, faults: Sequence[Refused]) -> tuple[Problem, ...]:
    """Faults as they stand at their fields: “rules.0.hours” is the field rules-0-hours."""
    return tuple(Problem((fault.field or "form").replace(".", "-"), explain(language, fault)) for fault in faults)


def _keep(request: Request, town: TenantStore, who: Actor, at: datetime, zone: str, form: Typed, *, save: bool) -> Response:
    meant, faults = site_meant(site_of(town, zone).zone, form)
    wrong: list[Refused] = list(faults)
    if meant is not None and save:
        try:
            wrong = list(keep_site(town, meant, who, at))
        except Conflict as error:
            wrong = [error]
        if not wrong and _cautions(town, meant, at):
            return back(address(language_of(request), "parking-site", [("saved", "1")], tenant=town.tenant.id, zone=zone))
        if not wrong:
            return back(address(language_of(request), "parking-rules", [("saved", zone)], tenant=town.tenant.id))
    return _site_page(request, town, who, at, zone, form, meant, told(language_of(request), wrong))


def _site_page(request: Request, town: TenantStore, who: Actor | None, at: datetime, zone: str, form: Typed,
               meant: ParkingSite | None = None, problems: tuple[Problem, ...] = (), *, saved: bool = False) -> Response:
    site = meant or site_of(town, zone)
    others = [Option(one.id, one.name) for one in parking_zones(town) if one.id != zone]
    permits = [Option(one.code, f"{one.code} {one.name}".strip()) for one in town.permit_zones()]
    names = {one.id: one.name for one in town.zones()}
    context = SitePage(page_of(request, who, town.tenant), zone, names[ZoneId(zone)], form, others, permits,
                       _ahead(town, site, language_of(request), at), _cautions(town, site, at), may(who, Role.ENGINEER),
                       problems, saved)
    return html(request, context, status=422 if problems else 200)


def _now(town: TenantStore, site: ParkingSite, language: str, at: datetime) -> list[str]:
    middle = town.tenant.site
    return sentences(language, in_force(site, at, land=town.tenant.land, point=(middle.longitude, middle.latitude)), at)


def _cautions(town: TenantStore, site: ParkingSite, at: datetime) -> list[Caution]:
    middle = town.tenant.site
    return site_cautions(site, at, land=town.tenant.land, point=(middle.longitude, middle.latitude))


def _ahead(town: TenantStore, site: ParkingSite, language: str, now: datetime) -> list[tuple[str, Sequence[str]]]:
    """The next changes: from when on, and what holds then."""
    middle = town.tenant.site
    found: list[tuple[str, Sequence[str]]] = []
    at: datetime | None = now
    while at is not None and len(found) < CHANGES:
        holds = in_force(site, at, land=town.tenant.land, point=(middle.longitude, middle.latitude))
        start = translate(language, "now") if at == now else from_words(language, at, now)
        found.append((start, sentences(language, holds.for_good, now)))
        at = holds.until
    return found


def _keep_town(request: Request, town: TenantStore, who: Actor, at: datetime, form: Typed) -> Response:
    language = language_of(request)
    faults = keep_town(town, town_meant(form), who, at)
    if not faults:
        return back(address(language, "parking-town", [("saved", "1")], tenant=town.tenant.id))
    context = TownPage(page_of(request, who, town.tenant), form, may_edit=True, problems=told(language, faults))
    return html(request, context, status=422)


def _list(request: Request, town: TenantStore, who: Actor, at: datetime, packed: str, data: bytes) -> Response:
    language, known = language_of(request), known_of(town)
    page = page_of(request, who, town.tenant)
    try:
        if packed:
            kept = keep_list(town, preview(unpacked(packed.encode()), known), who, at)
            return back(address(language, "parking-list", [("done", str(kept))], tenant=town.tenant.id))
        if not data:
            raise Invalid(_("Choose a file first."), field="file", rule="required")
        found = preview(data, known)
    except Refused as error:
        wrong = (Problem("file", explain(language, error)),)
        return html(request, ListPage(page, COLUMNS, may_edit=True, problems=wrong), status=422)
    return html(request, ListPage(page, COLUMNS, may_edit=True, found=found, packed=packed_of(data) if found.sites else ""))
