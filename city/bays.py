"""One parking bay and its sensor: the words in which what it said is kept, and what is believed of it. See city.bay_tracks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from city.places import ParkingBay
from city.quantities import (
    BAY_OBSTRUCTED,
    BAY_OCCUPIED,
    BAY_PREVIOUS_ERROR,
    BAY_PREVIOUS_MINUTES,
    DEVICE_BOOT,
    DEVICE_COUNTER,
    DEVICE_EVENT,
    DEVICE_FAULT,
    DEVICE_HEARTBEAT,
    Value,
)
from city.readings import Entry, Quality
from city.settings import Parking


class Sign(Enum):
    """What kind of word of a sensor an event is."""

    EDGE = "edge"  # a change of state
    BEAT = "beat"  # a sign of life with its state
    STATE = "state"  # its state, and whether that has changed it does not say
    START = "start"  # a restart, with or without its state
    OTHER = "other"  # something else: it lives


class BayEvent(msgspec.Struct, frozen=True, gc=False, order=True):
    """One word of a bay's sensor. `at_ns` is when the first gateway heard it (ns since 1970 UTC), `session` and `number` its
    device address and frame counter ("" and -1: none, a join). `occupied` is the state it says, None: none. `previous_min`:
    how long the state before lasted at least, in minutes, and `previous_error` by how much more at most; -1: not said.
    `counter` is the sensor's own number of the frame (-1: none), `boot` and `fault` its own words."""

    at_ns: int
    session: str
    number: int
    sign: str = Sign.OTHER.value
    occupied: bool | None = None
    previous_min: float = -1.0
    previous_error: float = 0.0
    counter: int = -1
    boot: str = ""
    fault: str = ""

    @property
    def key(self) -> str:
        """Names the event among all of its bay."""
        return f"{self.at_ns}:{self.session}:{self.number}"


class Occupancy(Enum):
    """What is known of a bay."""

    FREE = "free"
    OCCUPIED = "occupied"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    OUT_OF_SERVICE = "out_of_service"


class Why(Enum):
    """Why a bay is not simply free or occupied."""

    NONE = ""
    BLOCKED = "blocked"  # by the town, for works or an event
    NEVER_HEARD = "never_heard"
    SILENT = "silent"  # a heartbeat is missing
    GONE = "gone"  # several are
    FLAPPING = "flapping"
    SUSPECT = "suspect"  # stuck, compared with its zone
    FAULT = "fault"  # the sensor says so itself
    UNHEARD = "unheard"  # no gateway that hears it works
    NO_SENSOR = "no_sensor"


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of the occupancy engine; see city.settings.Parking for what each is."""

    debounce: timedelta = timedelta(seconds=30)
    shortest_stay: timedelta = timedelta(minutes=3)
    flaps: int = 6
    flap_window: timedelta = timedelta(minutes=10)
    learning_edges: int = 10
    grace: timedelta = timedelta(hours=1)
    stale_beats: float = 1.0
    gone_beats: float = 2.0
    coverage_starts: int = 3
    coverage_window: timedelta = timedelta(hours=24)
    longest_repaired: timedelta = timedelta(hours=48)
    own_clock: timedelta = timedelta(minutes=2)
    sharp_min: float = 5.0

    @classmethod
    def of(cls, said: Parking) -> "Rules":
        """As somebody has set them."""
        return cls(timedelta(seconds=said.debounce_s), timedelta(seconds=said.shortest_stay_s), said.flaps,
                   timedelta(minutes=said.flap_minutes), said.learning_edges, timedelta(minutes=said.grace_minutes),
                   said.stale_beats, said.gone_beats, said.coverage_starts, timedelta(hours=said.coverage_hours),
                   timedelta(hours=said.repair_hours), timedelta(minutes=said.own_clock_minutes), said.sharp_minutes)


class Track(msgspec.Struct, frozen=True, gc=False):
    """What follows from a bay's events so far, in their right order.

    `occupied` since `since_ns` is what is believed (None: nothing yet); `certain`: its beginning was seen. `settled` is the
    last state that held for the debouncing time before it, since `settled_ns`. `said_ns`: when its state was last said,
    `heard_ns`: when anything was. `edges` counts changes since the last restart or join, at `restarted_ns`, `flips` are the
    times of the last ones, `starts` of the restarts of the last day with their reasons. `beats`, `missed`, `lost`: signs of
    life heard, changes that only one of them told, frames that are missing; `doubted_ns`: when some last were. `fault`: the
    sensor's own word that its bay is not known, since `fault_ns`, until it says its state again."""

    occupied: bool | None = None
    since_ns: int = 0
    certain: bool = False
    settled: bool | None = None
    settled_ns: int = 0
    said_ns: int = 0
    heard_ns: int = 0
    session: str = ""
    number: int = -1
    counter: int = -1
    edges: int = 0
    flips: tuple[int, ...] = ()
    starts: tuple[tuple[int, str], ...] = ()
    beats: int = 0
    missed: int = 0
    lost: int = 0
    fault: str = ""
    fault_ns: int = 0
    doubted_ns: int = 0
    restarted_ns: int = 0


class Span(msgspec.Struct, frozen=True, gc=False):
    """A time in which a bay was in one state (None: not known), in ns since 1970. `certain`: both ends were seen, and nothing
    is known to be missing between them; only certain spans are stays that statistics may use."""

    begin_ns: int
    end_ns: int
    occupied: bool | None
    certain: bool


@dataclass(frozen=True, slots=True)
class BayState:
    """A bay at one moment: its occupancy and since when, when its sensor last spoke and last said its state, and why it is not
    known. `certain`: the change was seen itself; `learning`: the sensor has restarted and does not know its place yet."""

    bay: ParkingBay
    occupancy: Occupancy
    since: datetime | None = None
    said_at: datetime | None = None
    heard_at: datetime | None = None
    why: Why = Why.NONE
    certain: bool = True
    learning: bool = False


def event_of(entry: Entry) -> BayEvent | None:
    """What an entry of the log says of its bay; None where it is about something else. A value that dates itself, as a
    repaired change does, makes no event of its own: the engine repairs by itself."""
    if entry.place.kind != "bay":
        return None
    odd = {index for index, quality, at_ns in entry.odd if quality is Quality.IMPLAUSIBLE or at_ns != entry.at_ns}
    said = {one.quantity.name: one.value for index, one in enumerate(entry.said) if index not in odd and not one.channel}
    session, _, number = entry.key.rpartition(":")
    joined = session == "join" or not number.isdecimal()
    occupied, boot, minutes = said.get(BAY_OCCUPIED.name), _boot(said), _number(said.get(BAY_PREVIOUS_MINUTES.name), -1.0)
    fault = "obstructed" if said.get(BAY_OBSTRUCTED.name) is True else str(said.get(DEVICE_FAULT.name, ""))
    return BayEvent(entry.at_ns, "" if joined else session, -1 if joined else int(number), _sign(said, boot).value,
                    occupied if isinstance(occupied, bool) else None, minutes,
                    _number(said.get(BAY_PREVIOUS_ERROR.name), 0.0 if minutes < OPEN_END_MIN else ANY_MIN),
                    int(_number(said.get(DEVICE_COUNTER.name), -1)), boot[:64], fault[:64])


STARTS = frozenset({"start", "start-up", "start-1", "start-2"})  # events by which models without a reset cause say it
OPEN_END_MIN, ANY_MIN = 660, 1e6  # where Nwave's scale ends: that long, or longer by any time


def _boot(said: Mapping[str, Value]) -> str:
    event = str(said.get(DEVICE_EVENT.name, "")).partition("+")[0]
    return str(said.get(DEVICE_BOOT.name, event if event in STARTS else ""))


def _sign(said: Mapping[str, Value], boot: str) -> Sign:
    if boot:
        return Sign.START
    if not isinstance(said.get(BAY_OCCUPIED.name), bool):
        return Sign.OTHER
    beat = said.get(DEVICE_HEARTBEAT.name)
    return Sign.STATE if not isinstance(beat, bool) else Sign.BEAT if beat else Sign.EDGE


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
