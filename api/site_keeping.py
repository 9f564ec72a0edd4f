"""What people say of parking zones, permit zones and the town, checked and written down: for JSON routes and pages alike."""

from collections.abc import Sequence
from datetime import datetime

from api.audit import record
from api.auth import Actor
from city.errors import Invalid, NotFound
from city.ids import ZoneId
from city.parking_checks import permit_faults, site_faults, town_faults
from city.parking_import import Known, Preview
from city.parking_places import ParkingSite, PermitZone, TownParking
from city.places import Zone
from city.store.ports import TenantStore


def parking_zones(town: TenantStore) -> list[Zone]:
    """The zones that have bays, or of which something is said as parking zones, by name."""
    mine = {bay.zone for bay in town.bays()} | set(town.parking_sites())
    return sorted((zone for zone in town.zones() if zone.id in mine), key=lambda zone: (zone.name, zone.id))


def known_of(town: TenantStore) -> Known:
    """What a list of sites is checked against."""
    return Known({zone.id for zone in parking_zones(town)}, town.parking_sites(), permit_codes(town), town.tenant.site)


def permit_codes(town: TenantStore) -> frozenset[str]:
    return frozenset(zone.code for zone in town.permit_zones())


def keep_site(town: TenantStore, site: ParkingSite, who: Actor, now: datetime) -> list[Invalid]:
    """Keep it, where nothing is wrong with it; else says what is. Raises NotFound where the town has no such zone, Conflict."""
    faults = site_faults(site, town.tenant.site, permit_codes(town))
    if not faults:
        record(town, who, now, "parking site", f"zone {site.zone}"[:80], f"{site.opening_hours}; {len(site.rules)} rules")
        town.put_parking_site(site, who.name, now)
    return faults


def keep_permit_zone(town: TenantStore, zone: PermitZone, who: Actor, now: datetime) -> list[Invalid]:
    """As keep_site."""
    faults = permit_faults(zone, town.tenant.site)
    if not faults:
        record(town, who, now, "permit zone", zone.code, f"{zone.hours}; {len(zone.fees)} fees")
        town.put_permit_zone(zone, who.name, now)
    return faults


def remove_permit_zone(town: TenantStore, code: str, who: Actor, now: datetime) -> None:
    """Raises NotFound, and Conflict while a parking zone names it."""
    record(town, who, now, "remove permit zone", code[:12])
    town.remove_permit_zone(code)


def keep_town(town: TenantStore, said: TownParking, who: Actor, now: datetime) -> list[Invalid]:
    """As keep_site."""
    faults = town_faults(said)
    if not faults:
        record(town, who, now, "town parking", said.operator, f"{said.contact}; {said.region_code}")
        town.put_parking_town(said, who.name, now)
    return faults


def keep_list(town: TenantStore, found: Preview, who: Actor, now: datetime) -> int:
    """Keep the good rows of a list, all or none; returns how many sites are new or changed. Raises Conflict where others have
    changed something meanwhile that the list contradicts."""
    record(town, who, now, "import", "parking sites", f"{len(found.new)} new, {len(found.changed)} changed")
    town.put_parking_sites(found.sites, who.name, now)
    return len(found.sites)


def raise_first(faults: Sequence[Invalid]) -> None:
    """For routes that answer one sentence."""
    if faults:
        raise faults[0]


def site_of(town: TenantStore, zone: str) -> ParkingSite:
    """What is said of a zone, or the beginning of it. Raises NotFound."""
    found = next((one for one in town.zones() if one.id == zone), None)
    if found is None:
        raise NotFound("There is no parking zone “{zone}”.", field="zone", rule="exists", zone=zone[:64])
    return town.parking_sites().get(ZoneId(zone), ParkingSite(zone))
