"""What a UL20xx with firmware 1.0.x or 0.6 can be told, both ways. Multi-byte values are little-endian."""

from city.errors import Invalid, OutOfRange
from city.orders import (
    AlarmLimits,
    BootDelay,
    Clock,
    FallbackLevel,
    Holidays,
    MulticastGroup,
    Order,
    Position,
    Profile,
    ReadStatus,
    Resume,
    SetLevel,
    StatusInterval,
    UsageInterval,
)
from decoders.bits import Reader, Writer
from decoders.devices._nas_ul20xx import words
from decoders.devices._nas_ul20xx.downlinks import (
    READS_11,
    WRITES_11,
    Downlinks,
    Reads,
    Writes,
    no_order,
    part,
    profile_days,
    read_group,
    read_step,
    write_clock,
    write_group,
    write_steps,
)
from decoders.devices._nas_ul20xx.settings import FORMS_06, FORMS_10, Forms
from decoders.devices._nas_ul20xx.words import CONFIG, CONTROL, address_of, bits

_DEFAULTS, _PROFILE, _HOLIDAYS, _POSITION = 0x0E, 0x08, 0x0C, 0x13
_FIRST_REASON = 0xF0  # versions from here on are reasons in a status


def _write_set_clock(write: Writer, order: Clock) -> Writer:
    return write_clock(write, order) if order.at else write.u32("at", 0, min=1)


def _read_set_clock(read: Reader) -> Order:
    at = read.offset
    order = READS_11[CONFIG, 0x09](read)
    if order == Clock():
        raise OutOfRange("“time” at byte {offset} is 0, which is not documented before firmware 1.1.", offset=at)
    return order


def _write_profile(write: Writer, order: Profile) -> Writer:
    write.u8("slot", order.slot, max=254).u8("version", 0).u8("channel", address_of(order.channel))
    return write_steps(write.u8("days", profile_days(order)), order)


def _read_profile(read: Reader) -> Profile:
    slot = read.u8("profile", max=254)
    read.u8("version", max=_FIRST_REASON - 1)
    channel = part(read)
    days = read.u8("days", min=1, means=lambda byte: bits(byte, words.DAYS))
    steps = [read_step(read)]
    while read.left:
        steps.append(read_step(read))
    minutes = [step.minute for step in steps]
    if minutes != sorted(set(minutes)):
        raise OutOfRange("The steps of a profile follow each other in time.")
    return Profile(slot, tuple(day for day in range(8) if days >> day & 1), tuple(steps), channel)


def _write_holidays(write: Writer, order: Holidays) -> Writer:
    if not order.days:
        raise Invalid("{name} must lie between {low} and {high}, not {value}.", field="days", rule="1…20", name="days",
                      low=1, high=20, value=0)
    for month, day in order.days:
        write.u8("month", month, min=1, max=12).u8("day", day, min=1, max=31)
    return write


def _read_holidays(read: Reader) -> Holidays:
    days = [(read.u8("month", min=1, max=12), read.u8("day", min=1, max=31))]
    while read.left:
        days.append((read.u8("month", min=1, max=12), read.u8("day", min=1, max=31)))
    return Holidays(tuple(days))


def _write_position(write: Writer, order: Position) -> Writer:
    name = order.name.encode()
    write.u8("what", 3 if name else 1).i32("latitude", round(order.latitude * 1e7), min=-900_000_000, max=900_000_000)
    write.i32("longitude", round(order.longitude * 1e7), min=-1_800_000_000, max=1_800_000_000)
    return write.u8("name", len(name), max=211).raw("name", name) if name else write


def _read_position(read: Reader) -> Position:
    what = read.u8("what", means=lambda byte: bits(byte, ("position", "address")))
    if what not in (1, 3):
        raise OutOfRange("“what” at byte 1 is {value}, and only 1 or 3 is allowed.", value=what)
    latitude = read.i32("latitude", min=-900_000_000, max=900_000_000, means=lambda raw: f"{raw / 1e7:g}°")
    longitude = read.i32("longitude", min=-1_800_000_000, max=1_800_000_000, means=lambda raw: f"{raw / 1e7:g}°")
    name = b""
    if what == 3:
        name = read.raw("address", read.u8("length of the address"), means=lambda data: data.decode(errors="replace"))
    try:
        return Position(latitude / 1e7, longitude / 1e7, name.decode())
    except UnicodeDecodeError:
        raise OutOfRange("“address” at byte 11 is no UTF-8 text.") from None


def _read_defaults(read: Reader) -> Order:
    which = read.u8("which", means=lambda byte: bits(byte, ("level", "highest level", "fade", "sunset", "legacy mode")))
    if which == 1:
        return FallbackLevel(read.u8("level", max=100, means=words.means_level))
    order = _FORMS_10.decode(CONFIG, bytes([_DEFAULTS, which]), read)
    if order is None:
        raise no_order(bytes([_DEFAULTS, which]), CONFIG)
    return order


def _write_report(write: Writer, order: ReadStatus) -> Writer:
    return write.u8("report", order.usage | order.status << 1 | order.levels << 2 | order.position << 3, max=3)


def _read_report(read: Reader) -> ReadStatus:
    asked = read.u8("report", max=3, means=lambda byte: bits(byte, ("usage", "status")))
    return ReadStatus(bool(asked & 2), bool(asked & 1))


_TITLE_10, _TITLE_06 = "UL20xx luminaire controller, firmware 1.0", "UL2030 luminaire controller, firmware 0.6"
_FORMS_10 = Forms(_TITLE_10, FORMS_10)
_WRITES_06: dict[type, Writes] = {
    SetLevel: WRITES_11[SetLevel],
    StatusInterval: (CONFIG, 0x07, lambda write, order: write.u32("seconds", order.seconds, min=60, max=86400)),
    Clock: (CONFIG, 0x09, _write_set_clock),
    Profile: (CONFIG, _PROFILE, _write_profile),
}
_READS_06: dict[tuple[int, int], Reads] = {
    (CONFIG, 0x07): READS_11[CONFIG, 0x07], (CONFIG, 0x09): _read_set_clock, (CONFIG, _PROFILE): _read_profile}
_AS_11 = (Resume, UsageInterval, BootDelay, AlarmLimits)
_WRITES_10: dict[type, Writes] = _WRITES_06 | {kind: writes for kind, writes in WRITES_11.items() if kind in _AS_11} | {
    ReadStatus: (CONTROL, 0x05, _write_report),
    Holidays: (CONFIG, _HOLIDAYS, _write_holidays),
    FallbackLevel: (CONFIG, _DEFAULTS, lambda write, order: write.u8("which", 1).u8("level", order.level, max=100)),
    Position: (CONFIG, _POSITION, _write_position),
    MulticastGroup: (CONFIG, 0x52, lambda write, order: write_group(write, order, slots=(1, 4))),
}
_READS_10: dict[tuple[int, int], Reads] = _READS_06 | {
    **{(CONFIG, header): READS_11[CONFIG, header] for header in (0x0B, 0x0D, 0x16)},
    (CONTROL, 0x05): _read_report, (CONFIG, _HOLIDAYS): _read_holidays, (CONFIG, _DEFAULTS): _read_defaults,
    (CONFIG, _POSITION): _read_position, (CONFIG, 0x52): lambda read: read_group(read, slots=(1, 4))}

DOWNLINKS_10 = Downlinks(
    title=_TITLE_10, ports=(words.READ, CONFIG, words.SYSTEM, CONTROL), writes=_WRITES_10, reads=_READS_10,
    forms=_FORMS_10, headers={CONTROL: words.CONTROL_HEADERS_10, CONFIG: words.CONFIG_HEADERS_10,
                              words.READ: words.CONFIG_HEADERS_10, words.SYSTEM: words.SYSTEM_HEADERS})
DOWNLINKS_06 = Downlinks(
    title=_TITLE_06, ports=(CONFIG, CONTROL), writes=_WRITES_06, reads=_READS_06, forms=Forms(_TITLE_06, FORMS_06),
    headers={CONTROL: words.CONTROL_HEADERS_06, CONFIG: words.CONFIG_HEADERS_06}, resumes=False, times=False)
