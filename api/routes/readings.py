"""History: what an asset has said."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from api import history
from api.deps import LIGHTING, PARKING, Acting, AnyViewing, Here, check_areas
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import ReadingsOut
from city import quantities
from city.errors import Forbidden, Invalid
from city.ids import AssetId
from city.places import Asset
from city.quantities import Quantity
from city.store.ports import Role
from city.store.queries import MOST_ROWS, Question, Row, Stop

RAW = timedelta(days=31)
LONGEST = timedelta(days=400)
MOST_POINTS = 10_000
_STEP = re.compile(r"(\d{1,9})([smhd]?)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
router = APIRouter(prefix=TENANT, tags=["readings"], responses=RESPONSES)


@router.get("/readings", summary="History of one quantity of one asset", response_model=ReadingsOut)
async def readings(request: Request, town: AnyViewing, here: Here, who: Acting, asset: Annotated[str, Query(max_length=64)],
                   quantity: Annotated[str, Query(max_length=64, examples=["lamp.power"])],
                   start: Annotated[AwareDatetime, Query(alias="from")], end: Annotated[AwareDatetime, Query(alias="to")],
                   every: Annotated[str, Query(description="step: seconds, or 15m, 1h, 1d", max_length=12)] = "",
                   channel: Annotated[str, Query(max_length=32)] = "",
                   format: Annotated[Literal["json", "csv"], Query(description="csv: up to 100,000 values")] = "json",
                   ) -> Response:
    """Values with from ≤ at < to: all of them (31 days at most), or one per step; as JSON never more than 10,000."""
    wanted, step = known_quantity(quantity), step_of(every)
    check_span(end - start, step)

    def ask(stop: Stop) -> tuple[Asset, Iterator[Row]]:
        found = town.asset(AssetId(asset))
        check_areas(who, PARKING if found.kind == "bay" else LIGHTING)
        if found.kind == "bay" and not who.may(Role.OPERATOR):
            raise Forbidden("This needs the role “{role}”.", rule="role", role=Role.OPERATOR.value)
        question = Question(town.tenant.id, wanted, start, end, step, channel=channel, asset=found.id,
                            most=MOST_POINTS if format == "json" else MOST_ROWS)
        return found, history.begun(here.answers.series(question, stop))

    if format == "csv":
        (_, rows), stop = await history.asked(request, ask)
        return history.csv(rows, stop)
    (found, points), _ = await history.asked(request, lambda stop: _whole(*ask(stop)))
    return history.json({"asset": found.id, "quantity": wanted.name, "unit": wanted.unit, "every_s": step, "points": [
        {"at": point.at, "value": point.value} for point in points]})


def _whole(found: Asset, rows: Iterator[Row]) -> tuple[Asset, list[Row]]:
    return found, list(rows)


def known_quantity(name: str) -> Quantity:
    """Raises Invalid."""
    try:
        return quantities.quantity(name)
    except KeyError:
        raise Invalid("There is no quantity “{name}”.", field="quantity", rule="known quantity", name=name) from None


def step_of(text: str) -> float | None:
    """Seconds. Raises Invalid."""
    if not text:
        return None
    match = _STEP.match(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if seconds < 1:
        raise Invalid("A step is a number of seconds, or like 15m, 1h, 1d; not “{value}”.", field="every", rule="step",
                      value=text)
    return float(seconds)


def check_span(span: timedelta, step: float | None) -> None:
    """Raises Invalid where the time is none, or too long."""
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
