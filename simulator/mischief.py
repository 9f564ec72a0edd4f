"""What goes wrong between a town and its broker: pure filters over the stream of messages, decided by the seed.

A filter takes messages (topic, payload) in order and gives what comes out at the other end; `end` gives what it still
holds. None knows the time: whoever switches filters on and off does (simulator.faults). `devices` are the DevEUIs whose
messages a filter is for; without, it is for all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Protocol

Message = tuple[str, bytes]
Rewrite = Callable[[str, bytes], bytes]


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

    def __init__(self, mischief: Mischief, rng: Random, devices: Collection[str] | None = None) -> None:
        self._mischief, self._rng, self._devices = mischief, rng, devices

    def take(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Each message, and its spoilt copies behind it."""
        mischief, rng = self._mischief, self._rng
        for topic, payload in messages:
            yield topic, payload
            if not _meant(topic, self._devices):
                continue
            if rng.random() < mischief.duplicates:
                yield topic, payload
            if rng.random() < mischief.bad_json:
                yield topic, payload[:rng.randrange(max(len(payload), 1))]
            if rng.random() < mischief.strangers:
                yield _stranger(topic, payload, f"70b3d57effff{rng.getrandbits(16):04x}")

    def end(self) -> Iterator[Message]:
        """Nothing is held."""
        yield from ()


class Holder:
    """Messages stay here until the end, and come then in their order; or are lost, where nobody keeps them. A real
    server's client holds what is not confirmed, but not for ever: beyond `most` the oldest are lost."""

    def __init__(self, devices: Collection[str] | None = None, *, keeps: bool = True, most: int = 100_000) -> None:
        self._devices, self._most = devices, most if keeps else 0
        self._held: list[Message] = []
        self.lost = 0

    def take(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Only what others say."""
        for topic, payload in messages:
            if _meant(topic, self._devices):
                self._held.append((topic, payload))
            else:
                yield topic, payload
        surplus = len(self._held) - self._most
        if surplus > 0:
            del self._held[:surplus]
            self.lost += surplus

    def end(self) -> Iterator[Message]:
        """All of it, at once."""
        held, self._held = self._held, []
        yield from held


class Shuffler:
    """A share of messages is overtaken by up to `by` others."""

    def __init__(self, share: float, by: int, rng: Random, devices: Collection[str] | None = None) -> None:
        self._share, self._by, self._rng, self._devices = share, by, rng, devices
        self._passed = 0
        self._late: list[tuple[int, int, Message]] = []  # behind how many messages; in which order met; what

    def take(self, messages: Iterable[Message]) -> Iterator[Message]:
        """What is on time, and what was late and is due behind it."""
        for topic, payload in messages:
            self._passed += 1
            if _meant(topic, self._devices) and self._rng.random() < self._share:
                heappush(self._late, (self._passed + self._rng.randint(1, self._by), self._passed, (topic, payload)))
            else:
                yield topic, payload
            while self._late and self._late[0][0] <= self._passed:
                yield heappop(self._late)[2]

    def end(self) -> Iterator[Message]:
        """Whatever is late comes now."""
        while self._late:
            yield heappop(self._late)[2]


class Rewriter:
    """A share of payloads is written anew by `rewrite` (topic, payload)."""

    def __init__(self, rewrite: Rewrite, share: float, rng: Random, devices: Collection[str] | None = None) -> None:
        self._rewrite, self._share, self._rng, self._devices = rewrite, share, rng, devices

    def take(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Every message, some of them changed."""
        for topic, payload in messages:
            changed = _meant(topic, self._devices) and self._rng.random() < self._share
            yield topic, self._rewrite(topic, payload) if changed else payload

    def end(self) -> Iterator[Message]:
        """Nothing is held."""
        yield from ()


def device_of(topic: str) -> str:
    """The DevEUI in an event's topic; "" where there is none."""
    parts = topic.split("/", 5)
    return parts[3] if len(parts) > 4 else ""


def _meant(topic: str, devices: Collection[str] | None) -> bool:
    return devices is None or device_of(topic) in devices


def _stranger(topic: str, payload: bytes, nobody: str) -> Message:
    """The message as one of a device that nobody knows: in JSON and protobuf the EUI is the same sixteen letters."""
    known = device_of(topic)
    return topic.replace(known, nobody), payload.replace(known.encode(), nobody.encode()) if known else payload
