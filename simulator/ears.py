"""Which devices listen to what: found by channel and address, so that a frame for one lamp costs one look."""

from simulator.flights import Spot

Tune = tuple[int, int, int]  # frequency in Hz, spreading factor, bandwidth in Hz
_DATA_DOWN = (0b011, 0b101)  # MType of unconfirmed and confirmed data down (LoRaWAN 1.0.4 table 3)


class _Room:
    """The ears of one tune. A single listener is kept bare: most addresses have but one."""

    __slots__ = ("by_address", "everything", "tune")

    def __init__(self, tune: Tune) -> None:
        self.tune = tune  # one for all its ears
        self.by_address: dict[int, Spot | dict[Spot, None]] = {}
        self.everything: dict[Spot, None] = {}

    def enter(self, address: int, spot: Spot) -> None:
        held = self.by_address.get(address)
        if held is None:
            self.by_address[address] = spot
        elif isinstance(held, dict):
            held[spot] = None
        elif held is not spot:
            self.by_address[address] = {held: None, spot: None}

    def leave(self, address: int, spot: Spot) -> None:
        held = self.by_address.get(address)
        if isinstance(held, dict):
            held.pop(spot, None)
            if not held:
                del self.by_address[address]
        elif held is spot:
            del self.by_address[address]


class Ears:
    """All ears that are open."""

    def __init__(self) -> None:
        self._rooms: dict[Tune, _Room] = {}

    def open(self, spot: Spot, tune: Tune) -> None:
        """It listens to `tune` for `spot.addresses`, which must not change while it does."""
        room = self._rooms.get(tune)
        if room is None:
            room = self._rooms[tune] = _Room(tune)
        spot.tune = room.tune
        if spot.addresses is None:
            room.everything[spot] = None
        else:
            for address in spot.addresses:
                room.enter(address, spot)

    def close(self, spot: Spot) -> None:
        """It listens no more, if it did."""
        room = self._rooms.get(spot.tune) if spot.tune is not None else None
        if room is None:
            return
        if spot.addresses is None:
            room.everything.pop(spot, None)
        else:
            for address in spot.addresses:
                room.leave(address, spot)

    def of(self, tune: Tune, address: int | None) -> list[Spot]:
        """The ears that a frame to `address` concerns, None being for whoever wants everything."""
        room = self._rooms.get(tune)
        if room is None:
            return []
        held = room.by_address.get(address) if address is not None else None
        found = list(held) if isinstance(held, dict) else [held] if held is not None else []
        found += room.everything
        return found


def addressee(phy: bytes) -> int | None:
    """The DevAddr of a data frame down; None of any other frame."""
    if len(phy) < 5 or phy[0] >> 5 not in _DATA_DOWN:
        return None
    return int.from_bytes(phy[1:5], "little")

