"""The imitated ChirpStack's API without gRPC: the same calls on the same objects, for a platform in the same process.

It is what gateway_bridge.network_server asks of a network server; neither knows the other.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from city.errors import NotFound
from city.ids import DevEui, GatewayId
from city.readings import to_ns
from city.reception import GatewayWord
from decoders.codec import Frame
from simulator.chirpstack import ChirpStack
from simulator.fleet import ONLINE
from simulator.provisioned import DELAY, GPS_TIME, Group


class Spec(Protocol):
    """What a group shall be."""

    @property
    def name(self) -> str: ...
    @property
    def application_id(self) -> str: ...
    @property
    def dev_addr(self) -> str: ...
    @property
    def nwk_s_key(self) -> str: ...
    @property
    def app_s_key(self) -> str: ...
    @property
    def dr(self) -> int: ...
    @property
    def frequency(self) -> int: ...
    @property
    def together(self) -> bool: ...


class Direct:
    """The API of some towns' servers, as if they were one. Use it in the loop that the towns live in."""

    def __init__(self, towns: Sequence[ChirpStack]) -> None:
        self._towns = towns

    async def flush(self, device: DevEui) -> None:
        for town in self._towns:
            if device in town.stations:
                town.queues.flush(town.station(device), pending=True)

    async def cast(self, group: str, frame: Frame, expires_at: datetime) -> None:
        town, found = self._found(group)
        town.multicast.enqueue(found, frame.port, frame.data, to_ns(expires_at))

    async def drop_casts(self, group: str) -> None:
        self._found(group)[0].multicast.flush(group)

    async def make_group(self, spec: Spec) -> str:
        registry = self._of_application(spec.application_id).registry
        known = next((one for one in registry.groups
                      if (one.application_id, one.name) == (spec.application_id, spec.name)), None)
        group = known or registry.add_group(Group(
            registry.new_id(), spec.application_id, spec.name, spec.dev_addr, spec.nwk_s_key, spec.app_s_key))
        group.mc_addr, group.mc_nwk_s_key, group.mc_app_s_key = spec.dev_addr, spec.nwk_s_key, spec.app_s_key
        group.dr, group.frequency = spec.dr, spec.frequency
        group.class_c_scheduling_type = GPS_TIME if spec.together else DELAY
        return group.id

    async def remove_group(self, group: str) -> None:
        for town in self._towns:
            if town.registry.groups.find(group) is not None:
                town.registry.groups.pop(group)

    async def members(self, group: str, application_id: str) -> Collection[DevEui]:  # noqa: ARG002 - as ChirpStack's list asks for it
        return {DevEui(device) for device in self._found(group)[1].devices}

    async def enlist(self, group: str, device: DevEui) -> None:
        town, found = self._found(group)
        if device not in found.devices:
            town.registry.add_member(found, device)

    async def dismiss(self, group: str, device: DevEui) -> None:
        self._found(group)[1].devices.pop(device, None)

    async def set_gateways(self, group: str, gateways: Collection[GatewayId]) -> None:
        town, found = self._found(group)
        for gateway in set(found.gateways) - set(gateways):
            del found.gateways[gateway]
        for gateway in sorted(set(gateways) - set(found.gateways)):
            town.registry.add_transmitter(found, gateway)

    async def gateways(self, tenant: str) -> Mapping[GatewayId, GatewayWord]:
        """How the gateways of a tenant of the network server are, but for those that it has never seen."""
        seen = [(row, town.fleet.state(row), town.fleet.last_seen_ns(row)) for town in self._towns
                for row in town.registry.gateways if row.tenant_id == tenant]
        return {GatewayId(row.gateway_id): GatewayWord(state == ONLINE, at_ns) for row, state, at_ns in seen if at_ns is not None}

    async def close(self) -> None:
        """Nothing is open."""

    def _found(self, group: str) -> tuple[ChirpStack, Group]:
        for town in self._towns:
            found = town.registry.groups.find(group)
            if found is not None:
                return town, found
        raise NotFound("There is no such {what} in {town}.", field="group", rule="exists", what="group", town="ChirpStack")

    def _of_application(self, application_id: str) -> ChirpStack:
        for town in self._towns:
            if town.registry.applications.find(application_id) is not None:
                return town
        raise NotFound("There is no such {what} in {town}.", field="application", rule="exists", what="application",
                       town="ChirpStack")
