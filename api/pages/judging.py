"""What a change of programs would mean in energy, and what the lamps' own controllers cannot hold of it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from fastapi import Request

from api.deps import platform
from api.holding import local_models
from api.i18n import language_of, translate
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


@dataclass(frozen=True, slots=True)
class Look:
    """Who asks about which town, and when. `local`: models whose own programs run in local time."""

    language: str
    town: TenantStore
    now: datetime
    local: frozenset[str] = frozenset()

    @classmethod
    def of(cls, request: Request, town: TenantStore, now: datetime) -> Self:
        return cls(language_of(request), town, now, local_models(platform(request).settings.bridge))

    def saving(self, lamps: Sequence[Luminaire], before: Programming, after: Programming) -> Saving | None:
        """A year's energy of these lamps under both; None where nothing is known of any lamp's power."""
        switched = {one.id for one in self.town.circuits() if one.supply is Supply.NIGHT}
        found = compare(before, after, lamps, Terms(evening_of(self.now), night_switched=switched), self.town.factors())
        return Saving.of(found) if found.after.lamps > found.after.unknown else None

    def held(self, lamps: Sequence[Luminaire], after: Programming) -> list[Held]:
        """What the controllers of these lamps cannot hold by themselves, each sentence once; of each model its most frequent
        sort of lamp is asked."""
        by_model: dict[str, list[Luminaire]] = defaultdict(list)
        models = {device.asset: device.model for device in self.town.devices()}
        for lamp in lamps:
            if lamp.id in models:
                by_model[models[lamp.id]].append(lamp)
        said: dict[str, list[str]] = defaultdict(list)
        for model, some in sorted(by_model.items()):
            for sentence in self._cannot(after, _usual(some), model) or [""]:
                said[sentence].append(model)
        return [Held(sentence, some, sum(len(by_model[model]) for model in some)) for sentence, some in said.items()]

    def _cannot(self, after: Programming, lamp: Luminaire, model: str) -> list[str]:
        found = compiled(after, lamp, model, self.now, local=self.local)
        every = (*found.deviations, *measured(found, after, lamp, model, self.now, local=self.local))
        return list(dict.fromkeys(translate(self.language, one.message, **one.facts) for one in every))


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


def _usual(lamps: Sequence[Luminaire]) -> Luminaire:
    sorts = Counter(floor_key(lamp) for lamp in lamps)
    most = sorts.most_common(1)[0][0]
    return next(lamp for lamp in lamps if floor_key(lamp) == most)
