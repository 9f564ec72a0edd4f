"""Which gateways are down, so that what they would have heard is not known. Pure.

Nobody sees an outage; one hears nothing. How likely it is then that a gateway is down follows from how much it would usually
have heard (by hour of workdays, Saturdays and Sundays, and as busy as its last hours were), how often gateways fail and for how
long: a Markov chain of two states that is watched through a Poisson process whose rate is known as well as a gamma distribution
says. The longer nothing is heard, the likelier; one frame, and it is up. What was lost before that frame is then in doubt, as
likely as it was that it had been down, and the frame counters of those who speak next tell more. Where ChirpStack says how its
gateways are, that is believed first.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, log

import msgspec

from city.ids import GatewayId
from city.parking_settings import Parking
from city.reach import REFRESH_NS, Heard
from city.readings import NS, to_ns
from city.usual import HOUR_NS, Rates

MOST_GATEWAYS = 2000
DEAF = 0.01  # a gateway that the network server sees may still hear nothing, but that is so much rarer than that it is down
STATS_NS = 120 * NS  # a gateway that has failed may have heard frames for so long after it last said how it is
STEP_NS, STEPS, OFTEN_NS = 60 * NS, 60, 5 * NS
SURE, LEAST_ODDS = 1e9, 1e-5
LEVEL_NS = 3 * HOUR_NS  # how fast it is forgotten how busy the last hours were
LEVEL_WORDS = 8.0  # so many frames weigh as much as what is usual: days differ by a third
LOSS_FRAMES, LOSS_USUAL, MOST_FRAMES = 50.0, 0.02, 50_000.0
MOST_GAP = 4  # frames that are missing together tell of one cause
HARDEST = 50.0
MOST_GAPS, KEEP_NS = 12, 48 * HOUR_NS  # silences that are remembered of a gateway
EDGES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 29.0, 38.0, 50.0,
         70.0, 100.0, 140.0, 200.0, 280.0, 400.0, 560.0, 800.0, 1100.0, 1600.0, 2200.0, 3200.0)  # frames not heard in a silence
MOST_SILENCES, FEW_SILENCES, AS_IF = 2000.0, 200.0, 20.0  # that are counted; that say little yet; that are assumed at first
RARE = 0.5  # what has been as seldom as that lately is not usual
STRANGE = 5  # silences more than twice as long as any before are taken for outages until so many came in a row of MOST_SILENCES


class SilenceRules(msgspec.Struct, frozen=True):
    """How often a gateway is taken to fail, and for how long in the mean; and the chance of being down above which one is
    *silent*, so that nothing is known of whom it alone hears. See city.parking_settings."""

    fails_days: float = 7.0
    lasts_minutes: float = 60.0
    silent: float = 0.9

    @classmethod
    def of(cls, settings: Parking) -> "SilenceRules":
        """As somebody has set them."""
        return cls(settings.fails_days, settings.fails_minutes, settings.silent_percent / 100)

    @property
    def fails(self) -> float:
        """Outages a nanosecond."""
        return 1 / (self.fails_days * 24 * HOUR_NS)

    @property
    def ends(self) -> float:
        """Of an outage, a nanosecond."""
        return 1 / (self.lasts_minutes * 60 * NS)


class Gap(msgspec.Struct, array_like=True):
    """A silence that is over, and the odds that the gateway was down in it."""

    from_ns: int = 0
    until_ns: int = 0
    odds: float = 0.0


class Hearing(msgspec.Struct, array_like=True):
    """What a gateway has heard: its rates, and when it heard the last frame. `odds`: of being down now, against having been up
    all the time since; `was`: of having been down since, and being up again; both up to `at_ns`, when `missed` frames should
    have been heard since the last; `gaps` are the silences before. `words` and `usual` frames were heard in the last hours, and
    usually are. `rare`: by how much it is less likely to fail than others. `hard`: as `missed`, by how busy it is now;
    `silences`: how many there were by that (EDGES), since lamps that are switched on together speak together, too; `strange`:
    how many were far longer than that."""

    rates: Rates = msgspec.field(default_factory=Rates)
    last_ns: int = 0
    at_ns: int = 0
    odds: float = 0.0
    was: float = 0.0
    missed: float = 0.0
    words: float = 0.0
    usual: float = 0.0
    rare: float = 1.0
    gaps: list[Gap] = []
    hard: float = 0.0
    silences: list[float] = []
    strange: float = 0.0

    def heard(self, at_ns: int, rules: SilenceRules) -> None:
        """A frame."""
        if at_ns - min(self.at_ns, self.last_ns) >= OFTEN_NS:
            self.wait(at_ns, rules)
            if self.was >= LEAST_ODDS:
                self._remember(at_ns)
            if self.was < 1:
                fade = exp((self.last_ns - at_ns) / LEVEL_NS)
                self.words, self.usual = self.words * fade, self.usual * fade + self.missed
            if self.rates.known:
                self._learn()
            self.at_ns, self.odds, self.was, self.missed, self.hard = at_ns, 0.0, 0.0, 0.0, 0.0
        self.words += 1
        self.rates.add(max(at_ns, self.last_ns))
        self.last_ns = max(self.last_ns, at_ns)

    def wait(self, until_ns: int, rules: SilenceRules) -> None:
        """Nothing was heard until then."""
        if not self.at_ns:
            self.at_ns = until_ns
        if not self.rates.known:
            self.at_ns = max(until_ns, self.at_ns)
        while self.at_ns < until_ns:
            end = min(until_ns, self.at_ns + max(STEP_NS, (until_ns - self.at_ns) // STEPS))
            usual, lasts = self.rates.expected(self.at_ns, end), end - self.at_ns
            hard = usual * (LEVEL_WORDS + self.words) / (LEVEL_WORDS + self.usual + self.missed)
            before = self._surprise()
            self.hard += hard
            self.was = min(self.was + self.odds * lasts * rules.ends, SURE)
            self.odds = min((self.odds + rules.fails * self.rare * lasts)
                            * exp(min(self._surprise() - before, HARDEST) - lasts * rules.ends), SURE)
            self.missed += usual
            self.at_ns = end

    def forget(self, now_ns: int) -> None:
        """Nothing was listened to until now."""
        self.rates.forget()
        self.last_ns = self.at_ns = now_ns
        self.odds = self.was = self.missed = self.hard = 0.0

    def _surprise(self) -> float:
        """How little a silence that has become so long is to be expected of a gateway that works: −ln of its chance. Where
        frames come one by one that is how many were not heard; what has been as long before is less of a surprise."""
        many, longest = sum(self.silences), self._longest()
        as_long = sum(each for each in self.silences[bisect_right(EDGES, self.hard):] if each >= RARE)
        chance = (as_long + AS_IF * exp(-self.hard)) / (many + AS_IF)
        longer = exp(longest - max(self.hard, longest)) if many >= FEW_SILENCES else 1.0
        return -log(max(chance, longer / (many + AS_IF), 1e-300))

    def _longest(self) -> float:
        """The hardest silence that is usual, and a little more."""
        found = [edge for edge, many in zip((*EDGES, 2 * EDGES[-1]), self.silences, strict=False) if many >= RARE]
        return found[-1] if found else 0.0

    def _learn(self) -> None:
        """A silence has ended."""
        self.silences = self.silences or [0.0] * (len(EDGES) + 1)
        many = sum(self.silences)
        usual = many < FEW_SILENCES or self.hard <= 2 * self._longest()
        self.strange += not usual
        if usual or self.strange >= STRANGE:
            self.silences[bisect_right(EDGES, self.hard)] += 1
        if many >= MOST_SILENCES:
            self.silences, self.strange = [each / 2 for each in self.silences], self.strange / 2

    def _remember(self, at_ns: int) -> None:
        """A silence in which something may have been lost."""
        self.gaps = [gap for gap in self.gaps if gap.odds >= LEAST_ODDS and at_ns - gap.until_ns < KEEP_NS]
        self.gaps.append(Gap(self.last_ns, at_ns, self.was))
        if len(self.gaps) > MOST_GAPS:
            self.gaps.remove(min(self.gaps, key=lambda gap: gap.odds))
        if self.was >= 1:  # an outage says nothing of what is usual
            self.rates.forget()


@dataclass(frozen=True, slots=True)
class GatewayWord:
    """What the network server says of a gateway: whether it is connected, and when it was last seen."""

    online: bool
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """A time in which what devices said may have been lost, and the chance that it was."""

    chance: float = 0.0
    from_ns: int = 0
    until_ns: int = 0

    def also(self, other: "Unheard") -> "Unheard | None":
        """The time that both have, if there is one; what fails, fails together as easily as one by one."""
        begin, end = max(self.from_ns, other.from_ns), min(self.until_ns, other.until_ns)
        return Unheard(min(self.chance, other.chance), begin, end) if begin < end else None


class Reception(msgspec.Struct, array_like=True):
    """The gateways of a town, and which of them are silent since when (ns). `frames` were heard of devices, `missing` were not,
    by their counters."""

    gateways: dict[GatewayId, Hearing] = msgspec.field(default_factory=dict)
    silent: dict[GatewayId, int] = msgspec.field(default_factory=dict)
    rules: SilenceRules = SilenceRules()
    frames: float = 0.0
    missing: float = 0.0

    def heard(self, gateway: GatewayId, at_ns: int) -> None:
        """A frame that this gateway heard best."""
        one = self.gateways.get(gateway)
        if one is None:
            if len(self.gateways) >= MOST_GATEWAYS:
                return
            one = self.gateways[gateway] = Hearing()
        one.heard(at_ns, self.rules)

    def look(self, now: datetime, words: Mapping[GatewayId, GatewayWord] | None = None) -> Collection[GatewayId]:
        """Find out which gateways are silent now, and return those that are so no more or are so anew. `words`: what the
        network server has just said, if it has."""
        now_ns, silent = to_ns(now), dict[GatewayId, int]()
        for gateway, one in self.gateways.items():
            word = words.get(gateway) if words else None
            one.rare = DEAF if word is not None and word.online else 1.0
            one.wait(now_ns, self.rules)
            gone = word is not None and not word.online and word.seen_ns + STATS_NS >= one.last_ns
            if gone:
                one.odds = one.was = SURE
            if _chance(one.odds) >= self.rules.silent:
                seen_ns = word.seen_ns if word is not None and gone else 0
                silent[gateway] = max(min(seen_ns, now_ns), one.last_ns, 1)
        changed = self.silent.keys() ^ silent.keys()
        self.silent = {gateway: self.silent.get(gateway, since) for gateway, since in silent.items()}
        return changed

    def unheard_since(self, ears: Iterable[GatewayId]) -> int:
        """Since when nobody hears a device that these gateways hear; 0 where somebody does, or nobody ever did."""
        since = [self.silent.get(gateway, 0) for gateway in ears]
        return max(since) if since and all(since) else 0

    def down(self, ears: Sequence[GatewayId]) -> Unheard:
        """How likely it is that none of these gateways works now, and since when none has heard anything. Gateways fail
        together as easily as one by one."""
        known = [self.gateways[gateway] for gateway in ears if gateway in self.gateways]
        if not known or len(known) < len(ears):
            return Unheard()
        return Unheard(_chance(min(one.odds for one in known)), max(one.last_ns for one in known))

    def lost(self, ears: Sequence[GatewayId], least: float = 0.0) -> list[Unheard]:
        """When all of these gateways may have been down lately, with more than that chance, and are so no more."""
        found: list[Unheard] | None = None
        for gateway in ears:
            one = self.gateways.get(gateway)
            own = [Unheard(_chance(gap.odds), gap.from_ns, gap.until_ns) for gap in one.gaps
                   if _chance(gap.odds) > least] if one is not None else []
            found = own if found is None else [both for first in found for second in own if (both := first.also(second))]
        return found or []

    def counted(self, ears: Sequence[GatewayId], *, before_ns: int, at_ns: int, missing: int,
                usual: Callable[[int, int], float]) -> None:
        """A device has spoken, for the first time since `before_ns`, and so many of its frames are missing between. What only
        one gateway hears tells whether that was down when it was silent; `usual`: how many frames the device says in a time."""
        one = self.gateways.get(ears[0]) if len(ears) == 1 else None
        between = [gap for gap in one.gaps if before_ns <= gap.from_ns and at_ns >= gap.until_ns] if one is not None else []
        loss = (self.missing + LOSS_FRAMES * LOSS_USUAL) / (self.frames + self.missing + LOSS_FRAMES)
        for gap in between:
            nothing = exp(-usual(gap.from_ns, gap.until_ns))
            gap.odds = min(gap.odds * ((loss + (1 - loss) * (1 - nothing)) / loss if missing else nothing), SURE)
        if all(gap.odds < 1 for gap in between):
            self.frames, self.missing = self.frames + 1, self.missing + min(missing, MOST_GAP)
            if self.frames > MOST_FRAMES:
                self.frames, self.missing = self.frames / 2, self.missing / 2

    def resume(self, now: datetime) -> None:
        """Nothing was listened to until now, which says nothing of any gateway."""
        for one in self.gateways.values():
            one.forget(to_ns(now))
        self.silent.clear()


def usual_ears(state: Heard, heard_ns: int) -> tuple[GatewayId, ...]:
    """The gateways that can be relied upon to hear a device: those that heard it about when it last spoke. One that hears it
    now and then, and has not lately, would not have heard a change."""
    found = tuple(ear.gateway for ear in state.reach if heard_ns - ear.at_ns <= 2 * REFRESH_NS)
    return found or ((state.gateway,) if state.gateway is not None else ())


def _chance(odds: float) -> float:
    return odds / (1.0 + odds)
