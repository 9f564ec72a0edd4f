"""A town's quarters of an hour of parking as InfluxDB line protocol: what is kept of zones for years. Pure.

measurement  parking
tags         tenant, zone; restriction where the bays are not for everybody ("resident")
fields       free, taken, unknown: bays, the mean over the quarter (float); capacity: bays (int); coverage: the share of the time
             of all bays in which they were known, 0 to 1 (float); arrivals, departures: stays that began and ended (int)
time         the beginning of the quarter, UTC: writing it again changes nothing

Only what could be told to everybody later (city.public_parking): zones that are public, not merged into others, with at least
`least_bays` bays; free and taken only where enough was known. Bays for the disabled and for charging are left out: few people
use each, and their history is published nowhere.
"""

from collections.abc import Iterable, Mapping

from city.ids import TenantId, ZoneId
from city.parking_display import SPECIAL, ZoneRules
from city.parking_facts import Quarter
from city.parking_places import ParkingSite
from city.places import Restriction
from city.readings import to_ns
from city.store.lines import tag

MEASUREMENT = "parking"
FIELDS: Mapping[str, type] = {"free": float, "taken": float, "unknown": float, "capacity": int, "coverage": float,
                              "arrivals": int, "departures": int}
QUARTER_S = 900


def quarter_lines(tenant: TenantId, quarters: Iterable[Quarter], sites: Mapping[ZoneId, ParkingSite],
                  rules: ZoneRules) -> list[bytes]:
    """One line for each quarter that may be kept."""
    return [_line(tenant, one, rules) for one in quarters if may_be_kept(one, sites, rules)]


def may_be_kept(quarter: Quarter, sites: Mapping[ZoneId, ParkingSite], rules: ZoneRules) -> bool:
    """Whether it tells of enough bays, of a zone that is public and counted by itself."""
    site = sites.get(quarter.zone)
    if quarter.bays < rules.least_bays or Restriction(quarter.restriction) in SPECIAL:
        return False
    return site is None or (site.public and not site.merged_into)


def _line(tenant: TenantId, one: Quarter, rules: ZoneRules) -> bytes:
    known = one.free_s + one.occupied_s
    coverage = known / whole if (whole := known + one.unknown_s) else 0.0
    said: dict[str, float | int] = {"unknown": one.unknown_s / QUARTER_S, "capacity": one.bays, "coverage": coverage,
                                    "arrivals": one.arrivals, "departures": one.departures}
    if coverage >= rules.range_from:
        said |= {"free": one.free_s / QUARTER_S, "taken": one.occupied_s / QUARTER_S}
    else:  # a handful of known bays would tell of these
        del said["arrivals"], said["departures"]
    fields = ",".join(f"{name}={_value(said[name], kind)}" for name, kind in FIELDS.items() if name in said)
    restriction = f",restriction={tag(one.restriction)}" if one.restriction else ""
    return f"{MEASUREMENT}{restriction},tenant={tag(tenant)},zone={tag(one.zone)} {fields} {to_ns(one.at)}".encode()


def _value(value: float, kind: type) -> str:
    return f"{value}i" if kind is int else repr(round(float(value), 4))
