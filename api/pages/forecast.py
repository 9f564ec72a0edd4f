"""What comes of a program or a calendar before it holds: guard-rails, energy, what lamps cannot hold, and the next nights."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from api import programming as changes
from api.i18n import ngettext, translate
from api.pages import program_words as words
from api.pages.curves import drawing
from api.pages.program_contexts import NightPicture, Option, OptionGroup, Said
from city.floors import floor_key, lawful
from city.groups import TOWN, Target, resolve
from city.guards import Finding
from city.ids import CalendarId, ProgramId
from city.nights import Night, curve
from city.places import Luminaire, Site
from city.programs import Program, Programming
from city.store.ports import TenantStore
from city.store.programmed import known_targets

NIGHTS = 14


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


def by_calendar(programming: Programming, lamps: Iterable[Luminaire]) -> Mapping[CalendarId, Sequence[Luminaire]]:
    """The lamps by the calendar that holds for them; one look-up for all of a place where no lamp is meant alone."""
    alone = any(one.target.kind in ("lamp", "group") for one in programming.assignments)
    known: dict[object, CalendarId] = {}
    found: dict[CalendarId, list[Luminaire]] = defaultdict(list)
    for lamp in lamps:
        key = lamp.id if alone else (lamp.zone, lamp.circuit)
        if key not in known:
            known[key] = programming.calendar_of(lamp).id
        found[known[key]].append(lamp)
    return found


def obeying(programming: Programming, lamps: Iterable[Luminaire], program: ProgramId) -> list[Luminaire]:
    """The lamps that obey a program on some night."""
    return [lamp for calendar, some in by_calendar(programming, lamps).items()
            if program in programming.calendars[calendar].programs() for lamp in some]


def said(language: str, findings: Iterable[Finding]) -> list[Said]:
    """Findings in words, each once."""
    found = [Said(one.weight.value, translate(language, one.message, **one.facts), one.rule) for one in findings]
    return list(dict.fromkeys(found))


def lamps_of(town: TenantStore, programming: Programming, target: Target, every: Sequence[Luminaire]) -> Sequence[Luminaire]:
    """The lamps of a target out of `every` lamp of the town. Raises NotFound for what the town does not have."""
    if target == TOWN:
        return every
    existing = {"group": programming.groups, "lamp": {lamp.id for lamp in every}, "zone": {zone.id for zone in town.zones()},
                "circuit": {circuit.id for circuit in town.circuits()}}
    known_targets([target], existing)
    return resolve([target], every, programming.groups)


def with_program(programming: Programming, program: Program) -> Programming:
    """What would be programmed if this were kept."""
    return replace(programming, programs={**programming.programs, program.id: program})


def nights_of(program: Program, lamps: Sequence[Luminaire], first: date, site: Site, language: str) -> list[NightPicture]:
    """The next nights under one program; beside it what the law makes of it for the most frequent sort of lamp that it
    asks more of."""
    kinds = Counter(floor_key(lamp) for lamp in lamps)
    one_of_each = {floor_key(lamp): lamp for lamp in lamps}
    ordered = [one_of_each[key] for key, _number in kinds.most_common()]
    pictures = []
    for night in coming(first, site):
        wanted = curve(program, night)
        law = next((kept for lamp in ordered if (kept := lawful(wanted, lamp, night)) != wanted), ())
        pictures.append(NightPicture(night.evening, drawing(wanted, night, law), words.evening(language, night.evening)))
    return pictures


def nights_as_programmed(programming: Programming, lamps: Sequence[Luminaire], first: date, language: str) -> list[NightPicture]:
    """The next nights of some lamps: the curve that most of them follow within the law, and what holds for the others."""
    sorts: Counter[tuple[CalendarId, object]] = Counter()
    samples: dict[tuple[CalendarId, object], Luminaire] = {}
    for calendar, some in by_calendar(programming, lamps).items():
        for lamp in some:
            key = calendar, floor_key(lamp)
            sorts[key] += 1
            samples[key] = lamp
    nights = coming(first, programming.site) if lamps else []
    return [_picture(programming, sorts, samples, night, language) for night in nights]


def coming(first: date, site: Site, number: int = NIGHTS) -> list[Night]:
    """So many nights from `first` on."""
    return [Night.of(first + timedelta(days=days), site) for days in range(number)]


def tonight(now: datetime, site: Site) -> date:
    """The evening of the night around now."""
    return Night.around(now, site).evening


def targets(language: str, town: TenantStore, programming: Programming, *, lamps: Sequence[Luminaire] = ()) -> list[OptionGroup]:
    """All that a calendar can be given to, by kind; single lamps only those that are named."""
    kinds: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("zone", _("Zones"), [(zone.id, zone.name) for zone in town.zones()]),
        ("circuit", _("Circuits"), [(one.id, one.name or one.id) for one in town.circuits()]),
        ("group", _("Groups"), [(one.id, one.name) for one in programming.groups.values()]),
        ("lamp", _("Single lamps"), [(one.id, one.name) for one in lamps])]
    found = [OptionGroup("", (Option(str(TOWN), translate(language, _("the whole town"))),))]
    for kind, text, rows in kinds:
        if rows:
            found.append(OptionGroup(translate(language, text), tuple(Option(f"{kind}:{number}", name) for number, name in rows)))
    return found


def findings_for(language: str, programming: Programming, lamps: Sequence[Luminaire], programs: Iterable[Program],
                 now: datetime) -> list[Said]:
    """What lamps run into that obey these programs on some night under this programming."""
    return said(language, changes.findings(programming, lamps, programs, now))


def _picture(programming: Programming, sorts: Counter[tuple[CalendarId, object]],
             samples: Mapping[tuple[CalendarId, object], Luminaire], night: Night, language: str) -> NightPicture:
    held: Counter[ProgramId] = Counter()
    for (calendar, _key), number in sorts.items():
        held[programming.calendars[calendar].on(night.evening, programming.land)] += number
    most = held.most_common(1)[0][0]
    key = max((one for one in sorts if programming.calendars[one[0]].on(night.evening, programming.land) == most),
              key=lambda one: sorts[one])
    program = programming.program(most)
    wanted = lawful(curve(program, night), samples[key], night)
    others = sum(held.values()) - held[most]
    quiet = ngettext(language, "{n} lamp by another program", "{n} lamps by other programs", others) if others else ""
    return NightPicture(night.evening, drawing(wanted, night), words.evening(language, night.evening), program.name, quiet)
