"""Commands with their courses, and the lamps of a wish, over the wire."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, Self

from api.following import Followed
from api.schemas import CommandOut
from city.commands import Command
from city.courses import CommandStep

MOST_ORDERS = 20  # of one lamp under one wish that are told
StandWord = Literal["waiting", "sent", "scheduled", "acked", "applied", "deviating", "failed", "unable", "superseded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOut:
    """From `at` on a command was in `state`, after so many `attempts` at sending it; `note`: why."""

    state: str
    at: datetime
    attempts: int
    note: str

    @classmethod
    def of(cls, step: CommandStep) -> Self:
        return cls(state=step.state.value, at=step.at, attempts=step.attempts, note=step.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseOut(CommandOut):
    """An order, what is known of it now, and every step by which that came to be."""

    steps: list[StepOut]

    @classmethod
    def told(cls, command: Command, steps: Iterable[CommandStep]) -> Self:
        now = CommandOut.of(command)
        return cls(**{one.name: getattr(now, one.name) for one in fields(now)}, steps=[StepOut.of(step) for step in steps])


@dataclass(frozen=True, slots=True, kw_only=True)
class StandOut:
    """One lamp of a wish: `state` is one of the words that the wish's progress counts. `orders`: the newest first."""

    asset: str
    name: str
    zone: str
    state: str
    orders: list[CourseOut]

    @classmethod
    def of(cls, followed: Followed) -> Self:
        lamp = followed.stand.lamp
        return cls(asset=lamp.id, name=lamp.name, zone=lamp.zone, state=followed.stand.word,
                   orders=[CourseOut.told(order, steps) for order, steps in followed.courses[:MOST_ORDERS]])


@dataclass(frozen=True, slots=True, kw_only=True)
class StandsOut:
    """A page of the lamps of a wish; `total` counts those that were asked for, `counts` all of the wish by state. `cursor`:
    what to ask the next page with; null at the end."""

    lamps: list[StandOut]
    total: int
    counts: dict[str, int]
    cursor: str | None
