"""The residents' parking page, its map, and what explains it: for everybody, without cookies, scripts or single bays needed."""

from dataclasses import replace
from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.deps import Now, Public
from api.i18n import language_of
from api.pages import public_rows
from api.pages.addresses import address, paths
from api.pages.contexts import Page
from api.pages.geo import streets
from api.pages.public_contexts import AccessibilityPage, EasyPage, Limits, ParkingPage, TownPrivacyPage, ZoneList
from api.pages.public_inline import sealed
from api.pages.public_rows import Wish
from api.pages.render import PageRoute, html, page_of, unless_known
from api.public_view import PublicTown, Telling
from city.lighting import BERLIN
from city.settings import Parking

LIST = "list"  # the changing part of the page alone
Filters = Annotated[list[str], Query(alias="filter", max_length=8)]
Short = Annotated[str, Query(max_length=40)]

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(paths("parking")[0])
@router.get(paths("parking")[1])
def parking(request: Request, town: Public, at: Now, telling: Telling, filters: Filters = [],  # noqa: B006 - FastAPI's way
            sort: Short = "", part: Short = "") -> Response:
    """Where one can park now: one line a zone."""
    language, seen, wish = language_of(request), telling.of(town, at), Wish.of(filters, sort)
    page, shown = town_page(request, seen), public_rows.rows(language, seen, wish)
    again = address(language, "parking", wish.query(), tenant=town.tenant.id)
    if part == LIST:
        return html(request, ZoneList(page, shown, bool(seen.zones), again), private=False)
    every = public_rows.rows(language, seen, Wish())
    return sealed(html(request, ParkingPage(
        page, shown, bool(seen.zones),
        public_rows.filter_links(language, town.tenant.id, wish, public_rows.offered_filters(every)),
        public_rows.sort_links(language, town.tenant.id, wish), limits(telling.settings), again,
        address(language, "map", tenant=town.tenant.id)), private=False))


@router.get(paths("map")[0])
@router.get(paths("map")[1])
def parking_map(request: Request, town: Public, at: Now, telling: Telling) -> Response:
    """The same zones for the map, and the town's streets: GeoJSON, no bays."""
    language, seen = language_of(request), telling.of(town, at)
    features = [{"type": "Feature", "id": index, "geometry": {"type": "Point", "coordinates": [zone.longitude, zone.latitude]},
                 "properties": {"name": zone.name, "word": zone.main.word, "grey": zone.grey,
                                "text": public_rows.in_words(language, zone)}}
                for index, zone in enumerate(seen.zones)]
    data = {"zones": {"type": "FeatureCollection", "features": features}, "streets": streets(town.streets()),
            "middle": [town.tenant.site.longitude, town.tenant.site.latitude]}
    return unless_known(request, msgspec.json.encode(data), "application/json", {})


@router.get(paths("easy")[0])
@router.get(paths("easy")[1])
def easy(request: Request, town: Public, at: Now, telling: Telling) -> Response:
    """How to read the parking page, in Leichte Sprache or plain English."""
    seen = telling.of(town, at)
    return sealed(html(request, EasyPage(town_page(request, seen), seen.town, limits(telling.settings)), private=False))


@router.get(paths("accessibility")[0])
@router.get(paths("accessibility")[1])
def accessibility(request: Request, town: Public, at: Now, telling: Telling) -> Response:
    """The town's accessibility statement (Directive (EU) 2016/2102, Art. 7; form: Decision (EU) 2018/1523)."""
    seen = telling.of(town, at)
    said, checked = seen.said_at.get(""), seen.town.checked_on
    return sealed(html(request, AccessibilityPage(
        town_page(request, seen), seen.town, None if said is None else said.astimezone(BERLIN).date(),
        date.fromisoformat(checked) if checked else None), private=False))


@router.get(paths("town-privacy")[0])
@router.get(paths("town-privacy")[1])
def privacy(request: Request, town: Public, at: Now, telling: Telling) -> Response:
    """The town's privacy notice for its parking (GDPR, Art. 13)."""
    seen, said = telling.of(town, at), telling.settings
    return sealed(html(request, TownPrivacyPage(
        town_page(request, seen), seen.town, said.raw_days, said.stays_days, said.sensor_days, said.doubt_days,
        said.quarter_days, said.least_bays, said.history_minutes), private=False))


def town_page(request: Request, seen: PublicTown) -> Page:
    """What every page of the town has; written as of the full minute, so that it stays the same for a minute."""
    return replace(page_of(request, town=seen.tenant), now=seen.minute)


def limits(settings: Parking) -> Limits:
    """When what is shown is old."""
    return Limits(settings.grey_minutes * 60, settings.hide_minutes * 60)
