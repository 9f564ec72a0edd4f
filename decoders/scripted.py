"""A town's script as a codec, and what it says as measurements."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from city.clock import Clock, SystemClock
from city.errors import ScriptError, ScriptOff
from city.orders import Order
from city.planning import Abilities
from city.quantities import LAMP_LEVEL, Measurement
from city.scripts import LeafMapping, Script
from decoders import mapping
from decoders.codec import ANY_PORT, Codec, Frame, unknown_downlink, unsayable, unsupported, whole
from decoders.javascript import Program, Sandbox, Uplinked

_BARE = LeafMapping()


def program(script: Script) -> Program:
    """What the sandbox runs for it."""
    return Program(script.source, script.tenant)


def read(script: Script, data: Mapping[str, Any]) -> list[Measurement]:
    """What an output of the script means by its mapping; raises DecodeError for one that cannot be kept."""
    return mapping.apply(script.model, script.mapping, mapping.leaves(data))


def read_object(model: str, object: Mapping[str, Any]) -> list[Measurement]:
    """What the network server decoded for a model that nobody has described: every value raw, but for what looks
    personal."""
    return mapping.apply(model, _BARE, mapping.leaves(object))


def quiet(script: Script) -> Codec:
    """What the planner and the pure pipeline must know of the model. It reads and says nothing: whoever has a sandbox
    does that."""

    def decode_uplink(_: Frame) -> list[Measurement]:
        raise ScriptError("Only the sandbox reads a frame of the model “{model}”.", model=script.model)

    def encode_downlink(order: Order) -> Frame:
        raise unsupported(_title(script), order)

    return _codec(script, decode_uplink, encode_downlink)


def codec(script: Script, sandbox: Sandbox, clock: Clock | None = None) -> Codec:
    """The script as a codec. Its functions block while the script runs and raise SandboxDown besides what every codec
    raises; `encode_downlink` raises ScriptError where the script cannot say the order."""
    runs, now = program(script), (clock or SystemClock()).now

    def decode_uplink(frame: Frame) -> list[Measurement]:
        _must_run(script)
        answer = sandbox.decode_uplinks(runs, [Uplinked(frame, now(), script.variables)], normalize=script.normalized)[0]
        if isinstance(answer, ScriptError):
            raise answer
        return read(script, answer.data)

    def encode_downlink(order: Order) -> Frame:
        data = mapping.order_data(script.mapping, order, _title(script))
        _must_run(script)
        return sandbox.encode_downlink(runs, data, variables=script.variables)

    return _codec(script, decode_uplink, encode_downlink)


def leaves_open(script: Script, seen: Sequence[str] = ()) -> tuple[str, ...]:
    """What an operator should know is not read: `seen` are leaves of its outputs."""
    ruled = {rule.leaf for rule in script.mapping.rules}
    unmapped = sorted(set(seen) - ruled - set(script.mapping.dropped))
    told = ("What the script says and no rule maps is kept raw under the script's name.",)
    named = (f"Not mapped: {', '.join(unmapped)}.",) if unmapped else ()
    mute = () if script.mapping.orders else ("It is told nothing: no order is mapped to its encoder.",)
    return (*told, *named, *mute)


def _codec(script: Script, decode_uplink: Any, encode_downlink: Any) -> Codec:  # noqa: ANN401
    title = _title(script)

    def decode_downlink(frame: Frame) -> Order:
        raise unknown_downlink(title, frame.port)  # a script's data cannot be read back into an order

    def encode_uplink(port: int, _: Sequence[Measurement]) -> Frame:
        raise unsayable(title, port, "a script only reads")

    return Codec(
        model=script.model, vendor=script.vendor, title=title, asset=script.asset, device_class=script.device_class,
        source="the town's own script" if script.source else "decoded by the network server",
        decode_uplink=decode_uplink, encode_downlink=encode_downlink, decode_downlink=decode_downlink,
        encode_uplink=encode_uplink, uplink_ports=ANY_PORT, downlink_ports=(), abilities=_abilities(script),
        heartbeat=script.heartbeat, leaves_open=leaves_open(script), echo=_no_echo,
        keepable=_nothing if script.mapping.dropped else whole)


def _abilities(script: Script) -> Abilities:
    """It dims where its encoder can be told a level. Answers are waited for patiently: nobody has measured this model."""
    return Abilities(dims="SetLevel" in script.mapping.orders, max_minutes=script.max_minutes,
                     answer_within=timedelta(seconds=90), report_within=timedelta(minutes=10),
                     reports_on_demand="ReadStatus" in script.mapping.orders, resumes="Resume" in script.mapping.orders,
                     reports_level=any(rule.quantity == LAMP_LEVEL.name and not rule.channel for rule in script.mapping.rules))


def _must_run(script: Script) -> None:
    if script.off:
        raise ScriptOff("The script of “{model}” is switched off: {why}", model=script.model, why=script.off)
    if not script.source:
        raise ScriptError("The model “{model}” has no script: the network server decodes it.", model=script.model)


def _title(script: Script) -> str:
    return script.title or script.model


def _no_echo(_: Frame) -> str:
    return "none"  # no downlink repeated by a device looks like this


def _nothing(frame: Frame) -> bytes:
    """Where something personal is dropped from the output, nobody knows in which of the bytes it stands."""
    return bytes(len(frame.data))
