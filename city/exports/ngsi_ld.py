"""A town's lamps as FIWARE's Smart Data Models have them (dataModel.Streetlighting), in NGSI-LD (ETSI GS CIM 009).

One Streetlight for each lamp, never for a pole; levels are 0..1. `illuminanceLevel` is the level in effect, by the
controller's own word; what FIWARE has no attribute for (the target, the calculated actual level, why) stands under terms of
our own, whose context goes along, and as text in `annotations`. Nothing is invented: what is not known is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any
from urllib.parse import quote, unquote

from city.alarms import AlarmKind
from city.errors import NotFound
from city.exports.seen import LampSeen, TownSeen
from city.groups import TOWN, Target
from city.ids import TenantId
from city.places import Circuit, Luminaire, Site
from city.quantities import LAMP_CURRENT, LAMP_ENERGY, LAMP_POWER, LAMP_POWER_FACTOR, LAMP_VOLTAGE, Quantity

Entity = dict[str, Any]
TYPES = ("Streetlight", "StreetlightGroup", "StreetlightControlCabinet", "StreetlightModel")
OWN_TERMS = ("targetLevel", "targetReason", "targetOrigin", "targetUntil", "actualLevel", "effectReason", "lightingClass",
             "lightingClassNight", "lanternRing", "lastHeard", "activeOverride", "supply", "deliveryPoint", "derivedFrom")
CONTEXTS = ("https://smartdatamodels.org/context.jsonld",)
CORE_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
OWN_CONTEXT: Mapping[str, str] = {term: f"urn:stadtfunk:ngsi-ld:{term}" for term in OWN_TERMS}
STATUS: Mapping[AlarmKind, str] = {
    **dict.fromkeys((AlarmKind.LAMP_FAILURE, AlarmKind.PARTIAL_FAILURE, AlarmKind.NIGHT_OFF, AlarmKind.CYCLING,
                     AlarmKind.FLICKER, AlarmKind.DIMMING_FAILURE), "defectiveLamp"),
    **dict.fromkeys((AlarmKind.DRIVER_SILENT, AlarmKind.RELAY_FAILURE, AlarmKind.OVER_TEMPERATURE), "brokenLantern"),
    AlarmKind.TILTED: "columnIssue"}
WORST = ("columnIssue", "brokenLantern", "defectiveLamp", "ok")  # what somebody must see to first
_MEASURED: tuple[tuple[str, Quantity, str, float], ...] = (  # attribute, quantity, UN/CEFACT unit, factor
    ("powerConsumption", LAMP_POWER, "WTT", 1), ("powerFactor", LAMP_POWER_FACTOR, "C62", 1),
    ("voltage", LAMP_VOLTAGE, "VLT", 1), ("current", LAMP_CURRENT, "AMP", 1),
    ("lifetimePowerConsumption", LAMP_ENERGY, "KWH", 0.001))


def urn(kind: str, tenant: TenantId, name: str) -> str:
    """An entity's id."""
    return f"urn:ngsi-ld:{kind}:{tenant}:{quote(name, safe=':._~-')}"


def parse_urn(text: str, tenant: TenantId) -> tuple[str, str]:
    """An entity's type and its name in the town; raises NotFound for what is no id of ours or another town's."""
    parts = text.split(":", 4)
    if len(parts) != 5 or parts[:2] != ["urn", "ngsi-ld"] or parts[2] not in TYPES or parts[3] != tenant:
        raise NotFound("There is no entity “{id}”.", field="id", rule="exists", id=text[:120])
    return parts[2], unquote(parts[4])


def streetlight(town: TownSeen, seen: LampSeen) -> Entity:
    """One lamp, in the normalized form without its context."""
    lamp, tenant = seen.lamp, town.tenant.id
    entity: Entity = {
        "id": urn("Streetlight", tenant, lamp.id), "type": "Streetlight", "location": _point(lamp.site),
        "status": _property(status_of(seen.kinds)), "name": _property(lamp.name), "controllingMethod": _property("individual"),
        "refStreetlightGroup": _relationship(urn("StreetlightGroup", tenant, f"zone:{lamp.zone}")),
        **_target(seen), **_in_effect(seen), **_actual(seen)}
    if lamp.power_w is not None:
        entity["powerRating"] = _property(lamp.power_w, unitCode="WTT")
    if lamp.circuit is not None:
        entity["circuit"] = _property(lamp.circuit)
        entity["refStreetlightControlCabinet"] = _relationship(urn("StreetlightControlCabinet", tenant, lamp.circuit))
    if lamp.luminaire_type:
        entity["refStreetlightModel"] = _relationship(urn("StreetlightModel", tenant, lamp.luminaire_type))
    if seen.device is not None:
        entity["refDevice"] = {"type": "Relationship", "object": [urn("Device", tenant, seen.device.dev_eui)]}
    return {**entity, **_measured(seen), **_described(seen)}


def group_names(town: TownSeen) -> list[str]:
    """The names of all groups: zones, circuits, and those that people have made."""
    return [*(f"zone:{zone.id}" for zone in town.zones), *(f"circuit:{circuit.id}" for circuit in town.circuits),
            *(f"group:{group}" for group in sorted(town.programming.groups))]


def streetlight_group(town: TownSeen, name: str, members: Sequence[LampSeen]) -> Entity:
    """Lamps that are meant together; `members` are theirs. FIWARE wants a place: the points of its lamps."""
    kind, _, short = name.partition(":")
    entity: Entity = {
        "id": urn("StreetlightGroup", town.tenant.id, name), "type": "StreetlightGroup",
        "location": {"type": "GeoProperty", "value": {"type": "MultiPoint", "coordinates": [
            [one.lamp.site.longitude, one.lamp.site.latitude] for one in members]}},
        "name": _property(_group_name(town, kind, short)),
        "refStreetlight": {"type": "Relationship", "object": [
            urn("Streetlight", town.tenant.id, one.lamp.id) for one in members]}}
    programs = {one.target.program for one in members if one.target.program is not None}
    if len(programs) == 1:
        entity["activeProgramId"] = _property(str(*programs))
    if kind == "circuit":
        entity["circuitId"] = _property(short)
        entity["refStreetlightControlCabinet"] = _relationship(urn("StreetlightControlCabinet", town.tenant.id, short))
    return {**entity, **_together(members), **_wish(town, Target(kind, short))}  # type: ignore[arg-type]  # names of ours


def control_cabinet(town: TownSeen, circuit: Circuit, members: Sequence[Luminaire]) -> Entity:
    """The cabinet that feeds a circuit. Where it stands is not in our registry: its place is the middle of its lamps."""
    wished = any(one.active(town.now) and {TOWN, Target("circuit", circuit.id)} & set(one.targets) for one in town.overrides)
    entity: Entity = {
        "id": urn("StreetlightControlCabinet", town.tenant.id, circuit.id), "type": "StreetlightControlCabinet",
        "location": _point(_middle(members, town.tenant.site)), "name": _property(circuit.name or circuit.id),
        "refStreetlightGroup": {"type": "Relationship",
                                "object": [urn("StreetlightGroup", town.tenant.id, f"circuit:{circuit.id}")]},
        "workingMode": _property("semiautomatic" if wished else "automatic"),
        "features": _property(["astronomicalClock", "individualControl"]), "supply": _property(circuit.supply.value),
        "annotations": _property(["location: the middle of the lamps that it feeds"])}
    if circuit.delivery_point:
        entity["deliveryPoint"] = _property(circuit.delivery_point)
    return entity


def streetlight_model(town: TownSeen, luminaire_type: str, lamps: Iterable[Luminaire]) -> Entity:
    """A make of luminaire, by the nominal powers of the lamps that are of it."""
    powers = [lamp.power_w for lamp in lamps if lamp.power_w is not None]
    entity: Entity = {"id": urn("StreetlightModel", town.tenant.id, luminaire_type), "type": "StreetlightModel",
                      "name": _property(luminaire_type), "lanternModelName": _property(luminaire_type)}
    if powers:
        entity["powerConsumption"] = _property(median(powers), unitCode="WTT")
        entity["minPowerConsumption"] = _property(min(powers), unitCode="WTT")
        entity["maxPowerConsumption"] = _property(max(powers), unitCode="WTT")
    return entity


def simplified(entity: Entity) -> Entity:
    """The same as keys and values (`options=keyValues`)."""
    return {name: _plain(value) for name, value in entity.items()}


def chosen(entity: Entity, attributes: Iterable[str]) -> Entity:
    """Only these attributes, and what every entity has; all where none are named."""
    wanted = {"id", "type", "@context", *attributes}
    return entity if len(wanted) == 3 else {name: value for name, value in entity.items() if name in wanted}


def with_context(entity: Entity) -> Entity:
    """The entity with all that its words mean: for application/ld+json."""
    return {**entity, "@context": context()}


def context() -> list[Any]:
    """FIWARE's words, ours, and NGSI-LD's own, which come last."""
    return [*CONTEXTS, dict(OWN_CONTEXT), CORE_CONTEXT]


def status_of(kinds: Iterable[AlarmKind]) -> str:
    """FIWARE's one word for what is wrong with a lamp."""
    found = {STATUS[kind] for kind in kinds if kind in STATUS}
    return next((word for word in WORST if word in found), "ok")


def power_state(level: float) -> str:
    """FIWARE's word for a level in per cent."""
    return "off" if level <= 0 else "on" if level >= 100 else "low"


def _target(seen: LampSeen) -> Entity:
    want = seen.target
    return {"targetLevel": _property(want.level / 100, want.since), "targetReason": _property(want.reason, want.since),
            "targetOrigin": _property(want.origin, want.since), "targetUntil": _property(_moment(want.until), want.since)}


def _in_effect(seen: LampSeen) -> Entity:
    said = seen.in_effect
    if said is None:
        return {}
    level = float(said.value)
    found: Entity = {"illuminanceLevel": _property(round(level / 100, 4), said.at),
                     "powerState": _property(power_state(level), said.at)}
    if seen.reason:
        found["effectReason"] = _property(seen.reason, said.at)
    if level <= 0:
        found["dateLastSwitchingOff"] = _property(_moment(said.since), said.at)
    return found


def _actual(seen: LampSeen) -> Entity:
    actual = seen.actual
    if actual is None or actual.level is None:
        return {}
    derived = _property("powerConsumption" if actual.power_w is not None else "driver")
    return {"actualLevel": _property(round(actual.level / 100, 4), actual.at, derivedFrom=derived)}


def _measured(seen: LampSeen) -> Entity:
    found: Entity = {}
    for name, quantity, unit, factor in _MEASURED:
        said = seen.said(quantity)
        if said is not None:
            found[name] = _property(round(float(said.value) * factor, 6), said.at, unitCode=unit)
    return found


def _described(seen: LampSeen) -> Entity:
    lamp = seen.lamp
    found: Entity = {"lanternRing": _property(lamp.lantern_ring)}
    if lamp.lighting_class:
        found["lightingClass"] = _property(lamp.lighting_class)
    if lamp.lighting_class_night:
        found["lightingClassNight"] = _property(lamp.lighting_class_night)
    if seen.heard_at is not None:
        found["lastHeard"] = _property(_moment(seen.heard_at))
    if seen.override is not None:
        found["activeOverride"] = _property(seen.override.id)
    notes = [f"alarm: {alarm.kind.value} since {_text(alarm.began_at)}" for alarm in seen.alarms if alarm.open]
    if seen.device is None:
        notes.append("controller: none")
    if notes:
        found["annotations"] = _property(notes)
    return found


def _together(members: Sequence[LampSeen]) -> Entity:
    levels = [(float(said.value), said.at) for one in members if (said := one.in_effect) is not None]
    if not levels:
        return {}
    mean, oldest = sum(level for level, _ in levels) / len(levels), min(at for _, at in levels)
    return {"illuminanceLevel": _property(round(mean / 100, 4), oldest), "powerState": _property(power_state(mean), oldest)}


def _wish(town: TownSeen, target: Target) -> Entity:
    """The newest override that is for this group."""
    found = next((wish for wish in town.overrides if wish.active(town.now) and target in wish.targets), None)
    return {} if found is None else {"activeOverride": _property(found.id)}


def _group_name(town: TownSeen, kind: str, id: str) -> str:
    if kind == "zone":
        return next((zone.name for zone in town.zones if zone.id == id), id)
    if kind == "circuit":
        return next((circuit.name or circuit.id for circuit in town.circuits if circuit.id == id), id)
    return next((group.name for group in town.programming.groups.values() if group.id == id), id)


def _middle(lamps: Sequence[Luminaire], default: Site) -> Site:
    if not lamps:
        return default
    return Site(sum(lamp.site.latitude for lamp in lamps) / len(lamps), sum(lamp.site.longitude for lamp in lamps) / len(lamps))


def _property(value: object, at: datetime | None = None, **more: object) -> Entity:
    """`more` are properties of the property, or its unitCode."""
    observed = {} if at is None else {"observedAt": _text(at)}
    return {"type": "Property", "value": value, **observed, **more}


def _relationship(to: str) -> Entity:
    return {"type": "Relationship", "object": to}


def _point(site: Site) -> Entity:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [site.longitude, site.latitude]}}


def _moment(at: datetime) -> Entity:
    return {"@type": "DateTime", "@value": _text(at)}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> object:  # noqa: ANN401 - as JSON is
    if not isinstance(value, dict) or "type" not in value:
        return value
    plain = value.get("object") if value["type"] == "Relationship" else value.get("value")
    return plain["@value"] if isinstance(plain, dict) and "@value" in plain else plain
