"""What we may ask of a device. Orders are absolute, so that repeating one is harmless.

An order names *what* is wanted; the device's codec knows *how* it is said, or raises Unsupported.
Levels are per cent 0-100. `channel` is the part of the device that is meant, "" for all of it, in the same words as
`Measurement.channel` ("dali-9", "group-2").
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from city.errors import Invalid


class _Order(msgspec.Struct, frozen=True, tag=True):
    """A value object with a name: `{"type": "SetLevel", "level": 40}` in JSON."""


class SetLevel(_Order, frozen=True):
    """Burn at `level` per cent for `minutes`, then as programmed in the lamp; None: until told otherwise."""

    level: int
    minutes: int | None = None
    channel: str = ""

    def __post_init__(self) -> None:
        _between("level", self.level, 0, 100)
        if self.minutes is not None:
            _between("minutes", self.minutes, 1, 100_000)


class Resume(_Order, frozen=True):
    """Forget what was ordered by hand and burn as programmed in the lamp."""

    channel: str = ""


class ReadStatus(_Order, frozen=True):
    """Report now."""

    status: bool = True
    usage: bool = False
    levels: bool = False
    position: bool = False


class Reboot(_Order, frozen=True):
    """Restart the device."""


class StatusInterval(_Order, frozen=True):
    """Send a status every `seconds`."""

    seconds: int


class UsageInterval(_Order, frozen=True):
    """Send the meter readings every `seconds`."""

    seconds: int


class Clock(_Order, frozen=True):
    """Set the device's clock to `at`; None: let it ask the network (DeviceTimeReq)."""

    at: datetime | None = None


class BootDelay(_Order, frozen=True):
    """Wait a random time of up to `seconds` before joining, so that a circuit does not join at once."""

    seconds: int


class FallbackLevel(_Order, frozen=True):
    """Burn at `level` whenever nothing else applies."""

    level: int

    def __post_init__(self) -> None:
        _between("level", self.level, 0, 100)


class AlarmLimits(_Order, frozen=True):
    """Report at once outside these limits (W, V, power factor); None: no such limit."""

    min_power: int | None = None
    max_power: int | None = None
    min_voltage: int | None = None
    max_voltage: int | None = None
    min_power_factor: float | None = None


class Position(_Order, frozen=True):
    """Where the device hangs, WGS 84 degrees; some compute their own sunrise from it."""

    latitude: float
    longitude: float
    name: str = ""


class SunStep(msgspec.Struct, frozen=True):
    """At a solar zenith of `zenith` degrees (90 = geometric horizon, more = sun below it) burn at `level`."""

    zenith: float
    level: int


class SunCalendar(_Order, frozen=True):
    """Levels through dawn and dusk by the sun at a position."""

    latitude: float
    longitude: float
    sunrise: tuple[SunStep, ...]
    sunset: tuple[SunStep, ...]
    clamps_profiles: bool = False
    clamps_input: bool = False
    prefers_position_of_metadata: bool = False
    ignores_gnss: bool = False


class ProfileStep(msgspec.Struct, frozen=True):
    """From `minute` of the day burn at `level`; None: the profile is silent from then on."""

    minute: int
    level: int | None


class Profile(_Order, frozen=True):
    """Levels by the clock on some days (0 = holiday, 1 = Monday … 7 = Sunday), kept in the device's `slot`."""

    slot: int
    days: tuple[int, ...]
    steps: tuple[ProfileStep, ...]
    channel: str = ""


class Holidays(_Order, frozen=True):
    """Days (month, day) on which profiles treat the day as a holiday."""

    days: tuple[tuple[int, int], ...]


class LevelNotice(_Order, frozen=True):
    """Report each change of level within a random time of up to `random_seconds`, at most every `limit_seconds`."""

    random_seconds: int
    limit_seconds: int


class MulticastGroup(_Order, frozen=True):
    """Listen as a member of a class C multicast group too. Keys are 32 hex digits and never shown.

    An order that is kept or travels as JSON has none: they are filled in where a frame is encoded. `echo` is then what the
    device will repeat of that frame, with the keys hashed; other keys have another one.
    """

    slot: int
    dev_addr: str
    nwk_s_key: str = ""
    app_s_key: str = ""
    echo: str = ""

    def __repr__(self) -> str:
        return f"MulticastGroup(slot={self.slot}, dev_addr={self.dev_addr!r}, keys=redacted)"


class UplinkConfirmation(_Order, frozen=True):
    """Whether the device asks the network to confirm its uplinks, and how often it repeats them otherwise."""

    confirmed: bool
    repetitions: int = 0


class DataRate(_Order, frozen=True):
    """Send with this EU868 data rate (DR0 = SF12 … DR5 = SF7)."""

    dr: int

    def __post_init__(self) -> None:
        _between("dr", self.dr, 0, 5)


class Parameters(_Order, frozen=True):
    """Settings that only one model has, as (name, whole number) pairs in the order of their names; the model's codec and
    its page name them, their ranges and their document."""

    values: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        names = [name for name, _ in self.values]
        if names != sorted(set(names)):
            raise Invalid("Parameters are named once each, in the order of their names.", field="values", rule="order")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={'redacted' if name == 'password' else value}" for name, value in self.values)
        return f"Parameters({shown})"


class DayTime(msgspec.Struct, frozen=True):
    """A time of each day: `minutes` after midnight (0-1439), or after sunrise or sunset (-60 to 60) as the device reckons
    them from its position."""

    minutes: int
    after: Literal["midnight", "sunrise", "sunset"] = "midnight"

    def __post_init__(self) -> None:
        low, high = (0, 1439) if self.after == "midnight" else (-60, 60)
        _between("minutes", self.minutes, low, high)


class DimWindow(msgspec.Struct, frozen=True):
    """From `begin` to `end` burn at `level` per cent; a window may pass midnight."""

    begin: DayTime
    end: DayTime
    level: int

    def __post_init__(self) -> None:
        _between("level", self.level, 0, 100)
        if self.begin == self.end:
            raise Invalid("A window ends at another time than it begins.", field="end", rule="≠ begin")


class DimTask(_Order, frozen=True):
    """A lamp's own program: on its days, from `first_day` to `last_day` (None: for ever), these one to four windows.

    The device knows it by `task` (any 32-bit number). Where tasks meet, the smaller `priority` (1-5) goes first. `days`:
    "daily" but for `days_off` (1 = Monday … 7 = Sunday), on "odd" or "even" days of the month, or once in a "cycle" of
    `cycle` days (1-255). `output` is what the task drives (1-17, 1 is the light level). `replaces`: a task of that number
    is there and gives way; otherwise it is new.
    """

    task: int
    first_day: date
    windows: tuple[DimWindow, ...]
    last_day: date | None = None
    priority: int = 1
    days: Literal["daily", "odd", "even", "cycle"] = "daily"
    days_off: tuple[int, ...] = ()
    cycle: int = 0
    output: int = 1
    replaces: bool = False

    def __post_init__(self) -> None:
        _between("task", self.task, -2**31, 2**31 - 1)
        _between("windows", len(self.windows), 1, 4)
        _between("priority", self.priority, 1, 5)
        _between("output", self.output, 1, 17)
        _between("cycle", self.cycle, *((1, 255) if self.days == "cycle" else (0, 0)))
        for day in self.days_off:
            _between("days_off", day, 1, 7)
        if self.days_off != tuple(sorted(set(self.days_off))) or (self.days_off and self.days != "daily"):
            raise Invalid("Days off are named once each, in the order of the week, for a daily task.", field="days_off",
                          rule="1…7, ascending")
        if self.last_day is not None and self.last_day < self.first_day:
            raise Invalid("A task's last day is not before its first.", field="last_day", rule="≥ first_day")


class RemoveTask(_Order, frozen=True):
    """Forget the task of this number, for the same `output` as DimTask's."""

    task: int
    output: int = 1

    def __post_init__(self) -> None:
        _between("task", self.task, -2**31, 2**31 - 1)
        _between("output", self.output, 1, 17)


class ReadTask(_Order, frozen=True):
    """Report the task that lies in the device's `slot` (0-255; the model knows how many there are)."""

    slot: int

    def __post_init__(self) -> None:
        _between("slot", self.slot, 0, 255)


Setting = (StatusInterval | UsageInterval | Clock | BootDelay | FallbackLevel | AlarmLimits | Position | SunCalendar
           | Profile | Holidays | LevelNotice | MulticastGroup | UplinkConfirmation | DataRate
           | Parameters | DimTask | RemoveTask)
Order = SetLevel | Resume | ReadStatus | ReadTask | Reboot | Setting


def kept_as(setting: Order) -> str:
    """The name under which a device's confirmed configuration keeps a setting: its class, and of several alike its number
    in the device ("Profile:0", "MulticastGroup:1", "DimTask:17")."""
    name = type(setting).__name__
    match setting:
        case MulticastGroup(slot=number) | Profile(slot=number) | DimTask(task=number):
            return f"{name}:{number}"
        case RemoveTask(task=number):
            return f"{DimTask.__name__}:{number}"  # a task that was removed: that is what is known of its number
    return name


def to_json(order: Order) -> bytes:
    """The order as JSON with its name under "type"."""
    return msgspec.json.encode(order)


def from_json(data: bytes | str) -> Order:
    """The order in `data`; raises Invalid where it is none."""
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise Invalid("This is no order: {what}", field="order", rule="schema", what=str(error)) from error


def _between(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise Invalid("{field} must lie between {low} and {high}, not {value}.", field=field, rule=f"{low}…{high}",
                      low=low, high=high, value=value)


_DECODER: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
