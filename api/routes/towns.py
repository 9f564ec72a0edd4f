"""What everybody may know without signing in: which towns there are, their streets, how many bays are free."""

from fastapi import APIRouter, Depends, Response

from api.deps import Here, Now, Public, anyone
from api.problems import RESPONSES
from api.public_view import Telling
from api.routes.common import TENANT
from api.schemas import Feature, ParkingZoneOut, StreetsOut, TownOut

router = APIRouter(tags=["open data"], responses=RESPONSES)


@router.get("/api/v1/tenants", dependencies=[Depends(anyone)], summary="The towns")
def towns(here: Here, response: Response) -> list[TownOut]:
    """Every town on this platform."""
    _open(response, 60)
    return [TownOut.of(tenant) for tenant in here.store.tenants()]


@router.get(TENANT + "/parking", summary="Free bays by zone")
def parking(town: Public, now: Now, telling: Telling, response: Response) -> list[ParkingZoneOut]:
    """Counts only: which single bay is taken is nobody's business but the town's."""
    _open(response, 10)
    return [ParkingZoneOut.of(zone) for zone in telling.of(town, now).zones]


@router.get(TENANT + "/streets", summary="The base map: streets as GeoJSON")
def streets(town: Public, response: Response) -> StreetsOut:
    """The town's own lines; coordinates are longitude, latitude."""
    _open(response, 3600)
    return StreetsOut(features=[
        Feature(properties={"name": street.name},
                geometry={"type": "LineString", "coordinates": [list(point) for point in street.points]})
        for street in town.streets()])


def _open(response: Response, seconds: int) -> None:
    """Open data: any page may read it, without credentials."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
