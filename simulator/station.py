"""A device as the network server knows it: its session, its counters, its queue."""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from city.places import Device, Luminaire, ParkingBay, Restriction
from decoders.codec import Frame
from simulator.downlinks import QueueItem
from simulator.events import Identity
from simulator.radio import Link
from simulator.scenario import Scenario, named_uuid

PROFILES = {"lamp": "Leuchtensteuerung Klasse C", "bay": "Parksensor Klasse A"}
APPLICATIONS = {"lamp": "strassenbeleuchtung", "bay": "parken"}


class EndDevice(Protocol):
    """What hangs on the pole or sits in the kerb."""

    def start(self) -> None:
        """It has joined."""
        ...

    def receive(self, frame: Frame) -> None:
        """A downlink has reached it."""
        ...


@dataclass(slots=True, eq=False)
class Station:
    """`dev_addr` is "" until it joins; `gateway` heard its last uplink best, None before the session's first one."""

    who: Identity
    topic: str
    link: Link
    device: EndDevice | None = None
    dev_addr: str = ""
    f_cnt_up: int = 0
    f_cnt_down: int = 0
    heard_f_cnt: int = -1
    gateway: int | None = None
    locked_until_ns: int = 0
    ack_due: bool = False
    battery: float = 100.0
    queue: deque[QueueItem] = field(default_factory=deque)

    @property
    def class_c(self) -> bool:
        """Whether it listens all the time."""
        return self.who.device_class == "CLASS_C"

    def begin_session(self, dev_addr: str) -> None:
        """A join: counters start anew, and nothing has been heard yet."""
        self.dev_addr, self.f_cnt_up, self.f_cnt_down, self.heard_f_cnt = dev_addr, 0, 0, -1
        self.gateway, self.ack_due = None, False


def identity(scenario: Scenario, asset: Luminaire | ParkingBay, device: Device) -> Identity:
    """The `deviceInfo` of an asset's device, with the tags that an operator would set."""
    tags = {"zone": str(asset.zone), "asset": str(asset.id)}
    if asset.circuit is not None:
        tags["circuit"] = str(asset.circuit)
    if asset.restriction is not Restriction.NONE:
        tags["restriction"] = asset.restriction.value
    return Identity(
        tenant_id=scenario.tenant.chirpstack_tenant, tenant_name=scenario.tenant.name,
        application_id=scenario.application(asset.kind), application_name=APPLICATIONS[asset.kind],
        profile_id=named_uuid(scenario.tenant.id, "profile", asset.kind), profile_name=PROFILES[asset.kind],
        name=f"{asset.kind}-{asset.id}", dev_eui=device.dev_eui,
        device_class="CLASS_C" if asset.kind == "lamp" else "CLASS_A", tags=tags)
