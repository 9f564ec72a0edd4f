"""Pages for everybody: the list of towns, the residents' parking page, privacy. No cookies, no single bays."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from api import views
from api.deps import Here, Now, Public, anyone
from api.i18n import language_of, translate
from api.pages import labels
from api.pages.addresses import address, paths
from api.pages.contexts import Link, ParkingPage, ParkingRow, PrivacyPage, SpecialBays, TownsPage
from api.pages.geo import streets
from api.pages.render import PageRoute, html, page_of, unless_known
from api.views import ParkingZoneView
from city.parking import Word, ZoneOccupancy, publishable
from city.places import Restriction

FREE, DISABLED, CHARGING = "free", "disabled", "charging"
Filters = Annotated[list[str], Query(alias="filter", max_length=8)]

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("towns")[0], dependencies=[Depends(anyone)])
@router.get(paths("towns")[1], dependencies=[Depends(anyone)])
def towns(request: Request, here: Here) -> Response:
    """The front door: which towns there are."""
    response = html(request, TownsPage(page_of(request), sorted(here.store.tenants(), key=lambda town: town.name)),
                    private=False)
    response.headers["Vary"] = "Accept-Language, HX-Request, HX-Target"
    return response


@router.get(paths("privacy")[0], dependencies=[Depends(anyone)])
@router.get(paths("privacy")[1], dependencies=[Depends(anyone)])
def privacy(request: Request) -> Response:
    """What is stored of whoever reads these pages, and of whoever parks: next to nothing."""
    return html(request, PrivacyPage(page_of(request)), private=False)


@router.get(paths("parking")[0])
@router.get(paths("parking")[1])
def parking(request: Request, town: Public, at: Now, filters: Filters = []) -> Response:  # noqa: B006 - FastAPI's way
    """Where one can park now: one line a zone."""
    wanted = {word for word in filters if word in (FREE, DISABLED, CHARGING)}
    language = language_of(request)
    rows = [parking_row(zone) for zone in views.parking_zones(town, at)]
    page = page_of(request, town=town.tenant)
    return html(request, ParkingPage(
        page, [row for row in rows if _passes(row, wanted)], bool(rows), filter_links(language, town.tenant.id, wanted),
        address(language, "map", tenant=town.tenant.id)), private=False)


@router.get(paths("map")[0])
@router.get(paths("map")[1])
def parking_map(request: Request, town: Public, at: Now) -> Response:
    """The same zones for the map, and the town's streets: GeoJSON, no bays."""
    language = language_of(request)
    features = [{"type": "Feature", "id": index, "geometry": {"type": "Point",
                                                              "coordinates": [zone.longitude, zone.latitude]},
                 "properties": {"name": zone.zone.name, "word": row.word, "text": in_words(language, row)}}
                for index, zone in enumerate(views.parking_zones(town, at)) for row in [parking_row(zone)]]
    data = {"zones": {"type": "FeatureCollection", "features": features}, "streets": streets(town.streets()),
            "middle": [town.tenant.site.longitude, town.tenant.site.latitude]}
    return unless_known(request, msgspec.json.encode(data), "application/json", {})


def parking_row(zone: ParkingZoneView) -> ParkingRow:
    """What may be told of a zone: of few comparable bays a word only, and special bays always apart."""
    main = zone.main
    return ParkingRow(zone.zone.id, zone.zone.name, _tells(main, special=len(zone.counts) > 0), main.word.value, main,
                      tuple(_special(kind, count) for kind, count in zone.counts.items()
                            if kind is not Restriction.NONE and count.total), zone.newest)


def in_words(language: str, row: ParkingRow) -> str:
    """A zone's state as one phrase."""
    match row.tells:
        case "number":
            return translate(language, _("{free} free of {total}"), free=row.main.free, total=row.main.total)
        case "range":
            return translate(language, _("about {low}–{high} free of {total}"), low=row.main.free_min,
                             high=row.main.free_max, total=row.main.total)
        case "special":
            return translate(language, _("special bays only"))
    return translate(language, labels.PARKING_WORDS[Word(row.word)])


def filter_links(language: str, town: str, wanted: set[str]) -> list[Link]:
    """Each filter as a link that switches it over."""
    texts = {FREE: _("only free"), DISABLED: _("disabled parking"), CHARGING: _("charging")}
    return [Link(translate(language, text), address(language, "parking", _query(wanted ^ {word}), tenant=town),
                 word in wanted) for word, text in texts.items()]


def _query(wanted: Iterable[str]) -> list[tuple[str, str]]:
    return [("filter", word) for word in (FREE, DISABLED, CHARGING) if word in wanted]


def _tells(count: ZoneOccupancy, *, special: bool) -> str:
    if count.total == 0 and special:
        return "special"
    if count.word is Word.NO_DATA:
        return "nothing"
    if not publishable(count, Restriction.NONE):
        return "word"
    return "number" if count.says_number else "range"


def _special(kind: Restriction, count: ZoneOccupancy) -> SpecialBays:
    tellable = count.says_number and publishable(count, kind)
    return SpecialBays(kind.value, count.free if tellable else None, count.total)


def _passes(row: ParkingRow, wanted: set[str]) -> bool:
    kinds = wanted - {FREE}
    special: Sequence[SpecialBays] = [bays for bays in row.special if bays.kind in kinds]
    if kinds and {bays.kind for bays in special} != kinds:
        return False
    if FREE not in wanted:
        return True
    if kinds:
        return all((bays.free or 0) > 0 for bays in special)
    return row.main.free > 0 and row.tells in ("number", "range", "word")
