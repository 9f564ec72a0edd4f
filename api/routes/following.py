"""How far a wish has come, lamp by lamp."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query

from api.course_schemas import StandOut, StandsOut, StandWord
from api.deps import Now, Viewing
from api.following import followed, stands
from api.problems import RESPONSES
from api.routes.common import TENANT
from city.ids import OverrideId

MOST = 500
router = APIRouter(prefix=TENANT, tags=["lighting"], responses=RESPONSES)


@router.get("/overrides/{id}/lamps", summary="How far a wish has come at each of its lamps")
def lamps(town: Viewing, now: Now, id: str, state: Annotated[list[StandWord] | None, Query()] = None,
          limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
          cursor: Annotated[str, Query(max_length=64)] = "") -> StandsOut:
    """A page of its lamps by number, in some states or all, with the courses of their orders."""
    every = stands(town, town.override(OverrideId(id)), now)
    matching = [one for one in every if not state or one.word in state]
    rest = [one for one in matching if one.lamp.id > cursor]
    page = rest[:limit]
    return StandsOut(lamps=[StandOut.of(one) for one in followed(town, page)], total=len(matching),
                     counts=dict(Counter(one.word for one in every)),
                     cursor=page[-1].lamp.id if len(rest) > limit else None)
