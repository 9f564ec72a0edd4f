"""What goes over the wire, made from the city's types. Times are UTC, ISO 8601; levels per cent; power W.

What comes by the ten thousand is a plain dataclass, written by msgspec; the rest are pydantic models.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from api.views import LuminaireView, OverrideProgress, ZoneLightingView
from city.airtime import Estimate
from city.alarms import Alarm
from city.commands import Command
from city.lighting import Override
from city.places import Site, Tenant
from city.public_parking import PublicCount, PublicZone
from city.quantities import Value
from city.store.ports import AuditLine, DeadLetter

MAX_NAMED = 500  # targets of a wish that are named one by one


def to_json(item: object) -> bytes:
    """Any of the classes below as JSON."""
    return msgspec.json.encode(item, enc_hook=_dumped)


def _dumped(item: object) -> object:
    if isinstance(item, BaseModel):
        return item.model_dump(mode="json")
    raise NotImplementedError(type(item).__name__)


class _In(BaseModel):
    """A body: unknown fields are refused, so that a typing error is heard."""

    model_config = ConfigDict(extra="forbid")


class SiteOut(BaseModel):
    latitude: float
    longitude: float

    @classmethod
    def of(cls, site: Site) -> Self:
        return cls(latitude=site.latitude, longitude=site.longitude)


class TownOut(BaseModel):
    id: str
    name: str
    site: SiteOut

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        return cls(id=tenant.id, name=tenant.name, site=SiteOut.of(tenant.site))


class EstimateOut(BaseModel):
    """What a dim costs. `last_s`: seconds until the last lamp obeys, probably between `soonest_s` and `latest_s`, of which the
    gateways have to wait `waits_s` for their hour; `known_s`: until it has said so; `unicast_frames` and
    `unicast_last_s`: the same by single messages; `casts`: multicast groups that are told;
    `loss`: the share of downlinks, 0 to 1, that is reckoned to be lost, as this town's were lately."""

    lamps: int
    frames: int
    airtime_s: float
    last_s: float
    soonest_s: float
    latest_s: float
    waits_s: float
    unicast_frames: int
    unicast_last_s: float
    casts: int
    gateways: int
    known_s: float
    loss: float

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        return cls(lamps=estimate.lamps, frames=estimate.frames, airtime_s=round(estimate.airtime_s, 3),
                   last_s=round(estimate.last_s, 1), soonest_s=round(estimate.soonest_s, 1),
                   latest_s=round(estimate.latest_s, 1), waits_s=round(estimate.waits_s, 1),
                   unicast_frames=estimate.unicast_frames,
                   unicast_last_s=round(estimate.unicast_last_s, 1), casts=estimate.casts, gateways=estimate.gateways,
                   known_s=round(estimate.known_s, 1), loss=round(estimate.loss, 4))


class ProgressOut(BaseModel):
    """How far an override has come; what comes after `asked` sums to it."""

    asked: int
    waiting: int
    sent: int
    scheduled: int
    acked: int
    applied: int
    deviating: int
    failed: int
    unable: int
    superseded: int
    settled: bool

    @classmethod
    def of(cls, progress: OverrideProgress) -> Self:
        return cls.model_validate(progress, from_attributes=True)


class OverrideOut(BaseModel):
    """A wish. `level` null: as programmed. `pending`: it waits for a second person. `zone` and `asset` are set where it is for
    exactly one of them."""

    id: str
    targets: list[str]
    zone: str | None
    asset: str | None
    level: int | None
    start: datetime
    end: datetime
    ended_at: datetime | None
    reason: str
    actor: str
    emergency: bool
    pending: bool
    approved_by: str
    approved_at: datetime | None
    progress: ProgressOut | None = None

    @classmethod
    def of(cls, override: Override, progress: OverrideProgress | None = None) -> Self:
        targets = override.targets
        only = targets[0] if len(targets) == 1 else None
        return cls(id=override.id, targets=[str(target) for target in targets[:MAX_NAMED]],
                   zone=only.id if only is not None and only.kind == "zone" else None,
                   asset=only.id if only is not None and only.kind == "lamp" else None,
                   level=override.level, start=override.start, end=override.end, ended_at=override.ended_at,
                   reason=override.reason, actor=override.actor, emergency=override.emergency,
                   pending=override.pending, approved_by=override.approved_by, approved_at=override.approved_at,
                   progress=ProgressOut.of(progress) if progress else None)


class AcceptedOut(BaseModel):
    """A wish that has been written down; where to follow it, and what it will cost."""

    href: str
    override: OverrideOut
    estimate: EstimateOut


class EndedOut(BaseModel):
    ended: int = Field(description="how many overrides were active and are not any more")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOut:
    level: int
    reason: Annotated[str, Field(description="program or override")]
    origin: str
    since: datetime
    until: datetime
    program: Annotated[str | None, Field(description="the program of the night")]


class AlarmOut(BaseModel):
    id: str
    asset: str
    kind: str
    began_at: datetime
    ended_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    severity: Annotated[str, Field(description="info, warning, major or critical")] = "warning"
    facts: Annotated[dict[str, float | str], Field(description="the proof: what was measured, expected, by which rule")] = {}

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        return cls(id=alarm.id, asset=alarm.asset, kind=alarm.kind.value, began_at=alarm.began_at,
                   ended_at=alarm.ended_at, acknowledged_at=alarm.acknowledged_at,
                   acknowledged_by=alarm.acknowledged_by, severity=alarm.severity.name.lower(), facts=dict(alarm.facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOut:
    """An order and what is known of it; `order` is its name, keys and limits are not shown."""

    id: str
    asset: str
    device: str
    order: str
    level: int | None
    origin: str
    state: str
    created_at: datetime
    changed_at: datetime | None
    sent_at: datetime | None
    expires_at: datetime
    holds_until: datetime | None
    attempts: int
    note: str

    @classmethod
    def of(cls, command: Command) -> Self:
        return cls(id=command.id, asset=command.asset, device=command.device, order=type(command.order).__name__,
                   level=getattr(command.order, "level", None), origin=command.origin, state=command.state.value,
                   created_at=command.created_at, changed_at=command.changed_at, sent_at=command.sent_at,
                   expires_at=command.expires_at, holds_until=command.holds_until, attempts=command.attempts,
                   note=command.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class LuminaireOut:
    """One lamp: `target` is what is wanted, `level` what its controller reports, `power_w` what it draws."""

    id: str
    name: str
    zone: str
    zone_name: str
    circuit: str | None
    latitude: float
    longitude: float
    nominal_w: float | None
    lighting_class: str
    restriction: str
    floor: int
    device: str | None
    model: str
    dims: bool
    state: Annotated[str, Field(description="ok, waiting, deviates, fault, silent or never_heard")]
    target: TargetOut
    level: float | None
    level_reason: str
    level_at: datetime | None
    power_w: float | None
    power_at: datetime | None
    heard_at: datetime | None
    alarms: Annotated[list[str], Field(description="kinds of its open alarms")]
    command: Annotated[CommandOut | None, Field(description="the order under way")]
    override: Annotated[str | None, Field(description="the override that wins here")]

    @classmethod
    def of(cls, view: LuminaireView) -> Self:
        lamp, target = view.lamp, view.target
        return cls(
            id=lamp.id, name=lamp.name, zone=lamp.zone, zone_name=view.zone_name, circuit=lamp.circuit,
            latitude=lamp.site.latitude, longitude=lamp.site.longitude, nominal_w=lamp.power_w,
            lighting_class=lamp.lighting_class, restriction=lamp.restriction.value, floor=view.floor,
            device=view.device, model=view.model, dims=view.dims, state=view.word.value,
            target=TargetOut(level=target.level, reason=target.reason, origin=target.origin, since=target.since,
                             until=target.until, program=target.program),
            level=view.level, level_reason=view.level_reason, level_at=view.level_at, power_w=view.power_w,
            power_at=view.power_at, heard_at=view.heard_at, alarms=[alarm.kind.value for alarm in view.alarms],
            command=CommandOut.of(view.live) if view.live else None,
            override=view.override.id if view.override else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LuminairesOut:
    luminaires: list[LuminaireOut]
    total: Annotated[int, Field(description="how many match, on all pages")]
    cursor: Annotated[str | None, Field(description="give it back to get the next page; null: this was the last one")]


class ZoneOut(BaseModel):
    """A zone's lamps, counted; `states` is how many there are in each state."""

    id: str
    name: str
    lamps: int
    dimmable: int
    states: dict[str, int]
    target_min: int
    target_max: int
    level_mean: float | None
    power_w: float | None
    floor: int
    newest: datetime | None
    override: OverrideOut | None

    @classmethod
    def of(cls, view: ZoneLightingView) -> Self:
        return cls(id=view.zone.id, name=view.zone.name, lamps=view.lamps, dimmable=view.dimmable,
                   states={word.value: count for word, count in view.words.items()}, target_min=view.target_min,
                   target_max=view.target_max, level_mean=view.level_mean, power_w=view.power_w, floor=view.floor,
                   newest=view.newest, override=OverrideOut.of(view.override) if view.override else None)


class OccupancyOut(BaseModel):
    """`free` is a number only where enough is known, `free_min` to `free_max` where enough is for a range; of fewer than
    five comparable bays there is only the word, and nothing where the last evaluation is too old."""

    restriction: str
    total: int
    free: int | None
    free_min: int | None
    free_max: int | None
    coverage: float | None
    word: str = Field(description="many, few, full or no_data")

    @classmethod
    def of(cls, count: PublicCount) -> Self:
        known = count.known if count.free_min is not None else None
        return cls(restriction=count.restriction.value, total=count.total, free=count.free, free_min=count.free_min,
                   free_max=count.free_max, coverage=None if known is None else round(known / count.total, 3), word=count.word)


class ParkingZoneOut(BaseModel):
    id: str
    name: str
    latitude: float
    longitude: float
    evaluated_at: datetime = Field(description="when this was found out; nothing is told of it after half an hour")
    grey: bool = Field(description="found out too long ago to be believed without a word of warning")
    trend: str = Field(description="where the number of free bays is going: rising, falling, steady, or nothing")
    counts: list[OccupancyOut]

    @classmethod
    def of(cls, zone: PublicZone) -> Self:
        return cls(id=zone.zone, name=zone.name, latitude=zone.latitude, longitude=zone.longitude, grey=zone.grey,
                   evaluated_at=zone.evaluated_at, trend=zone.trend, counts=[OccupancyOut.of(count) for count in zone.counts])


class PointOut(BaseModel):
    at: datetime
    value: Value


class ReadingsOut(BaseModel):
    asset: str
    quantity: str
    unit: str = Field(description="UCUM")
    every_s: float | None
    points: list[PointOut]


class ConfigOut(BaseModel):
    """`wanted` has the fields of DeviceConfig; `reported` what the device has confirmed, by the name of the order."""

    device: str
    wanted: dict[str, object] | None
    wanted_by: str
    wanted_at: datetime | None
    pending: list[str] = Field(description="names of the settings that the device has not confirmed yet")
    reported: dict[str, dict[str, object]]


class LetterOut(BaseModel):
    id: str
    received_at: datetime
    topic: str
    reason: str
    detail: str
    count: int
    payload_hex: str = Field(description="at most the first 512 bytes")
    size: int

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        return cls(id=letter.id, received_at=letter.received_at, topic=letter.topic, reason=letter.reason,
                   detail=letter.detail, count=letter.count, payload_hex=letter.payload[:512].hex(),
                   size=len(letter.payload))


class AuditOut(BaseModel):
    at: datetime
    actor: str
    action: str
    target: str
    detail: str

    @classmethod
    def of(cls, line: AuditLine) -> Self:
        return cls.model_validate(line, from_attributes=True)


class ImportProblemOut(BaseModel):
    line: int
    column: str
    rule: str
    detail: str


class ImportOut(BaseModel):
    imported: int
    passed_over: int = Field(description="lines with problems")
    problems: list[ImportProblemOut] = Field(description="at most the first 1,000")


class SignInIn(_In):
    name: str = Field(max_length=1024)
    password: str = Field(max_length=1024)


class SessionOut(BaseModel):
    name: str
    role: str
    tenant: str | None = Field(description="null: every town")
    areas: list[str] = Field(description="what the role holds for: lighting, parking")
    csrf: str = Field(description="to be sent as X-CSRF-Token with every change")
    expires_at: datetime | None = None


class Feature(BaseModel):
    """A street of the base map as GeoJSON."""

    type: str = "Feature"
    properties: dict[str, str]
    geometry: dict[str, object]


class StreetsOut(BaseModel):
    type: str = "FeatureCollection"
    features: list[Feature]
