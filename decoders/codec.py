"""What a codec is: a frame's meaning, an order's bytes, and what the planner must know of the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from city.orders import Order
from city.places import AssetKind
from city.planning import Abilities
from city.quantities import Measurement


@dataclass(frozen=True, slots=True)
class Frame:
    """Port (FPort 1-223) and bytes, either way."""

    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Codec:
    """One model. All functions are pure.

    `decode_uplink` raises DecodeError and nothing else. `encode_downlink` raises Unsupported for orders that the model
    does not have. `decode_downlink` is its inverse. `encode_uplink` is the device's side, for the simulator: the frame
    on `port` that says these measurements; raises Unsupported where the port cannot say them.
    """

    model: str
    vendor: str
    title: str
    asset: AssetKind
    device_class: str
    source: str
    decode_uplink: Callable[[Frame], list[Measurement]]
    encode_downlink: Callable[[Order], Frame]
    decode_downlink: Callable[[Frame], Order]
    encode_uplink: Callable[[int, Sequence[Measurement]], Frame]
    uplink_ports: tuple[int, ...]
    downlink_ports: tuple[int, ...]
    abilities: Abilities = field(default=Abilities(dims=False, max_minutes=None))
    heartbeat: timedelta = timedelta(hours=24)
    leaves_open: tuple[str, ...] = ()
