"""The simulator's door to MQTT: publishes what the imitation of ChirpStack says, hands it what is commanded.

A small client over paho on the asyncio loop, without paho's thread: sockets are watched by the loop, QoS 1 both ways,
and it connects anew after the broker was away. The town never loses a message here: while too many wait for the
broker it stands still, and catches up with the clock afterwards.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from city.clock import Clock
from city.errors import BrokerDown, Invalid
from city.settings import Mqtt
from simulator.chirpstack import ChirpStack

STEP_S = 0.05  # real seconds between two looks at the clock
CATCH_UP = timedelta(minutes=2)  # virtual time in one go at most, however far behind
IN_FLIGHT, HELD = 100, 20_000  # messages on their way to the broker; messages that may wait for it
RETRY_S, RETRY_MOST_S = 0.2, 10.0
CONNECT_S, KEEPALIVE_S = 5.0, 30
PORTS = {"mqtt": 1883, "mqtts": 8883}

_log = logging.getLogger(__name__)


async def drive(chirpstack: ChirpStack, settings: Mqtt, clock: Clock, stop: asyncio.Event) -> None:
    """Run the town at the clock's pace until `stop` is set. Raises Invalid on a URL that is none; a broker that is down
    is waited for."""
    town, wait, said = _Pace(chirpstack, clock), RETRY_S, ""
    while not stop.is_set():
        broker = _Broker(settings, chirpstack.scenario.tenant.id)
        try:
            await broker.connect(chirpstack.command_topics)
            wait, said = RETRY_S, ""
            await _run(town, broker, stop)
        except BrokerDown as error:
            if str(error) != said and not stop.is_set():  # once, not at every attempt
                said = str(error)
                _log.warning("%s It is tried again.", said)
            town.outbox.extendleft(reversed(broker.unsent()))
            town.advance()
            await _pause(wait, stop)
            wait = min(wait * 2, RETRY_MOST_S)
        finally:
            broker.close()


class _Pace:
    """Keeps the town up with the clock, in steps; `outbox` is what the broker has not been given yet."""

    def __init__(self, chirpstack: ChirpStack, clock: Clock) -> None:
        self.outbox: deque[tuple[str, bytes]] = deque()
        self._town, self._clock = chirpstack, clock
        self._at = clock.now()

    def advance(self) -> bool:
        """One step towards the clock; whether it has been reached."""
        now = self._clock.now()
        if len(self.outbox) >= HELD:
            return True
        self._at = min(now, self._at + CATCH_UP)
        self.outbox.extend(self._town.advance(self._at))
        return self._at >= now

    def command(self, topic: str, payload: bytes) -> None:
        """A command reaches the town at the time that it has got to."""
        self._town.command(topic, payload, self._at)


async def _run(town: _Pace, broker: "_Broker", stop: asyncio.Event) -> None:
    while not stop.is_set():
        for topic, payload in broker.received():
            town.command(topic, payload)
        reached = town.advance()
        while town.outbox and broker.room():
            broker.publish(*town.outbox.popleft())
        broker.check()
        await broker.wait(STEP_S if reached else 0.0)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


class _Broker:
    """One connection to the broker; of no use any more once it has failed."""

    def __init__(self, settings: Mqtt, town: str) -> None:
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
        self._client = self._made(settings, town, tls=url.scheme == "mqtts")

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
        self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])

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

    def _made(self, settings: Mqtt, town: str, *, tls: bool) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"stadtfunk-simulator-{town}",
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


