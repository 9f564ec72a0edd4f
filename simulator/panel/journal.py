"""The last frames of a town, by device, as they were on the air. Bounded: the oldest of all go first."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from city.ids import AssetId
from simulator.lorawan import Session

MOST, LEAST, EACH = 20_000, 500, 30  # frames of all towns, of each of many, and of one device
NOBODY = "nobody"  # heard it: the reason at the event level, where nothing more is known


@dataclass(frozen=True, slots=True)
class Copy:
    """A frame at one gateway (its id), or what a device's ear made of it (""): dBm, dB, or why it did not arrive."""

    gateway: str
    reason: str
    rssi_dbm: int | None = None
    snr_db: float | None = None


@dataclass(slots=True)
class Seen:
    """A frame. At the event level `port` and `data` are given, at frame level `phy`, with the session that can read it
    and the counter from which to count on; `wave` is Hz, SF (0: FSK) and bandwidth in Hz."""

    at_ns: int
    up: bool
    copies: list[Copy]
    port: int = 0
    data: bytes = b""
    f_cnt: int | None = None
    confirmed: bool = False
    to_group: bool = False
    dr: int | None = None
    wave: tuple[int, int, int] | None = None
    phy: bytes = b""
    session: Session | None = field(default=None, repr=False)
    last: int = -1
    number: int = 0


class Journal:
    """What was sent last: at most EACH frames of a device and MOST in all."""

    def __init__(self, most: int = MOST, each: int = EACH) -> None:
        self._most, self._each = most, each
        self._frames: dict[AssetId, deque[Seen]] = {}
        self._order: deque[tuple[AssetId, int]] = deque()
        self._number = 0

    def add(self, asset: AssetId, seen: Seen) -> None:
        """Note a frame."""
        self._number += 1
        seen.number = self._number
        self._frames.setdefault(asset, deque(maxlen=self._each)).append(seen)
        self._order.append((asset, seen.number))
        while len(self._order) > self._most:
            self._forget(*self._order.popleft())

    def of(self, asset: AssetId) -> Iterator[Seen]:
        """A device's frames, newest first."""
        return reversed(self._frames.get(asset, deque()))

    def __len__(self) -> int:
        return sum(map(len, self._frames.values()))

    def _forget(self, asset: AssetId, number: int) -> None:
        """The oldest of all goes, unless it has gone already as its device's oldest."""
        frames = self._frames.get(asset)
        if frames and frames[0].number == number:
            frames.popleft()
            if not frames:
                del self._frames[asset]
