"""How the sensors of bays do, the worst first; and who has parked for longer than allowed, now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from api import staff
from api.deps import Acting, Here, Now, ParkingOperating
from api.i18n import language_of, translate
from api.pages import bay_words
from api.pages.addresses import address, paths
from api.pages.contexts import Link, Option, Page
from api.pages.render import PageRoute, html, page_of
from city.bay_health import Finding, SensorHealth
from city.ids import AssetId, ZoneId
from city.overstays import ZoneOverstays
from city.places import Zone

MOST_SHOWN = 500

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class SensorsPage:
    template: ClassVar[str] = "staff_sensors.html"
    page: Page
    rows: Sequence[SensorHealth]
    found: int
    total: int
    broken: int
    ill: int
    filters: Sequence[Link]
    zones: Sequence[Option]
    zone: str
    finding: str
    zone_names: Mapping[ZoneId, str]
    days: int


@dataclass(frozen=True, slots=True)
class OverstaysPage:
    template: ClassVar[str] = "staff_overstays.html"
    page: Page
    zones: Sequence[ZoneOverstays]
    names: Mapping[ZoneId, str]
    bays: Mapping[AssetId, str]
    has_limits: bool


@router.get(paths("staff-sensors")[0])
@router.get(paths("staff-sensors")[1])
def sensors(request: Request, town: ParkingOperating, who: Acting, here: Here, at: Now, zone: str = "",
            finding: str = "") -> Response:
    """All sensors; the address may ask for a zone, or for one thing that is wrong."""
    language, chosen = language_of(request), finding if finding in _FINDINGS else ""
    every = staff.sensors(town, at, here.settings.parking, ZoneId(zone[:64]) if zone else None)
    found = [one for one in every if not chosen or Finding(chosen) in one.findings]
    counts = {kind: sum(kind in one.findings for one in every) for kind in Finding}
    zones = _with_bays(town.zones(), {bay.zone for bay in town.bays()})

    def link(text: str, kind: str) -> Link:
        query = [(key, value) for key, value in (("zone", zone[:64]), ("finding", kind)) if value]
        return Link(text, address(language, "staff-sensors", query, tenant=town.tenant.id), kind == chosen)

    return html(request, SensorsPage(
        page_of(request, who, town.tenant), found[:MOST_SHOWN], len(found), len(every), sum(one.broken for one in every),
        sum(bool(one.findings) for one in every),
        [link(translate(language, _("all")), ""), *(link(f"{translate(language, bay_words.FINDINGS[kind])} ({count})", kind.value)
                                                   for kind, count in counts.items() if count or kind.value == chosen)],
        [Option(one.id, one.name) for one in zones], zone[:64], chosen, {one.id: one.name for one in zones},
        here.settings.parking.health_days))


@router.get(paths("staff-overstays")[0])
@router.get(paths("staff-overstays")[1])
def overstays(request: Request, town: ParkingOperating, who: Acting, here: Here, at: Now) -> Response:
    """Zones with a limit that holds now, then their bays and minutes. Nothing of it is kept, and there is no export."""
    return html(request, OverstaysPage(
        page_of(request, who, town.tenant), staff.zone_overstays(town, at, here.settings.parking),
        {one.id: one.name for one in town.zones()},
        {bay.id: bay.name or bay.id for bay in town.bays()}, any(site.rules for site in town.parking_sites().values())))


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


def _with_bays(zones: Sequence[Zone], named: set[ZoneId]) -> list[Zone]:
    return sorted((one for one in zones if one.id in named), key=lambda one: one.name)


_FINDINGS = frozenset(kind.value for kind in Finding)
