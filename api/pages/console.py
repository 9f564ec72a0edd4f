"""The operator's console: tonight in one line, the lamps as list and map, and what is wrong."""

import gzip
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from fastapi import APIRouter, Request, Response

from api import views
from api.auth import Actor
from api.deps import LIGHTING, Acting, AnyViewing, Here, Now, Viewing
from api.i18n import language_of, translate
from api.pages import labels
from api.pages.addresses import address, paths
from api.pages.contexts import ConsolePage, LampList, Option, Tonight
from api.pages.finding import UNHEARD, Search, columns
from api.pages.geo import streets
from api.pages.render import PageRoute, back, html, page_of
from api.views import LuminaireView
from city.alarms import AlarmKind
from city.groups import Groups
from city.health import Beat, fill, of_bridges
from city.lighting import BERLIN, Override
from city.store.ports import Role, TenantStore
from city.sun import night

PER_PAGE = 50
PACKED_FROM = 32_768  # bytes from which an answer is compressed

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("console")[0])
@router.get(paths("console")[1])
def console(request: Request, here: Here, town: AnyViewing, who: Acting, at: Now) -> Response:
    """Lamps as list and map, with what the town wants of them tonight. It is where everybody begins who works for the town:
    whoever works in parking alone goes on to parking."""
    if not who.works_in(LIGHTING):
        return back(address(language_of(request), "staff-parking" if who.may(Role.OPERATOR) else "parking",
                            tenant=town.tenant.id))
    search = Search.read(request.query_params)
    lamps, groups = views.luminaires(town, at), town.programming().groups
    zones = views.zones_of(town, lamps, at)
    language = language_of(request)
    context = ConsolePage(
        page_of(request, who, town.tenant), tonight(town, lamps, at),
        next((one for one in zones if one.zone.id == search.zone), None),
        singles(lamps, search.zone), oldest_power(lamps, search.zone), search, options(language, town, lamps, groups, search),
        lamp_list(language, town, search.found(lamps, groups), bool(lamps), search),
        {name: address(language, name, tenant=town.tenant.id) for name in ("lamps", "streets", "dim", "dim-draft")},
        may(who, Role.OPERATOR), may(who, Role.ENGINEER), troubles(language, here.store.beats(), at))
    return html(request, context)


@router.get(paths("lamps")[0])
@router.get(paths("lamps")[1])
def lamps_feed(request: Request, town: Viewing, at: Now) -> Response:
    """Every lamp for list and map, a column for each fact. What changes later comes from the API's live events."""
    data = {"now": int(at.timestamp()), **columns(views.luminaires(town, at), town.programming().groups)}
    return packed(request, msgspec.json.encode(data))


def packed(request: Request, data: bytes) -> Response:
    """JSON, compressed where it is much and the browser takes that."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if len(data) >= PACKED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        data, headers = gzip.compress(data, 1), {**headers, "Content-Encoding": "gzip"}
    return Response(data, media_type="application/json", headers=headers)


@router.get(paths("streets")[0])
@router.get(paths("streets")[1])
def streets_feed(town: AnyViewing) -> Response:
    """The town's own streets: the base map."""
    site = town.tenant.site
    return Response(msgspec.json.encode({"streets": streets(town.streets()), "middle": [site.longitude, site.latitude]}),
                    media_type="application/json", headers={"Cache-Control": "private, max-age=300"})


def may(who: Actor | None, role: Role) -> bool:
    """Whether somebody is signed in who may do that."""
    return who is not None and who.may(role)


def singles(lamps: Iterable[LuminaireView], zone: str) -> list[Override]:
    """The overrides of single lamps in a zone, the one that ends last at the end."""
    return sorted((view.override for view in lamps if view.lamp.zone == zone and view.override is not None
                   and any(one.kind == "lamp" for one in view.override.targets)), key=lambda wish: wish.end)


def oldest_power(lamps: Iterable[LuminaireView], zone: str) -> datetime | None:
    """When the oldest power that stands in a zone's sum was measured."""
    return min((view.power_at for view in lamps if view.lamp.zone == zone and view.power_at is not None), default=None)


def troubles(language: str, beats: Sequence[Beat], at: datetime) -> list[str]:
    """Why what the page shows may be old: bridges that are not heard, or say that they cannot work."""
    return [fill(translate(language, reason.sentence), reason.facts) for reason in of_bridges(beats, at)
            if reason.broken or reason.code == "bridge_silent"]


def tonight(town: TenantStore, lamps: Sequence[LuminaireView], at: datetime) -> Tonight:
    """The next turn of the sun, how many lamps speak, what is wrong, and what people have overridden or ask a second person
    for."""
    sun, sun_at = next_sun(town, at)
    known = [wish for wish in town.overrides_from(at) if wish.ended_at is None and wish.end > at]
    active = tuple(wish for wish in known if wish.active(at))
    return Tonight(sun, sun_at, len(lamps), sum(view.word not in UNHEARD for view in lamps), len(town.alarms()),
                   active, max((wish.end for wish in active), default=None), tuple(wish for wish in known if wish.pending))


def next_sun(town: TenantStore, at: datetime) -> tuple[str, datetime]:
    """("sunset" or "sunrise", when), whichever comes next."""
    today = at.astimezone(BERLIN).date()
    turns = []
    for evening in (today - timedelta(days=1), today, today + timedelta(days=1)):
        sunset, sunrise = night(town.tenant.site, evening)
        turns += [("sunset", sunset), ("sunrise", sunrise)]
    return min((turn for turn in turns if turn[1] > at), key=lambda turn: turn[1], default=("sunset", at))


def lamp_list(language: str, town: TenantStore, found: Sequence[LuminaireView], any_lamps: bool, search: Search) -> LampList:
    """One page of the lamps that the search finds."""
    last = max((len(found) - 1) // PER_PAGE + 1, 1)
    page = min(search.page, last)
    first = (page - 1) * PER_PAGE

    def other(number: int) -> str:
        return address(language, "console", search.query(page=str(number)), tenant=town.tenant.id)

    return LampList(found[first:first + PER_PAGE], len(found), first, other(page - 1) if page > 1 else "",
                    other(page + 1) if page < last else "", any_lamps)


def options(language: str, town: TenantStore, lamps: Sequence[LuminaireView], groups: Groups,
            search: Search) -> dict[str, list[Option]]:
    """What each filter may be set to, with how many lamps each zone and circuit has."""
    names = {zone.id: zone.name for zone in town.zones()}
    zones, circuits = Counter(view.lamp.zone for view in lamps), Counter(view.lamp.circuit for view in lamps)
    kinds = {alarm.kind for view in lamps for alarm in view.alarms} | {kind for kind in AlarmKind if kind.value == search.fault}
    return {
        "zone": [Option(zone, f"{names.get(zone, zone)} ({zones[zone]})") for zone in sorted(zones)],
        "circuit": [Option(circuit, f"{circuit} ({circuits[circuit]})") for circuit in sorted(filter(None, circuits))],
        "group": [Option(key, group.name) for key, group in sorted(groups.items(), key=lambda one: one[1].name)],
        "state": [Option(state, translate(language, text)) for state, text in _STATES.items()],
        "fault": sorted((Option(kind.value, labels.alarm(language, kind)) for kind in kinds), key=lambda one: one.text),
        "colour": [Option(colour, translate(language, text)) for colour, text in _COLOURS.items()]}


_STATES = {"deviates": _("deviates"), "fault": _("fault"), "silent": _("silent"), "override": _("overridden")}
_COLOURS = {"level": _("Level"), "state": _("State"), "fault": _("Alarms"), "energy": _("Power")}
