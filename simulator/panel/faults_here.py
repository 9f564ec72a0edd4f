"""The kinds of fault that can be started by hand: which keys each has, and whether the town has what they name."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from city.errors import Invalid, NotFound, Unsupported
from decoders.catalog import catalog
from simulator.bay import FAULTS as BAY_FAULTS
from simulator.driver import FAULTS as LAMP_FAULTS
from simulator.fault_plan import AnyFault, DeviceFault, seconds
from simulator.panel.controllable import Controllable
from simulator.panel.shapes import FaultField, FaultKind, RunningFault
from simulator.scenario import Scenario

NOW: Final = "+0 s"
HIDDEN = ("at", "town")
LONGEST_S = 10 * 365 * 86_400.0
FAULTS: Mapping[str, tuple[str, ...]] = {
    "lamp": LAMP_FAULTS, "bay": BAY_FAULTS, "": tuple(one for one in LAMP_FAULTS if one in BAY_FAULTS)}


def read(given: Mapping[str, Any], town: Controllable) -> AnyFault:
    """A fault as in a scenario, that begins now. Raises Invalid; NotFound where the town lacks what it names; Unsupported
    where it cannot happen at the town's level."""
    try:
        fault: AnyFault = msgspec.convert({**given, "at": NOW, "town": ""}, AnyFault)
    except msgspec.ValidationError as error:
        raise Invalid("This is no fault: {what}", field="kind", rule="fault", what=str(error)[:200]) from None
    if fault.lasts and seconds(fault.lasts) > LONGEST_S:
        raise Invalid("A fault lasts ten years at most; without a time it lasts until it is ended.", field="for", rule="period")
    if not town.possible(fault):
        raise Unsupported("This fault happens to a server's events; here are only gateways' frames.", field="kind", rule="level")
    _check(fault, town.stage.scenario)
    return fault


def kinds() -> list[FaultKind]:
    """All kinds with their keys."""
    return [FaultKind(kind=_tag(one), fields=[_field(part) for part in _fields(one) if part.encode_name not in HIDDEN])
            for one in get_args(AnyFault)]


def running(faults: Mapping[int, AnyFault]) -> list[RunningFault]:
    """What is happening, with what is not as it would be by default."""
    return [RunningFault(number=number, kind=_tag(type(one)), facts=_facts(one)) for number, one in faults.items()]


def _check(fault: AnyFault, scenario: Scenario) -> None:
    there: Mapping[str, Iterable[str]] = {
        "gateway": {name for one in scenario.gateways for name in (one.id, one.name)},
        "circuit": {str(site.lamp.circuit) for site in scenario.lamps},
        "zone": {str(site.lamp.zone) for site in scenario.lamps} | {str(site.bay.zone) for site in scenario.bays},
        "model": catalog()}
    for key, names in there.items():
        what = getattr(fault, key, "")
        if what and what not in names:
            raise NotFound("There is no {kind} {id} in this town.", field=key, rule="exists", kind=key, id=what)
    if isinstance(fault, DeviceFault) and fault.fault not in FAULTS[fault.asset]:
        raise Invalid("“{what}” is no fault of such a device.", field="fault", rule="fault", what=fault.fault)


def _facts(fault: AnyFault) -> dict[str, str]:
    found = {}
    for part in _fields(type(fault)):
        value = getattr(fault, part.name)
        if part.encode_name not in HIDDEN and value != part.default and value != "":
            found[part.encode_name] = f"{value:g}" if isinstance(value, float) else str(value)
    return found


def _tag(kind: type[AnyFault]) -> str:
    return str(kind.__struct_config__.tag)


def _fields(kind: type[AnyFault]) -> tuple[inspect.Field, ...]:
    told = inspect.type_info(kind)
    assert isinstance(told, inspect.StructType)
    return told.fields


def _field(part: inspect.Field) -> FaultField:
    told = FaultField(name=part.encode_name, type="text", needed=part.required,
                      default=None if part.default is msgspec.NODEFAULT else part.default)
    match part.type:
        case inspect.BoolType():
            told.type = "yes-no"
        case inspect.IntType(ge=least, le=most):
            told.type, told.least, told.most = "whole", least, most
        case inspect.FloatType(ge=least, le=most):
            told.type, told.least, told.most = "number", least, most
        case inspect.LiteralType(values=values):
            told.type, told.choices = "choice", [str(one) for one in values]
        case inspect.TupleType():
            told.type = "point"
        case inspect.StrType(pattern=pattern) if pattern:
            told.type = "period"
    return told
