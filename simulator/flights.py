"""Frames under way: which of them meet on the air, and what a frame must have over another to survive it."""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from city.airtime import FSK, phy_time_on_air
from city.places import Site
from city.readings import NS
from simulator.propagation import CAPTURE_DB, LOCK_SYMBOLS, rejection

PREAMBLE = 8  # symbols


@dataclass(frozen=True, slots=True)
class Wave:
    """How a frame is sent: Hz, spreading factor (`city.airtime.FSK` for FSK), Hz, EIRP in dBm. `down`: from a gateway, with
    inverted chirps and no CRC."""

    frequency: int
    sf: int
    bandwidth: int
    power_dbm: float
    down: bool


class Ear(Protocol):
    """A device's receiver."""

    def hears(self, phy: bytes, wave: Wave, rssi_dbm: float, snr_db: float) -> None:
        """A frame has ended that it has received."""
        ...


class Spot:
    """A device's place on the air. Made by `Medium.spot`; whoever holds it may only pass it back."""

    __slots__ = ("addresses", "busy_until", "ear", "gateways", "hears_until", "height_m", "losses", "since", "site", "tune")

    def __init__(self, site: Site, height_m: float, links: Sequence[tuple[int, float]]) -> None:
        self.site, self.height_m = site, height_m
        self.gateways = array("L", [gateway for gateway, _ in links])  # within earshot, by index,
        self.losses = array("f", [loss for _, loss in links])  # … and the dB lost on the way
        self.ear: Ear | None = None
        self.tune: tuple[int, int, int] | None = None  # frequency, SF, bandwidth that it listens to, since that moment
        self.addresses: Collection[int] | None = None
        self.since = self.busy_until = self.hears_until = 0


class Flight:
    """A frame on the air: its strength at each gateway that it reaches, the rivals that it meets, and the gateways whose
    demodulators follow it with the SNR that they see. `listeners` are the ears that a downlink may reach."""

    __slots__ = ("began", "ends", "gateway", "listeners", "locked", "phy", "power", "rivals", "spot", "wave")

    def __init__(self, phy: bytes, wave: Wave, began: int, *, spot: Spot | None, gateway: int) -> None:
        self.phy, self.wave, self.began, self.spot, self.gateway = phy, wave, began, spot, gateway
        self.ends = began + int(NS * phy_time_on_air(
            len(phy), wave.sf, bandwidth=wave.bandwidth, crc=not wave.down))
        self.power: dict[int, float] = {}
        self.locked: dict[int, float] = {}
        self.rivals: list[Flight] = []
        self.listeners: list[Spot] = []


class Sky:
    """All flights of now, by frequency. Two meet if their bands touch."""

    def __init__(self) -> None:
        self._flights: dict[int, list[Flight]] = {}

    def begin(self, flight: Flight) -> None:
        """It is on the air from now on, and has met those that are."""
        frequency, half = flight.wave.frequency, flight.wave.bandwidth // 2
        for other, flights in self._flights.items():
            apart = abs(other - frequency)
            for rival in flights:
                if apart < half + rival.wave.bandwidth // 2:
                    flight.rivals.append(rival)
                    rival.rivals.append(flight)
        self._flights.setdefault(frequency, []).append(flight)

    def end(self, flight: Flight) -> None:
        """It has left the air; those that it has met remember it."""
        flights = self._flights[flight.wave.frequency]
        flights.remove(flight)
        if not flights:
            del self._flights[flight.wave.frequency]

    def locked_on(self, gateway: int) -> list[Flight]:
        """The flights that a gateway follows."""
        return [flight for flights in self._flights.values() for flight in flights if gateway in flight.locked]


def same_kind(one: Wave, other: Wave) -> bool:
    """Whether a receiver cannot tell the two apart but by their strength."""
    return (one.sf == other.sf and one.down == other.down and one.frequency == other.frequency
            and one.bandwidth == other.bandwidth)


def spoiled(flight: Flight, rival: Flight, lead_db: float, *, capture: bool) -> str:
    """Why a flight that is `lead_db` stronger than a rival where it is received is lost to it; "" if it is not.

    Without capture any overlap of two frames of a kind destroys both (pure ALOHA). With it, the stronger one survives by
    CAPTURE_DB, and a rival that falls silent before the end of the preamble does no harm (Bor et al. 2016).
    """
    if not same_kind(flight.wave, rival.wave):
        return "other SF" if lead_db < rejection(flight.wave.sf, rival.wave.sf) else ""
    if not capture:
        return "collision"
    return "collision" if lead_db < CAPTURE_DB and rival.ends > flight.began + grace_ns(flight.wave) else ""


def grace_ns(wave: Wave) -> int:
    """How long the beginning of a frame may be disturbed."""
    if wave.sf == FSK:
        return 0
    return int(NS * (PREAMBLE - LOCK_SYMBOLS) * 2**wave.sf / wave.bandwidth)
