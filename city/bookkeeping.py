"""One night of a town for the book of energy: each lamp's line from what it said and what was programmed."""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from city.energy import HOUR, NO_ENDS, Case, Course, Draws, Ends, Heard, LampNight, ends_of, reckon
from city.expected import Learnt, expected_power
from city.floors import FloorKey, floor_key
from city.ids import AssetId, CircuitId, ProgramId
from city.nights import Night
from city.places import Luminaire
from city.programs import Programming
from city.wants import curve_of

MARGIN = timedelta(hours=2)  # around a night: what lamps say there shows where its counters stood at noon
GRACE = timedelta(minutes=10)  # for messages that are under way
LONG_S = 6 * HOUR  # a silence that may hide a part of the nights before


@dataclass(frozen=True, slots=True)
class Known:
    """What a town has beside its lamps: what is programmed, what lamps draw, which have a controller, and whose circuits
    have no power by day."""

    programming: Programming
    learnt: Learnt = field(default_factory=dict)
    controlled: Container[AssetId] = ()
    night_switched: Container[CircuitId] = ()


class NightBook:
    """The lines of one night, as far as it has gone by `now`."""

    def __init__(self, known: Known, night: Night, now: datetime) -> None:
        self._known, self.night = known, night
        self.start, self.end = night.noon.timestamp(), max(min(night.next_noon, now), night.noon).timestamp()
        self._courses: dict[tuple[ProgramId, FloorKey], Course] = {}
        self._draws: dict[tuple[float | None, str], Draws] = {}

    def line(self, lamp: Luminaire, heard: Heard, before: Ends = NO_ENDS, after: Ends = NO_ENDS) -> LampNight:
        """The lamp's line. `before` and `after`: its counters' ends in the nearest nights around."""
        draws = self._draws_of(lamp)
        case = Case(self.start, self.end, draws, self._course_of(lamp), has_controller=lamp.id in self._known.controlled,
                    dark_standby=lamp.circuit is None or lamp.circuit not in self._known.night_switched)
        return LampNight(lamp.id, self.night.evening, lamp.zone, lamp.circuit, reckon(case, heard, before, after),
                         heard.words(self.start, self.end), ends_of(heard, self.start, self.end))

    def spoke_after_silence(self, heard: Heard, before: Ends) -> bool:
        """Whether the lamp's counter goes on from so long ago that the nights before have a share in it."""
        if not heard.energy or before.energy is None:
            return False
        first = min(one.at for one in heard.energy)
        return first >= self.start and before.energy[1].at < self.start - LONG_S

    def _course_of(self, lamp: Luminaire) -> Course:
        key = self._known.programming.program_of(lamp, self.night.evening).id, floor_key(lamp)
        if key not in self._courses:
            changes = curve_of(lamp, self._known.programming, self.night)
            self._courses[key] = Course(tuple((change.at.timestamp(), change.level) for change in changes))
        return self._courses[key]

    def _draws_of(self, lamp: Luminaire) -> Draws:
        key = lamp.power_w, lamp.luminaire_type
        if key not in self._draws:
            watts = [expected_power(lamp, level, self._known.learnt) for level in range(101)]
            self._draws[key] = Draws(tuple(one for one in watts if one is not None) if lamp.power_w else None)
        return self._draws[key]
