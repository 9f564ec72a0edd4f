"""Towns whose bucket takes nothing until a person mends it: where each of them stands in the log while all others go on. Pure.

The cursor in the log stays where the last of them stands, so that nothing of theirs is dropped as sent; how far the others are is
remembered here alone. After a crash all is sent again from the cursor on, which InfluxDB does not mind.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from city.ids import TenantId
from city.store.influx import InfluxHeld
from city.store.influx_towns import TownsHeld

RETRY_EVERY = timedelta(seconds=5)


@dataclass(slots=True)
class Lane:
    """A town that is behind: it has all of its own up to `position`. `held`: why nothing goes on; None while it catches up."""

    position: int
    held: InfluxHeld | None
    tried: datetime
    oldest_ns: int


@dataclass(slots=True)
class HeldTowns:
    """Of one shipper. `ahead`: how far all other towns are; it means something only while there are lanes."""

    ahead: int = 0
    lanes: dict[TenantId, Lane] = field(default_factory=dict)

    def put(self, error: TownsHeld, position: int, now: datetime, oldest_ns: int) -> None:
        """These towns too; they have what lies before `position`."""
        self.ahead = position
        for town, held in error.towns.items():
            self.lanes[town] = Lane(position, held, now, oldest_ns)

    def due(self, now: datetime) -> Iterator[tuple[TenantId, Lane]]:
        """Who may be sent something now."""
        for town, lane in list(self.lanes.items()):
            if lane.held is None or now - lane.tried >= RETRY_EVERY:
                yield town, lane

    def floor(self, position: int) -> int:
        """Up to where all towns have everything, the others being at `position`."""
        return min((lane.position for lane in self.lanes.values()), default=position)

    def trouble(self) -> TownsHeld | None:
        """What a person must mend."""
        held = {town: lane.held for town, lane in self.lanes.items() if lane.held is not None}
        return TownsHeld(held) if held else None

    def oldest_ns(self, others_ns: int) -> int:
        """When the oldest happened that waits, about; that of all others being so. Any thread may ask."""
        return min([others_ns, *(lane.oldest_ns for lane in list(self.lanes.values()))])
