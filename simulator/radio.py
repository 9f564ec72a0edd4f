"""Who hears whom: log-distance path loss with shadowing that stays and fading that does not (EU868, 14 dBm)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, log10, radians
from random import Random

from city.places import Site
from simulator.scenario import Antenna

METRES_PER_DEGREE = 111_320.0
LOSS_AT_1_M, EXPONENT = 31.2, 3.5  # dB in free space at 868 MHz; small-town streets
SHADOWING_DB, FADING_DB = 5.0, 2.0  # standard deviations: of a place, of a frame
NOISE_DBM = -117.0  # -174 + 10·log10(125 kHz) + 6 dB noise figure
SENT_DBM, ANTENNA_DBI = 14.0, 3.0
BEST_SNR, WORST_PLANNED_SNR = 12.5, -8.0  # chips report no more than this; worse places would have been re-planned
NEEDED_SNR = (-20.0, -17.5, -15.0, -12.5, -10.0, -7.5)  # DR0 … DR5 (SF12 … SF7)
OUT_OF_EARSHOT_M = 4000.0  # the mean SNR there is -23 dB, and SF12 needs -20
ADR_MARGIN_DB = 10.0  # ChirpStack's installation margin
MAX_PAYLOAD = (51, 51, 51, 115, 222, 222)  # bytes by DR, RP002


@dataclass(frozen=True, slots=True)
class Link:
    """What a device's place is worth: the median SNR at each gateway that may hear it, and the data rate that fits."""

    medians: tuple[tuple[int, float], ...]
    dr: int


@dataclass(frozen=True, slots=True)
class Heard:
    """One gateway's reception of a frame: index, dBm, dB in quarter steps."""

    antenna: int
    rssi: int
    snr: float


class Air:
    """The radio between one town's devices and its gateways. `loss` is the share of frames that nobody hears for
    reasons other than distance."""

    def __init__(self, antennas: Sequence[Antenna], *, loss: float, rng: Random) -> None:
        self._antennas, self._loss, self._rng = antennas, loss, rng

    def link(self, site: Site, *, buried_db: float = 0.0, highest_dr: int = 5) -> Link:
        """The link of a device at `site`; `buried_db` is what tarmac and cars take away."""
        found: list[tuple[int, float]] = []
        for index, antenna in enumerate(self._antennas):
            metres = max(distance(site, antenna.site), antenna.height_m)
            if metres < OUT_OF_EARSHOT_M or not found:
                rssi = SENT_DBM + ANTENNA_DBI - LOSS_AT_1_M - 10 * EXPONENT * log10(metres) - buried_db
                found.append((index, rssi - NOISE_DBM + self._rng.gauss(0, SHADOWING_DB)))
        found.sort(key=lambda item: -item[1])
        best = max(found[0][1], WORST_PLANNED_SNR)
        rate = max((dr for dr in range(highest_dr + 1) if best - NEEDED_SNR[dr] >= ADR_MARGIN_DB), default=0)
        audible = [(index, snr) for index, snr in found[1:] if snr >= NEEDED_SNR[rate] - 2 * FADING_DB]
        return Link(((found[0][0], best), *audible[:2]), rate)

    def hear(self, link: Link) -> list[Heard]:
        """The gateways that hear a frame now, best first; none if it is lost."""
        rng = self._rng
        if rng.random() < self._loss:
            return []
        needed, heard = NEEDED_SNR[link.dr], []
        for antenna, median in link.medians:
            snr = median + rng.gauss(0, FADING_DB)
            if snr >= needed:
                shown = round(min(snr, BEST_SNR + rng.random()) * 4) / 4
                heard.append(Heard(antenna, round(NOISE_DBM + snr), shown))
        heard.sort(key=lambda one: -one.snr)
        return heard


def distance(one: Site, other: Site) -> float:
    """Metres between two places of a town."""
    north = (one.latitude - other.latitude) * METRES_PER_DEGREE
    east = (one.longitude - other.longitude) * METRES_PER_DEGREE * cos(radians(one.latitude))
    return hypot(north, east)
