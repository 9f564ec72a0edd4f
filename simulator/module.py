"""A device's radio module on the true air, without keys: simulator.device as far as the air is concerned.

One uplink at a time: wait until a channel's band is free → send → RX1 → until RX2 would be over. A class C device listens
with RX2's parameters whenever it does nothing else. Joining, MAC commands and counters are the imitated server's and its
devices' own affair; an adapted data rate and power stand from the beginning (TS001 §4.3.1.1; ChirpStack's default algorithm).
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from city.airtime import CHANNELS, DATA_RATES, RX2_HZ
from city.readings import NS
from simulator.device import EARLY_NS, MOST_WAITING, SYMBOLS
from simulator.engine import Engine
from simulator.flights import Spot, Wave
from simulator.makes import Ether
from simulator.region import Channel
from simulator.share import Share
from simulator.station import Listener, Station

RX1_S, RX2_S = 1, 2  # after the end of an uplink
_CHANNELS = [Channel(hertz, hertz) for hertz in CHANNELS]
_HEADER, _TAIL = bytes([0x40]), bytes(4)  # unconfirmed data up; where its MIC would stand

Ended = Callable[[bytes, int], None]


@dataclass(frozen=True, slots=True)
class Said:
    """An uplink that waits for the air. Who is told of its end gets its bytes, and when that was."""

    session: str
    phy: bytes
    ended: Ended


class Surroundings(Protocol):
    """What surrounds all modules of a town."""

    @property
    def ether(self) -> Ether: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def rng(self) -> Random: ...
    @property
    def stats(self) -> Counter[str]: ...
    @property
    def rx2_sf(self) -> int: ...

    def caught(self, module: "Module", phy: bytes) -> None:
        """A frame has reached a module's ear."""
        ...


class Module:
    """One device's. `listener` is set where it may belong to groups."""

    __slots__ = ("_busy", "_share", "_town", "_waiting", "_wave", "eirp_dbm", "listener", "rx1_ns", "spot", "station")

    def __init__(self, town: Surroundings, station: Station, spot: Spot, eirp_dbm: float) -> None:
        self._town, self.station, self.spot, self.eirp_dbm = town, station, spot, eirp_dbm
        self.listener: Listener | None = None
        self._waiting: deque[Said] = deque()
        self._share = Share()
        self._busy = False
        self._wave: Wave | None = None
        self.rx1_ns = 0  # when its last RX1 opened, or opens

    def say(self, f_cnt: int, port: int, data: bytes, ended: Ended) -> None:
        """Send this as soon as the air may be used; where too much waits, the oldest gives way."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._town.stats["given up"] += 1
        session = self.station.dev_addr
        phy = b"".join((_HEADER, int(session, 16).to_bytes(4, "little"), bytes(1), (f_cnt & 0xFFFF).to_bytes(2, "little"),
                        bytes([port]), data, _TAIL))
        self._waiting.append(Said(session, phy, ended))
        self._go_on()

    def rest(self) -> None:
        """Between windows class C listens, class A sleeps."""
        if self.station.class_c and self.station.dev_addr:
            self._town.ether.listen(self.spot, self, RX2_HZ, self._town.rx2_sf, 125_000, self.addresses())
        else:
            self._town.ether.hush(self.spot)

    def addresses(self) -> set[int]:
        """For whom it listens: itself, and its groups."""
        groups = {int(address, 16) for address in self.listener.groups} if self.listener is not None else set()
        return {int(self.station.dev_addr, 16), *groups}

    def retune(self) -> None:
        """It may have been told of groups, or of others."""
        if not self._busy and set(self.spot.addresses or ()) != self.addresses():
            self.rest()

    def hears(self, phy: bytes, wave: Wave, rssi_dbm: float, snr_db: float) -> None:  # noqa: ARG002 - an ear's contract
        """A frame has come through the air."""
        self._town.caught(self, phy)

    # -- one uplink

    def _go_on(self) -> None:
        """Send what waits, if nothing is under way and the air may be used."""
        while self._waiting and self._waiting[0].session != self.station.dev_addr:
            self._waiting.popleft()  # it has joined anew since
        if self._busy or not self._waiting:
            return
        self._busy = True
        free_ns = min(self._share.free_at(one) for one in _CHANNELS)
        self._town.engine.at(free_ns, self._transmit)

    def _transmit(self) -> None:
        town, now = self._town, self._town.engine.now
        channel = town.rng.choice([one for one in _CHANNELS if self._share.free_at(one) <= now])
        said, rate = self._waiting.popleft(), DATA_RATES[self.station.link.dr]
        self._wave = Wave(channel.uplink_hz, rate.sf, rate.bandwidth, self.eirp_dbm, down=False)
        ended = town.ether.send(self.spot, said.phy, self._wave)
        self._share.spend(_CHANNELS, channel, now, ended, 0)
        town.engine.at(ended, self._sent, said)

    def _sent(self, said: Said) -> None:
        engine = self._town.engine
        self.rx1_ns = engine.now + RX1_S * NS
        said.ended(said.phy, engine.now)
        self.rest()
        engine.at(self.rx1_ns - EARLY_NS, self._open_rx1)
        engine.at(self.rx1_ns + (RX2_S - RX1_S) * NS - EARLY_NS + _window_ns(self._town.rx2_sf), self._over)

    def _open_rx1(self) -> None:
        wave, town = self._wave, self._town
        if wave is not None:
            town.ether.listen(self.spot, self, wave.frequency, wave.sf, wave.bandwidth, (int(self.station.dev_addr, 16),))
            town.engine.after(_window_ns(wave.sf) / NS, self._close_rx1)

    def _close_rx1(self) -> None:
        engine, busy = self._town.engine, self._town.ether.hearing(self.spot)
        if busy > engine.now:
            engine.at(busy, self._close_rx1)
        else:
            self.rest()

    def _over(self) -> None:
        self._busy = False
        self._go_on()


def _window_ns(sf: int) -> int:
    return EARLY_NS + SYMBOLS * (1 << sf) * NS // 125_000
