"""Wishes for light, from a request to the store: checked, priced, written down. For JSON routes and pages alike."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api import views
from api.audit import record
from api.auth import Actor
from city import lighting
from city.airtime import Estimate
from city.errors import Invalid
from city.ids import AssetId, OverrideId, ZoneId
from city.lighting import Override
from city.places import Luminaire
from city.store.ports import TenantStore

MOST_MINUTES = 24 * 60
_REACH = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Wish:
    """A level and its end: a time, or minutes from now; exactly one of the two."""

    level: int
    until: datetime | None = None
    minutes: int | None = None
    reason: str = ""

    def end(self, now: datetime) -> datetime:
        """When it ends; raises Invalid."""
        if (self.until is None) == (self.minutes is None):
            raise Invalid("Say either until when, or for how many minutes.", field="until", rule="one of two")
        if self.minutes is None:
            end = self.until or now
            return end.astimezone(UTC) if abs(end - now) < _REACH else end  # year 1 and 9999 have no UTC to tell
        if not 1 <= self.minutes <= MOST_MINUTES:
            raise Invalid("An override lasts between 1 and {most} minutes.", field="minutes", rule=f"1…{MOST_MINUTES}",
                          most=MOST_MINUTES)
        return now + timedelta(minutes=self.minutes)


def override_zone(town: TenantStore, zone: ZoneId, wish: Wish, *, who: Actor,
                  now: datetime) -> tuple[Override, Estimate]:
    """Dim a zone; raises NotFound, Invalid by the guard-rails, Unsupported where nothing there can dim."""
    town.zone(zone)
    return _override(town, town.luminaires(zone), wish, who=who, now=now, zone=zone)


def override_lamp(town: TenantStore, asset: AssetId, wish: Wish, *, who: Actor,
                  now: datetime) -> tuple[Override, Estimate]:
    """Dim one lamp; raises as for a zone."""
    return _override(town, [views.lamp_of(town, asset)], wish, who=who, now=now, asset=asset)


def end_overrides(town: TenantStore, *, who: Actor, now: datetime, zone: ZoneId | None = None,
                  asset: AssetId | None = None) -> int:
    """Back to the program: end what is active on exactly this zone or lamp. Raises NotFound."""
    if zone is not None:
        town.zone(zone)
    if asset is not None:
        views.lamp_of(town, asset)
    record(town, who, now, "end override", _target(zone, asset))
    return town.end_overrides(zone=zone, asset=asset, now=now)


def _override(town: TenantStore, lamps: Sequence[Luminaire], wish: Wish, *, who: Actor, now: datetime,
              zone: ZoneId | None = None, asset: AssetId | None = None) -> tuple[Override, Estimate]:
    override = lighting.override(id=OverrideId(str(uuid.uuid4())), tenant=town.tenant.id, lamps=lamps,
                                 level=wish.level, until=wish.end(now), actor=who.name, now=now, reason=wish.reason,
                                 zone=zone, asset=asset)
    estimate = views.estimate_for(town, lamps)
    record(town, who, now, "override", _target(zone, asset),
           f"{override.id}: {override.level} % until {override.end.isoformat()}: {override.reason}")
    if _outlived(town, override, now):
        town.end_overrides(zone=zone, asset=asset, now=now)
    town.add_override(override)
    return override, estimate


def _outlived(town: TenantStore, new: Override, now: datetime) -> bool:
    """Whether an older wish for the same lamps would come back after the new one: then it has to end."""
    return any((old.zone, old.asset) == (new.zone, new.asset) and old.end > new.end for old in town.overrides(now))


def _target(zone: ZoneId | None, asset: AssetId | None) -> str:
    return f"zone {zone}" if zone is not None else f"lamp {asset}"
