"""One bay's page for staff: its state and why, its sensor, what that said in the last days, byte by byte, and how it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from api import bay_acts, staff
from api.deps import Acting, Here, Now, ParkingOperating, Platform
from api.i18n import language_of
from api.library import ModelView
from api.pages.addresses import address, paths
from api.pages.contexts import Page
from api.pages.lamp import Heard, heard, model_of
from api.pages.render import PageRoute, back, html, page_of
from api.staff import BayView
from city.bay_health import SensorHealth
from city.bays import BayEvent
from city.closures import Closure
from city.ids import asset_id
from city.parking_facts import BayDay
from city.readings import from_ns
from city.store.ports import TenantStore

MAX_WORDS, MAX_FRAMES = 60, 12

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class BayPage:
    template: ClassVar[str] = "staff_bay.html"
    page: Page
    view: BayView
    sensor: SensorHealth
    model: ModelView | None
    days: Sequence[BayDay]
    words: Sequence[tuple[datetime, BayEvent]]
    words_more: int
    frames: Sequence[Heard]
    blocks: Sequence[Closure]
    raw_days: int


@router.get(paths("staff-bay")[0])
@router.get(paths("staff-bay")[1])
def bay(request: Request, town: ParkingOperating, who: Acting, here: Here, at: Now, asset: str) -> Response:
    """What is known of one bay, and what its sensor said for as long as that is kept."""
    view = staff.bay(town, asset_id(asset), at)
    sensor = staff.sensor(town, view.bay.id, at, here.settings.parking)
    model, words = model_of(town, sensor.model), staff.words(town, view.bay.id, at, here.settings.parking)
    return html(request, BayPage(
        page_of(request, who, town.tenant), view, sensor, model, staff.days(town, view.bay.id, at),
        [(from_ns(event.at_ns), event) for event in words[:MAX_WORDS]], max(len(words) - MAX_WORDS, 0),
        _frames(here, town, view, model, at), _blocks(town, view, at), here.settings.parking.raw_days))


@router.post(paths("staff-bay-open")[0])
@router.post(paths("staff-bay-open")[1])
def opened(request: Request, town: ParkingOperating, who: Acting, at: Now, asset: str) -> Response:
    """Open it again, from now on."""
    bay_acts.open_bay(town, who, at, asset_id(asset))
    return back(address(language_of(request), "staff-bay", tenant=town.tenant.id, asset=asset))


def _frames(here: Platform, town: TenantStore, view: BayView, model: ModelView | None, at: datetime) -> list[Heard]:
    start = at - timedelta(days=here.settings.parking.raw_days)
    entries = here.log.entries(town.tenant.id, view.bay.id, start, at + timedelta(hours=1), MAX_FRAMES)
    return [heard(entry, model) for entry in entries if entry.data]


def _blocks(town: TenantStore, view: BayView, at: datetime) -> list[Closure]:
    """Those of this bay that hold or are to come."""
    return [one for one in staff.closed(town, at) if any(block.bay == view.bay.id for block in one.open_blocks(at))]
