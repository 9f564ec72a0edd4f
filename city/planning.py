"""The reconciler: what is wanted, against what was reported and what is under way, gives what to order now.

`plan` is idempotent: with its own commands in `live`, it plans nothing more. Programs, overrides and configuration
take the same road.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from city.commands import Command, Event, Priority, State, advance, command
from city.ids import DevEui
from city.lighting import Setpoint
from city.orders import Order, ReadStatus, Resume, SetLevel
from city.places import Luminaire

RENEW_AHEAD = timedelta(minutes=10)  # a timed order that ends sooner is renewed
OWN_CALENDAR_GRACE = timedelta(minutes=25)  # lamps switch on and off by themselves; they get this long to say so
EXPIRES_AFTER = timedelta(minutes=15)  # of an order for light: a thousand lamps are told one by one within it, lost ones again
ASKED_WITHIN = timedelta(minutes=5)  # … of a question what a lamp does
MAX_ATTEMPTS = 3  # to tell a lamp alone; what a group was told before does not count
ASK_AFTER = timedelta(seconds=30)  # a lamp that confirmed receipt but has not reported since is asked what it does
VERIFY = "verify"  # origin of such a question
TELL_AGAIN = timedelta(hours=1)  # a lamp that nobody hears the level of may have gone on with its own program meanwhile


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the planner must know of a model: whether it dims, for how many minutes at most one order holds (None: for
    ever), how long after sending an answer and a report may take, and whether it reports when asked. An order for a level
    stays valid for as long as an answer may take: a device that listens only after its own uplinks hears it late.

    `resumes`: it can be told to burn as programmed; otherwise it is told the program's level. `reports_level`: its uplinks
    tell the level in force; otherwise an order for a level counts as obeyed once the device has acknowledged it.
    `forgets_settings`: whenever it joins anew, it has lost what it was configured as and is told again. `ask_after`: how
    long its own report is waited for before it is asked; many lamps must not be asked at once.
    """

    dims: bool
    max_minutes: int | None
    answer_within: timedelta = timedelta(seconds=45)
    report_within: timedelta = timedelta(seconds=120)
    reports_on_demand: bool = False
    resumes: bool = True
    reports_level: bool = True
    forgets_settings: bool = False
    ask_after: timedelta = ASK_AFTER


class Obeyed(Protocol):
    """What the planner must know of a command that was applied; a Command is one."""

    @property
    def order(self) -> Order: ...
    @property
    def origin(self) -> str: ...
    @property
    def changed_at(self) -> datetime | None: ...
    @property
    def holds_until(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One lamp for the planner: its device, what is wanted, what it last reported, what it was last made to do; and `own`,
    the level that it burns at now by the program that it has confirmed to hold, None where nobody knows of one. `by_hand`: it
    last said that an order holds it; None where it gives no reasons."""

    lamp: Luminaire
    device: DevEui
    abilities: Abilities
    setpoint: Setpoint
    level: float | None
    level_at: datetime | None
    last_applied: Obeyed | None
    live: tuple[Command, ...]
    own: int | None = None
    by_hand: bool | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """New commands, and live ones that they take the place of."""

    commands: tuple[Command, ...]
    superseded: tuple[Command, ...]


def plan(lamps: Iterable[Wanted], now: datetime) -> Plan:
    """What to order now so that every lamp comes to burn as wanted; nothing where it does or is being told already."""
    commands: list[Command] = []
    superseded: list[Command] = []
    for wanted in lamps:
        superseded += [advance(live, Event.SUPERSEDE, now, "a newer order takes its place") for live in wanted.live
                       if isinstance(live.order, SetLevel | Resume) and not _serves(live, wanted)]
        order = _needed(wanted, now)
        if order is not None:
            commands.append(_addressed(wanted, order, now))
        elif _is_to_be_asked(wanted, now):
            commands.append(_question(wanted, now))
    return Plan(tuple(commands), tuple(superseded))


def follow_up(live: Command, abilities: Abilities, now: datetime) -> Command:
    """A live command after the mere passing of time: expired, lost (to be sent again), given up, or unchanged."""
    if now >= live.expires_at and live.state is not State.ACKED:
        return advance(live, Event.EXPIRE, now, "its time ran out")
    if live.sent_at is None or live.state is State.PLANNED:
        return live
    if live.state is State.ACKED and not abilities.reports_level and isinstance(live.order, SetLevel):
        return advance(live, Event.CONFIRM, now, "it has acknowledged the order; it does not report its level")
    within = abilities.report_within if live.state is State.ACKED else abilities.answer_within
    if now - (live.changed_at or live.sent_at) <= within:
        return live
    if live.alone >= MAX_ATTEMPTS:
        return advance(live, Event.GIVE_UP, now, f"no answer to {live.attempts} attempts")
    return advance(live, Event.LOSE, now, "no answer in time")


def is_its_own(want: Setpoint, own: int | None) -> bool:
    """Whether the lamp does what is wanted by itself: by the program that it holds (`own`, its level now); or, where nobody
    knows of one, on at dusk and off at dawn, as lamps are delivered."""
    return want.reason == "program" and (want.level in (0, 100) if own is None else want.level == own)


def is_applied(order: Order, level: float) -> bool | None:
    """Whether a reported level is what the order asked for; None where the order asks for no level."""
    return round(level) == order.level if isinstance(order, SetLevel) else None


def _needed(wanted: Wanted, now: datetime) -> Order | None:
    """The order that is missing, or None: obeyed, being told, not able, or given time to act by itself."""
    want = wanted.setpoint
    if not wanted.abilities.dims or any(_serves(live, wanted) for live in wanted.live):
        return None
    if is_its_own(want, wanted.own):
        held = _known_to_hold_until(wanted, now) if _was_released(wanted) else _held_until(wanted, now)
        return _own_calendar(wanted, held, now)
    held = _known_to_hold_until(wanted, now)
    if _burns_as_wanted(wanted, held) and _holds_long_enough(wanted, held, now) and not _others_under_way(wanted):
        return None
    return SetLevel(want.level, _minutes(wanted, now))


def _own_calendar(wanted: Wanted, held: datetime | None, now: datetime) -> Order | None:
    """What it does by itself is the lamp's own doing: release it if it is held, correct it only if it fails to."""
    want, last = wanted.setpoint, wanted.last_applied
    if held is not None and last is not None and isinstance(last.order, SetLevel) and last.order.level != want.level \
            and not _has_let_go(wanted, last):
        return _released(wanted, now)
    if any(isinstance(live.order, SetLevel) and live.order.level != want.level for live in _others_under_way(wanted)):
        return _released(wanted, now)
    reported = wanted.level is not None and wanted.level_at is not None and wanted.level_at >= want.since
    if not reported or round(wanted.level or 0) == want.level:
        return None
    if last is not None and isinstance(last.order, Resume) and last.changed_at is not None \
            and (wanted.level_at or now) <= last.changed_at + wanted.abilities.report_within:
        return None  # released a moment ago, its report is still to come
    if wanted.by_hand:
        return _released(wanted, now)  # an order that nobody saw it obey; it will not come to its own program
    return SetLevel(want.level, _minutes(wanted, now)) if now - want.since >= OWN_CALENDAR_GRACE else None


def _has_let_go(wanted: Wanted, last: Obeyed) -> bool:
    """Whether the lamp, which that order made burn otherwise, has reported since that it burns as wanted, and not by hand."""
    return (wanted.abilities.reports_level and wanted.level is not None and round(wanted.level) == wanted.setpoint.level
            and wanted.level_at is not None and last.changed_at is not None and wanted.level_at > last.changed_at
            and not wanted.by_hand)


def _held_until(wanted: Wanted, now: datetime) -> datetime | None:
    """Until when our last applied order may hold the lamp; None if it does not."""
    last = wanted.last_applied
    if last is None or not isinstance(last.order, SetLevel):
        return None
    until = last.holds_until or datetime.max.replace(tzinfo=now.tzinfo)
    return until if until > now else None


def _known_to_hold_until(wanted: Wanted, now: datetime) -> datetime | None:
    """Until when that order is known to hold it: of a lamp that reports no level nobody knows for long."""
    until, last = _held_until(wanted, now), wanted.last_applied
    if until is None or wanted.abilities.reports_level or last is None or last.changed_at is None:
        return until
    until = min(until, last.changed_at + TELL_AGAIN)
    return until if until > now else None


def _was_released(wanted: Wanted) -> bool:
    """Whether the last order stood for the release of a lamp that cannot be told to resume: then its own program goes on."""
    last = wanted.last_applied
    return (not wanted.abilities.resumes and last is not None and last.origin == wanted.setpoint.origin
            and isinstance(last.order, SetLevel) and (wanted.own is not None or last.order.level in (0, 100)))


def _burns_as_wanted(wanted: Wanted, held: datetime | None) -> bool:
    """By its own report, or, where it gives none, by the order that holds it."""
    if wanted.abilities.reports_level:
        return wanted.level is not None and round(wanted.level) == wanted.setpoint.level
    last = wanted.last_applied
    return held is not None and last is not None and is_applied(last.order, wanted.setpoint.level) is True


def _released(wanted: Wanted, now: datetime) -> Order:
    return Resume() if wanted.abilities.resumes else SetLevel(wanted.setpoint.level, _minutes(wanted, now))


def _holds_long_enough(wanted: Wanted, held: datetime | None, now: datetime) -> bool:
    if held is None:
        # by its own program it burns as wanted; nobody promises for how long, but its report would tell
        return wanted.setpoint.reason == "program"
    return held >= wanted.setpoint.until or held - now > RENEW_AHEAD


def _minutes(wanted: Wanted, now: datetime) -> int | None:
    most = wanted.abilities.max_minutes
    needed = max(ceil((wanted.setpoint.until - now).total_seconds() / 60), 1)
    return None if most is None else min(needed, most)


def _serves(live: Command, wanted: Wanted) -> bool:
    """Whether a live command already asks for what is wanted, for the same reason."""
    if not live.state.live or live.origin != wanted.setpoint.origin:
        return False
    if isinstance(live.order, SetLevel):
        return live.order.level == wanted.setpoint.level
    return isinstance(live.order, Resume) and is_its_own(wanted.setpoint, wanted.own)


def _others_under_way(wanted: Wanted) -> list[Command]:
    """Live orders for the lamp's light that ask for something else and were handed over: it may still obey them, and
    what it has reported was before."""
    return [live for live in wanted.live
            if live.attempts and isinstance(live.order, SetLevel | Resume) and not _serves(live, wanted)]


def _is_to_be_asked(wanted: Wanted, now: datetime) -> bool:
    """Whether an order was received but nothing tells its effect: a lamp reports a *change* of level by itself at best. Who
    was told again is asked soon, crowd or not: it may have done so long ago, and then there is no change to report."""
    if not wanted.abilities.reports_on_demand or any(isinstance(live.order, ReadStatus) for live in wanted.live):
        return False
    return any(live.state is State.ACKED and isinstance(live.order, SetLevel | Resume)
               and now - (live.changed_at or now) >= (ASK_AFTER if live.attempts > 1 else wanted.abilities.ask_after)
               for live in wanted.live)


def _question(wanted: Wanted, now: datetime) -> Command:
    return command(tenant=wanted.lamp.tenant, device=wanted.device, asset=wanted.lamp.id, order=ReadStatus(),
                   origin=VERIFY, priority=Priority.OVERRIDE, now=now, expires_at=now + ASKED_WITHIN)


def _addressed(wanted: Wanted, order: Order, now: datetime) -> Command:
    want = wanted.setpoint
    brighter = want.level > (100 if wanted.level is None else wanted.level)  # the way back to the light waits for nobody
    priority = Priority.OVERRIDE if want.reason == "override" or brighter else Priority.PROGRAM
    expires = now + max(EXPIRES_AFTER, wanted.abilities.answer_within)
    if isinstance(order, SetLevel):
        expires = min(expires, want.until)
    return command(tenant=wanted.lamp.tenant, device=wanted.device, asset=wanted.lamp.id, order=order,
                   origin=want.origin, priority=priority, now=now, expires_at=expires)
