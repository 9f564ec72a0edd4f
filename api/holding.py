"""What a lamp's own controller holds of its program, what it cannot hold, and what it will do if the network dies. For JSON
routes, pages and exports alike."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from api import views
from city.commands import State
from city.floors import floor_key
from city.groups import TOWN
from city.ids import AssetId, CalendarId
from city.nights import Change, Night
from city.orders import Resume, SetLevel, Setting, kept_as
from city.places import Device, Luminaire, Supply
from city.programs import Assignment, Calendar, Program, Programming
from city.settings import Bridge
from city.store.ports import TenantStore
from city.wants import curve_of
from firmware_config import profile
from firmware_config.alone import Alone, Hand, alone, tables_of
from firmware_config.compile import Compiled, compiled, difference, measured
from firmware_config.deviation import Deviation
from firmware_config.families import family
from firmware_config.holding import Wishes
from firmware_config.profile import DeviceConfig

UNTOLD = Deviation("Nobody has assigned this lamp a calendar: its controller is left as it was commissioned, and the platform "
                   "drives it live where that differs.")
BY_HAND = Deviation("People have set the controller's own program by hand: it is left alone, and the platform drives the lamp "
                    "live where that differs.")
_LIGHT = 50  # of a lamp's latest orders, to find the one that holds it
DRAFT = CalendarId("draft")


@dataclass(frozen=True, slots=True)
class Holding:
    """One lamp's controller beside its program in the night around now. `compiled` None: it is not told a program.
    `wanted`: names of the settings that hold it; `pending`: those that it has not confirmed. `alone`: what it will do if the
    network dies. `apart`: how much earlier or later than programmed it then does it at most; None: it does something else,
    or nobody knows."""

    lamp: Luminaire
    model: str
    night: Night
    programmed: tuple[Change, ...]
    compiled: Compiled | None
    deviations: tuple[Deviation, ...]
    wanted: tuple[str, ...]
    pending: tuple[str, ...]
    alone: Alone
    apart: timedelta | None

    @property
    def confirmed_share(self) -> float:
        """How much of it the controller has confirmed, 0 to 1; 1 where nothing is wanted of it."""
        return 1 - len(self.pending) / len(self.wanted) if self.wanted else 1.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What the controllers of one model cannot hold, and how many of the lamps have one."""

    model: str
    lamps: int
    deviations: tuple[Deviation, ...]


def local_models(settings: Bridge) -> frozenset[str]:
    """The models whose own programs run in local time, by the settings."""
    return frozenset(name.strip() for name in settings.local_clocks.split(",") if name.strip())


def holding(town: TenantStore, asset: AssetId, now: datetime, *, local: Collection[str] = ()) -> Holding:
    """Raises NotFound for a lamp that does not exist or that no device serves."""
    lamp = views.lamp_of(town, asset)
    device, programming = town.device_of(asset), town.programming()
    night = Night.around(now, programming.site)
    state, wish = town.state(device.dev_eui), town.config_wish(device.dev_eui)
    reported: Mapping[str, str] = state.config if state is not None else {}
    own = None if wish is None else profile.from_json(wish.wanted)
    wishes = Wishes(programming, now, local)
    what = None if own is not None and own.programs else wishes.compiled(lamp, device.model)
    known = wishes.wish(lamp, device.model, own)
    pending = [one for one in (known.missing(reported) if known is not None else ()) if _of_the_program(one)]
    kind = family(device.model, local)
    tables = tables_of(reported)
    left = alone(tables, kind, night, hand=_hand(town, device, now), supply=_supply(town, lamp))
    programmed = curve_of(lamp, programming, night)
    return Holding(lamp, device.model, night, programmed, what, _deviations(what, own, programming, lamp, device, now, local),
                   tuple(kept_as(one) for one in (what.config.settings() if what is not None else ())),
                   tuple(kept_as(one) for one in pending), left, difference(left.changes, programmed, night))


def kept(town: TenantStore, programming: Programming, calendar: Calendar, now: datetime, *,
         local: Collection[str] = ()) -> Sequence[Kept]:
    """What the controllers of the town's lamps could not hold of a calendar, by model, before it is saved: of each model by
    the lamp that most are like."""
    every = replace(programming, calendars=MappingProxyType({**programming.calendars, calendar.id: calendar}),
                    assignments=(Assignment(TOWN, calendar.id, now, ""),))
    return [Kept(model, len(lamps), _all_of(every, _usual(lamps), model, now, local))
            for model, lamps in sorted(_by_model(town).items())]


def kept_of_program(town: TenantStore, program: Program, now: datetime, *, local: Collection[str] = ()) -> Sequence[Kept]:
    """The same of a program that would hold every night."""
    programming = town.programming()
    with_it = replace(programming, programs=MappingProxyType({**programming.programs, program.id: program}))
    return kept(town, with_it, Calendar(DRAFT, program.name, program.id), now, local=local)


def _all_of(programming: Programming, lamp: Luminaire, model: str, now: datetime,
            local: Collection[str]) -> tuple[Deviation, ...]:
    what = compiled(programming, lamp, model, now, local=local)
    return *what.deviations, *measured(what, programming, lamp, model, now, local=local)


def _deviations(what: Compiled | None, own: DeviceConfig | None, programming: Programming, lamp: Luminaire, device: Device,
                now: datetime, local: Collection[str]) -> tuple[Deviation, ...]:
    if own is not None and own.programs:
        return (BY_HAND,)
    if what is None:
        return (UNTOLD,)
    return *what.deviations, *measured(what, programming, lamp, device.model, now, local=local)


def _of_the_program(setting: Setting) -> bool:
    return kept_as(setting).partition(":")[0] in ("SunCalendar", "Holidays", "Profile", "DimTask")


def _hand(town: TenantStore, device: Device, now: datetime) -> Hand | None:
    """The order by hand that holds the lamp now."""
    light = (one for one in town.commands(asset=device.asset, states=(State.APPLIED,), limit=_LIGHT)
             if one.device == device.dev_eui and isinstance(one.order, SetLevel | Resume) and one.order.channel == "")
    last = max(light, key=lambda one: one.changed_at or one.created_at, default=None)
    if last is None or not isinstance(last.order, SetLevel):
        return None
    if last.holds_until is not None and last.holds_until <= now:
        return None
    return Hand(last.order.level, last.holds_until)


def _supply(town: TenantStore, lamp: Luminaire) -> Supply:
    return next((one.supply for one in town.circuits() if one.id == lamp.circuit), Supply.PERMANENT)


def _by_model(town: TenantStore) -> dict[str, list[Luminaire]]:
    models = {device.asset: device.model for device in town.devices()}
    found: dict[str, list[Luminaire]] = {}
    for lamp in town.luminaires():
        if lamp.id in models:
            found.setdefault(models[lamp.id], []).append(lamp)
    return found


def _usual(lamps: Sequence[Luminaire]) -> Luminaire:
    """One of those that most are like."""
    by_key = {floor_key(lamp): lamp for lamp in lamps}
    [(key, _)] = Counter(map(floor_key, lamps)).most_common(1)
    return by_key[key]
