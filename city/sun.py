"""Sunrise and sunset at a Site; astral does the astronomy."""

from datetime import UTC, date, datetime, time, timedelta

from astral import Observer
from astral.sun import elevation
from astral.sun import sunrise as _sunrise
from astral.sun import sunset as _sunset

from city.places import Site


def night(site: Site, evening: date) -> tuple[datetime, datetime]:
    """Sunset on `evening` and the sunrise after it, UTC.

    Where the sun does not set, both are solar midnight, so that the night is empty; where it does not rise, the night
    lasts from noon to noon.
    """
    observer = Observer(site.latitude, site.longitude)
    noon = datetime.combine(evening, time(12), UTC) - timedelta(hours=site.longitude / 15)
    try:
        return _sunset(observer, date=evening), _sunrise(observer, date=evening + timedelta(days=1))
    except ValueError:
        midnight = noon + timedelta(hours=12)
        if elevation(observer, midnight) > 0:
            return midnight, midnight
        return noon, noon + timedelta(days=1)
