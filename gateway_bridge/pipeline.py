"""What an event means, as five verbs: decode → place → judge → confirm → watch. Pure: `now` comes in, facts go out.

The key of an uplink's entry is its session and counter: with the time, which is a pure function of the event too, it is
the same however often the broker delivers it and whatever number the network server gives it on each processing.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
from msgspec import structs

from city.alarms import Alarm, AlarmKind, alarming, begin, watch, watch_flood
from city.commands import Command, State
from city.errors import BadInput, ForeignDevice, FromTheFuture, TooManyFrames, TooOld, UnknownDevice
from city.ids import DevEui
from city.parking import lost_change
from city.places import Tenant
from city.quantities import (
    DEVICE_BATTERY,
    DEVICE_BOOT,
    DEVICE_EXTERNAL_POWER,
    DEVICE_LATITUDE,
    DEVICE_LINK_MARGIN,
    DEVICE_LONGITUDE,
    RADIO_DOWNLINK_SF,
    RADIO_DR,
    RADIO_FCNT,
    RADIO_GATEWAYS,
    RADIO_RSSI,
    RADIO_SNR,
    Measurement,
)
from city.readings import DeviceState, Entry, entered, from_ns, to_ns
from city.store.ports import DeadLetter, Facts, Known, View
from decoders.catalog import UnknownModel, catalog
from decoders.codec import Codec, Frame, plain_echo
from firmware_config.delta import obeyed, read_back
from gateway_bridge import confirm
from gateway_bridge.events import Acked, Event, Joined, Located, LogLine, Scheduled, Status, Uplink, device_of
from gateway_bridge.link import Message
from gateway_bridge.privacy import without_persons
from gateway_bridge.raw_values import admit, make_room
from gateway_bridge.sessions import begun, heard, in_session
from gateway_bridge.unread import dead_letter

LONGEST_AHEAD = timedelta(hours=1)
LONGEST_AGO = timedelta(days=400)
DEVICE_CLOCK_AHEAD, DEVICE_CLOCK_BEHIND = timedelta(minutes=1), timedelta(hours=48)
BY_NETWORK = "network"  # the channel of a position that the device has not measured itself

_log = logging.getLogger(__name__)


class Handled(msgspec.Struct, frozen=True, gc=False):
    """What one event changes: all that is known afterwards, and what of it is new.

    `failed` is set where the frame could not be read though the event is good: the device is alive, its radio facts
    count, but the message is kept as a dead letter and gives no entry.
    """

    known: Known
    entry: Entry | None = None
    commands: tuple[Command, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    failed: BadInput | None = None


class Read(msgspec.Struct, frozen=True):
    """What an uplink of a device of this model says, where our own codecs do not tell; `codec` is the model's, without
    its voice. `private`: the frame is about a person too, so its bytes are not kept. `failed`: why it is not read.
    `since_ns`: since when its script is as it is."""

    model: str
    codec: Codec
    said: tuple[Measurement, ...] = ()
    private: bool = False
    failed: BadInput | None = None
    since_ns: int = 0


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message, and the event in it or why there is none (not BadInput: by a fault of ours). `read` is set for uplinks
    of models without a codec of ours."""

    message: Message
    event: Event | Exception
    read: Read | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The facts of several events, how many events gave some, and what is known afterwards of each device they changed."""

    facts: Facts
    handled: int
    changed: Mapping[DevEui, Known]


class Moment(msgspec.Struct, frozen=True):
    """Now, and between which times an event may be dated, in ns."""

    now: datetime
    earliest: int
    latest: int

    @classmethod
    def of(cls, now: datetime) -> "Moment":
        return cls(now, to_ns(now - LONGEST_AGO), to_ns(now + LONGEST_AHEAD))


def handle(event: Event, known: Known, now: datetime, read: Read | None = None) -> Handled:
    """What the event changes. Raises BadInput where it says nothing that we may believe."""
    return _handle(event, known, Moment.of(now), read)


def handle_all(arrivals: Sequence[Arrival], view: View, now: datetime) -> Batch:
    """The facts of a batch: events of one device build on each other in the order of their times. A message that cannot
    be handled, for whatever reason, is a dead letter and never stops the others."""
    folded = _Fold(view, Moment.of(now))
    several = len(view) < len(arrivals)  # perhaps two of one device
    for arrival in sorted(arrivals, key=_time_of) if several else arrivals:
        folded.add(arrival)
    return Batch(folded.facts(), folded.handled, folded.changed)


def devices_of(arrivals: Iterable[Arrival]) -> set[DevEui]:
    """The devices that a batch concerns, letters included."""
    named = (device_of(a.message.topic) if isinstance(a.event, Exception) else a.event.device for a in arrivals)
    return {device for device in named if device is not None}


class _Fold:
    """A batch so far."""

    def __init__(self, view: View, moment: Moment) -> None:
        self._view, self._moment = view, moment
        self._entries: list[Entry] = []
        self._commands: dict[str, Command] = {}
        self._alarms: dict[str, Alarm] = {}
        self._letters: list[DeadLetter] = []
        self.changed: dict[DevEui, Known] = {}
        self.handled = 0

    def add(self, arrival: Arrival) -> None:
        event = arrival.event
        if isinstance(event, Exception):
            device = device_of(arrival.message.topic)
            self._reject(arrival.message, event, self._known(device) if device else None)
            return
        known = self._known(event.device)
        if known is None:
            self._reject(arrival.message, UnknownDevice("No asset is served by the device {device}.",
                                                        device=event.device), None)
            return
        try:
            done = _handle(event, known, self._moment, arrival.read)
        except BadInput as error:
            self._reject(arrival.message, error, known, event)
        except Exception as error:  # a fault of ours must not stop a town: keep the message, say so, go on
            _log.exception("an event of %s could not be handled", event.device)
            self._reject(arrival.message, error, known, event)
        else:
            self._keep(arrival.message, known, done, event)

    def facts(self) -> Facts:
        states = tuple([known.state for device, known in self.changed.items()
                        if known.state is not self._view[device].state])
        return Facts(tuple(self._entries), states, tuple(self._commands.values()), tuple(self._alarms.values()),
                     tuple(self._letters))

    def _known(self, device: DevEui) -> Known | None:
        return self.changed.get(device) or self._view.get(device)

    def _keep(self, message: Message, before: Known, done: Handled, event: Event) -> None:
        if done.known is not before:
            self.changed[event.device] = done.known
        if done.commands:
            self._commands.update((command.id, command) for command in done.commands)
        if done.alarms:
            self._alarms.update((alarm.id, alarm) for alarm in done.alarms)
        if done.entry is not None:
            self._entries.append(done.entry)
        if done.failed is not None:
            self._reject(message, done.failed, done.known, event)
        else:
            self.handled += 1

    def _reject(self, message: Message, error: Exception, known: Known | None, event: Event | None = None) -> None:
        at = self._moment.now + timedelta(microseconds=len(self._letters))  # in the order of their events, for whoever reads them
        letter = dead_letter(message, error, at, known.tenant if known else None)
        if known is not None and isinstance(event, Uplink):
            letter = replace(letter, payload=without_persons(message, event, known.device.model).payload)
        self._letters.append(letter)
        if known is not None and isinstance(error, TooManyFrames):
            self._flooded(known)

    def _flooded(self, known: Known) -> None:
        known = self._known(known.device.dev_eui) or known
        alarm = watch_flood(known.tenant.id, known.asset.id, known.alarms, self._moment.now)
        if alarm is not None:
            self._alarms[alarm.id] = alarm
            self.changed[known.device.dev_eui] = structs.replace(known, alarms=(*known.alarms, alarm))


def _handle(event: Event, known: Known, moment: Moment, read: Read | None) -> Handled:
    _admit(event, known.registered.tenant, moment)
    if isinstance(event, Uplink):
        return _uplink(event, known, moment.now, read)
    return _other(event, known, moment.now)


def _other(event: Joined | Status | Located | Scheduled | Acked | LogLine, known: Known, now: datetime) -> Handled:
    match event:
        case Joined():
            return _joined(event, known, now)
        case Status() | Located():
            return _told(event, known, now)
        case Scheduled():
            return _with_commands(_scheduled(event, known), confirm.after_txack(known.live, event.queue_id, now), now)
        case Acked():
            commands = confirm.after_ack(known.live, event.queue_id, event.acknowledged, now)
            return _with_commands(Handled(known), commands, now)
        case LogLine():
            return _with_commands(Handled(known), confirm.after_log(known.live, event, now), now)


def _admit(event: Event, tenant: Tenant, moment: Moment) -> None:
    if tenant.chirpstack_tenant and event.tenant_id != tenant.chirpstack_tenant:
        raise ForeignDevice("The device {device} belongs to {tenant}, but the event comes from another tenant of the "
                            "network server.", device=event.device, tenant=tenant.id)
    if event.at_ns > moment.latest:
        raise FromTheFuture("The event is dated {at}, later than clocks err.", at=_date(event.at_ns))
    if event.at_ns < moment.earliest:
        raise TooOld("The event is dated {at}, before the time that is kept.", at=_date(event.at_ns))


def _uplink(up: Uplink, known: Known, now: datetime, read: Read | None) -> Handled:
    state = known.state if read is None else make_room(known.state, read.said, read.model, read.since_ns)
    state = in_session(state, up, known.registered.device.model)
    try:
        codec, said, data = _said(up, known, read)
    except BadInput as error:
        alive = _entered(known, state, up.at_ns, up.key, _radio(up), now)
        return structs.replace(alive, entry=None, failed=error)
    if known.registered.asset.kind == "bay":
        said = [*lost_change(said, known.state, up.at_ns), *said]
    if codec.abilities.forgets_settings:
        state = structs.replace(state, config=read_back(state.config, said))
    key = f"{up.dev_addr}:{up.f_cnt}" if up.dev_addr else up.key
    handled = _entered(known, state, up.at_ns, key, [*said, *_radio(up)], now, f_port=up.f_port, data=data)
    if not known.alarms and not known.live:
        return handled
    commands = confirm.after_uplink(known.live, codec, up.at_ns, said, now, holes=handled.known.state.holes) if known.live else ()
    return _with_commands(_readable_again(handled, up.at_ns) if known.alarms else handled, commands, now)


def _said(up: Uplink, known: Known, read: Read | None) -> tuple[Codec, Sequence[Measurement], bytes]:
    """The model's codec, what the frame says, and the bytes of it that may be kept. Our own codec comes first."""
    codec = catalog().get(known.device.model)
    if codec is not None:
        if not up.f_port:
            return codec, (), up.data
        frame = Frame(up.f_port, up.data)
        return codec, _dated(codec.decode_uplink(frame), up.at_ns), _keepable(codec, frame)
    if read is None or read.model != known.device.model:  # registered as another model while it was being read
        raise UnknownModel("There is no codec for the model “{model}”.", model=known.device.model)
    if read.failed is not None:
        raise read.failed
    admit(read.said, _with_room(known.state, read))
    return read.codec, _dated(read.said, up.at_ns), b"" if read.private else up.data


def _with_room(state: DeviceState, read: Read | None) -> DeviceState:
    return state if read is None else make_room(state, read.said, read.model, read.since_ns)


def _readable_again(handled: Handled, at_ns: int) -> Handled:
    """A frame that was read after the alarm began: whatever reads the model now works."""
    known, at = handled.known, from_ns(at_ns)
    ended = tuple(replace(alarm, ended_at=at) for alarm in known.alarms
                  if alarm.open and alarm.kind is AlarmKind.SCRIPT_OFF and alarm.began_at < at)
    if not ended:
        return handled
    return structs.replace(handled, alarms=handled.alarms + ended,
                           known=structs.replace(known, alarms=_running(known.alarms, ended)))


def _scheduled(event: Scheduled, known: Known) -> Handled:
    """What the gateway did is remembered of the device, but says nothing of the device being alive."""
    if not event.spreading_factor:
        return Handled(known)
    last, _ = known.state.last.after([RADIO_DOWNLINK_SF(event.spreading_factor)], event.at_ns)
    return Handled(structs.replace(known, state=structs.replace(known.state, last=last)))


def _joined(join: Joined, known: Known, now: datetime) -> Handled:
    """A new session. It is noted as a restart, because the device has forgotten what it was told by hand."""
    newest = join.at_ns >= known.state.heard_ns
    state = heard(known.state, join)
    if newest:
        state = begun(state, join.dev_addr, known.device.model, join.at_ns, -1)
    handled = _entered(known, state, join.at_ns, f"join:{join.key or join.dev_addr}", [DEVICE_BOOT("join")], now)
    return _with_commands(handled, confirm.after_join(known.live, join.at_ns, now) if newest else (), now)


def _told(event: Status | Located, known: Known, now: datetime) -> Handled:
    if isinstance(event, Status):
        said = [DEVICE_LINK_MARGIN(event.margin), DEVICE_EXTERNAL_POWER(event.external_power)]
        said += [DEVICE_BATTERY(event.battery)] if event.battery is not None else []
    else:
        said = [DEVICE_LATITUDE(event.latitude, BY_NETWORK), DEVICE_LONGITUDE(event.longitude, BY_NETWORK)]
    name = "status" if isinstance(event, Status) else "location"
    return _entered(known, heard(known.state, event), event.at_ns, f"{name}:{event.key}", said, now)


def _entered(known: Known, state: DeviceState, at_ns: int, key: str, said: Sequence[Measurement], now: datetime, *,
             f_port: int = 0, data: bytes = b"") -> Handled:
    """Place, judge, remember and watch: an entry of the log, the state after it, the alarms that begin or end. `state` is
    the device's without what is said."""
    entry, last = entered(known.registered.place, at_ns, key, said, state.last, f_port, data)
    state = DeviceState(state.device, state.application_id, state.session, state.f_cnt, state.heard_ns, state.gateway,
                        state.missed, last, state.config, state.holes, state.counted_ns, state.reach)
    alarms: tuple[Alarm, ...] = ()
    if at_ns >= known.state.heard_ns and (known.alarms or alarming(state)):
        place = entry.place
        alarms = watch(place.tenant, place.asset, state, known.alarms, min(from_ns(at_ns), now))
    running = _running(known.alarms, alarms) if alarms else known.alarms
    return Handled(Known(known.registered, state, known.live, running), entry, (), alarms)


def _with_commands(handled: Handled, commands: tuple[Command, ...], now: datetime) -> Handled:
    """The commands moved on, and what that says of the device: its confirmed settings, whether orders reach it."""
    if not commands:
        return handled
    known = handled.known
    by_id = {command.id: command for command in commands}
    live = tuple(command for command in (by_id.get(old.id, old) for old in known.live) if command.state.live)
    applied = [command for command in commands if command.state is State.APPLIED]
    config = obeyed(known.state.config, (command.order for command in applied))
    state = known.state if config is known.state.config else structs.replace(known.state, config=config)
    alarms = _command_alarms(known, commands, bool(applied), now)
    return structs.replace(handled, commands=commands, alarms=handled.alarms + alarms,
                           known=Known(known.registered, state, live, _running(known.alarms, alarms)))


def _command_alarms(known: Known, commands: Sequence[Command], applied: bool, now: datetime) -> tuple[Alarm, ...]:
    failed = any(command.state in (State.FAILED, State.EXPIRED) for command in commands)
    running = next((alarm for alarm in known.alarms if alarm.open and alarm.kind is AlarmKind.COMMAND_FAILED), None)
    if applied and running is not None:
        return (replace(running, ended_at=now),)
    if failed and not applied and running is None:
        return (begin(known.asset.tenant, known.asset.id, AlarmKind.COMMAND_FAILED, now),)
    return ()


def _running(before: Iterable[Alarm], changed: Iterable[Alarm]) -> tuple[Alarm, ...]:
    alarms = {alarm.id: alarm for alarm in (*before, *changed)}
    return tuple(alarm for alarm in alarms.values() if alarm.open)


def _keepable(codec: Codec, frame: Frame) -> bytes:
    """The frame's bytes without what is about persons - and none where it is the echo of a downlink that the codec
    hides, because it may hold keys."""
    if frame.port in codec.downlink_ports and codec.echo(frame) != plain_echo(frame):
        return b""
    return codec.keepable(frame)


def _radio(up: Uplink) -> list[Measurement]:
    said = [Measurement(RADIO_DR, up.dr), Measurement(RADIO_FCNT, up.f_cnt), Measurement(RADIO_GATEWAYS, up.gateways)]
    if up.rssi is not None:
        said.append(Measurement(RADIO_RSSI, up.rssi))
    if up.snr is not None:
        said.append(Measurement(RADIO_SNR, up.snr))
    return said


def _dated(said: Sequence[Measurement], at_ns: int) -> Sequence[Measurement]:
    """A device's own date counts only near the network's: one wrong clock must not make all that follows late."""
    for item in said:
        if item.at is not None:
            heard = from_ns(at_ns)
            earliest, latest = heard - DEVICE_CLOCK_BEHIND, heard + DEVICE_CLOCK_AHEAD
            return [one if one.at is None or earliest <= one.at <= latest else structs.replace(one, at=None) for one in said]
    return said


def _time_of(arrival: Arrival) -> int:
    return 0 if isinstance(arrival.event, Exception) else arrival.event.at_ns


def _date(at_ns: int) -> str:
    try:
        return from_ns(at_ns).isoformat(timespec="seconds")
    except OverflowError:
        return f"{at_ns} ns after 1970"
