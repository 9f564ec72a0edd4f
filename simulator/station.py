"""A device on the air, and as the network server knows it: its session, its counters, its queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from city.ids import DevEui
from city.readings import NS
from decoders.codec import Frame
from simulator.downlinks import QueueItem
from simulator.events import Class, Identity
from simulator.provisioned import Application, Profile, Registered, Tenant
from simulator.radio import Heard, Link

NO_GATEWAYS: tuple[int, ...] = ()
LOCK_NS = 5 * NS  # class_a_lock_duration after an uplink, class_c_lock_duration between downlinks


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
    """One device: `record` is what the server was told of it, `family` what it shares with others. `known`: the server has
    it and it is not disabled. `dev_addr` is the device's own address ("" until it joins), `server_addr` the server's idea of
    it; only while they are equal does either understand the other. `heard_by` is all gateways that heard its last uplink,
    the best first; () before the session's first one. `sent_ns`: when it was last sent anything as one of class C.
    """

    __slots__ = ("ack_due", "bad_key", "battery", "confirms", "dev_addr", "device", "f_cnt_down", "f_cnt_up", "family",
                 "group_counters", "heard_by", "heard_f_cnt", "known", "last_seen_ns", "link", "margin", "network", "nonce",
                 "queue", "record", "sent_ns", "server_addr", "status_due", "trying_since_ns", "unanswered")

    def __init__(self, record: Registered, family: "Family", link: Link, network: Network) -> None:
        self.record, self.family, self.link, self.network = record, family, link, network
        self.device: EndDevice | None = None
        self.known = True
        self.bad_key = self.confirms = False  # the latter: it asks the network to confirm its uplinks
        self.dev_addr = self.server_addr = ""
        self.f_cnt_up = self.f_cnt_down = self.nonce = self.unanswered = 0
        self.heard_f_cnt = -1
        self.heard_by = NO_GATEWAYS
        self.last_seen_ns = self.sent_ns = 0
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
        return self.family.device_class == "CLASS_C"

    @property
    def who(self) -> Identity:
        """Its `deviceInfo`."""
        return self.family.identity(self.record)

    @property
    def dev_eui(self) -> str:
        """16 hex digits."""
        return self.record.dev_eui

    @property
    def gateway(self) -> int | None:
        """The gateway that heard its last uplink best; None before the session's first one."""
        return self.heard_by[0] if self.heard_by else None

    @property
    def locked_until_ns(self) -> int:
        """Until then it is sent nothing as one of class C."""
        return max(self.last_seen_ns, self.sent_ns) + LOCK_NS

    @property
    def in_session(self) -> bool:
        """Whether device and server share a session."""
        return bool(self.dev_addr) and self.dev_addr == self.server_addr

    def begin_session(self, dev_addr: str) -> None:
        """A join: counters start anew, and nothing has been heard yet."""
        self.dev_addr = self.server_addr = dev_addr
        self.f_cnt_up = self.f_cnt_down = self.unanswered = self.trying_since_ns = 0
        self.heard_f_cnt = -1
        self.heard_by, self.ack_due = NO_GATEWAYS, False

    def was_heard(self, gateways: Sequence[int], now_ns: int) -> None:
        """An uplink came by these gateways, the best first; their others are kept in any order, so that devices share it."""
        self.heard_by, self.last_seen_ns = _same((gateways[0], *sorted(gateways[1:]))), now_ns

    def forget_session(self) -> None:
        """The server does; the device does not know."""
        self.server_addr, self.heard_by = "", NO_GATEWAYS


@dataclass(frozen=True, slots=True)
class Family:
    """What the devices of one application and profile share in their `deviceInfo`; `tags` are those of both."""

    tenant_id: str
    tenant_name: str
    application_id: str
    application_name: str
    profile_id: str
    profile_name: str
    device_class: Class
    tags: tuple[tuple[str, str], ...] = ()

    def identity(self, device: Registered) -> Identity:
        """The `deviceInfo` of a device; its own tags win."""
        tags = {**dict(self.tags), **device.tags} if self.tags else device.tags
        return Identity(self.tenant_id, self.tenant_name, self.application_id, self.application_name, self.profile_id,
                        self.profile_name, device.name, DevEui(device.dev_eui), self.device_class, tags)

    def of_class(self, device_class: Class) -> "Family":
        """The same in a session of that class."""
        return self if device_class == self.device_class else _shared(replace(self, device_class=device_class))


def family(tenant: Tenant, application: Application, profile: Profile) -> Family:
    """What the server says of devices of such an application and profile: one object as long as nothing changes."""
    tags = {**application.tags, **profile.tags}
    return _shared(Family(tenant.id, tenant.name, application.id, application.name, profile.id, profile.name,
                          class_of(profile), tuple(tags.items())))


@lru_cache(maxsize=16_384)
def _same(gateways: tuple[int, ...]) -> tuple[int, ...]:
    return gateways


@lru_cache(maxsize=256)
def _shared(one: Family) -> Family:
    return one


def class_of(profile: Profile) -> Class:
    """A 1.0.x session's class: it is set when the session begins."""
    return "CLASS_C" if profile.supports_class_c else "CLASS_A"
