"""A gateway's transmitter: what it accepts, when it sends it, and what it says to what it does not accept.

It behaves as chirpstack-concentratord 4 (libconcentratord's jitqueue and regulation), whose queue is that of Semtech's packet
forwarder (jitqueue.c) with a sub-band duty cycle added. `PACKET_FORWARDER` decides like Semtech's own: no duty cycle, and a
power that its table lacks is refused, as lora_pkt_fwd for the SX1301 does (the SX1302's takes the nearest); its queue is taken
to be the same, which is true but for how soon a frame without a time follows another.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from city.airtime import FSK, phy_time_on_air
from city.errors import Invalid
from city.readings import NS
from simulator.duty import Load, Regulation
from simulator.engine import Engine
from simulator.flights import Wave
from simulator.medium import Medium, Received

START_US, MARGIN_US, JIT_US = 1_500, 1_000, 40_000  # both projects' TX_START_DELAY, TX_MARGIN_DELAY, TX_JIT_DELAY
ADVANCE_US = 4 * 128_000_000  # TX_MAX_ADVANCE_DELAY: three beacons ahead and one
BEFORE_US = START_US + JIT_US
CAPACITY = 32  # JIT_QUEUE_MAX
WRAP = 1 << 32  # of the microsecond counter: every 71.6 minutes
GPS_EPOCH_NS, LEAP_NS = 315_964_800 * NS, 18 * NS
US = 1000  # ns
MOST_DRIFT_PPM = 2.0  # of a TCXO
MOST_BYTES = 255  # of a PHY payload
RATES, BANDWIDTHS = frozenset((FSK, 7, 8, 9, 10, 11, 12)), frozenset((125_000, 250_000, 500_000))
MOST_ITEMS = 16  # alternatives in one command; ChirpStack has two


@dataclass(frozen=True, slots=True)
class Item:
    """One alternative of a downlink: at once, or at a value of the concentrator's counter (`at_us`), or at a GPS time
    (`gps_ns` since 1980-01-06)."""

    phy: bytes
    wave: Wave
    at_us: int | None = None
    gps_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a gateway's software decides: Hz that its radio can send on, dBm of EIRP that its table has (None: any), whether
    it keeps the duty cycle."""

    low: int = 863_000_000
    high: int = 870_000_000
    powers: frozenset[int] | None = None
    duty_cycle: bool = True


CONCENTRATORD = Manner()
SX1301_DBM = (-6, -3, 0, 3, 6, 10, 11, 12, 13, 14, 16, 20, 23, 25, 26, 27)  # rf_power in the gain table of its global_conf.json
ANTENNA_DBI = 2  # antenna_gain, so that ChirpStack's 16 and 29 dBm are in it
PACKET_FORWARDER = Manner(powers=frozenset(power + ANTENNA_DBI for power in SX1301_DBM), duty_cycle=False)


@dataclass(slots=True)
class Totals:
    """What a gateway's statistics count since it started. Rates are (SF, bandwidth)."""

    rx_received: int = 0
    rx_ok: int = 0
    tx_received: int = 0
    tx_emitted: int = 0
    rx_frequency: Counter[int] = field(default_factory=Counter)
    tx_frequency: Counter[int] = field(default_factory=Counter)
    rx_rate: Counter[tuple[int, int]] = field(default_factory=Counter)
    tx_rate: Counter[tuple[int, int]] = field(default_factory=Counter)
    tx_status: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Planned:
    """A frame in the queue: unwrapped µs when it begins and how many it lasts."""

    item: Item
    begins: int
    lasts: int


class Concentrator:
    """One gateway's concentrator. Its counter counts from a moment of its own, with a drift of its own (at most
    MOST_DRIFT_PPM; both follow from the seed and the gateway's index)."""

    def __init__(self, engine: Engine, medium: Medium, gateway: int, *, seed: int = 0, gnss: bool = False,
                 manner: Manner = CONCENTRATORD) -> None:
        rng = Random(f"{seed}/{gateway}/concentrator")
        self._engine, self._medium, self._gateway, self._manner = engine, medium, gateway, manner
        self._started, self._offset = engine.now, rng.randrange(WRAP)
        self._drift_ppb = round(1000 * rng.uniform(-MOST_DRIFT_PPM, MOST_DRIFT_PPM))
        self.gnss = gnss  # has its position and time now; may be lost and found
        self._queue: list[_Planned] = []
        self._finished = self._linear(engine.now) - ADVANCE_US  # of the frame that was last taken from the queue
        self._regulation = Regulation() if manner.duty_cycle else None
        self.totals = Totals()

    def counter(self, ns: int) -> int:
        """What the counter shows at a moment: 32 bit of µs."""
        return self._linear(ns) % WRAP

    def offer(self, items: Sequence[Item]) -> list[str]:
        """Take the first of the alternatives that can be sent. A gw.TxAckStatus name for each: why it was not taken, OK, and
        IGNORED after that. Raises Invalid unless there are 1 to MOST_ITEMS."""
        if not 1 <= len(items) <= MOST_ITEMS:
            raise Invalid("A downlink has 1 to {most} alternatives, not {number}.", field="items", rule=f"1…{MOST_ITEMS}",
                          most=MOST_ITEMS, number=len(items))
        self.totals.tx_received += 1
        said = []
        for item in items:
            said.append(self._enqueue(item))
            if said[-1] == "OK":
                break
        self.totals.tx_status[said[-1]] += 1
        return said + ["IGNORED"] * (len(items) - len(said))

    def count(self, received: Received) -> None:
        """The medium has handed over a frame for this gateway."""
        totals = self.totals
        totals.rx_received += 1
        totals.rx_ok += received.crc_ok
        if received.crc_ok:
            totals.rx_frequency[received.wave.frequency] += 1
            totals.rx_rate[received.wave.sf, received.wave.bandwidth] += 1

    def loads(self) -> list[Load]:
        """What the duty cycle has left, by sub-band in which it has sent; [] if it keeps none."""
        return self._regulation.loads(self._linear(self._engine.now)) if self._regulation is not None else []

    @property
    def waiting(self) -> int:
        """Frames in the queue."""
        return len(self._queue)

    # -- the queue

    def _enqueue(self, item: Item) -> str:
        wave, manner = item.wave, self._manner
        if not manner.low <= wave.frequency <= manner.high:
            return "TX_FREQ"
        if manner.powers is not None and wave.power_dbm not in manner.powers:
            return "TX_POWER"
        if not _sendable(item):
            return "INTERNAL_ERROR"
        if item.gps_ns is not None and not self.gnss:
            return "GPS_UNLOCKED"
        if len(self._queue) >= CAPACITY:
            return "QUEUE_FULL"
        now = self._linear(self._engine.now)
        lasts = round(1e6 * phy_time_on_air(len(item.phy), wave.sf, bandwidth=wave.bandwidth, crc=not wave.down))
        begins = self._begin(item, now, lasts)
        return self._objection(item, now, begins, lasts) or self._plan(_Planned(item, begins, lasts))

    def _begin(self, item: Item, now: int, lasts: int) -> int:
        """Unwrapped µs when an item is to begin. A counter that has passed comes again 71 minutes later, so that what comes
        too late by more than nothing is called TOO_EARLY, here as there."""
        if item.gps_ns is not None:
            return now + (self._linear(item.gps_ns + GPS_EPOCH_NS - LEAP_NS) - now) % WRAP
        if item.at_us is not None:
            return now + (item.at_us - now) % WRAP
        return self._soonest(now, lasts)

    def _soonest(self, now: int, lasts: int) -> int:
        """When a frame without a time may begin. The real queue's search for a gap between two frames never succeeds, as it
        takes frames that touch for a collision: it is sent after the last one."""
        soonest = max(now + 2 * JIT_US, self._finished + MARGIN_US + BEFORE_US)
        if self._collides(soonest, lasts):
            last = self._queue[-1]
            return last.begins + last.lasts + BEFORE_US + MARGIN_US
        return soonest

    def _objection(self, item: Item, now: int, begins: int, lasts: int) -> str:
        """Why a frame cannot begin then; "" if it can. In the order in which the real one looks."""
        timed = item.at_us is not None or item.gps_ns is not None
        if timed and self._collides(begins, lasts):
            return "COLLISION_PACKET"
        if begins - now < START_US + MARGIN_US + JIT_US:
            return "TOO_LATE"
        if begins - now > ADVANCE_US:
            return "TOO_EARLY"
        wave = item.wave
        if self._regulation is not None and not self._regulation.spend(
                wave.frequency, wave.power_dbm, now, begins, begins + lasts):
            return "DUTY_CYCLE_OVERFLOW"
        return ""

    def _collides(self, begins: int, lasts: int) -> bool:
        if begins < self._finished + BEFORE_US + MARGIN_US:
            return True
        return any(begins - one.begins <= BEFORE_US + one.lasts + MARGIN_US if begins > one.begins
                   else one.begins - begins <= BEFORE_US + lasts + MARGIN_US for one in self._queue)

    def _plan(self, planned: _Planned) -> str:
        self._queue.append(planned)
        self._queue.sort(key=lambda one: one.begins)
        self._engine.at(self._ns(planned.begins - BEFORE_US), self._program, planned)
        return "OK"

    def _program(self, planned: _Planned) -> None:
        """It leaves the queue for the radio, a little before it goes on air."""
        self._queue.remove(planned)
        self._finished = planned.begins + planned.lasts
        self._engine.at(self._ns(planned.begins), self._emit, planned.item)

    def _emit(self, item: Item) -> None:
        self._medium.emit(self._gateway, item.phy, item.wave)
        totals = self.totals
        totals.tx_emitted += 1
        totals.tx_frequency[item.wave.frequency] += 1
        totals.tx_rate[item.wave.sf, item.wave.bandwidth] += 1

    # -- the counter

    def _linear(self, ns: int) -> int:
        """The counter without its wrapping, in µs."""
        run = ns - self._started
        return self._offset + (run + run * self._drift_ppb // 1_000_000_000) // US

    def _ns(self, linear: int) -> int:
        """The first ns at which the counter shows this."""
        run = (linear - self._offset) * US
        ns = self._started + run * 1_000_000_000 // (1_000_000_000 + self._drift_ppb)
        while self._linear(ns) < linear:
            ns += 1
        return ns


def _sendable(item: Item) -> bool:
    """Whether a radio can make such a frame at all."""
    wave = item.wave
    return len(item.phy) <= MOST_BYTES and wave.sf in RATES and wave.bandwidth in BANDWIDTHS
