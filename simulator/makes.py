"""What an end-device is made of, and what it needs around it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from city.airtime import DataRate
from decoders.codec import Frame
from simulator.lorawan import Session
from simulator.mac import Version

Groups = Mapping[str, tuple[str, str]]  # multicast groups: DevAddr -> NwkSKey, AppSKey, in hex


class Spot(Protocol):
    """A device's place on the air."""


class Ear(Protocol):
    """A receiver."""

    def hears(self, phy: bytes, rssi_dbm: float, snr_db: float) -> None:
        """A frame has ended that began and ended while this ear listened to its kind."""
        ...


class Ether(Protocol):
    """The air, as a device needs it."""

    def send(self, spot: Spot, phy: bytes, hertz: int, rate: DataRate, eirp_dbm: int) -> int:
        """Begin to send now; returns when it ends, ns. Until then the device hears nothing."""
        ...

    def listen(self, spot: Spot, ear: Ear, hertz: int, rate: DataRate, addresses: Collection[int] | None) -> None:
        """Listen to this from now on, and to nothing else; `addresses` that matter, None for everything."""
        ...

    def hush(self, spot: Spot) -> None:
        """Listen no more."""
        ...

    def receiving(self, spot: Spot) -> int:
        """When a frame ends that it is hearing now, ns; 0 where none is."""
        ...


class Application(Protocol):
    """What speaks and listens by radio."""

    def start(self) -> None:
        """The device has joined."""
        ...

    def receive(self, frame: Frame) -> None:
        """A downlink."""
        ...


@dataclass(frozen=True, slots=True)
class Make:
    """How devices of one kind are built. `otaa`: they join; else keys were given to them. `remembers`: counters and keys
    outlive a loss of power (1.0.4 demands it of those that do not join; many of 1.0.3 begin at 0 again)."""

    version: Version = "1.0.3"
    class_c: bool = False
    confirms: bool = False  # asks for an acknowledgement of each uplink
    adr: bool = True
    otaa: bool = True
    remembers: bool = False
    asks_time: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who it is: 16 hex digits each, and the AppKey (16 bytes; LoRaWAN 1.0.x), never shown."""

    dev_eui: str
    join_eui: str
    app_key: bytes = field(repr=False)


@dataclass(slots=True)
class Kept:
    """What it does not forget: how many join-requests it has made, the last JoinNonce, and where it stands."""

    joins: int = 0
    join_nonce: int = -1
    session: Session | None = None
    f_cnt_up: int = 0
    f_cnt_down: int = -1
