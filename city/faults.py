"""What is wrong with a lamp, judged from what it said: one rule a fault, with the evidence it needs to begin and to end.

Rules and thresholds: the fault table of the town's reference (TALQ 2.7.1 LampMonitor events, uCIFI object 3416, the limits
of a real operator's record: 0.75/1.30 of the nominal power at full level, 0.70/1.97 at the lowest; EN 50160 for the voltage).
A rule gives a verdict only on new evidence: bad, good, or none where it cannot tell. Power is judged against what the lamp
should draw at the level that it *says* it obeys, and only where that level was steady from ten minutes before the measurement
until a report after it, or where it is the one that the town has wanted since before it was said: a lost report of a change of
level must never look like a fault.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from city.alarms import DARKENS, SEVERITY_OF, AlarmKind, Severity
from city.expected import STANDBY_W
from city.quantities import LAMP_LEVEL, LAMP_LIT, LAMP_ORDERED_LEVEL, LAMP_RELAY_CLOSED
from city.readings import NS, DeviceState, Last

MINUTE, HOUR, DAY = 60 * NS, 3600 * NS, 86_400 * NS
SETTLED = 10 * MINUTE  # after a change of level: fades, warm-up of an LED's driver
DARK, DARK_W = 0.20, 2.0
LOW_FULL, LOW_LEAST, HIGH_FULL, HIGH_LEAST = 0.75, 0.70, 1.30, 1.97  # of the expected power, at 100 % and at 10 %
GRAIN_W = 1.0  # meters that say whole watts, and their noise
LIT_W = STANDBY_W + 2.0
FITS, APART = 0.12, 0.30  # a power that fits another level, and how far that level's must lie from this one's
UNMOVED = 0.04  # of the full power: so little has changed although the level did
OFF_TARGET = 5  # per cent of level
CLOCK_START = 1_262_304_000  # 2010: a clock below it has never been set
KEPT = 12  # samples
LONGEST_GAP = 6 * HOUR
FLICKER, FLICKER_LEAST = 0.15, 6
TALQ_PF = ((0, 0.65), (10, 0.60), (20, 0.70), (30, 0.75), (40, 0.80), (50, 0.85), (60, 0.87), (70, 0.89), (80, 0.90),
           (90, 0.95), (100, 0.98))  # TALQ's example of powerFactorThresholdDimmingCurve
PF_TOLERANCE, PF_MOST, PF_FROM = 0.10, 0.80, 30  # below that curve; NAS' own limit at full level; ignored below 30 %
Facts = dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Rule:
    """How much evidence begins a fault and ends it: so many verdicts in a row, over so long (ns)."""

    kind: AlarmKind
    bad: int
    hold: int
    good: int
    calm: int


RULES: Mapping[AlarmKind, Rule] = {rule.kind: rule for rule in (
    Rule(AlarmKind.LAMP_FAILURE, 2, 0, 2, 10 * MINUTE),
    Rule(AlarmKind.PARTIAL_FAILURE, 3, 0, 3, HOUR),
    Rule(AlarmKind.OVERPOWER, 3, 0, 3, HOUR),
    Rule(AlarmKind.DIMMING_FAILURE, 2, 30 * MINUTE, 2, HOUR),
    Rule(AlarmKind.DAY_BURNER, 2, 30 * MINUTE, 2, 10 * MINUTE),
    Rule(AlarmKind.NIGHT_OFF, 2, 30 * MINUTE, 2, 10 * MINUTE),
    Rule(AlarmKind.CYCLING, 2, 0, 6, 6 * HOUR),
    Rule(AlarmKind.FLICKER, 2, 0, 6, 3 * HOUR),
    Rule(AlarmKind.LOW_POWER_FACTOR, 3, 0, 3, HOUR),
    Rule(AlarmKind.UNDERVOLTAGE, 2, 0, 2, 10 * MINUTE),
    Rule(AlarmKind.OVERVOLTAGE, 2, 0, 2, 10 * MINUTE),
    Rule(AlarmKind.OVER_TEMPERATURE, 2, 0, 2, 10 * MINUTE),
    Rule(AlarmKind.TILTED, 2, 0, 3, HOUR),
    Rule(AlarmKind.METER_JUMP, 1, 0, 2, DAY),
    Rule(AlarmKind.RELAY_FAILURE, 2, 0, 2, HOUR),
    Rule(AlarmKind.CLOCK_WRONG, 2, 0, 2, 10 * MINUTE),
    Rule(AlarmKind.RESTARTS, 1, 0, 2, 6 * HOUR),
    Rule(AlarmKind.DEVICE_SILENT, 1, 0, 1, 0),
)}


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Verdicts in a row about one fault, and since when."""

    bad: int = 0
    bad_ns: int = 0
    good: int = 0
    good_ns: int = 0
    facts: Facts = {}
    worse: int = 0  # severity above the rule's own


class Track(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of one lamp to judge what it says next; a few hundred bytes. Times in ns."""

    power_at: int = 0
    waiting: tuple[tuple[int, float], ...] = ()  # measurements whose level is not confirmed yet
    samples: tuple[tuple[int, float, float], ...] = ()  # level, watts, share of the expected power
    energy: tuple[int, float] = (0, 0.0)
    burnt: tuple[int, float] = (0, 0.0)
    starts: tuple[int, float] = (0, 0.0)
    tilt: float = -1.0  # as it was put up
    boots: tuple[int, ...] = ()
    seen: tuple[int, ...] = (0, 0, 0, 0, 0, 0)  # newest judged: voltage, factor, temperature, tilt, clock, level
    alone: float = 0.0  # share of its frames that one gateway alone has heard
    heard: int = 0
    lit: int = 0  # since when its level is above 0, without a restart
    gap: int = 0  # how long it is mostly silent between two reports
    marks: dict[str, Mark] = {}


@dataclass(frozen=True, slots=True)
class Want:
    """The level that is wanted, since when (ns), and whether a person wants it."""

    level: int
    since_ns: int
    override: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """A lamp and its surroundings at the time of judging. `expected(level)` is None where its power is not known; `day_ns`
    and `dark_ns`: since when the sun is above +3° or below -3°, 0 where it is not; `obeys`: it can be told a level."""

    state: DeviceState
    want: Want
    expected: Callable[[float], float | None]
    nominal_w: float
    least: int
    interval_ns: int
    day_ns: int
    dark_ns: int
    obeys: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one piece of evidence says of one fault; `worse`: by how much graver than the rule's own severity."""

    kind: AlarmKind
    bad: bool
    facts: Facts
    worse: int = 0


def due(track: Track, kind: AlarmKind, now_ns: int) -> bool:
    """Whether there is evidence enough for the fault to begin."""
    mark, rule = track.marks.get(kind.value), RULES[kind]
    return mark is not None and not mark.good and mark.bad >= rule.bad and now_ns - mark.bad_ns >= rule.hold


def over(track: Track, kind: AlarmKind, now_ns: int) -> bool:
    """Whether there is evidence enough for the fault to end."""
    mark, rule = track.marks.get(kind.value), RULES[kind]
    return mark is not None and mark.good >= rule.good and now_ns - mark.good_ns >= rule.calm


def forgotten(track: Track, kind: AlarmKind) -> Track:
    """Without its mark of this fault."""
    return msgspec.structs.replace(track, marks={name: mark for name, mark in track.marks.items() if name != kind.value})


def hinted(track: Track, kind: AlarmKind) -> bool | None:
    """Whether the newest evidence speaks for the fault; None without any."""
    mark = track.marks.get(kind.value)
    return None if mark is None else not mark.good


def limits(level: float) -> tuple[float, float]:
    """The shares of the expected power between which a lamp at this level is well."""
    share = min(max((level - 10) / 90, 0.0), 1.0)
    return LOW_LEAST + (LOW_FULL - LOW_LEAST) * share, HIGH_LEAST + (HIGH_FULL - HIGH_LEAST) * share


def least_factor(level: float) -> float:
    """The power factor below which a lamp at this level is not well."""
    for (low, first), (high, second) in pairwise(TALQ_PF):
        if low <= level <= high:
            curve = first + (second - first) * (level - low) / (high - low)
            return min(curve - PF_TOLERANCE, PF_MOST)
    return PF_MOST


def level_of(state: DeviceState) -> Last | None:
    """The level that the lamp says it obeys; of a model that says none, what else tells it."""
    for name in (LAMP_LEVEL.name, LAMP_ORDERED_LEVEL.name):
        if (known := state.last.get(name)) is not None:
            return known
    for name in (LAMP_LIT.name, LAMP_RELAY_CLOSED.name):
        if (known := state.last.get(name)) is not None:
            return Last(100.0 if known.value else 0.0, known.at_ns, known.since_ns)
    return None


def marked(marks: dict[str, Mark], verdict: Verdict, now_ns: int) -> dict[str, Mark]:
    """With one verdict more. A good one about what nobody has suspected changes nothing."""
    name, was = verdict.kind.value, marks.get(verdict.kind.value)
    if verdict.bad:
        bad = 1 if was is None or was.good else was.bad + 1
        since = was.bad_ns if was is not None and not was.good else now_ns
        return {**marks, name: Mark(min(bad, 99), since, 0, 0, verdict.facts, int(verdict.worse))}
    if was is None:
        return marks
    return {**marks, name: Mark(was.bad, was.bad_ns, min(was.good + 1, 99), was.good_ns if was.good else now_ns, was.facts,
                                was.worse)}


def severity(kind: AlarmKind, mark: Mark, *, crosswalk: bool) -> Severity:
    """How much a fault matters at this lamp: at a pedestrian crossing too little light is critical."""
    if crosswalk and kind in DARKENS:
        return Severity.CRITICAL
    return Severity(min(SEVERITY_OF[kind] + mark.worse, Severity.CRITICAL))
