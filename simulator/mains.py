"""What a lamp's surroundings do to it: the voltage of its circuit and the air around it. Pure functions of place and time.

Voltage: EN 50160:2010 §4.2.2 allows 230 V ± 10 %; in towns it moves by a few volts with what the neighbours draw, whose
daily shape is that of the households' standard load profile (BDEW H0: a hump at noon, the peak at 19 h). Air: the mean
year and day of a German town (DWD, 1991-2020: 9.3 °C, July 18 °C, January 1 °C).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi
from zlib import crc32

from city.readings import NS

NOMINAL_V = 230.0
HOUR_NS, DAY_NS = 3600 * NS, 86_400 * NS
_LOAD = (.45, .38, .35, .33, .34, .40, .60, .75, .78, .76, .76, .80, .85, .78, .70, .66, .68, .82, .98, 1.0, .93, .82, .70, .56)
_LOCAL_NS = HOUR_NS  # people live by local time; an hour more in summer does not matter here
_MEAN_C, _YEAR_C, _DAY_C = 9.5, 8.5, 4.0
_WARMEST_DAY, _WARMEST_HOUR = 200, 13  # of the year; UTC


@dataclass(frozen=True, slots=True)
class Feeder:
    """One circuit: by how much its transformer's tap is off (V), and how far it sags when all draw (V)."""

    offset_v: float
    sag_v: float


@lru_cache(maxsize=4096)
def feeder(circuit: str) -> Feeder:
    """The circuit of that name: always the same."""
    bits = crc32(circuit.encode())
    return Feeder((bits & 0xFFFF) / 0xFFFF * 4.0 - 1.0, 2.0 + (bits >> 16) / 0xFFFF * 2.5)


def volts(of: Feeder, at_ns: int) -> float:
    """The voltage at a lamp of the circuit, without what changes from second to second."""
    hours, part = divmod((at_ns + _LOCAL_NS) % DAY_NS, HOUR_NS)
    share = part / HOUR_NS
    load = (1 - share) * _LOAD[hours] + share * _LOAD[(hours + 1) % 24]
    return NOMINAL_V + of.offset_v - of.sag_v * load


def outside(at_ns: int) -> float:
    """The air's temperature, °C."""
    day, hour = at_ns / DAY_NS, at_ns % DAY_NS / HOUR_NS
    return (_MEAN_C + _YEAR_C * cos(2 * pi * (day - _WARMEST_DAY) / 365.2425)
            + _DAY_C * cos(2 * pi * (hour - _WARMEST_HOUR) / 24))
