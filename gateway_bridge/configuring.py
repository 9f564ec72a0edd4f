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
from city.orders import DimTask, Holidays, Profile, RemoveTask, Setting, SunCalendar
from city.readings import DeviceState
from city.store.ports import ConfigWish, Known
from firmware_config.delta import delta, plain
from firmware_config.profile import DeviceConfig
from firmware_config.profile import from_json as config_from_json
from gateway_bridge.towns import Essence, Town, essence

if TYPE_CHECKING:
    from gateway_bridge.wishes import Served

AFTER_HEARTBEAT = timedelta(hours=1)
CONFIG_EXPIRES = timedelta(hours=1)
CONFIG = "config"
PROGRAM = SunCalendar | Holidays | Profile | DimTask | RemoveTask


def configuring(town: Town, item: "Served", known: Known, now: datetime) -> tuple[list[Command], list[Command]]:
    """Commands for settings that the device has not confirmed yet, and live ones that nobody wants any more."""
    state = known.state
    under_way = [command for command in known.live if _is_setting(command)]
    if not state.application_id:
        return [], []
    wanted = missing(town, state, item, now)
    superseded = [advance(command, Event.SUPERSEDE, now, "another setting is wanted") for command in under_way
                  if all(plain(command.order) != plain(order) for order in wanted)]
    due = [_config_command(town, item, order, now) for order in wanted
           if all(plain(command.order) != plain(order) for command in under_way)]
    return one_of_the_program(due, under_way, town.failed), superseded


def one_of_the_program(due: Sequence[Command], under_way: Iterable[Command], failed: Mapping[Essence, datetime]) -> list[Command]:
    """Of what belongs to a lamp's own program one setting at a time, in its order, so that a town's thousands are told a few
    by a few, and no lamp holds the second half of a program alone. A task that was refused is tried as one that takes the
    place of another, or the other way round: what the device holds is then not what we believe."""
    others = [one for one in due if not isinstance(one.order, PROGRAM)]
    program = [_otherwise(one, failed) for one in due if isinstance(one.order, PROGRAM)]
    if not program or any(isinstance(one.order, PROGRAM) for one in under_way):
        return others
    return [*others, next((one for one in program if essence(one) not in failed), program[0])]


def missing(town: Town, state: DeviceState, item: "Served", now: datetime) -> list[Setting]:
    """The settings still to be told; what the model cannot be told is not asked of it."""
    if item.lamp is not None:
        wish = town.wish(item.device, item.lamp, item.codec.model, now)
        told: Iterable[Setting] = () if wish is None else wish.missing(state.config)
    else:
        config = town.configs.get(item.device)
        told = () if config is None else _delta(config, tuple(state.config.items()))
    return [order for order in told if item.takes(order)]


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
    return item.origin == CONFIG and isinstance(item.order, Setting)


def _config_command(town: Town, item: "Served", order: Setting, now: datetime) -> Command:
    lasts = CONFIG_EXPIRES if item.codec.device_class != "A" else 2 * (item.codec.heartbeat + AFTER_HEARTBEAT)
    return command(tenant=town.tenant.id, device=item.device, asset=item.asset, order=order, origin=CONFIG,
                   priority=Priority.CONFIG, now=now, expires_at=now + lasts)
