"""How far a wish has come at each of its lamps, and the whole course of their orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api import views
from api.library import codecs_for
from city.commands import Command
from city.courses import CommandStep
from city.ids import AssetId
from city.lighting import Override
from city.places import Luminaire
from city.store.ports import TenantStore


@dataclass(frozen=True, slots=True)
class Stand:
    """Where one lamp stands under an override: one of the words that OverrideProgress counts, and its orders, the newest
    first."""

    lamp: Luminaire
    word: str
    orders: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """A stand with every step of its newest order, and of those before it."""

    stand: Stand
    courses: tuple[tuple[Command, Sequence[CommandStep]], ...]


def stands(town: TenantStore, override: Override, now: datetime) -> list[Stand]:
    """Every lamp of the override, by number."""
    lamps = views.covered(town, override)
    devices = {device.asset: device for device in town.devices()}
    codecs, states = codecs_for(town, devices.values()), town.states()
    orders: dict[AssetId, list[Command]] = {}
    for order in town.commands(origin=f"override:{override.id}", limit=views.ALL):
        orders.setdefault(order.asset, []).append(order)
    active = override.active(now)
    return [Stand(lamp, views.step_of(override, active, views.dimming(devices.get(lamp.id), codecs), states, own), tuple(own))
            for lamp in sorted(lamps, key=lambda one: one.id) for own in [orders.get(lamp.id, [])]]


def followed(town: TenantStore, some: Sequence[Stand]) -> list[Followed]:
    """The same with the courses of their orders: one query for all of them."""
    steps = town.command_steps([order.id for stand in some for order in stand.orders])
    return [Followed(stand, tuple((order, steps.get(order.id, ())) for order in stand.orders)) for stand in some]
