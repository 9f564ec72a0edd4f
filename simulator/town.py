"""What a simulated town is to whoever drives it: a source of messages and a taker of commands, in virtual time."""

from collections import Counter
from datetime import datetime
from typing import Protocol

from simulator.scenario import Scenario


class Town(Protocol):
    """simulator.chirpstack.ChirpStack, or something in front of it."""

    @property
    def scenario(self) -> Scenario:
        """What the town is made of."""
        ...

    @property
    def stats(self) -> Counter[str]:
        """What has happened so far, by name."""
        ...

    @property
    def command_topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        ...

    def advance(self, now: datetime) -> list[tuple[str, bytes]]:
        """Let time pass until `now`; the messages (topic, payload) since the last call, in order."""
        ...

    def command(self, topic: str, payload: bytes, now: datetime) -> None:
        """A message on a command topic."""
        ...
