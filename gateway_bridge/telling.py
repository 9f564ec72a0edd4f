"""Which of a town's devices still lack parts of their own programs, and whose turn it is to be told (city.rationing)."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import inf

from city.ids import DevEui, GatewayId
from city.rationing import Turn, number_of, turn

LOOKED_WITHIN = timedelta(minutes=2)  # all devices are looked at more often than this


class Untold:
    """Counted as devices are looked at. Nobody has a turn before all were: how many there are is not known yet."""

    def __init__(self, each: float = inf) -> None:
        """`each`: frames of one gateway in a slot; without a number everybody has a turn at any time."""
        self._each = each
        self._devices: frozenset[DevEui] = frozenset()
        self._unseen: set[DevEui] = set()
        self._since: datetime | None = None
        self._gateways: dict[DevEui, GatewayId | None] = {}
        self._frames: dict[GatewayId | None, dict[DevEui, int]] = defaultdict(dict)
        self._turns: dict[GatewayId | None, tuple[Turn, Turn | None]] = {}

    def begin(self, devices: Iterable[DevEui], now: datetime) -> None:
        """These are the town's devices; what they lack is to be counted anew."""
        self._devices = frozenset(devices)
        for gone in self._gateways.keys() - self._devices:
            self.note(gone, None, 0)
        self.again(now)

    def again(self, now: datetime) -> None:
        """What is wanted is another."""
        self._unseen, self._since = set(self._devices), now
        self._turns.clear()

    def looked(self, device: DevEui) -> None:
        """It has been looked at."""
        self._unseen.discard(device)

    def note(self, device: DevEui, gateway: GatewayId | None, frames: int) -> None:
        """So many frames are still to be told to the device."""
        if device in self._gateways:
            del self._frames[self._gateways.pop(device)][device]
        if frames:
            self._gateways[device] = gateway
            self._frames[gateway][device] = frames

    def has_turn(self, device: DevEui, now: datetime) -> bool:
        """Whether the device may be told now: in its own slot, and the next to come to an end in."""
        if self._unseen and self._since is not None and timedelta() <= now - self._since < LOOKED_WITHIN:
            return False
        present, before = self._turn(self._gateways.get(device), number_of(now))
        return present.has(device) or (before is not None and before.has(device))

    def _turn(self, gateway: GatewayId | None, number: int) -> tuple[Turn, Turn | None]:
        """The turn of this slot, and that of the slot before, where anybody asked for it."""
        known = self._turns.get(gateway)
        if known is not None and known[0].number == number:
            return known
        before = known[0] if known is not None and known[0].number == number - 1 else None
        self._turns[gateway] = found = turn(self._frames[gateway], self._each, number), before
        return found
