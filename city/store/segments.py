"""The files of the local log as those see them who read: rows in order of arrival, and the rows of some places and times.

A file is named by its first position and the UTC day on which it was begun. A reader never waits for the writer and
changes nothing; in the writer's own process it sees nothing that is not durable yet (see Journal.limit).
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

from city.readings import from_ns
from city.store import chunks, frames
from city.store.chunks import Chunk, Hit, Tail
from city.store.days import DAY_NS
from city.store.frames import Frame, Gap

DIRECTORY = "segments"
MAPS = 64  # indexes kept open
Row = tuple[int, int, int, int, bytes]  # position, time in ns, tag, number of the place, body


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a file that cannot be read; at most `lost` positions, from `first`, were in them."""

    path: Path
    start: int
    end: int
    first: int
    lost: int


class Segment:
    """One file, as far as it has been looked at. Its journal's lock is held by whoever asks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first, self.day = parse(path)
        self.reset()

    def reset(self) -> None:
        """Forget what was seen: the file is another one."""
        self.identity, self.chunks = 0, list[Chunk]()
        self.tail = Tail(0, 0)
        self.complete = False

    @property
    def index_path(self) -> Path:
        return self.path.with_suffix(".idx")

    @property
    def last(self) -> int:
        """The newest position seen in it; the one before its first if there is none."""
        if self.tail.frames:
            return self.tail.frames[-1].last
        return self.chunks[-1].last if self.chunks else self.first - 1

    @property
    def newest_ns(self) -> int:
        """When its newest entry was; -1 if it has none."""
        return max([self.tail.newest_ns, *(chunk.newest_ns for chunk in self.chunks)])

    def refresh(self, limit: int | None, *, sealed: bool) -> None:
        """See what has come to it, up to byte `limit`. Raises OSError."""
        if self.complete:
            return
        with opened(self.path) as file:
            known = os.fstat(file)
            if known.st_ino != self.identity or known.st_size < self.tail.end:
                self.reset()
                self.identity = known.st_ino
            end = known.st_size if limit is None else min(limit, known.st_size)
            self._see_index(end)
            for found in frames.walk(file, self.tail.end, end):
                if isinstance(found, Gap):
                    if found.last and not sealed:
                        return  # perhaps it is being written
                    self.tail.end = found.end
                else:
                    self.tail.add(found)
        self.complete = sealed and not self.tail.frames

    def _see_index(self, end: int) -> None:
        try:
            with opened(self.index_path) as file:
                size = os.fstat(file).st_size
                new = [chunk for chunk in chunks.heads(file, chunks.after(self.chunks[-1] if self.chunks else None), size)
                       if chunk.end <= end]
        except FileNotFoundError:
            return
        if new:
            self.chunks += new
            self.tail = _since(self.tail, new[-1].end)


class Journal:
    """All files of the log in `directory`. Any thread may use it."""

    def __init__(self, directory: Path, on_damage: Callable[[Damage], None]) -> None:
        self.directory, self._on_damage = directory / DIRECTORY, on_damage
        self.limit: Callable[[], tuple[int, int] | None] = lambda: None  # the writer's file, by its first, and its durable end
        self._turn = threading.Lock()
        self._segments: dict[str, Segment] = {}
        self._maps: OrderedDict[str, chunks.Map] = OrderedDict()
        self._hints: OrderedDict[int, tuple[str, int]] = OrderedDict()
        self.unindexed: set[Path] = set()  # files whose index was found to be damaged

    @contextmanager
    def segments(self) -> Iterator[list[Segment]]:
        """All of them, refreshed, in order, while nobody else uses them. Raises OSError."""
        with self._turn:
            found = self._listed()
            limit = self.limit()
            for segment in found:
                try:
                    segment.refresh(limit[1] if limit and limit[0] == segment.first else None,
                                    sealed=segment is not found[-1])
                except FileNotFoundError:  # dropped meanwhile
                    continue
            yield found

    def rows(self, cursor: int, limit: int) -> list[Row]:
        """Those after `cursor` in order of arrival; what is damaged is passed over, and said. Raises OSError."""
        rows: list[Row] = []
        with self._turn:
            listed = self._listed()
            place = self._hints.get(cursor)
        begin = max((number for number, segment in enumerate(listed) if segment.first <= cursor + 1), default=0)
        for number, segment in enumerate(listed[begin:], begin):
            until = listed[number + 1].first if number + 1 < len(listed) else None
            start = place[1] if place and place[0] == segment.path.name else self._start(segment, cursor)
            try:
                self._read(segment, start, max(cursor, rows[-1][0] if rows else 0), limit, rows, until)
            except FileNotFoundError:
                continue
            if len(rows) >= limit:
                break
        return rows

    def hits(self, places: Collection[int], first_ns: int, last_ns: int) -> list[tuple[Segment, Hit]]:
        """Where the rows of these places are that may have a reading of that time. Raises OSError."""
        wanted = sorted(places)
        return [(look.segment, hit) for look in self._looks(first_ns, last_ns)
                for hit in self._hits(look, wanted, first_ns, last_ns)]

    def scan(self, places: Collection[int] | None, first_ns: int, last_ns: int) -> Iterator[Row]:
        """Rows of these places (None: of all) that may have a reading of that time. Raises OSError."""
        if places is not None:
            yield from self.bodies(self.hits(places, first_ns, last_ns))
            return
        with self.segments() as segments:
            stretches = [(segment, *stretch) for segment in segments for stretch in _stretches(segment, first_ns, last_ns)]
        for segment, start, end in stretches:
            with opened(segment.path) as file:
                for frame in frames.walk(file, start, end):
                    if isinstance(frame, Frame):
                        yield from _rows(frame, 0)

    def bodies(self, found: Collection[tuple[Segment, Hit]]) -> Iterator[Row]:
        """The rows that were found; those whose bytes are damaged are passed over, and said."""
        by_segment: dict[str, list[tuple[Segment, Hit]]] = {}
        for segment, hit in found:
            by_segment.setdefault(segment.path.name, []).append((segment, hit))
        for group in by_segment.values():
            segment = group[0][0]
            try:
                with opened(segment.path) as file:
                    for _, (position, at_ns, place, tag, check, byte, size) in group:
                        body = os.pread(file, size, byte)
                        if crc32(body) == check:
                            yield position, at_ns, tag, place, body
                        elif any(body):  # zeros: it was forgotten after the index was read (city.store.forgetting)
                            self._on_damage(Damage(segment.path, byte, byte + size, position, 1))
            except FileNotFoundError:  # dropped meanwhile
                continue

    def knows(self, entries: Sequence[tuple[Collection[int], int, int]]) -> list[bool]:
        """Whether there is an entry of one of these places, of this time, with this tag; for each of them."""
        times = [at_ns for _, at_ns, _ in entries]
        looks = self._looks(min(times), max(times) + 1, keyed=True)
        return [any(self._knows(look, sorted(places), at_ns, tag) for look in looks) for places, at_ns, tag in entries]

    def forget(self, path: Path) -> None:
        """The file is another one now, or gone."""
        with self._turn:
            self._segments.pop(path.name, None)
            self._maps.pop(path.name, None)
            self._hints.clear()

    def _listed(self) -> list[Segment]:
        names = sorted(path.name for path in self.directory.glob("*.log"))
        known = self._segments
        self._segments = {name: known.get(name) or Segment(self.directory / name) for name in names}
        return list(self._segments.values())

    def _looks(self, first_ns: int, last_ns: int, *, keyed: bool = False) -> list["_Look"]:
        """What of the files may have a reading of that time, the newest first: others may go on meanwhile."""
        with self.segments() as segments:
            return [_Look(segment, [chunk for chunk in segment.chunks if chunk.low_ns < last_ns and chunk.high_ns >= first_ns],
                          segment.tail, segment.tail.known() if keyed else frozenset()) for segment in reversed(segments)]

    def _knows(self, look: "_Look", places: list[int], at_ns: int, tag: int) -> bool:
        if any((at_ns, tag, place) in look.keys for place in places):
            return True
        return any(chunk.low_ns <= at_ns <= chunk.high_ns and self._holds(look.segment, chunk, places, at_ns, tag)
                   for chunk in look.chunks)

    def _holds(self, segment: Segment, chunk: Chunk, places: list[int], at_ns: int, tag: int) -> bool:
        index = self._map(segment, chunk)
        if index.sound(chunk):
            return index.holds(chunk, places, at_ns, tag)
        return any(hit[1] == at_ns and hit[3] == tag for hit in self._without_index(segment, chunk, places))

    def _hits(self, look: "_Look", places: list[int], first_ns: int, last_ns: int) -> Iterator[Hit]:
        for chunk in look.chunks:
            low, high = first_ns - chunk.lead, last_ns + chunk.lag
            yield from (hit for hit in self._in_chunk(look.segment, chunk, places) if low <= hit[1] < high)
        if look.tail.low_ns < last_ns and look.tail.high_ns >= first_ns:
            for place in places:
                yield from look.tail.hits(place)

    def _in_chunk(self, segment: Segment, chunk: Chunk, places: list[int]) -> Iterator[Hit]:
        index = self._map(segment, chunk)
        if index.sound(chunk):
            return index.hits(chunk, places)
        return self._without_index(segment, chunk, places)

    def _without_index(self, segment: Segment, chunk: Chunk, places: list[int]) -> Iterator[Hit]:
        """The index is damaged: the frames are read instead, and the index is made anew when there is time."""
        self.unindexed.add(segment.path)
        stretch = Tail(chunk.start, chunk.start)
        with opened(segment.path) as file:
            for found in frames.walk(file, chunk.start, chunk.end):
                if isinstance(found, Frame):
                    stretch.add(found)
        for place in places:
            yield from stretch.hits(place)

    def _map(self, segment: Segment, chunk: Chunk) -> chunks.Map:
        name = segment.path.name
        with self._turn:
            known = self._maps.get(name)
            if known is None or not known.reaches(chunk):
                with opened(segment.index_path) as file:
                    known = self._maps[name] = chunks.Map(file)
                while len(self._maps) > MAPS:
                    self._maps.popitem(last=False)
            self._maps.move_to_end(name)
            return known

    def _start(self, segment: Segment, cursor: int) -> int:
        """A byte of the file at which a frame begins and before which there is nothing after `cursor`."""
        with self._turn:
            return max((chunk.start for chunk in segment.chunks if chunk.first <= cursor + 1), default=0)

    def _read(self, segment: Segment, start: int, cursor: int, limit: int, rows: list[Row], until: int | None) -> None:
        durable = self.limit()
        with opened(segment.path) as file:
            size = os.fstat(file).st_size
            end, seen = min(size, durable[1]) if durable and durable[0] == segment.first else size, 0
            for found in frames.walk(file, start, end):
                if isinstance(found, Gap):
                    if until is not None or not found.last or durable:
                        self._damaged(segment, file, found, cursor, until, end)
                    continue
                if found.last > cursor:
                    rows += _rows(found, max(cursor + 1 - found.first, 0))
                    cursor = rows[-1][0]
                if len(rows) >= limit:
                    del rows[limit:]
                    self._hint(rows[-1][0], segment, found.start)
                    return
                seen = found.end
            if rows and seen:
                self._hint(rows[-1][0], segment, seen)

    def _hint(self, position: int, segment: Segment, byte: int) -> None:
        """Where to read on after a position."""
        with self._turn:
            self._hints[position] = (segment.path.name, byte)
            while len(self._hints) > MAPS:
                self._hints.popitem(last=False)

    def _damaged(self, segment: Segment, file: int, gap: Gap, cursor: int, until: int | None, end: int) -> None:
        following = next((item for item in frames.walk(file, gap.end, end) if isinstance(item, Frame)), None)
        upto = following.first if following else until
        first = max(cursor + 1, segment.first)
        lost = upto - first if upto is not None else (gap.end - gap.start) // frames.ENTRY_LEAST
        self._on_damage(Damage(segment.path, gap.start, gap.end, first, max(lost, 0)))


@dataclass(frozen=True, slots=True)
class _Look:
    """What of a file is looked through."""

    segment: Segment
    chunks: list[Chunk]
    tail: Tail
    keys: Set[tuple[int, int, int]]  # of the tail


def name(first: int, day: int) -> str:
    """Of the file that begins with position `first` on a day counted from 1970."""
    return f"{first:016}-{from_ns(day * DAY_NS):%Y%m%d}.log"


def parse(path: Path) -> tuple[int, int]:
    """First position and day of a file. Raises ValueError."""
    first, _, day = path.stem.partition("-")
    return int(first), int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()) // 86_400


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A file to read from. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _rows(frame: Frame, skip: int) -> list[Row]:
    columns = frame.columns
    return [(frame.first + index, columns.at[index], columns.tags[index], columns.places[index], frame.body(index))
            for index in range(skip, frame.count)]


def _stretches(segment: Segment, first_ns: int, last_ns: int) -> Iterator[tuple[int, int]]:
    for chunk in segment.chunks:
        if chunk.low_ns < last_ns and chunk.high_ns >= first_ns:
            yield chunk.start, chunk.end
    if segment.tail.low_ns < last_ns and segment.tail.high_ns >= first_ns:
        yield segment.tail.start, segment.tail.end


def _since(tail: Tail, start: int) -> Tail:
    """What of a tail lies after `start`."""
    fresh = Tail(start, start, keys=None if tail.keys is None else set())
    for frame in tail.frames:
        if frame.start >= start:
            fresh.add(frame)
    fresh.end = max(fresh.end, tail.end, start)
    return fresh
