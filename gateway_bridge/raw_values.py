"""How many different raw values are kept of one device: what scripts say in words of their own must come to an end."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from city.errors import TooManySeries
from city.quantities import RAW, Measurement
from city.readings import DeviceState

MOST_RAW = 256  # of one device; 200 of them make its state 12 kB and a frame of it cost a millisecond


def make_room(state: DeviceState, said: Sequence[Measurement], model: str, since_ns: int) -> DeviceState:
    """The state; where there is no room for more raw values, without those that only another model, or the script before
    `since_ns`, has said."""
    new = sum(item.quantity.name.startswith(RAW) and item.quantity.name not in state.last for item in said)
    if not new or new + sum(name.startswith(RAW) for name in state.last) <= MOST_RAW:
        return state
    own = f"{RAW}{model}."
    gone = {name for name, value in state.last.items()
            if name.startswith(RAW) and not (name.startswith(own) and value.at_ns >= since_ns)}
    return replace(state, last=state.last.without(gone))


def admit(said: Iterable[Measurement], state: DeviceState) -> None:
    """Raises TooManySeries where these would be more than are kept."""
    named = {item.quantity.name for item in said if item.quantity.name.startswith(RAW)}
    if named.difference(state.last):
        named.update(name for name in state.last if name.startswith(RAW))
        if len(named) > MOST_RAW:
            raise TooManySeries("The device {device} says more than {most} different raw values.", device=state.device,
                                most=MOST_RAW)
