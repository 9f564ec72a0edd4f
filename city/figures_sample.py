"""What a process counts, between two looks at it: its figures of a step (city.figures, sheets platform and letters). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from city.figures import PLATFORM_CPU, PLATFORM_MEMORY
from city.quantities import Quantity

Figure = float | int | str | None
MS = 1000.0
_SHARES = (0.5, 0.99)


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram of seconds: rising upper bounds, and how many values fell into each range; one count more than bounds."""

    bounds: Sequence[float]
    counts: Sequence[float]


@dataclass(frozen=True, slots=True)
class Look:
    """A process at one moment. `real_s`, `cpu_s`: seconds on a clock that never stands, and of CPU; `counts` rise from its
    start on, so do `letters`, by reason; `levels` are as they are; `spreads` by the quantities of their median and of what 99 of
    100 stay below, both in ms."""

    real_s: float
    cpu_s: float
    memory_mb: float | None = None
    counts: Mapping[Quantity, int] = field(default_factory=dict)
    levels: Mapping[Quantity, Figure] = field(default_factory=dict)
    spreads: Mapping[tuple[Quantity, Quantity], Spread] = field(default_factory=dict)
    letters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process did between two looks. None: nothing is known of it."""

    values: Mapping[Quantity, Figure]
    letters: Mapping[str, int]


def sample(before: Look, after: Look) -> Sample:
    """Counts and letters as what came to them (letters only where any did), levels as they are at the end, CPU in per cent of
    one core."""
    values: dict[Quantity, Figure] = {one: count - before.counts.get(one, 0) for one, count in after.counts.items()}
    values.update(after.levels)
    for quantities, spread in after.spreads.items():
        earlier = before.spreads.get(quantities)
        then = earlier.counts if earlier and earlier.counts else [0] * len(spread.counts)
        counts = [more - less for more, less in zip(spread.counts, then, strict=True)]
        for quantity, share in zip(quantities, _SHARES, strict=True):
            found = quantile(spread.bounds, counts, share)
            values[quantity] = None if found is None else found * MS
    real_s = after.real_s - before.real_s
    values[PLATFORM_CPU] = 100 * (after.cpu_s - before.cpu_s) / real_s if real_s > 0 else None
    values[PLATFORM_MEMORY] = after.memory_mb
    letters = {reason: count - before.letters.get(reason, 0) for reason, count in after.letters.items()}
    return Sample(values, {reason: count for reason, count in letters.items() if count})


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    """What that share of the values stays below, as if those of one range lay evenly in it; the greatest bound where they lie
    beyond it, None where there are none."""
    wanted, below, low = share * sum(counts), 0.0, 0.0
    if wanted <= 0:
        return None
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= wanted:
            return low + (bound - low) * (wanted - below) / count
        below, low = below + count, bound
    return bounds[-1]


def step_of(at: datetime, step_s: int) -> datetime:
    """When the step began in which `at` lies: the steps of all processes begin together, at multiples of `step_s` since 1970."""
    return datetime.fromtimestamp(at.timestamp() // step_s * step_s, UTC)


def step_after(at: datetime, step_s: int) -> datetime:
    """When the next one begins."""
    return step_of(at, step_s) + timedelta(seconds=step_s)
