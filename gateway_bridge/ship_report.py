"""Whether InfluxDB has forgotten single bays: asked every hour by the bridge that steers, and reported like what is removed here.

Asked is for the oldest reading of a bay, where a town's bays go now and among all its others, and where all towns shared one
place: there an older version of this program sent them. A server that answers no such question is reported on by nobody;
stadtfunk doctor says that it cannot be checked.
"""

import logging
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime, timedelta

from city.clock import Clock
from city.health import stamp
from city.ids import TenantId
from city.parking_facts import Retired
from city.settings import Influx
from city.store.influx import InfluxDB, InfluxHeld, RejectedQuery, checked
from city.store.influx_bays import PIECE_S, bays_settings, oldest_bay
from city.store.influx_places import of_town
from city.store.ports import Lease, Store
from city.store.retiring import INFLUX_BAYS, LEFT

LOOK_EVERY_S, IDLE_S = 3600.0, 60.0
DAILY = timedelta(days=1)
SLACK = timedelta(seconds=PIECE_S) + timedelta(hours=2)  # it forgets a piece at a time, and not at once

_log = logging.getLogger(__name__)


class BayReporter:
    """Reports for all towns. `step` blocks and belongs to one loop; `says` may be asked by any thread."""

    def __init__(self, store: Store, settings: Influx, clock: Clock, *, days: int,
                 lease: Callable[[], tuple[bool, Lease | None]]) -> None:
        """`days`: for how long readings of bays may be kept. Raises Invalid where the settings name no InfluxDB."""
        self._store, self._clock, self._days, self._lease = store, clock, days, lease
        self._settings = checked(settings)
        self._reported: dict[TenantId, Retired] = {}

    def step(self) -> float:
        """Ask about each town; returns in how many seconds again. Raises InfluxDown or StoreDown."""
        if not self._lease()[0]:
            self._reported.clear()
            return IDLE_S
        now = self._clock.now()
        for tenant in [town.id for town in self._store.tenants()]:
            its = of_town(self._settings, tenant)
            found = []
            with suppress(RejectedQuery, InfluxHeld):  # it answers no such question, or not us
                found += [self._oldest(place, tenant) for place in (its, bays_settings(its))]
                with suppress(RejectedQuery, InfluxHeld):  # where nothing goes any more a token need not lead
                    found += [self._oldest(place, tenant) for place in (self._settings, bays_settings(self._settings))
                              if self._settings.per_town]
                self._report(tenant, min(filter(None, found), default=None), now)
        return LOOK_EVERY_S

    def _oldest(self, place: Influx, tenant: TenantId) -> datetime | None:
        with closing(InfluxDB(place)) as database:
            return oldest_bay(database, tenant)

    def says(self) -> str:
        """What should be gone by now; "" where all is well."""
        left = next(((tenant, report) for tenant, report in list(self._reported.items()) if report.note), None)
        return f"{INFLUX_BAYS} of {left[0]}, since {stamp(left[1].at)}" if left else ""

    def _report(self, tenant: TenantId, oldest: datetime | None, now: datetime) -> None:
        late = oldest is not None and oldest < now - timedelta(days=self._days) - SLACK
        before = self._reported.get(tenant)
        if before is not None and bool(before.note) is late and now - before.at < DAILY:
            return
        report = Retired(now, INFLUX_BAYS, 0, oldest, float(self._days), LEFT if late else "")
        self._store.put_retired(tenant, report)
        self._reported[tenant] = report
        if late:
            _log.error("InfluxDB has readings of bays of %s that are older than %d days; stadtfunk doctor says what to do.",
                       tenant, self._days)
