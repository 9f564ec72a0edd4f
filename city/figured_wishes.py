"""Overrides as figures: what each wants in which zone and how far it has come; and as events of charts, with what was asked for
of programs. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from city import figured_text
from city.commands import State
from city.errors import Invalid
from city.figured import MS_NS, Figure, Ground, apart_ns, ms
from city.figures import (
    EVENT_DE,
    EVENT_EN,
    EVENT_ENDS,
    EVENT_ID,
    EVENT_UNTIL,
    OVERRIDE_BEGINS,
    OVERRIDE_CONFIRMED,
    OVERRIDE_FAILED,
    OVERRIDE_ID,
    OVERRIDE_LAMPS,
    OVERRIDE_LEVEL,
    OVERRIDE_STATE,
    OVERRIDE_UNTIL,
    OVERRIDE_WAITING,
)
from city.glance import Heard, Ordered, Programmed
from city.groups import Target
from city.ids import AssetId, DevEui, OverrideId, ZoneId
from city.lighting import Override
from city.places import Luminaire
from city.programs import Programming
from city.readings import to_ns
from city.wants import Wants

ORIGIN = "override:"
MOST_FOLLOWED = 100_000  # lamps of a town's overrides together that are counted each step; the newest overrides first
_DONE, _WAITING, _FAILED = "confirmed", "waiting", "failed"


class _Newest(NamedTuple):
    """The newest command that an override has made for a lamp, and whether any of them was obeyed."""

    at: datetime
    state: State
    done: bool


class Wanted:
    """The level that is wanted of each zone's lamps, found anew only when something else is wanted."""

    def __init__(self) -> None:
        self._of: tuple[Ground, Programming, Sequence[object]] | None = None
        self._until: datetime | None = None
        self._means: Mapping[ZoneId, float] = {}

    def means(self, ground: Ground, programming: Programming, overrides: Iterable[Override],
              at: datetime) -> Mapping[ZoneId, float]:
        """Per cent, the mean of the lamps that have a controller; zones without one are missing."""
        active = [wish for wish in overrides if wish.active(at)]
        key = [(wish.id, wish.approved_at) for wish in active]
        was = self._of
        if was is None or was[0] is not ground or was[1] is not programming or was[2] != key or self._until is None \
                or at >= self._until:
            wants, levels = Wants(programming, active, at), dict[ZoneId, list[int]]()
            for lamp in ground.lamps:
                if lamp.id in ground.device_of:
                    levels.setdefault(lamp.zone, []).append(wants.of(lamp).level)
            self._of, self._until = (ground, programming, key), wants.until
            self._means = {zone: round(sum(mine) / len(mine), 2) for zone, mine in levels.items()}
        return self._means


class WishBook:
    """What is known of a town's overrides. Those that are over are told once and forgotten."""

    def __init__(self) -> None:
        self._open: dict[OverrideId, Override] = {}
        self._orders: dict[OverrideId, dict[AssetId, _Newest]] = {}
        self._over: dict[OverrideId, Override] = {}  # not told yet

    @property
    def open(self) -> Sequence[Override]:
        """Those that are not over, the newest first."""
        return sorted(self._open.values(), key=lambda one: one.age, reverse=True)

    def learn(self, overrides: Iterable[Override], orders: Iterable[Ordered], now: datetime) -> None:
        """Overrides and commands as they are now."""
        for wish in overrides:
            if state_of(wish, now) == "over":
                self._over[wish.id] = wish
                self._drop(wish.id)
            else:
                self._open[wish.id] = wish
        for one in orders:
            whose = OverrideId(one.origin.removeprefix(ORIGIN))
            if one.origin.startswith(ORIGIN) and whose in self._open:
                mine = self._orders.setdefault(whose, {})
                mine[one.asset] = _after(mine.get(one.asset), one)

    def figures(self, ground: Ground, heard: Mapping[DevEui, Heard], now: datetime) -> Iterator[tuple[OverrideId, list[Figure]]]:
        """The points of each override that is not over or has just become so; asked for once more, the latter are gone."""
        for wish in [one for one in self._open.values() if state_of(one, now) == "over"]:
            self._over[wish.id] = wish
            self._drop(wish.id)
        room = MOST_FOLLOWED
        for wish in self.open:
            zones = ground.cover(wish)
            room -= sum(map(len, zones.values()))
            tally = self._tally(wish, ground, heard, now) if room >= 0 else None
            yield wish.id, [*_points(wish, ground, now, tally), *events(wish, ground, now)]
        for wish in self._over.values():
            yield wish.id, [*_points(wish, ground, now, None), *events(wish, ground, now)]
        self._over.clear()

    def _drop(self, id: OverrideId) -> None:
        self._open.pop(id, None)
        self._orders.pop(id, None)

    def _tally(self, wish: Override, ground: Ground, heard: Mapping[DevEui, Heard], now: datetime) -> Callable[[Luminaire], str]:
        orders, start_ns, active = self._orders.get(wish.id, {}), to_ns(wish.start), wish.active(now)

        def of(lamp: Luminaire) -> str:
            device = ground.device_of.get(lamp.id)
            said = heard.get(device.dev_eui) if device is not None else None
            return standing(wish.level, orders.get(lamp.id), said, start_ns) if active else ""

        return of


def _after(before: _Newest | None, one: Ordered) -> _Newest:
    done = one.state is State.APPLIED or (before is not None and before.done)
    return _Newest(one.created_at, one.state, done) if before is None or one.created_at >= before.at \
        else before._replace(done=done)


def standing(level: int | None, order: _Newest | None, said: Heard | None, start_ns: int) -> str:
    """Where one lamp stands under an active override, as the console counts it: confirmed by its own report of the wished
    level; else by its newest command."""
    told = said is not None and said.level is not None and level is not None and round(said.level) == level
    if told and said is not None and (order is None or order.done or said.level_ns >= start_ns):
        return _DONE
    if order is None:
        return ""
    if order.state is State.APPLIED:
        return _DONE if level is None or said is None or said.level is None else ""
    return _WAITING if order.state.live else _FAILED if order.state in (State.FAILED, State.EXPIRED) else ""


def state_of(wish: Override, now: datetime) -> str:
    """pending, coming, active or over."""
    if wish.ended_at is not None or wish.end <= now:
        return "over"
    return "pending" if wish.pending else "coming" if now < wish.start else "active"


def events(wish: Override, ground: Ground, now: datetime) -> Iterator[Figure]:
    """The override as an event of each of its zones, once it has begun: one that nobody has approved, or that was ended before,
    never was one."""
    if wish.pending or wish.start > now or (wish.ended_at is not None and wish.ended_at <= wish.start):
        return
    german, english = figured_text.of_override(wish)
    for zone in sorted(ground.cover(wish)):
        yield Figure("event", {"kind": "override", "zone": zone}, {
            EVENT_ID: wish.id, EVENT_DE: german, EVENT_EN: english, EVENT_ENDS: ms(_until(wish)), EVENT_UNTIL: ms(_until(wish))},
            apart_ns(wish.start, wish.id))


def programmed(lines: Iterable[Programmed]) -> Iterator[Figure]:
    """What was asked for of programs, as events; of a zone where a calendar was assigned to it, else of the town."""
    for one in lines:
        target = _target(one.target) if one.action == "assign calendar" else None
        german, english = figured_text.of_program(one, target)
        zone = target.id if target is not None and target.kind == "zone" else ""
        name = f"{one.action}|{one.target}|{one.detail}"
        at_ns = apart_ns(one.at, name)
        yield Figure("event", {"kind": "program", "zone": zone}, {
            EVENT_ID: one.target[:80], EVENT_DE: german, EVENT_EN: english, EVENT_UNTIL: at_ns // MS_NS}, at_ns)


def _points(wish: Override, ground: Ground, now: datetime, tally: Callable[[Luminaire], str] | None) -> Iterator[Figure]:
    """One for each zone. What is over keeps the counts that it had last."""
    state = state_of(wish, now)
    for zone, lamps in sorted(ground.cover(wish).items()):
        values = {OVERRIDE_ID: wish.id, OVERRIDE_LEVEL: None if wish.level is None else float(wish.level),
                  OVERRIDE_BEGINS: ms(wish.start), OVERRIDE_UNTIL: ms(_until(wish)), OVERRIDE_LAMPS: len(lamps),
                  OVERRIDE_STATE: state}
        if tally is not None:
            found = [tally(lamp) for lamp in lamps]
            values |= {OVERRIDE_CONFIRMED: found.count(_DONE), OVERRIDE_WAITING: found.count(_WAITING),
                       OVERRIDE_FAILED: found.count(_FAILED)}
        yield Figure("override", {"zone": zone}, values, apart_ns(wish.created_at, wish.id))


def _until(wish: Override) -> datetime:
    return wish.end if wish.ended_at is None else min(wish.end, wish.ended_at)


def _target(text: str) -> Target | None:
    try:
        return Target.parse(text)
    except Invalid:  # written down before it was refused
        return None
