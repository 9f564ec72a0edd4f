"""What the controllers of a model can hold by themselves, as far as their makers say it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """`kind`: a sun calendar with profiles by the clock above it, or tasks with windows. `slots`: profiles or tasks; `steps`
    of one profile, windows of one task; `grain`: minutes of its steps; `holidays`: days of its list.

    `sun`: it can be told a calendar, in steps of `zenith` degrees, for a place in steps of `place` degrees; otherwise it
    lights from sunset to sunrise by its own. `local`: its times are local time and it knows summer time; else UTC. `stated`:
    its maker says so.
    `watched`: its reports show whether it does what it holds, so that it may be left alone.
    """

    kind: Literal["timetable", "tasks"]
    slots: int
    steps: int
    grain: int
    holidays: int = 0
    sun: bool = False
    zenith: float = 0.01
    place: float = 1e-7
    local: bool = False
    stated: bool = False
    watched: bool = True


FAMILIES: Mapping[str, Family] = MappingProxyType({
    "nas/ul20xx": Family("timetable", 8, 9, 10, holidays=9, sun=True, zenith=1 / 6, place=0.01),
    "nas/ul20xx-10": Family("timetable", 8, 9, 10, holidays=20),
    "nas/ul20xx-06": Family("timetable", 8, 9, 10),
    "stadtfunk/lamp": Family("timetable", 16, 24, 1, holidays=40, sun=True, stated=True),
    "zenosmart/lcc": Family("tasks", 20, 4, 1, watched=False)})


def family(model: str, local: Collection[str] = ()) -> Family | None:
    """What the model can hold; None: nothing that anybody has documented. `local`: models whose tables are known to be in
    local time: of NAS and Zenosmart nobody has said, and UTC is assumed."""
    found = FAMILIES.get(model)
    return replace(found, local=True, stated=True) if found is not None and model in local else found
