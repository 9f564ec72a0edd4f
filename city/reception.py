"""Which gateways have fallen silent, so that what they would have heard is not known. Pure.

A gateway that hears two hundred frames an hour and then none for five minutes is not in luck: it is down, or its line is. How
much it usually hears is learnt by the hour of the day. Where ChirpStack says how its gateways are, that is believed first.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import exp

import msgspec

from city.ids import GatewayId
from city.reach import REFRESH_NS, Heard
from city.readings import NS, to_ns

HOUR_NS = 3600 * NS
DAYS = 7  # a new hour counts for one seventh of what is usual at that hour
MOST_GATEWAYS = 2000
ONLINE_FACTOR = 3.0  # a gateway that the network server sees may still be deaf, but that takes more to be believed
FRESH_NS = 5 * 60 * NS  # how old the network server's word on its gateways may be
LOOK_BACK_H = 48


class Rates(msgspec.Struct, array_like=True):
    """How often something happens, by hour of the day (UTC): learnt of the hours that are over. `hour` is the running one,
    counted from 1970, `count` what has happened in it; `learnt`: how many hours of each kind were seen."""

    usual: list[float] = msgspec.field(default_factory=lambda: [0.0] * 24)
    learnt: list[int] = msgspec.field(default_factory=lambda: [0] * 24)
    hour: int = 0
    count: int = 0

    def add(self, at_ns: int, number: int = 1) -> None:
        """So many at that time. What is late counts as if it were of the running hour."""
        self.turn(at_ns)
        if at_ns // HOUR_NS >= self.hour:  # the first hour has begun before we looked
            self.count += number

    def turn(self, at_ns: int) -> None:
        """Learn of the hours that are over."""
        hour = at_ns // HOUR_NS
        if not self.hour:
            self.hour = hour + 1
        for past in range(self.hour, min(hour, self.hour + LOOK_BACK_H)):
            self._learn(past % 24, self.count if past == self.hour else 0)
        if hour > self.hour:
            self.hour, self.count = hour, 0

    def forget(self) -> None:
        """What has been counted in the running hour says nothing of what is usual: it was cut short."""
        self.hour, self.count = 0, 0

    def expected(self, begin_ns: int, end_ns: int) -> float:
        """How many would usually have happened between the two; 0 where nothing is learnt. At most two days are looked at."""
        total, at = 0.0, max(begin_ns, end_ns - LOOK_BACK_H * HOUR_NS)
        while at < end_ns:
            until = min((at // HOUR_NS + 1) * HOUR_NS, end_ns)
            total += self._rate(at // HOUR_NS % 24) * (until - at) / HOUR_NS
            at = until
        return total

    def _rate(self, hour: int) -> float:
        if self.learnt[hour]:
            return self.usual[hour]
        known = [rate for rate, seen in zip(self.usual, self.learnt, strict=True) if seen]
        return min(known) if known else 0.0  # an hour that was never seen may be the quietest

    def _learn(self, hour: int, count: int) -> None:
        self.learnt[hour] += 1
        self.usual[hour] += (count - self.usual[hour]) / min(self.learnt[hour], DAYS)


class Hearing(msgspec.Struct, array_like=True):
    """What a gateway has heard: its rates, and when it heard the last frame."""

    rates: Rates = msgspec.field(default_factory=Rates)
    last_ns: int = 0


@dataclass(frozen=True, slots=True)
class GatewayWord:
    """What the network server says of a gateway: whether it is connected, and when it was last seen."""

    online: bool
    seen_ns: int


class Reception(msgspec.Struct, array_like=True):
    """The gateways of a town, and which of them are silent since when (ns)."""

    gateways: dict[GatewayId, Hearing] = msgspec.field(default_factory=dict)
    silent: dict[GatewayId, int] = msgspec.field(default_factory=dict)

    def heard(self, gateway: GatewayId, at_ns: int) -> None:
        """A frame that this gateway heard best."""
        one = self.gateways.get(gateway)
        if one is None:
            if len(self.gateways) >= MOST_GATEWAYS:
                return
            one = self.gateways[gateway] = Hearing()
        if gateway in self.silent:
            one.rates.forget()  # an outage says nothing of what is usual
        one.rates.add(max(at_ns, one.last_ns))
        one.last_ns = max(one.last_ns, at_ns)

    def look(self, now: datetime, least: float, words: Mapping[GatewayId, GatewayWord] | None = None) -> Collection[GatewayId]:
        """Find out which gateways are silent now, and return those that are so no more or are so anew. `least`: of so many
        frames that it would usually have heard it has heard none. `words`: what the network server has just said, if it has."""
        now_ns = to_ns(now)
        silent = {gateway: since for gateway, one in self.gateways.items()
                  if (since := _silent_since(one, now_ns, least, words.get(gateway) if words else None))}
        changed = self.silent.keys() ^ silent.keys()
        self.silent = {gateway: self.silent.get(gateway, since) for gateway, since in silent.items()}
        return changed

    def unheard_since(self, ears: Iterable[GatewayId]) -> int:
        """Since when nobody hears a device that these gateways hear; 0 where somebody does, or nobody ever did."""
        since = [self.silent.get(gateway, 0) for gateway in ears]
        return max(since) if since and all(since) else 0

    def resume(self, now: datetime) -> None:
        """Nothing was listened to until now, which says nothing of any gateway."""
        for one in self.gateways.values():
            one.rates.forget()
            one.last_ns = to_ns(now)
        self.silent.clear()


def usual_ears(state: Heard, heard_ns: int) -> tuple[GatewayId, ...]:
    """The gateways that can be relied upon to hear a device: those that heard it about when it last spoke. One that hears it
    now and then, and has not lately, would not have heard a change."""
    found = tuple(ear.gateway for ear in state.reach if heard_ns - ear.at_ns <= 2 * REFRESH_NS)
    return found or ((state.gateway,) if state.gateway is not None else ())


def chance(expected: float) -> float:
    """The chance that something happened at all that was to be expected so often."""
    return 1.0 - exp(-expected)


def _silent_since(one: Hearing, now_ns: int, least: float, word: GatewayWord | None) -> int:
    if word is not None and not word.online:
        return max(min(word.seen_ns, now_ns), one.last_ns, 1)
    enough = least * (ONLINE_FACTOR if word is not None else 1.0)
    return one.last_ns if one.rates.expected(one.last_ns, now_ns) >= enough else 0
