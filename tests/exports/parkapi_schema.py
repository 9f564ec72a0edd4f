"""What ParkAPI's generic source takes, as a JSON Schema (2020-12) made from the field lists of parkapi-sources 0.38, and as much
of a validator as that schema needs: there is none among our dependencies, and its own needs another Python."""

import re
from datetime import datetime
from typing import Any

STAMP = {"type": "string", "format": "date-time"}
AUDIENCE = ["DISABLED", "WOMEN", "FAMILY", "CARSHARING", "CHARGING", "TAXI", "DELIVERY", "TRUCK", "BUS", "CUSTOMER", "RESIDENT",
            "CARAVAN", "CARGOBIKE"]
CAR_TYPES = ["ON_STREET", "OFF_STREET_PARKING_GROUND", "UNDERGROUND", "CAR_PARK", "OTHER"]
COUNT = {"type": "integer", "minimum": 0}
RING = {"type": "array", "minItems": 4, "items": {"type": "array", "minItems": 2, "items": {"type": "number"}}}
RESTRICTION = {"type": {"enum": AUDIENCE}, "hours": {"type": "string", "maxLength": 512},
               "max_stay": {"type": "string", "pattern": r"P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?)?"}}
BASE = {
    "uid": {"type": "string", "minLength": 1, "maxLength": 256}, "purpose": {"enum": ["CAR", "BIKE", "MOTORCYCLE", "ITEM"]},
    "address": {"type": "string", "maxLength": 512}, "description": {"type": "string", "maxLength": 4096},
    "operator_name": {"type": "string", "maxLength": 256}, "has_realtime_data": {"type": "boolean"},
    "static_data_updated_at": STAMP, "realtime_data_updated_at": STAMP,
    "lat": {"type": "number", "minimum": 34, "maximum": 72}, "lon": {"type": "number", "minimum": -27, "maximum": 43},
    "external_identifiers": {"type": "array", "items": {
        "type": "object", "required": ["type", "value"], "additionalProperties": False,
        "properties": {"type": {"enum": ["OSM", "DHID"]}, "value": {"type": "string", "maxLength": 256}}}}}
NEEDS_TIME = {"if": {"properties": {"has_realtime_data": {"const": True}}}, "then": {"required": ["realtime_data_updated_at"]}}
SITE = {
    "type": "object", "additionalProperties": False, **NEEDS_TIME,
    "required": ["uid", "name", "purpose", "type", "lat", "lon", "capacity", "has_realtime_data", "static_data_updated_at"],
    "properties": {
        **BASE, "name": {"type": "string", "minLength": 1, "maxLength": 256}, "type": {"enum": CAR_TYPES}, "capacity": COUNT,
        "public_url": {"type": "string", "maxLength": 4096, "pattern": r"https?://.+"}, "has_fee": {"type": "boolean"},
        "fee_description": {"type": "string", "maxLength": 4096}, "opening_hours": {"type": "string", "maxLength": 512},
        "orientation": {"enum": ["PARALLEL", "DIAGONAL", "PERPENDICULAR"]},
        "geojson": {"type": "object", "required": ["type", "coordinates"], "additionalProperties": False, "properties": {
            "type": {"enum": ["Polygon"]}, "coordinates": {"type": "array", "minItems": 1, "items": RING}}},
        "realtime_opening_status": {"enum": ["OPEN", "CLOSED", "UNKNOWN"]}, "realtime_capacity": COUNT,
        "realtime_free_capacity": COUNT,
        "restrictions": {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": {
            **RESTRICTION, "capacity": COUNT, "realtime_capacity": COUNT, "realtime_free_capacity": COUNT}}}}}
SPOT = {
    "type": "object", "additionalProperties": False, **NEEDS_TIME,
    "required": ["uid", "purpose", "lat", "lon", "has_realtime_data", "static_data_updated_at"],
    "properties": {
        **BASE, "name": {"type": "string", "minLength": 1, "maxLength": 256}, "type": {"enum": CAR_TYPES[:4]},
        "parking_site_uid": {"type": "string", "minLength": 1, "maxLength": 256},
        "realtime_status": {"enum": ["AVAILABLE", "TAKEN", "UNKNOWN"]},
        "restrictions": {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": RESTRICTION}}}}
_TYPES = {"string": str, "array": list, "object": dict, "boolean": bool, "integer": int, "number": (int, float)}


def faults(schema: dict[str, Any], value: Any, where: str = "$") -> list[str]:
    """What of the value breaks the schema."""
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{where}: {value!r} is no {kind}"]
    found = [f"{where}: {value!r} breaks {name}" for name, broken in _SIMPLE.items()
             if name in schema and broken(value, schema[name])]
    if isinstance(value, list):
        inner = schema.get("items", {})
        found += [fault for index, item in enumerate(value) for fault in faults(inner, item, f"{where}[{index}]")]
    return found + (_object(schema, value, where) if isinstance(value, dict) else [])


def _object(schema: dict[str, Any], value: dict[str, Any], where: str) -> list[str]:
    known = schema.get("properties", {})
    found = [f"{where}: no {name}" for name in schema.get("required", []) if name not in value]
    if schema.get("additionalProperties") is False:
        found += [f"{where}: {name} is not known" for name in value if name not in known]
    for name, item in value.items():
        found += faults(known.get(name, {}), item, f"{where}.{name}")
    if "if" in schema and not faults(schema["if"], value):
        found += faults(schema["then"], value, where)
    return found


def _no_time(value: str, _: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is None
    except ValueError:
        return True


_SIMPLE = {
    "enum": lambda value, allowed: value not in allowed, "const": lambda value, only: value != only,
    "minimum": lambda value, least: value < least, "maximum": lambda value, most: value > most,
    "minLength": lambda value, least: len(value) < least, "maxLength": lambda value, most: len(value) > most,
    "minItems": lambda value, least: len(value) < least, "format": _no_time,
    "pattern": lambda value, pattern: not re.fullmatch(pattern, value)}
