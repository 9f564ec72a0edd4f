"""Bays that are blocked for works or events: the list, a form for a new block, and its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api import bay_acts, staff
from api.auth import Actor
from api.deps import Acting, Now, ParkingOperating
from api.i18n import explain, language_of
from api.pages.addresses import address, paths
from api.pages.contexts import Option, Page, Problem
from api.pages.render import PageRoute, back, html, page_of
from city.closures import MOST_BAYS, MOST_REASON, Closure
from city.errors import Invalid, NotFound, Refused
from city.lighting import BERLIN
from city.store.ports import TenantStore

MAX_TYPED = 40_000  # characters of bays' numbers in one field

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class BlockForm:
    """What has been typed, as it was typed; times are those of the wall clock, as browsers write them."""

    bays: str = ""
    zone: str = ""
    start: str = ""
    end: str = ""
    reason: str = ""

    @property
    def numbers(self) -> list[str]:
        """The bays, between commas, spaces or lines."""
        return self.bays.replace(",", " ").replace(";", " ").split()


@dataclass(frozen=True, slots=True)
class BlocksPage:
    template: ClassVar[str] = "staff_blocks.html"
    page: Page
    current: Sequence[Closure]
    past: Sequence[Closure]
    zone_names: Mapping[str, str]
    bay_names: Mapping[str, str]
    zones: Sequence[Option]
    form: BlockForm
    said: str
    problems: tuple[Problem, ...] = ()
    most_reason: int = field(default=MOST_REASON, init=False)

    def zones_of(self, one: Closure) -> list[str]:
        """The names of the zones that its bays are in."""
        return sorted({self.zone_names[block.bay] for block in one.blocks if block.bay in self.zone_names})


@router.get(paths("staff-blocks")[0])
@router.get(paths("staff-blocks")[1])
def blocks(request: Request, town: ParkingOperating, who: Acting, at: Now, zone: str = "", said: str = "") -> Response:
    """All blocks; the address may name bays and a zone for a new one."""
    named = [one[:64] for one in request.query_params.getlist("bay")[:MOST_BAYS]]
    morning = (at.astimezone(BERLIN) + timedelta(days=1)).replace(hour=18, minute=0)
    form = BlockForm(", ".join(named), zone[:64], f"{at.astimezone(BERLIN):%Y-%m-%dT%H:%M}", f"{morning:%Y-%m-%dT%H:%M}")
    return _page(request, town, who, at, form, said if said in ("kept", "ended") else "")


@router.post(paths("staff-blocks")[0])
@router.post(paths("staff-blocks")[1])
async def send(request: Request, town: ParkingOperating, who: Acting, at: Now) -> Response:
    """Block what the form names, or the form again with what is wrong at its field."""
    data = await request.form()
    form = BlockForm(**{name: value.strip()[:MAX_TYPED] if isinstance(value := data.get(name, ""), str) else ""
                        for name in ("bays", "zone", "start", "end", "reason")})
    return await run_in_threadpool(_kept, request, town, who, at, form)


@router.post(paths("staff-block-end")[0])
@router.post(paths("staff-block-end")[1])
def end(request: Request, town: ParkingOperating, who: Acting, at: Now, closure: str) -> Response:
    """Open all bays of a block again, from now on."""
    bay_acts.end(town, who, at, closure)
    return back(address(language_of(request), "staff-blocks", [("said", "ended")], tenant=town.tenant.id))


def local_time(text: str, name: str) -> datetime:
    """A wall clock's time as browsers write it, 2026-11-23T08:00, in Berlin. Raises Invalid, naming the field."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=BERLIN)
    except ValueError:
        raise Invalid("Give day and time, as 2026-11-23T08:00.", field=name, rule="day and time") from None


def _kept(request: Request, town: TenantStore, who: Actor, at: datetime, form: BlockForm) -> Response:
    language = language_of(request)
    try:
        bay_acts.block(town, who, at, bays=form.numbers, zone=form.zone or None,
                       start=local_time(form.start, "start") if form.start else None, end=local_time(form.end, "end"),
                       reason=form.reason)
    except (Invalid, NotFound) as error:
        return _page(request, town, who, at, form, "", (_problem(language, error),))
    return back(address(language, "staff-blocks", [("said", "kept")], tenant=town.tenant.id))


def _problem(language: str, error: Refused) -> Problem:
    known = error.field in ("bays", "zone", "start", "end", "reason")
    return Problem(error.field if known else "bays", explain(language, error))


def _page(request: Request, town: TenantStore, who: Actor, at: datetime, form: BlockForm, said: str,
          problems: tuple[Problem, ...] = ()) -> Response:
    found, bays = staff.closed(town, at), town.bays()
    with_bays = {bay.zone for bay in bays}
    zones = sorted((one for one in town.zones() if one.id in with_bays), key=lambda one: one.name)
    names = {one.id: one.name for one in zones}
    return html(request, BlocksPage(
        page_of(request, who, town.tenant), [one for one in found if one.open_blocks(at)],
        [one for one in reversed(found) if not one.open_blocks(at)],
        {bay.id: names.get(bay.zone, bay.zone) for bay in bays},
        {bay.id: bay.name or bay.id for bay in bays}, [Option(one.id, one.name) for one in zones], form, said, problems),
        status=422 if problems else 200)
