"""One town for whoever steers it: what people want now, and what was done about it lately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern

import msgspec

from city.commands import Command, State
from city.ids import AssetId, DevEui, ZoneId
from city.lighting import Override, Program, Setpoint, lamp_floor, program_setpoint, setpoint
from city.orders import Order, Resume, SetLevel, to_json
from city.places import Luminaire, Tenant
from firmware_config.profile import DeviceConfig

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
    """What people want of one tenant, what its devices were last made to do, and what has failed a moment ago. `active`,
    `targets` and `by_floor` are as of the time to which `moved_on` has brought it."""

    tenant: Tenant
    program: Program = field(default_factory=Program)
    overrides: Sequence[Override] = ()
    configs: Mapping[DevEui, DeviceConfig] = field(default_factory=dict)
    applied: dict[DevEui, Applied] = field(default_factory=dict)
    failed: dict[Essence, datetime] = field(default_factory=dict)
    active: frozenset[Override] = frozenset()
    targets: dict[AssetId | ZoneId, list[Override]] = field(default_factory=dict)
    by_floor: dict[int, Setpoint] = field(default_factory=dict)

    def setpoint(self, lamp: Luminaire, now: datetime) -> Setpoint:
        """As city.lighting.setpoint; where no override covers the lamp, reckoned once for all lamps of one floor."""
        if self.targets:
            near = [*self.targets.get(lamp.id, ()), *self.targets.get(lamp.zone, ())]
            covering = [wish for wish in near if wish.covers(lamp)]
            if covering:
                return setpoint(lamp, covering, self.program, self.tenant.site, now)
        floor = lamp_floor(lamp)
        found = self.by_floor.get(floor)
        if found is None:
            found = self.by_floor[floor] = program_setpoint(self.program, self.tenant.site, now, floor=floor)
        return found

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
    step = next(iter(town.by_floor.values()), None)
    turned = step is None or not step.since <= now < step.until
    if turned:
        town.by_floor = {0: program_setpoint(town.program, town.tenant.site, now)}
    active = frozenset(wish for wish in town.overrides if wish.active(now))
    changed = active ^ town.active
    if changed:
        town.active, town.targets = active, {}
        for wish in active:
            target = wish.zone if wish.asset is None else wish.asset
            if target is not None:
                town.targets.setdefault(target, []).append(wish)
    return turned, changed


def essence(item: Command) -> Essence:
    """To whom, why and what, without what differs from minute to minute."""
    order = item.order
    said = to_json(SetLevel(order.level, channel=order.channel) if isinstance(order, SetLevel) else order)
    return item.device, item.origin, said


def was_never_sent(item: Command) -> bool:
    """An order that waited for the broker until it expired says nothing of its device."""
    return item.state is State.EXPIRED and not item.attempts
