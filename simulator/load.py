"""Load without a town's physics: what a town's devices said last is said again, as new events, as fast as one wants.

Each message is cut where an event differs from the next of its device: identifiers, counters, times. All else - payloads,
radio facts, names - is that of a simulated town, so that a bridge has everything to do that it has with one. It is for
measuring bridges; nothing obeys a command here.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from random import Random

from city.errors import Invalid
from city.readings import NS, to_ns
from simulator.as_json import GPS_EPOCH_NS, LEAP_NS, SERVER_LAG_NS, stamp
from simulator.chirpstack import ChirpStack
from simulator.scenario import Scenario

LISTEN_S = 1800.0  # of virtual time: every lamp has said something by then
MOST_PER_S = 1_000_000.0
_NAMES = (b"deduplicationId", b"time", b"gwTime", b"nsTime", b"timeSinceGpsEpoch", b"fCnt", b"uplinkId")
_HOLES = re.compile(rb'"(deduplicationId|time|gwTime|nsTime|timeSinceGpsEpoch)":"[^"]*"|"(fCnt|uplinkId)":\d+')
_NEW_ID = 0x9E37_79B9_7F4A_7C15  # odd: multiplied by it, numbers of 64 bits stay apart


class Load:
    """A source of events at `per_second` (simulator.town.Town). Raises Invalid on a rate that is none."""

    def __init__(self, scenario: Scenario, *, seed: int, start: datetime, per_second: float) -> None:
        if not 0 < per_second <= MOST_PER_S:
            raise Invalid("A load lies between 0 and {most} events a second, not {value}.", field="load", rule="rate",
                          most=f"{MOST_PER_S:g}", value=per_second)
        self.scenario, self.stats = scenario, Counter[str]()
        self._per_second, self._begun_ns, self._made = per_second, to_ns(start), 0
        self._salt = Random(f"{seed}/load").getrandbits(64)
        self._lines = list(_last_words(scenario, seed, start))
        Random(f"{seed}/order").shuffle(self._lines)

    @property
    def command_topics(self) -> tuple[str, ...]:
        """None: nobody would obey."""
        return ()

    def advance(self, now: datetime) -> list[tuple[str, bytes]]:
        """The events that are due until `now`, evenly spread, each device in its turn."""
        due = int((to_ns(now) - self._begun_ns) * self._per_second / NS)
        messages = [self._message(number) for number in range(self._made, due)]
        self._made = max(self._made, due)
        self.stats["up"] += len(messages)
        return messages

    def command(self, topic: str, payload: bytes, now: datetime) -> None:  # noqa: ARG002 - a town's contract
        """Only counted."""
        self.stats["commands refused"] += 1

    def _message(self, number: int) -> tuple[str, bytes]:
        line = self._lines[number % len(self._lines)]
        at_ns = self._begun_ns + int(number * NS / self._per_second)
        line.f_cnt += 1
        return line.topic, line.fill(_values(line.f_cnt, number * _NEW_ID ^ self._salt, at_ns))


class _Line:
    """One device's message as a template with its holes in order, and its counter."""

    __slots__ = ("_chosen", "_template", "f_cnt", "topic")

    def __init__(self, topic: str, payload: bytes, f_cnt: int) -> None:
        self.topic, self.f_cnt = topic, f_cnt
        holes: list[int] = []
        self._template = _HOLES.sub(partial(_dug, holes), payload.replace(b"%", b"%%"))
        self._chosen = itemgetter(*holes)

    def fill(self, values: tuple[bytes, ...]) -> bytes:
        """The next message; `values` in the order of _NAMES."""
        chosen: tuple[bytes, ...] = self._chosen(values)
        return self._template % chosen


def _dug(holes: list[int], match: re.Match[bytes]) -> bytes:
    name = match[1] or match[2]
    holes.append(_NAMES.index(name))
    return b'"%b":"%%b"' % name if match[1] else b'"%b":%%b' % name


def _values(f_cnt: int, unique: int, at_ns: int) -> tuple[bytes, ...]:
    text = f"{unique & (1 << 64) - 1:016x}"
    at = stamp(at_ns).encode()
    second, rest = divmod(at_ns - GPS_EPOCH_NS + LEAP_NS, NS)
    return (f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[1:4]}-{text[4:]}".encode(), at, at,
            stamp(at_ns + SERVER_LAG_NS).encode(), f"{second}.{rest:09d}s".encode(), str(f_cnt).encode(),
            str(unique & 0xFFFF_FFFF).encode())


def _last_words(scenario: Scenario, seed: int, start: datetime) -> Iterator[_Line]:
    """What each device says in the half hour before `start`."""
    begin = start - timedelta(seconds=LISTEN_S)
    town = ChirpStack(scenario, seed=seed, start=begin)
    said: dict[str, bytes] = {}
    for minute in range(1, int(LISTEN_S / 60) + 1):
        said.update(_uplinks(town.advance(begin + timedelta(minutes=minute))))
    for topic, payload in sorted(said.items()):
        found = re.search(rb'"fCnt":(\d+)', payload)
        yield _Line(topic, payload, int(found[1]) if found else 0)


def _uplinks(messages: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    return (message for message in messages if message[0].endswith("/up"))
