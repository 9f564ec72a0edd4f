"""How people park: arrivals and stays that give a kind of place its hourly occupancy.

Curves are mean shares of occupied bays by local hour (from German car parks' open counts); stays are log-normal or
normal by habit. The rate of arrivals is what reproduces curve and stays together: occupancy m(t) = ∫ λ(s)·S(t-s) ds,
solved for λ over one week in quarter hours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from math import erfc, log, sqrt
from random import Random
from zoneinfo import ZoneInfo

from city.readings import NS
from simulator.plan import Habit

HOUR_S = 3600.0
SLOT_S = 900.0  # a quarter of an hour
SLOTS = 7 * 96
LONGEST = 288  # slots: nobody stays for more than three days

_CITY = ((.19, .19, .18, .18, .17, .17, .19, .22, .32, .41, .48, .51, .47, .44, .43, .40, .36, .35, .35, .36, .33, .29,
          .23, .19),
         (.22, .19, .19, .20, .21, .20, .21, .22, .23, .26, .35, .44, .51, .54, .55, .55, .54, .51, .49, .48, .47, .43,
          .37, .31),
         (.19, .18, .20, .17, .16, .16, .17, .17, .20, .20, .21, .23, .23, .24, .25, .26, .26, .25, .24, .23, .19, .15,
          .12, .11))
_COMMUTER = ((.12, .11, .11, .11, .11, .16, .27, .43, .55, .60, .63, .63, .62, .58, .55, .47, .37, .30, .26, .23, .20,
              .17, .15, .12),
             (.15, .13, .11, .11, .11, .12, .14, .17, .21, .28, .35, .39, .42, .43, .44, .44, .42, .39, .37, .32, .28,
              .26, .23, .18),
             (.15, .13, .11, .11, .11, .11, .11, .12, .14, .17, .20, .22, .23, .24, .25, .25, .25, .24, .22, .20, .18,
              .16, .15, .13))
_RESIDENT = ((.85, .86, .86, .86, .86, .84, .76, .62, .52, .48, .46, .46, .47, .47, .47, .49, .53, .60, .67, .73, .77,
              .80, .82, .84),
             (.85, .86, .86, .86, .86, .86, .85, .82, .77, .71, .66, .63, .61, .60, .60, .61, .63, .66, .70, .74, .77,
              .80, .82, .84),
             (.84, .85, .86, .86, .86, .86, .86, .85, .83, .80, .76, .73, .72, .70, .69, .69, .70, .73, .76, .79, .82,
              .84, .85, .85))
CURVES: dict[Habit, tuple[tuple[float, ...], ...]] = {"city": _CITY, "commuter": _COMMUTER, "resident": _RESIDENT}


@dataclass(frozen=True, slots=True)
class Stay:
    """One kind of stay and its share of all arrivals."""

    share: float
    draw: Callable[[Random], float]  # seconds
    longer: Callable[[float], float]  # the share that stays longer than so many seconds


def _log_normal(share: float, median_min: float, sigma: float) -> Stay:
    mu = log(median_min * 60)
    return Stay(share, lambda rng: rng.lognormvariate(mu, sigma),
                lambda s: 1.0 if s <= 0 else erfc((log(s) - mu) / (sigma * sqrt(2))) / 2)


def _normal(share: float, mean_h: float, deviation_h: float) -> Stay:
    mean, deviation = mean_h * HOUR_S, deviation_h * HOUR_S
    return Stay(share, lambda rng: max(rng.gauss(mean, deviation), 600.0),
                lambda s: erfc((s - mean) / (deviation * sqrt(2))) / 2)


STAYS: dict[Habit, tuple[Stay, ...]] = {
    "city": (_log_normal(0.97, 35, 0.9), _normal(0.03, 9.0, 2.5)),
    "commuter": (_normal(0.5, 8.5, 1.0), _log_normal(0.5, 70, 0.8)),
    "resident": (_normal(0.24, 12.5, 1.5), _normal(0.10, 38.0, 9.0), _log_normal(0.66, 75, 0.9)),
}


def wanted_occupancy(habit: Habit, week_s: float) -> float:
    """The curve's share of occupied bays, `week_s` seconds after Monday 00:00 local; straight lines between hours."""
    hours = week_s / HOUR_S - 0.5  # an hour's mean belongs to its middle
    index = int(hours // 1)
    part = hours - index
    return (1 - part) * _hour(habit, index) + part * _hour(habit, index + 1)


def stay(habit: Habit, rng: Random) -> float:
    """How long somebody stays, seconds."""
    drawn = rng.random()
    for kind in STAYS[habit]:
        if drawn < kind.share:
            return kind.draw(rng)
        drawn -= kind.share
    return STAYS[habit][0].draw(rng)


@cache
def arrivals(habit: Habit) -> tuple[float, ...]:
    """Arrivals per bay and second in each quarter hour of the week, such that stays fill the bays as the curve says.

    Found forwards in time, round the week twice so that its beginning knows its end; where the curve falls faster
    than people leave, nobody comes.
    """
    kinds = STAYS[habit]
    staying = [sum(kind.share * _mean_longer(kind, slot) for kind in kinds) for slot in range(LONGEST)]
    wanted = [wanted_occupancy(habit, (slot + 1) * SLOT_S) for slot in range(SLOTS)]
    came = [0.0] * SLOTS
    for turn in range(2 * SLOTS):
        slot = turn % SLOTS
        still = sum(came[slot - age] * staying[age] for age in range(1, LONGEST))  # negative indices: last week
        came[slot] = max((wanted[slot] - still) / staying[0], 0.0)
    return tuple(number / SLOT_S for number in came)


class LocalWeek:
    """Seconds since Monday 00:00 on a town's own clocks."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)

    def seconds(self, at_ns: int) -> float:
        """The place of a moment in its week."""
        local = datetime.fromtimestamp(at_ns / NS, self._zone)
        return ((local.weekday() * 24 + local.hour) * 60 + local.minute) * 60 + local.second


def rate_at(habit: Habit, week_s: float) -> float:
    """Arrivals per bay and second at a place in the week."""
    return arrivals(habit)[int(week_s / SLOT_S) % SLOTS]


def _hour(habit: Habit, hour: int) -> float:
    day, of_day = divmod(hour % 168, 24)
    return CURVES[habit][max(day - 4, 0)][of_day]


def _mean_longer(kind: Stay, slots: int) -> float:
    """The share still there at the end of a slot, of those who came evenly in the slot that lies `slots` before."""
    return sum(kind.longer((slots + part) * SLOT_S) for part in (1 / 8, 3 / 8, 5 / 8, 7 / 8)) / 4


