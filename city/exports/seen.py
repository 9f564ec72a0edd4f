"""A lamp and a town as every export sees them: the three states of light, each with its time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from city.alarms import Alarm, AlarmKind
from city.expected import BEND, FIXED, SLOPE
from city.groups import Groups, Target, resolve
from city.ids import CalendarId
from city.lighting import Override, Setpoint
from city.places import Circuit, Device, Luminaire, Tenant, Zone
from city.programs import Programming
from city.quantities import LAMP_LEVEL, LAMP_LIT, LAMP_POWER, LAMP_REASON, Quantity, Value
from city.readings import NO_LASTS, DeviceState, from_ns

DARK_SHARE = 0.05  # of the nominal power: what a driver draws while its lamp is dark
DARK_W = 2.0  # where nobody has written down a nominal power


@dataclass(frozen=True, slots=True)
class Said:
    """A value, when it was true, and since when it has been that value."""

    value: Value
    at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Actual:
    """What a lamp really does by what is measured at it. `level` (per cent) is calculated from its power, None where its
    nominal power is unknown; `lit`: whether it burns."""

    lit: bool
    level: float | None
    power_w: float | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LampSeen:
    """One lamp: its place, its controller, what is wanted of it, all that it last said, its open alarms. `word` is how it
    does in one word, `override` the wish that holds for it, `calendar` what else would."""

    lamp: Luminaire
    zone_name: str
    device: Device | None
    state: DeviceState | None
    target: Setpoint
    calendar: CalendarId
    alarms: tuple[Alarm, ...] = ()
    override: Override | None = None
    word: str = ""

    def said(self, quantity: Quantity) -> Said | None:
        """The newest good value of a quantity."""
        last = (self.state.last if self.state is not None else NO_LASTS).get(quantity.name)
        return None if last is None else Said(last.value, from_ns(last.at_ns), from_ns(last.since_ns))

    def number(self, quantity: Quantity) -> float | None:
        """The same as a number."""
        said = self.said(quantity)
        return float(said.value) if said is not None and isinstance(said.value, int | float) else None

    @property
    def in_effect(self) -> Said | None:
        """The level that the controller says it obeys, per cent."""
        return self.said(LAMP_LEVEL)

    @property
    def reason(self) -> str:
        """Why, by its own word."""
        said = self.said(LAMP_REASON)
        return "" if said is None else str(said.value)

    @property
    def actual(self) -> Actual | None:
        """By its power, else by what the driver says of the lamp; None where neither is known."""
        power = self.said(LAMP_POWER)
        if power is not None:
            return _by_power(self.lamp.power_w, float(power.value), power.at)
        lit = self.said(LAMP_LIT)
        return None if lit is None else Actual(bool(lit.value), None if lit.value else 0.0, None, lit.at)

    @property
    def heard_at(self) -> datetime | None:
        """When the controller was last heard."""
        return from_ns(self.state.heard_ns) if self.state is not None and self.state.heard_ns else None

    @property
    def kinds(self) -> frozenset[AlarmKind]:
        """What is wrong now."""
        return frozenset(alarm.kind for alarm in self.alarms if alarm.open)


@dataclass(frozen=True, slots=True)
class TownSeen:
    """What an export needs to know of the whole town. `overrides` are those that hold now or later."""

    tenant: Tenant
    zones: Sequence[Zone]
    circuits: Sequence[Circuit]
    lamps: Sequence[Luminaire]
    programming: Programming
    overrides: Sequence[Override]
    now: datetime


class Members:
    """The lamps of zones, circuits and groups, with one look at each lamp for all zones and circuits."""

    def __init__(self, lamps: Iterable[Luminaire], groups: Groups) -> None:
        self._lamps, self._groups = list(lamps), groups
        self._places: dict[Target, list[Luminaire]] = {}
        for lamp in self._lamps:
            self._places.setdefault(Target("zone", lamp.zone), []).append(lamp)
            if lamp.circuit is not None:
                self._places.setdefault(Target("circuit", lamp.circuit), []).append(lamp)
            self._places[Target("lamp", lamp.id)] = [lamp]

    def of(self, target: Target) -> list[Luminaire]:
        """In their order."""
        if target.kind in ("zone", "circuit", "lamp"):
            return self._places.get(target, [])
        return resolve([target], self._lamps, self._groups)


def implied_level(nominal_w: float, watts: float) -> float:
    """The level (per cent) at which a lamp of that nominal power draws so much: the inverse of city.expected's prior."""
    share = watts / nominal_w
    if share <= DARK_SHARE or watts <= 0:
        return 0.0
    part: float = min((share - FIXED) / SLOPE, 1.0) ** (1 / BEND)
    return round(100 * part, 1)


def _by_power(nominal_w: float | None, watts: float, at: datetime) -> Actual:
    if not nominal_w:
        return Actual(watts > DARK_W, None, watts, at)
    level = implied_level(nominal_w, watts)
    return Actual(level > 0, level, watts, at)
