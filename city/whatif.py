"""What lamps would use in a year under what is programmed: before a program is activated, and against what holds now.

E = sum over nights and steps of P_expected(level) · duration, within the lamps' lawful floors. Overrides are nobody's plan and
do not count; a fade counts as the step that it leads to. Lamps that must obey the same floors and the same programs are
reckoned as one, so that three thousand lamps cost hardly more than ten.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache

from city.expected import Learnt, expected_power
from city.factors import Factor, FactorKind, Factors
from city.floors import DARK_BELOW, EARLY, FULL, LATE, core, lamp_floor
from city.ids import AssetId, CalendarId, CircuitId, ProgramId, TenantId, ZoneId
from city.nights import Night, curve
from city.places import Luminaire, Site
from city.programs import STANDARD, Calendar, Program, Programming

NIGHTS = 365
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class YearOfUse:
    """What some lamps use in 365 nights. `burn_h`: hours of burning of all of them together. `undimmed_wh`: what those hours
    would take at 100 %. `unknown`: lamps without a nominal power; they burn, and their energy is left out."""

    lamps: int
    unknown: int
    wh: float
    undimmed_wh: float
    burn_h: float

    @property
    def kwh(self) -> float:
        return self.wh / 1000

    @property
    def saved_share(self) -> float:
        """Of the undimmed energy: 0.25 is a quarter less; below 0 where standby takes more than dimming saves."""
        return 1 - self.wh / self.undimmed_wh if self.undimmed_wh else 0.0

    @property
    def hours_per_lamp(self) -> float:
        return self.burn_h / self.lamps if self.lamps else 0.0


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A year from `first` on, as programmed now and as it would be; `before` and `after` are the same lamps'."""

    first: date
    before: YearOfUse
    after: YearOfUse
    co2: Factor
    price: Factor

    @property
    def saved_kwh(self) -> float:
        """Less than now; negative: more."""
        return self.before.kwh - self.after.kwh

    @property
    def saved_co2_kg(self) -> float:
        return self.saved_kwh * self.co2.value / 1000

    @property
    def saved_eur(self) -> float:
        return self.saved_kwh * self.price.value


@dataclass(frozen=True, slots=True)
class Terms:
    """What a reckoning needs beside what is programmed: the first evening, what lamps have been seen to draw, and the
    circuits whose lamps have no power by day, and so no standby."""

    first: date
    learnt: Learnt = field(default_factory=dict)
    night_switched: Collection[CircuitId] = ()


def year_of(programming: Programming, lamps: Iterable[Luminaire], terms: Terms) -> YearOfUse:
    """What these lamps, which are of the town, use in 365 nights from `terms.first` on."""
    hours = _Hours(programming, terms.first)
    alike: dict[tuple[_Watts, _Levels], int] = defaultdict(int)
    levels: dict[tuple[CalendarId, _Rule], _Levels] = {}
    for lamp in lamps:
        key = programming.calendar_of(lamp).id if hours.by_lamp else hours.calendar_of(lamp), _rule(lamp)
        found = levels.get(key)
        if found is None:
            found = levels[key] = hours.of(key[0], lamp)
        dark = lamp.circuit is None or lamp.circuit not in terms.night_switched
        alike[_Watts(lamp.power_w, lamp.luminaire_type, standby=dark), found] += 1
    return _sum(alike, terms.learnt)


def with_program(programming: Programming, program: Program) -> Programming:
    """As it is, with this program new or in the place of its former version."""
    return replace(programming, programs={**programming.programs, program.id: program})


def always(programming: Programming, program: Program) -> Programming:
    """Every lamp obeys this program every night."""
    calendar = Calendar(STANDARD.id, program.name, program.id)
    return Programming(programming.site, programming.land, {program.id: program}, {calendar.id: calendar})


def compare(before: Programming, after: Programming, lamps: Collection[Luminaire], terms: Terms,
            factors: Factors) -> WhatIf:
    """The same lamps under both; the figures are those of the first evening."""
    return WhatIf(terms.first, year_of(before, lamps, terms), year_of(after, lamps, terms),
                  factors.at(FactorKind.CO2, terms.first), factors.at(FactorKind.PRICE, terms.first))


@dataclass(frozen=True, slots=True)
class _Watts:
    """What says what a lamp draws."""

    power_w: float | None
    luminaire_type: str
    standby: bool


_Levels = tuple[tuple[int, float], ...]  # level, seconds of the year; in order of level
_Rule = tuple[int, int, bool]  # floors in the evening and late, whether it may go dark


class _Hours:
    """For how long which levels are wanted in the year, by calendar and floors."""

    def __init__(self, programming: Programming, first: date) -> None:
        self._programming, self._first = programming, first
        self.by_lamp = any(one.target.kind in ("lamp", "group") for one in programming.assignments)
        self._calendars: dict[tuple[ZoneId, CircuitId | None], CalendarId] = {}
        self._nights: dict[CalendarId, dict[ProgramId, tuple[date, ...]]] = {}

    def calendar_of(self, lamp: Luminaire) -> CalendarId:
        """Where no lamp has one of its own: asked once for each place."""
        place = lamp.zone, lamp.circuit
        if place not in self._calendars:
            self._calendars[place] = self._programming.calendar_of(lamp).id
        return self._calendars[place]

    def of(self, calendar: CalendarId, lamp: Luminaire) -> _Levels:
        total: dict[int, float] = defaultdict(float)
        for name, evenings in self._programs(calendar, lamp).items():
            raw = _raw(self._programming.program(name), self._programming.site, evenings, lamp.lantern_ring)
            for level, seconds in _within(raw, _rule(lamp)):
                total[level] += seconds
        return tuple(sorted(total.items()))

    def _programs(self, calendar: CalendarId, lamp: Luminaire) -> Mapping[ProgramId, tuple[date, ...]]:
        """On which evenings which program holds."""
        if calendar not in self._nights:
            found: dict[ProgramId, list[date]] = defaultdict(list)
            rules, land = self._programming.calendar_of(lamp), self._programming.land
            for number in range(NIGHTS):
                evening = self._first + number * _DAY
                found[rules.on(evening, land)].append(evening)
            self._nights[calendar] = {name: tuple(evenings) for name, evenings in found.items()}
        return self._nights[calendar]


def _rule(lamp: Luminaire) -> _Rule:
    return lamp_floor(lamp), lamp_floor(lamp, late=True), lamp.lantern_ring


def _within(raw: "_Raw", rule: _Rule) -> _Levels:
    """What becomes of a year's hours under a lamp's floors; as city.floors.lawful does it night by night."""
    early, late, _ = rule
    total: dict[int, float] = defaultdict(float)
    for (level, at_late, lit, lit_late), seconds in raw:
        floor = late if at_late else early
        if level >= DARK_BELOW:
            level = max(level, floor)
        elif lit is not None:
            level = max(lit, late if lit_late else early, floor)
        total[level] += seconds
    return tuple(sorted(total.items()))


# The hours of a program, before floors: its level; whether late at night; and, for those in which it wants the dark where no
# lamp without a Laternenring may be dark, the level at which it burnt before (100 where it did not) and whether that was late.
_Key = tuple[int, bool, int | None, bool]
_Raw = tuple[tuple[_Key, float], ...]


@lru_cache(maxsize=256)
def _raw(program: Program, site: Site, evenings: tuple[date, ...], ring: bool) -> _Raw:
    total: dict[_Key, float] = defaultdict(float)
    for evening in evenings:
        for key, seconds in _pieces(program, Night.of(evening, site), ring=ring):
            total[key] += seconds
    return tuple(total.items())


def _pieces(program: Program, night: Night, *, ring: bool) -> Iterator[tuple[_Key, float]]:
    begin, end = core(night)
    from_late, to_late = night.clock(LATE), night.clock(EARLY)
    changes = curve(program, night)
    inner = {at for at in (from_late, to_late, begin) if night.noon < at < night.next_noon}
    times = sorted(inner.union(change.at for change in changes))
    lit, lit_late, level, steps = FULL, False, 0, {change.at: change.level for change in changes}
    for at, after in zip(times, [*times[1:], night.next_noon], strict=True):
        level, late = steps.get(at, level), from_late <= at < to_late
        seconds = (after - at).total_seconds()
        if level >= DARK_BELOW:
            lit, lit_late = level, late
        forbidden = level < DARK_BELOW and not ring and begin <= at < end
        yield (level, late, lit, lit_late) if forbidden else (level, late, None, False), seconds


def _sum(alike: Mapping[tuple[_Watts, _Levels], int], learnt: Learnt) -> YearOfUse:
    lamps = unknown = 0
    wh = undimmed = hours = 0.0
    watts: dict[tuple[_Watts, int], float] = {}
    for (draws, levels), count in alike.items():
        lit = sum(seconds for level, seconds in levels if level) / 3600
        lamps, hours = lamps + count, hours + count * lit
        if draws.power_w is None:
            unknown += count
            continue
        for level in (FULL, *(level for level, _ in levels)):
            if (draws, level) not in watts:
                watts[draws, level] = _watts(draws, level, learnt)
        wh += count * sum(watts[draws, level] * seconds for level, seconds in levels) / 3600
        undimmed += count * watts[draws, FULL] * lit
    return YearOfUse(lamps, unknown, wh, undimmed, hours)


def _watts(draws: _Watts, level: int, learnt: Learnt) -> float:
    if not level and not draws.standby:
        return 0.0
    return expected_power(replace(_NOBODY, power_w=draws.power_w, luminaire_type=draws.luminaire_type), level, learnt) or 0.0


_NOBODY = Luminaire(TenantId(""), AssetId(""), "", Site(0, 0), ZoneId(""))
