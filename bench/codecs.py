"""How long each codec takes for a frame, beside a bare struct unpack of the same bytes in the same run.

    python bench/codecs.py [MODEL …]

Every codec of the catalog is measured with each of its vectors that its device itself would write: frames of 12 to 30
bytes, and beside them the shorter ones. Of each vector a hundred frames are made that say the same series with other
values, as a town sends them. Printed are medians, and whether the aim is met; then the same for a town's own script
(TS013), in our sandbox and in the bare engine.
"""

import json
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter_ns

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _quickjs import Context
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from city.errors import DecodeError
from decoders import vectors
from decoders.catalog import catalog, vectors_path
from decoders.codec import Codec, Frame
from decoders.javascript import Decoded, Program, Sandbox, Uplinked

AIM_US, AIM_RATIO = 6.0, 2.0
LONG = range(12, 31)  # bytes
ROUNDS, BATCH = 40, 100
CHANGES = 4  # bytes in which a frame differs from its vector
SCRIPT = """
var REASONS = { 0x21: "calendar-day", 0x22: "calendar-night", 0xf8: "fallback", 0xfd: "manual" };
function u16(bytes, at) { return bytes[at] | bytes[at + 1] << 8; }
function u32(bytes, at) { return (u16(bytes, at) + u16(bytes, at + 2) * 65536); }
function decodeUplink(input) {
  var bytes = input.bytes, data = {}, warnings = [];
  if (input.fPort !== 23 || bytes.length < 16) return { errors: ["unknown frame"] };
  data.clock = new Date(u32(bytes, 1) * 1000).toISOString();
  data.dali_error = (bytes[5] & 2) !== 0;
  data.relay_closed = (bytes[5] & 0x80) !== 0;
  data.downlink_rssi = -bytes[7];
  data.downlink_snr = bytes[8] << 24 >> 24;
  data.temperature = bytes[9] << 24 >> 24;
  data.alerts = { voltage: (bytes[10] & 0x10) !== 0, lamp: (bytes[10] & 0x20) !== 0, power: (bytes[10] & 0x40) !== 0 };
  data.lights = [];
  for (var at = 12; at + 3 < bytes.length; at += 4) {
    data.lights.push({ address: bytes[at], reason: REASONS[bytes[at + 1]] || "unknown", level: bytes[at + 2],
                       lamp_failure: (bytes[at + 3] & 2) !== 0 });
  }
  if (data.dali_error) warnings.push("dali error");
  return { data: data, warnings: warnings };
}
"""
BARE = "function bare(text) { return JSON.stringify(decodeUplink(JSON.parse(text))); }"


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
    if not models:
        console.print(scripted())


def scripted() -> str:
    """A script of 1.2 kB in our sandbox, 100 frames a call, and in the bare engine, JSON in and out, round by round."""
    frames = [Frame(23, struct.pack("<BIBBBbbBB4B", 1, 1579188211 + 600 * n, 0x80, 0, 40 + n % 60, n % 12, n % 30, 0x20,
                                    0, 0xFE, 0x21, n, 4)) for n in range(BATCH)]
    uplinks = [Uplinked(frame, datetime(2026, 1, 1, tzinfo=UTC)) for frame in frames]
    texts = [json.dumps({"bytes": list(frame.data), "fPort": frame.port, "recvTime": "2026-01-01T00:00:00Z",
                         "variables": {}}) for frame in frames]
    engine = Context()
    engine.eval(SCRIPT + BARE)
    call = engine.get("bare")
    ours, bare, program = [], [], Program(SCRIPT)
    with Sandbox() as sandbox:
        said = sandbox.decode_uplinks(program, uplinks)
        if [one.data if isinstance(one, Decoded) else one for one in said] != [json.loads(call(text))["data"] for text in texts]:
            raise SystemExit("the sandbox and the bare engine do not say the same")
        for _ in range(5 * ROUNDS):
            ours.append(spent(lambda: sandbox.decode_uplinks(program, uplinks)) / BATCH)
            bare.append(spent(lambda: [call(text) for text in texts]) / BATCH)
    times = median(one / other for one, other in zip(ours, bare, strict=True))
    return (f"TS013, {BATCH} a call: sandbox {median(ours):.1f} µs, bare engine {median(bare):.1f} µs a frame, "
            f"{times:.2f} times as long; aim ≤ {AIM_RATIO:g} {'met' if times <= AIM_RATIO else 'missed'}.")


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
    return spent(lambda: [work(frame) for frame in frames]) / len(frames)


def spent(work: Callable[[], object]) -> float:
    """µs."""
    begun = perf_counter_ns()
    work()
    return (perf_counter_ns() - begun) / 1000


def table(works: dict[str, list[Work]]) -> Table:
    shown = Table("model", "12-30 B", "µs", "best", "× bare", f"≤ {AIM_US:g}", "less", "µs", "best", box=SIMPLE,
                  padding=(0, 0, 0, 1), title="One decode, measurements included: vectors, their median µs, best round")
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
