"""What residents say is wrong: with what the page said then, and what the sensors said since; to be settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form, Request, Response

from api import bay_acts, staff
from api.auth import Actor
from api.deps import Acting, Here, Now, ParkingOperating, Platform
from api.i18n import language_of, translate
from api.pages.addresses import address, paths
from api.pages.contexts import Page, Problem
from api.pages.render import PageRoute, back, html, page_of
from api.staff import ZoneView
from city.bay_health import Finding
from city.ids import AssetId, ZoneId
from city.parking_places import Doubt
from city.sensor_checks import CheckedSensor, CheckRules, Result, SensorCheck, Word, check_of, urgent_first
from city.store.ports import TenantStore

MOST = 200
MAX_OUTCOME = 500
MOST_TOLD = 30  # sensors of a check

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class CheckView:
    """The check that a report has started. `told`: sensors with something to tell and the names of their bays, the worst first;
    `waiting`: how many have not said their state since."""

    check: SensorCheck
    result: Result
    told: Sequence[tuple[str, CheckedSensor, Sequence[Finding]]]

    @property
    def forgotten(self) -> bool:
        """Whether what was found of single sensors is not kept any more."""
        return not self.check.sensors and self.check.total > 0


@dataclass(frozen=True, slots=True)
class DoubtsPage:
    template: ClassVar[str] = "staff_doubts.html"
    page: Page
    rows: Sequence[Doubt]
    checks: Mapping[str, CheckView]  # by report
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
    """Those that are open, or past ones too: first those that the check of the zone's sensors bears out."""
    return html(request, _page(request, here, town, who, at, every=bool(every)))


@router.post(paths("staff-doubt-close")[0])
@router.post(paths("staff-doubt-close")[1])
def close(request: Request, here: Here, town: ParkingOperating, who: Acting, at: Now, doubt: str,
          outcome: Annotated[str, Form(max_length=4 * MAX_OUTCOME)] = "") -> Response:
    """Settle one, with what was found out."""
    language, words = language_of(request), " ".join(outcome.split())[:MAX_OUTCOME]
    if not words:
        problem = Problem(f"outcome-{doubt}", translate(language, _("Say in a few words what was found out.")))
        return html(request, _page(request, here, town, who, at, wrong=doubt, problems=(problem,)), status=422)
    bay_acts.settle(town, who, at, doubt, words)
    return back(address(language, "staff-doubts", tenant=town.tenant.id))


def _page(request: Request, here: Platform, town: TenantStore, who: Actor, at: datetime, *, every: bool = False,
          wrong: str = "", problems: tuple[Problem, ...] = ()) -> DoubtsPage:
    said = town.doubts(open_only=not every, limit=MOST)
    by = CheckRules.of(here.settings.parking)
    checks = staff.checks(town, said, by)
    names = {bay.id: bay.name or bay.id for bay in town.bays()} if checks else {}
    views = {one.id: _view(one, check, names) for one in said if (check := check_of(one, checks, by)) is not None}
    return DoubtsPage(page_of(request, who, town.tenant), urgent_first(said, checks, by), views, _zones(here, town, at), every,
                      wrong, problems)


def _view(doubt: Doubt, check: SensorCheck, names: Mapping[AssetId, str]) -> CheckView:
    told = [one for one in check.sensors if one.suspicious or (check.done_at is not None and one.word == Word.WAITING.value)]
    told.sort(key=lambda one: (one.word != Word.WRONG.value, one.word != Word.MISSED.value, staff.by_number(one.bay)))
    return CheckView(check, check.result(doubt.what), [
        (names.get(one.bay, one.bay), one, [Finding(word) for word in one.findings]) for one in told[:MOST_TOLD]])


def _zones(here: Platform, town: TenantStore, at: datetime) -> Mapping[ZoneId, ZoneView]:
    return {one.zone.id: one for one in staff.zones(town, staff.bays(town, at), at, here.settings.parking)}
