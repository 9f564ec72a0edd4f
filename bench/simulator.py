"""How fast a simulated town is, at each of its levels, beside what bounds it in the same run.

    python -m bench.simulator [--write docs/performance.md] [--quick]

Everything is processor time of this process, so that busy neighbours count little; each peer is measured beside what it is
compared with. Virtual time does not wait: what is measured is how much of it one core makes.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench._page import measured, put
from city.settings import Mqtt
from simulator import lorawan
from simulator.chirpstack import ChirpStack
from simulator.field import Field
from simulator.gateway_mqtt import MqttLanguage
from simulator.link import BrokerLink
from simulator.load import Load
from simulator.scenario import Scenario
from tests.simulator.small_network import SmallNetwork
from tests.simulator.small_server import SmallServer
from tests.wire.servers import Mosquitto

START = datetime(2026, 11, 21, 15, tzinfo=UTC)
STEP = timedelta(milliseconds=100)
ROUNDS = 5


def main() -> None:
    """Measure all of it and print, or write the page's section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    options = parser.parse_args()
    part = 10 if options.quick else 1
    lines = ["## A simulated town (`bench.simulator`)", "", measured(), "",
             "| what | figure | asked | beside its limit in the same run |", "|---|---|---|---|"]
    for row in _rows(part):
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    if options.write:
        put(options.write, "simulator", "\n".join(lines))


def _rows(part: int) -> Iterator[tuple[str, str, str, str]]:
    yield _load(200_000 // part)
    yield _events(3000 // part, 400 // part)
    yield _frames(2000 // part)
    yield _factor("virtual time, 260 devices, events", _town(200, 60), 4 * 3600 / part)
    yield _factor("virtual time, 260 devices, frames with crypto, air and a server", _air(200, 60), 1200 / part)
    yield _memory("memory of an idle device, events", 10_000 // part, lambda size: _settled(_town(size * 4 // 5, size // 5)))
    yield _memory("memory of an idle device, frames", 5000 // part, lambda size: _settled(_air(size * 4 // 5, size // 5)))


# -- one figure each

def _load(count: int) -> tuple[str, str, str, str]:
    """Events for a load test, and how many of the same a broker's client could publish at all."""
    source = Load(_scenario(400, 60), seed=1, start=START, per_second=10_000.0)
    making = _median(lambda turn: _spent(lambda: source.advance(START + timedelta(seconds=count / ROUNDS / 10_000 * (turn + 1)))))
    messages = source.advance(START + timedelta(seconds=count / 10_000 + 1.0))[:10_000]
    publishing = asyncio.run(_published(messages)) / len(messages)
    each = making / (count / ROUNDS)
    return ("events for load tests", f"{1 / each:,.0f}/s", "≥ 20,000/s",
            f"{each / publishing:.2f} × the cost of publishing one at QoS 1 ({1 / publishing:,.0f}/s)")


def _events(lamps: int, bays: int) -> tuple[str, str, str, str]:
    """A town with physics, codecs and a server, and the codecs' and the writer's share of it."""
    town = _town(lamps, bays)
    _settled(town)
    spent, messages = _timed(lambda: town.advance(START + timedelta(minutes=90)))
    return (f"events of a whole town ({lamps + bays:,} devices)", f"{len(messages) / spent:,.0f}/s", "-",
            f"{1e6 * spent / len(messages):.0f} µs each: lamp and driver, codec, radio, server, JSON")


def _frames(devices: int) -> tuple[str, str, str, str]:
    """Real frames: how many the town's devices send and gateways hand over in a second of processor time."""
    air = _air(devices * 9 // 10, devices // 10, status_interval_s=60, usage_interval_s=86_400)
    air.run(300)
    before, minutes = air.field.stats["uplinks"], 3
    spent, _ = _timed(lambda: air.run(60 * minutes))
    frames = air.field.stats["uplinks"] - before
    crypto = _crypto()
    return (f"frames with crypto ({devices:,} devices × 1 a minute)",
            f"{spent / 60 / minutes:.1%} of a core; {frames / spent:,.0f}/s", "≤ 20 %",
            f"{spent / frames / crypto:.1f} × sealing and opening a frame ({1e6 * crypto:.0f} µs)")


def _factor(name: str, town: "ChirpStack | Air", seconds: float) -> tuple[str, str, str, str]:
    _settled(town)
    if isinstance(town, Air):
        spent, _ = _timed(lambda: town.run(seconds))
    else:
        spent, _ = _timed(lambda: town.advance(START + timedelta(seconds=1800 + seconds)))
    return name, f"{seconds / spent:,.0f} ×", "≥ 1,000 ×", "the clock"


def _memory(name: str, devices: int, make: Callable[[int], object]) -> tuple[str, str, str, str]:
    make(50)  # codecs and tables that all towns share
    gc.collect()
    tracemalloc.start(1)
    try:
        before = tracemalloc.get_traced_memory()[0]
        town = make(devices)
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / devices
    finally:
        tracemalloc.stop()
    del town
    return name, f"{each:,.0f} B", "≤ 2,048 B", f"{2**30 / each:,.0f} devices in a GiB, their scenario included"


# -- what is measured

class Air:
    """A town at frame level and a small network server, step by step."""

    def __init__(self, scenario: Scenario) -> None:
        server = SmallServer(rx2_dr=3)
        self.field = Field(scenario, MqttLanguage(), seed=1, start=START)
        for device in self.field.devices.values():
            server.know(device.who.dev_eui, device.who.app_key)
        self.network, self.now = SmallNetwork(server, rx2_sf=9), START
        self.network.answer = lambda heard: server.down(heard.eui, ack=True) if heard.confirmed else None

    def run(self, seconds: float) -> None:
        """So much virtual time."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += STEP
            for topic, payload in self.field.advance(self.now):
                self.network.take(topic, payload, self.now)
            for topic, payload in self.network.step(self.now):
                self.field.command(topic, payload, self.now)


def _scenario(lamps: int, bays: int, **tuned: float) -> Scenario:
    return Scenario.load().sized(lamps=lamps, bays=bays).tuned(**tuned)


def _town(lamps: int, bays: int) -> ChirpStack:
    return ChirpStack(_scenario(lamps, bays), seed=1, start=START)


def _air(lamps: int, bays: int, **tuned: float) -> Air:
    return Air(_scenario(lamps, bays, join_within_s=120.0, **tuned))


def _settled(town: "ChirpStack | Air") -> "ChirpStack | Air":
    """Half an hour on: all have joined, and nothing special happens."""
    if isinstance(town, Air):
        town.run(600)
    else:
        for minute in range(30):
            town.advance(START + timedelta(minutes=minute + 1))
    return town


def _crypto() -> float:
    session, count = lorawan.Session(1, bytes(range(16)), bytes(range(1, 17))), 5000

    def both() -> None:
        for number in range(count):
            lorawan.read(lorawan.write(lorawan.Data(True, 1, number, 23, bytes(20)), session), session, number)
    return _median(lambda _: _spent(both)) / count


async def _published(messages: list[tuple[str, bytes]]) -> float:
    """Processor seconds of this process for publishing all of them."""
    with tempfile.TemporaryDirectory() as directory:
        broker = Mosquitto(Path(directory))
        broker.start()
        link = BrokerLink(Mqtt(url=f"mqtt://127.0.0.1:{broker.port}"), "bench")
        await link.connect(())
        begun, waiting = time.process_time(), list(reversed(messages))
        while waiting:
            while waiting and link.room():
                link.publish(*waiting.pop())
            await link.wait(0.01)
            link.check()
        spent = time.process_time() - begun
        link.close()
        broker.stop()
    return spent


# -- timing

def _spent(work: Callable[[], object]) -> float:
    return _timed(work)[0]


def _timed(work: Callable[[], list[tuple[str, bytes]] | object]) -> tuple[float, list[tuple[str, bytes]]]:
    begun = time.process_time()
    made = work()
    return time.process_time() - begun, made if isinstance(made, list) else []


def _median(measure: Callable[[int], float]) -> float:
    return statistics.median(measure(turn) for turn in range(ROUNDS))


if __name__ == "__main__":
    main()
