"""How long a codec takes for a frame, beside a bare struct unpack of the same bytes in the same run.

    python bench/codecs.py

Prints for each vector the median of many runs, in microseconds and as a multiple of the bare unpack, and the number of
measurements that the frame says. Clocks, meters and radio values change from frame to frame as they do in a town.
"""

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from decoders.catalog import catalog
from decoders.codec import Frame

ROUNDS, BATCH = 200, 200
STATUS = "01f37f205e8244320916200701d20294550401fe50190012501900"
CASES = (
    ("nas/ul20xx", 23, "01f37f205e80443209162000fe501904", "status, 16 B"),
    ("nas/ul20xx", 23, STATUS, "status with sensors and a driver, 27 B"),
    ("nas/ul20xx", 26, "00ff3f479403002a00f94a030027005de5", "usage, 17 B"),
    ("nas/ul20xx", 61, "84025900e50056", "meter alert, 7 B"),
    ("nas/ul20xx", 60, "01fe64", "echo, 3 B"),
    ("bosch/tps110", 1, "01", "status, 1 B"),
    ("bosch/tps110", 2, "0112", "heartbeat, 2 B"),
    ("bosch/tps110", 3, "240300007503000000000000001d020301", "start-up, 17 B"),
)


def main() -> None:
    print(f"{'model':13} {'frame':40} {'says':>4} {'µs':>7} {'bare µs':>8} {'ratio':>6}")
    for model, port, text, title in CASES:
        frames = varied(port, bytes.fromhex(text))
        codec = catalog()[model]
        ours = timed(codec.decode_uplink, frames)
        bare = timed(bare_unpack(len(frames[0].data)), frames)
        says = len(codec.decode_uplink(frames[0]))
        print(f"{model:13} {title:40} {says:4} {ours:7.2f} {bare:8.2f} {ours / bare:6.1f}")


def varied(port: int, data: bytes) -> list[Frame]:
    """BATCH frames as one device sends them: in status and usage the clock, a meter, RSSI and temperature change."""
    if port == 23:
        return [Frame(port, data[:1] + struct.pack("<I", 1579188211 + 600 * i) + data[5:7]
                      + bytes([40 + i % 60, i % 12, i % 30]) + data[10:]) for i in range(BATCH)]
    if port == 26:
        return [Frame(port, data[:3] + struct.pack("<IH", 234567 + i, 40 + i % 20) + data[9:]) for i in range(BATCH)]
    return [Frame(port, data)] * BATCH


def bare_unpack(length: int) -> Callable[[Frame], object]:
    """The least that any decoder in Python does: one unpack and a list of its fields."""
    shape = struct.Struct("<" + "I" * (length // 4) + "B" * (length % 4))
    return lambda frame: list(shape.unpack(frame.data))


def timed(work: Callable[[Frame], object], frames: list[Frame]) -> float:
    """The median of µs a frame."""
    spent = []
    for _ in range(ROUNDS):
        begun = perf_counter_ns()
        for frame in frames:
            work(frame)
        spent.append((perf_counter_ns() - begun) / len(frames) / 1000)
    return median(spent)


if __name__ == "__main__":
    main()
