"""Towns' figures on their way to InfluxDB, every step of influx.figures_s, by the bridge that steers.

A step's samples are taken once, a moment after it has begun, and wait in memory while InfluxDB takes nothing, those of an hour at
most (city.store.figure_outbox). What is told of things that stay, as overrides and incidents, is told anew where some of that was
lost, after a restart, and by the next bridge that steers: a point that is there already stays as it is.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from city.clock import Clock
from city.errors import Unavailable
from city.figures_sample import step_of
from city.ids import TenantId
from city.places import Tenant
from city.settings import Settings
from city.store.figure_outbox import Outbox
from city.store.influx import InfluxHeld
from city.store.ports import Lease, Store
from gateway_bridge.town_figures import Marks, TownFigures

IDLE_S = 10.0
LATE = timedelta(seconds=2)  # so long after a step's end what has ended in it is in the database
MANY = 5000  # lines that are sent before the next town is looked at

_log = logging.getLogger(__name__)


class FigureShipper:
    """Sends for all towns. `step` blocks and belongs to one loop."""

    def __init__(self, store: Store, outbox: Outbox, clock: Clock, settings: Settings, *,
                 lease: Callable[[], tuple[bool, Lease | None]]) -> None:
        """`outbox`: its places are named as `place_of` says. `lease`: whether this process is the one that sends."""
        self._store, self._outbox, self._clock, self._settings, self._lease = store, outbox, clock, settings, lease
        self._towns: dict[TenantId, TownFigures] = {}
        self._at: datetime | None = None  # of the step that was sampled last
        self._done: tuple[datetime | None, set[TenantId]] = None, set()  # a step that is not, and its towns that are
        self._dropped = 0
        self.held = self.error = ""
        self.lines = 0

    @property
    def lost(self) -> int:
        """Lines that InfluxDB has not got and will not get: they waited for too long, or it has refused them."""
        return self._outbox.dropped + self._outbox.refused

    def step(self) -> float:
        """Sample all towns, if a new step has begun, and send what waits; returns in how many seconds there will be more. Raises
        InfluxDown or StoreDown: nothing of the last hour is lost."""
        if not self._lease()[0]:
            self._towns.clear()
            self._at, self._done = None, (None, set())
            return IDLE_S
        try:
            self._sample()
            self._send()
        except Unavailable as error:
            self.error, self.held = str(error), error.held if isinstance(error, InfluxHeld) else ""
            raise
        self.error = self.held = ""
        every = timedelta(seconds=self._settings.influx.figures_s)
        return max((step_of(self._clock.now() - LATE, self._settings.influx.figures_s) + every + LATE
                    - self._clock.now()).total_seconds(), 0.0)

    def close(self) -> None:
        """Let the connections go."""
        self._outbox.close()

    def _sample(self) -> None:
        at = step_of(self._clock.now() - LATE, self._settings.influx.figures_s)
        if self._at is not None and at <= self._at:  # sampled; or the clock was set back, and what was told of then stays
            return
        (registry, wanted), scripts = self._store.intents(), self._store.scripts_revision()
        if self._done[0] != at:
            self._done = at, set()
        down = False
        for tenant in self._store.tenants():
            if tenant.id in self._done[1]:
                continue
            found = self._lines(tenant, Marks(registry, scripts, wanted.get(tenant.id, 0)), at)
            self._outbox.put(self._clock.now(), [(place_of(self._settings, tenant.id), found)])
            self.lines += len(found)
            self._done[1].add(tenant.id)
            down = down or (self._outbox.waiting > MANY and not self._sent())
        self._at = at

    def _lines(self, tenant: Tenant, marks: Marks, at: datetime) -> list[bytes]:
        """None of a town in which our own fault shows: no other town is to wait for its mending."""
        if tenant.id not in self._towns:
            self._towns[tenant.id] = TownFigures(tenant.id, every_s=self._settings.influx.figures_s,
                                                 least_bays=self._settings.parking.least_bays,
                                                 keep_days=self._settings.energy.keep_days)
        try:
            return self._towns[tenant.id].lines(self._store.tenant(tenant.id), marks, at, self._clock.now())
        except Unavailable:
            del self._towns[tenant.id]  # half a look
            raise
        except Exception:
            del self._towns[tenant.id]
            _log.exception("figures of %s: a fault of ours; going on with the others", tenant.id)
            return []

    def _sent(self) -> bool:
        """Whether InfluxDB takes anything at all."""
        try:
            self._outbox.send(self._clock)
        except InfluxHeld:
            return True  # the others' have been sent
        except Unavailable:
            return False  # said when all are sampled
        return True

    def _send(self) -> None:
        self._outbox.send(self._clock)
        if self._outbox.dropped > self._dropped:
            self._dropped = self._outbox.dropped
            self._towns.clear()


def place_of(settings: Settings, tenant: TenantId) -> str:
    """The name of a town's place: its own, or "" where all share one."""
    return tenant if settings.influx.per_town else ""
