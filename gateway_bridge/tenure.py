"""Holding a job that one process of several does: taken again and again, given up in time.

A holder that cannot renew its lease believes in it for a shorter time than the database does, by a clock that goes on
while the machine sleeps; so it stops before another can begin.
"""

import logging
import time
from collections.abc import Callable

from city.store.ports import Lease, Store

SHORTEST_S = 1.0
TRUSTED = 0.8  # of the lease's time, for whoever holds it
RENEWED_BELOW = 0.5

_log = logging.getLogger(__name__)


def awake_and_asleep() -> float:
    """Seconds since the machine was started, those included in which it slept (where the system counts them)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Tenure:
    """This process's hold on one job. `hold` blocks and belongs to one loop; `sure` may be asked by any thread."""

    def __init__(self, store: Store, name: str, holder: str, seconds: float,
                 timer: Callable[[], float] = awake_and_asleep) -> None:
        """`holder` names this process among all that share the database; after a restart the same name gets the job back
        at once. `seconds` until another may take over from a holder that is gone."""
        self._store, self._timer, self._seconds = store, timer, max(seconds, SHORTEST_S)
        self._lease = Lease(name, holder)
        self._holds, self._until, self._begun = False, 0.0, False

    @property
    def sure(self) -> bool:
        """Whether nobody else can have the job at this moment."""
        return self._holds and self._timer() < self._until

    @property
    def held(self) -> tuple[bool, Lease]:
        """Whether the job is ours now, and under which lease: for what belongs to the same job in other loops."""
        return self.sure, self._lease

    def hold(self, *, able: bool = True) -> Lease | None:
        """The lease if the job is ours for now, else None. Who is not `able` takes only what nobody able has wanted for the
        time of a lease, and loses it to the first one who is. Raises StoreDown."""
        asked = self._timer()
        if able and self._holds and self._until - asked > RENEWED_BELOW * TRUSTED * self._seconds:
            return self._lease
        found = self._store.take_lease(self._lease, self._seconds if able else 0.0, restarted=not self._begun,
                                       patience_s=0.0 if able else self._seconds)
        self._say(found is not None)
        self._begun = True
        if found is None:
            return None
        self._lease, self._until = found, asked + (TRUSTED * self._seconds if able else 0.0)
        return found

    def lost(self) -> None:
        """Another has it: a commit was refused."""
        self._say(False)

    def release(self) -> None:
        """Another may take over at once. Raises StoreDown."""
        if self._holds:
            self._holds = False
            self._store.release_lease(self._lease)

    def _say(self, holds: bool) -> None:
        if holds is not self._holds:
            _log.info("%s: %s", self._lease.name, "ours from now on" if holds else "another process has it")
        self._holds = holds
