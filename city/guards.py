"""Guard-rails before a wish for light is written down: each finding names its rule and says in a sentence what it is about.

What is wanted of all lamps *after* the wish is judged, not the wish alone: many small wishes are stopped where one large one
would be. Sources: EN 13201-2:2015, DIN 67523 and R-FGÜ 2001 (crossings), StVO sign 394 (Laternenring), the uniformity that
EN 13201 asks for (no alternate lamps); the rest are rules of good operation whose numbers are settings.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as made
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import pairwise
from math import cos, hypot, radians

from city.airtime import RX2_DR
from city.errors import Invalid
from city.floors import DARK_BELOW, EARLY, FULL, LATE, core, dark_in_core, floor_key, lamp_floor, lawful
from city.groups import Target, resolve
from city.ids import AssetId, CircuitId
from city.lighting import Override
from city.nights import Night, curve
from city.places import Luminaire, Site
from city.programs import Program, Programming
from city.settings import Guards
from city.wants import Wants


class Weight(Enum):
    """What a finding asks for."""

    REFUSED = "refused"
    SECOND = "second person"
    TYPED = "typed confirmation"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a wish runs into. `message` with `facts` is the sentence; `field` is what of the wish it is about."""

    weight: Weight
    rule: str
    field: str
    message: str
    facts: Mapping[str, object] = made(default_factory=dict)

    def error(self) -> Invalid:
        """The finding as a refusal."""
        return Invalid(self.message, field=self.field, rule=self.rule, **self.facts)


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of a town's guard-rails. `hours`: how long a wish of each role may last. `rx2_dr`: the data rate of class C,
    by which a wish is priced where nothing was sent yet."""

    typed_above: int = 200
    second_above: int = 1000
    dark_share: float = 0.5
    dark_least: int = 4
    hours: Mapping[str, int] = made(default_factory=lambda: {"operator": 24, "engineer": 7 * 24, "admin": 31 * 24})
    rx2_dr: int = RX2_DR


    @classmethod
    def of(cls, settings: Guards, rx2_dr: int = RX2_DR) -> "Limits":
        """As they are set."""
        return cls(settings.typed_above, settings.second_above, settings.dark_percent / 100, hours={
            "operator": settings.operator_hours, "engineer": settings.engineer_hours, "admin": settings.admin_hours},
                   rx2_dr=rx2_dr)


STANDARD = Limits()
MOST_MOMENTS = 100
PAIR = 2
NEIGHBOUR_M = 80.0  # farther lamps are no neighbours in a street
ALTERNATE = 1 / 3  # of the darkened lamps with a burning neighbour on both sides: a pattern, not an edge
_METRES = 111_195.0  # a degree of latitude


@dataclass(frozen=True, slots=True)
class Case:
    """A wish, the `lamps` that it covers out of `town`, what is programmed, and the `others`' wishes that have not ended.
    `role` is the actor's."""

    wish: Override
    lamps: Sequence[Luminaire]
    town: Sequence[Luminaire]
    programming: Programming
    others: Sequence[Override]
    role: str
    now: datetime

    def nights(self) -> Iterator[Night]:
        """The nights that the wish lasts into."""
        night = Night.around(self.wish.start, self.programming.site)
        while night.noon < self.wish.end:
            yield night
            night = Night.around(night.next_noon + timedelta(hours=1), night.site)

    def moments(self) -> list[datetime]:
        """The times in the core of a night at which something else begins to be wished while the wish holds, or programs light
        lamps or put them out: whatever holds between them holds at one of them."""
        wish = self.wish
        turns = {wish.start, *(at for other in self.holding() for at in (other.start, other.end) if wish.start < at < wish.end)}
        found: set[datetime] = set()
        for night in self.nights():
            begin, end = (max(core(night)[0], wish.start), min(core(night)[1], wish.end))
            if begin < end:
                found |= {max(at, begin) for at in turns if at < end}
                found |= {at for at in self._switching(night) if begin < at < end}
        return sorted(found)

    def _switching(self, night: Night) -> Iterator[datetime]:
        """When any program that may hold somewhere in the town in this night lights lamps, or puts them out."""
        for program in self.programming.programs_of(night.evening):
            changes = curve(program, night)
            yield from (after.at for before, after in pairwise(changes)
                        if (before.level < DARK_BELOW) != (after.level < DARK_BELOW))

    def dimmed(self) -> int:
        """How many lamps the actor would dim at a time without asking a second person, this wish included."""
        wish, named = self.wish, set[Target]()
        for one in self.others:
            if one.actor == wish.actor and not one.needs_second and dims(one) and one.start < wish.end and wish.start < one.end:
                named |= {*one.targets}
        more = resolve(named, self.town, self.programming.groups) if named else ()
        return len({lamp.id for lamp in (*self.lamps, *more)})

    def holding(self) -> list[Override]:
        """The others that have to be reckoned with: darkness may still be approved, light that nobody has approved is none."""
        return [one for one in self.others if not one.pending or is_dark(one)]


def dims(wish: Override) -> bool:
    """Whether less than all light is wished for."""
    return wish.level is not None and wish.level < FULL


def is_dark(wish: Override) -> bool:
    """Whether nobody would see the light that is wished for."""
    return wish.level is not None and wish.level < DARK_BELOW


def check(case: Case, limits: Limits = STANDARD) -> tuple[Finding, ...]:
    """All that the wish runs into; nothing for "as programmed", and an emergency is only asked for its end."""
    wish = case.wish
    if not case.lamps:
        return (Finding(Weight.REFUSED, "has lamps", "targets", "There is no lamp to dim here."),)
    found = [*_duration(case, limits)]
    if wish.emergency or wish.level is None:
        return tuple(found)
    found += _crosswalk(case)
    found += _dark(case, limits) if is_dark(wish) else _floor(case)
    found += _many(case, limits)
    return tuple(found)


def refuse(findings: Iterable[Finding]) -> None:
    """Raises Invalid for the first finding that refuses."""
    for finding in findings:
        if finding.weight is Weight.REFUSED:
            raise finding.error()


def left_wrong(town: Sequence[Luminaire], programming: Programming, wishes: Iterable[Override], now: datetime,
               limits: Limits = STANDARD) -> list[Override]:
    """The wishes for darkness, newest first, that must end because something else has changed: what another one covered shows
    again, what was dark with others is dark alone, or every second of what was dark is lit."""
    kept = [wish for wish in wishes if wish.ended_at is None and wish.end > now]
    ending: list[Override] = []
    for wish in sorted(kept, key=lambda one: one.age, reverse=True):
        if not is_dark(wish):
            continue
        others = [one for one in kept if one is not wish and one not in ending]
        lamps = resolve(wish.targets, town, programming.groups)
        case = Case(replace(wish, start=max(wish.start, now)), lamps, town, programming, others, "admin", now)
        if lamps and any(finding.weight is Weight.REFUSED for finding in _dark(case, limits)):
            ending.append(wish)
    return ending


def _duration(case: Case, limits: Limits) -> Iterator[Finding]:
    hours = limits.hours.get(case.role, min(limits.hours.values()))
    if case.wish.end - case.now > timedelta(hours=hours):
        yield Finding(Weight.REFUSED, f"≤ {hours} h", "until", "As {role} you may override for at most {hours} hours.",
                      {"role": case.role, "hours": hours})


def _crosswalk(case: Case) -> Iterator[Finding]:
    kept = [lamp for lamp in case.lamps if not case.wish.concerns(lamp)]
    if not kept:
        return
    facts = {"lamp": kept[0].name, "lamps": len(kept)}
    if len(kept) == len(case.lamps):
        yield Finding(Weight.REFUSED, "DIN 67523", "level", "Lamp {lamp} lights a pedestrian crossing and is never dimmed.",
                      facts)
    else:
        yield Finding(Weight.NOTICE, "DIN 67523", "level",
                      "{lamps} lamps, {lamp} among them, light a pedestrian crossing and burn on as programmed.", facts)


def _floor(case: Case) -> Iterator[Finding]:
    level = case.wish.level or 0
    late, early = _times(case)
    floors = [(max(lamp_floor(lamp) if early else 0, lamp_floor(lamp, late=True) if late else 0), lamp)
              for lamp in case.lamps if case.wish.concerns(lamp)]
    floor, lamp = max(floors, key=lambda one: one[0], default=(0, None))
    if lamp is not None and level < floor:
        yield Finding(Weight.REFUSED, "floor" if lamp.min_level >= floor else "EN 13201", "level",
                      "Lamp {lamp} may not burn below {floor} %.",
                      {"lamp": lamp.name, "floor": floor, "lamps": sum(one > level for one, _ in floors)})


def _times(case: Case) -> tuple[bool, bool]:
    """Whether the wish holds late at night, and whether in the evening or morning, while it is dark at all."""
    late = evening = False
    for night in case.nights():
        begin, end = max(case.wish.start, night.sunset), min(case.wish.end, night.sunrise)
        if begin < end:
            from_, until = night.clock(LATE), night.clock(EARLY)
            late |= max(begin, from_) < min(end, until)
            evening |= begin < from_ or end > until
    return late, evening


def _dark(case: Case, limits: Limits) -> Iterator[Finding]:
    moments = case.moments()
    if not moments:
        return
    unmarked = [lamp for lamp in case.lamps if case.wish.concerns(lamp) and not lamp.lantern_ring]
    if unmarked:
        yield Finding(Weight.REFUSED, "StVO 394", "level", "Lamp {lamp} has no Laternenring: it may not be put out at night.",
                      {"lamp": unmarked[0].name, "lamps": len(unmarked)})
    if len(moments) > MOST_MOMENTS:
        yield Finding(Weight.REFUSED, f"≤ {MOST_MOMENTS} changes", "until",
                      "Overrides and programs switch lamps more than {most} times meanwhile: end some, or shorten this one.",
                      {"most": MOST_MOMENTS})
    findings: dict[str, Finding] = {}
    for at in moments[:MOST_MOMENTS]:
        picture = _Picture(case, at)
        for finding in (*_alternating(case, picture), *_blackout(case, picture, limits)):
            findings.setdefault(finding.rule, finding)
    yield from findings.values()
    yield Finding(Weight.SECOND, "two persons", "level", "Putting lamps out at night needs a second person.")


class _Picture:
    """What the lamps of the town would do at a time if the wish held, and the others that have to be reckoned with."""

    def __init__(self, case: Case, at: datetime) -> None:
        wishes = [replace(one, needs_second=False) for one in (*case.holding(), case.wish)]
        wants = Wants(case.programming, wishes, at)
        self.level: dict[AssetId, int] = {}
        self.wished: set[AssetId] = set()
        for lamp in case.town:
            want = wants.of(lamp)
            self.level[lamp.id] = want.level
            if want.reason == "override" and want.level < DARK_BELOW:
                self.wished.add(lamp.id)


def _blackout(case: Case, picture: _Picture, limits: Limits) -> Iterator[Finding]:
    """Never too large a share of a circuit in the dark by wishes, whoever has put out the rest of it."""
    covered = {lamp.circuit for lamp in case.lamps if lamp.circuit}
    by_circuit: dict[CircuitId, list[Luminaire]] = defaultdict(list)
    for lamp in case.town:
        if lamp.circuit is not None and lamp.circuit in covered:
            by_circuit[lamp.circuit].append(lamp)
    for circuit, lamps in sorted(by_circuit.items()):
        dark, most = sum(lamp.id in picture.wished for lamp in lamps), int(limits.dark_share * len(lamps))
        if len(lamps) >= limits.dark_least and dark > most:
            yield Finding(Weight.REFUSED, "blackout protection", "targets",
                          "{dark} of the {all} lamps of circuit {circuit} would be dark; at most {most} may be.",
                          {"dark": dark, "all": len(lamps), "circuit": circuit, "most": most})


def _alternating(case: Case, picture: _Picture) -> Iterator[Finding]:
    """Lamps that would be dark between two that burn, if so many are that it is a pattern."""
    dark = [lamp for lamp in case.town if lamp.id in picture.wished]
    near = _Near(case.town)
    between = [lamp for lamp in dark if len(two := near.two(lamp)) == PAIR
               and all(picture.level[other.id] >= DARK_BELOW for other in two)]
    if len(between) >= PAIR and len(between) > ALTERNATE * len(dark):
        yield Finding(Weight.REFUSED, "EN 13201 uniformity", "targets",
                      "Every second lamp would be dark, as {lamp}: dim all of them equally instead.",
                      {"lamp": between[0].name})


class _Near:
    """The nearest lamps of a lamp, found in squares of the neighbour distance."""

    def __init__(self, lamps: Iterable[Luminaire]) -> None:
        self._squares: dict[tuple[int, int], list[Luminaire]] = defaultdict(list)
        for lamp in lamps:
            self._squares[_square(lamp.site)].append(lamp)

    def two(self, lamp: Luminaire) -> list[Luminaire]:
        """The two nearest within the neighbour distance."""
        x, y = _square(lamp.site)
        found = [(distance_m(lamp.site, other.site), other.id, other) for i in (-1, 0, 1) for j in (-1, 0, 1)
                 for other in self._squares.get((x + i, y + j), ()) if other.id != lamp.id]
        return [other for metres, _, other in sorted(found, key=lambda one: one[:2])[:PAIR] if metres <= NEIGHBOUR_M]


def distance_m(one: Site, other: Site) -> float:
    """Metres between two sites of a town (flat earth)."""
    east = (one.longitude - other.longitude) * cos(radians(one.latitude))
    return hypot(one.latitude - other.latitude, east) * _METRES


def _square(site: Site) -> tuple[int, int]:
    return (int(site.latitude * _METRES // NEIGHBOUR_M),
            int(site.longitude * cos(radians(round(site.latitude, 1))) * _METRES // NEIGHBOUR_M))


def _many(case: Case, limits: Limits) -> Iterator[Finding]:
    lamps = len(case.lamps)
    if (case.dimmed() if dims(case.wish) else lamps) > limits.second_above:
        yield Finding(Weight.SECOND, f"> {limits.second_above} lamps", "targets",
                      "More than {most} lamps at once need a second person.", {"most": limits.second_above})
    if lamps > limits.typed_above:
        yield Finding(Weight.TYPED, f"> {limits.typed_above} lamps", "confirm",
                      "Type the number of lamps, {lamps}, to show that you mean it.", {"lamps": lamps})


def check_programs(programs: Collection[Program], lamps: Sequence[Luminaire], site: Site, now: datetime) -> tuple[Finding, ...]:
    """What lamps would run into if they were to obey these programs: at night dark only with the Laternenring, crossings
    never dimmed, and where the law wants more light than a program gives, that they will burn brighter."""
    around = Night.around(now, site)
    nights = [around, *(Night.of(date(around.evening.year, month, 21), site) for month in (3, 6, 9, 12))]
    found: list[Finding] = []
    for program in programs:
        curves = [(night, curve(program, night)) for night in nights]
        unmarked = [lamp for lamp in lamps if not lamp.lantern_ring]
        if unmarked and any(dark_in_core(changes, night) for night, changes in curves):
            found.append(Finding(Weight.REFUSED, "StVO 394", "program",
                                 "“{program}” is dark at night, and lamp {lamp} has no Laternenring.",
                                 {"program": program.name, "lamp": unmarked[0].name, "lamps": len(unmarked)}))
            continue
        raised = [lamp for lamp in _one_of_each(lamps)
                  if any(lawful(changes, lamp, night) != changes for night, changes in curves)]
        keys = {floor_key(lamp) for lamp in raised}
        number = sum(floor_key(lamp) in keys for lamp in lamps)
        if number:
            found.append(Finding(Weight.NOTICE, "EN 13201", "program",
                                 "{lamps} lamps, {lamp} among them, will burn brighter than “{program}” says: the law asks more.",
                                 {"lamps": number, "lamp": raised[0].name, "program": program.name}))
    return tuple(found)


def _one_of_each(lamps: Iterable[Luminaire]) -> list[Luminaire]:
    return list({floor_key(lamp): lamp for lamp in lamps}.values())
