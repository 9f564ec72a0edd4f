"""What a lamp's firmware wants at a time: its sun calendar and its profiles, as it was told by config downlinks.

The controllers reckon the sun themselves, at their own position. To keep 20,000 of them cheap, a town's sun is
reckoned once and shifted by a lamp's longitude (4 minutes a degree).
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from astral import Observer, SunDirection
from astral.sun import time_at_elevation

from city.orders import Holidays, Profile, SunCalendar
from city.places import Site
from city.readings import NS, from_ns, to_ns
from city.sun import night

DAY = timedelta(days=1)
Change = tuple[int, int, str]  # ns, level, reason
MINUTE_NS = 60 * NS


class Sky:
    """Dusk and dawn over one town."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._own: dict[date, tuple[Change, ...]] = {}
        self._told: dict[tuple[SunCalendar, date], tuple[Change, ...]] = {}

    def changes(self, day: date, calendar: SunCalendar | None) -> tuple[Change, ...]:
        """The changes that begin on `day`, by time: 0 % at sunrise and 100 % at sunset, or as the calendar says."""
        if calendar is None:
            if day not in self._own:
                self._own[day] = _on_and_off(self.site, day)
            return self._own[day]
        key = calendar, day
        if key not in self._told:
            self._told[key] = tuple(sorted(_steps(calendar, day)))
        return self._told[key]


class Timetable:
    """One lamp's program: the calendar of the sun, and above it the profiles by the clock (UTC: the maker does not say
    whether it is UTC or local time)."""

    __slots__ = ("_longitude", "_sky", "calendar", "holidays", "profiles")

    def __init__(self, sky: Sky, longitude: float) -> None:
        self._sky, self._longitude = sky, longitude
        self.calendar: SunCalendar | None = None
        self.profiles: tuple[Profile, ...] = ()  # by slot
        self.holidays: Holidays | None = None

    def hang(self, longitude: float) -> None:
        """The lamp hangs at that longitude, degrees."""
        self._longitude = longitude

    def keep(self, profile: Profile) -> None:
        """A profile takes its slot; what was there is gone."""
        others = (one for one in self.profiles if one.slot != profile.slot)
        self.profiles = tuple(sorted((*others, profile), key=lambda one: one.slot))

    def sun(self, day: date) -> tuple[int, int]:
        """Sunrise and sunset of a day (UTC) where the lamp hangs, ns."""
        changes = self._sky.changes(day, None)
        return (next(at for at, level, _ in changes if not level) + self._shift,
                next(at for at, level, _ in changes if level) + self._shift)

    def wanted(self, now_ns: int) -> tuple[int, str]:
        """The level that the program wants now, and the codec's word for why."""
        found = self._by_profile(now_ns) if self.profiles else None
        if found is not None and (self.calendar is None or not self.calendar.clamps_profiles):
            return found
        past, _ = self._around(now_ns)
        return found if found is not None and found[0] < past[1] else past[1:]

    def next_change(self, now_ns: int) -> int:
        """When to look again, ns."""
        _, coming = self._around(now_ns)
        if not self.profiles:
            return coming
        return min(coming, min(self._boundaries(now_ns)))

    @property
    def _shift(self) -> int:
        """How much later than the town's the lamp's sun is, ns."""
        return int((self._sky.site.longitude - self._longitude) * 240 * NS)

    def _around(self, now_ns: int) -> tuple[Change, int]:
        at = now_ns - (self._shift if self.calendar is None else 0)
        today = from_ns(at).date()
        changes = [change for day in (today - DAY, today, today + DAY)
                   for change in self._sky.changes(day, self.calendar)]
        if not changes:
            return (0, 0, "calendar-day"), now_ns + 6 * 3600 * NS
        index = bisect_right(changes, at, key=lambda change: change[0])
        past = changes[index - 1] if index else (0, 0, "calendar-day")
        coming = changes[index][0] if index < len(changes) else at + 6 * 3600 * NS
        return past, now_ns + max(coming - at, NS)

    def _by_profile(self, now_ns: int) -> tuple[int, str] | None:
        now = from_ns(now_ns)
        minute, weekday = now.hour * 60 + now.minute, now.isoweekday()
        holiday = self.holidays is not None and (now.month, now.day) in self.holidays.days
        for profile in self.profiles:
            if (0 if holiday else weekday) not in profile.days:
                continue
            past = [step for step in profile.steps if step.minute <= minute]
            if past and (level := max(past, key=lambda step: step.minute).level) is not None:
                return level, f"profile-{profile.slot}"
        return None

    def _boundaries(self, now_ns: int) -> Iterator[int]:
        now = from_ns(now_ns)
        midnight = datetime.combine(now.date(), time(0), UTC)
        yield to_ns(midnight + DAY)
        minute = now.hour * 60 + now.minute
        for profile in self.profiles:
            for step in profile.steps:
                if step.minute > minute:
                    yield to_ns(midnight) + step.minute * MINUTE_NS


def _on_and_off(site: Site, day: date) -> tuple[Change, ...]:
    sunset, _ = night(site, day)
    _, sunrise = night(site, day - DAY)
    return tuple(sorted(((to_ns(sunrise), 0, "calendar-day"), (to_ns(sunset), 100, "calendar-night"))))


def _steps(calendar: SunCalendar, day: date) -> Iterator[Change]:
    observer = Observer(calendar.latitude, calendar.longitude)
    for steps, direction, word in ((calendar.sunrise, SunDirection.RISING, "dawn"),
                                   (calendar.sunset, SunDirection.SETTING, "dusk")):
        for index, step in enumerate(steps):
            try:
                at = time_at_elevation(observer, 90 - step.zenith, day, direction, with_refraction=False)
            except ValueError:
                continue  # the sun does not come that high or low on that day: the firmware skips the step
            yield to_ns(at), step.level, f"{word}-{index}"
