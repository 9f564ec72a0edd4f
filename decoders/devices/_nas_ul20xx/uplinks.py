"""What a UL20xx says (firmware 1.1.x). Multi-byte values are little-endian."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from city.errors import OutOfRange, UnknownPort, UnknownVersion
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_CLOCK,
    DEVICE_CLOCK_VALID,
    DEVICE_DEBUG,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_ECHO,
    DEVICE_FIRMWARE,
    DEVICE_LATITUDE,
    DEVICE_LONGITUDE,
    DEVICE_REJECTED,
    DEVICE_SERIAL,
    DEVICE_TEMPERATURE,
    LAMP_ALERT_LAMP,
    LAMP_ALERT_POWER,
    LAMP_ALERT_POWER_FACTOR,
    LAMP_ALERT_VOLTAGE,
    LAMP_BURN_TIME,
    LAMP_DALI_ERROR,
    LAMP_DRIVER_ERROR,
    LAMP_DRIVER_TIME,
    LAMP_ENERGY,
    LAMP_EVENT,
    LAMP_FAILURE,
    LAMP_ILLUMINANCE,
    LAMP_INPUT,
    LAMP_INPUT_COUNT,
    LAMP_LDR,
    LAMP_LEVEL,
    LAMP_LOAD_ENERGY,
    LAMP_LOAD_POWER,
    LAMP_METERING_ERROR,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_RELAY_CLOSED,
    LAMP_TILT,
    LAMP_VOLTAGE,
    Measurement,
    Quantity,
)
from decoders.bits import Part, Reader, Record
from decoders.codec import Frame
from decoders.devices._nas_ul20xx import layouts, words
from decoders.devices._nas_ul20xx.words import NONE, bits, channel_of, means_address, means_dali

METERS: tuple[tuple[Quantity, str, str, float], ...] = (  # in the order of the bit mask; what one step is worth
    (LAMP_ENERGY, "active energy", "I", 1), (LAMP_POWER, "active power", "H", 1),
    (LAMP_LOAD_ENERGY, "load-side energy", "I", 1), (LAMP_LOAD_POWER, "load-side power", "H", 1),
    (LAMP_POWER_FACTOR, "power factor", "B", 100), (LAMP_VOLTAGE, "mains voltage", "B", 1),
    (LAMP_DRIVER_TIME, "driver time", "I", 1), (LAMP_BURN_TIME, "lamp-on time", "I", 1))
SUMMED = frozenset(q.name for q in (LAMP_ENERGY, LAMP_POWER, LAMP_LOAD_ENERGY, LAMP_LOAD_POWER))
ALERTS = ((4, LAMP_ALERT_VOLTAGE), (5, LAMP_ALERT_LAMP), (6, LAMP_ALERT_POWER), (7, LAMP_ALERT_POWER_FACTOR))


def decode_uplink(frame: Frame) -> list[Measurement]:
    """What the frame says; raises DecodeError and nothing else."""
    says = _PORTS.get(frame.port)
    if says is None:
        raise UnknownPort("A UL20xx sends nothing documented on FPort {port}.", port=frame.port)
    return says(frame)


def echo(frame: Frame) -> str:
    """A downlink as DEVICE_ECHO repeats it: port:hex, but hashed behind the header where it may hold keys."""
    data = frame.data
    if frame.port == words.CONFIG and data[:1] in (b"\x52", b"\xfe"):
        return f"{frame.port}:{data[:1].hex()}sha256:{sha256(data).hexdigest()[:32]}"
    return f"{frame.port}:{data.hex()}"


def with_main(main: list[Measurement], parts: list[Measurement]) -> list[Measurement]:
    """`main`, what the parts together say of the whole lamp where `main` does not, and the parts."""
    if not parts:
        return main
    known = {said.quantity.name for said in main}
    if any(part.quantity.name not in known for part in parts):
        main += summed_up(parts, known)
    return main + parts


def summed_up(parts: Sequence[Measurement], known: set[str] | frozenset[str] = frozenset()) -> list[Measurement]:
    """What parts say of the whole, quantities in `known` left out: what one part alone says, the sum of all drivers'
    power and energy, a level that all agree on, a failure of any."""
    told: dict[str, list[Measurement]] = {}
    for part in parts:
        if part.quantity.name not in known and part.quantity is not DEVICE_DEBUG:
            told.setdefault(part.quantity.name, []).append(part)
    if not told:
        return []
    drivers = len({part.channel for part in parts})
    whole = (_whole(name, said, drivers) for name, said in told.items())
    return [said for said in whole if said is not None]


def _whole(name: str, said: list[Measurement], drivers: int) -> Measurement | None:
    quantity, value = said[0].quantity, said[0].value
    if len(said) == 1:
        # power of one driver among several is not the lamp's
        return None if drivers > 1 and name in SUMMED else quantity(value)
    if name in SUMMED and len(said) == drivers and all(part.channel.startswith("dali-") for part in said):
        return quantity(sum(float(part.value) for part in said))
    if quantity is LAMP_FAILURE or quantity is LAMP_DRIVER_ERROR:
        return quantity(any(part.value for part in said))
    if quantity is LAMP_LEVEL and all(part.value == value for part in said):
        return quantity(value)
    return None


def _status(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    header = read.u8("header", means=layouts.means_status)
    parts: list[Measurement] = []
    if header == 1:
        epoch, state, _, rssi, snr, temperature, alerts, sensors = read.record(layouts.HEAD)
        main = [*clock(epoch), *_state(state), *_radio(rssi, snr), _warmth(temperature), *_alerts(alerts)]
        if sensors:
            _sensors(read.block("sensors", sensors), main, parts)
    elif header == 0:
        main = _old_head(read)
    else:
        raise UnknownVersion("A UL20xx status begins with 00 or 01, not {header}.", header=f"{header:02x}")
    complete = False
    sensed = bool(parts)
    while read.left:
        address, reason, level, status = read.record(layouts.LIGHT)
        channel = _known(address, read.offset - 4)
        if level > 100 and level != NONE:
            raise OutOfRange("“level” at byte {offset} is {value}, and only 0 to 100 or 255 is allowed.",
                             offset=read.offset - 2, value=level)
        said = words.light(channel, reason, level, status)
        if channel:
            parts += said
        else:
            main += said
            complete = level != NONE and status != NONE
    return main + parts if complete and not sensed else with_main(main, parts)


def _old_head(read: Reader) -> list[Measurement]:
    epoch, state, rssi, snr, temperature, flags = read.record(layouts.OLD_HEAD)
    said = [*clock(epoch), *_state(state), *_radio(rssi, snr), _warmth(temperature), LAMP_INPUT(bool(state & 0x10))]
    if flags & 2:
        said.append(LAMP_LDR(read.u8("light-dependent resistor")))
    if flags & 0x10:
        said += _alerts(read.u8("alerts", means=layouts.means_alerts))
    return said


def _sensors(read: Reader, main: list[Measurement], parts: list[Measurement]) -> None:
    while read.left:
        kind = read.u8("sensor", means=layouts.means_sensor)
        if kind == 1:
            main.append(LAMP_LDR(read.u8("light-dependent resistor")))
        elif kind in (2, 3):
            raw = read.u16("illuminance", means=layouts.means_lux)
            if raw != 0xFFFF and kind == 2:
                main.append(LAMP_ILLUMINANCE(layouts.lux(raw)))
            elif raw != 0xFFFF:
                parts.append(LAMP_ILLUMINANCE(layouts.lux(raw), "d4i"))
        elif kind == 4:
            main.append(_INPUT[read.u8("inputs", means=layouts.means_switch) & 1])
        elif kind == 8:
            tilt = read.u8("tilt", means=layouts.means_tilt)
            if tilt != NONE:
                main.append(LAMP_TILT(tilt))
        else:
            parts.append(DEVICE_DEBUG(bytes([kind, *read.rest("undocumented sensors")]).hex(), "sensors"))


def _usage(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    header = read.u8("header", means=layouts.means_usage)
    if header != 0:
        raise UnknownVersion("A UL20xx usage report begins with 00, not {header}.", header=f"{header:02x}")
    main: list[Measurement] = []
    parts: list[Measurement] = []
    while read.left:
        channel = _known(read.u8("address", means=means_address), read.offset - 1)
        mask = read.u8("fields", means=_means_mask)
        layout, meters = meters_of(mask)
        said = parts if channel else main
        for (quantity, steps), raw in zip(meters, read.record(layout), strict=True):
            if quantity is not LAMP_POWER_FACTOR or raw != NONE:
                said.append(quantity(raw / steps, channel))
    return with_main(main, parts)


def _means_mask(mask: int) -> str:
    return bits(mask, tuple(name for _, name, _, _ in METERS))


@lru_cache(maxsize=256)
def meters_of(mask: int) -> tuple[Record, tuple[tuple[Quantity, float], ...]]:
    """The layout that a bit mask announces, and the quantity and steps of each field."""
    chosen = [meter for bit, meter in enumerate(METERS) if mask >> bit & 1]
    parts = [Part(name, code, _means_meter(quantity, steps)) for quantity, name, code, steps in chosen]
    return Record("little", *parts), tuple((quantity, steps) for quantity, _, _, steps in chosen)


def _means_meter(quantity: Quantity, steps: float) -> Callable[[Any], str]:
    def means(raw: int) -> str:
        if quantity is LAMP_POWER_FACTOR and raw == NONE:
            return "unknown"
        return f"{raw / steps:g} {quantity.unit.replace('.', '')}".strip()
    return means


def _event(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    header = read.u8("event", means=lambda header: _EVENTS[header][0] if header in _EVENTS else "not documented")
    if header not in _EVENTS:
        raise UnknownVersion("A UL20xx has no event {header}.", header=f"{header:02x}")
    said = _EVENTS[header][1](read)
    read.end()
    return said


def _input_event(read: Reader) -> list[Measurement]:
    form = read.u8("form", means=lambda form: f"{form >> 4} bytes, input {'on' if form & 1 else 'off'}")
    if form >> 4 == 2:
        return [LAMP_EVENT("input"), LAMP_INPUT_COUNT(read.u16("switchings"))]
    if form >> 4 != 4:
        raise OutOfRange("An input event has 2 or 4 bytes, not {count}.", count=form >> 4)
    on = bool(form & 1)
    return [LAMP_EVENT("input-on" if on else "input-off"), LAMP_INPUT(on), LAMP_INPUT_COUNT(read.u32("switchings"))]


def _ldr_event(read: Reader) -> list[Measurement]:
    read.u8("form", min=0x20, max=0x2F)
    on = read.u8("state", means=lambda state: "on" if state & 1 else "off") & 1
    return [LAMP_EVENT("ldr-on" if on else "ldr-off"), LAMP_LDR(read.u8("light-dependent resistor"))]


def _driver_event(read: Reader) -> list[Measurement]:
    read.u8("form")
    main, parts = [LAMP_EVENT("driver-alert")], list[Measurement]()
    while read.left:
        channel = _known(read.u8("address", means=means_address), read.offset - 1)
        status = read.u8("DALI status", means=means_dali)
        (parts if channel else main).extend(words.dali(channel, status))
    return with_main(main, parts)


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


def _echo(frame: Frame) -> list[Measurement]:
    read = frame.reader()
    headers = words.CONTROL_HEADERS if frame.port == words.CONTROL else words.CONFIG_HEADERS
    header = read.u8("command", means=lambda header: headers.get(header, "not documented"))
    if header not in headers:
        raise UnknownVersion("A UL20xx has no command {header} on FPort {port}.", header=f"{header:02x}",
                             port=frame.port)
    read.rest("as received", max=241, secret=frame.port == words.CONFIG and header in (0x52, 0xFE))
    return [DEVICE_ECHO(echo(frame))]


def clock(epoch: int) -> tuple[Measurement, Measurement]:
    """The device's own time, and whether it has been set since the restart."""
    return DEVICE_CLOCK(epoch), _CLOCK_VALID[epoch >= words.CLOCK_SET_SINCE]


@lru_cache(maxsize=256)
def _state(byte: int) -> tuple[Measurement, ...]:
    return (LAMP_DALI_ERROR(bool(byte & 0x02)), LAMP_METERING_ERROR(bool(byte & 0x20)),
            LAMP_RELAY_CLOSED(bool(byte & 0x80)))


@lru_cache(maxsize=1024)
def _radio(rssi: int, snr: int) -> tuple[Measurement, ...]:
    return DEVICE_DOWNLINK_RSSI(-rssi), DEVICE_DOWNLINK_SNR(snr)


@lru_cache(maxsize=256)
def _warmth(raw: int) -> Measurement:
    return DEVICE_TEMPERATURE(raw)


@lru_cache(maxsize=256)
def _alerts(byte: int) -> tuple[Measurement, ...]:
    return tuple(quantity(bool(byte >> bit & 1)) for bit, quantity in ALERTS)


def _known(address: int, offset: int) -> str:
    channel = channel_of(address)
    if channel is None:
        raise OutOfRange("“address” at byte {offset} is {value}, which names no part of a lamp.", offset=offset,
                         value=f"{address:02x}")
    return channel


_INPUT = (LAMP_INPUT(False), LAMP_INPUT(True))
_CLOCK_VALID = (DEVICE_CLOCK_VALID(False), DEVICE_CLOCK_VALID(True))
_EVENTS: dict[int, tuple[str, Callable[[Reader], list[Measurement]]]] = {
    0x80: ("digital input", _input_event), 0x81: ("light-dependent resistor", _ldr_event),
    0x83: ("driver alert", _driver_event), 0x84: ("meter alert", _meter_event),
    0x85: ("light sensor (old)", _light_event), 0x86: ("position", _place_event)}
_PORTS: dict[int, Callable[[Frame], list[Measurement]]] = {
    words.STATUS: _status, words.USAGE: _usage, words.CONFIG: _echo, words.CONTROL: _echo, words.EVENTS: _event,
    words.BOOT: _boot}
