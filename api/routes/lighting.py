"""Lamps, zones of lamps, and people's wishes for them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import intents, views
from api.deps import Acting, Now, Operating, Rails, Viewing
from api.i18n import explain, language_of
from api.intents import Wish
from api.lighting_schemas import FindingOut, OverrideIn, ProposalOut, WishIn
from api.problems import RESPONSES
from api.routes.common import TENANT, tagged
from api.schemas import AcceptedOut, EndedOut, EstimateOut, LuminaireOut, LuminairesOut, OverrideOut, ZoneOut
from api.views import LampWord
from city.airtime import Estimate
from city.groups import Target
from city.ids import AssetId, OverrideId, ZoneId
from city.lighting import Override
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
    lamps = sorted(town.luminaires(ZoneId(zone) if zone else None), key=lambda lamp: lamp.id)
    if state is not None:  # each lamp must be looked at to know which are meant
        lamps = [view.lamp for view in views.luminaires_of(town, lamps, now) if view.word is state]
    rest = [lamp for lamp in lamps if lamp.id > cursor]
    page = views.luminaires_of(town, rest[:limit], now)
    return tagged(request, LuminairesOut(
        luminaires=[LuminaireOut.of(view) for view in page], total=len(lamps),
        cursor=page[-1].lamp.id if len(rest) > limit else None))


@router.get("/luminaires/{asset}", response_model=LuminaireOut, summary="One lamp")
def luminaire(request: Request, town: Viewing, now: Now, asset: str) -> Response:
    """One lamp: wanted, reported, measured."""
    return tagged(request, LuminaireOut.of(views.luminaire(town, AssetId(asset), now)))


@router.get("/zones/{zone}/estimate", summary="What dimming this zone would cost")
def zone_estimate(town: Viewing, now: Now, rails: Rails, zone: str) -> EstimateOut:
    """Frames, air time and how long it takes, before anything is sent."""
    return EstimateOut.of(views.estimate_for(town, town.luminaires(town.zone(ZoneId(zone)).id), now, rails.rx2_dr))


@router.put("/zones/{zone}/override", status_code=202, summary="Dim a zone until a time")
def override_zone(town: Operating, who: Acting, now: Now, rails: Rails, response: Response, zone: str,
                  body: OverrideIn) -> AcceptedOut:
    """Written down; lamps obey one by one. Follow it at the address in Location."""
    return _accepted(town, response, *intents.place(town, [Target("zone", zone)], _wish(body), who=who, now=now, limits=rails))


@router.delete("/zones/{zone}/override", summary="Back to the program in a zone")
def end_zone(town: Operating, who: Acting, now: Now, rails: Rails, zone: str) -> EndedOut:
    """Ends what was wished for exactly this zone."""
    return EndedOut(ended=intents.end_overrides(town, [Target("zone", zone)], who=who, now=now, limits=rails))


@router.put("/luminaires/{asset}/override", status_code=202, summary="Dim one lamp until a time")
def override_lamp(town: Operating, who: Acting, now: Now, rails: Rails, response: Response, asset: str,
                  body: OverrideIn) -> AcceptedOut:
    """As for a zone."""
    views.lamp_of(town, AssetId(asset))
    return _accepted(town, response, *intents.place(town, [Target("lamp", asset)], _wish(body), who=who, now=now, limits=rails))


@router.delete("/luminaires/{asset}/override", summary="Back to the program at one lamp")
def end_lamp(town: Operating, who: Acting, now: Now, rails: Rails, asset: str) -> EndedOut:
    """Ends what was wished for exactly this lamp."""
    views.lamp_of(town, AssetId(asset))
    return EndedOut(ended=intents.end_overrides(town, [Target("lamp", asset)], who=who, now=now, limits=rails))


@router.get("/overrides", summary="Overrides")
def overrides(town: Viewing, now: Now) -> list[OverrideOut]:
    """What people wish now or later, and what waits for a second person."""
    return [OverrideOut.of(wish) for wish in town.overrides_from(now)]


@router.post("/overrides", status_code=202, summary="Dim any lamps until a time")
def add_override(town: Operating, who: Acting, now: Now, rails: Rails, response: Response,
                 body: WishIn) -> AcceptedOut:
    """For zones, circuits, groups, lamps or the whole town; the newest wish for a lamp wins. Some wait for a second
    person."""
    return _accepted(town, response, *intents.place(town, body.named(), _wish(body), who=who, now=now, limits=rails))


@router.post("/overrides/check", summary="What a wish would run into and cost")
def check_override(request: Request, town: Operating, who: Acting, now: Now, rails: Rails, body: WishIn) -> ProposalOut:
    """Nothing is sent or written down."""
    proposal = intents.propose(town, body.named(), _wish(body), who=who, now=now, limits=rails)
    language = language_of(request)
    return ProposalOut.of(proposal, [FindingOut.of(one, explain(language, one.error())) for one in proposal.findings])


@router.get("/overrides/{id}", summary="One override and how far it has come")
def override(town: Viewing, now: Now, id: str) -> OverrideOut:
    """Also after its end."""
    wish = town.override(OverrideId(id))
    return OverrideOut.of(wish, views.override_progress(town, wish, now))


@router.post("/overrides/{id}/approve", summary="Agree as the second person")
def approve_override(town: Operating, who: Acting, now: Now, rails: Rails, id: str) -> OverrideOut:
    """It holds from then on."""
    return OverrideOut.of(intents.approve(town, OverrideId(id), who=who, now=now, limits=rails))


@router.delete("/overrides/{id}", summary="End one override")
def end_override(town: Operating, who: Acting, now: Now, rails: Rails, id: str) -> OverrideOut:
    """Back to the program; what waits for a second person is withdrawn or declined."""
    return OverrideOut.of(intents.end(town, OverrideId(id), who=who, now=now, limits=rails))


def _wish(body: OverrideIn) -> Wish:
    return Wish(body.level, body.until, body.minutes, body.reason, body.start, body.emergency, body.confirm)


def _accepted(town: TenantStore, response: Response, override: Override, estimate: Estimate) -> AcceptedOut:
    href = f"{TENANT.format(tenant=town.tenant.id)}/overrides/{override.id}"
    response.headers["Location"] = href
    return AcceptedOut(href=href, override=OverrideOut.of(override), estimate=EstimateOut.of(estimate))
