"""How long each gateway has been on the air within the hour, and how long it may be.

EN 300 220-2 counts the time on air within any one hour, per transmitter and sub-band. ChirpStack does not enforce it; a
gateway that does, drops what is too much. Of the lawful time we use a share and leave the rest for what others send through
the same gateway: accepts of joins, acknowledgements, MAC commands, other towns.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.airtime import HOUR_S, RX2_HZ, Band, band_of
from city.commands import Priority
from city.ids import GatewayId

DOWN_DBM = 27  # what a gateway sends with in band P; other bands allow 14 dBm ERP
USED_SHARE = 0.5  # of the lawful time, for orders
LATEST = timedelta(seconds=40)  # ChirpStack may hand a frame to the gateway so much later than it was given it
WINDOW = timedelta(seconds=HOUR_S) + LATEST
_OF_SHARE = {Priority.CLOCK: 0.9, Priority.PROGRAM: 0.85, Priority.CONFIG: 0.6}  # … of what orders may use
_SAFETY = 0.9  # of the lawful time


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that a gateway was made to send in a sub-band, by so many frames, at a time."""

    gateway: GatewayId
    band: str
    at: datetime
    seconds: float
    frames: int = 1


def lawful_s(band: Band) -> float:
    """Seconds of an hour that one transmitter may send in the sub-band."""
    return HOUR_S * band.permille / 1000


def down_band(frequency: int = RX2_HZ) -> Band:
    """The sub-band of a gateway's frame there; raises ValueError where none allows it."""
    found = band_of(frequency, DOWN_DBM) or band_of(frequency)
    if found is None:
        raise ValueError(f"nothing may be sent at {frequency} Hz")
    return found


class Budget:
    """The sliding hour of every gateway and sub-band. `share`: of the lawful time, 0 to 1, that orders may use."""

    def __init__(self, share: float = USED_SHARE, spent: Iterable[Spent] = ()) -> None:
        self._share = share
        self._entries: dict[tuple[GatewayId, str], deque[tuple[datetime, float]]] = {}
        self._sums: dict[tuple[GatewayId, str], float] = {}
        for one in sorted(spent, key=lambda one: one.at):
            self.spend(one)

    def spend(self, spent: Spent) -> None:
        """It is on the air, or will be at once."""
        key = spent.gateway, spent.band
        self._entries.setdefault(key, deque()).append((spent.at, spent.seconds))
        self._sums[key] = self._sums.get(key, 0.0) + spent.seconds

    def used_s(self, gateway: GatewayId, band: Band, now: datetime) -> float:
        """Seconds on air within the hour before `now`, and whatever may still count as such."""
        key = gateway, band.letter
        entries = self._entries.get(key)
        if not entries:
            return 0.0
        while entries and now - entries[0][0] > WINDOW:
            self._sums[key] -= entries.popleft()[1]
        if not entries:
            self._sums[key] = 0.0  # what adding and taking away has left over
        return self._sums[key]

    def limit_s(self, band: Band, priority: Priority) -> float:
        """Seconds of an hour that orders of this priority may use, together with what is spent already."""
        if priority is Priority.SAFETY:
            return lawful_s(band) * max(self._share, _SAFETY)
        return lawful_s(band) * self._share * _OF_SHARE.get(priority, 1.0)

    def allows(self, gateway: GatewayId, band: Band, seconds: float, priority: Priority, now: datetime) -> bool:
        """Whether a frame of so many seconds may be sent now."""
        return self.used_s(gateway, band, now) + seconds <= self.limit_s(band, priority)

    def wait_s(self, gateway: GatewayId, band: Band, seconds: float, now: datetime) -> float:
        """How long an order by hand has to wait until it may be on the air for so long."""
        return (self.free_at(gateway, band, seconds, Priority.OVERRIDE, now) - now).total_seconds()

    def free_at(self, gateway: GatewayId, band: Band, seconds: float, priority: Priority, now: datetime) -> datetime:
        """When it may: `now`, or when enough has left the hour; an hour from now where it never fits."""
        excess = self.used_s(gateway, band, now) + seconds - self.limit_s(band, priority)
        if excess <= 0:
            return now
        for at, spent in self._entries.get((gateway, band.letter), ()):
            excess -= spent
            if excess <= 1e-9:
                return at + WINDOW + timedelta(microseconds=1)
        return now + WINDOW
