"""Single words of bays' sensors leave the local log after some days, while all else of their days stays (city.retention).

A file that is old enough is written again with nothing in the places of those entries: no time, no place, no tag, zeros for a
body. Everything keeps its position and its byte, so cursors, indexes and readers that have the file open go on; a reader that
finds zeros where an entry was passes over it. The new index and the new file take the old ones' place by renaming, in this
order: whenever the machine stops, both are whole, and what was not done is done again. A file beside the log says how far.
"""

import logging
import os
from array import array
from collections.abc import Callable, Set
from contextlib import suppress
from pathlib import Path

from city.store import chunks, frames
from city.store.days import DAY_NS
from city.store.disk import Disk
from city.store.frames import Frame
from city.store.segments import Journal, opened, parse

FILE = "bays-forgotten"  # the first position of the newest file that was looked at
NOBODY = 0  # the place of an entry that was forgotten; places are counted from 1

_log = logging.getLogger("stadtfunk.log")


class Forgetting:
    """Of the segment files in `directory`/segments. Belongs to the log's upkeep."""

    def __init__(self, directory: Path, disk: Disk, journal: Journal, bays: Callable[[], Set[int]], keep_days: int) -> None:
        """`bays`: numbers of the places that are bays. `keep_days` 0: nothing is forgotten."""
        self._marker, self._disk, self._journal = directory / FILE, disk, journal
        self._bays, self._keep_days = bays, keep_days

    def due(self, paths: list[Path]) -> list[Path]:
        """Those of the log's files, given in order, that were begun `keep_days` before the newest, and not looked at."""
        if not self._keep_days or len(paths) < 2:
            return []
        newest, done = parse(paths[-1])[1], self._done()
        return [path for path in paths[:-1] if newest - parse(path)[1] >= self._keep_days and parse(path)[0] > done]

    def forget(self, path: Path) -> int:
        """Returns how many entries. Raises OSError: nothing has changed then."""
        count = self._rewrite(path)
        if count:
            _log.info("%s: %d single words of bays' sensors are forgotten.", path.name, count)
        self._keep_done(parse(path)[0])
        return count

    def _rewrite(self, path: Path) -> int:
        bays, count = self._bays(), 0
        fresh, index = path.with_suffix(".fresh"), path.with_suffix(".idx.fresh")
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with opened(path) as file:
                size = os.fstat(file).st_size
                for number, found in enumerate(frames.walk(file, 0, size), 1):
                    data, gone = _without(file, found, bays, parse(path)[1] * DAY_NS)
                    self._disk.write(handle, data, found.start)
                    count += gone
                    if number % chunks.FRAMES_AT_ONCE == 0:
                        self._disk.rest()
            if count:
                self._disk.sync(handle)
                self._index(handle, size, index)
                index.replace(path.with_suffix(".idx"))
                fresh.replace(path)
                self._disk.sync_names(path.parent)
                self._journal.forget(path)
        finally:
            os.close(handle)
            fresh.unlink(missing_ok=True)
            index.unlink(missing_ok=True)
        return count

    def _index(self, file: int, size: int, path: Path) -> None:
        """In the same pieces as upkeep makes them, so that pieces lie where readers know them."""
        batch: list[Frame] = []
        count = position = 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            for found in frames.walk(file, 0, size):
                if isinstance(found, Frame):
                    batch.append(found)
                    count += found.count
                if batch and (count >= chunks.ENTRIES or found.end == size):
                    data = chunks.encode(batch, size if found.end == size else found.end, self._disk.rest)
                    self._disk.write(handle, data, position)
                    position, batch, count = position + len(data), [], 0
            self._disk.sync(handle)
        finally:
            os.close(handle)

    def _done(self) -> int:
        """-1 where nothing says it: then all files are looked at again, which changes nothing in those that were."""
        with suppress(FileNotFoundError, ValueError):
            return int(self._marker.read_text(encoding="ascii"))
        return -1

    def _keep_done(self, first: int) -> None:
        fresh = self._marker.with_suffix(".fresh")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._disk.write(handle, str(first).encode("ascii"), 0)
            self._disk.sync(handle)
        finally:
            os.close(handle)
        fresh.replace(self._marker)
        self._disk.sync_names(self._marker.parent)


def _without(file: int, found: Frame | frames.Gap, bays: Set[int], day_ns: int) -> tuple[bytes, int]:
    """The bytes of a frame without the entries of bays, as long as before, and how many those were. Nobody can say whose the
    bytes of a gap are: zeros."""
    if not isinstance(found, Frame):
        return bytes(found.end - found.start), 0
    gone = [index for index, place in enumerate(found.columns.places) if place in bays]
    if not gone:
        return os.pread(file, found.end - found.start, found.start), 0
    at, places, tags = (array(column.typecode, column) for column in (found.columns.at, found.columns.places, found.columns.tags))
    bodies = [found.body(index) for index in range(found.count)]
    others = [at[index] for index in range(found.count) if places[index] not in bays]
    when = min(others, default=day_ns)
    for index in gone:
        at[index], places[index], tags[index], bodies[index] = when, NOBODY, 0, bytes(len(bodies[index]))
    spread = (found.lag, found.lead) if others else (0, 0)
    return frames.encode(found.first, at, places, tags, bodies, spread, found.definitions), len(gone)
