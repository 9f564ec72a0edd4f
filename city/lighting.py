"""What each lamp should do now, and why: a town's nightly program, and people's overrides on top of it.

A night runs from noon to noon. The newest override that covers a lamp wins; when it ends, the program applies again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from city.errors import Invalid
from city.ids import AssetId, OverrideId, TenantId, ZoneId
from city.places import Luminaire, Restriction, Site
from city.sun import night

BERLIN = ZoneInfo("Europe/Berlin")
MAX_OVERRIDE = timedelta(hours=24)
MAX_REASON = 200
_Span = tuple[datetime, datetime, datetime, datetime]  # noon, sunset, sunrise, next noon


@dataclass(frozen=True, slots=True)
class Program:
    """Levels through every night: on at sunset, reduced between two local times, off at sunrise (Halbnacht)."""

    name: str = "Halbnacht"
    level: int = 100
    reduced_level: int = 50
    reduced_from: time = time(22)
    reduced_until: time = time(5)


@dataclass(frozen=True, slots=True)
class Override:
    """A person's wish for one lamp or one zone, from `start` until `end` (both UTC), with a reason."""

    id: OverrideId
    tenant: TenantId
    level: int
    start: datetime
    end: datetime
    reason: str
    actor: str
    created_at: datetime
    zone: ZoneId | None = None
    asset: AssetId | None = None
    ended_at: datetime | None = None

    def covers(self, lamp: Luminaire) -> bool:
        """Whether the wish concerns this lamp."""
        if lamp.tenant != self.tenant:
            return False
        return lamp.id == self.asset if self.asset is not None else lamp.zone == self.zone

    def active(self, now: datetime) -> bool:
        """Whether the wish applies now."""
        return self.ended_at is None and self.start <= now < self.end


@dataclass(frozen=True, slots=True)
class Setpoint:
    """The level wanted now, why, since when and until when. `origin` is "override:<id>" or "program"."""

    level: int
    reason: Literal["override", "program"]
    origin: str
    since: datetime
    until: datetime


def override(*, id: OverrideId, tenant: TenantId, lamps: Collection[Luminaire], level: int, until: datetime,
             actor: str, now: datetime, reason: str = "", zone: ZoneId | None = None,
             asset: AssetId | None = None) -> Override:
    """A checked override of `zone` or `asset`, whose `lamps` are given, from now `until` then.

    Raises Invalid, naming field and rule: level outside 0-100, no lamps, an end that is past or more than 24 h away,
    a reason of more than 200 characters, a level below a lamp's floor, a crosswalk lamp dimmed.
    """
    if not 0 <= level <= 100:
        raise Invalid("A level must lie between 0 and 100 %, not {level}.", field="level", rule="0…100", level=level)
    if not lamps:
        raise Invalid("There is no lamp to dim here.", field="zone" if zone else "asset", rule="has lamps")
    if until <= now:
        raise Invalid("The end lies in the past.", field="until", rule="future")
    if until - now > MAX_OVERRIDE:
        raise Invalid("An override ends within {hours} hours.", field="until", rule="≤ 24 h",
                      hours=int(MAX_OVERRIDE.total_seconds() // 3600))
    if len(reason) > MAX_REASON:
        raise Invalid("A reason has at most {most} characters.", field="reason", rule="≤ 200", most=MAX_REASON)
    _check_floor(lamps, level)
    return Override(id, tenant, level, now, until, reason.strip(), actor, now, zone, asset)


def setpoint(lamp: Luminaire, overrides: Iterable[Override], program: Program, site: Site, now: datetime) -> Setpoint:
    """The one level that is wanted of `lamp` now and its one reason; `site` is where the town's sun is reckoned."""
    wishes = [wish for wish in overrides if wish.active(now) and wish.covers(lamp)]
    if wishes:
        newest = max(wishes, key=lambda wish: (wish.created_at, wish.id))
        return Setpoint(newest.level, "override", f"override:{newest.id}", newest.start, newest.end)
    return program_setpoint(program, site, now, floor=lamp_floor(lamp))


def program_setpoint(program: Program, site: Site, now: datetime, floor: int = 0) -> Setpoint:
    """What the program wants at a site now; at night never less than `floor`."""
    span = _night(site, now)
    steps = _steps(program, _evening(now), span)
    index = max(i for i, (at, _) in enumerate(steps[:-1]) if at <= now)
    at, level = steps[index]
    _, on, off, _ = span
    return Setpoint(max(level, floor) if on <= at < off else level, "program", "program", at, steps[index + 1][0])


def program_steps(program: Program, site: Site, now: datetime) -> tuple[tuple[datetime, int], ...]:
    """The (UTC time, level) steps of the noon-to-noon night around `now`; the last one only marks the next noon."""
    return _steps(program, _evening(now), _night(site, now))


def lamp_floor(lamp: Luminaire) -> int:
    """The lowest lawful level of a burning lamp, per cent: its own, or 100 at a crosswalk (DIN 67523)."""
    return 100 if lamp.restriction is Restriction.CROSSWALK else lamp.min_level


def _steps(program: Program, evening: date, span: _Span) -> tuple[tuple[datetime, int], ...]:
    noon, on, off, next_noon = span
    levels = {noon: 0}
    if on < off:
        low, high = (min(max(_tonight(at, evening), on), off) for at in (program.reduced_from, program.reduced_until))
        levels[on] = program.level  # of steps at the same moment the later one holds
        if low < high:
            levels |= {low: program.reduced_level, high: program.level}
        levels[off] = 0
    levels.pop(next_noon, None)
    return (*sorted(levels.items()), (next_noon, 0))


def _night(site: Site, now: datetime) -> _Span:
    """Noon, sunset, sunrise and the next noon of the night around `now`, UTC, in this order."""
    evening = _evening(now)
    noon = datetime.combine(evening, time(12), BERLIN).astimezone(UTC)
    next_noon = datetime.combine(evening + timedelta(days=1), time(12), BERLIN).astimezone(UTC)
    sunset, sunrise = night(site, evening)
    return noon, max(sunset, noon), min(sunrise, next_noon), next_noon


def _evening(now: datetime) -> date:
    local = now.astimezone(BERLIN)
    return local.date() if local.hour >= 12 else local.date() - timedelta(days=1)


def _tonight(local: time, evening: date) -> datetime:
    day = evening if local.hour >= 12 else evening + timedelta(days=1)
    return datetime.combine(day, local, BERLIN).astimezone(UTC)


def _check_floor(lamps: Collection[Luminaire], level: int) -> None:
    below = [lamp for lamp in lamps if level < lamp_floor(lamp)]
    if not below:
        return
    crosswalk = next((lamp for lamp in below if lamp.restriction is Restriction.CROSSWALK), None)
    if crosswalk is not None:
        raise Invalid("Lamp {lamp} lights a pedestrian crossing and is never dimmed.", field="level",
                      rule="DIN 67523", lamp=crosswalk.name)
    lamp = max(below, key=lamp_floor)
    raise Invalid("Lamp {lamp} may not burn below {floor} %.", field="level", rule="floor", lamp=lamp.name,
                  floor=lamp_floor(lamp))
