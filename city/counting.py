"""What a counter counted: increases between readings that may be doubled, late, reset, wrapped, or another device's.

No increase is larger than the time allows: then it is a jump, and no more is known of that time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec import Struct

WRAPS = (2.0**32, 2.0**24)  # 32-bit counters, and those that give their energy three bytes


class Count(Struct, frozen=True, gc=False):  # a struct: hundreds of thousands are made for one night of a city
    """A counter's reading: `at` in seconds since 1970, and `by`: whose counter it is."""

    at: float
    value: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """So much between two times."""

    first: float
    last: float
    amount: float


def increases(counts: Iterable[Count], most_per_s: float, slack: float) -> list[Piece]:
    """What was counted, in order of time. `most_per_s`: the fastest that the counter can go; `slack`: how coarse it is.

    A reading that fits to none before it waits for the next one: if that fits to the former, it was a slip and is passed
    over; if it fits to the odd one, the counter was reset there, and what it shows since then counts where the time allows
    it. Of two readings of one moment the first in order of value holds.
    """
    pieces: list[Piece] = []
    for own in _by_device(counts):
        pieces += _of_one(own, most_per_s, slack)
    return sorted(pieces, key=lambda piece: (piece.first, piece.last))


def _by_device(counts: Iterable[Count]) -> Iterator[list[Count]]:
    """Runs of one counter: what lies between two devices' readings nobody knows."""
    run: list[Count] = []
    for one in sorted(counts, key=lambda one: (one.at, one.by, one.value)):
        if run and run[-1].by != one.by:
            yield run
            run = []
        if not run or one.at > run[-1].at:
            run.append(one)
    if run:
        yield run


def _of_one(counts: list[Count], most_per_s: float, slack: float) -> Iterator[Piece]:
    anchor = counts[0]
    odd: Count | None = None
    for one in counts[1:]:
        step = _step(anchor, one, most_per_s, slack)
        if step is not None:
            yield Piece(anchor.at, one.at, step)
            anchor, odd = one, None
            continue
        after = _step(odd, one, most_per_s, slack) if odd is not None else None
        if odd is not None and after is not None:
            yield from _restarted(anchor, odd, most_per_s, slack)
            yield Piece(odd.at, one.at, after)
            anchor, odd = one, None
        else:
            odd = one
    if odd is not None:
        yield from _restarted(anchor, odd, most_per_s, slack)


def _step(before: Count, after: Count, most_per_s: float, slack: float) -> float | None:
    """The increase, or None where there can have been none such."""
    most, step = most_per_s * (after.at - before.at) + slack, after.value - before.value
    if step >= 0:
        return step if step <= most else None
    return next((step + wrap for wrap in WRAPS if before.value < wrap and 0 <= step + wrap <= most), None)


def _restarted(before: Count, after: Count, most_per_s: float, slack: float) -> Iterator[Piece]:
    """What a counter shows that began anew; what it had counted before that is lost."""
    if after.value < before.value and 0 <= after.value <= most_per_s * (after.at - before.at) + slack:
        yield Piece(before.at, after.at, after.value)
