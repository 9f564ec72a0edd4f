"""What the counting of a town remembers of one bay, between one word of its sensor and the next.

Its track is taken further with each event. One that comes late is put where it belongs: the track is then found anew from one
that is older, which is kept for that, and from the events since then.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from city.bay_tracks import follow, ordered
from city.bays import BayEvent, Rules, Span, Track
from city.ids import GatewayId

ROLL_NS = 48 * 3600 * 1_000_000_000  # an event that comes later than this is kept, but changes nothing any more
MOST_SPANS = 2000


class Deaf(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A time in which nobody could hear the sensor, and in which frames may have been lost: `until_ns` 0 while it lasts, `lost`
    how many frames were missing before it."""

    from_ns: int
    until_ns: int
    lost: int


class BayMemory(msgspec.Struct, array_like=True):
    """`mid` and `old` are the track one and two days or more ago. `spans` are those that ended in the last hours, `masks` the
    times in which the bay was not known whatever its sensor had said. `masked_ns`: since when it is so now, 0: it is not.
    `beat_s` is how often the sensor says its state by itself, `ears` are the gateways that hear it."""

    track: Track = Track()
    mid: Track = Track()
    old: Track = Track()
    spans: list[Span] = []
    masks: list[tuple[int, int]] = []
    masked_ns: int = 0
    deaf: Deaf | None = None
    beat_s: float = 86_400.0
    ears: tuple[GatewayId, ...] = ()

    @property
    def beat(self) -> timedelta:
        return timedelta(seconds=self.beat_s)

    def take(self, event: BayEvent, rules: Rules) -> bool:
        """One event; False where it is not the newest, so that all events `since` are needed: see `again`."""
        track = self.track
        if event.at_ns <= track.heard_ns or (event.number >= 0 and not _next(track, event)):
            return False
        self.track, spans = follow(track, (event,), rules, self.beat)
        self.spans += spans
        return True

    @property
    def since_ns(self) -> int:
        """The time after which all events are needed, to find the track anew."""
        return self.old.heard_ns

    def again(self, events: Iterable[BayEvent], rules: Rules) -> int:
        """Find the track anew from all events after `since_ns`; returns from when on (ns) the spans may be others than before.
        Whatever was known before stays as it was."""
        before = self.spans
        later = [event for event in ordered(events) if event.at_ns > self.old.heard_ns]
        self.track, spans = follow(self.old, later, rules, self.beat)
        begin_ns = spans[0].begin_ns if spans else self.track.since_ns
        self.spans = [one for one in before if one.end_ns <= begin_ns] + spans
        self.mid = self.old
        return next((min(new.begin_ns, was.begin_ns) for new, was in zip(reversed(self.spans), reversed(before), strict=False)
                     if new != was), begin_ns if len(before) != len(self.spans) else self.track.since_ns)

    def roll(self) -> None:
        """The tracks that are kept grow older: call it every ROLL_NS / 2."""
        self.old, self.mid = self.mid, self.track

    def forget(self, before_ns: int) -> None:
        """Spans and masks that ended before are not needed any more."""
        self.spans = [one for one in self.spans if one.end_ns >= before_ns][-MOST_SPANS:]
        self.masks = [one for one in self.masks if one[1] >= before_ns][-MOST_SPANS:]

    def mask(self, since_ns: int, now_ns: int) -> None:
        """Since when the bay has not been known whatever its sensor says; 0: it is."""
        if since_ns and not self.masked_ns:
            self.masked_ns = since_ns
        elif not since_ns and self.masked_ns:
            if now_ns > self.masked_ns:
                self.masks.append((self.masked_ns, now_ns))
            self.masked_ns = 0

    def cut(self, spans: Sequence[Span], now_ns: int) -> list[Span]:
        """These spans, not known where the bay was masked."""
        masks = [*self.masks, *([(self.masked_ns, now_ns)] if self.masked_ns else [])]
        for begin, end in masks:
            spans = [part for span in spans for part in _without(span, begin, end)]
        return list(spans)


def _next(track: Track, event: BayEvent) -> bool:
    """Whether the event certainly follows upon all before it: of the same session, with a higher number."""
    return track.number < 0 or (event.session == track.session and event.number > track.number)


def _without(span: Span, begin_ns: int, end_ns: int) -> Iterable[Span]:
    if span.end_ns <= begin_ns or span.begin_ns >= end_ns or span.occupied is None:
        yield span
        return
    if span.begin_ns < begin_ns:
        yield Span(span.begin_ns, begin_ns, span.occupied, False)
    yield Span(max(span.begin_ns, begin_ns), min(span.end_ns, end_ns), None, False)
    if end_ns < span.end_ns:
        yield Span(end_ns, span.end_ns, span.occupied, False)
