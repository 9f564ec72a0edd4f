"""What one device and one town may ask of the bridge, so that none starves the others. Pure: times are passed in.

*Frames of a device.* A LoRaWAN device waits two seconds for an answer after each frame, so more than thirty a minute are
impossible and hundreds are a fault or a forgery. They are counted by the events' own time: what waited at the broker
during an outage arrives at once and is all taken. What is over is a dead letter with its reason, and an alarm.

*Events of a town.* Nothing is refused and nothing held back: the broker hands all towns' events over in one line, where
holding one town's back would hold back all behind it, and its backlog is owed to it. A town over its rate is said, for a
person to look at; what is dear, its scripts, has a budget of its own in each batch.

*Names.* Devices that the registry does not know never become a state, a series or a line of memory. What towns' own words
name (raw values) is bounded for each device and, here, for the town: each name is a column of InfluxDB for ever.
"""

from collections.abc import Collection, Iterable, Mapping

from city.errors import TooManyFrames, TooManySeries
from city.ids import DevEui, TenantId
from city.readings import NS

MINUTE_NS = 60 * NS
MOST_WATCHED = 20_000  # devices whose frames are counted at a time; the quiet ones are forgotten first
BURST_S = 10.0  # of a town's events: so many seconds' worth may come at once


class FrameCap:
    """How many frames each device has sent within a minute of its own time. One thread at a time."""

    def __init__(self, per_minute: int) -> None:
        """0: as many as it likes."""
        self._most = per_minute
        self._minutes: dict[DevEui, list[int]] = {}

    def excess(self, uplinks: Iterable[tuple[DevEui, int]]) -> list[int]:
        """Which of these (device, at_ns) are too many, by their places. Ask once for what was received, however often it
        is tried to be kept."""
        most, minutes, over = self._most, self._minutes, []
        if not most:
            return []
        for place, (device, at_ns) in enumerate(uplinks):
            minute = minutes.get(device)
            if minute is None or not -MINUTE_NS < at_ns - minute[0] < MINUTE_NS:
                minutes[device] = [at_ns, 1]
            elif minute[1] < most:
                minute[1] += 1
            else:
                over.append(place)
        if len(minutes) > MOST_WATCHED:
            self._forget()
        return over

    def _forget(self) -> None:
        busy = {device: minute for device, minute in self._minutes.items() if minute[1] > self._most // 4}
        self._minutes = busy if len(busy) <= MOST_WATCHED // 2 else {}


def too_many(device: DevEui, per_minute: int) -> TooManyFrames:
    """Why a frame is not taken."""
    return TooManyFrames("The device {device} sends more than {most} frames a minute; no LoRaWAN device can.", device=device,
                         most=per_minute)


class TownRates:
    """Which towns send more than they are expected to: a bucket for each, filled at `per_s`. One thread at a time."""

    def __init__(self, per_s: float) -> None:
        """0: as much as they like."""
        self._per_s, self._room = per_s, per_s * BURST_S
        self._buckets: dict[str, tuple[float, float]] = {}
        self.over: frozenset[str] = frozenset()

    def note(self, events: Mapping[str, int], at_s: float) -> list[str]:
        """So many events of each town came at `at_s` (of any clock that only goes forward); returns the towns that are
        over their rate since now. They are within it again when their bucket is half full."""
        if not self._per_s:
            return []
        begun = []
        for town, count in events.items():
            left = self._left(town, at_s) - count
            self._buckets[town] = max(left, -self._room), at_s
            if left < 0 and town not in self.over:
                begun.append(town)
        self.over = frozenset(town for town in (*self.over, *begun) if self._left(town, at_s) < self._room / 2)
        return begun

    def _left(self, town: str, at_s: float) -> float:
        left, since = self._buckets.get(town, (self._room, at_s))
        return min(left + (at_s - since) * self._per_s, self._room)


class SeriesCap:
    """How many different raw names each town has in use. One thread at a time."""

    def __init__(self, most: int) -> None:
        """`most` of one town; 0: as many as it likes."""
        self._most = most
        self._names: dict[TenantId, set[str]] = {}
        self.full: frozenset[TenantId] = frozenset()

    def know(self, town: TenantId, names: Iterable[str]) -> None:
        """These are in use already, as its devices' states say."""
        self._names.setdefault(town, set()).update(names)

    def forget(self, town: TenantId) -> None:
        """Its scripts have changed: what is in use now is to be told anew (`know`)."""
        self._names.pop(town, None)
        self.full -= {town}

    def admit(self, town: TenantId, names: Collection[str]) -> None:
        """Raises TooManySeries where a name is new and there is no room for all; then none is in use."""
        known = self._names.setdefault(town, set())
        if known.issuperset(names):
            return
        if self._most and len(known.union(names)) > self._most:
            self.full |= {town}
            raise TooManySeries("The town {town} has {most} different raw values in use, and no more are kept.", town=town,
                                most=self._most)
        known.update(names)

