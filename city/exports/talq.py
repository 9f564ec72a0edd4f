"""A town's lamps in the words of the TALQ Smart City Protocol's data model 2.7.1: devices, classes, groups, log reports.

"TALQ-style": the names and shapes are those of the public OpenAPI documents, so that a TALQ client reads them; nothing here
is certified, and TALQ's transport (announcements, bootstrap) is not spoken. What TALQ has no word for stands under
`x-stadtfunk`. Programs and calendars: city.exports.talq_programs.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from city.alarms import SENTENCES, Alarm, AlarmKind
from city.errors import Invalid
from city.exports.seen import LampSeen, Members, Said, TownSeen
from city.groups import TOWN, Target
from city.ids import AssetId, TenantId
from city.lighting import Override
from city.places import Luminaire
from city.programs import Assignment
from city.quantities import (
    DEVICE_FIRMWARE,
    DEVICE_SERIAL,
    LAMP_BURN_TIME,
    LAMP_CURRENT,
    LAMP_ENERGY,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_STARTS,
    LAMP_VOLTAGE,
    Quantity,
)

Json = dict[str, Any]
OWNER = "stadtfunk"  # of groups, calendars and programs: the CMS that keeps them
OWN = "x-stadtfunk"
MOST_MEMBERS = 100_000  # lamps in the groups of one answer; a town may have 500 groups of 20,000
NO_CONTROLLER = "no-controller"
LoggerName = Literal["events", "light-states"]
EVENTS: Mapping[AlarmKind, str] = {  # TALQ's event for each of our alarms; functionError where it has none
    AlarmKind.LAMP_FAILURE: "lampFailure", AlarmKind.NIGHT_OFF: "lampFailure", AlarmKind.DRIVER_SILENT: "controlGearCommFailure",
    AlarmKind.CLOCK_INVALID: "lastSyncError", AlarmKind.CLOCK_WRONG: "lastSyncError", AlarmKind.BATTERY_LOW: "batteryLevelTooLow",
    AlarmKind.DEVICE_SILENT: "communicationFailure", AlarmKind.PARTIAL_FAILURE: "lampPowerTooLow",
    AlarmKind.OVERPOWER: "lampPowerTooHigh", AlarmKind.DIMMING_FAILURE: "dimmingFailure",
    AlarmKind.DAY_BURNER: "lampUnexpectedOn", AlarmKind.CYCLING: "cyclingFailure",
    AlarmKind.LOW_POWER_FACTOR: "powerFactorTooLow", AlarmKind.UNDERVOLTAGE: "supplyVoltageTooLow",
    AlarmKind.OVERVOLTAGE: "supplyVoltageTooHigh", AlarmKind.OVER_TEMPERATURE: "highTemperature",
    AlarmKind.TILTED: "notInProperPosition", AlarmKind.RELAY_FAILURE: "relayFailure", AlarmKind.RESTARTS: "deviceReset"}
UNNAMED_EVENT = "functionError"
MONITOR_EVENTS = ("lampFailure", "dimmingFailure", "cyclingFailure", "lampUnexpectedOn", "lampPowerTooHigh", "lampPowerTooLow",
                  "supplyVoltageTooHigh", "supplyVoltageTooLow", "powerFactorTooLow", "highTemperature", "relayFailure",
                  "controlGearCommFailure")
_MONITORED: tuple[tuple[str, Quantity, str, float], ...] = (  # attribute, quantity, its type, factor
    ("supplyVoltage", LAMP_VOLTAGE, "AttributeFloat", 1), ("supplyCurrent", LAMP_CURRENT, "AttributeFloat", 1),
    ("activePower", LAMP_POWER, "AttributeFloat", 1), ("powerFactor", LAMP_POWER_FACTOR, "AttributeFloat", 1),
    ("activeEnergy", LAMP_ENERGY, "AttributeFloat", 0.001), ("operatingHours", LAMP_BURN_TIME, "AttributeFloat", 1 / 3600),
    ("switchOnCounter", LAMP_STARTS, "AttributeInteger", 1))
_REASONS = (("manual", "override"), ("profile", "program"), ("calendar", "program"), ("task", "program"),
            ("fallback", "default"), ("default", "default"), ("sensor", "sensor"), ("input", "sensor"))
_NAMESPACE = uuid.UUID("3f2d7a54-3a7c-4bd5-9c2c-0f2d6a1f7e11")


@lru_cache(maxsize=65_536)
def address(tenant: TenantId, asset: AssetId) -> str:
    """The UUID by which TALQ knows a lamp: a pure function of town and number."""
    return str(uuid.uuid5(_NAMESPACE, f"{tenant}|{asset}"))


def class_name(model: str) -> str:
    """The device class of a controller's model: it stands in addresses."""
    return model.replace("/", "-") if model else NO_CONTROLLER


def device(seen: LampSeen) -> Json:
    """A lamp and its controller."""
    model = seen.device.model if seen.device is not None else ""
    functions = [_basic(seen, model), *([_communication(seen)] if seen.device is not None else []), _actuator(seen),
                 _monitor(seen)]
    return {"address": address(seen.lamp.tenant, seen.lamp.id), "name": seen.lamp.name, "class": class_name(model),
            "functions": functions}


def device_class(model: str, *, dims: bool) -> Json:
    """What devices of a model can tell and do; "" for lamps without a controller."""
    functions = [_described("basic", "BasicFunction", ("displayName", "assetId", "serial", "hwType", "swVersion", "location"))]
    if model:
        functions.append(_described("communication", "CommunicationFunction", (
            "communicationType", "physicalAddress", "communicationFailure"), ("communicationFailure",)))
    functions.append(_described("lampActuator", "LampActuatorFunction", (
        "calendarID", "targetLightCommand", "feedbackLightCommand", "actualLightState")))
    functions.append(_described("lampMonitor", "LampMonitorFunction", (
        "numberOfLamps", *(name for name, *_ in _MONITORED), *MONITOR_EVENTS), MONITOR_EVENTS))
    return {"name": class_name(model), "functions": functions, OWN: {"model": model, "dims": dims}}


def group_names(town: TownSeen) -> list[tuple[Target, str]]:
    """All groups and what people call them: the town, its zones and circuits, and the groups that people have made."""
    return [(TOWN, town.tenant.name), *((Target("zone", zone.id), zone.name) for zone in town.zones),
             *((Target("circuit", circuit.id), circuit.name or circuit.id) for circuit in town.circuits),
             *((Target("group", group.id), group.name) for group in town.programming.groups.values())]


def groups(town: TownSeen, named: Sequence[tuple[Target, str]]) -> list[Json]:
    """These groups with their members. Raises Invalid where that would be too many lamps for one answer."""
    members = Members(town.lamps, town.programming.groups)
    found = [(target, name, members.of(target)) for target, name in named]
    if sum(len(lamps) for _, _, lamps in found) > MOST_MEMBERS:
        raise Invalid("These groups have more than {most} lamps together: ask for fewer at once.", field="limit",
                      rule=f"≤ {MOST_MEMBERS} lamps", most=MOST_MEMBERS)
    return [_group(town.tenant.id, target, name, lamps) for target, name, lamps in found]


def _group(tenant: TenantId, target: Target, name: str, members: Iterable[Luminaire]) -> Json:
    return {"address": str(target), "ownerCMS": OWNER, "purpose": "unknown", OWN: {"name": name},
            "members": [reference("devices", address(tenant, lamp.id)) for lamp in members]}


def assign_commands(town: TownSeen) -> list[Json]:
    """Which calendar holds where."""
    return [_assigned(town.tenant.id, one) for one in town.programming.assignments]


def override_command(tenant: TenantId, wish: Override) -> Json:
    """A wish; "as programmed" has no level of its own, so it has no command."""
    body: Json = {"addresses": [addressed(tenant, target) for target in wish.targets]}
    if wish.level is not None:
        body["targetCommand"] = {**level_command(wish.level), "reason": "override", "cmsRefId": wish.reason or wish.id,
                                 "start": text(wish.start), "expiration": text(wish.end)}
    body[OWN] = {"id": wish.id, "actor": wish.actor, "reason": wish.reason, "createdAt": text(wish.created_at),
                 "start": text(wish.start), "expiration": text(wish.end), "emergency": wish.emergency,
                 "waitsForSecondPerson": wish.pending}
    return body


def log_report(logger: LoggerName, entries: Iterable[Json]) -> Json:
    """What a logger has recorded."""
    return {"address": logger, "entries": [{"data": entry} for entry in entries]}


def event_entries(tenant: TenantId, alarms: Iterable[Alarm]) -> list[Json]:
    """The beginning of each alarm, and its end if it has ended, in order of time."""
    found = [(alarm.began_at, True, alarm) for alarm in alarms]
    found += [(alarm.ended_at, False, alarm) for _, _, alarm in found if alarm.ended_at is not None]
    found.sort(key=lambda one: (one[0], one[2].id))
    return [_event(tenant, alarm, at, begins=begins) for at, begins, alarm in found]


def state_entries(seen: Sequence[LampSeen]) -> list[Json]:
    """The three light states of lamps, as they are now."""
    return [{"type": "AttributeLogData", "srcAddress": f"{address(one.lamp.tenant, one.lamp.id)}/lampActuator",
             "timestamp": value["timestamp"], "attributeName": name, "attributeValue": value}
            for one in seen for name, value in _light(one).items()]


def level_command(level: int, fade_s: int = 0) -> Json:
    """A command that has a level (0-100) and, where there is one, a ramp in seconds."""
    return {"state": {"name": "LevelState", "value": level}, **({"rampToLevelTime": fade_s} if fade_s else {})}


def addressed(tenant: TenantId, target: Target) -> Json:
    """A target as TALQ refers to it: a lamp is a device, all else a group."""
    if target.kind == "lamp":
        return reference("devices", address(tenant, AssetId(target.id)))
    return reference("groups", str(target))


def reference(resource: str, to: str) -> Json:
    """A ResourceReference."""
    return {"resource": resource, "address": to}


def text(at: datetime) -> str:
    """A date-time (RFC 3339, UTC)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lamps_by_address(tenant: TenantId, lamps: Iterable[Luminaire]) -> dict[str, Luminaire]:
    """Every lamp by the UUID that TALQ knows it by."""
    return {address(tenant, lamp.id): lamp for lamp in lamps}


def _basic(seen: LampSeen, model: str) -> Json:
    site = seen.lamp.site
    found = {"id": "basic", "type": "BasicFunction", "displayName": _text(seen.lamp.name), "assetId": _text(seen.lamp.id),
             "location": {"type": "AttributeLocation", "value": {"latitude": site.latitude, "longitude": site.longitude}}}
    if model:
        found["hwType"] = _text(model)
    for name, quantity in (("serial", DEVICE_SERIAL), ("swVersion", DEVICE_FIRMWARE)):
        said = seen.said(quantity)
        if said is not None:
            found[name] = _attribute("AttributeString", str(said.value), said.at)
    return found


def _communication(seen: LampSeen) -> Json:
    device = seen.device
    return {"id": "communication", "type": "CommunicationFunction", "communicationType": _text("LoRaWAN"),
            "physicalAddress": _text(device.dev_eui if device is not None else ""),
            "communicationFailure": _flag(seen, AlarmKind.DEVICE_SILENT)}


def _actuator(seen: LampSeen) -> Json:
    return {"id": "lampActuator", "type": "LampActuatorFunction", "calendarID": _text(seen.calendar), **_light(seen)}


def _light(seen: LampSeen) -> dict[str, Json]:
    """Target, in effect, actual."""
    found = {"targetLightCommand": _attribute("AttributeCommand", _wanted(seen), seen.target.since)}
    said, actual = seen.in_effect, seen.actual
    if said is not None:
        found["feedbackLightCommand"] = _attribute("AttributeCommand", _obeyed(said, seen.reason), said.at)
    if actual is not None and actual.level is not None:
        found["actualLightState"] = _attribute(
            "AttributeLevelState", {"name": "LevelState", "value": round(actual.level)}, actual.at)
    return found


def _wanted(seen: LampSeen) -> Json:
    want = seen.target
    command = {**level_command(want.level, want.fade_s), "reason": want.reason, "cmsRefId": want.origin,
               "start": text(want.since), "expiration": text(want.until)}
    return {**command, "refAddress": want.program} if want.reason == "program" and want.program is not None else command


def _obeyed(said: Said, reason: str) -> Json:
    word = next((talq for ours, talq in _REASONS if ours in reason.lower()), None)
    command = level_command(round(float(said.value)))
    return command if word is None else {**command, "reason": word}


def _monitor(seen: LampSeen) -> Json:
    found: Json = {"id": "lampMonitor", "type": "LampMonitorFunction",
                   "numberOfLamps": {"type": "AttributeInteger", "value": 1}}
    for name, quantity, kind, factor in _MONITORED:
        said = seen.said(quantity)
        if said is not None:
            value = round(float(said.value) * factor, 6)
            found[name] = _attribute(kind, int(value) if kind == "AttributeInteger" else value, said.at)
    for event in MONITOR_EVENTS:
        found[event] = _flag(seen, *(kind for kind, name in EVENTS.items() if name == event))
    return found


def _flag(seen: LampSeen, *kinds: AlarmKind) -> Json:
    """Whether one of these alarms is open, since when, or as of when not."""
    began = [alarm.began_at for alarm in seen.alarms if alarm.open and alarm.kind in kinds]
    at = min(began) if began else seen.heard_at
    return _attribute("AttributeBoolean", bool(began), at) if at else {"type": "AttributeBoolean", "value": bool(began)}


def _event(tenant: TenantId, alarm: Alarm, at: datetime, *, begins: bool) -> Json:
    name = EVENTS.get(alarm.kind, UNNAMED_EVENT)
    function = "lampMonitor" if name in MONITOR_EVENTS else "communication" if name == "communicationFailure" else "basic"
    return {"type": "EventLogData", "srcAddress": f"{address(tenant, alarm.asset)}/{function}", "timestamp": text(at),
            "eventType": name, "startEndFlag": begins, "info": [{"lang": "en", "description": SENTENCES[alarm.kind]}],
            OWN: {"alarm": alarm.id, "kind": alarm.kind.value}}


def _assigned(tenant: TenantId, one: Assignment) -> Json:
    return {"addresses": [addressed(tenant, one.target)], "entity": reference("calendars", one.calendar)}


def _described(id: str, kind: str, attributes: Iterable[str], events: Iterable[str] = ()) -> Json:
    return {"functionId": id, "type": kind, "attributes": [{"name": name, "readOnly": True} for name in attributes],
            "events": [{"type": name} for name in events]}


def _attribute(kind: str, value: object, at: datetime) -> Json:
    return {"type": kind, "value": value, "timestamp": text(at)}


def _text(value: str) -> Json:
    return {"type": "AttributeString", "value": value}
