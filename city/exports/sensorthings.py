"""A town's parking zones as things of OGC SensorThings API 1.1 (18-088): each zone a Thing with datastreams of what everybody
may know. A number that is not told has no observation; there is no Thing finer than a zone.

Datastreams of a zone: `{zone}.mean`, means over quarters of an hour that are over; `{zone}.free` and `{zone}.{kind}`, free bays
now, for everybody and for some; `{zone}.class`, the class of display now, with the range of free bays where that is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from city.exports.parking_seen import ParkingSeen, stamp
from city.exports.sta_answers import Entity, Late, Model, Window
from city.ids import ZoneId
from city.parking_display import Tells
from city.places import Restriction
from city.public_parking import PublicQuarter, PublicZone

KEPT: Final = timedelta(days=7)  # how far back observations go here; older ones are in history.csv
QUARTER: Final = timedelta(minutes=15)
_OM: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
_BAYS: Final = {"name": "bay", "symbol": "{bay}", "definition": "https://ucum.org/ucum#section-Curly-Braces"}
_NONE: Final = {"name": None, "symbol": None, "definition": None}
_SPECIAL: Final = {Restriction.DISABLED: "for disabled people", Restriction.RESIDENT: "for residents",
                   Restriction.CHARGING: "for charging"}

Past = Mapping[ZoneId, Sequence[PublicQuarter]]  # by zone, the newest first


def model(seen: ParkingSeen, base: str, past: Past) -> Model:
    """The zones as SensorThings has them, at the address `base`."""
    zones = {zone.zone: zone for zone in seen.zones}
    streams = {one.id: one for zone in seen.zones for one in _datastreams(seen, zone)}

    def observe(wanted: frozenset[str] | None, window: Window) -> Sequence[Entity]:
        names = streams if wanted is None else [name for name in streams if name in wanted]
        now = [one for name in names for one in _current(name, zones, window)]
        means = [(name, quarter) for name in names if name.endswith(".mean")
                 for quarter in past.get(ZoneId(name.removesuffix(".mean")), ()) if _within(quarter.at, window)]
        if len(names) > 1:
            means.sort(key=lambda one: one[1].at, reverse=True)
        return Late(_mean, [*now, *means])

    return Model(base, {
        "Things": {zone.zone: _thing(seen, zone) for zone in seen.zones},
        "Locations": {zone.zone: _location(zone) for zone in seen.zones},
        "HistoricalLocations": {}, "Datastreams": streams, "Sensors": _sensors(seen), "ObservedProperties": _properties(),
        "FeaturesOfInterest": {zone.zone: _feature(zone) for zone in seen.zones}}, observe)


def by_zone(quarters: Iterable[PublicQuarter]) -> Past:
    """The past by zone, the newest first."""
    found: dict[ZoneId, list[PublicQuarter]] = {}
    for one in sorted(quarters, key=lambda one: one.at, reverse=True):
        found.setdefault(one.zone, []).append(one)
    return found


def _thing(seen: ParkingSeen, zone: PublicZone) -> Entity:
    properties: dict[str, Any] = {
        "kind": zone.site.kind, "operator": seen.operator, "licence": seen.town.licence, "licenceUrl": seen.town.licence_url,
        "bays": zone.main.total, "total": zone.total}
    for count in zone.counts:
        if count.restriction in _SPECIAL:
            properties[f"{count.restriction.value}Bays"] = count.total
    said = {"address": zone.site.address, "fee": zone.site.fee, "openingHours": zone.site.opening_hours,
            "permitZone": zone.site.permit_zone}
    properties |= {name: text for name, text in said.items() if text}
    if zone.also:
        properties["countedWith"] = list(zone.also)
    return Entity(zone.zone, {"name": zone.name, "description": f"Parking zone of {seen.tenant.name}", "properties": properties},
                  {"Locations": (zone.zone,)})


def _location(zone: PublicZone) -> Entity:
    return Entity(zone.zone, {"name": zone.name, "description": "Where the zone is", "encodingType": "application/geo+json",
                              "location": _geometry(zone)}, {"HistoricalLocations": ()})


def _feature(zone: PublicZone) -> Entity:
    return Entity(zone.zone, {"name": zone.name, "description": "The bays of the zone together",
                              "encodingType": "application/geo+json", "feature": _geometry(zone)})


def _geometry(zone: PublicZone) -> dict[str, Any]:
    if zone.site.area:
        return {"type": "Polygon", "coordinates": [[list(point) for point in zone.site.area]]}
    return {"type": "Point", "coordinates": [zone.longitude, zone.latitude]}


def _datastreams(seen: ParkingSeen, zone: PublicZone) -> Iterable[Entity]:
    yield _stream(zone, "mean", "Free bays, mean over a quarter of an hour", "OM_Measurement", _BAYS, "free-bays-mean")
    yield _stream(zone, "free", "Free bays now", "OM_CountObservation", _BAYS, "free-bays")
    yield _stream(zone, "class", "How full the zone is now", "OM_CategoryObservation", _NONE, "availability")
    for count in zone.counts:
        if count.restriction in _SPECIAL and seen.town.special_public:
            yield _stream(zone, count.restriction.value, f"Free bays {_SPECIAL[count.restriction]} now", "OM_CountObservation",
                          _BAYS, "free-bays")


def _stream(zone: PublicZone, part: str, name: str, kind: str, unit: Mapping[str, Any], observed: str) -> Entity:
    body = {"name": f"{zone.name}: {name}", "description": name, "observationType": _OM + kind, "unitOfMeasurement": unit,
            "observedArea": _geometry(zone), "properties": {"zone": zone.zone, "part": part}}
    links = {"Thing": (zone.zone,), "Sensor": ("bay-sensors",), "ObservedProperty": (observed,),
             "FeatureOfInterest": (zone.zone,)}
    return Entity(f"{zone.zone}.{part}", body, links)


def _sensors(seen: ParkingSeen) -> Mapping[str, Entity]:
    body = {"name": "Sensors in the bays", "description": "A sensor in each bay tells whether a vehicle stands there; what is "
            "told of a zone follows from all of them", "encodingType": "text/html", "metadata": seen.base}
    return {"bay-sensors": Entity("bay-sensors", body)}


def _properties() -> Mapping[str, Entity]:
    told = {"free-bays": ("Free bays", "How many bays are free, where enough of them are known"),
            "free-bays-mean": ("Free bays, mean", "How many bays were free in the mean over a quarter of an hour"),
            "availability": ("Availability", "many, few, full, or no_data where too little is known")}
    return {name: Entity(name, {"name": title, "definition": f"urn:stadtfunk:parking:{name}", "description": text})
            for name, (title, text) in told.items()}


def _current(name: str, zones: Mapping[ZoneId, PublicZone], window: Window) -> Sequence[Entity]:
    """What a datastream says of now; nothing where that is not told."""
    zone, _, part = name.rpartition(".")
    one = zones[ZoneId(zone)]
    if part == "mean" or not _within(one.evaluated_at, window):
        return []
    if part == "class":
        return [_class(name, one)]
    count = one.main if part == "free" else one.of(Restriction(part))
    if count is None or count.free is None:
        return []
    return [_now(name, one, count.free, {"bays": count.total, "known": count.known})]


def _within(at: datetime, window: Window) -> bool:
    """Whether it may be asked for: a little too much is no harm, the filter itself decides."""
    return (window[0] is None or at >= window[0] - QUARTER) and (window[1] is None or at <= window[1])


def _mean(of: tuple[str, PublicQuarter]) -> Entity:
    name, quarter = of
    mark, phenomenon, said = _times(quarter.at)
    body = {"phenomenonTime": phenomenon, "resultTime": said, "result": quarter.free, "parameters": {"bays": quarter.total}}
    return Entity(name + mark, body, {"Datastream": (name,), "FeatureOfInterest": (quarter.zone,)})


@lru_cache(maxsize=4096)
def _times(at: datetime) -> tuple[str, str, str]:
    """Of a quarter of an hour that all zones share: the end of its ids, when it was, and when that was known."""
    end = at + QUARTER
    return f"@{int(at.timestamp())}", f"{stamp(at)}/{stamp(end)}", stamp(end)


def _class(name: str, zone: PublicZone) -> Entity:
    main, more = zone.main, dict[str, Any]()
    if main.free_min is not None and main.free_max is not None:
        more = {"freeMin": main.free_min, "freeMax": main.free_max}
    return _now(name, zone, main.word if main.tells is not Tells.NOTHING else "no_data", {"bays": main.total, **more})


def _now(name: str, zone: PublicZone, result: object, parameters: Mapping[str, Any]) -> Entity:
    at = zone.evaluated_at
    body = {"phenomenonTime": stamp(at), "resultTime": stamp(at), "result": result, "parameters": dict(parameters)}
    return Entity(f"{name}@{int(at.timestamp())}", body, {"Datastream": (name,), "FeatureOfInterest": (zone.zone,)})
