"""Parking as ParkAPI v3 has it, out and to be pushed, and as ParkAPI v1 had it. Pure; made of what everybody may know.

Shapes: ParkenDD/parkapi-sources-v3 0.38 (models/parking_site_inputs.py, parking_spot_inputs.py, enums.py) for what a generic
source is sent, ParkenDD/park-api-v3 0.47 (webapp/models, webapp/public_rest_api) for what is read.

A zone is a ParkingSite. `capacity` counts all its bays; `realtime_capacity` those for everybody whose state is known, and
`realtime_free_capacity` the free ones among them: unknown is neither. Bays for the disabled, for charging and for residents are
not among these two; they stand under `restrictions` with numbers of their own. Where a zone's numbers may not be told there are
no realtime fields at all, as ParkAPI itself does with old ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from city.parking_display import Tells
from city.parking_places import PermitZone, SiteKind, SiteRule, TownParking
from city.parking_rules import in_force
from city.places import Restriction, Tenant
from city.public_parking import PublicCount, PublicQuarter, PublicZone
from city.public_spots import TOLD, PublicSpot

Item = dict[str, Any]  # JSON
AUDIENCES = {Restriction.DISABLED: "DISABLED", Restriction.CHARGING: "CHARGING", Restriction.RESIDENT: "RESIDENT"}
ORIENTATIONS = ("PARALLEL", "DIAGONAL", "PERPENDICULAR")
LOT_TYPES = {SiteKind.ON_STREET.value: "street", SiteKind.GROUND.value: "lot", SiteKind.UNDERGROUND.value: "underground",
             SiteKind.CAR_PARK.value: "garage"}  # ParkAPI v1, as park-api-v3 writes it
SPOT_NAMES = {Restriction.DISABLED: "Behindertenparkplatz", Restriction.CHARGING: "Ladeplatz"}
MOST_AREA = 500  # corners of an area that are told
ALWAYS = "24/7"


@dataclass(frozen=True, slots=True)
class Source:
    """A town as ParkAPI's source: `said_at` is when each zone (and under "" the town) was described last; `page` the address of
    its parking page, "" where it has none that everybody reaches."""

    tenant: Tenant
    said: TownParking = field(default_factory=TownParking)
    permits: Mapping[str, PermitZone] = field(default_factory=dict)
    said_at: Mapping[str, datetime] = field(default_factory=dict)
    page: str = ""


def site_uid(tenant: str, zone: str) -> str:
    """A zone's name among all of ParkAPI."""
    return f"{tenant}-{zone}"


def number(uid: str) -> int:
    """A name as the whole number that ParkAPI's addresses have: always the same one, 52 bits, exact in every JSON reader."""
    return int.from_bytes(sha256(uid.encode()).digest()[:8], "big") >> 12


def site(zone: PublicZone, source: Source) -> Item:
    """A zone as a generic source is sent it (CombinedParkingSiteInput)."""
    told = tells(zone)
    place = zone.site
    item = {
        "uid": site_uid(source.tenant.id, zone.zone), "name": zone.name[:256] or zone.zone, "purpose": "CAR", "type": place.kind,
        "operator_name": source.said.operator[:256], "public_url": place.url or source.page, "address": place.address[:512],
        "description": _description(zone)[:4096], "lat": round(zone.latitude, 7), "lon": round(zone.longitude, 7),
        "geojson": _area(zone), "capacity": zone.total, "has_fee": any(rule.fee for rule in place.rules) if place.rules else None,
        "fee_description": place.fee[:4096], "orientation": place.orientation if place.orientation in ORIENTATIONS else None,
        "opening_hours": (place.opening_hours or ALWAYS)[:512], "restrictions": _restrictions(zone, source.permits),
        "external_identifiers": [{"type": "OSM", "value": place.osm[:256]}] if place.osm else None,
        "has_realtime_data": told, "static_data_updated_at": stamp(static_at(zone, source)),
        **(_realtime(zone, source) if told else {})}
    return {name: value for name, value in item.items() if value not in (None, "", [])}


def tells(zone: PublicZone) -> bool:
    """Whether there is a number of the zone that everybody may know now."""
    return any(count.tells in TOLD for count in zone.counts)


def listed(zone: PublicZone, source: Source, *, raw: bool = False) -> Item:
    """A zone as ParkAPI's readers get it. `raw`: `has_realtime_data` says whether there could be numbers, be they told now or
    not; what may not be told is missing all the same."""
    item = site(zone, source)
    uid, changed = item.pop("uid"), item["static_data_updated_at"]
    could = any(count.tells not in (Tells.WORD, Tells.TOO_FEW) for count in zone.counts)
    return {"id": number(uid), "source_id": number(source.tenant.id), "original_uid": uid, "created_at": changed,
            "modified_at": max(changed, item.get("realtime_data_updated_at", "")), **item,
            **({"has_realtime_data": could} if raw else {}),
            **({"official_region_code": source.said.region_code} if source.said.region_code else {})}


def spot(one: PublicSpot, source: Source, *, raw: bool = False) -> Item:
    """A bay for the disabled or for charging as ParkAPI's readers get it."""
    site_of = site_uid(source.tenant.id, one.zone.zone)
    uid = f"{site_of}-{one.name}"
    changed = stamp(static_at(one.zone, source))
    told = one.evaluated_at is not None
    item = {"id": number(uid), "source_id": number(source.tenant.id), "parking_site_id": number(site_of), "original_uid": uid,
            "created_at": changed, "modified_at": max(changed, stamp(one.evaluated_at) if one.evaluated_at else ""),
            "name": f"{SPOT_NAMES[one.restriction]}, {one.zone.name}"[:256], "type": one.zone.site.kind, "purpose": "CAR",
            "address": one.zone.site.address[:256], "lat": round(one.latitude, 7), "lon": round(one.longitude, 7),
            "has_realtime_data": told or raw, "static_data_updated_at": changed,
            "official_region_code": source.said.region_code,
            "restrictions": [{"type": AUDIENCES[one.restriction], "hours": ALWAYS}]}
    if one.evaluated_at is not None:
        item |= {"realtime_status": {True: "AVAILABLE", False: "TAKEN", None: "UNKNOWN"}[one.free],
                 "realtime_data_updated_at": stamp(one.evaluated_at)}
    return {name: value for name, value in item.items() if value not in (None, "")}


def past(quarters: Iterable[PublicQuarter], source: Source, step: timedelta) -> list[Item]:
    """A zone's history as ParkAPI's readers get it: means over `step`, free bays rounded to whole ones, the newest last."""
    found = []
    for one in quarters:
        uid, end = site_uid(source.tenant.id, one.zone), stamp(one.at + step)
        found.append({"id": number(f"{uid}@{stamp(one.at)}"), "parking_site_id": number(uid), "created_at": end,
                      "modified_at": end, "realtime_data_updated_at": end, "realtime_capacity": one.total,
                      "realtime_free_capacity": min(round(one.free), one.total)})
    return found


def source_of(source: Source, zones: Iterable[PublicZone]) -> Item:
    """The town as ParkAPI's `source`, with the licence of its data."""
    said, times = source.said, [zone.evaluated_at for zone in zones if tells(zone)]
    changed = stamp(max(source.said_at.values(), default=_EPOCH))
    item = {"id": number(source.tenant.id), "uid": source.tenant.id, "name": source.tenant.name, "created_at": changed,
            "modified_at": changed, "public_url": said.website or source.page, "attribution_license": said.licence,
            "attribution_contributor": (said.attribution or said.operator or source.tenant.name)[:256],
            "attribution_url": said.licence_url, "static_status": "ACTIVE",
            "realtime_status": "ACTIVE" if times else "PROVISIONED", "static_data_updated_at": changed,
            "realtime_data_updated_at": stamp(max(times)) if times else ""}
    return {name: value for name, value in item.items() if value}


def cities(source: Source) -> Item:
    """ParkAPI v1's front door: the one town that this is."""
    return {"api_version": "1.0", "server_version": "3.0.0", "reference": "https://github.com/ParkenDD/park-api-v3",
            "cities": {source.tenant.name: source.tenant.id}}


def lots(zones: Iterable[PublicZone], source: Source) -> Item:
    """The town as ParkAPI v1 had it. `total` and `free` are about bays for everybody; there is no `free` where none is told,
    and its state is then "nodata"."""
    rows, times = [], [_EPOCH]
    for zone in zones:
        rows.append(_lot(zone, source))
        times += [zone.evaluated_at] if tells(zone) else []
    newest = max([*times, *source.said_at.values()])
    updated = newest.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")  # v1 has UTC without a mark
    return {"last_updated": updated, "last_downloaded": updated, "lots": rows,
            **({"data_source": source.said.website or source.page} if source.said.website or source.page else {})}


def stamp(at: datetime) -> str:
    """A time in UTC, in whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def static_at(zone: PublicZone, source: Source) -> datetime:
    """When somebody last said something about the zone; where nobody ever has, the beginning of the day of its evaluation."""
    said = [source.said_at[key] for key in (zone.zone, "") if key in source.said_at]
    return max(said, default=zone.evaluated_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def _realtime(zone: PublicZone, source: Source) -> Item:
    main = zone.main
    numbers = {"realtime_capacity": main.known, "realtime_free_capacity": main.free_min} if main.tells in TOLD else {}
    return {"realtime_data_updated_at": stamp(zone.evaluated_at), "realtime_opening_status": _opening(zone, source), **numbers}


def _opening(zone: PublicZone, source: Source) -> str:
    held = in_force(zone.site, zone.evaluated_at, land=source.tenant.land, point=(zone.longitude, zone.latitude))
    return "UNKNOWN" if "opening_hours" in held.broken else "OPEN" if held.open else "CLOSED"


def _restrictions(zone: PublicZone, permits: Mapping[str, PermitZone]) -> list[Item]:
    """Rules of the zone, one entry each; the bays of a kind stand at its first rule, or have an entry of their own."""
    rows = [row for rule in zone.site.rules if (row := _rule(rule)) not in ({}, {"hours": ALWAYS})]
    permit = permits.get(zone.site.permit_zone)
    if permit is not None and not any(row.get("type") == "RESIDENT" for row in rows):
        rows.append({"type": "RESIDENT", "hours": permit.hours or ALWAYS})
    for count in zone.counts:
        if count.restriction in AUDIENCES:
            kind = AUDIENCES[count.restriction]
            first = next((row for row in rows if row.get("type") == kind and "capacity" not in row), None)
            if first is None:
                rows.append(first := {"type": kind})
            first.update(_numbers(count))
    return rows


def _rule(rule: SiteRule) -> Item:
    if rule.kind and rule.kind not in {kind.value for kind in AUDIENCES}:
        return {}
    kind = {"type": AUDIENCES[Restriction(rule.kind)]} if rule.kind else {}
    stay = {"max_stay": _duration(rule.max_stay_min)} if rule.max_stay_min > 0 else {}
    return {**kind, "hours": rule.hours or ALWAYS, **stay}


def _numbers(count: PublicCount) -> Item:
    told = {"realtime_capacity": count.known, "realtime_free_capacity": count.free_min} if count.tells in TOLD else {}
    return {"capacity": count.total, **told}


def _duration(minutes: int) -> str:
    """ISO 8601."""
    hours, rest = divmod(minutes, 60)
    return f"PT{f'{hours}H' if hours else ''}{f'{rest}M' if rest else ''}"


def _description(zone: PublicZone) -> str:
    also = f"Mitgezählt: {', '.join(zone.also)}." if zone.also else ""
    return " ".join(text for text in (zone.site.note, also) if text)


def _area(zone: PublicZone) -> Item | None:
    ring = zone.site.area
    if not 4 <= len(ring) <= MOST_AREA or ring[0] != ring[-1]:
        return None
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in ring]]}


def _lot(zone: PublicZone, source: Source) -> Item:
    main, told = zone.main, zone.main.tells in TOLD
    state = "closed" if zone.closed else _opening(zone, source).lower() if told else "nodata"
    lot = {"id": site_uid(source.tenant.id, zone.zone), "name": zone.name,
           "coords": {"lat": round(zone.latitude, 7), "lng": round(zone.longitude, 7)}, "total": main.total, "state": state,
           "forecast": False, "lot_type": LOT_TYPES.get(zone.site.kind, "unknown"), "address": zone.site.address,
           "opening_hours": zone.site.opening_hours or ALWAYS, "url": zone.site.url or source.page,
           **({"free": main.free_min} if told else {})}
    return {name: value for name, value in lot.items() if value != ""}
