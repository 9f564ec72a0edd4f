"""A disk under the bridge that a test fills, breaks, or takes the power from."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.bridge import Bridge
from tests.wire.servers import program

SOURCE = Path(__file__).with_name("faulty_disk.c")


class Disk:
    """What a process sees of the files below `root`, once `under` has put it there."""

    def __init__(self, directory: Path, root: Path) -> None:
        """`directory` must lie elsewhere than `root`."""
        directory.mkdir()
        self._root, self._directory = root.resolve(), directory.resolve()
        self._control, self._shadow = directory / "control", directory / "shadow"
        self._library = directory / "faulty_disk.so"
        self._control.write_text("\n", encoding="ascii")
        subprocess.run([program("cc"), "-O2", "-shared", "-fPIC", "-o", self._library, SOURCE, "-ldl"], check=True)

    def under(self, bridge: Bridge, *, shadow: bool = False) -> None:
        """The bridge has this disk from its next start on; with `shadow` it remembers what has been synced."""
        bridge.environment |= {"LD_PRELOAD": str(self._library.resolve()), "FAULTY_ROOT": str(self._root),
                               "FAULTY_CONTROL": str(self._control.resolve())}
        if shadow:
            self._shadow.mkdir()
            bridge.environment["FAULTY_SHADOW"] = str(self._shadow.resolve())

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """ "write ENOSPC", "fsync EIO" …, for the length of a block."""
        self._control.write_text(f"{what}\n", encoding="ascii")
        try:
            yield
        finally:
            self._control.write_text("\n", encoding="ascii")

    def cut_power(self) -> None:
        """Everything that was not synced is gone. The process must be dead."""
        shutil.rmtree(self._root)
        shutil.copytree(self._shadow, self._root, ignore=shutil.ignore_patterns("*.fresh"))
