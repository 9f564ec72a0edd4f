"""Frame counters that are seen in part and out of order: which are missing, whoever of several bridges saw the rest.

Under a shared subscription one bridge hears only some of a device's frames, so a gap in what it heard is no loss yet. A
`Window` therefore keeps the newest counter and, one bit each, which of the `WIDTH` before it nobody has heard of so far.
Windows of the same device merge: a counter that either has heard is heard. What still is a hole when it falls out of the
window counts as missed for good. `WIDTH` is ten days of reports every quarter of an hour, and what one device can have
waiting at the broker while two bridges have not yet told each other; where nothing is missing it costs nothing.
"""

import msgspec

WIDTH = 1024
LONGEST_GAP = 16_384  # a counter that jumps further has been started anew, not missed so often
_ALL = (1 << WIDTH) - 1


class Window(msgspec.Struct, frozen=True, gc=False):
    """What is known of one count: since when it runs (nanoseconds since 1970 UTC), the newest counter heard (-1: none yet),
    the holes (bit i: the counter newest - i was not heard, 1 ≤ i < WIDTH), and how many are missed for good.

    Counters before the first one heard are no holes. A count belongs to one session of a device: a new session begins a
    new one (`begin`)."""

    began_ns: int = 0
    newest: int = -1
    holes: int = 0
    missed: int = 0

    @property
    def missing(self) -> int:
        """All that is missing now: missed for good, and what may still come."""
        return self.missed + self.holes.bit_count()


def begin(before: Window, at_ns: int, newest: int = -1) -> Window:
    """A new count from `at_ns` on, -1: before its first frame. What was missing of the former one is missed for good."""
    return Window(at_ns, newest, 0, before.missing)


def seen(window: Window, f_cnt: int, at_ns: int, *, straggler: bool = False) -> Window:
    """The window after the frame `f_cnt`, heard at `at_ns`. A frame heard before changes nothing. A counter that jumps
    far ahead, or far back, begins a new count; a `straggler` (older than what the device is known to have said since)
    never does."""
    gap = f_cnt - window.newest
    if gap == 1:
        holes = window.holes
        return Window(window.began_ns, f_cnt, holes << 1, window.missed) if not holes >> (WIDTH - 1) \
            else _moved(window, 1)
    if gap <= 0:
        return _filled(window, -gap) if straggler or -gap < WIDTH else begin(window, at_ns, f_cnt)
    if gap <= LONGEST_GAP:
        return _moved(window, gap)
    return window if straggler else begin(window, at_ns, f_cnt)


def merge(one: Window, other: Window) -> Window:
    """What both know together. Commutative, associative and idempotent, so bridges may tell each other in any order and
    as often as they like. Of two counts the one that began later goes on; of two views of one count, a hole is what
    neither has heard, and what is missed for good is what the further one says."""
    if one.began_ns != other.began_ns:
        return max(one, other, key=_began)
    behind, ahead = sorted((one, other), key=_reach)
    gap = ahead.newest - behind.newest
    unheard = (behind.holes << gap | (1 << gap) - 1) & _ALL  # who is behind has heard nothing of what came after
    return Window(ahead.began_ns, ahead.newest, ahead.holes & unheard, ahead.missed)


def _moved(window: Window, gap: int) -> Window:
    """On to the counter `newest + gap`, those in between as holes."""
    holes = window.holes << gap | (1 << gap) - 2
    return Window(window.began_ns, window.newest + gap, holes & _ALL, window.missed + (holes >> WIDTH).bit_count())


def _filled(window: Window, behind: int) -> Window:
    bit = 1 << behind if behind < WIDTH else 0
    return Window(window.began_ns, window.newest, window.holes ^ bit, window.missed) if window.holes & bit else window


def _began(window: Window) -> int:
    return window.began_ns


def _reach(window: Window) -> tuple[int, int]:
    return window.newest, -window.missed
