"""History of a whole town: one series for all, for each zone, or for each asset."""

from itertools import groupby
from operator import attrgetter
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from api import history
from api.deps import BOTH, LIGHTING, PARKING, Acting, AnyViewing, Here, check_areas
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.routes.readings import check_span, known_quantity, step_of
from api.schemas import PointOut
from city.errors import Forbidden
from city.ids import ZoneId
from city.store.ports import Role
from city.store.queries import How, Question, Row, Stop

MOST = 50_000  # rows of an answer
router = APIRouter(prefix=TENANT, tags=["readings"], responses=RESPONSES)


class SeriesOut(BaseModel):
    """One series; `of` is its zone or asset, "" for all together."""

    of: str
    points: list[PointOut]


class TownSeriesOut(BaseModel):
    """All of them, in order of `of`."""

    quantity: str
    unit: str
    every_s: float | None
    series: list[SeriesOut]


@router.get("/series", summary="History of one quantity in the town, its zones, or its assets", response_model=TownSeriesOut)
async def series(request: Request, town: AnyViewing, here: Here, who: Acting,
                 quantity: Annotated[str, Query(max_length=64, examples=["lamp.power"])],
                 start: Annotated[AwareDatetime, Query(alias="from")], end: Annotated[AwareDatetime, Query(alias="to")],
                 every: Annotated[str, Query(description="step: seconds, or 15m, 1h, 1d; whole hours from a whole hour on are"
                                                         " answered fast however long the time", max_length=12)] = "1h",
                 by: Literal["all", "zone", "asset"] = "zone",
                 how: Annotated[How | None, Query(description="how the values of a step become one; by default the mean of"
                                                              " numbers, else the last")] = None,
                 zone: Annotated[str | None, Query(max_length=64)] = None,
                 channel: Annotated[str, Query(max_length=32)] = "") -> Response:
    """One value per step, made from all values with from ≤ at < to; never more than 50,000."""
    wanted, step = known_quantity(quantity), step_of(every)
    check_span(end - start, step)
    check_areas(who, {"lamp": LIGHTING, "bay": PARKING}.get(wanted.measurement, BOTH))
    if wanted.measurement != "lamp" and not who.may(Role.OPERATOR):  # it may tell of a single bay
        raise Forbidden("This needs the role “{role}”.", rule="role", role=Role.OPERATOR.value)
    question = Question(town.tenant.id, wanted, start, end, step, how if step else None, "" if by == "all" else by, channel,
                        None if zone is None else ZoneId(zone), most=MOST)

    def ask(stop: Stop) -> list[Row]:
        return list(here.answers.series(question, stop))

    rows, _ = await history.asked(request, ask)
    return history.json({"quantity": wanted.name, "unit": wanted.unit, "every_s": step, "series": [
        {"of": of, "points": [{"at": row.at, "value": row.value} for row in found]}
        for of, found in groupby(rows, attrgetter("of"))]})
