"""What the platform asks of storage about the courses of commands; see city.store.ports."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from city.courses import CommandStep
from city.ids import CommandId
from city.lighting import Override


class StepStore(Protocol):
    """One tenant's commands, step by step, and the wishes there have been."""

    def command_steps(self, ids: Collection[CommandId]) -> Mapping[CommandId, Sequence[CommandStep]]:
        """The course of each of these commands, in order; those of which nothing is known are missing."""
        ...
    def past_overrides(self, limit: int) -> Sequence[Override]:
        """Those that are over too, the newest first."""
        ...
