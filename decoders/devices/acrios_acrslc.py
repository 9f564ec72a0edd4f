"""ACRIOS ACR-SLC and AirSLC street light controllers, DALI, Zhaga or NEMA. Class C.

Documents: the maker's “AirSLC user guide” (archived wiki) and The Things Network's profiles acr-slc-100l-zhaga-dali. They
say on which FPorts it is told what, and how it falls back to its light sensor; they do not publish one byte table.
"""

from collections.abc import Sequence

from city.planning import Abilities
from city.quantities import DEVICE_DEBUG, Measurement
from decoders.codec import ANY_PORT, Codec, Frame, no_downlink, no_order, unknown_uplink
from decoders.devices._lamps import HIGHEST_PORT, Saying

TITLE = "ACR-SLC"


def decode_uplink(frame: Frame) -> list[Measurement]:
    if not 1 <= frame.port <= HIGHEST_PORT:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader()
    return [DEVICE_DEBUG(read.rest("not documented", min=1).hex())]


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Any FPort: bytes as they are."""
    return Frame(port, Saying(TITLE, port, measurements).hex(DEVICE_DEBUG))


CODEC = Codec(
    model="acrios/acr-slc",
    vendor="ACRIOS Systems",
    title="ACR-SLC, AirSLC street light controller",
    asset="lamp",
    device_class="C",
    source="ACRIOS AirSLC user guide (archived wiki); The Things Network device library, vendor/acrios",
    decode_uplink=decode_uplink,
    encode_downlink=no_downlink,
    decode_downlink=no_order,
    encode_uplink=encode_uplink,
    uplink_ports=ANY_PORT,
    downlink_ports=(),
    abilities=Abilities(dims=False, max_minutes=None),
    leaves_open=(
        "All uplinks: the DALI diagnosis that it sends has no published layout and no published FPort; kept as device.debug.",
        "Commands on FPort 1 (to one) and 51 (to a group): their bytes are not published. It is never told a level.",
        "Configuration on FPort 5 and 150: its bytes are not published.",
        "The “manual timeout”: having heard nothing for so long it burns by its light sensor, or at a level that it was set to.",
        "The order to join anew on FPort 141, to a group: its bytes are not published.",
        "How often it reports. It is taken as silent after a day.",
        "A town that has the maker's document can read it by a script of its own.",
    ),
)
