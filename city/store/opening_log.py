"""What happens to the local log before the first append: it is checked, what is damaged is set aside, and what the system
may not have written is written again. Only who holds the lock may do it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from sqlite3 import Connection
from typing import IO

from city.errors import StoreDown
from city.store import frames, ledger, old_log
from city.store.appending import SEGMENT_BYTES, Files, remove
from city.store.disk import Disk
from city.store.frames import Frame, Gap
from city.store.quarantine import Quarantine
from city.store.segments import DIRECTORY, Damage, opened, parse

LOCK = "writer.lock"


@dataclass(frozen=True, slots=True)
class Start:
    """Where the log goes on: the newest position that was given, and the newest file with how much of it is whole."""

    head: int
    path: Path | None = None
    end: int = 0
    definitions: tuple[bytes, ...] = ()  # of places and series in that file

    def holds(self, directory: Path) -> bool:
        """Whether nothing has been appended since."""
        newest = max((directory / DIRECTORY).glob("*.log"), default=None)
        return newest == self.path and (newest is None or newest.stat().st_size == self.end)

    def files(self, directory: Path, disk: Disk, most: int = SEGMENT_BYTES) -> Files:
        """To go on with, in files of some `most` bytes. Raises OSError."""
        return Files(directory, disk, self.path, self.end, most)


def locked(directory: Path) -> IO[bytes]:
    """The lock of the one that writes, held until it is closed. Raises StoreDown where another process holds it."""
    lock = (directory / LOCK).open("ab")
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except OSError:
        lock.close()
        raise StoreDown("Another process writes the log in {directory}.", directory=str(directory)) from None
    return lock


def check(directory: Path, quarantine: Quarantine, disk: Disk) -> tuple[Start, Connection]:
    """See above; a connection to the ledger that may write. Raises OSError, sqlite3.Error and StoreDown."""
    if not (directory / DIRECTORY).exists():
        (directory / DIRECTORY).mkdir(mode=0o700)
        disk.sync_names(directory)
    remove((directory / DIRECTORY).glob("*.fresh"))
    connection, damaged = _checked_ledger(directory / ledger.FILE, quarantine)
    try:
        return _recovered(connection, damaged, directory, quarantine, disk), connection
    except BaseException:
        connection.close()
        raise


def _recovered(connection: Connection, damaged: Path | None, directory: Path, quarantine: Quarantine, disk: Disk) -> Start:
    start = _newest(directory, quarantine, disk)
    if damaged or not ledger.knows_places(connection):
        _rebuild(connection, damaged, directory)
    elif start.path:
        with ledger.transaction(connection):
            behind = ledger.learn(connection, start.definitions)
        if behind:  # then files before it may define more
            _rebuild(connection, None, directory)
    start = Start(max(start.head, ledger.floor(connection)), start.path, start.end)
    if old_log.is_old(connection) or (damaged and old_log.is_old_file(damaged)):
        start = _migrated(connection, damaged, start, directory, disk)
    return start


def _checked_ledger(path: Path, quarantine: Quarantine) -> tuple[Connection, Path | None]:
    """The ledger, and where the one before it has been set aside if that was damaged."""
    what = ledger.checked(path)
    if isinstance(what, Connection):
        return what, None
    aside = quarantine.move(path)
    quarantine.say(f"{path.name} is damaged ({what}). It has been set aside as {aside.parent.name}/{aside.name} and is made"
                   " anew; sinks whose position cannot be read begin again.")
    return ledger.connect(path), aside


def _newest(directory: Path, quarantine: Quarantine, disk: Disk) -> Start:
    """The newest file, whole."""
    head = 0
    for path in sorted((directory / DIRECTORY).glob("*.log"), reverse=True):
        start = _whole(path, quarantine, disk)
        head = max(head, start.head)
        if path.exists():
            _write_again(path, start.end, disk)
            return replace(start, head=head)
    return Start(head)


def _whole(path: Path, quarantine: Quarantine, disk: Disk) -> Start:
    """Read a file from end to end, and mend it."""
    first, _ = parse(path)
    head, end, jump, mend = first - 1, 0, 0, False
    defined: list[bytes] = []
    gap: Gap | None = None
    with opened(path) as file:
        size = os.fstat(file).st_size
        for found in frames.walk(file, 0, size):
            if isinstance(found, Frame):
                if gap:
                    quarantine.damage(Damage(path, gap.start, gap.end, head + 1, max(found.first - head - 1, 0)))
                    mend, gap = True, None
                head, end = found.last, found.end
                if found.definitions:
                    defined.append(found.definitions)
            else:
                gap = found
        if gap:
            jump = (gap.end - gap.start) // frames.ENTRY_LEAST + 1  # so many entries may have been there
    if gap:
        _end(path, gap, head + 1, quarantine, disk)
    if mend or (gap and not end):
        quarantine.repair(path)
        end = path.stat().st_size if path.exists() else 0
    return Start(head + jump, path, end, tuple(defined))


def _end(path: Path, gap: Gap, first: int, quarantine: Quarantine, disk: Disk) -> None:
    """Cut off what is no whole frame at the end of a file, and keep it aside."""
    count = gap.end - gap.start
    if gap.start:
        aside = quarantine.keep(path, gap.start, gap.end)
        quarantine.say(f"the last {count} bytes of {path.name} are no whole entry: a write that was cut off and never"
                       f" acknowledged, or damage. They have been set aside as {aside.parent.name}/{aside.name}.")
        _cut(path, gap.start, disk)
    else:
        quarantine.damage(Damage(path, 0, count, first, count // frames.ENTRY_LEAST))


def _cut(path: Path, end: int, disk: Disk) -> None:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(file, end)
        disk.sync(file)
    finally:
        os.close(file)


def _write_again(path: Path, end: int, disk: Disk) -> None:
    """Write the end of a file once more. Where the last write could not be made durable, the system may show bytes that
    are not on the disk and never would be: it takes them for written."""
    start = max(0, end - 4 * frames.BLOCK)
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        disk.write(file, os.pread(file, end - start, start), start)
        disk.sync(file)
        disk.sync_names(path.parent)
    finally:
        os.close(file)


def _rebuild(connection: Connection, damaged: Path | None, directory: Path) -> None:
    with ledger.transaction(connection):
        for path in sorted((directory / DIRECTORY).glob("*.log")):
            ledger.learn(connection, _definitions(path, path.stat().st_size))
        if damaged:
            ledger.salvage(connection, damaged)
        ledger.close_gaps(connection)


def _definitions(path: Path, end: int) -> Iterator[bytes]:
    with opened(path) as file:
        for found in frames.walk(file, 0, end):
            if isinstance(found, Frame) and found.definitions:
                yield found.definitions


def _migrated(connection: Connection, damaged: Path | None, start: Start, directory: Path, disk: Disk) -> Start:
    """The rows of a log of version 0.3, in files."""
    files = start.files(directory, disk)
    try:
        head = old_log.move(connection, damaged, files, start.head)
    finally:
        files.close()
    return Start(max(head, start.head), files.path, files.position)
