"""What goes wrong between a town and its broker: pure filters over the stream of messages, decided by the seed.

A filter takes messages (topic, payload) in order and gives what comes out at the other end; `end` gives what it still
holds. Neither knows the time: whoever switches filters on and off does (simulator.faults).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

Message = tuple[str, bytes]


class Filter(Protocol):
    """One thing that goes wrong with a stream."""

    def take(self, messages: Iterable[Message]) -> Iterator[Message]:
        """What becomes of these messages now."""
        ...

    def end(self) -> Iterator[Message]:
        """What was held back; nothing is held any more."""
        ...


@dataclass(frozen=True, slots=True)
class Mischief:
    """Shares of messages that go wrong on purpose: sent twice, cut short, or from a device that nobody knows."""

    duplicates: float = 0.0
    bad_json: float = 0.0
    strangers: float = 0.0


class Spoiler:
    """Each message goes through; a copy of some follows: the same, a fragment, or as another device's."""

    def __init__(self, mischief: Mischief, rng: Random) -> None:
        self._mischief, self._rng = mischief, rng

    def take(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Each message, and its spoilt copies behind it."""
        mischief, rng = self._mischief, self._rng
        for topic, payload in messages:
            yield topic, payload
            if rng.random() < mischief.duplicates:
                yield topic, payload
            if rng.random() < mischief.bad_json:
                yield topic, payload[:rng.randrange(max(len(payload), 1))]
            if rng.random() < mischief.strangers:
                yield _stranger(topic, payload, f"70b3d57effff{rng.getrandbits(16):04x}")

    def end(self) -> Iterator[Message]:
        """Nothing is held."""
        yield from ()


def device_of(topic: str) -> str:
    """The DevEUI in an event's topic; "" where there is none."""
    parts = topic.split("/", 5)
    return parts[3] if len(parts) > 4 else ""


def _stranger(topic: str, payload: bytes, nobody: str) -> Message:
    """The message as one of a device that nobody knows: in JSON and protobuf the EUI is the same sixteen letters."""
    known = device_of(topic)
    return topic.replace(known, nobody), payload.replace(known.encode(), nobody.encode()) if known else payload
