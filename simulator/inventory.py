"""A town as a network server is told of it: the same list fills our imitation and a real ChirpStack."""

from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass

from city.places import Luminaire, ParkingBay, Restriction
from decoders.catalog import codec_of
from simulator.provisioned import (
    Application,
    GatewayRecord,
    Group,
    Profile,
    Registered,
    Tenant,
)
from simulator.scenario import BaySite, LampSite, Scenario, named_uuid
from simulator.secrets_of import group_keys

CLASS_A_LAMP = "lamp-a"  # a profile's kind: most controllers listen all the time, some only after they have spoken
PROFILES = {"lamp": "Leuchtensteuerung Klasse C", CLASS_A_LAMP: "Leuchtensteuerung Klasse A", "bay": "Parksensor Klasse A"}
APPLICATIONS = {"lamp": "strassenbeleuchtung", "bay": "parken"}
CLASS_C_TIMEOUT_S = 10  # LoRaMac-node answers a confirmed class C frame within 8 s (CLASS_B_C_RESP_TIMEOUT)
STATS_S = 30  # between two stats messages of a gateway


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a town needs in its network server. Ids are the scenario's: a real server chooses its own."""

    tenant: Tenant
    applications: tuple[Application, ...]
    profiles: tuple[Profile, ...]
    gateways: tuple[GatewayRecord, ...]
    devices: tuple[Registered, ...]
    groups: tuple[Group, ...]


def inventory(scenario: Scenario, *, seed: int, rx2_dr: int | None = None) -> Inventory:
    """Everything of a town; keys are those of simulator.secrets_of under `seed`. `rx2_dr`: the server's RX2 data rate, at
    which lamps hear their groups; without, the one of the scenario's own server."""
    names = tuple(sorted(APPLICATIONS, reverse=True))
    tenant = scenario.tenant
    sites: tuple[LampSite | BaySite, ...] = (*scenario.lamps, *scenario.bays)
    kinds = {*names, *(_kind(site) for site in sites)}
    return Inventory(
        tenant=Tenant(tenant.chirpstack_tenant, tenant.name),
        applications=tuple(Application(scenario.application(kind), tenant.chirpstack_tenant, APPLICATIONS[kind])
                           for kind in names),
        profiles=tuple(_profile(scenario, kind) for kind in PROFILES if kind in kinds),
        gateways=tuple(_gateway(scenario)),
        devices=tuple(_device(scenario, site, seed) for site in sites),
        groups=tuple(_groups(scenario, seed, 12 - scenario.plan.devices.rx2_sf if rx2_dr is None else rx2_dr)))


def _profile(scenario: Scenario, kind: str) -> Profile:
    lamp, class_c, owner = kind != "bay", kind == "lamp", scenario.tenant.chirpstack_tenant
    return Profile(named_uuid(scenario.tenant.id, "profile", kind), owner, PROFILES[kind], supports_class_c=class_c,
                   class_c_timeout=CLASS_C_TIMEOUT_S if class_c else 0, flush_queue_on_activate=False,
                   device_status_req_interval=0 if lamp else 1,
                   uplink_interval=scenario.plan.devices.status_interval_s if lamp else 86_400)


def _gateway(scenario: Scenario) -> Iterator[GatewayRecord]:
    for one in scenario.antennas:
        yield GatewayRecord(one.gateway.id, scenario.tenant.chirpstack_tenant, one.gateway.name,
                            latitude=one.site.latitude, longitude=one.site.longitude, altitude=one.altitude,
                            stats_interval=STATS_S)


def _device(scenario: Scenario, site: LampSite | BaySite, seed: int) -> Registered:
    asset = site.lamp if isinstance(site, LampSite) else site.bay
    return Registered(site.dev_eui, scenario.application(asset.kind),
                      named_uuid(scenario.tenant.id, "profile", _kind(site)), f"{asset.kind}-{asset.id}",
                      tags=_Tags(asset), key_seed=seed)


def _kind(site: LampSite | BaySite) -> str:
    """Which profile its device has."""
    if isinstance(site, BaySite):
        return "bay"
    return "lamp" if listens(site.model) else CLASS_A_LAMP


def listens(model: str) -> bool:
    """Whether devices of a model listen all the time (class C). Raises UnknownModel."""
    return codec_of(model).device_class == "C"


class _Tags(Mapping[str, str]):
    """What an operator would set, made of the asset when it is asked for: a dict for each of 100,000 devices takes more
    memory than its lamp's driver."""

    __slots__ = ("_asset",)

    def __init__(self, asset: Luminaire | ParkingBay) -> None:
        self._asset = asset

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> ItemsView[str, str]:
        """All at once."""
        return self._all().items()

    def _all(self) -> dict[str, str]:
        asset = self._asset
        tags = {"zone": str(asset.zone), "asset": str(asset.id)}
        if asset.circuit is not None:
            tags["circuit"] = str(asset.circuit)
        if asset.restriction is not Restriction.NONE:
            tags["restriction"] = asset.restriction.value
        return tags


def _groups(scenario: Scenario, seed: int, dr: int) -> Iterator[Group]:
    """One group for the lamps of each zone, at the data rate of RX2, so that they need not listen elsewhere."""
    zones: dict[str, dict[str, int]] = {}
    for site in scenario.lamps:
        members = zones.setdefault(site.lamp.zone, {})
        if listens(site.model):
            members[site.dev_eui] = 0
    for zone in sorted(zones):
        known = group_keys(seed, scenario.tenant.id, zone)
        yield Group(named_uuid(scenario.tenant.id, "multicast", zone), scenario.application("lamp"), zone, known.mc_addr,
                    known.nwk_s_key.hex(), known.app_s_key.hex(), dr=dr,
                    devices=zones[zone])
