"""What a UL20xx says, by firmware. Multi-byte values are little-endian."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from city.errors import DecodeError, OutOfRange, Truncated, UnknownVersion
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
from decoders.devices._nas_ul20xx.words import NONE, bits

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


def _events(known: Mapping[int, Says]) -> Says:
    def says(frame: Frame) -> list[Measurement]:
        says = known.get(frame.data[0]) if frame.data else None
        if says is not None:
            return says(frame)
        header = frame.reader().u8("event", means=lambda header: words.EVENTS_11.get(header, "not documented"))
        raise UnknownVersion("A UL20xx has no event {header}.", header=f"{header:02x}")
    return says


def _input_event(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    count = frame.data[1] >> 4 if len(frame.data) > 1 else 2
    if count not in (2, 4):
        read.record(layouts.DRIVER_EVENT)
        raise OutOfRange("An input event has 2 or 4 bytes, not {count}.", count=count)
    _, form, switchings = read.record(layouts.INPUT_SHORT if count == 2 else layouts.INPUT_LONG)
    read.end()
    counted = Measurement(LAMP_INPUT_COUNT, switchings)
    return [_INPUT_EVENT, counted] if count == 2 else [_INPUT_EVENTS[form & 1], INPUT[form & 1], counted]


def _ldr_event(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    _, form, state, ldr = read.record(layouts.LDR_EVENT)
    if form >> 4 != 2:
        raise OutOfRange("“form” at byte 1 is {value}, and only 32 to 47 is allowed.", value=form)
    read.end()
    return [_LDR_EVENTS[state & 1], LDR[ldr]]


def _driver_event(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    read.record(layouts.DRIVER_EVENT)
    return [_DRIVER_EVENT, *_drivers(read, frame.data)]


def _meter_event(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    _, condition, power, voltage, factor = read.record(layouts.METER)
    read.end()
    said = [_METER_EVENTS[condition], Measurement(LAMP_POWER, float(power)), Measurement(LAMP_VOLTAGE, float(voltage))]
    return said if factor == NONE else [*said, Measurement(LAMP_POWER_FACTOR, factor / 100)]


def _light_event(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    _, step = read.record(layouts.LIGHT_EVENT)
    read.end()
    return [LAMP_EVENT(f"light-step-{step}")]


def _place_event(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    _, fix = read.record(layouts.PLACE_EVENT)
    if fix:
        if fix not in words.FIXES:
            raise OutOfRange("“fix” at byte 1 is {value}, and only 0, 1, 2 or 255 is allowed.", value=fix)
        read.end()
        return [LAMP_EVENT("no-position" if fix == 1 else "position-error")]
    latitude, longitude = read.f32("latitude", min=-90, max=90), read.f32("longitude", min=-180, max=180)
    read.u32("time of the fix")
    read.end()
    return [_POSITION, Measurement(DEVICE_LATITUDE, latitude), Measurement(DEVICE_LONGITUDE, longitude)]


def _drivers(read: Reader, data: bytes) -> Sequence[Measurement]:
    """What the drivers to the end of the frame say."""
    if type(read) is Reader:
        try:
            return _drivers_before(data[read.offset:])
        except DecodeError:
            pass  # read again, so that the error names the byte of the frame
    return _drivers_of(read)


def _drivers_of(read: Reader) -> list[Measurement]:
    main: list[Measurement] = []
    parts: list[Measurement] = []
    while read.left:
        address, status = read.record(layouts.DRIVER)
        channel = known(address, read.offset - 2)
        (parts if channel else main).extend(words.dali(channel, status))
    return with_main(main, parts)


@lru_cache(maxsize=1024)
def _drivers_before(tail: bytes) -> tuple[Measurement, ...]:
    return tuple(_drivers_of(Reader(tail)))


def _boot(frame: Frame) -> list[Measurement]:
    data, read = frame.data, frame.reader()
    header = data[0] if data else 0
    if header == 0x13:
        _, port, code = read.record(layouts.REFUSAL)
        read.end()
        return [DEVICE_REJECTED(f"{port}:{code:02x}")]
    if header != 0:
        read.u8("header", means=layouts.means_system)
        raise UnknownVersion("A UL20xx has no system message {header}.", header=f"{header:02x}")
    _, serial, major, minor, patch, epoch, _, _, _, _ = read.record(layouts.RESTART)
    cause = read.u8("reset reason", means=lambda byte: bits(byte, words.BOOT_BITS)) if read.left else None
    read.end()
    return [*_born(serial, major, minor, patch), *clock(epoch), DEVICE_BOOT("unknown") if cause is None else _BOOTS[cause]]


def _born(serial: int, major: int, minor: int, patch: int) -> tuple[Measurement, Measurement]:
    return Measurement(DEVICE_SERIAL, f"{serial:08X}"), Measurement(DEVICE_FIRMWARE, f"{major}.{minor}.{patch}")


def _boot_06(frame: Frame) -> list[Measurement]:
    """FPort 99 of firmware 0.6; frames are longer than its document says, so the rest is kept."""
    data, read = frame.data, frame.reader()
    if not data or data[0] == 0:
        _, serial, major, minor, patch, epoch, _, _ = read.record(layouts.RESTART_06)
        return _with_rest(read, [*_born(serial, major, minor, patch), *clock(epoch), DEVICE_BOOT("unknown")])
    header = read.u8("header", means=layouts.means_system)
    if header == 1:
        said = [DEVICE_EVENT("shutdown")]
    elif header == 0x10:
        code = read.u8("error", means=lambda code: "several drivers without address" if code == 2 else "not documented")
        said = [DEVICE_FAULT(_UNADDRESSED if code == 2 else f"error-{code:02x}")]
    else:
        raise UnknownVersion("A UL20xx has no system message {header}.", header=f"{header:02x}")
    return _with_rest(read, said)


def _with_rest(read: Reader, said: list[Measurement]) -> list[Measurement]:
    return [*said, DEVICE_DEBUG(read.rest("undocumented").hex())] if read.left else said


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
    return list(_drivers(read, frame.data))


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


_INPUT_EVENT, _INPUT_EVENTS = LAMP_EVENT("input"), (LAMP_EVENT("input-off"), LAMP_EVENT("input-on"))
_LDR_EVENTS = (LAMP_EVENT("ldr-off"), LAMP_EVENT("ldr-on"))
_DRIVER_EVENT, _POSITION = LAMP_EVENT("driver-alert"), LAMP_EVENT("position")
_METER_EVENTS = tuple(LAMP_EVENT("meter:" + ("+".join(
    name for bit, name in enumerate(words.METER_BITS) if condition >> bit & 1) or "none")) for condition in range(256))
_BOOTS = tuple(DEVICE_BOOT("+".join(name for bit, name in enumerate(words.BOOT_BITS) if cause >> bit & 1) or "unspecified")
               for cause in range(256))
_EVENTS_10: dict[int, Says] = {0x80: _input_event, 0x81: _ldr_event, 0x83: _driver_event, 0x84: _meter_event}
_EVENTS = _EVENTS_10 | {0x85: _light_event, 0x86: _place_event}
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
