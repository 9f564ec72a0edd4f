"""Parking zones as DATEX II v2.3 XML, for the national access point and whoever reads that."""

from fastapi import APIRouter, Request, Response

from api.deps import Now, Public
from api.opendata_answers import OpenRoute, open_data
from api.parking_exports import parking_seen
from api.problems import RESPONSES
from api.public_view import PublicTown, Telling
from city.errors import NotFound
from city.exports import datex2

_XML = {200: {"content": {datex2.MEDIA: {}}, "description": "A DATEX II publication."}}
router = APIRouter(route_class=OpenRoute, prefix="/opendata/{tenant}/datex2/v2.3", tags=["open data"],
                   responses={**RESPONSES, **_XML})  # type: ignore[dict-item]


@router.get("/parking-table.xml", response_class=Response, summary="DATEX II: which parking zones there are")
def table(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """ParkingTablePublication: names, places, numbers of bays. Changes seldom; ask once a day."""
    found = _with_zones(telling.of(town, now))
    return open_data(request, datex2.table(parking_seen(request, found)), found.town, media_type=datex2.MEDIA)


@router.get("/parking-status.xml", response_class=Response, summary="DATEX II: how full the parking zones are")
def status(request: Request, town: Public, telling: Telling, now: Now) -> Response:
    """ParkingStatusPublication: free bays where they are known, with the time at which they were. Ask every minute or less."""
    found = _with_zones(telling.of(town, now))
    return open_data(request, datex2.status(parking_seen(request, found)), found.town, media_type=datex2.MEDIA)


def _with_zones(found: PublicTown) -> PublicTown:
    """A publication without a record is not allowed. Raises NotFound."""
    if not found.zones:
        raise NotFound("This town shows no parking zones.", field="tenant", rule="has zones")
    return found
