"""What a network server is told of a town: one class for each kind of thing.

Fields that `chirpstack_api` has under the same name are named as there; `rest` is what else the API was given, in its
own encoding, so that it can be given back unchanged. Nothing here knows gRPC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NO_TAGS: Mapping[str, str] = MappingProxyType({})
EU868, LORAWAN_1_0_3, REVISION_A = 0, 3, 0  # common.Region, common.MacVersion, common.RegParamsRevision
CODEC_NONE, CODEC_JS = 0, 2  # api.CodecRuntime
CLASS_C, CLASS_B = 0, 1  # api.MulticastGroupType
DELAY, GPS_TIME = 0, 1  # api.MulticastGroupSchedulingType
ZERO_EUI = "0000000000000000"


def _no_tags() -> Mapping[str, str]:
    """One object for all that have none."""
    return NO_TAGS


@dataclass(slots=True, eq=False)
class Tenant:
    """Who owns applications and gateways; limits of 0 are none."""

    id: str
    name: str
    description: str = ""
    can_have_gateways: bool = True
    max_gateway_count: int = 0
    max_device_count: int = 0
    tags: Mapping[str, str] = field(default_factory=_no_tags)
    rest: bytes = b""
    created_ns: int = 0
    updated_ns: int = 0


@dataclass(slots=True, eq=False)
class Application:
    """A set of devices whose events go to the same topics."""

    id: str
    tenant_id: str
    name: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=_no_tags)
    created_ns: int = 0
    updated_ns: int = 0


@dataclass(slots=True, eq=False)
class Profile:
    """What kind of device; times in seconds, `device_status_req_interval` in requests a day. `tenant_id` is "" where it
    belongs to all."""

    id: str
    tenant_id: str
    name: str
    description: str = ""
    region: int = EU868
    mac_version: int = LORAWAN_1_0_3
    reg_params_revision: int = REVISION_A
    adr_algorithm_id: str = "default"
    payload_codec_runtime: int = CODEC_NONE
    payload_codec_script: str = ""
    flush_queue_on_activate: bool = True
    uplink_interval: int = 3600
    device_status_req_interval: int = 0
    supports_otaa: bool = True
    supports_class_b: bool = False
    supports_class_c: bool = False
    class_c_timeout: int = 0
    tags: Mapping[str, str] = field(default_factory=_no_tags)
    rest: bytes = b""
    created_ns: int = 0
    updated_ns: int = 0


@dataclass(slots=True, eq=False)
class RootKeys:
    """16 bytes each; `nwk_key` is LoRaWAN 1.0.x's AppKey."""

    nwk_key: bytes
    app_key: bytes = bytes(16)
    gen_app_key: bytes = bytes(16)
    created_ns: int = 0
    updated_ns: int = 0

    def __repr__(self) -> str:
        return "RootKeys(redacted)"


@dataclass(slots=True, eq=False)
class Registered:
    """A device. `keys` is None before it has any; `key_seed` says that it has those of simulator.secrets_of instead.
    `next_nonce` is the lowest DevNonce that it has not used yet."""

    dev_eui: str
    application_id: str
    device_profile_id: str
    name: str
    description: str = ""
    join_eui: str = ZERO_EUI
    skip_fcnt_check: bool = False
    is_disabled: bool = False
    tags: Mapping[str, str] = field(default_factory=_no_tags)
    variables: Mapping[str, str] = field(default_factory=_no_tags)
    keys: RootKeys | None = None
    key_seed: int | None = None
    next_nonce: int = 0
    created_ns: int = 0
    updated_ns: int = 0


@dataclass(slots=True, eq=False)
class GatewayRecord:
    """A gateway; `stats_interval` in seconds, degrees and metres."""

    gateway_id: str
    tenant_id: str
    name: str
    description: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    altitude: float = 0.0
    tags: Mapping[str, str] = field(default_factory=_no_tags)
    stats_interval: int = 30
    downlink_priority: int = 10
    created_ns: int = 0
    updated_ns: int = 0


@dataclass(slots=True, eq=False)
class Group:
    """A multicast group: address and keys in hex, Hz, and who is in it. `f_cnt` is the next counter."""

    id: str
    application_id: str
    name: str
    mc_addr: str
    mc_nwk_s_key: str
    mc_app_s_key: str
    region: int = EU868
    f_cnt: int = 0
    group_type: int = CLASS_C
    dr: int = 3
    frequency: int = 869_525_000
    class_b_ping_slot_periodicity: int = 0
    class_c_scheduling_type: int = DELAY
    devices: dict[str, int] = field(default_factory=dict)  # DevEUI → since (ns)
    gateways: dict[str, int] = field(default_factory=dict)
    created_ns: int = 0
    updated_ns: int = 0

    def __repr__(self) -> str:
        return f"Group(id={self.id!r}, name={self.name!r}, mc_addr={self.mc_addr!r}, keys=redacted)"


@dataclass(slots=True, eq=False)
class Deployment:
    """A firmware update as ordered (`rest`: its settings and payload); `started_ns` is 0 before it is started."""

    id: str
    application_id: str
    device_profile_id: str
    name: str
    rest: bytes = b""
    devices: dict[str, int] = field(default_factory=dict)
    gateways: dict[str, int] = field(default_factory=dict)
    started_ns: int = 0
    created_ns: int = 0
    updated_ns: int = 0


@dataclass(slots=True, eq=False)
class ApiKey:
    """Who may call: everything (`is_admin`), or one tenant's."""

    id: str
    name: str
    is_admin: bool = False
    tenant_id: str = ""
    is_read_only: bool = False
    created_ns: int = 0
    updated_ns: int = 0


Record = Tenant | Application | Profile | Registered | GatewayRecord | Group | Deployment | ApiKey
