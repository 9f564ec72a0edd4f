"""Parking for its staff: every zone and bay with its state, its quality and the reason, as list and map."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from fastapi import APIRouter, Request, Response

from api import staff
from api.deps import Acting, Here, Now, ParkingOperating
from api.i18n import language_of, translate
from api.pages import bay_words
from api.pages.addresses import Pairs, address, paths
from api.pages.console import packed
from api.pages.contexts import Option, Page
from api.pages.geo import streets
from api.pages.render import PageRoute, html, page_of
from api.staff import BayView, ZoneView
from city.bays import Occupancy, Why
from city.parking_display import Tells
from city.places import Restriction
from city.store.ports import TenantStore

PER_PAGE = 100
MAX_TEXT, MOST_PAGES = 80, 9999

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Search:
    """Which bays are listed: everything of it stands in the address."""

    zone: str = ""
    state: str = ""
    quality: str = ""
    kind: str = ""
    text: str = ""
    page: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Search":
        """What an address asks for; what it cannot ask for is left out."""
        state, quality, kind, page = (given.get(name, "") for name in ("state", "quality", "kind", "page"))
        return cls(given.get("zone", "")[:64], state if state in _STATES else "",
                   quality if quality in bay_words.QUALITIES else "", kind if kind in _KINDS else "",
                   given.get("q", "")[:MAX_TEXT].strip(),
                   min(max(int(page), 1), MOST_PAGES) if page.isdecimal() and page.isascii() and len(page) < 6 else 1)

    def query(self, **changed: str) -> Pairs:
        """The address of this search with something changed."""
        now = {"zone": self.zone, "state": self.state, "quality": self.quality, "kind": self.kind, "q": self.text, **changed}
        return [(key, value) for key, value in now.items() if value]

    def found(self, views: Iterable[BayView]) -> list[BayView]:
        """Those that fit."""
        return [view for view in views if self._fits(view)]

    def _fits(self, view: BayView) -> bool:
        bay, text = view.bay, self.text.casefold()
        return (self.zone in ("", bay.zone) and self.state in ("", view.occupancy.value)
                and (not self.kind or _KINDS[self.kind] is bay.restriction) and self.quality in ("", bay_words.quality(view))
                and (not text or text in f"{bay.id} {bay.name} {view.zone_name}".casefold()))


@dataclass(frozen=True, slots=True)
class StaffParkingPage:
    template: ClassVar[str] = "staff_parking.html"
    page: Page
    zones: Sequence[ZoneView]
    old: Sequence[ZoneView]
    search: Search
    options: Mapping[str, Sequence[Option]]
    found: Sequence[BayView]
    count: int
    total: int
    previous: str
    next: str
    feed: str
    doubts: int
    mute: Sequence[ZoneView]
    broken: int
    unheard: int


@router.get(paths("staff-parking")[0])
@router.get(paths("staff-parking")[1])
def overview(request: Request, here: Here, town: ParkingOperating, who: Acting, at: Now) -> Response:
    """What needs somebody, zones with how much of them is known, and the bays that the address asks for."""
    search, language = Search.read(request.query_params), language_of(request)
    views = staff.bays(town, at)
    zones, found = staff.zones(town, views, at, here.settings.parking), search.found(views)
    last = max((len(found) - 1) // PER_PAGE + 1, 1)
    number = min(search.page, last)

    def turned(to: int) -> str:
        return address(language, "staff-parking", search.query(page=str(to)), tenant=town.tenant.id) + "#bays"

    return html(request, StaffParkingPage(
        page_of(request, who, town.tenant), zones, [one for one in zones if one.old], search, _options(language, zones),
        found[(number - 1) * PER_PAGE:number * PER_PAGE], len(found), len(views), turned(number - 1) if number > 1 else "",
        turned(number + 1) if number < last else "",
        address(language, "staff-bays", search.query(), tenant=town.tenant.id), len(town.doubts()),
        [one for one in zones if one.told is Tells.NOTHING and not one.old], staff.broken(views),
        sum(view.why is Why.UNHEARD for view in views)))


@router.get(paths("staff-bays")[0])
@router.get(paths("staff-bays")[1])
def map_feed(request: Request, town: ParkingOperating, at: Now) -> Response:
    """The bays that the address asks for, for the map: GeoJSON."""
    language, search = language_of(request), Search.read(request.query_params)
    site = town.tenant.site
    data = {"bays": {"type": "FeatureCollection", "features": [
        _feature(language, town, view) for view in search.found(staff.bays(town, at))]},
        "streets": streets(town.streets()), "middle": [site.longitude, site.latitude]}
    return packed(request, msgspec.json.encode(data))


def _feature(language: str, town: TenantStore, view: BayView) -> dict[str, object]:
    bay = view.bay
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [bay.site.longitude, bay.site.latitude]},
            "properties": {"id": bay.id, "name": bay.name or bay.id, "state": view.occupancy.value,
                           "sure": bay_words.quality(view) == bay_words.SURE,
                           "word": translate(language, bay_words.STATES[view.occupancy]), "why": bay_words.reason(language, view),
                           "href": address(language, "staff-bay", tenant=town.tenant.id, asset=bay.id)}}


def _options(language: str, zones: Sequence[ZoneView]) -> dict[str, Sequence[Option]]:
    return {
        "zone": [Option(one.zone.id, f"{one.zone.name} ({len(one.bays)})") for one in zones],
        "state": [Option(state.value, translate(language, text)) for state, text in bay_words.STATES.items()],
        "kind": [Option(word, translate(language, bay_words.KINDS[kind])) for word, kind in _KINDS.items()],
        "quality": [Option(word, translate(language, text)) for word, text in bay_words.QUALITIES.items() if word]}


_STATES = frozenset(state.value for state in Occupancy)
_KINDS = {kind.value or "everybody": kind for kind in bay_words.KINDS if kind in Restriction}
