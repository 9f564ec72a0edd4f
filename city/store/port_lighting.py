"""What the platform asks of storage about programs and overrides; see city.store.ports."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from city.groups import Group, Target
from city.ids import CalendarId, GroupId, OverrideId, ProgramId
from city.lighting import Override
from city.programs import Calendar, Program, Programming

if TYPE_CHECKING:
    from city.store.ports import AuditLine


class LightingStore(Protocol):
    """One tenant's programs, groups and overrides. Lookups of one thing raise NotFound."""

    def programming(self) -> Programming:
        """All that the town has programmed, with what is shipped."""
        ...
    def put_program(self, program: Program, audited: "AuditLine | None" = None) -> None:
        """Add it, or a new version. Raises Conflict where the town keeps too many. `audited` is written down together with it, or
        neither is; so it is in all that follows."""
        ...
    def put_calendar(self, calendar: Calendar, audited: "AuditLine | None" = None) -> None:
        """As `put_program`. Raises NotFound for a program that does not exist."""
        ...
    def put_group(self, group: Group, audited: "AuditLine | None" = None) -> None:
        """As `put_program`."""
        ...
    def remove_program(self, id: ProgramId, audited: "AuditLine | None" = None) -> None:
        """A shipped one comes back as it was shipped. Raises Conflict while a calendar names it."""
        ...
    def remove_calendar(self, id: CalendarId, audited: "AuditLine | None" = None) -> None:
        """Raises Conflict while it is assigned."""
        ...
    def remove_group(self, id: GroupId, audited: "AuditLine | None" = None) -> None:
        """Raises Conflict while a calendar is assigned to it."""
        ...
    def assign(self, target: Target, calendar: CalendarId | None, actor: str, now: datetime, *,
               audited: "AuditLine | None" = None) -> None:
        """Let a calendar hold for a target, or (None) whatever holds around it."""
        ...
    def overrides(self, now: datetime) -> Sequence[Override]:
        """The active ones, newest first."""
        ...
    def overrides_from(self, now: datetime) -> Sequence[Override]:
        """Those that are active now, begin later, or wait for a second person; the newest first."""
        ...
    def override(self, id: OverrideId) -> Override: ...
    def intents_seen(self) -> int:
        """A number that rises whenever anybody wants something else of the town."""
        ...
    def add_override(self, override: Override, *, seen: int | None = None, audited: "AuditLine | None" = None) -> None:
        """Adding the same one again changes nothing. Raises Conflict where anybody has wanted something else since the
        number `seen`. `audited` is written down together with it, or neither is."""
        ...
    def end_override(self, id: OverrideId, now: datetime) -> Override:
        """It ends now, if it has not; returns it as it is then."""
        ...
    def end_overrides(self, targets: Collection[Target], now: datetime) -> int:
        """End every override that is for exactly these targets and has not ended; returns how many."""
        ...
    def approve_override(self, id: OverrideId, actor: str, now: datetime, *, seen: int | None = None) -> Override:
        """A second person agrees. Raises Forbidden for the one who asked, Conflict where nobody is waiting."""
        ...
    def adopt_override(self, id: OverrideId, actor: str, now: datetime, *, seen: int | None = None) -> Override:
        """What a program has asked for is this person's own from now on. Raises Conflict where nobody is waiting."""
        ...
