"""From what a bay's sensor said to what is believed of the bay, at any time. Pure.

Everything is a function of the set of events, whatever their order of arrival and however often each came: an event that
comes late is put where it belongs, and what follows from it is found anew. Rules by number are those of the occupancy engine
in docs/parking.md; every number is a setting (`Rules`).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from city.bays import BayEvent, BayState, Occupancy, Rules, Sign, Span, Track, Why
from city.places import ParkingBay
from city.readings import NS, from_ns


def ordered(events: Iterable[BayEvent]) -> list[BayEvent]:
    """Each event once, in its right order (rule 1): by time, but events of one session by their frame counters where their
    times differ by no more than gateways' clocks do. A counter that falls otherwise begins anew. The times rise: an event
    that moves takes the time of its place. A function of the set of events alone."""
    kept: list[BayEvent] = []
    places: dict[tuple[str, int], list[int]] = {}
    runs: dict[str, _Run] = {}
    for event in sorted(events, key=_rank):
        if event.number < 0:
            if not kept or kept[-1] != event:
                kept.append(event)
            continue
        run = runs.setdefault(event.session, _Run())
        if run.takes(event):
            places.setdefault((event.session, run.number), []).append(len(kept))
            kept.append(event)
    for mine in places.values():
        by_number = sorted((kept[place] for place in mine), key=lambda one: one.number)
        times = [kept[place].at_ns for place in mine]
        for place, at_ns, event in zip(mine, times, by_number, strict=True):
            kept[place] = event if event.at_ns == at_ns else msgspec.structs.replace(event, at_ns=at_ns)
    return kept


def follow(track: Track, events: Iterable[BayEvent], rules: Rules, beat: timedelta) -> tuple[Track, list[Span]]:
    """The track after these events, which are in order and later than all in `track`, and the spans that ended with them.
    `beat` is how often the sensor says its state by itself."""
    walk = _Walk(track, rules, beat)
    for event in events:
        walk.take(event)
    return walk.track(), walk.spans


def spans_until(track: Track, now_ns: int, rules: Rules, beat: timedelta) -> list[Span]:
    """What has not ended yet: the state that is believed, as far as it holds, and not known after that."""
    if track.occupied is None or now_ns <= track.since_ns:
        return []
    known_until = min(now_ns, _holds_until(track, _ns(stale_after(rules, beat))))
    spans = [Span(track.since_ns, known_until, track.occupied, False)] if known_until > track.since_ns else []
    return spans + ([Span(max(known_until, track.since_ns), now_ns, None, False)] if now_ns > known_until else [])


def shown(track: Track, now_ns: int, rules: Rules) -> tuple[bool | None, int]:
    """The state as it may be shown, and since when: a change shows when it has held for the debouncing time (rule 3), so that
    nobody sees who is only manoeuvring."""
    if track.settled is None:
        return track.occupied, track.since_ns
    if track.occupied is track.settled or now_ns - track.since_ns < _ns(rules.debounce):
        return track.settled, track.settled_ns
    return track.occupied, track.since_ns


def flapping(track: Track, now_ns: int, rules: Rules) -> bool:
    """Whether the sensor changes its mind more often than cars can (rule 3)."""
    if len(track.flips) <= rules.flaps:
        return False
    return sum(at > now_ns - _ns(rules.flap_window) for at in track.flips) > rules.flaps


def stale_after(rules: Rules, beat: timedelta) -> timedelta:
    """How long a state holds that is not said again (rule 6)."""
    return rules.stale_beats * beat + rules.grace


def bay_state(bay: ParkingBay, track: Track | None, *, beat: timedelta, now_ns: int, rules: Rules, blocked: bool = False,
              suspect: bool = False, unheard: bool = False) -> BayState:
    """What is known of a bay whose sensor says its state every `beat`, changed or not. A frame about something else keeps the
    sensor heard, but says nothing of the bay. `suspect`: it is stuck, compared with its zone; `unheard`: no gateway that
    hears it works, so a change would not be known."""
    if blocked or bay.blocked:
        return BayState(bay, Occupancy.BLOCKED, heard_at=_at(track.heard_ns) if track else None, why=Why.BLOCKED)
    if track is None or track.occupied is None:
        return BayState(bay, Occupancy.UNKNOWN, heard_at=_at(track.heard_ns) if track else None, why=Why.NEVER_HEARD)
    occupied, since_ns = shown(track, now_ns, rules)
    why = _doubt(track, now_ns, rules, beat, suspect=suspect, unheard=unheard)
    occupancy = Occupancy.OUT_OF_SERVICE if why is Why.GONE else Occupancy.UNKNOWN if why is not Why.NONE \
        else Occupancy.OCCUPIED if occupied else Occupancy.FREE
    return BayState(bay, occupancy, _at(since_ns), _at(track.said_ns), _at(track.heard_ns), why, track.certain,
                    learning(track, rules))


def learning(track: Track, rules: Rules) -> bool:
    """Whether the sensor has restarted and has not seen enough changes since (rule 5)."""
    return bool(track.starts) and track.edges < rules.learning_edges


class StartFault(Enum):
    """What restarts tell of a sensor (rule 5)."""

    NONE = ""
    COVERAGE = "coverage"  # it restarts because nobody acknowledges: no gateway hears it well
    DEVICE = "device"  # its watchdog or its supply fails


def start_fault(track: Track, now_ns: int, rules: Rules) -> StartFault:
    """What the restarts of the last day (or as long as is set) tell."""
    words = [boot for at, boot in track.starts if at > now_ns - _ns(rules.coverage_window)]
    if sum(boot in ASKED_FOR for boot in words) >= rules.coverage_starts:
        return StartFault.COVERAGE
    return StartFault.DEVICE if any(boot in FAILS for boot in words) else StartFault.NONE


MOST_BEHIND, MOST_SKEW_NS = 64, 600 * NS  # frames that stragglers lie behind at most; by how much gateways' clocks differ
MOST_STARTS, MOST_FLIPS = 32, 64
ASKED_FOR = frozenset({"system-request", "re-join"})  # Bosch's reset cause 3, Nwave's 0: nobody acknowledged
FAILS = frozenset({"watchdog", "brown-out", "lockup"})
HARMLESS = frozenset({"", "none", "config-refused", "temperature-sensor"})  # faults that say nothing about the bay
MOST_COUNTED = 128  # a counter of 8 bits that jumps further has begun anew


class _Run:
    """One session's frame counter on its way through time: `number` counts how often it began anew."""

    __slots__ = ("_pending", "_settled", "number")

    def __init__(self) -> None:
        self.number, self._settled = 0, -1  # the highest number that nothing later can lie before
        self._pending: dict[int, int] = {}  # the last ones, by number: their times

    def takes(self, event: BayEvent) -> bool:
        """Whether it is new."""
        while self._pending and event.at_ns - next(iter(self._pending.values())) > MOST_SKEW_NS:
            old = next(iter(self._pending))
            self._settled = max(self._settled, old)
            del self._pending[old]
        if event.number in self._pending:
            return False
        if event.number <= self._settled or event.number < max(self._pending, default=0) - MOST_BEHIND:
            self.number, self._settled = self.number + 1, -1
            self._pending.clear()
        self._pending[event.number] = event.at_ns
        return True


class _Walk:
    """A track on its way through events."""

    def __init__(self, track: Track, rules: Rules, beat: timedelta) -> None:
        self._t, self._rules = track, rules
        self._stale_ns, self._debounce_ns = _ns(stale_after(rules, beat)), _ns(rules.debounce)
        self._longest_ns, self._window_ns = _ns(rules.longest_repaired), _ns(rules.flap_window)
        self._slack_ns, self._starts_ns = _ns(rules.own_clock), _ns(rules.coverage_window)
        self.spans: list[Span] = []

    def track(self) -> Track:
        return self._t

    def take(self, event: BayEvent) -> None:
        """One event, later than all before it."""
        before = self._t.doubted_ns
        missing = self._count(event)
        if event.sign == Sign.START.value:
            self._restart(event)
        if event.fault not in HARMLESS:
            self._set(fault=event.fault, fault_ns=self._t.fault_ns or event.at_ns)
            return  # what it says of the bay besides is not to be believed
        if event.occupied is None:
            return
        began_ns = self._began(event)
        self._lapse(event.at_ns, began_ns)
        if event.sign == Sign.EDGE.value or (event.sign == Sign.STATE.value and self._t.occupied is (not event.occupied)):
            self._edge(event, began_ns, missing, before)
        elif event.occupied is not self._t.occupied:
            self._correct(event)
        self._set(said_ns=event.at_ns, fault="", fault_ns=0)

    def _count(self, event: BayEvent) -> int:
        """Frames that are missing before this one (rule 2)."""
        t, missing = self._t, 0
        named, anew = event.number >= 0, event.sign == Sign.START.value
        if named and event.session == t.session and event.number > t.number:
            missing = event.number - t.number - 1
        if event.counter >= 0 and t.counter >= 0 and not anew:
            missing = max(missing, _gap(t.counter, event.counter))
        joined = named and t.session != "" and event.session != t.session
        if missing or anew or joined or (named and event.number <= t.number):
            self._set(doubted_ns=event.at_ns)
        self._set(heard_ns=event.at_ns, session=event.session if named else t.session,
                  number=event.number if named else t.number, lost=t.lost + missing,
                  counter=event.counter if event.counter >= 0 or anew else t.counter,
                  beats=t.beats + (event.sign == Sign.BEAT.value))
        if joined:
            self._set(edges=0, restarted_ns=event.at_ns)
        return missing

    def _restart(self, event: BayEvent) -> None:
        recent = tuple(one for one in self._t.starts if one[0] > event.at_ns - self._starts_ns)
        self._set(starts=(*recent, (event.at_ns, event.boot))[-MOST_STARTS:], edges=0,
                  restarted_ns=event.at_ns)

    def _began(self, event: BayEvent) -> int | None:
        """When the state before this change began at the latest, by the sensor's own clock; None: not said, too long ago to
        be of use, or counted from a restart only."""
        t, lasted_ns = self._t, int(event.previous_min * 60) * NS
        since_restart = t.edges == 0 and t.restarted_ns > t.since_ns
        if event.sign != Sign.EDGE.value or event.previous_min < 0 or lasted_ns > self._longest_ns or since_restart:
            return None
        return event.at_ns - lasted_ns

    def _lapse(self, at_ns: int, began_ns: int | None) -> None:
        """What was believed ended when it was not said again in time, or when the sensor called itself faulty; not known is
        the bay until now, or until the state before this change began."""
        t, until = self._t, _holds_until(self._t, self._stale_ns)
        if t.occupied is None or at_ns <= until:
            return
        known_ns = at_ns if began_ns is None else max(began_ns, until)
        self._end(until, certain=False)
        if known_ns > until:
            self.spans.append(Span(until, known_ns, None, False))
        self._set(occupied=None, settled=None, since_ns=known_ns, certain=False)

    def _edge(self, event: BayEvent, began_ns: int | None, missing: int, before_ns: int) -> None:
        """A change into the state it says."""
        t, occupied, at_ns = self._t, bool(event.occupied), event.at_ns
        sharp = event.previous_error <= self._rules.sharp_min
        if t.occupied is None:
            if began_ns is not None:
                self._begin(not occupied, max(began_ns, t.since_ns), certain=sharp and began_ns >= t.since_ns)
                self._end(at_ns, certain=self._t.certain)
        elif t.occupied is occupied:
            self._lost_one(occupied, began_ns, at_ns, sharp=sharp,
                           whole=t.certain and missing <= 1 and before_ns <= t.since_ns)
        elif began_ns is None or began_ns < t.since_ns - self._slack_ns:
            self._end(at_ns, certain=t.certain and t.doubted_ns <= t.since_ns)
        elif began_ns - t.since_ns > self._slack_ns + int(event.previous_error * 60) * NS:
            self._end(began_ns, certain=False)  # two changes were lost before: a whole stay that nobody knows
            self._set(missed=t.missed + 2)
            self._begin(not occupied, began_ns, certain=sharp)
            self._end(at_ns, certain=sharp)
        else:  # nothing can have happened since, whatever frames are missing
            self._end(at_ns, certain=t.certain)
        self._begin(occupied, at_ns, certain=event.sign == Sign.EDGE.value or not missing)
        recent = (one for one in self._t.flips if one > at_ns - self._window_ns)
        self._set(edges=self._t.edges + 1, flips=(*recent, at_ns)[-MOST_FLIPS:])

    def _lost_one(self, occupied: bool, began_ns: int | None, at_ns: int, *, sharp: bool, whole: bool) -> None:
        """The change into the other state was lost (rule 2); its time follows from how long that state lasted, if that was
        said."""
        self._set(missed=self._t.missed + 1)
        if began_ns is not None and began_ns > self._t.since_ns:
            self._end(began_ns, certain=whole and sharp)
            self._begin(not occupied, began_ns, certain=sharp)
            self._end(at_ns, certain=sharp)
        else:
            self._end(at_ns, certain=False)
            self._set(settled=occupied, settled_ns=at_ns)

    def _correct(self, event: BayEvent) -> None:
        """Rule 4: what a sign of life says is true at once; when it changed is not known."""
        t = self._t
        if t.occupied is not None:
            self._set(missed=t.missed + (event.sign == Sign.BEAT.value))
            self._end(event.at_ns, certain=False)
        self._begin(bool(event.occupied), event.at_ns, certain=False)
        self._set(settled=event.occupied, settled_ns=event.at_ns)

    def _end(self, at_ns: int, *, certain: bool) -> None:
        t = self._t
        if t.occupied is None:
            return
        if at_ns > t.since_ns:
            self.spans.append(Span(t.since_ns, at_ns, t.occupied, certain))
        if at_ns - t.since_ns >= self._debounce_ns and t.settled is not t.occupied:
            self._set(settled=t.occupied, settled_ns=t.since_ns)

    def _begin(self, occupied: bool, at_ns: int, *, certain: bool) -> None:
        self._set(occupied=occupied, since_ns=at_ns, certain=certain)

    def _set(self, **new: object) -> None:
        self._t = msgspec.structs.replace(self._t, **new)


def _doubt(track: Track, now_ns: int, rules: Rules, beat: timedelta, *, suspect: bool, unheard: bool) -> Why:
    silence = now_ns - track.said_ns
    if silence > _ns(stale_after(rules, beat)):
        return Why.GONE if silence > _ns(rules.gone_beats * beat + rules.grace) else Why.SILENT
    if unheard:
        return Why.UNHEARD
    if track.fault:
        return Why.FAULT
    if flapping(track, now_ns, rules):
        return Why.FLAPPING
    return Why.SUSPECT if suspect else Why.NONE


def _ns(span: timedelta) -> int:
    return (span.days * 86_400 + span.seconds) * NS + span.microseconds * 1000


def _at(ns: int) -> datetime | None:
    return from_ns(ns) if ns else None


def _holds_until(track: Track, stale_ns: int) -> int:
    """When what is believed ceases to hold."""
    until = track.said_ns + stale_ns
    return min(until, track.fault_ns) if track.fault else until


def _gap(before: int, now: int) -> int:
    """Frames that are missing between two of the sensor's own numbers, of 8 bits or more."""
    missing = (now - before - 1) % 256 if max(before, now) < 256 else now - before - 1
    return missing if 0 < missing < MOST_COUNTED else 0


def _rank(event: BayEvent) -> tuple[int, str, int, str, str]:
    return event.at_ns, event.session, event.number, event.sign, repr(event)
