"""One connection to a broker: a small client over paho on the asyncio loop, without paho's thread. Sockets are watched
by the loop, QoS 1 both ways; it is of no use any more once it has failed.
"""

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from city.errors import BrokerDown, Invalid
from city.settings import Mqtt

IN_FLIGHT = 100  # messages on their way to the broker
CONNECT_S, KEEPALIVE_S = 5.0, 30
PORTS = {"mqtt": 1883, "mqtts": 8883}


class BrokerLink:
    """The connection of a client of that name. Raises Invalid on a URL that is none."""

    def __init__(self, settings: Mqtt, name: str) -> None:
        url = urlsplit(settings.url)
        if url.scheme not in PORTS or not url.hostname:
            raise Invalid("“{value}” is no broker's address: mqtt://host:port or mqtts://host:port is needed.",
                          field="mqtt.url", rule="URL", value=settings.url[:80])
        self._host, self._port = url.hostname, url.port or PORTS[url.scheme]
        self._inbox: list[tuple[str, bytes]] = []
        self._flying: dict[int, tuple[str, bytes]] = {}
        self._wake = asyncio.Event()
        self._failed = ""
        self._descriptor = -1
        self._client = self._made(settings, name, tls=url.scheme == "mqtts")

    async def connect(self, topics: Iterable[str]) -> None:
        """Connected and subscribed; raises BrokerDown."""
        loop, connected = asyncio.get_running_loop(), asyncio.Event()
        self._client.on_connect = lambda *facts: self._connected(facts[3], connected)
        try:
            await asyncio.to_thread(self._client.connect, self._host, self._port, KEEPALIVE_S, clean_start=True)
            self._watch(loop)
            await asyncio.wait_for(connected.wait(), CONNECT_S)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise BrokerDown("The broker at {host} does not answer: {what}.", host=self._host, what=str(error)) from error
        self.check()
        wanted = [(topic, SubscribeOptions(qos=1)) for topic in topics]
        if wanted:
            self._client.subscribe(wanted)

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand it to the broker at QoS 1; it counts as flying until the broker has confirmed it."""
        info = self._client.publish(topic, payload, qos=1)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(str(info.rc))
        self._flying[info.mid] = (topic, payload)

    def room(self) -> bool:
        """Whether another message may fly."""
        return len(self._flying) < IN_FLIGHT and not self._failed

    def received(self) -> list[tuple[str, bytes]]:
        """What has arrived since the last call."""
        inbox, self._inbox = self._inbox, []
        return inbox

    def unsent(self) -> list[tuple[str, bytes]]:
        """What the broker has not confirmed, in order."""
        return list(self._flying.values())

    def check(self) -> None:
        """Sees to the keep-alive; raises BrokerDown when the connection is gone."""
        code = self._client.loop_misc()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(str(code))
        if self._failed:
            raise BrokerDown("The connection to the broker is gone: {what}.", what=self._failed)

    async def wait(self, seconds: float) -> None:
        """Until something came in, or so long."""
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        self._wake.clear()

    def close(self) -> None:
        """Say good-bye and let go of the socket."""
        sock = self._client.socket()
        self._unwatch()
        self._client.disconnect()
        if sock is not None:
            sock.close()

    def _made(self, settings: Mqtt, name: str, *, tls: bool) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name,
                             protocol=MQTTProtocolVersion.MQTTv5)
        client.max_inflight_messages_set(2 * IN_FLIGHT)
        client.connect_timeout = CONNECT_S
        if settings.username:
            client.username_pw_set(settings.username, settings.password.reveal())
        if tls:
            client.tls_set(settings.ca_file or None, settings.cert_file or None, settings.key_file or None)
        client.on_message = lambda *facts: self._arrived(facts[2])
        client.on_publish = lambda *facts: self._confirmed(facts[2])
        client.on_disconnect = lambda *_: self._fail("disconnected")
        return client

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        sock = self._client.socket()
        if sock is None:
            raise BrokerDown("The broker has closed the connection.")
        self._descriptor = number = sock.fileno()
        loop.add_reader(number, self._readable)
        self._client.on_socket_register_write = lambda *_: loop.add_writer(number, self._client.loop_write)
        self._client.on_socket_unregister_write = lambda *_: self._written(loop)
        self._client.on_socket_close = lambda *_: self._unwatch()
        if self._client.want_write():
            loop.add_writer(number, self._client.loop_write)

    def _unwatch(self) -> None:
        if self._descriptor >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._descriptor)
            loop.remove_writer(self._descriptor)
            self._client.on_socket_register_write = self._client.on_socket_unregister_write = None
            self._descriptor = -1

    def _written(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        code = self._client.loop_read()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(str(code))
        self._wake.set()

    def _connected(self, reason: ReasonCode, connected: asyncio.Event) -> None:
        if reason.is_failure:
            self._fail(str(reason))
        connected.set()

    def _arrived(self, message: paho.MQTTMessage) -> None:
        self._inbox.append((message.topic, bytes(message.payload)))

    def _confirmed(self, mid: int) -> None:
        self._flying.pop(mid, None)

    def _fail(self, why: str) -> None:
        self._failed = self._failed or why
        self._wake.set()
