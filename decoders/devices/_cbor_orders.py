"""What our own devices can be told: {number of the order: what belongs to it}, both ways."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from city.errors import Invalid, OutOfRange, Trailing, UnknownVersion
from city.orders import (
    AlarmLimits,
    BootDelay,
    Clock,
    DataRate,
    FallbackLevel,
    Holidays,
    MulticastGroup,
    Order,
    Parameters,
    Position,
    Profile,
    ProfileStep,
    ReadStatus,
    Reboot,
    Resume,
    SetLevel,
    StatusInterval,
    SunCalendar,
    SunStep,
    UplinkConfirmation,
    UsageInterval,
)
from decoders.codec import Frame, unknown_downlink, unsupported
from decoders.devices._cbor import Foreign, Map, ascends, frame_of, read_map

COMMANDS, SETTINGS = 10, 11  # FPorts
DEGREES, HUNDREDTHS = 10_000_000, 100
WEEK_MIN, WEEK_S = 10_080, 604_800
LONGEST = 222  # bytes that EU868 carries at its fastest data rates
PARTS: Mapping[int, str] = {**{n: f"dali-{n}" for n in range(64)}, **{64 + n: f"group-{n}" for n in range(16)}}
_ADDRESSES = {name: address for address, name in PARTS.items()}
Raw = Any  # a value as CBOR has it: of any type until it has been looked at


class BadValue(ValueError):
    """A value that the format does not allow; its text never holds a key."""

    def __init__(self, name: str, value: object, low: object, high: object) -> None:
        super().__init__(name)
        self.facts = {"name": name, "value": value, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Word:
    """One order: its FPort, number, name in the CDDL, and how it is written and read. Both raise BadValue."""

    port: int
    key: int
    name: str
    kind: type
    raw: Callable[[Any], Raw]
    order: Callable[[Raw], Order]


class Tongue:
    """All that a model can be told."""

    def __init__(self, title: str, words: Iterable[Word]) -> None:
        self.title = title
        self.words = {(word.port, word.key): word for word in words}
        self._kinds = {word.kind: word for word in self.words.values()}

    def encode(self, order: Order) -> Frame:
        """The order's frame; raises Unsupported for another model's order, Invalid for values that the format lacks."""
        word = self._kinds.get(type(order))
        if word is None:
            raise unsupported(self.title, order)
        try:
            raw = word.raw(order)
            word.order(raw)  # what no device would take is not sent
            frame = frame_of(word.port, {word.key: raw})
            between("bytes of the frame", len(frame.data), 0, LONGEST)
        except BadValue as bad:
            raise Invalid("{name} must lie between {low} and {high}, not {value}.", field=str(bad), rule="range",
                          **bad.facts) from bad
        except (KeyError, Foreign, UnicodeError) as error:
            raise unsupported(self.title, order) from error
        return frame

    def decode(self, frame: Frame) -> Order:
        """The one order in the frame; raises DecodeError."""
        if frame.port not in (COMMANDS, SETTINGS):
            raise unknown_downlink(self.title, frame.port)
        message = read_map(frame, lambda key: self._name(frame.port, key), _SECRET if frame.port == SETTINGS else frozenset())
        return self._one(frame.port, message)

    def _one(self, port: int, message: Map) -> Order:
        if len(message) != 1:
            raise Trailing("The frame holds {count} orders, not one.", count=len(message))
        (key, raw), = message.items()
        word = self.words.get((port, key))
        if word is None:
            raise UnknownVersion("There is no order {key} on FPort {port}.", key=key, port=port)
        try:
            return word.order(raw)
        except BadValue as bad:
            raise OutOfRange("“{name}” is {value}, and only {low} to {high} is allowed.", **bad.facts) from bad

    def _name(self, port: int, key: int) -> str:
        word = self.words.get((port, key))
        return word.name if word is not None else "not known"


def between(name: str, value: Raw, low: int, high: int) -> int:
    """A whole number in its bounds."""
    if value.__class__ is not int or not low <= value <= high:
        raise BadValue(name, value if isinstance(value, int | float) else type(value).__name__, low, high)
    number: int = value
    return number


def items(name: str, value: Raw, low: int, high: int) -> list[Raw]:
    """An array of `low` to `high` values."""
    if value.__class__ is not list:
        _wrong(name, value, "an array")
    between(f"length of {name}", len(value), low, high)
    found: list[Raw] = value
    return found


def pairs(name: str, value: Raw, low: int, high: int) -> list[tuple[Raw, Raw]]:
    """An array of `low` to `high` pairs, one behind the other."""
    flat = items(name, value, 2 * low, 2 * high)
    if len(flat) % 2:
        raise BadValue(f"length of {name}", len(flat), len(flat) - 1, len(flat) + 1)
    return list(zip(flat[::2], flat[1::2], strict=True))


def truth(name: str, value: Raw) -> bool:
    """True or false."""
    if value.__class__ is not bool:
        _wrong(name, value, "true or false")
    return bool(value)


def _wrong(name: str, value: Raw, wanted: str) -> NoReturn:
    raise BadValue(name, type(value).__name__, wanted, wanted)


def _steps(name: str, value: float, steps: int) -> int:
    """`value` in whole steps; what lies between two steps is refused, not rounded away."""
    raw = round(value * steps)
    if abs(raw - value * steps) > 1e-6:
        raise BadValue(name, value, f"{(raw - 1) / steps}", f"{(raw + 1) / steps}")
    return raw


def _address(channel: str) -> int:
    return _ADDRESSES[channel]


def _part(raw: Raw) -> str:
    return PARTS[between("part", raw, 0, len(PARTS) - 1)]


def _raw_level(order: SetLevel) -> Raw:
    raw: list[Raw] = [order.level]
    if order.minutes is not None or order.channel:
        raw.append(order.minutes)
    return [*raw, _address(order.channel)] if order.channel else raw


def _level(raw: Raw) -> Order:
    level, *more = items("set-level", raw, 1, 3)
    minutes = more[0] if more else None
    if minutes is None and len(more) == 1:
        _wrong("minutes", None, "left out")
    if minutes is not None:
        between("minutes", minutes, 1, WEEK_MIN)
    return SetLevel(between("level", level, 0, 100), minutes, _part(more[1]) if len(more) == 2 else "")


def _resume(raw: Raw) -> Order:
    return Resume() if raw is None else Resume(_part(raw))


def _read(raw: Raw) -> Order:
    asked = between("read", raw, 1, 15)
    return ReadStatus(bool(asked & 1), bool(asked & 2), bool(asked & 4), bool(asked & 8))


def _reboot(raw: Raw) -> Order:
    if raw is not True:
        _wrong("reboot", raw, "true")
    return Reboot()


def _raw_clock(order: Clock) -> Raw:
    if order.at is not None and order.at.tzinfo is None:
        _wrong("at", order.at, "a time with its zone")
    return None if order.at is None else int(order.at.timestamp())


def _clock(raw: Raw) -> Order:
    return Clock() if raw is None else Clock(datetime.fromtimestamp(between("clock", raw, 1, 2**32 - 1), UTC))


def _raw_limits(order: AlarmLimits) -> Raw:
    factor = None if order.min_power_factor is None else _steps("min_power_factor", order.min_power_factor, HUNDREDTHS)
    given = (order.min_power, order.max_power, order.min_voltage, order.max_voltage, factor)
    return {key: value for key, value in enumerate(given) if value is not None}


def _limits(raw: Raw) -> Order:
    if raw.__class__ is not dict or not raw.keys() <= set(range(5)):
        _wrong("alarm-limits", raw, "a map with keys 0 to 4")
    low, high, least, most = (between("limit", raw[key], 0, 65_535) if key in raw else None for key in range(4))
    return AlarmLimits(low, high, least, most, between("min_power_factor", raw[4], 0, 100) / HUNDREDTHS if 4 in raw else None)


def _raw_place(order: Position | SunCalendar) -> list[Raw]:
    return [round(order.latitude * DEGREES), round(order.longitude * DEGREES)]


def _place(latitude: Raw, longitude: Raw) -> tuple[float, float]:
    return (between("latitude", latitude, -90 * DEGREES, 90 * DEGREES) / DEGREES,
            between("longitude", longitude, -180 * DEGREES, 180 * DEGREES) / DEGREES)


def _position(raw: Raw) -> Order:
    latitude, longitude, *name = items("position", raw, 2, 3)
    if name and (name[0].__class__ is not str or not name[0]):
        _wrong("name", name[0], "a text")
    between("bytes of name", len(name[0].encode()) if name else 0, 0, 128)
    return Position(*_place(latitude, longitude), name[0] if name else "")


def _raw_sun(order: SunCalendar) -> Raw:
    flags = (order.clamps_profiles, order.clamps_input, order.prefers_position_of_metadata, order.ignores_gnss)
    return [*_raw_place(order), _raw_sun_steps(order.sunrise), _raw_sun_steps(order.sunset),
            sum(flag << bit for bit, flag in enumerate(flags))]


def _raw_sun_steps(steps: Iterable[SunStep]) -> Raw:
    return [number for step in steps for number in (_steps("zenith", step.zenith, HUNDREDTHS), step.level)]


def _sun(raw: Raw) -> Order:
    latitude, longitude, rise, fall, flags = items("sun-calendar", raw, 5, 5)
    between("flags", flags, 0, 15)
    return SunCalendar(*_place(latitude, longitude), _sun_steps(rise), _sun_steps(fall),
                       *(bool(flags >> bit & 1) for bit in range(4)))


def _sun_steps(raw: Raw) -> tuple[SunStep, ...]:
    return tuple(SunStep(between("zenith", zenith, 0, 180 * HUNDREDTHS) / HUNDREDTHS, between("level", level, 0, 100))
                 for zenith, level in pairs("sun steps", raw, 0, 15))


def _raw_profile(order: Profile) -> Raw:
    if list(order.days) != sorted(set(order.days)) or any(not 0 <= day <= 7 for day in order.days):
        _wrong("days", order.days, "days 0 to 7, ascending")
    steps = [number for step in order.steps for number in (step.minute, step.level)]
    part = [_address(order.channel)] if order.channel else []
    return [order.slot, sum(1 << day for day in order.days), steps, *part]


def _profile(raw: Raw) -> Order:
    slot, days, steps, *part = items("profile", raw, 3, 4)
    found = [(between("minute", minute, 0, 1439), level if level is None else between("level", level, 0, 100))
             for minute, level in pairs("steps", steps, 1, 24)]
    if not ascends([minute for minute, _ in found]):
        _wrong("minutes", steps, "ascending minutes")
    mask = between("days", days, 1, 255)
    return Profile(between("slot", slot, 0, 15), tuple(day for day in range(8) if mask >> day & 1),
                   tuple(ProfileStep(minute, level) for minute, level in found), _part(part[0]) if part else "")


def _holidays(raw: Raw) -> Order:
    return Holidays(tuple((between("month", month, 1, 12), between("day", day, 1, 31))
                          for month, day in pairs("holidays", raw, 0, 40)))


def _raw_group(order: MulticastGroup) -> Raw:
    return [order.slot, *(_octets(name, text) for name, text in (
        ("dev_addr", order.dev_addr), ("nwk_s_key", order.nwk_s_key), ("app_s_key", order.app_s_key)))]


def _octets(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadValue(name, "no hex", "00", "ff") from None


def _group(raw: Raw) -> Order:
    slot, *rest = items("multicast-group", raw, 4, 4)
    for name, value, size in zip(("dev_addr", "nwk_s_key", "app_s_key"), rest, (4, 16, 16), strict=True):
        if value.__class__ is not bytes:
            _wrong(name, value, "a byte string")
        between(f"bytes of {name}", len(value), size, size)
    return MulticastGroup(between("slot", slot, 0, 3), *(value.hex() for value in rest))


def _confirmation(raw: Raw) -> Order:
    confirmed, repetitions = items("uplink-confirmation", raw, 2, 2)
    return UplinkConfirmation(truth("confirmed", confirmed), between("repetitions", repetitions, 0, 14))


def parameters(key: int, ranges: Mapping[str, tuple[int, int]]) -> Word:
    """Settings of one model alone: a map, its keys the places of the names, with each one's bounds."""
    names = list(ranges)

    def raw(order: Parameters) -> Raw:
        return dict(sorted((_place_of(names, name), value) for name, value in order.values))

    def order(raw: Raw) -> Order:
        if raw.__class__ is not dict or not raw or not raw.keys() <= set(range(len(names))):
            _wrong("parameters", raw, f"a map with keys 0 to {len(names) - 1}")
        return Parameters(tuple(sorted((names[at], between(names[at], value, *ranges[names[at]])) for at, value in raw.items())))
    return Word(SETTINGS, key, "parameters", Parameters, raw, order)


def _place_of(names: list[str], name: str) -> int:
    if name not in names:
        raise KeyError(name)
    return names.index(name)


SET_LEVEL = Word(COMMANDS, 0, "set-level", SetLevel, _raw_level, _level)
RESUME = Word(COMMANDS, 1, "resume", Resume, lambda order: _address(order.channel) if order.channel else None, _resume)
READ = Word(COMMANDS, 2, "read", ReadStatus,
            lambda order: order.status | order.usage << 1 | order.levels << 2 | order.position << 3, _read)
REBOOT = Word(COMMANDS, 3, "reboot", Reboot, lambda _: True, _reboot)
STATUS_INTERVAL = Word(SETTINGS, 0, "status-interval", StatusInterval, lambda order: order.seconds,
                       lambda raw: StatusInterval(between("seconds", raw, 60, WEEK_S)))
USAGE_INTERVAL = Word(SETTINGS, 1, "usage-interval", UsageInterval, lambda order: order.seconds,
                      lambda raw: UsageInterval(between("seconds", raw, 60, WEEK_S)))
CLOCK = Word(SETTINGS, 2, "clock", Clock, _raw_clock, _clock)
BOOT_DELAY = Word(SETTINGS, 3, "boot-delay", BootDelay, lambda order: order.seconds,
                  lambda raw: BootDelay(between("seconds", raw, 0, 65_535)))
FALLBACK = Word(SETTINGS, 4, "fallback-level", FallbackLevel, lambda order: order.level,
                lambda raw: FallbackLevel(between("level", raw, 0, 100)))
LIMITS = Word(SETTINGS, 5, "alarm-limits", AlarmLimits, _raw_limits, _limits)
POSITION = Word(SETTINGS, 6, "position", Position,
                lambda order: [*_raw_place(order), *([order.name] if order.name else [])], _position)
SUN = Word(SETTINGS, 7, "sun-calendar", SunCalendar, _raw_sun, _sun)
PROFILE = Word(SETTINGS, 8, "profile", Profile, _raw_profile, _profile)
HOLIDAYS = Word(SETTINGS, 9, "holidays", Holidays,
                lambda order: [number for day in order.days for number in day], _holidays)
GROUP = Word(SETTINGS, 11, "multicast-group", MulticastGroup, _raw_group, _group)
CONFIRMATION = Word(SETTINGS, 12, "uplink-confirmation", UplinkConfirmation,
                    lambda order: [order.confirmed, order.repetitions], _confirmation)
DATA_RATE = Word(SETTINGS, 13, "data-rate", DataRate, lambda order: order.dr, lambda raw: DataRate(between("dr", raw, 0, 5)))
_SECRET = frozenset({GROUP.key})
