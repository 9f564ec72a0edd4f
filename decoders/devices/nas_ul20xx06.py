"""NAS (Nordic Automation Systems) UL2030 luminaire controllers (Zhaga), firmware 0.6. Class C, DALI.

Documents: ZENNER's parser for “Payload Description Version v0.6.29” with its tests, whose frames are those of the data
sheet and of a device (ZennerIoT/element-parsers, history of lib/nas_luminaire.ex, 9483664a).
"""

from city.planning import Abilities
from decoders.codec import Codec
from decoders.devices._nas_ul20xx.answers import saying
from decoders.devices._nas_ul20xx.old_answers import ANSWERS_06
from decoders.devices._nas_ul20xx.old_downlinks import DOWNLINKS_06
from decoders.devices._nas_ul20xx.settings import ACTS
from decoders.devices._nas_ul20xx.uplinks import SAYS_06, echo, hearing

CODEC = Codec(
    model="nas/ul20xx-06",
    vendor="Nordic Automation Systems",
    title=DOWNLINKS_06.title,
    asset="lamp",
    device_class="C",
    source="ZennerIoT/element-parsers lib/nas_luminaire.ex @9483664a (payload description 0.6.29)",
    decode_uplink=hearing(DOWNLINKS_06.title, SAYS_06),
    encode_downlink=DOWNLINKS_06.encode,
    decode_downlink=DOWNLINKS_06.decode,
    encode_uplink=saying(ANSWERS_06),
    uplink_ports=tuple(SAYS_06),
    downlink_ports=DOWNLINKS_06.ports,
    abilities=Abilities(dims=True, max_minutes=None, resumes=False),
    acts=ACTS,
    leaves_open=(
        "How a level given by hand ends: no order for that is documented, so it holds until another level.",
        "Which of several profiles of one address is in force: the level is what they agree on, the reason names them all.",
        "What the alert bits LDR, thermistor and input of the status mean: kept as device.debug.",
        "The days and the sequence number of a profile have no quantity: only `explain` shows them; we write 0.",
        "Hardware and options of a restart, and the bytes behind them: not listed; the latter kept as device.debug.",
        "Errors other than 02 (several drivers without address): “error-” and the code.",
        "Update mode (FPort 51) and multicast (FPort 52): the frames are not published.",
        "Requests for DALI status and DALI queries: only their answers are published.",
        "Whether the step times of profiles are UTC or local time.",
        "The limits of the status interval: those of firmware 1.1 are kept.",
    ),
    echo=echo,
)
