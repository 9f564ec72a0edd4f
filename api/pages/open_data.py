"""The page about a town's open data: what there is, for whom it is made, under which licence, and what it never tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from api.deps import Here, Now, Public
from api.i18n import language_of, translate
from api.pages.addresses import paths
from api.pages.contexts import Page
from api.pages.public_contexts import Inline
from api.pages.public_inline import sealed
from api.pages.public_parking import town_page
from api.pages.render import PageRoute, html
from api.parking_exports import depending, our_address
from api.public_view import Telling
from city.parking_places import TownParking

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


# (path below the town's open data, its format's name, what for); those that are not served are left out
OFFERS = (
    ("parkapi/api/public/v3/parking-sites", "ParkAPI v3 sites (JSON)",
     _("zones, with filters and pages: for apps and for MobiData BW")),
    ("parkapi/api/public/v3/parking-spots", "ParkAPI v3 spots (JSON)",
     _("bays for the disabled and for charging, where the town tells them")),
    ("parkapi/api/public/v1/{tenant}", "ParkAPI v1 (JSON)", _("the same zones for older apps")),
    ("zones.geojson", "zones.geojson", _("zones for maps")),
    ("zones.csv", "zones.csv", _("zones for a spreadsheet; with ?variant=de as a German one opens it")),
    ("history.csv", "history.csv", _("the last week hour by hour; with ?step=15min in quarters of an hour")),
    ("datex2/v2.3/parking-table.xml", "DATEX II v2.3 table (XML)", _("which zones there are: for the national access point")),
    ("datex2/v2.3/parking-status.xml", "DATEX II v2.3 status (XML)", _("how full they are: for the national access point")),
    ("ngsi-ld/v1/entities?type=OnStreetParking", "FIWARE (NGSI-LD)", _("zones for context brokers")),
    ("sta/v1.1", "OGC SensorThings 1.1", _("zones as things with datastreams")),
    ("catalogue.rdf", "DCAT-AP.de (RDF/XML)", _("the record for data catalogues such as GovData")),
    ("catalogue.jsonld", "DCAT-AP.de (JSON-LD)", _("the record for data catalogues such as GovData")),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """One address."""

    url: str
    format: str
    text: str


@dataclass(frozen=True, slots=True)
class OpenDataPage(Inline):
    template: ClassVar[str] = "open_data.html"
    page: Page
    town: TownParking
    offers: Sequence[Offer]
    base: str
    zones: int
    hide_minutes: int
    least_bays: int


@router.get(paths("open-data")[0])
@router.get(paths("open-data")[1])
def open_data(request: Request, town: Public, telling: Telling, here: Here, at: Now) -> Response:
    """Examples have the address under which whoever reads this has come, or that which is set."""
    seen, rules = telling.of(town, at), here.settings.parking
    base = f"{our_address(request)}/opendata/{seen.tenant.id}"
    context = OpenDataPage(town_page(request, seen), seen.town, _offers(request, base, seen.tenant.id), base, len(seen.zones),
                           rules.hide_minutes, rules.least_bays)
    answer = sealed(html(request, context, private=False))
    return answer if here.settings.api.public_url else depending(request, answer, "Host")


def _offers(request: Request, base: str, town: str) -> list[Offer]:
    language = language_of(request)
    served = {getattr(route, "path", "") for route in request.app.routes}
    return [Offer(f"{base}/{path.format(tenant=town)}", name, translate(language, text)) for path, name, text in OFFERS
            if f"/opendata/{{tenant}}/{path.partition('?')[0].replace('{tenant}', '{city}')}" in served]
