"""The gRPC door against a server made of ChirpStack's own service definition."""

import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from chirpstack_api import api
from google.protobuf.empty_pb2 import Empty

from city.clock import SystemClock
from city.errors import Invalid, NetworkServerDown
from city.ids import DevEui
from city.settings import Chirpstack, Secret
from gateway_bridge.doctor.services import ApiFacts, probe_api
from gateway_bridge.network_server import connect
from tests.gateway_bridge.samples import EUI


class Devices(api.DeviceServiceServicer):
    """Empties queues for whoever has the key."""

    def __init__(self) -> None:
        self.flushed: list[str] = []

    async def FlushQueue(self, request, context):  # noqa: N802 - ChirpStack's name
        if ("authorization", "Bearer key") not in context.invocation_metadata():
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no key")
        self.flushed.append(request.dev_eui)
        return Empty()


@contextlib.asynccontextmanager
async def chirpstack(devices: Devices) -> AsyncIterator[str]:
    server = grpc.aio.server()
    api.add_DeviceServiceServicer_to_server(devices, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_a_devices_queue_is_emptied_with_our_key() -> None:
    devices = Devices()
    async with chirpstack(devices) as address:
        network = connect(Chirpstack(f"http://{address}", Secret("key")))
        await network.flush(DevEui(EUI))
        await network.close()
    assert devices.flushed == [EUI]


@pytest.mark.parametrize("key", ["wrong", ""])
async def test_a_refusal_and_silence_are_a_network_server_that_is_down(key: str) -> None:
    devices = Devices()
    async with chirpstack(devices) as address:
        network = connect(Chirpstack(address, Secret(key)))
        with pytest.raises(NetworkServerDown) as caught:
            await network.flush(DevEui(EUI))
        await network.close()
    assert devices.flushed == []
    assert "wrong" not in str(caught.value)
    away = connect(Chirpstack("127.0.0.1:1", Secret(key)))
    with pytest.raises(NetworkServerDown):
        await away.flush(DevEui(EUI))
    await away.close()


@pytest.mark.parametrize("url", ["", "http://", "ftp://host:1", "host:8080/path"])
async def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        connect(Chirpstack(url))


class Server(api.InternalServiceServicer):
    """Tells its version to nobody, as ChirpStack 4.20 does to API keys; words only to a key that it does not know."""

    def GetVersion(self, request, context):  # noqa: N802, ARG002 - ChirpStack's name
        known = ("authorization", "Bearer key") in context.invocation_metadata()
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "" if known else "InvalidToken")


@pytest.mark.parametrize(("key", "problem"), [("key", ""), ("wrong", "it answers UNAUTHENTICATED (InvalidToken)")])
def test_the_doctor_knows_a_key_that_is_good_from_one_that_is_not(key: str, problem: str) -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    api.add_InternalServiceServicer_to_server(Server(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        facts = probe_api(Chirpstack(f"127.0.0.1:{port}", Secret(key)), SystemClock())
    finally:
        server.stop(None)
    assert (facts.problem, facts.version) == (problem, "")
    assert isinstance(facts, ApiFacts)
