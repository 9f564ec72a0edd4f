"""A town's lamps as things of OGC SensorThings API 1.1: whole zones for everybody, single lamps for those who may see them. Pure.

Of a zone everybody may know how bright its lamps burn in the mean and how many of them burn, by their own word; nothing where
there are fewer than LEAST lamps, or where too few of them have spoken of late.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from city.exports.parking_seen import stamp
from city.exports.seen import LampSeen
from city.exports.sta_answers import Entity, Model, Window
from city.ids import AssetId, ZoneId
from city.places import Luminaire, Site, Zone
from city.quantities import LAMP_ENERGY, LAMP_LEVEL, LAMP_POWER, Quantity

LEAST: Final = 5  # lamps
KNOWN_FROM: Final = 0.6  # the share of a zone's lamps that must have spoken …
LATELY: Final = timedelta(hours=25)  # … within this time
_OM: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
_PERCENT: Final = {"name": "percent", "symbol": "%", "definition": "https://ucum.org/ucum#para-29"}
_LAMPS: Final = {"name": "lamp", "symbol": "{lamp}", "definition": "https://ucum.org/ucum#section-Curly-Braces"}
_WATT: Final = {"name": "watt", "symbol": "W", "definition": "https://ucum.org/ucum#para-30"}
_HOURS: Final = {"name": "watt hour", "symbol": "W.h", "definition": "https://ucum.org/ucum#para-30"}
_OF_LAMP: Final[Mapping[str, tuple[Quantity, str, Mapping[str, str]]]] = {
    "level": (LAMP_LEVEL, "Level in effect", _PERCENT), "power": (LAMP_POWER, "Power drawn", _WATT),
    "energy": (LAMP_ENERGY, "Energy counter", _HOURS)}
_PROPERTIES: Final = {
    "level": ("Level", "How bright a lamp burns by its controller's word, in per cent of its light"),
    "level-mean": ("Level, mean", "The mean level of the lamps of a zone that have spoken within 25 hours"),
    "lamps-lit": ("Lamps that burn", "How many lamps of a zone burn, of those that have spoken within 25 hours"),
    "power": ("Power", "What a lamp draws, in watts"), "energy": ("Energy", "What a lamp has used since its meter began")}


@dataclass(frozen=True, slots=True)
class ZoneLight:
    """The lamps of a zone together: how many there are, how many have spoken of late, how many of those burn, and their mean
    level in per cent, as known at `at`."""

    zone: ZoneId
    name: str
    place: Site
    lamps: int
    known: int
    lit: int
    level: float
    at: datetime

    @property
    def told(self) -> bool:
        """Whether everybody may know how it burns."""
        return self.lamps >= LEAST and self.known >= KNOWN_FROM * self.lamps


def zone_lights(zones: Iterable[Zone], lamps: Iterable[Luminaire], levels: Mapping[AssetId, tuple[float, datetime]],
                now: datetime) -> list[ZoneLight]:
    """By zone, of lamps' last words (level in per cent, when)."""
    by_zone: dict[ZoneId, list[Luminaire]] = {}
    for lamp in lamps:
        by_zone.setdefault(lamp.zone, []).append(lamp)
    return [_zone_light(zone, by_zone[zone.id], levels, now) for zone in zones if zone.id in by_zone]


def of_zones(lights: Iterable[ZoneLight], base: str) -> Model:
    """Lamps by zone, for everybody."""
    told = [light for light in lights if light.lamps >= LEAST]
    things = [_thing(f"light:{one.zone}", f"Street lighting: {one.name}", {"zone": one.zone, "lamps": one.lamps}) for one in told]
    places = {f"light:{one.zone}": (one.name, one.place) for one in told}
    found: dict[str, list[Entity]] = {}
    for one in told:
        thing, said = f"light:{one.zone}", {"lamps": one.lamps, "known": one.known}
        found[f"{thing}.level"] = [_observation(f"{thing}.level", thing, round(one.level, 1), one.at, said)] if one.told else []
        found[f"{thing}.lit"] = [_observation(f"{thing}.lit", thing, one.lit, one.at, said)] if one.told else []
    streams = [stream for one in told for stream in (
        _stream(f"light:{one.zone}", "level", f"{one.name}: mean level", _PERCENT, "level-mean"),
        _stream(f"light:{one.zone}", "lit", f"{one.name}: lamps that burn", _LAMPS, "lamps-lit"))]
    return _model(base, things, places, streams, found)


def of_lamps(lamps: Sequence[LampSeen], base: str) -> Model:
    """Single lamps, for those who may see them: what each last said."""
    things, streams, found = [], [], dict[str, list[Entity]]()
    for one in lamps:
        thing = f"lamp:{one.lamp.id}"
        properties = {"zone": one.lamp.zone, "nominalPower": one.lamp.power_w, "luminaireType": one.lamp.luminaire_type,
                      "circuit": one.lamp.circuit, "status": one.word}
        things.append(_thing(thing, one.lamp.name, {name: value for name, value in properties.items() if value}))
        for part, (quantity, name, unit) in _OF_LAMP.items():
            streams.append(_stream(thing, part, f"{one.lamp.name}: {name}", unit, part))
            said = one.said(quantity)
            found[f"{thing}.{part}"] = [] if said is None else [
                _observation(f"{thing}.{part}", thing, float(said.value), said.at, {})]
    return _model(base, things, {f"lamp:{one.lamp.id}": (one.lamp.name, one.lamp.site) for one in lamps}, streams, found)


def _zone_light(zone: Zone, lamps: Sequence[Luminaire], levels: Mapping[AssetId, tuple[float, datetime]],
                now: datetime) -> ZoneLight:
    known = [level for lamp in lamps if (said := levels.get(lamp.id)) is not None and now - said[1] <= LATELY
             for level in (said[0],)]
    place = Site(sum(lamp.site.latitude for lamp in lamps) / len(lamps), sum(lamp.site.longitude for lamp in lamps) / len(lamps))
    return ZoneLight(zone.id, zone.name, place, len(lamps), len(known), sum(level > 0 for level in known),
                     sum(known) / len(known) if known else 0.0, now)


def _model(base: str, things: Iterable[Entity], places: Mapping[str, tuple[str, Site]], streams: Iterable[Entity],
           found: Mapping[str, Sequence[Entity]]) -> Model:
    def observe(wanted: frozenset[str] | None, window: Window) -> list[Entity]:  # noqa: ARG001 - there is only the newest
        names = found if wanted is None else [name for name in found if name in wanted]
        return sorted((one for name in names for one in found[name]), key=lambda one: str(one.body["resultTime"]), reverse=True)

    return Model(base, {
        "Things": {one.id: one for one in things}, "Datastreams": {one.id: one for one in streams}, "HistoricalLocations": {},
        "Locations": {thing: _location(thing, *told) for thing, told in places.items()},
        "FeaturesOfInterest": {thing: _feature(thing, *told) for thing, told in places.items()},
        "Sensors": {"lamp-controllers": Entity("lamp-controllers", {
            "name": "Lamp controllers", "description": "A controller at each lamp says how bright it burns",
            "encodingType": "text/html", "metadata": base})},
        "ObservedProperties": {name: _property(name, *told) for name, told in _PROPERTIES.items()}}, observe)


def _property(name: str, title: str, text: str) -> Entity:
    return Entity(name, {"name": title, "definition": f"urn:stadtfunk:lighting:{name}", "description": text})


def _thing(id: str, name: str, properties: Mapping[str, Any]) -> Entity:
    return Entity(id, {"name": name, "description": "Street lighting", "properties": dict(properties)}, {"Locations": (id,)})


def _location(id: str, name: str, place: Site) -> Entity:
    return Entity(id, {"name": name, "description": "Where it stands; of a zone, the middle of its lamps",
                       "encodingType": "application/geo+json", "location": _point(place)})


def _feature(id: str, name: str, place: Site) -> Entity:
    return Entity(id, {"name": name, "description": "What is lit", "encodingType": "application/geo+json",
                       "feature": _point(place)})


def _stream(thing: str, part: str, name: str, unit: Mapping[str, str], observed: str) -> Entity:
    kind = "OM_CountObservation" if unit is _LAMPS else "OM_Measurement"
    body = {"name": name, "description": name, "observationType": _OM + kind, "unitOfMeasurement": unit,
            "properties": {"part": part}}
    return Entity(f"{thing}.{part}", body, {"Thing": (thing,), "Sensor": ("lamp-controllers",), "ObservedProperty": (observed,),
                                            "FeatureOfInterest": (thing,)})


def _observation(stream: str, thing: str, result: float, at: datetime, parameters: Mapping[str, Any]) -> Entity:
    body = {"phenomenonTime": stamp(at), "resultTime": stamp(at), "result": result, "parameters": dict(parameters)}
    return Entity(f"{stream}@{int(at.timestamp())}", body, {"Datastream": (stream,), "FeatureOfInterest": (thing,)})


def _point(place: Site) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [place.longitude, place.latitude]}
