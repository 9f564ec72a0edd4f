"""Groups of radio: which lamps have the keys of a class C multicast group, and what was told to them together.

People say for which lamps there shall be a group; the bridge makes it at the network server, tells the keys to the lamps one
by one and writes down who has confirmed them. Keys are never kept here: they are derived where a frame is encoded.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from city.airtime import RX2_DR, RX2_HZ, Estimate
from city.casting import Net
from city.commands import Command, Priority, State
from city.groups import Kind, Target
from city.ids import DevEui, GatewayId, TenantId
from city.orders import Order

SLOT_OF: Mapping[Kind, int] = {"town": 0, "zone": 1, "circuit": 2, "group": 3}
LEAST_MEMBERS = 4  # fewer lamps are told one by one as fast
MAX_GROUPS = 500  # of a town
ORIGIN = "multicast"  # of commands that tell a lamp its keys


class Membership(Enum):
    """What is known of a lamp and a group's keys. Who was ever told them may hear the group, confirmed or not."""

    WANTED = "wanted"
    TOLD = "told"
    CONFIRMED = "confirmed"
    LEAVING = "leaving"  # it should not be a member any more, but may still have the keys


@dataclass(frozen=True, slots=True)
class GroupWish:
    """That there shall be groups of radio for the lamps of a target. A higher `generation` means other keys."""

    target: Target
    actor: str
    at: datetime
    generation: int = 1


@dataclass(frozen=True, slots=True)
class RadioGroup:
    """A multicast group: lamps of one target, one model and one application of the network server, since a frame is the same
    for all. `network_id` is the network server's name of it, "" until it is made there. `ready`: the network server has all
    of it. `note`: what is missing, in a sentence."""

    tenant: TenantId
    id: str
    target: Target
    model: str
    application_id: str
    slot: int
    generation: int
    dev_addr: str
    dr: int = RX2_DR
    frequency: int = RX2_HZ
    network_id: str = ""
    gateways: tuple[GatewayId, ...] = ()
    ready: bool = False
    note: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A lamp's controller in a group. `enlisted`: the network server knows it as a member."""

    group: str
    device: DevEui
    state: Membership
    enlisted: bool = False
    told_at: datetime | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a cast: seconds until the last of its lamps was known to obey, how many did by the cast itself, how
    many had to be told alone, and how many came to nothing (failed, or another order took its place)."""

    known_s: float
    by_cast: int
    alone: int
    none: int


@dataclass(frozen=True, slots=True)
class CastRun:
    """One order to a group, repeated. `sent` of `repeats` rounds have been handed over; the next may go at `next_at`.
    `lamps` of the group are told by it (others may hear it, too, who shall do the same). `seconds` a frame is on the air."""

    id: str
    tenant: TenantId
    group: str
    origin: str
    priority: Priority
    order: Order
    lamps: int
    repeats: int
    seconds: float
    created_at: datetime
    expires_at: datetime
    next_at: datetime
    sent: int = 0
    ended_at: datetime | None = None
    estimate: Estimate | None = None
    measured: Measured | None = None
    note: str = ""

    @property
    def open(self) -> bool:
        """Whether frames are still to be sent."""
        return self.ended_at is None and self.sent < self.repeats


def nets_of(groups: Iterable[RadioGroup], members: Iterable[Member]) -> list[Net]:
    """The groups that can be told something, as the planner sees them; in a fixed order."""
    by_group: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_group[member.group].append(member)
    return [Net(group.id, _those(by_group[group.id], (Membership.CONFIRMED,)),
                _those(by_group[group.id], (Membership.CONFIRMED, Membership.TOLD, Membership.LEAVING)), group.gateways)
            for group in sorted(groups, key=lambda one: one.id) if group.ready and group.gateways]


def measured(commands: Iterable[Command], began_at: datetime) -> Measured:
    """What became of the commands of one cast."""
    found = list(commands)
    applied = [one for one in found if one.state is State.APPLIED]
    by_cast = sum(one.attempts <= 1 for one in applied)
    last = max((one.changed_at or began_at for one in applied), default=began_at)
    return Measured(round((last - began_at) / timedelta(seconds=1), 1), by_cast, len(applied) - by_cast,
                    len(found) - len(applied))


def after_round(run: CastRun, now: datetime, gap: timedelta) -> CastRun:
    """The cast with one more round handed over; the next one after `gap`."""
    return replace(run, sent=run.sent + 1, next_at=now + gap)


def _those(members: Iterable[Member], states: tuple[Membership, ...]) -> frozenset[DevEui]:
    return frozenset(member.device for member in members if member.state in states)
