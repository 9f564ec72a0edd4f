"""What the bench asks of whatever it measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench._load.processes import Running, Used


class Void(Exception):
    """The contender has not kept what was published: its figures mean nothing."""


class Subject(Protocol):
    """A contender that runs, is connected and subscribed."""

    @property
    def running(self) -> Sequence[Running]:
        """Its processes."""
        ...

    def wait(self, count: int) -> None:
        """Return when it has dealt with so many events."""
        ...

    def end(self) -> Sequence[Used]:
        """End it; what each of its processes has used in its life."""
        ...

    def check(self, count: int) -> None:
        """After the end: every event must be where it belongs. Raises Void."""
        ...


Start = Callable[[Path, int], Subject]


@dataclass(frozen=True, slots=True)
class Contender:
    """One line of the table. `start` runs it in an empty directory against the broker at a port. `puts_off`: it has work left
    after its last acknowledgement. `events`: with how many it is measured, where that is fewer than for the others."""

    name: str
    start: Start
    puts_off: bool = True
    events: int = 0
