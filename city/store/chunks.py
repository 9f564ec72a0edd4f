"""Who is where in a file of the local log: an index beside it, in pieces of some ten thousand entries ordered by place.

It holds nothing that the log has not: it is written without waiting for the disk, and what of it is damaged or missing
is made anew. Each piece covers a stretch of whole frames; the last entries, not covered yet, are kept in memory (Tail).
"""

import mmap
import os
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter, sub
from typing import Literal
from zlib import crc32

from city.store.frames import Frame

FRAMES_AT_ONCE, SORTED_AT_ONCE = 20, 2048
ENTRIES = 16_384  # in a piece, and more if its last frame has them
_MAGIC = b"SFX1"
_HEAD = struct.Struct("<4sIIIQQQQqqqq")
_SUMMED = 12
# time; place, tag, check, position - first, byte - start, bytes
_CODES: tuple[tuple[Literal["q", "I"], int], ...] = (("q", 8), *(("I", 4),) * 6)
_WIDTH = 32
_LATEST = 2**63 - 1
Hit = tuple[int, int, int, int, int, int, int]  # position, time, place, tag, check, byte, bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece: entries [first, last] in bytes [start, end) of the log's file. Times include those of readings."""

    first: int
    last: int
    start: int
    end: int
    low_ns: int
    high_ns: int
    lag: int
    lead: int
    count: int
    columns_at: int  # in the index's file

    @property
    def newest_ns(self) -> int:
        """When its newest entry was."""
        return self.high_ns - self.lead


@dataclass(slots=True)
class Tail:
    """The entries that no piece covers, of the frames since `start`."""

    start: int
    end: int
    frames: list[Frame] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)  # the index of each frame's first entry
    places: "array[int]" = field(default_factory=lambda: array("I"))
    newest_ns: int = -1  # time of the newest entry
    keys: set[tuple[int, int, int]] | None = None  # time, tag, place; once somebody has asked
    low_ns: int = 2**63 - 1
    high_ns: int = -(2**63)

    def add(self, frame: Frame) -> None:
        columns = frame.columns
        self.begins.append(len(self.places))
        self.frames.append(_without_bodies(frame))
        self.places.extend(columns.places)
        self.newest_ns = max(self.newest_ns, max(columns.at))
        if self.keys is not None:
            self.keys.update(zip(columns.at, columns.tags, columns.places, strict=True))
        self.low_ns = min(self.low_ns, min(columns.at) - frame.lag)
        self.high_ns = max(self.high_ns, max(columns.at) + frame.lead)
        self.end = frame.end

    def known(self) -> set[tuple[int, int, int]]:
        """The time, tag and place of each entry, kept from now on. While nobody adds."""
        if self.keys is None:
            self.keys = set(chain.from_iterable(
                zip(frame.columns.at, frame.columns.tags, frame.columns.places, strict=True) for frame in self.frames))
        return self.keys

    def hits(self, place: int) -> Iterator[Hit]:
        """The entries of a place."""
        index = -1
        while True:
            try:
                index = self.places.index(place, index + 1)
            except ValueError:
                return
            number = bisect_right(self.begins, index) - 1
            yield hit(self.frames[number], index - self.begins[number])


def hit(frame: Frame, index: int) -> Hit:
    """Where an entry of a frame is."""
    columns = frame.columns
    begin = columns.ends[index - 1] if index else 0
    return (frame.first + index, columns.at[index], columns.places[index], columns.tags[index], columns.checks[index],
            frame.bodies_at + begin, columns.ends[index] - begin)


def encode(frames: Sequence[Frame], end: int, rest: Callable[[], None] = lambda: None) -> bytes:
    """The piece that covers these frames, up to `end` in their file. `rest` is called after each millisecond or two of
    work: whoever waits for an event's acknowledgement meanwhile has to wait for no more than that."""
    first, start = frames[0].first, frames[0].start
    at, places, tags, checks, positions, begins, sizes = (array(code) for code, _ in _CODES)
    for number, frame in enumerate(frames, 1):  # the less of Python here, the less others wait for it
        if number % FRAMES_AT_ONCE == 0:
            rest()
        columns = frame.columns
        at += columns.at
        places += columns.places
        tags += columns.tags
        checks += columns.checks
        positions.extend(range(frame.first - first, frame.last + 1 - first))
        before = array("I", (0,)) + columns.ends[:-1]
        begins.extend(map((frame.bodies_at - start).__add__, before))
        sizes.extend(map(sub, columns.ends, before))
    runs: list[int] = []
    for low in range(0, len(places), SORTED_AT_ONCE):
        runs += sorted(range(low, min(low + SORTED_AT_ONCE, len(places))), key=places.__getitem__)
        rest()
    runs.sort(key=places.__getitem__)  # merges what is sorted
    pick = itemgetter(*runs, runs[0])  # at least two, so that it gives a tuple
    parts = []
    for column in (at, places, tags, checks, positions, begins, sizes):
        rest()
        parts.append(array(column.typecode, pick(column)[:-1]).tobytes())
    data = b"".join(parts)
    lag, lead = max(frame.lag for frame in frames), max(frame.lead for frame in frames)
    lead = min(lead, _LATEST - max(at))
    head = _HEAD.pack(_MAGIC, len(data), 0, len(places), first, frames[-1].last, start, end, min(at) - lag, max(at) + lead,
                      lag, lead)
    return b"".join((head[:8], crc32(data, crc32(head[_SUMMED:])).to_bytes(4, "little"), head[_SUMMED:], data))


def heads(file: int, start: int, size: int) -> Iterator[Chunk]:
    """The pieces from byte `start` of an index's file, up to the first that is not whole. Raises OSError."""
    position = start
    while position + _HEAD.size <= size:
        magic, length, _, count, first, last, begin, end, low, high, lag, lead = _HEAD.unpack(
            os.pread(file, _HEAD.size, position))
        if magic != _MAGIC or length != count * _WIDTH or position + _HEAD.size + length > size:
            return
        yield Chunk(first, last, begin, end, low, high, lag, lead, count, position + _HEAD.size)
        position += _HEAD.size + length


def after(chunk: Chunk | None) -> int:
    """Where the next piece begins in the index's file."""
    return chunk.columns_at + chunk.count * _WIDTH if chunk else 0


class Map:
    """The pieces of one index's file, read by their columns."""

    def __init__(self, file: int) -> None:
        self._map = mmap.mmap(file, 0, prot=mmap.PROT_READ)
        self._sound: set[int] = set()
        self._views: dict[int, list[memoryview[int]]] = {}

    def reaches(self, chunk: Chunk) -> bool:
        """Whether that piece was there when the file was opened."""
        return after(chunk) <= len(self._map)

    def sound(self, chunk: Chunk) -> bool:
        """Whether a piece is as it was written."""
        if chunk.columns_at not in self._sound:
            begin = chunk.columns_at - _HEAD.size
            with memoryview(self._map) as view:
                if len(view) < after(chunk):
                    return False
                wanted = int.from_bytes(view[begin + 8:begin + 12], "little")
                if crc32(view[begin + _SUMMED:after(chunk)]) != wanted:
                    return False
            self._sound.add(chunk.columns_at)
        return True

    def holds(self, chunk: Chunk, places: Sequence[int], at_ns: int, tag: int) -> bool:
        """Whether there is such an entry of one of these places."""
        at, numbers, tags, *_ = self._columns(chunk)
        for place in places:
            low = bisect_left(numbers, place)
            high = bisect_right(numbers, place, low)
            if (at_ns, tag) in zip(at[low:high], tags[low:high], strict=True):
                return True
        return False

    def hits(self, chunk: Chunk, places: Sequence[int]) -> Iterator[Hit]:
        """The entries of these places."""
        at, numbers, tags, checks, positions, begins, sizes = self._columns(chunk)
        for place in places:
            low = bisect_left(numbers, place)
            for index in range(low, bisect_right(numbers, place, low)):
                yield (chunk.first + positions[index], at[index], place, tags[index], checks[index],
                       chunk.start + begins[index], sizes[index])

    def _columns(self, chunk: Chunk) -> "list[memoryview[int]]":
        known = self._views.get(chunk.columns_at)
        if known is None:
            known, begin, view = [], chunk.columns_at, memoryview(self._map)
            for code, width in _CODES:
                known.append(view[begin:begin + width * chunk.count].cast(code))
                begin += width * chunk.count
            self._views[chunk.columns_at] = known
        return known


def _without_bodies(frame: Frame) -> Frame:
    return Frame(frame.start, frame.end, frame.first, frame.lag, frame.lead, frame.columns, b"", frame.bodies_at,
                 memoryview(b""))
