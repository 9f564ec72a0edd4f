"""NAS (Nordic Automation Systems) UL20xx luminaire controllers, firmware 1.1.x. Class C, DALI or 0-10 V.

Documents: the maker's pages “Payloads: uplinks, configs, commands” and the maker's own decoder with its tests.
Controllers with firmware 1.0.x are `nas/ul20xx-10`, those with 0.6 `nas/ul20xx-06`: the restart on FPort 99 says which.
"""

from city.planning import Abilities
from decoders.codec import Codec
from decoders.devices._nas_ul20xx.answers import ANSWERS_11, saying
from decoders.devices._nas_ul20xx.downlinks import DOWNLINKS_11
from decoders.devices._nas_ul20xx.settings import ACTS
from decoders.devices._nas_ul20xx.uplinks import SAYS_11, echo, hearing

CODEC = Codec(
    model="nas/ul20xx",
    vendor="Nordic Automation Systems",
    title=DOWNLINKS_11.title,
    asset="lamp",
    device_class="C",
    source="docs.nasys.no/en/lcu payloads, firmware 1.1.x; nasys/nas-codecs tests",
    decode_uplink=hearing(DOWNLINKS_11.title, SAYS_11),
    encode_downlink=DOWNLINKS_11.encode,
    decode_downlink=DOWNLINKS_11.decode,
    encode_uplink=saying(ANSWERS_11),
    uplink_ports=tuple(SAYS_11),
    downlink_ports=DOWNLINKS_11.ports,
    abilities=Abilities(dims=True, max_minutes=255, reports_on_demand=True),
    acts=ACTS,
    leaves_open=(
        "Older firmware speaks on other ports: register 1.0.x (status on FPort 24) as nas/ul20xx-10, 0.6 as nas/ul20xx-06.",
        "Whether the step times of profiles and holidays are UTC or local time.",
        "Which metering alert bit the alert “power in 24 h” of the status sums up.",
        "The limits of the usage interval; 0 turns it off.",
        "Whether it answers a read on FPort 49 or repeats a command on FPort 51: unknown ports as uplinks.",
        "Addresses A0 to FC: refused, though the maker's own decoder reads them as groups.",
        "Reasons and sensors that the documents do not list: kept as device.debug.",
        "A restart without a reason bit: “unspecified”; power-on is not documented as such.",
        "Open-drain output, LumaLink, external clock, drivers and features have no quantity: only `explain` shows them.",
        "Answers of drivers to DALI queries, memory reads and the dim map are kept as they are (device.echo).",
        "How a digital input or light sensor is turned off by its settings: the maker's decoder and encoder differ.",
        "Settings in a chain are read one by one in `explain`, but are not one order.",
        "The status interval it leaves the factory with; it is at most a day.",
    ),
    echo=echo,
)
