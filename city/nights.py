"""A night from noon to noon, and what a program wants in it. Times are aware UTC; local means Europe/Berlin."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from operator import attrgetter, itemgetter
from zoneinfo import ZoneInfo

from city.places import Site
from city.programs import Anchor, Moment, Program
from city.sun import CIVIL, between, night

BERLIN = ZoneInfo("Europe/Berlin")
_DAY = timedelta(days=1)
_AT, _FIRST = attrgetter("at"), itemgetter(0)


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on this level is wanted, per cent, reached over `fade_s` seconds."""

    at: datetime
    level: int
    fade_s: int = 0


@dataclass(frozen=True, slots=True)
class Night:
    """The night that begins on `evening`: local `noon` to the `next_noon` (23, 24 or 25 hours), and the sun's turns within,
    in this order. Where the sun does not set, sunset and sunrise are the same moment; where it does not rise, they are the
    two noons."""

    evening: date
    site: Site
    noon: datetime
    sunset: datetime
    sunrise: datetime
    next_noon: datetime

    @classmethod
    def of(cls, evening: date, site: Site) -> "Night":
        return _night(evening, site)

    @classmethod
    def around(cls, now: datetime, site: Site) -> "Night":
        return _night(evening_of(now), site)

    def moment(self, moment: Moment) -> datetime:
        """When it is, within the night."""
        if moment.anchor is Anchor.CLOCK:
            return self.clock(moment.minutes)
        return self._inside(self._turn(moment) + timedelta(minutes=moment.minutes))

    def clock(self, minutes: int) -> datetime:
        """The local time that is so many minutes after midnight, in this night. A time that is skipped in spring is an hour
        later, one that comes twice in autumn is its first."""
        day = self.evening if minutes >= 12 * 60 else self.evening + _DAY
        return datetime.combine(day, time(minutes // 60, minutes % 60), BERLIN).astimezone(UTC)

    def _turn(self, moment: Moment) -> datetime:
        match moment.anchor:
            case Anchor.SUNSET:
                return self.sunset
            case Anchor.SUNRISE:
                return self.sunrise
        altitude = CIVIL if moment.altitude is None else moment.altitude
        falls, rises = between(self.site, self.evening, altitude)
        return falls if moment.anchor in (Anchor.DUSK, Anchor.FALLS) else rises

    def _inside(self, at: datetime) -> datetime:
        return min(max(at, self.noon), self.next_noon)


def curve(program: Program, night: Night) -> tuple[Change, ...]:
    """The changes of level of a night, in order of time and each to another level; the first is at noon, and before it
    nothing of this night holds."""
    return _curve(program, night)


def level_at(changes: Sequence[Change], at: datetime) -> Change:
    """The change that holds at a time of the night; the first one before it."""
    return changes[max(bisect_right(changes, at, key=_AT) - 1, 0)]


def evening_of(now: datetime) -> date:
    """The day on which the night around `now` began."""
    local = now.astimezone(BERLIN)
    return local.date() if local.hour >= 12 else local.date() - _DAY


@lru_cache(maxsize=4096)
def _night(evening: date, site: Site) -> Night:
    noon = datetime.combine(evening, time(12), BERLIN).astimezone(UTC)
    next_noon = datetime.combine(evening + _DAY, time(12), BERLIN).astimezone(UTC)
    sunset, sunrise = night(site, evening)
    if sunrise - sunset >= _DAY:  # it does not rise: the sun's noon is not the clock's
        return Night(evening, site, noon, noon, next_noon, next_noon)
    sunset, sunrise = min(max(sunset, noon), next_noon), max(min(sunrise, next_noon), noon)
    return Night(evening, site, noon, sunset, max(sunrise, sunset), next_noon)


@lru_cache(maxsize=4096)
def _curve(program: Program, night: Night) -> tuple[Change, ...]:
    on, off = night.moment(program.on.at), night.moment(program.off.at)
    changes = {night.noon: Change(night.noon, 0)}
    if on < off:
        changes[on] = Change(on, program.on.level, program.on.fade_s)  # of steps at the same moment the last holds
        for moment, step in sorted(((night.moment(step.at), step) for step in program.steps), key=_FIRST):
            at = min(max(moment, on), off)
            changes[at] = Change(at, step.level, step.fade_s)
        changes[off] = Change(off, 0, program.off.fade_s)
    ordered = sorted((one for one in changes.values() if one.at < night.next_noon), key=_AT)
    return tuple(one for before, one in zip([None, *ordered], ordered, strict=False)
                 if before is None or before.level != one.level)
