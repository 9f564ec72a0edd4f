"""What a frame says where we have no codec for its model: by the town's own script in the sandbox, or by what the
network server has decoded already.

This happens between parsing and handling, before any lock is taken. What the scripts said is handed to the pipeline with
the event. Frames of models with a codec of ours pass by untouched.

The scripts of a town have so much time of a batch and no more. Frames for which none is left, or for which no process can
be started, are kept as letters that wait (ScriptWaits): durable, so they are acknowledged and hold up nobody else. As long
as a town has such letters, all frames for its scripts wait behind them, so that each device is read in its order; the
mender reads them, in a process of its own, until none is left.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from msgspec import structs

from city.errors import DecodeError, SandboxDown, ScriptBreach, ScriptError, ScriptOff, ScriptWaits, TooManySeries
from city.ids import AssetId, DevEui, TenantId
from city.orders import Order
from city.quantities import RAW, Measurement
from city.readings import from_ns, to_ns
from city.scripts import Script
from city.settings import Scripts
from city.store.ports import Registered, Store
from decoders import mapping, scripted
from decoders.catalog import UnknownModel, catalog
from decoders.codec import Codec, Frame
from decoders.javascript import Decoded, Program, Sandbox, Uplinked
from gateway_bridge.breaches import Breaches
from gateway_bridge.caps import SeriesCap
from gateway_bridge.events import Uplink
from gateway_bridge.metrics import Metrics
from gateway_bridge.objects import object_of
from gateway_bridge.pipeline import Arrival, Read
from gateway_bridge.unread import letter_id

AT_FIRST, AT_MOST = 3, 32  # frames put to a script at once: few until it has proved itself, never too many to stop
PART_S = 0.25  # what such a part should take at most
LEAST_S = 0.05  # for letters: one part is always read
WAITS = ScriptWaits.__name__

Key = tuple[TenantId, str]  # a town and a model

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Own:
    """A town's script, ready to be used. `takes` are the names of the orders that it can be told."""

    script: Script
    program: Program
    quiet: Codec
    codec: Codec
    takes: frozenset[str]


@dataclass(slots=True)
class _Lane:
    """In which processes frames of one town are read, and the seconds left to them. `asked_for`: they are letters that
    were read before in vain; what they break, a former version may have broken too."""

    sandbox: Sandbox
    left: float
    asked_for: bool = False


class Reader:
    """Reads what our own codecs do not. Any thread may use it; its processes start with the first script that runs."""

    def __init__(self, store: Store, settings: Scripts | None = None, metrics: Metrics | None = None,
                 sandbox: Sandbox | None = None, *, timer: Callable[[], float] = perf_counter) -> None:
        settings = settings or Scripts()
        self.budget_s, self.timer = settings.budget_ms / 1000, timer
        self._store, self._metrics = store, metrics or Metrics()
        self._sandbox = sandbox or Sandbox(workers=max(settings.workers, 1))
        self._aside = sandbox or Sandbox()  # for letters, which nobody is to wait for
        self._breaches = Breaches(store, settings, self._metrics)
        self._most_series = settings.raw_series
        self._series = SeriesCap(self._most_series)
        self._lock = threading.Lock()
        self._is_down = False
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
        One reads the next arrivals after having stored these: a letter that waits is gone only when it is read. Raises
        StoreDown."""
        foreign = self._foreign(arrivals)
        if not foreign:
            return list(arrivals)
        waiting = set(self._store.towns_with_letters(WAITS))
        return self._read(arrivals, foreign, now, {
            town: _Lane(self._sandbox, 0.0 if town in waiting else self.budget_s) for town, _ in foreign})

    def read_letters(self, arrivals: Sequence[Arrival], now: datetime, *, asked_for: bool) -> list[Arrival]:
        """As `read`: letters that have waited, or those that a person or a new version of a script wants `asked_for` again,
        which do not switch that version off. Raises StoreDown."""
        foreign = self._foreign(arrivals)
        return self._read(arrivals, foreign, now, {
            town: _Lane(self._aside, max(self.budget_s, LEAST_S), asked_for) for town, _ in foreign})

    def scripts(self) -> Mapping[Key, Own]:
        """Every town's scripts as they are now."""
        revision = self._store.scripts_revision()
        with self._lock:
            if revision != self._revision:
                self._own = {(script.tenant, script.model): self._ready(script) for script in self._store.scripts()}
                self._series = SeriesCap(self._most_series)  # what a former version named may not be named any more
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
        self._aside.close()

    def _read(self, arrivals: Sequence[Arrival], foreign: Mapping[Key, list["_Heard"]], now: datetime,
              lanes: Mapping[TenantId, _Lane]) -> list[Arrival]:
        read, own = list(arrivals), self.scripts() if foreign else {}
        for key, frames in foreign.items():
            answers = self._answers(key[1], own.get(key), frames, lanes[key[0]], now)
            for heard, answer in zip(frames, answers, strict=True):
                read[heard.index] = Arrival(heard.arrival.message, heard.arrival.event, self._named(key[0], answer))
        return read

    def _named(self, town: TenantId, answer: Read) -> Read:
        """What it says, where there is room for what the town's own words name."""
        names = {item.quantity.name for item in answer.said if item.quantity.name.startswith(RAW)}
        try:
            with self._lock:
                was_full = town in self._series.full
                self._series.admit(town, names)
        except TooManySeries as error:
            if not was_full:
                _log.error("%s What says others is a dead letter from now on.", error)
            return structs.replace(answer, said=(), failed=error)
        return answer

    def _ready(self, script: Script) -> Own:
        known = self._own.get((script.tenant, script.model))
        if known is not None and known.script == script:
            return known
        takes = frozenset(script.mapping.orders) if script.source and not script.off else frozenset()
        quiet, codec = scripted.quiet(script), scripted.codec(script, self._sandbox)
        return Own(script, scripted.program(script), quiet, codec, takes)

    def _foreign(self, arrivals: Sequence[Arrival]) -> dict[Key, list["_Heard"]]:
        """The uplinks of registered devices whose model has no codec of ours, by town and model, the oldest first."""
        other = self._of_others({arrival.event.device for arrival in arrivals if isinstance(arrival.event, Uplink)})
        found: dict[Key, list[_Heard]] = {}
        for index, arrival in enumerate(arrivals) if other else ():
            up = arrival.event
            known = other.get(up.device) if isinstance(up, Uplink) else None
            if known is not None and isinstance(up, Uplink):
                found.setdefault((known.tenant.id, known.device.model), []).append(_Heard(index, arrival, up, known))
        return {key: sorted(frames, key=lambda heard: heard.up.at_ns) for key, frames in found.items()}

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
        remembered.update(eui for eui, known in registered.items() if known.device.model in ours)
        return {eui: known for eui, known in registered.items() if known.device.model not in ours}

    def _answers(self, model: str, own: Own | None, frames: Sequence["_Heard"], lane: _Lane, now: datetime) -> list[Read]:
        if own is None:
            return [_undescribed(model, heard) for heard in frames]
        if own.script.off:
            return [_failed(own, _off(own, own.script.off)) for _ in frames]
        if not own.script.source:
            return [_by_object(own, heard) for heard in frames]
        said = iter(self._run(own, [heard for heard in frames if heard.up.f_port], lane, now))
        return [next(said) if heard.up.f_port else Read(model, own.quiet) for heard in frames]

    def _run(self, own: Own, frames: Sequence["_Heard"], lane: _Lane, now: datetime) -> list[Read]:
        """Through the sandbox, in parts that grow while they are quick: a script that keeps breaking its limits is off
        before long, and a slow one has its time and no more."""
        answers: list[Read] = []
        size = AT_FIRST
        while part := frames[len(answers):len(answers) + size]:
            before = lane.left
            stop = self._read_part(own, part, lane, answers, now)
            if stop is not None:
                return answers + [_failed(own, stop)] * (len(frames) - len(answers))
            each = (before - lane.left) / len(part)
            size = max(1, min(2 * size, AT_MOST, int(min(PART_S, lane.left) / each) if each > 0 else AT_MOST))
        return answers

    def _read_part(self, own: Own, part: Sequence["_Heard"], lane: _Lane, answers: list[Read],
                   now: datetime) -> DecodeError | None:
        """Add what these frames say; returns why those after them, or these too, are not read now."""
        if lane.left <= 0:
            return ScriptWaits("The frame waits for its turn: the scripts of {town} are slow.", town=own.script.tenant)
        if lane.asked_for and self._breaches.again(own.script, now):
            return ScriptError("The frame was not read again: the script of “{model}” broke its limits with others.",
                               model=own.script.model)
        try:
            said = self._decode(own, part, lane)
        except SandboxDown as error:
            lane.left = 0.0
            return self._down(error, own)
        is_off = [self._broke(own, heard, one, lane, now) for heard, one in zip(part, said, strict=True)
                  if isinstance(one, ScriptBreach)]
        answers += [_answer(own, one, lane) for one in said]
        return _off(own, "it has broken its limits too often") if any(is_off) else None

    def _decode(self, own: Own, part: Sequence["_Heard"], lane: _Lane) -> list[Decoded | ScriptError]:
        script, begun = own.script, self.timer()
        uplinks = [Uplinked(Frame(heard.up.f_port, heard.up.data), from_ns(heard.up.at_ns), script.variables)
                   for heard in part]
        said = lane.sandbox.decode_uplinks(own.program, uplinks, normalize=script.normalized)
        spent = self.timer() - begun
        lane.left -= spent
        self._is_down = False
        self._metrics.script_frames.labels(script.tenant, script.model).inc(len(part))
        self._metrics.script_seconds.labels(script.tenant, script.model).inc(spent)
        return said

    def _broke(self, own: Own, heard: "_Heard", error: ScriptBreach, lane: _Lane, now: datetime) -> bool:
        """Whether the script is off from now on."""
        if lane.asked_for:
            self._breaches.count_again(own.script, now)
            return False
        return self._breaches.count(own.script, heard.asset, letter_id(heard.arrival.message), error, now)

    def _down(self, error: SandboxDown, own: Own) -> ScriptWaits:
        """No process can be started: said once, until one works."""
        self._metrics.failures.labels("read", error.reason).inc()
        if not self._is_down:
            _log.warning("%s Frames for scripts wait as letters, those of %s in %s first.", error, own.script.model,
                         own.script.tenant)
        self._is_down = True
        return ScriptWaits(error.message, **error.facts)


@dataclass(frozen=True, slots=True)
class _Heard:
    """An uplink with its place among the arrivals, its message and the device's place in the registry."""

    index: int
    arrival: Arrival
    up: Uplink
    place: Registered

    @property
    def asset(self) -> AssetId:
        return self.place.asset.id


def _answer(own: Own, said: Decoded | ScriptError, lane: _Lane) -> Read:
    if not isinstance(said, ScriptError):
        return _meant(own, said.data)
    if lane.asked_for and isinstance(said, ScriptBreach):  # the letters of breaches count after a restart: not this one
        return _failed(own, ScriptError(said.message, **said.facts))
    return _failed(own, said)


def _meant(own: Own, data: Mapping[str, Any]) -> Read:
    try:
        said, private = _said(own.script, data)
    except DecodeError as error:
        return _failed(own, error)
    since = own.script.changed_at
    return Read(own.script.model, own.quiet, said, private, since_ns=to_ns(since) if since else 0)


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
    town, asset = heard.place.tenant, heard.place.asset
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
