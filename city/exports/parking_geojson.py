"""Zones as GeoJSON (RFC 7946): their area where the town has drawn it, else the middle of their bays. Pure; made of what
everybody may know."""

from collections.abc import Iterable
from typing import Any

from city.exports.parkapi import MOST_AREA, Source, site_uid, stamp
from city.parking_display import Tells
from city.places import Restriction
from city.public_parking import PublicCount, PublicZone

NAMES = {Restriction.NONE: "", Restriction.DISABLED: "disabled_", Restriction.CHARGING: "charging_",
         Restriction.RESIDENT: "resident_"}


def collection(zones: Iterable[PublicZone], source: Source) -> dict[str, Any]:
    """All of them, with the licence as foreign members."""
    said = source.said
    return {"type": "FeatureCollection", "name": f"parking-{source.tenant.id}", "licence": said.licence,
            "licence_url": said.licence_url, "attribution": said.attribution or said.operator or source.tenant.name,
            "features": [_feature(zone, source) for zone in zones]}


def _feature(zone: PublicZone, source: Source) -> dict[str, Any]:
    told = any(count.tells not in (Tells.NOTHING, Tells.TOO_FEW) for count in zone.counts)
    numbers = any(count.tells in (Tells.NUMBER, Tells.RANGE) for count in zone.counts)
    properties: dict[str, Any] = {
        "zone": zone.zone, "name": zone.name, "also": list(zone.also), "address": zone.site.address, "kind": zone.site.kind,
        "opening_hours": zone.site.opening_hours, "fee": zone.site.fee, "trend": zone.trend, "old": zone.grey and told,
        "closed": zone.closed or None,
        "evaluated_at": stamp(zone.evaluated_at) if numbers else None, "parkapi_uid": site_uid(source.tenant.id, zone.zone)}
    for count in zone.counts:
        if count.restriction in NAMES:
            properties |= _numbers(NAMES[count.restriction], count)
    return {"type": "Feature", "id": zone.zone, "geometry": _shape(zone),
            "properties": {name: value for name, value in properties.items() if value not in (None, "", [])}}


def _numbers(prefix: str, count: PublicCount) -> dict[str, Any]:
    return {f"{prefix}total": count.total, f"{prefix}state": count.word, f"{prefix}tells": count.tells.value,
            f"{prefix}free": count.free, f"{prefix}free_min": count.free_min, f"{prefix}free_max": count.free_max,
            f"{prefix}known": count.known}


def _shape(zone: PublicZone) -> dict[str, Any]:
    """RFC 7946, 3.1.6: a ring's outer side is on its right, it runs against the clock."""
    ring = [list(corner) for corner in zone.site.area]
    if not 4 <= len(ring) <= MOST_AREA or ring[0] != ring[-1]:
        return {"type": "Point", "coordinates": [round(zone.longitude, 7), round(zone.latitude, 7)]}
    twice = sum(ring[i][0] * ring[i + 1][1] - ring[i + 1][0] * ring[i][1] for i in range(len(ring) - 1))
    return {"type": "Polygon", "coordinates": [ring if twice >= 0 else ring[::-1]]}
