"""The air at frame level: who demodulates which frame, which frames destroy one another, and who is deaf meanwhile.

Time comes from the engine, chance from the seed; the same frames at the same moments are lost in every run. Received is
what is over the noise by the SF's limit, survives all that it meets on the air (simulator.flights), and finds a receiver:
one of eight demodulators of a gateway that is not sending, or a device's ear that was tuned to it from its beginning to
its end. Not modelled: frequency offset, multipath within a frame, blocking by strong neighbours, and a device's ear taking
up a stronger frame while it follows a weaker one.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from city.airtime import CHANNELS, FAST_HZ, FSK, FSK_HZ
from city.places import Site
from simulator.ears import Ears, addressee
from simulator.engine import Engine
from simulator.flights import Ear, Flight, Sky, Spot, Wave, grace_ns, same_kind, spoiled
from simulator.propagation import (
    FADING_DB,
    GATEWAY_DBI,
    POLE,
    distance,
    needed_snr,
    noise_dbm,
    path_loss,
    shown_rssi,
    shown_snr,
)
from simulator.radio import MOST_LOSS_DB, Jammer, Map, Weather
from simulator.scenario import Antenna

__all__ = ["LOSSES", "Ear", "Medium", "Received", "Spot", "Wave", "Witness"]

DEMODULATORS = 8  # SX1301 datasheet: packets of any SF and channel at a time (SX1302: 16); SF7/250 and FSK have their own
UP_LOSSES = ("weak", "jammed", "off channel", "half duplex", "demodulators", "collision", "other SF", "gateway down", "weather")
DOWN_LOSSES = ("down weak", "down jammed", "down deaf", "down busy", "down collision", "down other SF", "down weather")
LOSSES = UP_LOSSES + DOWN_LOSSES  # keys of `Medium.stats`; of a frame's copy at one gateway, or of a downlink at one ear


class Witness(Protocol):
    """Sees what becomes of the copies of frames; `reason` is one of LOSSES, or "" where a copy arrives."""

    def up(self, flight: Flight, gateway: int, reason: str, snr_db: float) -> None:
        """Of an uplink at a gateway; -1: at none of them. Without a reason it is what the chip saw at the beginning."""
        ...

    def down(self, flight: Flight, spot: Spot, reason: str, rssi_dbm: float, snr_db: float) -> None:
        """Of a downlink at a device's ear that was tuned to it."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A frame as one gateway has it: what the chip reports of its strength, the channel's index (0 to 7 in CHANNELS, 8 for
    SF7/250, 9 for FSK). With `crc_ok` False its bytes are not those that were sent."""

    phy: bytes
    wave: Wave
    rssi_dbm: float
    snr_db: float
    channel: int
    started_ns: int
    ended_ns: int
    crc_ok: bool


class Medium:
    """One region's air. `uplink(gateway, received)` is called at a frame's end for each gateway that has it.

    `capture=False` lets every overlap of two frames of a kind destroy both; `broken=True` hands over collided frames too,
    with `crc_ok` False; `exact=True` leaves shadowing and fading out. Each gateway has `demodulators` for its channels.
    """

    def __init__(self, engine: Engine, antennas: Sequence[Antenna], weather: Weather, *, seed: int,
                 uplink: Callable[[int, Received], None], capture: bool = True, broken: bool = False,
                 exact: bool = False, demodulators: int = DEMODULATORS) -> None:
        self._engine, self._antennas, self._weather, self._uplink = engine, antennas, weather, uplink
        self._capture, self._broken, self._fading = capture, broken, 0.0 if exact else FADING_DB
        self._rng = Random(f"{seed}/medium")
        self._map, self._sky, self._ears = Map(antennas, seed, exact=exact), Sky(), Ears()
        self._channels = {frequency: index for index, frequency in enumerate(CHANNELS)}
        self._demodulators, self._busy = demodulators, [0] * len(antennas)
        self._sends_until = [0] * len(antennas)
        self._between: dict[int, list[tuple[int, float]]] = {}
        self.stats: Counter[str] = Counter()
        self.witness: Witness | None = None

    # -- devices

    def spot(self, dev_eui: str, site: Site, *, loss_db: float = POLE.loss_db, height_m: float = POLE.height_m) -> Spot:
        """A device's place on the air; simulator.propagation has the usual kinds of place."""
        return Spot(site, height_m, self._map.losses(dev_eui, site, height_m, loss_db))

    def muffle(self, spot: Spot, more_db: float) -> None:
        """From now on a device's signals lose so much more on their way, and those to it too."""
        spot.losses = array("f", [loss + more_db for loss in spot.losses])

    def send(self, spot: Spot, phy: bytes, wave: Wave) -> int:
        """Put a device's frame on the air now; the ns when it ends. While it sends, its ear is deaf."""
        flight = Flight(phy, wave, self._engine.now, spot=spot, gateway=-1)
        spot.busy_until = flight.ends
        self.stats["sent up"] += 1
        self._fly(flight)
        self._follow(flight)
        self._engine.at(flight.ends, self._land, flight)
        return flight.ends

    def listen(self, spot: Spot, ear: Ear, frequency: int, sf: int, bandwidth: int,
               addresses: Collection[int] | None) -> None:
        """From now on its ear is tuned to this, instead of whatever it listened to. `addresses` are the DevAddrs, of its own
        and of groups, that it cares for; None means that it wants every frame, as in a join window."""
        self._ears.close(spot)
        tune = (frequency, sf, bandwidth)
        if spot.tune != tune:
            spot.since = self._engine.now
        spot.ear, spot.addresses = ear, None if addresses is None else tuple(addresses)
        self._ears.open(spot, tune)

    def hearing(self, spot: Spot) -> int:
        """When the frame ends that its ear is following now, ns; what is past means none. A window is not closed before."""
        return spot.hears_until if spot.tune is not None else 0

    def hush(self, spot: Spot) -> None:
        """Its ear is off."""
        self._ears.close(spot)
        spot.ear = spot.tune = spot.addresses = None

    # -- gateways

    def emit(self, gateway: int, phy: bytes, wave: Wave) -> int:
        """A gateway's frame begins now; the ns when it ends. Its receiver is deaf meanwhile, and what it was following is
        lost."""
        flight = Flight(phy, wave, self._engine.now, spot=None, gateway=gateway)
        if gateway in self._weather.down:
            self.stats["gateway down"] += 1
            return flight.ends
        self.stats["sent down"] += 1
        self._sends_until[gateway] = max(self._sends_until[gateway], flight.ends)
        for followed in self._sky.locked_on(gateway):
            self._unlock(followed, gateway)
            self._lost(followed, gateway, "half duplex")
        flight.listeners = self._ears.of((wave.frequency, wave.sf, wave.bandwidth), addressee(phy))
        for spot in flight.listeners:
            if gateway in spot.gateways:
                spot.hears_until = flight.ends
        self._fly(flight)
        self._engine.at(flight.ends, self._land_down, flight)
        return flight.ends

    # -- up

    def _fly(self, flight: Flight) -> None:
        """Know how strong it is at every gateway, and what it meets."""
        power, fading, gauss = flight.wave.power_dbm - self._weather.attenuation_db, self._fading, self._rng.gauss
        if flight.spot is not None:
            power += GATEWAY_DBI
            flight.power = {gateway: power - loss + gauss(0.0, fading)
                            for gateway, loss in zip(flight.spot.gateways, flight.spot.losses, strict=True)}
        elif self._channel(flight.wave) >= 0:  # elsewhere no gateway listens
            flight.power = {other: power - loss + GATEWAY_DBI for other, loss in self._neighbours(flight.gateway)}
        self._sky.begin(flight)

    def _follow(self, flight: Flight) -> None:
        """Which gateways' demodulators take the frame up; the others' reasons are counted."""
        if self._weather.loss and self._rng.random() < self._weather.loss:
            self._lost(flight, -1, "weather")
            return
        active, channel = self._active(), self._channel(flight.wave)
        for gateway in flight.power:
            reason = self._refusal(flight, gateway, active, channel)
            if reason:
                self._lost(flight, gateway, reason)
            elif channel < len(CHANNELS):
                self._busy[gateway] += 1

    def _refusal(self, flight: Flight, gateway: int, active: list[Jammer], channel: int) -> str:
        """Why a gateway cannot follow a frame; "" if it does."""
        if gateway in self._weather.down:
            return "gateway down"
        if channel < 0:
            return "off channel"
        if self._sends_until[gateway] > flight.began:
            return "half duplex"
        signal, needed = flight.power[gateway], needed_snr(flight.wave.sf)
        noise = self._noise(gateway, flight.wave, active)
        if signal - noise < needed:
            return "jammed" if active and signal - self._noise(gateway, flight.wave, []) >= needed else "weak"
        if channel < len(CHANNELS) and self._busy[gateway] >= self._demodulators:
            return "demodulators"
        flight.locked[gateway] = signal - noise
        return ""

    def _land(self, flight: Flight) -> None:
        """An uplink has ended."""
        self._sky.end(flight)
        heard = False
        for gateway, snr in list(flight.locked.items()):
            self._unlock(flight, gateway)
            reason = self._spoiled(flight, gateway)
            heard = heard or not reason
            if reason:
                self._lost(flight, gateway, reason)
            elif self.witness is not None:
                self.witness.up(flight, gateway, "", snr)
            if not reason or (self._broken and reason != "gateway down"):
                self._hand_over(flight, gateway, snr, crc_ok=not reason)
        self.stats["heard up" if heard else "lost up"] += 1
        flight.rivals.clear()

    def _lost(self, flight: Flight, gateway: int, reason: str) -> None:
        self.stats[reason] += 1
        if self.witness is not None:
            self.witness.up(flight, gateway, reason, 0.0)

    def _spoiled(self, flight: Flight, gateway: int) -> str:
        if gateway in self._weather.down:
            return "gateway down"
        signal = flight.power[gateway]
        for rival in flight.rivals:
            strength = rival.power.get(gateway)
            reason = strength is not None and spoiled(flight, rival, signal - strength, capture=self._capture)
            if reason:
                return reason
        return ""

    def _hand_over(self, flight: Flight, gateway: int, snr: float, *, crc_ok: bool) -> None:
        phy = flight.phy if crc_ok else self._garbled(flight.phy)
        self.stats["copies" if crc_ok else "broken copies"] += 1
        self._uplink(gateway, Received(
            phy, flight.wave, shown_rssi(flight.power[gateway]), shown_snr(snr, self._rng.random()),
            self._channel(flight.wave), flight.began, flight.ends, crc_ok))

    def _garbled(self, phy: bytes) -> bytes:
        """The frame with one byte wrong."""
        if not phy:
            return phy
        at = self._rng.randrange(len(phy))
        return phy[:at] + bytes([phy[at] ^ self._rng.randrange(1, 256)]) + phy[at + 1:]

    def _unlock(self, flight: Flight, gateway: int) -> None:
        del flight.locked[gateway]
        if self._channel(flight.wave) < len(CHANNELS):
            self._busy[gateway] -= 1

    # -- down

    def _land_down(self, flight: Flight) -> None:
        """A downlink has ended."""
        self._sky.end(flight)
        wave, active = flight.wave, self._active()
        tune = (wave.frequency, wave.sf, wave.bandwidth)
        for spot in flight.listeners:
            if spot.tune == tune and spot.since <= flight.began:
                self._arrive(flight, spot, active)
        flight.rivals.clear()
        flight.listeners.clear()

    def _arrive(self, flight: Flight, spot: Spot, active: list[Jammer]) -> None:
        """What an ear makes of a downlink that it was tuned to all the time."""
        signal = self._at_ear(flight, spot)
        wave = flight.wave
        channel = wave.frequency, wave.bandwidth
        noise = self._weather.noise(spot.site, spot.height_m, channel, active)
        reason = self._deafness(flight, spot, signal, noise, active)
        if self.witness is not None:
            self.witness.down(flight, spot, reason and "down " + reason, signal, signal - noise)
        if reason:
            self.stats["down " + reason] += 1
        elif spot.ear is not None:
            self.stats["heard down"] += 1
            spot.ear.hears(flight.phy, wave, shown_rssi(signal), shown_snr(signal - noise, self._rng.random()))

    def _deafness(self, flight: Flight, spot: Spot, signal: float, noise: float, active: list[Jammer]) -> str:
        """Why an ear does not receive a downlink; "" if it does."""
        wave, needed = flight.wave, needed_snr(flight.wave.sf)
        if spot.busy_until > flight.began:
            return "deaf"
        if self._weather.loss and self._rng.random() < self._weather.loss:
            return "weather"
        if signal - noise < needed:
            quiet = self._weather.noise(spot.site, spot.height_m, (wave.frequency, wave.bandwidth), [])
            return "jammed" if active and signal - quiet >= needed else "weak"
        return self._outdone(flight, spot, signal, noise + needed)

    def _outdone(self, flight: Flight, spot: Spot, signal: float, audible: float) -> str:
        """Whether a rival takes the ear away ("busy": it was following an earlier frame of the kind) or spoils the frame."""
        for rival in flight.rivals:
            strength = self._at_ear(rival, spot)
            if same_kind(rival.wave, flight.wave) and strength >= audible \
                    and rival.began + grace_ns(rival.wave) < flight.began:
                return "busy"
            reason = spoiled(flight, rival, signal - strength, capture=self._capture)
            if reason:
                return reason
        return ""

    def _at_ear(self, flight: Flight, spot: Spot) -> float:
        """dBm of a flight at a device; of one whose sender is out of earshot, what no receiver notices."""
        power = flight.wave.power_dbm - self._weather.attenuation_db
        if flight.spot is not None:
            metres = distance(flight.spot.site, spot.site)
            return power - path_loss(metres, max(flight.spot.height_m, spot.height_m), min(flight.spot.height_m, spot.height_m))
        if flight.gateway not in spot.gateways:
            return _NOTHING_DBM
        return power - spot.losses[spot.gateways.index(flight.gateway)] + self._rng.gauss(0.0, self._fading)

    # -- the air

    def _active(self) -> list[Jammer]:
        """The jammers that are on during a frame."""
        return [jammer for jammer in self._weather.jammers if self._rng.random() < jammer.duty]

    def _noise(self, gateway: int, wave: Wave, active: list[Jammer]) -> float:
        if not active:
            return noise_dbm(wave.bandwidth) + self._weather.noise_db
        antenna = self._antennas[gateway]
        return self._weather.noise(antenna.site, antenna.height_m, (wave.frequency, wave.bandwidth), active,
                                   gain_dbi=GATEWAY_DBI)

    def _channel(self, wave: Wave) -> int:
        """Its index among what a gateway listens to, -1 if it does not."""
        if wave.bandwidth == 125_000 and wave.sf != FSK:
            return self._channels.get(wave.frequency, -1)
        if wave.sf == FSK:
            return 9 if wave.frequency == FSK_HZ else -1
        return 8 if (wave.frequency, wave.sf, wave.bandwidth) == (FAST_HZ, 7, 250_000) else -1

    def _neighbours(self, gateway: int) -> list[tuple[int, float]]:
        """The gateways that another one's transmissions disturb, and the dB lost on the way."""
        if gateway not in self._between:
            here = self._antennas[gateway]
            losses = [(other, path_loss(distance(here.site, there.site), max(here.height_m, there.height_m),
                                        min(here.height_m, there.height_m)))
                      for other, there in enumerate(self._antennas) if other != gateway]
            self._between[gateway] = [(other, loss) for other, loss in losses if loss <= MOST_LOSS_DB]
        return self._between[gateway]


_NOTHING_DBM = -200.0
