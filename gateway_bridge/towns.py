"""One town for whoever steers it: what people want now, and what was done about it lately."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from sys import intern

import msgspec

from city.commands import Command, State
from city.ids import AssetId, CircuitId, DevEui
from city.lighting import Override, Setpoint
from city.multicast import GroupWish
from city.nights import Night, evening_of, level_at
from city.orders import Order, Resume, SetLevel, to_json
from city.places import Luminaire, Tenant
from city.programs import Programming
from city.wants import Wants
from firmware_config.alone import by_itself, tables_of
from firmware_config.compile import does
from firmware_config.families import family
from firmware_config.holding import Wish, Wishes
from firmware_config.profile import DeviceConfig
from gateway_bridge.telling import Untold

Essence = tuple[DevEui, str, bytes]


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What a lamp was last made to do: as much of the command as the planner asks for."""

    order: Order
    origin: str
    changed_at: datetime
    holds_until: datetime | None = None

    @classmethod
    def of(cls, item: Command) -> "Applied":
        return cls(item.order, intern(item.origin), item.changed_at or item.created_at, item.holds_until)


@dataclass(slots=True)
class Town:
    """What people want of one tenant, what its devices were last made to do, and what has failed a moment ago. `active` and
    `wants` are as of the time to which `moved_on` has brought it. `crowded_until`: until then so many lamps have something
    to report that none is asked. `night_feeders`: circuits that have no power by day. `untold`: who lacks
    parts of a program of its own."""

    tenant: Tenant
    programming: Programming
    overrides: Sequence[Override] = ()
    configs: Mapping[DevEui, DeviceConfig] = field(default_factory=dict)
    applied: dict[DevEui, Applied] = field(default_factory=dict)
    failed: dict[Essence, datetime] = field(default_factory=dict)
    active: frozenset[Override] = frozenset()
    wants: Wants | None = None
    group_wishes: Sequence[GroupWish] = ()
    crowded_until: datetime | None = None
    asked: Mapping[AssetId, datetime] = field(default_factory=dict)
    local: Collection[str] = ()
    night_feeders: Collection[CircuitId | None] = ()
    holding: Wishes | None = None
    untold: Untold = field(default_factory=Untold)

    @classmethod
    def of(cls, tenant: Tenant, local: Collection[str] = (), each: float = inf) -> "Town":
        """A town of which nothing is known yet but where it is. `local`: models whose own programs run in local time. `each`:
        frames of such programs that one gateway may send in a slot (city.rationing)."""
        return cls(tenant, Programming(tenant.site, tenant.land), local=local, untold=Untold(each))

    def setpoint(self, lamp: Luminaire, now: datetime) -> Setpoint:
        """What is wanted of the lamp at `now`, and why."""
        if self.wants is None or (now != self.wants.now and now >= self.wants.until):
            self.wants = Wants(self.programming, self.overrides, now)
        return self.wants.of(lamp)

    def overridden(self, lamp: Luminaire) -> bool:
        """Whether an override that is active covers the lamp."""
        return self.wants is not None and self.wants.overridden and self.wants.override_of(lamp) is not None

    def wish(self, device: DevEui, lamp: Luminaire, model: str, now: datetime) -> Wish | None:
        """All that a lamp's controller is to be configured as, its program for this night included; None: nothing."""
        if self.holding is None or self.holding.evening != evening_of(now):
            self.holding = Wishes(self.programming, now, self.local)
            self.untold.again(now)
        return self.holding.wish(lamp, model, self.configs.get(device))

    def own_level(self, confirmed: Mapping[str, str], model: str, want: Setpoint, now: datetime) -> int | None:
        """The level at which a lamp that has confirmed these settings burns by itself, that which is wanted where it comes to
        it within minutes; None where nobody knows, or nobody would see that it does not."""
        kind, tables = family(model, self.local), tables_of(confirmed)
        if kind is None or not kind.watched or tables.empty:
            return None
        own = by_itself(tables, kind, Night.around(now, self.programming.site))
        return want.level if does(own, want.level, now) else level_at(own, now).level

    def emergency(self, origin: str) -> bool:
        """Whether an order of this origin is for safety's sake."""
        return any(wish.emergency and origin == f"override:{wish.id}" for wish in self.active)

    def changed(self) -> None:
        """What is programmed or wished is another: it has to be reckoned anew."""
        self.wants = self.holding = None

    def told(self, item: Command) -> None:
        """A command has come to an end."""
        if item.state is State.APPLIED and isinstance(item.order, SetLevel | Resume):
            self.apply(item.device, Applied.of(item))
        elif item.state in (State.FAILED, State.EXPIRED) and not was_never_sent(item):
            key = essence(item)
            self.failed[key] = max(self.failed.get(key, item.created_at), item.changed_at or item.created_at)

    def apply(self, device: DevEui, new: Applied) -> None:
        """The newest counts, in whatever order they come."""
        old = self.applied.get(device)
        if old is None or new.changed_at >= old.changed_at:
            self.applied[device] = new


def moved_on(town: Town, now: datetime) -> tuple[bool, frozenset[Override]]:
    """Bring the town to this time. Whether its program asks for something else than before, and the overrides that have
    begun or ended."""
    turned = town.wants is None or not town.wants.now <= now < town.wants.until
    active = frozenset(wish for wish in town.overrides if wish.active(now))
    changed = active ^ town.active
    town.active = active
    if turned or changed:
        town.wants = Wants(town.programming, active, now)
    return turned, changed


def essence(item: Command) -> Essence:
    """To whom, why and what, without what differs from minute to minute."""
    order = item.order
    said = to_json(SetLevel(order.level, channel=order.channel) if isinstance(order, SetLevel) else order)
    return item.device, item.origin, said


def was_never_sent(item: Command) -> bool:
    """An order that waited for the broker until it expired says nothing of its device."""
    return item.state is State.EXPIRED and not item.attempts
