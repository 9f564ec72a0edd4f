"""What parking's staff reads and writes over the wire. Times are UTC, ISO 8601. Nothing of this is for everybody."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.analysis import Analysis
from api.staff import BayView
from city.bay_health import SensorHealth
from city.bays import BayEvent
from city.closures import MOST_BAYS, MOST_REASON, Closure
from city.overstays import Overstay, ZoneOverstays
from city.parking_facts import BayDay
from city.parking_places import Block, Doubt, Doubting
from city.parking_stats import DWELL_BINS
from city.readings import from_ns
from city.sensor_checks import CheckedSensor, SensorCheck

Named = Annotated[str, Field(max_length=64)]


class _In(BaseModel):
    """A body: unknown fields are refused, so that a typing error is heard."""

    model_config = ConfigDict(extra="forbid")


class BlockOut(BaseModel):
    """A bay that cannot be parked in for a time; `ended_at`: opened before its end."""

    id: str
    bay: str
    start: datetime
    end: datetime
    reason: str
    by: str
    ended_at: datetime | None

    @classmethod
    def of(cls, block: Block) -> Self:
        return cls(id=block.id, bay=block.bay, start=block.start, end=block.end, reason=block.reason, by=block.actor,
                   ended_at=block.ended_at)


class ClosureIn(_In):
    """Bays by their numbers, or all of a zone, or both."""

    bays: list[Named] = Field(default=[], max_length=MOST_BAYS)
    zone: Named | None = None
    start: AwareDatetime | None = Field(default=None, description="with its offset from UTC; left out: now")
    end: AwareDatetime
    reason: str = Field(max_length=4 * MOST_REASON, description="works, an event, a delivery")


class ClosureOut(BaseModel):
    """Blocks that were asked for together."""

    id: str
    start: datetime
    end: datetime
    reason: str
    by: str
    created_at: datetime
    blocks: list[BlockOut]

    @classmethod
    def of(cls, closure: Closure) -> Self:
        first = closure.first
        return cls(id=closure.id, start=first.start, end=first.end, reason=first.reason, by=first.actor,
                   created_at=first.created_at, blocks=[BlockOut.of(block) for block in closure.blocks])


class BayStateOut(BaseModel):
    """A bay as it is known. `why`: never_heard, silent, gone, flapping, suspect, fault, unheard, no_sensor, blocked or "".
    `certain`: the last change itself was heard; `learning`: the sensor has restarted and does not know its place yet."""

    id: str
    name: str
    zone: str
    latitude: float
    longitude: float
    restriction: str
    occupancy: str = Field(description="free, occupied, unknown, blocked or out_of_service")
    why: str
    since: datetime | None
    said_at: datetime | None = Field(description="when the sensor last said a state")
    heard_at: datetime | None = Field(description="when it last said anything")
    certain: bool
    learning: bool
    block: BlockOut | None

    @classmethod
    def of(cls, view: BayView) -> Self:
        bay, fact = view.bay, view.fact
        return cls(id=bay.id, name=bay.name, zone=bay.zone, latitude=bay.site.latitude, longitude=bay.site.longitude,
                   restriction=bay.restriction.value, occupancy=view.occupancy.value, why=view.why.value, since=view.since,
                   said_at=fact.said_at if fact else None, heard_at=view.heard_at, certain=fact.certain if fact else False,
                   learning=fact.learning if fact else False, block=BlockOut.of(view.block) if view.block else None)


class WordOut(BaseModel):
    """One word of a sensor: a change of state (edge), a sign of life with its state (beat), a restart (start) or something
    else (other)."""

    at: datetime
    sign: str
    occupied: bool | None
    number: int | None = Field(description="its frame counter")
    boot: str
    fault: str

    @classmethod
    def of(cls, event: BayEvent) -> Self:
        return cls(at=from_ns(event.at_ns), sign=event.sign, occupied=event.occupied,
                   number=event.number if event.number >= 0 else None, boot=event.boot, fault=event.fault)


class DayOut(BaseModel):
    """A sensor on one day (Europe/Berlin)."""

    day: date
    beats: int
    changes: int
    missed: int = Field(description="changes that only a sign of life told")
    lost: int = Field(description="frames that never came")
    starts: int
    occupied_s: int
    unknown_s: int

    @classmethod
    def of(cls, one: BayDay) -> Self:
        return cls(day=one.day, beats=one.beats, changes=one.edges, missed=one.missed, lost=one.lost, starts=one.starts,
                   occupied_s=one.occupied_s, unknown_s=one.unknown_s)


class SensorOut(BaseModel):
    """A bay's sensor over the last seven days. `findings`, the worst first: no_sensor, gone, never_heard, fault,
    device_restarts, suspect, flapping, silent, unheard, coverage, battery, missed, lost, learning; none: all is well."""

    bay: str
    zone: str
    device: str | None
    model: str
    findings: list[str]
    heard_at: datetime | None
    beats: int
    changes: int
    missed: int
    lost: int
    starts: int
    missed_share: float | None = Field(description="of all changes; null: too few to tell")
    lost_share: float | None = Field(description="of all frames")
    battery: float | None = Field(description="per cent")
    battery_volts: float | None

    @classmethod
    def of(cls, one: SensorHealth) -> Self:
        return cls(bay=one.bay.id, zone=one.bay.zone, device=one.device, model=one.model,
                   findings=[finding.value for finding in one.findings], heard_at=one.heard_at, beats=one.beats,
                   changes=one.changes, missed=one.missed, lost=one.lost, starts=one.starts, missed_share=one.missed_share,
                   lost_share=one.lost_share, battery=one.battery, battery_volts=one.volts)


class BayOut(BaseModel):
    """One bay whole: its state, how its sensor does, its last words and days."""

    state: BayStateOut
    sensor: SensorOut
    words: list[WordOut] = Field(description="of the last days, the newest first; older ones are not kept")
    days: list[DayOut]


class OverstayOut(BaseModel):
    """A bay that is taken for longer than its rule allows; `certain` false: the stay may have begun earlier."""

    bay: str
    minutes: int
    limit_min: int
    over_min: int
    certain: bool

    @classmethod
    def of(cls, one: Overstay) -> Self:
        return cls(bay=one.bay, minutes=one.minutes, limit_min=one.limit_min, over_min=one.over_min, certain=one.certain)


class ZoneOverstaysOut(BaseModel):
    """A zone: how many bays are taken under a limit now, and which are over it. `residents`: some of them may be residents with
    a permit."""

    zone: str
    limited: int
    over: list[OverstayOut]
    residents: bool

    @classmethod
    def of(cls, one: ZoneOverstays) -> Self:
        return cls(zone=one.zone, limited=one.limited, over=[OverstayOut.of(bay) for bay in one.over], residents=one.residents)


class CheckedOut(BaseModel):
    """What the check of a zone's sensors has found of one."""

    bay: str
    word: str = Field(description="waiting, untold, same, changed, missed or wrong: what its next word tells of its state then")
    findings: list[str]
    lost: int = Field(description="frames missing around the report")
    heard_at: datetime | None

    @classmethod
    def of(cls, one: CheckedSensor) -> Self:
        return cls(bay=one.bay, word=one.word, findings=list(one.findings), lost=one.lost, heard_at=one.heard_at)


class CheckOut(BaseModel):
    """A check of a zone's sensors, which a report has started. What was found of single ones is forgotten first."""

    result: str = Field(description="running, nothing, suspicious or confirmed")
    at: datetime
    until: datetime
    done_at: datetime | None
    total: int
    waiting: int
    sensors: list[CheckedOut]

    @classmethod
    def of(cls, one: SensorCheck, what: Doubting) -> Self:
        return cls(result=one.result(what).value, at=one.at, until=one.until, done_at=one.done_at, total=one.total,
                   waiting=one.waiting, sensors=[CheckedOut.of(sensor) for sensor in one.sensors])


class DoubtOut(BaseModel):
    """What somebody said is wrong, and what the page said then; nothing of the person is kept. `check`: what the check of the
    zone's sensors has found, null where there is none."""

    id: str
    zone: str
    what: str = Field(description="fuller, emptier, rule or other")
    at: datetime
    shown: str
    text: str
    closed_at: datetime | None
    closed_by: str
    outcome: str
    check: CheckOut | None

    @classmethod
    def of(cls, one: Doubt, check: SensorCheck | None) -> Self:
        return cls(id=one.id, zone=one.zone, what=one.what.value, at=one.at, shown=one.shown, text=one.text,
                   closed_at=one.closed_at, closed_by=one.closed_by, outcome=one.outcome,
                   check=CheckOut.of(check, one.what) if check is not None else None)


class StepOut(BaseModel):
    """A step of a zone's curve; shares 0…1, null: nothing was known."""

    at: datetime
    bays: int
    occupied: float | None
    unknown: float | None
    arrivals: int
    departures: int
    mean_stay_min: float | None


class HeatOut(BaseModel):
    weekday: int = Field(description="1: Monday")
    hour: int = Field(description="Europe/Berlin")
    occupied: float


class DwellOut(BaseModel):
    """Stays by how long they were, of those that were seen whole."""

    up_to_min: int | None = Field(description="null: longer than all classes")
    stays: int


class UsageOut(BaseModel):
    """How a zone's bays of one kind were used; nothing of single bays. `step_s`: how long a step of the curve is."""

    zone: str
    kind: str
    first: date
    last: date
    step_s: int
    occupied: float | None = Field(description="share of the known bay-time")
    turnover: float | None = Field(description="completed stays per bay and day")
    mean_stay_min: float | None
    median_stay_min: float | None
    stays_from: datetime = Field(description="single stays are kept for thirty days only")
    steps: list[StepOut]
    heat: list[HeatOut]
    dwell: list[DwellOut]

    @classmethod
    def of(cls, one: Analysis) -> Self:
        steps = [StepOut(at=step.at, bays=step.bays, occupied=step.occupied, unknown=step.unknown, arrivals=step.arrivals,
                         departures=step.departures, mean_stay_min=step.mean_min) for step in one.steps]
        return cls(zone=one.zone.id, kind=one.kind.value, first=one.period.first, last=one.period.last,
                   step_s=int(one.period.step.total_seconds()), occupied=one.occupancy, turnover=one.turnover,
                   mean_stay_min=one.dwell.mean_min, median_stay_min=one.dwell.median_min, stays_from=one.stays_from, steps=steps,
                   heat=[HeatOut(weekday=day, hour=hour, occupied=share) for (day, hour), share in one.heat.items()],
                   dwell=[DwellOut(up_to_min=end, stays=count)
                          for end, count in zip((*DWELL_BINS, None), one.dwell.counts, strict=True)])


class CloseIn(_In):
    outcome: str = Field(max_length=500, description="what was found out, in a sentence")
