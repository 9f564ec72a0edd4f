"""A Link over MQTT 5: paho speaks the protocol, this module owns the sockets' turns, the connections and the session.

QoS 1, manual acknowledgement, a fixed client id and a session that the broker keeps while we are away. Each connection
is a client of its own, so nothing of a former one can leak into the next; the subscription is made anew on every
connect and its answer checked. Reconnects back off with jitter.
"""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from city.errors import BrokerDown, Invalid
from city.settings import Mqtt
from gateway_bridge.link import Inbox, Link, LinkCounts, Message, Unacknowledged
from gateway_bridge.waiting import unbroken

MAX_PACKET = 2**20  # a broker may not send more; the limit of events.py is lower, so that too much is seen and kept
CONNECT_S, PUBLISH_S = 10.0, 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
READS_AT_ONCE = 200

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def connect(settings: Mqtt) -> Link:
    """A link to the broker of the settings. It connects when first used from a running loop, and keeps connected.
    Raises Invalid where the URL or the TLS files are wrong."""
    return MqttLink(settings)


def address(url: str) -> tuple[str, int, bool]:
    """Host, port and whether TLS, of mqtt://host[:port] or mqtts://host[:port]. Raises Invalid."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("mqtt", "mqtts") or parts.path not in ("", "/"):
        raise Invalid("The broker's address must look like mqtt://host:port or mqtts://host:port.", field="mqtt.url",
                      rule="URL")
    if parts.username or parts.password:
        raise Invalid("The broker's user name and password are settings of their own, not part of its address.",
                      field="mqtt.url", rule="no credentials")
    tls = parts.scheme == "mqtts"
    return host, port or (8883 if tls else 1883), tls


class MqttLink:
    """The Link to a real broker."""

    def __init__(self, settings: Mqtt) -> None:
        self.counts = LinkCounts()
        self._settings = settings
        self._host, self._port, tls = address(settings.url)
        self._tls = _tls(settings) if tls else None
        self._inbox = Inbox()
        self._number = 0
        self._connection: _Connection | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.ready

    async def receive(self, limit: int, linger_s: float) -> list[Message]:
        self._start()
        return await self._inbox.take(limit, linger_s)

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        due = [message for message in messages if message.qos]
        connection = self._connection
        if connection is None:
            self.counts.stale += len(due)
            return
        current = [message for message in due if message.generation == connection.generation]
        self.counts.stale += len(due) - len(current)
        connection.acknowledge(current)

    async def publish(self, topic: str, payload: bytes) -> None:
        self._start()
        connection = self._connection
        if connection is None or not connection.ready:
            raise BrokerDown("There is no connection to the broker.")
        await connection.publish(topic, payload)

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None

    def _start(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep_connected())

    async def _keep_connected(self) -> None:
        """Connect, stay until the connection ends, wait, again."""
        wait = FIRST_WAIT_S
        while True:
            connection = _Connection(self._settings, self.counts.connections + 1, self._host, self._port, self._tls)
            try:
                session_present = await connection.open(self._received)
                self._opened(connection, session_present)
                wait = FIRST_WAIT_S
                await connection.subscribe()
                # only now: what is published before the subscription of a new session is nobody's
                _log.info("connected to %s:%d, session %s", self._host, self._port, "kept" if session_present else "new")
                await connection.ended()
            except BrokerDown as problem:
                _log.warning("broker %s:%d: %s", self._host, self._port, problem)
                self._inbox.fail(problem)
            except Exception:  # whatever a broker says or paho makes of it: this connection is over, the link is not
                _log.exception("broker %s:%d", self._host, self._port)
                self._inbox.fail(BrokerDown("The broker says what nobody understands."))
            finally:
                await connection.close()
                self._connection = None
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, LONGEST_WAIT_S)

    def _opened(self, connection: "_Connection", session_present: bool) -> None:
        known = self.counts.connections > 0
        self.counts.connections += 1
        self._connection = connection
        if session_present:
            self._inbox.drop_former(connection.generation)
        elif known:
            self.counts.sessions_lost += 1
            _log.error("the broker has lost our session: what it held for us meanwhile is gone")

    def _received(self, connection: "_Connection", raw: paho.MQTTMessage) -> None:
        self._number += 1
        try:
            topic = raw.topic
        except UnicodeDecodeError:
            topic = ""  # no event has an empty topic: it becomes a dead letter like any other nonsense
        message = Message(topic, bytes(raw.payload), raw.qos, raw.retain, raw.dup, connection.generation, self._number,
                          raw.mid)
        self.counts.qos0 += raw.qos == 0
        self.counts.retained += bool(raw.retain)
        if message.qos:
            connection.unacknowledged.add(message)
        self._inbox.put(message)


class _Connection:
    """One connection from its TCP handshake to its end. All callbacks of paho run in the loop's thread but those of
    `reconnect`, which blocks in a thread of its own."""

    def __init__(self, settings: Mqtt, generation: int, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.generation, self.ready = generation, False
        self.unacknowledged = Unacknowledged()
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[bool] = self._loop.create_future()
        self._subscribed: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._end: asyncio.Future[str] = self._loop.create_future()
        self._published: dict[int, asyncio.Future[None]] = {}
        self._misc: asyncio.Task[None] | None = None
        self._reads = 0
        self._client = _client(settings, tls)
        self._client.connect_async(host, port, settings.keepalive_s, clean_start=False, properties=_properties(settings))

    async def open(self, received: "_Receiver") -> bool:
        """Connect; returns whether the broker has kept our session. Raises BrokerDown."""
        client = self._client
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_written

        def on_message(_client: paho.Client, _data: object, raw: paho.MQTTMessage) -> None:
            self._reads += 1
            received(self, raw)

        client.on_message = on_message
        try:
            await unbroken(asyncio.to_thread(client.reconnect))
        except (OSError, ValueError) as error:
            raise BrokerDown("The broker cannot be reached: {what}", what=str(error)) from error
        self._loop.add_reader(_socket(client), self._read)
        self._want_write()
        self._misc = self._loop.create_task(self._keep_alive())
        return await self._within(self._greeted, CONNECT_S)

    async def subscribe(self) -> None:
        """Subscribe to the events; raises BrokerDown where the broker refuses."""
        topic = f"$share/{self._settings.share}/{self._settings.topic}" if self._settings.share else self._settings.topic
        self._client.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=1))
        for code in await self._within(self._subscribed, CONNECT_S):
            if code.is_failure:
                raise BrokerDown("The broker refuses the subscription to {topic}: {what}", topic=topic, what=str(code))
            if code.value == 0:
                _log.warning("the broker grants only QoS 0: events can be lost")
        self.ready = True

    async def ended(self) -> None:
        """Return never; raises BrokerDown when the connection ends."""
        raise BrokerDown("The connection to the broker has ended: {what}", what=await self._end)

    async def publish(self, topic: str, payload: bytes) -> None:
        info = self._client.publish(topic, payload, qos=1)
        if info.rc not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_NO_CONN):
            raise BrokerDown("The broker takes nothing more: {what}", what=paho.error_string(info.rc))
        done = self._published[info.mid] = self._loop.create_future()
        try:
            await self._within(done, PUBLISH_S)
        finally:
            self._published.pop(info.mid, None)

    def acknowledge(self, messages: Sequence[Message]) -> None:
        for message in self.unacknowledged.done(messages):
            self._client.ack(message.mid, message.qos)

    async def close(self) -> None:
        self.ready = False
        if self._misc is not None:
            self._misc.cancel()
        if self._client.socket() is None:
            return
        if not self._end.done():
            self._client.disconnect()
            with contextlib.suppress(BrokerDown):
                await asyncio.wait({self._end}, timeout=1)
        sock = self._client.socket()
        if sock is not None:
            self._on_socket_close(self._client, None, sock)
            self._client.on_socket_close = self._client.on_socket_unregister_write = None
            _close(sock)

    async def _within(self, future: "asyncio.Future[_T]", seconds: float) -> _T:
        """The future's result; BrokerDown if the connection ends before it, or nothing happens for so long."""
        either: set[asyncio.Future[Any]] = {future, self._end}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        what = self._end.result() if self._end.done() else "no answer in time"
        raise BrokerDown("The connection to the broker has ended: {what}", what=what)

    async def _keep_alive(self) -> None:
        while self._client.loop_misc() == paho.MQTT_ERR_SUCCESS:  # noqa: ASYNC110 - paho must be asked in turn
            await asyncio.sleep(1)

    def _read(self) -> None:
        """Read what is there; paho takes one packet a call and does not say whether there are more."""
        try:
            for _ in range(READS_AT_ONCE):
                before = self._reads
                self._client.loop_read()
                sock = self._client.socket()
                if sock is None or (self._reads == before and not _buffered(sock)):
                    return
        except Exception as error:  # a packet that paho cannot parse
            self._give_up(error)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Nothing more is read or written; `ended` says why."""
        self.ready = False
        sock = self._client.socket()
        if sock is not None:
            self._on_socket_close(self._client, None, sock)
        if not self._end.done():
            self._end.set_result(f"{type(error).__name__}: {error}")

    def _want_write(self) -> None:
        sock = self._client.socket()
        if sock is not None and self._client.want_write() and not self._end.done():
            self._loop.add_writer(sock, self._write)

    def _on_connect(self, _client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode,
                    properties: Properties | None) -> None:
        if self._greeted.done():
            return
        if code.is_failure:
            self._greeted.set_exception(BrokerDown("The broker refuses us: {what}", what=str(code)))
            return
        granted = getattr(properties, "SessionExpiryInterval", self._settings.session_expiry_s)
        if granted < self._settings.session_expiry_s:
            _log.warning("the broker keeps our session for %d s only", granted)
        self._greeted.set_result(flags.session_present)

    def _on_disconnect(self, _client: paho.Client, _data: object, _flags: paho.DisconnectFlags, code: ReasonCode,
                       _properties: Properties | None) -> None:
        self.ready = False
        if not self._end.done():
            self._end.set_result(str(code))

    def _on_subscribe(self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode],
                      _properties: Properties | None) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(codes)

    def _on_publish(self, _client: paho.Client, _data: object, mid: int, code: ReasonCode,
                    _properties: Properties | None) -> None:
        done = self._published.get(mid)
        if done is None or done.done():
            return
        if code.is_failure:
            done.set_exception(BrokerDown("The broker refuses a command: {what}", what=str(code)))
        else:
            done.set_result(None)

    def _on_want_write(self, _client: paho.Client, _data: object, _sock: "paho.SocketLike") -> None:
        self._loop.call_soon_threadsafe(self._want_write)

    def _on_written(self, _client: paho.Client, _data: object, sock: "paho.SocketLike") -> None:
        self._loop.remove_writer(sock)

    def _on_socket_close(self, _client: paho.Client, _data: object, sock: "paho.SocketLike") -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)


_Receiver = Callable[[_Connection, paho.MQTTMessage], None]


def _client(settings: Mqtt, tls: ssl.SSLContext | None) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=settings.client_id, protocol=paho.MQTTv5,
                         manual_ack=True, reconnect_on_failure=False)
    if settings.username:
        client.username_pw_set(settings.username, settings.password.reveal() or None)
    if tls is not None:
        client.tls_set_context(tls)
    client.connect_timeout = CONNECT_S
    return client


def _properties(settings: Mqtt) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho ships it
    properties.SessionExpiryInterval = settings.session_expiry_s
    properties.ReceiveMaximum = min(max(settings.receive_maximum, 1), 65535)
    properties.MaximumPacketSize = MAX_PACKET
    return properties


def _tls(settings: Mqtt) -> ssl.SSLContext:
    """Certificates are checked, always; raises Invalid where a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise Invalid("The TLS files of the broker cannot be used: {what}", field="mqtt.ca_file", rule="PEM",
                      what=str(error)) from error
    return context


def _buffered(sock: "paho.SocketLike") -> bool:
    """Whether TLS holds decrypted bytes that the socket's readiness does not show."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _socket(client: paho.Client) -> "paho.SocketLike":
    sock = client.socket()
    if sock is None:
        raise BrokerDown("The connection to the broker has ended: {what}", what="at once")
    return sock


def _close(sock: "paho.SocketLike") -> None:
    with contextlib.suppress(OSError):
        sock.close()
