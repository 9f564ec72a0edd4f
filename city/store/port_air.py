"""What the platform asks of storage about groups of radio and time on air; see city.store.ports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from city.budget import Spent
from city.groups import Target
from city.ids import TenantId
from city.losses import Tried
from city.multicast import CastRun, GroupWish, Member, RadioGroup


class AirChanges(msgspec.Struct, frozen=True):
    """What has happened to groups of radio: `gone` are groups by town and id, `left` are members that are none any more."""

    groups: tuple[RadioGroup, ...] = ()
    gone: tuple[tuple[TenantId, str], ...] = ()
    members: tuple[tuple[TenantId, Member], ...] = ()
    left: tuple[tuple[TenantId, Member], ...] = ()
    casts: tuple[CastRun, ...] = ()
    spent: tuple[tuple[TenantId, Spent], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.groups or self.gone or self.members or self.left or self.casts or self.spent)

    @property
    def tenants(self) -> set[TenantId]:
        """Whose they are."""
        return ({group.tenant for group in self.groups} | {cast.tenant for cast in self.casts}
                | {tenant for rows in (self.gone, self.members, self.left, self.spent) for tenant, _ in rows})


NO_CHANGES = AirChanges()


class AirStore(Protocol):
    """One tenant's multicast groups and casts. People write wishes, the bridge writes the rest by `Facts`."""

    def group_wishes(self) -> Sequence[GroupWish]: ...
    def put_group_wish(self, wish: GroupWish) -> None:
        """Want groups for a target, or other keys for them. Raises Conflict where the town wants too many."""
        ...
    def remove_group_wish(self, target: Target) -> None:
        """Raises NotFound."""
        ...
    def radio_groups(self) -> Sequence[RadioGroup]: ...
    def radio_members(self) -> Sequence[Member]:
        """Of all groups."""
        ...
    def casts(self, *, open_only: bool = False, limit: int = 100) -> Sequence[CastRun]:
        """The newest first. `open_only`: those whose outcome is not measured yet."""
        ...
    def cast(self, id: str) -> CastRun:
        """Raises NotFound."""
        ...
    def tried(self) -> Sequence[Tried]:
        """How lately lamps heard what they were told alone: the newest orders that were obeyed, a few thousand at most."""
        ...
    def spent(self, since: datetime) -> Sequence[Spent]:
        """Time on air of this town's orders since then, summed by gateway, sub-band and minute."""
        ...
