"""comtac E1310 LoRaWAN-DALI bridge: six bytes about one DALI bus.

Documents: the parser of ZENNER's ELEMENT IoT for the “E1310 DALI Bridge” (element-parsers, 2019), which describes each
byte; IEC 62386-102 for the DALI answers in it.
"""

from collections.abc import Sequence

from city.planning import Abilities
from city.quantities import (
    LAMP_DALI_DEVICE_TYPE,
    LAMP_DALI_ERROR,
    LAMP_DALI_LEVEL,
    LAMP_DALI_STATUS,
    LAMP_DALI_VERSION,
    LAMP_DRIVER_ERROR,
    LAMP_FAILURE,
    LAMP_LIT,
    LAMP_ORDERED_LEVEL,
    Measurement,
)
from decoders.bits import Part, Record, Writer
from decoders.codec import ANY_PORT, Codec, Frame, no_downlink, no_order, unknown_uplink
from decoders.devices._lamps import HIGHEST_PORT, Saying

TITLE = "E1310"
_NO_ANSWER, _LIT = 0x02, 0x08  # bits of the first byte


def decode_uplink(frame: Frame) -> list[Measurement]:
    if not 1 <= frame.port <= HIGHEST_PORT:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    flags, ordered, level, status, version, kind = read.record(_LAYOUT)
    read.end()
    said = [*_FLAGS[flags], LAMP_ORDERED_LEVEL(float(ordered)), LAMP_DALI_LEVEL(level), LAMP_DALI_VERSION(version),
            LAMP_DALI_DEVICE_TYPE(kind), _STATUS[status]]
    return said if flags & _NO_ANSWER else [*said, *_FAILURES[status & 3]]


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Any FPort."""
    say = Saying(TITLE, port, measurements)
    flags = (_NO_ANSWER if say.need(LAMP_DALI_ERROR) else 0) | (_LIT if say.need(LAMP_LIT) else 0)
    write = Writer("big").u8("flags", flags)
    for quantity in (LAMP_ORDERED_LEVEL, LAMP_DALI_LEVEL, LAMP_DALI_STATUS, LAMP_DALI_VERSION, LAMP_DALI_DEVICE_TYPE):
        write.u8(quantity.name, say.number(quantity))
    return Frame(port, write.written())


def _means_flags(raw: int) -> str:
    answer = "no answer on the DALI bus" if raw & _NO_ANSWER else "DALI bus in order"
    return f"{answer}, lamp {'lit' if raw & _LIT else 'dark'}"


def _means_status(raw: int) -> str:
    return ", ".join(name for bit, name in enumerate(_BITS) if raw >> bit & 1) or "nothing to report"


_BITS = ("driver error", "lamp failure", "lamp on", "limit error", "fade running", "reset state", "no short address",
         "power failure")
_LAYOUT = Record("big", Part("flags", "B", _means_flags), Part("last level told", "B", lambda raw: f"{raw} %"),
                 Part("DALI level", "B"), Part("DALI status", "B", _means_status), Part("DALI version", "B"),
                 Part("DALI device type", "B"))
_FLAGS = tuple((LAMP_DALI_ERROR(bool(raw & _NO_ANSWER)), LAMP_LIT(bool(raw & _LIT))) for raw in range(256))
_STATUS = tuple(LAMP_DALI_STATUS(raw) for raw in range(256))
_FAILURES = tuple((LAMP_DRIVER_ERROR(bool(raw & 1)), LAMP_FAILURE(bool(raw & 2))) for raw in range(4))

CODEC = Codec(
    model="comtac/e1310",
    vendor="comtac",
    title="E1310 LoRaWAN-DALI bridge",
    asset="lamp",
    device_class="A",
    source="ZENNER ELEMENT IoT element-parsers, comtac_dali-bridge.ex (2019-09-06)",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=ANY_PORT,
    downlink_ports=(),
    abilities=Abilities(dims=False, max_minutes=None),
    leaves_open=(
        "How it is told a level: the parser shows that it can be told one, not with which bytes. It is never told one.",
        "Its FPort: the parser looks at none, so that any is read.",
        "The level in force in per cent: it reports the last one told by radio and the DALI level, which is logarithmic.",
        "Bits 0, 2 and 4 to 7 of the first byte are not described and passed over.",
        "What the DALI bytes hold while the driver does not answer: then no lamp failure is said or cleared by them.",
        "Its LoRaWAN class (taken as A) and how often it reports (taken as silent after a day).",
    ),
)
