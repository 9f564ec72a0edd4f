"""Which gateways may send at the same time: those that no lamp hears both of.

All class C frames of a town go out on one frequency at one spreading factor, and ChirpStack hands whatever is due to all
gateways at the same whole second. A lamp keeps the stronger of two such frames only by CAPTURE_DB (Bor et al. 2016), so
where cells overlap single messages of different gateways destroy one another (chirpstack-network-server#517), and while a
gateway sends, it is deaf to what lamps report. Hence turns: in each look of the bridge a gateway is handed no more than it
can send before the next, and its neighbours nothing, unless the lamps in question hear only one of them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from city.ids import GatewayId

SLOT = timedelta(seconds=0.95)  # of the second between two looks, and two of ChirpStack's
GAP = timedelta(seconds=0.045)  # between two frames of a gateway: the concentrator's margins
CAPTURE_DB = 6.0
FADING_DB = 6.0  # three times the deviation of a frame's strength
LOUD_DB = CAPTURE_DB + FADING_DB  # a gateway that much weaker than the lamp's own does no harm
SOON = timedelta(milliseconds=50)  # looks are not to the millisecond


class Ear(Protocol):
    """A gateway that hears a lamp, and so is heard by it; city.reach.Ear is one."""

    @property
    def gateway(self) -> GatewayId: ...
    @property
    def rssi(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Served:
    """A lamp that is being told something: its gateway, the other gateways that it hears too well, and until when."""

    gateway: GatewayId
    loud: frozenset[GatewayId]
    until: datetime


class Turns:
    """Who has the air, as far as it was handed out here. `slot`: how much may be handed out at a time."""

    def __init__(self, slot: timedelta = SLOT) -> None:
        self._slot = slot
        self._until: dict[GatewayId, datetime] = {}
        self._served: list[_Served] = []
        self._hushed: dict[GatewayId, datetime] = {}

    def opens(self, gateway: GatewayId, reach: Iterable[Ear], seconds: float, now: datetime) -> bool:
        """Whether a frame of so many seconds may be handed to a gateway for a lamp with this reach."""
        self._forget(now)
        took, loud = timedelta(seconds=seconds) + GAP, loud_at(gateway, reach)
        begins = max(self._until.get(gateway, now), now)
        if begins + took > now + max(self._slot, took) + SOON:
            return False
        if any(other in loud or other == gateway for other in self._hushed):
            return False
        others = [one for one in self._served if one.gateway != gateway]
        return not any(one.gateway in loud or gateway in one.loud for one in others)

    def took(self, gateway: GatewayId, reach: Iterable[Ear], seconds: float, now: datetime) -> None:
        """It was handed over."""
        until = max(self._until.get(gateway, now), now) + timedelta(seconds=seconds) + GAP
        self._until[gateway] = until
        self._served.append(_Served(gateway, loud_at(gateway, reach), until))

    def hush(self, gateways: Collection[GatewayId], until: datetime) -> None:
        """A multicast goes out by these: who hears any of them is told nothing alone meanwhile."""
        for gateway in gateways:
            self._hushed[gateway] = max(self._hushed.get(gateway, until), until)

    def _forget(self, now: datetime) -> None:
        """What is over, or nearly."""
        self._served = [one for one in self._served if one.until > now + SOON]
        if self._hushed:
            self._hushed = {gateway: until for gateway, until in self._hushed.items() if until > now + SOON}


def loud_at(gateway: GatewayId, reach: Iterable[Ear]) -> frozenset[GatewayId]:
    """The other gateways that a lamp hears so well that they spoil what this one sends to it; all others that it hears,
    where it was never heard by this one."""
    ears = tuple(reach)
    own = next((ear.rssi for ear in ears if ear.gateway == gateway), None)
    return frozenset(ear.gateway for ear in ears if ear.gateway != gateway and (own is None or own - ear.rssi < LOUD_DB))
