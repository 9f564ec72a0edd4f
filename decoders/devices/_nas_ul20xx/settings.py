"""Settings and commands that only this model has, as `Parameters`: their names, their ranges, and their bytes both ways.

A form is a frame: FPort, header, fields one after the other, and where it ends with repeated fields, those with a number
in their names (`drain_01_time`, `drain_01_on`, `drain_02_time` …). Addresses are the raw byte (FE: all DALI drivers, FF:
all, 01: the analog output, 2n: driver n, 80 + 2n: group n); levels are 0 to 100, 255 is none; times of day count ten
minutes each; flags are the raw byte. What the names mean stands at the end of this file, from the maker's decoder and
data sheet (docs.nasys.no/en/lcu, nasys/nas-codecs).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from city.errors import Invalid, OutOfRange, Truncated
from city.orders import Parameters
from decoders.bits import Means, Reader, Writer
from decoders.codec import unsupported
from decoders.devices._nas_ul20xx.words import CONFIG, CONTROL, NONE, READ, SYSTEM, channel_of, means_address

ACTS = ("clear_", "read_", "factory_", "update_", "dali_", "memory_", "address_", "identify", "report_", "drain_output")
_LEVELS = (*range(101), NONE)
_ADDRESSES = tuple(byte for byte in range(256) if channel_of(byte) is not None)


class Entry(NamedTuple):
    """One field: its name, its form (`B H I b h` little-endian, `W` two bytes as they come, `lux` as thousandths, `only`
    for no byte at all), its range, or the only values it may have."""

    name: str
    form: str
    low: int = 0
    high: int = NONE
    values: Sequence[int] = ()


class Form(NamedTuple):
    """One frame."""

    port: int
    header: bytes
    fields: tuple[Entry, ...]
    repeated: tuple[Entry, ...] = ()
    most: int = 20
    counted: bool = False  # the first byte says how often
    may_be_empty: bool = False

    @property
    def has_bytes(self) -> bool:
        """Whether anything follows the header."""
        return any(entry.form != "only" for entry in (*self.fields, *self.repeated))


class Forms:
    """The forms of one firmware."""

    def __init__(self, title: str, forms: Sequence[Form]) -> None:
        self._title, self._forms = title, forms
        self._by_names = {frozenset(entry.name for entry in (*form.fields, *form.repeated)): form for form in forms}
        self._by_names |= {frozenset(entry.name for entry in form.fields): form for form in forms if form.may_be_empty}

    def encode(self, order: Parameters) -> tuple[int, bytes]:
        """The FPort and the frame; raises Unsupported for names that the firmware does not have, Invalid for values
        beyond their ranges."""
        values = dict(order.values)
        form = self._by_names.get(frozenset(map(_plain, values)))
        if form is None:
            raise unsupported(self._title, order)
        rows = len(values.keys() - {entry.name for entry in form.fields}) // max(1, len(form.repeated))
        entries = [(entry, entry.name) for entry in form.fields]
        entries += [(entry, _numbered(entry.name, row)) for row in range(1, rows + 1) for entry in form.repeated]
        if values.keys() != {name for _, name in entries} or rows > form.most:
            raise unsupported(self._title, order)
        write = Writer().raw("header", form.header)
        if form.counted:
            write.u8("steps", rows)
        for entry, name in entries:
            _write(write, entry, name, values[name])
        return form.port, write.written()

    def decode(self, port: int, header: bytes, read: Reader) -> Parameters | None:
        """The order whose header has been read; None where the firmware has no such form. Raises DecodeError."""
        forms = [form for form in self._forms if (form.port, form.header) == (port, header)]
        if not forms:
            return None
        form = next((form for form in forms if form.has_bytes == bool(read.left)), forms[0])
        count = read.u8("steps", max=form.most) if form.counted else None
        values = {entry.name: _read(read, entry, entry.name) for entry in form.fields}
        if form.repeated:
            values |= _repeated(read, form, count)
        return Parameters(tuple(sorted(values.items())))


def means_cleared(target: int) -> str:
    return {0x01: "light-dependent resistor", 0x03: "digital input", 0x04: "profiles", 0x06: "holidays",
            0x21: "profiles", 0x23: "holidays", 0x28: "digital input", 0x29: "light sensor", 0x52: "multicast groups",
            0xFF: "everything"}.get(target, "not documented")


def _repeated(read: Reader, form: Form, count: int | None) -> dict[str, int]:
    values: dict[str, int] = {}
    row = 0
    while read.left if count is None else row < count:
        row += 1
        if row > form.most:
            raise OutOfRange("“{name}” comes more than {most} times.", name=form.repeated[0].name, most=form.most)
        for entry in form.repeated:
            name = _numbered(entry.name, row)
            values[name] = _read(read, entry, name)
    if not row and not form.may_be_empty:
        raise Truncated("The frame ends too early: “{name}” at byte {offset} needs 1, there are 0.",
                        name=form.repeated[0].name, offset=read.offset)
    return values


def _numbered(name: str, row: int) -> str:
    first, _, last = name.partition("_")
    return f"{first}_{row:02}_{last}"


def _plain(name: str) -> str:
    """A name without its number."""
    parts = name.split("_")
    return "_".join([parts[0], *parts[2:]]) if len(parts) > 2 and parts[1].isdecimal() else name


def _write(write: Writer, entry: Entry, name: str, value: int) -> None:
    low, high = (min(entry.values), max(entry.values)) if entry.values else (entry.low, entry.high)
    if not low <= value <= high or (entry.values and value not in entry.values):
        raise Invalid("{name} must lie between {low} and {high}, not {value}.", field=name, rule=f"{low}…{high}",
                      name=name, value=value, low=low, high=high)
    match entry.form:
        case "only":
            return
        case "lux":
            write.f32(name, value / 1000)
        case "W":
            write.raw(name, value.to_bytes(2, "big"))
        case form:
            write.raw(name, value.to_bytes(_SIZES[form.lower()], "little", signed=form.islower()))


def _read(read: Reader, entry: Entry, name: str) -> int:
    if entry.form == "only":
        return 1
    at = read.offset
    if entry.form == "lux":
        return round(read.f32(name, min=0, max=entry.high / 1000) * 1000)
    means = means_address if entry.values is _ADDRESSES else None
    value = _READERS[entry.form](read, name, means)
    if not entry.low <= value <= entry.high or (entry.values and value not in entry.values):
        raise OutOfRange("“{name}” at byte {offset} is {value}, which is not documented.", name=name, offset=at, value=value)
    return value


_SIZES = {"b": 1, "h": 2, "i": 4}
_READERS: dict[str, Callable[[Reader, str, Means | None], int]] = {
    "B": lambda read, name, means: read.u8(name, means=means), "b": lambda read, name, _: read.i8(name),
    "H": lambda read, name, _: read.u16(name), "h": lambda read, name, _: read.i16(name),
    "I": lambda read, name, _: read.u32(name),
    "W": lambda read, name, _: int.from_bytes(read.raw(name, 2, means=lambda data: data.hex()), "big")}


def _address(name: str) -> Entry:
    return Entry(name, "B", values=_ADDRESSES)


def _level(name: str) -> Entry:
    return Entry(name, "B", values=_LEVELS)


def _flag(name: str) -> Entry:
    return Entry(name, "B", high=1)


def _only(name: str) -> Entry:
    """A command without a value; it is given as 1."""
    return Entry(name, "only", 1, 1)


_MEMORY = (_address("memory_driver"), Entry("memory_bank", "B"), Entry("memory_offset", "B"))
_SHARED = (
    # on and off thresholds of the light-dependent resistor (255: none); flag 4: report
    Form(CONFIG, b"\x01", (Entry("ldr_off", "B"), Entry("ldr_on", "B"), Entry("ldr_flags", "B", values=(0, 4)))),
    # the digital input burns at a level for seconds (65535: never); flags 2: on a rising edge, 4: report
    Form(CONFIG, b"\x03", (Entry("input_seconds", "H", high=0xFFFF), Entry("input_flags", "B", values=(0, 2, 4, 6)),
                           _address("input_address"), _level("input_level"))),
    # the open-drain output by the clock
    Form(CONFIG, b"\x05", (), (Entry("drain_time", "B", high=143), _flag("drain_on")), 24),
    Form(CONFIG, b"\x15", (_flag("status_led"),)),
    Form(CONFIG, b"\xff\x52", (Entry("clear_group", "B", values=(0, 1, 2, 3, 4, NONE)),)),
    # back to the factory's settings: only where the serial number is its own
    Form(CONFIG, b"\xff\xff", (Entry("factory_reset_serial", "I", high=0xFFFFFFFF),)),
    Form(SYSTEM, b"\xff", (_only("update_mode"),)),  # wait for new firmware (DFU)
    # DALI queries and commands: address and opcode, two bytes each
    Form(CONTROL, b"\x03", (), (Entry("dali_query", "W", high=0xFFFF),)),
    Form(CONTROL, b"\x04", (), (Entry("dali_command", "W", high=0xFFFF),)),
    Form(CONTROL, b"\x07", (*_MEMORY, Entry("memory_size", "B"))),
    Form(CONTROL, b"\x08", _MEMORY, (Entry("memory_byte", "B"),), 99, may_be_empty=True),
    Form(CONTROL, b"\x0c", (_flag("drain_output"),)),
)
FORMS_11 = (
    *_SHARED,
    Form(CONFIG, b"\x22", (Entry("fade", "B", values=(*range(16), NONE)),)),  # 0.5 s · √2ⁿ; 255: as it was
    # watch the drivers every seconds (0: never); flags 1: report, 2: correct the level, 4: search the bus
    Form(CONFIG, b"\x24", (Entry("monitor_flags", "B", high=7), Entry("monitor_seconds", "H", high=0xFFFF))),
    Form(CONFIG, b"\x27", (Entry("lumalink", "B", high=3),)),  # never, first commissioning, each restart, always
    # flags 1: a button, 2: high or rising, 4: report on, 8: report off, 128: it is a D4i motion sensor
    Form(CONFIG, b"\x28", (Entry("input_number", "B"), Entry("input_mode", "B"), _address("input_address"),
                           _level("input_on_level"), _level("input_off_level"),
                           Entry("input_on_delay", "H", high=0xFFFF), Entry("input_off_delay", "H", high=0xFFFF))),
    # steps in thousandths of a lux; flags 1: report steps, 2: clamps profiles, 4: clamps the input, 8: interpolates
    Form(CONFIG, b"\x29", (Entry("light_flags", "B", high=15), Entry("light_seconds", "B"), _address("light_address")),
         (Entry("light_mlx", "lux", high=8_000_000), _level("light_level")), 8, counted=True, may_be_empty=True),
    Form(CONFIG, b"\x2b", (Entry("interface", "B", values=(0, 1, NONE)),)),  # DALI, 0-10 V, as it left the factory
    Form(CONFIG, b"\x53", (Entry("group_slot", "B", high=3), Entry("group_counter", "I", high=0xFFFFFFFF))),
    *(Form(CONFIG, bytes([NONE, what]), (_only(name),)) for what, name in (
        (0x23, "clear_holidays"), (0x28, "clear_input"), (0x29, "clear_light_sensor"))),
    Form(CONFIG, b"\xff\x21", (_address("clear_profiles_of"),)),
    *(Form(READ, bytes([what]), (_only(name),)) for what, name in (
        (0x01, "read_ldr"), (0x03, "read_old_input"), (0x07, "read_status_interval"), (0x09, "read_time"),
        (0x0B, "read_usage_interval"), (0x0D, "read_boot_delay"), (0x15, "read_led"), (0x16, "read_limits"),
        (0x20, "read_calendar"), (0x22, "read_fade"), (0x23, "read_holidays"), (0x24, "read_monitor"),
        (0x25, "read_fallback"), (0x26, "read_position"), (0x27, "read_lumalink"), (0x28, "read_input"),
        (0x29, "read_light_sensor"), (0x2A, "read_notice"), (0x2B, "read_interface"))),
    Form(READ, b"\x21", (Entry("read_profile", "B", values=(*range(8), NONE)),)),  # 255: all
    Form(READ, b"\x52", (Entry("read_group", "B", values=(0, 1, 2, 3, NONE)),)),
    Form(CONTROL, b"\x0a", (_address("address_driver"),)),  # give a driver its address; 255: search the bus
    Form(CONTROL, b"\x0b", (_only("identify"),)),
)
FORMS_10 = (
    *_SHARED,
    # minutes by which sunrise and sunset are shifted, and where: hundredths of a degree; all -1: no calendar
    Form(CONFIG, b"\x06", (Entry("sunrise_offset", "b", -128, 127), Entry("sunset_offset", "b", -128, 127),
                           Entry("sun_latitude", "h", -9000, 9000), Entry("sun_longitude", "h", -18000, 18000))),
    # the older defaults; flags 1: report LDR, 4: report the input, 8: report drivers
    Form(CONFIG, b"\x0a", (Entry("default_level", "B", high=100), Entry("default_alerts", "B",
                                                                       values=(0, 1, 4, 5, 8, 9, 12, 13)))),
    Form(CONFIG, b"\x0e\x05", (Entry("default_level", "B", high=100), Entry("fade", "B", values=(*range(16), NONE)))),
    Form(CONFIG, b"\x0e\x02", (_level("max_level"),)),  # 255: as it left the factory
    Form(CONFIG, b"\x0e\x04", (Entry("fade", "B", values=(*range(16), NONE)),)),
    Form(CONFIG, b"\x0e\x08", (_flag("switch_at_sunset"),)),  # 0: at twilight
    Form(CONFIG, b"\x0e\x10", (_flag("legacy_mode"),)),
    *(Form(CONFIG, bytes([NONE, what]), (_only(name),)) for what, name in (
        (0x01, "clear_ldr"), (0x03, "clear_input"), (0x06, "clear_holidays"))),
    Form(CONFIG, b"\xff\x04", (_address("clear_profiles_of"),)),
    *(Form(READ, bytes([what]), (_only(name),)) for what, name in (
        (0x01, "read_ldr"), (0x03, "read_input"), (0x06, "read_calendar"), (0x07, "read_status_interval"),
        (0x09, "read_time"), (0x0A, "read_old_defaults"), (0x0B, "read_usage_interval"), (0x0C, "read_holidays"),
        (0x0D, "read_boot_delay"), (0x0E, "read_defaults"), (0x13, "read_position"), (0x15, "read_led"),
        (0x16, "read_limits"))),
    Form(READ, b"\x08", (Entry("read_profile", "B"),)),  # 255: all
    Form(READ, b"\x08", (_only("read_profiles"),)),
    Form(READ, b"\x52", (Entry("read_group", "B", values=(1, 2, 3, 4, NONE)),)),
    Form(CONTROL, b"\x00", (_address("dali_status"),)),
    Form(CONTROL, b"\x06", (Entry("report_inputs", "B", values=(NONE,)),)),
)
FORMS_06 = tuple(form for form in FORMS_10 if form.port == CONFIG and form.header == b"\x06")
