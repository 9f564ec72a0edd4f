"""The scenario file of a simulated town, checked. Geometry is in metres east and north of the town's centre."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from city import ids
from city.errors import Invalid
from city.places import LIGHTING_CLASSES
from simulator.sensors import DEFAULT, VOICES

MOST = 20_000  # lamps, or bays

Metres = Annotated[float, Meta(ge=-50_000, le=50_000)]
Point = tuple[Metres, Metres]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[int, Meta(ge=60, le=86_400)]
Habit = Literal["city", "commuter", "resident"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the scenario file."""


class Town(_Part, frozen=True):
    """Who and where: `id` is the tenant, `pole` the letters in front of a pole's number."""

    id: Name
    name: Name
    latitude: Annotated[float, Meta(ge=-66, le=66)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    pole: Annotated[str, Meta(pattern="^[A-Z]{2,4}$")]
    lamps: Annotated[int, Meta(ge=1, le=MOST)]
    bays: Annotated[int, Meta(ge=1, le=MOST)]
    timezone: Name = "Europe/Berlin"
    spacing_m: Annotated[float, Meta(ge=5, le=200)] = 30.0


class Devices(_Part, frozen=True):
    """How the town's devices are set up, and how often things go wrong. Shares are of lamps or of frames; a faulty
    lamp fails at some time in its first `fault_within_h` hours."""

    status_interval_s: Seconds = 600
    usage_interval_s: Seconds = 900
    join_within_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    lamp_failure: Share = 0.0
    stuck_driver: Share = 0.0
    silent: Share = 0.0
    fault_within_h: Annotated[float, Meta(gt=0, le=8760)] = 6.0
    missed_edge: Share = 0.02
    uplink_loss: Share = 0.01
    downlink_loss: Share = 0.01
    rx2_sf: Annotated[int, Meta(ge=7, le=12)] = 9


class StreetPlan(_Part, frozen=True):
    """A street with its lamps: `crosswalks` are the lamps (counted from 1) that light a pedestrian crossing."""

    name: Name
    zone: Name
    circuit: Name
    points: Annotated[tuple[Point, ...], Meta(min_length=2, max_length=200)]
    power_w: Annotated[float, Meta(ge=5, le=400)] = 29.0
    lighting_class: str = "P4"
    crosswalks: tuple[int, ...] = ()


class LotPlan(_Part, frozen=True):
    """Parking bays in rows along `bearing` (degrees from north), counted as one zone; `model` is their sensors'."""

    zone: Name
    mark: Annotated[str, Meta(pattern="^[A-Z0-9]{1,6}$")]
    at: Point
    bays: Annotated[int, Meta(ge=1, le=MOST)]
    bearing: float = 90.0
    habit: Habit = "city"
    disabled: Annotated[int, Meta(ge=0)] = 0
    charging: Annotated[int, Meta(ge=0)] = 0
    resident: Annotated[int, Meta(ge=0)] = 0
    model: str = DEFAULT


class GatewayPlan(_Part, frozen=True):
    """A gateway; `gnss` says that it dates its frames by satellite."""

    id: Name
    name: Name
    at: Point
    altitude: float = 360.0
    height_m: Annotated[float, Meta(ge=3, le=300)] = 20.0
    gnss: bool = False


class Plan(_Part, frozen=True):
    """The whole scenario file."""

    town: Town
    street: Annotated[tuple[StreetPlan, ...], Meta(min_length=1)]
    parking: Annotated[tuple[LotPlan, ...], Meta(min_length=1)]
    gateway: Annotated[tuple[GatewayPlan, ...], Meta(min_length=1)]
    devices: Devices = Devices()


def read(path: Path) -> Plan:
    """The checked scenario file. Raises Invalid, naming file and field."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        plan = msgspec.convert(tree, Plan)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid("The scenario {file} cannot be used: {what}", field=str(path), rule="scenario", file=path.name,
                      what=str(error)) from error
    check(plan, path.name)
    return plan


def check(plan: Plan, file: str) -> None:
    """Raises Invalid where names are no names, or stand twice, or a lot has more reserved bays than bays."""
    ids.tenant_id(plan.town.id)
    for street in plan.street:
        ids.zone_id(street.zone)
        ids.circuit_id(street.circuit)
        if street.lighting_class not in LIGHTING_CLASSES:
            raise _wrong(file, "{what} is no lighting class of EN 13201-2", street.lighting_class)
    for lot in plan.parking:
        ids.zone_id(lot.zone)
        if lot.disabled + lot.charging + lot.resident > lot.bays:
            raise _wrong(file, "{what} has more reserved bays than bays", lot.zone)
        if lot.model not in VOICES:
            raise _wrong(file, "{what} is no parking sensor that can be simulated", lot.model)
    for gateway in plan.gateway:
        ids.gateway_id(gateway.id)
    for what, names in (("street", [one.name for one in plan.street]), ("mark", [one.mark for one in plan.parking]),
                        ("gateway", [one.id for one in plan.gateway])):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise _wrong(file, "the " + what + " {what} stands there twice", twice)


def _wrong(file: str, message: str, what: str) -> Invalid:
    return Invalid("The scenario {file} cannot be used: " + message + ".", field=what, rule="scenario", file=file,
                   what=what)
