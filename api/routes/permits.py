"""Permit zones: what they are, and how hard it is to find a place there. No permits and no persons."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.deps import Acting, Here, Now, ParkingEngineering, ParkingViewing
from api.i18n import language_of, translate
from api.permit_report import DAYS, MOST_DAYS, as_csv, report
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.routes.parking_sites import refused
from api.schemas import to_json
from api.site_keeping import keep_permit_zone, remove_permit_zone
from api.site_schemas import PermitIn, PermitOut, PressureOut
from city.parking_checks import permit_cautions
from city.parking_places import PermitZone

router = APIRouter(prefix=TENANT, tags=["parking"], responses=RESPONSES)
Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="How many days, up to now.")]


@router.get("/permit-zones", summary="Permit zones")
def permit_zones(request: Request, town: ParkingViewing) -> list[PermitOut]:
    """By code, with what the law has against them."""
    return [_out(request, zone) for zone in town.permit_zones()]


@router.put("/permit-zones/{code}", response_model=PermitOut, summary="Add or change a permit zone")
def put_permit_zone(request: Request, town: ParkingEngineering, who: Acting, now: Now, code: str, body: PermitIn) -> Response:
    """All of it at once."""
    zone = body.zone(code)
    faults = keep_permit_zone(town, zone, who, now)
    return refused(request, faults) if faults else Response(to_json(_out(request, zone)), media_type="application/json")


@router.delete("/permit-zones/{code}", status_code=204, summary="Remove a permit zone")
def delete_permit_zone(town: ParkingEngineering, who: Acting, now: Now, code: str) -> None:
    """Refused while a parking zone names it."""
    remove_permit_zone(town, code, who, now)


@router.get("/permit-pressure", summary="How hard it is to find a place in permit zones")
def pressure(town: ParkingViewing, here: Here, now: Now, days: Days = DAYS) -> list[PressureOut]:
    """The share of bays taken in the hours of each permit zone, and outside them."""
    return [PressureOut.of(one) for one in report(town, now, days, here.settings.parking)]


@router.get("/permit-pressure.csv", summary="The same as CSV")
def pressure_csv(town: ParkingViewing, here: Here, now: Now, days: Days = DAYS) -> Response:
    """A line a permit zone; shares from 0 to 1."""
    name = f"bewohnerparken-{town.tenant.id}-{date.isoformat(now.date())}.csv"
    text = as_csv(report(town, now, days, here.settings.parking))
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8",
                    headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})


def _out(request: Request, zone: PermitZone) -> PermitOut:
    language = language_of(request)
    return PermitOut.of(zone, [translate(language, one.message, **one.facts) for one in permit_cautions(zone)])
