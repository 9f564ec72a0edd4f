"""The pressure on permit zones, from the quarter hours that the bridge has counted."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta

from city.errors import Invalid
from city.ids import ZoneId
from city.parking_places import PermitZone
from city.parking_rules import check_hours
from city.pressure import Pressure, pressures
from city.settings import Parking
from city.store.ports import TenantStore

DAYS, MOST_DAYS = 28, 92
COLUMNS = ("code", "name", "parking_zones", "bays", "taken_in_hours", "taken_outside", "full_quarters", "quarters",
           *(f"taken_{hour:02}" for hour in range(24)))


def report(town: TenantStore, now: datetime, days: int, said: Parking) -> list[Pressure]:
    """Of each permit zone whose hours can be read, over the last days."""
    sites = {zone: site for zone, site in town.parking_sites().items() if site.permit_zone}
    quarters = [one for zone in sites for one in town.quarters(now - timedelta(days=days), now, ZoneId(zone))]
    middle = town.tenant.site
    return pressures([zone for zone in town.permit_zones() if _readable(zone)], sites, quarters, said,
                     land=town.tenant.land, point=(middle.longitude, middle.latitude))


def as_csv(found: Sequence[Pressure]) -> str:
    """A line a permit zone; shares from 0 to 1, empty where nothing is known. Texts cannot be formulas of a spreadsheet."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    writer.writerow(COLUMNS)
    for one in found:
        writer.writerow([one.code, _inert(one.name), one.zones, one.bays, *(_share(value) for value in (
            one.taken, one.taken_else, one.full)), one.quarters, *(_share(value) for value in one.by_hour)])
    return out.getvalue()


def _readable(zone: PermitZone) -> bool:
    try:
        check_hours(zone.hours, "hours")
    except Invalid:
        return False
    return True


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
