"""When lamps are told what nobody waits for, such as their programs for the months to come: a few by a few through the day, so
that dims, joins and acknowledgements keep the air.

Time is cut into slots. Every device has a place of its own on a circle of slots, always the same: a hash of its EUI. The
circle has 1, 2, 4 … slots, as few as let those who have their turn fit into what one gateway may send in a slot. Where the
places of this slot are told already, a smaller circle does, and others have their turn: so the pace stays the same to the
end, whoever starts anew finds everybody's place as it was, and a town of few lamps is told at once.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from zlib import crc32

from city.airtime import HOUR_S, time_on_air
from city.budget import down_band, lawful_s
from city.ids import DevEui, GatewayId

SLOT = timedelta(minutes=10)
SHARE = 0.4  # of what orders may use, in every slot alike
FRAME_BYTES = 40  # a profile, a calendar of the sun or a task, near enough
FILLED = 0.9  # of a slot, since a device has several frames
MOST_SLOTS = 1024  # a week


def per_slot(share: float, sf: int) -> float:
    """Frames that one gateway may send in a slot, where orders may use `share` (0 to 1) of the lawful time at that spreading
    factor; never none."""
    seconds = lawful_s(down_band()) * share * SHARE * (SLOT.total_seconds() / HOUR_S)
    return max(seconds / time_on_air(FRAME_BYTES, sf), 0.5)


def number_of(now: datetime) -> int:
    """The number of the slot."""
    return int(now.timestamp() // SLOT.total_seconds())


def has_turn(device: DevEui, circle: int, number: int) -> bool:
    """Whether the slot of that number is the device's, on a circle of so many."""
    return (number - crc32(device.encode())) % circle == 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Who may be told in a slot: those whose slot it is on a circle of so many, and `more` that fit in beside them."""

    number: int
    circle: int
    more: frozenset[DevEui] = frozenset()

    def has(self, device: DevEui) -> bool:
        """Whether the device may be told in the slot."""
        return device in self.more or has_turn(device, self.circle, self.number)


def turn(frames: Mapping[DevEui, int], each: float, number: int) -> Turn:
    """Who may be told in the slot of that number: `frames` are still to be told to these devices of one gateway, of which it
    may send `each` in a slot. One device is always told, however much it lacks."""
    places, circle, wider = {device: number - crc32(device.encode()) for device in frames}, 1, dict[DevEui, int]()
    while circle < MOST_SLOTS:
        mine = {device: place for device, place in places.items() if place % circle == 0}
        if sum(frames[device] for device in mine) <= each:
            return Turn(number, circle, _fitting(frames, wider, mine, each))
        places, wider, circle = mine, mine, 2 * circle
    return Turn(number, circle)


def _fitting(frames: Mapping[DevEui, int], wider: Iterable[DevEui], mine: Collection[DevEui], each: float) -> frozenset[DevEui]:
    """Of those whose slot it would be on the next smaller circle as many as the slot has room for; one, where it is empty."""
    left, more = each - sum(frames[device] for device in mine), set[DevEui]()
    for device in sorted(set(wider) - set(mine), key=lambda device: crc32(device.encode())):
        if frames[device] <= left or not (mine or more):
            left -= frames[device]
            more.add(device)
    return frozenset(more)


def lasts(frames: Mapping[GatewayId | None, int], each: float) -> timedelta:
    """How long it takes until everybody is told, as long as all goes well: as long as at the busiest gateway."""
    busiest = max(frames.values(), default=0)
    return timedelta() if busiest <= each else ceil(busiest / (FILLED * each)) * SLOT
