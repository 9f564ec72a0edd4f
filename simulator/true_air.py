"""The imitated server's frames on the true air: lengths, channels, collisions, half duplex, transmit queues, duty cycle.

A `simulator.carrier.Carrier`: what it carries are payloads without cryptography, in frames as long as real ones. Uplinks go as
waves through simulator.medium to the gateways that can demodulate them; downlinks wait in the gateway's
simulator.concentrator, which refuses what the duty cycle or its queue does not allow, and reach whoever listens. On top of
that a share of downlinks is lost (`downlink_loss`), each at each ear by itself. Not on the air: joins, MAC commands and the
answers to DevStatusReq.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from city.airtime import DATA_RATES
from city.places import Site
from decoders.codec import Frame
from simulator.carrier import Arrived, Landed, Take
from simulator.concentrator import GPS_EPOCH_NS, LEAP_NS, Concentrator, Item
from simulator.device_queue import RX1_DBM, RX2_DBM
from simulator.engine import Engine
from simulator.events import RX2_HZ
from simulator.fleet import NOT_THERE, Fleet
from simulator.flights import Wave
from simulator.makes import Ether
from simulator.medium import Medium, Received
from simulator.module import Module
from simulator.propagation import GATEWAY_DBI, GROUND, POLE, SMALL_ANTENNA_DB, noise_dbm
from simulator.provisioned import Group
from simulator.radio import ADR_MARGIN_DB, NEEDED_SNR, SENT_DBM, WORST_PLANNED_SNR, Air, Heard
from simulator.region import POWERS
from simulator.scenario import Scenario
from simulator.station import Listener, Station

LATEST_S = 120.0  # a frame that a gateway has taken has left it by then
STEP_DB, POWER_DB = 3.0, 2.0  # of ChirpStack's ADR; of a TXPower index
_HEADER = bytes([0x60])  # unconfirmed data down


@dataclass(frozen=True, slots=True)
class _Own:
    """A downlink to one device that a gateway has taken."""

    station: Station
    arrived: Arrived


@dataclass(frozen=True, slots=True)
class _ToGroup:
    """One to a group, for those that have its keys."""

    address: str
    keys: tuple[str, str]
    take: Take


class TrueAir:
    """The carrier of one town. `rng` is not used: what happens on the air has its own chance, so that the town's is the
    same in all weathers. `loss` of downlinks may be changed at any moment."""

    def __init__(self, scenario: Scenario, air: Air, fleet: Fleet, *, engine: Engine, rng: Random,  # noqa: ARG002 - a Builder's
                 stats: Counter[str], seed: int) -> None:
        setup = scenario.plan.devices
        self.engine, self.rng, self.stats, self._fleet = engine, Random(f"{seed}/true air"), stats, fleet
        self.rx2_sf, self.loss = setup.rx2_sf, setup.downlink_loss
        self._weather = air.weather
        self.medium = Medium(engine, scenario.antennas, air.weather, seed=seed, uplink=self._took)
        self.ether: Ether = self.medium
        self.gateways = [Concentrator(engine, self.medium, index, seed=seed, gnss=one.gnss)
                         for index, one in enumerate(scenario.antennas)]
        self._modules: dict[Station, Module] = {}
        self._copies: dict[bytes, list[Heard]] = {}
        self._under_way: dict[bytes, _Own | _ToGroup] = {}
        self._number = 0
        fleet.gauge = self.used_s

    def place(self, station: Station, site: Site, buried_db: float) -> None:
        """Where the link that was planned is better than the place, somebody has seen to that."""
        kind, taken = (GROUND if buried_db else POLE), buried_db + SMALL_ANTENNA_DB
        spot = self.medium.spot(station.dev_eui, site, loss_db=taken, height_m=kind.height_m)
        best = SENT_DBM + GATEWAY_DBI - noise_dbm(125_000) - min(spot.losses, default=0.0)
        if spot.losses and best < WORST_PLANNED_SNR:
            self.medium.muffle(spot, best - WORST_PLANNED_SNR)
        self._modules[station] = Module(self, station, spot, _adapted_dbm(max(best, WORST_PLANNED_SNR), station.link.dr))

    def listen(self, station: Station, device: Listener) -> None:
        self._modules[station].listener = device

    def up(self, station: Station, frame: Frame, f_cnt: int, landed: Landed) -> None:
        self._modules[station].say(f_cnt, frame.port, frame.data, lambda phy, ended_ns: self._ended(phy, ended_ns, landed))

    def down(self, gateway: int, station: Station, frame: Frame, *, sf: int, frequency: int, delay_s: int,
             arrived: Arrived) -> tuple[str, int]:
        module, concentrator = self._modules.get(station), self.gateways[gateway]
        wave = Wave(frequency, sf, 125_000, RX2_DBM if frequency == RX2_HZ else RX1_DBM, down=True)
        phy = self._phy(station.server_addr, frame)
        at_us = concentrator.counter(module.rx1_ns) if delay_s and module is not None else None
        said = self._offer(gateway, Item(phy, wave, at_us=at_us))
        if said == "OK":
            self._expect(phy, _Own(station, arrived))
        return said, self.engine.now

    def cast(self, gateway: int, group: Group, frame: Frame, *, emit_ns: int | None, take: Take) -> tuple[str, int]:
        rate = DATA_RATES[min(group.dr, 5)]
        wave = Wave(group.frequency, rate.sf, rate.bandwidth, RX2_DBM if group.frequency == RX2_HZ else RX1_DBM, down=True)
        phy = self._phy(group.mc_addr, frame)
        gps_ns = None if emit_ns is None else emit_ns - GPS_EPOCH_NS + LEAP_NS
        said = self._offer(gateway, Item(phy, wave, gps_ns=gps_ns))
        if said == "OK":
            self._expect(phy, _ToGroup(group.mc_addr, (group.mc_nwk_s_key, group.mc_app_s_key), take))
        return said, self.engine.now

    def used_s(self, gateway: int, rx2: bool) -> float:
        """Seconds on air during the last hour in the band of RX2; in that of RX1 otherwise."""
        return sum(load.used_us for load in self.gateways[gateway].loads() if (load.band.letter == "P") == rx2) / 1e6

    def caught(self, module: Module, phy: bytes) -> None:
        """A frame has reached an ear. What is lost for reasons that are not modelled is lost here."""
        expected = self._under_way.get(phy)
        if expected is None:
            return
        lost = bool(self.loss) and self.rng.random() < self.loss
        if lost:
            self.stats["lost down"] += 1
        if isinstance(expected, _ToGroup):
            listener = module.listener
            if not lost and listener is not None and listener.groups.get(expected.address) == expected.keys:
                expected.take(module.station, listener)
        elif expected.station is module.station:
            del self._under_way[phy]
            expected.arrived(not lost)
            module.retune()

    # -- up

    def _took(self, gateway: int, received: Received) -> None:
        self.gateways[gateway].count(received)
        self._copies.setdefault(received.phy, []).append(Heard(gateway, round(received.rssi_dbm), received.snr_db))

    def _ended(self, phy: bytes, ended_ns: int, landed: Landed) -> None:
        copies = self._copies.pop(phy, [])
        landed(sorted(copies, key=_strength, reverse=True), ended_ns)

    # -- down

    def _offer(self, gateway: int, item: Item) -> str:
        if gateway in self._weather.down:
            return NOT_THERE
        objection = self._fleet.objection(gateway)
        return self.gateways[gateway].offer([item])[0] if objection is None else objection

    def _phy(self, address: str, frame: Frame) -> bytes:
        """A frame as long as a real one; where the MIC would stand is a number, so that no two are alike."""
        self._number += 1
        return b"".join((_HEADER, int(address, 16).to_bytes(4, "little"), bytes(3), bytes([frame.port]), frame.data,
                         (self._number & 0xFFFF_FFFF).to_bytes(4, "little")))

    def _expect(self, phy: bytes, whom: _Own | _ToGroup) -> None:
        self._under_way[phy] = whom
        self.engine.after(LATEST_S, self._forget, phy)

    def _forget(self, phy: bytes) -> None:
        whom = self._under_way.pop(phy, None)
        if isinstance(whom, _Own):
            whom.arrived(False)


def _strength(one: Heard) -> float:
    return one.snr


def _adapted_dbm(best_snr: float, dr: int) -> float:
    """What a device sends with once the network has adapted it: less, where even the fastest data rate has margin left."""
    steps = int((best_snr - NEEDED_SNR[dr] - ADR_MARGIN_DB) // STEP_DB) if dr == len(NEEDED_SNR) - 1 else 0
    return SENT_DBM - POWER_DB * min(max(steps, 0), POWERS - 1)
