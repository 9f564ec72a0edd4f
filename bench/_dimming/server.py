"""The imitated ChirpStack's API without gRPC: the same calls on the same objects, in virtual time."""

from collections.abc import Collection
from datetime import datetime

from city.ids import DevEui, GatewayId
from city.readings import to_ns
from decoders.codec import Frame
from gateway_bridge.network_server import GroupSpec
from simulator.chirpstack import ChirpStack
from simulator.provisioned import DELAY, GPS_TIME, Group


class Direct:
    """A gateway_bridge.network_server.NetworkServer; `casts` are the times at which frames were handed over."""

    def __init__(self, town: ChirpStack) -> None:
        self._town, self._registry = town, town.registry
        self.casts: list[int] = []

    async def flush(self, device: DevEui) -> None:
        self._town.queues.flush(self._town.station(device), pending=True)

    async def cast(self, group: str, frame: Frame, expires_at: datetime) -> None:
        self.casts.append(self._town.now_ns)
        self._town.multicast.enqueue(self._registry.groups.get(group), frame.port, frame.data, to_ns(expires_at))

    async def drop_casts(self, group: str) -> None:
        self._town.multicast.flush(group)

    async def make_group(self, spec: GroupSpec) -> str:
        known = next((one for one in self._registry.groups
                      if (one.application_id, one.name) == (spec.application_id, spec.name)), None)
        group = known or self._registry.add_group(Group(
            self._registry.new_id(), spec.application_id, spec.name, spec.dev_addr, spec.nwk_s_key, spec.app_s_key))
        group.mc_addr, group.mc_nwk_s_key, group.mc_app_s_key = spec.dev_addr, spec.nwk_s_key, spec.app_s_key
        group.dr, group.frequency = spec.dr, spec.frequency
        group.class_c_scheduling_type = GPS_TIME if spec.together else DELAY
        return group.id

    async def remove_group(self, group: str) -> None:
        if self._registry.groups.find(group) is not None:
            self._registry.groups.pop(group)

    async def members(self, group: str, application_id: str) -> Collection[DevEui]:  # noqa: ARG002 - a NetworkServer's
        return {DevEui(device) for device in self._registry.groups.get(group).devices}

    async def enlist(self, group: str, device: DevEui) -> None:
        found = self._registry.groups.get(group)
        if device not in found.devices:
            self._registry.add_member(found, device)

    async def dismiss(self, group: str, device: DevEui) -> None:
        self._registry.groups.get(group).devices.pop(device, None)

    async def set_gateways(self, group: str, gateways: Collection[GatewayId]) -> None:
        found = self._registry.groups.get(group)
        for gateway in set(found.gateways) - set(gateways):
            del found.gateways[gateway]
        for gateway in sorted(set(gateways) - set(found.gateways)):
            self._registry.add_transmitter(found, gateway)

    async def close(self) -> None:
        """Nothing is open."""
