"""Scenario files: read, checked, and with everything drawn that they only ask for. Errors name file and line."""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec.structs import replace

from city import ids
from city.errors import Invalid
from city.places import LIGHTING_CLASSES
from city.programs import LANDS
from decoders.catalog import catalog
from simulator.assets import listed
from simulator.controllers import CONTROLLERS
from simulator.driver import FAULTS as LAMP_FAULTS
from simulator.fault_plan import AnyFault, DeviceFault, begins, seconds
from simulator.layout import drawn_grids, placed_gateways
from simulator.maps import mapped
from simulator.plan import MixPlan, Plan, UnionFile
from simulator.sensors import VOICES
from simulator.source import Source
from simulator.unions import members

MAX_BYTES = 4 * 2**20
LONGEST_S = 366 * 86_400.0  # of a fault
T = TypeVar("T")


def read(path: Path) -> Plan:
    """The checked plan of a file of one town. Raises Invalid, naming file, line and what is wrong there."""
    plans = read_all(path)
    if len(plans) != 1:
        raise Invalid("The scenario {file} has {count} towns, and one is needed here.", field=str(path), rule="one town",
                      file=path.name, count=len(plans))
    return plans[0]


def read_all(path: Path) -> tuple[Plan, ...]:
    """The checked plans of all towns of a file. Raises Invalid, naming file, line and what is wrong there."""
    source, tree = _parsed(path)
    try:
        if "union" in tree:
            return _of_union(msgspec.convert(tree, UnionFile), source)
        plan = msgspec.convert(tree, Plan)
    except msgspec.ValidationError as error:
        line, what = source.of(str(error))
        raise Invalid("The scenario {file} cannot be used, line {line}: {what}", field=str(path), rule="scenario",
                      file=path.name, line=line, what=what) from error
    return (_of_town(plan, source, path.parent),)


def _parsed(path: Path) -> tuple[Source, dict[str, object]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Invalid("The scenario {file} is larger than {most} MB.", field=str(path), rule="size", file=path.name,
                          most=MAX_BYTES // 2**20)
        text = path.read_text(encoding="utf-8")
        return Source(path.name, text), tomllib.loads(text, parse_float=_finite)
    except (OSError, ValueError, RecursionError) as error:  # of UTF-8, of TOML, of a number
        raise Invalid("The scenario {file} cannot be used: {what}", field=str(path), rule="scenario", file=path.name,
                      what=str(error)) from error


def _finite(text: str) -> float:
    """A float; TOML has "nan" and "inf" too, which lie within any limits or break them in silence."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is no number that can be used")
    return number


def _of_union(union: UnionFile, source: Source) -> tuple[Plan, ...]:
    _check_mix(union.mix, source)
    _check_timezone(union.union.timezone, source, "union", "timezone")
    plans = tuple(members(union))
    _once(source, "the town {what}", [(plan.town.id, ("union", "towns")) for plan in plans])
    towns = {plan.town.id for plan in plans}
    for index, fault in enumerate(union.fault):
        if fault.town and fault.town not in towns:
            raise source.wrong("there is no town {what}.", "fault", index, "town", what=fault.town)
        _check_fault(fault, index, [plan for plan in plans if fault.town in ("", plan.town.id)], source)
    return tuple(replace(plan, fault=tuple(fault for fault in plan.fault if _applies(fault, plan))) for plan in plans)


def _of_town(plan: Plan, source: Source, directory: Path) -> Plan:
    _check(plan, source)
    whole = drawn_grids(plan)
    for index, one in enumerate(plan.map):
        whole = _at(source, lambda: mapped(whole, one, directory / one.file), "map", index)  # noqa: B023 - called at once
    for index, asset_list in enumerate(plan.assets):
        whole = _at(source, lambda: listed(whole, asset_list, directory / asset_list.file), "assets", index)  # noqa: B023
    whole = placed_gateways(whole)
    if not (whole.street or whole.lamp):
        raise source.wrong("there is no street and no lamp in it.", "town")
    if not whole.gateway:
        raise source.wrong("there is no gateway in it.", "town")
    for index, fault in enumerate(plan.fault):
        if fault.town not in ("", plan.town.id):
            raise source.wrong("there is no town {what}.", "fault", index, "town", what=fault.town)
        _check_fault(fault, index, [whole], source)
    return whole


def _check(plan: Plan, source: Source) -> None:
    """Raises Invalid where names are no names, or stand twice, or a lot has more reserved bays than bays."""
    _name(source, ids.tenant_id, plan.town.id, "town", "id")
    _check_timezone(plan.town.timezone, source, "town", "timezone")
    if plan.town.land and plan.town.land not in LANDS:
        raise source.wrong("{what} is no Land of Germany.", "town", "land", what=plan.town.land)
    _check_mix(plan.mix, source)
    for index, street in enumerate(plan.street):
        _name(source, ids.zone_id, street.zone, "street", index, "zone")
        _name(source, ids.circuit_id, street.circuit, "street", index, "circuit")
        _check_class(street.lighting_class, source, "street", index, "lighting_class")
        _check_class(street.lighting_class_night, source, "street", index, "lighting_class_night")
    for index, grid in enumerate(plan.grid):
        _check_class(grid.lighting_class, source, "grid", index, "lighting_class")
        _check_class(grid.main_class, source, "grid", index, "main_class")
    _check_lots(plan, source)
    _check_single(plan, source)
    for index, gateway in enumerate(plan.gateway):
        _name(source, ids.gateway_id, gateway.id, "gateway", index, "id")
    _once(source, "the street {what}", [(one.name, ("street", i, "name")) for i, one in enumerate(plan.street)])
    _once(source, "the mark {what}", [(one.mark, ("parking", i, "mark")) for i, one in enumerate(plan.parking)])
    _once(source, "the gateway {what}", [(one.id, ("gateway", i, "id")) for i, one in enumerate(plan.gateway)])


def _check_lots(plan: Plan, source: Source) -> None:
    for index, lot in enumerate(plan.parking):
        _name(source, ids.zone_id, lot.zone, "parking", index, "zone")
        if lot.disabled + lot.charging + lot.resident > lot.bays:
            raise source.wrong("{what} has more reserved bays than bays.", "parking", index, "bays", what=lot.zone)
        if lot.model and lot.model not in VOICES:
            raise source.wrong("{what} is no parking sensor that can be simulated.", "parking", index, "model", what=lot.model)


def _check_single(plan: Plan, source: Source) -> None:
    """Lamps and bays that stand alone."""
    for index, lamp in enumerate(plan.lamp):
        _name(source, ids.zone_id, lamp.zone, "lamp", index, "zone")
        if lamp.circuit:
            _name(source, ids.circuit_id, lamp.circuit, "lamp", index, "circuit")
        _check_class(lamp.lighting_class, source, "lamp", index, "lighting_class")
        _check_class(lamp.lighting_class_night, source, "lamp", index, "lighting_class_night")
        _check_own(source, lamp.asset, lamp.dev_eui, "lamp", index)
        if lamp.model and lamp.model not in CONTROLLERS:
            raise source.wrong("{what} is no lamp that can be simulated.", "lamp", index, "model", what=lamp.model)
    for index, bay in enumerate(plan.bay):
        _name(source, ids.zone_id, bay.zone, "bay", index, "zone")
        _check_own(source, bay.asset, bay.dev_eui, "bay", index)
        if bay.model and bay.model not in VOICES:
            raise source.wrong("{what} is no parking sensor that can be simulated.", "bay", index, "model", what=bay.model)
    for kind, ones in (("asset", [*plan.lamp, *plan.bay]), ("dev_eui", [*plan.lamp, *plan.bay])):
        _once(source, "{what}", [(getattr(one, kind), ("lamp", i, kind) if i < len(plan.lamp) else
                                  ("bay", i - len(plan.lamp), kind)) for i, one in enumerate(ones) if getattr(one, kind)])


def _check_own(source: Source, asset: str, dev_eui: str, *steps: str | int) -> None:
    if asset:
        _name(source, ids.asset_id, asset, *steps, "asset")
    if dev_eui:
        _name(source, ids.dev_eui, dev_eui, *steps, "dev_eui")


def _check_mix(mix: MixPlan, source: Source) -> None:
    for model in mix.lamps:
        if model not in CONTROLLERS:
            raise source.wrong("{what} is no lamp that can be simulated.", "mix", "lamps", model, what=model)
    for model in mix.bays:
        if model not in VOICES:
            raise source.wrong("{what} is no parking sensor that can be simulated.", "mix", "bays", model, what=model)


def _check_timezone(name: str, source: Source, *steps: str | int) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise source.wrong("{what} is no time zone.", *steps, what=name) from None


def _check_class(name: str, source: Source, *steps: str | int) -> None:
    if name and name not in LIGHTING_CLASSES:
        raise source.wrong("{what} is no lighting class of EN 13201-2.", *steps, what=name)


def _applies(fault: AnyFault, plan: Plan) -> bool:
    """Whether a town of several has what a fault for all of them names."""
    return all(not getattr(fault, key, "") or getattr(fault, key) in there(plan) for key, there in _THINGS.items())


def _check_fault(fault: AnyFault, index: int, plans: Sequence[Plan], source: Source) -> None:
    """Raises Invalid where a fault happens to a thing that none of these towns has."""
    for key, there in _THINGS.items():
        what = getattr(fault, key, "")
        if what and not any(what in there(plan) for plan in plans):
            raise source.wrong("there is no " + key + " {what}.", "fault", index, key, what=what)
    _at(source, lambda: _time_of(fault.at), "fault", index, "at")
    if seconds(fault.lasts) > LONGEST_S:
        raise source.wrong("{what} is too long.", "fault", index, "for", what=fault.lasts)
    model = getattr(fault, "model", "")
    if model and model not in catalog():
        raise source.wrong("there is no model {what}.", "fault", index, "model", what=model)
    if isinstance(fault, DeviceFault):
        known = {"lamp": LAMP_FAULTS, "bay": BAY_FAULTS, "": set(LAMP_FAULTS) & set(BAY_FAULTS)}[fault.asset]
        if fault.fault not in known:
            raise source.wrong("{what} is no fault of this kind of device (asset: lamp or bay).", "fault", index, "fault",
                               what=fault.fault)


def _time_of(at: str) -> None:
    """Raises Invalid where it looks like a time and is none."""
    try:
        if begins(at, _SOME_DAY, "Europe/Berlin") > _SOME_DAY.replace(year=2999):
            raise ValueError(at)
    except (ValueError, OverflowError) as error:
        raise Invalid("{value} is no time.", field="at", rule="time", value=at) from error


_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_THINGS: Mapping[str, Callable[[Plan], Collection[str]]] = {
    "gateway": lambda plan: {name for one in plan.gateway for name in (one.id, one.name)},
    "circuit": lambda plan: {one.circuit for one in plan.street} | {one.circuit for one in plan.lamp},
    "zone": lambda plan: zones(plan),
}
def zones(plan: Plan) -> set[str]:
    """All zones that a plan names."""
    return ({street.zone for street in plan.street} | {lamp.zone for lamp in plan.lamp} | {lot.zone for lot in plan.parking}
            | {bay.zone for bay in plan.bay})


BAY_FAULTS = ("", "stuck", "flapping", "silent", "rebooting")


def _name(source: Source, check: Callable[[str], object], value: str, *steps: str | int) -> None:
    _at(source, lambda: check(value), *steps)


def _at(source: Source, do: Callable[[], T], *steps: str | int) -> T:
    """What `do` gives; what it refuses, with the line that asked for it."""
    try:
        return do()
    except Invalid as error:
        raise source.wrong("{what}", *steps, what=str(error)) from error


def _once(source: Source, what: str, names: list[tuple[str, tuple[str | int, ...]]]) -> None:
    seen: set[str] = set()
    for name, steps in names:
        if name in seen:
            raise source.wrong(what + " stands there twice.", *steps, what=name)
        seen.add(name)
