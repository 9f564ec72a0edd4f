"""Damaged files of the local log: what was set aside, what could be saved of it, and what is lost.

Nothing damaged is deleted: it is moved to the directory `quarantine`, and every position that cannot be read any more is
counted and said. What can be read of a file goes on in its place.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from city.store import frames
from city.store.disk import Disk
from city.store.frames import Frame, Gap
from city.store.segments import Damage, opened

DIRECTORY = "quarantine"
FINDINGS_MOST = 100
_log = logging.getLogger("stadtfunk.log")


class Quarantine:
    """The directory, and what has been found since it was made. Any thread may use it."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory, self._disk = directory / DIRECTORY, disk
        self._turn = Lock()
        self._found: set[tuple[str, int]] = set()
        self.findings: list[str] = []
        self.lost = 0
        self.damaged: set[Path] = set()  # files in which something was found that has not been set aside yet

    def damage(self, found: Damage) -> None:
        """Say, once, that bytes of a file cannot be read."""
        with self._turn:
            key = (found.path.name, found.start)
            if key in self._found:
                return
            self._found.add(key)
            self.damaged.add(found.path)
            self.lost += found.lost
        self.say(f"{found.path.name} is damaged at bytes {found.start} to {found.end}: up to {found.lost} entries from"
                 f" position {found.first} on cannot be read and are lost to every sink that had not got them.")

    def nameless(self, position: int, place: int) -> bool:
        """Say, once a place, that nobody knows what its number stands for; False."""
        with self._turn:
            known = ("", place) in self._found
            self._found.add(("", place))
            self.lost += 1
        if not known:
            self.say(f"nothing says which asset has the number {place}: its entries from position {position} on are lost.")
        return False

    def say(self, finding: str) -> None:
        """Remember a finding, and log it."""
        _log.error("The local log: %s", finding)
        with self._turn:
            self.findings = [*self.findings, finding][-FINDINGS_MOST:]

    def listed(self) -> tuple[str, ...]:
        """The names of all that was ever set aside."""
        return tuple(sorted(path.name for path in self._directory.iterdir())) if self._directory.exists() else ()

    def move(self, path: Path) -> Path:
        """Set a file aside, with its companions if it is SQLite's. Raises OSError."""
        aside = self._free(path)
        for suffix in ("-wal", "-shm", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self._disk.sync_names(self._directory)
        self._disk.sync_names(path.parent)
        return aside

    def keep(self, path: Path, start: int, end: int) -> Path:
        """Set a copy of some of a file's bytes aside. Raises OSError."""
        aside = self._free(path.with_suffix(".part"))
        with opened(path) as file:
            aside.write_bytes(os.pread(file, end - start, start))
        return aside

    def repair(self, path: Path) -> None:
        """Put a file with all that is whole of it in the place of a damaged one, which is set aside. Raises OSError."""
        fresh, aside = path.with_suffix(".fresh"), self._free(path)
        kept = self._copy(path, fresh)
        path.with_suffix(".idx").unlink(missing_ok=True)
        os.link(path, aside)
        if kept:
            fresh.replace(path)  # at no moment is there no file of that name
        else:
            fresh.unlink()
            path.unlink()
        self._disk.sync_names(aside.parent)
        self._disk.sync_names(path.parent)
        self.damaged.discard(path)
        self.say(f"{path.name} was damaged. It has been set aside as {DIRECTORY}/{aside.name}; {kept} frames of it that are"
                 " whole were kept.")

    def _copy(self, path: Path, fresh: Path) -> int:
        kept = position = 0
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with opened(path) as file:
                for frame in _whole(file):
                    self._disk.write(handle, os.pread(file, frame.end - frame.start, frame.start), position)
                    kept, position = kept + 1, position + frame.end - frame.start
            self._disk.sync(handle)
        finally:
            os.close(handle)
        return kept

    def _free(self, path: Path) -> Path:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        number = 1
        while (aside := self._directory / f"{path.name}.{number}").exists():
            number += 1
        return aside


def _whole(file: int) -> Iterator[Frame]:
    for found in frames.walk(file, 0, os.fstat(file).st_size):
        if not isinstance(found, Gap):
            yield found
