"""A town's imitation of ChirpStack behind its real gRPC port, in virtual time."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from chirpstack_api import api

from city.clock import SystemClock
from city.settings import Secret
from simulator.chirpstack import ChirpStack
from simulator.grpc_api import GrpcApi
from simulator.plan import Devices
from simulator.scenario import Scenario
from tests.simulator.conftest import NIGHT, Town

SECRET = Secret("a secret that only this test knows")


class Server:
    """A town, its API's port, and stubs that carry an administrator's key."""

    def __init__(self, town: Town, door: GrpcApi, port: int, channel: grpc.aio.Channel) -> None:
        self.town, self.door, self.port, self.channel = town, door, port, channel
        self.token = door.admin_token()
        self.tenant = town.chirpstack.scenario.tenant.chirpstack_tenant
        self.lamps = town.chirpstack.scenario.application("lamp")
        self.bays = town.chirpstack.scenario.application("bay")

    async def call(self, service: str, method: str, request: Any, token: str | None = "") -> Any:
        """One call; with an administrator's key, another token, or none (None)."""
        stub = getattr(api, f"{service}ServiceStub")(self.channel)
        metadata = [] if token is None else [("authorization", f"Bearer {token or self.token}")]
        return await getattr(stub, method)(request, metadata=metadata, timeout=10)

    async def code(self, service: str, method: str, request: Any, token: str | None = "") -> str:
        """The name of the status that a call ends with."""
        try:
            await self.call(service, method, request, token)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    async def sign_in(self) -> str:
        """A user's token."""
        request = api.LoginRequest(email="admin", password="admin")
        return (await self.call("Internal", "Login", request, None)).jwt

    async def key(self, **facts: Any) -> str:
        """The token of a new API key."""
        request = api.CreateApiKeyRequest(api_key=api.ApiKey(name="k", **facts))
        return (await self.call("Internal", "CreateApiKey", request, await self.sign_in())).token

    async def enqueue(self, dev_eui: str, data: bytes = bytes.fromhex("09fe2805"), *, port: int = 60, flush: bool = False,
                      **more: Any) -> str:
        item = api.DeviceQueueItem(dev_eui=dev_eui, f_port=port, data=data, **more)
        request = api.EnqueueDeviceQueueItemRequest(queue_item=item, flush_queue=flush)
        return (await self.call("Device", "Enqueue", request)).id

    async def queue(self, dev_eui: str) -> list[Any]:
        return list((await self.call("Device", "GetQueue", api.GetDeviceQueueItemsRequest(dev_eui=dev_eui))).result)


def quiet(*, lamps: int = 3, bays: int = 3, known: bool = True, seed: int = 1, **more: Any) -> Town:
    """A town where nothing gets lost and nothing breaks, unless a test says so."""
    setup = {"lamp_failure": 0.0, "stuck_driver": 0.0, "silent": 0.0, "missed_edge": 0.0, "uplink_loss": 0.0,
             "downlink_loss": 0.0, "join_within_s": 2.0}
    changes = {name: more.pop(name) for name in list(more) if name in Devices.__struct_fields__}
    scenario = Scenario.load().sized(lamps=lamps, bays=bays).tuned(**(setup | changes))
    return Town(ChirpStack(scenario, seed=seed, start=NIGHT, known=known, **more), NIGHT)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:
        async def make(town: Town | None = None) -> Server:
            if town is None:
                town = quiet()
                town.run(180)
            door = GrpcApi(town.chirpstack, SECRET, SystemClock())
            port = await door.start("127.0.0.1:0")
            stack.push_async_callback(door.stop)
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
            return Server(town, door, port, channel)
        yield make
