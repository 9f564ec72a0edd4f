"""UL20xx uplink layouts that never vary, and what their bytes mean in words."""

import math
from datetime import UTC, datetime
from functools import lru_cache

from decoders.bits import Part, Record
from decoders.devices._nas_ul20xx import words
from decoders.devices._nas_ul20xx.words import NONE, bits, means_address, means_dali, means_level


def means_status(header: int) -> str:
    return {0: "status, firmware before 1.1.4", 1: "status, firmware 1.1.4 and later"}.get(header, "not documented")


def means_system(header: int) -> str:
    return words.SYSTEM_MESSAGES.get(header, "not documented")


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
_HEADER = Part("header", "B", means_status)
_RADIO = (Part("downlink RSSI", "B", lambda raw: f"-{raw} dBm"), Part("downlink SNR", "b", lambda raw: f"{raw} dB"),
          Part("temperature", "b", lambda raw: f"{raw} °C"))
HEAD = Record(
    "little", _HEADER, _EPOCH,
    Part("state", "B", lambda byte: bits(byte, ("", "DALI connection error", "", "", "", "metering error",
                                                "external clock warning", "relay closed"))),
    Part("state 2", "B", lambda byte: bits(byte, ("", "", "open-drain on", "", "", "", "LumaLink connected",
                                                  "LumaLink since restart"))),
    *_RADIO, Part("alerts of 24 h", "B", means_alerts), Part("sensor bytes", "B"))
OLD_HEAD = Record(
    "little", _HEADER, _EPOCH,
    Part("state", "B", lambda byte: bits(byte, ("", "DALI connection error", "LDR on", "", "input on",
                                                "metering error", "external clock warning", "relay closed"))),
    *_RADIO, Part("flags", "B", lambda byte: bits(byte, ("", "LDR follows", "open-drain on", "", "alerts follow"))))
HEAD_10 = Record(
    "little", _EPOCH,
    Part("state", "B", lambda byte: bits(byte, ("DALI error outside", "DALI connection error", "LDR on", "", "input on",
                                                "hardware error", "", "relay closed"))),
    *_RADIO, Part("flags", "B", lambda byte: bits(byte, ("", "LDR follows", "open-drain on", "", "voltage alert",
                                                         "lamp alert", "power alert", "power factor alert"))))
HEAD_06 = Record(
    "little", _EPOCH,
    Part("state", "B", lambda byte: bits(byte, ("DALI error", "DALI connection error", "LDR", "thermistor", "input",
                                                "hardware error", "firmware error", "relay 2 closed"))),
    Part("downlink RSSI", "b", lambda raw: f"{raw} dBm"))
LIGHT = Record("little", Part("address", "B", means_address), Part("reason", "B", words.reason_word),
               Part("level", "B", means_level), Part("DALI status", "B", means_dali))
PROFILE = Record(
    "little", Part("profile", "B", lambda raw: "none" if raw == NONE else f"{raw}"),
    Part("version or reason", "B", lambda raw: words.REASONS_10.get(raw, "version")), Part("address", "B", means_address),
    Part("days", "B", lambda byte: bits(byte, words.DAYS)), Part("level", "B", means_level))
PROFILE_06 = Record(
    "little", *(Part(part.name, part.code, part.means if part.name != "version or reason" else None)
                for part in PROFILE.parts))
_INPUT_FORM = Part("form", "B", lambda form: f"{form >> 4} bytes, input {'on' if form & 1 else 'off'}")
_EVENT = Part("event", "B", lambda header: words.EVENTS_11.get(header, "not documented"))
INPUT_SHORT = Record("little", _EVENT, _INPUT_FORM, Part("switchings", "H"))
INPUT_LONG = Record("little", _EVENT, _INPUT_FORM, Part("switchings", "I"))
LDR_EVENT = Record("little", _EVENT, Part("form", "B"), Part("state", "B", means_switch),
                   Part("light-dependent resistor", "B"))
DRIVER_EVENT = Record("little", _EVENT, Part("form", "B"))
DRIVER = Record("little", Part("address", "B", means_address), Part("DALI status", "B", means_dali))
LIGHT_EVENT = Record("little", _EVENT, Part("step", "B"))
PLACE_EVENT = Record("little", _EVENT, Part("fix", "B", lambda code: words.FIXES.get(code, "not documented")))
METER = Record("little", _EVENT, Part("condition", "B", lambda byte: bits(byte, words.METER_BITS)),
               Part("power", "H", lambda raw: f"{raw} W"), Part("voltage", "H", lambda raw: f"{raw} V"),
               Part("power factor", "B", lambda raw: "unknown" if raw == NONE else f"{raw / 100:g}"))
_BORN = (Part("header", "B", means_system), Part("serial number", "I", lambda raw: f"{raw:08X}"), Part("firmware major", "B"),
         Part("firmware minor", "B"), Part("firmware patch", "B"), _EPOCH)
RESTART = Record(
    "little", *_BORN,
    Part("interface", "B", lambda raw: words.CONFIGS[raw] if raw < len(words.CONFIGS) else "not documented"),
    Part("features", "B", lambda byte: bits(byte, ("", "", "digital input", "LDR", "open-drain", "metering"))),
    Part("DALI supply", "B", lambda raw: f"{'external' if raw & 0x80 else 'internal'}, {_supply(raw & 0x7F)}"),
    Part("drivers", "B", lambda raw: f"{raw & 0x7F}{', and one without address' if raw & 0x80 else ''}"))
REFUSAL = Record("little", Part("header", "B", means_system), Part("FPort of the downlink", "B"),
                 Part("error", "B", lambda code: words.REFUSALS.get(code, "not documented")))
RESTART_06 = Record("little", *_BORN, Part("hardware", "B"), Part("options", "B"))
SENSORS: dict[int, Record] = {
    kind: Record("little", Part("sensor", "B", means_sensor), value) for kind, value in (
        (1, Part("light-dependent resistor", "B")), (2, Part("illuminance", "H", means_lux)),
        (3, Part("illuminance", "H", means_lux)), (4, Part("inputs", "B", means_switch)),
        (8, Part("tilt", "B", means_tilt)))}


def _supply(raw: int) -> str:
    return {0x7E: "bus high", 0x7F: "bus error"}.get(raw) or (f"{raw} V" if raw < 0x70 else "not documented")
