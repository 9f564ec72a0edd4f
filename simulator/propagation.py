"""What the air does to a signal: path loss, shadowing that stays, noise, and what a receiver needs. Pure formulas.

Path loss is log-distance, with intercept, slope and the device's height from 3GPP TR 38.901 table 7.4.1-1 (UMa, NLOS: a
gateway above the roofs, a device between the houses, 0.5 GHz and more), and never less than in free space. That model's
gateway stands at 25 m; lower or higher ones lose or gain what Hata found (IEEE Trans. Veh. Technol. VT-29(3), 1980). At 1 km
and street level it says 129.6 dB; J. Petäjäjärvi et al. (ITST 2015) measured 128.95 dB at 868 MHz in Oulu.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import cos, hypot, log, log10, pi, radians, sqrt

from city.airtime import FSK
from city.places import Site

METRES_PER_DEGREE = 111_320.0
_FREQUENCY_DB = 20 * log10(0.868)  # both formulas have GHz and metres
SHADOWING_DB = 6.0  # standard deviation over places (3GPP TR 38.901 table 7.4.1-1, UMa NLOS)
FADING_DB = 2.0  # … over frames of one place: what is left of fast fading after a frame of many symbols (assumed)
NOISE_FIGURE_DB = 6.0  # of SX1276 and SX1301 (Bor et al., "Do LoRa Low-Power Wide-Area Networks Scale?", MSWiM 2016)
GATEWAY_DBI = 3.0  # a gateway's antenna; devices' are 0 dBi and senders' are in their EIRP
BEST_SNR_DB, LEAST_SNR_DB = 12.5, -32.0  # chips report no more, however near; the register ends there (SX1276 datasheet §5.5.5)
LEAST_RSSI_DBM, MOST_RSSI_DBM = -157, -20  # SX1276 datasheet §5.5.5 (high frequency port); saturation
CAPTURE_DB = 6.0  # co-SF (Bor et al. 2016; Goursaud and Gorce 2015)
LOCK_SYMBOLS = 5  # of a preamble that a receiver needs undisturbed (Bor et al. 2016)

# dB above the noise that a frame needs, SF7 … SF12 (SX1276 datasheet, table 13; the SX1301 needs the same)
_NEEDED = {7: -7.5, 8: -10.0, 9: -12.5, 10: -15.0, 11: -17.5, 12: -20.0,
           FSK: 9.0}  # FSK: -108 dBm at 50 kbit/s over the noise of 125 kHz
# dB that a frame (row) must have over a rival of another SF (column), SF7 … SF12: D. Croce et al., "Impact of LoRa Imperfect
# Orthogonality", IEEE Commun. Lett. 22(4), 2018, table I. The diagonal is theirs too, and CAPTURE_DB is used instead.
_REJECTION = (
    (1, -8, -9, -9, -9, -9),
    (-11, 1, -11, -12, -13, -13),
    (-15, -13, 1, -13, -14, -15),
    (-19, -18, -17, 1, -17, -18),
    (-22, -22, -21, -20, 1, -20),
    (-25, -25, -25, -24, -23, 1),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of place: metres above the street, and dB lost on the way out."""

    height_m: float
    loss_db: float


SMALL_ANTENNA_DB = 6.0  # what an antenna of centimetres, near metal or flush with the ground, takes away (assumed)
POLE = Place(8.0, SMALL_ANTENNA_DB)
FACADE = Place(4.0, 0.0)
INDOOR = Place(1.5, 11.0)  # 3GPP TR 38.901 §7.4.3, low-loss model at 868 MHz
COATED = Place(1.5, 18.5)  # … high-loss model: coated glass and concrete
CELLAR = Place(1.0, 30.0)  # 20 dB more than indoors (3GPP TR 36.888 on meters in basements)
TARMAC_DB = 12.0  # over a sensor sunk into it (assumed; a car above takes more)
GROUND = Place(1.0, SMALL_ANTENNA_DB + TARMAC_DB)


def distance(one: Site, other: Site) -> float:
    """Metres between two places of a town."""
    north = (one.latitude - other.latitude) * METRES_PER_DEGREE
    east = (one.longitude - other.longitude) * METRES_PER_DEGREE * cos(radians(one.latitude))
    return hypot(north, east)


def path_loss(metres: float, gateway_m: float, device_m: float) -> float:
    """Median dB lost over `metres` of ground between a gateway and a device at these heights in metres."""
    way = log10(max(hypot(metres, gateway_m - device_m), 1.0))
    heights = -0.6 * (min(max(device_m, 1.0), 22.5) - 1.5) - 13.82 * log10(max(gateway_m, 1.0) / 25)
    return max(13.54 + 39.08 * way + _FREQUENCY_DB + heights, 32.44 + 20 * way + _FREQUENCY_DB)


def shadowing(seed: int, dev_eui: str, gateway: str) -> float:
    """dB by which a link is worse (or better) than its distance says: always the same for the same three, whoever asks
    first. Normal with SHADOWING_DB."""
    digest = blake2b(f"{seed}/{dev_eui}/{gateway}".encode(), digest_size=16).digest()
    one, two = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
    return SHADOWING_DB * sqrt(-2 * log((one + 1) / 2**64)) * cos(2 * pi * two / 2**64)  # Box and Muller


@lru_cache(maxsize=16)
def noise_dbm(bandwidth: int) -> float:
    """Thermal noise in a receiver of that bandwidth in Hz: -117 dBm at 125 kHz."""
    return -174 + 10 * log10(bandwidth) + NOISE_FIGURE_DB


def needed_snr(sf: int) -> float:
    """dB above (below) the noise at which a frame can just be read."""
    return _NEEDED[sf]


def sensitivity(sf: int, bandwidth: int) -> float:
    """dBm at which a frame can just be read where nothing disturbs."""
    return noise_dbm(bandwidth) + needed_snr(sf)


def rejection(sf: int, rival_sf: int) -> float:
    """dB by which a frame must exceed a rival that is not of its kind: another SF, or the same with inverted chirps, which
    disturb as the neighbouring SF does (assumed). FSK and LoRa disturb one another like noise."""
    if sf == FSK or rival_sf == FSK:
        return needed_snr(sf)
    near = sf - 1 if sf == 12 else sf + 1
    return _REJECTION[sf - 7][(near if rival_sf == sf else rival_sf) - 7]


def together(*levels_dbm: float) -> float:
    """The sum of powers, in dBm."""
    return 10 * log10(sum(10 ** (level / 10) for level in levels_dbm))


def shown_rssi(rssi_dbm: float) -> int:
    """The dBm that a chip reports."""
    if LEAST_RSSI_DBM <= rssi_dbm <= MOST_RSSI_DBM:
        return round(rssi_dbm)
    return round(LEAST_RSSI_DBM if rssi_dbm < LEAST_RSSI_DBM else MOST_RSSI_DBM)


def shown_snr(snr_db: float, chance: float) -> float:
    """The dB that a chip reports, in quarters; near by it saturates, `chance` (0 to 1) dB above BEST_SNR_DB."""
    return round(min(max(snr_db, LEAST_SNR_DB), BEST_SNR_DB + chance) * 4) / 4
