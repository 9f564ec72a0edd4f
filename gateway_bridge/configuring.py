"""What a device is configured as, and its lamp's program for this night, as commands: settings one after the other until it
has confirmed all. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import structs

from city.commands import Command, Event, Priority, advance, command
from city.errors import Invalid
from city.ids import DevEui
from city.nights import Night
from city.orders import DimTask, Holidays, Profile, ReadTask, RemoveTask, Setting, SunCalendar
from city.readings import DeviceState
from city.store.ports import ConfigWish, Known
from firmware_config.delta import delta, plain
from firmware_config.profile import DeviceConfig
from firmware_config.profile import from_json as config_from_json
from gateway_bridge.asking import READ_BACK, UNANSWERED, held, question, to_be_asked
from gateway_bridge.towns import Essence, Town, essence

if TYPE_CHECKING:
    from gateway_bridge.wishes import Served

AFTER_HEARTBEAT = timedelta(hours=1)
CONFIG_EXPIRES = timedelta(hours=1)
HOLD_OFF = timedelta(minutes=10)  # after an order has failed, before the same one is tried again
TABLES_HOLD_OFF = timedelta(hours=6)  # … where nobody waits for it: a controller that refuses its program is told live
CONFIG, TABLES = "config", "tables"  # origins: what people have set, and a lamp's program
FEEDER = timedelta(minutes=30)  # after sunset and before sunrise, while a feeder for the night may have no power yet, or no more
PROGRAM = SunCalendar | Holidays | Profile | DimTask | RemoveTask


def configuring(town: Town, item: "Served", known: Known, now: datetime, *,
                reachable: bool = True) -> tuple[list[Command], list[Command]]:
    """Commands for settings that the device has not confirmed yet, and live ones that nobody wants any more. A program is told
    to nobody who has been silent for too long, or has no power now: it would be lost; nor to all at once."""
    state = known.state
    under_way = [command for command in known.live if _is_setting(command)]
    if not state.application_id:
        return [], []
    wanted = missing(town, state, item, now)
    superseded = [advance(command, Event.SUPERSEDE, now, "another setting is wanted") for command in under_way
                  if all(plain(command.order) != plain(order) for order in wanted)]
    due = [_config_command(town, item, order, now) for order in wanted
           if all(plain(command.order) != plain(order) for command in under_way)]
    if not (reachable and _has_power(town, item, now) and _has_turn(town, item, now)):
        return [one for one in due if one.origin != TABLES], superseded
    if not wanted and not under_way:
        due = _questions(town, item, known, now)
    return one_of_the_program(due, under_way, town.failed), superseded


def hold_off(origin: str) -> timedelta:
    """How long after an order of that origin has failed the same is not tried again."""
    return {TABLES: TABLES_HOLD_OFF, READ_BACK: UNANSWERED}.get(origin, HOLD_OFF)


def one_of_the_program(due: Sequence[Command], under_way: Iterable[Command], failed: Mapping[Essence, datetime]) -> list[Command]:
    """Of what belongs to a lamp's own program one setting at a time, in its order, so that a town's thousands are told a few
    by a few, and no lamp holds the second half of a program alone. A task that was refused is tried as one that takes the
    place of another, or the other way round: what the device holds is then not what we believe."""
    others = [one for one in due if one.origin != TABLES]
    program = [_otherwise(one, failed) for one in due if one.origin == TABLES]
    if not program or any(one.origin == TABLES for one in under_way):
        return others
    return [*others, next((one for one in program if essence(one) not in failed), program[0])]


def missing(town: Town, state: DeviceState, item: "Served", now: datetime) -> list[Setting]:
    """The settings still to be told; what the model cannot be told is not asked of it."""
    if item.lamp is not None:
        wish = town.wish(item.device, item.lamp, item.codec.model, now)
        told: Iterable[Setting] = () if wish is None else wish.missing(held(state, town.failed, item.device, now))
    else:
        config = town.configs.get(item.device)
        told = () if config is None else _delta(config, tuple(state.config.items()))
    orders = [order for order in told if item.takes(order)]
    if item.codec.device_class != "A":  # which is told after its own uplinks, in other sub-bands: that is spread by itself
        town.untold.note(item.device, state.gateway, sum(isinstance(order, PROGRAM) for order in orders))
    return orders


def configs(wishes: Mapping[DevEui, ConfigWish]) -> dict[DevEui, DeviceConfig]:
    """What is wanted of each device; the same is kept once. A wish that is none asks for nothing."""
    read: dict[bytes, DeviceConfig | None] = {}
    for wish in wishes.values():
        if wish.wanted not in read:
            read[wish.wanted] = _config(wish.wanted)
    return {device: config for device, wish in wishes.items() if (config := read[wish.wanted]) is not None}


def _otherwise(item: Command, failed: Mapping[Essence, datetime]) -> Command:
    if not isinstance(item.order, DimTask) or essence(item) not in failed:
        return item
    other = replace(item, order=structs.replace(item.order, replaces=not item.order.replaces))
    return other if essence(other) not in failed else item


@lru_cache(maxsize=1024)
def _delta(config: DeviceConfig, confirmed: tuple[tuple[str, str], ...]) -> tuple[Setting, ...]:
    return tuple(delta(dict(confirmed), config))


def _config(wanted: bytes) -> DeviceConfig | None:
    try:
        return config_from_json(wanted)
    except Invalid:
        return None


def _is_setting(item: Command) -> bool:
    return item.origin in (CONFIG, TABLES) and isinstance(item.order, Setting)


def _has_power(town: Town, item: "Served", now: datetime) -> bool:
    """Whether the lamp's controller has power now, as far as its feeder's kind tells."""
    if item.lamp is None or item.lamp.circuit not in town.night_feeders:
        return True
    night = Night.around(now, town.programming.site)
    return night.sunset + FEEDER <= now < night.sunrise - FEEDER


def _questions(town: Town, item: "Served", known: Known, now: datetime) -> list[Command]:
    """What is asked of a device of which nothing is wanted any more: what it holds of a program that it was told."""
    order = to_be_asked(town, item.device, known.state, now)
    if order is None or not item.takes(order) or any(isinstance(one.order, ReadTask) for one in known.live):
        return []
    return [question(town, item.device, item.asset, order, now, _lasts(item))]


def _has_turn(town: Town, item: "Served", now: datetime) -> bool:
    """Whether a program may be told to the device now. Where many lamps are being dimmed, that goes first."""
    if town.crowded_until is not None and now < town.crowded_until:
        return False
    return item.codec.device_class == "A" or town.untold.has_turn(item.device, now)


def _config_command(town: Town, item: "Served", order: Setting, now: datetime) -> Command:
    origin = TABLES if isinstance(order, PROGRAM) else CONFIG
    return command(tenant=town.tenant.id, device=item.device, asset=item.asset, order=order, origin=origin,
                   priority=Priority.CONFIG, now=now, expires_at=now + _lasts(item))


def _lasts(item: "Served") -> timedelta:
    return CONFIG_EXPIRES if item.codec.device_class != "A" else 2 * (item.codec.heartbeat + AFTER_HEARTBEAT)
