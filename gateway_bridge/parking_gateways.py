"""What the network server says of gateways: in a quiet town their silence alone proves nothing."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from city.clock import Clock
from city.errors import NotFound
from city.ids import GatewayId, TenantId
from city.reception import GatewayWord
from city.store.ports import Store
from gateway_bridge.network_server import NetworkServer

EVERY_S = 60.0
FRESH = timedelta(minutes=5)


class GatewayWatch:
    """Asks for every town that is bound to a tenant of the network server."""

    def __init__(self, store: Store, clock: Clock, network: NetworkServer) -> None:
        self._store, self._clock, self._network = store, clock, network
        self._said: dict[TenantId, tuple[datetime, Mapping[GatewayId, GatewayWord]]] = {}

    async def step(self) -> None:
        """Ask once; of a tenant that the network server does not know nothing is said. Raises NetworkServerDown, StoreDown."""
        for town in await asyncio.to_thread(self._store.tenants):
            if town.chirpstack_tenant:
                try:
                    words = await self._network.gateways(town.chirpstack_tenant)
                except NotFound:
                    self._said.pop(town.id, None)
                else:
                    self._said[town.id] = self._clock.now(), words

    def of(self, tenant: TenantId, now: datetime) -> Mapping[GatewayId, GatewayWord] | None:
        """The last words, None where there are none that are fresh enough."""
        at, words = self._said.get(tenant, (None, None))
        return words if at is not None and now - at <= FRESH else None
