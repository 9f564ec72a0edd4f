"""ChirpStack's gRPC API, as far as MQTT does not reach: empty a device's queue, so that a new order replaces an old one;
multicast groups, and the frames that are sent to them; how gateways are."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from city.errors import Invalid, NetworkServerDown, NotFound
from city.ids import DevEui, GatewayId
from city.reception import GatewayWord
from city.settings import Chirpstack
from decoders.codec import Frame

TIMEOUT_S = 5.0
BUSY = ("INTERNAL", "ABORTED")  # on SQLite it says so while it takes an uplink in
LOCKED = "database is locked"  # and nothing of the call has been done
AGAIN_S = (0.05, 0.2, 0.8)  # after such an answer
PAGE = 500  # rows of a list in one answer, well below gRPC's 4 MB
MAX_ROWS = 50_000
MOST_WORDS = 120
CLASS_C, DELAY, GPS_TIME = 0, 0, 1
EU868 = 0
NEVER_SEEN, ONLINE = 0, 1  # GatewayState


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A multicast group as the network server shall have it; keys are 32 hex digits. `together`: its gateways send at one
    instant by GPS time."""

    name: str
    application_id: str
    dev_addr: str
    nwk_s_key: str = field(repr=False)
    app_s_key: str = field(repr=False)
    dr: int = 0
    frequency: int = 0
    together: bool = False


class NetworkServer(Protocol):
    """What the bridge asks of the network server beside MQTT. All of it raises NetworkServerDown, and all but `cast` may be
    asked again without harm. What names a group raises NotFound where the network server has it no more."""

    async def flush(self, device: DevEui) -> None:
        """Forget the downlinks that wait for the device."""
        ...

    async def cast(self, group: str, frame: Frame, expires_at: datetime) -> None:
        """Let every gateway of the group send the frame once, one after the other or together."""
        ...

    async def drop_casts(self, group: str) -> None:
        """Forget the frames that wait for the group."""
        ...

    async def make_group(self, spec: GroupSpec) -> str:
        """The id of the group of that name in that application, made or put right; its counter goes on."""
        ...

    async def remove_group(self, group: str) -> None:
        """Nothing where it is gone."""
        ...

    async def members(self, group: str, application_id: str) -> Collection[DevEui]:
        """The devices that the network server knows as members."""
        ...

    async def enlist(self, group: str, device: DevEui) -> None:
        """Let the device be a member."""
        ...

    async def dismiss(self, group: str, device: DevEui) -> None:
        """Let it be none."""
        ...

    async def set_gateways(self, group: str, gateways: Collection[GatewayId]) -> None:
        """Let exactly these send to the group."""
        ...

    async def gateways(self, tenant: str) -> Mapping[GatewayId, GatewayWord]:
        """How the gateways of that tenant of the network server are; without those that it has never seen."""
        ...

    async def close(self) -> None: ...


def connect(settings: Chirpstack) -> NetworkServer:
    """The API of the settings, over one channel; call it from the loop that will use it. Raises Invalid."""
    return ChirpstackApi(settings)


class ChirpstackApi:
    """Over gRPC with an API key; TLS where the address begins with https://."""

    def __init__(self, settings: Chirpstack) -> None:
        # Here, because they take 12 MB, and a bridge without chirpstack.url needs none of them.
        import grpc
        from chirpstack_api import api

        where, tls = target(settings.url)
        self._channel = grpc.aio.secure_channel(where, grpc.ssl_channel_credentials()) if tls \
            else grpc.aio.insecure_channel(where)
        self._api, self._failed = api, grpc.RpcError
        self._devices = api.DeviceServiceStub(self._channel)
        self._groups = api.MulticastGroupServiceStub(self._channel)
        self._gateways = api.GatewayServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {settings.token.reveal()}"),)

    async def flush(self, device: DevEui) -> None:
        await self._ask(self._devices.FlushQueue, self._api.FlushDeviceQueueRequest(dev_eui=device), device)

    async def cast(self, group: str, frame: Frame, expires_at: datetime) -> None:
        item = self._api.MulticastGroupQueueItem(multicast_group_id=group, f_port=frame.port, data=frame.data)
        item.expires_at.FromDatetime(expires_at.replace(tzinfo=None))
        await self._ask(self._groups.Enqueue, self._api.EnqueueMulticastGroupQueueItemRequest(queue_item=item), group, once=True)

    async def drop_casts(self, group: str) -> None:
        request = self._api.FlushMulticastGroupQueueRequest(multicast_group_id=group)
        await self._ask(self._groups.FlushQueue, request, group)

    async def make_group(self, spec: GroupSpec) -> str:
        listing = self._api.ListMulticastGroupsRequest(application_id=spec.application_id, search=spec.name)
        known = next((row.id for row in await self._all(self._groups.List, listing, spec.name) if row.name == spec.name), "")
        if not known:
            request = self._api.CreateMulticastGroupRequest(multicast_group=self._filled(self._api.MulticastGroup(), spec))
            return str((await self._ask(self._groups.Create, request, spec.name)).id)
        found = await self._ask(self._groups.Get, self._api.GetMulticastGroupRequest(id=known), spec.name)
        before = found.multicast_group.SerializeToString(deterministic=True)
        wanted = self._filled(found.multicast_group, spec)
        if wanted.SerializeToString(deterministic=True) != before:
            await self._ask(self._groups.Update, self._api.UpdateMulticastGroupRequest(multicast_group=wanted), spec.name)
        return str(known)

    async def remove_group(self, group: str) -> None:
        try:
            await self._ask(self._groups.Delete, self._api.DeleteMulticastGroupRequest(id=group), group)
        except NotFound:
            return

    async def members(self, group: str, application_id: str) -> Collection[DevEui]:
        request = self._api.ListDevicesRequest(application_id=application_id, multicast_group_id=group)
        return {DevEui(row.dev_eui) for row in await self._all(self._devices.List, request, group)}

    async def enlist(self, group: str, device: DevEui) -> None:
        request = self._api.AddDeviceToMulticastGroupRequest(multicast_group_id=group, dev_eui=device)
        await self._ask(self._groups.AddDevice, request, group, done="ALREADY_EXISTS")

    async def dismiss(self, group: str, device: DevEui) -> None:
        request = self._api.RemoveDeviceFromMulticastGroupRequest(multicast_group_id=group, dev_eui=device)
        await self._ask(self._groups.RemoveDevice, request, group, done="NOT_FOUND")

    async def set_gateways(self, group: str, gateways: Collection[GatewayId]) -> None:
        rows = await self._all(self._gateways.List, self._api.ListGatewaysRequest(multicast_group_id=group), group)
        known = {GatewayId(row.gateway_id) for row in rows}
        for gateway in sorted(set(gateways) - known):
            request = self._api.AddGatewayToMulticastGroupRequest(multicast_group_id=group, gateway_id=gateway)
            await self._ask(self._groups.AddGateway, request, group, done="ALREADY_EXISTS")
        for gateway in sorted(known - set(gateways)):
            request = self._api.RemoveGatewayFromMulticastGroupRequest(multicast_group_id=group, gateway_id=gateway)
            await self._ask(self._groups.RemoveGateway, request, group, done="NOT_FOUND")

    async def gateways(self, tenant: str) -> Mapping[GatewayId, GatewayWord]:
        rows = await self._all(self._gateways.List, self._api.ListGatewaysRequest(tenant_id=tenant), tenant)
        return {GatewayId(row.gateway_id): GatewayWord(row.state == ONLINE, row.last_seen_at.ToNanoseconds())
                for row in rows if row.state != NEVER_SEEN}

    async def close(self) -> None:
        await self._channel.close(None)

    def _filled(self, message: Any, spec: GroupSpec) -> Any:  # noqa: ANN401 - chirpstack_api has no types
        message.name, message.application_id, message.region = spec.name, spec.application_id, EU868
        message.mc_addr, message.mc_nwk_s_key, message.mc_app_s_key = spec.dev_addr, spec.nwk_s_key, spec.app_s_key
        message.group_type, message.dr, message.frequency = CLASS_C, spec.dr, spec.frequency
        message.class_c_scheduling_type = GPS_TIME if spec.together else DELAY
        return message

    async def _all(self, call: Any, request: Any, what: str) -> list[Any]:  # noqa: ANN401
        """All rows of a list, a page at a time: without a limit ChirpStack tells only their number."""
        rows: list[Any] = []
        request.limit = PAGE
        while len(rows) < MAX_ROWS:
            request.offset = len(rows)
            page = (await self._ask(call, request, what)).result
            rows += page
            if len(page) < PAGE:
                break
        return rows

    async def _ask(self, call: Any, request: Any, what: str, *, done: str = "", once: bool = False,  # noqa: ANN401
                   again: Sequence[float] = AGAIN_S) -> Any:  # noqa: ANN401
        """`done` is the status that says that it is so already; `again`: seconds after which a busy server is asked again,
        where it must be done `once` only if it has certainly not been."""
        try:
            return await call(request, metadata=self._metadata, timeout=TIMEOUT_S)
        except self._failed as error:
            code, words = getattr(getattr(error, "code", lambda: None)(), "name", "?"), _words(error)
            if code == done:
                return None
            if code == "NOT_FOUND":
                raise NotFound("ChirpStack does not have {thing} any more.", field="group", rule="exists", thing=what) from error
            if code not in BUSY or not again or (once and LOCKED not in words):
                raise NetworkServerDown("ChirpStack's API does not do what concerns {thing}: {what}", thing=what,
                                        what=f"{code} {words}".strip()) from error
        await asyncio.sleep(again[0])
        return await self._ask(call, request, what, done=done, once=once, again=again[1:])


def target(url: str) -> tuple[str, bool]:
    """host:port of the API, and whether TLS. Raises Invalid."""
    scheme, separator, rest = url.partition("://")
    where = (rest if separator else url).rstrip("/")
    if not where or "/" in where or (separator and scheme not in ("http", "https")):
        raise Invalid("ChirpStack's address must look like host:port or https://host:port.", field="chirpstack.url",
                      rule="host:port")
    return where, scheme == "https" and bool(separator)


def _words(error: Exception) -> str:
    """What the server says beside its status."""
    said = getattr(error, "details", lambda: "")()
    return said[:MOST_WORDS] if isinstance(said, str) else ""
