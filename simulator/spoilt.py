"""A town whose messages go through filters before they reach the broker."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from simulator.mischief import Filter, Message
from simulator.scenario import Scenario
from simulator.town import Town


class Spoilt:
    """A town in front of which messages go wrong; commands pass."""

    def __init__(self, town: Town, filters: Sequence[Filter]) -> None:
        self._town, self._filters = town, filters

    @property
    def scenario(self) -> Scenario:
        """The town's own."""
        return self._town.scenario

    @property
    def stats(self) -> Counter[str]:
        """The town's own."""
        return self._town.stats

    @property
    def command_topics(self) -> tuple[str, ...]:
        """The town's own."""
        return self._town.command_topics

    def advance(self, now: datetime) -> list[Message]:
        """What comes out behind the last filter."""
        messages = self._town.advance(now)
        for one in self._filters:
            messages = list(one.take(messages))
        return messages

    def command(self, topic: str, payload: bytes, now: datetime) -> None:
        """A command passes."""
        self._town.command(topic, payload, now)
