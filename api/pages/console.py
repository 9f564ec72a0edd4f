"""The operator's console: tonight in one line, the lamps as list and map, and what is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from fastapi import APIRouter, Request, Response

from api import views
from api.audit import record
from api.auth import Actor
from api.deps import Acting, Asking, Here, Now, Operating, Viewing
from api.i18n import language_of, translate
from api.pages.addresses import address, paths
from api.pages.contexts import AlarmRow, AlarmsPage, ConsolePage, LampList, Link, Tonight
from api.pages.geo import streets
from api.pages.render import PageRoute, back, html, page_of
from api.views import LampWord, LuminaireView, ZoneLightingView
from city.alarms import Alarm, AlarmKind
from city.errors import NotFound
from city.health import Beat, fill, of_bridges
from city.lighting import BERLIN, Override
from city.places import Asset, Luminaire
from city.store.ports import Role, TenantStore
from city.sun import night

PER_PAGE = 50
MAX_SEARCH = 80
UNHEARD = frozenset({LampWord.SILENT, LampWord.NEVER_HEARD})
_CODES = {word: index for index, word in enumerate(LampWord)}

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@dataclass(frozen=True, slots=True)
class Search:
    """Which lamps are listed: everything of it stands in the address."""

    zone: str = ""
    state: str = ""
    text: str = ""
    page: int = 1

    def query(self, **changed: str) -> list[tuple[str, str]]:
        """The address of this search with something changed; a new filter starts on the first page."""
        now = {"zone": self.zone, "state": self.state, "q": self.text, **changed}
        return [(key, value) for key, value in now.items() if value]

    def keeps(self, view: LuminaireView) -> bool:
        """Whether a lamp is listed."""
        if self.zone and view.lamp.zone != self.zone:
            return False
        if self.state and not _in_state(view, self.state):
            return False
        words = f"{view.lamp.id} {view.lamp.name} {view.zone_name} {view.device or ''}".casefold()
        return all(word in words for word in self.text.casefold().split())


@router.get(paths("console")[0])
@router.get(paths("console")[1])
def console(request: Request, here: Here, town: Viewing, who: Asking, at: Now, zone: str = "", state: str = "", q: str = "",
            page: str = "1") -> Response:
    """Lamps as list and map, with what the town wants of them tonight."""
    search = Search(zone[:64], state if state in _STATES else "", q[:MAX_SEARCH].strip(),
                    max(int(page), 1) if page.isdecimal() and len(page) < 6 else 1)
    lamps = views.luminaires(town, at)
    zones = views.zones_of(town, lamps, at)
    language = language_of(request)
    context = ConsolePage(
        page_of(request, who, town.tenant), tonight(town, lamps, at), zones,
        next((item for item in zones if item.zone.id == search.zone), None),
        singles(lamps, search.zone), oldest_power(lamps, search.zone), _zone_links(language, town, zones, search),
        _state_links(language, town, search), search.text, search.state, lamp_list(language, town, lamps, search),
        {name: address(language, name, tenant=town.tenant.id) for name in ("lamps", "streets", "dim")},
        may(who, Role.OPERATOR), troubles(language, here.store.beats(), at))
    return html(request, context)


@router.get(paths("lamps")[0])
@router.get(paths("lamps")[1])
def lamps_feed(town: Viewing, at: Now) -> Response:
    """Every lamp for the map, compact: rows of [id, name, longitude, latitude, zone, level or -1, target, index of its
    word]. What changes later comes from the API's live events."""
    data = {"words": [word.value for word in LampWord], "lamps": [_row(view) for view in views.luminaires(town, at)]}
    return Response(msgspec.json.encode(data), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get(paths("streets")[0])
@router.get(paths("streets")[1])
def streets_feed(town: Viewing) -> Response:
    """The town's own streets: the base map."""
    site = town.tenant.site
    return Response(msgspec.json.encode({"streets": streets(town.streets()), "middle": [site.longitude, site.latitude]}),
                    media_type="application/json", headers={"Cache-Control": "private, max-age=300"})


@router.get(paths("alarms")[0])
@router.get(paths("alarms")[1])
def alarms(request: Request, town: Viewing, who: Asking) -> Response:
    """What is wrong now, the newest first."""
    language = language_of(request)
    owned: list[Asset] = [*town.luminaires(), *town.bays()]
    assets = {asset.id: asset for asset in owned}
    rows = []
    for alarm in sorted(town.alarms(), key=lambda alarm: alarm.began_at, reverse=True):
        asset = assets.get(alarm.asset)
        rows.append(AlarmRow(alarm, asset.name if asset else alarm.asset, _cause(language, town, alarm, asset)))
    return html(request, AlarmsPage(page_of(request, who, town.tenant), rows, may(who, Role.OPERATOR)))


@router.post(paths("acknowledge")[0])
@router.post(paths("acknowledge")[1])
def acknowledge(request: Request, town: Operating, who: Acting, at: Now, alarm: str) -> Response:
    """Somebody has taken notice."""
    record(town, who, at, "acknowledge alarm", alarm)
    town.acknowledge_alarm(alarm, who.name, at)
    return back(address(language_of(request), "alarms", tenant=town.tenant.id))


def may(who: Actor | None, role: Role) -> bool:
    """Whether somebody is signed in who may do that."""
    return who is not None and who.may(role)


def singles(lamps: Iterable[LuminaireView], zone: str) -> list[Override]:
    """The overrides of single lamps in a zone, the one that ends last at the end."""
    return sorted((view.override for view in lamps if view.lamp.zone == zone and view.override is not None
                   and view.override.asset is not None), key=lambda wish: wish.end)


def oldest_power(lamps: Iterable[LuminaireView], zone: str) -> datetime | None:
    """When the oldest power that stands in a zone's sum was measured."""
    return min((view.power_at for view in lamps if view.lamp.zone == zone and view.power_at is not None), default=None)


def troubles(language: str, beats: Sequence[Beat], at: datetime) -> list[str]:
    """Why what the page shows may be old: bridges that are not heard, or say that they cannot work."""
    return [fill(translate(language, reason.sentence), reason.facts) for reason in of_bridges(beats, at)
            if reason.broken or reason.code == "bridge_silent"]


def tonight(town: TenantStore, lamps: Sequence[LuminaireView], at: datetime) -> Tonight:
    """The next turn of the sun, how many lamps speak, what is wrong, and what people have overridden."""
    sun, sun_at = next_sun(town, at)
    overrides = tuple(town.overrides(at))
    return Tonight(sun, sun_at, len(lamps), sum(view.word not in UNHEARD for view in lamps), len(town.alarms()),
                   overrides, max((wish.end for wish in overrides), default=None))


def next_sun(town: TenantStore, at: datetime) -> tuple[str, datetime]:
    """("sunset" or "sunrise", when), whichever comes next."""
    today = at.astimezone(BERLIN).date()
    turns = []
    for evening in (today - timedelta(days=1), today, today + timedelta(days=1)):
        sunset, sunrise = night(town.tenant.site, evening)
        turns += [("sunset", sunset), ("sunrise", sunrise)]
    return min((turn for turn in turns if turn[1] > at), key=lambda turn: turn[1], default=("sunset", at))


def lamp_list(language: str, town: TenantStore, lamps: Iterable[LuminaireView], search: Search) -> LampList:
    """One page of the lamps that the search keeps."""
    kept = [view for view in lamps if search.keeps(view)]
    last = max((len(kept) - 1) // PER_PAGE + 1, 1)
    page = min(search.page, last)
    first = (page - 1) * PER_PAGE

    def other(number: int) -> str:
        return address(language, "console", search.query(page=str(number)), tenant=town.tenant.id)

    return LampList(kept[first:first + PER_PAGE], len(kept), first, other(page - 1) if page > 1 else "",
                    other(page + 1) if page < last else "")


_STATES = {"deviates": _("deviates"), "fault": _("fault"), "silent": _("silent"), "override": _("overridden")}


def _cause(language: str, town: TenantStore, alarm: Alarm, asset: Asset | None) -> str:
    """The page that shows what an alarm is about: the script's or the lamp's; "" where there is none."""
    if alarm.kind is AlarmKind.SCRIPT_OFF and asset is not None:
        try:
            vendor, _slash, name = town.device_of(asset.id).model.partition("/")
        except NotFound:
            return ""
        return address(language, "model", tenant=town.tenant.id, vendor=vendor, name=name)
    return address(language, "lamp", tenant=town.tenant.id, asset=asset.id) if isinstance(asset, Luminaire) else ""


def _in_state(view: LuminaireView, state: str) -> bool:
    match state:
        case "override":
            return view.override is not None
        case "silent":
            return view.word in UNHEARD
        case "deviates":
            return view.word in (LampWord.DEVIATES, LampWord.WAITING)
    return view.word is LampWord.FAULT or bool(view.alarms)


def _zone_links(language: str, town: TenantStore, zones: Iterable[ZoneLightingView], search: Search) -> list[Link]:
    here = town.tenant.id
    return [Link(translate(language, _("all zones")), address(language, "console", search.query(zone=""), tenant=here),
                 not search.zone),
            *(Link(item.zone.name, address(language, "console", search.query(zone=item.zone.id), tenant=here),
                   item.zone.id == search.zone) for item in zones)]


def _state_links(language: str, town: TenantStore, search: Search) -> list[Link]:
    return [Link(translate(language, text),
                 address(language, "console", search.query(state="" if state == search.state else state),
                         tenant=town.tenant.id), state == search.state) for state, text in _STATES.items()]


def _row(view: LuminaireView) -> list[object]:
    lamp = view.lamp
    return [lamp.id, lamp.name, lamp.site.longitude, lamp.site.latitude, lamp.zone,
            -1 if view.level is None else round(view.level), view.target.level, _CODES[view.word]]
