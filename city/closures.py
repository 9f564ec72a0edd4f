"""Closing bays for works or an event: what people ask for as one closure is one block for each of its bays. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.errors import Invalid
from city.ids import AssetId, TenantId
from city.parking_places import Block

MOST_BAYS = 500  # of one closure
LONGEST = timedelta(days=400)
FARTHEST = timedelta(days=800)  # a beginning that lies further ahead is a mistake in typing
MOST_REASON = 200  # characters


@dataclass(frozen=True, slots=True)
class Closure:
    """Blocks that were asked for together: one time, one reason, one person. `id` names them all."""

    id: str
    blocks: tuple[Block, ...]

    @property
    def first(self) -> Block:
        return self.blocks[0]

    def holds(self, at: datetime) -> bool:
        """Whether a bay of it is closed then."""
        return any(block.holds(at) for block in self.blocks)

    def open_blocks(self, now: datetime) -> tuple[Block, ...]:
        """Those that hold or will hold."""
        return tuple(block for block in self.blocks if block.ended_at is None and block.end > now)


def closure(id: str, *, tenant: TenantId, bays: Sequence[AssetId], start: datetime, end: datetime, reason: str, actor: str,
            now: datetime) -> Closure:
    """A new closure of these bays. A start that has passed is now. Raises Invalid, naming the field, for no bays or too many, a
    time that is none, or a reason that is missing or too long."""
    _check_bays(bays)
    _check_times(start, end, now)
    return Closure(id, tuple(Block(f"{id}.{number}", tenant, bay, max(start, now), end, _reason(reason), actor, now)
                             for number, bay in enumerate(dict.fromkeys(bays))))


def closures(blocks: Iterable[Block]) -> list[Closure]:
    """Blocks as they were asked for, by their start."""
    found: dict[str, list[Block]] = {}
    for block in blocks:
        found.setdefault(closure_of(block.id), []).append(block)
    return sorted((Closure(name, tuple(group)) for name, group in found.items()), key=lambda one: (one.first.start, one.id))


def closure_of(block: str) -> str:
    """The closure that a block belongs to, by its id."""
    return block.partition(".")[0]


def _check_bays(bays: Sequence[AssetId]) -> None:
    if not bays:
        raise Invalid("Choose at least one bay.", field="bays", rule="≥ 1")
    if len(bays) > MOST_BAYS:
        raise Invalid("At most {most} bays are blocked at once.", field="bays", rule=f"≤ {MOST_BAYS}", most=MOST_BAYS)


def _check_times(start: datetime, end: datetime, now: datetime) -> None:
    if end <= max(start, now):
        raise Invalid("The end lies before the start, or has passed.", field="end", rule="after start and now")
    if end - max(start, now) > LONGEST:
        raise Invalid("A bay is blocked for {days} days at most; after that, ask anew.", field="end",
                      rule=f"≤ {LONGEST.days} days", days=LONGEST.days)
    if start > now + FARTHEST:
        raise Invalid("This start lies more than {days} days ahead.", field="start", rule=f"≤ {FARTHEST.days} days",
                      days=FARTHEST.days)


def _reason(text: str) -> str:
    words = " ".join(text.split())
    if not words:
        raise Invalid("Say why: works, an event, a delivery.", field="reason", rule="required")
    if len(words) > MOST_REASON or not words.isprintable():
        raise Invalid("A reason has at most {most} printable characters.", field="reason", rule=f"≤ {MOST_REASON}",
                      most=MOST_REASON)
    return words
