"""What a lamp should draw: the prior curve until enough of its kind have been seen, then what they really draw.

Prior: P_nom · (0.05 + 0.95 · d^1.35), standby at 0 (reproduces a real 64 W luminaire's record at 75 % and 10 %). Learnt is a
factor on the prior, for each luminaire type and each level in steps of 5 %: the median over lamps of each lamp's own median,
night by night, and of the last 14 such nights the median. One lamp is never enough, and suspects are left out unless most of
a type are suspect: then it is the papers that are wrong.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from city.ids import AssetId
from city.places import Luminaire

STANDBY_W = 0.5
FIXED, SLOPE, BEND = 0.05, 0.95, 1.35
STEP = 5  # per cent of level in one bucket
NIGHTS = 14
LEAST_NIGHTS, LEAST_LAMPS = 3, 5
LOWEST, HIGHEST = 0.5, 2.0  # of the prior: beyond it nothing is believed
MOST_LAMPS, MOST_SAMPLES = 200, 12  # of one type and level in a night: a sample of a hundred thousand lamps is enough

Key = tuple[str, int]  # luminaire type, level rounded to STEP


@dataclass(frozen=True, slots=True)
class Typical:
    """What lamps of one type draw at one level, as factors on the prior: one for each night, the newest last. `lamps`: how
    many told it in the newest."""

    nights: tuple[float, ...]
    lamps: int

    @property
    def factor(self) -> float:
        """1.0 until enough nights are known."""
        return median(self.nights) if len(self.nights) >= LEAST_NIGHTS else 1.0

    def after(self, factor: float, lamps: int) -> "Typical":
        """With one night more; only the last 14 count."""
        return Typical((*self.nights, factor)[-NIGHTS:], lamps)


Learnt = Mapping[Key, Typical]


@dataclass(slots=True)
class Lesson:
    """What one night's lamps drew, so far: factors on the prior by type, level and lamp."""

    seen: dict[Key, dict[AssetId, list[float]]] = field(default_factory=dict)

    def add(self, lamp: Luminaire, level: int, watts: float) -> None:
        """A sample that stands for a steady level above 0. Lamps whose power nobody has written down teach nothing."""
        if not lamp.power_w or level <= 0:
            return
        lamps = self.seen.setdefault((type_of(lamp), bucket(level)), {})
        if lamp.id in lamps or len(lamps) < MOST_LAMPS:
            mine = lamps.setdefault(lamp.id, [])
            if len(mine) < MOST_SAMPLES:
                mine.append(watts / prior(lamp.power_w, level))


def prior(nominal_w: float, level: float) -> float:
    """Watts at `level` per cent of a lamp of which nothing has been learnt."""
    return STANDBY_W if level <= 0 else nominal_w * (FIXED + SLOPE * (level / 100) ** BEND)


def expected_power(lamp: Luminaire, level: float, learnt: Learnt) -> float | None:
    """Watts that the lamp should draw at `level` per cent; None where nobody has written down its power."""
    if not lamp.power_w:
        return None
    if level <= 0:
        return STANDBY_W
    known = learnt.get((type_of(lamp), bucket(level)))
    return prior(lamp.power_w, level) * (known.factor if known is not None else 1.0)


def learn(learnt: Learnt, lesson: Lesson, suspects: Container[AssetId]) -> dict[Key, Typical]:
    """What is known after a night; types and levels of which too few lamps told anything stay as they were."""
    known = dict(learnt)
    for key, lamps in lesson.seen.items():
        honest = {lamp: factors for lamp, factors in lamps.items() if lamp not in suspects}
        chosen = honest if 2 * len(honest) >= len(lamps) else lamps
        if len(chosen) < LEAST_LAMPS:
            continue
        factor = median(_medians(chosen.values()))
        if LOWEST <= factor <= HIGHEST:
            known[key] = known.get(key, Typical((), 0)).after(round(factor, 4), len(chosen))
    return known


def type_of(lamp: Luminaire) -> str:
    """What lamps that draw alike have in common: their make, or else their nominal power."""
    return lamp.luminaire_type or f"{lamp.power_w or 0:g} W"


def bucket(level: float) -> int:
    """The level in steps of 5 %, never 0 for a lamp that burns."""
    return max(round(level / STEP) * STEP, STEP)


def _medians(of: Iterable[list[float]]) -> list[float]:
    return [median(values) for values in of]
