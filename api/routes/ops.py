"""For whoever runs the platform: is it alive, can it work, what does it count."""

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.deps import Here, anyone
from api.schemas import ReadyOut
from api.shell import Metrics
from city.errors import CityError

router = APIRouter(tags=["operations"], dependencies=[Depends(anyone)])


@router.get("/healthz", summary="The process answers")
def healthz() -> dict[str, bool]:
    """Always true; says nothing of the neighbours."""
    return {"alive": True}


@router.get("/readyz", summary="The process can do its work", responses={503: {"model": ReadyOut}})
def readyz(here: Here, response: Response) -> ReadyOut:
    """Asks the city database and the log of readings; 503 names what is missing."""
    reasons = []
    for name, ask in (("database", here.store.ping), ("log", here.log.head)):
        try:
            ask()
        except CityError as error:
            reasons.append(f"{name}: {error.reason}")
    if reasons:
        response.status_code = 503
    return ReadyOut(ready=not reasons, reasons=reasons)


@router.get("/metrics", summary="Prometheus metrics of this process", response_class=Response)
def metrics(request: Request) -> Response:
    """Counts and times only: no names of towns' things, no secrets."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
