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
    """Each event once, in its right order (rule 1): by time, but events of one session by their frame counters, whatever the
    gateways' clocks say. A counter that falls by far begins a session anew."""
    runs: dict[tuple[str, int], list[int]] = {}
    turns: dict[str, tuple[int, int, int]] = {}  # session: its run, the highest number in it, and that one's time
    seen: dict[tuple[str, int, int], int] = {}
    kept: list[BayEvent] = []
    for event in sorted(events):
        if event.number < 0:
            if not kept or kept[-1] != event:
                kept.append(event)
            continue
        run, highest, at_ns = turns.get(event.session, (0, -1, event.at_ns))
        if event.number < highest - MOST_BEHIND or (event.number <= highest and event.at_ns - at_ns > MOST_SKEW_NS):
            run, highest = run + 1, -1
        if seen.setdefault((event.session, run, event.number), event.at_ns) != event.at_ns or (kept and kept[-1] == event):
            continue
        turns[event.session] = (run, event.number, event.at_ns) if event.number > highest else (run, highest, at_ns)
        runs.setdefault((event.session, run), []).append(len(kept))
        kept.append(event)
    for places in runs.values():
        by_number = sorted((kept[place] for place in places), key=lambda one: one.number)
        times = [kept[place].at_ns for place in places]
        for place, at_ns, event in zip(places, times, by_number, strict=True):
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
    known_until = min(now_ns, track.said_ns + _ns(stale_after(rules, beat)))
    spans = [Span(track.since_ns, known_until, track.occupied, False)] if known_until > track.since_ns else []
    return spans + ([Span(max(known_until, track.since_ns), now_ns, None, False)] if now_ns > known_until else [])


def shown(track: Track, now_ns: int, rules: Rules) -> tuple[bool | None, int]:
    """The state as it may be shown, and since when: a change shows when it has held for the debouncing time (rule 3), so that
    nobody sees who is only manoeuvring."""
    if track.settled is None or track.occupied is track.settled or now_ns - track.since_ns >= _ns(rules.debounce):
        return track.occupied, track.since_ns
    return track.settled, track.settled_ns


def flapping(track: Track, now_ns: int, rules: Rules) -> bool:
    """Whether the sensor changes its mind more often than cars can (rule 3)."""
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
        return BayState(bay, Occupancy.BLOCKED, why=Why.BLOCKED)
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
    """What the restarts of the last day tell."""
    words = [boot for at, boot in track.starts if at > now_ns - DAY_NS]
    if sum(boot in ASKED_FOR for boot in words) >= rules.coverage_starts:
        return StartFault.COVERAGE
    return StartFault.DEVICE if any(boot in FAILS for boot in words) else StartFault.NONE


MOST_BEHIND, MOST_SKEW_NS = 64, 600 * NS  # frames that stragglers lie behind at most; by how much gateways' clocks differ
DAY_NS = 86_400 * NS
MOST_STARTS, MOST_FLIPS = 32, 64
ASKED_FOR = frozenset({"system request", "rejoin", "re-join"})
FAILS = frozenset({"watchdog", "brown-out", "lockup"})


class _Walk:
    """A track on its way through events."""

    def __init__(self, track: Track, rules: Rules, beat: timedelta) -> None:
        self._t, self._rules = track, rules
        self._stale_ns, self._debounce_ns = _ns(stale_after(rules, beat)), _ns(rules.debounce)
        self._longest_ns, self._window_ns = _ns(rules.longest_repaired), _ns(rules.flap_window)
        self._doubted_ns = 0  # up to when something is missing
        self.spans: list[Span] = []

    def track(self) -> Track:
        return self._t

    def take(self, event: BayEvent) -> None:
        """One event, later than all before it."""
        self._count(event)
        if event.sign == Sign.START.value:
            self._restart(event)
        if event.occupied is None:
            self._set(fault=event.fault or self._t.fault)
            return
        self._go_stale(event.at_ns)
        if event.sign == Sign.EDGE.value:
            self._edge(event)
        elif event.occupied is not self._t.occupied:
            self._correct(event)
        self._set(said_ns=event.at_ns, fault=event.fault)

    def _count(self, event: BayEvent) -> None:
        """Frames that are missing before this one (rule 2)."""
        t, missing = self._t, 0
        if event.number >= 0 and event.session == t.session and event.number > t.number:
            missing = event.number - t.number - 1
        if event.counter >= 0 and t.counter >= 0 and event.sign != Sign.START.value:
            missing = max(missing, (event.counter - t.counter - 1) % 256 if event.counter < 256 else 0)
        if missing:
            self._doubted_ns = event.at_ns
        named = event.number >= 0
        self._set(heard_ns=event.at_ns, session=event.session if named else t.session,
                  number=event.number if named else t.number, lost=t.lost + missing,
                  counter=event.counter if event.counter >= 0 else t.counter,
                  beats=t.beats + (event.sign == Sign.BEAT.value))

    def _restart(self, event: BayEvent) -> None:
        recent = tuple(one for one in self._t.starts if one[0] > event.at_ns - DAY_NS)
        self._set(starts=(*recent, (event.at_ns, event.boot))[-MOST_STARTS:], edges=0, counter=-1)

    def _go_stale(self, at_ns: int) -> None:
        """What was believed ended when it was not said again in time."""
        t = self._t
        until = t.said_ns + self._stale_ns
        if t.occupied is not None and at_ns > until:
            self._end(until, certain=False)
            self.spans.append(Span(max(until, t.since_ns), at_ns, None, False))
            self._set(occupied=None, settled=None, since_ns=at_ns, certain=False)

    def _edge(self, event: BayEvent) -> None:
        t, at_ns = self._t, event.at_ns
        began_ns = at_ns - int(event.previous_min * 60) * NS if event.previous_min >= 0 else 0
        told = event.previous_min > 0 and at_ns - began_ns <= self._longest_ns and began_ns > t.since_ns
        if t.occupied is event.occupied:  # the change into the other state was lost
            self._set(missed=t.missed + 1)
            if told:  # rule 2: its time follows from how long that state lasted
                self._change(not event.occupied, began_ns, certain=True)
            else:
                self._end(at_ns, certain=False)
                self._begin(bool(event.occupied), at_ns, certain=True)
                return
        elif told and began_ns - t.since_ns > _ns(SLACK) + int(event.previous_error * 60) * NS:
            self._end(began_ns, certain=False)  # two changes were lost before: a whole stay that nobody knows
            self._set(since_ns=began_ns, certain=True, missed=t.missed + 2)
        self._change(bool(event.occupied), at_ns, certain=True)
        recent = (one for one in self._t.flips if one > at_ns - self._window_ns)
        self._set(edges=self._t.edges + 1, flips=(*recent, at_ns)[-MOST_FLIPS:])

    def _correct(self, event: BayEvent) -> None:
        """Rule 4: what a sign of life says is true at once; when it changed is not known."""
        t = self._t
        if t.occupied is not None:
            self._set(missed=t.missed + 1)
            self._end(event.at_ns, certain=False)
        self._begin(bool(event.occupied), event.at_ns, certain=False)
        self._set(settled=event.occupied, settled_ns=event.at_ns)

    def _change(self, occupied: bool, at_ns: int, *, certain: bool) -> None:
        if self._t.occupied is not None:
            self._end(at_ns, certain=self._t.certain and certain and self._doubted_ns <= self._t.since_ns)
        self._begin(occupied, at_ns, certain=certain)

    def _end(self, at_ns: int, *, certain: bool) -> None:
        t = self._t
        if t.occupied is None:
            return
        if at_ns > t.since_ns:
            self.spans.append(Span(t.since_ns, at_ns, t.occupied, certain))
        if at_ns - t.since_ns >= self._debounce_ns:
            self._set(settled=t.occupied, settled_ns=t.since_ns)

    def _begin(self, occupied: bool, at_ns: int, *, certain: bool) -> None:
        self._set(occupied=occupied, since_ns=at_ns, certain=certain)

    def _set(self, **new: object) -> None:
        self._t = msgspec.structs.replace(self._t, **new)


SLACK = timedelta(minutes=2)  # by how much a sensor's own minutes and the network's times differ


def _doubt(track: Track, now_ns: int, rules: Rules, beat: timedelta, *, suspect: bool, unheard: bool) -> Why:
    silence = now_ns - track.said_ns
    if silence > _ns(rules.gone_beats * beat + rules.grace):
        return Why.GONE
    if silence > _ns(stale_after(rules, beat)):
        return Why.SILENT
    if unheard:
        return Why.UNHEARD
    if track.fault:
        return Why.FAULT
    if flapping(track, now_ns, rules):
        return Why.FLAPPING
    return Why.SUSPECT if suspect else Why.NONE


def _ns(span: timedelta) -> int:
    return round(span.total_seconds() * NS)


def _at(ns: int) -> datetime | None:
    return from_ns(ns) if ns else None
