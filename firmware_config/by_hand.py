"""A controller's own program set by hand, held against the law: nobody would see it before the network dies. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from city.errors import Invalid
from city.floors import DARK_BELOW, dark_in_core, highest_floor, lawful
from city.nights import Night
from city.places import Luminaire, Restriction, Site
from firmware_config.alone import Tables, by_itself, tables_of
from firmware_config.families import Family
from firmware_config.profile import DeviceConfig

WEEK = 7


def check_by_hand(config: DeviceConfig, confirmed: Mapping[str, str], lamp: Luminaire, family: Family | None, site: Site,
                  now: datetime) -> None:
    """What the lamp would do by itself under this configuration, over what it has `confirmed` to hold, must be lawful in a week
    of each season and on its holidays. Raises Invalid, naming the field. Of a model whose tables nobody has documented only the
    fallback can be judged; what its own `parameters` do to the light, never."""
    tables = _after(config, tables_of(confirmed))
    if config.fallback_level is not None and (family is None or family.kind == "timetable"):
        if config.fallback_level < DARK_BELOW:
            _refuse_dark(lamp, "fallback_level")
        if config.fallback_level < highest_floor(lamp):
            raise _too_dim(lamp, "fallback_level")
    told = config.programs or (config.fallback_level is not None and family is not None and family.kind == "tasks")
    if family is None or not told or tables.empty:
        return
    field = "profiles" if config.profiles is not None else "sun_calendar" if config.sun_calendar is not None else "tasks"
    for evening in _evenings(tables, Night.around(now, site).evening):
        night = Night.of(evening, site)
        wanted = by_itself(tables, family, night)
        if dark_in_core(wanted, night):
            _refuse_dark(lamp, field)
        if lawful(wanted, lamp, night) != wanted:
            raise _too_dim(lamp, field)


def _after(config: DeviceConfig, held: Tables) -> Tables:
    """What the controller holds once it has been told."""
    changed: dict[str, object] = {}
    if config.sun_calendar is not None:
        changed["calendar"] = config.sun_calendar
    if config.profiles is not None:
        changed["profiles"] = tuple(sorted(config.profiles, key=lambda one: one.slot))
    if config.holidays is not None:
        changed["holidays"] = frozenset(config.holidays.days)
    if config.tasks is not None:
        changed["tasks"] = tuple(sorted(config.tasks, key=lambda one: one.task))
    if config.fallback_level is not None:
        changed["fallback"] = config.fallback_level
    return replace(held, **changed)  # type: ignore[arg-type]  # each under its own name


def _evenings(tables: Tables, tonight: date) -> Iterator[date]:
    """Every day of the week in every season, and the holidays of the year that begins tonight."""
    for first in (tonight, *(date(tonight.year, month, 21) for month in (3, 6, 9, 12))):
        yield from (first + timedelta(days=day) for day in range(WEEK))
    for month, day in sorted(tables.holidays):
        yield from (evening for year in (tonight.year, tonight.year + 1) if (evening := _day(year, month, day)) is not None)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # 29 February comes in leap years only
        return None


def _refuse_dark(lamp: Luminaire, field: str) -> None:
    """Raises Invalid where the lamp may not go out at night."""
    if not lamp.lantern_ring:
        raise Invalid("Lamp {lamp} has no Laternenring: it may not be put out at night.", field=field, rule="StVO 394",
                      lamp=lamp.name)


def _too_dim(lamp: Luminaire, field: str) -> Invalid:
    if lamp.restriction is Restriction.CROSSWALK:
        return Invalid("Lamp {lamp} lights a pedestrian crossing and is never dimmed.", field=field, rule="DIN 67523",
                       lamp=lamp.name)
    return Invalid("Lamp {lamp} may not burn below {floor} %.", field=field, rule="floor", lamp=lamp.name,
                   floor=highest_floor(lamp))
