"""What people say of parking zones, permit zones and their town, checked: one sentence for each field that is wrong. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from city.errors import Invalid
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteKind, TownParking
from city.parking_rules import check_hours
from city.parking_shapes import extent_m, ring_fault
from city.places import Restriction, Site

MAX_NAME, MAX_LINE, MAX_NOTE, MAX_URL = 120, 200, 500, 500
MAX_RULES, MAX_FEES = 20, 60
MAX_STAY_MIN = 31 * 24 * 60
MAX_MONTHS, MAX_EURO = 60, 2000.0
EXTENT_M = 1000.0  # VwV-StVO zu § 45, Nummer X.3
YEARLY_EURO = (10.20, 30.70)  # GebOSt, Anlage, Nr. 265
KINDS = tuple(kind.value for kind in SiteKind)
ORIENTATIONS = ("PARALLEL", "DIAGONAL", "PERPENDICULAR")
FOR_WHOM = (Restriction.NONE.value, Restriction.DISABLED.value, Restriction.CHARGING.value, Restriction.RESIDENT.value)
_CODE = re.compile(r"[A-Za-z0-9ÄÖÜäöüß][A-Za-z0-9ÄÖÜäöüß.-]{0,11}")
_OSM = re.compile(r"(?:node|way|relation)/[1-9][0-9]{0,15}")
_REGION = re.compile(r"[01][0-9]{11}")
_MAIL = re.compile(r"[^@\s<>\"',;:]{1,64}@(?:[A-Za-z0-9ÄÖÜäöüß-]{1,63}\.)+[A-Za-zÄÖÜäöü]{2,24}")
_HOST = re.compile(r"(?=.{4,253}$)(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?::\d{2,5})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()/-]{3,30}")


@dataclass(frozen=True, slots=True)
class Caution:
    """What the law or good sense has against it, though it is kept: a sentence with its facts and its source."""

    field: str
    message: str
    facts: dict[str, object]


def site_faults(site: ParkingSite, town: Site, permit_zones: Collection[str]) -> list[Invalid]:
    """What is wrong with a site, a sentence a field, in the order of the form."""
    return _told([
        *_choice("kind", site.kind, KINDS), *_choice("orientation", site.orientation, ("", *ORIENTATIONS)),
        *_lines(site, address=MAX_LINE, fee=MAX_LINE, fee_en=MAX_LINE, note=MAX_NOTE, note_en=MAX_NOTE, merged_into=64),
        ring_fault(site.area, town, "area"), _hours(site.opening_hours, "opening_hours"), *_rules(site),
        _permit(site.permit_zone, permit_zones), _osm(site.osm), url_fault("url", site.url)])


def permit_faults(zone: PermitZone, town: Site) -> list[Invalid]:
    """What is wrong with a permit zone."""
    return _told([
        None if _CODE.fullmatch(zone.code) else Invalid("A permit zone's code has 1 to 12 letters and digits, like A or B2.",
                                                        field="code", rule="[A-Z0-9.-]"),
        *_lines(zone, name=MAX_NAME, note=MAX_NOTE, note_en=MAX_NOTE), ring_fault(zone.area, town, "area"),
        _hours(zone.hours, "hours"), *_fees(zone.fees), url_fault("application_url", zone.application_url)])


def permit_cautions(zone: PermitZone) -> list[Caution]:
    """What speaks against a permit zone that is kept all the same."""
    found = []
    extent = extent_m(zone.area)
    if extent > EXTENT_M:
        found.append(Caution("area", _("The area reaches over {extent} m; 1,000 m are the most (VwV-StVO zu § 45, X.3), and a "
                                       "court has lifted a larger one (Sächs. OVG, 21.08.2020)."), {"extent": round(extent)}))
    low, high = YEARLY_EURO
    if any(not low <= fee.euro * 12 / fee.months <= high for fee in zone.fees if fee.months):
        found.append(Caution("fees", _("A fee lies outside 10.20 € to 30.70 € a year (GebOSt No. 265): that needs an ordinance "
                                       "(Rechtsverordnung) by § 6a (5a) StVG."), {}))
    return found


def town_faults(town: TownParking) -> list[Invalid]:
    """What is wrong with what a town says of itself."""
    return _told([
        *_lines(town, operator=MAX_NAME, licence=MAX_NAME, attribution=MAX_LINE, officer=MAX_LINE, arbitration=MAX_NOTE),
        None if not town.contact or _MAIL.fullmatch(town.contact) else Invalid(
            "“{value}” is no e-mail address.", field="contact", rule="e-mail", value=town.contact[:40]),
        None if not town.phone or _PHONE.fullmatch(town.phone) else Invalid(
            "A telephone number has digits, spaces and + ( ) / - only.", field="phone", rule="telephone"),
        None if not town.region_code or _REGION.fullmatch(town.region_code) else Invalid(
            "The Regionalschlüssel has 12 digits, like 059700020020.", field="region_code", rule="12 digits"),
        _day(town.checked_on, "checked_on"),
        *(url_fault(field, getattr(town, field)) for field in ("licence_url", "website", "imprint_url"))])


def url_fault(field: str, url: str) -> Invalid | None:
    """What is wrong with a link that is shown to everybody: "" or https, a public name, no user in it."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        good = (len(url) <= MAX_URL and parts.scheme == "https" and "@" not in parts.netloc
                and _HOST.fullmatch(parts.netloc) is not None and url.isprintable() and not set(url) & set(" \\<>\"'`{}|^"))
    except ValueError:
        good = False
    return None if good else Invalid("A link begins with https:// and names a public host; it has at most {most} characters.",
                                     field=field, rule="https", most=MAX_URL)


def fee_table(fees: Iterable[PermitFee], today: date) -> list[PermitFee]:
    """What a permit costs today, by months: of each length the newest fee that has begun."""
    newest: dict[int, PermitFee] = {}
    for fee in sorted(fees, key=lambda one: one.valid_from):
        if fee.valid_from <= today:
            newest[fee.months] = fee
    return [newest[months] for months in sorted(newest)]


def fees_to_come(fees: Iterable[PermitFee], today: date) -> list[PermitFee]:
    """What will change, by day and months."""
    return sorted((fee for fee in fees if fee.valid_from > today), key=lambda one: (one.valid_from, one.months))


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


def _told(found: Iterable[Invalid | None]) -> list[Invalid]:
    return [one for one in found if one is not None]


def _lines(of: object, **most: int) -> Iterator[Invalid]:
    for field, length in most.items():
        text: str = getattr(of, field)
        if len(text) > length or not text.isprintable() or text != text.strip():
            yield Invalid("A text here is one line of at most {most} printable characters.", field=field, rule=f"≤ {length}",
                          most=length)


def _choice(field: str, value: str, known: Collection[str]) -> Iterator[Invalid]:
    if value not in known:
        yield Invalid("“{value}” is not one of {known}.", field=field, rule="known", value=value[:40],
                      known=", ".join(filter(None, known)))


def _hours(text: str, field: str) -> Invalid | None:
    try:
        check_hours(text, field)
    except Invalid as error:
        return error
    return None


def _rules(site: ParkingSite) -> Iterator[Invalid | None]:
    if len(site.rules) > MAX_RULES:
        yield Invalid("A zone has at most {most} rules.", field="rules", rule=f"≤ {MAX_RULES}", most=MAX_RULES)
    for index, rule in enumerate(site.rules[:MAX_RULES]):
        yield from _choice(f"rules.{index}.kind", rule.kind, FOR_WHOM)
        yield _hours(rule.hours, f"rules.{index}.hours")
        if not 0 <= rule.max_stay_min <= MAX_STAY_MIN:
            yield Invalid("A longest stay lies between 1 minute and 31 days; empty or 0 is no limit.",
                          field=f"rules.{index}.max_stay_min", rule=f"0…{MAX_STAY_MIN}")


def _permit(code: str, known: Collection[str]) -> Invalid | None:
    if not code or code in known:
        return None
    return Invalid("There is no permit zone “{code}”: describe it first.", field="permit_zone", rule="exists", code=code[:12])


def _osm(text: str) -> Invalid | None:
    if not text or _OSM.fullmatch(text):
        return None
    return Invalid("An object of OpenStreetMap is written like way/123456.", field="osm", rule="node|way|relation/…")


def _day(text: str, field: str) -> Invalid | None:
    try:
        good = not text or (_DAY.fullmatch(text) is not None and 2000 <= date.fromisoformat(text).year <= 2100)
    except ValueError:
        good = False
    return None if good else Invalid("A day is written like 2026-11-22.", field=field, rule="ISO 8601")


def _fees(fees: tuple[PermitFee, ...]) -> Iterator[Invalid]:
    if len(fees) > MAX_FEES:
        yield Invalid("A permit zone has at most {most} fees.", field="fees", rule=f"≤ {MAX_FEES}", most=MAX_FEES)
    seen: set[tuple[date, int]] = set()
    for index, fee in enumerate(fees[:MAX_FEES]):
        if not 1 <= fee.months <= MAX_MONTHS:
            yield Invalid("A permit holds for 1 to {most} months.", field=f"fees.{index}.months", rule=f"1…{MAX_MONTHS}",
                          most=MAX_MONTHS)
        if not 0 <= fee.euro <= MAX_EURO or round(fee.euro, 2) != fee.euro:
            yield Invalid("A fee lies between 0 and {most} €, in whole cents.", field=f"fees.{index}.euro",
                          rule=f"0…{MAX_EURO:g}", most=MAX_EURO)
        if not 2000 <= fee.valid_from.year <= 2100:
            yield Invalid("A fee begins on a day between 2000 and 2100.", field=f"fees.{index}.valid_from", rule="2000…2100")
        if (fee.valid_from, fee.months) in seen:
            yield Invalid("For this day and this length there is a fee already.", field=f"fees.{index}.months", rule="unique")
        seen.add((fee.valid_from, fee.months))
