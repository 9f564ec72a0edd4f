"""What a gateway and a network server say to each other, whichever language they speak."""

from dataclasses import dataclass
from typing import Protocol

from simulator.concentrator import Item, Totals
from simulator.medium import Received
from simulator.scenario import Antenna

Message = tuple[str, bytes]  # a topic or a gateway's id, and a payload


@dataclass(frozen=True, slots=True)
class Moment:
    """When: the gateway's own idea of the time (ns since 1970), and its concentrator's counter (µs) at a frame's end."""

    at_ns: int
    counter: int


@dataclass(frozen=True, slots=True)
class Downlink:
    """What a gateway is to send: one of the items, alternatives in order. `number` is the server's, for the answer."""

    gateway_id: str
    number: int
    items: tuple[Item, ...]


class Language(Protocol):
    """Pure translation; simulator.gateway_mqtt (ChirpStack's own protobuf) or simulator.gwmp (Semtech's UDP)."""

    def topics(self, antennas: tuple[Antenna, ...]) -> tuple[str, ...]:
        """What to subscribe to, if this travels by MQTT."""
        ...

    def up(self, antenna: Antenna, received: Received, moment: Moment, number: int) -> Message:
        """A frame that a gateway has received; `number` are 32 random bits."""
        ...

    def stats(self, antenna: Antenna, now: Totals, before: Totals, moment: Moment) -> Message:
        """What a gateway has done since `before`."""
        ...

    def alive(self, antenna: Antenna) -> Message | None:
        """A sign of life, every few seconds, where the language needs one."""
        ...

    def read(self, name: str, payload: bytes) -> Downlink | None:
        """What a server has sent; None where that is no downlink and needs no answer. Raises MalformedEvent."""
        ...

    def ack(self, downlink: Downlink, said: list[str]) -> Message:
        """A gateway's answer to a downlink: for each item a status by name."""
        ...
