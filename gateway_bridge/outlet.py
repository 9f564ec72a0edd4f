"""The way out of a link: a connection that only publishes, under a client id of its own and without a session.

Mosquitto 2.0.11 sends a backlog without regard to the window. On the connection of the events its word that it has a
command would stand behind all of that, for minutes: the command would be given up and sent again. Here nothing comes in,
so an answer is as fast as the broker.
"""

import asyncio
import contextlib
import itertools
import logging
import ssl
from collections.abc import Callable
from dataclasses import replace

from city.errors import BrokerDown
from city.settings import Mqtt
from gateway_bridge.connection import Connection
from gateway_bridge.link import LinkCounts, Message
from gateway_bridge.waiting import Backoff

SUFFIX = "-commands"
FIRST_WAIT_S, LASTING_S = 0.5, 5.0

_log = logging.getLogger(__name__)


class Outlet:
    """One connection after another, as long as they are wanted; each failure is followed by a growing pause."""

    def __init__(self, settings: Mqtt, address: tuple[str, int], tls: ssl.SSLContext | None, *, wanted: asyncio.Event,
                 refused: Callable[[BrokerDown], None]) -> None:
        """`wanted` is set while the broker serves the link's other connection: then a failure to connect is about this
        one alone, and `refused` is told."""
        self._settings = replace(settings, client_id=settings.client_id + SUFFIX, session_expiry_s=0, watchdog_s=0)
        self._address, self._tls, self._wanted, self._refused = address, tls, wanted, refused
        self._connection: Connection | None = None
        self._generations, self._what = itertools.count(1), "It is not there yet."
        self._anew = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether a publish has a chance now."""
        return self._connection is not None and self._connection.ready

    def greeted(self) -> None:
        """The broker serves the link's other connection since now: whatever was wrong with it before, try at once."""
        self._anew.set()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand over with QoS 1; returns when the broker has it. Raises BrokerDown: it may have it or not."""
        connection = self._connection
        if connection is None or not connection.ready:
            raise self._problem()
        await connection.publish(topic, payload)

    async def keep(self) -> None:
        """Connect when it is wanted, stay until the connection ends, wait, again. Returns never; cancel it to leave."""
        backoff, loop = Backoff(FIRST_WAIT_S), asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._anew.clear()
            began = loop.time()
            await self._stay()
            if loop.time() - began > LASTING_S:
                backoff.worked()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff.failed()):
                    await self._anew.wait()
                backoff.worked()

    async def _stay(self) -> None:
        connection = self._connection = Connection(
            self._settings, self._address, self._tls, generation=next(self._generations), counts=LinkCounts(),
            numbers=itertools.count(1), received=self._unasked, clean=True)
        try:
            await connection.open()
            connection.serve()
            _log.info("connected to %s:%d for commands", *self._address)
            await connection.ended()
        except BrokerDown as problem:
            self._over(str(problem), opened=connection.served)
        except Exception:  # whatever a broker says or paho makes of it: this connection is over, the link is not
            _log.exception("broker %s:%d, for commands", *self._address)
            self._over("The broker says what nobody understands.", opened=connection.served)
        finally:
            await connection.close()
            self._connection = None

    def _over(self, what: str, *, opened: bool) -> None:
        self._what = what
        problem = self._problem()
        _log.warning("broker %s:%d: %s", *self._address, problem)
        if not opened and self._wanted.is_set():
            self._refused(problem)

    def _problem(self) -> BrokerDown:
        return BrokerDown("There is no connection for commands (client id {client_id}): {what}",
                          client_id=self._settings.client_id, what=self._what)

    def _unasked(self, messages: list[Message], _odd: bool) -> bool:
        """Some brokers subscribe whoever comes to something: the broker may forget it, nobody waits for it here."""
        if self._connection is not None:
            self._connection.acknowledge([message for message in messages if message.qos])
        return True
