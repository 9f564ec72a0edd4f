"""What parking's staff does: blocks bays, opens them again, settles doubts. Checked, audited, written; for JSON and pages."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from api import staff
from api.audit import record
from api.auth import Actor
from city import closures
from city.closures import Closure
from city.errors import NotFound
from city.ids import AssetId, ZoneId
from city.places import ParkingBay
from city.store.ports import TenantStore

MOST_DOUBTS = 10_000  # as many as a town keeps


def block(town: TenantStore, who: Actor, now: datetime, *, bays: Sequence[str], zone: str | None, start: datetime | None,
          end: datetime, reason: str) -> Closure:
    """Block these bays, and all of the zone. Raises NotFound for a bay or zone that the town has not, Invalid as
    city.closures.closure, Conflict where the town keeps too many blocks."""
    named = _named(town, bays, zone)
    asked = closures.closure(uuid.uuid4().hex[:12], tenant=town.tenant.id, bays=named, start=start or now, end=end,
                             reason=reason, actor=who.name, now=now)
    target = f"zone {zone}" if zone and not bays else f"bay {named[0]}" if len(named) == 1 else f"{len(named)} bays"
    record(town, who, now, "block bays", target, f"{asked.id} {asked.first.start:%Y-%m-%dT%H:%MZ} to "
                                                 f"{asked.first.end:%Y-%m-%dT%H:%MZ}: {asked.first.reason}")
    town.add_blocks(asked.blocks)
    return asked


def end(town: TenantStore, who: Actor, now: datetime, closure: str) -> Closure:
    """Open all bays of a closure again, from now on. Raises NotFound."""
    found = staff.closure(town, closure, now)
    record(town, who, now, "end block", f"block {found.id}", found.first.reason)
    for one in found.open_blocks(now):
        town.end_block(one.id, now)
    return staff.closure(town, found.id, now)


def open_bay(town: TenantStore, who: Actor, now: datetime, asset: AssetId) -> None:
    """Open one bay again: whatever blocks it now ends. Raises NotFound for no bay, or one that is not blocked."""
    view = staff.bay(town, asset, now)
    if not view.blocked:
        raise NotFound("The bay “{asset}” is not blocked.", field="asset", rule="blocked", asset=view.bay.id)
    record(town, who, now, "open bay", f"bay {view.bay.id}")
    for one in town.bay_blocks(now):
        if one.bay == view.bay.id and one.holds(now):
            town.end_block(one.id, now)
    if view.bay.blocked:  # a mark without an end, as an earlier version made them
        town.set_blocked(view.bay.id, False)


def settle(town: TenantStore, who: Actor, now: datetime, doubt: str, outcome: str) -> None:
    """Close a resident's doubt, with what was found out. Raises NotFound."""
    if not any(one.id == doubt for one in town.doubts(open_only=False, limit=MOST_DOUBTS)):
        raise NotFound("There is no such report.", field="id", rule="exists")
    record(town, who, now, "close doubt", f"doubt {doubt}", outcome)
    town.close_doubt(doubt, who.name, outcome, now)


def _named(town: TenantStore, bays: Sequence[str], zone: str | None) -> list[AssetId]:
    """The bays by id, those of the zone after those that are named."""
    known: dict[str, ParkingBay] = {one.id: one for one in town.bays()}
    for name in bays:
        if name not in known:
            raise NotFound("There is no bay “{asset}”.", field="bays", rule="exists", asset=name[:64])
    of_zone = [one.id for one in known.values() if one.zone == zone]
    if zone is not None and not of_zone:
        raise NotFound("There is no parking zone “{zone}”.", field="zone", rule="exists", zone=ZoneId(zone)[:64])
    return [AssetId(name) for name in dict.fromkeys([*bays, *sorted(of_zone)])]
