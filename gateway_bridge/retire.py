"""The loop that removes what must not be kept any longer: once an hour, in the bridge that steers, a little at a time.

It says so loudly when it cannot: whatever was to go and is still there is in this process's health until it is gone.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from city.clock import Clock
from city.errors import StoreDown
from city.health import stamp
from city.ids import TenantId
from city.retention import EVERY, SLACK, plan
from city.settings import Parking
from city.store.ports import Lease, Store
from city.store.retiring import Step, retire
from gateway_bridge.metrics import Metrics

DAILY = timedelta(days=1)
LOOK_EVERY_S, REST_S = 60.0, 0.05

_log = logging.getLogger(__name__)


class Retirer:
    """Removes for all towns. `step` blocks and belongs to one loop; `says` may be asked by any thread."""

    def __init__(self, store: Store, clock: Clock, rules: Parking, metrics: Metrics,
                 lease: Callable[[], tuple[bool, Lease | None]]) -> None:
        """`lease`: whether this process is the one that removes."""
        self._store, self._clock, self._rules, self._metrics, self._lease = store, clock, rules, metrics, lease
        self._work: Iterator[Step] | None = None
        self._begun: datetime | None = None  # of the run that goes on
        self._done: datetime | None = None  # when the last whole run began, or when this process was first asked to remove
        self._reported: dict[tuple[TenantId, str], datetime] = {}
        self._left: dict[tuple[TenantId, str], datetime] = {}
        self._error = ""

    def step(self) -> float:
        """One small part of what is due; returns in how many seconds there may be more. Raises StoreDown: it is tried again,
        and nothing is forgotten about it."""
        now = self._clock.now()
        if not self._lease()[0]:
            self._work = self._begun = self._done = None
            self._left, self._error = {}, ""
            return LOOK_EVERY_S
        if self._done is None:
            self._done = now - EVERY  # at once after a start
        if self._work is None and now - self._done < EVERY:
            return min(LOOK_EVERY_S, (self._done + EVERY - now).total_seconds())
        return self._go_on(now)

    def says(self) -> str:
        """What could not be removed in time; "" where all is well."""
        if self._left:
            (tenant, what), since = min(self._left.items(), key=lambda item: item[1])
            return f"{what} of {tenant}, since {stamp(since)}"
        if self._done is not None and self._clock.now() - self._done > EVERY + SLACK:
            return self._error or f"no run has ended since {stamp(self._done)}"
        return ""

    def _go_on(self, now: datetime) -> float:
        if self._work is None:
            self._begun = now
            quiet = {key for key, at in self._reported.items() if now - at < DAILY}
            self._work = retire(self._store, plan(self._rules, now), now, quiet)
        try:
            step = next(self._work, None)
        except StoreDown as error:
            self._work, self._error = None, str(error)
            raise
        except Exception as error:
            self._work, self._error = None, type(error).__name__
            raise
        if step is None:
            self._work, self._done, self._error = None, self._begun, ""
            return 0.0
        self._note(step)
        return REST_S

    def _note(self, step: Step) -> None:
        key = (step.tenant, step.what)
        if step.removed:
            self._metrics.retired.labels(step.what).inc(step.removed)
        if step.report is None:
            return
        if step.kept:
            self._reported[key] = step.report.at
        if step.report.note:
            self._left.setdefault(key, step.report.at)
            _log.error("%s of %s are older than the %g days that they may be kept, and could not be removed.", step.what,
                       step.tenant, step.report.keep_days)
        else:
            self._left.pop(key, None)
        if step.report.removed:
            _log.info("%s of %s: %d removed, older than %g days", step.what, step.tenant, step.report.removed,
                      step.report.keep_days)
