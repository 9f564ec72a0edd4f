"""What has changed in a town since the last look: devices, and numbers. It looks at so many devices at a time, so that a
town of any size costs the same."""

from collections import Counter, deque

from simulator.panel.roster import Look, Roster
from simulator.panel.shapes import Changes
from simulator.scenario import BaySite, LampSite

AT_ONCE = 4_000  # devices that one look sees
MOST_TOLD = 400  # of which so many are told of one by one
RATE_NS = 5_000_000_000  # over so much of the town's time uplinks are counted


class Watch:
    """The devices of a town as they were last seen; `counts` is how many do what, and bear which mark."""

    def __init__(self, roster: Roster) -> None:
        self._roster, self._at = roster, 0
        self._seen: list[Look] = [roster.look(site) for site in roster.sites]
        self.counts: Counter[str] = Counter()
        for look in self._seen:
            self._count(look, 1)

    def look(self, at_once: int = AT_ONCE) -> Changes:
        """Look at the next `at_once` devices, in turn."""
        changed: list[LampSite | BaySite] = []
        for _ in range(min(at_once, len(self._seen))):
            site = self._roster.sites[self._at]
            if self._note(self._at, site):
                changed.append(site)
            self._at = (self._at + 1) % len(self._seen)
        items = [self._roster.state(site) for site in changed[:MOST_TOLD]]
        return Changes(many=len(changed) > MOST_TOLD, items=items)

    def whole(self) -> None:
        """Look at all of them, telling nobody."""
        for number, site in enumerate(self._roster.sites):
            self._note(number, site)

    def _note(self, number: int, site: LampSite | BaySite) -> bool:
        before, now = self._seen[number], self._roster.look(site)
        if now == before:
            return False
        self._count(before, -1)
        self._count(now, 1)
        self._seen[number] = now
        return True

    def _count(self, look: Look, by: int) -> None:
        self.counts[look[0]] += by
        self.counts["joined"] += by * look[3]
        if look[1]:
            self.counts[look[1]] += by


class Rate:
    """How often something happens, by the town's time."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()

    def of(self, at_ns: int, count: int) -> float:
        """Per second, over the last RATE_NS or since the first call."""
        marks = self._marks
        if not marks or marks[-1][0] < at_ns:
            marks.append((at_ns, count))
        while len(marks) > 2 and marks[1][0] <= at_ns - RATE_NS:
            marks.popleft()
        first_ns, first = marks[0]
        return (count - first) * 1e9 / (at_ns - first_ns) if at_ns > first_ns else 0.0
