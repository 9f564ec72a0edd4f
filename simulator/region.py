"""EU868 as an end-device knows it, beside the numbers of city.airtime (RP002-1.0.4 §2.4)."""

from dataclasses import dataclass

from city.airtime import DEVICE_EIRP_DBM, JOIN_CHANNELS


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a device sends and, in RX1, listens (Hz), and with which data rates it may send."""

    uplink_hz: int
    downlink_hz: int
    lowest: int = 0
    highest: int = 5

    def takes(self, dr: int) -> bool:
        return self.lowest <= dr <= self.highest


JOIN = tuple(Channel(hertz, hertz) for hertz in JOIN_CHANNELS)
LOWEST_HZ, HIGHEST_HZ = 863_000_000, 870_000_000
HIGHEST_DR = 5  # that channels have unless a NewChannelReq says otherwise
MOST_CHANNELS = 16
POWERS = 8  # TXPower indices
MOST_OFFSET = 5


def rx1_dr(dr: int, offset: int) -> int:
    """The data rate of RX1 (RP002-1.0.4 table 14)."""
    return max(dr - offset, 0)


def eirp_dbm(power: int) -> int:
    """What a TXPower index means: 16 - 2n dBm."""
    return DEVICE_EIRP_DBM - 2 * power
