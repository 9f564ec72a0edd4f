"""What is said of parking zones and of the town: for the town's staff, and lists of many at once."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth import Actor
from api.deps import Acting, Now, ParkingEngineering, ParkingViewing
from api.i18n import explain, language_of, translate
from api.pages.rule_words import sentences
from api.problems import RESPONSES, problem
from api.routes.common import TENANT
from api.schemas import to_json
from api.site_keeping import keep_list, keep_site, keep_town, known_of, parking_zones, site_of
from api.site_schemas import CautionOut, OneSiteOut, RowProblemOut, SiteIn, SiteListOut, SiteOut, TownIn, faults_of
from city.errors import Invalid
from city.ids import ZoneId
from city.parking_cautions import site_cautions
from city.parking_import import preview
from city.parking_places import ParkingSite
from city.parking_rules import in_force
from city.store.ports import TenantStore

MOST_SHOWN = 1000
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {
    "application/geo+json": {"schema": {"type": "object"}}, "text/csv": {"schema": {"type": "string"}}}}}
DryRun = Annotated[bool, Query(description="Only say what would change.")]
ValidOnly = Annotated[bool, Query(description="Keep the good rows though others are bad.")]
router = APIRouter(prefix=TENANT, tags=["parking"], responses=RESPONSES)


@router.get("/parking-sites", summary="What is said of the parking zones")
def sites(request: Request, town: ParkingViewing, now: Now) -> list[SiteOut]:
    """Of each zone with bays; of those of which nobody has said anything, what is taken for granted."""
    said, language = town.parking_sites(), language_of(request)
    return [_out(town, zone.name, said.get(zone.id, ParkingSite(zone.id)), language, now) for zone in parking_zones(town)]


@router.get("/parking-sites/{zone}", summary="What is said of a parking zone")
def site(request: Request, town: ParkingViewing, now: Now, zone: str) -> OneSiteOut:
    """Its rules, and what holds now."""
    return _one(town, site_of(town, zone), language_of(request), now)


@router.put("/parking-sites/{zone}", response_model=OneSiteOut, summary="Say what holds in a parking zone")
def put_site(request: Request, town: ParkingEngineering, who: Acting, now: Now, zone: str, body: SiteIn) -> Response:
    """All of it at once; what is left out is as if nobody had said it."""
    found = body.site(site_of(town, zone).zone)
    faults = keep_site(town, found, who, now)
    return refused(request, faults) if faults else Response(to_json(_one(town, found, language_of(request), now)),
                                                            media_type="application/json")


@router.get("/parking-town", summary="What the parking pages say of the town")
def parking_town(town: ParkingViewing) -> TownIn:
    """Who operates, who answers, under which licence data may be used."""
    return TownIn.of(town.parking_town())


@router.put("/parking-town", response_model=TownIn, summary="Say who operates, who answers, and under which licence")
def put_town(request: Request, town: ParkingEngineering, who: Acting, now: Now, body: TownIn) -> Response:
    """All of it at once."""
    faults = keep_town(town, body.said(), who, now)
    return refused(request, faults) if faults else Response(to_json(body), media_type="application/json")


@router.post("/parking-sites/imports", response_model=SiteListOut, openapi_extra=_BODY, summary="Import many parking zones")
async def imports(request: Request, town: ParkingEngineering, who: Acting, now: Now,
                  dry_run: DryRun = False, valid_only: ValidOnly = False) -> Response:
    """GeoJSON (properties named like the fields of a site, the geometry its area) or CSV. All rows or none (422 names every
    bad one); with `valid_only` the good ones. What a row does not name stays as it is."""
    data = await request.body()
    return await run_in_threadpool(_import, request, town, who, now, data, dry_run=dry_run, valid_only=valid_only)


def refused(request: Request, faults: list[Invalid]) -> Response:
    """422 with all that is wrong, the first of it as the answer's own sentence."""
    language = language_of(request)
    return problem(request, faults[0], faults_of(faults, [explain(language, one) for one in faults]))


def _import(request: Request, town: TenantStore, who: Actor, now: datetime, data: bytes, *, dry_run: bool,
            valid_only: bool) -> Response:
    language = language_of(request)
    found = preview(data, known_of(town))
    keeps = not dry_run and (valid_only or not found.problems)
    if keeps:
        keep_list(town, found, who, now)
    told = SiteListOut.of(found, [RowProblemOut(line=one.line, column=one.column, rule=one.rule,
                                                detail=translate(language, one.message, **one.facts))
                                  for one in found.problems[:MOST_SHOWN]], kept=keeps)
    if keeps or dry_run:
        return JSONResponse(told.model_dump())
    first = found.problems[0]
    return problem(request, Invalid("{lines} lines have problems; nothing has been imported.", field=first.column,
                                    rule=first.rule, lines=found.bad_lines), told.model_dump())


def _out(town: TenantStore, name: str, said: ParkingSite, language: str, now: datetime) -> SiteOut:
    middle = town.tenant.site
    found = in_force(said, now, land=town.tenant.land, point=(middle.longitude, middle.latitude))
    return SiteOut.of(name, said, found, sentences(language, found, now))


def _one(town: TenantStore, said: ParkingSite, language: str, now: datetime) -> OneSiteOut:
    middle = town.tenant.site
    found = site_cautions(said, now, land=town.tenant.land, point=(middle.longitude, middle.latitude))
    cautions = [CautionOut(field=one.field, detail=translate(language, one.message, **one.facts)) for one in found]
    return OneSiteOut(cautions=cautions, **dict(_out(town, _name(town, said.zone), said, language, now)))


def _name(town: TenantStore, zone: str) -> str:
    return next((one.name for one in town.zones() if one.id == ZoneId(zone)), zone)
