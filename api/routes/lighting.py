"""Lamps, zones of lamps, and people's wishes for them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import intents, views
from api.audit import record
from api.deps import Acting, Engineering, Now, Operating, Viewing
from api.intents import Wish
from api.problems import RESPONSES
from api.routes.common import TENANT, tagged
from api.schemas import (
    MAX_NAME,
    AcceptedOut,
    EndedOut,
    EstimateOut,
    LuminaireOut,
    LuminairesOut,
    OverrideIn,
    OverrideOut,
    ProgramIn,
    ProgramOut,
    ZoneOut,
)
from api.views import LampWord
from city.airtime import Estimate
from city.errors import Invalid
from city.ids import AssetId, OverrideId, ZoneId
from city.lighting import Override, Program
from city.store.ports import TenantStore

MOST = 20_000
router = APIRouter(prefix=TENANT, tags=["lighting"], responses=RESPONSES)


@router.get("/zones", summary="Zones with lamps")
def zones(town: Viewing, now: Now) -> list[ZoneOut]:
    """Each zone's lamps, counted by state, and what they are wanted to do."""
    return [ZoneOut.of(view) for view in views.lighting_zones(town, now)]


@router.get("/luminaires", response_model=LuminairesOut, summary="Lamps")
def luminaires(request: Request, town: Viewing, now: Now, zone: Annotated[str | None, Query(max_length=64)] = None,
               state: LampWord | None = None, limit: Annotated[int, Query(ge=1, le=MOST)] = 1000,
               cursor: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Lamps by number, filtered and a page at a time."""
    some = views.luminaires(town, now, ZoneId(zone) if zone else None)
    matching = sorted((view for view in some if state is None or view.word is state), key=lambda view: view.lamp.id)
    rest = [view for view in matching if view.lamp.id > cursor]
    page = rest[:limit]
    return tagged(request, LuminairesOut(
        luminaires=[LuminaireOut.of(view) for view in page], total=len(matching),
        cursor=page[-1].lamp.id if len(rest) > limit else None))


@router.get("/luminaires/{asset}", response_model=LuminaireOut, summary="One lamp")
def luminaire(request: Request, town: Viewing, now: Now, asset: str) -> Response:
    """One lamp: wanted, reported, measured."""
    return tagged(request, LuminaireOut.of(views.luminaire(town, AssetId(asset), now)))


@router.get("/zones/{zone}/estimate", summary="What dimming this zone would cost")
def zone_estimate(town: Viewing, zone: str) -> EstimateOut:
    """Frames, air time and how long it takes, before anything is sent."""
    return EstimateOut.of(views.estimate_for(town, town.luminaires(town.zone(ZoneId(zone)).id)))


@router.put("/zones/{zone}/override", status_code=202, summary="Dim a zone until a time")
def override_zone(town: Operating, who: Acting, now: Now, response: Response, zone: str,
                  body: OverrideIn) -> AcceptedOut:
    """Written down; lamps obey one by one. Follow it at the address in Location."""
    return _accepted(town, response, *intents.override_zone(town, ZoneId(zone), _wish(body), who=who, now=now))


@router.delete("/zones/{zone}/override", summary="Back to the program in a zone")
def end_zone(town: Operating, who: Acting, now: Now, zone: str) -> EndedOut:
    """Ends what was wished for exactly this zone."""
    return EndedOut(ended=intents.end_overrides(town, who=who, now=now, zone=ZoneId(zone)))


@router.put("/luminaires/{asset}/override", status_code=202, summary="Dim one lamp until a time")
def override_lamp(town: Operating, who: Acting, now: Now, response: Response, asset: str,
                  body: OverrideIn) -> AcceptedOut:
    """As for a zone."""
    return _accepted(town, response, *intents.override_lamp(town, AssetId(asset), _wish(body), who=who, now=now))


@router.delete("/luminaires/{asset}/override", summary="Back to the program at one lamp")
def end_lamp(town: Operating, who: Acting, now: Now, asset: str) -> EndedOut:
    """Ends what was wished for exactly this lamp."""
    return EndedOut(ended=intents.end_overrides(town, who=who, now=now, asset=AssetId(asset)))


@router.get("/overrides", summary="Active overrides")
def overrides(town: Viewing, now: Now) -> list[OverrideOut]:
    """What people wish now."""
    return [OverrideOut.of(wish) for wish in town.overrides(now)]


@router.get("/overrides/{id}", summary="One override and how far it has come")
def override(town: Viewing, now: Now, id: str) -> OverrideOut:
    """Also after its end."""
    wish = town.override(OverrideId(id))
    return OverrideOut.of(wish, views.override_progress(town, wish, now))


@router.get("/program", summary="The nightly program")
def program(town: Viewing) -> ProgramOut:
    """Levels through every night."""
    return ProgramOut.of(town.program())


@router.put("/program", summary="Change the nightly program")
def put_program(town: Engineering, who: Acting, now: Now, body: ProgramIn) -> ProgramOut:
    """Applies from now on."""
    new = _program(body)
    record(town, who, now, "program", new.name, f"{new.level} %, {new.reduced_level} % from {new.reduced_from} "
                                                f"until {new.reduced_until}")
    town.put_program(new)
    return ProgramOut.of(new)


def _program(body: ProgramIn) -> Program:
    for name in ("reduced_from", "reduced_until"):
        if getattr(body, name).tzinfo is not None:
            raise Invalid("The program's times are local: give them without an offset.", field=name, rule="local time")
    if not body.name.isprintable():
        raise Invalid("A name has at most {most} printable characters.", field="name", rule="name", most=MAX_NAME)
    return Program(**body.model_dump())


def _wish(body: OverrideIn) -> Wish:
    return Wish(body.level, body.until, body.minutes, body.reason)


def _accepted(town: TenantStore, response: Response, override: Override, estimate: Estimate) -> AcceptedOut:
    href = f"{TENANT.format(tenant=town.tenant.id)}/overrides/{override.id}"
    response.headers["Location"] = href
    return AcceptedOut(href=href, override=OverrideOut.of(override), estimate=EstimateOut.of(estimate))
