"""What a zone's rules say now, and when they say something else. Pure.

Hours are OpenStreetMap's opening_hours (wiki.openstreetmap.org/wiki/Key:opening_hours/specification), read by the library
opening-hours-py. It knows the holidays of all Germany only, so PH is written out here as the days of the town's Land; nobody
keeps the school holidays of the Länder, so SH is refused. Hours are those of the wall clock in Germany: in the night when
summer time ends, those between two and three come twice.
"""

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, State, validate

from city.errors import Invalid
from city.parking_places import ParkingSite, SiteRule
from city.places import Restriction
from city.programs import holidays_of

BERLIN = ZoneInfo("Europe/Berlin")
ALWAYS = "24/7"
MAX_HOURS = 200  # characters
HORIZON = timedelta(days=366)  # a change that is further away is not told
_MINUTE = timedelta(minutes=1)
Point = tuple[float, float]  # (longitude, latitude), as GeoJSON orders them


@dataclass(frozen=True, slots=True)
class InForce:
    """A zone's rules at a time: those that hold (alternatives, of which one that fits suffices) and whether the zone is
    open, until `until` (None: for as long as anybody can say), and then. No rule: everybody may park, for as long as they
    like. Rules for residents and none for everybody: residents only. `broken` are the hours that cannot be read and so are
    left out, by field ("opening_hours", "rules.0", …); opening hours that cannot be read close nothing. `said`: the town
    has said rules and all of them can be read, so that what they leave open is open indeed."""

    rules: tuple[SiteRule, ...]
    open: bool
    until: datetime | None
    then: tuple[SiteRule, ...]
    then_open: bool
    permit_zone: str = ""
    broken: tuple[str, ...] = ()
    said: bool = False

    @property
    def free_of_charge(self) -> bool | None:
        """Whether everybody may park without paying; None where that is not known, or nobody but residents may park."""
        if not self.said or not self.open or self.residents_only:
            return None
        return not any(rule.fee for rule in self.rules if not rule.kind)

    @property
    def for_good(self) -> "InForce":
        """The same without its end."""
        return replace(self, until=None, then=self.rules, then_open=self.open)

    @property
    def residents_only(self) -> bool:
        """Whether a rule holds for residents, and none for everybody."""
        return residents_only(self.rules)


def residents_only(rules: Iterable[SiteRule]) -> bool:
    """Whether of these rules, which hold, some are for residents and none for everybody."""
    kinds = {rule.kind for rule in rules}
    return Restriction.RESIDENT.value in kinds and Restriction.NONE.value not in kinds


def in_force(site: ParkingSite, at: datetime, *, land: str, point: Point) -> InForce:
    """What holds in the zone at `at` (aware): `land` as in city.places.Tenant, `point` where the sun rises and sets. Never
    raises for what a site says."""
    near = (round(point[0], 2), round(point[1], 2))  # a minute of the sun is 0.25° of longitude
    day = _of_day(site.opening_hours, site.rules, site.permit_zone, at.astimezone(BERLIN).date(), land, near)
    return day[bisect_right(day, at, key=_start) - 1][1]


def holding(hours: str, moments: Iterable[datetime], *, land: str, point: Point) -> list[bool]:
    """Whether each moment lies in these hours ("": always). Raises Invalid where they cannot be read."""
    check_hours(hours, "hours")
    near = (round(point[0], 2), round(point[1], 2))
    return [_state(hours, moment.astimezone(BERLIN), land, near) for moment in moments]


def turns(hours: str, first: date, days: int, *, land: str, point: Point) -> list[datetime]:
    """When these hours, which can be read, begin and end in turns within so many days from `first` on: the wall clock's times,
    without a zone."""
    start, end = (datetime.combine(day, time.min) for day in (first, first + timedelta(days=days)))
    found: list[datetime] = []
    while start < end:
        year, near = start.year, (round(point[0], 2), round(point[1], 2))
        stop = min(end, datetime.combine(date(year + 1, 1, 1), time.min))  # holidays are written out for one year
        for begins, ends, state, _ in _built(hours, land, year, near).intervals(start, stop):
            if state == State.OPEN:
                opens, closes = max(begins.replace(tzinfo=None), start), min(ends.replace(tzinfo=None), stop)
                if found and opens <= found[-1]:
                    found[-1] = closes
                else:
                    found += (opens, closes)
        start = stop
    return found


def check_hours(text: str, field: str) -> None:
    """Raises Invalid, naming `field`, unless these are hours that we can tell for every minute; "" is always."""
    for wrong, sentence in _REFUSED:
        if wrong(text):
            raise Invalid(sentence, field=field, rule="opening_hours", most=MAX_HOURS, value=text[:40])
    if not _always(text) and not (validate(text) and validate(_written_out(text, "", 2026))):
        raise Invalid("“{value}” cannot be read as hours. Write them as OpenStreetMap does: Mo-Fr 08:00-18:00; Sa 09:00-13:00; "
                      "PH off.", field=field, rule="opening_hours", value=text[:40])


def broken_hours(site: ParkingSite) -> tuple[str, ...]:
    """The fields of a site whose hours cannot be read."""
    return _broken(site.opening_hours, site.rules)


@lru_cache(maxsize=4096)
def _of_day(opening: str, rules: tuple[SiteRule, ...], permit_zone: str, day: date, land: str,
            near: Point) -> tuple[tuple[datetime, InForce], ...]:
    """What holds on a day (Europe/Berlin), and from when on."""
    at, end = _midnight(day), _midnight(day + timedelta(days=1))
    found = []
    while at < end:
        found.append((at, _in_force(opening, rules, permit_zone, at, land, near)))
        at = found[-1][1].until or end
    return tuple(found)


def _start(item: tuple[datetime, InForce]) -> datetime:
    return item[0]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)


def _in_force(opening: str, rules: tuple[SiteRule, ...], permit_zone: str, at: datetime, land: str, near: Point) -> InForce:
    broken = _broken(opening, rules)
    whole = [rule for index, rule in enumerate(rules) if f"rules.{index}" not in broken]
    hours = ["" if "opening_hours" in broken else opening, *(rule.hours for rule in whole)]
    now, *on = _states(hours, at, land, near)
    until = _until(hours, at, land, near)
    later, *then = _states(hours, until or at, land, near)
    return InForce(tuple(rule for rule, one in zip(whole, on, strict=True) if one), now, until,
                   tuple(rule for rule, one in zip(whole, then, strict=True) if one), later, permit_zone, broken,
                   bool(rules) and not any(field.startswith("rules") for field in broken))


@lru_cache(maxsize=1024)
def _broken(opening: str, rules: tuple[SiteRule, ...]) -> tuple[str, ...]:
    return tuple(field for field, text in [("opening_hours", opening),
                                           *((f"rules.{index}", rule.hours) for index, rule in enumerate(rules))]
                 if not _readable(text))


def _readable(text: str) -> bool:
    try:
        check_hours(text, "hours")
    except Invalid:
        return False
    return True


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


# -- single hours

def _states(hours: Sequence[str], at: datetime, land: str, near: Point) -> tuple[bool, ...]:
    local = at.astimezone(BERLIN)
    return tuple(_state(text, local, land, near) for text in hours)


def _state(text: str, local: datetime, land: str, near: Point) -> bool:
    return _always(text) or _built(text, land, local.year, near).is_open(local)


def _until(hours: Sequence[str], at: datetime, land: str, near: Point) -> datetime | None:
    """When these hours together first say something else than at `at`."""
    moving = [text for text in hours if not _always(text)]
    before, reached = _states(moving, at, land, near), at
    while moving:
        found = [one for text in moving if (one := _next(text, reached, land, near)) is not None]
        if not found or min(found) - at > HORIZON:
            return None
        reached = min(found)
        if _states(moving, reached, land, near) != before:
            return reached
    return None


def _next(text: str, after: datetime, land: str, near: Point) -> datetime | None:
    """The next time after `after` when these hours may change: by themselves, by the clock's going back, or because the days
    written out for holidays are those of another year."""
    local = after.astimezone(BERLIN)
    changes = _built(text, land, local.year, near).next_change(local)
    times = [] if changes is None else list(_instants(changes))
    times += [datetime(local.year + 1, 1, 1, tzinfo=BERLIN).astimezone(UTC), *_clock_goes_back(after)]
    return min((one for one in times if one > after), default=None)


def _instants(local: datetime) -> Iterator[datetime]:
    """When the wall clock shows this: twice in one hour of a year."""
    wall = local.replace(tzinfo=BERLIN)
    yield from (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def _clock_goes_back(after: datetime) -> Iterator[datetime]:
    """The full hour within the next day at which summer time ends, if there is one."""
    first = after.replace(minute=0, second=0, microsecond=0)
    hours = (first + timedelta(hours=n) for n in range(1, 25))
    yield from (one for one in hours if one.astimezone(BERLIN).fold and not (one - _MINUTE).astimezone(BERLIN).fold)


def _always(text: str) -> bool:
    return text.strip() in ("", ALWAYS)


@lru_cache(maxsize=2048)
def _built(text: str, land: str, year: int, near: Point) -> OpeningHours:
    return OpeningHours(ALWAYS if _always(text) else _written_out(text, land, year), timezone=BERLIN, coords=(near[1], near[0]),
                        auto_country=False, max_interval_days=HORIZON.days)


# -- holidays

_DAY = r"(?:Mo|Tu|We|Th|Fr|Sa|Su)(?:-(?:Mo|Tu|We|Th|Fr|Sa|Su))?(?:\[[^\]]*\])?"
_NO_DAYS = r"(?!(?i:[-+]|Mo|Tu|We|Th|Fr|Sa|Su))"  # nobody agrees on what “PH Mo” is, and “PH -1 day” counts from the last day
_WITH_HOLIDAYS = re.compile(rf"^(?P<before>(?:{_DAY},)*)PH(?P<after>(?:,{_DAY})*)(?P<rest>(?: {_NO_DAYS}.*)?)$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _written_out(text: str, land: str, year: int) -> str:
    """The hours with PH written out as the days of that year."""
    return "; ".join(part for rule in text.split(";") for part in _rule_written_out(rule.strip(), land, year))


def _rule_written_out(rule: str, land: str, year: int) -> Iterator[str]:
    found = _WITH_HOLIDAYS.match(rule)
    if found is None:
        yield rule
        return
    days = ",".join(filter(None, (found["before"].strip(","), found["after"].strip(","))))
    if days:
        yield f"{days}{found['rest']}"
    yield f"{_dates(land, year)}{found['rest']}"


@lru_cache(maxsize=256)
def _dates(land: str, year: int) -> str:
    return ",".join(f"{day.year} {_MONTHS[day.month - 1]} {day.day:02}" for day in sorted(holidays_of(land, year)))


def _strange_holidays(text: str) -> bool:
    return any("PH" in rule and (_WITH_HOLIDAYS.match(rule.strip()) is None or rule.count("PH") > 1) for rule in text.split(";"))


def _is_too_long(text: str) -> bool:
    return len(text) > MAX_HOURS or not text.isprintable() or not text.isascii()


def _has_words(text: str) -> bool:
    return '"' in text or "unknown" in text.lower() or "||" in text  # the library reads words in capitals, too


_DATE = re.compile(rf"\b(?:(\d{{4}}) +)?({'|'.join(_MONTHS)}) +(\d{{1,2}})(?: *- *(\d{{1,2}}))?(?![\d:])", re.IGNORECASE)


def _has_no_such_day(text: str) -> bool:
    return any(not 1 <= int(day) <= monthrange(int(year or 2024), _MONTHS.index(month.title()) + 1)[1]  # 2024: a leap year
               for year, month, *days in _DATE.findall(text) for day in days if day)


def _has_open_end(text: str) -> bool:
    return re.search(r"\d\d:\d\d\+(?!\d)|(?:sunset|sunrise|dawn|dusk|\))\+(?!\d)", text) is not None


_REFUSED = (
    (_is_too_long, _("Hours have at most {most} plain characters, like Mo-Fr 08:00-18:00.")),
    (lambda text: "SH" in text, _("School holidays (SH) cannot be told: nobody keeps those of the Länder here. Write the days.")),
    (_has_words, _("Hours with remarks, “unknown” or “||” cannot be told for every minute: write plain hours.")),
    (_has_no_such_day, _("There is no such day of that month.")),
    (_has_open_end, _("Hours must say when they end: 08:00+ does not.")),
    (_strange_holidays, _("Holidays (PH) stand at the beginning of a rule, among weekdays: “Su,PH 10:00-12:00” or “; PH off”.")),
)
