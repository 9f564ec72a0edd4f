"""An imitated network server behind the bridge's own door, without gRPC: multicast groups and what is sent to them."""

from collections.abc import Collection, Mapping
from datetime import datetime

from city.errors import NetworkServerDown, NotFound
from city.ids import DevEui, GatewayId
from city.readings import to_ns
from city.reception import GatewayWord
from decoders.codec import Frame
from gateway_bridge.network_server import GroupSpec
from simulator.chirpstack import ChirpStack
from simulator.direct import Direct
from simulator.provisioned import GPS_TIME, Group


class Beside:
    """A NetworkServer that calls the imitation directly. `away`: nothing answers; `calls` are counted by name."""

    def __init__(self, chirpstack: ChirpStack) -> None:
        self._town, self.away = chirpstack, False
        self.calls: dict[str, int] = {}
        self.cast_frames: list[tuple[str, Frame]] = []

    async def flush(self, device: DevEui) -> None:
        self._counted("flush")
        self._town.queues.flush(self._town.station(device), pending=True)

    async def cast(self, group: str, frame: Frame, expires_at: datetime) -> None:
        self._counted("cast")
        self._town.multicast.enqueue(self._group(group), frame.port, frame.data, to_ns(expires_at))
        self.cast_frames.append((group, frame))

    async def drop_casts(self, group: str) -> None:
        self._counted("drop_casts")
        self._town.multicast.flush(self._group(group).id)

    async def make_group(self, spec: GroupSpec) -> str:
        self._counted("make_group")
        registry = self._town.registry
        known = next((row for row in registry.groups if row.name == spec.name), None)
        if known is None:
            known = registry.add_group(Group(registry.new_id(), spec.application_id, spec.name, spec.dev_addr, spec.nwk_s_key,
                                             spec.app_s_key))
        known.mc_addr, known.mc_nwk_s_key, known.mc_app_s_key = spec.dev_addr, spec.nwk_s_key, spec.app_s_key
        known.dr, known.frequency = spec.dr, spec.frequency
        known.class_c_scheduling_type = GPS_TIME if spec.together else 0
        return known.id

    async def remove_group(self, group: str) -> None:
        self._counted("remove_group")
        if self._town.registry.groups.find(group) is not None:
            self._town.registry.groups.pop(group)

    async def members(self, group: str, application_id: str) -> Collection[DevEui]:  # noqa: ARG002
        self._counted("members")
        return [DevEui(device) for device in self._group(group).devices]

    async def enlist(self, group: str, device: DevEui) -> None:
        self._counted("enlist")
        self._town.registry.add_member(self._group(group), device)

    async def dismiss(self, group: str, device: DevEui) -> None:
        self._counted("dismiss")
        self._group(group).devices.pop(device, None)

    async def set_gateways(self, group: str, gateways: Collection[GatewayId]) -> None:
        self._counted("set_gateways")
        found = self._group(group)
        found.gateways.clear()
        for gateway in gateways:
            self._town.registry.add_transmitter(found, gateway)

    async def gateways(self, tenant: str) -> Mapping[GatewayId, GatewayWord]:
        self._counted("gateways")
        return await Direct([self._town]).gateways(tenant)

    async def close(self) -> None:
        """Nothing to close."""

    def _group(self, name: str) -> Group:
        found = self._town.registry.groups.find(name)
        if found is None:
            raise NotFound("ChirpStack does not have {thing} any more.", thing=name)
        return found

    def _counted(self, name: str) -> None:
        if self.away:
            raise NetworkServerDown("ChirpStack's API does not do what concerns {thing}: {what}", thing=name, what="away")
        self.calls[name] = self.calls.get(name, 0) + 1
