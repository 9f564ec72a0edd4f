"""What ChirpStack tells of its devices: one class for each kind of event, and what writes them down."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from city.ids import DevEui
from simulator.radio import Heard
from simulator.scenario import Antenna

Class = Literal["CLASS_A", "CLASS_C"]
REGION = "eu868"
CHANNELS = (868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)
RX2_HZ = 869_525_000


class Identity(msgspec.Struct, frozen=True, eq=False):
    """`deviceInfo`: who a device is, as ChirpStack was told."""

    tenant_id: str
    tenant_name: str
    application_id: str
    application_name: str
    profile_id: str
    profile_name: str
    name: str
    dev_eui: DevEui
    device_class: Class
    tags: Mapping[str, str]


class Up(msgspec.Struct):
    """An uplink, deduplicated; `heard` is best first and not empty."""

    id: str
    at_ns: int
    dev_addr: str
    dr: int
    f_cnt: int
    f_port: int
    confirmed: bool
    data: bytes
    heard: Sequence[Heard]
    channel: int
    nonce: int  # 32 random bits for what gateways count by themselves
    time_ns: int = 0  # the event's own time, where it is not `at_ns`: a gateway's clock was trusted, or none
    object: Mapping[str, Any] | None = None  # what the profile's codec made of it


@dataclass(slots=True)
class Join:
    id: str
    at_ns: int
    dev_addr: str


@dataclass(slots=True)
class Ack:
    id: str
    at_ns: int
    queue_id: str
    acknowledged: bool
    f_cnt: int


@dataclass(slots=True)
class TxAck:
    """A gateway has sent a downlink; `delay_s` is 0 where it was sent at once (class C)."""

    downlink_id: int
    at_ns: int
    queue_id: str
    f_cnt: int
    antenna: Antenna
    frequency: int
    sf: int
    power_dbm: int
    delay_s: int
    context: bytes = b""  # what the gateway gave with the uplink


@dataclass(slots=True)
class Status:
    id: str
    at_ns: int
    margin: int
    battery: float


@dataclass(slots=True)
class Log:
    at_ns: int
    level: Literal["INFO", "WARNING", "ERROR"]
    code: str
    description: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Location:
    """Of a device by its receptions: ChirpStack before 4.14 (LoRa Cloud)."""

    id: str
    at_ns: int
    latitude: float
    longitude: float
    accuracy_m: float


@dataclass(slots=True)
class Integrated:
    """What a third party said of a device: ChirpStack before 4.15."""

    id: str
    at_ns: int
    name: str
    kind: str
    object: Mapping[str, Any]


Event = Up | Join | Ack | TxAck | Status | Log | Location | Integrated
KINDS: Mapping[type, str] = {Up: "up", Join: "join", Ack: "ack", TxAck: "txack", Status: "status", Log: "log",
                             Location: "location", Integrated: "integration"}


def context_at(at_ns: int) -> bytes:
    """What a gateway gives with an uplink and wants back with the downlink: here, the microseconds of its counter."""
    return (at_ns // 1000 & 0xFFFF_FFFF).to_bytes(4, "big")


def battery_level(percent: float) -> float:
    """What becomes of a battery's percentage by DevStatusAns, which has 254 steps, and by the 32 bits of the event's field:
    the shortest decimal number that is the same in those."""
    single = struct.pack("f", max(min(round(percent * 2.54), 254), 1) / 254 * 100)
    exact: float = struct.unpack("f", single)[0]
    return next(short for digits in range(6, 18) if struct.pack("f", short := float(f"{exact:.{digits}g}")) == single)


class Writer(Protocol):
    """Turns an event into the bytes of its message."""

    def write(self, who: Identity, event: Event) -> bytes:
        """The message's payload."""
        ...
