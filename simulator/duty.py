"""How much of the last hour a transmitter has been on the air, by sub-band, to the microsecond.

As chirpstack-concentratord keeps it (libconcentratord's regulation): a sliding hour that ends when the frame ends, so that a
frame planned ahead counts for what it will be then, and does not push others that are planned later over their limit.
"""

from bisect import insort
from dataclasses import dataclass

from city.airtime import Band, band_of

WINDOW_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """A sub-band's use: µs on the air in the last hour, of those that are allowed."""

    band: Band
    used_us: int
    most_us: int


class Regulation:
    """The sub-bands of EN 300 220-2 (city.airtime.BANDS)."""

    def __init__(self) -> None:
        self._ledgers: dict[Band, Ledger] = {}

    def spend(self, frequency: int, eirp_dbm: float, now: int, begins: int, ends: int) -> bool:
        """Plan a frame, in µs of any one clock; False if its sub-band has too little left, or none allows its power."""
        band = band_of(frequency, eirp_dbm)
        if band is None:
            return False
        ledger = self._ledgers.setdefault(band, Ledger(WINDOW_US // 1000 * band.permille))
        ledger.forget(now)
        return ledger.spend(begins, ends)

    def loads(self, now: int) -> list[Load]:
        """The sub-bands in which something was planned."""
        return [Load(band, ledger.used(now), ledger.most) for band, ledger in self._ledgers.items()]


class Ledger:
    """One sub-band's frames, of which at most `most` µs may fall into any hour that ends with one of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._frames: list[tuple[int, int]] = []  # begin and end, in order
        self._sum = 0

    def spend(self, begins: int, ends: int) -> bool:
        """Note a frame, if it fits."""
        lasts = ends - begins
        if self.used(ends) + lasts > self.most:
            return False
        for other, until in reversed(self._frames):
            if other <= begins:
                break
            if self.used(until) + lasts > self.most:
                return False
        insort(self._frames, (begins, ends))
        self._sum += lasts
        return True

    def used(self, at: int) -> int:
        """µs on the air in the hour that ends at `at`."""
        first, used = at - WINDOW_US, self._sum
        for begins, ends in self._frames:
            if begins >= first:
                break
            used -= min(ends, first) - begins
        for begins, ends in reversed(self._frames):
            if ends <= at:
                break
            used -= ends - max(begins, at)
        return used

    def forget(self, now: int) -> None:
        """Drop what ended an hour ago."""
        gone = 0
        for begins, ends in self._frames:
            if ends > now - WINDOW_US:
                break
            self._sum -= ends - begins
            gone += 1
        del self._frames[:gone]
