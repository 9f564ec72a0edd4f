"""Who has parked for longer than is allowed: of bays and minutes, never of vehicles, and only of now. Pure.

Time counts from the beginning of the stay, or from when the rule began that limits it, whichever is later: who came in the
night may stay as long in the morning as who came then (rule 12 of the occupancy engine).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.bays import Occupancy
from city.ids import AssetId, ZoneId
from city.parking_facts import BayFact
from city.parking_places import SiteRule
from city.parking_rules import InForce

MOST_STEPS = 200  # changes of rules that are looked back through
Rules = Callable[[datetime], InForce]  # what holds in the zone at a time


@dataclass(frozen=True, slots=True)
class Overstay:
    """A bay that is taken for longer than its rule allows: minutes in which the limit held, the limit, and so by how many it is
    over. `certain`: the arrival itself was heard; else the stay may have begun earlier."""

    bay: AssetId
    minutes: int
    limit_min: int
    certain: bool

    @property
    def over_min(self) -> int:
        return self.minutes - self.limit_min


@dataclass(frozen=True, slots=True)
class ZoneOverstays:
    """A zone's bays that are over their limit, the longest first, of how many that are taken under a limit now. `residents`: who
    has a permit may stay longer there, and no sensor knows who has one."""

    zone: ZoneId
    limited: int
    over: tuple[Overstay, ...]
    residents: bool


def zone_overstays(zone: ZoneId, facts: Iterable[tuple[BayFact, str]], rules: Rules, now: datetime,
                   longest: timedelta) -> ZoneOverstays:
    """Of a zone's bays now, each with its restriction ("": for everybody). What began more than `longest` ago counts from then:
    words of sensors are not kept for longer."""
    here, found, limited = rules(now), list[Overstay](), 0
    for fact, kind in facts:
        if fact.occupancy != Occupancy.OCCUPIED.value or fact.since is None or _limit(here.rules, kind) is None:
            continue
        limited += 1
        one = overstay(fact, kind, rules, now, longest)
        if one is not None:
            found.append(one)
    residents = any(rule.kind == "resident" for rule in here.rules)
    return ZoneOverstays(zone, limited, tuple(sorted(found, key=lambda one: (-one.over_min, one.bay))), residents)


def overstay(fact: BayFact, kind: str, rules: Rules, now: datetime, longest: timedelta) -> Overstay | None:
    """By how much an occupied bay is over its limit now; None where it is not, or no limit holds."""
    limit = _limit(rules(now).rules, kind)
    if limit is None or fact.since is None:
        return None
    began = _limited_since(max(fact.since, now - longest), kind, rules, now)
    minutes = int((now - began) / timedelta(minutes=1))
    return Overstay(fact.bay, minutes, limit, fact.certain) if minutes > limit else None


def _limited_since(since: datetime, kind: str, rules: Rules, now: datetime) -> datetime:
    """From when on, after `since`, a limit has held without a break."""
    began, at = since, since
    for _ in range(MOST_STEPS):
        here = rules(at)
        if _limit(here.rules, kind) is None:
            began = here.until or now
        if here.until is None or here.until > now or here.until <= at:
            return min(began, now)
        at = here.until
    return now  # rules that change so often cannot be held against anybody


def _limit(rules: Sequence[SiteRule], kind: str) -> int | None:
    """How many minutes a bay of this kind may be taken; None: for as long as one likes. Of rules that are alternatives the
    most generous counts."""
    fitting = [rule.max_stay_min for rule in rules if rule.kind == kind]
    return max(fitting) if fitting and all(fitting) else None
