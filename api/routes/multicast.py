"""Groups of radio: for which lamps there shall be multicast groups, who is in them, what was told to them, time on air."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.audit import record
from api.deps import Acting, Engineering, Here, Now, Operating, Rails, Viewing
from api.intents import lamps_of
from api.pricing import price
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import EstimateOut
from city.budget import down_band, lawful_s
from city.errors import Invalid, NotFound
from city.groups import Target
from city.ids import GroupId, ZoneId
from city.multicast import SLOT_OF, CastRun, GroupWish, Member, Membership, RadioGroup
from city.orders import SetLevel
from city.store.ports import TenantStore

MOST_TARGETS = 500
MOST_HOURS = 48
router = APIRouter(prefix=TENANT, tags=["multicast"], responses=RESPONSES)


class RadioGroupOut(BaseModel):
    """A multicast group. `members` are counted by what is known of them: wanted, told (its keys), confirmed, leaving; only
    confirmed ones are told by it. `enlisted` of them the network server knows."""

    id: str
    target: str
    model: str
    slot: int
    generation: int
    dr: int
    frequency: int
    gateways: list[str]
    ready: bool
    note: str
    changed_at: datetime | None
    members: dict[str, int]
    enlisted: int

    @classmethod
    def of(cls, group: RadioGroup, members: Sequence[Member]) -> Self:
        counted = Counter(member.state.value for member in members)
        return cls(id=group.id, target=str(group.target), model=group.model, slot=group.slot, generation=group.generation,
                   dr=group.dr, frequency=group.frequency, gateways=list(group.gateways), ready=group.ready, note=group.note,
                   changed_at=group.changed_at, members={state.value: counted[state.value] for state in Membership},
                   enlisted=sum(member.enlisted for member in members))


class WishOut(BaseModel):
    target: str
    actor: str
    at: datetime


class GroupsOut(BaseModel):
    """`enabled`: the platform has what groups need, the network server's API and a secret."""

    enabled: bool
    wanted: list[WishOut]
    groups: list[RadioGroupOut]


class MemberOut(BaseModel):
    device: str
    asset: str | None
    state: str
    enlisted: bool
    told_at: datetime | None
    confirmed_at: datetime | None


class TargetsIn(BaseModel):
    """Lamps: town, zone:…, circuit:…, group:…; none for all zones and circuits."""

    targets: Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=MOST_TARGETS)] = []
    rekey: bool = False


class PriceIn(BaseModel):
    """Lamps, and the level that they are to be told; null: as programmed."""

    targets: Annotated[list[Annotated[str, Field(max_length=80)]], Field(min_length=1, max_length=20_000)]
    level: Annotated[int | None, Field(ge=0, le=100)] = None


class MeasuredOut(BaseModel):
    """`error`: by how much of the estimate it took longer (or, below 0, less long) until the last lamp was known to obey."""

    known_s: float
    by_cast: int
    alone: int
    none: int
    error: float | None


class CastOut(BaseModel):
    """An order to a group. `level` null: as programmed. `sent` of `repeats` rounds have gone out."""

    id: str
    group: str
    origin: str
    level: int | None
    lamps: int
    repeats: int
    sent: int
    created_at: datetime
    ended_at: datetime | None
    estimate: EstimateOut | None
    measured: MeasuredOut | None
    note: str

    @classmethod
    def of(cls, run: CastRun) -> Self:
        level = run.order.level if isinstance(run.order, SetLevel) else None
        return cls(id=run.id, group=run.group, origin=run.origin, level=level, lamps=run.lamps, repeats=run.repeats,
                   sent=run.sent, created_at=run.created_at, ended_at=run.ended_at,
                   estimate=EstimateOut.of(run.estimate) if run.estimate else None, measured=_measured(run), note=run.note)


class AirtimeOut(BaseModel):
    """What this town's orders have used of a gateway and sub-band in an hour; `lawful_s` is what the law allows."""

    gateway: str
    band: str
    hour: datetime
    seconds: float
    frames: int
    lawful_s: float


@router.get("/multicast", summary="Groups of radio")
def groups(town: Viewing, here: Here) -> GroupsOut:
    """Those that are wanted, and what the bridge has made of them."""
    members: dict[str, list[Member]] = defaultdict(list)
    for member in town.radio_members():
        members[member.group].append(member)
    chirpstack = here.settings.chirpstack
    return GroupsOut(enabled=bool(chirpstack.url and chirpstack.group_secret),
                     wanted=[WishOut(target=str(wish.target), actor=wish.actor, at=wish.at) for wish in town.group_wishes()],
                     groups=[RadioGroupOut.of(group, members[group.id]) for group in town.radio_groups()])


@router.get("/multicast/{id}/members", summary="Members of a group of radio")
def members(town: Viewing, id: Annotated[str, Field(max_length=64)]) -> list[MemberOut]:
    """Each lamp's controller, and what is known of it and the group's keys."""
    if all(group.id != id for group in town.radio_groups()):
        raise _no_group(town)
    asset_of = {device.dev_eui: device.asset for device in town.devices()}
    return [MemberOut(device=one.device, asset=asset_of.get(one.device), state=one.state.value, enlisted=one.enlisted,
                      told_at=one.told_at, confirmed_at=one.confirmed_at) for one in town.radio_members() if one.group == id]


@router.post("/multicast", status_code=202, summary="Want groups of radio")
def want(town: Engineering, who: Acting, now: Now, body: TargetsIn) -> list[WishOut]:
    """The bridge makes them and tells each lamp its keys, which takes time on air: seconds for each lamp at slow data rates.
    With `rekey` the groups get other keys."""
    known = {wish.target: wish for wish in town.group_wishes()}
    wanted = [checked(town, text) for text in body.targets] or _all_places(town)
    record(town, who, now, "multicast", " ".join(map(str, wanted))[:200], "other keys" if body.rekey else "")
    for target in wanted:
        was = known.get(target)
        if was is None or body.rekey:  # never a generation again: somebody may still have its keys
            known[target] = GroupWish(target, who.name, now, max(int(now.timestamp()), was.generation + 1 if was else 1))
            town.put_group_wish(known[target])
    return [WishOut(target=str(wish.target), actor=wish.actor, at=wish.at) for wish in map(known.__getitem__, wanted)]


@router.delete("/multicast/{target}", status_code=204, summary="Want groups of radio no more")
def unwant(town: Engineering, who: Acting, now: Now, target: Annotated[str, Field(max_length=80)]) -> None:
    """Their lamps are told one by one again."""
    found = Target.parse(target)
    record(town, who, now, "multicast end", str(found))
    town.remove_group_wish(found)


@router.post("/estimate", summary="What an order would cost")
def estimate(town: Operating, now: Now, rails: Rails, body: PriceIn) -> EstimateOut:
    """Frames, lamps, seconds until the last one obeys, and the same by single messages. Changes nothing."""
    lamps = lamps_of(town, {Target.parse(text) for text in body.targets})
    return EstimateOut.of(price(town, lamps, body.level, now=now, rx2_dr=rails.rx2_dr))


@router.get("/casts", summary="Orders to groups of radio")
def casts(town: Viewing, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[CastOut]:
    """The newest first, with what was estimated and what was measured."""
    return [CastOut.of(run) for run in town.casts(limit=limit)]


@router.get("/casts/{id}", summary="One order to a group of radio")
def one_cast(town: Viewing, id: Annotated[str, Field(max_length=64)]) -> CastOut:
    """How far it has come."""
    return CastOut.of(town.cast(id))


@router.get("/airtime", summary="Time on air")
def airtime(town: Viewing, now: Now, hours: Annotated[int, Query(ge=1, le=MOST_HOURS)] = 24) -> list[AirtimeOut]:
    """Of this town's orders, by gateway and hour (UTC); joins, acknowledgements and other towns are not in it."""
    sums: dict[tuple[datetime, str, str], tuple[float, int]] = {}
    for spent in town.spent(now - timedelta(hours=hours)):
        key = spent.at.replace(minute=0, second=0, microsecond=0), spent.gateway, spent.band
        seconds, frames = sums.get(key, (0.0, 0))
        sums[key] = seconds + spent.seconds, frames + spent.frames
    lawful = lawful_s(down_band())
    return [AirtimeOut(gateway=gateway, band=band, hour=hour, seconds=round(seconds, 3), frames=frames, lawful_s=lawful)
            for (hour, gateway, band), (seconds, frames) in sorted(sums.items(), reverse=True)]


def checked(town: TenantStore, text: str) -> Target:
    """The target, which the town has. Raises Invalid and NotFound. Groups of radio are not made for single lamps."""
    target = Target.parse(text)
    match target.kind:
        case "zone":
            town.zone(ZoneId(target.id))
        case "circuit" if all(circuit.id != target.id for circuit in town.circuits()):
            raise _no_group(town)
        case "group" if GroupId(target.id) not in town.programming().groups:
            raise _no_group(town)
        case "lamp":
            raise Invalid("There are groups of radio for the town, zones, circuits and groups only.", field="targets",
                          rule=", ".join(SLOT_OF))
    return target


def _all_places(town: TenantStore) -> list[Target]:
    lit = {lamp.zone for lamp in town.luminaires()}
    return [*(Target("zone", zone) for zone in sorted(lit)),
            *(Target("circuit", circuit.id) for circuit in town.circuits())]


def _measured(run: CastRun) -> MeasuredOut | None:
    if run.measured is None:
        return None
    known = run.estimate.known_s if run.estimate is not None else 0.0
    return MeasuredOut(known_s=run.measured.known_s, by_cast=run.measured.by_cast, alone=run.measured.alone,
                       none=run.measured.none, error=round(run.measured.known_s / known - 1, 3) if known else None)


def _no_group(town: TenantStore) -> NotFound:
    return NotFound("There is no such {what} in {town}.", field="target", rule="exists", what="target", town=town.tenant.name)

