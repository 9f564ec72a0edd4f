"""What everybody may know of a town's parking, read once for all who ask: pages, JSON, open data, widgets and pushes.

Nothing here knows of HTTP, but for the dependency at the end. What may be told, city.public_parking decides.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request

from city.errors import NotFound
from city.ids import TenantId, ZoneId
from city.parking_display import ZoneRules
from city.parking_facts import Forecast, ForecastError
from city.parking_places import PermitZone, TownParking
from city.places import Restriction, Tenant
from city.public_parking import Merged, PublicQuarter, PublicZone, merged_zones, public_quarters, public_zones
from city.settings import Parking
from city.store.ports import TenantStore

LONGEST_HISTORY = timedelta(days=62)


@dataclass(frozen=True, slots=True)
class PublicTown:
    """A town's parking as everybody may know it at `at`: its zones by name, what it says of itself, its permit zones by code.
    `revision` is the store's parking_revision, `errors` are those of forecasts that are shown."""

    tenant: Tenant
    zones: Sequence[PublicZone]
    town: TownParking
    at: datetime
    permits: Mapping[str, PermitZone]
    errors: Mapping[ZoneId, ForecastError]
    revision: int = 0
    said_at: Mapping[str, datetime] = field(default_factory=dict)  # when each zone was described; "": the town
    merged: Mapping[str, Merged] = field(default_factory=dict)  # zones that are counted in others

    @property
    def minute(self) -> datetime:
        """The full minute of `at`: ages and times are written as of then, so that an answer stays the same for a minute."""
        return self.at.replace(second=0, microsecond=0)

    def zone(self, id: str) -> PublicZone:
        """Raises NotFound where there is none that everybody may know."""
        found = next((zone for zone in self.zones if zone.zone == id), None)
        if found is None:
            raise NotFound("There is no parking zone “{zone}”.", field="zone", rule="exists", zone=id[:64])
        return found

    def home(self, id: str) -> PublicZone:
        """The zone, or the one that it is counted in. Raises NotFound."""
        return self.zone(self.merged[id].home if id in self.merged else id)


def public_view(town: TenantStore, now: datetime, settings: Parking) -> PublicTown:
    """Read anew; see PublicTowns for what many ask for."""
    revision, sites, said, errors = town.parking_revision(), town.parking_sites(), town.parking_town(), town.forecast_errors()
    names = town.zones()
    zones = public_zones(names, town.zone_facts(), sites, said, errors, now, ZoneRules.of(settings))
    return PublicTown(town.tenant, tuple(zones), said, now, {one.code: one for one in town.permit_zones()},
                      {zone.zone: errors[zone.zone] for zone in zones if zone.forecasts}, revision,
                      town.parking_said_at(), merged_zones(names, sites, zones))


def public_history(town: TenantStore, start: datetime, end: datetime, now: datetime, settings: Parking, *,
                   zone: ZoneId | None = None, step: timedelta = timedelta(minutes=15)) -> list[PublicQuarter]:
    """What is told of the past: steps that begin in start ≤ at < end and are over, none finer than settings say, the last 62
    days of a longer time."""
    width = max(step, timedelta(minutes=settings.history_minutes))
    quarters = town.quarters(max(start, end - LONGEST_HISTORY), end, zone, restriction=Restriction.NONE.value)
    return public_quarters(quarters, town.parking_sites(), ZoneRules.of(settings), now, step=width)


def public_forecasts(town: TenantStore, seen: PublicTown, zone: ZoneId, hours: int = 3) -> list[Forecast]:
    """A zone's forecasts for the next hours, by time; none where its forecasts are not good enough to be shown."""
    if not seen.zone(zone).forecasts:
        return []
    return list(town.forecasts(zone, seen.at, seen.at + timedelta(hours=hours)))


class PublicTowns:
    """Remembers each town's PublicTown until its parking_revision, or the minute, is another. For many threads at once."""

    def __init__(self, settings: Parking) -> None:
        self.settings = settings
        self._kept: dict[TenantId, PublicTown] = {}
        self._lock = threading.Lock()

    def of(self, town: TenantStore, now: datetime) -> PublicTown:
        """The town as of this minute: at most a minute old, and never older than what the store knows."""
        revision = town.parking_revision()
        if (found := self._fresh(town, revision, now)) is not None:
            return found
        with self._lock:  # one reads, the others wait for it
            found = self._fresh(town, revision, now)
            if found is None:
                found = self._kept[town.tenant.id] = public_view(town, now, self.settings)
            return found

    def _fresh(self, town: TenantStore, revision: int, now: datetime) -> PublicTown | None:
        kept = self._kept.get(town.tenant.id)
        same = kept is not None and kept.revision >= revision and kept.minute == now.replace(second=0, microsecond=0)
        return kept if same else None


def public_towns(request: Request) -> PublicTowns:
    """This process's PublicTowns."""
    found: PublicTowns = request.app.state.public_towns
    return found


Telling = Annotated[PublicTowns, Depends(public_towns)]
