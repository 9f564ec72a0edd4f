"""What one idle device of a model takes in memory, and what one of its uplinks costs: model and codec, without any server.

    python -m bench.models [--count 10000] [MODEL ...]

Memory is measured by tracemalloc half an hour after the start, timers included; what all devices of a town share is not.
Processor time, so that busy neighbours do not count; `codec` is the share of it that encoding the same frames again takes.
"""

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from city.ids import AssetId, CircuitId, TenantId, ZoneId
from city.places import Luminaire, ParkingBay, Site
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator.bay import Bay
from simulator.controllers import CONTROLLERS
from simulator.engine import Engine
from simulator.lamp import Lamp, lamp_of
from simulator.plan import Devices
from simulator.sensors import VOICES
from simulator.timetable import Sky

START = to_ns(datetime(2026, 11, 21, 20, tzinfo=UTC))
PLACE = Site(50.9966, 8.1104)
LAMP = Luminaire(TenantId("t"), AssetId("L-1"), "L 1", PLACE, ZoneId("Z"), CircuitId("C"), 40.0, "P4")
BAY = ParkingBay(TenantId("t"), AssetId("B-1"), "B 1", PLACE, ZoneId("Z"))


class Field:
    """Many devices of one model, and nothing around them."""

    def __init__(self, model: str) -> None:
        self.model, self.codec, self.frames = model, codec_of(model), list[Frame]()
        self.engine, self.rng, self.sky, self.setup = Engine(START), Random(1), Sky(PLACE), Devices()
        self.keep = False
        self.said = 0
        self.hear: Callable[[Frame], None] = self._hear

    def _hear(self, frame: Frame) -> None:
        self.said += 1
        if self.keep:
            self.frames.append(frame)

    def one(self) -> Lamp | Bay:
        if self.codec.asset == "bay":
            return Bay(BAY, self.codec, missed_edge=0.02, engine=self.engine, rng=self.rng, send=self.hear)
        return lamp_of(self.model, LAMP, self.setup, engine=self.engine, sky=self.sky, rng=self.rng, send=self.hear,
                       rejoin=_nowhere)

    def run(self, seconds: float) -> None:
        self.engine.run(self.engine.now + int(seconds * NS))


def _nowhere() -> None:
    """Nobody restarts here."""


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


def main() -> None:
    """Measure each model, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("models", nargs="*", default=[*CONTROLLERS, *VOICES])
    options = parser.parse_args()
    for model in options.models:
        field = Field(model)
        devices, size = idle(field, options.count)
        field.said, field.keep = 0, True
        began = time.process_time()
        talk(field, devices)
        spent = time.process_time() - began
        told = [(frame.port, field.codec.decode_uplink(frame)) for frame in field.frames[:5000]]
        began = time.process_time()
        for port, measurements in told:
            field.codec.encode_uplink(port, measurements)
        codec = (time.process_time() - began) / len(told)
        print(f"{model:22} {size:5.0f} B, {1e6 * spent / field.said:5.1f} µs an uplink, of which codec {1e6 * codec:5.1f} µs")


if __name__ == "__main__":
    main()
