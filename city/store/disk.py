"""What the local log asks of the operating system, in one place, so that tests can let it fail."""

import os
import shutil
import threading
from pathlib import Path

REST_S = 0.004


class Disk:
    """The real one. Every method raises OSError."""

    def write(self, file: int, data: bytes, position: int) -> None:
        """All of it, at that position."""
        view = memoryview(data)
        while view:
            written = os.pwrite(file, view, position)
            view, position = view[written:], position + written

    def sync(self, file: int) -> None:
        """Durable when it returns, size and all."""
        os.fdatasync(file)

    def sync_names(self, directory: Path) -> None:
        """What files are there is durable when it returns."""
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rest(self) -> None:
        """Work that nobody waits for goes on a little later."""
        threading.Event().wait(REST_S)

    def free(self, directory: Path) -> int:
        """Bytes that this process may still write there."""
        return shutil.disk_usage(directory).free
