"""The bytes of the local log: frames, each what one append has written, with a checksum over all of it.

A frame is a head, columns (time, place, tag, check and end of each entry), the definitions of the places and series that
its file has not named before, and the entries' bodies. Numbers are little-endian. A file is nothing but frames, so it can
be read from its beginning, and from any frame's head; where bytes are damaged, reading goes on at the next whole frame.
"""

import os
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast
from zlib import crc32

MAGIC = b"SFL1"
MOST = 1000  # entries in a frame
LONGEST = 2**18  # bytes of a body
BYTES_MOST = MOST * (LONGEST + 64) + 2**24  # of a frame
_HEAD = struct.Struct("<4sIIIQIqq")  # magic, bytes after the head, checksum, entries, first position, definitions, lag, lead
_SUMMED = 12  # the checksum is of all that follows it
_COLUMNS = (("q", 8), ("I", 4), ("I", 4), ("I", 4), ("I", 4))
ENTRY_LEAST = 24  # bytes of an entry without its body
BLOCK = 2**20
_Bytes = bytes | memoryview
_Head = tuple[bytes, int, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Columns:
    """What is written of each entry besides its body. `checks` are of the bodies, `ends` where they end."""

    at: "array[int]"
    places: "array[int]"
    tags: "array[int]"
    checks: "array[int]"
    ends: "array[int]"


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame at [start, end) of its file. `lag` and `lead`: by how many ns readings are older or younger than their
    entries at most. `bodies` are its entries' bytes one after another, from `bodies_at` in the file."""

    start: int
    end: int
    first: int
    lag: int
    lead: int
    columns: Columns
    definitions: bytes
    bodies_at: int
    bodies: memoryview

    @property
    def count(self) -> int:
        return len(self.columns.at)

    @property
    def last(self) -> int:
        """The position of its last entry."""
        return self.first + len(self.columns.at) - 1

    def body(self, index: int) -> bytes:
        """The body of one of its entries."""
        ends = self.columns.ends
        return bytes(self.bodies[ends[index - 1] if index else 0:ends[index]])


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that are no whole frame; `end` is where the next one begins, or the end of what was asked for."""

    start: int
    end: int
    last: bool  # nothing whole follows


def tag(key: str) -> int:
    """A 32-bit stand-in for an entry's key: beside device and nanosecond, it only tells events of one instant apart."""
    return crc32(key.encode("utf-8", "surrogatepass"))


def encode(first: int, at: Sequence[int], places: Sequence[int], tags: Sequence[int], bodies: Sequence[bytes],
           spread: tuple[int, int] = (0, 0), definitions: bytes = b"") -> bytes:
    """One frame."""
    rest = b"".join((array("q", at).tobytes(), array("I", places).tobytes(), array("I", tags).tobytes(),
                     array("I", map(crc32, bodies)).tobytes(), array("I", accumulate(map(len, bodies))).tobytes(), definitions,
                     *bodies))
    head = _HEAD.pack(MAGIC, len(rest), 0, len(bodies), first, len(definitions), *spread)
    return b"".join((head[:8], crc32(rest, crc32(head[_SUMMED:])).to_bytes(4, "little"), head[_SUMMED:], rest))


def decode(data: _Bytes, offset: int, start: int) -> Frame | int | None:
    """The frame at `offset` of `data`, which is at `start` in its file; or how many bytes of it there must be to tell; or
    None where there is none."""
    if len(data) - offset < _HEAD.size:
        return _HEAD.size
    magic, size, checksum, count, first, defined, lag, lead = cast("_Head", _HEAD.unpack_from(data, offset))
    if magic != MAGIC or size > BYTES_MOST or not 0 < count <= MOST or size < count * ENTRY_LEAST + defined:
        return None
    begin, end = offset + _HEAD.size, offset + _HEAD.size + size
    if end > len(data):
        return _HEAD.size + size
    view = memoryview(data)
    if crc32(view[offset + _SUMMED:end]) != checksum:
        return None
    columns: list[array[int]] = []
    for code, width in _COLUMNS:
        columns.append(array(code, bytes(view[begin:begin + width * count])))
        begin += width * count
    bodies_at = begin + defined
    return Frame(start, start + _HEAD.size + size, first, lag, lead, Columns(*columns), bytes(view[begin:bodies_at]),
                 start + bodies_at - offset, view[bodies_at:end])


def walk(file: int, start: int, end: int) -> Iterator[Frame | Gap]:
    """All between two places in a file. Raises OSError."""
    position, data, base = start, b"", start
    while position < end:
        found = decode(data, position - base, position)
        if isinstance(found, int):
            need = min(found, end - position)
            if base != position or len(data) < need:
                base, data = position, os.pread(file, min(max(found, BLOCK), end - position), position)
                if len(data) >= need:
                    continue
            found = None  # it would reach beyond the end
        seen = found or _gap(file, position, end)
        yield seen
        position = seen.end


def _gap(file: int, start: int, end: int) -> Gap:
    base, overlap = start + 1, b""
    while base < end:
        data = overlap + os.pread(file, min(BLOCK, end - base), base)
        if len(data) == len(overlap):
            break
        begin, at = base - len(overlap), -1
        while (at := data.find(MAGIC, at + 1)) >= 0:
            if whole(file, begin + at, end):
                return Gap(start, begin + at, last=False)
        base, overlap = begin + len(data), data[-3:]
    return Gap(start, end, last=True)


def whole(file: int, position: int, end: int) -> bool:
    """Whether a whole frame begins there."""
    need = _HEAD.size
    while True:
        found = decode(os.pread(file, min(need, end - position), position), 0, position)
        if not isinstance(found, int):
            return found is not None
        if found <= need or found > end - position:
            return False
        need = found


if sys.byteorder != "little":
    raise ImportError("The local log is written on little-endian machines only.")
