"""What is kept of parking, for how long and why: what was removed because its time was over, and the town's record of
processing activities (Art. 30 DSGVO), to be read and printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Request, Response

from api.deps import EITHER, Acting, Here, Now, ParkingOperating, scope
from api.pages.addresses import paths
from api.pages.contexts import Page
from api.pages.render import PageRoute, html, page_of
from city.parking_facts import Retired
from city.record_of_processing import Record, record
from city.retention import EVENTS, broken_promises, latest, plan
from city.store.ports import Role, TenantStore
from city.store.retiring import INFLUX_BAYS

MOST_REPORTS, SHOWN = 2000, 60
SHIPPED_LATELY = timedelta(days=7)  # with a report so young there is an InfluxDB, wherever its address is set
Administering = Annotated[TenantStore, Depends(scope(Role.ADMIN, EITHER))]

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


WORDS: Mapping[str, str] = {
    "bay_events": _("Messages of bays' sensors"), "bay_letters": _("Their messages that could not be read"),
    "parking_stays": _("Stays under an alias"), "bay_days": _("Health of sensors, by day"), "doubts": _("Residents' feedback"),
    "sensor_checks": _("Sensor checks after feedback, by zone"), "checked_sensors": _("… and what they found of single sensors"),
    "forecasts": _("Forecasts"), "bay_blocks": _("Blocks that are over"), "parking_quarters": _("Quarter hours of zones"),
    "few_quarters": _("Quarter hours of fewer than five bays"),
    INFLUX_BAYS: _("Messages of bays' sensors in InfluxDB"), "retired": _("These reports")}


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind: how long it is kept, since when there is anything of it, and when that was last seen to. `late`: it was not, or
    something is left whose time is over."""

    name: str
    keep_days: int
    oldest: datetime | None
    seen_to: datetime | None
    late: bool


@dataclass(frozen=True, slots=True)
class RetentionPage:
    template: ClassVar[str] = "retention.html"
    page: Page
    kinds: Sequence[Kept]
    removed: Sequence[tuple[str, Retired]]
    late: bool
    may_read_record: bool


@dataclass(frozen=True, slots=True)
class ProcessingPage:
    template: ClassVar[str] = "processing.html"
    page: Page
    record: Record


@router.get(paths("retention")[0])
@router.get(paths("retention")[1])
def retention(request: Request, town: ParkingOperating, here: Here, who: Acting, at: Now) -> Response:
    """What was removed, and whether anything is still there that should not be."""
    terms, reports = plan(here.settings.parking, at), town.retired(MOST_REPORTS)
    newest = latest(reports)
    if INFLUX_BAYS in newest and at - newest[INFLUX_BAYS].at < SHIPPED_LATELY:
        terms += [replace(term, what=INFLUX_BAYS) for term in terms if term.what == EVENTS]
    late = set(broken_promises(terms, newest, at))
    kinds = [Kept(WORDS[term.what], term.keep_days, newest[term.what].oldest if term.what in newest else None,
                  newest[term.what].at if term.what in newest else None, term.what in late) for term in terms]
    removed = [(WORDS.get(one.what, one.what), one) for one in reports if one.removed][:SHOWN]
    return html(request, RetentionPage(page_of(request, who, town.tenant), kinds, removed, bool(late), who.may(Role.ADMIN)))


@router.get(paths("processing")[0])
@router.get(paths("processing")[1])
def processing(request: Request, town: Administering, here: Here, who: Acting) -> Response:
    """The record, made anew from what holds now."""
    return html(request, ProcessingPage(page_of(request, who, town.tenant),
                                        record(town.tenant, town.parking_town(), here.settings)))
