"""A parking sensor's battery: a lithium thionyl chloride cell, as those sensors have them.

A cell of 3.6 Ah that the sensor drains by watching (40 µA: magnetometer, and radar now and then) and by each frame: 0.3 s
at 44 mA (SX1272 at 14 dBm, SF10) and two receive windows, with a repetition now and then. That is eight years with some
thirty frames a day; makers promise five to ten. The voltage is flat for nine tenths of its life, and lower in the cold
(cells of this kind, makers' discharge curves: 3.6 V at 20 °C, 0.2 V less at -20 °C).
"""

CELL_MAH = 3600.0
WATCHING_MA = 0.040
FRAME_MAH = 0.008
FULL_V, EMPTY_V, KNEE = 3.6, 2.8, 0.1
COLD_V_PER_K = 0.005
LOW = 0.1  # below that share a sensor asks for a new one


def left(begin: float, hours: float, frames: int) -> float:
    """The share that is left of a cell that had `begin`, after so many hours and frames; never below 0."""
    return max(begin - (hours * WATCHING_MA + frames * FRAME_MAH) / CELL_MAH, 0.0)


def cell_voltage(share: float, degrees: float) -> float:
    """Volts at a charge and a temperature (°C)."""
    volts = FULL_V if share >= KNEE else EMPTY_V + (FULL_V - EMPTY_V) * share / KNEE
    return volts - COLD_V_PER_K * max(20.0 - degrees, 0.0)
