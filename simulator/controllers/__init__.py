"""What each maker's lamp controller does: by model, one object that all its lamps share.

ACRIOS' ACR-SLC is missing: nothing of what it sends is published. Cayenne LPP has no lamp of its own.
"""

from collections.abc import Mapping
from types import MappingProxyType

from simulator.controllers.cbor import Cbor
from simulator.controllers.firmware import Firmware
from simulator.controllers.nas import Nas06, Nas10, Nas11
from simulator.controllers.relays import Msd, RelayNode, Ws558
from simulator.controllers.reporters import Comtac, Volc, Zlamp
from simulator.controllers.zenosmart import Zenosmart

CONTROLLERS: Mapping[str, Firmware] = MappingProxyType({
    "nas/ul20xx": Nas11(), "nas/ul20xx-10": Nas10(), "nas/ul20xx-06": Nas06(), "stadtfunk/lamp": Cbor(),
    "slscorp/volc2180": Volc(), "zenosmart/lcc": Zenosmart(), "milesight/ws558": Ws558(), "lra/relay4": RelayNode(),
    "vsb/msd": Msd(), "comtac/e1310": Comtac(), "zane/zlamp": Zlamp()})
