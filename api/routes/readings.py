"""History: what an asset has said."""

import re
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api.deps import Acting, Here, Viewing
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import PointOut, ReadingsOut
from city import quantities
from city.errors import Forbidden, Invalid
from city.ids import AssetId
from city.quantities import Quantity
from city.store.ports import Role

RAW = timedelta(days=31)
LONGEST = timedelta(days=400)
MOST_POINTS = 10_000
_STEP = re.compile(r"(\d{1,9})([smhd]?)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
router = APIRouter(prefix=TENANT, tags=["readings"], responses=RESPONSES)


@router.get("/readings", summary="History of one quantity of one asset")
def readings(town: Viewing, here: Here, who: Acting, asset: Annotated[str, Query(max_length=64)],
             quantity: Annotated[str, Query(max_length=64, examples=["lamp.power"])],
             start: Annotated[AwareDatetime, Query(alias="from")], end: Annotated[AwareDatetime, Query(alias="to")],
             every: Annotated[str, Query(description="step: seconds, or 15m, 1h, 1d", max_length=12)] = "",
             channel: Annotated[str, Query(max_length=32)] = "") -> ReadingsOut:
    """Values with from ≤ at < to: all of them (31 days at most), or one per step; never more than 10,000."""
    found, wanted = town.asset(AssetId(asset)), _quantity(quantity)
    if found.kind == "bay" and not who.may(Role.OPERATOR):
        raise Forbidden("This needs the role “{role}”.", rule="role", role=Role.OPERATOR.value)
    step = _step(every)
    _check_span(end - start, step)
    points = here.log.history(town.tenant.id, found.id, wanted, start, end, step, channel)
    if len(points) > MOST_POINTS:
        raise Invalid("These are more than {most} values: ask for a shorter time, or for steps (every).",
                      field="every", rule=f"≤ {MOST_POINTS} points", most=MOST_POINTS)
    return ReadingsOut(asset=found.id, quantity=wanted.name, unit=wanted.unit, every_s=step,
                       points=[PointOut(at=point.at, value=point.value) for point in points])


def _quantity(name: str) -> Quantity:
    try:
        return quantities.quantity(name)
    except KeyError:
        raise Invalid("There is no quantity “{name}”.", field="quantity", rule="known quantity", name=name) from None


def _step(text: str) -> float | None:
    if not text:
        return None
    match = _STEP.match(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if seconds < 1:
        raise Invalid("A step is a number of seconds, or like 15m, 1h, 1d; not “{value}”.", field="every", rule="step",
                      value=text)
    return float(seconds)


def _check_span(span: timedelta, step: float | None) -> None:
    if span <= timedelta(0):
        raise Invalid("The end lies before the start.", field="to", rule="after from")
    if step is None and span > RAW:
        raise Invalid("All values of more than {days} days are too many: ask for steps (every).", field="every",
                      rule=f"≤ {RAW.days} days raw", days=RAW.days)
    if span > LONGEST:
        raise Invalid("History goes back {days} days at most.", field="from", rule=f"≤ {LONGEST.days} days",
                      days=LONGEST.days)
    if step is not None and span.total_seconds() / step > MOST_POINTS:
        raise Invalid("These are more than {most} values: ask for a shorter time, or for longer steps.",
                      field="every", rule=f"≤ {MOST_POINTS} points", most=MOST_POINTS)
