"""A small air for tests: gateways and devices by metres, what was received, and frames as short as LoRaWAN has them."""

from dataclasses import dataclass, field
from math import cos, radians
from typing import Any

from city.airtime import CHANNELS
from city.ids import TenantId, gateway_id
from city.places import Gateway, Site
from simulator.engine import Engine
from simulator.flights import Spot, Wave
from simulator.medium import Medium, Received
from simulator.propagation import METRES_PER_DEGREE
from simulator.radio import Weather
from simulator.scenario import Antenna

START_NS = 1_790_000_000_000_000_000
CENTRE = Site(51.0, 8.1)


def site(east: float, north: float = 0.0) -> Site:
    return Site(CENTRE.latitude + north / METRES_PER_DEGREE,
                CENTRE.longitude + east / METRES_PER_DEGREE / cos(radians(CENTRE.latitude)))


def antenna(index: int, east: float, height_m: float = 25.0) -> Antenna:
    where = site(east)
    return Antenna(Gateway(gateway_id(f"0016c001ff00{index:04x}"), TenantId("t"), f"gw {index}", where), where, 300.0, height_m,
                   gnss=True)


def up(channel: int = 0, sf: int = 7, *, power: float = 14.0, bandwidth: int = 125_000, hz: int | None = None) -> Wave:
    return Wave(hz or CHANNELS[channel], sf, bandwidth, power, down=False)


def down(hz: int = 869_525_000, sf: int = 9, power: float = 29.0) -> Wave:
    return Wave(hz, sf, 125_000, power, down=True)


def data_down(address: int, size: int = 16) -> bytes:
    return bytes([0b0110_0000]) + address.to_bytes(4, "little") + bytes(size - 5)


@dataclass
class Listener:
    """An ear that keeps what it hears."""

    heard: list[tuple[bytes, Wave, float, float]] = field(default_factory=list)

    def hears(self, phy: bytes, wave: Wave, rssi_dbm: float, snr_db: float) -> None:
        self.heard.append((phy, wave, rssi_dbm, snr_db))


class Scene:
    """Gateways at these metres east of the centre; without chance unless `exact=False`."""

    def __init__(self, *gateways: float, seed: int = 1, exact: bool = True, **options: Any) -> None:
        self.engine, self.weather = Engine(START_NS), Weather()
        self.received: list[tuple[int, Received]] = []
        self.antennas = [antenna(index, east) for index, east in enumerate(gateways or (0.0,))]
        self.medium = Medium(self.engine, self.antennas, self.weather, seed=seed, exact=exact,
                             uplink=lambda gateway, received: self.received.append((gateway, received)), **options)

    def spot(self, east: float, name: str = "70b3d57e00000001", **place: float) -> Spot:
        return self.medium.spot(name, site(east), **place)

    def at(self, seconds: float, action: Any, *facts: Any) -> None:
        self.engine.at(START_NS + round(seconds * 1e9), action, *facts)

    def run(self, seconds: float = 10.0) -> "Scene":
        self.engine.run(START_NS + round(seconds * 1e9))
        return self

    def lost(self) -> dict[str, int]:
        """Counters but for what was sent and received."""
        return {key: count for key, count in self.medium.stats.items()
                if key not in ("sent up", "sent down", "heard up", "lost up", "heard down", "copies", "broken copies")}
