"""From bays to what a zone shows: counts, the class of display with its hysteresis, and what of it everybody may be told. Pure.

Unknown is never counted as free or as taken; a free bay for the disabled is not a free bay. Rules by number: docs/parking.md.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from city.bays import BayState, Occupancy
from city.parking import Word
from city.parking_facts import Count, ZoneFact
from city.places import Restriction
from city.settings import Parking

SPECIAL = (Restriction.DISABLED, Restriction.CHARGING)  # whoever needs one needs to know of few bays, too
LEAST_FOR_A_WORD = 3  # bays: of one, a word says as much as a number, and of two hardly less


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """The numbers of counting and telling; see city.settings.Parking."""

    number_from: float = 0.9
    range_from: float = 0.6
    least_bays: int = 5
    many: float = 0.3
    full_up_to: int = 1
    hold: timedelta = timedelta(minutes=2)
    grey_after: timedelta = timedelta(minutes=5)
    hide_after: timedelta = timedelta(minutes=30)
    margin: int = 1
    publish: timedelta = timedelta(minutes=1)
    trend: timedelta = timedelta(minutes=30)
    trend_share: float = 0.08
    trend_bays: int = 2
    number_margin: int = 2

    @classmethod
    def of(cls, settings: Parking) -> "ZoneRules":
        """As somebody has set them."""
        return cls(settings.number_percent / 100, settings.range_percent / 100, settings.least_bays, settings.many_percent / 100,
                   settings.full_up_to, timedelta(seconds=settings.word_hold_s), timedelta(minutes=settings.grey_minutes),
                   timedelta(minutes=settings.hide_minutes), settings.word_margin, timedelta(seconds=settings.publish_s),
                   timedelta(minutes=settings.trend_minutes), settings.trend_percent / 100, settings.trend_bays,
                   settings.off_bays)


class Display(msgspec.Struct, frozen=True, gc=False):
    """The class of display of a count, and since when another one would be right."""

    word: str = Word.NO_DATA.value
    leaving_since: datetime | None = None


class Tells(Enum):
    """How much of a count everybody may know now."""

    NUMBER = "number"
    RANGE = "range"
    WORD = "word"  # too few bays for a number
    TOO_FEW = "too_few"  # too few for a word, too, at any time
    NOTHING = "nothing"  # too little is known, or it was found out too long ago


def count(states: Iterable[BayState], restriction: Restriction, word: str = Word.NO_DATA.value) -> Count:
    """The count over the bays with exactly this restriction (rules 9 and 10). Blocked bays are not managed and leave the total;
    out-of-service ones stay in it as not known."""
    tally = Counter(state.occupancy for state in states if state.bay.restriction is restriction)
    total = sum(tally.values()) - tally[Occupancy.BLOCKED]
    return Count(total, tally[Occupancy.FREE], tally[Occupancy.OCCUPIED], word)


def word_of(counted: Count, rules: ZoneRules) -> Word:
    """The class of a count by itself."""
    if not counted.total or counted.coverage < rules.range_from:
        return Word.NO_DATA
    return _class(counted.free, counted.total, rules)


def display(before: Display, counted: Count, now: datetime, rules: ZoneRules) -> Display:
    """The class that is shown (rule 11): one is left only after the count has been some bays beyond its limit for a while, but
    at once where nothing is free, or nothing is known any more or again."""
    right, shown = word_of(counted, rules), Word(before.word)
    if Word.NO_DATA in (right, shown) or right is shown or counted.free == 0:
        return Display(right.value)
    if not _beyond(counted, shown, rules):
        return Display(shown.value)
    since = before.leaving_since or now
    return Display(right.value) if now - since >= rules.hold else Display(shown.value, since)


def tells(counted: Count, restriction: Restriction, age: timedelta, rules: ZoneRules, *, special_public: bool = True) -> Tells:
    """How much of a count that was made `age` ago may be told to everybody: a number at good coverage, a range at less, a word
    for fewer than `least_bays` bays, nothing where too little is known or the evaluation is too old. Of one bay or two nothing
    is told whatever is known: a word would be the bay's own state."""
    few = counted.total < rules.least_bays and not (special_public and restriction in SPECIAL)
    if few and 0 < counted.total < LEAST_FOR_A_WORD:
        return Tells.TOO_FEW
    if age > rules.hide_after or not counted.total or counted.coverage < rules.range_from or _vague(counted, rules):
        return Tells.NOTHING
    if few:
        return Tells.WORD
    return Tells.NUMBER if counted.coverage >= rules.number_from and counted.margin <= rules.number_margin else Tells.RANGE


def grey(fact: ZoneFact, now: datetime, rules: ZoneRules) -> bool:
    """Whether what is told must look old."""
    return now - fact.evaluated_at > rules.grey_after


def _vague(counted: Count, rules: ZoneRules) -> bool:
    """Whether a count may be off by more than a number may, and a range would be wider than too little known makes it."""
    return counted.margin > rules.number_margin and 2 * counted.margin > (1 - rules.range_from) * counted.total


def _beyond(counted: Count, shown: Word, rules: ZoneRules) -> bool:
    """Whether the count is out of its class even if it were some bays nearer to it; so it is where a class lies between."""
    away = _ORDER[shown] - _ORDER[word_of(counted, rules)]
    nearer = rules.margin if away > 0 else -rules.margin
    return abs(away) > 1 or _class(counted.free + nearer, counted.total, rules) is not shown


def _class(free: int, total: int, rules: ZoneRules) -> Word:
    if free <= (rules.full_up_to if total >= rules.least_bays else 0):  # one of two for the disabled is not "full"
        return Word.FULL
    return Word.MANY if free > rules.many * total else Word.FEW


_ORDER = {Word.NO_DATA: -1, Word.FULL: 0, Word.FEW: 1, Word.MANY: 2}
