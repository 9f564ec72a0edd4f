"""Commands to a town's lamps as figures: which are under way, and how many ended in each step. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from city.commands import State
from city.figured import Figure
from city.figures import (
    CONTROL_ACKED,
    CONTROL_APPLIED,
    CONTROL_EXPIRED,
    CONTROL_FAILED,
    CONTROL_OLDEST,
    CONTROL_OUTSTANDING,
    CONTROL_PLANNED,
    CONTROL_SCHEDULED,
    CONTROL_SENT,
    CONTROL_SUPERSEDED,
    CONTROL_WANTED,
)
from city.figures_sample import step_of
from city.glance import Ordered
from city.ids import AssetId, CommandId, ZoneId
from city.readings import NS, to_ns

KEPT = timedelta(hours=6)  # steps that are filled after an absence, and in which what is told late still counts
LIVE = {State.PLANNED: CONTROL_PLANNED, State.SENT: CONTROL_SENT, State.SCHEDULED: CONTROL_SCHEDULED,
        State.ACKED: CONTROL_ACKED}
ENDED = {State.APPLIED: CONTROL_APPLIED, State.FAILED: CONTROL_FAILED, State.EXPIRED: CONTROL_EXPIRED,
         State.SUPERSEDED: CONTROL_SUPERSEDED}


class OrderBook:
    """What is known of a town's commands."""

    def __init__(self, every_s: int) -> None:
        self._every_s = every_s
        self._live: dict[CommandId, tuple[ZoneId, State, datetime]] = {}
        self._ended: dict[int, dict[CommandId, tuple[ZoneId, State]]] = {}  # by the step's beginning, s since 1970
        self._changed: set[int] = set()

    def learn(self, orders: Iterable[Ordered], zone_of: Mapping[AssetId, ZoneId], now: datetime) -> None:
        """Commands as they are now; those to what is no lamp are passed over, and what ended too long ago."""
        oldest = int((now - KEPT).timestamp())
        for one in orders:
            zone = zone_of.get(one.asset)
            if zone is None:
                continue
            if one.state.live:
                self._live[one.id] = zone, one.state, one.created_at
                continue
            self._live.pop(one.id, None)
            step = int(step_of(one.changed_at, self._every_s).timestamp())
            if step >= oldest and self._ended.setdefault(step, {}).get(one.id) != (zone, one.state):
                self._ended[step][one.id] = zone, one.state
                self._changed.add(step)
        for step in [step for step in self._ended if step < oldest]:
            del self._ended[step]
            self._changed.discard(step)

    def under_way(self, at: datetime, zones: Sequence[ZoneId], wanted: Mapping[ZoneId, float]) -> Iterator[Figure]:
        """One point for each of these zones, dated `at`, the beginning of the step; ages are as of then. `wanted`: levels."""
        found: dict[ZoneId, list[tuple[State, datetime]]] = {}
        for zone, state, created_at in self._live.values():
            found.setdefault(zone, []).append((state, created_at))
        for zone in zones:
            mine = found.get(zone, ())
            states = [state for state, _ in mine]
            oldest = min((created_at for _, created_at in mine), default=None)
            values = {quantity: states.count(state) for state, quantity in LIVE.items()}
            yield Figure("control", {"zone": zone}, {
                **values, CONTROL_OUTSTANDING: len(mine), CONTROL_WANTED: wanted.get(zone),
                CONTROL_OLDEST: None if oldest is None else max((at - oldest).total_seconds(), 0.0)}, to_ns(at))

    def ended(self, at: datetime, zones: Sequence[ZoneId]) -> Iterator[Figure]:
        """The steps before `at` in which more commands have ended than was told before, and in any case the last of them."""
        last = int(at.timestamp()) - self._every_s
        due = sorted({step for step in self._changed if step <= last} | {last})
        self._changed -= set(due)
        for step in due:
            counts: dict[ZoneId, list[State]] = {}
            for zone, state in self._ended.get(step, {}).values():
                counts.setdefault(zone, []).append(state)
            for zone in (zones if step == last else sorted(counts)):
                mine = counts.get(zone, ())
                yield Figure("control", {"zone": zone}, {quantity: mine.count(state) for state, quantity in ENDED.items()},
                             step * NS)

