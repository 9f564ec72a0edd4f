"""For towns' own websites and home screens: a frame with the zones, a badge of one zone without any script, how to use both,
and what makes the page installable. All of it says no more than the parking page does.
"""

from typing import Annotated
from xml.etree import ElementTree

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.deps import Now, Platform, Public, platform
from api.i18n import Words, language_of, translate
from api.pages import public_rows
from api.pages.addresses import address, paths
from api.pages.public_contexts import EmbedPage, WidgetPage
from api.pages.public_inline import sealed
from api.pages.public_parking import limits, town_page
from api.pages.public_rows import Wish
from api.pages.render import POLICY, PageRoute, html, unless_known
from api.pages.static_files import StaticFiles
from api.public_view import PublicTown, Telling
from city.parking import Word
from city.public_parking import PublicZone

MOST_ZONES = 20
ANYWHERE = POLICY.replace("frame-ancestors 'none'", "frame-ancestors *").replace("form-action 'self'", "form-action 'none'")
COLOURS = {Word.MANY.value: "#12653a", Word.FEW.value: "#7a4d00", Word.FULL.value: "#a3201d", Word.NO_DATA.value: "#4d5961"}
SHAPES = {Word.MANY.value: "●", Word.FEW.value: "◐", Word.FULL.value: "○", Word.NO_DATA.value: "?"}
LETTER, HEIGHT, PADDING = 7.2, 28, 10  # px a letter of 13 px takes at most, on average
SVG = "http://www.w3.org/2000/svg"
Zones = Annotated[list[str], Query(alias="zone", max_length=MOST_ZONES)]
Theme = Annotated[str, Query(pattern="^(light|dark|)$")]

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("widget")[0])
@router.get(paths("widget")[1])
def widget(request: Request, town: Public, at: Now, telling: Telling, zones: Zones = [],  # noqa: B006 - FastAPI's way
           theme: Theme = "") -> Response:
    """The zones, or some of them, for a frame in any website."""
    seen, language = telling.of(town, at), language_of(request)
    wanted = {seen.merged[zone].home if zone in seen.merged else zone for zone in zones}
    rows = [row for row in public_rows.rows(language, seen, Wish()) if not wanted or row.zone.zone in wanted]
    answer = html(request, WidgetPage(town_page(request, seen), rows, limits(telling.settings), theme, bool(wanted)),
                  private=False)
    answer.headers["Content-Security-Policy"] = ANYWHERE
    return answer


@router.get(paths("badge")[0])
@router.get(paths("badge")[1])
def badge(request: Request, town: Public, at: Now, telling: Telling, zone: str) -> Response:
    """One zone as a picture with its text alternative in it; nothing but an <img> is needed."""
    seen, language = telling.of(town, at), language_of(request)
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
               "Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff"}
    return unless_known(request, picture(language, seen, seen.home(zone)), "image/svg+xml", headers)


@router.get(paths("embed")[0])
@router.get(paths("embed")[1])
def embed(request: Request, town: Public, at: Now, telling: Telling) -> Response:
    """What to copy into a website. Never kept: the address by which somebody reaches us stands in it."""
    seen, language = telling.of(town, at), language_of(request)
    base = origin(platform(request), request)
    names = {"tenant": str(town.tenant.id)}
    frame = base + address(language, "widget", **names)
    badges = [(zone.name, base + address(language, "badge", zone=zone.zone, **names), public_rows.in_words(language, zone))
              for zone in seen.zones]
    return sealed(html(request, EmbedPage(town_page(request, seen), frame, base + address(language, "parking", **names), badges)))


@router.get(paths("manifest")[0])
@router.get(paths("manifest")[1])
def manifest(request: Request, town: Public) -> Response:
    """What a phone needs to put the page on its home screen (W3C Web Application Manifest)."""
    language, start = language_of(request), address(language_of(request), "parking", tenant=town.tenant.id)
    files: StaticFiles = request.app.state.static_files
    name = translate(language, _("Parking in {town}"), town=town.tenant.name)
    said = {"id": start, "name": name, "short_name": translate(language, _("Parking")), "lang": language, "start_url": start,
            "scope": start, "display": "standalone", "background_color": "#ffffff", "theme_color": "#14191d",
            "icons": [{"src": files.url("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}]}
    return unless_known(request, msgspec.json.encode(said), "application/manifest+json", {})


@router.get(paths("worker")[0])
@router.get(paths("worker")[1])
def worker(request: Request, town: Public) -> Response:
    """The service worker, which may look after the page that it is named after and those below it."""
    scope = address(language_of(request), "parking", tenant=town.tenant.id)
    files: StaticFiles = request.app.state.static_files
    return unless_known(request, files.files["worker.js"].data, "text/javascript", {"Service-Worker-Allowed": scope})


def picture(language: str, seen: PublicTown, zone: PublicZone) -> bytes:
    """The badge: the zone's name, what is told of it, and as of when, as SVG."""
    word, time = zone.main.word, Words(language, seen.minute).as_mapping()["time"](zone.evaluated_at)
    said = f"{SHAPES[word]} {public_rows.in_words(language, zone)}"
    alternative = f"{zone.name}: {public_rows.in_words(language, zone)}, {translate(language, _('As of {time}'), time=time)}"
    left, right = _width(zone.name), _width(f"{said} {time}")
    root = ElementTree.Element("svg", {"xmlns": SVG, "role": "img", "width": str(left + right), "height": str(HEIGHT),
                                       "viewBox": f"0 0 {left + right} {HEIGHT}", "font-family": "sans-serif", "font-size": "13"})
    ElementTree.SubElement(root, "title").text = alternative
    _box(root, 0, left, "#14191d")
    _box(root, left, right, "#5b666e" if zone.grey else COLOURS[word])
    _text(root, PADDING, zone.name)
    _text(root, left + PADDING, said)
    _text(root, left + right - PADDING, time, {"text-anchor": "end", "font-size": "11"})
    drawn: bytes = ElementTree.tostring(root, encoding="utf-8")
    return drawn


def origin(here: Platform, request: Request) -> str:
    """Scheme and host by which people reach us."""
    return here.settings.api.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"


def _width(text: str) -> int:
    return round(len(text) * LETTER) + 2 * PADDING


def _box(root: ElementTree.Element, x: int, width: int, colour: str) -> None:
    ElementTree.SubElement(root, "rect", {"x": str(x), "width": str(width), "height": str(HEIGHT), "fill": colour})


def _text(root: ElementTree.Element, x: int, text: str, more: dict[str, str] | None = None) -> None:
    ElementTree.SubElement(root, "text", {"x": str(x), "y": "19", "fill": "#ffffff", **(more or {})}).text = text
