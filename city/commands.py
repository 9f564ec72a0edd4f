"""An order addressed and followed: its states, what moves it from one to the next, and nothing else.

planned → sent → scheduled → acked → applied;  or superseded, expired, failed.
A state says what is *known*, never what is hoped: `scheduled` (a gateway has sent it) is not `acked` (the device has
repeated it), and that is not `applied` (the device reports the wanted state). TRANSITIONS is the whole truth; the
diagram in docs/reference is drawn from it.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from city.errors import Conflict
from city.ids import AssetId, CommandId, DevEui, TenantId
from city.orders import Order, to_json

AFTER_SILENCE = timedelta(minutes=5)  # for a device to be told alone what it has not heard by a multicast


class State(Enum):
    """What is known of a command."""

    PLANNED = "planned"
    SENT = "sent"
    SCHEDULED = "scheduled"
    ACKED = "acked"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    FAILED = "failed"

    @property
    def live(self) -> bool:
        """Whether anything can still happen to the command."""
        return self in _LIVE


class Event(Enum):
    """What can happen to a command."""

    SEND = "handed to the network server"
    TXACK = "a gateway has sent it"
    ACK = "the device has confirmed receiving it"
    CONFIRM = "the device reports the wanted state"
    DEVIATE = "the device reports another state than wanted"
    LOSE = "no answer in time, or the gateway could not send it"
    REJECT = "the device refuses it"
    SUPERSEDE = "a newer order takes its place"
    EXPIRE = "it has outlived its purpose"
    GIVE_UP = "every attempt is spent"


_LIVE = (State.PLANNED, State.SENT, State.SCHEDULED, State.ACKED)

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.PLANNED, Event.SEND): State.SENT,
    (State.SENT, Event.TXACK): State.SCHEDULED,
    (State.SENT, Event.ACK): State.ACKED,
    (State.SCHEDULED, Event.TXACK): State.SCHEDULED,
    (State.SCHEDULED, Event.ACK): State.ACKED,
    (State.ACKED, Event.TXACK): State.ACKED,  # events of ChirpStack have no order among them
    (State.ACKED, Event.ACK): State.ACKED,
    **{(state, Event.CONFIRM): State.APPLIED for state in (State.SENT, State.SCHEDULED, State.ACKED)},
    (State.PLANNED, Event.CONFIRM): State.APPLIED,  # to be sent again, but an earlier attempt has been heard
    **{(state, Event.DEVIATE): State.PLANNED for state in (State.SENT, State.SCHEDULED, State.ACKED)},
    **{(state, Event.LOSE): State.PLANNED for state in (State.SENT, State.SCHEDULED, State.ACKED)},
    **{(state, Event.REJECT): State.FAILED for state in (State.SENT, State.SCHEDULED, State.ACKED)},
    **{(state, Event.SUPERSEDE): State.SUPERSEDED for state in _LIVE},
    **{(state, Event.EXPIRE): State.EXPIRED for state in _LIVE},
    **{(state, Event.GIVE_UP): State.FAILED for state in _LIVE},
}


class Priority(Enum):
    """Who goes first when air time is short; smaller goes first."""

    SAFETY = 0
    OVERRIDE = 1
    CLOCK = 2
    PROGRAM = 3
    CONFIG = 4


@dataclass(frozen=True, slots=True)
class Command:
    """One order to one device.

    `origin` says why: "override:<id>", "program", "config". `queue_id` is the UUID under which ChirpStack knows the
    latest attempt. `holds_until` is when the device will forget the order by itself (timed dimming). `cast` is the id of the
    multicast by which the first attempt went out, "" where it was the device's alone; nobody acknowledges a multicast, so
    the device is not told again before `quiet_until` unless it reports otherwise.
    """

    id: CommandId
    tenant: TenantId
    device: DevEui
    asset: AssetId
    order: Order
    origin: str
    priority: Priority
    created_at: datetime
    expires_at: datetime
    state: State = State.PLANNED
    changed_at: datetime | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    holds_until: datetime | None = None
    note: str = ""
    cast: str = ""
    quiet_until: datetime | None = None

    @property
    def alone(self) -> int:
        """How often the device was told it alone."""
        return self.attempts - bool(self.cast) if self.attempts else 0

    @property
    def queue_id(self) -> str:
        """The id of the latest attempt at ChirpStack: its own for each, since a used id is refused there."""
        return self.id if self.attempts <= 1 else str(uuid.uuid5(uuid.UUID(self.id), str(self.attempts)))


def command(*, tenant: TenantId, device: DevEui, asset: AssetId, order: Order, origin: str, priority: Priority,
            now: datetime, expires_at: datetime) -> Command:
    """A new command; its id is a pure function of what it asks, so planning twice gives the same command."""
    seed = f"{tenant}|{device}|{origin}|{now.isoformat()}|".encode() + to_json(order)
    return Command(id=CommandId(str(uuid.uuid5(_NAMESPACE, seed.hex()))), tenant=tenant, device=device, asset=asset,
                   order=order, origin=origin, priority=priority, created_at=now, expires_at=expires_at, changed_at=now)


def advance(command: Command, event: Event, now: datetime, note: str = "") -> Command:
    """The command after `event`; raises Conflict where TRANSITIONS has no such step. It never changes before it last did,
    even where the clock was set back: storage takes the newest word."""
    state = TRANSITIONS.get((command.state, event))
    if state is None:
        raise Conflict("A command that is {state} cannot be told that {event}.", field="command", rule="transition",
                       state=command.state.value, event=event.value)
    changed_at = max(now, command.changed_at or now)
    if event is Event.SEND:
        minutes = getattr(command.order, "minutes", None)
        return replace(command, state=state, changed_at=changed_at, sent_at=now, attempts=command.attempts + 1, note=note,
                       quiet_until=None,
                       holds_until=now + timedelta(minutes=minutes) if minutes is not None else None)
    return replace(command, state=state, changed_at=changed_at, note=note or command.note)


def cast(command: Command, by: str, now: datetime, *, quiet_until: datetime, order: Order) -> Command:
    """A planned command handed over as part of the multicast `by`, which says `order` to all alike; it stays valid until
    silence has shown that it was not heard, and a little longer. Raises Conflict where it is not planned."""
    sent = advance(replace(command, order=order), Event.SEND, now)
    return replace(sent, cast=by, quiet_until=quiet_until, expires_at=max(command.expires_at, quiet_until + AFTER_SILENCE))


def can(command: Command, event: Event) -> bool:
    """Whether TRANSITIONS has a step for `event` now."""
    return (command.state, event) in TRANSITIONS


_NAMESPACE = uuid.UUID("5d1f7b9e-3c53-4f0e-9a4e-6d1f0b6f8a10")
