"""Our own parking sensor, for towns that build their firmware themselves: class A, deterministic CBOR.

Document: docs/reference/cbor-device.md, which this file must agree with.
"""

from city.planning import Abilities
from city.quantities import (
    BAY_BASELINE,
    BAY_FIELD,
    BAY_OBSTRUCTED,
    BAY_OCCUPIED,
    BAY_OCCUPIED_TIME,
    BAY_PREVIOUS_MINUTES,
    BAY_STATE_CHANGES,
    DEVICE_BATTERY,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_EVENT,
    DEVICE_HEALTH,
    DEVICE_UPLINKS,
    Quantity,
)
from decoders.codec import Codec
from decoders.devices import _cbor_orders as orders
from decoders.devices._cbor import echo
from decoders.devices._cbor_common import ANSWER, ANSWERED, LEAVES_OPEN, SHARED, START, STARTS
from decoders.devices._cbor_fields import Number, Port, Several, Speech, heartbeat, word, yes_no

TITLE = "stadtfunk bay"
STATE, HEARTBEAT = 1, 2  # FPorts
EVENTS = {0: "recalibrated", 1: "recalibration-failed", 2: "moved", 3: "opened", 4: "radar-fault", 5: "magnetometer-fault"}
PARAMETERS = {"sensitivity": (1, 10), "hold_seconds": (0, 3600), "recalibrate": (1, 1)}


def _axes(key: int, name: str, quantity: Quantity) -> Several:
    return Several(key, name, *(Number(key, axis, quantity, 0, -32_768, 32_767, axis=axis) for axis in "xyz"))


FIELDS = (
    yes_no(0, "occupied", BAY_OCCUPIED),
    Number(1, "previous", BAY_PREVIOUS_MINUTES, 1, 0, 1_000_000),
    Number(2, "battery", DEVICE_BATTERY, 1, 0, 100),
    Number(3, "battery-voltage", DEVICE_BATTERY_VOLTAGE, 100, 0, 6000),
    Number(4, "changes", BAY_STATE_CHANGES, 0),
    Number(5, "occupied-time", BAY_OCCUPIED_TIME, 1),
    yes_no(6, "obstructed", BAY_OBSTRUCTED),
    _axes(7, "field", BAY_FIELD),
    _axes(8, "baseline", BAY_BASELINE),
    Number(11, "health", DEVICE_HEALTH, 0, 0, 255),
    Number(12, "uplinks", DEVICE_UPLINKS, 0),
    word(15, "event", DEVICE_EVENT, EVENTS),
    *SHARED,
)
SPEECH = Speech(TITLE, FIELDS, {
    STATE: Port("change", frozenset({0}), heartbeat(False)), HEARTBEAT: Port("heartbeat", frozenset({0}), heartbeat(True)),
    START: Port("start", STARTS, heartbeat(True)), ANSWER: Port("answer", frozenset({ANSWERED}), heartbeat(True))})
TONGUE = orders.Tongue(TITLE, (
    orders.READ, orders.REBOOT, orders.STATUS_INTERVAL, orders.USAGE_INTERVAL, orders.CLOCK, orders.BOOT_DELAY,
    orders.CONFIRMATION, orders.DATA_RATE, orders.parameters(14, PARAMETERS)))

CODEC = Codec(
    model="stadtfunk/bay",
    vendor="stadtfunk",
    title="parking sensor in CBOR",
    asset="bay",
    device_class="A",
    source="docs/reference/cbor-device.md, version 1",
    decode_uplink=SPEECH.read,
    encode_downlink=TONGUE.encode,
    decode_downlink=TONGUE.decode,
    encode_uplink=SPEECH.write,
    uplink_ports=(STATE, HEARTBEAT, START, ANSWER),
    downlink_ports=(orders.COMMANDS, orders.SETTINGS),
    abilities=Abilities(dims=False, max_minutes=None),
    acts=("recalibrate",),
    leaves_open=LEAVES_OPEN,
    echo=echo,
)
