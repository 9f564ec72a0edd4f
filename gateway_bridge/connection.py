"""One connection to a broker, from its TCP handshake to its end: paho speaks the protocol, but for the events.

Everything runs in the event loop's thread but `reconnect`, which blocks in a thread of its own.
"""

import asyncio
import contextlib
import itertools
import logging
import math
import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from paho.mqtt import client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from city.errors import BrokerDown
from city.settings import Mqtt
from gateway_bridge import watchdog
from gateway_bridge.client import CONNECT_S, client, is_5, properties
from gateway_bridge.link import LinkCounts, Message, Unacknowledged
from gateway_bridge.sockets import CLOSED, PacketSocket
from gateway_bridge.waiting import unbroken
from gateway_bridge.watchdog import Step

PUBLISH_S = 10.0
REST_S = 0.05  # at most, between events that have come and a look for more
TAKEN_OVER = 142  # MQTT 5, 2.4: Session taken over
_PINGREQ = b"\xc0\x00"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Connection:
    """A client of its own for each connection, so that nothing of a former one can leak into the next."""

    def __init__(self, settings: Mqtt, address: tuple[str, int], tls: ssl.SSLContext | None, *, generation: int,
                 counts: LinkCounts, numbers: "itertools.count[int]", received: "Receiver", clean: bool = False) -> None:
        """`clean`: the broker keeps nothing for us, neither from before nor for later."""
        self.generation, self.ready, self.taken_over = generation, False, False
        self.closed_after_s = math.inf  # … where it was ready and the broker has closed it without a word
        self.unacknowledged, self._early = Unacknowledged(), list[Message]()
        self._settings, self._counts, self._received = settings, counts, received
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[bool] = self._loop.create_future()
        self._subscribed: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._end: asyncio.Future[BrokerDown] = self._loop.create_future()
        self._published: dict[int, asyncio.Future[None]] = {}
        self._care: asyncio.Task[None] | None = None
        self._fd, self._paused, self._keepalive_s = -1, False, settings.keepalive_s
        self._resting: asyncio.TimerHandle | None = None  # nothing is read until then, unless somebody asks
        self._probe_topic = f"stadtfunk/probe/{quote(settings.client_id, safe='')}"
        self._probing = self._answered = False
        self._ready_at = math.inf
        self._heard_at = self._arrived_at = self._pinged_at = self._probed_at = self._acknowledged_at = self._loop.time()
        self._client = client(settings, tls, clean=clean)
        self._client.prepare(self.generation, numbers)
        options: dict[str, Any] = {"clean_start": clean, "properties": properties(settings)} if is_5(settings) else {}
        self._client.connect_async(*address, settings.keepalive_s, **options)

    async def open(self) -> bool:
        """Connect; returns whether the broker has kept our session. Raises BrokerDown."""
        client = self._client
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_want_write
        try:
            await unbroken(asyncio.to_thread(client.reconnect))
        except ssl.SSLCertVerificationError as error:
            raise BrokerDown("The broker's certificate is not to be trusted: {what}", what=error.verify_message) from error
        except (OSError, ValueError) as error:
            raise _unreachable(error) from error
        self._fd = self._packets.fileno()
        if self._fd < 0:
            raise _over("at once")
        self._loop.add_reader(self._fd, self._readable)
        self._want_write()
        return await self._within(self._greeted, CONNECT_S)

    async def subscribe(self) -> None:
        """Subscribe to the events; raises BrokerDown where the broker refuses. Then the connection is ready."""
        share, topic = self._settings.share, self._settings.topic
        topics = [f"$share/{share}/{topic}" if share else topic]
        if self._settings.watchdog_s:
            topics.append(self._probe_topic)
        how: Any = SubscribeOptions(qos=1, retainHandling=1) if is_5(self._settings) else 1
        self._client.subscribe([(name, how) for name in topics])
        codes = await self._unless_silent(self._subscribed, CONNECT_S)
        if codes[0].is_failure:
            raise BrokerDown("The broker refuses the subscription to {topic}: {what}", topic=topics[0], what=str(codes[0]))
        if codes[0].value == 0:
            _log.warning("the broker grants only QoS 0: events can be lost")
        if share:
            self._client.unsubscribe(topic)  # from a time before it was shared: everything would come twice
        self._probing = len(topics) == 2 and self._may_probe(len(codes) == 2 and not codes[1].is_failure)
        self._probe()
        self.serve()

    def serve(self) -> None:
        """Opened, and there is nothing (more) to subscribe to, or the broker has kept our subscription and may answer a
        new one only after a backlog: the connection is ready, and looked after."""
        if self.ready or self._end.done():
            return
        self.ready, self._ready_at = True, self._loop.time()
        self._care = self._loop.create_task(self._look_after())
        self.acknowledge(self._early)

    @property
    def served(self) -> bool:
        """Whether it is or was ready."""
        return self._ready_at < math.inf

    async def ended(self) -> None:
        """Return never; raises BrokerDown when the connection ends."""
        raise await asyncio.shield(self._end)

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
        if not self.ready:  # each would bring more events in front of the answer we wait for
            self._early += messages
            return
        due = self.unacknowledged.done(messages)
        if due and not self._end.done():
            self._acknowledged_at = self._loop.time()
            self._packets.acknowledge(due)
            self._want_write()

    def read(self) -> bool:
        """Take what is there now: the events to the link, the rest to paho. Returns whether there were events. Only where
        the link has room for more."""
        if self._fd < 0:
            return False
        if self._paused:
            self._paused = False
            self._rest()
        packets = self._packets
        messages = packets.read()
        if packets.heard:
            self._heard_at = self._loop.time()
        if messages:
            self._arrived_at = self._heard_at
            self._take(messages, odd=bool(packets.odd or packets.cut))
        self._let_paho_read()
        if packets.unsent:
            self._want_write()
        return bool(messages)

    def listen(self) -> None:
        """Somebody waits for events: be woken by the next one."""
        if self._resting is not None:
            self._resting.cancel()
            self._rested()

    async def close(self) -> None:
        self.ready = False
        if self._care is not None:
            self._care.cancel()
        if self._client.socket() is not None and not self._end.done():
            self._client.disconnect()
            await asyncio.wait({self._end}, timeout=1)
        self._forget()
        self._client.on_socket_close = self._client.on_socket_register_write = None
        if self._client.packets is not None:
            with contextlib.suppress(OSError):
                self._client.packets.close()

    @property
    def _packets(self) -> PacketSocket:
        if self._client.packets is None:
            raise _over("at once")
        return self._client.packets

    async def _within(self, future: "asyncio.Future[_T]", seconds: float) -> _T:
        """The future's result; BrokerDown if the connection ends before it, or it does not come for so long."""
        either: set[asyncio.Future[Any]] = {future, self._end}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        raise self._end.result() if self._end.done() else _over("no answer in time")

    async def _unless_silent(self, future: "asyncio.Future[_T]", seconds: float) -> _T:
        """The same, but BrokerDown only where the broker says nothing at all for so long: the answer may stand behind a
        backlog, which Mosquitto 2.0.11 sends without regard to the window."""
        while True:
            heard_at = self._heard_at
            try:
                return await self._within(future, seconds)
            except BrokerDown:
                if self._end.done() or (heard_at == self._heard_at and not self._paused):
                    raise

    def _readable(self) -> None:
        """Events seldom come alone. Whoever takes them looks for others himself, and is not woken for each."""
        if self.read() and self._fd >= 0 and not self._paused:
            self._loop.remove_reader(self._fd)
            self._rest()

    def _rest(self) -> None:
        self._resting = self._loop.call_later(REST_S, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if self._fd >= 0 and not self._paused:
            self._loop.add_reader(self._fd, self._readable)

    def _let_paho_read(self) -> None:
        try:
            while self._packets.waiting and self._client.socket() is not None:
                self._client.loop_read()
        except Exception as error:  # a packet that paho cannot parse
            self._give_up(_over(f"{type(error).__name__}: {error}"))

    def _take(self, messages: list[Message], *, odd: bool) -> None:
        self.unacknowledged.add(messages if not odd else [message for message in messages if message.qos])
        if self._settings.watchdog_s:
            probes = [message for message in messages if message.topic == self._probe_topic]
            if probes:
                self._answered = True
                messages = [message for message in messages if message.topic != self._probe_topic]
                self.acknowledge(probes)
        self._counts.cut += self._packets.cut
        self._packets.cut = 0
        self._counts.most_open = max(self._counts.most_open, len(self.unacknowledged))
        if messages and not self._received(messages, odd) and self._fd >= 0:
            self._paused = True
            self._loop.remove_reader(self._fd)
            if self._resting is not None:
                self._resting.cancel()
                self._resting = None

    async def _look_after(self) -> None:
        """Ask for signs of life, until the connection ends."""
        try:
            while not self._end.done():
                await asyncio.sleep(1)
                self._keep_alive()
                self._watch()
        except BrokerDown as problem:
            self._give_up(problem)

    def _keep_alive(self) -> None:
        now = self._loop.time()
        step = watchdog.keepalive(now, heard_at=self._heard_at, asked_at=self._pinged_at, keepalive_s=self._keepalive_s)
        if step is Step.GIVE_UP and not self._paused:
            raise _over("no sign of life")
        if step is not Step.WAIT:
            self._pinged_at = now
            self._packets.send(_PINGREQ)
            self._want_write()

    def _watch(self) -> None:
        step = watchdog.delivery(self._loop.time(), arrived_at=self._arrived_at, asked_at=self._probed_at,
                                 acknowledged_at=self._acknowledged_at, held=len(self.unacknowledged),
                                 every_s=self._settings.watchdog_s) if self._probing and not self._paused else Step.WAIT
        if step is Step.ASK:
            self._probe()
        elif step is Step.GIVE_UP:
            self._counts.unanswered += 1
            self._probing = self._may_probe(self._answered)
            if self._answered:
                self._counts.watchdog += 1
                raise BrokerDown("The broker answers, but has delivered nothing for {seconds} s.",
                                 seconds=round(self._loop.time() - self._arrived_at))

    def _may_probe(self, allowed: bool) -> bool:
        if not allowed:
            _log.warning("the broker does not let us hear ourselves on %s: that it stops delivering will not be noticed",
                         self._probe_topic)
        return allowed

    def _probe(self) -> None:
        if self._probing:
            self._probed_at = self._loop.time()
            self._client.publish(self._probe_topic, b"", qos=1)

    def _write(self) -> None:
        self._packets.flush()
        try:
            self._client.loop_write()
        except Exception as error:
            self._give_up(_over(f"{type(error).__name__}: {error}"))
        if self._fd >= 0 and not self._client.want_write() and not self._packets.unsent:
            self._loop.remove_writer(self._fd)

    def _want_write(self) -> None:
        if self._fd >= 0 and (self._client.want_write() or self._packets.unsent):
            self._loop.add_writer(self._fd, self._write)

    def _give_up(self, problem: BrokerDown) -> None:
        """Nothing more is read or written; `ended` says why."""
        self.ready = False
        self._forget()
        if not self._end.done():
            self._end.set_result(problem)

    def _forget(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = -1  # it may be somebody else's soon

    def _on_connect(self, _client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode,
                    properties: Properties | None) -> None:
        if self._greeted.done():
            return
        if code.is_failure:
            self._greeted.set_exception(BrokerDown("The broker refuses us: {what}", what=str(code)))
            return
        self._keepalive_s = getattr(properties, "ServerKeepAlive", self._keepalive_s)
        granted = getattr(properties, "SessionExpiryInterval", self._settings.session_expiry_s)
        if granted < self._settings.session_expiry_s:
            _log.warning("the broker keeps our session for %d s only", granted)
        self._greeted.set_result(flags.session_present)

    def _on_disconnect(self, _client: paho.Client, _data: object, flags: paho.DisconnectFlags, code: ReasonCode,
                       _properties: Properties | None) -> None:
        self.taken_over = flags.is_disconnect_packet_from_server and code.value == TAKEN_OVER
        if self.taken_over:
            self._counts.taken_over += 1
            problem = BrokerDown("Another program uses our client id {client_id}: the broker serves whoever came last.",
                                 client_id=self._settings.client_id)
        else:
            ended = "" if flags.is_disconnect_packet_from_server else self._packets.ended
            problem = _over(ended or str(code))
            if ended == CLOSED and self.ready:
                self.closed_after_s = self._loop.time() - self._ready_at
        self._give_up(problem)

    def _on_subscribe(self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode],
                      _properties: Properties | None) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(codes)

    def _on_publish(self, _client: paho.Client, _data: object, mid: int, code: ReasonCode,
                    _properties: Properties | None) -> None:
        done = self._published.get(mid)
        if done is None or done.done():
            if done is None and code.is_failure and self._probing:  # nobody else publishes without waiting
                self._probing = self._may_probe(False)
            return
        if code.is_failure:
            done.set_exception(BrokerDown("The broker refuses a command: {what}", what=str(code)))
        else:
            done.set_result(None)

    def _on_want_write(self, _client: paho.Client, _data: object, _sock: "paho.SocketLike") -> None:
        self._loop.call_soon_threadsafe(self._want_write)

    def _on_socket_close(self, _client: paho.Client, _data: object, _sock: "paho.SocketLike") -> None:
        self._forget()


Receiver = Callable[[list[Message], bool], bool]
"""Takes the events of one read, and whether any of them is odd (PacketSocket.odd); False where there is no room for more
until it reads again."""


def _over(what: str) -> BrokerDown:
    return _certificate(what) or BrokerDown("The connection to the broker has ended: {what}", what=what)


def _unreachable(error: Exception) -> BrokerDown:
    return _certificate(str(error)) or BrokerDown("The broker cannot be reached: {what}", what=str(error))


def _certificate(what: str) -> BrokerDown | None:
    """TLS brings a broker's refusal of our certificate as an alert, with TLS 1.3 only after the handshake."""
    alert = what.lower()
    if "alert" in alert and ("certificate" in alert or "unknown ca" in alert or "unknown_ca" in alert):
        return BrokerDown("The broker refuses our client certificate, or wants one: {what}", what=what)
    return None
