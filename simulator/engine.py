"""Virtual time: what happens next, in order, at any speed. Nothing here waits or asks what time it is."""

import heapq
from collections.abc import Callable
from typing import Any

from city.readings import NS

Action = Callable[..., None]


class Engine:
    """A queue of actions by virtual time, in integer nanoseconds since 1970 UTC. Actions of one moment keep the order
    in which they were asked for, so that a run is a pure function of its seed and its commands."""

    __slots__ = ("_queue", "_serial", "now")

    def __init__(self, start_ns: int) -> None:
        self.now = start_ns
        self._queue: list[tuple[Any, ...]] = []  # when, serial, action, and its facts: one object each, for there are many
        self._serial = 0

    def at(self, when_ns: int, action: Action, *facts: Any) -> None:  # noqa: ANN401 - whatever the action takes
        """Do `action(*facts)` at `when_ns`; at once, if that is past."""
        self._serial += 1
        heapq.heappush(self._queue, (max(when_ns, self.now), self._serial, action) + facts)  # noqa: RUF005 - twice as fast

    def after(self, seconds: float, action: Action, *facts: Any) -> None:  # noqa: ANN401 - whatever the action takes
        """Do `action(*facts)` when `seconds` have gone by."""
        self.at(self.now + int(seconds * NS), action, *facts)

    def run(self, until_ns: int) -> int:
        """Do all that is due until `until_ns`, and be there; returns how many actions that were. Never goes back."""
        queue, pop, done = self._queue, heapq.heappop, 0
        while queue and queue[0][0] <= until_ns:
            due = pop(queue)
            self.now = due[0]
            due[2](*due[3:])
            done += 1
        self.now = max(self.now, until_ns)
        return done

    @property
    def waiting(self) -> int:
        """How many actions are to come."""
        return len(self._queue)
