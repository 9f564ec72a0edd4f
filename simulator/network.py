"""The simulator's door to MQTT: publishes what the imitation of ChirpStack says, hands it what is commanded.

It connects anew after the broker was away. The town never loses a message here: while too many wait for the broker it
stands still, and catches up with the clock afterwards.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from city.clock import Clock
from city.errors import BrokerDown
from city.settings import Mqtt
from simulator.link import BrokerLink
from simulator.town import Town

STEP_S = 0.05  # real seconds between two looks at the clock
CATCH_UP = timedelta(minutes=2)  # virtual time in one go at most, however far behind
HELD = 20_000  # messages that may wait for the broker
RETRY_S, RETRY_MOST_S = 0.2, 10.0

_log = logging.getLogger(__name__)


class Link(Protocol):
    """A connection: simulator.link.BrokerLink, or simulator.udp.UdpLink."""

    async def connect(self, topics: Iterable[str]) -> None: ...
    def publish(self, topic: str, payload: bytes) -> None: ...
    def room(self) -> bool: ...
    def received(self) -> list[tuple[str, bytes]]: ...
    def unsent(self) -> list[tuple[str, bytes]]: ...
    def check(self) -> None: ...
    async def wait(self, seconds: float) -> None: ...
    def close(self) -> None: ...


async def drive(source: Town, by: Mqtt | Callable[[], Link], clock: Clock, stop: asyncio.Event) -> None:
    """Run the town at the clock's pace until `stop` is set, over a broker or whatever else makes a connection. Raises Invalid
    on an address that is none; a broker that is down is waited for."""
    town, wait, said = _Pace(source, clock), RETRY_S, ""
    while not stop.is_set():
        broker = BrokerLink(by, f"stadtfunk-simulator-{source.scenario.tenant.id}") if isinstance(by, Mqtt) else by()
        try:
            await broker.connect(source.command_topics)
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

    def __init__(self, source: Town, clock: Clock) -> None:
        self.outbox: deque[tuple[str, bytes]] = deque()
        self._town, self._clock = source, clock
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


async def _run(town: _Pace, broker: Link, stop: asyncio.Event) -> None:
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
