"""What is done for the local log beside appending, in a thread of its own: indexes, mending, and dropping what is too old
or too much. Appends never wait for it."""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Lock

from city.errors import StoreDown
from city.store import chunks, frames
from city.store.appending import remove
from city.store.disk import Disk
from city.store.forgetting import Forgetting
from city.store.frames import Frame
from city.store.quarantine import Quarantine
from city.store.segments import DIRECTORY, Journal, opened, parse

GB = 10**9
_log = logging.getLogger("stadtfunk.log")
Sinks = Callable[[], Sequence[tuple[str, int]]]  # what has read how far


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: days that have entries, bytes of the log (0: any), and bytes that stay free on its disk. For the
    latter nothing is dropped that a sink has not got: rather the disk gets full, and nothing is acknowledged."""

    days: int = 400
    bytes: float = 0.0
    free: float = 0.0


class Upkeep:
    """Of the log in `directory`. `dropped` is told the last position of a file before it is dropped; `ending` says whether
    the process wants to end, so that long work is left for the next one."""

    def __init__(self, directory: Path, limits: Limits, journal: Journal, quarantine: Quarantine, disk: Disk, *,
                 sinks: Sinks, dropped: Callable[[int], None], forgetting: Forgetting, ending: Callable[[], bool]) -> None:
        self._directory, self._limits, self._disk = directory / DIRECTORY, limits, disk
        self._journal, self._quarantine = journal, quarantine
        self._sinks, self._note_dropped = sinks, dropped
        self._forgetting, self._ending = forgetting, ending
        self._turn = Lock()
        self._indexed: dict[Path, tuple[int, int]] = {}  # byte of the file up to which there is an index, and its bytes
        self.dropped_unshipped = 0

    def run(self) -> None:
        """All that is due. What goes wrong is said, and tried again next time."""
        try:
            with self._turn:
                self._mend()
                self._index()
            self.make_room()
            self._forget()
        except (OSError, sqlite3.Error, StoreDown) as error:
            _log.warning("The local log's upkeep: %s", error)

    def make_room(self) -> bool:
        """Drop the oldest files that are too many; whether there was one. Raises OSError and sqlite3.Error."""
        with self._turn:
            files = self._files()
            old = _too_old(files[:-1], files, self._limits.days)
            for path, until in old:
                self._drop(path, until, "it is older than the days that are kept")
            rest = [item for item in files if item not in old]
            more = False
            while len(rest) > 1 and (self._too_large(rest) or (self._too_little_free() and self._shipped(rest[0][1]))):
                self._drop(*rest.pop(0), "there is no room for it")
                more = True
            return bool(old) or more

    def _files(self) -> list[tuple[Path, int]]:
        """Each with its last position at most, the oldest first."""
        paths = sorted(self._directory.glob("*.log"))
        return [(path, parse(after)[0] - 1) for path, after in pairwise(paths)] + \
            [(path, 2**63 - 1) for path in paths[-1:]]

    def _too_large(self, files: Iterable[tuple[Path, int]]) -> bool:
        return bool(self._limits.bytes) and sum(_size(path) for path, _ in files) > self._limits.bytes

    def _too_little_free(self) -> bool:
        return bool(self._limits.free) and self._disk.free(self._directory) < self._limits.free

    def _shipped(self, last: int) -> bool:
        """Whether every sink has all up to that position."""
        return all(position >= last for _, position in self._sinks())

    def _drop(self, path: Path, last: int, why: str) -> None:
        first, _ = parse(path)
        for sink, position in self._sinks():
            if position < last:
                missing = last - max(position, first - 1)
                self.dropped_unshipped += missing
                _log.error("The log drops %s because %s, though %s has not got all of it: up to %d entries never reach it.",
                           path.name, why, sink, missing)
        _log.info("The log drops %s: %s.", path.name, why)
        self._note_dropped(last)
        remove((path, path.with_suffix(".idx")))
        self._indexed.pop(path, None)
        self._journal.forget(path)

    def _forget(self) -> None:
        """A file at a time; others may have the turn in between."""
        while not self._ending():
            with self._turn:
                due = self._forgetting.due(sorted(self._directory.glob("*.log")))
                if not due:
                    return
                if self._forgetting.forget(due[0]):
                    self._indexed.pop(due[0], None)

    def _mend(self) -> None:
        """Put what is whole of damaged files in their place; the newest is mended at the next start."""
        paths = sorted(self._directory.glob("*.log"))
        for path in self._quarantine.damaged & set(paths[:-1]):
            self._quarantine.repair(path)
            self._indexed.pop(path, None)
            self._journal.forget(path)
        for path in set(self._journal.unindexed):
            remove([path.with_suffix(".idx")])
            self._indexed.pop(path, None)
            self._journal.forget(path)
            self._journal.unindexed.discard(path)

    def _index(self) -> None:
        paths = sorted(self._directory.glob("*.log"))
        durable = self._journal.limit()
        for path in paths:
            sealed = path != paths[-1]
            size = path.stat().st_size
            end = min(size, durable[1]) if durable and durable[0] == parse(path)[0] else size
            covered, _ = self._covered(path)
            if covered < end:
                self._index_file(path, end, sealed=sealed)

    def _index_file(self, path: Path, end: int, *, sealed: bool) -> None:
        batch: list[Frame] = []
        count = 0
        with opened(path) as file:
            for found in frames.walk(file, self._covered(path)[0], end):
                if isinstance(found, Frame):
                    batch.append(found)
                    if len(batch) % chunks.FRAMES_AT_ONCE == 0:
                        self._disk.rest()
                    count += found.count
                if count >= chunks.ENTRIES:
                    self._write(path, batch, found.end)
                    batch, count = [], 0
        if batch and sealed:
            self._write(path, batch, end)

    def _write(self, path: Path, batch: Sequence[Frame], end: int) -> None:
        data = chunks.encode(batch, end, self._disk.rest)
        _, position = self._covered(path)
        file = os.open(path.with_suffix(".idx"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._disk.write(file, data, position)
        finally:
            os.close(file)
        self._indexed[path] = (end, position + len(data))

    def _covered(self, path: Path) -> tuple[int, int]:
        if path not in self._indexed:
            self._indexed[path] = _covered(path.with_suffix(".idx"))
        return self._indexed[path]


def _covered(index: Path) -> tuple[int, int]:
    """How much of a file its index covers, and how many bytes of the index are whole; what follows them is removed."""
    try:
        with opened(index) as file:
            size = os.fstat(file).st_size
            known = list(chunks.heads(file, 0, size))
            data = os.pread(file, chunks.after(known[-1] if known else None), 0)
    except FileNotFoundError:
        return 0, 0
    if len(data) < size:
        fresh = index.with_suffix(".fresh")
        fresh.write_bytes(data)
        fresh.chmod(0o600)
        fresh.replace(index)  # never cut what others have mapped
    return (known[-1].end, len(data)) if known else (0, 0)


def _too_old(candidates: Iterable[tuple[Path, int]], files: Iterable[tuple[Path, int]], keep: int) -> list[tuple[Path, int]]:
    kept = sorted({parse(path)[1] for path, _ in files})[-keep:]
    return [item for item in candidates if parse(item[0])[1] < kept[0]]


def _size(path: Path) -> int:
    index = path.with_suffix(".idx")
    return path.stat().st_size + (index.stat().st_size if index.exists() else 0)
