"""How long frames occupy the air, and when the last lamp will have obeyed."""

from dataclasses import dataclass
from math import ceil

OVERHEAD = 13  # bytes of a LoRaWAN 1.0 data frame around its payload, FPort included
DUTY_CYCLE = 0.10  # EU868 869.4-869.65 MHz (EN 300 220-2, band P), where class C downlinks go
SCHEDULER_S = 1.0  # ChirpStack's network.scheduler interval
QUEUE_FRAMES_S = 100  # … and its batch size per interval
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a dim will cost: lamps, frames, seconds on air, and seconds until the last lamp obeys."""

    lamps: int
    frames: int
    airtime_s: float
    last_s: float


def time_on_air(payload: int, sf: int, *, bandwidth: int = 125_000, crc: bool = False) -> float:
    """Seconds on air of a frame with `payload` application bytes (Semtech AN1200.13; downlinks have no CRC)."""
    symbol: float = 2.0**sf / bandwidth
    low_rate = 1 if sf >= 11 and bandwidth == 125_000 else 0
    bits = 8 * (OVERHEAD + payload) - 4 * sf + 28 + 16 * crc
    symbols = 8 + max(ceil(bits / (4 * (sf - 2 * low_rate))) * 5, 0)
    return (12.25 + symbols) * symbol


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
