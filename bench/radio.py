"""What the air of the simulator costs: frames a second through the medium, and a downlink among few and many ears.

    python -m bench.radio [--devices 3000] [--gateways 5]

Processor time, and what the bare queue of events needs for as many actions in the same run, so that a busy or slow machine
does not count. Frames carry no cryptography here: this is the medium alone.
"""

import argparse
import time
from dataclasses import dataclass
from random import Random

from city.airtime import CHANNELS
from city.ids import TenantId, gateway_id
from city.places import Gateway, Site
from city.readings import NS
from simulator.engine import Engine
from simulator.flights import Spot, Wave
from simulator.medium import Medium, Received
from simulator.radio import Weather
from simulator.scenario import Antenna

MINUTES = 10
START_NS = 1_790_000_000 * NS
RX2 = Wave(869_525_000, 9, 125_000, 29.0, down=True)
GROUP = 0x01FF_0000


@dataclass
class Town:
    """Devices spread over two kilometres."""

    engine: Engine
    medium: Medium
    spots: list[Spot]
    copies: int = 0

    def took(self, _gateway: int, _received: Received) -> None:
        """A gateway has a frame."""
        self.copies += 1

    def hears(self, _phy: bytes, _wave: Wave, _rssi_dbm: float, _snr_db: float) -> None:
        """A device has a frame."""
        self.copies += 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=3000)
    parser.add_argument("--gateways", type=int, default=5)
    options = parser.parse_args()
    frames = options.devices * MINUTES
    town = build(options.devices, options.gateways)
    spent, bare = uplinks(town), queue_alone(2 * frames)
    print(f"{options.devices} devices, {options.gateways} gateways, an uplink a minute each: {frames / spent:,.0f} frames/s, "
          f"{1e6 * spent / frames:.0f} µs a frame, {spent / bare:.1f} × the bare queue; in real time {spent / MINUTES / 60:.2%} "
          f"of a core; {town.copies / frames:.2f} copies a frame; {dict(town.medium.stats)}")
    few, many = (downlinks(build(number, 1)) for number in (10, options.devices))
    print(f"a downlink to one of {options.devices} ears takes {1e6 * many:.0f} µs, {many / few:.2f} × that to one of 10")


def build(devices: int, gateways: int) -> Town:
    """Nothing has been sent yet."""
    rng, engine = Random(1), Engine(START_NS)
    antennas = [_antenna(number, _place(rng)) for number in range(gateways)]
    town = Town(engine, Medium(engine, antennas, Weather(), seed=1, uplink=lambda *facts: town.took(*facts)), [])
    town.spots = [town.medium.spot(f"70b3d57e{number:08x}", _place(rng)) for number in range(devices)]
    return town


def uplinks(town: Town) -> float:
    """Processor seconds for an uplink a minute from each device."""
    rng = Random(2)
    for minute in range(MINUTES):
        for spot in town.spots:
            wave = Wave(rng.choice(CHANNELS), rng.choice((7, 7, 8, 9, 10)), 125_000, 14.0, down=False)
            town.engine.at(START_NS + int((minute + rng.random()) * 60 * NS), _send, town.medium, spot, wave)
    began = time.process_time()
    town.engine.run(START_NS + (MINUTES + 1) * 60 * NS)
    return time.process_time() - began


def downlinks(town: Town, number: int = 2000) -> float:
    """Processor seconds for a class C downlink to one device while all listen."""
    for index, spot in enumerate(town.spots):
        town.medium.listen(spot, town, RX2.frequency, RX2.sf, RX2.bandwidth, (index, GROUP))
    frames = [bytes([0x60]) + (index % len(town.spots)).to_bytes(4, "little") + bytes(12) for index in range(number)]
    began = time.process_time()
    for frame in frames:
        town.engine.run(town.medium.emit(0, frame, RX2))
    return (time.process_time() - began) / number


def queue_alone(actions: int) -> float:
    """Processor seconds of the queue of events for as many actions that do nothing."""
    engine, rng = Engine(START_NS), Random(3)
    for _ in range(actions):
        engine.at(START_NS + int(rng.random() * 600 * NS), _nothing)
    began = time.process_time()
    engine.run(START_NS + 601 * NS)
    return time.process_time() - began


def _send(medium: Medium, spot: Spot, wave: Wave) -> None:
    medium.send(spot, bytes(30), wave)


def _nothing() -> None:
    pass


def _place(rng: Random) -> Site:
    return Site(51.0 + rng.uniform(-0.009, 0.009), 8.0 + rng.uniform(-0.014, 0.014))


def _antenna(number: int, site: Site) -> Antenna:
    gateway = Gateway(gateway_id(f"0016c001ff{number:06x}"), TenantId("t"), f"gw {number}", site)
    return Antenna(gateway, site, 300.0, 25.0, gnss=False)


if __name__ == "__main__":
    main()
