"""The controller's side with firmware 1.0.x and 0.6: the uplink that says given measurements, for the simulator."""

from collections.abc import Callable
from functools import partial

from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_DEBUG,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_ECHO,
    DEVICE_EVENT,
    DEVICE_FAULT,
    DEVICE_FIRMWARE,
    DEVICE_SERIAL,
    DEVICE_TEMPERATURE,
    LAMP_DALI_ERROR,
    LAMP_DALI_STATUS,
    LAMP_DRIVER_ERROR,
    LAMP_FAILURE,
    LAMP_INPUT,
    LAMP_LDR,
    LAMP_LEVEL,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
)
from decoders.bits import Writer
from decoders.codec import Frame
from decoders.devices._nas_ul20xx import words
from decoders.devices._nas_ul20xx.answers import Said, boot, cannot, dali, echo, event, percent, usage
from decoders.devices._nas_ul20xx.old_status import FAULTS_06, FAULTS_10, RELAY_06
from decoders.devices._nas_ul20xx.status import ALERTS
from decoders.devices._nas_ul20xx.words import NONE, REASON_CODES_10, address_of

_EVERY_DAY = 0xFF


def _status_10(said: Said) -> Frame:
    state = _faults(said, FAULTS_10) | said.flag(LAMP_DALI_ERROR, 1) | said.flag(LAMP_INPUT, 4)
    ldr = said.get(LAMP_LDR)
    write = Writer().u32("clock", said.number(DEVICE_CLOCK)).u8("state", state | said.flag(LAMP_RELAY_CLOSED, 7))
    write.u8("downlink RSSI", -said.number(DEVICE_DOWNLINK_RSSI)).i8("downlink SNR", said.number(DEVICE_DOWNLINK_SNR))
    write.i8("temperature", said.number(DEVICE_TEMPERATURE))
    write.u8("flags", (ldr is not None) << 1 | sum(said.flag(quantity, bit) for bit, quantity in ALERTS))
    if ldr is not None:
        write.u8("light-dependent resistor", round(float(ldr)))
    return _profiles(write, said, REASON_CODES_10)


def _status_06(said: Said) -> Frame:
    state = _faults(said, FAULTS_06) | said.flag(LAMP_DALI_ERROR, 1) | said.flag(LAMP_RELAY_CLOSED, 7, RELAY_06)
    state |= int(str(said.get(DEVICE_DEBUG, "state") or "0"), 16)
    write = Writer().u32("clock", said.number(DEVICE_CLOCK)).u8("state", state)
    return _profiles(write.i8("downlink RSSI", said.number(DEVICE_DOWNLINK_RSSI)), said, {"unknown": 0})


def _faults(said: Said, names: tuple[tuple[int, str], ...]) -> int:
    told = str(said.get(DEVICE_FAULT) or "none").split("+")
    return sum(bit for bit, word in names if word in told)


def _profiles(write: Writer, said: Said, codes: dict[str, int]) -> Frame:
    whole = said.own(LAMP_LEVEL, LAMP_REASON)
    for channel in ["", *said.channels] if whole else said.channels:
        for word in str(said.get(LAMP_REASON, channel) or "unknown").split("+"):
            number = word.removeprefix("profile-")
            profile, version = (int(number), 0) if number.isdecimal() else (NONE, _version(said, channel, word, codes))
            shown = said.get(LAMP_LEVEL, channel)
            write.u8("profile", profile).u8("version", version).u8("address", address_of(channel))
            write.u8("days", _EVERY_DAY).u8("level", NONE if shown is None else percent(shown))
    return Frame(said.port, write.written())


def _version(said: Said, channel: str, word: str, codes: dict[str, int]) -> int:
    undocumented = said.get(DEVICE_DEBUG, channel or "reason")
    if word == "unknown" and undocumented is not None:
        return int(str(undocumented), 16)
    if word not in codes:
        raise ValueError(f"reason {word[:32]}")
    return codes[word]


def _control(said: Said, inputs: bool) -> Frame:
    """A command repeated, or the answer to a question about drivers or (1.0.x) inputs."""
    if said.get(DEVICE_ECHO) is not None:
        return echo(said)
    if inputs and said.get(LAMP_RELAY_CLOSED) is not None:
        return _inputs(said)
    whole = said.own(LAMP_DALI_STATUS, LAMP_FAILURE, LAMP_DRIVER_ERROR)
    channels = ["", *said.channels] if whole else said.channels
    if not channels:
        raise cannot(said.port)
    write = Writer().u8("command", 0)
    for channel in channels:
        write.u8("address", address_of(channel)).u8("DALI status", dali(said, channel))
    return Frame(said.port, write.written())


def _inputs(said: Said) -> Frame:
    ldr = said.get(LAMP_LDR)
    write = Writer().u8("command", 6).u8("input", 1)
    write.u8("input", NONE if said.get(LAMP_INPUT) is None else said.flag(LAMP_INPUT, 0)).u8("input", 2)
    write.u8("light-dependent resistor", NONE if ldr is None else round(float(ldr))).raw("thermistor", b"\x03\xff")
    return Frame(said.port, write.u8("outputs", 4).u8("outputs", said.flag(LAMP_RELAY_CLOSED, 0)).written())


def _boot_06(said: Said) -> Frame:
    rest = bytes.fromhex(str(said.get(DEVICE_DEBUG) or ""))
    if said.get(DEVICE_EVENT) is not None:
        return Frame(said.port, b"\x01" + rest)
    if said.get(DEVICE_FAULT) is not None:
        code = said.text(DEVICE_FAULT).removeprefix("error-")
        return Frame(said.port, bytes([0x10, 2 if code == "unaddressed-drivers" else int(code, 16)]) + rest)
    write = Writer().u8("header", 0).u32("serial number", int(said.text(DEVICE_SERIAL), 16))
    major, minor, patch = (int(part) for part in said.text(DEVICE_FIRMWARE).split("."))
    write.u8("firmware", major).u8("firmware", minor).u8("firmware", patch).u32("clock", said.number(DEVICE_CLOCK))
    return Frame(said.port, write.raw("hardware and options", b"\x05\x00").written() + rest)


def _bare_usage(said: Said) -> Frame:
    return usage(said, Writer())


ANSWERS_10: dict[int, Callable[[Said], Frame]] = {
    words.OLD_STATUS: _status_10, words.OLD_USAGE: _bare_usage, words.CONFIG: echo,
    words.CONTROL: partial(_control, inputs=True), words.EVENTS: event, words.BOOT: boot}
ANSWERS_06: dict[int, Callable[[Said], Frame]] = {
    words.OLD_STATUS: _status_06, words.OLD_USAGE: _bare_usage, words.CONFIG: echo,
    words.CONTROL: partial(_control, inputs=False), words.BOOT: _boot_06}
