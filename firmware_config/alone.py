"""What a lamp does by itself through a night, by what it has confirmed to hold: when nobody tells it anything."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from operator import itemgetter

from city.nights import BERLIN, Change, Night
from city.orders import DayTime, DimTask, FallbackLevel, Holidays, Profile, SunCalendar
from city.places import Supply
from city.sun import night as sun_of
from firmware_config.delta import held
from firmware_config.deviation import Deviation
from firmware_config.families import Family
from firmware_config.sun import at_zenith

FACTORY_FALLBACK = 100  # per cent, of every controller here until it is told otherwise
_DAY = timedelta(days=1)
_OWN = ("SunCalendar", "Holidays", "Profile:", "DimTask:", "FallbackLevel")


@dataclass(frozen=True, slots=True)
class Tables:
    """What a controller has confirmed to hold of a program of its own."""

    calendar: SunCalendar | None = None
    profiles: tuple[Profile, ...] = ()
    holidays: frozenset[tuple[int, int]] = frozenset()
    tasks: tuple[DimTask, ...] = ()
    fallback: int = FACTORY_FALLBACK

    @property
    def empty(self) -> bool:
        """Whether nothing is known of its program."""
        return self.calendar is None and not self.profiles and not self.tasks


@dataclass(frozen=True, slots=True)
class Hand:
    """A level that an order by hand holds, until then (None: until it is told otherwise)."""

    level: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Alone:
    """What the lamp will do, from noon to noon, and in sentences; no changes: nobody knows."""

    changes: tuple[Change, ...]
    sentences: tuple[Deviation, ...]


def tables_of(confirmed: Mapping[str, str]) -> Tables:
    """The tables in a device's confirmed settings (DeviceState.config)."""
    return _tables(tuple((name, text) for name, text in confirmed.items() if name.startswith(_OWN)))


@lru_cache(maxsize=4096)
def by_itself(tables: Tables, family: Family, night: Night) -> tuple[Change, ...]:
    """The changes of a night, the first at noon, as its own tables have them; none where nothing is known of them. Where it
    holds no calendar of the sun it is taken to light from sunset to sunrise, as such controllers leave the factory."""
    if tables.empty:
        return ()
    wants = _Timetable(tables, family, night) if family.kind == "timetable" else _Windows(tables.tasks, tables.fallback,
                                                                                         family, night)
    edges = sorted({night.noon, *(at for at in wants.edges() if night.noon < at < night.next_noon)})
    return _merged(Change(at, wants.level(at)) for at in edges)


def alone(tables: Tables, family: Family | None, night: Night, *, hand: Hand | None = None,
          supply: Supply = Supply.PERMANENT) -> Alone:
    """What the lamp does if the network dies now and stays dead through the night."""
    if supply is Supply.NIGHT:
        return _without_clock(tables, night)
    changes = by_itself(tables, family, night) if family is not None else ()
    if not changes:
        return _unknown(hand)
    if hand is None:
        return Alone(changes, (_sentence(changes, night),))
    if hand.until is None:
        return Alone((Change(night.noon, hand.level),), (Deviation(
            "If the network dies, this lamp stays at {level} %: it was told so without an end.", {"level": hand.level}),))
    rest = [change for change in changes if change.at > hand.until]
    back = Change(hand.until, changes[max(bisect_right([one.at for one in changes], hand.until) - 1, 0)].level)
    kept = _merged([Change(night.noon, hand.level), *([back] if hand.until < night.next_noon else []), *rest])
    return Alone(kept, (Deviation("Until {until} it keeps the {level} % that it was told.", {
        "until": _local(hand.until), "level": hand.level}), _sentence(changes, night)))


def _unknown(hand: Hand | None) -> Alone:
    if hand is not None and hand.until is None:
        return Alone((), (Deviation("If the network dies, this lamp stays at {level} %: it was told so without an end.",
                                    {"level": hand.level}),))
    return Alone((), (Deviation("Nobody has told this lamp a program that it could keep: if the network dies, it does what its "
                                "maker or its fitter has set; as a rule it burns from dusk to dawn."),))


def _without_clock(tables: Tables, night: Night) -> Alone:
    changes = (Change(night.noon, 0), Change(night.sunset, tables.fallback), Change(night.sunrise, 0))
    return Alone(changes, (Deviation(
        "Its feeder has no power by day: it forgets the time, and if the network is dead at dusk it burns at its fallback of "
        "{level} % until the feeder is switched off.", {"level": tables.fallback}),))


def _sentence(changes: Sequence[Change], night: Night) -> Deviation:
    steps = ", ".join(f"{_local(one.at)} {one.level} %" for one in changes if one.at > night.noon)
    if not steps:
        return Deviation("If the network dies, this lamp stays at {level} % all night.", {"level": changes[0].level})
    return Deviation("If the network dies, this lamp goes on by itself: {steps}.", {"steps": steps})


def _local(at: datetime) -> str:
    return f"{at.astimezone(BERLIN):%H:%M}"


def _merged(changes: Iterable[Change]) -> tuple[Change, ...]:
    kept: list[Change] = []
    for change in changes:
        if not kept or kept[-1].level != change.level:
            kept.append(change)
    return tuple(kept)


@lru_cache(maxsize=8192)
def _tables(confirmed: tuple[tuple[str, str], ...]) -> Tables:
    orders = held(dict(confirmed))
    calendar, holidays, fallback = (orders.get(kind.__name__) for kind in (SunCalendar, Holidays, FallbackLevel))
    return Tables(
        calendar if isinstance(calendar, SunCalendar) else None,
        tuple(sorted((one for one in orders.values() if isinstance(one, Profile)), key=lambda one: one.slot)),
        frozenset(holidays.days) if isinstance(holidays, Holidays) else frozenset(),
        tuple(sorted((one for one in orders.values() if isinstance(one, DimTask)), key=lambda one: one.task)),
        fallback.level if isinstance(fallback, FallbackLevel) else FACTORY_FALLBACK)


class _Timetable:
    """The calendar of the sun, and the profiles above it: of those that have a say the lowest slot."""

    def __init__(self, tables: Tables, family: Family, night: Night) -> None:
        self._tables = tables
        self._zone: tzinfo = BERLIN if family.local else UTC
        first = night.noon.astimezone(self._zone).date()
        self._days = [first, first + _DAY]
        self._sun = sorted(_sun(tables.calendar, night), key=itemgetter(0))
        self._times = [at for at, _ in self._sun]

    def edges(self) -> Iterator[datetime]:
        yield from self._times
        for day in self._days:
            yield datetime.combine(day, time(), self._zone).astimezone(UTC)
            for profile in self._tables.profiles:
                for step in profile.steps:
                    yield datetime.combine(day, time(*divmod(step.minute, 60)), self._zone).astimezone(UTC)

    def level(self, at: datetime) -> int:
        past = bisect_right(self._times, at)
        by_sun = self._sun[past - 1][1] if past else 0
        by_clock = self._by_clock(at.astimezone(self._zone))
        if by_clock is None:
            return by_sun
        calendar = self._tables.calendar
        return min(by_clock, by_sun) if calendar is not None and calendar.clamps_profiles else by_clock

    def _by_clock(self, at: datetime) -> int | None:
        minute = 60 * at.hour + at.minute
        day = 0 if (at.month, at.day) in self._tables.holidays else at.isoweekday()
        for profile in self._tables.profiles:
            if day in profile.days:
                past = [step for step in profile.steps if step.minute <= minute]
                if past and past[-1].level is not None:
                    return past[-1].level
        return None


def _sun(calendar: SunCalendar | None, night: Night) -> Iterator[tuple[datetime, int]]:
    """The changes that the sun makes, from before the night on."""
    for day in (night.evening - _DAY, night.evening, night.evening + _DAY):
        if calendar is None:
            sunset, sunrise = sun_of(night.site, day)
            yield from ((sunset, 100), (sunrise, 0))
            continue
        for steps, rising in ((calendar.sunrise, True), (calendar.sunset, False)):
            for step in steps:
                at = at_zenith(calendar.latitude, calendar.longitude, day, step.zenith, rising=rising)
                if at is not None:
                    yield at, step.level


class _Windows:
    """Tasks: of the windows around a time that of the smallest priority, then of the newest task; else the fallback."""

    def __init__(self, tasks: Sequence[DimTask], fallback: int, family: Family, night: Night) -> None:
        self._zone: tzinfo = BERLIN if family.local else UTC
        self._site, self._fallback = night.site, fallback
        self._windows = [window for number, task in enumerate(tasks) for day in (
            night.evening - _DAY, night.evening, night.evening + _DAY) for window in self._on(number, task, day)]

    def edges(self) -> Iterator[datetime]:
        for begin, end, _, _ in self._windows:
            yield from (begin, end)

    def level(self, at: datetime) -> int:
        inside = [(rank, level) for begin, end, rank, level in self._windows if begin <= at < end]
        return min(inside)[1] if inside else self._fallback

    def _on(self, number: int, task: DimTask, day: date) -> Iterator[tuple[datetime, datetime, tuple[int, int], int]]:
        if task.output != 1 or not _runs(task, day):
            return
        for window in task.windows:
            begin, end = self._at(window.begin, day), self._at(window.end, day)
            yield begin, end if end > begin else self._at(window.end, day + _DAY), (task.priority, -number), window.level

    def _at(self, when: DayTime, day: date) -> datetime:
        if when.after == "midnight":
            return datetime.combine(day, time(*divmod(when.minutes, 60)), self._zone).astimezone(UTC)
        sunset, _ = sun_of(self._site, day)
        _, sunrise = sun_of(self._site, day - _DAY)
        return (sunrise if when.after == "sunrise" else sunset) + timedelta(minutes=when.minutes)


def _runs(task: DimTask, day: date) -> bool:
    if day < task.first_day or (task.last_day is not None and day > task.last_day):
        return False
    match task.days:
        case "odd" | "even":
            return day.day % 2 == (task.days == "odd")
        case "cycle":
            return (day - task.first_day).days % task.cycle == 0
    return day.isoweekday() not in task.days_off
