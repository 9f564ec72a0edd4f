"""What an end-device is made of, and what it needs around it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from decoders.codec import Frame
from simulator.flights import Ear, Spot, Wave
from simulator.lorawan import Session
from simulator.mac import Version

Groups = Mapping[str, tuple[str, str]]  # multicast groups: DevAddr -> NwkSKey, AppSKey, in hex


class Ether(Protocol):
    """The air, as a device needs it: simulator.medium.Medium."""

    def send(self, spot: Spot, phy: bytes, wave: Wave) -> int:
        """Begin to send now; returns when it ends, ns. Until then the device hears nothing."""
        ...

    def listen(self, spot: Spot, ear: Ear, frequency: int, sf: int, bandwidth: int, addresses: Collection[int] | None) -> None:
        """Listen to this from now on, and to nothing else; `addresses` that matter, None for everything."""
        ...

    def hush(self, spot: Spot) -> None:
        """Listen no more."""
        ...

    def hearing(self, spot: Spot) -> int:
        """When a frame ends that it is hearing now, ns; what is past means none."""
        ...


class Radio(Protocol):
    """What a lamp's controller or a sensor speaks through."""

    def send(self, frame: Frame) -> None:
        """Say this as soon as possible."""
        ...

    def rejoin(self) -> None:
        """It restarts, and joins anew."""
        ...


class Application(Protocol):
    """What speaks and listens by radio."""

    def start(self) -> None:
        """The device has joined."""
        ...

    def receive(self, frame: Frame, *, to_group: bool = False) -> None:
        """A downlink; one to a group is obeyed and not answered."""
        ...


class Member(Protocol):
    """An application that belongs to multicast groups."""

    @property
    def groups(self) -> Groups:
        """Those that it was told of."""
        ...

    def receive(self, frame: Frame, *, to_group: bool = False) -> None:
        """A downlink; one to a group is obeyed and not answered."""
        ...



@dataclass(frozen=True, slots=True)
class RawFrame(Frame):
    """A frame that somebody wrote by hand: whether it asks for an acknowledgement is said with it."""

    confirmed: bool = False


def is_confirmed(frame: Frame, usually: bool) -> bool:
    """Whether a frame of a device that `usually` asks for an acknowledgement is sent confirmed."""
    return frame.confirmed if isinstance(frame, RawFrame) else usually


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
