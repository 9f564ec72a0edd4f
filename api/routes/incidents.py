"""Incidents, what people do about them, and the channels that are told of them."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.audit import record
from api.channeling import SEVERITY_NAMES, Wanted, made, time_text
from api.deps import Acting, Engineering, Now, Operating, Viewing, platform
from api.incident_views import IncidentView, inbox, one_view
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import AlarmOut
from city.ids import TenantId
from city.incidents import Act, Deed
from city.notices import Channel, Delivery

router = APIRouter(prefix=TENANT, tags=["incidents"], responses=RESPONSES)
SeverityWord = Literal["info", "warning", "major", "critical"]
Facts = Annotated[dict[str, float | str], Field(description="the proof: what was measured, expected, by which rule")]


class ActOut(BaseModel):
    """What somebody did about an incident."""

    at: datetime
    actor: str
    deed: Deed
    text: str

    @classmethod
    def of(cls, act: Act) -> Self:
        return cls(at=act.at, actor=act.actor, deed=act.deed, text=act.text)


class IncidentOut(BaseModel):
    """Alarms with one cause."""

    id: str
    cause: str
    subject: str
    name: str
    severity: str
    standing: Annotated[str, Field(description="new, seen, over (its cause is gone, it is watched), closed")]
    began_at: datetime
    ended_at: datetime | None
    closed_at: datetime | None
    returned_at: datetime | None
    returns: int
    kinds: list[str]
    count: Annotated[int, Field(description="assets that it concerns")]
    assets: list[str]
    facts: Facts
    merged: Annotated[str, Field(description="the incident that explains it")]
    assignee: str
    acts: list[ActOut]
    alarms: list[AlarmOut]

    @classmethod
    def of(cls, view: IncidentView) -> Self:
        one = view.incident
        return cls(id=one.id, cause=one.cause.value, subject=one.subject, name=view.name, severity=one.severity.name.lower(),
                   standing=view.standing.value, began_at=one.began_at, ended_at=one.ended_at, closed_at=one.closed_at,
                   returned_at=one.returned_at, returns=one.returns, kinds=[kind.value for kind in one.kinds],
                   count=one.count, assets=list(one.assets), facts=dict(one.facts), merged=one.merged,
                   assignee=view.assignee, acts=[ActOut.of(act) for act in view.acts],
                   alarms=[AlarmOut.of(alarm) for alarm in view.alarms])


class ActIn(BaseModel):
    """`text`: the note, whom it is given to, or why it is closed."""

    deed: Deed
    text: Annotated[str, Field(max_length=1000)] = ""


class ChannelIn(BaseModel):
    """Whom to tell, from which severity on. Times of `quiet` are local; `repeat_minutes` 0: never again."""

    name: Annotated[str, Field(max_length=80)]
    way: Annotated[str, Field(description="mail or webhook", max_length=20)] = "mail"
    address: Annotated[str, Field(max_length=500)]
    severity: Annotated[str, Field(max_length=20)] = "major"
    secret: Annotated[str, Field(description="signs webhooks; empty: as before, or a new one", max_length=200)] = ""
    language: Annotated[str, Field(max_length=5)] = "de"
    quiet_from: Annotated[str, Field(max_length=5)] = ""
    quiet_until: Annotated[str, Field(max_length=5)] = ""
    at_once: int = 10
    repeat_minutes: int = 0
    off: bool = False


class ChannelOut(BaseModel):
    """A channel; its secret is told once, to whoever made it."""

    id: str
    name: str
    way: str
    address: str
    severity: str
    language: str
    quiet: tuple[str, str] | None
    at_once: int
    repeat_minutes: int
    off: bool
    secret: str = ""

    @classmethod
    def of(cls, one: Channel, *, secret: str = "") -> Self:
        quiet = None if one.quiet is None else (time_text(one.quiet[0]), time_text(one.quiet[1]))
        return cls(id=one.id, name=one.name, way=one.way.value, address=one.address, severity=one.severity.name.lower(),
                   language=one.language, quiet=quiet, at_once=one.at_once,
                   repeat_minutes=int(one.repeat.total_seconds() // 60), off=one.off, secret=secret)


class DeliveryOut(BaseModel):
    """A message to a channel."""

    id: str
    channel: str
    about: str
    at: datetime
    state: str
    attempts: int
    next_at: datetime | None
    note: str
    incidents: list[str]

    @classmethod
    def of(cls, one: Delivery) -> Self:
        return cls(id=one.id, channel=one.channel, about=one.about.value, at=one.at, state=one.state.value,
                   attempts=one.attempts, next_at=one.next_at, note=one.note, incidents=[name for name, _ in one.incidents])


class TypicalOut(BaseModel):
    """What lamps of one type really draw at a level, as a factor on what their papers let expect."""

    type: str
    level: int
    factor: float
    nights: int
    lamps: int


@router.get("/incidents", summary="Incidents: what nobody has seen first, then the gravest")
def incidents(town: Viewing, severity: SeverityWord | None = None, closed: bool = False,
              limit: Annotated[int, Query(ge=1, le=2000)] = 500) -> list[IncidentOut]:
    """From a severity on (info, warning, major, critical); those to be looked at, or the closed ones."""
    least = SEVERITY_NAMES[severity] if severity else None
    return [IncidentOut.of(view) for view in inbox(town, severity=least, show_closed=closed)[:limit]]


@router.get("/incidents/{id}", summary="One incident with its alarms")
def incident(town: Viewing, id: str) -> IncidentOut:
    """Children of a collective cause are among its alarms."""
    return IncidentOut.of(one_view(town, id))


@router.post("/incidents/{id}/acts", summary="Do something about an incident", status_code=201)
def act(town: Operating, who: Acting, now: Now, id: str, given: ActIn) -> ActOut:
    """Acknowledge, give it to somebody, write a note, close it. Nothing is ever taken back or changed."""
    record(town, who, now, f"{given.deed.value} incident", f"incident {id[:64]}", given.text)
    return ActOut.of(town.act(id, given.deed, given.text, who.name, now))


@router.get("/typical", summary="What lamps of each type really draw")
def typical(town: Viewing) -> list[TypicalOut]:
    """Learnt night by night from all lamps of a type; 1.0 until three nights are known."""
    return [TypicalOut(type=kind, level=level, factor=round(known.factor, 4), nights=len(known.nights), lamps=known.lamps)
            for (kind, level), known in sorted(town.learnt().items())]


@router.get("/channels", summary="Who is told of incidents")
def channels(town: Engineering) -> list[ChannelOut]:
    """Without their secrets."""
    return [ChannelOut.of(one) for one in town.channels()]


@router.post("/channels", summary="A new channel", status_code=201)
def add_channel(request: Request, town: Engineering, who: Acting, now: Now, given: ChannelIn) -> ChannelOut:
    """The answer holds the webhook's secret, this once."""
    channel = _made(request, town.tenant.id, given, None, who.name, now)
    record(town, who, now, "add channel", f"channel {channel.id}", channel.name)
    town.put_channel(channel)
    return ChannelOut.of(channel, secret=channel.secret)


@router.put("/channels/{id}", summary="Change a channel")
def change_channel(request: Request, town: Engineering, who: Acting, now: Now, id: str, given: ChannelIn) -> ChannelOut:
    """Its secret stays unless a new one is given."""
    channel = _made(request, town.tenant.id, given, town.channel(id), who.name, now)
    record(town, who, now, "change channel", f"channel {id[:64]}", channel.name)
    town.put_channel(channel)
    return ChannelOut.of(channel)


@router.delete("/channels/{id}", summary="Remove a channel", status_code=204)
def remove_channel(town: Engineering, who: Acting, now: Now, id: str) -> Response:
    """What it was told stays in the list of deliveries."""
    record(town, who, now, "remove channel", f"channel {id[:64]}")
    town.remove_channel(id)
    return Response(status_code=204)


@router.post("/channels/{id}/trial", summary="Send a message on trial", status_code=202)
def try_channel(town: Engineering, who: Acting, now: Now, id: str) -> dict[str, bool]:
    """The bridge sends it within a minute; see the deliveries."""
    record(town, who, now, "try channel", f"channel {id[:64]}")
    town.try_channel(id, now)
    return {"accepted": True}


@router.get("/deliveries", summary="Messages that were sent, or could not be")
def deliveries(town: Engineering, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> list[DeliveryOut]:
    """The newest first."""
    return [DeliveryOut.of(one) for one in town.deliveries(limit=limit)]


def _made(request: Request, tenant: TenantId, given: ChannelIn, known: Channel | None, actor: str,
          now: datetime) -> Channel:
    private = platform(request).settings.notices.allow_private
    return made(Wanted(**given.model_dump()), tenant, known, actor=actor, now=now, private=private)
