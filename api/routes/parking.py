"""Single bays: for the town's staff only."""

from typing import Annotated

from fastapi import APIRouter, Query

from api import views
from api.audit import record
from api.deps import Acting, Now, Operating
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import BayOut, BlockedIn
from city.ids import AssetId, ZoneId

router = APIRouter(prefix=TENANT, tags=["parking"], responses=RESPONSES)


@router.get("/bays", summary="Single bays")
def bays(town: Operating, now: Now, zone: Annotated[str | None, Query(max_length=64)] = None) -> list[BayOut]:
    """What is known of each, since when, and why not."""
    return [BayOut.of(state) for state in views.bays(town, now, ZoneId(zone) if zone else None)]


@router.put("/bays/{asset}/blocked", status_code=204, summary="Block a bay, or open it again")
def block(town: Operating, who: Acting, now: Now, asset: str, body: BlockedIn) -> None:
    """A blocked bay is not counted."""
    bay = views.bay_of(town, AssetId(asset))
    record(town, who, now, "block bay" if body.blocked else "open bay", f"bay {bay.id}")
    town.set_blocked(bay.id, body.blocked)
