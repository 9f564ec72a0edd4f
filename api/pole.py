"""What a technician at a pole may have a lamp do: blink so that it can be told from its neighbours, or burn fully for ten
minutes. Both are overrides that end by themselves and leave those of others as they are.

Blinking keeps the law: every level lies at or above the lamp's floor, and a crossing's lamp never blinks.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from api.audit import record
from api.auth import Actor
from api.intents import settle
from api.library import codecs_for
from api.views import LuminaireView
from city import guards, lighting
from city.alarms import Alarm
from city.errors import Conflict, Invalid, Unsupported
from city.groups import Target
from city.guards import Case, Limits
from city.ids import OverrideId
from city.lighting import Override
from city.places import Luminaire, Restriction
from city.store.ports import TenantStore

FLASHES = 3
FLASH, PAUSE = timedelta(seconds=20), timedelta(seconds=20)
CONTRAST = 30  # per cent that an eye sees from the ground
LEAST = 10
FULL_FOR = timedelta(minutes=10)
MOST_ALARMS = 1000


def blink(town: TenantStore, view: LuminaireView, *, reason: str, who: Actor, now: datetime,
          limits: Limits = guards.STANDARD) -> list[Override]:
    """Three short changes of level, the first one now. Raises Unsupported where the lamp cannot be dimmed, Invalid where it
    may not blink, Conflict while it does."""
    _able(view)
    level = flash_level(view)
    if any(wish.actor == who.name and wish.reason == reason and wish.start > now for wish in _of(town, view.lamp, now)):
        raise Conflict("Lamp {lamp} blinks already.", field="lamp", rule="once", lamp=view.lamp.name)
    starts = [now + n * (FLASH + PAUSE) for n in range(FLASHES)]
    wishes = [_wish(town, view, level, start, start + FLASH, reason, who, now) for start in starts]
    return _keep(town, view.lamp, wishes, "blink lamp", who, now, limits)


def full(town: TenantStore, view: LuminaireView, *, reason: str, who: Actor, now: datetime,
          limits: Limits = guards.STANDARD) -> list[Override]:
    """100 % for ten minutes. Raises Unsupported where the lamp cannot be dimmed."""
    _able(view)
    wish = _wish(town, view, 100, now, now + FULL_FOR, reason, who, now)
    return _keep(town, view.lamp, [wish], "light lamp", who, now, limits)


def flash_level(view: LuminaireView) -> int:
    """The level that differs enough from what is wanted and is lawful at any time: darker where that may be, else brighter.
    Raises Invalid where neither is possible."""
    if view.lamp.restriction is Restriction.CROSSWALK:
        raise Invalid("Lamp {lamp} lights a pedestrian crossing and is never dimmed.", field="level", rule="DIN 67523",
                      lamp=view.lamp.name)
    wanted, least = view.target.level, max(view.floor, LEAST)
    if wanted - least >= CONTRAST:
        return max(least, wanted - 2 * CONTRAST)
    if 100 - wanted >= CONTRAST:
        return 100
    raise Invalid("Lamp {lamp} must burn at {floor} % or more: nobody would see it blink.", field="level", rule="floor",
                  lamp=view.lamp.name, floor=view.floor)


@dataclass(frozen=True, slots=True)
class Repair:
    """What a technician has said to be repaired: by whom and when, and since when the lamp's own reports show it (None: they
    do not yet)."""

    by: str
    at: datetime
    shown_at: datetime | None
    open: Sequence[Alarm]


def repair_of(view: LuminaireView, alarms: Iterable[Alarm]) -> Repair | None:
    """How a repair stands, by the alarms of the lamp that somebody has acknowledged and by what it has said since."""
    seen = sorted((alarm for alarm in alarms if alarm.acknowledged_at is not None), key=_when)
    if not seen:
        return None
    last = seen[-1]
    said = _when(last)
    of_it = [alarm for alarm in seen if said - _when(alarm) < timedelta(minutes=5)]
    still = [alarm for alarm in of_it if alarm.open]
    ended = [alarm.ended_at for alarm in of_it if alarm.ended_at is not None]
    heard_since = view.heard_at is not None and view.heard_at >= said
    shown = max([*ended, said], default=said) if not still and (ended or heard_since) else None
    return Repair(last.acknowledged_by, said, shown, still)


def say_repaired(town: TenantStore, view: LuminaireView, who: Actor, now: datetime) -> int:
    """Somebody has repaired the lamp: its open alarms are acknowledged, and end when it shows it. How many there are."""
    record(town, who, now, "repaired", f"lamp {view.lamp.id}", ", ".join(alarm.kind.value for alarm in view.alarms))
    for alarm in view.alarms:
        if alarm.acknowledged_at is None:
            town.acknowledge_alarm(alarm.id, who.name, now)
    return len(view.alarms)


def ask(town: TenantStore, view: LuminaireView, *, who: Actor, now: datetime) -> None:
    """Have the lamp report at once. Raises Unsupported where its controller cannot be asked."""
    codec = codecs_for(town, [town.device_of(view.lamp.id)]).get(view.model) if view.device is not None else None
    if codec is None or not codec.abilities.reports_on_demand:
        raise Unsupported("The controller of lamp {lamp} cannot be asked to report.", field="lamp", rule="can report",
                          lamp=view.lamp.name)
    record(town, who, now, "ask lamp", f"lamp {view.lamp.id}")
    town.ask_device(view.lamp.id, who.name, now)


def stop(town: TenantStore, view: LuminaireView, *, who: Actor, now: datetime, limits: Limits = guards.STANDARD) -> int:
    """Back to what was before: the overrides that somebody at the pole has begun for this lamp alone end. How many."""
    record(town, who, now, "end override", f"lamp {view.lamp.id}")
    mine = [wish for wish in _of(town, view.lamp, now) if wish.actor == who.name]
    for wish in mine:
        town.end_override(wish.id, now)
    settle(town, who.name, now, limits)
    return len(mine)


def alarms_of(town: TenantStore, lamp: Luminaire) -> list[Alarm]:
    """The lamp's alarms, also past ones."""
    return [alarm for alarm in town.alarms(open_only=False, limit=MOST_ALARMS) if alarm.asset == lamp.id]


def running(town: TenantStore, lamp: Luminaire, now: datetime) -> Iterator[Override]:
    """The overrides of this lamp alone that have not ended."""
    yield from _of(town, lamp, now)


def _able(view: LuminaireView) -> None:
    if not view.dims:
        raise Unsupported("No lamp here has a controller that can dim it.", field="level", rule="can dim")


def _wish(town: TenantStore, view: LuminaireView, level: int, start: datetime, end: datetime, reason: str, who: Actor,
          now: datetime) -> Override:
    return replace(lighting.override(
        id=OverrideId(str(uuid.uuid4())), tenant=town.tenant.id, targets=(_target(view.lamp),), level=level, until=end,
        actor=who.name, now=now, reason=reason, start=start), start=start)


def _keep(town: TenantStore, lamp: Luminaire, wishes: Sequence[Override], action: str, who: Actor, now: datetime,
          limits: Limits) -> list[Override]:
    """Write them down, all or none. Raises Invalid by the guard-rails."""
    seen, lamps, programming, others = town.intents_seen(), town.luminaires(), town.programming(), town.overrides_from(now)
    for wish in wishes:
        lighting.check_room(wish, others)
        guards.refuse(guards.check(Case(wish, [lamp], lamps, programming, others, who.role.value, now), limits))
    record(town, who, now, action, f"lamp {lamp.id}", f"{wishes[0].level} % until {wishes[-1].end.isoformat()}")
    for wish in wishes:
        town.add_override(wish, seen=seen)
        seen += 1
    settle(town, who.name, now, limits)
    return list(wishes)


def _of(town: TenantStore, lamp: Luminaire, now: datetime) -> list[Override]:
    return [wish for wish in town.overrides_from(now) if wish.targets == (_target(lamp),)]


def _target(lamp: Luminaire) -> Target:
    return Target("lamp", lamp.id)


def _when(alarm: Alarm) -> datetime:
    return alarm.acknowledged_at or alarm.began_at
