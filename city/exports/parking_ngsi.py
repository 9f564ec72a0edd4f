"""A town's parking zones as FIWARE's Smart Data Models have them (dataModel.Parking), in NGSI-LD (ETSI GS CIM 009).

One OnStreetParking (or OffStreetParking) a zone, one ParkingGroup for its bays of each kind that is not for everybody. There
are no ParkingSpots: single bays are nobody's business but the town's. `availableSpotNumber` is about the bays for everybody,
`extraSpotNumber` about the others, so that both together never exceed `totalSpotNumber`. A number stands only where the town
is sure of it; what FIWARE has no attribute for (the range, the class, how many bays are known) stands under terms of our own.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from city.exports.ngsi_ld import CONTEXTS, CORE_CONTEXT, Entity
from city.exports.parking_seen import ParkingSeen, stamp, web_address
from city.ids import TenantId
from city.parking import Word
from city.parking_display import Tells
from city.parking_places import ParkingSite, SiteKind
from city.places import Restriction
from city.public_parking import PublicCount, PublicZone

TYPES: Final = ("OnStreetParking", "OffStreetParking", "ParkingGroup", "ParkingSpot")
OWN_TERMS: Final = ("availability", "availableSpotNumberMin", "availableSpotNumberMax", "knownSpotNumber", "availabilityTrend",
                    "countedWith", "license", "operator")
OWN_CONTEXT: Final[Mapping[str, str]] = {term: f"urn:stadtfunk:ngsi-ld:parking:{term}" for term in OWN_TERMS}
_GROUPS: Final = {Restriction.DISABLED: ("onlyDisabled", "disabledPermit"),
                  Restriction.RESIDENT: ("onlyResidents", "residentPermit"),
                  Restriction.CHARGING: ("onlyElectricalCharging", "")}
_FOR: Final = {Restriction.DISABLED: "forDisabled", Restriction.RESIDENT: "forResidents",
               Restriction.CHARGING: "forElectricalCharging"}
_MODES: Final = {"PARALLEL": "parallelParking", "DIAGONAL": "echelonParking", "PERPENDICULAR": "perpendicularParking"}
_LAYOUTS: Final = {SiteKind.GROUND.value: "surface", SiteKind.UNDERGROUND.value: "underground",
                   SiteKind.CAR_PARK.value: "multiStorey"}


def entities(seen: ParkingSeen) -> Iterator[Entity]:
    """All of a town's, in a fixed order: zones by name, each followed by its groups."""
    for zone in seen.zones:
        yield site(seen, zone)
        for count in special(zone):
            yield group(seen, zone, count)


def site(seen: ParkingSeen, zone: PublicZone) -> Entity:
    """A zone, in the normalized form without its context."""
    kind, main, at = type_of(zone.site), zone.main, zone.evaluated_at
    entity: Entity = {
        "id": urn(kind, seen.tenant.id, zone.zone), "type": kind, "location": _location(zone), "name": _property(zone.name),
        "category": _property(_categories(zone)), "allowedVehicleType": _property("car"),
        "totalSpotNumber": _property(zone.total), "occupancyDetectionType": _property(["singleSpaceDetection"]),
        "operator": _property(seen.operator), "license": _property(seen.town.licence_url or seen.town.licence),
        "dateModified": _property(_moment(at)), **_free(main, at)}
    extra = [count.free for count in special(zone)]
    if extra and None not in extra:
        entity["extraSpotNumber"] = _property(sum(free for free in extra if free is not None), at)
    if groups := [urn("ParkingGroup", seen.tenant.id, f"{zone.zone}:{count.restriction.value}") for count in special(zone)]:
        entity["refParkingGroup"] = {"type": "Relationship", "object": groups}
    if zone.trend:
        entity["availabilityTrend"] = _property(zone.trend, at)
    return {**entity, **_described(zone.site, zone.also)}


def group(seen: ParkingSeen, zone: PublicZone, count: PublicCount) -> Entity:
    """A zone's bays that are for somebody only: as many as there are, and the free ones where that may be told."""
    category, permit = _GROUPS[count.restriction]
    place = "onStreet" if type_of(zone.site) == "OnStreetParking" else "offStreet"
    entity: Entity = {
        "id": urn("ParkingGroup", seen.tenant.id, f"{zone.zone}:{count.restriction.value}"), "type": "ParkingGroup",
        "location": _point(zone), "category": _property([place, category]), "totalSpotNumber": _property(count.total),
        "allowedVehicleType": _property("car"), "occupancyDetectionType": _property(["singleSpaceDetection"]),
        "refParkingSite": {"type": "Relationship", "object": urn(type_of(zone.site), seen.tenant.id, zone.zone)},
        "license": _property(seen.town.licence_url or seen.town.licence), **_free(count, zone.evaluated_at)}
    if permit:
        entity["requiredPermit"] = _property([permit])
    return entity


def special(zone: PublicZone) -> Sequence[PublicCount]:
    """The bays that are for somebody only, by kind."""
    return [count for kind in _GROUPS if (count := zone.of(kind)) is not None]


def type_of(place: ParkingSite) -> str:
    """FIWARE's type of a zone."""
    return "OffStreetParking" if place.kind in _LAYOUTS else "OnStreetParking"


def urn(kind: str, tenant: TenantId, name: str) -> str:
    """An entity's id; zones' names need no escaping but for umlauts, which an IRI may have."""
    return f"urn:ngsi-ld:{kind}:{tenant}:{name}"


def context() -> list[Any]:
    """FIWARE's words, ours, and NGSI-LD's own, which come last."""
    return [*CONTEXTS, dict(OWN_CONTEXT), CORE_CONTEXT]


def with_context(entity: Entity) -> Entity:
    """The entity with all that its words mean: for application/ld+json."""
    return {**entity, "@context": context()}


def _free(count: PublicCount, at: datetime) -> Entity:
    found: Entity = {"availability": _property(count.word if count.tells is not Tells.NOTHING else Word.NO_DATA.value, at)}
    if count.free is not None and count.known is not None:
        found["availableSpotNumber"] = _property(count.free, at)
        found["occupiedSpotNumber"] = _property(count.known - count.free, at)
    if count.free_min is not None and count.free_max is not None:
        found["availableSpotNumberMin"] = _property(count.free_min, at)
        found["availableSpotNumberMax"] = _property(count.free_max, at)
    if count.known is not None:
        found["knownSpotNumber"] = _property(count.known, at)
    return found


def _categories(zone: PublicZone) -> list[str]:
    """What the zone is, by what its rules and bays say; none of it is about a certain hour."""
    rules = [rule for rule in zone.site.rules if rule.kind == Restriction.NONE.value]
    found = [_FOR[count.restriction] for count in special(zone)]
    if type_of(zone.site) == "OffStreetParking":
        return ["public", *(["feeCharged"] if any(rule.fee for rule in rules) else [])]
    if any(rule.fee for rule in rules):
        found.append("feeCharged")
    if any(rule.disc for rule in rules):
        found.append("blueZone")
    if any(0 < rule.max_stay_min <= 240 for rule in rules):
        found.append("shortTerm")
    return found


def _described(place: ParkingSite, also: Sequence[str]) -> Entity:
    found: Entity = {}
    if place.address:
        found["address"] = _property({"streetAddress": place.address, "addressCountry": "DE"})
    if place.orientation in _MODES and type_of(place) == "OnStreetParking":
        found["parkingMode"] = _property(_MODES[place.orientation])
    if place.kind in _LAYOUTS:
        found["layout"] = _property([_LAYOUTS[place.kind]])
    if sentences := [text for text in (place.fee, place.note) if text]:
        found["description"] = _property(" · ".join(sentences))
    if url := web_address(place.url):
        found["seeAlso"] = _property(url)
    if also:
        found["countedWith"] = _property(list(also))
    return found


def _location(zone: PublicZone) -> Entity:
    if not zone.site.area:
        return _point(zone)
    return {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [[list(point) for point in zone.site.area]]}}


def _point(zone: PublicZone) -> Entity:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [zone.longitude, zone.latitude]}}


def _property(value: object, at: datetime | None = None) -> Entity:
    return {"type": "Property", "value": value, **({} if at is None else {"observedAt": stamp(at)})}


def _moment(at: datetime) -> Entity:
    return {"@type": "DateTime", "@value": stamp(at)}
