"""NAS (Nordic Automation Systems) UL20xx luminaire controllers, firmware 1.0.x. Class C, DALI or 0-10 V.

Documents: the maker's own decoder for 1.0.x with its tests, whose frames are those of the data sheet (nasys/nas-codecs).
"""

from city.planning import Abilities
from decoders.codec import Codec
from decoders.devices._nas_ul20xx.answers import saying
from decoders.devices._nas_ul20xx.old_answers import ANSWERS_10
from decoders.devices._nas_ul20xx.old_downlinks import DOWNLINKS_10
from decoders.devices._nas_ul20xx.settings import ACTS
from decoders.devices._nas_ul20xx.uplinks import SAYS_10, echo, hearing

CODEC = Codec(
    model="nas/ul20xx-10",
    vendor="Nordic Automation Systems",
    title=DOWNLINKS_10.title,
    asset="lamp",
    device_class="C",
    source="nasys/nas-codecs, decoder and tests for firmware 1.0.x (frames of the data sheet)",
    decode_uplink=hearing(DOWNLINKS_10.title, SAYS_10),
    encode_downlink=DOWNLINKS_10.encode,
    decode_downlink=DOWNLINKS_10.decode,
    encode_uplink=saying(ANSWERS_10),
    uplink_ports=tuple(SAYS_10),
    downlink_ports=DOWNLINKS_10.ports,
    abilities=Abilities(dims=True, max_minutes=255, reports_on_demand=True),
    acts=ACTS,
    leaves_open=(
        "The status in the form of legacy mode: no document describes it.",
        "Which of several profiles of one address is in force: the level is what they agree on, the reason names them all.",
        "The days and the version of a profile have no quantity: only `explain` shows them; we write version 0.",
        "Whether the step times of profiles and holidays are UTC or local time.",
        "Reasons that the documents do not list: kept as device.debug.",
        "Addresses A0 to FC and odd ones: refused, though the maker's own decoder goes on behind them.",
        "Whether the light-dependent resistor or open-drain output is on has no quantity: only `explain` shows it.",
        "Several defaults in one setting, except level and fade together: refused, set them one by one.",
        "A place with an address but without position: refused.",
        "Answers of drivers to DALI queries and memory reads are kept as they are (device.echo).",
        "The limits of the status interval: those of firmware 1.1 are kept.",
        "How the clock is made to ask the network: no such order is documented before firmware 1.1.",
        "Restart by radio: not documented before firmware 1.1.",
    ),
    echo=echo,
)
