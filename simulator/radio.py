"""Who hears whom, frame by frame without frames: the event level's air, and the weather that both levels share.

The formulas and their sources are in simulator.propagation; collisions need frames and are in simulator.medium.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from math import cos, hypot, log10, radians
from operator import attrgetter
from random import Random
from struct import Struct

import msgspec

from city.airtime import CHANNELS, DATA_RATES
from city.places import Site
from simulator.propagation import (
    FADING_DB,
    GATEWAY_DBI,
    GROUND,
    METRES_PER_DEGREE,
    POLE,
    SMALL_ANTENNA_DB,
    needed_snr,
    noise_dbm,
    path_loss,
    shadowing,
    shown_rssi,
    shown_snr,
    together,
)
from simulator.propagation import distance as distance
from simulator.scenario import Antenna

CHANNEL_HZ = 125_000
NOISE_DBM = noise_dbm(CHANNEL_HZ)
SENT_DBM = 14.0  # of the 16 dBm EIRP that are allowed, what a small device makes
WORST_PLANNED_SNR = -8.0  # worse places would have been re-planned
NEEDED_SNR = tuple(needed_snr(rate.sf) for rate in DATA_RATES[:6])  # DR0 … DR5 (SF12 … SF7)
MAX_PAYLOAD = tuple(rate.most_repeated for rate in DATA_RATES[:6])  # bytes by DR
ADR_MARGIN_DB = 10.0  # ChirpStack's installation margin
HORIZON_M = 15_000.0  # the ground hides what is further away (the longest link of Petäjäjärvi et al. 2015)
MOST_LOSS_DB = 160.0  # what the loudest device may lose and still be heard at SF12 in its luckiest frame
MOST_GATEWAYS = 8  # … that are kept of those in earshot: nobody misses the ninth
NEAREST = 10  # … among so many: luck does not reach past them
JAMMER_M = 5.0  # height, where none is said
_MEDIAN = Struct("<Hd")  # a gateway's index, dB


@dataclass(frozen=True, slots=True)
class Jammer:
    """A transmitter of noise: EIRP in dBm, evenly from `low` to `high` Hz, on for that share of all frames."""

    site: Site
    power_dbm: float
    low: int
    high: int
    duty: float = 1.0
    height_m: float = JAMMER_M

    def level(self, frequency: int, bandwidth: int) -> float | None:
        """dBm of EIRP that fall into a channel; None if nothing does."""
        low, high = max(self.low, frequency - bandwidth // 2), min(self.high, frequency + bandwidth // 2)
        return self.power_dbm + 10 * log10((high - low) / (self.high - self.low)) if low < high else None


@dataclass(slots=True)
class Weather:
    """What makes the air worse, changeable at any moment: `loss` is the share of frames that nobody hears for reasons that
    are not modelled, `attenuation_db` (rain, wet leaves) weakens every signal, `noise_db` raises every receiver's noise;
    the gateways `down` (by index) neither hear nor send."""

    loss: float = 0.0
    attenuation_db: float = 0.0
    noise_db: float = 0.0
    down: set[int] = field(default_factory=set)
    jammers: list[Jammer] = field(default_factory=list)

    def noise(self, place: Site, height_m: float, wave: tuple[int, int], active: Iterable[Jammer], *,
              gain_dbi: float = 0.0) -> float:
        """dBm of noise at a receiver in the channel `wave` (frequency, bandwidth), of the `active` jammers too."""
        quiet = noise_dbm(wave[1]) + self.noise_db
        loud = [level + gain_dbi - self.attenuation_db
                - path_loss(distance(jammer.site, place), height_m, jammer.height_m)
                for jammer in active if (level := jammer.level(*wave)) is not None]
        return together(quiet, *loud) if loud else quiet


class Link:
    """What a device's place is worth: the median SNR at each gateway that may hear it, and the data rate that fits. Every
    device has one: the medians are packed, which takes a third of the tuples' memory."""

    __slots__ = ("_packed", "dr")

    def __init__(self, medians: Iterable[tuple[int, float]], dr: int) -> None:
        self._packed, self.dr = b"".join([_MEDIAN.pack(*one) for one in medians]), dr

    @property
    def medians(self) -> tuple[tuple[int, float], ...]:
        """Gateway (index) and dB, best first."""
        return tuple(_MEDIAN.iter_unpack(self._packed))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Link) and (self._packed, self.dr) == (other._packed, other.dr)

    def __hash__(self) -> int:
        return hash((self._packed, self.dr))


class Heard(msgspec.Struct, frozen=True, gc=False):
    """One gateway's reception of a frame: index, dBm, dB in quarter steps."""

    antenna: int
    rssi: int
    snr: float


class Map:
    """Where a town's gateways stand: which of them a device may reach, and at what loss. Links are a function of the seed
    and the names, not of who asks first. `exact` leaves shadowing out, for measurements of the formulas themselves."""

    def __init__(self, antennas: Sequence[Antenna], seed: int, *, exact: bool = False) -> None:
        self._antennas, self._seed, self._exact = antennas, seed, exact
        self._cells: dict[tuple[int, int], list[tuple[int, Site]]] = {}
        for index, antenna in enumerate(antennas):
            self._cells.setdefault(_cell(antenna.site), []).append((index, antenna.site))

    def losses(self, dev_eui: str, site: Site, height_m: float, loss_db: float) -> list[tuple[int, float]]:
        """(gateway, dB lost without antennas' gains) of the gateways within earshot, best first; the nearest to being in
        earshot, if none is. Empty only where no gateway is within HORIZON_M."""
        found = []
        for metres, index in self._near(site):
            antenna = self._antennas[index]
            extra = 0.0 if self._exact else shadowing(self._seed, dev_eui, antenna.gateway.id)
            found.append((index, path_loss(metres, antenna.height_m, height_m) + loss_db + extra))
        found.sort(key=lambda item: item[1])
        audible = sum(loss <= MOST_LOSS_DB for _, loss in found)
        return found[:min(max(audible, 1), MOST_GATEWAYS)]

    def _near(self, site: Site) -> list[tuple[float, int]]:
        """Metres to the NEAREST gateways before the horizon."""
        row, column = _cell(site)
        cells = [self._cells.get((r, c), ()) for r in (row - 1, row, row + 1) for c in (column - 1, column, column + 1)]
        east, latitude, longitude = METRES_PER_DEGREE * cos(radians(site.latitude)), site.latitude, site.longitude
        near = [(hypot(METRES_PER_DEGREE * (latitude - one.latitude), east * (longitude - one.longitude)), index)
                for cell in cells for index, one in cell]
        return nsmallest(NEAREST, [one for one in near if one[0] <= HORIZON_M])


class Air:
    """The radio between one town's devices and its gateways. `loss` is the share of frames that nobody hears for
    reasons other than distance; `weather` holds it from then on, with all else that may change."""

    def __init__(self, antennas: Sequence[Antenna], *, loss: float, rng: Random, seed: int = 0) -> None:
        self._antennas, self._rng = antennas, rng
        self._map = Map(antennas, seed)
        self.weather = Weather(loss=loss)

    def link(self, site: Site, *, dev_eui: str = "", buried_db: float = 0.0, highest_dr: int = 5) -> Link:
        """The link of a device at `site`, by whose name its shadowing is drawn; `buried_db` is what tarmac and cars take
        away, and 0 means that it sits on a pole."""
        height, taken = (GROUND if buried_db else POLE).height_m, buried_db + SMALL_ANTENNA_DB
        name = dev_eui or f"{site.latitude:.6f},{site.longitude:.6f}"
        gain = SENT_DBM + GATEWAY_DBI - noise_dbm(CHANNEL_HZ)
        found = [(index, gain - loss) for index, loss in self._map.losses(name, site, height, taken)]
        if not found:
            return Link(((0, WORST_PLANNED_SNR),), 0)
        best = max(found[0][1], WORST_PLANNED_SNR)
        rate = max((dr for dr in range(highest_dr + 1) if best - NEEDED_SNR[dr] >= ADR_MARGIN_DB), default=0)
        audible = [(index, snr) for index, snr in found[1:] if snr >= NEEDED_SNR[rate] - 2 * FADING_DB]
        return Link(((found[0][0], best), *audible[:2]), rate)

    def hear(self, link: Link) -> list[Heard]:
        """The gateways that hear a frame now, best first; none if it is lost."""
        rng, weather = self._rng, self.weather
        if rng.random() < weather.loss:
            return []
        channel = CHANNELS[rng.randrange(len(CHANNELS))] if weather.jammers else 0
        active = [jammer for jammer in weather.jammers if rng.random() < jammer.duty] if weather.jammers else None
        needed, heard, noise, weaker = NEEDED_SNR[link.dr], [], NOISE_DBM + weather.noise_db, weather.attenuation_db
        for antenna, median in link.medians:
            signal = median - weaker + rng.gauss(0, FADING_DB) + NOISE_DBM
            snr = signal - (self._noise(antenna, channel, active) if active else noise)
            if snr >= needed and antenna not in weather.down:
                heard.append(Heard(antenna, shown_rssi(signal), shown_snr(snr, rng.random())))
        if len(heard) > 1:
            heard.sort(key=_snr, reverse=True)
        return heard

    def _noise(self, index: int, channel: int, active: list[Jammer]) -> float:
        antenna = self._antennas[index]
        return self.weather.noise(antenna.site, antenna.height_m, (channel, CHANNEL_HZ), active, gain_dbi=GATEWAY_DBI)


_snr = attrgetter("snr")


def _cell(site: Site) -> tuple[int, int]:
    """A square of the map at least HORIZON_M wide, south of 60° north."""
    return int(site.latitude // 0.14), int(site.longitude // 0.28)
