"""Permit zones as residents read them: when they hold, what a permit costs and for how long, and where to apply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from babel.dates import format_date
from babel.numbers import format_currency

from api.i18n import ngettext, translate
from api.pages.rule_words import from_words, residents, until_words
from city.parking_checks import fee_table, fees_to_come, url_fault
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteRule
from city.parking_rules import BERLIN, Point, in_force
from city.places import Restriction

_YEAR = 12


@dataclass(frozen=True, slots=True)
class PermitWords:
    """A permit zone for everybody: `now` says whether it holds now and until when, `fees` are what a permit costs by how long
    it holds, `changes` what will change on which day, `apply` the town's own service ("" where it has none)."""

    code: str
    name: str
    now: Sequence[str]
    hours: str
    fees: Sequence[tuple[str, str]]
    changes: Sequence[str]
    apply: str
    note: str


def permit_words(language: str, zone: PermitZone, now: datetime, *, land: str, point: Point) -> PermitWords:
    """Never raises for what a zone says: hours that cannot be read, and links that are none, are left out."""
    today = now.astimezone(BERLIN).date()
    fees = [(months_words(language, fee.months), euro(language, fee.euro)) for fee in fee_table(zone.fees, today)]
    note = zone.note_en or zone.note if language == "en" else zone.note
    return PermitWords(zone.code, zone.name, holds_words(language, zone, now, land=land, point=point), zone.hours, fees,
                       [_change(language, fee) for fee in fees_to_come(zone.fees, today)],
                       "" if url_fault("", zone.application_url) else zone.application_url, note)


def holds_words(language: str, zone: PermitZone, now: datetime, *, land: str, point: Point) -> list[str]:
    """“bis morgen 08:00 Bewohner Zone A”, or from when on; none where the hours cannot be read."""
    rule = SiteRule(Restriction.RESIDENT.value, zone.hours)
    found = in_force(ParkingSite("", rules=(rule,), permit_zone=zone.code), now, land=land, point=point)
    people = residents(language, zone.code)
    if found.broken:
        return []
    if found.rules:
        return [people if found.until is None else translate(language, "until {time} {what}", what=people,
                                                             time=until_words(language, found.until, now))]
    return [] if found.until is None else [translate(language, "from {time} {what}", what=people,
                                                     time=from_words(language, found.until, now))]


def months_words(language: str, months: int) -> str:
    """“6 Monate”, “2 Jahre”."""
    if months % _YEAR == 0:
        return ngettext(language, "{n} year", "{n} years", months // _YEAR)
    return ngettext(language, "{n} month", "{n} months", months)


def euro(language: str, amount: float) -> str:
    """30,70 €."""
    return str(format_currency(amount, "EUR", locale="de_DE" if language == "de" else "en_GB"))


def day_words(language: str, day: date) -> str:
    """1. Januar 2027."""
    return format_date(day, "long", locale="de_DE" if language == "de" else "en_GB")


def _change(language: str, fee: PermitFee) -> str:
    return translate(language, "from {day}: {euro} for {months}", day=day_words(language, fee.valid_from),
                     euro=euro(language, fee.euro), months=months_words(language, fee.months))
