"""What the parts of a luminaire (drivers, groups) together say of the whole."""

from collections.abc import Sequence

from city.errors import OutOfRange
from city.quantities import (
    DEVICE_DEBUG,
    LAMP_DRIVER_ERROR,
    LAMP_ENERGY,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_LOAD_ENERGY,
    LAMP_LOAD_POWER,
    LAMP_POWER,
    Measurement,
)
from decoders.devices._nas_ul20xx.words import channel_of

SUMMED = frozenset(q.name for q in (LAMP_ENERGY, LAMP_POWER, LAMP_LOAD_ENERGY, LAMP_LOAD_POWER))


def with_main(main: list[Measurement], parts: list[Measurement]) -> list[Measurement]:
    """`main`, what the parts together say of the whole lamp where `main` does not, and the parts."""
    if not parts:
        return main
    known = {said.quantity.name for said in main}
    if any(part.quantity.name not in known for part in parts):
        main += summed_up(parts, known)
    return main + parts


def summed_up(parts: Sequence[Measurement], known: set[str] | frozenset[str] = frozenset()) -> list[Measurement]:
    """What parts say of the whole, quantities in `known` left out: what one part alone says, the sum of all drivers'
    power and energy, a level that all agree on, a failure of any."""
    told: dict[str, list[Measurement]] = {}
    for part in parts:
        if part.quantity.name not in known and part.quantity is not DEVICE_DEBUG:
            told.setdefault(part.quantity.name, []).append(part)
    if not told:
        return []
    drivers = len({part.channel for part in parts})
    whole = (_whole(name, said, drivers) for name, said in told.items())
    return [said for said in whole if said is not None]


def known(address: int, offset: int) -> str:
    """The channel of an address byte that stands at `offset`; raises OutOfRange where it names nothing."""
    channel = channel_of(address)
    if channel is None:
        raise no_part(address, offset)
    return channel


def no_part(address: int, offset: int) -> OutOfRange:
    return OutOfRange("“address” at byte {offset} is {value}, which names no part of a lamp.", offset=offset,
                      value=f"{address:02x}")


def _whole(name: str, said: list[Measurement], drivers: int) -> Measurement | None:
    quantity, value = said[0].quantity, said[0].value
    if len(said) == 1:
        # power of one driver among several is not the lamp's
        return None if drivers > 1 and name in SUMMED else quantity(value)
    if name in SUMMED and len(said) == drivers and all(part.channel.startswith("dali-") for part in said):
        return quantity(sum(float(part.value) for part in said))
    if quantity is LAMP_FAILURE or quantity is LAMP_DRIVER_ERROR:
        return quantity(any(part.value for part in said))
    if quantity is LAMP_LEVEL and all(part.value == value for part in said):
        return quantity(value)
    return None
