"""How long each codec takes for a frame, beside a bare struct unpack of the same bytes in the same run.

    python bench/codecs.py [MODEL …]

Every codec of the catalog is measured with each of its vectors that its device itself would write: frames of 12 to 30
bytes, and beside them the shorter ones. Of each vector a hundred frames are made that say the same series with other
values, as a town sends them. Printed are medians, and whether the aim is met; then the same for a town's own script
(TS013), in our sandbox and in the bare engine.
"""

import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter_ns

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from city.errors import DecodeError
from decoders import vectors
from decoders.catalog import catalog, vectors_path
from decoders.codec import Codec, Frame

AIM_US = 6.0
LONG = range(12, 31)  # bytes
ROUNDS, BATCH = 40, 100
CHANGES = 4  # bytes in which a frame differs from its vector


@dataclass(frozen=True, slots=True)
class Work:
    """One vector: its frames, what is done to each, and the µs a frame of each round."""

    says: str
    length: int
    frames: Sequence[Frame]
    decode: Callable[[Frame], object]
    bare: Callable[[Frame], object]
    decoding: list[float] = field(default_factory=list)
    unpacking: list[float] = field(default_factory=list)

    def once(self) -> None:
        self.decoding.append(timed(self.decode, self.frames))
        self.unpacking.append(timed(self.bare, self.frames))

    @property
    def ours(self) -> float:
        return median(self.decoding)

    @property
    def best(self) -> float:
        return min(self.decoding)


def main(models: Sequence[str]) -> None:
    console = Console()
    works = {codec.model: [work(codec, vector) for vector in canonical(codec)] for model, codec in catalog().items()
             if not models or model in models}
    for _ in range(ROUNDS):  # round by round, so that a noisy minute strikes all alike
        for rows in works.values():
            for row in rows:
                row.once()
    console.print(table(works))
    console.print(verdict(works))
    for rows in works.values() if models else ():
        console.print(details(rows))


def canonical(codec: Codec) -> list[vectors.Uplink]:
    """The vectors of up to 30 bytes that are read, and that the device itself would write."""
    known = vectors.load(vectors_path(codec.model)).uplinks
    return [vector for vector in known
            if vector.reads is not None and vector.canonical and len(vector.frame.data) < LONG.stop]


def work(codec: Codec, vector: vectors.Uplink) -> Work:
    length = len(vector.frame.data)
    return Work(vector.says, length, varied(codec, vector.frame), codec.decode_uplink, bare_unpack(length))


def varied(codec: Codec, frame: Frame) -> list[Frame]:
    """BATCH frames that say the same series as `frame`, with other values where single bytes may change."""
    random, wanted = Random(1), said(codec, frame)
    free = [at for at in range(len(frame.data))
            if all(said(codec, changed(frame, {at: random.randrange(256)})) == wanted for _ in range(4))]
    made = [frame]
    for _ in range(3 * BATCH):
        places = random.sample(free, min(CHANGES, len(free)))
        other = changed(frame, {at: random.randrange(256) for at in places})
        if said(codec, other) == wanted:
            made.append(other)
    return (made * BATCH)[:BATCH]


def changed(frame: Frame, values: dict[int, int]) -> Frame:
    data = bytearray(frame.data)
    for at, value in values.items():
        data[at] = value
    return Frame(frame.port, bytes(data))


def said(codec: Codec, frame: Frame) -> set[tuple[str, str]] | None:
    """The series that a frame speaks of; None where it is not read."""
    try:
        return {(one.quantity.name, one.channel) for one in codec.decode_uplink(frame)}
    except DecodeError:
        return None


def bare_unpack(length: int) -> Callable[[Frame], object]:
    """The least that any decoder in Python does: one unpack and a list of its fields."""
    shape = struct.Struct("<" + "I" * (length // 4) + "B" * (length % 4))
    return lambda frame: list(shape.unpack(frame.data))


def timed(work: Callable[[Frame], object], frames: Sequence[Frame]) -> float:
    """µs a frame."""
    begun = perf_counter_ns()
    for frame in frames:
        work(frame)
    return (perf_counter_ns() - begun) / len(frames) / 1000


def table(works: dict[str, list[Work]]) -> Table:
    shown = Table("model", "12-30 B", "µs", "best", "× bare", f"≤ {AIM_US:g}", "shorter", "µs", "best", box=SIMPLE,
                  title="One decode, measurements included: number of vectors, their median µs and best round")
    for column in shown.columns:
        column.no_wrap, column.justify = True, "right" if column.header != "model" else "left"
    for model, rows in works.items():
        long, short = split(rows)
        met = "–" if not long else "yes" if median(one.ours for one in long) <= AIM_US else "[red]no[/]"
        shown.add_row(model, *figures(long), f"{ratio(long):.1f}" if long else "–", met, *figures(short))
    return shown


def figures(works: Sequence[Work]) -> tuple[str, str, str]:
    if not works:
        return "–", "–", "–"
    return f"{len(works)}", f"{median(one.ours for one in works):.2f}", f"{median(one.best for one in works):.2f}"


def ratio(works: Sequence[Work]) -> float:
    """How many times the bare unpack's time ours is, in rounds side by side."""
    return median(ours / bare for one in works for ours, bare in zip(one.decoding, one.unpacking, strict=True))


def details(works: Sequence[Work]) -> Table:
    shown = Table("vector", "bytes", "µs", "best", "× bare", box=SIMPLE)
    for one in works:
        shown.add_row(one.says, f"{one.length}", f"{one.ours:.2f}", f"{one.best:.2f}", f"{ratio([one]):.1f}")
    return shown


def split(works: Sequence[Work]) -> tuple[list[Work], list[Work]]:
    """Frames of 12 to 30 bytes, and shorter ones."""
    return [one for one in works if one.length in LONG], [one for one in works if one.length < LONG.start]


def verdict(works: dict[str, list[Work]]) -> str:
    long = {model: split(rows)[0] for model, rows in works.items() if split(rows)[0]}
    if not long:
        return "No frame of 12 to 30 bytes."
    all_of_them = [one for rows in long.values() for one in rows]
    slow = [model for model, rows in long.items() if median(one.ours for one in rows) > AIM_US]
    slow_at_best = [model for model in slow if median(one.best for one in long[model]) > AIM_US]
    return (f"12-30 B, all vectors: median {median(one.ours for one in all_of_them):.2f} µs, best rounds "
            f"{median(one.best for one in all_of_them):.2f} µs, {ratio(all_of_them):.1f} times the bare unpack.\n"
            f"Aim ≤ {AIM_US:g} µs: {named(slow)} by the median, {named(slow_at_best)} undisturbed.")


def named(slow: Sequence[str]) -> str:
    return f"missed by {', '.join(slow)}" if slow else "met by every codec"


if __name__ == "__main__":
    main(sys.argv[1:])
