"""The test box: what a frame or an order comes to, without anything being kept.

What a codec says of a frame, also that it cannot read it, is the answer; only what cannot be tried at all is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter_ns
from typing import Any, Literal, TypeVar

import msgspec

from city.errors import BadInput, Invalid, NotFound, Refused, ScriptError, Unsupported
from city.orders import Order
from city.quantities import Measurement, Value
from city.scripts import MAX_SOURCE, LeafMapping, Script
from city.store.ports import TenantStore
from decoders import mapping as mappings
from decoders import scripted
from decoders.bits import Field
from decoders.catalog import catalog
from decoders.codec import Codec, Frame, TracedFrame
from decoders.javascript import Sandbox, Uplinked

Direction = Literal["up", "down", "encode"]
MAX_FRAME = 242  # bytes, LoRaWAN's longest payload in Europe
MAX_FPORT = 223
MAX_VARIABLES, MAX_VARIABLE = 64, 1000
UNNAMED = "new/script"  # raw readings of a script that has no name yet stand under this one
MAX_DEPTH = 32  # levels of an object
Said = BadInput | Refused
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Trial:
    """One try: `frame` for "up" and "down"; for "encode" the script's `object`, or an `order` put through the mapping.
    An `object` with "up" is read as if the network server had decoded it, where there is no script. `at` is when the
    frame is said to have arrived."""

    direction: Direction
    frame: Frame
    at: datetime
    object: Mapping[str, Any] | None = None
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `error` is the codec's or the script's own refusal."""

    object: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    error: Said | None = None
    leaves: Mapping[str, Value] = field(default_factory=dict)
    proposal: LeafMapping | None = None
    readings: tuple[Measurement, ...] = ()
    trace: tuple[Field, ...] = ()
    frame: Frame | None = None
    order: Order | None = None
    microseconds: int = 0


def frame_of(port: int, data: bytes) -> Frame:
    """A frame that can be on the air; raises Invalid, naming `port` or `hex`."""
    if not 1 <= port <= MAX_FPORT:
        raise no_port(str(port))
    if len(data) > MAX_FRAME:
        raise Invalid("A frame has at most {most} bytes, not {count}.", field="hex", rule="≤ 242 bytes", most=MAX_FRAME,
                      count=len(data))
    return Frame(port, data)


def no_port(text: str) -> Invalid:
    """For what is no FPort of an application."""
    return Invalid("FPort lies between 1 and {most}, not {text}.", field="port", rule="1…223", most=MAX_FPORT, text=text[:20])


def bytes_of(text: str) -> bytes:
    """The bytes that hex says, spaces, colons and 0x left out; raises Invalid."""
    plain = "".join(text.split()).replace(":", "").replace("-", "").removeprefix("0x")
    try:
        return bytes.fromhex(plain)
    except ValueError:
        raise Invalid("This is no hex: an even number of digits 0-9 and a-f is needed.", field="hex", rule="hex") from None


def sound(value: Given, field: str) -> Given:
    """`value`, if it can be written as JSON in UTF-8 and is at most 32 deep; raises Invalid, naming `field`."""
    try:
        msgspec.json.encode(value)
        if _deeper(value, MAX_DEPTH):
            raise RecursionError
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError) as error:
        raise Invalid("This is more than plain JSON holds here: text in UTF-8, at most {most} levels.", field=field,
                      rule="JSON", most=MAX_DEPTH) from error
    return value


def known(town: TenantStore, model: str) -> Codec | Script:
    """What reads a model: our codec, or the town's script; raises NotFound."""
    codec = catalog().get(model)
    if codec is not None:
        return codec
    try:
        return town.script(model)
    except NotFound:
        raise NotFound("There is no model “{model}” here.", field="model", rule="exists", model=model[:100]) from None


def checked(script: Script) -> Script:
    """`script` if it can be tried; raises Invalid, naming the field."""
    for name in ("source", "title", "vendor", "variables"):
        sound(getattr(script, name), name)
    sound(msgspec.to_builtins(script.mapping), "mapping")
    if len(script.source.encode()) > MAX_SOURCE:
        raise Invalid("A script has at most {most} kB.", field="source", rule="≤ 256 kB", most=MAX_SOURCE // 1024)
    if len(script.variables) > MAX_VARIABLES or any(
            len(name) > MAX_VARIABLE or len(value) > MAX_VARIABLE for name, value in script.variables.items()):
        raise Invalid("At most {most} variables of at most {length} characters.", field="variables", rule="size",
                      most=MAX_VARIABLES, length=MAX_VARIABLE)
    return replace(script, mapping=mappings.check(script.mapping, script.asset))


def try_native(codec: Codec, trial: Trial) -> Outcome:
    """What one of our codecs makes of it, field by field."""
    try:
        match trial.direction:
            case "up":
                return _read(codec, trial.frame)
            case "down":
                return _read_down(codec, trial.frame)
        return _written(codec, trial.order)
    except Unsupported as error:
        return Outcome(error=error)


def try_script(sandbox: Sandbox, script: Script, trial: Trial, *, propose: bool) -> Outcome:
    """What a town's script makes of it. With `propose` the proposed mapping is used, not the script's own.
    Raises Invalid where nothing can be tried, SandboxDown where nothing runs."""
    began = perf_counter_ns()
    try:
        outcome = _scripted(sandbox, checked(script), trial, propose=propose)
    except (BadInput, Unsupported) as error:
        outcome = Outcome(error=error)
    return replace(outcome, microseconds=(perf_counter_ns() - began) // 1000)


def readings_of(script: Script, leaves: Mapping[str, Value]) -> tuple[Measurement, ...]:
    """What a script's mapping makes of leaves; raises Invalid for a mapping that is not valid."""
    return tuple(mappings.apply(script.model or UNNAMED, mappings.check(script.mapping, script.asset), leaves))


def _deeper(value: object, most: int) -> bool:
    """Whether it is nested more than `most` deep."""
    level: list[object] = [value]
    for _ in range(most):
        level = [part for item in level for part in (item.values() if isinstance(item, Mapping) else
                                                     item if isinstance(item, list | tuple) else ())]
    return any(isinstance(item, Mapping | list | tuple) for item in level)


def _read(codec: Codec, frame: Frame) -> Outcome:
    traced = TracedFrame(frame.port, frame.data)
    try:
        said = codec.decode_uplink(traced)
    except BadInput as error:
        return Outcome(error=error, trace=tuple(traced.trace))
    began = perf_counter_ns()
    codec.decode_uplink(frame)
    spent = (perf_counter_ns() - began) // 1000
    return Outcome(readings=tuple(said), trace=tuple(traced.trace), frame=frame, microseconds=spent)


def _read_down(codec: Codec, frame: Frame) -> Outcome:
    traced = TracedFrame(frame.port, frame.data)
    try:
        order = codec.decode_downlink(traced)
    except BadInput as error:
        return Outcome(error=error, trace=tuple(traced.trace))
    return Outcome(order=order, trace=tuple(traced.trace), frame=frame)


def _written(codec: Codec, order: Order | None) -> Outcome:
    if order is None:
        raise Invalid("Give an order to be encoded.", field="order", rule="required")
    frame = codec.encode_downlink(order)
    return Outcome(order=order, frame=frame, trace=_read_down(codec, frame).trace)


def _scripted(sandbox: Sandbox, script: Script, trial: Trial, *, propose: bool) -> Outcome:
    match trial.direction:
        case "encode" if trial.order is not None:
            return Outcome(order=trial.order, frame=scripted.codec(script, sandbox).encode_downlink(trial.order))
        case "encode":
            if trial.object is None:
                raise Invalid("Give an object or an order to be encoded.", field="object", rule="required")
            return Outcome(frame=sandbox.encode_downlink(scripted.program(script), trial.object, variables=script.variables))
        case "down":
            decoded = sandbox.decode_downlink(scripted.program(script), trial.frame, variables=script.variables)
            return Outcome(object=decoded.data, warnings=decoded.warnings, frame=trial.frame)
    return _decoded(sandbox, script, trial, propose=propose)


def _decoded(sandbox: Sandbox, script: Script, trial: Trial, *, propose: bool) -> Outcome:
    if not script.source:
        if trial.object is None:
            raise Invalid("Give an object to be read.", field="object", rule="required")
        return _told(script, trial.object, (), propose=propose)
    uplink = Uplinked(trial.frame, trial.at, script.variables)
    answer = sandbox.decode_uplinks(scripted.program(script), [uplink], normalize=script.normalized)[0]
    if isinstance(answer, ScriptError):
        return Outcome(error=answer, frame=trial.frame)
    return replace(_told(script, answer.data, answer.warnings, propose=propose), frame=trial.frame)


def _told(script: Script, said: Mapping[str, Any], warnings: tuple[str, ...], *, propose: bool) -> Outcome:
    """An object's leaves, what they would be proposed as, and what the mapping makes of them."""
    try:
        leaves = mappings.leaves(said)
        proposal = mappings.propose(leaves, script.asset)
        readings = mappings.apply(script.model or UNNAMED, proposal if propose else script.mapping, leaves)
    except BadInput as error:
        return Outcome(object=said, warnings=warnings, error=error)
    return Outcome(object=said, warnings=warnings, leaves=leaves, proposal=proposal, readings=tuple(readings))
