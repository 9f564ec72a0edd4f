"""Disks that fail on command, and one that forgets what was not made durable."""

import errno
import os
from pathlib import Path

from city.store.disk import Disk


class FailingDisk(Disk):
    """Fails with `write_error` after some bytes of a write, and with `sync_error` after a write was made."""

    def __init__(self) -> None:
        self.write_error = self.sync_error = 0
        self.written = 10

    def write(self, file: int, data: bytes, position: int) -> None:
        if self.write_error:
            super().write(file, data[:self.written], position)
            raise OSError(self.write_error, os.strerror(self.write_error))
        super().write(file, data, position)

    def sync(self, file: int) -> None:
        if self.sync_error:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        super().sync(file)


class ForgetfulDisk(Disk):
    """Knows what a power cut would leave: of each file whose name was made durable, the bytes as of its last sync."""

    def __init__(self) -> None:
        self._bytes: dict[str, bytes] = {}
        self._names: set[str] = set()

    def sync(self, file: int) -> None:
        super().sync(file)
        path = Path(f"/proc/self/fd/{file}").readlink()
        self._bytes[str(path)] = path.read_bytes()

    def sync_names(self, directory: Path) -> None:
        super().sync_names(directory)
        self._names |= {str(path.resolve()) for path in directory.iterdir()}

    def cut(self, source: Path, target: Path) -> None:
        """The log as it is found after the power is back: SQLite's files, which nobody waits for, are gone."""
        for path, data in self._bytes.items():
            if path in self._names:
                copy = target / Path(path).relative_to(source.resolve())
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)


FULL, BROKEN, READ_ONLY = errno.ENOSPC, errno.EIO, errno.EROFS
