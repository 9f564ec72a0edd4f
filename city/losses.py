"""What share of its downlinks a town loses, learnt from how single orders went. Pure.

A multicast teaches nothing: nobody acknowledges it, and after all its frames nearly everybody has heard one. A lamp that is
told something alone answers at once. Where no answer came to the first try and one to a later one, either the order was lost
or its answer; the latter leaves a hole in the lamp's frame counter, and the command's step says so (`ANSWER_LOST`). Orders that
came to nothing teach nothing either: a lamp without power hears none, however good the air is. Nor do settings and keys: they
go out in crowds, long ones among them, and spoil one another more than orders for light do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from city.casting import LOSS
from city.ids import DevEui

PRIOR_TRIES = 20.0  # the prior weighs as much as so many tries: of a Beta distribution, LOSS times that and the rest
MOST_OF_ONE = 8  # tries of one lamp that count: one behind a wall must not speak for the town
MOST_LOSS = 0.5  # who loses more has another trouble than the air
SURE = 1.645  # standard deviations: nine of ten towns lie within `between`
ANSWER_LOST = "an earlier answer of the device was lost"  # note of a command's step


@dataclass(frozen=True, slots=True)
class Tried:
    """How often a lamp was told something alone lately, with no cast before, and obeyed in the end, and how often the
    first try was not heard."""

    device: DevEui
    told: int
    lost: int


def learnt(tried: Iterable[Tried], prior: float = LOSS) -> float:
    """The share of downlinks, 0 to MOST_LOSS, that is probably lost; `prior` where nothing was tried."""
    told, lost = _counted(tried)
    return min((prior * PRIOR_TRIES + lost) / (PRIOR_TRIES + told), MOST_LOSS)


def between(tried: Iterable[Tried], prior: float = LOSS) -> tuple[float, float]:
    """Within which shares, 0 to MOST_LOSS, it probably lies (E. B. Wilson's interval, JASA 1927): the more was tried, the
    closer to each other."""
    told, lost = _counted(tried)
    tries, share = PRIOR_TRIES + told, (prior * PRIOR_TRIES + lost) / (PRIOR_TRIES + told)
    middle = share + SURE**2 / (2 * tries)
    spread = SURE * sqrt(share * (1 - share) / tries + SURE**2 / (4 * tries**2))
    whole = 1 + SURE**2 / tries
    return max((middle - spread) / whole, 0.0), min((middle + spread) / whole, MOST_LOSS)


def _counted(tried: Iterable[Tried]) -> tuple[float, float]:
    """How often lamps were told something alone, and how often the first try was lost, each lamp up to MOST_OF_ONE times."""
    told = lost = 0.0
    for one in tried:
        counted = min(max(one.told, 0), MOST_OF_ONE)
        told += counted
        lost += counted * min(max(one.lost, 0), one.told) / one.told if counted else 0.0
    return told, lost
