"""The report on energy and what it rests on, for JSON routes, pages, CSV and PDF alike."""

from datetime import date, datetime, timedelta

from babel.dates import format_date
from babel.numbers import format_decimal

from api.audit import record
from api.auth import Actor
from api.i18n import translate
from city.energy import Used
from city.energy_report import By, Line, Places, Report, last_of, report
from city.factors import Factor, FactorKind
from city.nights import evening_of
from city.store.ports import TenantStore


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


BY = {"zone": _("Zone"), "circuit": _("Circuit"), "delivery": _("Delivery point")}
LABEL = _("Operating value, not for billing")  # on everything that shows these figures
NOWHERE = _("without one")
ASSUMED = _("an assumption, not vouched for")
KINDS = {FactorKind.CO2: _("CO₂"), FactorKind.PRICE: _("Price of energy")}


def monthly(town: TenantStore, month: date, by: By) -> Report:
    """The report on one month."""
    return report(month, by, town.energy(month, last_of(month)), Places.of(town.zones(), town.circuits()), town.factors())


def lately(town: TenantStore, now: datetime) -> tuple[tuple[date, Used], ...]:
    """What the town used in the last night and in the running one, as far as it is booked; oldest first."""
    tonight = evening_of(now)
    found: dict[date, Used] = {}
    for one in town.energy(tonight - timedelta(days=1), tonight):
        found[one.night] = _plus(found.get(one.night, Used()), one.used)
    return tuple(sorted(found.items()))


def keep_factor(town: TenantStore, factor: Factor, who: Actor, now: datetime) -> None:
    """Add or change a figure of the town. Raises Conflict."""
    record(town, who, now, "energy figure", f"{factor.kind.value} {factor.valid_from}", f"{factor.value:g} {factor.unit}")
    town.put_factor(factor, who.name, now)


def remove_factor(town: TenantStore, kind: FactorKind, valid_from: date, who: Actor, now: datetime) -> None:
    """Raises NotFound."""
    record(town, who, now, "remove energy figure", f"{kind.value} {valid_from}")
    town.remove_factor(kind, valid_from)


def name_of(language: str, line: Line) -> str:
    """A line's name; of those without zone, circuit or delivery point a word."""
    return line.name or translate(language, NOWHERE)


def decimal(language: str, value: float, digits: int) -> str:
    """1.234,5 in German: always so many digits."""
    return format_decimal(round(value, digits) + 0.0,  # + 0.0: there is no "-0,0"
                          format="#,##0" + ("." + "0" * digits if digits else ""),
                          locale="de_DE" if language == "de" else "en_GB")


def day(language: str, on: date) -> str:
    """22.11.2026 or 22 Nov 2026."""
    return format_date(on, "dd.MM.yyyy" if language == "de" else "d MMM yyyy", locale="de_DE" if language == "de" else "en_GB")


def month_name(language: str, month: date) -> str:
    """November 2026."""
    return format_date(month, "LLLL yyyy", locale="de_DE" if language == "de" else "en_GB")


def factor_line(language: str, factor: Factor) -> str:
    """A figure with its source, as one sentence."""
    said = translate(language, "{what}: {value} {unit}, from {day}. Source: {source}",
                     what=translate(language, KINDS[factor.kind]), value=factor.value, unit=factor.unit,
                     day=day(language, factor.valid_from), source=factor.source)
    more = f" ({factor.scope})" if factor.scope else ""
    return said + more + (f" – {translate(language, ASSUMED)}" if factor.assumed else "")


def _plus(one: Used, other: Used) -> Used:
    return Used(one.metered_wh + other.metered_wh, one.estimated_wh + other.estimated_wh, one.undimmed_wh + other.undimmed_wh,
                one.burn_s + other.burn_s, one.missing_s + other.missing_s)
