"""UL20xx uplink layouts that never vary, and what their bytes mean in words."""

import math
from datetime import UTC, datetime
from functools import lru_cache

from decoders.bits import Part, Record
from decoders.devices._nas_ul20xx import words
from decoders.devices._nas_ul20xx.words import NONE, bits, means_address, means_dali, means_level


def means_status(header: int) -> str:
    return {0: "status, firmware before 1.1.4", 1: "status, firmware 1.1.4 and later"}.get(header, "not documented")


def means_usage(header: int) -> str:
    return "usage" if header == 0 else "not documented"


def means_sensor(kind: int) -> str:
    return words.SENSORS.get(kind, "not documented")


@lru_cache(maxsize=1024)
def lux(raw: int) -> float:
    """Illuminance in lx from its logarithmic form, rounded to the digits that it carries."""
    exponent = (raw & 0x7FFF) / 4000 - 3
    return round(math.pow(10, exponent), 3 - min(3, max(0, int(exponent))))


def means_lux(raw: int) -> str:
    return "not available" if raw == 0xFFFF else f"{lux(raw)} lx"


def means_tilt(raw: int) -> str:
    return "not available" if raw == NONE else f"{raw}°"


def means_switch(byte: int) -> str:
    return "on" if byte & 1 else "off"


def means_alerts(byte: int) -> str:
    return bits(byte, ("", "", "", "", "voltage", "lamp error", "power", "power factor"))


def means_epoch(epoch: int) -> str:
    shown = datetime.fromtimestamp(epoch, UTC).isoformat(sep=" ")
    return shown if epoch >= words.CLOCK_SET_SINCE else shown + ", clock not set"


_EPOCH = Part("clock", "I", means_epoch)
_RADIO = (Part("downlink RSSI", "B", lambda raw: f"-{raw} dBm"), Part("downlink SNR", "b", lambda raw: f"{raw} dB"),
          Part("temperature", "b", lambda raw: f"{raw} °C"))
HEAD = Record(
    "little", _EPOCH,
    Part("state", "B", lambda byte: bits(byte, ("", "DALI connection error", "", "", "", "metering error",
                                                "external clock warning", "relay closed"))),
    Part("state 2", "B", lambda byte: bits(byte, ("", "", "open-drain on", "", "", "", "LumaLink connected",
                                                  "LumaLink since restart"))),
    *_RADIO, Part("alerts of 24 h", "B", means_alerts), Part("sensor bytes", "B"))
OLD_HEAD = Record(
    "little", _EPOCH,
    Part("state", "B", lambda byte: bits(byte, ("", "DALI connection error", "LDR on", "", "input on",
                                                "metering error", "external clock warning", "relay closed"))),
    *_RADIO, Part("flags", "B", lambda byte: bits(byte, ("", "LDR follows", "open-drain on", "", "alerts follow"))))
LIGHT = Record("little", Part("address", "B", means_address), Part("reason", "B", words.reason_word),
               Part("level", "B", means_level), Part("DALI status", "B", means_dali))
METER = Record("little", Part("power", "H", lambda raw: f"{raw} W"), Part("voltage", "H", lambda raw: f"{raw} V"),
               Part("power factor", "B", lambda raw: "unknown" if raw == NONE else f"{raw / 100:g}"))
RESTART = Record(
    "little", Part("serial number", "I", lambda raw: f"{raw:08X}"), Part("firmware major", "B"),
    Part("firmware minor", "B"), Part("firmware patch", "B"), _EPOCH,
    Part("interface", "B", lambda raw: words.CONFIGS[raw] if raw < len(words.CONFIGS) else "not documented"),
    Part("features", "B", lambda byte: bits(byte, ("", "", "digital input", "LDR", "open-drain", "metering"))),
    Part("DALI supply", "B", lambda raw: f"{'external' if raw & 0x80 else 'internal'}, {_supply(raw & 0x7F)}"),
    Part("drivers", "B", lambda raw: f"{raw & 0x7F}{', and one without address' if raw & 0x80 else ''}"))


def _supply(raw: int) -> str:
    return {0x7E: "bus high", 0x7F: "bus error"}.get(raw) or (f"{raw} V" if raw < 0x70 else "not documented")
