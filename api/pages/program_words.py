"""Programs, rules and targets as people say them; English here, German in the catalogue."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from babel.dates import format_date, get_day_names, get_month_names
from holidays import country_holidays

from api.i18n import number, translate
from city.errors import Conflict, Invalid
from city.groups import Target
from city.programs import Anchor, Calendar, Moment, Program, Programming, Rule
from city.store.ports import TenantStore

MAX_ID = 40


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


ANCHORS = {
    "clock": _("a time"),
    "sunset": _("sunset"),
    "sunrise": _("sunrise"),
    "dusk": _("end of civil twilight"),
    "dawn": _("beginning of civil twilight"),
    "falls": _("the sun sinks to …"),
    "rises": _("the sun rises to …"),
}
LAENDER = {
    "BW": "Baden-Württemberg", "BY": "Bayern", "BE": "Berlin", "BB": "Brandenburg", "HB": "Bremen", "HH": "Hamburg",
    "HE": "Hessen", "MV": "Mecklenburg-Vorpommern", "NI": "Niedersachsen", "NW": "Nordrhein-Westfalen",
    "RP": "Rheinland-Pfalz", "SL": "Saarland", "SN": "Sachsen", "ST": "Sachsen-Anhalt", "SH": "Schleswig-Holstein",
    "TH": "Thüringen"}
_KINDS = {"zone": _("Zone"), "circuit": _("Circuit"), "group": _("Group"), "lamp": _("Lamp")}
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def moment(language: str, when: Moment) -> str:
    """22:00, or “15 min before sunset”."""
    if when.anchor is Anchor.CLOCK:
        return f"{when.minutes // 60:02}:{when.minutes % 60:02}"
    turn = _turn(language, when)
    if not when.minutes:
        return turn
    sentence = _("{n} min before {turn}") if when.minutes < 0 else _("{n} min after {turn}")
    return translate(language, sentence, n=abs(when.minutes), turn=turn)


def program(language: str, one: Program) -> str:
    """The whole program in one line."""
    steps = [f"{moment(language, step.at)} {step.level} %" for step in (one.on, *one.steps)]
    return " · ".join([*steps, translate(language, _("off: {moment}"), moment=moment(language, one.off.at))])


def rule(language: str, one: Rule) -> str:
    """On which nights a rule holds."""
    parts = [weekdays(language, one.weekdays)] if one.weekdays else []
    if one.first is not None and one.last is not None:
        parts.append(translate(language, _("{first} to {last}"), first=_day(language, one.first), last=_day(language, one.last)))
    if one.holidays:
        parts.append(translate(language, _("public holidays")))
    if one.days:
        shown = ", ".join(short_date(language, day) for day in sorted(one.days)[:3])
        parts.append(shown + (f" … ({len(one.days)})" if len(one.days) > 3 else ""))
    return " · ".join(parts)


@lru_cache(maxsize=512)
def holiday_names(language: str, land: str, year: int) -> Mapping[date, str]:
    """The public holidays of a Land in a year, by name."""
    return MappingProxyType(dict(country_holidays("DE", subdiv=land or None, years=year,
                                                  language="de" if language == "de" else "en_US")))


def weekdays(language: str, days: Iterable[int]) -> str:
    """Mo, Di, … ; whole runs as Mo–Fr."""
    chosen, names = sorted(days), weekday_names(language)
    runs: list[list[int]] = []
    for day in chosen:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(f"{names[run[0] - 1]}–{names[run[-1] - 1]}" if len(run) > 2 else
                     ", ".join(names[day - 1] for day in run) for run in runs)


def weekday_names(language: str) -> list[str]:
    """Mo to So, Monday first."""
    found = get_day_names("short" if language == "de" else "abbreviated", context="stand-alone", locale=_locale(language))
    return [str(found[day]).rstrip(".") for day in range(7)]


def month_name(language: str, month: int) -> str:
    """January or Januar."""
    return str(get_month_names("wide", context="stand-alone", locale=_locale(language))[month])


def short_date(language: str, day: date) -> str:
    """24. Dez. 2026."""
    return format_date(day, "d. MMM y" if language == "de" else "d MMM y", locale=_locale(language))


def evening(language: str, day: date) -> str:
    """Mi 25. Nov."""
    return format_date(day, "EEEEEE d. MMM" if language == "de" else "EEE d MMM", locale=_locale(language))


class TargetNames:
    """What the targets of a town are called: “Zone Altstadt”, or the whole town; a number where it is no longer there."""

    def __init__(self, language: str, town: TenantStore, programming: Programming) -> None:
        self._language = language
        self._names = {"zone": {str(one.id): one.name for one in town.zones()},
                       "circuit": {str(one.id): one.name for one in town.circuits()},
                       "group": {str(one.id): one.name for one in programming.groups.values()}}

    def of(self, target: Target) -> str:
        """The name of one of them."""
        if target.kind == "town":
            return translate(self._language, _("the whole town"))
        name = self._names.get(target.kind, {}).get(target.id) or target.id
        return f"{translate(self._language, _KINDS[target.kind])} {name}"


def uses(programming: Programming, one: Program) -> list[Calendar]:
    """The calendars that name a program."""
    return [calendar for calendar in programming.calendars.values() if one.id in calendar.programs()]


def slug(name: str, taken: Collection[str], field: str = "name") -> str:
    """A short name for addresses, made of a name. Raises Conflict where it is taken, Invalid where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name.lower().translate(_SPELLED)).encode("ascii", "ignore").decode()
    made = re.sub(r"[^a-z0-9]+", "-", plain)[:MAX_ID].strip("-")
    if not made or made in ("neu", "new"):
        raise Invalid("Give it a name with letters or digits.", field=field, rule="letters")
    if made in taken:
        raise Conflict("There is one of this name already: “{name}”.", field=field, rule="new", name=name)
    return made


def _turn(language: str, when: Moment) -> str:
    if when.altitude is None:
        return translate(language, ANCHORS[when.anchor.value])
    degrees = number(language, when.altitude, 1).replace("-", "−")
    sentence = _("sun sinks to {degrees}°") if when.anchor is Anchor.FALLS else _("sun rises to {degrees}°")
    return translate(language, sentence, degrees=degrees)


def _day(language: str, of: tuple[int, int]) -> str:
    return format_date(date(2024, *of), "d. MMM" if language == "de" else "d MMM", locale=_locale(language))


def _locale(language: str) -> str:
    return "de_DE" if language == "de" else "en_GB"
