"""People's wishes for lamps on top of what is programmed: what an override is, and what is wanted of a lamp and why.

The newest override that covers a lamp wins; when it ends, the program applies again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from city.errors import Conflict, Invalid
from city.groups import Target
from city.ids import OverrideId, ProgramId, TenantId
from city.nights import BERLIN as BERLIN
from city.places import Luminaire, Restriction

LONGEST = timedelta(days=31)  # of any override, whoever asks
MAX_REASON = 200
MAX_TARGETS = 20_000
MOST_OPEN = 500  # overrides of a town that hold or are to come: every lamp's setpoint is looked for among them
MOST_NAMED = 100_000  # their targets together


@dataclass(frozen=True, slots=True)
class Override:
    """A person's wish for the lamps of its targets, from `start` until `end` (both UTC), with a reason.

    `level` per cent, or None: as programmed. `emergency`: light for safety's sake, 100 %. `needs_second`: it holds only
    once somebody else has approved it.
    """

    id: OverrideId
    tenant: TenantId
    level: int | None
    start: datetime
    end: datetime
    reason: str
    actor: str
    created_at: datetime
    targets: tuple[Target, ...]
    ended_at: datetime | None = None
    emergency: bool = False
    needs_second: bool = False
    approved_by: str = ""
    approved_at: datetime | None = None

    def concerns(self, lamp: Luminaire) -> bool:
        """Whether it may hold for a lamp that its targets name: none that dims holds at a pedestrian crossing (DIN 67523)."""
        return self.level is None or self.level == 100 or lamp.restriction is not Restriction.CROSSWALK

    @property
    def pending(self) -> bool:
        """Whether a second person is still needed."""
        return self.needs_second and self.approved_at is None

    def active(self, now: datetime) -> bool:
        """Whether the wish applies now."""
        return self.ended_at is None and not self.pending and self.start <= now < self.end

    @property
    def age(self) -> tuple[datetime, str]:
        """The greatest of two is the newest."""
        return self.created_at, self.id


@dataclass(frozen=True, slots=True)
class Setpoint:
    """The level wanted now, why, since when and until when. `origin` is "override:<id>" or "program"; `program` is what the
    night is programmed as, also under an override; `fade_s` is how gently the level is reached."""

    level: int
    reason: Literal["override", "program"]
    origin: str
    since: datetime
    until: datetime
    program: ProgramId | None = None
    fade_s: int = 0


def override(*, id: OverrideId, tenant: TenantId, targets: Collection[Target], level: int | None, until: datetime, actor: str,
             now: datetime, reason: str = "", start: datetime | None = None, emergency: bool = False,
             needs_second: bool = False) -> Override:
    """An override of sound shape, from `start` (None: now) `until` then; what it may do to lamps is city.guards' to say.

    Raises Invalid, naming field and rule: level outside 0-100, an emergency that is not 100 %, no targets or too many, an
    end that is past, before the start or more than 31 days away, a reason of more than 200 characters or with some that no one
    sees, which could turn round what a second person reads.
    """
    begin = now if start is None else max(start, now)
    if level is not None and not 0 <= level <= 100:
        raise Invalid("A level must lie between 0 and 100 %, not {level}.", field="level", rule="0…100", level=level)
    if emergency and level != 100:
        raise Invalid("An emergency means 100 %.", field="level", rule="100")
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise Invalid("Name 1 to {most} lamps, zones, circuits or groups.", field="targets", rule=f"1…{MAX_TARGETS}",
                      most=MAX_TARGETS)
    if until <= now:
        raise Invalid("The end lies in the past.", field="until", rule="future")
    if until <= begin:
        raise Invalid("The end lies before the beginning.", field="until", rule="after start")
    if until - now > LONGEST:
        raise Invalid("An override ends within {days} days.", field="until", rule=f"≤ {LONGEST.days} d", days=LONGEST.days)
    if len(reason) > MAX_REASON:
        raise Invalid("A reason has at most {most} characters.", field="reason", rule="≤ 200", most=MAX_REASON)
    if not reason.strip().isprintable():
        raise Invalid("A reason has printable characters only, in one line.", field="reason", rule="printable")
    return Override(id, tenant, level, begin, until, reason.strip(), actor, now, tuple(sorted(set(targets))),
                    emergency=emergency, needs_second=needs_second)


def check_room(new: Override, others: Iterable[Override]) -> None:
    """Raises Conflict where people of the town wish for so much at once that nobody could follow it any more; light for
    safety's sake always has room."""
    kept = [one for one in others if one.ended_at is None and one.end > new.created_at]
    named = sum(len(one.targets) for one in kept) + len(new.targets)
    if not new.emergency and (len(kept) >= MOST_OPEN or named > MOST_NAMED):
        raise Conflict("{open} overrides hold already or are to come, for {named} lamps and zones: end some of them first.",
                       field="targets", rule=f"≤ {MOST_OPEN}, ≤ {MOST_NAMED}", open=len(kept), named=named)
