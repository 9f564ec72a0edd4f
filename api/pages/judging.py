"""What a change of programs would mean in energy, and what the lamps' own controllers cannot hold of it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from api.i18n import translate
from api.pages.program_contexts import Held, Saving
from city.floors import floor_key
from city.groups import Target
from city.ids import CalendarId
from city.nights import evening_of
from city.places import Luminaire, Supply
from city.programs import STANDARD, Assignment, Calendar, Program, Programming
from city.store.ports import TenantStore
from city.whatif import Terms, compare
from firmware_config.compile import compiled, measured


def only(programming: Programming, program: Program) -> Programming:
    """The programming under which this program holds every night, for every lamp."""
    return under(programming, Calendar(STANDARD.id, program.name, program.id), program)


def under(programming: Programming, calendar: Calendar, *programs: Program) -> Programming:
    """The programming under which this calendar holds for every lamp; `programs` are new or changed."""
    alone = replace(calendar, id=CalendarId(STANDARD.id))
    return replace(programming, assignments=(), calendars={**programming.calendars, alone.id: alone},
                   programs={**programming.programs, **{one.id: one for one in programs}})


def with_calendar(programming: Programming, calendar: Calendar) -> Programming:
    """As it is, with this calendar new or in the place of its former version."""
    return replace(programming, calendars={**programming.calendars, calendar.id: calendar})


def assigned(programming: Programming, target: Target, calendar: CalendarId | None, now: datetime) -> Programming:
    """As it is, with another calendar for a target, or (None) none of its own."""
    others = tuple(one for one in programming.assignments if one.target != target)
    return replace(programming, assignments=others if calendar is None else (*others, Assignment(target, calendar, now, "")))


def saving(town: TenantStore, lamps: Sequence[Luminaire], before: Programming, after: Programming,
           now: datetime) -> Saving | None:
    """A year's energy of these lamps under both; None where nothing is known of any lamp's power."""
    switched = {one.id for one in town.circuits() if one.supply is Supply.NIGHT}
    found = compare(before, after, lamps, Terms(evening_of(now), night_switched=switched), town.factors())
    return Saving.of(found) if found.after.lamps > found.after.unknown else None


def held(language: str, town: TenantStore, lamps: Sequence[Luminaire], after: Programming, now: datetime) -> list[Held]:
    """What the controllers of these lamps cannot hold by themselves, each sentence once; of each model its most frequent sort of
    lamp is asked."""
    by_model: dict[str, list[Luminaire]] = defaultdict(list)
    models = {device.asset: device.model for device in town.devices()}
    for lamp in lamps:
        if lamp.id in models:
            by_model[models[lamp.id]].append(lamp)
    said: dict[str, list[str]] = defaultdict(list)
    for model, some in sorted(by_model.items()):
        for sentence in _cannot(language, after, _usual(some), model, now) or [""]:
            said[sentence].append(model)
    return [Held(sentence, some, sum(len(by_model[model]) for model in some)) for sentence, some in said.items()]


def _cannot(language: str, after: Programming, lamp: Luminaire, model: str, now: datetime) -> list[str]:
    found = compiled(after, lamp, model, now)
    every = (*found.deviations, *measured(found, after, lamp, model, now))
    return list(dict.fromkeys(translate(language, one.message, **one.facts) for one in every))


def _usual(lamps: Sequence[Luminaire]) -> Luminaire:
    sorts = Counter(floor_key(lamp) for lamp in lamps)
    most = sorts.most_common(1)[0][0]
    return next(lamp for lamp in lamps if floor_key(lamp) == most)
