"""What a UL20xx can be told, both ways, by firmware: this file has the words of 1.1.x, `old_downlinks` the older ones.

Multi-byte values are little-endian.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from city.errors import Invalid, OutOfRange, Trailing, Truncated, UnknownVersion
from city.orders import (
    AlarmLimits,
    BootDelay,
    Clock,
    FallbackLevel,
    Holidays,
    LevelNotice,
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
    UsageInterval,
)
from decoders.bits import Reader, Writer
from decoders.codec import Frame, unknown_downlink, unsupported
from decoders.devices._nas_ul20xx import words
from decoders.devices._nas_ul20xx.layouts import means_epoch
from decoders.devices._nas_ul20xx.parts import known
from decoders.devices._nas_ul20xx.settings import FORMS_11, Forms, means_cleared
from decoders.devices._nas_ul20xx.words import CONFIG, CONTROL, NONE, SYSTEM, address_of, bits

Writes = tuple[int, int, Callable[[Writer, Any], Writer]]  # FPort, header, what follows
Reads = Callable[[Reader], Order]

CHAIN = 0xFE
_OFF = 0xFFFF
_LONGEST_NAME = 212  # with its frame it fills 222 bytes, the most that EU868 carries


@dataclass(frozen=True, slots=True)
class Downlinks:
    """What one firmware can be told: orders that the platform knows, forms that only this model has, and whether it dims
    for some minutes and takes settings in a chain."""

    title: str
    ports: tuple[int, ...]
    writes: Mapping[type, Writes]
    reads: Mapping[tuple[int, int], Reads]
    forms: Forms
    headers: Mapping[int, Mapping[int, str]]
    resumes: bool = True
    times: bool = True
    chains: bool = False

    def encode(self, order: Order) -> Frame:
        """The order's frame. Raises Unsupported for orders the firmware does not have, Invalid for values it cannot take."""
        if isinstance(order, Parameters):
            return Frame(*self.forms.encode(order))
        entry = self.writes.get(type(order))
        if entry is None:
            raise unsupported(self.title, order)
        port, header, write = entry
        if isinstance(order, SetLevel) and order.minutes is not None:
            header = 0x09 if self.times else _no_minutes(order)
        try:
            return Frame(port, write(Writer().u8("command", header), order).written())
        except (ValueError, OverflowError) as error:
            raise Invalid("A UL20xx cannot be told this: {what}.", field="order", rule="form", what=str(error)) from error

    def decode(self, frame: Frame) -> Order:
        """The one order in the frame; raises DecodeError, also where it holds several."""
        orders = self.decode_all(frame)
        if len(orders) > 1:
            raise Trailing("The frame holds {count} orders, not one.", count=len(orders))
        return orders[0]

    def decode_all(self, frame: Frame) -> list[Order]:
        """All orders in the frame: it can dim several parts of a lamp, or change several settings. Raises DecodeError."""
        if frame.port not in self.ports:
            raise unknown_downlink(self.title, frame.port)
        read = frame.reader()
        orders = self._one(read, frame.port)
        read.end()
        return orders

    def _one(self, read: Reader, port: int, *, chained: bool = False) -> list[Order]:
        header = read.u8("command", means=lambda header: self.headers[port].get(header, "not documented"))
        if port == CONTROL and (header == 0x01 or (header == 0x09 and self.times)):
            return _dimmings(read, timed=header == 0x09, resumes=self.resumes)
        if port == CONFIG and header == CHAIN and self.chains and not chained:
            return self._chain(read)
        return [self._order(read, port, header)]

    def _chain(self, read: Reader) -> list[Order]:
        orders = self._one(read, CONFIG, chained=True)
        while read.left:
            orders += self._one(read, CONFIG, chained=True)
        return orders

    def _order(self, read: Reader, port: int, header: int) -> Order:
        decode = self.reads.get((port, header))
        if decode is not None:
            return decode(read)
        head = bytes([header])
        if port == CONFIG and header == NONE:
            head += bytes([read.u8("what to clear", means=means_cleared)])
        order = self.forms.decode(port, head, read)
        if order is None:
            raise no_order(head, port)
        return order


def no_order(header: bytes, port: int) -> UnknownVersion:
    return UnknownVersion("There is no order for command {header} on FPort {port}.", header=header.hex(), port=port)


def _no_minutes(order: SetLevel) -> int:
    raise Invalid("This controller holds a level until it is told another one.", field="minutes", rule="none",
                  minutes=order.minutes)


def _dimmings(read: Reader, *, timed: bool, resumes: bool) -> list[Order]:
    orders: list[Order] = []
    while read.left:
        channel = part(read)
        level = read.u8("level", means=lambda level: "as programmed" if level == NONE else f"{level} %")
        minutes = read.u8("minutes", min=1) if timed else None
        if level > 100 and (level != NONE or timed or not resumes):
            raise OutOfRange("“level” is {level}, and only 0 to 100 is allowed.", level=level)
        orders.append(Resume(channel) if level == NONE else SetLevel(level, minutes, channel))
    if not orders:
        raise Truncated("The frame ends too early: “address” at byte 1 needs 1, there are 0.")
    return orders


def part(read: Reader) -> str:
    """The channel that the next byte addresses."""
    return known(read.u8("address", means=words.means_address), read.offset - 1)


def write_level(write: Writer, order: SetLevel) -> Writer:
    write.u8("channel", address_of(order.channel)).u8("level", order.level, max=100)
    return write if order.minutes is None else write.u8("minutes", order.minutes, min=1)


def _write_request(write: Writer, order: ReadStatus) -> Writer:
    return write.u8("report", order.usage | order.status << 1 | order.levels << 2 | order.position << 3)


def _read_request(read: Reader) -> ReadStatus:
    asked = read.u8("report", max=0x0F, means=lambda byte: bits(byte, ("usage", "status", "dim map", "position")))
    return ReadStatus(bool(asked & 2), bool(asked & 1), bool(asked & 4), bool(asked & 8))


def write_clock(write: Writer, order: Clock) -> Writer:
    if order.at is None:
        return write.u32("at", 0)
    if order.at.tzinfo is None:
        raise Invalid("The time must name its time zone.", field="at", rule="aware")
    return write.u32("at", int(order.at.timestamp()), min=1)


def read_clock(read: Reader) -> Clock:
    epoch = read.u32("time", means=lambda epoch: means_epoch(epoch) if epoch else "ask the network")
    return Clock(datetime.fromtimestamp(epoch, UTC) if epoch else None)


def read_usage_interval(read: Reader) -> UsageInterval:
    seconds = read.u32("seconds")
    read.u8("mains voltage", means=lambda raw: "as measured" if raw == NONE else f"{raw} V")
    return UsageInterval(seconds)


def read_boot_delay(read: Reader) -> BootDelay:
    return BootDelay(read.u8("seconds") if read.left == 1 else read.u16("seconds"))  # older firmware takes one byte


def write_limits(write: Writer, order: AlarmLimits) -> Writer:
    write.u8("form", 1)
    for name in ("min_power", "max_power", "min_voltage", "max_voltage"):
        limit: int | None = getattr(order, name)
        write.u16(name, _OFF) if limit is None else write.u16(name, limit, max=_OFF - 1)
    factor = order.min_power_factor
    return write.u8("min_power_factor", NONE if factor is None else round(factor * 100), max=100 if factor else NONE)


def read_limits(read: Reader) -> AlarmLimits:
    read.u8("form", min=1, max=1)
    limits = [read.u16(name, means=lambda raw: "off" if raw == _OFF else f"{raw}")
              for name in ("min power", "max power", "min voltage", "max voltage")]
    factor = read.u8("min power factor", means=lambda raw: "off" if raw == NONE else f"{raw / 100:g}")
    if factor > 100 and factor != NONE:
        raise OutOfRange("“min power factor” is {value}, and only 0 to 100 or 255 is allowed.", value=factor)
    low, high, under, over = (None if raw == _OFF else raw for raw in limits)
    return AlarmLimits(low, high, under, over, None if factor == NONE else factor / 100)


def _write_position(write: Writer, order: Position) -> Writer:
    name = order.name.encode()
    write.u8("name", len(name), max=_LONGEST_NAME)
    write.i32("latitude", round(order.latitude * 1e7), min=-900_000_000, max=900_000_000)
    return write.i32("longitude", round(order.longitude * 1e7), min=-1_800_000_000, max=1_800_000_000).raw("name", name)


def _read_position(read: Reader) -> Position:
    length = read.u8("length of the address")
    latitude = read.i32("latitude", min=-900_000_000, max=900_000_000, means=lambda raw: f"{raw / 1e7:g}°")
    longitude = read.i32("longitude", min=-1_800_000_000, max=1_800_000_000, means=lambda raw: f"{raw / 1e7:g}°")
    name = read.raw("address", length, means=lambda data: data.decode(errors="replace"))
    try:
        return Position(latitude / 1e7, longitude / 1e7, name.decode())
    except UnicodeDecodeError:
        raise OutOfRange("“address” at byte 10 is no UTF-8 text.") from None


def _write_calendar(write: Writer, order: SunCalendar) -> Writer:
    for name, steps in (("sunrise", order.sunrise), ("sunset", order.sunset)):
        if len(steps) > 15:
            raise Invalid("A calendar has at most 15 steps for {name}.", field=name, rule="≤ 15", name=name)
    write.u8("counts", len(order.sunrise) | len(order.sunset) << 4)
    write.u8("flags", order.prefers_position_of_metadata | order.clamps_profiles << 1 | order.clamps_input << 2
             | order.ignores_gnss << 3)
    write.i16("latitude", round(order.latitude * 100), min=-9000, max=9000)
    write.i16("longitude", round(order.longitude * 100), min=-18000, max=18000)
    for step in (*order.sunrise, *order.sunset):
        write.i8("zenith", round((step.zenith - 90) * 6)).u8("level", step.level, max=100)
    return write


def _read_calendar(read: Reader) -> SunCalendar:
    counts = read.u8("counts", means=lambda raw: f"{raw & 15} at sunrise, {raw >> 4} at sunset")
    flags = read.u8("flags", max=0x0F, means=lambda byte: bits(
        byte, ("prefers position of metadata", "clamps profiles", "clamps input", "ignores GNSS")))
    latitude = read.i16("latitude", min=-9000, max=9000, means=lambda raw: f"{raw / 100:g}°")
    longitude = read.i16("longitude", min=-18000, max=18000, means=lambda raw: f"{raw / 100:g}°")
    sunrise = tuple(_read_sun_step(read) for _ in range(counts & 15))
    sunset = tuple(_read_sun_step(read) for _ in range(counts >> 4))
    return SunCalendar(latitude / 100, longitude / 100, sunrise, sunset, bool(flags & 2), bool(flags & 4),
                       bool(flags & 1), bool(flags & 8))


def _read_sun_step(read: Reader) -> SunStep:
    raw = read.i8("zenith", means=lambda raw: f"{_zenith(raw)}°")
    return SunStep(_zenith(raw), read.u8("level", max=100, means=words.means_level))


def _zenith(raw: int) -> float:
    return round(raw / 6 + 90, 2)


def _write_profile(write: Writer, order: Profile) -> Writer:
    days = profile_days(order)
    write.u8("slot", order.slot, max=7).u8("steps", len(order.steps), min=1, max=9)
    return write_steps(write.u8("channel", address_of(order.channel)).u8("days", days).u8("gap", 0), order)


def profile_days(order: Profile) -> int:
    """The days of a profile as bits; raises Invalid where it names none, or others."""
    if not order.days or any(not 0 <= day <= 7 for day in order.days):
        raise Invalid("A profile needs days: 0 for holidays, 1 for Monday to 7 for Sunday.", field="days", rule="0…7")
    return sum(1 << day for day in set(order.days))


def write_steps(write: Writer, order: Profile) -> Writer:
    """The steps of a profile; raises Invalid where they do not follow each other."""
    minutes = [step.minute for step in order.steps]
    if not minutes or minutes != sorted(set(minutes)) or any(minute % 10 or not 0 <= minute < 1440 for minute in minutes):
        raise Invalid("Profile steps begin at full ten minutes of the day, one after the other.", field="steps",
                      rule="10 min, ascending")
    for step in order.steps:
        write.u8("minute", step.minute // 10)
        write.u8("level", NONE) if step.level is None else write.u8("level", step.level, max=100)
    return write


def _read_profile(read: Reader) -> Profile:
    slot, count, channel = read.u8("profile", max=7), read.u8("steps", min=1, max=9), part(read)
    days = read.u8("days", min=1, means=lambda byte: bits(byte, words.DAYS))
    read.u8("reserved", max=0)
    steps = tuple(read_step(read) for _ in range(count))
    if any(later.minute <= step.minute for step, later in pairwise(steps)):
        raise OutOfRange("The steps of a profile follow each other in time.")
    return Profile(slot, tuple(day for day in range(8) if days >> day & 1), steps, channel)


def read_step(read: Reader) -> ProfileStep:
    time = read.u8("time", max=143, means=lambda tens: f"{tens // 6:02}:{tens % 6}0")
    level = read.u8("level", means=lambda level: "inactive" if level == NONE else f"{level} %")
    if level > 100 and level != NONE:
        raise OutOfRange("“level” is {level}, and only 0 to 100 or 255 is allowed.", level=level)
    return ProfileStep(time * 10, None if level == NONE else level)


def _write_holidays(write: Writer, order: Holidays) -> Writer:
    write.u8("days", len(order.days), max=9)
    for month, day in order.days:
        write.u8("month", month, min=1, max=12).u8("day", day, min=1, max=31)
    return write


def _read_holidays(read: Reader) -> Holidays:
    return Holidays(tuple((read.u8("month", min=1, max=12), read.u8("day", min=1, max=31))
                          for _ in range(read.u8("days", max=9))))


def _write_notice(write: Writer, order: LevelNotice) -> Writer:
    if order.random_seconds % 5 or order.limit_seconds % 60:
        raise Invalid("The random delay goes in steps of 5 s, the limit in steps of 60 s.", field="random_seconds",
                      rule="5 s, 60 s")
    write.u8("random_seconds", order.random_seconds // 5, max=254)
    return write.u8("limit_seconds", order.limit_seconds // 60)


def _read_notice(read: Reader) -> LevelNotice:
    random = read.u8("random delay", max=254, means=lambda raw: f"{raw * 5} s")
    return LevelNotice(random * 5, read.u8("at most every", means=lambda raw: f"{raw * 60} s") * 60)


def write_group(write: Writer, order: MulticastGroup, slots: tuple[int, int] = (0, 3)) -> Writer:
    """A multicast group's address and keys; `slots` are the first and the last number of a group."""
    write.u8("slot", order.slot, min=slots[0], max=slots[1]).raw("dev_addr", _hex("dev_addr", order.dev_addr, 4)[::-1])
    return write.raw("nwk_s_key", _hex("nwk_s_key", order.nwk_s_key, 16)).raw(
        "app_s_key", _hex("app_s_key", order.app_s_key, 16))


def read_group(read: Reader, slots: tuple[int, int] = (0, 3)) -> MulticastGroup:
    slot = read.u8("slot", min=slots[0], max=slots[1])
    address = read.raw("DevAddr", 4, means=lambda data: data[::-1].hex())[::-1].hex()
    return MulticastGroup(slot, address, read.raw("NwkSKey", 16, secret=True).hex(),
                          read.raw("AppSKey", 16, secret=True).hex())


def _hex(name: str, text: str, count: int) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != count:
        raise Invalid("{name} must be {count} hex digits.", field=name, rule="hex", name=name, count=2 * count)
    return data


WRITES_11: dict[type, Writes] = {
    SetLevel: (CONTROL, 0x01, write_level),
    Resume: (CONTROL, 0x01, lambda write, order: write.u8("channel", address_of(order.channel)).u8("level", NONE)),
    ReadStatus: (CONTROL, 0x05, _write_request),
    Reboot: (SYSTEM, 0xFE, lambda write, _: write),
    StatusInterval: (CONFIG, 0x07, lambda write, order: write.u32("seconds", order.seconds, min=60, max=86400)),
    Clock: (CONFIG, 0x09, write_clock),
    UsageInterval: (CONFIG, 0x0B, lambda write, order: write.u32("seconds", order.seconds).u8("mains voltage", NONE)),
    BootDelay: (CONFIG, 0x0D, lambda write, order: write.u16("seconds", order.seconds)),
    AlarmLimits: (CONFIG, 0x16, write_limits),
    SunCalendar: (CONFIG, 0x20, _write_calendar),
    Profile: (CONFIG, 0x21, _write_profile),
    Holidays: (CONFIG, 0x23, _write_holidays),
    FallbackLevel: (CONFIG, 0x25, lambda write, order: write.u8("level", order.level, max=100)),
    Position: (CONFIG, 0x26, _write_position),
    LevelNotice: (CONFIG, 0x2A, _write_notice),
    MulticastGroup: (CONFIG, 0x52, write_group),
}
READS_11: dict[tuple[int, int], Reads] = {
    (CONTROL, 0x05): _read_request,
    (SYSTEM, 0xFE): lambda _: Reboot(),
    (CONFIG, 0x07): lambda read: StatusInterval(read.u32("seconds", min=60, max=86400)),
    (CONFIG, 0x09): read_clock,
    (CONFIG, 0x0B): read_usage_interval,
    (CONFIG, 0x0D): read_boot_delay,
    (CONFIG, 0x16): read_limits,
    (CONFIG, 0x20): _read_calendar,
    (CONFIG, 0x21): _read_profile,
    (CONFIG, 0x23): _read_holidays,
    (CONFIG, 0x25): lambda read: FallbackLevel(read.u8("level", max=100, means=words.means_level)),
    (CONFIG, 0x26): _read_position,
    (CONFIG, 0x2A): _read_notice,
    (CONFIG, 0x52): read_group,
}
DOWNLINKS_11 = Downlinks(
    title="UL20xx luminaire controller", ports=(words.READ, CONFIG, SYSTEM, CONTROL), writes=WRITES_11, reads=READS_11,
    forms=Forms("UL20xx luminaire controller", FORMS_11), chains=True,
    headers={CONTROL: words.CONTROL_HEADERS, CONFIG: words.CONFIG_HEADERS, words.READ: words.CONFIG_HEADERS,
             SYSTEM: words.SYSTEM_HEADERS})
