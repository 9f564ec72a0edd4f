"""What a frame says where we have no codec for its model: by the town's own script in the sandbox, or by what the
network server has decoded already.

This happens between parsing and handling, before any lock is taken: scripts may take their time. What they said is
handed to the pipeline with the event. Frames of models with a codec of ours pass by untouched.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from city.errors import DecodeError, ScriptBreach, ScriptError, ScriptOff
from city.ids import AssetId, DevEui, TenantId
from city.orders import Order
from city.quantities import Measurement
from city.readings import from_ns
from city.scripts import Script
from city.settings import Scripts
from city.store.ports import Registered, Store
from decoders import mapping, scripted
from decoders.catalog import UnknownModel, catalog
from decoders.codec import Codec, Frame
from decoders.javascript import Decoded, Program, Sandbox, Uplinked
from gateway_bridge.breaches import Breaches
from gateway_bridge.events import Uplink
from gateway_bridge.metrics import Metrics
from gateway_bridge.objects import object_of
from gateway_bridge.pipeline import Arrival, Read, letter_id

AT_FIRST, AT_MOST = 3, 32  # frames put to a script at once: few until it has proved itself, never too many to stop

Key = tuple[TenantId, str]  # a town and a model


@dataclass(frozen=True, slots=True)
class Own:
    """A town's script, ready to be used. `takes` are the names of the orders that it can be told."""

    script: Script
    program: Program
    quiet: Codec
    codec: Codec
    takes: frozenset[str]


class Reader:
    """Reads what our own codecs do not. Any thread may use it; its processes start with the first script that runs."""

    def __init__(self, store: Store, settings: Scripts | None = None, metrics: Metrics | None = None,
                 sandbox: Sandbox | None = None) -> None:
        settings = settings or Scripts()
        self._store, self._metrics = store, metrics or Metrics()
        self._sandbox = sandbox or Sandbox(workers=max(settings.workers, 1))
        self._breaches = Breaches(store, settings, self._metrics)
        self._lock = threading.Lock()
        self._revision = -1
        self._own: Mapping[Key, Own] = {}
        self._ours: tuple[int, set[DevEui]] = -1, set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def read(self, arrivals: Sequence[Arrival], now: datetime) -> list[Arrival]:
        """The arrivals; those of devices whose model has no codec of ours with what they say, or why nobody can tell.
        Raises Unavailable: SandboxDown, StoreDown."""
        read = list(arrivals)
        foreign = self._foreign(arrivals)
        if not foreign:
            return read
        own = self.scripts()
        for key, members in foreign.items():
            frames = [_Heard(arrivals[index], up, place) for index, up, place in members]
            answers = self._answers(key[1], own.get(key), frames, now)
            for (index, _, _), answer in zip(members, answers, strict=True):
                read[index] = replace(arrivals[index], read=answer)
        return read

    def scripts(self) -> Mapping[Key, Own]:
        """Every town's scripts as they are now."""
        revision = self._store.scripts_revision()
        with self._lock:
            if revision != self._revision:
                self._own = {(script.tenant, script.model): self._ready(script) for script in self._store.scripts()}
                self._revision = revision
            return self._own

    def encode(self, own: Own, order: Order, asset: AssetId, key: str, now: datetime) -> Frame:
        """The order's frame by the town's script. Raises Unsupported, ScriptError, SandboxDown; a breach counts."""
        try:
            return own.codec.encode_downlink(order)
        except ScriptBreach as error:
            self._breaches.count(own.script, asset, key, error, now)
            raise

    def close(self) -> None:
        """End the processes."""
        self._sandbox.close()

    def _ready(self, script: Script) -> Own:
        known = self._own.get((script.tenant, script.model))
        if known is not None and known.script == script:
            return known
        takes = frozenset(script.mapping.orders) if script.source and not script.off else frozenset()
        quiet, codec = scripted.quiet(script), scripted.codec(script, self._sandbox)
        return Own(script, scripted.program(script), quiet, codec, takes)

    def _foreign(self, arrivals: Sequence[Arrival]) -> dict[Key, list[tuple[int, Uplink, Registered]]]:
        """The uplinks of registered devices whose model has no codec of ours, by town and model."""
        other = self._of_others({arrival.event.device for arrival in arrivals if isinstance(arrival.event, Uplink)})
        found: dict[Key, list[tuple[int, Uplink, Registered]]] = {}
        for index, arrival in enumerate(arrivals) if other else ():
            up = arrival.event
            known = other.get(up.device) if isinstance(up, Uplink) else None
            if known is not None and isinstance(up, Uplink):
                found.setdefault((known[0].id, known[1].model), []).append((index, up, known))
        return found

    def _of_others(self, devices: set[DevEui]) -> dict[DevEui, Registered]:
        """Those of these devices that our codecs do not read. The others are remembered until a registry changes."""
        if not devices:
            return {}
        revision, ours = self._store.registry_revision(), catalog()
        if self._ours[0] != revision:
            self._ours = revision, set()
        remembered = self._ours[1]
        asked = devices - remembered
        registered = self._store.registered(asked) if asked else {}
        remembered.update(eui for eui, known in registered.items() if known[1].model in ours)
        return {eui: known for eui, known in registered.items() if known[1].model not in ours}

    def _answers(self, model: str, own: Own | None, frames: Sequence["_Heard"], now: datetime) -> list[Read]:
        if own is None:
            return [_undescribed(model, heard) for heard in frames]
        if own.script.off:
            return [_failed(own, _off(own, own.script.off)) for _ in frames]
        if not own.script.source:
            return [_by_object(own, heard) for heard in frames]
        said = iter(self._run(own, [heard for heard in frames if heard.up.f_port], now))
        return [next(said) if heard.up.f_port else Read(model, own.quiet) for heard in frames]

    def _run(self, own: Own, frames: Sequence["_Heard"], now: datetime) -> list[Read]:
        """Through the sandbox, in parts that grow: a script that keeps breaking its limits is off before long."""
        answers: list[Read] = []
        waiting, size = iter(frames), AT_FIRST
        while part := list(islice(waiting, size)):
            size = min(2 * size, AT_MOST)
            is_off = False
            for heard, said in zip(part, self._decode(own, part), strict=True):
                if isinstance(said, ScriptBreach):
                    is_off |= self._breaches.count(own.script, heard.asset, letter_id(heard.arrival.message), said, now)
                answers.append(_failed(own, said) if isinstance(said, ScriptError) else _meant(own, said.data))
            if is_off:
                answers += [_failed(own, _off(own, "it has broken its limits too often")) for _ in waiting]
        return answers

    def _decode(self, own: Own, part: Sequence["_Heard"]) -> list[Decoded | ScriptError]:
        script, begun = own.script, perf_counter()
        uplinks = [Uplinked(Frame(heard.up.f_port, heard.up.data), from_ns(heard.up.at_ns), script.variables)
                   for heard in part]
        said = self._sandbox.decode_uplinks(own.program, uplinks, normalize=script.normalized)
        self._metrics.script_frames.labels(script.tenant, script.model).inc(len(part))
        self._metrics.script_seconds.labels(script.tenant, script.model).inc(perf_counter() - begun)
        return said


@dataclass(frozen=True, slots=True)
class _Heard:
    """An uplink with its message and the device's place in the registry."""

    arrival: Arrival
    up: Uplink
    place: Registered

    @property
    def asset(self) -> AssetId:
        return self.place[2].id


def _meant(own: Own, data: Mapping[str, Any]) -> Read:
    try:
        said, private = _said(own.script, data)
    except DecodeError as error:
        return _failed(own, error)
    return Read(own.script.model, own.quiet, said, private)


def _by_object(own: Own, heard: _Heard) -> Read:
    """A town's mapping of what the network server says."""
    if not heard.up.f_port:
        return Read(own.script.model, own.quiet)
    try:
        data = object_of(heard.up.object)
    except DecodeError as error:
        return _failed(own, error)
    if data is None:
        return _failed(own, ScriptError("The network server has not decoded this frame of the model “{model}”.",
                                        model=own.script.model))
    return _meant(own, data)


def _undescribed(model: str, heard: _Heard) -> Read:
    """A model that nobody has described: what the network server says is kept under its own names."""
    town, _, asset = heard.place
    bare = Script(town.id, model, model, asset.kind)
    codec = scripted.quiet(bare)
    try:
        data = object_of(heard.up.object)
        if not data:
            return Read(model, codec, failed=UnknownModel("There is no codec for the model “{model}”.", model=model))
        return Read(model, codec, *_said(bare, data))
    except DecodeError as error:
        return Read(model, codec, failed=error)


def _said(script: Script, data: Mapping[str, Any]) -> tuple[tuple[Measurement, ...], bool]:
    """What an output means, and whether something in it is about a person and was left out: then the frame's bytes are
    not kept either. A leaf with several rules may say more than one thing, so this errs on the side of leaving out."""
    found, rules = mapping.leaves(data), script.mapping.rules
    said = mapping.apply(script.model, script.mapping, found)
    several = len(rules) - len({rule.leaf for rule in rules})
    return tuple(said), len(said) - several < len(found)


def _failed(own: Own, error: DecodeError) -> Read:
    return Read(own.script.model, own.quiet, failed=error)


def _off(own: Own, why: str) -> ScriptOff:
    return ScriptOff("The script of “{model}” is switched off: {why}", model=own.script.model, why=why)
