"""What an event proves about the commands under way: each step is checked against city.commands.TRANSITIONS."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from city.commands import Command, Event, State, advance, can
from city.errors import Refused
from city.losses import ANSWER_LOST
from city.orders import MulticastGroup, Order, ReadStatus, ReadTask, Reboot, Resume, SetLevel, Setting
from city.planning import MAX_ATTEMPTS, is_applied
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_ECHO,
    DEVICE_REJECTED,
    LAMP_LEVEL,
    LAMP_REASON,
    LAMP_TASK,
    Measurement,
    Quantity,
    Value,
)
from city.readings import from_ns
from decoders.codec import Codec, Frame
from gateway_bridge.events import LogLine

BY_HAND = "manual"  # lamp.reason of a lamp that is held by an order
CLOCKS_DIFFER = timedelta(seconds=30)  # between the network's clock and ours: an older echo is another order's
SETTLE = timedelta(seconds=15)  # an acknowledged lamp may still fade, or finish the report it had begun


@dataclass(frozen=True, slots=True)
class Said:
    """What one uplink said, and when it was heard by the network."""

    at: datetime
    measurements: tuple[Measurement, ...]

    def values(self, quantity: Quantity, channel: str | None = None) -> list[Value]:
        """All values of a quantity, or those of one channel."""
        return [item.value for item in self.measurements
                if item.quantity is quantity and (channel is None or item.channel == channel)]

    def of(self, quantity: Quantity, channel: str) -> list[Value]:
        """The last value of a channel; of a whole lamp that only speaks of its parts, those of all parts."""
        return self.values(quantity, channel)[-1:] or ([] if channel else self.values(quantity))


def after_uplink(live: Iterable[Command], codec: Codec, at_ns: int, measurements: Sequence[Measurement],
                 now: datetime, *, holes: int = 0) -> tuple[Command, ...]:
    """The commands that the uplink moved on. A level or a reason counts only if it was heard after the sending. A codec
    that cannot say the order here (a town's script, whose encoder runs elsewhere) recognises no echo of it. `holes`: which of
    the frames before this one nobody has heard (city.counters)."""
    said = Said(from_ns(at_ns), tuple(measurements))
    return _changed(live, lambda command: _explained(command, _after_uplink(command, codec, said, now), holes))


def after_txack(live: Iterable[Command], queue_id: str, now: datetime) -> tuple[Command, ...]:
    """A gateway has taken it; that is not yet obeyed."""
    return _changed(live, lambda command: _step(command, Event.TXACK, now) if is_attempt(command, queue_id) else command)


def after_ack(live: Iterable[Command], queue_id: str, acknowledged: bool, now: datetime) -> tuple[Command, ...]:
    """The device has confirmed the frame, or has not in time. Of a setting nothing more will be heard: who asks for this
    has no other sign of it."""
    def step(command: Command) -> Command:
        if not is_attempt(command, queue_id):
            return command
        if not acknowledged:
            return lose(command, now, "the device did not confirm it")
        command = _step(command, Event.ACK, now)
        return _step(command, Event.CONFIRM, now) if isinstance(command.order, Setting) else command
    return _changed(live, step)


def after_join(live: Iterable[Command], at_ns: int, now: datetime) -> tuple[Command, ...]:
    """A device that joins has restarted: what it was told before is forgotten."""
    at = from_ns(at_ns)

    def step(command: Command) -> Command:
        if command.sent_at is None or command.sent_at > at:
            return command
        if isinstance(command.order, Reboot):
            return _step(command, Event.CONFIRM, now, "the device has joined anew")
        return lose(command, now, "the device has restarted")
    return _changed(live, step)


def after_log(live: Iterable[Command], line: LogLine, now: datetime) -> tuple[Command, ...]:
    """What the network server could not do with a downlink. A gateway's refusal that names no queue item concerns the
    newest that is on its way."""
    commands = list(live)
    if line.queue_id:
        concerned = {command.id for command in commands if is_attempt(command, line.queue_id)}
    elif line.code == "DOWNLINK_GATEWAY":
        on_its_way = [command for command in commands if command.sent_at is not None]
        concerned = {max(on_its_way, key=lambda command: command.sent_at or now).id} if on_its_way else set()
    else:
        return ()
    step = _LOG_STEPS.get(line.code)
    if step is None:
        return ()
    return _changed(commands, lambda command: step(command, now, line) if command.id in concerned else command)


def is_attempt(command: Command, queue_id: str) -> bool:
    """Whether ChirpStack knew any attempt of the command by this id."""
    return any(replace(command, attempts=n).queue_id == queue_id for n in range(1, command.attempts + 1))


def lose(command: Command, now: datetime, note: str) -> Command:
    """To be sent again, or given up where every attempt is spent."""
    return _setback(command, Event.LOSE, now, note)


def encoded(codec: Codec, order: Order) -> Frame | None:
    """The frame that says the order; None where the model has none."""
    try:
        return codec.encode_downlink(order)
    except Refused:
        return None


def _after_uplink(command: Command, codec: Codec, said: Said, now: datetime) -> Command:
    sent_at = command.sent_at
    if sent_at is None or said.at < sent_at - CLOCKS_DIFFER:
        return command
    if command.state is State.PLANNED:
        return _obeyed_late(command, said, now)
    echo = _echo(codec, command.order)
    if echo:
        command = _answered(command, echo, said, now)
        if not command.state.live:
            return command
    obeyed = _obeyed(command, said) if said.at > sent_at else None
    if obeyed:
        return _step(command, Event.CONFIRM, now)
    if obeyed is False and _had_time(command, codec, said.at):
        return _setback(command, Event.DEVIATE, now, "the device reports another state")
    return command


def _explained(before: Command, after: Command, holes: int) -> Command:
    """Whether the attempts before went unanswered because the answer was lost, not the order: then frames are missing just
    before this one, about two to an attempt (the answer, and a report of the new level)."""
    answered = before.state in (State.SENT, State.SCHEDULED) and after.state in (State.ACKED, State.APPLIED)
    just_before = (1 << 2 * max(before.alone - 1, 0)) - 1 << 1
    return replace(after, note=ANSWER_LOST) if answered and before.alone > 1 and holes & just_before else after


def _obeyed_late(command: Command, said: Said, now: datetime) -> Command:
    """It waits to be sent again, but the device reports that it has heard an earlier attempt. Not of an order that holds for
    a while: the level that it asks for may be that of the former one, whose time it was to prolong."""
    late = command.attempts and command.holds_until is None and command.sent_at is not None and said.at > command.sent_at
    return _step(command, Event.CONFIRM, now, "it was heard after all") if late and _obeyed(command, said) else command


def _echo(codec: Codec, order: Order) -> str:
    """What the device repeats of the frame that says the order; "" where the model has none. Of keys, which are nowhere
    kept, whoever ordered them has said it."""
    if isinstance(order, MulticastGroup) and order.echo:
        return order.echo
    frame = encoded(codec, order)
    return "" if frame is None else codec.echo(frame)


def _answered(command: Command, echo: str, said: Said, now: datetime) -> Command:
    """What the device says of the frame itself: that it refuses it, or by repeating it that it has it."""
    port = echo.partition(":")[0]
    if any(str(refused).partition(":")[0] == port for refused in said.values(DEVICE_REJECTED)):
        return _step(command, Event.REJECT, now, "the device refuses it")  # it names the port and an error, not the order
    if echo in said.values(DEVICE_ECHO):
        command = _step(command, Event.ACK, now)
        if isinstance(command.order, Setting):
            return _step(command, Event.CONFIRM, now)
    return command


def _obeyed(command: Command, said: Said) -> bool | None:
    """Whether the device does what it was told; None where the uplink does not tell."""
    match command.order:
        case SetLevel(channel=channel):
            levels = [value for value in said.of(LAMP_LEVEL, channel) if isinstance(value, int | float)]
            return all(is_applied(command.order, level) for level in levels) if levels else None
        case Resume(channel=channel):
            reasons = said.of(LAMP_REASON, channel)
            return BY_HAND not in reasons if reasons else None
        case ReadStatus(status=True):
            return True if said.values(LAMP_LEVEL) else None
        case ReadStatus():
            return True if any(item.quantity is not DEVICE_ECHO for item in said.measurements) else None
        case ReadTask(slot=slot):
            return True if said.values(LAMP_TASK, f"slot-{slot}") else None
        case Reboot():
            return True if said.values(DEVICE_BOOT) else None
    return None


def _had_time(command: Command, codec: Codec, at: datetime) -> bool:
    if codec.device_class == "A" and command.state is State.SENT:
        return False  # no gateway has sent it: it waits for an uplink, and this may be the one
    if command.state is State.ACKED and command.changed_at is not None:
        return at > command.changed_at + SETTLE
    return command.sent_at is not None and at > command.sent_at + codec.abilities.report_within


def _step(command: Command, event: Event, now: datetime, note: str = "") -> Command:
    return advance(command, event, now, note) if can(command, event) else command


def _setback(command: Command, event: Event, now: datetime, note: str) -> Command:
    if not can(command, event):
        return command
    if command.alone >= MAX_ATTEMPTS:
        return advance(command, Event.GIVE_UP, now, f"{note}, after {command.attempts} attempts")
    return advance(command, event, now, note)


def _changed(live: Iterable[Command], step: Callable[[Command], Command]) -> tuple[Command, ...]:
    pairs = [(command, step(command)) for command in live]
    return tuple(after for before, after in pairs if after is not before)


_LOG_STEPS: dict[str, Callable[[Command, datetime, LogLine], Command]] = {
    "EXPIRED": lambda command, now, _: _step(command, Event.EXPIRE, now, "its time ran out in the network server's queue"),
    "DOWNLINK_GATEWAY": lambda command, now, line: lose(command, now, f"the gateway could not send it: {line.description}"),
    "DOWNLINK_PAYLOAD_SIZE": lambda command, now, _: _step(command, Event.REJECT, now, "too long for the data rate"),
    "DOWNLINK_CODEC": lambda command, now, _: _step(command, Event.REJECT, now, "the network server could not encode it"),
}
