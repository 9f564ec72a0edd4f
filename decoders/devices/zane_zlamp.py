"""Zane zLamp LoRaWAN light controller, DALI.

Documents: the decoder and the description of “zLamp” in TagoIO's device library (connector/zane/zlamp v1.0.0), whose
description of its sister with relays (zlamp-relay) names class C.
"""

from collections.abc import Sequence

from city.planning import Abilities
from city.quantities import DEVICE_DEBUG, DEVICE_FAULT, LAMP_LEVEL, LAMP_LIT, Measurement
from decoders.codec import Codec, Frame, no_downlink, no_order, unknown_uplink, unsayable
from decoders.devices._lamps import Saying

TITLE = "zLamp"
STATUS, HEALTH = 118, 202  # FPorts
_FAULTY = 0xDE


def decode_uplink(frame: Frame) -> list[Measurement]:
    if frame.port not in (STATUS, HEALTH):
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    if frame.port == STATUS:
        level = read.u8("brightness", max=100, means=_means_level)
        said = [_LEVELS[level], _LIT[read.u8("status", means=_means_lit) & 0x0F == 1]]
    else:
        said = _HEALTH[read.u8("health", means=_means_health)]
    read.end()
    return list(said)


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Brightness and status on 118, health on 202."""
    say = Saying(TITLE, port, measurements)
    if port == STATUS:
        level = say.number(LAMP_LEVEL)
        if 0 <= level <= 100:
            return Frame(port, bytes([level, bool(say.need(LAMP_LIT))]))
        raise unsayable(TITLE, port, "a level lies between 0 and 100")
    if port == HEALTH:
        return Frame(port, bytes([_FAULTY]) if say.need(DEVICE_FAULT) == "fault" else say.hex(DEVICE_DEBUG))
    raise unsayable(TITLE, port, "there is no such FPort")


def _means_level(raw: int) -> str:
    return f"{raw} %"


def _means_lit(raw: int) -> str:
    return "on" if raw & 0x0F == 1 else "off"


def _means_health(raw: int) -> str:
    return "fault" if raw == _FAULTY else "in order"


_LEVELS = tuple(LAMP_LEVEL(level) for level in range(101))
_LIT = {flag: LAMP_LIT(flag) for flag in (False, True)}
_HEALTH = tuple([DEVICE_FAULT("fault")] if raw == _FAULTY else [DEVICE_FAULT("none"), DEVICE_DEBUG(f"{raw:02x}")]
                for raw in range(256))

CODEC = Codec(
    model="zane/zlamp",
    vendor="Zane",
    title="zLamp light controller, DALI",
    asset="lamp",
    device_class="C",
    source="TagoIO decoders, connector/zane/zlamp v1.0.0",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=(STATUS, HEALTH),
    downlink_ports=(),
    abilities=Abilities(dims=False, max_minutes=None),
    leaves_open=(
        "How it is told a level: no order is published. It is never told one.",
        "FPort 118: a status that ends in the hex digit 1 is on, any other is off, as the published decoder has it.",
        "FPort 202: DE is a fault, any other byte is none; what it means is kept as device.debug.",
        "Its LoRaWAN class: named for its sister with relays alone, C, and taken to be the same.",
        "How often it reports. It is taken as silent after a day.",
    ),
)
