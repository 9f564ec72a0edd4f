"""The one that appends to the local log: new entries as frames at the end of the newest file, durable when it returns."""

import os
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection
from time import perf_counter
from typing import IO, TypeVar

from city.errors import LogBroken, OutOfRange
from city.readings import Entry
from city.store import frames, ledger, packing
from city.store.days import DAY_NS
from city.store.disk import Disk
from city.store.segments import DIRECTORY, Journal, name, parse

SEGMENT_BYTES = 2**28  # a file is full
LAST_NS = 2**63 - 1  # of the year 2262
_Key = tuple[int, int, int]  # device, time, tag
_Column = TypeVar("_Column", "array[int]", bytearray)


class Files:
    """The file at whose end frames are written, and the next one when a day is over or it is full."""

    def __init__(self, directory: Path, disk: Disk, newest: Path | None, position: int, most: int) -> None:
        """Go on at `position` of the newest file, if there is one. Raises OSError."""
        self._directory, self._disk = directory / DIRECTORY, disk
        self._most = most
        self.path, self.day, self.position = newest, parse(newest)[1] if newest else -1, position
        self.broken = ""  # why nothing may be written any more
        self.fsyncs = 0
        self._file = os.open(newest, os.O_RDWR | os.O_CLOEXEC) if newest else -1

    def due(self, day: int) -> bool:
        """Whether an entry of that day begins a new file."""
        return self.path is None or day > self.day or self.position >= self._most

    def begin(self, first: int, day: int) -> None:
        """A new file, for positions from `first` on. Raises OSError."""
        day = max(day, self.day)
        path = self._directory / name(first, day)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(file, 0)  # one that was begun before, and came to nothing
            self._disk.sync_names(self._directory)
        except BaseException:
            os.close(file)
            raise
        self.close()
        self._file, self.path, self.day, self.position = file, path, day, 0

    def write(self, data: bytes) -> None:
        """Durable when it returns; nothing of it is there if it raises OSError. Raises LogBroken where nobody can know what
        is on the disk now: what the system has failed to write once, it may take for written from then on."""
        self.check()
        try:
            self._disk.write(self._file, data, self.position)
        except OSError:
            try:
                os.ftruncate(self._file, self.position)
            except OSError as error:
                self._break(error)
            raise
        try:
            self._disk.sync(self._file)
        except OSError as error:
            self._break(error)
        self.fsyncs += 1
        self.position += len(data)

    def check(self) -> None:
        """Raises LogBroken."""
        if self.broken:
            raise LogBroken("The local log in {directory} could not be made durable ({what}): nothing is acknowledged until"
                            " the process has started again.", directory=str(self._directory.parent), what=self.broken)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _break(self, error: OSError) -> None:
        self.broken = str(error)
        self.check()


class Writer:
    """Holds the lock, the next position and the numbers of names. One thread at a time may use it."""

    def __init__(self, connection: Connection, lock: IO[bytes], journal: Journal, files: Files, head: int) -> None:
        self._connection, self._lock, self._journal = connection, lock, journal
        self.files, self.head = files, head
        self.last_commit_s = 0.0
        self._names = packing.Names(connection)
        self._series = self._pending_series = 0  # the newest that this file defines
        self._defined = bytearray()  # 1 at the numbers of its places
        self._first_of = array("I")  # by device, its first place; 0: none
        self._others_of: dict[int, list[int]] = defaultdict(list)
        for place, device in connection.execute("SELECT id, device FROM places"):
            self._note_place(place, device)
        with journal.segments() as known:
            self._floor = max((segment.newest_ns for segment in known), default=-1)
        self._newest = array("q")  # by device; no less than what it has said

    def durable(self) -> tuple[int, int] | None:
        """The newest file, by its first position, and how much of it is durable."""
        path = self.files.path
        return (parse(path)[0], self.files.position) if path else None

    def append(self, entries: Sequence[Entry]) -> int:
        """See ReadingLog. Raises OSError and sqlite3.Error too."""
        self.files.check()
        begun = perf_counter()
        number_of = self._names.place
        numbers = [number_of(entry.place) for entry in entries]
        tags = [frames.tag(entry.key) for entry in entries]
        try:
            repeated = self._repeated(entries, numbers, tags)
            if repeated:
                kept = [index for index in range(len(entries)) if index not in repeated]
                entries, numbers, tags = ([column[index] for index in kept] for column in (entries, numbers, tags))  # type: ignore[assignment]
            if entries:
                self._write(entries, numbers, tags)
        except BaseException:
            self._names.reload()  # some may have come to nothing
            raise
        self.last_commit_s = perf_counter() - begun
        return len(entries)

    def close(self) -> None:
        self.files.close()
        self._lock.close()

    def _repeated(self, entries: Sequence[Entry], numbers: Sequence[tuple[int, int]], tags: Sequence[int]) -> set[int]:
        """The indexes of those that are there already. One that is newer than all of its device cannot be."""
        devices = [device for _, device in numbers]
        newest, suspects = _grown(self._newest, max(devices), self._floor), []
        for index, (device, entry) in enumerate(zip(devices, entries, strict=True)):
            if entry.at_ns > newest[device]:
                newest[device] = entry.at_ns
            else:
                suspects.append(index)
        if not suspects:
            return set()
        keys = [(device, entry.at_ns, tag) for device, entry, tag in zip(devices, entries, tags, strict=True)]
        known = self._journal.knows([(self._places_of(keys[index][0]), *keys[index][1:]) for index in suspects])
        found = {index for index, there in zip(suspects, known, strict=True) if there}
        return found | set(_again(keys))

    def _write(self, entries: Sequence[Entry], numbers: Sequence[tuple[int, int]], tags: Sequence[int]) -> None:
        at = [entry.at_ns for entry in entries]
        places = [number for number, _ in numbers]
        bodies, lags, leads = zip(*map(self._names.pack, entries), strict=True)
        if max(map(len, bodies)) > frames.LONGEST:
            raise OutOfRange("An entry of {device} has more than {most} bytes.", device=entries[0].place.device,
                             most=frames.LONGEST)
        spread = (min(max(lags), LAST_NS), min(max(leads), LAST_NS))
        renewed = self._names.pending
        if renewed:
            with ledger.transaction(self._connection):
                self._names.write()
        day = max(at) // DAY_NS
        if self.files.due(day):
            self._begin(day)
            renewed = True
        defined = _grown(self._defined, max(places), 0)
        new = {number: index for index, number in enumerate(places) if not defined[number]}
        definitions = self._definitions(entries, numbers, new, renewed=renewed) if new or renewed else b""
        self.files.write(b"".join(
            frames.encode(self.head + 1 + low, at[low:high], places[low:high], tags[low:high], bodies[low:high], spread,
                          b"" if low else definitions)
            for low, high in _parts(len(bodies))))
        self.head += len(bodies)
        if new or renewed:
            self._define(numbers, new)

    def _begin(self, day: int) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # names that only the file before this one defines
        self.files.begin(self.head + 1, day)
        self._defined, self._series = bytearray(), 0

    def _definitions(self, entries: Sequence[Entry], numbers: Sequence[tuple[int, int]], new: dict[int, int], *,
                     renewed: bool) -> bytes:
        series = self._connection.execute("SELECT id, quantity, channel FROM series WHERE id > ? ORDER BY id",
                                          (self._series,)).fetchall() if renewed or not self._series else []
        self._pending_series = max((number for number, _, _ in series), default=self._series)
        return ledger.definitions(((number, entries[index].place, numbers[index][1]) for number, index in new.items()), series)

    def _define(self, numbers: Sequence[tuple[int, int]], new: dict[int, int]) -> None:
        self._series = self._pending_series
        for number, index in new.items():
            self._defined[number] = 1
            self._note_place(number, numbers[index][1])

    def _note_place(self, number: int, device: int) -> None:
        first = _grown(self._first_of, device, 0)
        if not first[device]:
            first[device] = number
        elif number != first[device] and number not in self._others_of[device]:
            self._others_of[device].append(number)

    def _places_of(self, device: int) -> list[int]:
        """Where it has been."""
        _grown(self._first_of, device, 0)
        return [self._first_of[device], *self._others_of.get(device, ())]


def _grown(column: _Column, index: int, default: int) -> _Column:
    """The column, long enough for that index."""
    if index >= len(column):
        column.extend([default] * (index + 1 + len(column) // 8 - len(column)))
    return column


def _again(keys: Iterable[_Key]) -> Iterator[int]:
    """The indexes of those that have been there before."""
    seen: set[_Key] = set()
    for index, key in enumerate(keys):
        if key in seen:
            yield index
        seen.add(key)


def _parts(count: int) -> Iterator[tuple[int, int]]:
    for low in range(0, count, frames.MOST):
        yield low, min(low + frames.MOST, count)


def remove(paths: Iterable[Path]) -> None:
    """Those that are there. Raises OSError."""
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
