"""The controller's side: the uplink that says given measurements, for the simulator."""

from collections.abc import Callable, Mapping, Sequence
from math import log10

from city.errors import Invalid, Unsupported
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_CLOCK,
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
    LAMP_DALI_ERROR,
    LAMP_DALI_STATUS,
    LAMP_DRIVER_ERROR,
    LAMP_EVENT,
    LAMP_FAILURE,
    LAMP_ILLUMINANCE,
    LAMP_INPUT,
    LAMP_INPUT_COUNT,
    LAMP_LDR,
    LAMP_LEVEL,
    LAMP_METERING_ERROR,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    LAMP_TILT,
    LAMP_VOLTAGE,
    Measurement,
    Quantity,
    Value,
)
from decoders.bits import Writer
from decoders.codec import Frame
from decoders.devices._nas_ul20xx import words
from decoders.devices._nas_ul20xx.meters import METERS
from decoders.devices._nas_ul20xx.parts import summed_up
from decoders.devices._nas_ul20xx.quick import quick
from decoders.devices._nas_ul20xx.status import ALERTS
from decoders.devices._nas_ul20xx.words import INTERNAL, NONE, address_of


def saying(ports: Mapping[int, Callable[["Said"], Frame]]) -> Callable[[int, Sequence[Measurement]], Frame]:
    """An `encode_uplink` for these ports: the frame on `port` that says some measurements. It raises Unsupported where the
    port cannot say them, Invalid for values beyond it.

    What is missing is said as the device says that it does not know, or else as zero; what the whole lamp says only
    because its parts do gets no block of its own.
    """
    def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
        says = ports.get(port)
        if says is None:
            raise cannot(port)
        data = quick(port, measurements)
        if data is not None:
            return Frame(port, data)
        try:
            return says(Said(port, measurements))
        except (ValueError, OverflowError) as error:
            raise Invalid("A UL20xx cannot say this: {what}.", field="measurements", rule="form",
                          what=str(error)) from error
    return encode_uplink


class Said:
    """Measurements by quantity and channel."""

    def __init__(self, port: int, measurements: Sequence[Measurement]) -> None:
        self.port = port
        self.values = {(said.quantity.name, said.channel): said.value for said in measurements}
        parts = [said for said in measurements if said.channel.startswith(("dali-", "group-"))]
        self.channels = list(dict.fromkeys(said.channel for said in parts))
        self._derived = {said.quantity.name: said.value for said in summed_up(parts)}

    def get(self, quantity: Quantity, channel: str = "") -> Value | None:
        return self.values.get((quantity.name, channel))

    def number(self, quantity: Quantity, channel: str = "") -> int:
        return round(float(self.get(quantity, channel) or 0))

    def text(self, quantity: Quantity) -> str:
        value = self.get(quantity)
        if value is None:
            raise Unsupported("A frame on FPort {port} needs {name}.", field="port", rule="FPort", port=self.port,
                              name=quantity.name)
        return str(value)

    def flag(self, quantity: Quantity, bit: int, channel: str = "") -> int:
        return int(bool(self.get(quantity, channel))) << bit

    def own(self, *quantities: Quantity) -> bool:
        """Whether the whole lamp says one of these by itself, and not because its parts say so."""
        return any(self.get(quantity) not in (None, self._derived.get(quantity.name)) for quantity in quantities)


def _status(said: Said) -> Frame:
    state = said.flag(LAMP_DALI_ERROR, 1) | said.flag(LAMP_METERING_ERROR, 5) | said.flag(LAMP_RELAY_CLOSED, 7)
    sensors = _sensors(said)
    write = Writer().u8("header", 1).u32("clock", said.number(DEVICE_CLOCK)).u8("state", state).u8("state 2", 0)
    write.u8("downlink RSSI", -said.number(DEVICE_DOWNLINK_RSSI)).i8("downlink SNR", said.number(DEVICE_DOWNLINK_SNR))
    write.i8("temperature", said.number(DEVICE_TEMPERATURE))
    write.u8("alerts", sum(said.flag(quantity, bit) for bit, quantity in ALERTS))
    write.u8("sensor bytes", len(sensors)).raw("sensors", sensors)
    if said.own(LAMP_LEVEL, LAMP_REASON, LAMP_DALI_STATUS, LAMP_FAILURE, LAMP_DRIVER_ERROR):
        _light(write, said, "")
    for channel in said.channels:
        _light(write, said, channel)
    return Frame(said.port, write.written())


def _light(write: Writer, said: Said, channel: str) -> None:
    level = said.get(LAMP_LEVEL, channel)
    code = words.reason_code(str(said.get(LAMP_REASON, channel) or "unknown"))
    undocumented = said.get(DEVICE_DEBUG, channel or "reason")
    if code == NONE and undocumented is not None:
        code = int(str(undocumented), 16)
    write.u8("address", address_of(channel)).u8("reason", code)
    write.u8("level", NONE if level is None else percent(level)).u8("DALI status", dali(said, channel))


def percent(level: Value) -> int:
    """A level as its byte; raises Invalid beyond 0 to 100."""
    if not 0 <= round(float(level)) <= 100:
        raise Invalid("A level must lie between 0 and 100 %, not {level}.", field="level", rule="0…100", level=level)
    return round(float(level))


def dali(said: Said, channel: str) -> int:
    """The DALI status byte of a part, FF where it says none."""
    status = said.get(LAMP_DALI_STATUS, channel)
    if status is not None:
        return round(float(status))
    if said.get(LAMP_FAILURE, channel) is None and said.get(LAMP_DRIVER_ERROR, channel) is None:
        return NONE
    return said.flag(LAMP_FAILURE, 1, channel) | said.flag(LAMP_DRIVER_ERROR, 0, channel)


def _sensors(said: Said) -> bytes:
    write = Writer()
    if said.get(LAMP_LDR) is not None:
        write.u8("sensor", 1).u8("light-dependent resistor", said.number(LAMP_LDR))
    if said.own(LAMP_ILLUMINANCE) and said.get(LAMP_ILLUMINANCE) != said.get(LAMP_ILLUMINANCE, "d4i"):
        write.u8("sensor", 2).u16("illuminance", _lux(said, ""))
    if said.get(LAMP_ILLUMINANCE, "d4i") is not None:
        write.u8("sensor", 3).u16("illuminance", _lux(said, "d4i"))
    if said.get(LAMP_INPUT) is not None:
        write.u8("sensor", 4).u8("inputs", said.flag(LAMP_INPUT, 0))
    if said.get(LAMP_TILT) is not None:
        write.u8("sensor", 8).u8("tilt", said.number(LAMP_TILT))
    unknown = said.get(DEVICE_DEBUG, "sensors")
    return write.raw("undocumented sensors", bytes.fromhex(str(unknown or ""))).written()


def _lux(said: Said, channel: str) -> int:
    lux = float(said.get(LAMP_ILLUMINANCE, channel) or 0)
    return min(0x7FFF, round(4000 * log10(max(lux, 0.001) * 1000)))


def usage(said: Said, write: Writer) -> Frame:
    """The meters of the lamp and of its parts, behind what has been written."""
    if said.own(*(quantity for quantity, _, _, _ in METERS)):
        _meters(write, said, "", {quantity.name for quantity, _, _, _ in METERS if said.own(quantity)})
    for channel in said.channels:
        _meters(write, said, channel, {quantity.name for quantity, _, _, _ in METERS})
    return Frame(said.port, write.written())


def _meters(write: Writer, said: Said, channel: str, wanted: set[str]) -> None:
    values = [said.get(quantity, channel) if quantity.name in wanted else None for quantity, _, _, _ in METERS]
    mask = sum(1 << bit for bit, value in enumerate(values) if value is not None)
    write.u8("address", address_of(channel, INTERNAL)).u8("fields", mask)
    for value, (_, name, code, steps) in zip(values, METERS, strict=True):
        if value is not None:
            _WIDTHS[code](write, name, round(float(value) * steps))


def event(said: Said) -> Frame:
    """What the lamp reports at once, by LAMP_EVENT."""
    event = said.text(LAMP_EVENT)
    for begin, says in _EVENTS.items():
        if event.startswith(begin):
            return Frame(said.port, says(said, event).written())
    raise cannot(said.port)


def _input_event(said: Said, event: str) -> Writer:
    count = said.number(LAMP_INPUT_COUNT)
    if event == "input":
        return Writer().u8("event", 0x80).u8("form", 0x20).u16("switchings", count)
    return Writer().u8("event", 0x80).u8("form", 0x40 | said.flag(LAMP_INPUT, 0)).u32("switchings", count)


def _ldr_event(said: Said, event: str) -> Writer:
    write = Writer().u8("event", 0x81).u8("form", 0x20).u8("state", int(event == "ldr-on"))
    return write.u8("light-dependent resistor", said.number(LAMP_LDR))


def _driver_event(said: Said, _: str) -> Writer:
    write = Writer().u8("event", 0x83).u8("form", 0x20)
    whole = said.own(LAMP_DALI_STATUS, LAMP_FAILURE, LAMP_DRIVER_ERROR)
    for channel in ["", *said.channels] if whole else said.channels:
        write.u8("address", address_of(channel)).u8("DALI status", dali(said, channel))
    return write


def _meter_event(said: Said, event: str) -> Writer:
    named = event.removeprefix("meter:").split("+")
    condition = sum(1 << bit for bit, name in enumerate(words.METER_BITS) if name in named)
    factor = said.get(LAMP_POWER_FACTOR)
    write = Writer().u8("event", 0x84).u8("condition", condition).u16("power", said.number(LAMP_POWER))
    write.u16("voltage", said.number(LAMP_VOLTAGE))
    return write.u8("power factor", NONE if factor is None else round(float(factor) * 100))


def _light_event(_: Said, event: str) -> Writer:
    return Writer().u8("event", 0x85).u8("step", int(event.removeprefix("light-step-")))


def _place_event(said: Said, event: str) -> Writer:
    write = Writer().u8("event", 0x86)
    if event != "position":
        return write.u8("fix", 1 if event == "no-position" else 2)
    write.u8("fix", 0).f32("latitude", float(said.get(DEVICE_LATITUDE) or 0))
    return write.f32("longitude", float(said.get(DEVICE_LONGITUDE) or 0)).u32("time of the fix", 0)


def boot(said: Said) -> Frame:
    """A restart, else a refusal. The parts that no quantity carries are those of the maker's own example."""
    if said.get(DEVICE_REJECTED) is not None:
        port, _, code = said.text(DEVICE_REJECTED).partition(":")
        return Frame(said.port, Writer().u8("header", 0x13).u8("FPort", int(port)).u8("error", int(code, 16)).written())
    write = Writer().u8("header", 0).u32("serial number", int(said.text(DEVICE_SERIAL), 16))
    major, minor, patch = (int(part) for part in said.text(DEVICE_FIRMWARE).split("."))
    write.u8("firmware", major).u8("firmware", minor).u8("firmware", patch)
    write.u32("clock", said.number(DEVICE_CLOCK)).raw("features", bytes.fromhex("000cfe01"))
    named = said.text(DEVICE_BOOT)
    if named != "unknown":
        write.u8("reset reason", sum(1 << bit for bit, word in enumerate(words.BOOT_BITS) if word in named.split("+")))
    return Frame(said.port, write.written())


def echo(said: Said) -> Frame:
    """A downlink repeated, where DEVICE_ECHO has its bytes."""
    port, _, data = said.text(DEVICE_ECHO).partition(":")
    if port != str(said.port) or "sha256" in data:
        raise cannot(said.port)
    return Frame(said.port, bytes.fromhex(data))


def cannot(port: int) -> Unsupported:
    return Unsupported("A UL20xx cannot say this on FPort {port}.", field="port", rule="FPort", port=port)


_WIDTHS: dict[str, Callable[[Writer, str, int], Writer]] = {"B": Writer.u8, "H": Writer.u16, "I": Writer.u32}
_EVENTS: dict[str, Callable[[Said, str], Writer]] = {
    "input": _input_event, "ldr": _ldr_event, "driver-alert": _driver_event, "meter:": _meter_event,
    "light-step-": _light_event, "position": _place_event, "no-position": _place_event}
ANSWERS_11: dict[int, Callable[[Said], Frame]] = {
    words.STATUS: _status, words.USAGE: lambda said: usage(said, Writer().u8("header", 0)), words.CONFIG: echo,
    words.CONTROL: echo, words.EVENTS: event, words.BOOT: boot}
