"""What a town owns and where it stands. An asset outlives the device that serves it."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from city.ids import AssetId, CircuitId, DevEui, GatewayId, TenantId, ZoneId

AssetKind = Literal["lamp", "bay"]
LIGHTING_CLASSES = frozenset(
    [f"M{n}" for n in range(1, 7)] + [f"C{n}" for n in range(6)] + [f"P{n}" for n in range(1, 8)])  # EN 13201-2:2015


class Restriction(Enum):
    """Whom a bay is for (ParkAPI's names), or what forbids dimming a lamp."""

    NONE = ""
    DISABLED = "disabled"
    CHARGING = "charging"
    RESIDENT = "resident"
    CROSSWALK = "crosswalk"


class Supply(Enum):
    """How a feeder gives power: always, or only while its lamps shall burn (ripple control, a dusk switch). Then their
    controllers have none by day."""

    PERMANENT = "permanent"
    NIGHT = "night_switched"


@dataclass(frozen=True, slots=True)
class Site:
    """A fixed place on the map, WGS 84 degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Street:
    """A line of the town's base map: name and (longitude, latitude) points, as GeoJSON orders them."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A municipality; it owns everything below it. `chirpstack_tenant` is "" until an operator binds the two. `land` is the
    code of its Land (ISO 3166-2:DE without "DE-"), whose holidays it keeps; "" where nobody has said."""

    id: TenantId
    name: str
    site: Site
    chirpstack_tenant: str = ""
    land: str = ""


@dataclass(frozen=True, slots=True)
class Zone:
    """An area lit or parked in, and counted as one."""

    tenant: TenantId
    id: ZoneId
    name: str


@dataclass(frozen=True, slots=True)
class Circuit:
    """Lamps fed by one cabinet feeder; `delivery_point` is where the grid's operator counts (Entnahmestelle)."""

    tenant: TenantId
    id: CircuitId
    name: str = ""
    delivery_point: str = ""
    supply: Supply = Supply.PERMANENT


@dataclass(frozen=True, slots=True)
class Luminaire:
    """One lamp: `power_w` is its nominal power, `min_level` the level it may never be dimmed below (per cent).

    `lighting_class` holds in the evening, `lighting_class_night` late at night ("": the same); `designed_value` is what it
    gives at 100 %, in its class's unit (cd/m² or lx). `lantern_ring`: it carries sign 394 and may be off at night.
    `luminaire_type` names its make: lamps of one type draw alike.
    """

    tenant: TenantId
    id: AssetId
    name: str
    site: Site
    zone: ZoneId
    circuit: CircuitId | None = None
    power_w: float | None = None
    lighting_class: str = ""
    restriction: Restriction = Restriction.NONE
    min_level: int = 0
    lighting_class_night: str = ""
    designed_value: float | None = None
    lantern_ring: bool = False
    luminaire_type: str = ""
    kind: AssetKind = field(default="lamp", init=False)


@dataclass(frozen=True, slots=True)
class ParkingBay:
    """One bay and whom it is for; `blocked` by the town means that nobody may park there now."""

    tenant: TenantId
    id: AssetId
    name: str
    site: Site
    zone: ZoneId
    restriction: Restriction = Restriction.NONE
    blocked: bool = False
    circuit: CircuitId | None = field(default=None, init=False)
    kind: AssetKind = field(default="bay", init=False)


Asset = Luminaire | ParkingBay


@dataclass(frozen=True, slots=True)
class Device:
    """The LoRaWAN end-device that serves an asset; `model` is the key of its codec."""

    dev_eui: DevEui
    tenant: TenantId
    asset: AssetId
    model: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """A LoRaWAN gateway as heard of in uplinks."""

    id: GatewayId
    tenant: TenantId
    name: str
    site: Site | None = None
