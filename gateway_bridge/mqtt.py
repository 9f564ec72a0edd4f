"""A Link over MQTT 5 or 3.1.1: this module keeps a connection up, and the session's messages together.

QoS 1, acknowledged by hand in order of receipt, a fixed client id and a session that the broker keeps while we are away.
The subscription is made anew on every connect and its answer checked. Reconnects back off with jitter. What we publish
goes over a connection of its own (gateway_bridge.outlet); counts are of the one that the events come by.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from city.errors import BrokerDown, Invalid
from city.settings import Mqtt
from gateway_bridge.connection import Connection
from gateway_bridge.link import Inbox, Link, LinkCounts, Message
from gateway_bridge.outlet import Outlet
from gateway_bridge.watchdog import Company, Seldom, Window

FIRST_WAIT_S, LONGEST_WAIT_S, LONGEST_CHASE_S = 0.5, 60.0, 10.0
SHORT_S, SHORT_ONES = 2.0, 3  # so many connections in a row, closed by the broker so soon, are the work of another program
VERSIONS = ("5", "3.1.1")

_log = logging.getLogger(__name__)


def connect(settings: Mqtt, *, had_session: bool = False) -> Link:
    """A link to the broker of the settings. It connects when first used from a running loop, and keeps connected.
    `had_session` says that this bridge has worked before: a broker that knows no session then has lost one.
    Raises Invalid where the URL, the version or the TLS files are wrong."""
    return MqttLink(settings, had_session=had_session)


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

    def __init__(self, settings: Mqtt, *, had_session: bool = False) -> None:
        if settings.version not in VERSIONS:
            raise Invalid("The bridge speaks MQTT 5 and 3.1.1, not “{version}”.", field="mqtt.version", rule="version",
                          version=settings.version[:20])
        self.counts = LinkCounts()
        self._settings, self._had_session = settings, had_session
        self._host, self._port, tls = address(settings.url)
        self._tls = _tls(settings) if tls else None
        self._inbox, self._numbers = Inbox(), itertools.count(1)
        self._window, self._seldom, self._company = Window(), Seldom(), Company()
        self._connection: Connection | None = None
        self._generation, self._short = 0, 0
        self._greeted = asyncio.Event()
        self._outlet = Outlet(settings, (self._host, self._port), self._tls, wanted=self._greeted, refused=self._inbox.fail)
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def connected(self) -> bool:
        """Whether we hear and a publish has a chance: both connections are there."""
        return self._hears and self._outlet.ready

    async def receive(self, limit: int, linger_s: float) -> list[Message]:
        self._start()
        self._fill(1)
        if not self._inbox and self._connection is not None:
            self._connection.listen()
        await self._inbox.some()
        wait_s = self._company.wait_s(linger_s)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._fill(limit)
        messages = self._inbox.take(limit)
        self._company.came(len(messages), asyncio.get_running_loop().time())
        return messages

    def _fill(self, most: int) -> None:
        """Have so many events waiting, if they are there."""
        connection = self._connection
        while connection is not None and len(self._inbox) < most and not self._inbox.full and connection.read():
            pass

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        due = [message for message in messages if message.qos]
        connection = self._connection
        if connection is None:
            self.counts.stale += len(due)
            return
        current = [message for message in due if message.generation == connection.generation]
        self.counts.stale += len(due) - len(current)
        if self._window.seen(len(connection.unacknowledged)) and self._settings.version != "5":
            _log.warning("the broker lets only %d events be on their way: it lacks max_inflight_messages of our "
                         "deploy/mosquitto.conf, or MQTT 5", self._window.most)
        connection.acknowledge(current)

    async def publish(self, topic: str, payload: bytes) -> None:
        self._start()
        if not self._hears:
            raise BrokerDown("There is no connection to the broker.")
        await self._outlet.publish(topic, payload)

    async def close(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        for keeper in self._keepers:
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        self._keepers = []

    @property
    def _hears(self) -> bool:
        return self._connection is not None and self._connection.ready

    def _start(self) -> None:
        if not self._keepers:
            loop = asyncio.get_running_loop()
            self._keepers = [loop.create_task(self._keep_connected()), loop.create_task(self._outlet.keep())]

    async def _keep_connected(self) -> None:
        """Connect, stay until the connection ends, wait, again."""
        wait = FIRST_WAIT_S
        while True:
            before, self._generation = wait, self._generation + 1
            connection = Connection(self._settings, (self._host, self._port), self._tls, generation=self._generation,
                                    counts=self.counts, numbers=self._numbers, received=self._received)
            self._connection = connection  # already now: events come with the broker's greeting
            try:
                session_present = await connection.open()
                self._greeted.set()
                self._outlet.greeted()
                self._opened(connection, session_present)
                if session_present:
                    connection.serve()
                await connection.subscribe()
                wait = FIRST_WAIT_S
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
                self._greeted.clear()
                await connection.close()
                self._connection = None
            if self._chased(connection):
                wait = min(before, LONGEST_CHASE_S)  # two programs with one client id must not chase each other for ever
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, LONGEST_WAIT_S)

    def _chased(self, connection: Connection) -> bool:
        """Whether another program has our session now; Mosquitto 2.0 does not say so, but closes the connection."""
        self._short = self._short + 1 if connection.closed_after_s < SHORT_S else 0
        if self._short >= SHORT_ONES and not connection.taken_over:
            self.counts.taken_over += 1
            if self._seldom.due("chased", asyncio.get_running_loop().time()):
                _log.error("the broker closes each of our connections at once: another program may use our client id %s",
                           self._settings.client_id)
        return connection.taken_over or self._short >= SHORT_ONES

    def _opened(self, connection: Connection, session_present: bool) -> None:
        known = self.counts.connections > 0 or self._had_session
        self.counts.connections += 1
        if session_present:
            self._inbox.drop_former(connection.generation)
        elif known:
            self.counts.sessions_lost += 1
            _log.error("the broker knows no session of %s: what it held for us meanwhile is gone", self._settings.client_id)

    def _received(self, messages: list[Message], odd: bool) -> bool:
        if odd:
            self._count(messages)
        self._inbox.put(messages)
        return not self._inbox.full

    def _count(self, messages: list[Message]) -> None:
        qos0 = sum(message.qos == 0 for message in messages)
        retained = sum(message.retain for message in messages)
        self.counts.qos0 += qos0
        self.counts.retained += retained
        self.counts.redelivered += sum(message.dup for message in messages)
        now = asyncio.get_running_loop().time()
        if qos0 and self._seldom.due("qos0", now):
            _log.warning("events come with QoS 0, which may be lost: set qos = 1 in ChirpStack's MQTT integration")
        if retained and self._seldom.due("retained", now):
            _log.warning("events are published as retained: whoever subscribes gets old ones for new")


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
