"""Our own lamp controller, for towns that build their firmware themselves: class C, deterministic CBOR.

Document: docs/reference/cbor-device.md, which this file must agree with.
"""

from city.planning import Abilities
from city.quantities import (
    LAMP_ALERT_POWER,
    LAMP_ALERT_POWER_FACTOR,
    LAMP_ALERT_VOLTAGE,
    LAMP_BURN_TIME,
    LAMP_CURRENT,
    LAMP_DALI_ERROR,
    LAMP_DALI_STATUS,
    LAMP_DRIVER_ERROR,
    LAMP_ENERGY,
    LAMP_EVENT,
    LAMP_FAILURE,
    LAMP_FREQUENCY,
    LAMP_ILLUMINANCE,
    LAMP_INPUT,
    LAMP_LEVEL,
    LAMP_METERING_ERROR,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    LAMP_TILT,
    LAMP_VOLTAGE,
)
from decoders.codec import Codec
from decoders.devices import _cbor_orders as orders
from decoders.devices._cbor import echo
from decoders.devices._cbor_common import ANSWER, ANSWERED, LEAVES_OPEN, SHARED, START, STARTS
from decoders.devices._cbor_fields import Number, Parts, Port, Speech, bits, word, yes_no

TITLE = "stadtfunk lamp"
STATUS, EVENT = 1, 2  # FPorts
REASONS = {0: "unknown", 1: "manual", 2: "fallback", 3: "calendar-day", 4: "calendar-night", 5: "input", 6: "ldr",
           **{8 + n: f"profile-{n}" for n in range(16)}, **{24 + n: f"dawn-{n}" for n in range(16)},
           **{40 + n: f"dusk-{n}" for n in range(16)}}
EVENTS = {0: "input-on", 1: "input-off", 2: "lamp-failure", 3: "driver-alert", 4: "power-limit", 5: "voltage-limit",
          6: "power-factor-limit", 7: "tilt", 8: "door-open", 9: "power-loss", 10: "power-return", 11: "recovered"}
_LEVEL = Number(0, "level", LAMP_LEVEL, 1, 0, 100)
_REASON = word(1, "reason", LAMP_REASON, REASONS)
_POWER = Number(2, "power", LAMP_POWER, 10, 0, 65_535)
_ENERGY = Number(3, "energy", LAMP_ENERGY, 1)
_DRIVER = Number(8, "driver", LAMP_DALI_STATUS, 0, 0, 255)
_FAULTS = bits(11, "faults", LAMP_FAILURE, LAMP_DRIVER_ERROR, LAMP_DALI_ERROR, LAMP_METERING_ERROR, LAMP_ALERT_VOLTAGE,
               LAMP_ALERT_POWER, LAMP_ALERT_POWER_FACTOR)
FIELDS = (
    _LEVEL, _REASON, _POWER, _ENERGY,
    Number(4, "voltage", LAMP_VOLTAGE, 10, 0, 65_535),
    Number(5, "current", LAMP_CURRENT, 1000, 0, 65_535),
    Number(6, "power-factor", LAMP_POWER_FACTOR, 100, 0, 100),
    Number(7, "burn-time", LAMP_BURN_TIME, 1),
    _DRIVER, _FAULTS,
    yes_no(12, "relay", LAMP_RELAY_CLOSED),
    yes_no(13, "input", LAMP_INPUT),
    Number(14, "illuminance", LAMP_ILLUMINANCE, 1, 0, 200_000),
    word(15, "event", LAMP_EVENT, EVENTS),
    Number(20, "frequency", LAMP_FREQUENCY, 10, 0, 1000),
    Parts(24, "parts", (_LEVEL, _REASON, _POWER, _ENERGY, _DRIVER, _FAULTS), orders.PARTS),
    Number(26, "tilt", LAMP_TILT, 1, 0, 180),
    *SHARED,
)
SPEECH = Speech(TITLE, FIELDS, {
    STATUS: Port("status", frozenset({0, 1})), EVENT: Port("event", frozenset({15})), START: Port("start", STARTS),
    ANSWER: Port("answer", frozenset({ANSWERED}))})
TONGUE = orders.Tongue(TITLE, (
    orders.SET_LEVEL, orders.RESUME, orders.READ, orders.REBOOT, orders.STATUS_INTERVAL, orders.USAGE_INTERVAL, orders.CLOCK,
    orders.BOOT_DELAY, orders.FALLBACK, orders.LIMITS, orders.POSITION, orders.SUN, orders.PROFILE, orders.HOLIDAYS,
    orders.GROUP, orders.CONFIRMATION, orders.DATA_RATE))

CODEC = Codec(
    model="stadtfunk/lamp",
    vendor="stadtfunk",
    title="lamp controller in CBOR",
    asset="lamp",
    device_class="C",
    source="docs/reference/cbor-device.md, version 1",
    decode_uplink=SPEECH.read,
    encode_downlink=TONGUE.encode,
    decode_downlink=TONGUE.decode,
    encode_uplink=SPEECH.write,
    uplink_ports=(STATUS, EVENT, START, ANSWER),
    downlink_ports=(orders.COMMANDS, orders.SETTINGS),
    abilities=Abilities(dims=True, max_minutes=orders.WEEK_MIN, reports_on_demand=True),
    leaves_open=LEAVES_OPEN,
    echo=echo,
)
