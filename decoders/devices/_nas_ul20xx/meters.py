"""The usage report: blocks of an address, a bit mask, and the meters that it announces. One read for a whole frame."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from city.errors import DecodeError, OutOfRange, UnknownVersion
from city.quantities import (
    LAMP_BURN_TIME,
    LAMP_DRIVER_TIME,
    LAMP_ENERGY,
    LAMP_LOAD_ENERGY,
    LAMP_LOAD_POWER,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_VOLTAGE,
    Measurement,
    Quantity,
)
from decoders.bits import Part, Record
from decoders.codec import Frame
from decoders.devices._nas_ul20xx import layouts
from decoders.devices._nas_ul20xx.parts import SUMMED, no_part
from decoders.devices._nas_ul20xx.words import NONE, bits, channel_of, means_address

METERS: tuple[tuple[Quantity, str, str, float], ...] = (  # in the order of the bit mask; what one step is worth
    (LAMP_ENERGY, "active energy", "I", 1), (LAMP_POWER, "active power", "H", 1),
    (LAMP_LOAD_ENERGY, "load-side energy", "I", 1), (LAMP_LOAD_POWER, "load-side power", "H", 1),
    (LAMP_POWER_FACTOR, "power factor", "B", 100), (LAMP_VOLTAGE, "mains voltage", "B", 1),
    (LAMP_DRIVER_TIME, "driver time", "I", 1), (LAMP_BURN_TIME, "lamp-on time", "I", 1))


def usage(frame: Frame) -> list[Measurement]:
    """Firmware 1.1.x: a header, then blocks."""
    if frame.data[:1] != b"\0":
        header = frame.reader().u8("header", means=layouts.means_usage)
        raise UnknownVersion("A UL20xx usage report begins with 00, not {header}.", header=f"{header:02x}")
    return _said(frame, 1, 0xFF)


def usage_10(frame: Frame) -> list[Measurement]:
    """Firmware 1.0.x: blocks alone."""
    return _said(frame, 0, 0xFF)


def usage_06(frame: Frame) -> list[Measurement]:
    """Firmware 0.6: blocks alone, whose masks end at the mains voltage."""
    return _said(frame, 0, 0x3F)


class _Said(NamedTuple):
    """A quantity, its channel, and where its value stands."""

    quantity: Quantity
    channel: str
    at: int


class _Shape(NamedTuple):
    """What frames of one shape say: the layout of the whole frame, quantities, channels and their values, which of
    these are hundredths, sums over drivers, power factors that may be unknown; or why it is wrong."""

    layout: Record
    quantities: tuple[Quantity, ...]
    channels: tuple[str, ...]
    values: Callable[[tuple[int, ...]], Iterable[int]]
    hundredths: tuple[int, ...]
    sums: tuple[tuple[Quantity, tuple[int, ...]], ...]
    factors: tuple[int, ...]
    wrong: DecodeError | None


def _said(frame: Frame, begin: int, known: int) -> list[Measurement]:
    data = frame.data
    heads = data[:begin + 2]
    if len(heads) == begin + 2:
        at, end = begin + _LENGTHS[heads[-1] & known], len(data)
        while at < end:
            head = data[at:at + 2]
            heads += head
            at += _LENGTHS[head[-1] & known]
    shape = _shape(heads, begin, known)
    if type(frame) is Frame and len(data) == shape.layout.size:
        read = shape.layout.unpack_from(data)
    else:
        read = frame.reader().record(shape.layout)
    if shape.wrong is not None:
        raise shape.wrong
    for factor in shape.factors:
        if read[factor] == NONE:
            shape = _shape(heads, begin, known, tuple(at for at in shape.factors if read[at] == NONE))
            break
    numbers = list(map(float, shape.values(read)))
    for place in shape.hundredths:
        numbers[place] /= 100
    said = list(map(Measurement, shape.quantities, numbers, shape.channels))
    if shape.sums:
        said += [Measurement(quantity, float(sum(read[at] for at in places))) for quantity, places in shape.sums]
    return said


@lru_cache(maxsize=1024)
def _shape(heads: bytes, begin: int, known: int, without: tuple[int, ...] = ()) -> _Shape:
    """What a frame of these headers, addresses and masks says, the power factors at `without` being unknown."""
    parts = [Part("header", "B", layouts.means_usage)] * begin
    found: list[_Said] = []
    wrong: DecodeError | None = None
    offset = begin
    for block in range(begin, max(len(heads), 1), 2):
        address, mask = (*heads[block:block + 2], 0, 0)[:2]
        parts += [Part("address", "B", means_address), Part("fields", "B", _means_mask)]
        wrong = wrong or _wrong(address, mask, offset, known)
        offset += _LENGTHS[mask & known]
        for bit, (quantity, name, code, steps) in enumerate(METERS):
            if mask & known & 1 << bit:
                found.append(_Said(quantity, channel_of(address) or "", len(parts)))
                parts.append(Part(name, code, _means_meter(quantity, steps)))
    factors = tuple(said.at for said in found if said.quantity is LAMP_POWER_FACTOR)
    told = [said for said in found if said.at not in without]
    says = [*_whole(told), *told]
    hundredths = tuple(n for n, said in enumerate(says) if said.quantity is LAMP_POWER_FACTOR)
    return _Shape(Record("little", *parts), tuple(said.quantity for said in says), tuple(said.channel for said in says),
                  _picking([said.at for said in says]), hundredths, _sums(told), factors, wrong)


def _picking(places: Sequence[int]) -> Callable[[tuple[int, ...]], Iterable[int]]:
    """What takes the values at these places out of a frame's."""
    first = places[0] if places else 0
    if list(places) == list(range(first, first + len(places))):
        return itemgetter(slice(first, first + len(places)))
    return itemgetter(*places)


def _wrong(address: int, mask: int, offset: int, known: int) -> DecodeError | None:
    if channel_of(address) is None:
        return no_part(address, offset)
    if mask & ~known:
        return OutOfRange("“fields” at byte {offset} is {value}, and bits of {known} alone are documented.",
                          offset=offset + 1, value=f"{mask:02x}", known=f"{known:02x}")
    return None


def _whole(told: list[_Said]) -> list[_Said]:
    """What one driver alone says, and the lamp does not say itself, is the lamp's too."""
    drivers = {said.channel for said in told if said.channel}
    alone = [group[0] for group in _of_parts(told) if len(group) == 1]
    return [said._replace(channel="") for said in alone if len(drivers) == 1 or said.quantity.name not in SUMMED]


def _sums(told: list[_Said]) -> tuple[tuple[Quantity, tuple[int, ...]], ...]:
    """Power and energy add up where every driver says them."""
    drivers = {said.channel for said in told if said.channel}
    return tuple((group[0].quantity, tuple(said.at for said in group)) for group in _of_parts(told)
                 if len(group) == len(drivers) > 1 and group[0].quantity.name in SUMMED
                 and all(said.channel.startswith("dali-") for said in group))


def _of_parts(told: list[_Said]) -> list[list[_Said]]:
    """What drivers say, by quantity, where the lamp does not say it itself."""
    own = {said.quantity.name for said in told if not said.channel}
    groups: dict[str, list[_Said]] = {}
    for said in told:
        if said.channel and said.quantity.name not in own:
            groups.setdefault(said.quantity.name, []).append(said)
    return list(groups.values())


def _means_mask(mask: int) -> str:
    return bits(mask, tuple(name for _, name, _, _ in METERS))


def _means_meter(quantity: Quantity, steps: float) -> Callable[[Any], str]:
    def means(raw: int) -> str:
        if quantity is LAMP_POWER_FACTOR and raw == NONE:
            return "unknown"
        return f"{raw / steps:g} {quantity.unit.replace('.', '')}".strip()
    return means


_SIZES = {"B": 1, "H": 2, "I": 4}
_LENGTHS = tuple(2 + sum(_SIZES[code] for bit, (_, _, code, _) in enumerate(METERS) if mask >> bit & 1)
                 for mask in range(256))
