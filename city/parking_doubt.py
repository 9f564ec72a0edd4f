"""By how many bays a zone's count may be off, though each of its bays seems to be known. Pure.

Three causes, each measured: words that were lost or never said (signs of life show how often a bay was not as it was believed
to be); a gateway that may be down now; one that may have been down before bays last spoke. A number is only told where being
off by more bays than it may be is as unlikely as the settings want it; see `tells` in city.parking_display.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from city.bay_memory import BayMemory
from city.bays import BayState, Occupancy
from city.ids import GatewayId
from city.parking_settings import Parking
from city.readings import NS
from city.reception import Reception, Unheard
from city.usual import Changes, chance, off_by

USUAL_CHECKS, USUAL_WRONG = 40.0, 0.02  # as if so many signs of life had been heard, of which so many corrected something
MOST_CHECKS = 2000.0
MANY_CHANGES = 1.0  # a bay and hour, where nothing is learnt of a zone yet
LIKELY = 0.5  # an outage that is likelier is taken for one
HOUR_NS = 3600 * NS


@dataclass(frozen=True, slots=True)
class DoubtRules:
    """`wrong`: the chance to be off because words were lost, one by one or in an outage that is over, that is put up with;
    `unheard`: because a gateway may be down now; `changed`: that a bay has changed while nobody could hear it, above which it
    is not known. See city.parking_settings."""

    wrong: float = 0.05
    unheard: float = 0.0002
    changed: float = 0.25

    @classmethod
    def of(cls, settings: Parking) -> "DoubtRules":
        """As somebody has set them."""
        return cls(settings.off_percent / 100, settings.off_unheard_percent / 100, settings.outage_doubt_percent / 100)


class Checks(msgspec.Struct, array_like=True):
    """Signs of life of bays that were believed to be free, and taken, and how many of each said otherwise."""

    free: float = 0.0
    free_wrong: float = 0.0
    taken: float = 0.0
    taken_wrong: float = 0.0

    def add(self, *, believed: bool, said: bool) -> None:
        """One more."""
        if self.free + self.taken >= MOST_CHECKS:
            self.free, self.free_wrong = self.free / 2, self.free_wrong / 2
            self.taken, self.taken_wrong = self.taken / 2, self.taken_wrong / 2
        if believed:
            self.taken, self.taken_wrong = self.taken + 1, self.taken_wrong + (not said)
        else:
            self.free, self.free_wrong = self.free + 1, self.free_wrong + said

    def wrong(self, town: "Checks | None" = None) -> tuple[float, float]:
        """The share of bays believed to be free that are not, and of those believed to be taken. Where little is known of a
        zone, it is as its town."""
        free, taken = town.wrong() if town is not None else (USUAL_WRONG, USUAL_WRONG)
        return ((self.free_wrong + USUAL_CHECKS * free) / (self.free + USUAL_CHECKS),
                (self.taken_wrong + USUAL_CHECKS * taken) / (self.taken + USUAL_CHECKS))


def margin(states: Iterable[tuple[BayState, BayMemory]], bays: int, checks: tuple[float, float], changes: Changes | None,
           reception: Reception, now_ns: int, rules: DoubtRules) -> int:
    """By how many bays the count of these bays, which are known, may be off. `bays`: how many there are in the zone that
    `changes` are of; `checks`: see Checks.wrong."""
    free, taken, ears = 0, 0, dict[tuple[GatewayId, ...], list[BayMemory]]()
    for state, memory in states:
        free, taken = free + (state.occupancy is Occupancy.FREE), taken + (state.occupancy is Occupancy.OCCUPIED)
        ears.setdefault(memory.ears, []).append(memory)
    more, fewer, maybe, now = taken * checks[1], free * checks[0], dict[Unheard, _Sum](), _Sum()
    since = dict[int, tuple[float, float]]()  # what is usual from then until now
    for gateways, memories in ears.items():
        down = reception.down(gateways)
        if down.chance > rules.unheard:
            if down.from_ns not in since:
                since[down.from_ns] = _expected(changes, down.from_ns, now_ns, bays)
            now.add(down, since[down.from_ns], len(memories) / bays)
        for lost in reception.lost(gateways, rules.wrong):
            unsaid = sum(memory.track.heard_ns <= lost.from_ns for memory in memories)
            if unsaid:
                maybe.setdefault(lost, _Sum()).add(lost, _expected(changes, lost.from_ns, lost.until_ns, bays), unsaid / bays)
    sure = [one for one in maybe.values() if one.chance > LIKELY]
    more, fewer = more + sum(one.left for one in sure), fewer + sum(one.came for one in sure)
    off = [one.off(rules.wrong, more, fewer) for one in maybe.values() if one.chance <= LIKELY]
    return max(off_by(more, fewer, rules.wrong), now.off(rules.unheard), *off)


def may_have_changed(changes: Changes | None, bays: int, lost: Unheard) -> float:
    """The chance that one of so many bays has changed unheard then."""
    came, left = _expected(changes, lost.from_ns, lost.until_ns, bays)
    return lost.chance * chance((came + left) / bays)


class _Sum:
    """What may have changed unheard, by all gateways; they are taken to have failed together."""

    def __init__(self) -> None:
        self.chance, self.came, self.left = 0.0, 0.0, 0.0

    def add(self, unheard: Unheard, expected: tuple[float, float], share: float) -> None:
        self.chance = max(self.chance, unheard.chance)
        self.came, self.left = self.came + expected[0] * share, self.left + expected[1] * share

    def off(self, share: float, more: float = 0.0, fewer: float = 0.0) -> int:
        """With `more` and `fewer` that are off besides."""
        if self.chance <= share:
            return 0
        return off_by(self.left + more, self.came + fewer, float(f"{share / self.chance:.2g}"))


def usual_frames(changes: Changes | None, bays: int, beat_s: float, from_ns: int, until_ns: int) -> float:
    """How often the sensor of one of so many bays usually speaks in that time."""
    came, left = _expected(changes, from_ns, until_ns, bays)
    return (came + left) / bays + (until_ns - from_ns) / NS / beat_s


def _expected(changes: Changes | None, begin_ns: int, end_ns: int, bays: int) -> tuple[float, float]:
    if changes is not None and changes.known:
        return changes.expected(begin_ns, end_ns)
    both = bays * MANY_CHANGES * max(end_ns - begin_ns, 0) / HOUR_NS / 2
    return both, both
