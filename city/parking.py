"""What parking sensors have in common beside their words: how often they say their state, and changes that were lost. The
occupancy of bays is city.bay_tracks', that of zones city.parking_display's.
"""

from collections.abc import Iterable
from datetime import timedelta
from enum import Enum

from city.errors import Invalid
from city.orders import Parameters, StatusInterval
from city.orders import from_json as order_from_json
from city.quantities import BAY_OCCUPIED, BAY_PREVIOUS_MINUTES, DEVICE_HEARTBEAT, DEVICE_SETTING, Measurement
from city.readings import NS, DeviceState, from_ns

LONGEST_REPORT = "max_time"  # what sensors call the setting of how long they are silent at most, in seconds
MOST_SECONDS = 31 * 86_400  # a sensor that speaks more seldom tells nothing of use
LONGEST_REPAIRED = 48 * 60  # minutes: a change that was lost longer ago is left alone


class Word(Enum):
    """What a zone is called; one word that does not need the number."""

    MANY = "many"
    FEW = "few"
    FULL = "full"
    NO_DATA = "no_data"


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
