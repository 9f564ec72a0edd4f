"""A town's programs as the tables of one lamp's controller, and what these cannot hold.

What cannot be held is found twice: by the compilers, which know why, and by letting the tables run through the nights to
come, beside what is programmed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from city.nights import Change, Night, evening_of, level_at
from city.places import Luminaire
from city.programs import Programming
from city.wants import curve_of
from firmware_config.alone import by_itself, tables_of
from firmware_config.course import Course, course, pattern
from firmware_config.delta import confirm
from firmware_config.deviation import Deviation
from firmware_config.families import Family, family
from firmware_config.profile import DeviceConfig
from firmware_config.sun import SEASONS
from firmware_config.tasks import tasks
from firmware_config.timetable import timetable

NEAR = timedelta(minutes=15)  # a change that comes so much earlier or later is no other program
NIGHTS = 14
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The settings that hold the program (those of DeviceConfig that do), and what they cannot."""

    config: DeviceConfig
    deviations: tuple[Deviation, ...]

    @property
    def holds(self) -> bool:
        """Whether the controller holds anything of it."""
        return bool(self.config.settings())


NOTHING = Compiled(DeviceConfig(), (Deviation(
    "This controller keeps no program that anybody has documented: the platform drives it live, and if the network dies, it does "
    "what its maker has set."),))


def compiled(programming: Programming, lamp: Luminaire, model: str, now: datetime, *, local: Collection[str] = ()) -> Compiled:
    """The lamp's program as the tables of its controller's model, as they should be in the night around `now`. `local`: models
    whose tables are known to run in local time."""
    kind = family(model, local)
    if kind is None:
        return NOTHING
    calendar = programming.calendar_of(lamp)
    evening = evening_of(now)
    plan = pattern(calendar, programming.land, evening)
    courses = {name: course(programming.program(name), lamp, programming.site) for name in plan.programs}
    compiler = timetable if kind.kind == "timetable" else tasks
    config, said = compiler(plan, courses, kind, programming.site, evening)
    return Compiled(config, (*said, *_of_the_clock(kind), *_of_fades(courses.values()), *_of_seasons(plan.seasonal),
                             *_of_trust(kind)))


def measured(what: Compiled, programming: Programming, lamp: Luminaire, model: str, now: datetime, *,
             local: Collection[str] = ()) -> tuple[Deviation, ...]:
    """What the tables do otherwise than programmed, by letting them run: in which of the 14 nights to come; and otherwise, in
    these and at the turns of the seasons, how much earlier or later at most."""
    kind = family(model, local)
    if kind is None or not what.holds:
        return ()
    tables, tonight = tables_of(confirmed_by(what.config)), evening_of(now)
    odd, most = list[date](), timedelta()
    for ahead in range(NIGHTS):
        night = Night.of(tonight + timedelta(days=ahead), programming.site)
        late = difference(by_itself(tables, kind, night), curve_of(lamp, programming, night), night)
        if late is None:
            odd.append(night.evening)
        else:
            most = max(most, late)
    for turn in SEASONS:
        night = Night.of(turn.replace(year=tonight.year), programming.site)
        then = compiled(programming, lamp, model, night.noon, local=local)  # it will be told anew
        own = by_itself(tables_of(confirmed_by(then.config)), kind, night)
        most = max(most, difference(own, curve_of(lamp, programming, night), night) or timedelta())
    said = [Deviation("In {count} of the next 14 nights, first on {first}, the controller would do otherwise: the platform "
                      "drives these live.", {"count": len(odd), "first": odd[0]})] if odd else []
    if most > _MINUTE:
        said.append(Deviation("It changes its level up to {minutes} minutes earlier or later than programmed.",
                              {"minutes": round(most / _MINUTE)}))
    return tuple(said)


def confirmed_by(config: DeviceConfig) -> dict[str, str]:
    """What a device says once it has confirmed all of it."""
    reported: dict[str, str] = {}
    for setting in config.settings():
        reported = confirm(reported, setting)
    return reported


def difference(own: Sequence[Change], wanted: Sequence[Change], night: Night) -> timedelta | None:
    """How much earlier or later at most the first does what the second wants; None: it does something else."""
    if not own:
        return None
    times = sorted({night.noon, *(one.at for one in (*own, *wanted)), night.next_noon})
    longest = timedelta()
    for begin, end in pairwise(times):
        if level_at(own, begin).level != level_at(wanted, begin).level:
            if end - begin > NEAR:
                return None
            longest = max(longest, end - begin)
    return longest


def does(own: Sequence[Change], level: int, at: datetime) -> bool:
    """Whether a lamp that does this by itself burns at the level at that time, or does within the time that is no matter."""
    around = (change.level for change in own if at - NEAR < change.at <= at + NEAR)
    return level_at(own, at).level == level or level_at(own, at - NEAR).level == level or level in around


def _of_the_clock(kind: Family) -> Sequence[Deviation]:
    unsaid = [] if kind.stated else [Deviation(
        "Its maker does not say whether its times are UTC or local time: UTC is assumed, until a setting says otherwise.")]
    return unsaid if kind.local else [*unsaid, Deviation(
        "It knows no summer time: when the clocks change it is told anew, and until then the platform drives it live.")]


def _of_trust(kind: Family) -> Sequence[Deviation]:
    return () if kind.watched else (Deviation(
        "Its clock may run at half speed (software 2.9.39) and it does not report its level: it holds the program for the case "
        "that the network dies, and is told live all the same."),)


def _of_fades(courses: Collection[Course]) -> Sequence[Deviation]:
    fades = any(step.fade_s for one in courses for step in (one.on, *one.steps, one.off))
    return (Deviation("The controller changes its level as fast as it always does: fades are not held."),) if fades else ()


def _of_seasons(seasonal: bool) -> Sequence[Deviation]:
    return (Deviation("Parts of the year are not held by the controller: it is told anew at noon of the day on which one begins "
                      "or ends."),) if seasonal else ()
