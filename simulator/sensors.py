"""What parking sensors of each model say at their start, when a car comes or goes, and as a sign of life; and what they
answer. The frames are the codec's; here stands only which measurements a sensor has to tell, and on which FPort.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from city.errors import BadInput
from city.orders import Parameters, StatusInterval
from city.quantities import (
    BAY_NUMBER,
    BAY_OCCUPIED,
    BAY_PREVIOUS_MINUTES,
    DEVICE_BATTERY,
    DEVICE_BATTERY_LOW,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_BOOT,
    DEVICE_CLOCK,
    DEVICE_COUNTER,
    DEVICE_DEBUG,
    DEVICE_ECHO,
    DEVICE_EVENT,
    DEVICE_FIRMWARE,
    DEVICE_HARDWARE,
    DEVICE_HEARTBEAT,
    DEVICE_REJECTED,
    DEVICE_SETTING,
    DEVICE_TEMPERATURE,
    Measurement,
)
from decoders.codec import Codec, Frame
from simulator.battery import LOW

DEFAULT = "bosch/tps110"
NWAVE_MOST_V = 3.52  # its frame ends there
EVERY = "max_time"  # the setting of how often a sign of life comes, in seconds


class Moment(NamedTuple):
    """What the sensor knows: the state it believes in, how many whole minutes the one before lasted, °C, how many frames
    it has sent, the time (s since 1970), its battery's share and voltage, and why it started last."""

    occupied: bool
    minutes: int
    degrees: int
    sent: int
    at_s: int
    battery: float = 1.0
    volts: float = 3.6
    boot: str = "power-on"


Said = tuple[int, Sequence[Measurement]]  # FPort and measurements
Kept = dict[str, int]  # settings that the sensor holds
NOTHING_KEPT: Mapping[str, int] = MappingProxyType({})
Says = Callable[[Moment], Said]


@dataclass(frozen=True, slots=True)
class Voice:
    """A model's frames; `answer` is what it says to a downlink, None where it says nothing."""

    start: Says
    change: Says
    beat: Says
    answer: Callable[[Codec, Frame, Kept], Said | None] = lambda _codec, _frame, _kept: None


def _says(port: int, *told: Callable[[Moment], Measurement] | Measurement) -> Says:
    return lambda now: (port, [one if isinstance(one, Measurement) else one(now) for one in told])


def _occupied(now: Moment) -> Measurement:
    return BAY_OCCUPIED(now.occupied)


def _degrees(now: Moment) -> Measurement:
    return DEVICE_TEMPERATURE(now.degrees)


def _minutes(now: Moment) -> Measurement:
    return BAY_PREVIOUS_MINUTES(now.minutes)


def _counter(most: int) -> Callable[[Moment], Measurement]:
    return lambda now: DEVICE_COUNTER(now.sent % most)


def _clock(now: Moment) -> Measurement:
    return DEVICE_CLOCK(now.at_s)


def _volts(now: Moment) -> Measurement:
    return DEVICE_BATTERY_VOLTAGE(round(now.volts, 3))


def _nwave_volts(now: Moment) -> Measurement:
    return DEVICE_BATTERY_VOLTAGE(round(min(now.volts, NWAVE_MOST_V), 3))


def _battery(now: Moment) -> Measurement:
    return DEVICE_BATTERY(round(100 * now.battery))


def _low(now: Moment) -> Measurement:
    return DEVICE_BATTERY_LOW(now.battery < LOW)


def _boot(now: Moment) -> Measurement:
    return DEVICE_BOOT(now.boot)


def _by_cbor(codec: Codec, frame: Frame, kept: Kept) -> Said:
    """Our own: a hash of what was taken, a code for what was not."""
    try:
        order = codec.decode_downlink(frame)
    except BadInput:
        return 4, [DEVICE_REJECTED(f"{frame.port}:01")]
    if isinstance(order, StatusInterval):
        kept[EVERY] = order.seconds
    return 4, [DEVICE_ECHO(codec.echo(frame))]


def _by_netvox(codec: Codec, frame: Frame, kept: Kept) -> Said | None:
    """An answer names the command; one to a read command tells the settings."""
    try:
        order = codec.decode_downlink(frame)
    except BadInput:
        return None
    values = dict(order.values) if isinstance(order, Parameters) else {}
    for name, value in _NETVOX.items():
        kept[name] = values.get(name, kept.get(name, value))
    wanted = [name for name in _NETVOX if ("detect" in name) == ("read_threshold" in values)]
    told = [DEVICE_SETTING(kept[name], name) for name in wanted] if {"read_report", "read_threshold"} & values.keys() else []
    return 7, [DEVICE_ECHO(codec.echo(frame)), *told]


_NETVOX = {"min_time": 900, EVERY: 1800, "battery_change": 1, "detect_threshold": 20}
_CHANGE, _BEAT = DEVICE_HEARTBEAT(False), DEVICE_HEARTBEAT(True)
_BOSCH = Voice(
    _says(3, DEVICE_DEBUG("000000009902000005000000"), DEVICE_FIRMWARE("0.29.2"), _boot, _occupied),
    _says(1, _occupied), _says(2, _occupied, _degrees))
_LIBELIUM, _TEKZI, _MOKO = (_occupied, _counter(256)), (_occupied, _degrees, BAY_NUMBER(1), _low), (
    _occupied, _clock, _counter(65_536), _battery)
VOICES: Mapping[str, Voice] = {
    "bosch/tps110": _BOSCH,
    "bosch/tpl110": _BOSCH,
    "nwave/nps405": Voice(_says(3, DEVICE_FIRMWARE("2.4.9"), _boot, _occupied), _says(1, _occupied, _minutes),
                          _says(2, _occupied, _nwave_volts, _degrees)),
    "nwave/nps310": Voice(_says(3, DEVICE_FIRMWARE("1.13.0"), _boot, _occupied), _says(1, _occupied), _says(2, _occupied)),
    "pni/placepod": Voice(_says(1, DEVICE_EVENT("start-up")), _says(1, _occupied, _CHANGE),
                          _says(1, _volts, _degrees, _occupied, _BEAT)),
    "libelium/smartparking": Voice(_says(1, *_LIBELIUM, _BEAT, DEVICE_EVENT("start-1")),
                                   _says(1, *_LIBELIUM, _CHANGE, _degrees), _says(1, *_LIBELIUM, _BEAT, _degrees)),
    "tekzitel/tekzipark": Voice(_says(1, *_TEKZI, _BEAT, DEVICE_BOOT("reset")), _says(1, *_TEKZI, _CHANGE),
                                _says(1, *_TEKZI, _BEAT)),
    "netvox/r719a": Voice(_says(6, DEVICE_EVENT("start"), DEVICE_FIRMWARE("10.0"), DEVICE_HARDWARE("11")),
                          _says(6, _occupied, _volts, _low), _says(6, _occupied, _volts, _low), _by_netvox),
    "moko/lw009": Voice(_says(1, *_MOKO, _BEAT), _says(1, *_MOKO, _CHANGE), _says(1, *_MOKO, _BEAT)),
    "stadtfunk/bay": Voice(_says(3, _boot, DEVICE_FIRMWARE("1.4.2"), _occupied), _says(1, _occupied, _minutes),
                           _says(2, _occupied, _battery, _degrees), _by_cbor),
}
