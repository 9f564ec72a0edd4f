"""The status of firmware 1.0.x and 0.6: what it measures, then the profiles that it keeps, five bytes each."""

from collections.abc import Sequence
from functools import lru_cache

from city.errors import DecodeError, OutOfRange
from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_DEBUG,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_FAULT,
    LAMP_DALI_ERROR,
    LAMP_LEVEL,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    Measurement,
)
from decoders.bits import Reader, Record
from decoders.codec import Frame
from decoders.devices._nas_ul20xx import layouts, words
from decoders.devices._nas_ul20xx.parts import known, with_main
from decoders.devices._nas_ul20xx.status import ALERTED, CLOCK_VALID, INPUT, LDR, RSSI, SIGNED, SNR, WARMTH
from decoders.devices._nas_ul20xx.words import NONE

FAULTS_10 = ((0x01, "dali-outside"), (0x20, "hardware"))
FAULTS_06 = ((0x01, "dali"), (0x20, "hardware"), (0x40, "firmware"))
RELAY_06 = "relay-2"
_OPEN_06 = 0x1C  # LDR, thermistor, input: an alert each, says the only parser that there is, and not which


def status_10(frame: Frame) -> list[Measurement]:
    """FPort 24 of firmware 1.0.x."""
    read = frame.reader()
    epoch, state, rssi, snr, warmth, flags = read.record(layouts.HEAD_10)
    said = [Measurement(DEVICE_CLOCK, float(epoch)), CLOCK_VALID[epoch >= words.CLOCK_SET_SINCE], *_STATE_10[state],
            RSSI[rssi], SNR[snr], WARMTH[warmth], *ALERTED[flags]]
    if flags & 2:
        said.append(LDR[read.u8("light-dependent resistor")])
    said += _kept(read, frame.data, layouts.PROFILE)
    return said


def status_06(frame: Frame) -> list[Measurement]:
    """FPort 24 of firmware 0.6."""
    read = frame.reader()
    epoch, state, rssi = read.record(layouts.HEAD_06)
    said = [Measurement(DEVICE_CLOCK, float(epoch)), CLOCK_VALID[epoch >= words.CLOCK_SET_SINCE], *_STATE_06[state],
            _RSSI_06[rssi]]
    said += _kept(read, frame.data, layouts.PROFILE_06)
    return said


def _kept(read: Reader, data: bytes, layout: Record) -> Sequence[Measurement]:
    """What the profiles to the end of the frame say."""
    if type(read) is Reader:
        try:
            return _kept_before(data[read.offset:], layout)
        except DecodeError:
            pass  # read again, so that the error names the byte of the frame
    return _profiles(read, layout)


@lru_cache(maxsize=4096)
def _kept_before(tail: bytes, layout: Record) -> tuple[Measurement, ...]:
    return tuple(_profiles(Reader(tail), layout))


def _profiles(read: Reader, layout: Record) -> list[Measurement]:
    """Profiles of one address together: the level that they agree on, and each one's reason."""
    levels: dict[str, set[int]] = {}
    reasons: dict[str, dict[str, str]] = {}
    while read.left:
        profile, version, address, _, level = read.record(layout)
        channel = known(address, read.offset - 3)
        if level > 100 and level != NONE:
            raise OutOfRange("“level” at byte {offset} is {value}, and only 0 to 100 or 255 is allowed.",
                             offset=read.offset - 1, value=level)
        levels.setdefault(channel, set()).update({level} - {NONE})
        word, undocumented = _reason(profile, version, layout)
        reasons.setdefault(channel, {})[word] = undocumented
    main: list[Measurement] = []
    parts: list[Measurement] = []
    for channel, told in levels.items():
        (parts if channel else main).extend(_part(channel, told, reasons[channel]))
    return with_main(main, parts)


def _part(channel: str, levels: set[int], reasons: dict[str, str]) -> list[Measurement]:
    said = [LAMP_LEVEL(level, channel) for level in levels] if len(levels) == 1 else []
    said.append(LAMP_REASON("+".join(reasons), channel))
    return said + [DEVICE_DEBUG(code, channel or "reason") for code in reasons.values() if code]


def _reason(profile: int, version: int, layout: Record) -> tuple[str, str]:
    """Why a lamp burns as it does, and an undocumented reason as hex: firmware 1.0.x gives reasons as versions from F0."""
    if layout is layouts.PROFILE and version >= 0xF0:
        word = words.REASONS_10.get(version)
        return (word, "") if word else ("unknown", f"{version:02x}")
    return (f"profile-{profile}" if profile != NONE else "unknown"), ""


def _faults(byte: int, names: Sequence[tuple[int, str]]) -> Measurement:
    return DEVICE_FAULT("+".join(word for bit, word in names if byte & bit) or "none")


def _state_06(byte: int) -> tuple[Measurement, ...]:
    said = (LAMP_DALI_ERROR(bool(byte & 2)), _faults(byte, FAULTS_06), LAMP_RELAY_CLOSED(bool(byte & 0x80), RELAY_06))
    return (*said, DEVICE_DEBUG(f"{byte & _OPEN_06:02x}", "state")) if byte & _OPEN_06 else said


_STATE_10 = tuple((LAMP_DALI_ERROR(bool(byte & 2)), _faults(byte, FAULTS_10), LAMP_RELAY_CLOSED(bool(byte & 0x80)),
                   INPUT[byte >> 4 & 1]) for byte in range(256))
_STATE_06 = tuple(map(_state_06, range(256)))
_RSSI_06 = tuple(DEVICE_DOWNLINK_RSSI(raw) for raw in SIGNED)
