"""NAS (Nordic Automation Systems) UL20xx luminaire controllers, firmware 1.1.x. Class C, DALI or 0-10 V.

Documents: the maker's pages “Payloads: uplinks, configs, commands” and the maker's own decoder with its tests.
"""

from city.planning import Abilities
from decoders.codec import Codec
from decoders.devices._nas_ul20xx import words
from decoders.devices._nas_ul20xx.answers import encode_uplink
from decoders.devices._nas_ul20xx.downlinks import decode_downlink, encode_downlink
from decoders.devices._nas_ul20xx.uplinks import decode_uplink, echo

CODEC = Codec(
    model="nas/ul20xx",
    vendor="Nordic Automation Systems",
    title="UL20xx luminaire controller",
    asset="lamp",
    device_class="C",
    source="docs.nasys.no/en/lcu payloads, firmware 1.1.x; nasys/nas-codecs tests",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(words.STATUS, words.USAGE, words.CONFIG, words.CONTROL, words.EVENTS, words.BOOT),
    downlink_ports=(words.CONFIG, words.SYSTEM, words.CONTROL),
    abilities=Abilities(dims=True, max_minutes=255, reports_on_demand=True),
    leaves_open=(
        "Whether the step times of profiles and holidays are UTC or local time.",
        "Which metering alert bit the alert “power in 24 h” of the status sums up.",
        "The limits of the usage interval; 0 turns it off.",
        "Whether it answers a read on FPort 49 or repeats a command on FPort 51: unknown ports as uplinks.",
        "Addresses A0 to FC: refused, though the maker's own decoder reads them as groups.",
        "Reasons and sensors that the documents do not list: kept as device.debug.",
        "A restart without a reason bit: “unspecified”; power-on is not documented as such.",
        "Open-drain output, LumaLink, external clock, drivers and features have no quantity: only `explain` shows them.",
        "The status interval it leaves the factory with; it is at most a day.",
    ),
    echo=echo,
)
