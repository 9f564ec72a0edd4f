"""What a silent connection means, decided from times alone: is the broker still there, and does it still deliver?

A broker that answers PINGREQ may deliver nothing for all that: a session gone wrong, a window it takes for full, a queue
it does not serve. So after a time without events the bridge publishes a probe to a topic of its own, with QoS 1, and
expects it back through the very session that brings the events. Anything that arrives is an answer; nothing at all, while
none of the messages await our acknowledgement, is a reason to connect anew: a broker delivers again only then.

All times are seconds on one monotonic clock.
"""

from dataclasses import dataclass, field
from enum import Enum

LONGEST_ANSWER_S = 20.0
NARROW, TIMES = 64, 20


class Step(Enum):
    """What to do now."""

    WAIT = "wait"
    ASK = "ask"
    GIVE_UP = "give up"


def keepalive(now: float, *, heard_at: float, asked_at: float, keepalive_s: float) -> Step:
    """Ask every half of the keep-alive time; give up where another half brings not one byte. 0 s: never ask. So a dead
    cable is found within the keep-alive time, and the broker hears us twice in it."""
    half = keepalive_s / 2
    if half == 0 or now - asked_at < half:
        return Step.WAIT
    return Step.GIVE_UP if heard_at < asked_at else Step.ASK


def delivery(now: float, *, arrived_at: float, asked_at: float, acknowledged_at: float, held: int,
             every_s: float) -> Step:
    """Ask after `every_s` without a message (0: never); give up where for as long again (20 s at most) nothing arrives
    although the broker may send: `held` messages that await our acknowledgement may fill its window, which is our own
    silence."""
    if every_s == 0:
        return Step.WAIT
    if asked_at <= arrived_at:
        return Step.ASK if now - arrived_at >= every_s else Step.WAIT
    overdue = now - max(asked_at, acknowledged_at) >= min(every_s, LONGEST_ANSWER_S)
    return Step.GIVE_UP if overdue and not held else Step.WAIT


@dataclass(slots=True)
class Window:
    """How many messages a broker lets be on their way, as far as we have seen. MQTT 3.1.1 cannot ask for more, and
    Mosquitto's default of 20 makes one fsync serve 20 events."""

    most: int = 0
    _times: int = 0

    def seen(self, unacknowledged: int) -> bool:
        """Note how many were on their way before an acknowledgement; True, once, where it looks like a narrow limit: the
        same number, neither more nor less, so many times in a row."""
        if unacknowledged > self.most:
            self.most, self._times = unacknowledged, 0
        self._times = self._times + 1 if unacknowledged == self.most else 0
        return self._times == TIMES and 10 <= self.most <= NARROW


@dataclass(slots=True)
class Company:
    """How long to wait for more events: a commit of a few costs as much as one of many, and so many are enough."""

    enough: int = 10
    least_s: float = 0.001
    _at: float = 0.0
    _rate: float = 0.0

    def came(self, count: int, now: float) -> None:
        """So many since the last time."""
        self._rate, self._at = count / max(now - self._at, 1e-6), now

    def wait_s(self, most_s: float) -> float:
        """So long, 0 where enough come together anyway."""
        wait = min(most_s, self.enough / self._rate) if self._rate > 0 else most_s
        return wait if wait >= self.least_s else 0.0


@dataclass(slots=True)
class Seldom:
    """Says a thing that happens with every message once an hour."""

    every_s: float = 3600.0
    _said: dict[str, float] = field(default_factory=dict)

    def due(self, what: str, now: float) -> bool:
        """Whether to say it now."""
        if what in self._said and now - self._said[what] < self.every_s:
            return False
        self._said[what] = now
        return True
