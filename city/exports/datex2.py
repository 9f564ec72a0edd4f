"""A town's parking zones as DATEX II v2.3 XML (CEN/TS 16157-6, Level B extension "Parking"), in the shape that the German
national access point hands on: ParkingTablePublication for what stays, ParkingStatusPublication for what changes.

One UrbanParkingSite a zone. Its own numbers are about the bays for everybody; bays for the disabled, for residents and for
charging are groups of it. A number stands only where the town is sure of it: a range is told as "higher than" and "lower
than", a class as parkingSiteStatus alone, and where nothing is known the status is "unknown". No bay stands in it.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from city.exports.parking_seen import ParkingSeen, clean, stamp, web_address
from city.parking import Word
from city.parking_display import Tells
from city.parking_places import ParkingSite, SiteKind
from city.parking_rules import in_force
from city.places import Restriction
from city.public_parking import PublicCount, PublicZone

NAMESPACE: Final = "http://datex2.eu/schema/2/2_0"
MEDIA: Final = "application/xml"
GROUPS: Final = (Restriction.DISABLED, Restriction.RESIDENT, Restriction.CHARGING)  # groupIndex is the place in this, from 1
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_LAYOUTS: Final = {SiteKind.ON_STREET: "openSpace", SiteKind.GROUND: "singleLevel", SiteKind.UNDERGROUND: "underground",
                   SiteKind.CAR_PARK: "multiStorey"}
_STATUS: Final = {Word.MANY.value: "spacesAvailable", Word.FEW.value: "almostFull", Word.FULL.value: "full"}
_TREND: Final = {"rising": "decreasing", "falling": "increasing", "steady": "stable"}  # ours is of free bays


def table(seen: ParkingSeen) -> bytes:
    """ParkingTablePublication: which zones there are."""
    root, publication = _publication(seen, "ParkingTablePublication")
    body = _add(publication, "parkingTablePublication")
    _header(body)
    records = [(zone, version(zone)) for zone in seen.zones]
    changed = max((seen.changed_at(zone) for zone in seen.zones), default=seen.at)
    whole = _add(body, "parkingTable", id=f"{seen.tenant.id}-parking", version=_digest("".join(one for _, one in records)))
    _multilingual(whole, "parkingTableName", f"Parken in {seen.tenant.name}")
    _add(whole, "parkingTableVersionTime", stamp(changed))
    for zone, its in records:
        _record(whole, seen, zone, its)
    return _text(root)


def status(seen: ParkingSeen) -> bytes:
    """ParkingStatusPublication: how full the zones are. Records refer to those of `table` by id and version."""
    root, publication = _publication(seen, "ParkingStatusPublication")
    body = _add(publication, "parkingStatusPublication")
    _header(body)
    for zone in seen.zones:
        _status(body, seen, zone)
    return _text(root)


def record_id(seen: ParkingSeen, zone: PublicZone) -> str:
    """A zone's name among all towns."""
    return f"{seen.tenant.id}-{zone.zone}"


def version(zone: PublicZone) -> str:
    """A record's version: the same for as long as nothing changes that the table says of the zone."""
    site = zone.site
    return _digest(repr((zone.zone, zone.name, zone.longitude, zone.latitude, zone.also, site.kind, site.address, site.fee,
                         site.note, site.url, site.permit_zone, _longest(site),
                         [(one.restriction.value, one.total) for one in zone.counts])))


def _publication(seen: ParkingSeen, name: str) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("d2LogicalModel", {"xmlns": NAMESPACE, "xmlns:xsi": _XSI, "modelBaseVersion": "2"})
    supplier = _add(_add(root, "exchange"), "supplierIdentification")
    payload = _add(root, "payloadPublication", **{"xsi:type": "GenericPublication", "lang": "de"})
    _add(payload, "publicationTime", stamp(seen.newest))
    for one in (supplier, _add(payload, "publicationCreator")):
        _add(one, "country", "de")
        _add(one, "nationalIdentifier", f"DE-{seen.town.region_code or seen.tenant.id}")
    _add(payload, "genericPublicationName", name)
    return root, _add(payload, "genericPublicationExtension")


def _header(body: ET.Element) -> None:
    header = _add(body, "headerInformation")
    _add(header, "confidentiality", "noRestriction")
    _add(header, "informationStatus", "real")


def _record(whole: ET.Element, seen: ParkingSeen, zone: PublicZone, its: str) -> None:
    site = zone.site
    record = _add(whole, "parkingRecord", **{"xsi:type": "UrbanParkingSite", "id": record_id(seen, zone), "version": its})
    _multilingual(record, "parkingName", zone.name)
    for name in zone.also:
        _multilingual(record, "parkingAlias", name)
    if described := " · ".join(part for part in (site.address, site.fee, site.note) if part):
        _multilingual(record, "parkingDescription", described)
    _add(record, "parkingRecordVersionTime", stamp(seen.changed_at(zone)))
    _add(record, "parkingNumberOfSpaces", str(zone.total))
    _add(record, "parkingPrincipalNumberOfSpaces", str(zone.main.total))
    if longest := _longest(site):
        _add(record, "maximumParkingDuration", str(longest))
    if url := web_address(site.url):
        _add(record, "urlLinkAddress", url)
    _add(record, "parkingOccupanyDetectionType", "singleSpaceDetection")  # sic: the schema's own spelling
    _place(record, zone)
    for count in _special(zone):
        _group(record, count)
    _add(record, "parkingLayout", _LAYOUTS[_kind(site)])
    _add(record, "urbanParkingSiteType", "onStreetParking" if _kind(site) is SiteKind.ON_STREET else "offStreetParking")
    if site.permit_zone:
        _multilingual(record, "parkingZone", site.permit_zone)


def _place(record: ET.Element, zone: PublicZone) -> None:
    point = _add(_add(_add(record, "parkingLocation", **{"xsi:type": "Point"}), "pointByCoordinates"), "pointCoordinates")
    _add(point, "latitude", f"{zone.latitude:.6f}")
    _add(point, "longitude", f"{zone.longitude:.6f}")


def _group(record: ET.Element, count: PublicCount) -> None:
    """Bays for somebody only, as a part of the zone."""
    outer = _add(record, "groupOfParkingSpaces", groupIndex=str(GROUPS.index(count.restriction) + 1))
    basics = _add(outer, "parkingSpaceBasics", **{"xsi:type": "GroupOfParkingSpaces"})
    assigned = _add(basics, "onlyAssignedParking")
    match count.restriction:
        case Restriction.CHARGING:
            _add(_add(assigned, "vehicleCharacteristics"), "fuelType", "battery")
        case Restriction.RESIDENT:
            _add(assigned, "applicableForUser", "residents")
        case _:
            _add(assigned, "applicableForUser", "disabled")
    _add(basics, "parkingNumberOfSpaces", str(count.total))
    _add(basics, "parkingTypeOfGroup", "nonAdjacentSpaces")


def _status(body: ET.Element, seen: ParkingSeen, zone: PublicZone) -> None:
    record = _add(body, "parkingRecordStatus", **{"xsi:type": "ParkingSiteStatus"})
    _add(record, "parkingRecordReference", targetClass="ParkingRecord", id=record_id(seen, zone), version=version(zone))
    _add(record, "parkingStatusOriginTime", stamp(zone.evaluated_at))
    _occupancy(_add(record, "parkingOccupancy"), zone.main, _TREND.get(zone.trend, ""))
    for count in _special(zone):
        outer = _add(record, "groupOfParkingSpacesStatus", groupIndex=str(GROUPS.index(count.restriction) + 1))
        _occupancy(_add(outer, "groupOfParkingSpacesStatus"), count, "")
    _add(record, "parkingSiteStatus", _site_status(zone.main))
    _add(record, "parkingSiteOpeningStatus", _opening(seen, zone, seen.at))


def _occupancy(one: ET.Element, count: PublicCount, trend: str) -> None:
    _add(one, "parkingNumberOfSpacesOverride", str(count.total))
    if count.free is not None and count.known is not None:
        _add(one, "parkingNumberOfVacantSpaces", str(count.free))
        _add(one, "parkingNumberOfOccupiedSpaces", str(count.known - count.free))
        _add(one, "parkingOccupancy", f"{100 * (count.known - count.free) / count.known:.1f}" if count.known else "0.0")
    elif count.free_min is not None and count.free_max is not None:
        _add(one, "parkingNumberOfVacantSpacesLowerThan", str(count.free_max + 1))
        if count.free_min > 0:
            _add(one, "parkingNumberOfVacantSpacesHigherThan", str(count.free_min - 1))
    if trend:
        _add(one, "parkingOccupancyTrend", trend)


def _site_status(main: PublicCount) -> str:
    """ParkingSiteStatusEnum. Full is said only where nothing is free, or where nothing but the class is told."""
    word = _STATUS.get(main.word, "unknown") if main.tells is not Tells.NOTHING else "unknown"
    return "almostFull" if word == "full" and (main.free or main.free_max) else word


def _opening(seen: ParkingSeen, zone: PublicZone, at: datetime) -> str:
    """OpeningStatusEnum, by what the town has blocked and the hours that it says."""
    if zone.closed:
        return "closed"
    found = in_force(zone.site, at, land=seen.tenant.land, point=(zone.longitude, zone.latitude))
    if "opening_hours" in found.broken:
        return "statusUnknown"
    return "open" if found.open else "closed"


def _special(zone: PublicZone) -> Sequence[PublicCount]:
    return [count for kind in GROUPS if (count := zone.of(kind)) is not None]


def _kind(site: ParkingSite) -> SiteKind:
    return SiteKind(site.kind) if site.kind in {one.value for one in SiteKind} else SiteKind.ON_STREET


def _longest(site: ParkingSite) -> int:
    """How long everybody may stay at most at any time, in seconds; 0 where that depends on the hour or has no limit."""
    always = [rule for rule in site.rules if not rule.kind]
    if len(always) != 1 or always[0].hours not in ("", "24/7"):
        return 0
    return 60 * always[0].max_stay_min


def _multilingual(parent: ET.Element, name: str, text: str) -> None:
    _add(_add(_add(parent, name), "values"), "value", clean(text), lang="de")


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    one = ET.SubElement(parent, name, {key: clean(value) for key, value in attributes.items()})
    if text:
        one.text = clean(text)
    return one


def _digest(text: str) -> str:
    return str(zlib.crc32(text.encode("utf-8", "replace")))


def _text(root: ET.Element) -> bytes:
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data
