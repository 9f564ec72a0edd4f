"""EU868 as an end-device knows it (RP002-1.0.4 §2.4; ETSI EN 300 220-2 V3.2.1 for the bands)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """A data rate: LoRa spreading factor and bandwidth (Hz), and the most application bytes of a frame without options
    (RP002-1.0.4 table 11, not repeater-compatible; DR4 as ChirpStack has it)."""

    sf: int
    bandwidth: int
    most: int


@dataclass(frozen=True, slots=True)
class Band:
    """A sub-band of EN 300 220-2: Hz from, below, and the share of an hour that one sender may be on the air."""

    low: int
    high: int
    duty: float


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a device sends and, in RX1, listens (Hz), and with which data rates it may send."""

    uplink_hz: int
    downlink_hz: int
    lowest: int = 0
    highest: int = 5

    def takes(self, dr: int) -> bool:
        return self.lowest <= dr <= self.highest


RATES = (Rate(12, 125_000, 51), Rate(11, 125_000, 51), Rate(10, 125_000, 51), Rate(9, 125_000, 115), Rate(8, 125_000, 242),
         Rate(7, 125_000, 242), Rate(7, 250_000, 242))
BANDS = (Band(863_000_000, 865_000_000, 0.001), Band(865_000_000, 868_000_000, 0.01), Band(868_000_000, 868_600_000, 0.01),
         Band(868_700_000, 869_200_000, 0.001), Band(869_400_000, 869_650_000, 0.1), Band(869_700_000, 870_000_000, 0.01))
JOIN = (Channel(868_100_000, 868_100_000), Channel(868_300_000, 868_300_000), Channel(868_500_000, 868_500_000))
LOWEST_HZ, HIGHEST_HZ = 863_000_000, 870_000_000
RX2_HZ, RX2_DR = 869_525_000, 0
HIGHEST_DR = 5  # that channels have unless a NewChannelReq says otherwise
MOST_CHANNELS = 16
MOST_EIRP_DBM, POWERS = 16, 8  # EIRP by TXPower index n: 16 - 2n dBm
MOST_OFFSET = 5


def band(hertz: int) -> Band | None:
    """The sub-band of a frequency; None where nobody may send."""
    return next((one for one in BANDS if one.low <= hertz < one.high), None)


def rx1_dr(dr: int, offset: int) -> int:
    """The data rate of RX1 (RP002-1.0.4 table 14)."""
    return max(dr - offset, 0)


def eirp_dbm(power: int) -> int:
    """What a TXPower index means."""
    return MOST_EIRP_DBM - 2 * power
