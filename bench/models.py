"""What one idle device of a model takes in memory, and what one of its uplinks costs: model and codec, without any server.

    python -m bench.models [--count 10000] [MODEL ...]

Memory is measured by tracemalloc half an hour after the start, timers included; what all devices of a town share is not.
Processor time, so that busy neighbours do not count; `codec` is the share of it that encoding the same frames again takes.
"""

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from city.ids import AssetId, CircuitId, TenantId, ZoneId
from city.places import Luminaire, ParkingBay, Site
from city.quantities import Measurement
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator.bay import Bay
from simulator.controllers import CONTROLLERS
from simulator.engine import Engine
from simulator.lamp import Lamp
from simulator.plan import Devices
from simulator.sensors import VOICES
from simulator.timetable import Sky
from tests.simulator.wire import Wire

START = to_ns(datetime(2026, 11, 21, 20, tzinfo=UTC))
SAMPLES = 5000
PLACE = Site(50.9966, 8.1104)
LAMP = Luminaire(TenantId("t"), AssetId("L-1"), "L 1", PLACE, ZoneId("Z"), CircuitId("C"), 40.0, "P4")
BAY = ParkingBay(TenantId("t"), AssetId("B-1"), "B 1", PLACE, ZoneId("Z"))


class Field:
    """Many devices of one model, and nothing around them."""

    def __init__(self, model: str) -> None:
        self.codec = codec_of(model)
        self.asked = list[tuple[int, Sequence[Measurement]]]()
        self._recording = replace(self.codec, encode_uplink=self._record)
        self.engine, self.rng, self.sky, self.setup = Engine(START), Random(1), Sky(PLACE), Devices()
        self.said = 0
        self.hear: Callable[[Frame], None] = self._hear

    def _hear(self, _: Frame) -> None:
        self.said += 1

    def _record(self, port: int, measurements: Sequence[Measurement]) -> Frame:
        if len(self.asked) < SAMPLES:
            self.asked.append((port, measurements))
        return self.codec.encode_uplink(port, measurements)

    def one(self, *, recording: bool = False) -> Lamp | Bay:
        codec = self._recording if recording else self.codec
        if codec.asset == "bay":
            return Bay(BAY, codec, missed_edge=0.02, engine=self.engine, rng=self.rng, radio=Wire(self.hear))
        return Lamp(LAMP, codec, self.setup, engine=self.engine, sky=self.sky, rng=self.rng, radio=Wire(self.hear))

    def run(self, seconds: float) -> None:
        self.engine.run(self.engine.now + int(seconds * NS))


def idle(field: Field, count: int) -> tuple[list[Lamp | Bay], float]:
    """Devices half an hour after their start, and the bytes of each."""
    field.one().start()
    field.run(60)
    gc.collect()
    tracemalloc.start()
    devices = [field.one() for _ in range(count)]
    for device in devices:
        device.start()
    field.run(1800)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return devices, size / count


def talk(field: Field, devices: list[Lamp | Bay]) -> None:
    """An hour of a lamp, four edges of a bay."""
    for turn in range(4):
        for device in devices:
            if isinstance(device, Bay):
                device.move(turn % 2 == 0)
        field.run(900)


def encoding(model: str) -> float:
    """Seconds that the codec takes for a frame of those that a few devices say."""
    field = Field(model)
    few = [field.one(recording=True) for _ in range(50)]
    for device in few:
        device.start()
    while len(field.asked) < SAMPLES:
        talk(field, few)
    began = time.process_time()
    for port, measurements in field.asked:
        field.codec.encode_uplink(port, measurements)
    return (time.process_time() - began) / SAMPLES


def main() -> None:
    """Measure each model, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("models", nargs="*", default=[*CONTROLLERS, *VOICES])
    options = parser.parse_args()
    for model in options.models:
        field = Field(model)
        devices, size = idle(field, options.count)
        field.said = 0
        began = time.process_time()
        talk(field, devices)
        spent, said = time.process_time() - began, field.said
        codec = encoding(model)
        print(f"{model:22} {size:5.0f} B, {1e6 * spent / said:5.1f} µs an uplink, of which codec {1e6 * codec:5.1f} µs")


if __name__ == "__main__":
    main()
