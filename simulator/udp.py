"""The simulator's door to a network server's UDP port: one socket for each gateway, since servers know a gateway by where it
speaks from. Datagrams may get lost; nothing is repeated, as by a real packet forwarder."""

import asyncio
from collections import deque
from collections.abc import Iterable
from urllib.parse import urlsplit

from city.errors import BrokerDown, Invalid

PORT = 1700
MOST_WAITING = 10_000  # datagrams from the server that nobody has looked at yet; the newest are dropped then


class UdpLink:
    """All gateways' sockets towards one server; it has the shape of simulator.link.BrokerLink. Raises Invalid."""

    def __init__(self, address: str) -> None:
        self._host, self._port = _target(address)
        self._inbox: deque[tuple[str, bytes]] = deque(maxlen=MOST_WAITING)
        self._sockets: dict[str, asyncio.DatagramTransport] = {}
        self._wake = asyncio.Event()

    async def connect(self, topics: Iterable[str]) -> None:
        """A socket for each gateway. Raises BrokerDown where the server's name means nothing."""
        loop = asyncio.get_running_loop()
        for name in topics:
            try:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda name=name: _Ear(name, self), remote_addr=(self._host, self._port))  # type: ignore[misc]
            except OSError as error:
                raise BrokerDown("The broker at {host} does not answer: {what}.", host=self._host, what=str(error)) from error
            self._sockets[name] = transport

    def publish(self, name: str, payload: bytes) -> None:
        """Send a gateway's datagram."""
        self._sockets[name].sendto(payload)

    def room(self) -> bool:
        """A datagram never waits for another."""
        return True

    def received(self) -> list[tuple[str, bytes]]:
        """What has arrived since the last call, by gateway."""
        found = list(self._inbox)
        self._inbox.clear()
        return found

    def unsent(self) -> list[tuple[str, bytes]]:
        """Nothing is known of what became of a datagram."""
        return []

    def check(self) -> None:
        """There is no connection that could be gone."""

    async def wait(self, seconds: float) -> None:
        """Until something came in, or so long."""
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        self._wake.clear()

    def close(self) -> None:
        """Let go of the sockets."""
        for transport in self._sockets.values():
            transport.close()
        self._sockets = {}

    def heard(self, name: str, payload: bytes) -> None:
        """A datagram has come for a gateway."""
        self._inbox.append((name, payload))
        self._wake.set()


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, name: str, link: UdpLink) -> None:
        self._name, self._link = name, link

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's contract
        self._link.heard(self._name, data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there yet: the next datagram may find somebody."""


def _target(address: str) -> tuple[str, int]:
    try:
        url = urlsplit(address if "://" in address else f"udp://{address}")
        if url.scheme == "udp" and url.hostname:
            return url.hostname, url.port or PORT
    except ValueError:
        pass
    raise Invalid("“{value}” is no address of a UDP port: host:port is needed.", field="udp", rule="host:port",
                  value=address[:80])
