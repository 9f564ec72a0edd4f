"""For whoever runs the platform: is it alive, can it work, what does it count."""

from collections.abc import Iterator

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from api.deps import Here, anyone
from api.shell import Metrics
from city.errors import CityError
from city.health import Readiness, Reason, broken, of_bridges, warning

PRIVATE = frozenset({"name", "what"})  # facts that may tell of hosts and accounts

router = APIRouter(tags=["operations"], dependencies=[Depends(anyone)])


@router.get("/healthz", summary="The process answers")
def healthz() -> dict[str, bool]:
    """Always true; says nothing of the neighbours."""
    return {"alive": True}


class ReasonOut(BaseModel):
    """Something that is wrong; `broken`: it is why the process is not ready."""

    code: str
    broken: bool
    sentence: str


class ReadyOut(BaseModel):
    ready: bool
    reasons: list[ReasonOut]


@router.get("/readyz", summary="The process can do its work", responses={503: {"model": ReadyOut}})
def readyz(here: Here, response: Response) -> ReadyOut:
    """Asks the city database and the log of readings; 503 names what is missing. What bridges say of themselves, and that
    one has not been heard, is told too, and is no reason to send nobody to this process. Anybody may ask: no names, no
    words of a neighbour."""
    state = Readiness.of([*_own(here), *_of_bridges(here)])
    if not state.ready:
        response.status_code = 503
    return ReadyOut(ready=state.ready, reasons=[
        ReasonOut(code=item.code, broken=item.broken, sentence=str(item)) for item in state.reasons])


@router.get("/metrics", summary="Prometheus metrics of this process", response_class=Response)
def metrics(request: Request) -> Response:
    """Counts and times only: no names of towns' things, no secrets."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)


def _own(here: Here) -> Iterator[Reason]:
    for code, ask in (("database_down", here.store.ping), ("log_unreadable", here.log.head)):
        try:
            ask()
        except CityError as error:
            yield broken(code, what=error.reason)


def _of_bridges(here: Here) -> list[Reason]:
    """Each code once, and as a warning."""
    try:
        beats = here.store.beats()
    except CityError:
        return []  # said already
    if not beats:
        return [warning("bridge_never")]
    said = {reason.code: reason for reason in of_bridges(beats, here.clock.now())}
    return [Reason(code, False, {**reason.facts, **dict.fromkeys(PRIVATE & reason.facts.keys(), "…")})
            for code, reason in said.items()]
