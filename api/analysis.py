"""How a parking zone is used, out of its quarter hours and stays: a curve, a week as a heat map, how long people stay, how often
a bay changes hands. Of zones, never of bays. Blocking; for JSON, pages and tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from city import parking_stats
from city.errors import Invalid, NotFound
from city.ids import ZoneId
from city.lighting import BERLIN
from city.parking_facts import Quarter
from city.parking_stats import Dwell
from city.places import Restriction, Zone
from city.store.ports import TenantStore

USUAL = timedelta(days=28)
LONGEST = timedelta(days=400)
STEPS = ((timedelta(days=3), timedelta(minutes=15)), (timedelta(days=31), timedelta(hours=1)))  # up to so long, so fine


@dataclass(frozen=True, slots=True)
class Period:
    """Days, both included, of Berlin's calendar."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return _midnight(self.first)

    @property
    def end(self) -> datetime:
        return _midnight(self.last + timedelta(days=1))

    @property
    def step(self) -> timedelta:
        """How fine its curve is."""
        return next((fine for longest, fine in STEPS if self.end - self.start <= longest), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the curve: the share of known bay-time that was occupied, and the share of all that was not known, 0…1 (None:
    nothing was); stays that began, that ended, and the mean of those that were seen whole, minutes."""

    at: datetime
    bays: int
    occupied: float | None
    unknown: float | None
    arrivals: int
    departures: int
    mean_min: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """A zone's bays of one kind in a period. `heat`: the share that was occupied by weekday (1 = Monday) and hour. `dwell` is of
    the last days alone: single stays are kept for so long only, from `stays_from` on."""

    zone: Zone
    kind: Restriction
    period: Period
    steps: Sequence[Step]
    heat: Mapping[tuple[int, int], float]
    occupancy: float | None
    turnover: float | None
    dwell: Dwell
    stays_from: datetime


def period_of(first: date | None, last: date | None, now: datetime) -> Period:
    """What was asked for; by default the last four weeks. Raises Invalid for a time that is none, or too long."""
    today = now.astimezone(BERLIN).date()
    end = last or today
    start = first or end - USUAL + timedelta(days=1)
    if end < start:
        raise Invalid("The end lies before the start.", field="to", rule="after from")
    if end - start >= LONGEST:
        raise Invalid("Usage is told for {days} days at most.", field="from", rule=f"≤ {LONGEST.days} days", days=LONGEST.days)
    return Period(start, end)


def analyse(town: TenantStore, zone: ZoneId, kind: Restriction, period: Period, now: datetime, stays_days: int) -> Analysis:
    """Raises NotFound for a zone without bays."""
    found = next((one for one in town.zones() if one.id == zone), None)
    if found is None or not town.bays(zone):
        raise no_zone(zone)
    quarters = [one for one in town.quarters(period.start, period.end, zone) if one.restriction == kind.value]
    since = max(period.start, now - timedelta(days=stays_days))
    stays = [one for one in town.stays(since, period.end, zone) if one.restriction == kind.value] if since < period.end else []
    return Analysis(found, kind, period, curve(quarters, period.step), parking_stats.heat(quarters),
                    parking_stats.occupancy(quarters), parking_stats.turnover(quarters), parking_stats.dwell(stays), since)


def no_zone(zone: ZoneId) -> NotFound:
    """For a zone that the town has not, or in which nobody can park."""
    return NotFound("There is no parking zone “{zone}”.", field="zone", rule="exists", zone=zone[:64])


def kinds_of(town: TenantStore, zone: ZoneId) -> list[Restriction]:
    """Whom the zone's bays are for, in our order."""
    there = {bay.restriction for bay in town.bays(zone)}
    return [kind for kind in Restriction if kind in there]


def curve(quarters: Iterable[Quarter], step: timedelta) -> list[Step]:
    """Quarters added up in steps; whole days are those of Berlin."""
    grouped: dict[datetime, list[Quarter]] = {}
    for one in quarters:
        grouped.setdefault(_begin(one.at, step), []).append(one)
    return [_step(at, grouped[at]) for at in sorted(grouped)]


def _step(at: datetime, quarters: Sequence[Quarter]) -> Step:
    free, occupied, unknown = (sum(getattr(one, name) for one in quarters) for name in ("free_s", "occupied_s", "unknown_s"))
    stays = sum(one.stays for one in quarters)
    known = free + occupied
    return Step(at, max(one.bays for one in quarters), occupied / known if known else None,
                unknown / (known + unknown) if known + unknown else None, sum(one.arrivals for one in quarters),
                sum(one.departures for one in quarters), sum(one.stays_s for one in quarters) / stays / 60 if stays else None)


def _begin(at: datetime, step: timedelta) -> datetime:
    if step >= timedelta(days=1):
        return _midnight(at.astimezone(BERLIN).date())
    return at - timedelta(seconds=at.timestamp() % step.total_seconds())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BERLIN).astimezone(UTC)
