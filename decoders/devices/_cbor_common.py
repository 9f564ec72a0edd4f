"""Keys and FPorts that our lamp and our bay share."""

from city.quantities import (
    DEVICE_BOOT,
    DEVICE_CLOCK,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_LATITUDE,
    DEVICE_LONGITUDE,
    DEVICE_SERIAL,
    DEVICE_TEMPERATURE,
    DEVICE_UPTIME,
)
from decoders.devices._cbor_fields import Answer, Field, Format, Number, Several, Text, Version, word
from decoders.devices._cbor_orders import DEGREES

START, ANSWER = 3, 4  # FPorts
BOOT, FIRMWARE, ANSWERED, FORMAT = 16, 17, 22, 23  # keys
BOOTS = {0: "power-on", 1: "watchdog", 2: "brown-out", 3: "lockup", 4: "external-pin", 5: "ordered", 6: "update", 7: "other"}
SHARED: tuple[Field, ...] = (
    Number(9, "temperature", DEVICE_TEMPERATURE, 1, -128, 127),
    Number(10, "clock", DEVICE_CLOCK, 1),
    word(BOOT, "boot", DEVICE_BOOT, BOOTS),
    Version(FIRMWARE, "firmware"),
    Text(18, "serial", DEVICE_SERIAL, 24),
    Number(19, "uptime", DEVICE_UPTIME, 1),
    Several(21, "radio", Number(21, "rssi", DEVICE_DOWNLINK_RSSI, 1, -255, 0),
            Number(21, "snr", DEVICE_DOWNLINK_SNR, 1, -128, 127)),
    Answer(ANSWERED, "answer"),
    Format(FORMAT, "format"),
    Several(25, "position", Number(25, "latitude", DEVICE_LATITUDE, DEGREES, -90 * DEGREES, 90 * DEGREES),
            Number(25, "longitude", DEVICE_LONGITUDE, DEGREES, -180 * DEGREES, 180 * DEGREES)),
)
STARTS = frozenset({BOOT, FIRMWARE, FORMAT})
LEAVES_OPEN = (
    "Keys from 128 on that this version does not know are passed over and kept as device.debug; lower ones are refused.",
    "Which firmware obeys which order: a device answers what it cannot do with a refusal, by FPort and code.",
)
