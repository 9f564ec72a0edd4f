"""Where the sun is at a Site; astral does the astronomy."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from astral import Observer, SunDirection
from astral.sun import elevation as _elevation
from astral.sun import sunrise as _sunrise
from astral.sun import sunset as _sunset
from astral.sun import time_at_elevation

from city.places import Site

CIVIL = -6.0  # degrees: the end of civil twilight
_HALF = timedelta(hours=12)
_DAY = timedelta(days=1)


def night(site: Site, evening: date) -> tuple[datetime, datetime]:
    """Sunset on `evening` and the sunrise after it, UTC.

    Where the sun does not set, both are solar midnight, so that the night is empty; where it does not rise, the night
    lasts from noon to noon.
    """
    observer = Observer(site.latitude, site.longitude)
    try:
        return _sunset(observer, date=evening), _sunrise(observer, date=evening + _DAY)
    except ValueError:
        return _without(site, evening, 0.0)


@lru_cache(maxsize=4096)
def between(site: Site, evening: date, altitude: float) -> tuple[datetime, datetime]:
    """When the sun's centre falls through `altitude` degrees (-18 to 30) after noon of `evening`, and when it rises through
    it before the next noon, UTC; where it does not come so low or so high, as `night`."""
    observer = Observer(site.latitude, site.longitude)
    try:
        falls = time_at_elevation(observer, altitude, evening, SunDirection.SETTING)
        rises = time_at_elevation(observer, altitude, evening + _DAY, SunDirection.RISING)
        if rises - falls >= _DAY:  # in the shortest nights it rises before midnight UTC, and astral takes one a calendar day
            early = time_at_elevation(observer, altitude, evening, SunDirection.RISING)
            rises = early if early > falls else rises - _DAY
    except ValueError:
        return _without(site, evening, altitude)
    return (falls, rises) if falls <= rises else _without(site, evening, altitude)


def altitude(site: Site, at: datetime) -> float:
    """Degrees of the sun's centre above the horizon."""
    return float(_elevation(Observer(site.latitude, site.longitude), at))


def _without(site: Site, evening: date, limit: float) -> tuple[datetime, datetime]:
    noon = datetime.combine(evening, time(12), UTC) - timedelta(hours=site.longitude / 15)
    midnight = noon + _HALF
    return (midnight, midnight) if altitude(site, midnight) > limit else (noon, noon + _DAY)
