"""What a program would save before anybody obeys it: for the editor's preview and for the API alike."""

from datetime import datetime

from api import intents
from city.groups import Target
from city.nights import evening_of
from city.places import Luminaire, Supply
from city.programs import Program, Programming
from city.store.ports import TenantStore
from city.whatif import Terms, WhatIf, always, compare, with_program

__all__ = ["WhatIf", "what_if"]


def what_if(town: TenantStore, program: Program, target: Target | None, now: datetime) -> WhatIf:
    """A year from tonight on in which the lamps of `target` obey `program` every night, against what is programmed for them
    now. Without a target: in which the program is new or another one, for the lamps whose calendars name it.
    Raises NotFound for a target that the town does not have."""
    before = town.programming()
    terms = Terms(evening_of(now), town.learnt(), {one.id for one in town.circuits() if one.supply is Supply.NIGHT})
    if target is None:
        lamps, after = _obeying(town, before, program), with_program(before, program)
    else:
        lamps, after = intents.lamps_of(town, [target]), always(before, program)
    return compare(before, after, lamps, terms, town.factors())


def _obeying(town: TenantStore, programming: Programming, program: Program) -> list[Luminaire]:
    return [lamp for lamp in town.luminaires() if program.id in programming.calendar_of(lamp).programs()]
