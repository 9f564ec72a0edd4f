"""Live changes of a town, as server-sent events."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from api.deps import LIGHTING, PARKING, Acting, AnyViewing
from api.feed import Sees
from api.live import Hub
from api.problems import RESPONSES
from api.routes.common import TENANT
from city.store.ports import Role

router = APIRouter(prefix=TENANT, tags=["live"], responses=RESPONSES)
_STREAM: dict[int | str, dict[str, Any]] = {200: {
    "description": "events: lamps, commands, alarms, overrides, bays, revision, reload",
    "content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@router.get("/events", summary="Live changes", response_class=StreamingResponse, responses=_STREAM)
async def events(request: Request, town: AnyViewing, who: Acting,
                 since: Annotated[int | None, Query(ge=0, description="revision to begin after")] = None,
                 last_event_id: Annotated[str, Header(max_length=32)] = "") -> StreamingResponse:
    """Whole items as they change, in `lamps`, `commands`, `alarms`, `overrides` for those who work in lighting and, from
    operators of parking on, `bays`; then `revision`, whose id resumes the stream (Last-Event-ID, or `since`). On `reload`
    begin anew."""
    hub: Hub = request.app.state.hub
    hub.admit(town)
    resumed = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else since
    stream = hub.listen(town, since=resumed, sees=Sees(who.works_in(LIGHTING), who.works_in(PARKING) and who.may(Role.OPERATOR)))
    return StreamingResponse(stream, media_type="text/event-stream",
                             headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
