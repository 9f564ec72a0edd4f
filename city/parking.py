"""From what sensors said to what residents may be told: the state of a bay, and of a zone of bays.

Unknown is never counted as free or as taken.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from city.errors import Invalid
from city.orders import Parameters, StatusInterval
from city.orders import from_json as order_from_json
from city.places import ParkingBay, Restriction
from city.quantities import BAY_OCCUPIED, BAY_PREVIOUS_MINUTES, DEVICE_HEARTBEAT, DEVICE_SETTING, Measurement
from city.readings import NS, DeviceState, from_ns

NUMBER_FROM, RANGE_FROM = 0.9, 0.6  # coverage that permits a number, or a range
LONGEST_REPORT = "max_time"  # what sensors call the setting of how long they are silent at most, in seconds
MOST_SECONDS = 31 * 86_400  # a sensor that speaks more seldom tells nothing of use
LONGEST_REPAIRED = 48 * 60  # minutes: a change that was lost longer ago is left alone
LEAST_BAYS = 5  # fewer comparable bays are told as a word only, so that nobody's car can be followed


class Occupancy(Enum):
    """What is known of a bay."""

    FREE = "free"
    OCCUPIED = "occupied"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    OUT_OF_SERVICE = "out_of_service"


class Word(Enum):
    """What a zone is called; one word that does not need the number."""

    MANY = "many"
    FEW = "few"
    FULL = "full"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class BayState:
    """A bay's occupancy, since when, when its sensor last spoke, and why it is unknown."""

    bay: ParkingBay
    occupancy: Occupancy
    since: datetime | None = None
    heard_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ZoneOccupancy:
    """A zone's count over comparable bays: 0 ≤ free_min ≤ free_max ≤ total.

    `coverage` is the share of bays whose state is known; `newest` is when a sensor of the zone last spoke.
    """

    total: int
    free: int
    occupied: int
    unknown: int
    coverage: float
    word: Word
    newest: datetime | None = None

    @property
    def free_min(self) -> int:
        return self.free

    @property
    def free_max(self) -> int:
        return self.free + self.unknown

    @property
    def says_number(self) -> bool:
        """Whether enough is known for a number."""
        return self.total > 0 and self.coverage >= NUMBER_FROM

    @property
    def says_range(self) -> bool:
        """Whether enough is known for a range, but not for a number."""
        return self.total > 0 and RANGE_FROM <= self.coverage < NUMBER_FROM


def publishable(count: ZoneOccupancy, restriction: Restriction) -> bool:
    """Whether everybody may read the numbers: of at least LEAST_BAYS comparable bays; the present state of bays for the
    disabled and for charging is an exception, because whoever needs one needs to know."""
    return count.total >= LEAST_BAYS or restriction in (Restriction.DISABLED, Restriction.CHARGING)


def sign_of_life(state: DeviceState | None, usual: timedelta) -> timedelta:
    """How often a sensor says its state by itself: as it has been set and has confirmed, or has reported to be set;
    else as its model does from the factory."""
    if state is None:
        return usual
    seconds = _confirmed(state) or state.value(DEVICE_SETTING, LONGEST_REPORT)
    return timedelta(seconds=seconds) if isinstance(seconds, int | float) and 1 <= seconds <= MOST_SECONDS else usual


def lost_change(said: Iterable[Measurement], state: DeviceState, at_ns: int) -> tuple[Measurement, ...]:
    """The change that was lost on the air, with its time, or nothing: where a sensor reports a change into the state that
    is known already, and tells how long the state before lasted, the bay was in the other one that long. The time is the
    latest that is possible: sensors tell the minutes that the state lasted at least."""
    told = {one.quantity.name: one.value for one in said if not one.channel}
    occupied, minutes, last = told.get(BAY_OCCUPIED.name), told.get(BAY_PREVIOUS_MINUTES.name), state.last.get(BAY_OCCUPIED.name)
    if last is None or last.value is not occupied or told.get(DEVICE_HEARTBEAT.name) is True:
        return ()
    if not isinstance(minutes, float) or not 0 < minutes <= LONGEST_REPAIRED:
        return ()
    began_ns = at_ns - int(minutes * 60) * NS
    return (Measurement(BAY_OCCUPIED, not occupied, "", from_ns(began_ns)),) if began_ns > last.at_ns else ()


def bay_state(bay: ParkingBay, state: DeviceState | None, heartbeat: timedelta, now: datetime) -> BayState:
    """What is known of a bay whose sensor says its state every `heartbeat`, changed or not: unknown when it has not been
    said for one heartbeat and an hour, out of service after two and an hour. A frame about something else, or one that
    nobody can read, keeps the sensor heard, but says nothing of the bay."""
    if bay.blocked:
        return BayState(bay, Occupancy.BLOCKED, reason="blocked by the town")
    if state is None or BAY_OCCUPIED.name not in state.last:
        return BayState(bay, Occupancy.UNKNOWN, reason="never heard")
    heard_at, told = from_ns(state.heard_ns), state.last[BAY_OCCUPIED.name]
    since = from_ns(told.since_ns)
    silence = now - from_ns(told.at_ns)
    if silence > 2 * heartbeat + timedelta(hours=1):
        return BayState(bay, Occupancy.OUT_OF_SERVICE, since, heard_at, "silent for two heartbeats")
    if silence > heartbeat + timedelta(hours=1):
        return BayState(bay, Occupancy.UNKNOWN, since, heard_at, "heartbeat missed")
    return BayState(bay, Occupancy.OCCUPIED if told.value is True else Occupancy.FREE, since, heard_at)


def zone_occupancy(bays: Iterable[BayState], restriction: Restriction = Restriction.NONE) -> ZoneOccupancy:
    """The count over the zone's bays with exactly this restriction: a free disabled bay is not a free bay.

    Blocked bays are not managed and leave the total; out-of-service ones stay in it as unknown.
    """
    counted = [state for state in bays
               if state.bay.restriction is restriction and state.occupancy is not Occupancy.BLOCKED]
    tally = Counter(state.occupancy for state in counted)
    total, free, occupied = len(counted), tally[Occupancy.FREE], tally[Occupancy.OCCUPIED]
    coverage = (free + occupied) / total if total else 0.0
    heard = [state.heard_at for state in counted if state.heard_at is not None]
    return ZoneOccupancy(total, free, occupied, total - free - occupied, coverage, _word(total, free, coverage),
                         max(heard, default=None))


def _word(total: int, free: int, coverage: float) -> Word:
    if total == 0 or coverage < RANGE_FROM:
        return Word.NO_DATA
    if free <= 1:
        return Word.FULL
    return Word.MANY if free / total > 0.3 else Word.FEW


def _confirmed(state: DeviceState) -> int | None:
    """The interval that the sensor has confirmed, in seconds."""
    for name in _INTERVALS.intersection(state.config) if state.config else ():
        try:
            order = order_from_json(state.config[name])
        except Invalid:
            continue
        if isinstance(order, StatusInterval):
            return order.seconds
        if isinstance(order, Parameters) and LONGEST_REPORT in dict(order.values):
            return dict(order.values)[LONGEST_REPORT]
    return None


_INTERVALS = {StatusInterval.__name__, Parameters.__name__}
