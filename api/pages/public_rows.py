"""From what everybody may know of a zone to a line that residents read: phrases, rules in force, filters, order. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.i18n import number, translate
from api.pages import labels, rule_words
from api.pages.addresses import Pairs, address
from api.pages.contexts import Link
from api.pages.public_contexts import ZoneRow
from api.public_view import PublicTown
from city.parking import Word
from city.parking_display import Tells
from city.parking_facts import ForecastError
from city.parking_places import ParkingSite
from city.parking_rules import InForce, in_force
from city.places import Restriction
from city.public_parking import PublicCount, PublicZone

FREE, CHEAP, BY_NAME = "free", "cheap", "name"
KINDS = (Restriction.DISABLED.value, Restriction.CHARGING.value, Restriction.RESIDENT.value)
FILTERS = (FREE, *KINDS, CHEAP)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


FILTER_TEXTS = {FREE: _("only free"), KINDS[0]: _("disabled parking"), KINDS[1]: _("charging"), KINDS[2]: _("residents' parking"),
                CHEAP: _("free of charge")}
SORT_TEXTS = {BY_NAME: _("by name"), FREE: _("most free first")}
ENGLISH_HOURS = {"PH": "public holidays", "off": "not"}
GERMAN_HOURS = {"Tu": "Di", "We": "Mi", "Th": "Do", "Su": "So", "PH": "Feiertage", "off": "nicht", "Mar": "März", "May": "Mai",
                "Oct": "Okt", "Dec": "Dez", "sunrise": "Sonnenaufgang", "sunset": "Sonnenuntergang"}
TRENDS = {"rising": _("more are becoming free"), "falling": _("fewer are becoming free"), "steady": _("hardly any change")}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see, from an address: words of FILTERS, and an order."""

    filters: frozenset[str] = frozenset()
    order: str = BY_NAME

    @classmethod
    def of(cls, filters: Iterable[str], order: str) -> "Wish":
        """What is not known is left out."""
        return cls(frozenset(filters) & frozenset(FILTERS), order if order in SORT_TEXTS else BY_NAME)

    def query(self) -> Pairs:
        """The same as an address has it, in one order only."""
        return [("filter", word) for word in FILTERS if word in self.filters] + (
            [("sort", self.order)] if self.order != BY_NAME else [])


def rows(language: str, seen: PublicTown, wish: Wish) -> list[ZoneRow]:
    """The zones that fit the wish, in its order."""
    found = [row for zone in seen.zones if _passes(row := zone_row(language, seen, zone), wish.filters)]
    return sorted(found, key=_most_free) if wish.order == FREE else found


def zone_row(language: str, seen: PublicTown, zone: PublicZone) -> ZoneRow:
    """A zone as a line."""
    holds = rules_now(seen, zone.site)
    special = tuple(one for kind in KINDS for one in zone.counts if one.restriction.value == kind)
    return ZoneRow(zone, in_words(language, zone), TRENDS.get(zone.trend, ""),
                   tuple(rule_words.sentences(language, holds, seen.minute)), _price(language, zone.site, holds),
                   special, holds.free_of_charge is True)


def rules_now(seen: PublicTown, site: ParkingSite) -> InForce:
    """Which of a zone's rules hold in this minute."""
    point = (seen.tenant.site.longitude, seen.tenant.site.latitude)
    return in_force(site, seen.minute, land=seen.tenant.land, point=point)


def in_words(language: str, zone: PublicZone) -> str:
    """A zone's state as one phrase."""
    if zone.main.total:
        return count_words(language, zone.main)
    return translate(language, _("blocked just now") if zone.closed else _("special bays only"))


def count_words(language: str, count: PublicCount) -> str:
    """What is told of bays of one kind, as one phrase."""
    match count.tells:
        case Tells.NUMBER:
            return translate(language, _("{free} free of {total}"), free=count.free, total=count.total)
        case Tells.RANGE:
            return translate(language, _("about {low}–{high} free of {total}"), low=count.free_min, high=count.free_max,
                             total=count.total)
        case Tells.TOO_FEW:
            return translate(language, _("too few bays to tell"))
        case Tells.WORD | Tells.NOTHING:
            return translate(language, labels.PARKING_WORDS[Word(count.word)])


def filter_links(language: str, town: str, wish: Wish, offered: Sequence[str]) -> list[Link]:
    """Each filter that is of use as a link that switches it over."""
    return [Link(translate(language, FILTER_TEXTS[word]),
                 address(language, "parking", Wish(wish.filters ^ {word}, wish.order).query(), tenant=town), word in wish.filters)
            for word in FILTERS if word in offered or word in wish.filters]


def offered_filters(every: Sequence[ZoneRow]) -> list[str]:
    """The filters that some zone of the town could ever pass."""
    kinds = {kind for row in every for kind in row.kinds}
    return [FREE, *(kind for kind in KINDS if kind in kinds), *([CHEAP] if any(row.zone.site.rules for row in every) else [])]


def sort_links(language: str, town: str, wish: Wish) -> list[Link]:
    """Each order as a link."""
    return [Link(translate(language, text), address(language, "parking", Wish(wish.filters, order).query(), tenant=town),
                 order == wish.order) for order, text in SORT_TEXTS.items()]


def error_words(language: str, error: ForecastError | None) -> list[str]:
    """How far a zone's forecasts were off, in sentences."""
    if error is None:
        return []
    leads = sorted((int(lead), mae) for lead, mae in error.mae.items() if lead.isdigit())
    some = [one for one in leads if one[0] in (30, 120)] or leads[:2]
    return [translate(language, _("{minutes} minutes ahead, the forecast was off by {bays} bays on average."), minutes=lead,
                      bays=number(language, mae, 1)) for lead, mae in some]


def hours_words(language: str, hours: str) -> str:
    """OpenStreetMap's hours with the words of the reader's language for days, months and holidays."""
    if hours in ("", "24/7"):
        return translate(language, _("always"))
    words = GERMAN_HOURS if language == "de" else ENGLISH_HOURS
    return re.sub(r"[A-Za-z]+", lambda found: words.get(found[0], found[0]), hours)


def _price(language: str, site: ParkingSite, holds: InForce) -> str:
    """The price, while it has to be paid; whether it has to, the sentences say."""
    words = rule_words.fee_words(language, site, holds)
    return words if words in (site.fee, site.fee_en) else ""


def _passes(row: ZoneRow, wanted: frozenset[str]) -> bool:
    kinds = wanted & set(KINDS)
    if not kinds <= row.kinds or (CHEAP in wanted and not row.free_of_charge):
        return False
    if FREE not in wanted:
        return True
    counts = [one for one in row.special if one.restriction.value in kinds] if kinds else [row.main]
    return bool(counts) and all(_some_free(count) for count in counts)


def _some_free(count: PublicCount) -> bool:
    """Whether at least one bay is free for certain, or a word says so."""
    if count.tells in (Tells.NUMBER, Tells.RANGE):
        return (count.free_min or 0) > 0
    return count.word in (Word.MANY.value, Word.FEW.value)


def _most_free(row: ZoneRow) -> tuple[int, int, str]:
    """Those with numbers first, then those with a word, then those of which nothing is known."""
    order = {Word.MANY.value: 0, Word.FEW.value: 1, Word.FULL.value: 2}
    if row.main.free_min is not None:
        return 0, -row.main.free_min, row.zone.name
    return 1, order.get(row.main.word, 3), row.zone.name
