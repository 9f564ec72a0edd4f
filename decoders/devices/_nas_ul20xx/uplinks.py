"""What a UL20xx says, by firmware. Multi-byte values are little-endian."""

from collections.abc import Callable, Mapping
from hashlib import sha256

from city.errors import OutOfRange, Truncated, UnknownVersion
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_DEBUG,
    DEVICE_ECHO,
    DEVICE_EVENT,
    DEVICE_FAULT,
    DEVICE_FIRMWARE,
    DEVICE_LATITUDE,
    DEVICE_LONGITUDE,
    DEVICE_REJECTED,
    DEVICE_SERIAL,
    LAMP_EVENT,
    LAMP_INPUT_COUNT,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_RELAY_CLOSED,
    LAMP_VOLTAGE,
    Measurement,
)
from decoders.bits import Reader
from decoders.codec import Frame, unknown_uplink
from decoders.devices._nas_ul20xx import layouts, words
from decoders.devices._nas_ul20xx.meters import usage, usage_06, usage_10
from decoders.devices._nas_ul20xx.old_status import status_06, status_10
from decoders.devices._nas_ul20xx.parts import known, with_main
from decoders.devices._nas_ul20xx.status import INPUT, LDR, clock, status
from decoders.devices._nas_ul20xx.words import NONE, bits, means_address, means_dali

Says = Callable[[Frame], list[Measurement]]
_UNADDRESSED = "unaddressed-drivers"


def hearing(title: str, ports: Mapping[int, Says]) -> Says:
    """A `decode_uplink` for these ports; it raises DecodeError and nothing else."""
    def decode_uplink(frame: Frame) -> list[Measurement]:
        says = ports.get(frame.port)
        if says is None:
            raise unknown_uplink(title, frame.port)
        return says(frame)
    return decode_uplink


def echo(frame: Frame) -> str:
    """A downlink as DEVICE_ECHO repeats it: port:hex, but hashed behind the header where it may hold keys."""
    data = frame.data
    if frame.port == words.CONFIG and data[:1] in (b"\x52", b"\xfe"):
        return f"{frame.port}:{data[:1].hex()}sha256:{sha256(data).hexdigest()[:32]}"
    return f"{frame.port}:{data.hex()}"


def _events(known: Mapping[int, tuple[str, Callable[[Reader], list[Measurement]]]]) -> Says:
    def says(frame: Frame) -> list[Measurement]:
        read = frame.reader()
        header = read.u8("event", means=lambda header: known[header][0] if header in known else "not documented")
        if header not in known:
            raise UnknownVersion("A UL20xx has no event {header}.", header=f"{header:02x}")
        said = known[header][1](read)
        read.end()
        return said
    return says


def _input_event(read: Reader) -> list[Measurement]:
    form = read.u8("form", means=lambda form: f"{form >> 4} bytes, input {'on' if form & 1 else 'off'}")
    if form >> 4 == 2:
        return [LAMP_EVENT("input"), LAMP_INPUT_COUNT(read.u16("switchings"))]
    if form >> 4 != 4:
        raise OutOfRange("An input event has 2 or 4 bytes, not {count}.", count=form >> 4)
    on = bool(form & 1)
    return [LAMP_EVENT("input-on" if on else "input-off"), INPUT[on], LAMP_INPUT_COUNT(read.u32("switchings"))]


def _ldr_event(read: Reader) -> list[Measurement]:
    read.u8("form", min=0x20, max=0x2F)
    on = read.u8("state", means=lambda state: "on" if state & 1 else "off") & 1
    return [LAMP_EVENT("ldr-on" if on else "ldr-off"), LDR[read.u8("light-dependent resistor")]]


def _driver_event(read: Reader) -> list[Measurement]:
    read.u8("form")
    main, parts = [LAMP_EVENT("driver-alert")], list[Measurement]()
    _drivers(read, main, parts)
    return with_main(main, parts)


def _drivers(read: Reader, main: list[Measurement], parts: list[Measurement]) -> None:
    while read.left:
        channel = known(read.u8("address", means=means_address), read.offset - 1)
        (parts if channel else main).extend(words.dali(channel, read.u8("DALI status", means=means_dali)))


def _meter_event(read: Reader) -> list[Measurement]:
    condition = read.u8("condition", means=lambda byte: bits(byte, words.METER_BITS))
    power, voltage, factor = read.record(layouts.METER)
    named = "+".join(name for bit, name in enumerate(words.METER_BITS) if condition >> bit & 1)
    said = [LAMP_EVENT(f"meter:{named or 'none'}"), LAMP_POWER(power), LAMP_VOLTAGE(voltage)]
    return said if factor == NONE else [*said, LAMP_POWER_FACTOR(factor / 100)]


def _light_event(read: Reader) -> list[Measurement]:
    return [LAMP_EVENT(f"light-step-{read.u8('step')}")]


def _place_event(read: Reader) -> list[Measurement]:
    fix = read.u8("fix", means=lambda code: {0: "good", 1: "none", 2: "error", 255: "error"}.get(code, "?"))
    if fix:
        if fix not in (1, 2, NONE):
            raise OutOfRange("“fix” at byte 1 is {value}, and only 0, 1, 2 or 255 is allowed.", value=fix)
        return [LAMP_EVENT("no-position" if fix == 1 else "position-error")]
    latitude, longitude = read.f32("latitude", min=-90, max=90), read.f32("longitude", min=-180, max=180)
    read.u32("time of the fix")
    return [LAMP_EVENT("position"), DEVICE_LATITUDE(latitude), DEVICE_LONGITUDE(longitude)]


def _boot(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    header = read.u8("header", means=lambda header: {0: "boot", 0x13: "downlink refused"}.get(header, "not documented"))
    if header == 0x13:
        port = read.u8("FPort of the downlink")
        code = read.u8("error", means=lambda code: words.REFUSALS.get(code, "not documented"))
        read.end()
        return [DEVICE_REJECTED(f"{port}:{code:02x}")]
    if header != 0:
        raise UnknownVersion("A UL20xx has no system message {header}.", header=f"{header:02x}")
    serial, major, minor, patch, epoch, _, _, _, _ = read.record(layouts.RESTART)
    cause = read.u8("reset reason", means=lambda byte: bits(byte, words.BOOT_BITS)) if read.left else None
    read.end()
    return [DEVICE_SERIAL(f"{serial:08X}"), DEVICE_FIRMWARE(f"{major}.{minor}.{patch}"), *clock(epoch),
            DEVICE_BOOT(boot_words(cause))]


def boot_words(cause: int | None) -> str:
    """Why the controller restarted: "unspecified" where no bit is set, "unknown" where the byte is missing."""
    if cause is None:
        return "unknown"
    return "+".join(name for bit, name in enumerate(words.BOOT_BITS) if cause >> bit & 1) or "unspecified"


def _boot_06(frame: Frame) -> list[Measurement]:
    """FPort 99 of firmware 0.6; frames are longer than its document says, so the rest is kept."""
    read = frame.reader()
    header = read.u8("header", means=lambda header: _SYSTEM_06.get(header, "not documented"))
    if header == 0:
        serial, major, minor, patch, epoch, _, _ = read.record(layouts.RESTART_06)
        said = [DEVICE_SERIAL(f"{serial:08X}"), DEVICE_FIRMWARE(f"{major}.{minor}.{patch}"), *clock(epoch),
                DEVICE_BOOT("unknown")]
    elif header == 1:
        said = [DEVICE_EVENT("shutdown")]
    elif header == 0x10:
        code = read.u8("error", means=lambda code: "several drivers without address" if code == 2 else "not documented")
        said = [DEVICE_FAULT(_UNADDRESSED if code == 2 else f"error-{code:02x}")]
    else:
        raise UnknownVersion("A UL20xx has no system message {header}.", header=f"{header:02x}")
    rest = read.rest("undocumented") if read.left else b""
    return [*said, DEVICE_DEBUG(rest.hex())] if rest else said


def _echoes(control: Mapping[int, str], config: Mapping[int, str]) -> Says:
    def says(frame: Frame) -> list[Measurement]:
        read = frame.reader()
        headers = control if frame.port == words.CONTROL else config
        header = read.u8("command", means=lambda header: headers.get(header, "not documented"))
        if header not in headers:
            raise UnknownVersion("A UL20xx has no command {header} on FPort {port}.", header=f"{header:02x}",
                                 port=frame.port)
        read.rest("as received", max=241, secret=frame.port == words.CONFIG and header in (0x52, 0xFE))
        return [DEVICE_ECHO(echo(frame))]
    return says


def _answers_10(frame: Frame) -> list[Measurement]:
    """FPort 60 of firmware 1.0.x: what it answers to a question about drivers or inputs, else a command repeated."""
    if frame.data[:1] == b"\0" and len(frame.data) != 2:
        return _dali_statuses(frame)
    if frame.data[:1] == b"\6" and len(frame.data) > 2:
        return _inputs(frame)
    return _ECHOES_10(frame)


def _answers_06(frame: Frame) -> list[Measurement]:
    return _dali_statuses(frame) if frame.data[:1] == b"\0" else _ECHOES_06(frame)


def _dali_statuses(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    read.u8("command", means=lambda _: "DALI status")
    if not read.left:
        raise Truncated("The frame ends too early: “address” at byte 1 needs 1, there are 0.")
    main, parts = list[Measurement](), list[Measurement]()
    _drivers(read, main, parts)
    return with_main(main, parts)


def _inputs(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    read.u8("command", means=lambda _: "inputs")
    told: dict[int, int] = {}
    for kind, (name, means) in _INPUTS_10.items():
        read.u8("interface", min=kind, max=kind, means=lambda _, name=name: name)  # type: ignore[misc]
        told[kind] = read.u8(name, means=means)
    read.end()
    said = [INPUT[told[1] & 1]] if told[1] != NONE else []
    said += [LDR[told[2]]] if told[2] != NONE else []
    return [*said, LAMP_RELAY_CLOSED(bool(told[4] & 1))]


_EVENTS_10: dict[int, tuple[str, Callable[[Reader], list[Measurement]]]] = {
    0x80: ("digital input", _input_event), 0x81: ("light-dependent resistor", _ldr_event),
    0x83: ("driver alert", _driver_event), 0x84: ("meter alert", _meter_event)}
_EVENTS = _EVENTS_10 | {0x85: ("light sensor (old)", _light_event), 0x86: ("position", _place_event)}
_SYSTEM_06 = {0: "boot", 1: "shutdown", 0x10: "error"}
_INPUTS_10: dict[int, tuple[str, Callable[[int], str] | None]] = {
    1: ("digital input", lambda raw: "not available" if raw == NONE else layouts.means_switch(raw)),
    2: ("light-dependent resistor", None), 3: ("thermistor", lambda _: "no longer in use"),
    4: ("outputs", lambda byte: bits(byte, ("relay closed", "open-drain on")))}
_ECHOES = _echoes(words.CONTROL_HEADERS, words.CONFIG_HEADERS)
_ECHOES_10 = _echoes(words.CONTROL_HEADERS_10, words.CONFIG_HEADERS_10)
_ECHOES_06 = _echoes(words.CONTROL_HEADERS_06, words.CONFIG_HEADERS_06)
SAYS_11: dict[int, Says] = {
    words.STATUS: status, words.USAGE: usage, words.CONFIG: _ECHOES, words.CONTROL: _ECHOES,
    words.EVENTS: _events(_EVENTS), words.BOOT: _boot}
SAYS_10: dict[int, Says] = {
    words.OLD_STATUS: status_10, words.OLD_USAGE: usage_10, words.CONFIG: _ECHOES_10, words.CONTROL: _answers_10,
    words.EVENTS: _events(_EVENTS_10), words.BOOT: _boot}
SAYS_06: dict[int, Says] = {
    words.OLD_STATUS: status_06, words.OLD_USAGE: usage_06, words.CONFIG: _ECHOES_06, words.CONTROL: _answers_06,
    words.BOOT: _boot_06}
