"""The course of a command: every step that is known of it, in order, each with its time and its reason.

A Command tells its last state only; the bridge writes each step down in the transaction that writes the command. A step is
one state of one attempt, so that hearing of it twice is one step, and a course cannot grow without end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from city.commands import Command, State
from city.ids import CommandId

_ORDER = {state: number for number, state in enumerate(State)}


@dataclass(frozen=True, slots=True)
class CommandStep:
    """From `at` on a command was in `state`, after so many `attempts` at sending it; `note` says why where there is more to
    say than the state's name."""

    command: CommandId
    state: State
    at: datetime
    attempts: int = 0
    note: str = ""

    @property
    def key(self) -> tuple[CommandId, int, State]:
        """What makes two of them the same step."""
        return self.command, self.attempts, self.state


def step_of(command: Command) -> CommandStep:
    """The step by which a command came to be as it is."""
    return CommandStep(command.id, command.state, command.changed_at or command.created_at, command.attempts, command.note)


def course(steps: Iterable[CommandStep]) -> tuple[CommandStep, ...]:
    """The steps of one command in their order. Of one step that is told twice the first telling counts. What came to be
    known after the end (another bridge heard a late answer) stays, but the end is last."""
    first: dict[tuple[CommandId, int, State], CommandStep] = {}
    for step in sorted(steps, key=_place):
        first.setdefault(step.key, step)
    return tuple(first.values())


def _place(step: CommandStep) -> tuple[bool, datetime, int, bool, int]:
    """Times may be equal: then a lost attempt is before the next one, and an attempt goes forward."""
    again = step.state is State.PLANNED and step.attempts > 0
    return not step.state.live, step.at, step.attempts, again, _ORDER[step.state]
