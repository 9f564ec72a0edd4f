"""Single bays, their sensors, blocks, overstays and residents' doubts: for the town's parking staff only."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import analysis, bay_acts, staff
from api.analysis import Analysis
from api.deps import Acting, Here, Now, ParkingOperating, Platform
from api.exporting import streamed
from api.parking_schemas import (
    BayOut,
    BayStateOut,
    CloseIn,
    ClosureIn,
    ClosureOut,
    DayOut,
    DoubtOut,
    SensorOut,
    UsageOut,
    WordOut,
    ZoneOverstaysOut,
)
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.routes.exports import CSV, Chosen
from city.exports import parking_tables
from city.ids import AssetId, ZoneId
from city.places import Restriction
from city.sensor_checks import CheckRules, check_of
from city.store.ports import TenantStore

router = APIRouter(prefix=TENANT, tags=["parking"], responses=RESPONSES)
Kind = Annotated[Restriction, Query(description="whom the bays are for; empty: everybody")]
Day = Annotated[date | None, Query(description="a day of Berlin's calendar, included")]
ZoneWord = Annotated[str | None, Query(max_length=64)]


@router.get("/bays", summary="Single bays")
def bays(town: ParkingOperating, now: Now, zone: ZoneWord = None) -> list[BayStateOut]:
    """What is known of each, since when, and why not."""
    return [BayStateOut.of(view) for view in staff.bays(town, now, ZoneId(zone) if zone else None)]


@router.get("/bays/{asset}", summary="One bay, its sensor and what that said lately")
def bay(town: ParkingOperating, here: Here, now: Now, asset: str) -> BayOut:
    """Single words of sensors are kept for seven days, days of their health for thirty."""
    view = staff.bay(town, AssetId(asset), now)
    return BayOut(state=BayStateOut.of(view), sensor=SensorOut.of(staff.sensor(town, view.bay.id, now, here.settings.parking)),
                  words=[WordOut.of(event) for event in staff.words(town, view.bay.id, now, here.settings.parking)],
                  days=[DayOut.of(one) for one in staff.days(town, view.bay.id, now)])


@router.post("/bays/{asset}/open", status_code=204, summary="Open a blocked bay again")
def open_bay(town: ParkingOperating, who: Acting, now: Now, asset: str) -> None:
    """Whatever blocks it now ends; a block that is to come stays."""
    bay_acts.open_bay(town, who, now, AssetId(asset))


@router.get("/blocks", summary="Bays that are blocked, will be, or were lately")
def blocks(town: ParkingOperating, now: Now) -> list[ClosureOut]:
    """By their start; those that ended are told for fourteen days."""
    return [ClosureOut.of(one) for one in staff.closed(town, now)]


@router.post("/blocks", status_code=201, summary="Block bays for works or an event")
def block(town: ParkingOperating, who: Acting, now: Now, body: ClosureIn) -> ClosureOut:
    """One bay, many, or a zone; with an end. A blocked bay is neither free nor taken, and not counted."""
    return ClosureOut.of(bay_acts.block(town, who, now, bays=body.bays, zone=body.zone, start=body.start, end=body.end,
                                        reason=body.reason))


@router.post("/blocks/{id}/end", summary="Open blocked bays before their time")
def end_block(town: ParkingOperating, who: Acting, now: Now, id: str) -> ClosureOut:
    """All bays of the block, from now on; one that is over stays as it was."""
    return ClosureOut.of(bay_acts.end(town, who, now, id))


@router.get("/sensors", summary="How the sensors of bays do, the worst first")
def sensors(town: ParkingOperating, here: Here, now: Now, zone: ZoneWord = None) -> list[SensorOut]:
    """Changes missed, frames lost, restarts, batteries of the last days, and what follows from them."""
    return [SensorOut.of(one) for one in staff.sensors(town, now, here.settings.parking, ZoneId(zone) if zone else None)]


@router.get("/overstays", summary="Bays that are taken for longer than allowed, now")
def overstays(town: ParkingOperating, here: Here, now: Now) -> list[ZoneOverstaysOut]:
    """Zones first, then bays and minutes; of now alone: no history of it is kept, and nothing names a vehicle."""
    return [ZoneOverstaysOut.of(one) for one in staff.zone_overstays(town, now, here.settings.parking)]


@router.get("/parking-usage/{zone}", summary="How a parking zone was used")
def usage(town: ParkingOperating, here: Here, now: Now, zone: str, kind: Kind = Restriction.NONE, first: Day = None,
          last: Day = None) -> UsageOut:
    """Curve, week as a heat map, stays, turnover; the last four weeks by default, 400 days at most."""
    return UsageOut.of(_usage(town, here, now, zone, kind, first, last))


@router.get("/parking-usage/{zone}/table.csv", response_class=Response, summary="The same curve as a table",
            responses=CSV)  # type: ignore[arg-type]
def usage_table(request: Request, town: ParkingOperating, here: Here, now: Now, zone: str, kind: Kind = Restriction.NONE,
                first: Day = None, last: Day = None, variant: Chosen = "rfc") -> Response:
    """Sums of the zone alone, never of bays."""
    found = _usage(town, here, now, zone, kind, first, last)
    return streamed(request, parking_tables.usage(found.zone.name, found.kind.value, found.steps, variant),
                    media_type="text/csv; charset=utf-8; header=present",
                    filename=f"{town.tenant.id}-parking-{found.period.first}-{found.period.last}.csv")


@router.get("/doubts", summary="What residents say is wrong")
def doubts(town: ParkingOperating, here: Here, open_only: bool = True,
           limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> list[DoubtOut]:
    """The newest first, with what the page said then, and what the check of the zone's sensors has found since."""
    said = town.doubts(open_only=open_only, limit=limit)
    by = CheckRules.of(here.settings.parking)
    checks = staff.checks(town, said, by)
    return [DoubtOut.of(one, check_of(one, checks, by)) for one in said]


@router.post("/doubts/{id}/close", status_code=204, summary="Settle a resident's doubt")
def close_doubt(town: ParkingOperating, who: Acting, now: Now, id: str, body: CloseIn) -> None:
    """With what was found out."""
    bay_acts.settle(town, who, now, id, body.outcome)


def _usage(town: TenantStore, here: Platform, now: datetime, zone: str, kind: Restriction, first: date | None,
           last: date | None) -> Analysis:
    period = analysis.period_of(first, last, now)
    return analysis.analyse(town, ZoneId(zone), kind, period, now, here.settings.parking.stays_days)
