"""What is programmed, from a request to the store: checked against the guard-rails, audited, written down. For JSON routes
and pages alike. A wish for darkness that would not be lawful beside what is programmed from now on ends with the change.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from api import intents
from api.audit import line
from api.auth import Actor
from city import guards
from city.errors import Conflict, NotFound
from city.groups import Group, Target
from city.guards import STANDARD, Finding, Limits
from city.ids import CalendarId, GroupId, ProgramId
from city.nights import evening_of
from city.places import Luminaire
from city.programs import SHIPPED, SHIPPED_CALENDARS, Assignment, Calendar, Program, Programming
from city.store.ports import TenantStore


def keep_program(town: TenantStore, program: Program, who: Actor, now: datetime, limits: Limits = STANDARD) -> Program:
    """Add or change a program. Raises Invalid where lamps that obey it may not."""
    _check_program(town, program, now)
    town.put_program(program, audited=line(who, now, "program", program.id, program.name))
    intents.settle(town, who.name, now, limits)
    return program


def drop_program(town: TenantStore, id: ProgramId, who: Actor, now: datetime, limits: Limits = STANDARD) -> None:
    """Take a program away; a shipped one comes back as it was shipped. Raises NotFound, Conflict while a calendar names it,
    Invalid where lamps may not obey what was shipped."""
    if id in SHIPPED:
        _check_program(town, SHIPPED[id], now)
    town.remove_program(id, audited=line(who, now, "remove program", id))
    intents.settle(town, who.name, now, limits)


def keep_calendar(town: TenantStore, calendar: Calendar, who: Actor, now: datetime, limits: Limits = STANDARD) -> Calendar:
    """Add or change a calendar. Raises NotFound for a program that does not exist, Invalid where lamps may not obey it."""
    _check_calendar(town, calendar, now)
    town.put_calendar(calendar, audited=line(who, now, "calendar", calendar.id, calendar.name))
    intents.settle(town, who.name, now, limits)
    return calendar


def drop_calendar(town: TenantStore, id: CalendarId, who: Actor, now: datetime, limits: Limits = STANDARD) -> None:
    """Take a calendar away; a shipped one comes back as it was shipped. Raises as `drop_program`, while it is assigned."""
    if id in SHIPPED_CALENDARS:
        _check_calendar(town, SHIPPED_CALENDARS[id], now)
    town.remove_calendar(id, audited=line(who, now, "remove calendar", id))
    intents.settle(town, who.name, now, limits)


def assign(town: TenantStore, target: Target, calendar: CalendarId | None, who: Actor, now: datetime,
           limits: Limits = STANDARD) -> Sequence[Finding]:
    """Let a calendar apply. Returns what is worth knowing; raises NotFound, Invalid where lamps may not obey it."""
    lamps = intents.lamps_of(town, [target])
    found = preview_assignment(town, target, calendar, lamps, now)
    guards.refuse(found)
    town.assign(target, calendar, who.name, now,
                audited=line(who, now, "assign calendar", str(target), calendar or "none of its own"))
    intents.settle(town, who.name, now, limits)
    return found


def preview_assignment(town: TenantStore, target: Target, calendar: CalendarId | None, lamps: Collection[Luminaire],
                       now: datetime) -> Sequence[Finding]:
    """What an assignment would run into. Raises NotFound where the town has no such calendar."""
    before = town.programming()
    if calendar is not None and calendar not in before.calendars:
        raise NotFound("There is no calendar “{calendar}”.", field="calendar", rule="exists", calendar=calendar)
    others = tuple(one for one in before.assignments if one.target != target)
    new = () if calendar is None else (Assignment(target, calendar, now, ""),)
    after = replace(before, assignments=(*others, *new))
    return findings(after, lamps, after.programs.values(), now)


def keep_group(town: TenantStore, group: Group, who: Actor, now: datetime, limits: Limits = STANDARD) -> Group:
    """Add or change a group. Raises NotFound for a lamp that the town does not have, Invalid where a lamp that is new in it,
    or no longer, must not obey the calendar that then holds for it, Conflict where a lamp would come under a wish that nobody
    has weighed for it."""
    intents.lamps_of(town, [Target("lamp", member) for member in group.members])
    before, lamps = town.programming(), town.luminaires()
    after = replace(before, groups=MappingProxyType({**before.groups, group.id: group}))
    old = before.groups.get(group.id)
    _not_while_dimmed(town, old, group, lamps, now)
    concerned = [lamp for lamp in lamps if group.covers(lamp) or (old is not None and old.covers(lamp))]
    guards.refuse(findings(after, concerned, after.programs.values(), now))
    town.put_group(group, audited=line(who, now, "group", group.id, group.name))
    intents.settle(town, who.name, now, limits)
    return group


def drop_group(town: TenantStore, id: GroupId, who: Actor, now: datetime, limits: Limits = STANDARD) -> None:
    """Take a group away: no wish for it covers any lamp from then on. Raises NotFound, Conflict while a calendar is assigned
    to it."""
    town.remove_group(id, audited=line(who, now, "remove group", id))
    intents.settle(town, who.name, now, limits)


def _not_while_dimmed(town: TenantStore, before: Group | None, after: Group, lamps: Iterable[Luminaire],
                      now: datetime) -> None:
    """The guard-rails, the typed number and the second person saw the lamps that were in the group then."""
    target = Target("group", after.id)
    dims = any(target in wish.targets and wish.level not in (None, 100) and wish.ended_at is None
               for wish in town.overrides_from(now))
    if dims and any(after.covers(lamp) and (before is None or not before.covers(lamp)) for lamp in lamps):
        raise Conflict("People dim the group “{group}” just now, or will: no lamp can join it before that has ended.",
                       field="members", rule="not dimmed", group=after.id)


def findings(programming: Programming, lamps: Iterable[Luminaire], programs: Iterable[Program],
             now: datetime) -> tuple[Finding, ...]:
    """What lamps run into that obey one of these programs on some night."""
    obeying: dict[ProgramId, list[Luminaire]] = {program.id: [] for program in programs}
    for lamp in lamps:
        for name in programming.calendar_of(lamp).programs() & obeying.keys():
            obeying[name].append(lamp)
    return tuple(finding for name, some in obeying.items() if some
                 for finding in guards.check_programs([programming.program(name)], some, programming.site, now))


def tonight(town: TenantStore, lamps: Iterable[Luminaire], now: datetime) -> str:
    """The names of the programs that these lamps obey in the night around `now`."""
    programming = town.programming()
    evening = evening_of(now)
    return ", ".join(sorted({programming.program_of(lamp, evening).name for lamp in lamps}))


def _check_program(town: TenantStore, program: Program, now: datetime) -> None:
    """Raises Invalid where lamps that would obey it may not."""
    before = town.programming()
    after = replace(before, programs=MappingProxyType({**before.programs, program.id: program}))
    guards.refuse(findings(after, town.luminaires(), [program], now))


def _check_calendar(town: TenantStore, calendar: Calendar, now: datetime) -> None:
    """Raises NotFound for a program that does not exist, Invalid where lamps that would obey it may not."""
    before = town.programming()
    named = _programs(before, calendar)
    after = replace(before, calendars=MappingProxyType({**before.calendars, calendar.id: calendar}))
    guards.refuse(findings(after, town.luminaires(), named, now))


def _programs(programming: Programming, calendar: Calendar) -> list[Program]:
    missing = sorted(name for name in calendar.programs() if name not in programming.programs)
    if missing:
        raise NotFound("There is no program “{program}”.", field="program", rule="exists", program=missing[0])
    return [programming.programs[name] for name in calendar.programs()]
