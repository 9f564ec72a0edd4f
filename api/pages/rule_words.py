"""A parking zone's rules as people say them: what holds now, until when, and what then."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from babel.dates import format_date

from api.i18n import clock_time, ngettext, translate
from city.parking_places import ParkingSite, SiteRule
from city.parking_rules import BERLIN, InForce, residents_only
from city.places import Restriction

_WEEK = 7


def sentences(language: str, found: InForce, now: datetime) -> list[str]:
    """Short sentences, the most important first: “bis 18:00 höchstens 2 Std. mit Parkscheibe”, “ab 18:00 frei”. None where
    nobody has said anything; “frei”, or “Parken ohne Einschränkung” where that is all, only where all rules are known."""
    present, future = _for_all(language, found, then=False), _for_all(language, found, then=True)
    said = list(_change(language, found.until, now, present, future))
    for kind in (Restriction.DISABLED, Restriction.CHARGING):
        if not _as_for_all(language, kind, found):
            here, there = (_for_some(language, kind, rules) for rules in (found.rules, found.then))
            said += _change(language, found.until, now, here, there)
    return said if said != [_free(language)] else [translate(language, "parking without restriction")]  # “frei” is also “vacant”


def fee_words(language: str, site: ParkingSite, found: InForce) -> str:
    """What parking costs everybody now; "" where nobody has said anything."""
    price = site.fee_en or site.fee if language == "en" else site.fee
    if found.free_of_charge:
        return translate(language, "free of charge now")
    if found.free_of_charge is None or any(rule.fee for rule in found.rules if not rule.kind):
        return price or (translate(language, "has to be paid for now") if found.said else "")
    return ""


def stay_words(language: str, found: InForce) -> str:
    """How long everybody may stay now at most; "" where there is no limit, or none is known."""
    stays = [rule.max_stay_min for rule in found.rules if not rule.kind]
    return duration(language, max(stays)) if stays and all(stays) else ""


def duration(language: str, minutes: int) -> str:
    """30 Min., 2 Std., 1 Std. 30 Min."""
    hours, rest = divmod(minutes, 60)
    parts = [ngettext(language, "{n} hr", "{n} hrs", hours)] if hours else []
    return " ".join([*parts, *([translate(language, "{n} min", n=rest)] if rest or not hours else [])])


def until_words(language: str, at: datetime, now: datetime) -> str:
    """When something ends: 18:00, tomorrow 08:00, Monday 24:00, 1 April 08:00."""
    local = at.astimezone(BERLIN)
    if local.hour or local.minute:
        return _moment(language, local, clock_time(language, at), now)
    return _moment(language, local - timedelta(minutes=1), "24:00", now)


def from_words(language: str, at: datetime, now: datetime) -> str:
    """When something begins: 18:00, tomorrow, Monday 08:00, 1 April."""
    local = at.astimezone(BERLIN)
    return _moment(language, local, clock_time(language, at) if local.hour or local.minute else "", now)


def residents(language: str, permit_zone: str) -> str:
    """“Bewohner Zone A”."""
    return translate(language, "residents of zone {zone}", zone=permit_zone) if permit_zone else translate(language, "residents")


def _change(language: str, until: datetime | None, now: datetime, present: str, future: str) -> Iterator[str]:
    if until is None or present == future:
        yield from filter(None, [present])
        return
    if present:
        yield translate(language, "until {time} {what}", time=until_words(language, until, now), what=present)
    if future:
        yield translate(language, "from {time} {what}", time=from_words(language, until, now), what=future)


def _for_all(language: str, found: InForce, *, then: bool) -> str:
    rules, open_then = (found.then, found.then_open) if then else (found.rules, found.open)
    if not open_then:
        return translate(language, "closed")
    alternatives = _phrases(language, (rule for rule in rules if not rule.kind))
    own = _phrases(language, (rule for rule in rules if rule.kind == Restriction.RESIDENT.value))
    if not own:
        return alternatives or (_free(language) if found.said else "")
    people = residents(language, found.permit_zone)
    if residents_only(rules):
        only = translate(language, "{residents} only", residents=people)
        return only if own == _free(language) else f"{only}, {own}"
    return translate(language, "{residents} {how}, others {rest}", residents=people, how=own, rest=alternatives)


def _as_for_all(language: str, kind: Restriction, found: InForce) -> bool:
    """Whether what holds for these people is what holds for everybody, now and then: then there is nothing to add."""
    both = ((found.rules, found.open), (found.then, found.then_open or found.until is None))
    return all(is_open and _phrases(language, (rule for rule in rules if rule.kind == kind.value))
               == _phrases(language, (rule for rule in rules if not rule.kind)) for rules, is_open in both)


def _for_some(language: str, kind: Restriction, rules: Sequence[SiteRule]) -> str:
    how = _phrases(language, (rule for rule in rules if rule.kind == kind.value))
    if not how:
        return ""
    if kind is Restriction.DISABLED:
        return translate(language, "with a disabled badge {how}", how=how)
    return translate(language, "while charging {how}", how=how)


def _phrases(language: str, rules: Iterable[SiteRule]) -> str:
    """Alternatives: “höchstens 30 Min. mit Parkscheibe oder gebührenpflichtig”."""
    return f" {translate(language, 'or')} ".join(dict.fromkeys(_phrase(language, rule) for rule in rules))


def _phrase(language: str, rule: SiteRule) -> str:
    stay = translate(language, "at most {time}", time=duration(language, rule.max_stay_min)) if rule.max_stay_min else ""
    disc = translate(language, "with a parking disc") if rule.disc else ""
    fee = translate(language, "for a fee") if rule.fee else ""
    return ", ".join(filter(None, (" ".join(filter(None, (stay, disc))), fee))) or _free(language)


def _free(language: str) -> str:
    return translate(language, "unrestricted")


def _moment(language: str, local: datetime, time: str, now: datetime) -> str:
    days = (local.date() - now.astimezone(BERLIN).date()).days
    if days == 0:
        day = ""
    elif days == 1:
        day = translate(language, "tomorrow")
    else:
        long = "d. MMMM" if language == "de" else "d MMMM"
        day = format_date(local.date(), "EEEE" if days < _WEEK else long, locale="de_DE" if language == "de" else "en_GB")
    return " ".join(filter(None, (day, time)))
