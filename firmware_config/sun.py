"""The sun as controllers reckon it: by its zenith angle at a place (90.83° is sunset: the disc's upper edge, refraction
included). A moment of a program becomes the angle that comes nearest to it through the year."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from statistics import fmean, median

from astral import Observer, SunDirection
from astral.sun import time_at_elevation
from astral.sun import zenith as _zenith

from city.nights import BERLIN, Night
from city.places import Site
from city.programs import Anchor, Moment

HORIZON = 90.83  # degrees
SEASONS = (date(2025, 3, 20), date(2025, 6, 21), date(2025, 9, 22), date(2025, 12, 21))
EVENING = frozenset({Anchor.SUNSET, Anchor.DUSK, Anchor.FALLS})
MOST_OFFSET = 60  # minutes from sunset or sunrise that a task's window can name


@lru_cache(maxsize=16_384)
def at_zenith(latitude: float, longitude: float, day: date, zenith: float, *, rising: bool) -> datetime | None:
    """When the sun's centre stands at that zenith angle on a day, UTC; None where it does not come there."""
    direction = SunDirection.RISING if rising else SunDirection.SETTING
    try:
        found: datetime = time_at_elevation(Observer(latitude, longitude), 90 - zenith, day, direction, with_refraction=False)
    except ValueError:
        return None
    return found


@lru_cache(maxsize=4096)
def zenith_of(moment: Moment, site: Site, step: float) -> float:
    """The zenith angle of a moment of the sun, in whole steps of so many degrees: the mean of the four seasons; of a moment
    that is an angle the median, since the sun may not come there in one of them."""
    observer = Observer(site.latitude, site.longitude)
    angles = [_zenith(observer, Night.of(day, site).moment(moment), with_refraction=False) for day in SEASONS]
    angle = fmean(angles) if moment.minutes else median(angles)
    return round(90 + round((angle - 90) / step) * step, 2)


@lru_cache(maxsize=4096)
def minutes_of(moment: Moment, site: Site) -> int:
    """How many minutes after sunset, or sunrise, a moment of the sun is: the mean of the four seasons, at most an hour."""
    nights = [Night.of(day, site) for day in SEASONS]
    turns = [night.sunset if moment.anchor in EVENING else night.sunrise for night in nights]
    mean = fmean((night.moment(moment) - turn).total_seconds() / 60 for night, turn in zip(nights, turns, strict=True))
    return min(max(round(mean), -MOST_OFFSET), MOST_OFFSET)


@lru_cache(maxsize=256)
def shortest_night(site: Site) -> tuple[int, int]:
    """The latest sunset and the earliest sunrise of the year, in minutes after local midnight."""
    night = Night.of(SEASONS[1], site)
    return _minute(night.sunset), _minute(night.sunrise)


def offset_minutes(evening: date) -> int:
    """How far local time is ahead of UTC in the evening of a day, minutes."""
    offset = datetime.combine(evening, datetime.min.time(), BERLIN).replace(hour=18).utcoffset() or timedelta()
    return round(offset.total_seconds() / 60)


def _minute(at: datetime) -> int:
    local = at.astimezone(BERLIN)
    return 60 * local.hour + local.minute
