"""A device on the air, and as the network server knows it: its session, its counters, its queue."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from city.ids import DevEui
from decoders.codec import Frame
from simulator.downlinks import QueueItem
from simulator.events import Class, Identity
from simulator.provisioned import Application, Profile, Registered, Tenant
from simulator.radio import Heard, Link

NO_GATEWAYS: tuple[int, ...] = ()


class EndDevice(Protocol):
    """What hangs on the pole or sits in the kerb."""

    def start(self) -> None:
        """It has joined."""
        ...

    def receive(self, frame: Frame, *, to_group: bool = False) -> None:
        """A downlink has reached it, or all of a group that it is in."""
        ...


class Listener(Protocol):
    """A device that can be told of multicast groups."""

    @property
    def groups(self) -> Mapping[str, tuple[str, str]]:
        """Network and application session key (32 hex digits) by group address (8 hex digits)."""
        ...

    def receive(self, frame: Frame, *, to_group: bool = False) -> None:
        """A downlink has reached it, or all of a group that it is in."""
        ...


class Network(Protocol):
    """What carries a device's frames to the server."""

    def send(self, station: "Station", frame: Frame) -> None:
        """An uplink."""
        ...

    def rejoin(self, station: "Station") -> None:
        """The device has restarted and asks to join."""
        ...


class Witness(Protocol):
    """Sees the frames of an imitated town, and what became of each."""

    def up(self, station: "Station", frame: Frame, f_cnt: int, heard: Sequence[Heard]) -> None:
        """A device has sent this; `heard` is empty where nobody has heard it."""
        ...

    def down(self, station: "Station", frame: Frame, *, heard: bool, to_group: bool = False) -> None:
        """A gateway has sent this to a device, which has heard it or not."""
        ...


class Station:
    """One device. `known`: the server has it and it is not disabled. `dev_addr` is the device's own address ("" until it
    joins), `server_addr` the server's idea of it; only while they are equal does either understand the other. `gateway`
    heard its last uplink best, `heard_by` is all that heard it; None and () before the session's first one.
    """

    __slots__ = ("ack_due", "bad_key", "battery", "confirms", "dev_addr", "device", "f_cnt_down", "f_cnt_up", "gateway",
                 "group_counters", "heard_at_ns", "heard_by", "heard_f_cnt", "known", "last_seen_ns", "link",
                 "locked_until_ns", "margin", "network", "nonce", "queue", "server_addr", "status_due", "trying_since_ns",
                 "unanswered", "who")

    def __init__(self, who: Identity, link: Link, network: Network) -> None:
        self.who, self.link, self.network = who, link, network
        self.device: EndDevice | None = None
        self.known = True
        self.bad_key = self.confirms = False  # the latter: it asks the network to confirm its uplinks
        self.dev_addr = self.server_addr = ""
        self.f_cnt_up = self.f_cnt_down = self.nonce = self.unanswered = 0
        self.heard_f_cnt = -1
        self.gateway: int | None = None
        self.heard_by = NO_GATEWAYS
        self.locked_until_ns = self.last_seen_ns = self.heard_at_ns = 0  # the last by the gateways' clocks
        self.trying_since_ns = 0  # to join; 0 where it is not
        self.ack_due = False
        self.status_due = False  # a DevStatusReq is on its way at the profile's rate
        self.margin: int | None = None  # dB, of the last device status
        self.battery = 100.0
        self.queue: list[QueueItem] | tuple[()] = ()  # a list from the first item on
        self.group_counters: dict[str, int] | None = None  # the device's, by group address

    def send(self, frame: Frame) -> None:
        """What the device says."""
        self.network.send(self, frame)

    def rejoin(self) -> None:
        """The device has restarted."""
        self.network.rejoin(self)

    @property
    def class_c(self) -> bool:
        """Whether the server takes it for one that listens all the time."""
        return self.who.device_class == "CLASS_C"

    @property
    def in_session(self) -> bool:
        """Whether device and server share a session."""
        return bool(self.dev_addr) and self.dev_addr == self.server_addr

    def begin_session(self, dev_addr: str) -> None:
        """A join: counters start anew, and nothing has been heard yet."""
        self.dev_addr = self.server_addr = dev_addr
        self.f_cnt_up = self.f_cnt_down = self.unanswered = self.trying_since_ns = 0
        self.heard_f_cnt = -1
        self.gateway, self.heard_by, self.ack_due = None, NO_GATEWAYS, False

    def forget_session(self) -> None:
        """The server does; the device does not know."""
        self.server_addr, self.gateway, self.heard_by = "", None, NO_GATEWAYS


def identity(tenant: Tenant, application: Application, profile: Profile, device: Registered,
             tags: Mapping[str, str]) -> Identity:
    """The `deviceInfo` of a device as it was provisioned."""
    return Identity(
        tenant_id=tenant.id, tenant_name=tenant.name, application_id=application.id, application_name=application.name,
        profile_id=profile.id, profile_name=profile.name, name=device.name, dev_eui=DevEui(device.dev_eui),
        device_class=class_of(profile), tags=tags)


def class_of(profile: Profile) -> Class:
    """A 1.0.x session's class: it is set when the session begins."""
    return "CLASS_C" if profile.supports_class_c else "CLASS_A"
