"""EU868's numbers, how long frames occupy the air, and when the last lamp will have obeyed."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

OVERHEAD = 13  # bytes of a LoRaWAN 1.0 data frame around its payload, FPort included
DUTY_CYCLE = 0.10  # EU868 869.4-869.65 MHz (EN 300 220-2, band P), where class C downlinks go
SCHEDULER_S = 1.0  # ChirpStack's network.scheduler interval
QUEUE_FRAMES_S = 100  # … and its batch size per interval
HOUR_S = 3600.0

FSK = 0  # the "spreading factor" of the data rate that has none
FSK_BIT_S = 50_000
FSK_FRAME = 5 + 3 + 1 + 2  # bytes around a payload: preamble, sync word, length, CRC (RP002; LoRaMac-node)
LONG_SYMBOL_S = 0.016  # symbols that last longer need the low data rate optimization (Semtech AN1200.13)


@dataclass(frozen=True, slots=True)
class DataRate:
    """One of EU868's data rates: spreading factor (`FSK` if it has none), bandwidth in Hz, bit/s, and the most bytes of
    FRMPayload that a frame without FOpts may carry, alone and where repeaters must be able to pass it on."""

    dr: int
    sf: int
    bandwidth: int
    bit_s: int
    most: int
    most_repeated: int


@dataclass(frozen=True, slots=True)
class Band:
    """A sub-band, `low` <= f < `high` in Hz: the share of an hour in per mille, and the EIRP in dBm, that one may send."""

    letter: str
    low: int
    high: int
    permille: int
    eirp_dbm: int


DATA_RATES = (  # RP002-1.0.4 §2.4.3 and §2.4.6, tables "EU863-870 TX Data rate" and "maximum payload size"
    DataRate(0, 12, 125_000, 250, 51, 51),
    DataRate(1, 11, 125_000, 440, 51, 51),
    DataRate(2, 10, 125_000, 980, 51, 51),
    DataRate(3, 9, 125_000, 1760, 115, 115),
    DataRate(4, 8, 125_000, 3125, 242, 222),
    DataRate(5, 7, 125_000, 5470, 242, 222),
    DataRate(6, 7, 250_000, 11_000, 242, 222),
    DataRate(7, FSK, 125_000, FSK_BIT_S, 242, 222),
)
# RP002-1.0.4 §2.4.2: the channels that every device has, which are also those of its join requests; then what ChirpStack,
# like most networks, adds by CFList. A gateway's eight demodulators listen on just these; SF7/250 and FSK have their own.
JOIN_CHANNELS = (868_100_000, 868_300_000, 868_500_000)
CHANNELS = (*JOIN_CHANNELS, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)
FAST_HZ, FSK_HZ = 868_300_000, 868_800_000  # DR6, DR7
RX2_HZ, RX2_DR = 869_525_000, 0
DEVICE_EIRP_DBM = 16
BANDS = (  # EN 300 220-2 V3.2.1 annex B, as chirpstack-concentratord reads it: 14 dBm ERP are 16 dBm EIRP
    Band("K", 863_000_000, 865_000_000, 1, 16),
    Band("L", 865_000_000, 868_000_000, 10, 16),
    Band("M", 868_000_000, 868_600_000, 10, 16),
    Band("N", 868_700_000, 869_200_000, 1, 16),
    Band("P", 869_400_000, 869_650_000, 100, 29),
    Band("Q", 869_700_000, 870_000_000, 1000, 9),  # 5 mW may send all the time
    Band("Q", 869_700_000, 870_000_000, 10, 16),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a dim will cost: lamps, frames, seconds on air of all gateways together, and seconds until the last lamp obeys.

    `unicast_frames` and `unicast_last_s`: the same by single messages. `casts`: how many multicast groups are told,
    `gateways`: how many gateways send. `loss`: the share of downlinks that is reckoned to be lost. `known_s`: seconds until
    the last lamp has reported that it obeys; many must not report at once. `soonest_s` to `latest_s`: where `last_s` probably
    lies, by chance and by how little is known of the loss. `waits_s`: how much of it the gateways have to wait because they
    have used up their hour.
    """

    lamps: int
    frames: int
    airtime_s: float
    last_s: float
    unicast_frames: int = 0
    unicast_last_s: float = 0.0
    casts: int = 0
    gateways: int = 0
    loss: float = 0.0
    known_s: float = 0.0
    soonest_s: float = 0.0
    latest_s: float = 0.0
    waits_s: float = 0.0


@lru_cache(maxsize=4096)
def phy_time_on_air(length: int, sf: int, *, bandwidth: int = 125_000, crc: bool, coding_rate: int = 1, preamble: int = 8,
                    header: bool = True) -> float:
    """Seconds on air of a PHY payload of `length` bytes (Semtech AN1200.13, SX1276 datasheet §4.1.1.7).

    `sf` is 7 to 12, or `FSK` for 50 kbit/s, where only `length` matters; `coding_rate` 1 to 4 for 4/5 to 4/8. Uplinks
    carry a CRC, downlinks none.
    """
    if sf == FSK:
        return 8 * (FSK_FRAME + length) / FSK_BIT_S
    symbol: float = 2.0**sf / bandwidth
    low_rate = 1 if symbol > LONG_SYMBOL_S else 0
    bits = 8 * length - 4 * sf + 28 + 16 * crc - 20 * (not header)
    symbols = 8 + max(ceil(bits / (4 * (sf - 2 * low_rate))) * (coding_rate + 4), 0)
    return (preamble + 4.25 + symbols) * symbol


def time_on_air(payload: int, sf: int, *, bandwidth: int = 125_000, crc: bool = False) -> float:
    """Seconds on air of a data frame with `payload` application bytes (downlinks have no CRC)."""
    return phy_time_on_air(OVERHEAD + payload, sf, bandwidth=bandwidth, crc=crc)


def band_of(frequency: int, eirp_dbm: float = DEVICE_EIRP_DBM) -> Band | None:
    """The sub-band that rules a transmission of that power; None where none allows it."""
    return next((band for band in BANDS if band.low <= frequency < band.high and eirp_dbm <= band.eirp_dbm), None)


def estimate(lamps: int, payload: int, sf: int, gateways: int = 1, settle_s: float = 0.0) -> Estimate:
    """Unicast class C to `lamps` lamps spread evenly over `gateways`, each free to spend its hourly budget at once.

    `settle_s` is how long a lamp takes at most to report what it does.
    """
    each = time_on_air(payload, sf)
    share = ceil(lamps / max(gateways, 1))
    budget = HOUR_S * DUTY_CYCLE
    hours, rest = divmod(share * each, budget)
    last = max(hours * HOUR_S + rest, lamps / QUEUE_FRAMES_S) + SCHEDULER_S + settle_s
    return Estimate(lamps, lamps, lamps * each, last if lamps else 0.0)
