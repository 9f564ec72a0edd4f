"""UL20xx codes and what we call them: addresses, reasons, DALI status, sensors, errors."""

from functools import lru_cache

from city.errors import Invalid
from city.quantities import (
    DEVICE_DEBUG,
    LAMP_DALI_STATUS,
    LAMP_DRIVER_ERROR,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_REASON,
    Measurement,
)

ANALOG, BROADCAST, INTERNAL, NONE = 0x01, 0xFE, 0xFF, 0xFF
CLOCK_SET_SINCE = 1_420_070_400  # 2015: an unset clock starts on 1 January 2000

STATUS, USAGE, READ, CONFIG, SYSTEM, CONTROL, EVENTS, BOOT = 23, 26, 49, 50, 51, 60, 61, 99  # FPorts
OLD_STATUS, OLD_USAGE = 24, 25  # FPorts before firmware 1.1

BOOT_BITS = ("bit-0", "watchdog", "soft", "bit-3", "bit-4", "bit-5", "bit-6", "bit-7")
METER_BITS = ("lamp-error", "over-current", "under-voltage", "over-voltage", "low-power-factor")
SENSORS = {1: "light-dependent resistor", 2: "illuminance", 3: "illuminance by D4i", 4: "digital inputs", 8: "tilt"}
CONFIGS = ("DALI", "DALI NC", "DALI NO", "analog NC", "analog NO", "DALI+analog NC", "DALI+analog NO",
           "DALI+analog NC+NO")
REFUSALS = {
    0x02: "unknown FPort", 0x03: "too short", 0x04: "too long", 0x05: "value error", 0x06: "protocol error",
    0x07: "reserved flag set", 0x08: "flags contradict", 0x09: "feature not available", 0x0A: "unknown header",
    0x0B: "hardware out of reach", 0x0C: "address not available", 0x0D: "internal error", 0x0E: "wrong size",
    0x81: "profile number out of sequence", 0x82: "profile address", 0x83: "profile days",
    0x84: "number of profile steps", 0x85: "profile step value", 0x86: "profile steps not in order"}
DAYS = ("holidays", "Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
CONTROL_HEADERS = {
    0x01: "dim", 0x03: "DALI query", 0x04: "DALI command", 0x05: "report", 0x07: "read driver memory",
    0x08: "write driver memory", 0x09: "dim for minutes", 0x0A: "address a driver", 0x0B: "identify",
    0x0C: "open-drain output"}
CONFIG_HEADERS = {
    0x01: "light-dependent resistor (old)", 0x03: "digital input (old)", 0x05: "open-drain steps",
    0x07: "status interval", 0x09: "time", 0x0B: "usage interval", 0x0D: "boot delay", 0x15: "LED",
    0x16: "alarm limits", 0x20: "calendar", 0x21: "profile", 0x22: "fade", 0x23: "holidays", 0x24: "DALI monitor",
    0x25: "fallback level", 0x26: "location", 0x27: "LumaLink", 0x28: "digital input", 0x29: "light sensor",
    0x2A: "dim notice", 0x2B: "interface", 0x52: "multicast group", 0x53: "multicast counter",
    0xFE: "several settings", 0xFF: "clear"}
EVENTS_11 = {0x80: "digital input", 0x81: "light-dependent resistor", 0x83: "driver alert", 0x84: "meter alert",
             0x85: "light sensor (old)", 0x86: "position"}
FIXES = {0: "good", 1: "none", 2: "error", 255: "error"}
SYSTEM_MESSAGES = {0x00: "boot", 0x01: "shutdown", 0x10: "error", 0x13: "downlink refused"}
SYSTEM_HEADERS = {0xFE: "restart", 0xFF: "update"}
CONTROL_HEADERS_10 = {
    0x00: "DALI status", **{header: CONTROL_HEADERS[header] for header in (0x01, 0x03, 0x04, 0x05)},
    0x06: "report inputs", **{header: CONTROL_HEADERS[header] for header in (0x07, 0x08, 0x09, 0x0C)}}
CONFIG_HEADERS_10 = {
    0x01: "light-dependent resistor", 0x03: "digital input", 0x05: "open-drain steps", 0x06: "calendar",
    0x07: "status interval", 0x08: "profile", 0x09: "time", 0x0A: "defaults (old)", 0x0B: "usage interval",
    0x0C: "holidays", 0x0D: "boot delay", 0x0E: "defaults", 0x13: "location", 0x15: "LED", 0x16: "alarm limits",
    0x52: "multicast group", 0xFF: "clear"}
CONTROL_HEADERS_06 = {0x00: "DALI status", 0x01: "dim", 0x03: "DALI query"}
CONFIG_HEADERS_06 = {0x06: "calendar", 0x07: "status interval", 0x08: "profile", 0x09: "time"}
_DALI_BITS = ("driver error", "lamp failure", "lamp on", "limit error", "fading", "reset state", "no short address",
              "power failure")


def channel_of(address: int) -> str | None:
    """The part of the lamp that an address byte names, "" for all of it; None where it names nothing."""
    return _CHANNELS[address]


def address_of(channel: str, whole: int = BROADCAST) -> int:
    """The address byte of a part, `whole` for ""; raises Invalid where the model has no such part."""
    if not channel:
        return whole
    address = _ADDRESSES.get(channel)
    if address is None:
        raise Invalid("This controller has no part “{channel}”: use dali-0 to dali-63 or group-0 to group-15.",
                      field="channel", rule="dali-0…63, group-0…15", channel=channel[:32])
    return address


def reason_word(code: int) -> str:
    """Why a lamp burns as it does; "unknown" for FF and for codes that the maker does not document."""
    return _REASONS.get(code, "unknown")


def reason_code(word: str) -> int:
    """The inverse of `reason_word`; raises Invalid."""
    code = _REASON_CODES.get(word)
    if code is None:
        raise Invalid("This controller knows no reason “{word}”.", field="reason", rule="vocabulary", word=word[:32])
    return code


def quick_code(word: str) -> int | None:
    """The code of a reason; None where the controller knows none."""
    return _REASON_CODES.get(word)


def light(channel: str, reason: int, level: int, status: int) -> tuple[Measurement, ...]:
    """What the four bytes of one light say."""
    said = [] if level == NONE else [LAMP_LEVEL(level, channel)]
    said.append(LAMP_REASON(reason_word(reason), channel))
    if reason != NONE and reason not in _REASONS:
        said.append(DEVICE_DEBUG(f"{reason:02x}", channel or "reason"))
    return (*said, *dali(channel, status))


@lru_cache(maxsize=1024)
def dali(channel: str, status: int) -> tuple[Measurement, ...]:
    """What a DALI status byte says; nothing where it is FF (not available)."""
    if status == NONE:
        return ()
    return (LAMP_DALI_STATUS(status, channel), LAMP_FAILURE(bool(status & 2), channel),
            LAMP_DRIVER_ERROR(bool(status & 1), channel))


def means_address(address: int) -> str:
    special = {ANALOG: "analog output", BROADCAST: "all DALI drivers", INTERNAL: "all, or the controller itself"}
    return special.get(address) or _CHANNELS[address] or "not an address"


def means_level(level: int) -> str:
    return "not available" if level == NONE else f"{level} %"


def means_dali(status: int) -> str:
    return "not available" if status == NONE else bits(status, _DALI_BITS)


def bits(byte: int, names: tuple[str, ...]) -> str:
    """The names of the bits that are set, "none" where none is; an empty name is a bit we pass over."""
    return ", ".join(name for i, name in enumerate(names) if name and byte >> i & 1) or "none"


def _channels() -> tuple[str | None, ...]:
    table: list[str | None] = [None] * 256
    for address in range(0, 0x80, 2):
        table[address] = f"dali-{address >> 1}"
    for address in range(0x80, 0xA0, 2):
        table[address] = f"group-{address >> 1 & 0xF}"
    table[ANALOG] = table[BROADCAST] = table[INTERNAL] = ""
    return tuple(table)


_CHANNELS = _channels()
_ADDRESSES = {channel: address for address, channel in enumerate(_CHANNELS) if channel}
_REASONS = {
    **{code: f"profile-{code}" for code in range(8)}, 0x21: "calendar-day", 0x22: "calendar-night",
    **{0x30 + step: f"dawn-{step}" for step in range(16)}, **{0x50 + step: f"dusk-{step}" for step in range(16)},
    0x70: "input", 0x71: "input", **{0x80 + step: f"light-{step}" for step in range(8)}, 0xF5: "relay-off",
    0xF6: "no-driver", 0xF8: "fallback", 0xFA: "ldr", 0xFC: "input", 0xFD: "manual"}
REASONS_10 = {
    0xF6: "no-driver", 0xF7: "calendar", 0xF8: "init", 0xF9: "profile-off", 0xFA: "ldr", 0xFC: "input", 0xFD: "manual",
    0xFE: "differs", 0xFF: "unknown"}
REASON_CODES_10 = {word: code for code, word in REASONS_10.items()}
_REASON_CODES = {word: code for code, word in reversed(_REASONS.items())} | {"input": 0x71, "unknown": 0xFF}
