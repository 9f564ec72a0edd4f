"""A town's parking as a catalogue record (DCAT-AP.de), for GovData and the Länder's portals to fetch."""

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request, Response

from api.deps import Now, Public
from api.opendata_answers import OpenRoute, open_data, open_json
from api.parking_exports import depending, parking_seen
from api.problems import RESPONSES
from api.public_view import Telling
from city.exports import dcat
from city.exports.dcat import Node, Offer

ROOT = "/opendata/{tenant}"
_PARKAPI = "parkapi/api/public"
_PROFILE: Final = "https://github.com/ParkenDD/park-api-v3"
OFFERS: Final = (
    Offer("zones.geojson", "Parkzonen jetzt (GeoJSON)", "application/geo+json", "GEOJSON",
          conforms="https://www.rfc-editor.org/rfc/rfc7946"),
    Offer("zones.csv", "Parkzonen jetzt (CSV)", "text/csv", "CSV"),
    Offer("history.csv", "Verlauf der Parkzonen (CSV)", "text/csv", "CSV",
          "Mittelwerte je Viertelstunde oder Stunde, bis 31 Tage"),
    Offer(f"{_PARKAPI}/v3/parking-sites", "Parkzonen (ParkAPI v3)", "application/json", "JSON", service=_PARKAPI,
          conforms=_PROFILE),
    Offer("datex2/v2.3/parking-table.xml", "Parkzonen, statisch (DATEX II v2.3)", "application/xml", "XML",
          "ParkingTablePublication", conforms="http://datex2.eu/schema/2/2_0"),
    Offer("datex2/v2.3/parking-status.xml", "Parkzonen, dynamisch (DATEX II v2.3)", "application/xml", "XML",
          "ParkingStatusPublication", conforms="http://datex2.eu/schema/2/2_0"),
    Offer("ngsi-ld/v1/entities?type=OnStreetParking,OffStreetParking,ParkingGroup", "Parkzonen (FIWARE, NGSI-LD)",
          "application/ld+json", "JSON_LD", service="ngsi-ld/v1", conforms="https://uri.etsi.org/ngsi-ld/v1/"),
    Offer("sta/v1.1/Things", "Parkzonen (OGC SensorThings 1.1)", "application/json", "JSON", service="sta/v1.1",
          conforms="http://www.opengis.net/doc/is/sensorthings/1.1"))
_FRESH = timedelta(minutes=5)
_BOTH = {200: {"content": {dcat.JSON_LD: {}, dcat.RDF_XML: {}}, "description": "A catalogue."}}
router = APIRouter(route_class=OpenRoute, tags=["open data"], responses={**RESPONSES, **_BOTH})  # type: ignore[dict-item]


@router.get(f"{ROOT}/catalogue.jsonld", response_class=Response, summary="DCAT-AP.de: the catalogue record as JSON-LD")
def json_ld(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """One dataset with all the ways to get it."""
    found = telling.of(town, now)
    record = _record(request, town, telling, now)
    answer = open_json(request, dcat.as_json_ld(record), found.town, media_type=dcat.JSON_LD, fresh=_FRESH)
    return depending(request, answer, addressed=True)


@router.get(f"{ROOT}/catalogue.rdf", response_class=Response, summary="DCAT-AP.de: the catalogue record as RDF/XML")
def rdf_xml(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """The same statements."""
    found = telling.of(town, now)
    record = _record(request, town, telling, now)
    answer = open_data(request, dcat.as_rdf_xml(record), found.town, media_type=dcat.RDF_XML, fresh=_FRESH)
    return depending(request, answer, addressed=True)


@router.get(f"{ROOT}/catalogue", response_class=Response, summary="DCAT-AP.de: the catalogue record, as you accept it")
def negotiated(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """RDF/XML where that is asked for, else JSON-LD."""
    wanted = rdf_xml if "rdf+xml" in request.headers.get("accept", "") else json_ld
    return depending(request, wanted(request, town, telling, now), "Accept")


def _record(request: Request, town: Public, telling: Telling, now: Now) -> Node:
    since = next((one.oldest for one in town.retired() if one.what == "parking_quarters"), None)  # as retention last found it
    return dcat.catalogue(parking_seen(request, telling.of(town, now)), OFFERS, since)
