"""What is wanted of every lamp of a town at one moment, and why: overrides over programs, both within the law.

The sun is asked once for all lamps of one program and one floor, so that twenty thousand lamps cost no more than one.
"""

from collections.abc import Iterable
from datetime import datetime

from city.floors import DARK_BELOW, EARLY, LATE, FloorKey, core, floor_at, floor_key, lawful
from city.groups import Cover
from city.ids import ProgramId
from city.lighting import Override, Setpoint
from city.nights import Change, Night, curve
from city.places import Luminaire
from city.programs import Programming


class Wants:
    """The setpoints of a town under this programming and these overrides at `now`. `overrides` may hold some that are not
    active."""

    def __init__(self, programming: Programming, overrides: Iterable[Override], now: datetime) -> None:
        self.programming, self.now = programming, now
        self.night = Night.around(now, programming.site)
        self._wishes = [(wish, Cover(wish.targets, programming.groups))
                        for wish in sorted(overrides, key=lambda wish: wish.age, reverse=True) if wish.active(now)]
        self._programmed: dict[tuple[ProgramId, FloorKey], Setpoint] = {}
        self._programs: dict[object, ProgramId] = {}
        self._by_place = not any(one.target.kind in ("lamp", "group") for one in programming.assignments)
        begin, end = core(self.night)
        self._core = begin <= now < end
        borders = (self.night.sunset, begin, self.night.clock(LATE), self.night.clock(EARLY), end, self.night.sunrise)
        self._border = min((at for at in borders if at > now), default=self.night.next_noon)

    @property
    def overridden(self) -> bool:
        """Whether any override is active."""
        return bool(self._wishes)

    @property
    def until(self) -> datetime:
        """Until when programs want of the lamps asked about what they want now, and the law of those that a wish covers."""
        programs = min((want.until for want in self._programmed.values()), default=self.night.next_noon)
        return min(programs, self._border) if self._wishes else programs

    def of(self, lamp: Luminaire) -> Setpoint:
        """The one level that is wanted of the lamp, which is of the town, and its one reason."""
        return self.under(self.override_of(lamp), lamp)

    def under(self, wish: Override | None, lamp: Luminaire) -> Setpoint:
        """What is wanted where `wish` is the override that wins."""
        programmed = self.programmed(lamp)
        if wish is None or wish.level is None:
            return programmed
        return Setpoint(self._lawful(wish.level, lamp, programmed.level), "override", f"override:{wish.id}", wish.start,
                        wish.end, programmed.program)

    def override_of(self, lamp: Luminaire) -> Override | None:
        """The override that wins at this lamp: the newest; None where there is none."""
        return next((wish for wish, cover in self._wishes if lamp in cover and wish.concerns(lamp)), None)

    def programmed(self, lamp: Luminaire) -> Setpoint:
        """What the program wants of the lamp."""
        program = self._program(lamp)
        key = program, floor_key(lamp)
        found = self._programmed.get(key)
        if found is None:
            found = self._programmed[key] = programmed(lawful(
                curve(self.programming.program(program), self.night), lamp, self.night), self.night, self.now, program)
        return found

    def _program(self, lamp: Luminaire) -> ProgramId:
        place = (lamp.zone, lamp.circuit) if self._by_place else lamp.id
        found = self._programs.get(place)
        if found is None:
            found = self._programs[place] = self.programming.program_of(lamp, self.night.evening).id
        return found

    def _lawful(self, level: int, lamp: Luminaire, programmed: int) -> int:
        """A wish that was lawful may have become less than the law: the lamp's data or a group have changed since. Without a
        Laternenring the lamp then burns as programmed."""
        if level < DARK_BELOW and self._core and not lamp.lantern_ring:
            return programmed
        dark = self.night.sunset <= self.now < self.night.sunrise
        return max(level, floor_at(lamp, self.night, self.now)) if level and dark else level


def programmed(changes: Iterable[Change], night: Night, now: datetime, program: ProgramId) -> Setpoint:
    """The setpoint of a curve at a time of its night."""
    steps = [*changes, Change(night.next_noon, 0)]
    index = max(number for number, step in enumerate(steps[:-1]) if number == 0 or step.at <= now)
    step = steps[index]
    return Setpoint(step.level, "program", "program", step.at, steps[index + 1].at, program, step.fade_s)


def curve_of(lamp: Luminaire, programming: Programming, night: Night) -> tuple[Change, ...]:
    """What is programmed for a lamp in a night, within the law: what a preview shows, and what a lamp is told to hold."""
    return lawful(curve(programming.program_of(lamp, night.evening), night), lamp, night)

