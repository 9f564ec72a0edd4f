"""ChirpStack's gRPC API, as far as MQTT does not reach: empty a device's queue, so that a new order replaces an old one."""

from typing import Protocol

from city.errors import Invalid, NetworkServerDown
from city.ids import DevEui
from city.settings import Chirpstack

TIMEOUT_S = 5.0


class NetworkServer(Protocol):
    """What the bridge asks of the network server beside MQTT."""

    async def flush(self, device: DevEui) -> None:
        """Forget the downlinks that wait for the device. Raises NetworkServerDown."""
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
        self._devices, self._flush = api.DeviceServiceStub(self._channel), api.FlushDeviceQueueRequest
        self._failed = grpc.RpcError
        self._metadata = (("authorization", f"Bearer {settings.token.reveal()}"),)

    async def flush(self, device: DevEui) -> None:
        request = self._flush(dev_eui=device)
        try:
            await self._devices.FlushQueue(request, metadata=self._metadata, timeout=TIMEOUT_S)
        except self._failed as error:
            code = getattr(error, "code", lambda: "?")()
            raise NetworkServerDown("ChirpStack's API does not empty the queue of {device}: {what}", device=device,
                                    what=str(code)) from error

    async def close(self) -> None:
        await self._channel.close(None)


def target(url: str) -> tuple[str, bool]:
    """host:port of the API, and whether TLS. Raises Invalid."""
    scheme, separator, rest = url.partition("://")
    where = (rest if separator else url).rstrip("/")
    if not where or "/" in where or (separator and scheme not in ("http", "https")):
        raise Invalid("ChirpStack's address must look like host:port or https://host:port.", field="chirpstack.url",
                      rule="host:port")
    return where, scheme == "https" and bool(separator)
